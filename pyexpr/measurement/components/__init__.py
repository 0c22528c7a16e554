"""Variance components of crossed and nested facets, and the studies planned from them."""
