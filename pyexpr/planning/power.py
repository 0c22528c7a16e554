"""Power from simulated studies: its interval, the pilot's uncertainty, and numbers needed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from pyexpr.resampling.intervals.jackknife import kurtosis_df

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
# Of the integral over those of a standard error.
_FEWER_NODES = 60
# More degrees of freedom than this are not distinguished.
_MOST_DF = 10_000.0
# Quantiles of chi-square below this are rounding errors of 0.
_NEAR_ZERO = 1e-300


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


def df_of_error(without_each: NDArray[np.float64], kurtosis: float, confidence: float) -> float:
    """Return the degrees of freedom with which a pilot shows a standard error.

    They are those of `df_of_variance` for ``v (t / z)^2``, where v is the jackknife variance of
    ``log SE``, and t and z are the quantiles of Student's t and of the normal distribution. Like
    the variance of a mean, v is only estimated; the degrees of freedom of t are those of v with the
    kurtosis of the values. The result is not larger than these degrees of freedom or than
    `kurtosis`, because a variance that is known with few degrees of freedom may be much larger than
    it seems, and it is at least 1.

    Parameters
    ----------
    without_each : ndarray, shape (G,)
        The standard error without each of the pilot's subjects, for one number of subjects. NaN
        values are left out.
    kurtosis : float
        The degrees of freedom that follow from the kurtosis of the subjects' influences.
    """
    from scipy.special import ndtri, stdtrit

    logs = np.log(without_each[np.isfinite(without_each) & (without_each > 0)])
    G = len(logs)
    if G < 3:
        return max(1.0, kurtosis)
    variance = (G - 1) / G * float(np.sum((logs - logs.mean()) ** 2))
    tail = (1 + confidence) / 2
    own = float(kurtosis_df(logs[None, :])[0])
    wider = float(stdtrit(own, tail)) / float(ndtri(tail))
    return max(1.0, min(kurtosis, own, df_of_variance(variance * wider**2)))


def df_of_spread(errors: NDArray[np.float64]) -> float:
    """Return the degrees of freedom that give ``log SE`` its variance in these studies."""
    logs = np.log(errors[np.isfinite(errors) & (errors > 0)])
    return max(1.0, df_of_variance(float(np.var(logs, ddof=1))))


def df_of_variance(variance: float) -> float:
    """Return the degrees of freedom nu with which ``log SE`` has this variance.

    The logarithm of the root of a chi-square divided by its degrees of freedom nu has the variance
    ``trigamma(nu / 2) / 4``, which is about ``1 / (2 nu)``.

    Examples
    --------
    >>> round(df_of_variance(0.05), 1)
    10.9
    """
    from scipy.optimize import brentq
    from scipy.special import polygamma

    def gap(log_df: float) -> float:
        return float(np.log(polygamma(1, math.exp(log_df) / 2) / 4)) - math.log(variance)

    if not variance > 1 / (2 * _MOST_DF):
        return _MOST_DF
    return math.exp(brentq(gap, -10.0, math.log(2 * _MOST_DF)))


def t_power(noncentrality: float, df: float, alpha: float) -> float:
    """Return the power of a two-sided t test at level `alpha`.

    ``E Phi(d - c s) + E Phi(-d - c s)`` over s, the root of chi-square over df: SciPy's
    distribution function of the noncentral t is NaN for large noncentralities.
    """
    return float(_t_powers(np.array([noncentrality]), df, alpha)[0])


def _t_powers(noncentrality: NDArray[np.float64], df: float, alpha: float) -> NDArray[np.float64]:
    from scipy.special import chdtri, ndtr, stdtrit

    nodes, weights = _legendre(_NODES)
    critical = float(stdtrit(df, 1 - alpha / 2)) * np.sqrt(chdtri(df, (1 - nodes) / 2) / df)
    apart = noncentrality[:, None]
    both = ndtr(apart - critical) + ndtr(-apart - critical)
    return np.asarray(both @ weights / 2)


@cache
def _legendre(n: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    nodes, weights = np.polynomial.legendre.leggauss(n)
    return nodes, weights


def band(
    noncentrality: Sequence[float], worth: float, df: float, confidence: float
) -> tuple[float, float]:
    """Return the powers at the largest and smallest standard error compatible with a pilot.

    Parameters
    ----------
    noncentrality : sequence of float
        Estimates of the noncentrality. The smallest is divided by the largest ratio of the standard
        error to its estimate (`error_ratios`), and the largest by the smallest ratio.
    worth : float
        Degrees of freedom with which the pilot shows the standard error.
    df : float
        Degrees of freedom of the t test.
    """
    small, large = error_ratios(worth, confidence)
    alpha = 1 - confidence
    least, most = min(noncentrality) / large, max(noncentrality) / small
    return t_power(least, df, alpha), t_power(most, df, alpha)


def assured(noncentrality: float, worth: float, df: float, alpha: float) -> float:
    """Return the power averaged over what a pilot leaves open of the standard error.

    The standard error is that of the pilot times ``sqrt(worth / chi2)``, chi2 with `worth` degrees
    of freedom: the assurance of O'Hagan, Stevens and Campbell (2005).

    Examples
    --------
    >>> round(t_power(3.0, 19, 0.05), 2), round(assured(3.0, 7, 19, 0.05), 2)
    (0.81, 0.74)
    """
    from scipy.special import chdtri

    nodes, weights = _legendre(_FEWER_NODES)
    ratios = np.sqrt(worth / np.maximum(chdtri(worth, (1 + nodes) / 2), _NEAR_ZERO))
    return float(weights @ _t_powers(noncentrality / ratios, df, alpha) / 2)


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


def effect_ratios(estimates: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the mean estimate of simulated studies over its standard deviation, (designs,).

    It is the noncentrality of a test that knows the standard error. NaN estimates, of studies
    without one, are left out.

    Parameters
    ----------
    estimates : ndarray, shape (designs, studies)
    """
    found = np.zeros(len(estimates))
    for i, row in enumerate(estimates):
        own = row[np.isfinite(row)]
        spread = float(own.std(ddof=1)) if len(own) > 1 else 0.0
        found[i] = abs(float(own.mean())) / spread if spread > 0 else 0.0
    return np.minimum(found, _LARGEST)


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
