r"""Intervals that respect subjects, and raters: neither targets nor ratings are independent.

Each subject is left out once, and the pseudo-values U_g = G R - (G - 1) R_(g) are treated as G
independent values: mean(U) +- t SE, SE^2 = sum (U_g - mean)^2 / (G (G - 1)) (Tukey 1958). R is
-sqrt(1 - ICC(.,k)). The degrees of freedom are fewer than G - 1 if the pseudo-values have heavy
tails.

The agreement forms also contain the variance of raters. About this variance q raters provide as
much information as q - 1 independent values, however many ratings they gave. The mean square V of
the raters' means is distributed approximately as (s2_rater + N) chi2 / (q - 1), where N is their
error, which is estimated by leaving out subjects. The values of V (q - 1) / chi2 - N at the
quantiles of chi2 are therefore the variances of raters that the data leave open (a generalised or
fiducial distribution, Weerahandi 1993). For each of them the ICC is a function of the variances of
targets and error, with the jackknife's interval; the limits are the quantiles of the mixture. The
scale and the degrees of freedom were chosen by coverage (docs/coverage_reliability.md).

References
----------
Tukey, J. W. (1958). Bias and confidence in not quite large samples. Annals of Mathematical
Statistics, 29, 614.
Weerahandi, S. (1993). Generalized confidence intervals. Journal of the American Statistical
Association, 88, 899-905. https://doi.org/10.1080/01621459.1993.10476355
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from pyexpr.base.messages import Template, has_code
from pyexpr.measurement.icc.intervals import NAN, NOT_ENCLOSED, WALD_NOT_ENCLOSED, Signal
from pyexpr.measurement.icc.left_out import LeftOut, complete, left_out, one_way_sums, two_way_sums
from pyexpr.measurement.icc.reml import RATERS_AT_BOUND
from pyexpr.resampling.intervals.jackknife import PseudoValues, jackknife_influence

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pyexpr.measurement.icc.layout import Ratings

ONE_CLUSTER = Template("one_subject", "there is only one subject, so there is no interval")()
NO_REPLICATE = Template(
    "undefined_without_one",
    "the ICC is undefined if one of the subjects is left out, so there is no interval",
)()
NO_SPREAD = Template(
    "no_spread", "leaving out a subject changes nothing, so there is no interval"
)()
NO_UPPER_LIMIT = Template("no_upper_limit", "there is no upper limit below 1")()
METHOD = "subject jackknife"
METHOD_BOTH = "subject jackknife, raters' chi-square"

# Equally probable values of the raters' chi-square.
QUANTILES = 200
# Value on the scale at which the ICC is 0.
SCALED_ZERO = -1.0


def cluster_signals(
    ratings: Ratings, signals: dict[str, Signal], level: float
) -> tuple[dict[str, Signal], int]:
    """Replace interval and test of each signal by those that respect subjects; also return G."""
    n_clusters = len(ratings.rated_clusters())
    parts = cache(lambda: left_out(ratings))
    found = {}
    for family, signal in signals.items():
        bare = bare_signal(signal, METHOD_BOTH if family == "agreement" else METHOD)
        done = settled(signal, bare, n_clusters)
        if done is not None:
            found[family] = done
        elif family == "agreement":
            found[family] = with_raters(bare, parts(), level)
        else:
            found[family] = jackknife(bare, _thetas(ratings, family, parts), level)
    return found, n_clusters


def _thetas(ratings: Ratings, family: str, parts: Callable[[], LeftOut]) -> NDArray[np.float64]:
    """Signals of all subjects and without each, (G + 1,)."""
    if family == "one_way":
        return one_way_sums(ratings).left_out()
    if complete(ratings):
        return two_way_sums(ratings).left_out()
    with np.errstate(divide="ignore", invalid="ignore"):
        return parts().target / parts().error


def bare_signal(signal: Signal, method: str) -> Signal:
    """Return the signal without its interval, its test, and the remarks on both."""
    of_interval = has_code(signal.reason, NOT_ENCLOSED, WALD_NOT_ENCLOSED)
    return replace(
        signal,
        low=NAN, high=NAN, statistic=NAN, df1=NAN, df2=NAN, p_value=NAN, method=method,
        reason="" if of_interval else signal.reason,
    )  # fmt: skip


def settled(signal: Signal, bare: Signal, n_clusters: int) -> Signal | None:
    """Return what no interval of subjects changes, or None if one is to be made.

    The limits of perfect agreement and its opposites do not depend on who is left out.
    """
    if bare.reason and not has_code(bare.reason, RATERS_AT_BOUND):
        return replace(bare, low=signal.low, high=signal.high)
    return replace(bare, reason=ONE_CLUSTER) if n_clusters < 2 else None


def jackknife(bare: Signal, thetas: NDArray[np.float64], level: float) -> Signal:
    """Interval and t test on -sqrt(1 - ICC(.,k)), from the signals of all and without each."""
    from scipy.special import stdtr, stdtrit

    scaled = _scaled(bare.k, thetas[None, :])
    if not np.isfinite(scaled).all():
        return replace(bare, reason=NO_REPLICATE)
    found = PseudoValues.of(scaled)
    centre, error, df = float(found.centre[0]), float(found.error[0]), float(found.df[0])
    if error == 0:
        return replace(bare, reason=NO_SPREAD)
    half = float(stdtrit(df, 1 - (1 - level) / 2)) * error
    statistic = (centre - SCALED_ZERO) / error
    return replace(
        _with_limits(bare, centre - half, centre + half),
        statistic=statistic,
        df1=df,
        p_value=2 * float(stdtr(df, -abs(statistic))),
    )


def limits_of(
    k: float, thetas: NDArray[np.float64], level: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the limits of `jackknife` as signals, for many studies at once, (B,) each.

    They are NaN where `jackknife` gives a reason instead. An infinite limit is one that does not
    exist.

    Parameters
    ----------
    thetas : ndarray, shape (B, G + 1)
        Signals of all and without each of the G subjects.
    """
    from scipy.special import stdtrit

    found = PseudoValues.of(_scaled(k, thetas))
    half = stdtrit(found.df, 1 - (1 - level) / 2) * found.error
    there = np.isfinite(half) & (found.error > 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        low, high = (
            np.where(there, np.where(x < 0, (1 / x**2 - 1) / k, np.inf), np.nan)
            for x in (found.centre - half, found.centre + half)
        )
    return low, high


def _scaled(k: float, thetas: NDArray[np.float64]) -> NDArray[np.float64]:
    """-sqrt(1 - ICC(.,k)) of signals; 0 for an infinite one."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(-np.sqrt(1 / (1 + k * thetas)))


def _with_limits(bare: Signal, low: float, high: float) -> Signal:
    """Limits on that scale as signals; at 0 and beyond there is none."""
    signals = [(1 / x**2 - 1) / bare.k if x < 0 else math.inf for x in (low, high)]
    reason = NO_UPPER_LIMIT if signals[1] == math.inf else ""
    return replace(bare, low=signals[0], high=signals[1], reason=bare.reason or reason)


def raters_variances(means: NDArray[np.float64]) -> NDArray[np.float64]:
    """Variances of raters that the data leave open, equally probable, (QUANTILES,).

    Parameters
    ----------
    means : ndarray, shape (G + 1, q)
        Means of the q raters, from all subjects and then without each.

    Notes
    -----
    The error of the means is that of the jackknife, with the covariances that subjects bring.
    If raters gave unequal numbers of ratings, the chi-square has Satterthwaite's degrees of
    freedom.
    """
    from scipy.special import chdtri

    g, q = len(means) - 1, means.shape[1]
    away = means - means.mean(axis=1, keepdims=True)
    square = float(np.sum(away[0] ** 2)) / (q - 1)
    influence = jackknife_influence(away[1:].T, (g,))
    covariance = influence @ influence.T
    noise = float(np.trace(covariance)) / (q - 1)
    signal = max(0.0, square - noise)
    spread = signal**2 * (q - 1) + 2 * signal * np.trace(covariance) + float(np.sum(covariance**2))
    if spread == 0:
        return np.zeros(QUANTILES)
    df = min(q - 1.0, (signal + noise) ** 2 * (q - 1) ** 2 / spread)
    chi = chdtri(df, (np.arange(QUANTILES) + 0.5) / QUANTILES)
    return np.asarray(np.maximum(0.0, square * df / chi - noise))


def with_raters(bare: Signal, parts: LeftOut, level: float) -> Signal:
    """Interval and test of an agreement form, from `LeftOut`: subjects and raters respected."""
    if not np.isfinite(np.concatenate([parts.target, parts.error])).all():
        return replace(bare, reason=NO_REPLICATE)
    raters = raters_variances(parts.means)
    with np.errstate(invalid="ignore", divide="ignore"):
        scaled = _scaled(bare.k, parts.target / (parts.error + raters[:, None]))
    if not np.isfinite(scaled).all():
        return replace(bare, reason=NO_REPLICATE)
    found = PseudoValues.of(scaled)
    if not (found.error > 0).all():
        return replace(bare, reason=NO_SPREAD)
    tail = (1 - level) / 2
    below = _mixed(found, SCALED_ZERO)
    limits = _quantile(found, tail), _quantile(found, 1 - tail)
    return replace(_with_limits(bare, *limits), p_value=2 * min(below, 1 - below))


def _mixed(found: PseudoValues, at: float) -> float:
    """Probability below a point, over the raters' variances."""
    from scipy.special import stdtr

    return float(stdtr(found.df, (at - found.centre) / found.error).mean())


def _quantile(found: PseudoValues, probability: float) -> float:
    """Quantile of the mixture: between the least and the largest of what is mixed."""
    from scipy.optimize import brentq
    from scipy.special import stdtrit

    own = found.centre + stdtrit(found.df, probability) * found.error
    if own.min() == own.max():
        return float(own[0])
    root = brentq(lambda at: _mixed(found, at) - probability, own.min(), own.max(), xtol=1e-14)
    return float(root)
