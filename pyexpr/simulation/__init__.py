"""A study with known true values, in the formats of a real one."""
