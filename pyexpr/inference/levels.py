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
from pyexpr.inference.quantities import Measure, ModelValues, Row

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
    """

    columns: list[core.Column]
    members: list[tuple[int, ...]]
    measures: list[Measure]
    divisors: list[float]
    clusters: list[NDArray[np.bool_]]
    rows: list[NDArray[np.bool_]]
    why_undefined: list[str]


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
) -> Levels:
    """Sum every column per cluster, once for each context and part, and list the levels."""
    levels = Levels([], [], [], [], [], [], [])
    position: dict[tuple[int, str, int, int], int] = {}
    column_rows: list[NDArray[np.bool_]] = []
    column_clusters: list[NDArray[np.bool_]] = []
    flat: list[dict[str, str]] = []
    # Models that share their rows share one array of them in each context.
    shared_rows: dict[tuple[int, int], NDArray[np.bool_]] = {}

    def column_of(c: int, part: str, i: int, k: int) -> int:
        key = (c, part, i, k)
        if key in position:
            return position[key]
        column, within = models[i].columns[k], context_rows[c]
        used = column.rows
        if within is not None:
            used = shared_rows.setdefault((c, id(column.rows)), column.rows & within)
        chosen = used.all()
        levels.columns.append(
            core.cluster_sums(
                column.prediction if chosen else column.prediction[used],
                column.truth if chosen else column.truth[used],
                codes if chosen else codes[used],
                n_clusters,
                part=part,
                shared=(c, part, column.truth_name, id(column.rows)),
            )
        )
        summed = levels.columns[-1]
        column_rows.append(used)
        column_clusters.append(summed.sums[0] > 0)
        flat.append(_flat(summed))
        position[key] = len(levels.columns) - 1
        return position[key]

    for measure in measures:
        for c in range(len(contexts)):
            for i, model in enumerate(models):
                members = tuple(column_of(c, measure.part, i, k) for k in range(len(model.columns)))
                present = column_clusters[members[0]]
                rows = column_rows[members[0]]
                for k in members[1:]:
                    present = present | column_clusters[k]
                    rows = rows | column_rows[k]
                levels.members.append(members)
                levels.measures.append(measure)
                levels.divisors.append(score_range if measure.normalised else 1.0)
                levels.clusters.append(present)
                levels.rows.append(rows)
                reason = _why_undefined(measure, model, [flat[k] for k in members])
                if measure.logarithm and not reason:
                    made = any(levels.columns[k].sums[_ABS_D].any() for k in members)
                    reason = "" if made else f"{model.name!r} makes no error here: no ratio"
                levels.why_undefined.append(reason)
    return levels


def _flat(column: core.Column) -> dict[str, str]:
    """Return why p and t do not vary, where they do not; "n" where there are no rows at all."""
    n, _, _, _, p, t, pp, tt, _ = column.sums.sum(axis=1).tolist()
    if n == 0:
        return {"n": ""}
    found = {}
    for name, total, squares, centre in zip("pt", (p, t), (pp, tt), column.centres, strict=True):
        mean = total / n
        variance = squares / n - mean * mean
        size = variance + (mean + centre) ** 2
        if not variance > 1e-12 * size:
            found[name] = "constant" if variance <= 1e-24 * size else "little"
    return found


def _why_undefined(measure: Measure, model: ModelValues, flat: Sequence[dict[str, str]]) -> str:
    """Return why a metric has no value on all rows; empty if it has one."""
    for values, still in zip(model.columns, flat, strict=True):
        if "n" in still:
            return f"no row has both {values.name!r} and {values.truth_name!r}"
        needed = {"correlation": "pt", "r2": "t"}.get(measure.base, "")
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
            f"varies too little{where} beside its size (below 1e-6 of it) to be told from a "
            "constant; subtract one number from truth and predictions alike"
        )
    return "is constant" if part == "pooled" else f"does not vary {part} subjects"


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
            kernel_levels.append(core.Level(measure.base, members, divisor, measure.logarithm))
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
            core.Column(column.sums[:, clusters], column.centres, column.shared)
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
