"""Conversion of the users' ratings, wide or long, to groups of arrays."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from pyexpr.base.errors import ColumnError, DataError, listed
from pyexpr.base.messages import say
from pyexpr.base.tables import (
    as_frame,
    called,
    check_magnitude,
    label_codes,
    numeric_column,
    require_columns,
)
from pyexpr.core.icc import (
    Squares,
    as_values,
    cell_table,
    long_squares,
    matrix_squares,
)
from pyexpr.measurement.icc.plausible import refuse_labels_as_raters, refuse_parts_of_targets

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

WHAT = "the ratings"

# A table of targets by raters is filled in memory unless it is nearly empty and huge.
MOST_CELLS = 20_000_000


@dataclass(frozen=True, slots=True)
class Ratings:
    """The ratings of one group: a table (targets, raters), or long values with codes.

    ``clusters`` holds the code of the subject, per row of the table or per long value, and
    ``cluster_labels`` the labels of the codes.
    """

    labels: tuple[Any, ...]
    n_rows: int
    n_missing: int
    table: NDArray[np.float64] | None = None
    values: NDArray[np.float64] | None = None
    targets: NDArray[np.int64] | None = None
    raters: NDArray[np.int64] | None = None
    n_targets: int = 0
    n_raters: int | None = None
    clusters: NDArray[np.int64] | None = None
    cluster_labels: Sequence[Any] = ()
    shared: bool = False

    def squares(self) -> Squares:
        """Mean squares of the ratings."""
        if self.table is not None:
            return matrix_squares(self.table)
        assert self.values is not None
        assert self.targets is not None
        return Squares(long_squares(self.values, self.targets, self.n_targets))

    def rated_clusters(self) -> NDArray[np.int64]:
        """Codes of the clusters with at least one rating."""
        assert self.clusters is not None
        if self.table is not None:
            return np.unique(self.clusters[~np.isnan(self.table).all(axis=1)])
        assert self.values is not None
        return np.unique(self.clusters[~np.isnan(self.values)])

    def rated(self) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.int64]]:
        """Return value, target code and cluster code of each rating that is not missing."""
        assert self.clusters is not None
        if self.table is not None:
            targets, raters = np.nonzero(~np.isnan(self.table))
            return self.table[targets, raters], targets.astype(np.int64), self.clusters[targets]
        assert self.values is not None
        assert self.targets is not None
        kept = ~np.isnan(self.values)
        return self.values[kept], self.targets[kept], self.clusters[kept]

    def triplets(self) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.int64]]:
        """Return value, target code and rater code of each rating that is not missing."""
        if self.table is not None:
            targets, raters = np.nonzero(~np.isnan(self.table))
            return self.table[targets, raters], targets.astype(np.int64), raters.astype(np.int64)
        assert self.values is not None
        assert self.targets is not None
        assert self.raters is not None
        kept = ~np.isnan(self.values)
        return self.values[kept], self.targets[kept], self.raters[kept]


def names_of(value: str | Sequence[str] | None) -> list[str]:
    """Return a column name, or a list of them, as a list."""
    if value is None:
        return []
    if isinstance(value, str) or not isinstance(value, Iterable):
        return [str(value)]
    return list(value)


def codes_of(frame: pd.DataFrame, names: Sequence[str]) -> tuple[NDArray[np.int64], int]:
    """Return codes from 0 for the distinct rows of the columns; a missing label is an error."""
    import pandas as pd

    codes: NDArray[np.int64] | None = None
    n_codes = 0
    for name in names:
        own, labels = pd.factorize(frame[name])
        if len(own) and own.min() < 0:
            label_codes(frame[name], name=name, what=WHAT)  # raises, naming the row
        own = own.astype(np.int64, copy=False)
        if codes is None:
            codes, n_codes = own, len(labels)
        else:
            pairs, found = pd.factorize(codes * max(len(labels), 1) + own)
            codes, n_codes = pairs.astype(np.int64, copy=False), len(found)
    assert codes is not None
    return codes, n_codes


def from_table(matrix: Any) -> list[Ratings]:
    """One group from an array (targets, raters)."""
    table = as_values(matrix, dimensions=2)
    check_magnitude(table, name=WHAT)
    return [_table_group((), table, None)]


def _table_group(
    labels: tuple[Any, ...], table: NDArray[np.float64], clusters: NDArray[np.int64] | None
) -> Ratings:
    return _without_empty(
        Ratings(
            labels=labels,
            n_rows=table.size,
            n_missing=int(np.isnan(table).sum()),
            table=table,
            clusters=clusters,
        )
    )


def _without_empty(group: Ratings) -> Ratings:
    """Remove targets and raters without any rating from the table, and count the others."""
    table, clusters = group.table, group.clusters
    assert table is not None
    filled = ~np.isnan(table)
    if not filled.all():
        targets, raters = filled.any(axis=1), filled.any(axis=0)
        table = np.ascontiguousarray(table[targets][:, raters])
        clusters = None if clusters is None else clusters[targets]
    return replace(
        group, table=table, clusters=clusters, n_targets=len(table), n_raters=table.shape[1]
    )


def from_wide(
    frame: pd.DataFrame,
    ratings: Sequence[str],
    context: Sequence[str],
    cluster: str | None,
    *,
    named: bool,
) -> list[Ratings]:
    """Make groups from one row per target and one column per rater.

    Columns that the user did not name as raters must be plausible as such.
    """
    require_columns(frame, [*context, *names_of(cluster), *ratings], what=WHAT)
    if not ratings:
        raise ColumnError(f"{WHAT} have no column of ratings")
    table = np.column_stack([numeric_column(frame, name, what=WHAT) for name in ratings])
    if not named:
        refuse_labels_as_raters(ratings, table)
    clusters, cluster_labels = _cluster_codes(frame, cluster)
    subjects = _subject_codes(frame, [], context, cluster)
    found = []
    for labels, rows in row_groups(frame, context):
        group = _table_group(labels, table[rows], None if clusters is None else clusters[rows])
        shared = subjects is not None and len(np.unique(subjects[rows])) < group.n_targets
        found.append(replace(group, shared=shared, cluster_labels=cluster_labels))
    return found


def from_long(
    frame: pd.DataFrame,
    *,
    targets: Sequence[str],
    ratings: str,
    raters: str | None,
    context: Sequence[str],
    cluster: str | None,
) -> list[Ratings]:
    """Make groups from one row per rating, in any order."""
    require_columns(
        frame, [*targets, ratings, *names_of(raters), *context, *names_of(cluster)], what=WHAT
    )
    values = numeric_column(frame, ratings, what=WHAT)
    target_codes, _ = codes_of(frame, targets)
    rater_codes = codes_of(frame, [raters])[0] if raters is not None else None
    cluster_codes, cluster_labels = _cluster_codes(frame, cluster)
    subjects = _subject_codes(frame, targets, context, cluster)
    groups = codes_of(frame, context)[0] if context else np.zeros(len(frame), dtype=np.int64)
    taken = [*targets, ratings, *names_of(raters), *context, *names_of(cluster)]
    rated = ~np.isnan(values)
    refuse_parts_of_targets(frame[rated], groups[rated], target_codes[rated], targets, taken)
    found = []
    for labels, rows in row_groups(frame, context):
        target, n_targets = _renumber(target_codes[rows])
        group = Ratings(
            labels=labels,
            n_rows=len(target),
            n_missing=int(np.isnan(values[rows]).sum()),
            values=values[rows],
            targets=target,
            n_targets=n_targets,
            shared=subjects is not None and len(np.unique(subjects[rows])) < n_targets,
            cluster_labels=cluster_labels,
        )
        if cluster_codes is not None:
            group = _with_clusters(group, cluster_codes[rows], frame, rows, targets, str(cluster))
        if rater_codes is not None:
            group = _with_raters(group, rater_codes[rows], frame, rows, targets, str(raters))
        found.append(group)
    return found


def row_groups(
    frame: pd.DataFrame, context: Sequence[str]
) -> Iterator[tuple[tuple[Any, ...], slice | NDArray[np.intp]]]:
    """Yield the labels and the rows of each group, sorted by label, or in a Categorical's order."""
    if not context:
        yield (), slice(None)
        return
    columns = [label_codes(frame[name], name=name, what=WHAT, keep_order=True) for name in context]
    code = np.zeros(len(frame), dtype=np.int64)
    for codes, labels in columns:
        code = code * max(len(labels), 1) + codes
    order = np.argsort(code, kind="stable")
    starts = np.flatnonzero(np.diff(code[order], prepend=-1))
    for rows in np.split(order, starts[1:]) if len(order) else []:
        yield tuple(labels[codes[rows[0]]] for codes, labels in columns), rows


def _renumber(codes: NDArray[np.int64]) -> tuple[NDArray[np.int64], int]:
    """Codes 0, 1, ... without gaps, so that a small group costs little."""
    top = int(codes.max()) + 1 if len(codes) else 0
    if top <= 2 * len(codes):
        return codes, top
    distinct, renumbered = np.unique(codes, return_inverse=True)
    return renumbered.astype(np.int64), len(distinct)


def _cluster_codes(
    frame: pd.DataFrame, cluster: str | None
) -> tuple[NDArray[np.int64] | None, Sequence[Any]]:
    """Codes of the clusters in the order of their labels, as all bootstraps draw them; labels."""
    if cluster is None:
        return None, ()
    return label_codes(frame[cluster], name=cluster, what=WHAT)


def _subject_codes(
    frame: pd.DataFrame, targets: Sequence[str], context: Sequence[str], cluster: str | None
) -> NDArray[np.int64] | None:
    """Codes of the column "subject", if targets may share subjects unnoticed."""
    if cluster is not None or list(targets) == ["subject"] or "subject" not in frame.columns:
        return None
    if "subject" in context:
        # With a single subject in each, there are only its clips to generalise to.
        return None
    return codes_of(frame, ["subject"])[0]


def _cell_name(frame: pd.DataFrame, row: int, names: Sequence[str]) -> str:
    # tolist(): a label is 3, not np.int64(3).
    return ", ".join(f"{name} {frame[name].iloc[[row]].tolist()[0]!r}" for name in names)


def _frame_row(rows: slice | NDArray[np.intp], position: int) -> int:
    return position if isinstance(rows, slice) else int(rows[position])


def _with_clusters(
    group: Ratings,
    clusters: NDArray[np.int64],
    frame: pd.DataFrame,
    rows: slice | NDArray[np.intp],
    targets: Sequence[str],
    cluster: str,
) -> Ratings:
    """Attach clusters, each target in exactly one."""
    assert group.targets is not None
    own = np.full(group.n_targets, -1, dtype=np.int64)
    own[group.targets] = clusters
    strays = np.flatnonzero(own[group.targets] != clusters)
    if len(strays):
        row = _frame_row(rows, int(strays[0]))
        raise DataError(
            say(
                "each target must belong to one {cluster!r}, but the target {text} belongs to "
                "several; name more columns in {targets=}",
                cluster=cluster,
                text=_cell_name(frame, row, targets),
            )
        )
    return replace(group, clusters=clusters)


def _with_raters(
    group: Ratings,
    raters: NDArray[np.int64],
    frame: pd.DataFrame,
    rows: slice | NDArray[np.intp],
    targets: Sequence[str],
    name: str,
) -> Ratings:
    """Lay the ratings out as a table of targets by raters; a cell rated twice is an error."""
    assert group.values is not None
    assert group.targets is not None
    codes, n_raters = _renumber(raters)
    present = ~np.isnan(group.values)
    if group.n_targets * n_raters > MOST_CELLS:
        cells = group.targets[present] * n_raters + codes[present]
        doubled = len(cells) - len(np.unique(cells))
        table = None
    else:
        table, doubled = cell_table(group.values, group.targets, codes, group.n_targets, n_raters)
    if doubled:
        raise DataError(_doubled_text(group, codes, n_raters, frame, rows, [*targets, name]))
    if table is None:
        return replace(group, raters=codes, n_raters=n_raters)
    clusters = group.clusters
    if clusters is not None:
        own = np.zeros(group.n_targets, dtype=np.int64)
        own[group.targets] = clusters
        clusters = own
    # Codes of other groups leave gaps too.
    return _without_empty(
        Ratings(
            labels=group.labels,
            n_rows=group.n_rows,
            n_missing=group.n_missing,
            table=np.ascontiguousarray(table),
            clusters=clusters,
            cluster_labels=group.cluster_labels,
            shared=group.shared,
        )
    )


def _doubled_text(
    group: Ratings,
    raters: NDArray[np.int64],
    n_raters: int,
    frame: pd.DataFrame,
    rows: slice | NDArray[np.intp],
    names: Sequence[str],
) -> str:
    assert group.values is not None
    assert group.targets is not None
    present = np.flatnonzero(~np.isnan(group.values))
    cells = group.targets[present] * n_raters + raters[present]
    _, first, counts = np.unique(cells, return_index=True, return_counts=True)
    twice = np.flatnonzero(counts > 1)
    shown = "; ".join(
        f"{_cell_name(frame, _frame_row(rows, int(present[first[i]])), names)} ({counts[i]} times)"
        for i in twice[:5]
    )
    more = f"; and {len(twice) - 5} more" if len(twice) > 5 else ""
    return say(
        "a rater may rate a target only once, but these targets have several ratings of a "
        "rater: {shown}{more}; remove the duplicates, or add to {targets=} the column that "
        "distinguishes them",
        shown=shown,
        more=more,
    )


def _as_text(names: Any) -> str | list[str]:
    if isinstance(names, str) or not isinstance(names, Iterable):
        return str(names)
    return [str(name) for name in names]


def groups_of(
    data: Any,
    *,
    targets: str | Sequence[str] | None,
    ratings: str | Sequence[str] | None,
    raters: str | None,
    context: str | Sequence[str] | None,
    cluster: str | None,
) -> list[Ratings]:
    """Read `data` in whichever layout it is, and return its groups."""
    long = targets is not None
    if not long and raters is not None:
        raise DataError(
            say("{raters=} names the raters of a long table: give {targets=} and {ratings=} too")
        )
    if isinstance(data, np.ndarray):
        if long or ratings is not None or context is not None or cluster is not None:
            raise DataError(
                "an array has no column names; pass a table, or an array (targets, raters) "
                "without column arguments"
            )
        return from_table(data)
    frame = as_frame(data, what=WHAT)
    if not len(frame):
        raise DataError(f"{called(frame, WHAT)} have no rows")
    if not all(isinstance(name, str) for name in frame.columns):
        # Columns may have names that are not text, 0, 1, ...; from here on they are.
        frame = as_frame(frame.rename(columns=str), what=WHAT)
        ratings = ratings if ratings is None else _as_text(ratings)
        raters = raters if raters is None else str(raters)
        cluster = cluster if cluster is None else str(cluster)
        targets = targets if targets is None else _as_text(targets)
        context = context if context is None else _as_text(context)
    names = names_of(context)
    if not isinstance(context, str) and len(names) == len(frame) and set(names) - set(frame):
        raise DataError(
            say(
                "{context=} names the column of the contexts, or of several columns whose "
                "combinations are the contexts, but it has a value for each row; add these "
                "values as a column to the ratings, and name that column"
            )
        )
    if not long:
        chosen = names_of(ratings)
        doubled = [name for name in dict.fromkeys(chosen) if chosen.count(name) > 1]
        taken = [name for name in dict.fromkeys(chosen) if name in (*names, cluster)]
        if doubled or taken:
            raise DataError(
                say(
                    "{ratings=} names {names} {how}: name the column of each rater once",
                    names=listed(doubled or taken),
                    how="more than once"
                    if doubled
                    else say("which {context=} or {cluster=} names too"),
                )
            )
        if len(chosen) == 1:
            raise DataError(
                say(
                    "{ratings=} names one column, as for a long table, which also requires "
                    "{targets=}"
                )
            )
        rest = [c for c in frame.columns if c not in names and c != cluster]
        if not chosen and "subject" in rest:
            raise DataError(
                say(
                    "the column 'subject' of a wide table does not hold the ratings of a "
                    "rater; use {cluster='subject'}, or name the columns of the raters in "
                    "{ratings=}"
                )
            )
        if not chosen and len(rest) == 1:
            raise DataError(
                say(
                    "{what} have one column of scores, {rest!r}: a wide table has one column "
                    "for each rater, and a long table requires {targets=} and {ratings=}",
                    what=WHAT,
                    rest=str(rest[0]),
                )
            )
        return from_wide(frame, chosen or rest, names, cluster, named=bool(chosen))
    if not isinstance(ratings, str):
        raise DataError(
            say("a long table requires {ratings=}, the name of the column of the ratings")
        )
    others = {"targets": targets, "raters": raters, "context": context, "cluster": cluster}
    for argument, given in others.items():
        if ratings in names_of(given):
            raise DataError(
                say(
                    "{@argument=} names {ratings!r}, which is the column of the ratings",
                    argument=argument,
                    ratings=ratings,
                )
            )
    return from_long(
        frame,
        targets=names_of(targets),
        ratings=ratings,
        raters=raters,
        context=names,
        cluster=cluster,
    )
