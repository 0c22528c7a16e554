"""Student's t with the jackknife standard error: the recommended interval."""

from __future__ import annotations

import numpy as np

from pyexpr.base.messages import Template
from pyexpr.resampling.intervals.evidence import Evidence, Intervals
from pyexpr.resampling.intervals.jackknife import jackknife_of, without_variation
from pyexpr.resampling.intervals.scales import at_end

SAME_WITHOUT_ANY = Template(
    "same_without_any",
    "the value does not change if any one subject is left out, so its variation cannot be "
    "estimated",
)()
AT_END = Template("end_of_range", "the estimate is at the limit of its range")()


def jackknife_t(evidence: Evidence, confidence: float) -> Intervals:
    """Delete-one-cluster jackknife on a scale, with Student's t.

    ``g(T) +- t_df SE``, back-transformed, where SE is the jackknife standard
    error of g(T). g is -1/x for RMSE, NRMSE, MAE and Brier's score, whose upper limits
    `limit` keeps finite, atanh for correlations and concordance, -sqrt(1-x) for R2, AUC and
    metrics of classes, the identity for differences, bias and functions. df is that of
    `degrees_of_freedom`, without kurtosis for differences of correlations, pooled or between
    subjects. `std_error` is that of the quantity itself.
    """
    from scipy.special import stdtr, stdtrit

    jackknife = jackknife_of(evidence)
    centre, null = evidence.scaled(evidence.estimate), evidence.scaled(evidence.null)
    with np.errstate(divide="ignore", invalid="ignore"):
        statistic = (centre - null) / jackknife.scaled_error
        half = stdtrit(jackknife.df, (1 + confidence) / 2) * jackknife.scaled_error
        low, high = evidence.limits(half, half)
        p = 2 * stdtr(jackknife.df, -np.abs(statistic))
    # If t is so large that p underflows, p is set to the smallest positive number.
    p = np.where(p == 0, np.nextafter(0, 1), p)
    n = len(p)
    # Row by row: after Ctrl-C they are part of a longer array, whose copy would take seconds.
    undefined = [np.count_nonzero(np.isnan(row)) for row in evidence.replicates]
    result = Intervals(
        "jackknife_t",
        ["jackknife_t"] * n,
        confidence,
        jackknife.error,
        statistic,
        jackknife.df,
        p,
        low,
        high,
        [""] * n,
        np.array(undefined, dtype=np.int64),
    )
    constant = without_variation(jackknife.error, evidence.estimate)
    ended = at_end(centre, evidence.scale) & ~constant
    for row in np.flatnonzero(constant):
        result.low[row] = result.high[row] = evidence.estimate[row]
        result.statistic[row] = result.p_value[row] = np.nan
        result.reason[row] = SAME_WITHOUT_ANY
    for row in np.flatnonzero(ended):
        result.blank(int(row), AT_END)
    result.give_reasons(jackknife.reason)
    return result
