r"""Intervals of variance components, and of reliabilities that are functions of them.

Effects of which every level belongs to one subject (the subject, its clips, its interaction with
raters, the residual) are sampled with subjects. Each subject is left out once, and the variances
are estimated without it by MIVQUE, the unbiased quadratic estimates that REML iterates, with the
REML estimates of all subjects as a priori values. Unlike REML estimates, these may be negative, so
that the jackknife's pseudo-values are smooth functions of the ratings. The mean and standard error
of the pseudo-values give Student's t interval on a scale (Tukey 1958). For a variance the scale is
log(s2 + c), where c is what the other effects add to the variance of the effect's levels. Sums of
variances, whose root is a standard error of measurement, have the same scale. For the share of a
variance the scale is log(s2 / rest + c / rest), and for a reliability R it is -sqrt(1 - R).

Other effects (raters) have few levels, however many ratings there are. As in the two-way ICC, their
variances have the generalised (fiducial) distribution of ``(s2 + c) df / chi2 - c`` over the
quantiles of chi-square (Weerahandi 1993). The limits of a reliability are quantiles of the mixture
of Student's t over this distribution.

References
----------
Tukey, J. W. (1958). Bias and confidence in not quite large samples. Annals of Mathematical
Statistics, 29, 614.
Rao, C. R. (1971). Estimation of variance and covariance components: MINQUE theory. Journal of
Multivariate Analysis, 1, 257-275. https://doi.org/10.1016/0047-259X(71)90001-7
Weerahandi, S. (1993). Generalized confidence intervals. Journal of the American Statistical
Association, 88, 899-905. https://doi.org/10.1080/01621459.1993.10476355
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from pyexpr.measurement.components.moments import sums_per_subject, weighted
from pyexpr.measurement.components.notes import (
    ERROR_AT_BOUND,
    FEW_LEVELS,
    FEW_SUBJECTS,
    NO_REPLICATE,
)
from pyexpr.resampling.intervals.jackknife import PseudoValues

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pyexpr.measurement.components.blocks import Blocks
    from pyexpr.measurement.components.reml import Fit

NAN = float("nan")
FEWEST_SUBJECTS = 5
# Number of equally probable values of the variances of effects that are not sampled with subjects.
QUANTILES = 200
_LEAST_ERROR = 1e-9


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of an interval, or why there is none."""

    low: float = NAN
    high: float = NAN
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Sampling:
    """The sampling variation of the estimates.

    Attributes
    ----------
    replicates : ndarray, shape (G + 1, q + 1)
        Unbiased estimates from all subjects, then without each subject; the residual is last.
    noise : ndarray, shape (q + 1,)
        What the other effects add to the variance of an effect's levels.
    df : ndarray, shape (q + 1,)
        Degrees of freedom of the effects in a complete design.
    outer : tuple of bool
        Effects that are not sampled with subjects.
    reason : str
        Why there are no replicates.
    """

    replicates: NDArray[np.float64]
    noise: NDArray[np.float64]
    df: NDArray[np.float64]
    outer: tuple[bool, ...]
    reason: str = ""


def sampling_of(blocks: Blocks, fit: Fit, df: NDArray[np.float64]) -> Sampling:
    """Return the estimates without each subject.

    Parameters
    ----------
    df : ndarray, shape (q + 1,)
        Degrees of freedom of each effect, and of the residual.
    """
    q, g = blocks.n_effects, len(blocks.n)
    bare = without_replicates(fit, df, tuple(j in blocks.outer for j in range(q + 1)))
    if g < FEWEST_SUBJECTS:
        return replace(bare, reason=FEW_SUBJECTS(fewest=FEWEST_SUBJECTS))
    ratios = fit.variances[:-1] / fit.variances[-1]
    each = sums_per_subject(blocks, ratios)
    weights = np.vstack([np.ones(g), 1 - np.eye(g)])
    found = weighted(blocks, each, ratios, weights).mivque()
    if not np.isfinite(found).all():
        return replace(bare, reason=NO_REPLICATE)
    return replace(bare, replicates=found)


def without_replicates(
    fit: Fit, df: NDArray[np.float64], outer: tuple[bool, ...], reason: str = ""
) -> Sampling:
    """Return the sampling variation without replicates, if subjects cannot be left out."""
    noise = np.maximum(np.sqrt(np.diag(fit.covariance) * df / 2) - fit.variances, 0.0)
    return Sampling(np.zeros((0, len(outer))), noise, df, outer, reason)


def _draws(sampling: Sampling, used: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return equally probable variances of the outer effects, (QUANTILES, q + 1).

    The variances of inner effects, and those that are not `used`, are 0. Several outer effects are
    combined by the points of a lattice (Kronecker), so that the result does not depend on a seed.
    """
    from scipy.special import chdtri

    found = np.zeros((QUANTILES, len(used)))
    places = np.flatnonzero(used & np.array(sampling.outer))
    steps = np.arange(QUANTILES, dtype=np.float64)
    for order, j in enumerate(places):
        # The roots of x^(d + 1) = x + 1 spread the points evenly in d dimensions.
        turn = _step(len(places) - 1) ** order if order else 1 / QUANTILES
        start = 0.5 if order else 0.5 / QUANTILES
        share = np.clip((start + steps * turn) % 1.0, 0.5 / QUANTILES, 1 - 0.5 / QUANTILES)
        noise, df = sampling.noise[j], sampling.df[j]
        square = max(sampling.replicates[0, j] + noise, 0.0)
        found[:, j] = np.maximum(0.0, square * df / chdtri(df, share) - noise)
    return found


def _step(dimensions: int) -> float:
    root = 2.0
    for _ in range(60):
        root = (1 + root) ** (1 / (dimensions + 1))
    return 1 / root


def variance_limits(sampling: Sampling, j: int, confidence: float) -> Limits:
    """Return the interval of the variance of effect `j`, at least 0."""
    from scipy.special import chdtri, stdtrit

    tail = (1 - confidence) / 2
    noise, df = float(sampling.noise[j]), float(sampling.df[j])
    if not len(sampling.replicates):
        return Limits(reason=sampling.reason)
    values = sampling.replicates[:, j] + noise
    if sampling.outer[j]:
        if df < 1:
            return Limits(reason=FEW_LEVELS)
        square = max(float(values[0]), 0.0)
        low, high = (square * df / chdtri(df, p) - noise for p in (tail, 1 - tail))
        return Limits(max(0.0, float(low)), max(0.0, float(high)))
    if not (values > 0).all():
        return Limits(reason=NO_REPLICATE)
    found = PseudoValues.of(np.log(values)[None])
    half = float(stdtrit(found.df[0], 1 - tail)) * float(found.error[0])
    centre = float(found.centre[0])
    return Limits(
        max(0.0, math.exp(centre - half) - noise), max(0.0, math.exp(centre + half) - noise)
    )


def ratio_limits(
    sampling: Sampling,
    signal: NDArray[np.float64],
    error: NDArray[np.float64],
    confidence: float,
) -> Limits:
    """Return the interval of ``S / (S + E)`` for weighted sums of variances S and E, in [0, 1].

    Parameters
    ----------
    signal, error : ndarray, shape (q + 1,)
        Weights of the variances, the residual's last.
    """
    if not len(sampling.replicates):
        return Limits(reason=sampling.reason)
    outer = np.array(sampling.outer)
    used = (signal + error > 0) & outer
    if (sampling.df[used] < 1).any():
        return Limits(reason=FEW_LEVELS)
    inner = np.where(outer, 0.0, sampling.replicates)
    drawn = _draws(sampling, used) if used.any() else np.zeros((1, len(used)))
    s = inner @ signal + (drawn @ signal)[:, None]
    e = inner @ error + (drawn @ error)[:, None]
    if not (e > 0).all() or not (s + e > 0).all():
        return Limits(reason=ERROR_AT_BOUND if not (e > 0).all() else NO_REPLICATE)
    found = PseudoValues.of(-np.sqrt(e / (s + e)))
    if not (found.error > 0).all():
        return Limits(reason=NO_REPLICATE)
    tail = (1 - confidence) / 2
    low, high = (min(_quantile(found, p), 0.0) for p in (tail, 1 - tail))
    return Limits(max(0.0, 1 - low**2), max(0.0, 1 - high**2))


def share_limits(sampling: Sampling, j: int, confidence: float) -> Limits:
    """Return the interval of the share of effect `j` in the sum of all variances.

    The scale is ``log(S / E + c)``, where S is the variance of the effect, E the sum of the other
    variances, and c E is what the other effects add to the variance of the effect's levels. The
    share of the residual is 1 minus the share of all other effects together.
    """
    if not len(sampling.replicates):
        return Limits(reason=sampling.reason)
    outer = np.array(sampling.outer)
    if (sampling.df[outer] < 1).any():
        return Limits(reason=FEW_LEVELS)
    own = np.arange(len(outer)) == j
    rest = j == len(outer) - 1
    signal = (~own if rest else own).astype(np.float64)
    inner = np.where(outer, 0.0, sampling.replicates)
    drawn = _draws(sampling, outer) if outer.any() else np.zeros((1, len(outer)))
    s, e = (inner @ w + (drawn @ w)[:, None] for w in (signal, 1 - signal))
    if not (e > 0).all():
        return Limits(reason=ERROR_AT_BOUND)
    offset = float(sampling.noise @ signal) / float(e[:, 0].mean())
    if not (s / e + offset > 0).all():
        return Limits(reason=NO_REPLICATE)
    found = PseudoValues.of(np.log(s / e + offset))
    # If a drawn variance is 0, it is also 0 without each subject.
    found = replace(found, error=np.maximum(found.error, _LEAST_ERROR))
    tail = (1 - confidence) / 2
    ratios = [max(0.0, math.exp(_quantile(found, p)) - offset) for p in (tail, 1 - tail)]
    low, high = (ratio / (1 + ratio) for ratio in ratios)
    return Limits(1 - high, 1 - low) if rest else Limits(low, high)


def error_limits(sampling: Sampling, weights: NDArray[np.float64], confidence: float) -> Limits:
    """Return the interval of the root of a weighted sum of variances: an error's SD.

    The scale is ``log(S + c)``, where S is the sum, and c is what other effects add to the
    variances of the levels in it.

    Parameters
    ----------
    weights : ndarray, shape (q + 1,)
        Weights of the variances, the residual's last.
    """
    if not len(sampling.replicates):
        return Limits(reason=sampling.reason)
    outer = np.array(sampling.outer)
    used = (weights > 0) & outer
    if (sampling.df[used] < 1).any():
        return Limits(reason=FEW_LEVELS)
    inner = np.where(outer, 0.0, sampling.replicates)
    drawn = _draws(sampling, used) if used.any() else np.zeros((1, len(used)))
    offset = float(np.where(outer, 0.0, sampling.noise) @ weights)
    squares = inner @ weights + (drawn @ weights)[:, None] + offset
    if not (squares > 0).all():
        return Limits(reason=ERROR_AT_BOUND)
    found = PseudoValues.of(np.log(squares))
    if not (found.error > 0).all():
        return Limits(reason=NO_REPLICATE)
    tail = (1 - confidence) / 2
    found_low, found_high = (math.exp(_quantile(found, p)) - offset for p in (tail, 1 - tail))
    return Limits(math.sqrt(max(0.0, found_low)), math.sqrt(max(0.0, found_high)))


#: Columns of `errors_of`.
ERRORS = ("sem", "sem_low", "sem_high", "mdc", "mdc_low", "mdc_high")


def errors_of(sem: float, limits: Limits, change: float) -> dict[str, float]:
    """Return the standard error of measurement and minimal detectable change, with limits.

    Parameters
    ----------
    change : float
        The minimal detectable change of a standard error of 1.
    """
    values = (sem, limits.low, limits.high)
    return dict(zip(ERRORS, (*values, *(change * value for value in values)), strict=True))


def _quantile(found: PseudoValues, probability: float) -> float:
    """Return a quantile of the mixture of Student's t."""
    from scipy.optimize import brentq
    from scipy.special import stdtr, stdtrit

    own = found.centre + stdtrit(found.df, probability) * found.error
    if own.min() == own.max():
        return float(own[0])

    def beyond(at: float) -> float:
        return float(stdtr(found.df, (at - found.centre) / found.error).mean()) - probability

    return float(brentq(beyond, own.min(), own.max(), xtol=1e-12))
