"""Values that follow from the published numbers of the paper, allowing for rounding.

A published number represents all numbers that round to it. A value recomputed from it is therefore
a range, and two values agree if their ranges overlap.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING

import numpy as np

from pyexpr.measurement.icc.intervals import icc_interval
from pyexpr.words.labels import number

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

# Range of the scores, by which RMSE is divided to give NRMSE, and of the uniform baseline.
SCORE_RANGE = 7.0


@dataclass(frozen=True, slots=True)
class PublishedInterval:
    """A published ICC(1,k) with its interval, and the recomputed interval.

    Attributes
    ----------
    n_targets : int
        The number of targets that reproduces the published interval; if none does, the given
        number.
    conf_low, conf_high : float
        The interval of the published ICC at `n_targets`.
    status : str
        ``agrees``, ``explained`` (fewer targets), ``misprint`` or ``open``.
    remark : str
    """

    n_targets: int
    conf_low: float
    conf_high: float
    status: str
    remark: str


def check_interval(
    icc: float, low: float, high: float, *, n_targets: int, k: int, digits: int, fewest: int
) -> PublishedInterval:
    """Recompute a published interval of ICC(1,k) from the ICC.

    The limits are ``1 - c (1 - icc)``, where the quantile c of F depends only on the targets. An
    ICC can therefore also be computed from each limit.

    Parameters
    ----------
    icc, low, high : float
        The published values, rounded to `digits` decimals.
    n_targets, k : int
        Number of targets implied by the design, and number of ratings of each.
    fewest : int
        If `n_targets` does not agree, smaller numbers down to this one are tried.

    Returns
    -------
    PublishedInterval
    """
    for n in range(n_targets, fewest - 1, -1):
        if all(_limits_agree(icc, low, high, n, k, digits)):
            found = icc_interval(icc, n_targets=n, k=k)
            lost = n_targets - n
            remark = (
                "within rounding"
                if not lost
                else f"of {n} clips, not the {n_targets} that the segmentation implies"
            )
            status = "explained" if lost else "agrees"
            return PublishedInterval(n, found.conf_low, found.conf_high, status, remark)
    return _misprinted(icc, low, high, n_targets, k, digits)


def _misprinted(
    icc: float, low: float, high: float, n: int, k: int, digits: int
) -> PublishedInterval:
    found = icc_interval(icc, n_targets=n, k=k)
    low_agrees, high_agrees = _limits_agree(icc, low, high, n, k, digits)
    # The ICC that belongs to each limit.
    iccs = [
        1 - (1 - limit) * (1 - icc) / (1 - ours)
        for limit, ours in ((low, found.conf_low), (high, found.conf_high))
    ]
    status = "misprint"
    if low_agrees or high_agrees:
        which, ours, printed = (
            ("upper", found.conf_high, high) if low_agrees else ("lower", found.conf_low, low)
        )
        remark = (
            f"the {which} limit is {number(ours, digits, of='icc')}, "
            f"printed {number(printed, digits, of='icc')}"
        )
    elif abs(iccs[0] - iccs[1]) <= 10.0**-digits:
        own = sum(iccs) / 2
        remark = (
            f"the interval belongs to an ICC of {number(own, digits, of='icc')}, "
            f"printed {number(icc, digits, of='icc')}"
        )
    else:
        status, remark = "open", "the interval cannot be reproduced from the ICC"
    return PublishedInterval(n, found.conf_low, found.conf_high, status, remark)


def _limits_agree(
    icc: float, low: float, high: float, n: int, k: int, digits: int
) -> tuple[bool, bool]:
    """Return which limits are compatible with the rounded ICC."""
    half = 0.5 * 10.0**-digits
    least, most = (icc_interval(icc + sign * half, n_targets=n, k=k) for sign in (-1, 1))
    # The last bits of half a rounding step must not decide.
    slack = half + 1e-9
    return (
        least.conf_low - slack <= low <= most.conf_low + slack,
        least.conf_high - slack <= high <= most.conf_high + slack,
    )


@dataclass(frozen=True, slots=True)
class Range:
    """A number recomputed from rounded figures: its value, and the ends of its range."""

    value: float
    low: float
    high: float

    def meets(self, printed: float, half: float) -> bool:
        """Return whether a printed figure, itself rounded to `half`, can be this number."""
        return self.low - half - 1e-9 <= printed <= self.high + half + 1e-9


def residual_variance(loading: float, half: float = 0.005) -> Range:
    """Return ``1 - loading^2`` of a loading rounded to `half`."""
    ends = [1 - min(abs(loading) + sign * half, 1) ** 2 for sign in (1, -1)]
    return Range(1 - loading**2, *ends)


def score_information(loadings: NDArray[np.float64], residuals: NDArray[np.float64]) -> float:
    """Return ``I = sum lambda^2 / theta``: a Bartlett score has variance ``1 + 1/I``."""
    return float((loadings**2 / residuals).sum())


def bartlett_weights(
    loadings: NDArray[np.float64], residuals: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the weights ``(lambda/theta)/I`` of standardised indicators in a Bartlett score."""
    return np.asarray(loadings / residuals / score_information(loadings, residuals))


def bartlett_from_published(
    loadings: Sequence[float], residuals: Sequence[float], half: float = 0.005
) -> tuple[list[Range], Range]:
    """Return the Bartlett weights, and the scores' reliability ``I/(1 + I)``, with ranges.

    The ranges are those over the corners of the rounding intervals, because both quantities are
    monotonic in each figure within these intervals.
    """
    lambdas, thetas = np.array(loadings, float), np.array(residuals, float)
    weights, reliabilities = [], []
    for signs in product((-1, 1), repeat=2 * len(lambdas)):
        moved = half * np.array(signs).reshape(2, -1)
        corner = np.minimum(lambdas + moved[0], 1.0), np.maximum(thetas + moved[1], 1e-6)
        weights.append(bartlett_weights(*corner))
        reliabilities.append(_reliability(*corner))
    spread = np.array(weights)
    own = bartlett_weights(lambdas, thetas)
    return (
        [
            Range(float(value), float(column.min()), float(column.max()))
            for value, column in zip(own, spread.T, strict=True)
        ],
        Range(_reliability(lambdas, thetas), min(reliabilities), max(reliabilities)),
    )


def _reliability(loadings: NDArray[np.float64], residuals: NDArray[np.float64]) -> float:
    information = score_information(loadings, residuals)
    return information / (1 + information)


@dataclass(frozen=True, slots=True)
class Expected:
    """The expected performance of a random baseline, and its standard error."""

    value: float
    std_error: float


def baseline_nrmse(kind: str, information: float, n: int) -> Expected:
    r"""Return the expected NRMSE of a baseline that is independent of the label.

    The label is a Bartlett score of a factor of mean 0 and variance 1: mean 0, variance
    :math:`v = 1 + 1/I`. The baseline u is independent of it, of mean 0 and variance
    49/12 (uniform on -3.5 to 3.5) or 1 (standard normal), so that the mean squared error
    is :math:`E d^2 = Var(u) + v`. Its standard error over n clips is
    :math:`\sqrt{(E d^4 - (E d^2)^2)/n}`, with
    :math:`E d^4 = E u^4 + 6 Var(u) v + 3 v^2` for a normal label; that of the NRMSE
    follows by the delta method. Clips are treated as independent. The clips of a subject share a
    part of the label, but not the draws, which increases the standard error by less than a tenth
    (uniform).
    """
    v = 1 + 1 / information
    variance, fourth = _MOMENTS[kind]
    second = variance + v
    spread = fourth + 6 * variance * v + 3 * v**2 - second**2
    rmse = math.sqrt(second)
    return Expected(rmse / SCORE_RANGE, math.sqrt(spread / n) / (2 * rmse) / SCORE_RANGE)


# Second and fourth moments of the draws.
_MOMENTS = {"uniform": (3.5**2 / 3, 3.5**4 / 5), "normal": (1.0, 3.0)}


def baseline_correlation(n: int) -> Expected:
    """Return the expected correlation of draws that are independent of the label.

    Whatever the label is, its correlation with n independent draws has mean 0 and variance exactly
    ``1/(n - 1)``.
    """
    return Expected(0.0, 1 / math.sqrt(n - 1))


@dataclass(frozen=True, slots=True)
class HumanBound:
    """The highest agreement of a single rater with the mean of the others: correlation, NRMSE."""

    correlation: float
    nrmse: float


def human_bound(
    iccs: Sequence[float],
    loadings: Sequence[float],
    *,
    k: int,
    half: float = 0.005,
) -> HumanBound:
    r"""Return the best possible human baseline, given tables 1 and 2.

    The correlations of the clip means are :math:`\lambda_p \lambda_q`; true scores correlate by at
    most 1, so at least :math:`\lambda_p \lambda_q - \sqrt{ICC_p ICC_q}` of each correlation is
    error that raters share over questions. This gives an upper bound of the reliability of the
    weighted sum of the answers. Let r1 and r5 be the reliability of one rater and of the mean of
    the other k - 1. Then the correlation is at most :math:`\sqrt{r_1 r_5}`, and the mean squared
    difference of standardised sums is at least :math:`(1 - r_1)(1 + 1/(k - 1))`. It is assumed that
    all questions have the same standard deviation. Within their rounding, figures have the values
    that favour raters.
    """
    icc = np.array(iccs, float) + half
    best = -math.inf
    for signs in product((-1, 1), repeat=len(loadings)):
        lambdas = np.minimum(np.array(loadings) + half * np.array(signs), 1)
        means = np.outer(lambdas, lambdas)
        np.fill_diagonal(means, 1)
        error = np.maximum(means - np.sqrt(np.outer(icc, icc)), 0)
        best = max(best, 1 - float(lambdas @ error @ lambdas / (lambdas @ means @ lambdas)))
    single = best / (best + k * (1 - best))
    others = (k - 1) * single / (1 + (k - 2) * single)
    error_variance = (1 - single) * (1 + 1 / (k - 1))
    return HumanBound(math.sqrt(single * others), math.sqrt(error_variance) / SCORE_RANGE)
