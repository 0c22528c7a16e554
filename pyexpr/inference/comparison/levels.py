"""Convert columns of predictions to sums per subject, the input of the kernel.

A level, a metric of one model in one context, is computed from sums per subject, over the
subjects that have rows in it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from pyexpr.core import cluster_bootstrap as core
from pyexpr.inference.comparison.called import CalledDesign, RowsColumn
from pyexpr.inference.comparison.classes import Classes
from pyexpr.inference.comparison.folds import FoldsOf
from pyexpr.inference.comparison.metrics import Metric
from pyexpr.inference.comparison.notes import NO_ERRORS
from pyexpr.inference.comparison.quantities import Measure, ModelValues, Row
from pyexpr.inference.comparison.rows import IN_MEMORY, Rows
from pyexpr.inference.comparison.sums import Sums
from pyexpr.resampling.memberships import Memberships

if TYPE_CHECKING:
    from numpy.typing import NDArray

_ABS_D = core.SUMS.index("abs_d")


@dataclass(frozen=True, slots=True)
class Levels:
    """All levels, and the columns from which they are computed.

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
        Why a level is undefined on all rows; empty if it is defined.
    folds : list of int
        Number of folds into which each of its columns is divided, which are consecutive in
        `members`; for kappa the number of classes.
    repeats : list of int
        Number of partitions into folds of its columns.
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
    """The rows of the result that are based on the same clusters, which are drawn together.

    Attributes
    ----------
    rows : tuple of int
        Positions in the result.
    clusters : (G,) int64
        Positions of the clusters among all, sorted by stratum.
    design : core.MetricDesign or CalledDesign
        The input of the kernel, or the object that calls functions.
    memberships : Memberships, optional
        Memberships of the clusters, which are then cells.
    members : (K,) int64, optional
        Positions of the members among all.
    """

    rows: tuple[int, ...]
    clusters: NDArray[np.int64]
    design: core.MetricDesign | CalledDesign
    memberships: Memberships | None = None
    members: NDArray[np.int64] | None = None


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
    classes: Classes | None = None,
    of_units: bool = False,
    source: Rows = IN_MEMORY,
) -> Levels:
    """Sum every column per cluster, once for each context, part and fold, and list the levels.

    With `of_units`, the clusters are units, each of which is evaluated alone.
    """
    levels = Levels([], [], [], [], [], [], [], [], [])
    sums = Sums(
        models, context_rows, codes, n_clusters, levels.columns,
        folds=folds, classes=classes, of_units=of_units, source=source,
    )  # fmt: skip
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
                # Macro averages are means over the classes, like means over columns.
                levels.folds.append(1 if measure.kind.averaged else len(pieces[0]))
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
                # Sums from which a misleading value would be computed become NaN.
                levels.divisors.append(np.nan if reason else divisor)
    return levels


def build_groups(
    rows: Sequence[Row],
    levels: Levels,
    strata: NDArray[np.int64] | None,
    memberships: Memberships | None = None,
) -> list[Group]:
    """Group the rows of the result that are based on the same clusters.

    `strata` (clusters,) numbers each cluster's stratum; clusters are sorted by it. With
    `memberships` clusters are cells.
    """
    # Functions are called; all other metrics are computed by the kernel.
    called = [measure.function is not None for measure in levels.measures]
    keys = [(present.tobytes(), by) for present, by in zip(levels.clusters, called, strict=True)]
    by_clusters: dict[tuple[bytes, bool], tuple[NDArray[np.bool_], list[int]]] = {}
    for position, row in enumerate(rows):
        present, key = levels.clusters[row.first], keys[row.first]
        if row.second is not None and keys[row.second] != key:
            present = present | levels.clusters[row.second]
            key = (present.tobytes(), called[row.first])
        by_clusters.setdefault(key, (present, []))[1].append(position)
    groups = [
        _group(positions, present, rows, levels, strata)
        for present, positions in by_clusters.values()
        if present.any()
    ]
    if memberships is None:
        return groups
    return [
        replace(
            group,
            memberships=memberships.of_cells(group.clusters),
            members=np.unique(memberships.members[group.clusters]),
        )
        for group in groups
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
    functions: dict[str, Metric] = {}

    def level(index: int) -> int:
        if index not in level_at:
            level_at[index] = len(kernel_levels)
            measure, divisor = levels.measures[index], levels.divisors[index]
            members = tuple(column_at.setdefault(k, len(column_at)) for k in levels.members[index])
            kernel_levels.append(
                core.Level(measure.kernel, members, divisor, measure.logarithm, levels.folds[index])
            )
            if measure.function is not None:
                functions[measure.metric] = measure.function
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
        columns = [column.of_clusters(clusters) for column in columns]
    if functions:
        kept = [column for column in columns if isinstance(column, RowsColumn)]
        called = CalledDesign(kept, kernel_levels, quantities, sizes, functions)
        return Group(tuple(positions), clusters, called)
    return Group(
        tuple(positions), clusters, core.MetricDesign(columns, kernel_levels, quantities, sizes)
    )


def counted_rows(rows: Sequence[Row], levels: Levels, source: Rows = IN_MEMORY) -> Iterator[int]:
    """Yield the number of data rows on which each row of the result is based."""
    known: dict[tuple[int, int], int] = {}
    for row in rows:
        first = levels.rows[row.first]
        second = first if row.second is None else levels.rows[row.second]
        key = (id(first), id(second))
        if key not in known:
            known[key] = source.count(first if first is second else first | second)
        yield known[key]
