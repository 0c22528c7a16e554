"""Slopes and correlations of each person, and how reliable they are."""
