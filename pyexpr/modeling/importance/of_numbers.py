"""Sums of predicted numbers, and the metrics computed from them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pyexpr.modeling.importance.exchanges import Exchange, moved_by, without_rounding

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

#: Columns of the sums before: rows, truth, its square, prediction, its square, their product,
#: squared errors, absolute errors.
N, Y, YY, P, PP, PY, SE, AE = range(8)
# A variance below this fraction of the mean square is treated as a rounding error.
_NO_VARIANCE = 1e-12

METRICS = ("rmse", "mse", "mae", "correlation")


@dataclass(frozen=True, slots=True)
class NumberMeasures:
    """Sums of predicted numbers.

    Attributes
    ----------
    centre : float
        Subtracted from truth and prediction: numbers near 0 have accurate squares.
    """

    centre: float = 0.0

    @property
    def changed(self) -> tuple[int, ...]:
        """Return the columns that an exchange changes."""
        return (P, PP, PY, SE, AE)

    @property
    def bases(self) -> int:
        """Return 1: all metrics depend on the same prediction."""
        return 1

    def basis(self, metric: str) -> int:
        """Return 0."""
        return 0

    def before(self, y: Array, p: Array, subjects: NDArray[np.int64]) -> Array:
        """Return the sums of each subject before any exchange, (G, 8)."""
        y, p = y - self.centre, p - self.centre
        e = y - p
        columns = [np.ones(len(y)), y, y * y, p, p * p, p * y, e * e, np.abs(e)]
        return np.stack([np.bincount(subjects, column) for column in columns], axis=1)

    def columns(self, y: Array, p: Array, exchanged: Array, exchange: Exchange) -> list[Array]:
        """Return what every pair adds to the sums that an exchange changes.

        Parameters
        ----------
        y, p : (n,) float64
            Truth and prediction.
        exchanged : (pairs,) float64
            The prediction with the donor's values.
        """
        y, p, exchanged = y - self.centre, p - self.centre, exchanged - self.centre
        target = exchange.target
        delta = without_rounding(exchanged - p[target], p, exchanged)
        e = y[target] - p[target]
        return [
            delta,
            (2 * p[target] + delta) * delta,
            y[target] * delta,
            (delta - 2 * e) * delta,
            np.abs(e - delta) - np.abs(e),
        ]

    def moved(self, p: Array, exchanged: Array, exchange: Exchange) -> Array:
        """Return the variation of predictions that each subject exchanges, (1, G)."""
        delta = without_rounding(exchanged - p[exchange.target], p, exchanged)
        return moved_by([delta], exchange)[None]

    def metric(self, name: str, sums: Array) -> Array:
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

    def importance(self, name: str, before: Array, after: Array) -> Array:
        """Return by how much the exchange makes a metric worse."""
        return before - after if name == "correlation" else after - before
