"""Metrics of drawn subjects, computed from the rows and from how often each row was drawn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pyexpr.base.contexts import ALL
from pyexpr.inference.comparison.quantities import Row

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

# Metrics that are computed in the chain; the last three are computed within folds.
METRICS = ("rmse", "nrmse", "mae", "bias", "correlation", "concordance", "r2")
_WITHIN_FOLDS = METRICS[4:]
# A variance below this fraction of the mean square is treated as a rounding error.
_ROUNDING = 1e-12


@dataclass(frozen=True, slots=True)
class Cells:
    """The rows by context, repeat and fold, and the quantities to compute from them.

    Attributes
    ----------
    cell : (repeats, n) int64
        The position of the context times the number of folds, plus the fold.
    n_contexts, n_folds : int
    shift : float
        Subtracted from truth and predictions, so that the sums do not lose digits.
    levels : list of (metric, term, context)
        Positions of each; the last context stands for all contexts.
    first, second : (Q,) int64
        Positions in `levels` of each quantity, and of what is subtracted from it; -1 if nothing is.
    width : float
        The width of the score, by which RMSE is divided to give NRMSE.
    """

    cell: NDArray[np.int64]
    n_contexts: int
    n_folds: int
    shift: float
    levels: list[tuple[str, int, int]]
    first: NDArray[np.int64]
    second: NDArray[np.int64]
    width: float

    def values(self, predictions: Array, truth: Sequence[Array], weight: Array) -> Array:
        """Return every quantity (Q,).

        Parameters
        ----------
        predictions : (terms, repeats, n)
        truth : for each term (n,)
        weight : (n,)
            How often each row was drawn.
        """
        sums = self._sums(predictions, truth, weight)
        found = {name: metric_of(name, sums, self.shift).mean(axis=1) for name in self._names()}
        level = np.array([
            found[name][term, context] / (self.width if name == "nrmse" else 1.0)
            for name, term, context in self.levels
        ])  # fmt: skip
        # The zero after the last level is subtracted from quantities that are not differences.
        level = np.append(level, 0.0)
        return np.asarray(level[self.first] - level[self.second])

    def _names(self) -> list[str]:
        return list(dict.fromkeys(name for name, _, _ in self.levels))

    def _sums(self, predictions: Array, truth: Sequence[Array], weight: Array) -> Array:
        """Return the sums of each model, (terms, repeats, contexts + 1, folds, 8)."""
        shape = predictions.shape[:2]
        size = self.n_contexts * self.n_folds
        p = predictions - self.shift
        y = np.broadcast_to((np.stack(truth) - self.shift)[:, None], p.shape)
        e = p - y
        place = (np.arange(shape[0] * shape[1]) * size).reshape(*shape, 1) + self.cell
        parts = (np.ones_like(p), y, p, y * y, p * p, y * p, e * e, np.abs(e))
        sums = np.stack(
            [
                np.bincount(place.ravel(), (weight * part).ravel(), shape[0] * shape[1] * size)
                for part in parts
            ],
            axis=1,
        ).reshape(*shape, self.n_contexts, self.n_folds, len(parts))
        return np.concatenate([sums, sums.sum(axis=2, keepdims=True)], axis=2)


def metric_of(name: str, sums: Array, shift: float) -> Array:
    """Return a metric from sums (..., folds, 8)."""
    with np.errstate(divide="ignore", invalid="ignore"):
        if name not in _WITHIN_FOLDS:
            n, y, p, _, _, _, squares, absolute = np.moveaxis(sums.sum(axis=-2), -1, 0)
            if name == "bias":
                return np.asarray((p - y) / n)
            return np.asarray(absolute / n if name == "mae" else np.sqrt(squares / n))
        n, y, p, yy, pp, yp, squares, _ = np.moveaxis(sums, -1, 0)
        my, mp = y / n, p / n
        vy, vp, cov = yy / n - my**2, pp / n - mp**2, yp / n - my * mp
        vy = np.where(vy > _ROUNDING * (my + shift) ** 2, vy, np.nan)
        if name == "correlation":
            vp = np.where(vp > _ROUNDING * (mp + shift) ** 2, vp, np.nan)
            each = np.clip(cov / np.sqrt(vy * vp), -1, 1)
        elif name == "concordance":
            each = 2 * cov / (vy + vp + (my - mp) ** 2)
        else:
            each = 1 - squares / n / vy
        # A fold of which no subject was drawn has no rows.
        return np.asarray(np.where(n > 0, n * each, 0.0).sum(axis=-1) / n.sum(axis=-1))


def cells_of(
    rows: Sequence[Row],
    terms: Sequence[str],
    contexts: Sequence[str],
    context: NDArray[np.int64],
    fold: NDArray[np.int64],
    shift: float,
    width: float | None,
) -> Cells:
    """Return the cells from which the rows of a comparison are computed; `fold` is (repeats, n)."""
    n_folds, n_contexts = int(fold.max()) + 1, len(contexts)
    levels: dict[tuple[str, int, int], int] = {}

    def level(metric: str, term: str, where: str) -> int:
        place = n_contexts if where == ALL else list(contexts).index(where)
        return levels.setdefault((metric, list(terms).index(term), place), len(levels))

    first, second = [], []
    for row in rows:
        first.append(level(row.base, row.models[0], row.contexts[0]))
        other = -1
        if row.second is not None:
            other = level(row.base, row.models[1] or row.models[0],
                          row.contexts[1] or row.contexts[0])  # fmt: skip
        second.append(other)
    return Cells(
        context * n_folds + fold, n_contexts, n_folds, shift, list(levels), np.array(first),
        np.array(second), width or 1.0,
    )  # fmt: skip
