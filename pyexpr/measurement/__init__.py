"""From ratings to reliability, factor model and scores."""
