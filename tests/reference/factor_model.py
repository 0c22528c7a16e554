"""The one-factor likelihood, slow and obvious: numeric derivatives of the density itself."""

from __future__ import annotations

import numpy as np


def discrepancy(covariance, loadings, residuals):
    """F = log|Sigma| + tr(S Sigma^-1) - log|S| - p."""
    sigma = np.outer(loadings, loadings) + np.diag(residuals)
    return (
        np.log(np.linalg.det(sigma))
        + np.trace(covariance @ np.linalg.inv(sigma))
        - np.log(np.linalg.det(covariance))
        - len(loadings)
    )


def moments(x):
    """Means and covariances, divisor n."""
    mean = x.mean(axis=0)
    return mean, (x - mean).T @ (x - mean) / len(x)


def expected_information(loadings, residuals, n):
    """n/2 tr(W dSigma_a W dSigma_b), term by term."""
    p = len(loadings)
    weight = np.linalg.inv(np.outer(loadings, loadings) + np.diag(residuals))
    slopes = []
    for a in range(p):
        unit = np.eye(p)[a]
        slopes.append(np.outer(unit, loadings) + np.outer(loadings, unit))
    slopes += [np.diag(np.eye(p)[a]) for a in range(p)]
    return np.array([[n / 2 * np.trace(weight @ a @ weight @ b) for b in slopes] for a in slopes])


def three_indicators(covariance):
    """lambda_1 = sqrt(s12 s13 / s23) and so on; theta what is left."""
    a, b, c = covariance[0, 1], covariance[0, 2], covariance[1, 2]
    size = np.sqrt([a * b / c, a * c / b, b * c / a])
    signs = np.array([1.0, np.sign(a), np.sign(b)])
    loadings = size * signs
    if (loadings / np.sqrt(np.diag(covariance))).sum() < 0:
        loadings = -loadings
    return loadings, np.diag(covariance) - loadings**2
