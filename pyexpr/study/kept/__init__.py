"""The files that a run stores, and the checks that they are unchanged."""
