"""Changes made by an exchange of values: sums per receiving and giving subject.

A subject enters an importance in two roles. Its clips are predicted, and its values are given to
others. The jackknife leaves it out of both roles: leaving it out of one role only would miss up to
half of the standard deviation.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

# A change below this fraction of the largest prediction is treated as a rounding error: models add
# the same numbers in another order if they predict another number of rows.
_ROUNDING = 1e-13

#: The column of the sums before that counts rows, for every kind of model.
N = 0


class Measures(Protocol):
    """How predictions are summed, and which metrics are computed from the sums.

    Attributes
    ----------
    changed : tuple of int
        The columns of the sums before that an exchange changes, in the order of `columns`.
    bases : int
        Number of kinds of change of a prediction: of classes, and of probabilities.
    """

    @property
    def changed(self) -> tuple[int, ...]:
        """Return the columns that an exchange changes."""

    @property
    def bases(self) -> int:
        """Return the number of kinds of change of a prediction."""

    def before(self, y: Array, p: Array, subjects: NDArray[np.int64]) -> Array:
        """Return the sums of each subject before any exchange, (G, columns)."""

    def columns(self, y: Array, p: Array, exchanged: Array, exchange: Exchange) -> list[Array]:
        """Return what every pair adds to the sums that an exchange changes, (pairs,) each."""

    def moved(self, p: Array, exchanged: Array, exchange: Exchange) -> Array:
        """Return the variation of predictions that each subject exchanges, (bases, G)."""

    def basis(self, metric: str) -> int:
        """Return the kind of change of a prediction on which a metric depends."""

    def metric(self, name: str, sums: Array) -> Array:
        """Return the metric of sums (folds, ..., columns): over all folds."""

    def importance(self, name: str, before: Array, after: Array) -> Array:
        """Return by how much the exchange makes a metric worse."""


@dataclass(frozen=True, slots=True)
class CellSums:
    """The sums of one cell (a context of a fold), and what exchanges change.

    Attributes
    ----------
    subjects : (G,) int64
        Positions of the subjects of the cell among all.
    before : (G, columns) float64
        Per subject.
    changes : (groups, 1 + G, changed columns) float64
        The changes of all subjects, then without each of them.
    moved : (groups, bases, G) float64
        The variation of predictions that each subject exchanges.
    varied : (groups,) bool
        Whether the exchange changes any value of the group.
    """

    subjects: NDArray[np.int64]
    before: Array
    changes: Array
    moved: Array
    varied: NDArray[np.bool_]

    def of_groups(self) -> tuple[NDArray[Any], ...]:
        """Return what belongs to groups of features, whose first axis is that of the groups."""
        return self.changes, self.moved, self.varied


@dataclass(frozen=True, slots=True)
class Exchange:
    """Which subject gives values to which, for the pairs of a cell.

    Attributes
    ----------
    subjects : (n,) int64
        The subject of each row, 0 to G - 1.
    target : (pairs,) int64
        The row of each pair.
    to : (pairs,) int64
        Its subject, 0 to G - 1.
    kind : (pairs,) int64
        Position among the different combinations of a receiving and a giving subject.
    receives, gives : (combinations,) int64
    count : (combinations,) float64
        Number of pairs of each combination.
    rows, pairs : (G,) float64
        Rows and pairs of each receiving subject.
    donors : (n,) float64
        Pairs of each row.
    """

    subjects: NDArray[np.int64]
    target: NDArray[np.int64]
    to: NDArray[np.int64]
    kind: NDArray[np.int64]
    receives: NDArray[np.int64]
    gives: NDArray[np.int64]
    count: Array
    rows: Array
    pairs: Array
    donors: Array


def exchange_of(
    subjects: NDArray[np.int64], target: NDArray[np.int64], from_subject: NDArray[np.int64]
) -> Exchange:
    """Return who gives to whom.

    Parameters
    ----------
    subjects : (n,) int64
        The subject of each row, 0 to G - 1.
    target, from_subject : (pairs,) int64
        Row and giving subject of each pair.
    """
    G = int(subjects.max()) + 1
    to = subjects[target]
    codes, kind = np.unique(to * G + from_subject, return_inverse=True)
    kind = kind.reshape(-1)
    return Exchange(
        subjects, target, to, kind, codes // G, codes % G,
        np.bincount(kind).astype(np.float64),
        np.bincount(subjects, minlength=G).astype(np.float64),
        np.bincount(to, minlength=G).astype(np.float64),
        np.bincount(target, minlength=len(subjects)).astype(np.float64),
    )  # fmt: skip


def changes_of(columns: Sequence[Array], exchange: Exchange) -> Array:
    """Return how the sums change, of all subjects and without each, (1 + G, columns).

    Parameters
    ----------
    columns : sequence of (pairs,) float64
        What every pair adds.
    exchange : Exchange
        The sum of a subject is its number of rows times the mean over its pairs. It is NaN if all
        donors of some other subject are from the subject that is left out.
    """
    one = exchange
    found = np.empty((1 + len(one.rows), len(columns)))
    others = one.receives != one.gives
    receives, gives = one.receives[others], one.gives[others]
    rest = one.pairs[receives] - one.count[others]
    for k, column in enumerate(columns):
        given = np.bincount(one.kind, column, minlength=len(one.count))
        total = np.bincount(one.to, column, minlength=len(one.rows))
        own = one.rows * total / one.pairs
        with np.errstate(divide="ignore", invalid="ignore"):
            mean = (total[receives] - given[others]) / rest
        moved = one.rows[receives] * mean - own[receives]
        # Leave the subject out as a receiver and as a giver.
        found[0, k] = own.sum()
        found[1:, k] = found[0, k] - own + np.bincount(gives, moved, minlength=len(one.rows))
    return found


def moved_by(changes: Sequence[Array], exchange: Exchange) -> Array:
    """Return the variation of predictions that each subject exchanges, (G,).

    It is the sum over the rows of the subject, and over `changes`, of the square of the mean change
    of the row's prediction over its donors. For a linear model and one feature, that is the slope's
    square times the sum of squares of the deviations of the subject's values from the mean.
    """
    one = exchange
    found = np.zeros(len(one.rows))
    for change in changes:
        mean = np.bincount(one.target, change, minlength=len(one.subjects)) / one.donors
        found += np.bincount(one.subjects, mean**2, minlength=len(one.rows))
    return found


def without_rounding(delta: Array, p: Array, exchanged: Array) -> Array:
    """Return changes of predictions, with 0 for those that are rounding errors."""
    largest = max(np.abs(p).max(), np.abs(exchanged).max())
    return np.where(np.abs(delta) <= _ROUNDING * largest, 0.0, delta)
