"""Intervals of cross-validated performance that account for the subjects of training, too."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from pyexpr.base.checks import confidence_level
from pyexpr.base.errors import DataError, FewSubjectsWarning, listed
from pyexpr.base.messages import message_column, say
from pyexpr.modeling.fitting.assembled import prediction_table
from pyexpr.modeling.fitting.compared import Evaluated, compare
from pyexpr.modeling.fitting.corrected_t import corrected_t
from pyexpr.modeling.fitting.jackknifed import jackknife_groups, subjects_concerned
from pyexpr.modeling.fitting.nested import nested
from pyexpr.modeling.fitting.plan import CROSS_VALIDATION
from pyexpr.modeling.fitting.procedure_intervals import ProcedureIntervals
from pyexpr.modeling.fitting.procedure_result import (
    CORRECTED,
    JACKKNIFE,
    METHODS,
    NESTED,
    ProcedureResult,
)
from pyexpr.modeling.fitting.refits import Fits, without_subjects
from pyexpr.resampling.intervals.jackknife_t import jackknife_t

if TYPE_CHECKING:
    import pandas as pd

    from pyexpr.inference.comparison.quantities import Row
    from pyexpr.inference.comparison.result import ComparisonResult

# With three subjects the jackknife would leave two, too few for two folds with inner folds.
_FEWEST = 4


@dataclass(frozen=True, slots=True)
class Cells:
    """The evaluated predictions, and the options of each comparison."""

    evaluated: Evaluated
    fits: Fits
    metrics: Sequence[str] | None
    options: dict[str, Any]

    def compared(self, predictions: pd.DataFrame | None = None) -> ComparisonResult:
        """Return the comparison of all predictions, or of the given ones."""
        one = self.evaluated
        if predictions is not None:
            one = replace(one, predictions=predictions)
        return compare(one, self.metrics, self.options)


def compare_procedures(
    evaluated: Evaluated,
    fits: Fits | None,
    metrics: Sequence[str] | None,
    *,
    method: str,
    confidence: float,
    score_range: float | None,
    progress: bool | None,
) -> ProcedureResult:
    """Return the performance of procedures and their differences, with intervals."""
    if method not in METHODS:
        raise DataError(
            say("{method=} must be one of {names}, not {given!r}", names=listed(METHODS),
                given=method)
        )  # fmt: skip
    level = confidence_level(confidence)
    if evaluated.scheme != CROSS_VALIDATION:
        raise DataError(
            say(
                "a single split shows nothing of the variation between training subjects; use "
                "{scheme='cross_validation'} where models are fitted"
            )
        )
    if fits is None:
        raise DataError(
            "a saved result does not contain the estimators and features, with which models are "
            "fitted again; call fit_models() again"
        )
    if len(fits.table.cluster_labels) < _FEWEST:
        raise DataError(f"at least {_FEWEST} subjects are required, so that one can be left out")
    options: dict[str, Any] = {"n_boot": 0, "confidence": level}
    if score_range is not None:
        options["score_range"] = score_range
    cells = Cells(evaluated, fits, metrics, options)
    fixed = cells.compared()
    by_method: dict[str, Callable[[], ProcedureIntervals]] = {
        JACKKNIFE: lambda: _jackknife(cells, fixed, level, progress),
        CORRECTED: lambda: corrected_t(evaluated, fits, fixed, level, score_range),
        NESTED: lambda: nested(evaluated, fits, fixed, level, score_range, progress),
    }
    return _result(fixed, by_method[method](), fits, evaluated, method, level)


def _jackknife(
    cells: Cells, fixed: ComparisonResult, level: float, progress: bool | None
) -> ProcedureIntervals:
    """Leave out one subject at a time from testing and training, and fit again."""
    keys = {_key(row): place for place, row in enumerate(fixed.rows)}
    values = np.full((len(keys), len(cells.fits.table.cluster_labels)), np.nan)
    with warnings.catch_warnings():
        # The comparison itself has already given this warning.
        warnings.simplefilter("ignore", FewSubjectsWarning)
        for subject, predictions in _without_each(cells.fits, progress):
            one = cells.compared(predictions)
            for row, value in zip(one.rows, one.evidence.estimate, strict=True):
                if _key(row) in keys:
                    values[keys[_key(row)], subject] = value
    old = fixed.evidence
    zero = [place for place in fixed.draws.zero_rows if np.allclose(values[place], 0, atol=1e-12)]
    values[zero] = 0.0
    concerned = subjects_concerned(old.groups, old.estimate, values)
    groups = jackknife_groups(old.groups, values, concerned)
    found = jackknife_t(replace(old, groups=groups, inflation=None), level)
    return ProcedureIntervals(
        old.estimate, found.std_error, found.statistic, found.df, found.p_value, found.low,
        found.high, found.reason,
    )  # fmt: skip


def _key(row: Row) -> tuple[Any, ...]:
    return row.metric, row.models, row.contexts, row.ratio


def _without_each(fits: Fits, progress: bool | None) -> Any:
    """Yield every subject, with the predictions of the others by models not fitted to it."""
    units, found = fits.more(without_subjects(fits), progress)
    again: dict[int, list[int]] = {}
    for place, unit in enumerate(units):
        again.setdefault(unit.part.without[0], []).append(place)
    clusters = fits.table.clusters
    for subject, label in enumerate(fits.table.cluster_labels):
        # The models of the subject's own fold were not fitted to it, so they are kept.
        own = [
            place for place, unit in enumerate(fits.units)
            if (clusters[unit.part.test] == subject).any()
        ]  # fmt: skip
        mine = again.get(subject, [])
        table = prediction_table(
            [*(fits.units[at] for at in own), *(units[at] for at in mine)],
            [*(fits.found[at] for at in own), *(found[at] for at in mine)],
            fits.table,
        )
        yield subject, table[(table["cluster"] != label).to_numpy()].reset_index(drop=True)


def _result(
    fixed: ComparisonResult,
    found: ProcedureIntervals,
    fits: Fits,
    evaluated: Evaluated,
    method: str,
    level: float,
) -> ProcedureResult:
    table = fixed.tidy()
    before = table[["std_error", "conf_low", "conf_high"]].to_numpy()
    for name in ("estimate", "std_error", "statistic", "df", "p_value"):
        table[name] = getattr(found, name)
    table["conf_low"], table["conf_high"], table["method"] = found.low, found.high, method
    table["reason"] = message_column(found.reason)
    table = table.drop(columns="n_undefined")
    at = list(table.columns).index("method") + 1
    for place, name in enumerate(("fixed_error", "fixed_low", "fixed_high")):
        table.insert(at + place, name, before[:, place])
    return ProcedureResult(
        table=table,
        method=method,
        confidence=level,
        cluster=evaluated.names.cluster,
        n_clusters=len(fits.table.cluster_labels),
        n_folds=1 + max(part.fold for part in fits.parts),
        n_repeats=evaluated.n_repeats,
        seed=evaluated.seed,
        remarks=fixed.remarks_on_data(),
    )
