"""The whole analysis that a study file describes."""
