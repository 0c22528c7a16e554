"""The computations of a study."""
