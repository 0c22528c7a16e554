"""From columns of predictions to the quantities that are compared.

A quantity is a metric of one model in one context, or the difference of two; it
is computed from sums per subject, over the subjects that have rows in it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from pyexpr.core import cluster_bootstrap as core

if TYPE_CHECKING:
    from numpy.typing import NDArray

ALL = "all"
DIFFERENT_CRITERIA = "different criteria"

_SCALES = {
    "rmse": "negative_reciprocal",
    "mae": "negative_reciprocal",
    "correlation": "atanh",
    "concordance": "atanh",
    "r2": "negative_root_complement",
    "bias": "identity",
}
BASES = ("nrmse", *core.METRICS)
METRICS = (*BASES, *(f"{base}_{part}" for part in ("within", "between") for base in BASES))


@dataclass(frozen=True, slots=True)
class ColumnValues:
    """A column of predictions with its truth; `rows` marks where both are defined."""

    name: str
    truth_name: str
    prediction: NDArray[np.float64]
    truth: NDArray[np.float64]
    rows: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class ModelValues:
    """A model: one column, or several whose metrics are averaged."""

    name: str
    columns: tuple[ColumnValues, ...]

    @property
    def truths(self) -> tuple[str, ...]:
        """Return the names of the columns' truths."""
        return tuple(column.truth_name for column in self.columns)


@dataclass(frozen=True, slots=True)
class Row:
    """A row of the result: a level (second is None) or `first` minus `second`."""

    metric: str
    term: str
    context: str
    first: int
    second: int | None
    note: str = ""
    between_models: bool = False

    @property
    def base(self) -> str:
        """Return the metric without its part, NRMSE being RMSE."""
        return split_metric(self.metric)[0]

    @property
    def scale(self) -> str:
        """Return the scale on which the row is studentised."""
        return "identity" if self.second is not None else _SCALES[self.base]


@dataclass(frozen=True, slots=True)
class Levels:
    """Every level, and the columns it is made of.

    Attributes
    ----------
    columns : list of core.Column
    members : list of tuple of int
        The columns of each level.
    metrics : list of (base metric, divisor)
    clusters : list of (clusters,) bool
        The clusters with rows in each level.
    rows : list of (n,) bool
        The table's rows in each level.
    why_undefined : list of str
        Empty where the level is defined on all rows.
    """

    columns: list[core.Column]
    members: list[tuple[int, ...]]
    metrics: list[tuple[str, float]]
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


def split_metric(metric: str) -> tuple[str, str, bool]:
    """Return (metric of the kernel, part, whether it is normalised by the range)."""
    base, _, part = metric.partition("_")
    normalised = base == "nrmse"
    return ("rmse" if normalised else base), (part or "pooled"), normalised


def build_rows(
    metrics: Sequence[str],
    models: Sequence[ModelValues],
    contexts: Sequence[str],
    *,
    pairwise: bool,
) -> list[Row]:
    """Lay out the result: per metric and context levels, then differences; then contexts."""
    rows = []
    n_models, n_contexts = len(models), len(contexts)
    apart = [
        (i, j, DIFFERENT_CRITERIA if set(models[i].truths) != set(models[j].truths) else "")
        for i, j in combinations(range(n_models), 2)
    ]
    for m, metric in enumerate(metrics):
        for c, context in enumerate(contexts):
            start = (m * n_contexts + c) * n_models
            rows += [
                Row(metric, model.name, context, start + i, None) for i, model in enumerate(models)
            ]
            if pairwise:
                rows += [
                    Row(
                        metric,
                        f"{models[i].name} - {models[j].name}",
                        context,
                        start + i,
                        start + j,
                        note,
                        between_models=True,
                    )
                    for i, j, note in apart
                ]
        for c, d in combinations([c for c, name in enumerate(contexts) if name != ALL], 2):
            rows += [
                Row(
                    metric,
                    model.name,
                    f"{contexts[c]} - {contexts[d]}",
                    (m * n_contexts + c) * n_models + i,
                    (m * n_contexts + d) * n_models + i,
                )
                for i, model in enumerate(models)
            ]
    return rows


def build_levels(
    metrics: Sequence[str],
    models: Sequence[ModelValues],
    contexts: Sequence[str],
    context_rows: Sequence[NDArray[np.bool_] | None],
    codes: NDArray[np.int64],
    n_clusters: int,
    *,
    score_range: float,
) -> Levels:
    """Sum every column per cluster, once for each context and part, and list the levels."""
    levels = Levels([], [], [], [], [], [])
    position: dict[tuple[int, str, int, int], int] = {}
    column_rows: list[NDArray[np.bool_]] = []
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
        column_rows.append(used)
        position[key] = len(levels.columns) - 1
        return position[key]

    for metric in metrics:
        base, part, normalised = split_metric(metric)
        for c in range(len(contexts)):
            for i, model in enumerate(models):
                members = tuple(column_of(c, part, i, k) for k in range(len(model.columns)))
                present = levels.columns[members[0]].sums[0] > 0
                rows = column_rows[members[0]]
                for k in members[1:]:
                    present = present | (levels.columns[k].sums[0] > 0)
                    rows = rows | column_rows[k]
                levels.members.append(members)
                levels.metrics.append((base, score_range if normalised else 1.0))
                levels.clusters.append(present)
                levels.rows.append(rows)
                levels.why_undefined.append(
                    _why_undefined(base, part, model, [levels.columns[k] for k in members])
                )
    return levels


def _why_undefined(base: str, part: str, model: ModelValues, columns: Sequence[core.Column]) -> str:
    """Return why a metric has no value on all rows; empty if it has one."""
    where = {
        "pooled": "is constant",
        "within": "does not vary within subjects",
        "between": "does not vary between subjects",
    }[part]
    for values, column in zip(model.columns, columns, strict=True):
        total = dict(zip(core.SUMS, column.sums.sum(axis=1).tolist(), strict=True))
        n = total["n"]
        if n == 0:
            return f"no row has both {values.name!r} and {values.truth_name!r}"
        flat = {}
        for name, centre in zip("pt", column.centres, strict=True):
            mean = total[name] / n
            variance = total[name * 2] / n - mean * mean
            flat[name] = not variance > 1e-12 * (variance + (mean + centre) ** 2)
        needed = {"correlation": "pt", "r2": "t"}.get(base, "")
        if base == "concordance" and flat["p"] and flat["t"]:
            needed = "t"
        if "p" in needed and flat["p"]:
            return f"prediction {values.name!r} {where}"
        if "t" in needed and flat["t"]:
            return f"truth {values.truth_name!r} {where}"
    return ""


def build_groups(
    rows: Sequence[Row], levels: Levels, strata: NDArray[np.int64] | None
) -> list[Group]:
    """Put the rows of the result together that rest on the same clusters.

    `strata` (clusters,) numbers each cluster's stratum; clusters are sorted by it.
    """
    by_clusters: dict[bytes, tuple[NDArray[np.bool_], list[int]]] = {}
    for position, row in enumerate(rows):
        present = levels.clusters[row.first]
        if row.second is not None:
            present = present | levels.clusters[row.second]
        by_clusters.setdefault(present.tobytes(), (present, []))[1].append(position)
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
            base, divisor = levels.metrics[index]
            members = tuple(column_at.setdefault(k, len(column_at)) for k in levels.members[index])
            kernel_levels.append(core.Level(base, members, divisor))
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
