r"""Restricted maximum likelihood of a multilevel model of slopes.

The variances are in units of the residual variance. They are those of the slopes between contexts
(one for each feature), and of what varies between subjects. All are at least 0. The steps are those
of Newton's method with the average information (Gilmour, Thompson and Cullis 1995), which is the
mean of the observed and the expected one; the residual variance is profiled.

The slopes are written as ``theta = M beta + L u``, where L holds the standard deviations of the
slopes between contexts and u is standard normal. With this form, no matrix is singular if a
variance is 0.

References
----------
Gilmour, A. R., Thompson, R. and Cullis, B. R. (1995). Average information REML: an efficient
algorithm for variance parameter estimation in linear mixed models. Biometrics, 51, 1440-1450.
https://doi.org/10.2307/2533274
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pyexpr.inference.pooling.design import Products

MOST_STEPS = 500
# Tolerated squared distance from the optimum, in standard errors.
CLOSE = 1e-10
# Smallest residual variance, as a fraction of the variance of the label.
LEAST_RESIDUAL = 1e-12
_ROUNDING = 1e-15


@dataclass(frozen=True, slots=True)
class MixedFit:
    """Estimated variances and what they imply.

    Attributes
    ----------
    between : ndarray, shape (p,)
        Variance of each feature's slope between contexts.
    subjects : ndarray, shape (k,)
        Variances between subjects, in the order of `Products.terms`.
    residual : float
        Variance of the residual.
    criterion : float
        Minus twice the restricted log-likelihood.
    converged : bool
        Whether the optimum was reached.
    """

    between: NDArray[np.float64]
    subjects: NDArray[np.float64]
    residual: float
    criterion: float
    converged: bool


@dataclass(frozen=True, slots=True)
class _State:
    """The profiled criterion at one point, with its derivatives there."""

    value: float
    square: float
    gradient: NDArray[np.float64]
    hessian: NDArray[np.float64]


def fit_reml(products: Products) -> MixedFit:
    """Return the REML estimates."""
    p, m = products.n_features, len(products.terms)
    df = len(products.y) - (products.X.shape[1] - products.n_slopes) - p
    ratios = np.full(p + m, 0.1)
    state = _state(products, ratios, df)
    converged = False
    for _ in range(MOST_STEPS):
        free = (ratios > 0) | (state.gradient < 0)
        step, decrement = _step(state, ratios, free)
        if decrement < CLOSE:
            converged = True
            break
        moved = _moved(products, ratios, step, state, df)
        if moved is None:
            # Only rounding errors remain, or the criterion decreases in no direction.
            converged = decrement < 1e-6
            break
        ratios, state = moved
    residual = state.square / df
    spread = products.yy / len(products.y)
    if not residual > LEAST_RESIDUAL * spread:
        converged = False
    value = state.value + df * (1 + math.log(2 * math.pi / df))
    return MixedFit(ratios[:p] * residual, ratios[p:] * residual, residual, value, converged)


def whitening(products: Products, ratios: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return X and y, (n, P + 1), with rows that are independent with equal variance in the model.

    Each subject's rows are multiplied by the symmetric root of the inverse of their covariance,
    ``I + Z_s diag(ratios) Z_s'``; ratios (k,) are variances of subjects in units of the residual's.
    """
    found = np.column_stack([products.X, products.y])
    root = np.sqrt(ratios[products.term])
    G = len(products.ZZ)
    order = np.argsort(products.subject, kind="stable")
    ends = np.cumsum(np.bincount(products.subject, minlength=G))
    for rows in np.split(order, ends[:-1]):
        U, s, _ = np.linalg.svd(products.Z[rows] * root, full_matrices=False)
        shrunk = 1 / np.sqrt(1 + s**2) - 1
        found[rows] += U @ (shrunk[:, None] * (U.T @ found[rows]))
    return found


def _state(products: Products, ratios: NDArray[np.float64], df: int) -> _State:
    """Return minus twice the profiled restricted log-likelihood, without its constant."""
    p, S, m = products.n_features, products.n_slopes, products.Z.shape[1]
    P = products.X.shape[1]
    C = P - S
    between = ratios[:p]
    root = np.sqrt(ratios[p:][products.term])
    k = len(products.terms)
    of_term = (products.term[:, None] == np.arange(k)).astype(np.float64)
    inner = np.eye(m) + root[:, None] * products.ZZ * root
    factor = np.linalg.cholesky(inner)
    log_v = 2 * float(np.log(np.diagonal(factor, axis1=1, axis2=2)).sum())
    half = root[:, None] * np.linalg.inv(inner) * root
    # For any matrix A, Z'V^-1 A is E times Z'A.
    E = np.eye(m) - products.ZZ @ half
    of_x = E @ products.ZX
    of_y = (E @ products.Zy[:, :, None])[:, :, 0]
    of_z = E @ products.ZZ
    G, _, _ = products.ZX.shape
    flat = products.ZX.reshape(G * m, P)
    A = products.XX - flat.T @ (half @ products.ZX).reshape(G * m, P)
    half_y = (half @ products.Zy[:, :, None])[:, :, 0]
    xy = products.Xy - flat.T @ half_y.reshape(G * m)
    yy = products.yy - float(np.sum(products.Zy * half_y))
    B = np.zeros((P, C + p + S))
    slots = np.arange(S)
    B[S + np.arange(C), np.arange(C)] = 1.0
    B[slots, C + products.feature] = 1.0
    B[slots, C + p + slots] = np.sqrt(between[products.feature])
    T = B.T @ A @ B
    T[C + p + slots, C + p + slots] += 1.0
    # Columns may differ in size, such as those of contexts with many and few rows.
    size = np.sqrt(np.diag(T))
    lower = np.linalg.cholesky(T / np.outer(size, size))
    log_t = 2 * float(np.log(np.diag(lower)).sum() + np.log(size).sum())
    reach = np.linalg.solve(lower, (B / size).T)
    covariance = reach.T @ reach
    theta = covariance @ xy
    # Without a residual, only rounding errors remain.
    square = max(float(yy - xy @ theta), _ROUNDING * products.yy)
    value = log_v + log_t + df * math.log(square)
    # P y in the columns of X and of Z, and the traces of P V_k.
    x_py = xy - A @ theta
    z_py = of_y - of_x @ theta
    own = np.diag(A) - np.einsum("pq,qp->p", A @ covariance, A)
    traces = np.concatenate(
        [
            np.bincount(products.feature, weights=own[:S], minlength=p),
            (np.einsum("gkk->k", of_z) - np.einsum("gkp,gkp->k", of_x @ covariance, of_x))
            @ of_term,
        ]
    )
    by_feature = (products.feature[:, None] == np.arange(p)) * x_py[:S, None]
    of_z_py = np.einsum("gkp,gk->pk", of_x, z_py) @ of_term
    in_x = np.hstack([A[:, :S] @ by_feature, of_z_py])
    forms = np.concatenate([(by_feature**2).sum(axis=0), (z_py**2).sum(axis=0) @ of_term])
    information = np.empty((p + k, p + k))
    information[:p, :p] = by_feature.T @ A[:S, :S] @ by_feature
    information[:p, p:] = by_feature.T @ in_x[:S, p:]
    information[p:, :p] = information[:p, p:].T
    products_z = np.einsum("gk,gkl,gl->kl", z_py, of_z, z_py, optimize=True)
    information[p:, p:] = of_term.T @ products_z @ of_term
    information -= in_x.T @ covariance @ in_x
    scale = df / square
    gradient = traces - scale * forms
    hessian = scale * information - df * np.outer(forms, forms) / square**2
    return _State(value, square, gradient, hessian)


def _step(
    state: _State, ratios: NDArray[np.float64], free: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], float]:
    """Return the step of the free variances, and the squared distance that it covers."""
    at = np.flatnonzero(free)
    step = np.zeros_like(ratios)
    if not len(at):
        return step, 0.0
    scale = np.sqrt(np.maximum(np.diag(state.hessian)[at], 1e-300))
    scaled = state.hessian[np.ix_(at, at)] / np.outer(scale, scale)
    values, vectors = np.linalg.eigh((scaled + scaled.T) / 2)
    values = np.maximum(values, 1e-10 * max(values[-1], 1e-300))
    step[at] = -(vectors @ ((vectors.T @ (state.gradient[at] / scale)) / values)) / scale
    # A variance of 0 that the step would make negative stays 0, and the step is computed for the
    # others.
    stuck = free & (ratios == 0) & (step < 0)
    if stuck.any():
        return _step(state, ratios, free & ~stuck)
    return step, float(-state.gradient @ step)


def _moved(
    products: Products,
    ratios: NDArray[np.float64],
    step: NDArray[np.float64],
    state: _State,
    df: int,
) -> tuple[NDArray[np.float64], _State] | None:
    """Return the variances after the longest step that lowers the criterion, none below 0."""
    length = 1.0
    for _ in range(60):
        moved = np.maximum(ratios + length * step, 0.0)
        if (moved == ratios).all():
            return None
        bound = 1e-4 * float(state.gradient @ (moved - ratios))
        try:
            new = _state(products, moved, df)
        except np.linalg.LinAlgError:
            # The ratio to the residual variance is so extreme that the matrix is not positive
            # definite by rounding.
            new = None
        rounding = 1e-14 * (abs(state.value) + df)
        if new is not None and new.value <= state.value + min(bound, 0.0) + rounding:
            return moved, new
        length /= 2
    return None
