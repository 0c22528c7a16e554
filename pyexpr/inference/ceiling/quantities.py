"""The quantities of the ceiling, computed from sums per subject."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pyexpr.inference.ceiling.notes import (
    CONSTANT_PREDICTION,
    CONSTANT_TRUTH,
    ERROR_OF_RATINGS_LARGER,
    NO_ERROR,
    NO_SECOND_RATING,
    NOT_RELIABLE,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

#: The quantities of the truth, and of each model, with the scale of each interval.
OF_TRUTH = {
    "reliability": "negative_root_complement",
    "ceiling": "negative_root_complement_of_square",
    "rating_error": "negative_reciprocal",
}
OF_MODEL = {
    "correlation": "atanh",
    "error_free_correlation": "odd_cube_root",
    "rmse": "negative_reciprocal",
    "error_free_rmse": "log",
    "rating_share": "identity",
}
# Columns of the sums that all models share: rows, truth, its square, squares within targets,
# their degrees of freedom, and the sum of 1 / ratings of a target.
_SHARED = 6
# Columns of each model: prediction, its square, its product with the truth, squared error.
_OF_EACH = 4
# A variance below this fraction of the mean square is treated as a rounding error.
_ROUNDING = 1e-12


@dataclass(frozen=True, slots=True)
class CeilingSums:
    """The sums of one context, from which all quantities follow.

    Attributes
    ----------
    sums : (subjects, 6 + 4 models + raters) float64
        Sums of the centred truth and predictions. The last columns hold the sum over targets of
        each rater's deviation from the mean of the target, if severity does not count as error.
    raters : int
        Their number, 0 if severity counts as error.
    mean_squares : (1 + models,) float64
        Mean squares of truth and predictions before centring. A variance that is tiny relative to
        them is a rounding error.
    """

    sums: Array
    raters: int
    mean_squares: Array

    @property
    def n_models(self) -> int:
        """Return the number of models."""
        return int((self.sums.shape[1] - _SHARED - self.raters) // _OF_EACH)

    def values(self, sums: Array) -> Array:
        """Return the quantities of total sums (..., columns): of the truth, then of each model."""
        n, truth, square, within, df, inverse = np.moveaxis(sums[..., :_SHARED], -1, 0)
        found = []
        with np.errstate(divide="ignore", invalid="ignore"):
            variance = self._variance(square / n - (truth / n) ** 2, 0)
            if self.raters:
                means = sums[..., -self.raters :] / n[..., None]
                within = within - n * (means**2).sum(axis=-1)
                df = df - (self.raters - 1)
            error = np.where(df > 0, within / df, np.nan) * inverse / n
            # Rounding errors can make it slightly negative.
            error = np.maximum(error, 0.0)
            reliability = 1 - error / (variance * n / (n - 1))
            ceiling = np.sqrt(np.where(reliability > 0, reliability, np.nan))
            found += [reliability, ceiling, np.sqrt(error)]
            for model in range(self.n_models):
                start = _SHARED + _OF_EACH * model
                sum_p, square_p, product, squared_error = np.moveaxis(
                    sums[..., start : start + _OF_EACH], -1, 0
                )
                spread = self._variance(square_p / n - (sum_p / n) ** 2, 1 + model)
                covariance = product / n - truth / n * sum_p / n
                correlation = np.clip(covariance / np.sqrt(variance * spread), -1, 1)
                mse = squared_error / n
                beyond = mse - error
                found += [
                    correlation,
                    correlation / ceiling,
                    np.sqrt(mse),
                    np.sqrt(np.where(beyond > 0, beyond, np.nan)),
                    np.where(mse > 0, error / mse, np.nan),
                ]
        return np.stack(found, axis=-1)

    def _variance(self, variance: Array, column: int) -> Array:
        return np.where(variance > _ROUNDING * self.mean_squares[column], variance, np.nan)

    def worth(self) -> float:
        """Return the effective number of subjects of equal size."""
        n = self.sums[:, 0]
        return float(n.sum() ** 2 / (n**2).sum())

    def estimate(self) -> Array:
        """Return the quantities of all subjects."""
        return self.values(self.sums.sum(axis=0))

    def without_each(self) -> Array:
        """Return the quantities without each subject, (quantities, subjects)."""
        return self.values(self.sums.sum(axis=0) - self.sums).T

    def replicates(self, counts: NDArray[np.int32]) -> Array:
        """Return the quantities of drawn subjects, (quantities, replicates)."""
        return self.values(counts.astype(np.float64) @ self.sums).T

    def reasons(self) -> list[str]:
        """Return why each quantity is undefined for all subjects; "" if it is defined."""
        values = self.estimate()
        without_error = np.isnan(values[2])
        if self._constant(1, 0):
            shared = CONSTANT_TRUTH
        else:
            shared = NO_SECOND_RATING if without_error else NOT_RELIABLE
        found = [shared] * len(OF_TRUTH)
        for model in range(self.n_models):
            constant = self._constant(_SHARED + _OF_EACH * model, 1 + model)
            for name in OF_MODEL:
                if name.endswith("correlation") and constant:
                    found.append(CONSTANT_PREDICTION)
                elif name == "error_free_rmse" and not without_error:
                    found.append(ERROR_OF_RATINGS_LARGER)
                elif name == "rating_share" and not without_error:
                    found.append(NO_ERROR)
                else:
                    found.append(shared)
        return [
            reason if np.isnan(value) else "" for reason, value in zip(found, values, strict=True)
        ]

    def _constant(self, column: int, of: int) -> bool:
        """Return whether a variable is constant; its squares are in the next column of the sums."""
        total = self.sums.sum(axis=0)
        n = total[0]
        spread = np.asarray(total[column + 1] / n - (total[column] / n) ** 2)
        return bool(np.isnan(self._variance(spread, of)))
