"""Slopes and correlations of each subject, within contexts, as sums of products."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

# A sum of squares is set to 0 if it is this small relative to the values themselves.
_ROUNDING = 1e-24


@dataclass(frozen=True, slots=True)
class PersonSums:
    """Sums of squares and products about the means of each subject in each context.

    Attributes
    ----------
    n, cells : ndarray of int, shape (G,)
        Rows of each subject, and contexts in which it has rows.
    xx, xy, yy : ndarray, shape (G,)
        Sums for signal x and score y; exactly 0 if they do not vary.
    """

    n: NDArray[np.int64]
    cells: NDArray[np.int64]
    xx: NDArray[np.float64]
    xy: NDArray[np.float64]
    yy: NDArray[np.float64]

    @property
    def df(self) -> NDArray[np.int64]:
        """Degrees of freedom of the residuals of each subject's line, (G,)."""
        return np.asarray(self.n - self.cells - 1)


def person_sums(
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    subject: NDArray[np.int64],
    cell: NDArray[np.int64],
    n_subjects: int,
) -> PersonSums:
    """Return the sums of each subject.

    Parameters
    ----------
    x, y : ndarray, shape (n,)
        Signal and score, without missing values.
    subject : ndarray of int, shape (n,)
    cell : ndarray of int, shape (n,)
        Codes without gaps of the combinations of subject and context. Products are about their
        means.
    """
    counts = np.bincount(cell)
    owner = np.zeros(len(counts), dtype=np.int64)
    owner[cell] = subject

    def centred(values: NDArray[np.float64]) -> NDArray[np.float64]:
        own = values - values[0]
        return np.asarray(own - (np.bincount(cell, weights=own) / counts)[cell])

    def summed(values: NDArray[np.float64]) -> NDArray[np.float64]:
        found = np.bincount(subject, weights=values, minlength=n_subjects)
        return np.asarray(found, dtype=np.float64)

    dx, dy = centred(x), centred(y)
    xx, yy = summed(dx * dx), summed(dy * dy)
    for squares, values in ((xx, x), (yy, y)):
        squares[squares <= _ROUNDING * summed(values * values)] = 0.0
    return PersonSums(
        np.bincount(subject, minlength=n_subjects),
        np.bincount(owner, minlength=n_subjects),
        xx,
        summed(dx * dy),
        yy,
    )
