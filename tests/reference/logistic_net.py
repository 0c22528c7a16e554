"""Penalised logistic regression, slowly: proximal gradient steps on all rows."""

from __future__ import annotations

import numpy as np


def chances(Z: np.ndarray, intercept: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return P(class) of each row, by the definition."""
    predictors = intercept + Z @ weights.T
    if len(weights) == 1:
        predictors = np.column_stack([np.zeros(len(Z)), predictors])
    odds = np.exp(predictors - predictors.max(axis=1, keepdims=True))
    return odds / odds.sum(axis=1, keepdims=True)


def fit(
    Z: np.ndarray, codes: np.ndarray, n_classes: int, alpha: float, l1_ratio: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return (intercepts, weights) of standardised features, one row each but for two classes."""
    n, p = Z.shape
    l1, l2 = alpha * l1_ratio, alpha * (1 - l1_ratio)
    own = np.eye(n_classes)[codes]
    intercept = np.zeros(1 if n_classes == 2 else n_classes)
    weights = np.zeros((len(intercept), p))
    design = np.column_stack([np.ones(n), Z])
    # Of a softmax the second derivative is at most half of Z'Z/n.
    step = 1 / (np.linalg.eigvalsh(design.T @ design / n).max() / 2 + l2)
    for _ in range(100_000):
        residual = (chances(Z, intercept, weights) - own)[:, -len(intercept) :]
        moved = weights - step * (residual.T @ Z / n + l2 * weights)
        moved = np.sign(moved) * np.maximum(np.abs(moved) - step * l1, 0)
        intercept = intercept - step * residual.mean(axis=0)
        change = np.abs(moved - weights).max() + np.abs(residual.mean(axis=0)).max()
        weights = moved
        if change <= 1e-15:
            break
    return intercept, weights
