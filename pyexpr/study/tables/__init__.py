"""The tables of a study, read and matched."""
