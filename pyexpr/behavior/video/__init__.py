"""Videos cut into the clips that a network sees."""
