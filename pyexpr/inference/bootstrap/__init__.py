"""The cluster bootstrap of custom statistics."""
