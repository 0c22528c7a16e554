"""The corrected resampled t of repeated cross-validation (Nadeau and Bengio, 2003)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from pyexpr.base.contexts import ALL
from pyexpr.base.errors import DataError, listed
from pyexpr.modeling import metrics as of_rows
from pyexpr.modeling.fitting.compared import Evaluated
from pyexpr.modeling.fitting.final import terms_of
from pyexpr.modeling.fitting.notes import NO_FOLD_VALUES, UNDEFINED_FOLDS
from pyexpr.modeling.fitting.procedure_intervals import ProcedureIntervals, students
from pyexpr.modeling.fitting.refits import Fits

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd
    from numpy.typing import NDArray

    from pyexpr.inference.comparison.quantities import Row
    from pyexpr.inference.comparison.result import ComparisonResult

_METRICS = ("rmse", "nrmse", "mae", "bias", "correlation", "concordance", "r2")


def corrected_t(
    evaluated: Evaluated,
    fits: Fits,
    fixed: ComparisonResult,
    confidence: float,
    score_range: float | None,
) -> ProcedureIntervals:
    """Return the mean of the folds' values, with ``SE^2 = (1/J + n_test/n_train) s^2``.

    J is the number of folds times that of repeats, and s^2 is the variance of the values (divisor J
    - 1). The degrees of freedom of Bouckaert and Frank (2004), J - 1, are limited to G - 1, because
    more repeats do not mean more subjects.
    """
    wrong = [row.metric for row in fixed.rows if row.metric not in _METRICS]
    if wrong:
        raise DataError(
            f"the corrected t requires a metric of each fold: {listed(_METRICS)}, not {wrong[0]!r}"
        )
    levels = _by_fold(evaluated, fixed, score_range)
    n = len(fixed.rows)
    estimate, error, df = np.full((3, n), np.nan)
    reason = [""] * n
    for place, row in enumerate(fixed.rows):
        values = _values(row, levels)
        good = np.isfinite(values)
        if good.sum() < 2:
            reason[place] = NO_FOLD_VALUES
            continue
        if not good.all():
            reason[place] = UNDEFINED_FOLDS(n=int((~good).sum()), total=len(values))
            continue
        estimate[place] = values.mean()
        error[place] = corrected_error(values, 1 + max(part.fold for part in fits.parts))
        df[place] = min(len(values), int(fixed.n_clusters[place])) - 1
    return students(
        estimate, error, df, scale=[row.scale for row in fixed.rows],
        null=fixed.evidence.null, confidence=confidence, reason=reason,
    )  # fmt: skip


def corrected_error(values: NDArray[np.float64], n_folds: int) -> NDArray[np.float64]:
    """Return the standard error of means of the values of folds, (..., J).

    One of K folds is tested and the others are fitted, so n_test/n_train is 1/(K - 1).
    """
    share = 1 / values.shape[-1] + 1 / (n_folds - 1)
    return np.asarray(np.sqrt(share * values.var(axis=-1, ddof=1)))


def _by_fold(
    evaluated: Evaluated, fixed: ComparisonResult, score_range: float | None
) -> Mapping[tuple[str, str, str], NDArray[np.float64]]:
    """Return the value of each fold of each repeat, by metric, model and context."""
    wanted = list(dict.fromkeys(row.metric for row in fixed.rows))
    contexts = list(dict.fromkeys(row.contexts[0] for row in fixed.rows if row.second is None))
    rows = evaluated.predictions
    keys = list(rows[["model", "context_as"]].drop_duplicates().itertuples(index=False, name=None))
    terms = terms_of(keys)
    found: dict[tuple[str, str, str], NDArray[np.float64]] = {}
    for key in keys:
        own = rows[(rows["model"] == key[0]) & (rows["context_as"] == key[1])]
        folds = [part for _, part in own.groupby(["repeat", "fold"])]
        for context in contexts:
            parts = [_of_context(part, context, contexts) for part in folds]
            for metric in wanted:
                found[metric, terms[key], context] = np.array(
                    [_value(metric, part, score_range) for part in parts]
                )
    return found


def _of_context(part: pd.DataFrame, context: str, contexts: list[str]) -> pd.DataFrame:
    if context == ALL and (len(contexts) == 1 or ALL not in set(part["context"].astype(str))):
        return part
    return part if len(contexts) == 1 else part[part["context"].astype(str) == context]


def _value(metric: str, part: pd.DataFrame, score_range: float | None) -> float:
    if not len(part):
        return np.nan
    options: dict[str, Any] = {"score_range": score_range} if metric == "nrmse" else {}
    return float(getattr(of_rows, metric)(part["truth"], part["prediction"], **options))


def _values(
    row: Row, levels: Mapping[tuple[str, str, str], NDArray[np.float64]]
) -> NDArray[np.float64]:
    first = levels[row.metric, row.models[0], row.contexts[0]]
    if row.second is None:
        return first
    other = (row.models[1] or row.models[0], row.contexts[1] or row.contexts[0])
    return first - levels[(row.metric, *other)]
