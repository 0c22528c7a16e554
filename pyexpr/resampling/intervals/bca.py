"""Percentile intervals corrected for bias and acceleration."""

from __future__ import annotations

import numpy as np

from pyexpr.resampling.intervals.evidence import Evidence, Intervals
from pyexpr.resampling.intervals.from_draws import equal_tails, from_draws, summary_of, two_sided
from pyexpr.resampling.intervals.jackknife import jackknife_of
from pyexpr.resampling.quantiles import interpolated_quantiles


def bca(evidence: Evidence, confidence: float) -> Intervals:
    """Percentiles corrected for bias and acceleration (Efron, 1987).

    ``z0 = qnorm(#{t* < t}/B)``; the acceleration comes from the subject jackknife of each quantity,
    as in ``boot::boot.ci(type = "bca", L = (G - 1) * (mean(J) - J))``. If z0 is infinite, or an end
    lies outside (1/(B + 1), B/(B + 1)), the row gets the percentile interval, and `method` says so.
    p is computed by inversion.
    """
    from scipy.special import ndtr, ndtri

    jackknife = jackknife_of(evidence)
    summary = summary_of(evidence, evidence.null)
    B = summary.n_defined
    with np.errstate(divide="ignore", invalid="ignore"):
        z0 = ndtri(summary.n_below_estimate / B)
        acceleration = jackknife.acceleration
        z = z0[:, None] + ndtri(equal_tails(confidence, len(z0)))
        levels = ndtr(z0[:, None] + z / (1 - acceleration[:, None] * z))
        usable = np.isfinite(levels).all(axis=1)
        usable &= (levels[:, 0] > 1 / (B + 1)) & (levels[:, 1] < B / (B + 1))
        # The level whose end of the interval meets the null, from below and from above.
        tails = []
        for count, sign in ((summary.n_at_most_null, 1), (summary.n_at_least_null, -1)):
            y = sign * ndtri(np.minimum(count + 1, B) / (B + 1)) - z0
            tails.append(ndtr(sign * (y / (1 + acceleration * y) - z0)))
        p = np.clip(2 * np.minimum(*tails), 1 / (B + 1), 1.0)
    plain = two_sided(summary.n_at_most_null, summary.n_at_least_null, B)
    levels = np.where(usable[:, None], levels, equal_tails(confidence, len(z0)))
    limits = interpolated_quantiles(evidence.replicates, levels, B, n_threads=evidence.n_threads)
    result = from_draws(
        evidence,
        "bca",
        confidence,
        summary,
        np.where(usable, p, plain),
        limits[:, 0],
        limits[:, 1],
    )
    for row in np.flatnonzero(~usable):
        result.method[row] = "percentile"
    return result
