"""Common base of elastic nets: standardised features, penalties tuned on other subjects."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Protocol, TypeVar

import numpy as np
from sklearn.base import BaseEstimator

from pyexpr.base.checks import whole_number
from pyexpr.base.errors import DataError
from pyexpr.base.foreign import as_values, single_column
from pyexpr.base.messages import say
from pyexpr.base.tables import label_codes, refuse_categories
from pyexpr.inference.coefficients.penalised import ALPHAS, L1_RATIOS, TIE
from pyexpr.modeling.splits import subject_folds

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import ArrayLike, NDArray


class FittedRows(Protocol):
    """Rows to which a net is fitted; subclasses determine the model."""

    mean: NDArray[np.float64]
    scale: NDArray[np.float64]

    def grid(self, alphas: Sequence[float], ratios: Sequence[float]) -> NDArray[np.float64]:
        """Return the fit of every pair, shape (n_alphas, n_ratios, ...)."""

    def losses(
        self, grid: NDArray[np.float64], X: NDArray[np.float64], y: NDArray[Any]
    ) -> NDArray[np.float64]:
        """Return the loss of every pair, summed over other rows, shape (n_alphas, n_ratios)."""

    def n_nonzero(self, fit: NDArray[np.float64]) -> int:
        """Return the number of features with a nonzero weight in one fit."""


Rows = TypeVar("Rows", bound=FittedRows)


class TunedNet(BaseEstimator, Generic[Rows], ABC):
    """An elastic net that chooses its penalty by a loss on other subjects."""

    # Column of `path_`.
    _measure: ClassVar[str]

    def __init__(
        self,
        alpha: float | Sequence[float] = ALPHAS,
        l1_ratio: float | Sequence[float] = L1_RATIOS,
        *,
        refit: bool = False,
        n_folds: int = 5,
        seed: int = 0,
    ) -> None:
        self.alpha = alpha
        self.l1_ratio = l1_ratio
        self.refit = refit
        self.n_folds = n_folds
        self.seed = seed

    @abstractmethod
    def _rows(self, X: NDArray[np.float64], y: NDArray[Any]) -> Rows:
        """Return these rows, to be fitted."""

    @abstractmethod
    def _error(self, total: NDArray[np.float64], n: int) -> NDArray[np.float64]:
        """Return the error that is compared, from a loss summed over n rows."""

    def _choose(
        self,
        X: NDArray[np.float64],
        y: NDArray[Any],
        assigned: tuple[ArrayLike | None, ArrayLike | None],
        held_out: tuple[NDArray[np.float64], NDArray[Any]] | None,
        penalties: tuple[list[float], list[float]],
    ) -> tuple[Rows, NDArray[np.float64]]:
        """Set the penalty and the attributes common to all models; return rows and their fit.

        `assigned` holds the subjects and the folds of the rows.
        """
        alphas, ratios = penalties
        rows = self._rows(X, y)
        grid = rows.grid(alphas, ratios)
        self.tuning_ = "none"
        best = (0, 0)
        errors = np.full((len(alphas), len(ratios)), np.nan)
        if errors.size > 1:
            if held_out is not None:
                self.tuning_ = "validation"
                errors = self._error(rows.losses(grid, *held_out), len(held_out[1]))
            else:
                self.tuning_ = "folds"
                errors = self._fold_errors(X, y, assigned, alphas, ratios)
            best = lowest(errors)
        self.path_ = self._path_table(penalties, errors, grid, best, rows)
        self.alpha_, self.l1_ratio_ = alphas[best[0]], ratios[best[1]]
        fit = grid[best]
        if self.refit and held_out is not None:
            rows = self._rows(np.vstack([X, held_out[0]]), np.concatenate([y, held_out[1]]))
            fit = rows.grid([self.alpha_], [self.l1_ratio_])[0, 0]
        self.mean_, self.scale_ = rows.mean, rows.scale
        return rows, fit

    def _fold_errors(
        self,
        X: NDArray[np.float64],
        y: NDArray[Any],
        assigned: tuple[ArrayLike | None, ArrayLike | None],
        alphas: list[float],
        ratios: list[float],
    ) -> NDArray[np.float64]:
        """Return the error of each pair over all rows, each predicted from other subjects."""
        fold = self._folds(len(y), *assigned)
        self._check_folds(y, fold)
        total = np.zeros((len(alphas), len(ratios)))
        for k in range(int(fold.max()) + 1):
            train, test = fold != k, fold == k
            rows = self._rows(X[train], y[train])
            total += rows.losses(rows.grid(alphas, ratios), X[test], y[test])
        return self._error(total, len(y))

    def _folds(
        self, n: int, groups: ArrayLike | None, folds: ArrayLike | None
    ) -> NDArray[np.int64]:
        """Return the fold of each row, made of subjects or as it was given."""
        n_folds = whole_number(self.n_folds, argument="n_folds", least=2)
        subjects = (
            np.arange(n) if groups is None else single_column(groups, argument=say("{groups=}"))
        )
        if np.shape(subjects) != (n,):
            raise DataError(
                say(
                    "{groups=} must have one subject per row: {n} rows, {text} subjects",
                    n=n,
                    text=np.size(subjects),
                )
            )
        codes, labels = label_codes(subjects, name="groups", what="the subjects")
        n_subjects = len(labels)
        if n_subjects < 2:
            raise DataError(
                say(
                    "tuning requires rows of at least 2 subjects, but there is only 1; give "
                    "{validation=}, or one alpha and one l1_ratio"
                )
            )
        if folds is None:
            # By the codes, which are in the order of the labels.
            return subject_folds(codes, min(n_folds, n_subjects), self.seed)
        given = single_column(folds, argument=say("{folds=}"))
        if np.shape(given) != (n,):
            raise DataError(
                say(
                    "{folds=} must have one fold per row: {n} rows, {text} folds",
                    n=n,
                    text=np.size(given),
                )
            )
        fold, names = label_codes(given, name="folds", what="the folds")
        if len(names) < 2:
            raise DataError(
                say("tuning requires at least 2 folds, but {folds=} has only {n}", n=len(names))
            )
        first = np.full(n_subjects, -1)
        first[codes[::-1]] = fold[::-1]
        split = np.flatnonzero(fold != first[codes])
        if len(split):
            raise DataError(
                say(
                    "subject {name:label} has rows in several {folds=}; put all rows of a subject "
                    "in one fold",
                    name=str(labels[codes[split[0]]]),
                )
            )
        return fold

    def _check_folds(self, y: NDArray[Any], fold: NDArray[np.int64]) -> None:
        """Raise `DataError` if the rows outside a fold cannot be fitted."""

    def _path_table(
        self,
        penalties: tuple[list[float], list[float]],
        errors: NDArray[np.float64],
        grid: NDArray[np.float64],
        best: tuple[int, int],
        rows: Rows,
    ) -> pd.DataFrame:
        import pandas as pd

        made = [
            {
                "alpha": alpha,
                "l1_ratio": ratio,
                self._measure: errors[i, j],
                "n_nonzero": rows.n_nonzero(grid[i, j]),
                "chosen": (i, j) == best,
            }
            for i, alpha in enumerate(penalties[0])
            for j, ratio in enumerate(penalties[1])
            if not math.isnan(errors[i, j])
        ]
        return pd.DataFrame(
            made, columns=["alpha", "l1_ratio", self._measure, "n_nonzero", "chosen"]
        )

    def _penalties(self) -> tuple[list[float], list[float]]:
        """Return the alphas and the l1_ratios, ascending."""
        alphas = checked_grid(self.alpha, "alpha", high=math.inf)
        return alphas, checked_grid(self.l1_ratio, "l1_ratio", high=1.0)


def standardised(
    X: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return (Z, mean, scale), with divisor n; a constant feature is 0, and its scale 1."""
    n = len(X)
    mean, variance = X.mean(axis=0), X.var(axis=0)
    # The bound of rounding on a constant column, as scikit-learn's StandardScaler has it.
    eps = np.finfo(np.float64).eps
    constant = variance <= n * eps * variance + (n * mean * eps) ** 2
    scale = np.where(constant, 1.0, np.sqrt(variance))
    return np.where(constant, 0.0, (X - mean) / scale), mean, scale


def without_categories(X: Any) -> Any:
    """Return features of any library; a column of categories is an error."""
    X = as_values(X, argument="X")
    if hasattr(X, "columns"):
        # NumPy would take the numbers of a Categorical for amounts.
        refuse_categories(X, list(X.columns), what="X")
    return X


def features_and_label(validation: Any) -> tuple[Any, Any]:
    """Return the parts of ``validation=``, of any library."""
    if not isinstance(validation, tuple | list) or len(validation) != 2:
        raise DataError(
            say("{validation=} must be a pair, the features and the label of the rows to tune on")
        )
    X, y = (as_values(part, argument=say("{validation=}")) for part in validation)
    return X, y


def lowest(errors: NDArray[np.float64]) -> tuple[int, int]:
    """Return the position of the lowest error; alphas and ratios ascend, so the last tie wins."""
    tied = np.argwhere(errors <= errors.min() * (1 + TIE))
    i, j = tied[-1]
    return int(i), int(j)


def checked_grid(values: Any, name: str, *, high: float) -> list[float]:
    """Return the distinct values, ascending."""
    try:
        grid = np.unique(np.atleast_1d(np.asarray(values, dtype=np.float64)))
    except (TypeError, ValueError):
        raise DataError(
            say("{@name=} must be a number or several, not {values!r}", name=name, values=values)
        ) from None
    if grid.ndim != 1 or grid.size == 0 or not np.isfinite(grid).all():
        raise DataError(
            say("{@name=} must be a number or several, not {values!r}", name=name, values=values)
        )
    if grid[0] < 0 or grid[-1] > high:
        limits = "at least 0" if math.isinf(high) else f"between 0 and {high:g}"
        wrong = grid[0] if grid[0] < 0 else grid[-1]
        raise DataError(
            say("{@name=} must be {limits}, not {wrong:g}", name=name, limits=limits, wrong=wrong)
        )
    return [float(value) for value in grid]
