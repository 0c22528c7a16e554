"""Draws, intervals, tests and adjustment for multiple tests."""
