"""Comparison of models by cluster bootstrap and jackknife."""
