"""Intervals and p-values from one set of draws and one jackknife, a method a module."""
