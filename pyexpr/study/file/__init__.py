"""The study file: what it may say, checked as it is read."""
