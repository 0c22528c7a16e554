"""The same conclusions of a study under other choices."""
