"""Ratings to reliability, factor model and scores."""
