"""Changes made by an exchange of values: sums per receiving and giving subject.

A subject enters an importance in two roles. Its clips are predicted, and its values are given to
others. The jackknife leaves it out of both roles: leaving it out of one role only would miss up to
half of the standard deviation.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

#: Columns of the sums before: rows, truth, its square, prediction, its square, their product,
#: squared errors, absolute errors.
N, Y, YY, P, PP, PY, SE, AE = range(8)
#: Columns of the changes, and those of the sums that they change.
CHANGED = (P, PP, PY, SE, AE)
# A change below this fraction of the largest prediction is treated as a rounding error: models add
# the same numbers in another order if they predict another number of rows.
_ROUNDING = 1e-13
# A variance below this fraction of the mean square is treated as a rounding error.
_NO_VARIANCE = 1e-12

METRICS = ("rmse", "mse", "mae", "correlation")


@dataclass(frozen=True, slots=True)
class CellSums:
    """The sums of one cell (a context of a fold), and what exchanges change.

    Attributes
    ----------
    subjects : (G,) int64
        Positions of the subjects of the cell among all.
    before : (G, 8) float64
        Per subject.
    changes : (groups, 1 + G, 5) float64
        The changes of all subjects, then without each of them.
    """

    subjects: NDArray[np.int64]
    before: Array
    changes: Array


def before_of(y: Array, p: Array, subjects: NDArray[np.int64]) -> Array:
    """Return the sums of each subject before any exchange, (G, 8)."""
    e = y - p
    columns = [np.ones(len(y)), y, y * y, p, p * p, p * y, e * e, np.abs(e)]
    return np.stack([np.bincount(subjects, column) for column in columns], axis=1)


@dataclass(frozen=True, slots=True)
class Exchange:
    """Which subject gives values to which, for the pairs of a cell.

    Attributes
    ----------
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
    """

    target: NDArray[np.int64]
    to: NDArray[np.int64]
    kind: NDArray[np.int64]
    receives: NDArray[np.int64]
    gives: NDArray[np.int64]
    count: Array
    rows: Array
    pairs: Array


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
        target, to, kind, codes // G, codes % G,
        np.bincount(kind).astype(np.float64),
        np.bincount(subjects, minlength=G).astype(np.float64),
        np.bincount(to, minlength=G).astype(np.float64),
    )  # fmt: skip


def changes_of(y: Array, p: Array, exchanged: Array, exchange: Exchange) -> Array:
    """Return how the sums change, of all subjects and without each, (1 + G, 5).

    Parameters
    ----------
    y, p : (n,) float64
        Truth and prediction.
    exchanged : (pairs,) float64
        The prediction with the donor's values.
    exchange : Exchange
        The sum of a subject is its number of rows times the mean over its pairs. It is NaN if all
        donors of some other subject are from the subject that is left out.
    """
    one, target = exchange, exchange.target
    delta = exchanged - p[target]
    delta[np.abs(delta) <= _ROUNDING * max(np.abs(p).max(), np.abs(exchanged).max())] = 0.0
    e = y[target] - p[target]
    columns = (
        delta,
        (2 * p[target] + delta) * delta,
        y[target] * delta,
        (delta - 2 * e) * delta,
        np.abs(e - delta) - np.abs(e),
    )
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


def metric_of(name: str, sums: Array) -> Array:
    """Return the metric of sums (folds, ..., 8): over all folds, a correlation within each."""
    with np.errstate(divide="ignore", invalid="ignore"):
        if name == "correlation":
            n = sums[..., N]
            y, p = sums[..., Y] / n, sums[..., P] / n
            yy, pp = sums[..., YY] / n, sums[..., PP] / n
            variances = []
            for square, mean in ((yy, y), (pp, p)):
                one = square - mean**2
                variances.append(np.where(one > _NO_VARIANCE * square, one, np.nan))
            r = (sums[..., PY] / n - y * p) / np.sqrt(variances[0] * variances[1])
            # A fold whose only subjects are left out has no rows.
            weighted = np.where(n > 0, n * np.clip(r, -1, 1), 0.0)
            return np.asarray(weighted.sum(axis=0) / n.sum(axis=0))
        total = sums.sum(axis=0)
        if name == "mae":
            return np.asarray(total[..., AE] / total[..., N])
        mse = np.maximum(total[..., SE], 0.0) / total[..., N]
        return np.asarray(mse if name == "mse" else np.sqrt(mse))


def importance_of(name: str, before: Array, after: Array) -> Array:
    """Return by how much the exchange makes a metric worse."""
    return before - after if name == "correlation" else after - before
