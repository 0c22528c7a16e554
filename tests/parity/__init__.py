"""Equality with software we did not write: each comparison once, for pytest and `make parity`.

A module per area lists its comparisons; `registry.py` joins them. `tests/test_parity.py` asserts
those that are quick; ``python -m parity`` runs all, prints the matrix, writes docs/validation.md.
"""
