"""Tests of a slope in many simulated studies at once, from sums of products per subject."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pyexpr.inference.coefficients.leverage import LARGEST_SHARE

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Below this ratio of eigenvalues the sums of products determine the slopes with too few digits.
_CONDITION = 1e-6
# Subjects who determine a direction up to this part have residuals of nearly 0 in it.
_ALONE = 1e-6
# Standard errors below this part of those of residuals as large as the labels.
_ROUNDING = 1e-8
# Largest number of values of an array.
_AT_ONCE = 2_000_000


@dataclass(frozen=True, slots=True)
class Products:
    """The regressors of rows, with intercepts, and what each row adds to the sums.

    Attributes
    ----------
    squares : ndarray, shape (n, m, m)
        Products of the m regressors.
    with_truth : ndarray, shape (n, m)
        Products of the regressors with the truth.
    largest : float
        The largest absolute truth.
    """

    squares: NDArray[np.float64]
    with_truth: NDArray[np.float64]
    largest: float

    @classmethod
    def of(
        cls,
        X: NDArray[np.float64],
        y: NDArray[np.float64],
        context: NDArray[np.int64],
        n_contexts: int,
    ) -> Products:
        """From features (n, p), and an intercept for each context."""
        rows = np.column_stack([X, context[:, None] == np.arange(n_contexts)]).astype(float)
        return cls(rows[:, :, None] * rows[:, None, :], rows * y[:, None], float(np.abs(y).max()))

    def summed(self, chosen: Sequence[NDArray[np.intp]]) -> Sums:
        """Return the sums of each subject, whose rows are given."""
        sizes = np.array([len(own) for own in chosen])
        starts, rows = np.cumsum(sizes) - sizes, np.concatenate(chosen)
        squares = np.add.reduceat(self.squares[rows], starts, axis=0)
        return Sums(squares, np.add.reduceat(self.with_truth[rows], starts, axis=0))


@dataclass(frozen=True, slots=True)
class Sums:
    """Sums of products per subject, (..., m, m) and (..., m)."""

    squares: NDArray[np.float64]
    with_truth: NDArray[np.float64]

    @classmethod
    def of(cls, studies: Sequence[Sums]) -> Sums:
        """From those of several studies."""
        return cls(
            np.array([one.squares for one in studies]),
            np.array([one.with_truth for one in studies]),
        )

    def of_subjects(self, who: NDArray[np.int64]) -> Sums:
        """Return those of studies (S, G) of these subjects."""
        return Sums(self.squares[who], self.with_truth[who])


def studies_at_once(n_subjects: int, m: int) -> int:
    """Return the number of studies whose sums fit in memory."""
    return max(1, _AT_ONCE // (n_subjects * m * m))


def slope_tests(
    sums: Sums, feature: int, largest: float
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Return the slope and p-value of each study, (2, S), and where these are to be trusted, (S,).

    They are those of `pyexpr.planning.slope.tested`: least squares with CR2 and Satterthwaite's
    degrees of freedom. Where features are nearly dependent, a subject alone determines a slope, or
    residuals are nearly 0, sums have too few digits, and the study must be fitted from its rows.

    Parameters
    ----------
    sums : Sums
        Of S studies of G subjects, (S, G, m, m) and (S, G, m).
    feature : int
        Position of the slope among the m regressors.
    largest : float
        The largest absolute truth.
    """
    from scipy.special import stdtr

    total, right = sums.squares.sum(axis=1), sums.with_truth.sum(axis=1)
    length = np.sqrt(np.diagonal(total, axis1=1, axis2=2))
    good = (length > 0).all(axis=1)
    length = np.where(length > 0, length, 1.0)
    values, vectors = np.linalg.eigh(total / (length[:, :, None] * length[:, None, :]))
    good &= values[:, 0] > _CONDITION
    # The inverse of the products is root root'.
    root = vectors / np.sqrt(np.maximum(values, _CONDITION))[:, None, :] / length[:, :, None]
    coef = _times(root, _times(root.transpose(0, 2, 1), right))
    raw = (sums.with_truth - (sums.squares @ coef[:, None, :, None])[..., 0]) @ root
    gram = root.transpose(0, 2, 1)[:, None] @ sums.squares @ root[:, None]
    own, V = np.linalg.eigh(gram)
    own = np.maximum(own, 0.0)
    good &= (own < 1 - _ALONE).all(axis=(1, 2))
    adjusted = 1 / np.sqrt(np.maximum(1 - own, _ALONE))
    direction = root[:, feature]
    # Coordinates in each subject's eigenvectors, (S, G, m).
    turned = (direction[:, None, None, :] @ V)[:, :, 0]
    residual = (raw[:, :, None, :] @ V)[:, :, 0]
    error = np.sqrt(np.sum(np.sum(turned * adjusted * residual, axis=2) ** 2, axis=1))
    z = (V @ (own * adjusted * turned)[..., None])[..., 0]
    squares = np.sum(z**2, axis=2)
    of_subject = np.sum(own * (adjusted * turned) ** 2, axis=2)
    # Differences of large numbers: see cluster_ols.
    good &= (squares <= of_subject / 2).all(axis=1)
    left = of_subject - squares
    pairs = np.sum((z.transpose(0, 2, 1) @ z) ** 2, axis=(1, 2)) - np.sum(squares**2, axis=1)
    df = left.sum(axis=1) ** 2 / (np.sum(left**2, axis=1) + pairs)
    good &= error > _ROUNDING * largest * np.linalg.norm(direction, axis=1)
    estimate = coef[:, feature]
    with np.errstate(divide="ignore", invalid="ignore"):
        p = 2 * stdtr(df, -np.abs(estimate / error))
    leverage = np.sum(own * turned**2, axis=2)
    refused = leverage.max(axis=1) > LARGEST_SHARE * leverage.sum(axis=1)
    return np.stack([estimate, np.where(refused, np.nan, p)]), good


def _times(matrices: NDArray[np.float64], vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray((matrices @ vectors[:, :, None])[:, :, 0])
