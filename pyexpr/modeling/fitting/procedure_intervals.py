"""The results of each method of `compare_procedures`, and Student's interval on a scale."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pyexpr.resampling.intervals.scales import by_scale, limits

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

# Step of a central difference, relative to the value.
_STEP = 1e-6


@dataclass(frozen=True, slots=True)
class ProcedureIntervals:
    """One row per quantity; arrays are (q,), NaN with a reason."""

    estimate: Array
    std_error: Array
    statistic: Array
    df: Array
    p_value: Array
    low: Array
    high: Array
    reason: Sequence[str]


def students(
    estimate: Array,
    error: Array,
    df: Array,
    *,
    scale: Sequence[str],
    null: Array,
    confidence: float,
    reason: Sequence[str],
) -> ProcedureIntervals:
    """Return ``g(T) +- t_df g'(T) SE``, back-transformed, and the test of the same statistic."""
    from scipy.special import stdtr, stdtrit

    step = _STEP * np.maximum(np.abs(estimate), 1e-3)
    slope = (by_scale(estimate + step, scale) - by_scale(estimate - step, scale)) / (2 * step)
    with np.errstate(divide="ignore", invalid="ignore"):
        wide = error * slope
        statistic = (by_scale(estimate, scale) - by_scale(null, scale)) / wide
        half = stdtrit(df, (1 + confidence) / 2) * wide
        low, high = limits(by_scale(estimate, scale), half, half, scale)
        p = 2 * stdtr(df, -np.abs(statistic))
    p = np.where(p == 0, np.nextafter(0, 1), p)
    return ProcedureIntervals(estimate, error, statistic, df, p, low, high, list(reason))
