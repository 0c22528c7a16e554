"""Quantiles of bootstrap replicates, and when too many replicates are undefined."""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np

from pyexpr.core.cluster_bootstrap import order_statistics

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

# A quantity undefined in more than this share of replicates has no bootstrap interval.
MOST_UNDEFINED = 0.10
# Over this share of undefined replicates a warning is given.
SOME_UNDEFINED = 0.01


def rank_of(confidence: float, n: ArrayLike) -> NDArray[np.int64]:
    """Return the rank, from 1, among `n` draws with which an interval agrees with its p.

    For a statistic beyond the draw of this rank, ``(1 + #{at least as large})/(n + 1)`` is at most
    ``1 - confidence``; for one up to it, it is larger.
    """
    draws = np.asarray(n, dtype=np.float64)
    rank = np.ceil((draws + 1) * confidence - 1e-9)
    return np.clip(rank, 1, np.maximum(draws, 1)).astype(np.int64)


def interpolated_quantiles(
    values: NDArray[np.float64],
    levels: ArrayLike,
    n_defined: NDArray[np.int64],
    *,
    n_threads: int | None = None,
) -> NDArray[np.float64]:
    """Return quantiles of each row of `values` (Q, B), as R's ``boot::boot.ci`` does.

    They are order statistics of rank (B + 1) level, interpolated on the normal scale between two
    ranks (Davison and Hinkley, 1997, equation 5.8).

    Parameters
    ----------
    values : (Q, B) float64
        NaN is left out.
    levels : (Q, k) float64
        Between 0 and 1.
    n_defined : (Q,) int64
        The number of values of each row that are not NaN.

    Returns
    -------
    (Q, k) float64
        NaN for rows without values.
    """
    level = np.asarray(levels, dtype=np.float64)
    # Most rows have the same number of values and levels, and hence the same ranks and weights.
    keys = list(zip(n_defined.tolist(), map(tuple, level.tolist()), strict=True))
    places = {key: _places(*key) for key in dict.fromkeys(keys)}
    shape = (*level.shape, 2)
    ranks = np.array([places[key][0] for key in keys], dtype=np.int64).reshape(shape)
    weights = np.array([places[key][1] for key in keys]).reshape(level.shape)
    found = order_statistics(values, ranks.reshape(len(level), -1), n_threads=n_threads).reshape(
        shape
    )
    result = found[..., 0].copy()
    between = weights > 0
    result[between] += (weights * (found[..., 1] - result))[between]
    return result


def _places(n: int, levels: tuple[float, ...]) -> tuple[list[tuple[int, int]], list[float]]:
    """Return the two ranks, from 0, around each level, and its distance from the first.

    -1 means that there is no rank.
    """
    ranks, weights = [], []
    for level in levels:
        if math.isnan(level):
            ranks.append((-1, -1))
            weights.append(0.0)
            continue
        rank = (n + 1) * level
        below = int(rank)
        if 1 <= below < n and rank != below:
            ranks.append((below - 1, below))
            weights.append(_weight(n, level))
        else:
            at = min(max(below - 1, 0), max(n - 1, 0))
            ranks.append((at, at))
            weights.append(0.0)
    return ranks, weights


def _weight(n: int, level: float) -> float:
    """Return how far the level lies between the ranks around it, on the normal scale."""
    quantile = NormalDist().inv_cdf
    below = int((n + 1) * level)
    lower, upper = quantile(below / (n + 1)), quantile((below + 1) / (n + 1))
    return (quantile(level) - lower) / (upper - lower)
