"""The study file: its entries, which are checked when it is read."""
