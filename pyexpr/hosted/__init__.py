"""Calls from R: one function that takes and returns the bytes of R's `serialize()`."""
