"""Typed stub of the extension."""
