"""Sums of predicted classes and probabilities, and the metrics computed from them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pyexpr.modeling.importance.exchanges import Exchange, moved_by, without_rounding

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

# Columns of the sums before: rows, log loss, Brier's score, then the table of the true class by the
# predicted class.
N, LOG, BRIER, TABLE = range(4)
# scikit-learn's lower bound of probabilities, because the logarithm of 0 does not exist.
_LEAST = float(np.finfo(np.float64).eps)

METRICS = ("accuracy", "balanced_accuracy", "f1", "f1_macro", "kappa", "brier", "log_loss")
#: Metrics that need probabilities, and those of one class against the rest.
PROBABLE, OF_ONE = ("brier", "log_loss"), ("f1", "brier")
#: Metrics of which lower is better.
ERRORS = ("brier", "log_loss")


@dataclass(frozen=True, slots=True)
class Classes:
    """The classes that models predict, and what is made of their predictions.

    Attributes
    ----------
    labels : tuple
        All classes, sorted.
    positive : text, int or None
        With more than two classes, the others are combined into one.
    probable : bool
        Whether probabilities are predicted, too.
    """

    labels: tuple[Any, ...]
    positive: Any
    probable: bool

    @property
    def n(self) -> int:
        """Return the number of classes, after others than the positive one are combined."""
        return 2 if self._as_one else len(self.labels)

    @property
    def _as_one(self) -> bool:
        return self.positive is not None and len(self.labels) > 2

    @property
    def one(self) -> int:
        """Return the code of the class to which F1 and Brier's score refer."""
        if self._as_one or self.positive is None:
            return 1
        return self.labels.index(self.positive)

    def codes(self, values: Sequence[Any]) -> Array:
        """Return the classes as numbers, (n,)."""
        if self._as_one:
            return np.array([float(value == self.positive) for value in values])
        place = {label: float(at) for at, label in enumerate(self.labels)}
        return np.array([place[value] for value in values])

    def likely(self, probabilities: Array) -> Array:
        """Return the probability of every code, (n, classes), from that of every class."""
        if not self._as_one:
            return probabilities
        own = probabilities[:, self.labels.index(self.positive)]
        return np.stack([1 - own, own], axis=1)


@dataclass(frozen=True, slots=True)
class ClassMeasures:
    """Sums of predicted classes, and of probabilities if there are any.

    A prediction is a row of the code of a class and, if there are any, the probability of each.
    Without probabilities log loss and Brier's score are sums of 0 and cannot be asked for.
    """

    classes: Classes

    @property
    def changed(self) -> tuple[int, ...]:
        """Return the columns that an exchange changes: all but the number of rows."""
        return tuple(range(1, TABLE + self.classes.n**2))

    @property
    def bases(self) -> int:
        """Return 2: classes, and probabilities."""
        return 2

    def basis(self, metric: str) -> int:
        """Return 1 for metrics of probabilities, otherwise 0."""
        return int(metric in PROBABLE)

    def before(self, y: Array, p: Array, subjects: NDArray[np.int64]) -> Array:
        """Return the sums of each subject before any exchange, (G, 3 + classes squared)."""
        columns = [np.ones(len(y)), *self._losses(y, p), *self._table(y, p)]
        return np.stack([np.bincount(subjects, column) for column in columns], axis=1)

    def columns(self, y: Array, p: Array, exchanged: Array, exchange: Exchange) -> list[Array]:
        """Return what every pair adds to the sums that an exchange changes.

        Parameters
        ----------
        y : (n,) float64
            Codes of the true classes.
        p : (n, 1 or 1 + classes) float64
            Predictions.
        exchanged : (pairs, 1 or 1 + classes) float64
            The predictions with the donor's values.
        """
        target = exchange.target
        exchanged = self._without_rounding(p, exchanged, target)
        old = [*self._losses(y, p), *self._table(y, p)]
        new = [*self._losses(y[target], exchanged), *self._table(y[target], exchanged)]
        return [after - before[target] for before, after in zip(old, new, strict=True)]

    def moved(self, p: Array, exchanged: Array, exchange: Exchange) -> Array:
        """Return the variation that each subject exchanges, (2, G): classes, probabilities."""
        target = exchange.target
        exchanged = self._without_rounding(p, exchanged, target)
        found = []
        for old, new in (
            (self._indicators(p[:, 0]), self._indicators(exchanged[:, 0])),
            (p[:, 1:], exchanged[:, 1:]),
        ):
            changes = [new[:, k] - old[target, k] for k in range(old.shape[1])]
            found.append(moved_by(changes, exchange))
        return np.array(found)

    def metric(self, name: str, sums: Array) -> Array:
        """Return the metric of sums (folds, ..., columns): over all folds."""
        total = sums.sum(axis=0)
        with np.errstate(divide="ignore", invalid="ignore"):
            if name in ERRORS:
                return np.asarray(total[..., LOG if name == "log_loss" else BRIER] / total[..., N])
            return self._of_table(name, total[..., TABLE:])

    def importance(self, name: str, before: Array, after: Array) -> Array:
        """Return by how much the exchange makes a metric worse."""
        return after - before if name in ERRORS else before - after

    def _of_table(self, name: str, counts: Array) -> Array:
        """Return a metric of the numbers of each true and predicted class, (..., classes^2)."""
        n = self.classes.n
        table = counts.reshape(*counts.shape[:-1], n, n)
        # Sums and differences of fractions leave rounding errors where nothing is.
        total = table.sum(axis=(-2, -1))
        table = np.where(np.abs(table) <= 1e-9 * np.maximum(total, 1.0)[..., None, None], 0, table)
        right = np.diagonal(table, axis1=-2, axis2=-1)
        true, found = table.sum(axis=-1), table.sum(axis=-2)
        if name == "accuracy":
            return np.asarray(right.sum(axis=-1) / total)
        if name == "balanced_accuracy":
            return np.asarray((right / true).mean(axis=-1))
        if name == "kappa":
            expected = (true * found).sum(axis=-1) / total
            # If everything is of one class, chance alone would be right.
            rest = np.where(total - expected > 1e-9 * total, total - expected, np.nan)
            return np.asarray((right.sum(axis=-1) - expected) / rest)
        each = 2 * right / (true + found)
        return np.asarray(each[..., self.classes.one] if name == "f1" else each.mean(axis=-1))

    def _losses(self, y: Array, p: Array) -> tuple[Array, Array]:
        """Return the log loss and Brier's score of every row."""
        if p.shape[1] == 1:
            return np.zeros(len(y)), np.zeros(len(y))
        likely = p[:, 1:]
        true = likely[np.arange(len(y)), y.astype(np.int64)]
        one = self.classes.one
        return -np.log(np.clip(true, _LEAST, 1.0)), (likely[:, one] - (y == one)) ** 2

    def _table(self, y: Array, p: Array) -> list[Array]:
        """Return for every true and predicted class whether it is that of the row."""
        cell = y * self.classes.n + p[:, 0]
        return [(cell == k).astype(np.float64) for k in range(self.classes.n**2)]

    def _indicators(self, codes: Array) -> Array:
        return np.asarray(codes[:, None] == np.arange(self.classes.n), dtype=np.float64)

    @staticmethod
    def _without_rounding(p: Array, exchanged: Array, target: NDArray[np.int64]) -> Array:
        """Return predictions with the old probabilities where they differ by rounding only."""
        old = p[target, 1:]
        if not old.shape[1]:
            return exchanged
        delta = without_rounding(exchanged[:, 1:] - old, old, exchanged[:, 1:])
        likely = np.where(delta == 0, old, exchanged[:, 1:])
        return np.concatenate([exchanged[:, :1], likely], axis=1)
