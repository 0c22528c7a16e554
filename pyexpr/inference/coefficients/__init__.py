"""Weights and slopes of features by context, with uncertainty."""
