r"""How much the slopes of a feature differ between contexts: the test and the interval.

The statistic is the weighted sum of squares of the separate slopes about their weighted mean,
divided by its expectation if the standard deviation between contexts is tau. The part of the
expectation that comes from errors is estimated from the subjects (CR2), so that the slopes of a
subject in several contexts may be dependent in any way. The statistic is referred to F, whose
degrees of freedom match the variance of the numerator under the model and of the estimated
denominator (Box 1954; an ANOVA-type statistic). With independent slopes of known variance this is
the Q of meta-analysis, and the interval that of Viechtbauer (2007).

As a function of tau, the tail probability is a confidence distribution: its value at 0 is the
p-value of no difference between contexts, and its quantiles are limits of tau.

References
----------
Box, G. E. P. (1954). Some theorems on quadratic forms applied in the study of analysis of variance
problems, I. Annals of Mathematical Statistics, 25, 290-302.
https://doi.org/10.1214/aoms/1177728786
Viechtbauer, W. (2007). Confidence intervals for the amount of heterogeneity in meta-analysis.
Statistics in Medicine, 26, 37-52. https://doi.org/10.1002/sim.2514
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pyexpr.inference.coefficients.cluster_ols import ClusterOLS

# Values of tau at which the tail probability is computed.
_GRID = 240
# Degrees of freedom above which t is treated as normal, and F as chi-square.
MOST_DF = 1e8
# Smallest value of tau above 0, and largest value, in units of the slopes' spread.
_SMALLEST, _LARGEST = 1e-3, 1e4


@dataclass(frozen=True, slots=True)
class Spread:
    """The confidence distribution of tau.

    Attributes
    ----------
    statistic, df1, df2, p_value : float
        The test of no difference between contexts.
    tau : ndarray, shape (k,)
        Values of tau; the first is 0.
    below : ndarray, shape (k,)
        Confidence that tau does not exceed each value; the first is `p_value`.
    reason : str
        Why there are no numbers.
    """

    statistic: float
    df1: float
    df2: float
    p_value: float
    tau: NDArray[np.float64]
    below: NDArray[np.float64]
    reason: str = ""

    @property
    def none(self) -> float:
        """The confidence that tau is 0, which is below 1."""
        return min(self.p_value, 1 - 1e-6)

    def quantile(self, probability: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the tau that is not exceeded with a confidence; 0 up to the p-value."""
        if self.reason:
            return np.full(np.shape(probability), np.nan)
        return np.asarray(np.interp(probability, self.below, self.tau, left=0.0))


def no_spread(reason: str) -> Spread:
    """Return an empty distribution, with the reason."""
    nothing = np.zeros(0)
    return Spread(np.nan, np.nan, np.nan, np.nan, nothing, nothing, reason)


def spread_of(fit: ClusterOLS, slots: NDArray[np.int64], model: NDArray[np.float64]) -> Spread:
    """Return the confidence distribution of the spread of some slopes.

    Parameters
    ----------
    fit : ClusterOLS
        The separate slopes, with their cluster-robust covariance.
    slots : ndarray of int, shape (C,)
        Their positions among its coefficients.
    model : ndarray, shape (C, C)
        Their covariance under the model.
    """
    from scipy.special import fdtrc

    slopes = fit.coef[slots]
    robust = fit.vcov()[np.ix_(slots, slots)]
    own = np.diag(model)
    unit = float(np.sqrt(np.var(slopes) + own.mean()))
    tau = np.concatenate([[0.0], unit * np.geomspace(_SMALLEST, _LARGEST, _GRID)])
    df_error = _df_of_error(fit, slots, 1 / own)
    squares = tau[:, None] ** 2
    weights = 1 / (own + squares)
    total = weights.sum(axis=1)
    H = np.einsum("tc,cd->tcd", weights, np.eye(len(own)))
    H -= weights[:, :, None] * weights[:, None, :] / total[:, None, None]
    HM = H @ model + squares[:, :, None] * H
    trace = np.einsum("tcc->t", H)
    error = np.einsum("tcd,cd->t", H, robust)
    expected = error + squares[:, 0] * trace
    df1 = np.einsum("tcc->t", HM) ** 2 / np.einsum("tcd,tdc->t", HM, HM)
    with np.errstate(divide="ignore"):
        df2 = np.minimum(df_error * (expected / error) ** 2, MOST_DF)
    statistic = np.einsum("c,tcd,d->t", slopes, H, slopes) / expected
    tails = fdtrc(df1, df2, statistic)
    first = (float(statistic[0]), float(df1[0]), float(df2[0]))
    below = np.maximum.accumulate(tails)
    return Spread(*first, float(tails[0]), tau, below)


def _df_of_error(fit: ClusterOLS, slots: NDArray[np.int64], weights: NDArray[np.float64]) -> float:
    """Return the degrees of freedom of the estimated expectation of the statistic, without tau."""
    H = np.diag(weights) - np.outer(weights, weights) / weights.sum()
    values, vectors = np.linalg.eigh(H)
    kept = values > 1e-12 * values[-1]
    rows = np.zeros((int(kept.sum()), len(fit.coef)))
    rows[:, slots] = (vectors[:, kept] * np.sqrt(values[kept])).T
    return fit.df_of_sum(rows)
