"""The cluster bootstrap of the user's own statistic."""
