"""Tables of results, as text, Markdown, LaTeX, HTML and CSV."""
