"""Elastic net on resampled clusters, slowly: the rows themselves, one coordinate at a time."""

from __future__ import annotations

import numpy as np


def resample(clusters: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Return the row numbers of a resample: each row as often as its cluster was drawn."""
    return np.repeat(np.arange(len(clusters)), counts[clusters])


def fit(
    X: np.ndarray, y: np.ndarray, alpha: float, l1_ratio: float
) -> tuple[np.ndarray, float, np.ndarray, np.ndarray]:
    """Return (weights of standardised features, intercept, mean, standard deviation)."""
    mean, scale = X.mean(axis=0), X.std(axis=0)
    constant = scale**2 <= 1e-12 * (X**2).mean(axis=0)
    scale = np.where(constant, 1.0, scale)
    Z = np.where(constant, 0.0, (X - mean) / scale)
    residual = y - y.mean()
    l1, l2 = alpha * l1_ratio, alpha * (1 - l1_ratio)
    weights = np.zeros(X.shape[1])
    for _ in range(20_000):
        before = weights.copy()
        for j in np.flatnonzero(~constant):
            rho = Z[:, j] @ residual / len(y) + weights[j]
            new = np.sign(rho) * max(abs(rho) - l1, 0.0) / (1 + l2)
            residual = residual - Z[:, j] * (new - weights[j])
            weights[j] = new
        if np.abs(weights - before).max() <= 1e-16:
            break
    return weights, float(y.mean()), mean, scale


def squared_error(
    X: np.ndarray, y: np.ndarray, fitted: tuple[np.ndarray, float, np.ndarray, np.ndarray]
) -> float:
    """Return the sum of squared errors of a fit on rows."""
    weights, intercept, mean, scale = fitted
    return float(((intercept + (X - mean) / scale @ weights - y) ** 2).sum())
