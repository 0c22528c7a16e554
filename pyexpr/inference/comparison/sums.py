"""Sums of predictions per subject, and why a metric is undefined."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from pyexpr.core import cluster_bootstrap as core
from pyexpr.inference.comparison.called import RowsColumn, why_not_called
from pyexpr.inference.comparison.classes import Classes
from pyexpr.inference.comparison.folds import FEWEST, Folds, FoldsOf
from pyexpr.inference.comparison.notes import (
    AUC_BELOW_HALF,
    BELOW_ZERO,
    CONSTANT_PREDICTION,
    CONSTANT_TRUTH,
    FEW_IN_FOLD,
    IN_FOLD,
    IS_CONSTANT,
    NO_COMMON_ROW,
    NO_ROW_OF_CLASS,
    NO_ROW_OR_PREDICTION,
    NOT_VARYING,
    OF_LEFT_OUT,
    ONE_CLASS,
    ONE_CLASS_IN_BOTH,
    SINGLE_IN_FOLD,
    SINGLE_WITHOUT_WITHIN,
    TORN_FOLDS,
    VARIES_LITTLE,
)
from pyexpr.inference.comparison.quantities import ColumnValues, Measure, ModelValues
from pyexpr.inference.comparison.rows import IN_MEMORY, Rows

if TYPE_CHECKING:
    from numpy.typing import NDArray


# Context, kind of sums ("pooled", "class 1", "ranks between", ...), model, column, fold.
_Key = tuple[int, str, int, int, int | None]
# Values that differ by less than this fraction of the largest are ties.
_TIED = 1e-13


class Sums:
    """Sums per cluster, each computed once when requested, and appended to `columns`."""

    def __init__(
        self,
        models: Sequence[ModelValues],
        context_rows: Sequence[NDArray[np.bool_] | None],
        codes: NDArray[np.int64],
        n_clusters: int,
        columns: list[core.Column],
        *,
        folds: FoldsOf | None = None,
        classes: Classes | None = None,
        of_units: bool = False,
        source: Rows = IN_MEMORY,
    ) -> None:
        self._models = models
        self._context_rows = context_rows
        self._codes = codes
        self._n_clusters = n_clusters
        self._folds = folds
        self._labels = () if classes is None else classes.labels
        self._of_units = of_units
        self._source = source
        self._columns = columns
        self.rows: list[NDArray[np.bool_]] = []
        self.present: list[NDArray[np.bool_]] = []
        self._flat: list[dict[str, str]] = []
        self._place: dict[_Key, int] = {}
        # Models with the same rows share one array of these rows in each context and fold.
        self._used: dict[tuple[int, int, str | None, int | None], NDArray[np.bool_]] = {}
        self._of_left_out: dict[tuple[int | None, int, int], bool] = {}
        # A number for the rows of a column. It is saved, unlike an address, which differs between
        # runs.
        self._rows_number: dict[int, int] = {}

    def pieces(self, c: int, measure: Measure, i: int) -> list[tuple[int, ...]]:
        """Return the positions of the columns of model i in context c, one per fold or class."""
        what = measure.kind.sums or ("rows" if measure.function else measure.part)
        places = range(len(self._models[i].columns))
        if what == "classes":
            labels = range(len(self._labels))
            return [
                tuple(self._column(c, f"class {one}", i, k, None) for one in labels) for k in places
            ]
        if measure.base == "spearman":
            what = f"ranks {measure.part}"
        return [
            tuple(self._column(c, what, i, k, fold) for fold in own)
            for k, own in zip(places, self._cut(c, measure, i), strict=True)
        ]

    def _cut(self, c: int, measure: Measure, i: int) -> list[list[int | None]]:
        """Return the folds into which each column of model i is divided; None means all rows."""
        columns = self._models[i].columns
        if self._folds is None or not measure.kind.folds or measure.part not in FEWEST:
            return [[None]] * len(columns)
        there = self._rows_of(c, columns[0], None)
        for column in columns[1:]:
            # A fold with rows in another column may have none here.
            there = there | self._rows_of(c, column, None)
        cut: list[list[int | None]] = []
        for column in columns:
            folds = self._folds_of(column)
            if folds is None:
                cut.append([None])
            else:
                cut.append([int(fold) for fold in np.unique(folds.cells[c][there])])
        # All columns of a level have the same number of pieces; pieces without a fold have no rows.
        most = max(map(len, cut))
        for one in cut:
            one += range(-1, len(one) - most - 1, -1)
        return cut

    def _folds_of(self, column: ColumnValues) -> Folds | None:
        """Return the folds of a column; rows of units are from one model and are not divided."""
        return None if self._folds is None else self._folds.of(column)

    def _rows_of(self, c: int, column: ColumnValues, fold: int | None) -> NDArray[np.bool_]:
        key = (c, id(column.rows), column.fold, fold)
        if key not in self._used:
            rows = column.rows
            within = self._context_rows[c]
            if within is not None:
                rows = rows & within
            if fold is not None:
                folds = self._folds_of(column)
                rows = rows & (False if folds is None else folds.cells[c] == fold)
            self._used[key] = rows
        return self._used[key]

    def _column(self, c: int, what: str, i: int, k: int, fold: int | None) -> int:
        key = (c, what, i, k, fold)
        if key in self._place:
            return self._place[key]
        column = self._models[i].columns[k]
        used = self._rows_of(c, column, fold)
        # For metrics over all rows, the folds of a column do not matter.
        cut_by = None if fold is None else column.fold
        own_rows = self._rows_number.setdefault(id(column.rows), len(self._rows_number))
        shared = (c, what, column.truth_name, own_rows, fold, cut_by)
        kind, _, which = what.partition(" ")
        if kind in ("class", "right"):
            summed, flat = self._of_classes(column, used, which, shared)
        elif kind in ("ranks", "rows"):
            part = which or "pooled"
            summed = self._columns[self._column(c, part, i, k, fold)]
            with_rows = self._ranked if kind == "ranks" else self._kept
            summed, flat = with_rows(replace(summed, shared=shared), column, used, part)
        else:
            summed = self._source.summed(column, used, self._codes, self._n_clusters, what, shared)
            flat = constant_sides(summed)
        self._columns.append(summed)
        self.rows.append(used)
        self.present.append(summed.sums[0] > 0)
        self._flat.append(flat)
        self._place[key] = len(self._columns) - 1
        return self._place[key]

    def _of_classes(
        self, column: ColumnValues, used: NDArray[np.bool_], which: str, shared: Hashable
    ) -> tuple[core.Column, dict[str, str]]:
        """Return the sums of one class against the rest, or of correct predictions of any class."""
        assert column.codes is not None
        truth, predicted = column.truth[used].astype(np.int64), column.codes[used]
        if which:
            is_so, predicted_so = truth == int(which), predicted == int(which)
        else:
            is_so, predicted_so = np.ones(len(truth), dtype=bool), predicted == truth
        summed = core.class_sums(
            predicted_so, is_so, self._codes[used], self._n_clusters, shared=shared
        )
        if not len(truth):
            return summed, {"n": ""}
        sides = {"p": predicted_so, "t": is_so}
        return summed, {name: _how_many(one) for name, one in sides.items() if _how_many(one)}

    def _ranked(
        self, summed: core.Column, column: ColumnValues, used: NDArray[np.bool_], part: str
    ) -> tuple[core.Column, dict[str, str]]:
        """Return the sums with ranks of rows, or of subjects' means."""
        if part == "between":
            cluster = np.flatnonzero(summed.sums[0] > 0)
            # Means of the same values in another order may differ by rounding.
            p, t = (_rounded(summed.sums[core.SUMS.index(name)][cluster]) for name in "pt")
        else:
            cluster, p, t = self._codes[used], column.prediction[used], column.truth[used]
        ranks = [np.unique(values, return_inverse=True)[1].reshape(-1) for values in (p, t)]
        # There may be no rows: a column may have none in a fold of another column.
        ranked = core.RankedRows(cluster, *ranks)
        if not len(cluster):
            return replace(summed, ranked=ranked), {"n": ""}
        flat = {name: "constant" for name, one in zip("pt", ranks, strict=True) if not one.any()}
        return replace(summed, ranked=ranked), flat

    def _kept(
        self, summed: core.Column, column: ColumnValues, used: NDArray[np.bool_], _: str
    ) -> tuple[core.Column, dict[str, str]]:
        """Return the sums with the rows, for a function."""
        kept = RowsColumn(
            summed.sums, summed.centres, summed.shared, summed.least, None,
            column.truth[used], column.prediction[used], self._codes[used],
        )  # fmt: skip
        return kept, {} if used.any() else {"n": ""}

    def why_undefined(
        self, c: int, measure: Measure, i: int, pieces: Sequence[tuple[int, ...]]
    ) -> str:
        """Return why a metric has no value on all rows; empty if it has one."""
        for k, (values, own) in enumerate(zip(self._models[i].columns, pieces, strict=True)):
            if all("n" in self._flat[at] for at in own):
                return NO_COMMON_ROW(prediction=values.name, truth=values.truth_name)
            if measure.kind.classes and not measure.kind.folds:
                reason = self._why_no_class(measure, values, own)
                if reason:
                    return reason
            if not measure.kind.folds:
                continue
            folds = self._folds_of(values)
            reason = ""
            if folds is not None:
                reason = self._why_no_folds(c, measure, own, folds)
            elif not self._of_units:
                reason = self._why_folds(c, measure, i, k)
            if reason:
                return reason
            for at in own:
                reason = self._why_no_value(measure, values, at)
                if reason and len(own) > 1 and folds is not None:
                    fold = int(folds.cells[c][self.rows[at]][0])
                    reason = IN_FOLD(reason=reason, fold=folds.labels[c][fold])
                if reason:
                    return reason
        return ""

    def _why_no_value(self, measure: Measure, values: ColumnValues, at: int) -> str:
        if measure.function is None:
            return _why_flat(measure, values, self._flat[at])
        column = self._columns[at]
        assert isinstance(column, RowsColumn)
        if self._of_units or not len(column.cluster):
            return ""
        return why_not_called(
            measure.metric, measure.function, column.truth, column.prediction,
            where=f"prediction {values.name!r}",
        )  # fmt: skip

    def _why_no_class(self, measure: Measure, values: ColumnValues, own: Sequence[int]) -> str:
        """Return the class that the metric needs and that is missing."""
        named = [self._labels[1]] if measure.base == "f1" else self._labels
        for label, at in zip(named, own, strict=False):
            flat = self._flat[at]
            if measure.base == "kappa" and flat == {"p": "every", "t": "every"}:
                return ONE_CLASS_IN_BOTH(prediction=values.name, label=label)
            if measure.base == "balanced_accuracy" and flat.get("t") == "none":
                return NO_ROW_OF_CLASS(truth=values.truth_name, label=label)
            none = {"p": "none", "t": "none"}
            if measure.base in ("f1", "f1_macro") and flat == none:
                return NO_ROW_OR_PREDICTION(label=label, prediction=values.name)
        return ""

    def _why_no_folds(self, c: int, measure: Measure, own: Sequence[int], folds: Folds) -> str:
        """Return why a metric cannot be computed within folds."""
        if measure.part not in FEWEST:
            return TORN_FOLDS if folds.torn[c] else ""
        for at in own:
            n = int(np.count_nonzero(self.present[at]))
            if 0 < n < FEWEST[measure.part]:
                fold = int(folds.cells[c][self.rows[at]][0])
                label = folds.labels[c][fold]
                return _too_few(label, n, measure)
        return ""

    def _why_folds(self, c: int, measure: Measure, i: int, k: int) -> str:
        """Return why folds must be named for a metric, if predictions are of left-out truth."""
        if measure.base == "r2" or measure.function or measure.part not in FEWEST:
            return ""
        over_all = self._context_rows[c] is None
        # Both are the same over all rows.
        requested: list[int | None] = [None] if over_all else [c, None]
        if over_all:
            requested += [d for d, rows in enumerate(self._context_rows) if rows is not None]
        if not any(self._shows_left_out(d, i, k) for d in requested):
            return ""
        below = AUC_BELOW_HALF if measure.base == "auc" else BELOW_ZERO
        return OF_LEFT_OUT(prediction=self._models[i].columns[k].name, below=below)

    def _shows_left_out(self, c: int | None, i: int, k: int) -> bool:
        """Return whether predictions are of left-out truth in context c, or in all rows (None)."""
        if (c, i, k) not in self._of_left_out:
            column = self._models[i].columns[k]
            used = column.rows if c is None else self._rows_of(c, column, None)
            self._of_left_out[c, i, k] = self._source.is_of_left_out(
                column, used, self._codes, self._n_clusters
            )
        return self._of_left_out[c, i, k]


def _how_many(chosen: NDArray[np.bool_]) -> str:
    if chosen.all():
        return "every"
    return "" if chosen.any() else "none"


def _rounded(values: NDArray[np.float64]) -> NDArray[np.float64]:
    largest = np.abs(values).max(initial=0.0)
    return np.rint(values / (_TIED * largest)) if largest > 0 else values


def _too_few(label: str, n: int, measure: Measure) -> str:
    if n > 1:
        return FEW_IN_FOLD(fold=label, subjects=n, metric=measure.metric)
    if "within" in measure.kind.parts:
        return SINGLE_IN_FOLD(fold=label, metric=f"{measure.base}_within")
    return SINGLE_WITHOUT_WITHIN(fold=label)


def constant_sides(column: core.Column) -> dict[str, str]:
    """Return which of p and t do not vary; "n" if there are no rows at all."""
    n, _, _, _, p, t, pp, tt, _ = column.sums.sum(axis=1).tolist()
    if n == 0:
        return {"n": ""}
    found = {}
    for name, total, squares, centre, least in zip(
        "pt", (p, t), (pp, tt), column.centres, column.least, strict=True
    ):
        mean = total / n
        variance = squares / n - mean * mean
        size = (mean + centre) ** 2
        if not variance > least * size:
            found[name] = "constant" if variance <= 1e-30 * (variance + size) else "little"
    return found


def _why_flat(measure: Measure, values: ColumnValues, constant: dict[str, str]) -> str:
    """Return what does not vary although it must; empty if everything varies."""
    if measure.base == "auc":
        return ONE_CLASS(truth=values.truth_name) if "t" in constant else ""
    needed = {"correlation": "pt", "spearman": "pt", "r2": "t"}.get(measure.base, "")
    if measure.base == "concordance" and len(constant) == 2:
        needed = "t"
    if "p" in needed and "p" in constant:
        return CONSTANT_PREDICTION(name=values.name, how=_constant(measure.part, constant["p"]))
    if "t" in needed and "t" in constant:
        return CONSTANT_TRUTH(name=values.truth_name, how=_constant(measure.part, constant["t"]))
    return ""


def _constant(part: str, how: str) -> str:
    if how == "little":
        return VARIES_LITTLE(where="" if part == "pooled" else f" {part} subjects")
    return IS_CONSTANT if part == "pooled" else NOT_VARYING(part=part)
