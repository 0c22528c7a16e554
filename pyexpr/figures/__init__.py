"""Figures drawn from tidy data frames."""
