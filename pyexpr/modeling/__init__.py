"""Splits, baselines, models by context, and metrics."""
