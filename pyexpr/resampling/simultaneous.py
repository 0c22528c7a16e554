"""max-T: the largest of several statistics with different degrees of freedom.

Each Student's t is first transformed to the normal scale with its own degrees of freedom, where all
tests of a family have the same distribution. The distribution of the largest of them is then
simulated by multiplying the clusters' influences on the estimates by standard normal numbers.
Sources: Westfall and Young (1993), chapter 2; Chernozhukov, Chetverikov and Kato (2013), Ann.
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
        Level of a single interval such that all intervals of the family hold simultaneously.
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
        Contribution of each cluster to each estimate; only the correlations of columns matter.
    p_value : (m,)
        The two-sided p-value of each test alone, by Student's t with its own degrees of freedom.
    confidence : float
        Confidence that all intervals of the family contain their values simultaneously.
    seed : int
        Key of the draws, which have a separate stream.

    Returns
    -------
    Simultaneous
        Adjusted p is ``(1 + #{max_k |Z*_k| >= z}) / (B + 1)``, where z is the normal score of p, Z*
        is normal with the correlations of `influence`, and B = 9,999 draws.

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
