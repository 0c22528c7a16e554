"""Common parts of the intervals from replicates."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pyexpr.core.cluster_bootstrap import Summary, summarise
from pyexpr.resampling.intervals.evidence import (
    ONLY_ONE_SUBJECT,
    SINGLE_IN_STRATUM,
    UNDEFINED_IN,
    Evidence,
    Intervals,
)
from pyexpr.resampling.quantiles import MOST_UNDEFINED

if TYPE_CHECKING:
    from numpy.typing import NDArray


def equal_tails(confidence: float, n: int) -> NDArray[np.float64]:
    """Return the (n, 2) levels of a two-sided interval."""
    # Written as in boot.ci, so that the rank is the same double.
    return np.tile([(1 - confidence) / 2, (1 + confidence) / 2], (n, 1))


def summary_of(evidence: Evidence, null: NDArray[np.float64]) -> Summary:
    """Count and average the replicates of each quantity."""
    return summarise(evidence.replicates, evidence.estimate, null, n_threads=evidence.n_threads)


def two_sided(
    at_most: NDArray[np.int64], at_least: NDArray[np.int64], n: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Return p from the counts of replicates on either side of the null."""
    return np.asarray(np.minimum(2 * (np.minimum(at_most, at_least) + 1) / (n + 1), 1.0))


def from_draws(
    evidence: Evidence,
    method: str,
    confidence: float,
    summary: Summary,
    p_value: NDArray[np.float64],
    low: NDArray[np.float64],
    high: NDArray[np.float64],
) -> Intervals:
    """Arrange limits and p, and remove them from rows that cannot have them."""
    n = len(evidence.estimate)
    result = Intervals(
        method,
        [method] * n,
        confidence,
        summary.sd,
        np.full(n, np.nan),
        np.full(n, np.nan),
        np.where(np.isnan(evidence.null), np.nan, p_value),
        low,
        high,
        [""] * n,
        evidence.replicates.shape[1] - summary.n_defined,
    )
    for group in evidence.groups:
        if min(group.strata) == 1:
            for row in group.rows:
                several = len(group.strata) > 1
                result.blank(int(row), SINGLE_IN_STRATUM if several else ONLY_ONE_SUBJECT)
                result.std_error[row] = np.nan
    _refuse_undefined(evidence, result, summary.n_defined)
    return result


def _refuse_undefined(evidence: Evidence, result: Intervals, n_defined: NDArray[np.int64]) -> None:
    B = evidence.replicates.shape[1]
    for row in np.flatnonzero((B - n_defined) > MOST_UNDEFINED * B):
        result.blank(int(row), UNDEFINED_IN(undefined=B - n_defined[row], n_boot=B))
