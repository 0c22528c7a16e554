"""Desparsified elastic net: tests of slopes where least squares has too little to go on.

Source: van de Geer, Buehlmann, Ritov and Dezeure (2014), Ann. Statist. 42, 1166-1202;
the variance is that of subjects instead of rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pyexpr.base.errors import DataError
from pyexpr.core.elastic_net import cross_products, elastic_net_fits, squared_errors
from pyexpr.inference.cluster_ols import ContrastTests, WaldTest, f_test, t_tests
from pyexpr.inference.penalised import folds_of

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

NODE_FOLDS = 10
N_PENALTIES = 20
# The smallest penalty tried, as a part of the largest.
SMALLEST = 1e-3


@dataclass(frozen=True, slots=True)
class Desparsified:
    """Slopes with the bias of the penalty taken off, and what each subject adds to them.

    Attributes
    ----------
    coef : ndarray, shape (p,)
    influence : ndarray, shape (G, p)
        Sums over a subject's rows of ``Z_ij e_i / (Z_j'X_j)``; 0 for subjects without rows.
    present : ndarray of bool, shape (G, p)
        Which subjects have rows behind each coefficient.
    """

    coef: NDArray[np.float64]
    influence: NDArray[np.float64]
    present: NDArray[np.bool_]

    def contrasts(self, contrasts: ArrayLike, *, null: float = 0.0) -> ContrastTests:
        """Test linear contrasts with t on G - 1, G the subjects behind the contrast."""
        weights = np.atleast_2d(np.asarray(contrasts, dtype=np.float64))
        G = self._counts(weights)
        squares = np.sum((self.influence @ weights.T) ** 2, axis=0)
        return t_tests(
            weights @ self.coef, np.sqrt(G / (G - 1) * squares), (G - 1).astype(np.float64), null
        )

    def wald(self, contrasts: ArrayLike) -> WaldTest:
        """Test that q contrasts are all 0: ``W (G - q)/(q (G - 1)) ~ F(q, G - q)``."""
        weights = np.atleast_2d(np.asarray(contrasts, dtype=np.float64))
        q, G = len(weights), int(self._counts(weights).max())
        scores = self.influence @ weights.T
        variance = G / (G - 1) * scores.T @ scores
        estimate = weights @ self.coef
        try:
            quadratic = float(estimate @ np.linalg.solve(variance, estimate))
        except np.linalg.LinAlgError:
            return WaldTest(float("nan"), q, float("nan"), float("nan"))
        return f_test(quadratic, q, G - 1)

    def resampled_t(self, contrasts: ArrayLike, signs: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return (T* - T)/SE* with subjects' influences multiplied, (B, m)."""
        weights = np.atleast_2d(np.asarray(contrasts, dtype=np.float64))
        G = self._counts(weights)
        pivots = np.empty((len(signs), len(weights)))
        for k, w in enumerate(weights):
            there = self.present[:, w != 0].any(axis=1)
            moved = signs[:, there] * (self.influence[there] @ w)
            total = moved.sum(axis=1)
            spread = np.sum((moved - total[:, None] / G[k]) ** 2, axis=1)
            with np.errstate(divide="ignore", invalid="ignore"):
                pivots[:, k] = total / np.sqrt(G[k] / (G[k] - 1) * spread)
        return pivots

    def _counts(self, weights: NDArray[np.float64]) -> NDArray[np.int64]:
        counts = np.array([self.present[:, w != 0].any(axis=1).sum() for w in weights])
        if counts.min() < 2:
            raise DataError("a variance over subjects needs at least 2 of them")
        return counts


def desparsified(
    X: NDArray[np.float64],
    y: NDArray[np.float64],
    codes: NDArray[np.int64],
    n_subjects: int,
    beta: NDArray[np.float64],
    *,
    node_alpha: float | None = None,
    seed: int = 0,
    n_threads: int | None = None,
) -> Desparsified:
    """Take the penalty's bias off a regularised fit.

    Parameters
    ----------
    X : ndarray, shape (n, p)
        Features in the scale the slopes are wanted in, none constant.
    y : ndarray, shape (n,)
    codes : ndarray of int, shape (n,)
        The subject of each row, below `n_subjects`.
    beta : ndarray, shape (p,)
        Slopes of the regularised fit in that scale.
    node_alpha : float, optional
        Penalty of the nodewise lassos, of features at unit standard deviation; None
        chooses one for all by `NODE_FOLDS` folds of subjects.

    Returns
    -------
    Desparsified

    Notes
    -----
    Z_j are the residuals of the lasso of X_j on the other features,
    ``b_j = beta_j + Z_j'(y - X beta)/(Z_j'X_j)``; all columns centred. Checked against:
    least squares, which it equals without penalties, and scikit-learn's lassos.
    """
    centred, label = X - X.mean(axis=0), y - y.mean()
    present, own = np.unique(codes, return_inverse=True)
    own = own.reshape(-1)
    p = X.shape[1]
    Z = centred.copy()
    if p > 1:
        gammas = _nodewise(centred, own, len(present), node_alpha, seed, n_threads)
        for j in range(p):
            others = np.delete(np.arange(p), j)
            Z[:, j] -= centred[:, others] @ gammas[j]
    reach = np.einsum("ij,ij->j", Z, centred)
    if not (np.abs(reach) > 1e-12 * np.einsum("ij,ij->j", centred, centred)).all():
        raise DataError("a feature is a linear combination of the others; leave one out")
    residual = label - centred @ beta
    sums = np.zeros((n_subjects, p))
    np.add.at(sums, codes, Z * residual[:, None] / reach)
    there = np.zeros((n_subjects, p), dtype=bool)
    there[present] = True
    return Desparsified(beta + sums.sum(axis=0), sums, there)


def _nodewise(
    X: NDArray[np.float64],
    own: NDArray[np.int64],
    G: int,
    node_alpha: float | None,
    seed: int,
    n_threads: int | None,
) -> list[NDArray[np.float64]]:
    """Return the slopes of each feature's lasso on the others, at one penalty for all."""
    p = X.shape[1]
    spread = X.std(axis=0)
    scaled = X / spread
    products = [
        cross_products(np.delete(scaled, j, axis=1), scaled[:, j], own, G) for j in range(p)
    ]
    everyone = np.ones(G, dtype=np.int64)
    alpha = node_alpha
    if alpha is None:
        correlation = np.abs(scaled.T @ scaled / len(X) - np.eye(p))
        largest = max(float(correlation.max()), 1e-8)
        grid = np.geomspace(largest, SMALLEST * largest, N_PENALTIES)
        fold = folds_of(G, min(NODE_FOLDS, G), seed)
        inside = (fold == np.arange(int(fold.max()) + 1)[:, None]).astype(np.int64)
        total = np.zeros(N_PENALTIES)
        for one in products:
            fits = elastic_net_fits(
                one, 1 - inside, alpha=grid.tolist(), l1_ratio=1, n_threads=n_threads
            )
            errors = squared_errors(one, inside, fits, n_threads=n_threads)[0]
            total += errors[:, :, 0].sum(axis=0)
        alpha = float(grid[int(np.argmin(total))])
    slopes = []
    for j, one in enumerate(products):
        fits = elastic_net_fits(one, everyone, alpha=alpha, l1_ratio=1, n_threads=n_threads)
        others = np.delete(np.arange(p), j)
        slopes.append(fits.coef[0, 0, 0] / fits.scale[0] * spread[j] / spread[others])
    return slopes
