"""The cluster bootstrap, slow and obvious: rows are copied, subjects renamed.

Nothing here uses sums per subject; random words come from numpy.
"""

from __future__ import annotations

import numpy as np
from scipy.stats import spearmanr


def words(seed: int, stream: int, replicate: int, n: int) -> list[int]:
    """Return the first n words of one replicate, as Python integers."""
    generator = np.random.Philox(
        key=np.array([seed, stream], dtype=np.uint64),
        counter=np.array([0, replicate, 0, 0], dtype=np.uint64),
    )
    return [int(generator.random_raw()) for _ in range(n)]


def draws(strata: list[int], seed: int, stream: int, replicate: int) -> list[int]:
    """Return the clusters drawn, one stratum after the other."""
    word = iter(words(seed, stream, replicate, sum(strata)))
    drawn, start = [], 0
    for size in strata:
        drawn += [start + ((next(word) * size) >> 64) for _ in range(size)]
        start += size
    return drawn


def resampled(cluster: np.ndarray, drawn: list[int]) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows of the drawn clusters, and a new name for each copy."""
    pieces = [np.flatnonzero(cluster == g) for g in drawn]
    names = [np.full(len(piece), i) for i, piece in enumerate(pieces)]
    return np.concatenate(pieces), np.concatenate(names)


def metric(name: str, p: np.ndarray, t: np.ndarray, cluster: np.ndarray) -> float:
    """Compute a metric on rows, by its textbook formula; NaN rows are left out."""
    there = ~(np.isnan(p) | np.isnan(t))
    p, t, cluster = p[there], t[there], cluster[there]
    base, _, part = name.partition("_")
    if not len(p):
        return np.nan
    raw_p, raw_t = p, t
    if part:
        labels, codes = np.unique(cluster, return_inverse=True)
        mean_p = np.array([p[codes == g].mean() for g in range(len(labels))])
        mean_t = np.array([t[codes == g].mean() for g in range(len(labels))])
        p, t = (p - mean_p[codes], t - mean_t[codes]) if part == "within" else (mean_p, mean_t)
    square_p = np.mean((raw_p if part == "within" else p) ** 2)
    square_t = np.mean((raw_t if part == "within" else t) ** 2)
    flat_p, flat_t = np.var(p) <= 1e-12 * square_p, np.var(t) <= 1e-12 * square_t
    d = p - t
    if base in ("rmse", "nrmse"):
        return float(np.sqrt(np.mean(d**2)) / (7 if base == "nrmse" else 1))
    if base == "mse":
        return float(np.mean(d**2))
    if base == "mae":
        return float(np.mean(np.abs(d)))
    if base == "bias":
        return float(np.mean(d))
    if base == "r2":
        return np.nan if flat_t else float(1 - np.sum(d**2) / np.sum((t - t.mean()) ** 2))
    if base == "spearman":
        return np.nan if np.ptp(p) == 0 or np.ptp(t) == 0 else float(spearmanr(p, t).statistic)
    covariance = np.mean((p - p.mean()) * (t - t.mean()))
    if base == "concordance":
        if flat_p and flat_t:
            return np.nan
        return float(2 * covariance / (np.var(p) + np.var(t) + np.mean(d) ** 2))
    assert base == "correlation"
    return np.nan if flat_p or flat_t else float(covariance / np.sqrt(np.var(p) * np.var(t)))


def replicate(name, p, t, cluster, strata, seed, r):
    """Return one replicate of one metric."""
    rows, names = resampled(cluster, draws(strata, seed, 1, r))
    return metric(name, p[rows], t[rows], names)


def weighted(cluster, weights):
    """Return rows and names in which cluster g, by position, is there `weights[g]` times."""
    return resampled(cluster, [g for g, w in enumerate(weights) for _ in range(w)])


def without(strata, g):
    """Return whole weights of the clusters without g, which leave every stratum its weight.

    With G_h clusters in its stratum the others of it count G_h times, all else G_h - 1 times.
    """
    if len(strata) == 1:
        return [int(i != g) for i in range(strata[0])]
    ends = np.cumsum(strata)
    of = np.searchsorted(ends, np.arange(ends[-1]), side="right")
    size = strata[of[g]]
    return [0 if i == g else size if of[i] == of[g] else size - 1 for i in range(ends[-1])]


def leave_one_out(name, p, t, cluster, n_clusters, strata=None):
    """Return a metric without each cluster."""
    values = []
    for g in range(n_clusters):
        rows, names = weighted(cluster, without(strata or [n_clusters], g))
        values.append(metric(name, p[rows], t[rows], names))
    return np.array(values)


def standard_error(name, p, t, cluster, strata, seed, r, scale=lambda x: x):
    """Return the standard error within a replicate: each drawn copy left out in turn."""
    rows, names = resampled(cluster, draws(strata, seed, 1, r))
    values = scale(leave_one_out(name, p[rows], t[rows], names, sum(strata), strata))
    variance, start = 0.0, 0
    for size in strata:
        part = values[start : start + size]
        variance += (size - 1) / size * np.sum((part - part.mean()) ** 2)
        start += size
    return np.sqrt(variance)
