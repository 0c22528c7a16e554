"""A study file to the whole analysis."""
