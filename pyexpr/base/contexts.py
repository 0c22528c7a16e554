"""The label of results over all contexts, which is the last in every table."""

ALL = "all"
