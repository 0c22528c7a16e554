"""Nested cross-validation (Bates, Hastie and Tibshirani, 2024), with subjects as units."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pyexpr.base.contexts import ALL
from pyexpr.base.errors import DataError, listed
from pyexpr.modeling.fitting.compared import Evaluated
from pyexpr.modeling.fitting.final import terms_of
from pyexpr.modeling.fitting.notes import PERFECT
from pyexpr.modeling.fitting.plan import SEPARATE
from pyexpr.modeling.fitting.procedure_intervals import ProcedureIntervals, students
from pyexpr.modeling.fitting.refits import Fits, without_pairs

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from numpy.typing import NDArray

    from pyexpr.inference.comparison.quantities import Row
    from pyexpr.inference.comparison.result import ComparisonResult
    from pyexpr.modeling.fitting.units import Done, Unit

    Array = NDArray[np.float64]

_METRICS = ("rmse", "nrmse", "mae")


@dataclass(frozen=True, slots=True)
class _Errors:
    """Errors of one model fitted without the fold of the row, and also without a second fold.

    Attributes
    ----------
    outer : (repeats, n) float64
        Truth minus prediction by models fitted to all folds but the row's own.
    inner : (repeats, K, n) float64
        Errors of models fitted also without fold k; NaN if k is the row's own fold.
    """

    outer: Array
    inner: Array


def nested(
    evaluated: Evaluated,
    fits: Fits,
    fixed: ComparisonResult,
    confidence: float,
    score_range: float | None,
    progress: bool | None,
) -> ProcedureIntervals:
    """Return the interval of nested cross-validation of every row of the comparison.

    A metric is the mean of one value per subject. The value is based on the loss summed over the
    rows of the subject: its deviation from what the average loss would give, divided by the mean
    number of rows. The mean over all subjects is therefore the metric over all rows. RMSE uses the
    delta method.
    """
    wrong = [row.metric for row in fixed.rows if row.metric not in _METRICS]
    if wrong:
        raise DataError(
            "nested cross-validation requires a loss that is summed over rows: "
            f"{listed(_METRICS)}, not {wrong[0]!r}; use the jackknife for other metrics"
        )
    fold = fits.folds()
    if min(np.bincount(row).min() for row in fold) < 2:
        raise DataError(
            "nested cross-validation requires at least 2 subjects in every fold, whose errors "
            "vary; use fewer folds"
        )
    errors = _errors(fits, progress)
    n = len(fixed.rows)
    estimate, error, df = np.full((3, n), np.nan)
    reason = [""] * n
    contexts = [str(label) for label in evaluated.contexts]
    for place, row in enumerate(fixed.rows):
        if not np.isfinite(fixed.evidence.estimate[place]):
            reason[place] = fixed.evidence.reason[place]
            continue
        values = _values(row, errors, fits, contexts, score_range or 1.0)
        if values is None:
            reason[place] = PERFECT
            continue
        estimate[place], error[place] = nested_interval(*values, fold)
        df[place] = fixed.n_clusters[place] - 1
    return students(
        estimate, error, df, scale=[row.scale for row in fixed.rows],
        null=fixed.evidence.null, confidence=confidence, reason=reason,
    )  # fmt: skip


def nested_interval(outer: Array, inner: Array, fold: NDArray[np.int64]) -> tuple[float, float]:
    """Return estimate and standard error of nested cross-validation.

    Let e_in be the errors of the subjects outside fold k by models fitted without k and their own
    fold, and e_out the errors of the subjects in fold k. Over folds and repeats, ``MSE = mean((mean
    e_in - mean e_out)^2 - var(e_out)/n_k)``. The standard error is ``sd(e_in)/sqrt(G)`` times the
    inflation ``sqrt(MSE) / (sd(e_in)/sqrt(G (K-1)/K))``, which is limited to the range from 1 to
    ``sqrt(K)``. The estimate is ``mean e_in - (1 + (K-2)/K) (mean e_in - mean e_out)``, which is
    for a model fitted to all subjects.

    Parameters
    ----------
    outer : (repeats, G) float64
    inner : (repeats, K, G) float64
        NaN if k is the subject's own fold.
    fold : (repeats, G) int64
    """
    n_repeats, K, G = inner.shape
    pivots = []
    for r in range(n_repeats):
        for k in range(K):
            mine = fold[r] == k
            between = inner[r, k, ~mine].mean() - outer[r, mine].mean()
            pivots.append(between**2 - outer[r, mine].var(ddof=1) / mine.sum())
    every = inner[~np.isnan(inner)]
    spread = every.std(ddof=1)
    if spread == 0:
        return float(outer.mean()), 0.0
    n_sub = G * (K - 1) // K
    inflation = np.sqrt(max(0.0, float(np.mean(pivots)))) / (spread / np.sqrt(n_sub))
    inflation = float(np.clip(inflation, 1.0, np.sqrt(K)))
    bias = (1 + (K - 2) / K) * (every.mean() - outer.mean())
    return float(every.mean() - bias), float(spread / np.sqrt(G) * inflation)


def _errors(fits: Fits, progress: bool | None) -> Mapping[tuple[str, str], _Errors]:
    """Return the errors of every model, by its name and the way in which the context enters."""
    fold = fits.folds()
    n_repeats, K, n = len(fold), 1 + int(fold.max()), len(fits.table.y)
    found: dict[tuple[str, str], _Errors] = {}
    of_row = fold[:, fits.table.clusters]
    for unit, rows, residual in _residuals(fits, zip(fits.units, fits.found, strict=True)):
        key = (unit.model.name, unit.context_as)
        one = found.setdefault(
            key, _Errors(np.full((n_repeats, n), np.nan), np.full((n_repeats, K, n), np.nan))
        )
        one.outer[unit.part.repeat, rows] = residual
    units, again = fits.more(without_pairs(fits), progress)
    for unit, rows, residual in _residuals(fits, zip(units, again, strict=True)):
        one = found[unit.model.name, unit.context_as]
        pair = (unit.part.fold, unit.part.without[0])
        own = of_row[unit.part.repeat, rows]
        other = np.where(own == pair[0], pair[1], pair[0])
        one.inner[unit.part.repeat, other, rows] = residual
    return found


def _residuals(
    fits: Fits, fitted: Iterable[tuple[Unit, Done]]
) -> Iterable[tuple[Unit, NDArray[np.int64], Array]]:
    for unit, one in fitted:
        y = fits.table.y if unit.context_as == SEPARATE else fits.table.y_pooled
        yield unit, one.test, y[one.test] - one.predictions


def _values(
    row: Row,
    errors: Mapping[tuple[str, str], _Errors],
    fits: Fits,
    contexts: list[str],
    score_range: float,
) -> tuple[Array, Array] | None:
    """Return the outer and inner values of subjects for a level or a difference."""
    keys = list(errors)
    by_term = {term: errors[key] for key, term in terms_of(keys).items()}
    first = _level(row.base, by_term[row.models[0]], row.contexts[0], fits, contexts)
    if first is None:
        return None
    outer, inner = first
    if row.second is not None:
        model, context = row.models[1] or row.models[0], row.contexts[1] or row.contexts[0]
        second = _level(row.base, by_term[model], context, fits, contexts)
        if second is None:
            return None
        outer, inner = outer - second[0], inner - second[1]
    width = score_range if row.base == "nrmse" else 1.0
    return outer / width, inner / width


def _level(
    metric: str, errors: _Errors, context: str, fits: Fits, contexts: list[str]
) -> tuple[Array, Array] | None:
    table = fits.table
    G = len(table.cluster_labels)
    rows = np.ones(len(table.y), dtype=bool)
    if context in contexts and len(contexts) > 1:
        rows = table.contexts == contexts.index(context)
    elif context != ALL and len(contexts) > 1:
        raise AssertionError(context)
    codes = table.clusters[rows]
    n = np.bincount(codes, minlength=G).astype(np.float64)

    def summed(values: Array) -> Array:
        own = values[rows]
        loss = np.abs(own) if metric == "mae" else own**2
        return np.asarray(np.bincount(codes, weights=loss, minlength=G), dtype=np.float64)

    outer = np.array([summed(one) for one in errors.outer])
    inner = np.array([[summed(one) for one in repeat] for repeat in errors.inner])
    mean = float(outer.sum() / (len(outer) * n.sum()))
    average = n.mean()
    outer, inner = (mean + (one - mean * n) / average for one in (outer, inner))
    if metric == "mae":
        return outer, inner
    root = np.sqrt(mean)
    if root == 0:
        return None
    return root + (outer - mean) / (2 * root), root + (inner - mean) / (2 * root)
