r"""Intervals of coefficients of agreement, from leaving out or drawing whole subjects.

Each subject is left out once (or each target, if targets are independent), and the pseudo-values
``G R - (G - 1) R_(g)`` are treated as G independent values (Tukey 1958). R is ``-sqrt(1 - A)`` of
the coefficient A, the scale on which its distribution is nearest to symmetric; the degrees of
freedom are fewer than G - 1 if the pseudo-values have heavy tails. The bootstrap-t draws whole
subjects, and studentises each replicate by its own jackknife.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from pyexpr.core.cluster_bootstrap import draw_counts
from pyexpr.measurement.agreement.notes import (
    NO_CHANGE,
    ONE_UNIT,
    UNDEFINED_DRAWS,
    UNDEFINED_WITHOUT,
)
from pyexpr.resampling.intervals.jackknife import PseudoValues
from pyexpr.resampling.intervals.scales import limit, to_scale
from pyexpr.resampling.intervals.studentized import symmetric_reach
from pyexpr.resampling.quantiles import MOST_UNDEFINED

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pyexpr.measurement.agreement.sums import SubjectSums

SCALE = "negative_root_complement"
JACKKNIFE, BOOTSTRAP = "jackknife_t", "studentized"
METHODS = (JACKKNIFE, BOOTSTRAP)
NAN = float("nan")
# Replicates at a time: (replicates, subjects, sums) in memory.
_CHUNK = 2_000_000


@dataclass(frozen=True, slots=True)
class AgreementPlan:
    """How the interval is made: its method, level, replicates and seed."""

    method: str
    confidence: float
    n_boot: int
    seed: int


@dataclass(frozen=True, slots=True)
class AgreementInterval:
    """Limits, test, and why a number is missing."""

    low: float = NAN
    high: float = NAN
    statistic: float = NAN
    df: float = NAN
    p_value: float = NAN
    n_undefined: int = 0
    reason: str = ""


def interval_of(sums: SubjectSums, plan: AgreementPlan, unit: str) -> AgreementInterval:
    """Return the interval of a coefficient that is defined.

    Parameters
    ----------
    unit : {"subject", "target"}
        What is left out or drawn, for the reasons.
    """
    values = sums.left_out()
    words = {"unit": unit, "units": f"{unit}s"}
    if len(values) < 3:
        return AgreementInterval(reason=ONE_UNIT(**words))
    if not np.isfinite(values).all():
        return AgreementInterval(reason=UNDEFINED_WITHOUT(**words))
    if np.ptp(values) <= 1e-14:
        return AgreementInterval(reason=NO_CHANGE(**words))
    found = PseudoValues.of(to_scale(values[None], SCALE))
    null = float(to_scale(np.zeros(1), SCALE)[0])
    if plan.method == BOOTSTRAP:
        return _drawn(sums, values[0], found, null, plan)
    return _by_t(found, null, plan.confidence)


def _by_t(found: PseudoValues, null: float, confidence: float) -> AgreementInterval:
    from scipy.special import stdtr, stdtrit

    error, df = float(found.error[0]), float(found.df[0])
    statistic = (float(found.centre[0]) - null) / error
    reach = float(stdtrit(df, 1 - (1 - confidence) / 2)) * error
    return replace(
        _limits(found, reach),
        statistic=statistic,
        df=df,
        p_value=2 * float(stdtr(df, -abs(statistic))),
    )


def _limits(found: PseudoValues, reach: float) -> AgreementInterval:
    low, high = (float(limit(found.centre, np.array([at]), SCALE)[0]) for at in (-reach, reach))
    return AgreementInterval(low=low, high=high)


def _drawn(
    sums: SubjectSums, estimate: float, found: PseudoValues, null: float, plan: AgreementPlan
) -> AgreementInterval:
    """Return the symmetric bootstrap-t interval about the mean of the pseudo-values."""
    g = len(sums.sums)
    scaled = float(to_scale(np.array([estimate]), SCALE)[0])
    step = max(1, _CHUNK // sums.sums.size)
    pieces = []
    for first in range(0, plan.n_boot, step):
        counts = draw_counts((g,), min(step, plan.n_boot - first), seed=plan.seed, first=first)
        pieces.append(_pivots(sums, scaled, counts))
    pivots = np.concatenate(pieces)[None]
    error = float(found.error[0])
    statistic = (float(found.centre[0]) - null) / error
    reach = symmetric_reach(
        pivots, np.array([statistic]), plan.confidence, interpolated=True, n_threads=1
    )
    undefined = plan.n_boot - int(reach.summary.n_defined[0])
    if undefined > MOST_UNDEFINED * plan.n_boot:
        return AgreementInterval(
            n_undefined=undefined, reason=UNDEFINED_DRAWS(undefined=undefined, n_boot=plan.n_boot)
        )
    half = float(reach.reach[0]) * error
    return replace(
        _limits(found, half),
        statistic=statistic,
        p_value=float(reach.p_value[0]),
        n_undefined=undefined,
    )


def _pivots(sums: SubjectSums, scaled: float, counts: NDArray[np.int32]) -> NDArray[np.float64]:
    """Return ``(C* - R) / SE*`` of each replicate, (B,), over the drawn copies of subjects.

    NaN if the coefficient is undefined in the replicate or without one of the drawn subjects, or if
    leaving out a subject changes nothing.
    """
    g = counts.shape[1]
    times = counts.astype(np.float64)
    total = times @ sums.sums
    with np.errstate(all="ignore"):
        whole = to_scale(sums.agreement(total).value, SCALE)
        left_out = to_scale(sums.agreement(total[:, None, :] - sums.sums).value, SCALE)
    # What was not drawn cannot be left out.
    left_out = np.where(counts > 0, left_out, 0.0)
    middle = (times * left_out).sum(axis=1) / g
    spread = (times * (left_out - middle[:, None]) ** 2).sum(axis=1)
    error = np.sqrt((g - 1) / g * spread)
    centre = g * whole - (g - 1) * middle
    with np.errstate(divide="ignore", invalid="ignore"):
        pivot = (centre - scaled) / error
    unchanged = ~(error > 1e-12 * np.maximum(np.abs(centre), abs(scaled)))
    return np.asarray(np.where(unchanged | ~np.isfinite(pivot), math.nan, pivot))
