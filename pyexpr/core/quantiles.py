"""Quantiles of bootstrap replicates, and when too many of those are undefined."""

from __future__ import annotations

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


def interpolated_quantiles(
    values: NDArray[np.float64],
    levels: ArrayLike,
    n_defined: NDArray[np.int64],
    *,
    n_threads: int | None = None,
) -> NDArray[np.float64]:
    """Return quantiles of each row of `values` (Q, B), as R's ``boot::boot.ci`` takes them.

    Order statistics of rank (B + 1) level, between two of which it interpolates
    on the normal scale (Davison and Hinkley, 1997, equation 5.8).

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
    B = n_defined[:, None]
    rank = (B + 1) * level
    below = np.trunc(rank)
    ranks = np.stack([below - 1, below], axis=-1)
    inside = np.clip(ranks, 0, np.maximum(B - 1, 0)[..., None])
    inside = np.where(np.isnan(inside), -1, inside).astype(np.int64)
    found = order_statistics(values, inside.reshape(len(level), -1), n_threads=n_threads).reshape(
        inside.shape
    )
    result = found[..., 0].copy()
    between = (below >= 1) & (below < B) & (rank != below)
    # Rows mostly share B and level, and so the weight.
    sizes = np.broadcast_to(B, level.shape)[between].tolist()
    keys = list(zip(sizes, level[between].tolist(), strict=True))
    weights = {key: _weight(*key) for key in dict.fromkeys(keys)}
    step = found[between, 1] - found[between, 0]
    result[between] += np.array([weights[key] for key in keys]) * step
    return result


def _weight(n: int, level: float) -> float:
    """Return how far the level lies between the ranks around it, on the normal scale."""
    quantile = NormalDist().inv_cdf
    below = int((n + 1) * level)
    lower, upper = quantile(below / (n + 1)), quantile((below + 1) / (n + 1))
    return (quantile(level) - lower) / (upper - lower)
