"""Common base of all packages: errors, tables, results, files, progress."""
