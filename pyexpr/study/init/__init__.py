"""A study file written from the tables of a folder."""
