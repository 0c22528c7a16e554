"""The factor model: fit, scores, reliability, and its bootstrap."""
