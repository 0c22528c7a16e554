"""The published study: its numbers, values recomputed from them, and a simulation."""
