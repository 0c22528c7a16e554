"""One draw of subjects through the whole analysis: reliability, factor model, models."""
