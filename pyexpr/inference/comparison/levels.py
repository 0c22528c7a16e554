"""From columns of predictions to sums per subject, and to what the kernel computes of them.

A level, a metric of one model in one context, is computed from sums per subject, over the
subjects that have rows in it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pyexpr.core import cluster_bootstrap as core
from pyexpr.inference.comparison.folds import FEWEST, OF_FOLDS, Folds, FoldsOf, is_of_left_out
from pyexpr.inference.comparison.notes import (
    FEW_IN_FOLD,
    IN_FOLD,
    IS_CONSTANT,
    NO_COMMON_ROW,
    NO_ERRORS,
    NOT_VARYING,
    OF_LEFT_OUT,
    SINGLE_IN_FOLD,
    STILL_PREDICTION,
    STILL_TRUTH,
    TORN_FOLDS,
    VARIES_LITTLE,
)
from pyexpr.inference.comparison.quantities import ColumnValues, Measure, ModelValues, Row

if TYPE_CHECKING:
    from numpy.typing import NDArray

_ABS_D = core.SUMS.index("abs_d")


@dataclass(frozen=True, slots=True)
class Levels:
    """Every level, and the columns it is made of.

    Attributes
    ----------
    columns : list of core.Column
    members : list of tuple of int
        The columns of each level.
    measures : list of Measure
    divisors : list of float
    clusters : list of (clusters,) bool
        The clusters with rows in each level.
    rows : list of (n,) bool
        The table's rows in each level.
    why_undefined : list of str
        Empty where the level is defined on all rows.
    folds : list of int
        In how many folds each of its columns is cut, which follow each other in `members`.
    repeats : list of int
        How many partitions into folds its columns have.
    """

    columns: list[core.Column]
    members: list[tuple[int, ...]]
    measures: list[Measure]
    divisors: list[float]
    clusters: list[NDArray[np.bool_]]
    rows: list[NDArray[np.bool_]]
    why_undefined: list[str]
    folds: list[int]
    repeats: list[int]


@dataclass(frozen=True, slots=True)
class Group:
    """The rows of the result that rest on the same clusters, drawn together.

    Attributes
    ----------
    rows : tuple of int
        Positions in the result.
    clusters : (G,) int64
        Positions of the clusters among all, sorted by stratum.
    design : core.MetricDesign
        What the kernel needs.
    """

    rows: tuple[int, ...]
    clusters: NDArray[np.int64]
    design: core.MetricDesign


def build_levels(
    measures: Sequence[Measure],
    models: Sequence[ModelValues],
    contexts: Sequence[str],
    context_rows: Sequence[NDArray[np.bool_] | None],
    codes: NDArray[np.int64],
    n_clusters: int,
    *,
    score_range: float,
    folds: FoldsOf | None = None,
) -> Levels:
    """Sum every column per cluster, once for each context, part and fold, and list the levels."""
    levels = Levels([], [], [], [], [], [], [], [], [])
    folds = FoldsOf(None, {}) if folds is None else folds
    sums = _Sums(models, context_rows, codes, n_clusters, folds, levels.columns)
    for measure in measures:
        for c in range(len(contexts)):
            for i, model in enumerate(models):
                pieces = sums.pieces(c, measure, i)
                members = tuple(at for one in pieces for at in one)
                present = sums.present[members[0]]
                rows = sums.rows[members[0]]
                for at in members[1:]:
                    present = present | sums.present[at]
                    rows = rows | sums.rows[at]
                levels.members.append(members)
                levels.folds.append(len(pieces[0]))
                levels.repeats.append(len({column.fold for column in model.columns}))
                levels.measures.append(measure)
                levels.clusters.append(present)
                levels.rows.append(rows)
                reason = sums.why_undefined(c, measure, i, pieces)
                if measure.logarithm and not reason:
                    made = any(levels.columns[at].sums[_ABS_D].any() for at in members)
                    reason = "" if made else NO_ERRORS(model=model.name)
                levels.why_undefined.append(reason)
                divisor = score_range if measure.normalised else 1.0
                # Sums that have a value, which would mislead, become NaN.
                levels.divisors.append(np.nan if reason else divisor)
    return levels


class _Sums:
    """Sums per cluster as they are asked for, each made once, appended to `columns`."""

    def __init__(
        self,
        models: Sequence[ModelValues],
        context_rows: Sequence[NDArray[np.bool_] | None],
        codes: NDArray[np.int64],
        n_clusters: int,
        folds: FoldsOf,
        columns: list[core.Column],
    ) -> None:
        self._models = models
        self._context_rows = context_rows
        self._codes = codes
        self._n_clusters = n_clusters
        self._folds = folds
        self._columns = columns
        self.rows: list[NDArray[np.bool_]] = []
        self.present: list[NDArray[np.bool_]] = []
        self._flat: list[dict[str, str]] = []
        self._place: dict[tuple[int, str, int, int, int | None], int] = {}
        # Models that share their rows share one array of them in each context and fold.
        self._used: dict[tuple[int, int, str | None, int | None], NDArray[np.bool_]] = {}
        self._of_left_out: dict[tuple[int | None, int, int], bool] = {}

    def pieces(self, c: int, measure: Measure, i: int) -> list[tuple[int, ...]]:
        """Return where the columns of model i are in context c: once each, or in every fold."""
        columns = self._models[i].columns
        there = self._rows_of(c, columns[0], None)
        for column in columns[1:]:
            # A fold that another column has rows in may have none here.
            there = there | self._rows_of(c, column, None)
        cut: list[list[int | None]] = []
        for column in columns:
            folds = self._folds.of(column)
            if folds is None or measure.base not in OF_FOLDS or measure.part not in FEWEST:
                cut.append([None])
            else:
                cut.append([int(fold) for fold in np.unique(folds.cells[c][there])])
        # All columns of a level are in as many pieces; those of no fold have no rows.
        most = max(map(len, cut))
        for one in cut:
            one += range(-1, len(one) - most - 1, -1)
        return [
            tuple(self._column(c, measure.part, i, k, fold) for fold in one)
            for k, one in enumerate(cut)
        ]

    def _rows_of(self, c: int, column: ColumnValues, fold: int | None) -> NDArray[np.bool_]:
        key = (c, id(column.rows), column.fold, fold)
        if key not in self._used:
            rows = column.rows
            within = self._context_rows[c]
            if within is not None:
                rows = rows & within
            if fold is not None:
                folds = self._folds.of(column)
                rows = rows & (False if folds is None else folds.cells[c] == fold)
            self._used[key] = rows
        return self._used[key]

    def _column(self, c: int, part: str, i: int, k: int, fold: int | None) -> int:
        key = (c, part, i, k, fold)
        if key in self._place:
            return self._place[key]
        column = self._models[i].columns[k]
        used = self._rows_of(c, column, fold)
        chosen = used.all()
        summed = core.cluster_sums(
            column.prediction if chosen else column.prediction[used],
            column.truth if chosen else column.truth[used],
            self._codes if chosen else self._codes[used],
            self._n_clusters,
            part=part,
            shared=(c, part, column.truth_name, id(column.rows), fold, column.fold),
            least=column.least,
        )
        self._columns.append(summed)
        self.rows.append(used)
        self.present.append(summed.sums[0] > 0)
        self._flat.append(_flat(summed))
        self._place[key] = len(self._columns) - 1
        return self._place[key]

    def why_undefined(
        self, c: int, measure: Measure, i: int, pieces: Sequence[tuple[int, ...]]
    ) -> str:
        """Return why a metric has no value on all rows; empty if it has one."""
        for k, (values, own) in enumerate(zip(self._models[i].columns, pieces, strict=True)):
            if all("n" in self._flat[at] for at in own):
                return NO_COMMON_ROW(prediction=values.name, truth=values.truth_name)
            if measure.base not in OF_FOLDS:
                continue
            folds = self._folds.of(values)
            reason = (
                self._why_no_folds(c, measure, values, own, folds)
                if folds is not None
                else self._why_folds(c, measure, i, k)
            )
            if reason:
                return reason
            for at in own:
                reason = _why_flat(measure, values, self._flat[at])
                if reason and len(own) > 1 and folds is not None:
                    fold = int(folds.cells[c][self.rows[at]][0])
                    reason = IN_FOLD(reason=reason, fold=folds.labels[c][fold])
                if reason:
                    return reason
        return ""

    def _why_no_folds(
        self,
        c: int,
        measure: Measure,
        values: ColumnValues,
        own: Sequence[int],
        folds: Folds,
    ) -> str:
        """Return why a metric cannot be had within folds."""
        if measure.part not in FEWEST:
            return TORN_FOLDS if folds.torn[c] else ""
        for at in own:
            n = int(np.count_nonzero(self.present[at]))
            if 0 < n < FEWEST[measure.part]:
                fold = int(folds.cells[c][self.rows[at]][0])
                label = folds.labels[c][fold]
                return _too_few(label, n, measure, values)
        return ""

    def _why_folds(self, c: int, measure: Measure, i: int, k: int) -> str:
        """Return why a metric needs folds to be named: predictions are of left-out truth."""
        if measure.base == "r2" or measure.part not in FEWEST:
            return ""
        over_all = self._context_rows[c] is None
        asked: list[int | None] = [c, None]
        if over_all:
            asked += [d for d, rows in enumerate(self._context_rows) if rows is not None]
        if not any(self._shows_left_out(d, i, k) for d in asked):
            return ""
        return OF_LEFT_OUT(prediction=self._models[i].columns[k].name)

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


def _too_few(label: str, n: int, measure: Measure, values: ColumnValues) -> str:
    if n == 1:
        return SINGLE_IN_FOLD(fold=label, metric=f"{measure.base}_within")
    return FEW_IN_FOLD(fold=label, subjects=n, metric=measure.metric)


def _flat(column: core.Column) -> dict[str, str]:
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
    needed = {"correlation": "pt", "r2": "t"}.get(measure.base, "")
    if measure.base == "concordance" and len(still) == 2:
        needed = "t"
    if "p" in needed and "p" in still:
        return STILL_PREDICTION(name=values.name, how=_still(measure.part, still["p"]))
    if "t" in needed and "t" in still:
        return STILL_TRUTH(name=values.truth_name, how=_still(measure.part, still["t"]))
    return ""


def _still(part: str, how: str) -> str:
    if how == "little":
        return VARIES_LITTLE(where="" if part == "pooled" else f" {part} subjects")
    return IS_CONSTANT if part == "pooled" else NOT_VARYING(part=part)


def build_groups(
    rows: Sequence[Row], levels: Levels, strata: NDArray[np.int64] | None
) -> list[Group]:
    """Put the rows of the result together that rest on the same clusters.

    `strata` (clusters,) numbers each cluster's stratum; clusters are sorted by it.
    """
    keys = [present.tobytes() for present in levels.clusters]
    by_clusters: dict[bytes, tuple[NDArray[np.bool_], list[int]]] = {}
    for position, row in enumerate(rows):
        present, key = levels.clusters[row.first], keys[row.first]
        if row.second is not None and keys[row.second] != key:
            present = present | levels.clusters[row.second]
            key = present.tobytes()
        by_clusters.setdefault(key, (present, []))[1].append(position)
    return [
        _group(positions, present, rows, levels, strata)
        for present, positions in by_clusters.values()
        if present.any()
    ]


def _group(
    positions: list[int],
    present: NDArray[np.bool_],
    rows: Sequence[Row],
    levels: Levels,
    strata: NDArray[np.int64] | None,
) -> Group:
    clusters = np.flatnonzero(present)
    sizes: tuple[int, ...] = (len(clusters),)
    if strata is not None:
        clusters = clusters[np.argsort(strata[clusters], kind="stable")]
        sizes = tuple(np.unique(strata[clusters], return_counts=True)[1].tolist())
    in_order = len(clusters) == len(present) and strata is None
    level_at: dict[int, int] = {}
    column_at: dict[int, int] = {}
    kernel_levels: list[core.Level] = []

    def level(index: int) -> int:
        if index not in level_at:
            level_at[index] = len(kernel_levels)
            measure, divisor = levels.measures[index], levels.divisors[index]
            members = tuple(column_at.setdefault(k, len(column_at)) for k in levels.members[index])
            kernel_levels.append(
                core.Level(measure.base, members, divisor, measure.logarithm, levels.folds[index])
            )
        return level_at[index]

    quantities = [
        core.Quantity(
            level(rows[i].first),
            None if rows[i].second is None else level(rows[i].second),  # type: ignore[arg-type]
            rows[i].scale,
        )
        for i in positions
    ]
    columns = [levels.columns[k] for k in column_at]
    if not in_order:
        columns = [
            core.Column(column.sums[:, clusters], column.centres, column.shared, column.least)
            for column in columns
        ]
    return Group(
        tuple(positions), clusters, core.MetricDesign(columns, kernel_levels, quantities, sizes)
    )


def counted_rows(rows: Sequence[Row], levels: Levels) -> Iterator[int]:
    """Yield the number of the table's rows that each row of the result rests on."""
    known: dict[tuple[int, int], int] = {}
    for row in rows:
        first = levels.rows[row.first]
        second = first if row.second is None else levels.rows[row.second]
        key = (id(first), id(second))
        if key not in known:
            known[key] = int(np.count_nonzero(first if first is second else first | second))
        yield known[key]
