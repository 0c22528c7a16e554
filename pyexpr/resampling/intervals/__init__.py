"""Intervals and p-values from the same draws and jackknife, with one module per method."""
