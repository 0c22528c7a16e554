"""The wild cluster bootstrap: multipliers of the residuals of clusters, and p-values.

Sources: Cameron, Gelbach and Miller (2008), Rev. Econ. Stat. 90, 414-427; Webb (2023), Can. J.
Econ. 56, 839-858, for the six-point distribution.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pyexpr.base.checks import whole_number
from pyexpr.core.streams import SIGN_FLIPS, checked_seed, generator

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from pyexpr.inference.coefficients.cluster_ols import ClusterOLS

# Up to this number of clusters, all vectors of signs are used.
MOST_ENUMERATED = 13
WEBB = np.sqrt([0.5, 1.0, 1.5])
# |t*| that differ from |t| by less than this (relative) are ties, such as those of the observed
# signs and of their opposite.
TIE = 1e-12


@dataclass(frozen=True, slots=True)
class WildTest:
    """A wild cluster bootstrap test of one contrast.

    Attributes
    ----------
    statistic : float
        t of the data. It and the p-value are NaN if the residuals are rounding errors of the label.
    p_value : float
        Proportion of |t*| that are at least |t|; for random draws (1 + number)/(1 + B).
    pivots : ndarray, shape (B,)
        t*; NaN if a resample has no variation.
    kind : str
        "rademacher, all" or "webb".
    """

    statistic: float
    p_value: float
    pivots: NDArray[np.float64]
    kind: str


def multipliers(n_clusters: int, n_boot: int, seed: int) -> tuple[NDArray[np.float64], str]:
    """Return vectors of multipliers, (B, G), and their kind.

    Up to 13 clusters these are all 2^G vectors of signs; with more clusters, `n_boot` draws from
    Webb's six-point distribution, by stream 2 of the seed.
    """
    if n_clusters <= MOST_ENUMERATED:
        bits = np.arange(2**n_clusters)[:, None] >> np.arange(n_clusters) & 1
        return np.asarray(1.0 - 2.0 * bits, dtype=np.float64), "rademacher, all"
    drawn = generator(checked_seed(seed), SIGN_FLIPS).integers(0, 6, size=(n_boot, n_clusters))
    return np.asarray(np.concatenate([-WEBB, WEBB])[drawn], dtype=np.float64), "webb"


def wild_test(
    fit: ClusterOLS, contrast: ArrayLike, *, null: float = 0.0, n_boot: int = 9999, seed: int = 0
) -> WildTest:
    """Test one contrast by the wild cluster bootstrap under the null hypothesis.

    Parameters
    ----------
    fit : ClusterOLS
        The fit. Its correction is used in every resample; CR1 is the usual choice.
    contrast : array_like, shape (p,)
    null : float
        Value tested.
    n_boot : int
        Number of draws if the signs are not enumerated.
    seed : int

    Notes
    -----
    The residuals of the fit under the null hypothesis are multiplied, with the same multiplier for
    all rows of a cluster, and t is computed again. Checked against: wildboottest, whose |t*| are
    the same numbers.

    Examples
    --------
    >>> from pyexpr.inference.coefficients.cluster_ols import cluster_ols
    >>> X = [[1.0, 0.0], [1.0, 1.0], [1.0, 2.0], [1.0, 3.0], [1.0, 1.0], [1.0, 0.0]]
    >>> fit = cluster_ols(X, [0.0, 1.0, 1.0, 3.0, 2.0, 0.5], [0, 0, 1, 1, 2, 2], cr="CR1")
    >>> wild_test(fit, [0, 1]).p_value
    0.25
    """
    n_boot = whole_number(n_boot, argument="n_boot", least=1)
    signs, kind = multipliers(fit.n_clusters, n_boot, seed)
    statistic, pivots = fit.wild_pivots(contrast, signs, null=null)
    size = np.abs(pivots[~np.isnan(pivots)])
    if not np.isfinite(statistic) or not len(size):
        return WildTest(float("nan"), float("nan"), pivots, kind)
    reached = int(np.sum(size >= abs(statistic) * (1 - TIE)))
    p = reached / len(size) if kind != "webb" else (1 + reached) / (1 + len(size))
    return WildTest(statistic, p, pivots, kind)
