"""What every room uses: errors, tables, results, files, progress."""
