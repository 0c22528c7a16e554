"""Mean squares for intraclass correlations, from the definitions, means first."""

from __future__ import annotations

import numpy as np


def one_way(values, targets):
    """(N, n, n0, n_harmonic, MSB, MSW) of long ratings; NaN ratings are left out."""
    values, targets = np.asarray(values, dtype=float), np.asarray(targets)
    kept = ~np.isnan(values)
    values, targets = values[kept], targets[kept]
    shifted = values - values[0]
    groups = [shifted[targets == target] for target in np.unique(targets)]
    sizes = np.array([len(group) for group in groups], dtype=float)
    n, n_targets = sizes.sum(), len(groups)
    between = sum(len(g) * (g.mean() - shifted.mean()) ** 2 for g in groups) / (n_targets - 1)
    within = sum(((g - g.mean()) ** 2).sum() for g in groups) / (n - n_targets)
    n0 = (n - (sizes**2).sum() / n) / (n_targets - 1)
    return n_targets, n, n0, n_targets / (1 / sizes).sum(), between, within


def two_way(table):
    """(MSR, MSC, MSE) of a complete table of targets by raters."""
    table = np.asarray(table, dtype=float)
    table = table - table[0, 0]
    n, k = table.shape
    rows, columns = table.mean(axis=1, keepdims=True), table.mean(axis=0, keepdims=True)
    left = table - rows - columns + table.mean()
    return (
        k * ((rows - table.mean()) ** 2).sum() / (n - 1),
        n * ((columns - table.mean()) ** 2).sum() / (k - 1),
        (left**2).sum() / ((n - 1) * (k - 1)),
    )


def six_forms(table):
    """McGraw and Wong's (1996, table 4) formulas, as they stand."""
    n, k = np.shape(table)
    *_, msb, msw = one_way(np.ravel(table), np.repeat(np.arange(n), k))
    msr, msc, mse = two_way(table)
    return np.array(
        [
            (msb - msw) / (msb + (k - 1) * msw),
            (msb - msw) / msb,
            (msr - mse) / (msr + (k - 1) * mse + k / n * (msc - mse)),
            (msr - mse) / (msr + (msc - mse) / n),
            (msr - mse) / (msr + (k - 1) * mse),
            (msr - mse) / msr,
        ]
    )


def wald_ratio(values, targets, theta):
    """Wald's statistic by generalised least squares with the whole covariance matrix."""
    values, targets = np.asarray(values, dtype=float), np.asarray(targets)
    n_targets, n, _, _, _, within = one_way(values, targets)
    z = (targets[:, None] == np.unique(targets)[None, :]).astype(float)
    v = np.linalg.inv(np.eye(len(values)) + theta * z @ z.T)
    one = np.ones(len(values))
    centred = values - (one @ v @ values) / (one @ v @ one)
    return (centred @ v @ centred - (n - n_targets) * within) / ((n_targets - 1) * within)
