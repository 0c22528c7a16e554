"""Sign flips, slow and obvious: predictions are exchanged in the rows themselves."""

from __future__ import annotations

import numpy as np

from reference import cluster_bootstrap as twin


def standardised(name, p, cluster):
    """Standardise a prediction over all rows: of its own, within, or between clusters."""
    base, _, part = name.partition("_")
    if base != "correlation":
        return p
    means = np.array([p[cluster == g].mean() for g in np.unique(cluster)])
    if part == "within":
        return p / np.std(p - means[np.searchsorted(np.unique(cluster), cluster)])
    spread = means if part == "between" else p
    return (p - spread.mean()) / spread.std()


def statistic(name, p, q, t, cluster, exchanged, strata):
    """Return the studentised difference with the clusters `exchanged` (bool) exchanged."""
    p, q = standardised(name, p, cluster), standardised(name, q, cluster)
    swap = exchanged[cluster]
    a, b = np.where(swap, q, p), np.where(swap, p, q)

    def difference(rows):
        return twin.metric(name, a[rows], t[rows], cluster[rows]) - twin.metric(
            name, b[rows], t[rows], cluster[rows]
        )

    left = np.array([difference(cluster != g) for g in range(sum(strata))])
    variance, start = 0.0, 0
    for size in strata:
        part = left[start : start + size]
        variance += (size - 1) / size * np.sum((part - part.mean()) ** 2)
        start += size
    return difference(np.ones(len(p), dtype=bool)) / np.sqrt(variance)


def random_exchange(n_clusters, seed, r):
    """Return which clusters random flip r exchanges: the highest bit of each word."""
    return np.array([word >> 63 for word in twin.words(seed, 2, r, n_clusters)], dtype=bool)
