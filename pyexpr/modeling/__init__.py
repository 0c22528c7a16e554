"""Splits, baselines, models per context, metrics."""
