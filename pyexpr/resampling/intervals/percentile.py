"""Quantiles of the replicates as limits, directly or mirrored at the estimate."""

from __future__ import annotations

from pyexpr.resampling.intervals.evidence import Evidence, Intervals
from pyexpr.resampling.intervals.from_draws import equal_tails, from_draws, summary_of, two_sided
from pyexpr.resampling.quantiles import interpolated_quantiles


def percentile(evidence: Evidence, confidence: float) -> Intervals:
    """Quantiles of the replicates, interpolated as in `interpolated_quantiles`.

    ``p = 2 min(#{t* <= null} + 1, #{t* >= null} + 1)/(B + 1)``, at most 1.
    """
    summary = summary_of(evidence, evidence.null)
    limits = interpolated_quantiles(
        evidence.replicates,
        equal_tails(confidence, len(evidence.estimate)),
        summary.n_defined,
        n_threads=evidence.n_threads,
    )
    p = two_sided(summary.n_at_most_null, summary.n_at_least_null, summary.n_defined)
    return from_draws(evidence, "percentile", confidence, summary, p, limits[:, 0], limits[:, 1])


def basic(evidence: Evidence, confidence: float) -> Intervals:
    """Mirror the percentile interval about the estimate: ``2T`` minus its limits."""
    mirrored = 2 * evidence.estimate - evidence.null
    summary = summary_of(evidence, mirrored)
    limits = interpolated_quantiles(
        evidence.replicates,
        equal_tails(confidence, len(mirrored)),
        summary.n_defined,
        n_threads=evidence.n_threads,
    )
    p = two_sided(summary.n_at_most_null, summary.n_at_least_null, summary.n_defined)
    twice = 2 * evidence.estimate
    return from_draws(
        evidence, "basic", confidence, summary, p, twice - limits[:, 1], twice - limits[:, 0]
    )
