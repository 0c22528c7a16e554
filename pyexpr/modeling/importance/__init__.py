"""Importance of features: how much a fitted model loses without what a feature tells it."""
