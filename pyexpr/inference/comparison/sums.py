"""Columns of predictions summed per subject, and why a metric of them is undefined."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from pyexpr.core import cluster_bootstrap as core
from pyexpr.inference.comparison.called import RowsColumn, why_not_called
from pyexpr.inference.comparison.classes import Classes
from pyexpr.inference.comparison.folds import FEWEST, Folds, is_of_left_out
from pyexpr.inference.comparison.quantities import ColumnValues, Measure, ModelValues

if TYPE_CHECKING:
    from numpy.typing import NDArray


# Context, what is summed ("pooled", "class 1", "ranks between", ...), model, column, fold.
_Key = tuple[int, str, int, int, int | None]
# What metrics of classes are computed from; all else from the metric's part.
_WHAT = {
    "auc": "ranks pooled",
    "accuracy": "right",
    "balanced_accuracy": "classes",
    "f1": "class 1",
    "f1_macro": "classes",
    "kappa": "classes",
}
# Values closer than this part of the largest are tied.
_TIED = 1e-13


class Sums:
    """Sums per cluster as they are asked for, each made once, appended to `columns`."""

    def __init__(
        self,
        models: Sequence[ModelValues],
        context_rows: Sequence[NDArray[np.bool_] | None],
        codes: NDArray[np.int64],
        n_clusters: int,
        columns: list[core.Column],
        *,
        folds: Folds | None = None,
        classes: Classes | None = None,
        of_units: bool = False,
    ) -> None:
        self._models = models
        self._context_rows = context_rows
        self._codes = codes
        self._n_clusters = n_clusters
        self._folds = folds
        self._labels = () if classes is None else classes.labels
        self._of_units = of_units
        self._columns = columns
        self.rows: list[NDArray[np.bool_]] = []
        self.present: list[NDArray[np.bool_]] = []
        self._flat: list[dict[str, str]] = []
        self._place: dict[_Key, int] = {}
        # Models that share their rows share one array of them in each context and fold.
        self._used: dict[tuple[int, int, int | None], NDArray[np.bool_]] = {}
        self._of_left_out: dict[tuple[int | None, int, int], bool] = {}

    def pieces(self, c: int, measure: Measure, i: int, k: int) -> tuple[int, ...]:
        """Return where column k of model i is in context c: once, in every fold, or class."""
        what = _WHAT.get(measure.base, "rows" if measure.function else measure.part)
        if what == "classes":
            return tuple(
                self._column(c, f"class {one}", i, k, None) for one in range(len(self._labels))
            )
        if measure.base == "spearman":
            what = f"ranks {measure.part}"
        if not self._by_folds(measure):
            return (self._column(c, what, i, k, None),)
        assert self._folds is not None
        used = self._rows_of(c, self._models[i].columns[k], None)
        # A fold that another column has rows in may have none here.
        there = used
        for column in self._models[i].columns:
            there = there | self._rows_of(c, column, None)
        present = np.unique(self._folds.cells[c][there])
        return tuple(self._column(c, what, i, k, int(fold)) for fold in present)

    def _by_folds(self, measure: Measure) -> bool:
        return self._folds is not None and measure.kind.folds and measure.part in FEWEST

    def _rows_of(self, c: int, column: ColumnValues, fold: int | None) -> NDArray[np.bool_]:
        key = (c, id(column.rows), fold)
        if key not in self._used:
            rows = column.rows
            within = self._context_rows[c]
            if within is not None:
                rows = rows & within
            if fold is not None:
                assert self._folds is not None
                rows = rows & (self._folds.cells[c] == fold)
            self._used[key] = rows
        return self._used[key]

    def _column(self, c: int, what: str, i: int, k: int, fold: int | None) -> int:
        key = (c, what, i, k, fold)
        if key in self._place:
            return self._place[key]
        column = self._models[i].columns[k]
        used = self._rows_of(c, column, fold)
        shared = (c, what, column.truth_name, id(column.rows), fold)
        kind, _, which = what.partition(" ")
        if kind in ("class", "right"):
            summed, flat = self._of_classes(column, used, which, shared)
        elif kind in ("ranks", "rows"):
            part = which or "pooled"
            summed = self._columns[self._column(c, part, i, k, fold)]
            with_rows = self._ranked if kind == "ranks" else self._kept
            summed, flat = with_rows(replace(summed, shared=shared), column, used, part)
        else:
            summed = self._summed(column, used, what, shared)
            flat = sides_that_are_still(summed)
        self._columns.append(summed)
        self.rows.append(used)
        self.present.append(summed.sums[0] > 0)
        self._flat.append(flat)
        self._place[key] = len(self._columns) - 1
        return self._place[key]

    def _summed(
        self, column: ColumnValues, used: NDArray[np.bool_], part: str, shared: Hashable
    ) -> core.Column:
        chosen = used.all()
        return core.cluster_sums(
            column.prediction if chosen else column.prediction[used],
            column.truth if chosen else column.truth[used],
            self._codes if chosen else self._codes[used],
            self._n_clusters,
            part=part,
            shared=shared,
            least=column.least,
        )

    def _of_classes(
        self, column: ColumnValues, used: NDArray[np.bool_], which: str, shared: Hashable
    ) -> tuple[core.Column, dict[str, str]]:
        """Return the sums of one class against the rest, or of what is right in whichever."""
        assert column.codes is not None
        truth, predicted = column.truth[used].astype(np.int64), column.codes[used]
        if which:
            is_so, said_so = truth == int(which), predicted == int(which)
        else:
            is_so, said_so = np.ones(len(truth), dtype=bool), predicted == truth
        summed = core.class_sums(said_so, is_so, self._codes[used], self._n_clusters, shared=shared)
        if not len(truth):
            return summed, {"n": ""}
        sides = {"p": said_so, "t": is_so}
        return summed, {name: _how_many(one) for name, one in sides.items() if _how_many(one)}

    def _ranked(
        self, summed: core.Column, column: ColumnValues, used: NDArray[np.bool_], part: str
    ) -> tuple[core.Column, dict[str, str]]:
        """Return the sums with ranks of rows, or of subjects' means."""
        if part == "between":
            cluster = np.flatnonzero(summed.sums[0] > 0)
            # Means of the same values in another order differ by rounding.
            p, t = (_rounded(summed.sums[core.SUMS.index(name)][cluster]) for name in "pt")
        else:
            cluster, p, t = self._codes[used], column.prediction[used], column.truth[used]
        if not len(cluster):
            return summed, {"n": ""}
        ranks = [np.unique(values, return_inverse=True)[1].reshape(-1) for values in (p, t)]
        ranked = core.RankedRows(cluster, *ranks)
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
                return f"no row has both {values.name!r} and {values.truth_name!r}"
            if measure.kind.classes and not measure.kind.folds:
                reason = self._why_no_class(measure, values, own)
                if reason:
                    return reason
            if not measure.kind.folds:
                continue
            reason = ""
            if self._folds is not None:
                reason = self._why_no_folds(c, measure, values, own)
            elif not self._of_units:
                reason = self._why_folds(c, measure, i, k)
            if reason:
                return reason
            for at in own:
                reason = self._why_no_value(measure, values, at)
                if reason and len(own) > 1:
                    assert self._folds is not None
                    fold = int(self._folds.cells[c][self.rows[at]][0])
                    reason += f" in fold {self._folds.labels[c][fold]!r}"
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
        """Return which class is missing that the metric needs."""
        named = [self._labels[1]] if measure.base == "f1" else self._labels
        for label, at in zip(named, own, strict=False):
            flat = self._flat[at]
            if measure.base == "kappa" and flat == {"p": "every", "t": "every"}:
                return f"truth and prediction {values.name!r} are {label!r} in every row"
            if measure.base == "balanced_accuracy" and flat.get("t") == "none":
                return f"no row of truth {values.truth_name!r} is {label!r}"
            none = {"p": "none", "t": "none"}
            if measure.base in ("f1", "f1_macro") and flat == none:
                return f"no row is {label!r}, nor is predicted to be by {values.name!r}"
        return ""

    def _why_no_folds(
        self, c: int, measure: Measure, values: ColumnValues, own: Sequence[int]
    ) -> str:
        """Return why a metric cannot be had within folds."""
        assert self._folds is not None
        if measure.part not in FEWEST:
            return (
                "subjects are in several folds here, each by context, so that a subject's rows "
                "are of several models: see the contexts"
                if self._folds.torn[c]
                else ""
            )
        for at in own:
            n = int(np.count_nonzero(self.present[at]))
            if 0 < n < FEWEST[measure.part]:
                fold = int(self._folds.cells[c][self.rows[at]][0])
                label = self._folds.labels[c][fold]
                return _too_few(label, n, measure, values)
        return ""

    def _why_folds(self, c: int, measure: Measure, i: int, k: int) -> str:
        """Return why a metric needs folds to be named: predictions are of left-out truth."""
        if measure.base == "r2" or measure.function or measure.part not in FEWEST:
            return ""
        over_all = self._context_rows[c] is None
        asked: list[int | None] = [c, None]
        if over_all:
            asked += [d for d, rows in enumerate(self._context_rows) if rows is not None]
        if not any(self._shows_left_out(d, i, k) for d in asked):
            return ""
        return (
            f"prediction {self._models[i].columns[k].name!r} is the mean truth of the other "
            "subjects, or rises with it: so predicts, over folds, a model that "
            "learned nothing, and its "
            + ("AUC is below 1/2" if measure.base == "auc" else "correlation is below 0")
            + " for that alone; name the folds with fold="
        )

    def _shows_left_out(self, c: int | None, i: int, k: int) -> bool:
        """Return whether predictions are of left-out truth in context c, or (None) in all rows."""
        if (c, i, k) not in self._of_left_out:
            column = self._models[i].columns[k]
            used = column.rows if c is None else self._rows_of(c, column, None)
            chosen = used.all()
            self._of_left_out[c, i, k] = is_of_left_out(
                column.prediction if chosen else column.prediction[used],
                column.truth if chosen else column.truth[used],
                self._codes if chosen else self._codes[used],
                self._n_clusters,
            )
        return self._of_left_out[c, i, k]


def _how_many(chosen: NDArray[np.bool_]) -> str:
    if chosen.all():
        return "every"
    return "" if chosen.any() else "none"


def _rounded(values: NDArray[np.float64]) -> NDArray[np.float64]:
    largest = np.abs(values).max(initial=0.0)
    return np.rint(values / (_TIED * largest)) if largest > 0 else values


def _too_few(label: str, n: int, measure: Measure, values: ColumnValues) -> str:
    if n == 1:
        return (
            f"fold {label!r} holds a single subject (leave-one-out): no model predicts two "
            "subjects, so that nothing compares them but the left-out truth; predict in folds of "
            "several subjects"
            + (f", or ask for {measure.base}_within" if "within" in measure.kind.parts else "")
        )
    return (
        f"fold {label!r} holds {n} subjects, too few for {measure.metric} (4, so that 3 remain "
        "where one is left out)"
    )


def sides_that_are_still(column: core.Column) -> dict[str, str]:
    """Return why p and t do not vary, where they do not; "n" where there are no rows at all."""
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


def _why_flat(measure: Measure, values: ColumnValues, still: dict[str, str]) -> str:
    """Return what does not vary that must, empty if all does."""
    if measure.base == "auc":
        return f"truth {values.truth_name!r} is of one class" if "t" in still else ""
    needed = {"correlation": "pt", "spearman": "pt", "r2": "t"}.get(measure.base, "")
    if measure.base == "concordance" and len(still) == 2:
        needed = "t"
    if "p" in needed and "p" in still:
        return f"prediction {values.name!r} {_still(measure.part, still['p'])}"
    if "t" in needed and "t" in still:
        return f"truth {values.truth_name!r} {_still(measure.part, still['t'])}"
    return ""


def _still(part: str, how: str) -> str:
    if how == "little":
        where = "" if part == "pooled" else f" {part} subjects"
        return (
            f"varies so little{where} beside its size that rounding of its values could move the "
            "correlation by more than .001; subtract one number from truth and predictions alike, "
            "before they are rounded"
        )
    return "is constant" if part == "pooled" else f"does not vary {part} subjects"
