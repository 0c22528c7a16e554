"""The factor model: fit, scores, reliability, and bootstrap."""
