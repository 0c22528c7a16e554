"""The table of features beside the ratings: the rows that the models of the chain use."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pyexpr.base.errors import DataError, listed
from pyexpr.base.messages import say
from pyexpr.base.tables import as_frame, called, check_flat_columns, label_codes, require_columns
from pyexpr.modeling.chain.labels import Labels
from pyexpr.modeling.chain.rated import RATINGS, Columns, Rated
from pyexpr.modeling.fitting.table import TABLE, Table, read_names, read_table

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from pyexpr.base.foreign import FrameLike

    Array = NDArray[np.float64]

MEAN = "mean rating"


@dataclass(frozen=True, slots=True)
class Joined:
    """The complete rows of the table, and what the chain needs of their ratings.

    Attributes
    ----------
    table : Table
        With the labels of all subjects.
    x : (n, p) float64
        Mean ratings of the indicators.
    group : (n,) int64
        Position of the row's factor model.
    among : (S,) int64
        Position of each subject of the table among all rated ones.
    n_unrated, n_without_features : int
        Rows of the table without ratings, and rated clips that are not in the table.
    """

    table: Table
    x: Array
    group: NDArray[np.int64]
    among: NDArray[np.int64]
    n_unrated: int
    n_without_features: int


def labels_named(label: str) -> tuple[str, str]:
    """Return the names of the columns of the label, of each context and over all contexts."""
    return label, f"{label} over all contexts"


def join_tables(
    data: FrameLike,
    rated: Rated,
    labels: Labels,
    columns: Columns,
    features: Sequence[str],
    adjust_for: Sequence[str],
    labels_of: str,
) -> Joined:
    """Return the rows of the table that have ratings, with their label.

    Raises
    ------
    DataError
        If a clip has two rows, if its subject or context differs from that in the ratings, or if no
        clip is rated.
    """
    frame = as_frame(data, what=TABLE)
    check_flat_columns(frame, what=TABLE)
    if not len(frame):
        raise DataError(f"{called(frame, TABLE)} has no rows")
    keys = list(columns.targets)
    require_columns(frame, keys, what=TABLE)
    at = _clip_of(frame, rated, keys)
    kept = at >= 0
    found = frame.loc[kept].reset_index(drop=True)
    at = at[kept]
    own = [columns.cluster] if columns.context is None else [columns.cluster, columns.context]
    for name in own:
        there = rated.clips[name].iloc[at].reset_index(drop=True)
        if name in found:
            _check_same(found[name], there, name)
        found[name] = there
    name = labels.fits[-1].model.factors[0] if labels.fits else MEAN
    name, over_all = labels_named(name)
    _refuse_taken(found, (name, over_all))
    several = len(rated.contexts) > 1
    both = several and bool(labels.groups) and labels_of == "context"
    x = rated.clips[labels.indicators].to_numpy(dtype=np.float64)[at]
    weights = labels.of_all()
    weight, centre = weights.weight[0], weights.centre[0]
    group = np.full(len(at), len(weight) - 1)
    if several:
        assert columns.context is not None
        place = {label: code for code, label in enumerate(rated.contexts)}
        group = np.array([place[label] for label in found[columns.context]], dtype=np.int64)
    pooled = (x - centre[-1]) @ weight[-1]
    found[over_all] = pooled
    found[name] = ((x - centre[group]) * weight[group]).sum(axis=1) if both else pooled
    names = read_names(
        label=name, label_pooled=over_all if both else None, features=features,
        cluster=columns.cluster, context=columns.context, clip=None, adjust_for=adjust_for,
    )  # fmt: skip
    table = read_table(found, names)
    rows = np.array(table.clips, dtype=np.int64) - 1
    subjects = {label: code for code, label in enumerate(rated.subjects)}
    return Joined(
        table, x[rows], group[rows],
        np.array([subjects[label] for label in table.cluster_labels], dtype=np.int64),
        int((~kept).sum()), len(rated.clips) - len(np.unique(at)),
    )  # fmt: skip


def _clip_of(frame: pd.DataFrame, rated: Rated, keys: list[str]) -> NDArray[np.int64]:
    """Return the position of the rated clip of every row, or -1 if the row has no rated clip."""
    import pandas as pd

    for name in keys:
        label_codes(frame[name], name=name, what=TABLE)
    rows = pd.MultiIndex.from_frame(frame[keys].astype(object))
    clips = pd.MultiIndex.from_frame(rated.clips[keys].astype(object))
    doubled = rows.duplicated()
    if doubled.any():
        raise DataError(
            say(
                "{what} has several rows of clip {clip}; {targets=} must identify each row",
                what=called(frame, TABLE),
                clip=", ".join(str(part) for part in rows[doubled][0]),
            )
        )
    found = clips.get_indexer(rows)
    if (found < 0).all():
        raise DataError(
            say(
                "no row of {what} is a clip of {ratings}: column {names} has other labels there "
                "(text instead of numbers, for example)",
                what=called(frame, TABLE),
                ratings=RATINGS,
                names=listed(keys),
            )
        )
    return np.asarray(found, dtype=np.int64)


def _check_same(ours: Any, theirs: Any, name: str) -> None:
    """Raise `DataError` if the two tables disagree on the subject or context of a clip."""
    different = ours.astype(str).to_numpy() != theirs.astype(str).to_numpy()
    if different.any():
        row = int(np.flatnonzero(different)[0])
        raise DataError(
            f"a clip has {name} {str(ours.iloc[row])!r} in {TABLE}, but {str(theirs.iloc[row])!r} "
            f"in {RATINGS}; correct one of them"
        )


def _refuse_taken(frame: pd.DataFrame, names: Sequence[str]) -> None:
    taken = [name for name in names if name in frame]
    if taken:
        raise DataError(
            f"{called(frame, TABLE)} has a column {taken[0]!r}, which is the name of the label "
            "here; rename the column, or the factor"
        )
