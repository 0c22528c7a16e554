"""Slopes of contexts pooled in part, by a multilevel model."""
