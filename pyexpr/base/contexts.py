"""The label of what is computed over all contexts together; it stands last in every table."""

ALL = "all"
