"""Predictions with exchanged values, of every model, context and group of features."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from pyexpr.base.errors import DataError
from pyexpr.base.jobs import Sent, in_processes
from pyexpr.base.messages import say
from pyexpr.base.progress import progress as shown
from pyexpr.modeling.importance.donors import FEWEST, SUBJECTS, WITHIN, Pairs, pairs_of
from pyexpr.modeling.importance.exchanges import CellSums, Measures, changes_of, exchange_of
from pyexpr.modeling.importance.fitted import FittedModel
from pyexpr.modeling.importance.groups import Group
from pyexpr.modeling.importance.predictor import Predictor

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from pyexpr.modeling.fitting.table import Table

    Array = NDArray[np.float64]

# Rows that a model predicts in one call: many, so that calls cost little, and few, so that they fit
# into memory.
_AT_ONCE = 50_000
# Largest number of predictions for one context and group; more take minutes and gigabytes.
_MOST_PAIRS = 20_000_000
# A change of a value below this fraction of the largest value is treated as a rounding error.
_ROUNDING = 1e-12


@dataclass(frozen=True, slots=True)
class Cell:
    """The rows of one context that one model predicts; values are exchanged among them.

    Attributes
    ----------
    model : FittedModel
    context : int
    rows : (n,) int64
        Of the table.
    number : int
        Number of the random stream, which belongs to the repeat, fold and context.
    """

    model: FittedModel
    context: int
    rows: NDArray[np.int64]
    number: int


@dataclass(frozen=True, slots=True)
class Options:
    """How values are exchanged."""

    kind: str
    n_repeats: int | None
    seed: int


def cells_of(
    models: Sequence[FittedModel], table: Table, kind: str
) -> tuple[list[Cell], NDArray[np.int64]]:
    """Return the cells, and the rows that are in no cell because they have no donors."""
    n_contexts = len(table.context_labels)
    n_folds = 1 + max(model.fold for model in models)
    cells, used = [], np.zeros(len(table.y), dtype=bool)
    for model in models:
        for context in range(n_contexts):
            rows = model.rows[table.contexts[model.rows] == context]
            if kind == WITHIN:
                size = np.bincount(table.clusters[rows], minlength=len(table.cluster_labels))
                rows = rows[size[table.clusters[rows]] > 1]
            elif len(np.unique(table.clusters[rows])) < FEWEST:
                continue
            if len(rows):
                number = (model.repeat * n_folds + model.fold) * n_contexts + context
                cells.append(Cell(model, context, rows, number))
                used[rows] = True
    predicted = np.zeros(len(table.y), dtype=bool)
    for model in models:
        predicted[model.rows] = True
    return cells, np.flatnonzero(predicted & ~used)


def check_pairs(cells: Sequence[Cell], n_repeats: int | None, width: int) -> None:
    """Raise `DataError` if there are too many pairs to predict, each with `width` numbers."""
    most = max(len(cell.rows) for cell in cells)
    pairs = most * (most if n_repeats is None else min(most, n_repeats))
    allowed = _MOST_PAIRS // width
    if pairs > allowed:
        raise DataError(
            say(
                "{n_repeats=@given} makes up to {pairs:,} predictions of one context and feature, "
                "more than {most:,}; use a smaller number, such as {n_repeats=20}",
                given="all" if n_repeats is None else n_repeats, pairs=pairs, most=allowed,
            )
        )  # fmt: skip


def cell_sums(
    cells: Sequence[Cell],
    groups: Sequence[Group],
    table: Table,
    options: Options,
    measures: Measures,
    *,
    n_jobs: int,
    progress: bool | None,
) -> list[CellSums]:
    """Return the sums of every cell; they do not depend on `n_jobs`."""
    # With few cells, the groups of a cell are divided among tasks; with many, each cell is one
    # task.
    pieces = min(len(groups), -(-4 * n_jobs // len(cells)))
    parts = np.array_split(np.arange(len(groups)), pieces)
    tasks, places = [], []
    for at, cell in enumerate(cells):
        task = _task(cell, table, measures, options)
        for part in parts:
            tasks.append((Sent(replace(task, groups=tuple(groups[k] for k in part))),))
            places.append((at, part))
    found: list[CellSums | None] = [None] * len(cells)
    results = in_processes(_done, tasks, n_jobs=n_jobs, what="exchanges features")
    try:
        for number, made in _shown(results, len(tasks), progress):
            at, own = places[number]
            whole = found[at]
            if whole is None:
                empty = (np.empty((len(groups), *a.shape[1:]), a.dtype) for a in made.of_groups())
                whole = found[at] = CellSums(made.subjects, made.before, *empty)
            for all_of_them, some in zip(whole.of_groups(), made.of_groups(), strict=True):
                all_of_them[own] = some
    finally:
        results.close()
    return [one for one in found if one is not None]


def _shown(
    results: Iterator[tuple[int, CellSums]], total: int, progress: bool | None
) -> Iterator[tuple[int, CellSums]]:
    return shown(results, total=total, label="exchanging features", show=progress)


@dataclass(frozen=True, slots=True)
class _Task:
    """The work of one cell, with everything that it needs."""

    predictor: Predictor
    context: object
    X: pd.DataFrame
    y: Array
    measures: Measures
    clusters: NDArray[np.int64]
    options: Options
    number: int
    groups: tuple[Group, ...] = ()


def _task(cell: Cell, table: Table, measures: Measures, options: Options) -> _Task:
    rows = cell.rows
    return _Task(
        cell.model.predictor, table.context_labels[cell.context],
        cell.model.X.iloc[rows].reset_index(drop=True), cell.model.y[rows], measures,
        table.clusters[rows], options, cell.number,
    )  # fmt: skip


def _done(sent: Sent) -> CellSums:
    """Return the sums of a cell, and what exchanging each group changes."""
    from threadpoolctl import threadpool_limits

    task: _Task = sent.value
    options, measures, y = task.options, task.measures, task.y
    present, subjects = np.unique(task.clusters, return_inverse=True)
    subjects = subjects.reshape(-1).astype(np.int64)
    pairs = pairs_of(subjects, options.kind, options.n_repeats, options.seed, task.number)
    # With several threads, sums would be added in another order.
    with threadpool_limits(limits=1):
        p = task.predictor.predict(task.X, task.context)
        exchanged, varied = predicted(task, subjects, pairs)
    exchange = exchange_of(subjects, pairs.target, pairs.from_subject)
    changes = [changes_of(measures.columns(y, p, one, exchange), exchange) for one in exchanged]
    moved = [measures.moved(p, one, exchange) for one in exchanged]
    before = measures.before(y, p, subjects)
    return CellSums(present, before, np.array(changes), np.array(moved), varied)


def predicted(
    task: _Task, subjects: NDArray[np.int64], pairs: Pairs
) -> tuple[Array, NDArray[np.bool_]]:
    """Return the predictions for every pair and group, (groups, pairs, ...), and what varied.

    The row has the values of the donor in the columns of the group. The second array, (groups,),
    says whether that changes any value.
    """
    names = list(dict.fromkeys(name for group in task.groups for name in group.columns))
    own = {name: task.X[name].to_numpy(dtype=np.float64) for name in names}
    means = {}
    if task.options.kind == SUBJECTS:
        means = {name: subject_means(own[name][:, None], subjects)[:, 0] for name in names}
    n = len(pairs.target)
    found: Array | None = None
    varied = np.zeros(len(task.groups), dtype=bool)
    # Pairs of one group follow those of another; a batch may hold several groups, or a part of one.
    for start in range(0, len(task.groups) * n, _AT_ONCE):
        places = np.arange(start, min(start + _AT_ONCE, len(task.groups) * n))
        of_group, pair = places // n, places % n
        target = pairs.target[pair]
        columns = {name: values[target] for name, values in own.items()}
        for at in np.unique(of_group).tolist():
            here = of_group == at
            to, donor = target[here], pairs.donor[pair[here]]
            for name in task.groups[at].columns:
                if means:
                    shift = means[name][donor] - means[name][subjects[to]]
                    columns[name][here] += shift
                else:
                    shift = own[name][donor] - own[name][to]
                    columns[name][here] = own[name][donor]
                varied[at] |= bool(np.abs(shift).max() > _ROUNDING * np.abs(own[name]).max())
        made = task.predictor.predict(_frame(task.X, columns, target), task.context)
        if found is None:
            found = np.empty((len(task.groups) * n, *made.shape[1:]))
        found[places] = made
    assert found is not None
    return found.reshape(len(task.groups), n, *found.shape[1:]), varied


def _frame(X: pd.DataFrame, columns: dict[str, Array], target: NDArray[np.int64]) -> pd.DataFrame:
    """Return the rows of a table with other values in some columns."""
    import pandas as pd

    whole = {
        name: columns[name] if name in columns else X[name].take(target).reset_index(drop=True)
        for name in X.columns
    }
    return pd.DataFrame(whole)


def subject_means(values: Array, subjects: NDArray[np.int64]) -> Array:
    """Return the mean of every subject, (G, columns)."""
    count = np.bincount(subjects)
    return np.stack([np.bincount(subjects, column) / count for column in values.T], axis=1)


def outside(
    cells: Sequence[Cell], names: Sequence[str], table: Table, options: Options
) -> tuple[str, float] | None:
    """Return the feature with most values outside its observed range, and their percentage."""
    if options.kind != SUBJECTS:
        return None
    values = table.X[list(names)].to_numpy()
    low, high = values.min(axis=0), values.max(axis=0)
    slack = 1e-9 * (high - low)
    n_outside, n = np.zeros(len(names)), 0
    seen: set[int] = set()
    for cell in cells:
        if cell.number in seen:
            continue
        seen.add(cell.number)
        subjects = np.unique(table.clusters[cell.rows], return_inverse=True)[1].reshape(-1)
        pairs = pairs_of(subjects, options.kind, options.n_repeats, options.seed, cell.number)
        own = values[cell.rows]
        means = subject_means(own, subjects)
        kept = own - means[subjects]
        n += len(pairs.target)
        for j in range(len(names)):
            given = kept[pairs.target, j] + means[pairs.donor, j]
            beyond = (given < low[j] - slack[j]) | (given > high[j] + slack[j])
            n_outside[j] += np.count_nonzero(beyond)
    if not n or not n_outside.any():
        return None
    worst = int(n_outside.argmax())
    return names[worst], 100 * float(n_outside[worst]) / n
