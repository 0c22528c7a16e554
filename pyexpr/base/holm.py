"""Several tests at once, by Holm's steps."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pyexpr.base.arrays import unmasked

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


def holm(p_values: ArrayLike) -> NDArray[np.float64]:
    """Adjust p-values by Holm's step-down rule; NaN stays NaN and is not counted.

    The i-th smallest of m becomes the largest of ``(m - j + 1) p_(j)`` over j up to
    i, at most 1. Controls the family-wise error whatever the dependence. Source: Holm
    (1979). Checked against R's ``p.adjust`` and statsmodels.

    Parameters
    ----------
    p_values : (m,) float

    Returns
    -------
    (m,) float64

    Examples
    --------
    >>> holm([0.01, 0.04, 0.03]).tolist()
    [0.03, 0.06, 0.06]
    """
    p = np.asarray(unmasked(p_values), dtype=np.float64)
    adjusted = np.full(p.shape, np.nan)
    tested = np.flatnonzero(~np.isnan(p))
    order = tested[np.argsort(p[tested], kind="stable")]
    steps = (len(order) - np.arange(len(order))) * p[order]
    adjusted[order] = np.minimum(np.maximum.accumulate(steps), 1.0)
    return adjusted
