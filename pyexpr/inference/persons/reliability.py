r"""How reliable the slopes of persons are, and their empirical Bayes estimates.

With b_s the slope of subject s and v_s the square of its standard error, the variance of the true
slopes is ``var(b) - mean(v)``, and the reliability ``1 - mean(v) / var(b)``: the share of the
variance between the estimated slopes that is variance between the true ones. Each v_s is unbiased,
so the error variance may differ between subjects.

The empirical Bayes estimates use the restricted maximum likelihood estimate of the variance of
true slopes, and error variances that are moderated: a subject's own residual variance is based on
few rows, and is drawn towards that of all subjects (Smyth 2004).

References
----------
Smyth, G. K. (2004). Linear models and empirical Bayes methods for assessing differential expression
in microarray experiments. Statistical Applications in Genetics and Molecular Biology, 3, 3.
https://doi.org/10.2202/1544-6115.1027
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pyexpr.resampling.intervals.jackknife import PseudoValues

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Interval:
    """An estimate with its limits."""

    estimate: float
    low: float
    high: float


def reliability_of(
    estimates: NDArray[np.float64], variances: NDArray[np.float64], confidence: float
) -> Interval:
    """Return the reliability of estimates (G,), given the variances of their errors (G,).

    The interval is Student's t of the jackknife's pseudo-values over subjects of the logarithm of
    the unreliability. Negative estimates and limits are set to 0.
    """
    values = np.log(_left_out(estimates, variances))
    found = PseudoValues.of(values[None])
    low, high = _limits(found, confidence)
    estimate = 1 - math.exp(float(values[0]))
    return Interval(max(0.0, estimate), max(0.0, 1 - math.exp(high)), max(0.0, 1 - math.exp(low)))


def _left_out(
    estimates: NDArray[np.float64], variances: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return ``mean(v) / var(b)`` of all subjects, then without each, (G + 1,)."""
    G = len(estimates)
    b = estimates - estimates.mean()
    total, squares = b.sum() - np.append(0.0, b), np.sum(b**2) - np.append(0.0, b**2)
    n = np.append(G, np.full(G, G - 1))
    spread = (squares - total**2 / n) / (n - 1)
    error = (variances.sum() - np.append(0.0, variances)) / n
    return np.asarray(error / spread)


def halves_of(
    first: NDArray[np.float64], second: NDArray[np.float64], ratio: float, confidence: float
) -> Interval:
    """Return the reliability from the slopes (G,) of two halves of each subject's rows.

    The correlation r of the halves is stepped up to all rows, ``r / (r + ratio (1 - r))``, where
    `ratio` is that of the error variances of all rows and of half of them. With a ratio of 1/2 this
    is the formula of Spearman and Brown. For slopes the ratio is smaller, because half of the rows
    have less than half of the information if the signal varies by chance. The interval is that of
    the correlation, by the jackknife over subjects of ``atanh(r)``.
    """
    G = len(first)
    r = np.empty(G + 1)
    for g in range(G + 1):
        kept = np.arange(G) != g - 1
        r[g] = np.corrcoef(first[kept], second[kept])[0, 1]
    found = PseudoValues.of(np.arctanh(r)[None])
    low, high = _limits(found, confidence)
    return Interval(
        *(stepped_up(value, ratio) for value in (float(r[0]), math.tanh(low), math.tanh(high)))
    )


def stepped_up(r: float, ratio: float) -> float:
    """Return the reliability of the whole, given the correlation of its halves."""
    return r / (r + ratio * (1 - r)) if r > 0 else 0.0


def _limits(found: PseudoValues, confidence: float) -> tuple[float, float]:
    from scipy.special import stdtrit

    half = float(stdtrit(found.df[0], 0.5 + confidence / 2) * found.error[0])
    return float(found.centre[0]) - half, float(found.centre[0]) + half


def spread_interval(
    estimates: NDArray[np.float64], variances: NDArray[np.float64], confidence: float
) -> Interval:
    """Return the standard deviation of the true slopes; 0 if errors explain all variance.

    The interval is Student's t of the jackknife's pseudo-values of the logarithm of the variance of
    the estimates, less the mean error variance.
    """
    G = len(estimates)
    b = estimates - estimates.mean()
    total, squares = b.sum() - np.append(0.0, b), np.sum(b**2) - np.append(0.0, b**2)
    n = np.append(G, np.full(G, G - 1))
    spread = (squares - total**2 / n) / (n - 1)
    error = float(variances.mean())
    # This is a function of both means; the mean error variance of all is the constant of the scale.
    own = spread - (variances.sum() - np.append(0.0, variances)) / n + error
    found = PseudoValues.of(np.log(np.maximum(own, 1e-300))[None])
    low, high = _limits(found, confidence)
    return Interval(
        *(
            math.sqrt(max(0.0, value))
            for value in (float(own[0]) - error, math.exp(low) - error, math.exp(high) - error)
        )
    )


@dataclass(frozen=True, slots=True)
class Shrunken:
    """Empirical Bayes estimates.

    Attributes
    ----------
    mean, variance : float
        Mean and variance of the true slopes, by restricted maximum likelihood.
    values, reliability : ndarray, shape (G,)
        The shrunken estimates, and the reliability of each subject's own estimate, which is its
        weight relative to the mean.
    """

    mean: float
    variance: float
    values: NDArray[np.float64]
    reliability: NDArray[np.float64]


def shrunken(estimates: NDArray[np.float64], variances: NDArray[np.float64]) -> Shrunken:
    """Return estimates drawn towards their mean, given the variances of their errors."""
    tau2 = _reml(estimates, variances)
    weights = 1 / (variances + tau2)
    mean = float(weights @ estimates / weights.sum())
    own = tau2 / (variances + tau2)
    return Shrunken(mean, tau2, mean + own * (estimates - mean), own)


def _reml(b: NDArray[np.float64], v: NDArray[np.float64]) -> float:
    """Return the REML estimate of the variance of normal means with known error variances."""
    from scipy.optimize import minimize_scalar

    def criterion(tau2: float) -> float:
        w = 1 / (v + tau2)
        mean = (w @ b) / w.sum()
        return float(w @ (b - mean) ** 2 - np.log(w).sum() + math.log(w.sum()))

    top = float(np.sum((b - b.mean()) ** 2) / max(len(b) - 1, 1) * len(b)) + float(v.max())
    # The criterion may have several minima, so the best point of a grid is refined.
    grid = np.concatenate([[0.0], top * np.geomspace(1e-10, 1.0, 200)])
    values = [criterion(value) for value in grid]
    best = int(np.argmin(values))
    if best == 0:
        return 0.0
    found = minimize_scalar(
        criterion, bounds=(grid[best - 1], grid[min(best + 1, len(grid) - 1)]), method="bounded",
        options={"xatol": 1e-12 * top},
    )  # fmt: skip
    return float(found.x) if found.fun < values[0] else 0.0


def moderated(s2: NDArray[np.float64], df: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return residual variances (G,) drawn towards their common value, on df degrees of freedom.

    The prior is scaled inverse chi-square, with the moments of ``log(s2)``. If the variances do not
    differ more than by chance, all are set to the pooled variance.
    """
    from scipy.special import digamma, polygamma

    pooled = float(df @ s2 / df.sum())
    usable = s2 > 0
    if usable.sum() < 3:
        return np.full(len(s2), pooled)
    half = df[usable] / 2
    e = np.log(s2[usable]) - digamma(half) + np.log(half)
    excess = float(np.var(e, ddof=1) - polygamma(1, half).mean())
    if excess <= 0:
        return np.full(len(s2), pooled)
    prior = 2 * _inverse_trigamma(excess)
    scale = math.exp(float(e.mean()) + float(digamma(prior / 2)) - math.log(prior / 2))
    return np.asarray((prior * scale + df * s2) / (prior + df))


def _inverse_trigamma(value: float) -> float:
    from scipy.special import polygamma

    # Newton's method on 1 / trigamma, which is convex (Smyth 2004, appendix).
    x = 0.5 + 1 / value
    for _ in range(100):
        trigamma = float(polygamma(1, x))
        step = trigamma * (1 - trigamma / value) / float(polygamma(2, x))
        x += step
        if abs(step) < 1e-12 * x:
            break
    return x


def mean_interval(estimates: NDArray[np.float64], confidence: float) -> Interval:
    """Return the mean over subjects with Student's t interval."""
    from scipy.special import stdtrit

    n = len(estimates)
    half = float(stdtrit(n - 1, 0.5 + confidence / 2) * estimates.std(ddof=1) / math.sqrt(n))
    mean = float(estimates.mean())
    return Interval(mean, mean - half, mean + half)
