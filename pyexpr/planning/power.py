"""Power from simulated studies: its interval, the pilot's uncertainty, and numbers needed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

# If all simulated studies have the same outcome, half a study is counted as the other outcome.
_HALF = 0.5
# With fewer simulated studies without the finding, the noncentrality is too uncertain.
_FEW = 10
# Noncentralities beyond this value have a power of 1.
_LARGEST = 200.0
# Number of nodes of the integral over the chi-square distribution.
_NODES = 200


def wilson(successes: int, n: int, confidence: float) -> tuple[float, float]:
    """Return Wilson's (1927) interval of a proportion.

    Examples
    --------
    >>> low, high = wilson(80, 100, 0.95)
    >>> round(low, 3), round(high, 3)
    (0.711, 0.867)
    """
    from scipy.special import ndtri

    z = float(ndtri((1 + confidence) / 2))
    share = successes / n
    centre = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * math.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    return max(0.0, centre - half), min(1.0, centre + half)


def error_ratios(df: float, confidence: float) -> tuple[float, float]:
    """Return the limits of a standard error, in units of its estimate with `df` degrees of freedom.

    They follow from the chi-square interval of a variance: ``sqrt(df / chi2)``.
    """
    from scipy.special import chdtri

    tail = (1 - confidence) / 2
    # chdtri is the inverse of the upper tail.
    upper, lower = float(chdtri(df, tail)), float(chdtri(df, 1 - tail))
    return math.sqrt(df / upper), math.sqrt(df / lower) if lower > 0 else math.inf


def df_of_error(without_each: NDArray[np.float64], kurtosis_df: float) -> float:
    """Return the degrees of freedom with which a pilot shows a standard error.

    The logarithm of the root of a chi-square divided by its degrees of freedom nu has a variance of
    about ``1 / (2 nu)``. The degrees of freedom are chosen so that this is the jackknife variance
    of ``log SE``, but they are not larger than `kurtosis_df`, which follow from the kurtosis of the
    subjects' influences.

    Parameters
    ----------
    without_each : ndarray, shape (G,)
        The standard error without each of the pilot's subjects, for one number of subjects. NaN
        values are left out.
    kurtosis_df : float
    """
    logs = np.log(without_each[np.isfinite(without_each) & (without_each > 0)])
    G = len(logs)
    if G < 2:
        return kurtosis_df
    variance = (G - 1) / G * float(np.sum((logs - logs.mean()) ** 2))
    return max(1.0, min(kurtosis_df, 1 / (2 * variance)) if variance > 0 else kurtosis_df)


def df_of_spread(errors: NDArray[np.float64]) -> float:
    """Return the degrees of freedom that give ``log SE`` its variance in these studies."""
    logs = np.log(errors[np.isfinite(errors) & (errors > 0)])
    return max(1.0, 1 / (2 * float(np.var(logs, ddof=1))))


def t_power(noncentrality: float, df: float, alpha: float) -> float:
    """Return the power of a two-sided t test at level `alpha`.

    ``E Phi(d - c s) + E Phi(-d - c s)`` over s, the root of chi-square over df: SciPy's
    distribution function of the noncentral t is NaN for large noncentralities.
    """
    from scipy.special import chdtri, ndtr, stdtrit

    nodes, weights = _legendre()
    critical = float(stdtrit(df, 1 - alpha / 2)) * np.sqrt(chdtri(df, (1 - nodes) / 2) / df)
    both = ndtr(noncentrality - critical) + ndtr(-noncentrality - critical)
    return float(weights @ both / 2)


@cache
def _legendre() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    nodes, weights = np.polynomial.legendre.leggauss(_NODES)
    return nodes, weights


def noncentralities(
    n: Sequence[int], power: NDArray[np.float64], n_studies: int, *, alpha: float
) -> NDArray[np.float64]:
    """Return the noncentralities with which t tests of n - 1 degrees of freedom have these powers.

    The noncentrality is 0 for a power of at most `alpha`. If nearly all simulated studies have the
    finding, the power determines the noncentrality poorly. It is then at least that of the next
    smaller number of subjects, multiplied by the square root of the ratio of the two numbers.

    Parameters
    ----------
    n : sequence of int
        Increasing numbers of subjects.
    power : ndarray, shape (len(n),)
        The power in `n_studies` simulated studies each.
    """
    from scipy.optimize import brentq

    found = np.zeros(len(n))
    for i, (size, own) in enumerate(zip(n, power, strict=True)):
        df, goal = size - 1.0, min(float(own), 1 - _HALF / n_studies)
        if goal <= alpha:
            continue

        def gap(at: float, df: float = df, goal: float = goal) -> float:
            return t_power(at, df, alpha) - goal

        found[i] = brentq(gap, 0.0, _LARGEST, xtol=1e-6)
        if i and (1 - own) * n_studies < _FEW:
            found[i] = max(found[i], found[i - 1] * math.sqrt(size / n[i - 1]))
    return found


def needed(n: Sequence[int], power: NDArray[np.float64], goal: float) -> float:
    """Return the smallest number of subjects whose power reaches `goal`; infinity if none does.

    Between two numbers of the grid, the normal quantile of the power is interpolated linearly in
    the square root of the number, because the standard error of a test is inversely proportional to
    this root. A power that is smaller than that of fewer subjects is due to simulation error, and
    is raised to the latter. With a power above the goal at all numbers, the smallest number is
    returned.

    Parameters
    ----------
    n : sequence of int
        Increasing.
    power : ndarray, shape (len(n),)
    goal : float
        Between 0 and 1.
    """
    from scipy.special import ndtri

    rising = np.maximum.accumulate(power)
    reached = np.flatnonzero(rising >= goal)
    if not len(reached):
        return math.inf
    at = int(reached[0])
    if at == 0:
        return float(n[0])
    ends = ndtri(np.clip(rising[at - 1 : at + 1], 1e-6, 1 - 1e-6))
    roots = np.sqrt(np.array(n[at - 1 : at + 1], dtype=float))
    share = (float(ndtri(goal)) - ends[0]) / (ends[1] - ends[0])
    root = roots[0] + min(share, 1.0) * (roots[1] - roots[0])
    # Rounding errors could otherwise turn 40 into 41.
    return float(min(n[at], math.ceil(root**2 - 1e-6)))
