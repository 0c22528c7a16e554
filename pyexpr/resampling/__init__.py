"""Draws, intervals, tests and multiplicity: whatever is resampled uses these."""
