"""Tests of whether a factor model is the same in every context."""
