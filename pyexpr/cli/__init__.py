"""The command line: arguments to the public functions to the report."""
