"""max-T: the largest of several statistics with different degrees of freedom.

Each Student's t is first brought to the normal scale by its own degrees of freedom, where
all tests of a family have one distribution. How the largest of them varies is then drawn:
clusters' influences on the estimates, multiplied by standard normal numbers. Sources:
Westfall and Young (1993), chapter 2; Chernozhukov, Chetverikov and Kato (2013), Ann.
Statist. 41, 2786-2819, for the multipliers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from pyexpr.base.errors import DataError
from pyexpr.core.streams import MULTIPLIERS, generator
from pyexpr.resampling.quantiles import rank_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

N_DRAWS = 9_999
# Draws made at once.
_BLOCK = 1_000


class Simultaneous(NamedTuple):
    """Adjusted tests of one family.

    Attributes
    ----------
    p_adjusted : (m,) float64
    confidence : float
        Of a single interval, such that all of the family hold at once.
    """

    p_adjusted: NDArray[np.float64]
    confidence: float


def simultaneous(
    influence: NDArray[np.float64], p_value: NDArray[np.float64], confidence: float, seed: int
) -> Simultaneous:
    """Judge the tests of one family together, by the largest of their normal scores.

    Parameters
    ----------
    influence : (clusters, m)
        What each cluster adds to each estimate; only how columns are correlated counts.
    p_value : (m,)
        Of each test alone, two-sided, by Student's t on its own degrees of freedom.
    confidence : float
        That all intervals of the family are to hold their values at once.
    seed : int
        Key of the draws, from a stream of their own.

    Returns
    -------
    Simultaneous
        Adjusted p is ``(1 + #{max_k |Z*_k| >= z}) / (B + 1)``, z the normal score of p and
        Z* normal with the correlations of `influence`, B = 9,999 draws.

    Raises
    ------
    DataError
        If the confidence is too high for as many draws.
    """
    from scipy.special import ndtr, ndtri

    if int(np.ceil(1 / (1 - confidence) - 1 - 1e-9)) > N_DRAWS:
        raise DataError(
            f"max_t uses {N_DRAWS:,} draws, too few for a confidence of {confidence:g}; use holm"
        )
    unit = influence / np.sqrt(np.einsum("gm,gm->m", influence, influence))
    draws = generator(seed, MULTIPLIERS)
    largest = np.empty(N_DRAWS)
    for start in range(0, N_DRAWS, _BLOCK):
        normal = draws.standard_normal((min(_BLOCK, N_DRAWS - start), len(unit)))
        # Not a matrix product, whose order of summing depends on threads.
        scores = np.einsum("bg,gm->bm", normal, unit)
        largest[start : start + len(normal)] = np.abs(scores).max(axis=1)
    largest.sort()
    at_least = N_DRAWS - np.searchsorted(largest, -ndtri(p_value / 2), side="left")
    reach = float(largest[rank_of(confidence, N_DRAWS) - 1])
    return Simultaneous((at_least + 1) / (N_DRAWS + 1), float(1 - 2 * ndtr(-reach)))
