"""A study with known truth, in the formats of a real one."""
