"""Diagnostics of raters: bias, error, agreement with the others, drift, use of the scale."""
