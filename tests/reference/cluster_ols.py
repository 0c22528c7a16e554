"""Cluster-robust least squares by its definitions, with n x n and G x G matrices."""

from __future__ import annotations

import numpy as np


def residual_maker(X: np.ndarray) -> np.ndarray:
    """Return ``I - H``, (n, n)."""
    basis = np.linalg.qr(X)[0]
    return np.eye(len(X)) - basis @ basis.T


def adjustments(X: np.ndarray, cluster: np.ndarray, power: float) -> list[np.ndarray]:
    """Return ``(I - H_gg)^power`` of each cluster, by the generalised inverse."""
    M = residual_maker(X)
    found = []
    for g in np.unique(cluster):
        rows = cluster == g
        values, vectors = np.linalg.eigh(M[np.ix_(rows, rows)])
        some = values > 1e-10
        inverse = np.where(some, np.where(some, values, 1.0) ** power, 0.0)
        found.append((vectors * inverse) @ vectors.T)
    return found


def contrast(
    X: np.ndarray, y: np.ndarray, cluster: np.ndarray, weights: np.ndarray, power: float = -0.5
) -> tuple[float, float, float]:
    """Return estimate, standard error and Satterthwaite's degrees of freedom."""
    inverse = np.linalg.inv(X.T @ X)
    M = residual_maker(X)
    estimate = float(weights @ inverse @ X.T @ y)
    columns, parts = [], []
    for g, A in zip(np.unique(cluster), adjustments(X, cluster, power), strict=True):
        rows = cluster == g
        own = A @ X[rows] @ inverse @ weights
        parts.append(own @ (M @ y)[rows])
        columns.append(M[:, rows] @ own)
    P = np.array(columns).T
    omega = P.T @ P
    return (
        estimate,
        float(np.sqrt(np.sum(np.square(parts)))),
        float(np.trace(omega) ** 2 / np.sum(omega**2)),
    )


def wald_df2(X: np.ndarray, cluster: np.ndarray, weights: np.ndarray) -> float:
    """Return the denominator's degrees of freedom of clubSandwich's HTZ test, CR2."""
    inverse = np.linalg.inv(X.T @ X)
    M = residual_maker(X)
    q = len(weights)
    P = []
    for g, A in zip(np.unique(cluster), adjustments(X, cluster, -0.5), strict=True):
        rows = cluster == g
        P.append(M[:, rows] @ A @ X[rows] @ inverse @ weights.T)
    total = sum(one.T @ one for one in P)
    values, vectors = np.linalg.eigh(total)
    half = vectors @ (vectors / np.sqrt(values)).T
    P = [one @ half for one in P]
    spread = 0.0
    for one in P:
        for other in P:
            S = one.T @ other
            spread += np.trace(S) ** 2 + np.trace(S @ S)
    return float(q * (q + 1) / spread - q + 1)
