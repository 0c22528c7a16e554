"""The folder of results: tables, figures, report."""
