"""Intervals that respect subjects: targets of one subject are not independent.

On L = log(1 + k theta) = -log(1 - ICC(.,k)) each subject is left out once; the
pseudo-values U_g = G L - (G - 1) L_(g) are treated as G independent values, so that
mean(U) +- t SE, SE^2 = sum (U_g - mean)^2 / (G (G - 1)), with t on G - 1 degrees of
freedom (Tukey 1958; on this scale Arvesen 1969).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from pyexpr.measurement.icc_intervals import NAN, NOT_ENCLOSED, Signal
from pyexpr.measurement.icc_layout import Ratings
from pyexpr.measurement.icc_reml import RATERS_AT_BOUND

ONE_CLUSTER = "there is only one subject, so there is no interval"
NO_REPLICATE = "without one of the subjects the ICC is not defined, so there is no interval"
NO_SPREAD = "leaving out a subject changes nothing, so there is no interval"
METHOD = "subject jackknife"


def cluster_signals(
    ratings: Ratings,
    signals: dict[str, Signal],
    level: float,
    thetas_of: Callable[[Ratings], dict[str, float]],
) -> tuple[dict[str, Signal], int]:
    """Replace interval and test of each signal by the jackknife's; also return G."""
    assert ratings.clusters is not None
    present = ratings.rated_clusters()
    left_out = (
        [thetas_of(ratings.without(int(code))) for code in present] if len(present) > 1 else []
    )
    return {
        family: jackknife(signal, [thetas[family] for thetas in left_out], level)
        for family, signal in signals.items()
    }, len(present)


def bare_signal(signal: Signal, method: str) -> Signal:
    """Return the signal without an interval and a test."""
    return replace(
        signal,
        low=NAN, high=NAN, statistic=NAN, df1=NAN, df2=NAN, p_value=NAN, method=method,
    )  # fmt: skip


def keeps_its_limits(signal: Signal) -> bool:
    """Whether the limits are what they are whoever is left out: perfect agreement, no ratings."""
    return signal.reason not in {"", NOT_ENCLOSED, RATERS_AT_BOUND}


def jackknife(signal: Signal, replicates: list[float], level: float) -> Signal:
    """Interval and t test from the signals that are left without each subject."""
    g = len(replicates)
    bare = replace(bare_signal(signal, METHOD), df1=float(g - 1) if g else NAN)
    if keeps_its_limits(signal):
        return replace(bare, low=signal.low, high=signal.high)
    if g < 2:
        return replace(bare, reason=ONE_CLUSTER)
    with np.errstate(invalid="ignore", divide="ignore"):
        logs = np.log1p(signal.k * np.array([signal.theta, *replicates]))
    if not np.isfinite(logs).all():
        return replace(bare, reason=NO_REPLICATE)
    pseudo = g * logs[0] - (g - 1) * logs[1:]
    centre = float(pseudo.mean())
    error = math.sqrt(float(np.sum((pseudo - centre) ** 2)) / (g * (g - 1)))
    if error == 0:
        return replace(bare, reason=NO_SPREAD)
    from scipy.special import stdtr, stdtrit

    half = float(stdtrit(g - 1, 1 - (1 - level) / 2)) * error
    return replace(
        bare,
        low=math.expm1(centre - half) / signal.k,
        high=math.expm1(centre + half) / signal.k,
        statistic=centre / error,
        p_value=2 * float(stdtr(g - 1, -abs(centre / error))),
    )
