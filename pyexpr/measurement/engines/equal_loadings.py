"""One factor with equal loadings by maximum likelihood, for two or more indicators. Pure NumPy."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pyexpr.core.factor_model import FactorFit

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

_STEPS = 200
# Limit of Newton's decrement: a step then moves a parameter by < 1e-9 of its error at n = 1e6.
_DECREMENT = 1e-24


def fit_equal_loadings(covariance: Array, n_rows: int) -> FactorFit:
    """Fit ``S = lambda^2 1 1' + diag(theta)`` to a covariance matrix (p, p), divisor n.

    Fisher scoring on ``log|Sigma| + tr(S Sigma^-1)`` with halved steps; theta is not bounded,
    as in lavaan. With two indicators ``lambda^2 = s_12``. The (2 p, 2 p) covariance matrix is
    that of all loadings, which are one parameter, and the residual variances, by the expected
    information. `reason` is ``nonpositive_covariance`` if the covariances allow no positive
    loading.
    """
    p = len(covariance)
    between = (covariance.sum() - np.trace(covariance)) / (p * (p - 1))
    if between <= 0:
        return _none(p, "nonpositive_covariance")
    x = np.concatenate([[np.sqrt(between)], np.maximum(np.diag(covariance) - between, 0.0)])
    x[1:] = np.maximum(x[1:], 0.1 * np.diag(covariance))
    value, gradient, information = _evaluate(covariance, x)
    for step in range(_STEPS):
        direction = np.linalg.solve(information, gradient)
        decrement = float(direction @ gradient)
        length, best = 1.0, None
        while length > 1e-12 and best is None:
            trial = _evaluate(covariance, x - length * direction)
            # This near the minimum rounding hides the decrease.
            if trial[0] <= value or (decrement < 1e-10 and np.isfinite(trial[0])):
                best = trial
            else:
                length /= 2
        if best is None:
            return _none(p, "not_converged")
        x = x - length * direction
        value, gradient, information = best
        if decrement < _DECREMENT:
            return _fitted(x, information, value, n_rows, step)
    return _none(p, "not_converged")


def _evaluate(covariance: Array, x: Array) -> tuple[float, Array, Array]:
    """Return the discrepancy (up to a constant), its gradient and expected information."""
    p = len(covariance)
    sigma = x[0] ** 2 * np.ones((p, p)) + np.diag(x[1:])
    sign, log_sigma = np.linalg.slogdet(sigma)
    if sign <= 0 or np.linalg.eigvalsh(sigma)[0] <= 0:
        return np.inf, np.zeros(p + 1), np.eye(p + 1)
    weight = np.linalg.inv(sigma)
    left = weight - weight @ covariance @ weight
    gradient = np.concatenate([[2 * x[0] * left.sum()], np.diag(left)])
    slopes = [2 * x[0] * np.ones((p, p)), *(np.diag(row) for row in np.eye(p))]
    half = [weight @ slope for slope in slopes]
    information = np.array([[np.sum(a * b.T) for b in half] for a in half])
    return float(log_sigma + np.sum(weight * covariance)), gradient, information


def _fitted(x: Array, information: Array, value: float, n_rows: int, steps: int) -> FactorFit:
    p = len(x) - 1
    spread = np.zeros((2 * p, p + 1))
    spread[:p, 0] = 1.0
    spread[p:, 1:] = np.eye(p)
    vcov = spread @ np.linalg.inv(n_rows / 2 * information) @ spread.T
    return FactorFit(np.full(p, x[0]), x[1:], vcov, value, steps, "")


def _none(p: int, reason: str) -> FactorFit:
    nothing = np.full(p, np.nan)
    return FactorFit(nothing, nothing, np.full((2 * p, 2 * p), np.nan), np.nan, 0, reason)
