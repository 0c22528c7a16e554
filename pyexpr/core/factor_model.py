"""Checked calls of the one-factor kernel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pyexpr.base.checks import kernel_threads
from pyexpr.base.errors import DataError
from pyexpr.core.arrays import for_kernel
from pyexpr.core.extension import kernels

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

# FactorStatus in factor_model.hpp, in the words of FactorModelError.reason.
REASONS = ("", "singular_covariance", "nonpositive_product", "not_converged")


@dataclass(frozen=True, slots=True)
class FactorFit:
    """A one-factor fit: (p,) loadings and residual variances, (2p, 2p) covariance of both.

    `reason` is "", or the reason why there is no fit (all numbers are then NaN).
    """

    loadings: NDArray[np.float64]
    residuals: NDArray[np.float64]
    vcov: NDArray[np.float64]
    discrepancy: float
    iterations: int
    reason: str


def moments(x: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return means (p,) and covariances (p, p), divisor n, of (n, p) finite rows."""
    rows = for_kernel(x, np.float64)
    if rows.ndim != 2 or rows.shape[0] == 0:
        raise DataError(f"x must have at least one row and two dimensions, not shape {rows.shape}")
    if not np.isfinite(rows).all():
        raise DataError("x must be finite; remove incomplete rows first")
    return kernels.factor_moments(rows)


def fit_factor(covariance: ArrayLike, n_rows: int) -> FactorFit:
    """Fit one factor to a covariance matrix (p, p), divisor n, of `n_rows` rows."""
    s = for_kernel(covariance, np.float64)
    if s.ndim != 2 or s.shape[0] != s.shape[1] or s.shape[0] < 3:
        raise DataError(f"covariance must be square with at least 3 rows, not shape {s.shape}")
    if not np.isfinite(s).all():
        raise DataError("covariance must be finite")
    p = s.shape[0]
    status, parameters, vcov, discrepancy, iterations = kernels.fit_factor(s, int(n_rows))
    return FactorFit(parameters[:p], parameters[p:], vcov, discrepancy, iterations, REASONS[status])


def cluster_sums(x: ArrayLike, codes: ArrayLike, n_clusters: int) -> NDArray[np.float64]:
    """Return (n_clusters, 1 + p + p(p+1)/2): count, sums and products of (n, p) centred rows."""
    rows = np.asarray(x, dtype=np.float64)
    labels = np.asarray(codes, dtype=np.int64)
    first, second = np.triu_indices(rows.shape[1])
    parts = np.column_stack([np.ones(len(rows)), rows, rows[:, first] * rows[:, second]])
    return np.column_stack(
        [np.bincount(labels, weights=part, minlength=n_clusters) for part in parts.T]
    )


def fit_sums(
    sums: ArrayLike, p: int, *, n_threads: int | None = None
) -> tuple[NDArray[np.float64], NDArray[np.float64], list[str]]:
    """Fit each row of `sums` (B, 1 + p + p(p+1)/2); return loadings, residuals (B, p), reasons.

    A row is the sum of rows of `cluster_sums`. The bytes do not depend on
    `n_threads` (None: one per core).
    """
    totals = for_kernel(sums, np.float64)
    _check_width(totals, p)
    parameters, status = kernels.fit_factor_sums(totals, p, kernel_threads(n_threads))
    return parameters[:, :p], parameters[:, p:], [REASONS[code] for code in status.tolist()]


def _check_width(totals: NDArray[np.float64], p: int) -> None:
    if p < 3 or totals.ndim != 2 or totals.shape[1] != 1 + p + p * (p + 1) // 2:
        raise DataError(f"sums of {p} indicators do not have shape {totals.shape}")


def fit_resampled(
    sums: ArrayLike, counts: ArrayLike, p: int, *, n_threads: int | None = None
) -> tuple[NDArray[np.float64], NDArray[np.float64], list[str]]:
    """Fit each row of `counts` (B, n_clusters); return loadings, residuals (B, p) and reasons.

    The bytes do not depend on `n_threads` (None: one per core).
    """
    totals = for_kernel(sums, np.float64)
    weights = for_kernel(counts, np.float64)
    _check_width(totals, p)
    if weights.ndim != 2 or weights.shape[1] != totals.shape[0]:
        raise DataError(f"counts must be (B, {totals.shape[0]}), not {weights.shape}")
    parameters, status = kernels.fit_factor_resampled(totals, weights, p, kernel_threads(n_threads))
    return parameters[:, :p], parameters[:, p:], [REASONS[code] for code in status.tolist()]
