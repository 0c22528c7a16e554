r"""Slopes pooled in part, and how far they may be from the true ones.

Given the variances, the pooled slopes are linear in the separate ones: ``K theta``. If contexts are
drawn anew with their slopes, the error of ``K theta`` has the variance

    K V K' + (K - I) D (K - I)',

where V is the variance of the separate slopes, estimated from the subjects (CR2), and D holds the
variances between contexts. The first part is due to the sampling of subjects, the second to the
bias of pooling for a slope that differs from the others. Both depend on tau, the standard deviation
of the feature's slopes between contexts, which is uncertain with few contexts. The limits are
therefore quantiles of the mixture of Student's t distributions over the confidence distribution of
tau (`spread`), given that tau is not 0, much as generalised confidence intervals of the values of
laboratories are (Iyer, Wang and Mathew 2004). The tau of the other features are treated in the same
way, because they influence the slopes of this feature if features are correlated.

References
----------
Iyer, H. K., Wang, C. M. J. and Mathew, T. (2004). Models and confidence intervals for true values
in interlaboratory trials. Journal of the American Statistical Association, 99, 1060-1071.
https://doi.org/10.1198/016214504000001682
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pyexpr.inference.coefficients.cluster_ols import ClusterOLS, cluster_ols
from pyexpr.inference.coefficients.leverage import Support, support_of
from pyexpr.inference.pooling.design import Products
from pyexpr.inference.pooling.notes import FEW_SUPPORTED
from pyexpr.inference.pooling.reml import MixedFit, whitening
from pyexpr.inference.pooling.spread import MOST_DF, Spread, no_spread, spread_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

# Smallest number of contexts with which their spread can be told from error.
FEWEST_CONTEXTS = 3
# Number of equally probable values of tau, which must be prime.
QUANTILES = 41
# Number of these values for which degrees of freedom are computed.
FEW_QUANTILES = 9
_MOST_STEPS = 200


@dataclass(frozen=True, slots=True)
class Mixture:
    """Weighted mixtures of Student's t distributions, one for each of several quantities.

    Attributes
    ----------
    weights : ndarray, shape (k,)
        Weights of the distributions.
    centre, error, df : ndarray, shape (m, k)
        Centre, standard error and degrees of freedom of each distribution; k is 0 if the weights
        are not known.
    """

    weights: NDArray[np.float64]
    centre: NDArray[np.float64]
    error: NDArray[np.float64]
    df: NDArray[np.float64]

    @property
    def known(self) -> bool:
        """Whether there is a distribution."""
        return len(self.weights) > 0

    def below(self, at: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the confidence that each quantity, (m,), does not exceed a value."""
        from scipy.special import stdtr

        return np.asarray(stdtr(self.df, (at[:, None] - self.centre) / self.error) @ self.weights)

    def quantile(self, probability: float) -> NDArray[np.float64]:
        """Return a quantile of each quantity, (m,)."""
        from scipy.special import stdtrit

        if not self.known:
            return np.full(len(self.centre), np.nan)
        own = self.centre + stdtrit(self.df, probability) * self.error
        low, high = own.min(axis=1), own.max(axis=1)
        at = own @ self.weights
        # Newton's method, with bisection if it leaves the interval that contains the quantile.
        for _ in range(_MOST_STEPS):
            gap = self.below(at) - probability
            low, high = np.where(gap < 0, at, low), np.where(gap < 0, high, at)
            step = gap / self._density(at)
            moved = at - step
            inside = (moved > low) & (moved < high)
            moved = np.where(inside, moved, (low + high) / 2)
            done = np.abs(moved - at) <= 1e-11 * (np.abs(at) + self.error.max(axis=1))
            at = moved
            if done.all():
                break
        return np.asarray(at)

    def _density(self, at: NDArray[np.float64]) -> NDArray[np.float64]:
        from scipy.special import gammaln

        t = (at[:, None] - self.centre) / self.error
        half = self.df / 2
        log = gammaln(half + 0.5) - gammaln(half) - 0.5 * np.log(np.pi * self.df)
        log -= (half + 0.5) * np.log1p(t**2 / self.df)
        return np.asarray((np.exp(log) / self.error) @ self.weights)

    def p_value(self) -> NDArray[np.float64]:
        """Return the two-sided p-value of 0 for each quantity, (m,)."""
        if not self.known:
            return np.full(len(self.centre), np.nan)
        tail = self.below(np.zeros(len(self.centre)))
        return np.asarray(2 * np.minimum(tail, 1 - tail))

    def std_error(self) -> NDArray[np.float64]:
        """Return the standard deviation of the errors over the mixture, (m,)."""
        if not self.known:
            return np.full(len(self.centre), np.nan)
        mean = self.centre @ self.weights
        return np.asarray(
            np.sqrt((self.error**2 + (self.centre - mean[:, None]) ** 2) @ self.weights)
        )


@dataclass(frozen=True, slots=True)
class Pooling:
    """The slopes of a multilevel model.

    Attributes
    ----------
    fit : ClusterOLS
        The separate slopes with their cluster-robust covariance; rows are weighted by the model's
        variances of subjects.
    model : ndarray, shape (S, S)
        Covariance of the separate slopes under the model.
    feature : ndarray of int, shape (S,)
        The feature of each slope.
    between : ndarray, shape (p,)
        Variances between contexts.
    spreads : tuple of Spread
        The confidence distribution of tau of each feature.
    support, pooled_support : Support
        Effective numbers of subjects of the separate and of the pooled slopes.
    """

    fit: ClusterOLS
    model: NDArray[np.float64]
    feature: NDArray[np.int64]
    between: NDArray[np.float64]
    spreads: tuple[Spread, ...]
    support: Support
    pooled_support: Support

    def why_not(self, slope: int) -> str:
        """Return why a pooled slope has no interval, or ""."""
        return self.pooled_support.why_not[slope] or self.spreads[self.feature[slope]].reason

    @property
    def separate(self) -> NDArray[np.float64]:
        """The separate slopes, (S,)."""
        return self.fit.coef[: len(self.feature)]

    def matrices(
        self, between: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return what makes pooled slopes (S, S) and common slopes (p, S) of separate ones."""
        return shrinkers(self.model, self.feature, between)

    def shrinkage(self) -> NDArray[np.float64]:
        """Return the shrinkage of each slope, (S,): 0 is none, 1 to the common slope.

        It is ``(1 - K) / (1 - K0)`` of the diagonals of K and K0, where K0 is K if the slopes of
        the feature do not vary between contexts. In balanced designs it is ``v / (v + tau^2)``,
        where v is the variance of a separate slope's deviation, which is the same for all slopes.
        """
        own = np.diag(self.matrices(self.between)[0])
        found = np.empty(len(own))
        for j in range(len(self.between)):
            without = self.between.copy()
            without[j] = 0.0
            at = self.feature == j
            found[at] = (1 - own[at]) / (1 - np.diag(self.matrices(without)[0])[at])
        return np.clip(found, 0.0, 1.0)

    def mixture(
        self, feature: int, contrasts: NDArray[np.float64], *, common: bool = False
    ) -> Mixture:
        """Return the distribution of contrasts (m, slopes of the feature) of pooled slopes.

        With `common`, the contrasts are (1, 1) of the common slope, for new contexts.
        """
        at = np.flatnonzero(self.feature == feature)
        if self.spreads[feature].reason:
            nothing = np.zeros((len(contrasts), 0))
            return Mixture(np.zeros(0), nothing, nothing, nothing)
        variances, weights = self._nodes(feature, common=common)
        rows, extra = [], []
        for between in variances:
            pooled, mean = self.matrices(between)
            if common:
                own = contrasts @ mean[[feature]]
                bias = own
            else:
                own = contrasts @ pooled[at]
                bias = own.copy()
                bias[:, at] -= contrasts
            rows.append(own)
            extra.append((bias**2) @ between[self.feature])
        k, m = len(variances), len(contrasts)
        stacked = np.zeros((k, m, len(self.fit.coef)))
        stacked[:, :, : len(self.feature)] = rows
        flat = stacked.reshape(k * m, -1)
        variance = np.sum(self.fit.influences(flat) ** 2, axis=0).reshape(k, m)
        # Degrees of freedom change little between adjacent values of tau.
        some = np.unique(np.linspace(0, k - 1, min(k, FEW_QUANTILES)).round().astype(int))
        exact = self.fit.contrasts(stacked[some].reshape(len(some) * m, -1)).df
        own = exact.reshape(len(some), m).T
        df = np.array([np.interp(np.arange(k), some, one) for one in own]).T
        total = variance + np.array(extra)
        centre = (flat @ self.fit.coef).reshape(k, m)
        df = np.minimum(df * (total / np.maximum(variance, 1e-300)) ** 2, MOST_DF)
        return Mixture(weights, centre.T, np.sqrt(total).T, df.T)

    def _nodes(
        self, feature: int, *, common: bool
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return variances between contexts (k, p) and their weights (k,).

        Only the part of the confidence distribution with tau above 0 is used. If tau were 0, slopes
        would be known from all contexts together, and no p-value shows that they are exactly equal.
        The values of the other features are combined with those of this one by the points of a
        lattice, so that the result does not depend on a seed. For the common slope, which does not
        refer to single contexts, 0 has the confidence that the distribution gives it.
        """
        n = QUANTILES
        values = np.tile(self.between, (n, 1))
        for j, spread in enumerate(self.spreads):
            if spread.reason:
                continue
            # For prime n, multiples of the numbers from 0 to n - 1, modulo n, are a permutation of
            # them.
            factor = 1 if j == feature else 2 + j % (n - 2)
            share = (np.arange(n) * factor % n + 0.5) / n
            none = spread.none
            values[:, j] = spread.quantile(none + (1 - none) * share) ** 2
        if not common:
            return values, np.full(n, 1 / n)
        none = self.spreads[feature].none
        first = self.between.copy()
        first[feature] = 0.0
        weights = np.concatenate([[none], np.full(n, (1 - none) / n)])
        return np.vstack([first, values]), weights


def shrinkers(
    model: NDArray[np.float64], feature: NDArray[np.int64], between: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return what makes pooled slopes (S, S) and common slopes (p, S) of separate ones.

    Parameters
    ----------
    model : ndarray, shape (S, S)
        Covariance of the separate slopes.
    feature : ndarray of int, shape (S,)
    between : ndarray, shape (p,)
        Variances between contexts.
    """
    S, p = len(feature), len(between)
    M = (feature[:, None] == np.arange(p)).astype(np.float64)
    total = model + np.diag(between[feature])
    inverse_m = np.linalg.solve(total, M)
    common = np.linalg.solve(M.T @ inverse_m, inverse_m.T)
    shrunk = model @ np.linalg.solve(total, np.eye(S) - M @ common)
    return np.eye(S) - shrunk, common


def pooling_of(
    products: Products, found: MixedFit, names: Sequence[str], subjects: Sequence[Any]
) -> Pooling:
    """Return the slopes, given the variances."""
    rows = whitening(products, found.subjects / found.residual)
    fit = cluster_ols(rows[:, :-1], rows[:, -1], products.subject, names=names)
    S, feature = products.n_slopes, products.feature
    each = np.eye(S, len(fit.coef))
    directions = fit.directions(each)
    model = found.residual * (directions @ directions.T)
    pooled = np.zeros_like(each)
    pooled[:, :S] = shrinkers(model, feature, found.between)[0]
    support, pooled_support = (
        support_of(fit.leverage(one), fit.contrasts(one).df, subjects, fit.determined(one))
        for one in (each, pooled)
    )
    spreads = []
    for j in range(products.n_features):
        at = np.flatnonzero((feature == j) & (np.array(support.why_not, dtype=object) == ""))
        few = len(at) < FEWEST_CONTEXTS
        spreads.append(
            no_spread(FEW_SUPPORTED(fewest=FEWEST_CONTEXTS))
            if few
            else spread_of(fit, at, model[np.ix_(at, at)])
        )
    return Pooling(fit, model, feature, found.between, tuple(spreads), support, pooled_support)
