"""A normal interval with the bias and standard deviation of the bootstrap."""

from __future__ import annotations

from statistics import NormalDist

import numpy as np

from pyexpr.base.messages import Template
from pyexpr.resampling.intervals.evidence import Evidence, Intervals
from pyexpr.resampling.intervals.from_draws import from_draws, summary_of
from pyexpr.resampling.intervals.jackknife import without_variation

NO_VARIATION = Template(
    "same_in_replicates",
    "the value is the same in every replicate, so its variation cannot be estimated",
)()


def normal(evidence: Evidence, confidence: float) -> Intervals:
    """``2T - mean t* +- z sd(t*)``: normal, with the bootstrap's estimate of bias subtracted."""
    from scipy.special import ndtr

    summary = summary_of(evidence, evidence.null)
    centre = 2 * evidence.estimate - summary.mean
    half = NormalDist().inv_cdf((1 + confidence) / 2) * summary.sd
    with np.errstate(divide="ignore", invalid="ignore"):
        statistic = (centre - evidence.null) / summary.sd
    p = 2 * ndtr(-np.abs(statistic))
    p = np.where(p == 0, np.nextafter(0, 1), p)
    result = from_draws(evidence, "normal", confidence, summary, p, centre - half, centre + half)
    result.statistic = np.where(np.isnan(result.p_value), np.nan, statistic)
    for row in np.flatnonzero(without_variation(summary.sd, evidence.estimate)):
        result.low[row] = result.high[row] = evidence.estimate[row]
        result.statistic[row] = result.p_value[row] = np.nan
        result.reason[row] = result.reason[row] or NO_VARIATION
    return result
