"""The contribution of each cluster to an estimate, from the values without it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def jackknife_influence(values: NDArray[np.float64], strata: Sequence[int]) -> NDArray[np.float64]:
    """Return the contribution of each cluster, (q, G); the squares of a row sum to the variance."""
    influence = np.empty_like(values)
    start = 0
    for size in strata:
        part = values[:, start : start + size]
        part = np.sqrt((size - 1) / size) * (part.mean(axis=1, keepdims=True) - part)
        influence[:, start : start + size] = part
        start += size
    return influence
