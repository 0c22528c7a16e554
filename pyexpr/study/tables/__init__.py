"""The tables of a study, read and held against each other."""
