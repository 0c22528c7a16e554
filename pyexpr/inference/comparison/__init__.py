"""Models compared by cluster bootstrap and jackknife."""
