"""Mean squares for intraclass correlations: checks of the arrays and calls of the kernel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pyexpr.base.arrays import unmasked
from pyexpr.base.errors import DataError
from pyexpr.core.arrays import for_kernel
from pyexpr.core.extension import kernels

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True, slots=True)
class OneWaySquares:
    """Mean squares of ratings within and between targets.

    Attributes
    ----------
    n_targets, n_ratings, n_single : int
        Targets with at least one rating, ratings, and targets with one rating.
    n0 : float
        Effective number of ratings per target, ``(n - sum n_i^2 / n) / (N - 1)``.
    n_harmonic : float
        Harmonic mean of the numbers of ratings.
    ms_between, ms_within : float
        Mean squares on ``N - 1`` and ``n - N`` degrees of freedom; NaN if these are 0.
    signal : float
        Target variance over error variance, ``(ms_between - ms_within) / (n0 ms_within)``.
    sizes : ndarray, shape (classes, 4)
        Targets with equally many ratings: ratings per target, number of targets,
        mean of their means (shifted), sum of squares about it.
    """

    n_targets: int
    n_ratings: int
    n_single: int
    n0: float
    n_harmonic: float
    ms_between: float
    ms_within: float
    signal: float
    sizes: NDArray[np.float64]

    @property
    def balanced(self) -> bool:
        """Whether all targets have the same number of ratings."""
        return len(self.sizes) == 1


@dataclass(frozen=True, slots=True)
class TwoWaySquares:
    """Mean squares of a complete table of targets by raters.

    ``signal_agreement`` is target variance over rater plus error variance,
    ``signal_consistency`` target variance over error variance.
    """

    n_targets: int
    n_raters: int
    ms_targets: float
    ms_raters: float
    ms_error: float
    signal_agreement: float
    signal_consistency: float


@dataclass(frozen=True, slots=True)
class Squares:
    """The basis of all six forms; `two_way` is None unless the table is complete."""

    one_way: OneWaySquares
    two_way: TwoWaySquares | None = None


def as_values(values: ArrayLike, *, dimensions: int) -> NDArray[np.float64]:
    """Return ratings as contiguous float64; `DataError` for infinities and a wrong shape."""
    try:
        array = for_kernel(unmasked(values), np.float64)
    except (TypeError, ValueError):
        raise DataError("ratings must be numbers") from None
    if array.ndim != dimensions:
        raise DataError(f"ratings must have {dimensions} dimensions, but have {array.ndim}")
    # A sum is finite unless a value is not, or it overflows; only then check all values.
    with np.errstate(invalid="ignore", over="ignore"):
        total = array.sum()
    if not np.isfinite(total) and np.isinf(array).any():
        place = [int(i) for i in np.argwhere(np.isinf(array))[0]]
        raise DataError(f"ratings must be finite, but the one at index {place} is infinite")
    return array


def as_codes(codes: ArrayLike) -> NDArray[np.int64]:
    """Return integer codes as contiguous int64."""
    array = np.asarray(codes)
    if array.dtype.kind not in "iu":
        raise DataError(f"codes must be whole numbers, not {array.dtype}")
    return for_kernel(array, np.int64)


def matrix_squares(matrix: ArrayLike) -> Squares:
    """Mean squares of a table of ratings.

    Parameters
    ----------
    matrix : array_like, shape (targets, raters)
        Ratings; NaN if missing. Rows without any rating are not counted as targets.

    Returns
    -------
    Squares
        With `two_way` if nothing is missing and there are at least two rows and two columns.
    """
    one_way, two_way = kernels.icc_matrix_squares(as_values(matrix, dimensions=2))
    return Squares(
        OneWaySquares(*one_way), TwoWaySquares(*two_way) if two_way is not None else None
    )


def long_squares(values: ArrayLike, targets: ArrayLike, n_targets: int) -> OneWaySquares:
    """Mean squares of ratings in long form, in any order.

    Parameters
    ----------
    values : array_like, shape (ratings,)
        NaN ratings are left out.
    targets : array_like of int, shape (ratings,)
        Codes in [0, n_targets); `DataError` for others.
    n_targets : int
        Number of codes.
    """
    try:
        squares = kernels.icc_long_squares(
            as_values(values, dimensions=1), as_codes(targets), n_targets
        )
    except ValueError as error:
        raise DataError(str(error)) from None
    return OneWaySquares(*squares)


def cell_table(
    values: ArrayLike, targets: ArrayLike, raters: ArrayLike, n_targets: int, n_raters: int
) -> tuple[NDArray[np.float64], int]:
    """Put long ratings into a table of targets by raters, with NaN for missing ones.

    Returns the table and the number of ratings whose cell already had a rating.
    """
    try:
        table, doubled = kernels.icc_fill_cells(
            as_values(values, dimensions=1),
            as_codes(targets),
            as_codes(raters),
            n_targets,
            n_raters,
        )
    except ValueError as error:
        raise DataError(str(error)) from None
    return table, doubled


def wald_limit(squares: OneWaySquares, quantile: float) -> float:
    """Wald's exact limit for the signal, at a quantile of F(N - 1, n - N).

    ``-1 / max n_i`` if the equation has no root.
    """
    limit: Any = kernels.icc_wald_limit(squares.sizes, squares.ms_within, quantile)
    return float(limit)
