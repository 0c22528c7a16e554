"""The sentences of a report: data, methods, results, and what was not done."""
