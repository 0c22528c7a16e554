"""Bootstrap-t: each replicate is studentised by its own jackknife."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from pyexpr.core.cluster_bootstrap import Summary, order_statistics, summarise
from pyexpr.resampling.intervals.evidence import Evidence, Intervals
from pyexpr.resampling.intervals.from_draws import equal_tails, from_draws, two_sided
from pyexpr.resampling.intervals.jackknife import jackknife_of
from pyexpr.resampling.quantiles import interpolated_quantiles, rank_of

if TYPE_CHECKING:
    from numpy.typing import NDArray


def studentize(evidence: Evidence) -> NDArray[np.float64]:
    """Return ``(g(T*) - g(T)) / SE*`` of every replicate, (Q, B); NaN where SE* is 0."""
    centre, pivot = evidence.scaled(evidence.estimate), evidence.scaled(evidence.replicates)
    error = evidence.replicate_errors()
    # Zero up to rounding, as when a replicate consists of one subject.
    with np.errstate(divide="ignore", invalid="ignore"):
        constant = error <= 1e-12 * np.maximum(np.abs(pivot), np.abs(centre)[:, None])
        pivot -= centre[:, None]
        pivot /= error
    pivot[constant | ~np.isfinite(pivot)] = np.nan
    return pivot


class Reach(NamedTuple):
    """Half the length of a symmetric interval in standard errors, and p; both (Q,)."""

    reach: NDArray[np.float64]
    p_value: NDArray[np.float64]
    summary: Summary


def symmetric_reach(
    pivot: NDArray[np.float64],
    statistic: NDArray[np.float64],
    confidence: float,
    *,
    interpolated: bool = False,
    n_threads: int | None = None,
) -> Reach:
    """Return the quantile of ``|pivot|`` (Q, B), and the proportion beyond ``|statistic|`` (Q,).

    Pivots that are NaN are left out. The quantile is the order statistic that makes the
    interval agree with p (`rank_of`), or `interpolated` between two of them.
    """
    size = np.abs(pivot)
    summary = summarise(size, statistic, np.abs(statistic), n_threads=n_threads)
    B = summary.n_defined
    if interpolated:
        levels = np.full((len(size), 1), confidence)
        reach = interpolated_quantiles(size, levels, B, n_threads=n_threads)
    else:
        rank = rank_of(confidence, B)
        reach = order_statistics(size, rank[:, None] - 1, n_threads=n_threads)
    return Reach(reach[:, 0], (summary.n_at_least_null + 1) / (B + 1), summary)


def _studentized(evidence: Evidence, confidence: float, *, symmetric: bool) -> Intervals:
    pivot, jackknife = studentize(evidence), jackknife_of(evidence)
    centre, null = evidence.scaled(evidence.estimate), evidence.scaled(evidence.null)
    with np.errstate(divide="ignore", invalid="ignore"):
        statistic = (centre - null) / jackknife.scaled_error
    if symmetric:
        reach, p, summary = symmetric_reach(
            pivot, statistic, confidence, n_threads=evidence.n_threads
        )
        lower = upper = reach
    else:
        summary = summarise(pivot, centre, statistic, n_threads=evidence.n_threads)
        B = summary.n_defined
        tails = interpolated_quantiles(
            pivot, equal_tails(confidence, len(centre)), B, n_threads=evidence.n_threads
        )
        lower, upper = tails[:, 1], -tails[:, 0]
        p = two_sided(summary.n_at_most_null, summary.n_at_least_null, B)
    with np.errstate(invalid="ignore"):
        error = jackknife.scaled_error
        low, high = evidence.limits(lower * error, upper * error)
    name = "studentized" if symmetric else "studentized_et"
    result = from_draws(evidence, name, confidence, summary, p, low, high)
    result.std_error = jackknife.error
    result.statistic = np.where(np.isnan(result.p_value), np.nan, statistic)
    result.give_reasons(jackknife.reason)
    return result


def studentized(evidence: Evidence, confidence: float) -> Intervals:
    """Symmetric bootstrap-t on the scale of `jackknife_t`.

    Within a replicate the G drawn copies are G distinct subjects, each left out in
    turn for the standard error; the interval is ``g(T) +- q SE`` with q the quantile
    of ``|g(T*) - g(T)| / SE*``. Replicates whose SE* is 0 are undefined.
    """
    return _studentized(evidence, confidence, symmetric=True)


def studentized_et(evidence: Evidence, confidence: float) -> Intervals:
    """Bootstrap-t with equal tails on the scale of `jackknife_t`; see `studentized`."""
    return _studentized(evidence, confidence, symmetric=False)
