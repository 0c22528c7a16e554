"""Ratings as tables of targets by raters, with each rater's label, and the order of the ratings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from pyexpr.base.arrays import unmasked
from pyexpr.base.errors import ColumnError, DataError
from pyexpr.base.messages import say
from pyexpr.base.tables import as_frame, called, label_codes, numeric_column, require_columns
from pyexpr.measurement.icc.layout import WHAT, Ratings, groups_of, names_of

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

# Most numbers that the sums per subject and pair of raters, kept in memory, may have.
MOST_SUMS = 40_000_000
_SECONDS_PER_DAY = 86_400.0


@dataclass(frozen=True, slots=True)
class Cells:
    """The ratings of one context.

    Attributes
    ----------
    ratings : Ratings
        With a table (targets, raters).
    raters : tuple of int
        The position of each column's rater among the labels of all raters.
    order : (targets, raters) float64, optional
        When each rating was given; NaN where there is none.
    units : (targets,) int64
        The unit that is left out or drawn, 0 to G - 1: the subject or, without subjects, the
        target.
    labels : tuple
        The labels of these units.
    positions : (G,) int64
        Their positions among the units of all contexts.
    """

    ratings: Ratings
    raters: tuple[int, ...]
    order: NDArray[np.float64] | None
    units: NDArray[np.int64]
    labels: tuple[Any, ...]
    positions: NDArray[np.int64]

    @property
    def table(self) -> NDArray[np.float64]:
        """Return the ratings, (targets, raters); NaN where there is none."""
        assert self.ratings.table is not None
        return self.ratings.table


@dataclass(frozen=True, slots=True)
class Layout:
    """The roles of the columns, as for `icc`."""

    targets: str | Sequence[str] | None
    ratings: str | Sequence[str] | None
    raters: str | None
    context: str | Sequence[str] | None
    cluster: str | None
    order: str | None


def read_cells(data: Any, layout: Layout) -> tuple[list[Cells], tuple[Any, ...], bool]:
    """Return the ratings of every context, the labels of the raters, and whether order is time."""
    data = unmasked(data)
    if layout.targets is not None and layout.raters is None:
        raise DataError(say("a long table requires {raters=}, the column of the raters"))
    if isinstance(data, np.ndarray):
        if layout.order is not None:
            raise DataError(say("{order=} names a column, but an array has no column names"))
        groups = _read(data, layout)
        codes = np.broadcast_to(np.arange(float(data.shape[1])), data.shape)
        who = _read(np.where(np.isnan(data.astype(np.float64)), np.nan, codes), layout)
        labels = tuple(f"rater {k + 1}" for k in range(data.shape[1]))
        return _cells(groups, who, None), labels, False
    frame = as_frame(data, what=WHAT)
    if not all(isinstance(name, str) for name in frame.columns):
        frame = as_frame(frame.rename(columns=str), what=WHAT)
    values, is_time = _order(frame, layout.order)
    rest = frame if layout.order is None else frame.drop(columns=[layout.order])
    groups = _read(rest, layout)
    rated, labels, positions = _raters(rest, layout)
    columns = list(rated.columns)
    who = _read(rest.assign(**dict(zip(columns, positions.where(rated).T.to_numpy(), strict=True))),
                replace(layout, ratings=_named(layout, columns)))  # fmt: skip
    when = None
    if values is not None:
        _refuse_missing_order(frame, values, rated, str(layout.order))
        timed = {name: np.where(rated[name], values, np.nan) for name in columns}
        when = _read(rest.assign(**timed), replace(layout, ratings=_named(layout, columns)))
    return _cells(groups, who, when), labels, is_time


def _named(layout: Layout, columns: list[str]) -> str | list[str]:
    return columns if layout.targets is None else columns[0]


def _read(data: Any, layout: Layout) -> list[Ratings]:
    groups = groups_of(
        data, targets=layout.targets, ratings=layout.ratings, raters=layout.raters,
        context=layout.context, cluster=layout.cluster,
    )  # fmt: skip
    if any(group.table is None for group in groups):
        raise DataError(
            f"{WHAT} have too many targets and raters for a table of all of them; give fewer "
            "raters at a time"
        )
    return groups


def _raters(
    frame: pd.DataFrame, layout: Layout
) -> tuple[pd.DataFrame, tuple[Any, ...], pd.DataFrame]:
    """Return which cells are rated, the labels of the raters, and each cell's position in them."""
    import pandas as pd

    if layout.targets is not None:
        name = str(layout.ratings)
        codes, labels = label_codes(
            frame[layout.raters], name=str(layout.raters), what=WHAT, keep_order=True
        )
        rated = pd.DataFrame({name: frame[name].notna().to_numpy()}, index=frame.index)
        own = pd.DataFrame({name: codes.astype(np.float64)}, index=frame.index)
        return rated, tuple(labels), own
    columns = [str(name) for name in names_of(layout.ratings)]
    if not columns:
        others = {*map(str, names_of(layout.context)), *map(str, names_of(layout.cluster))}
        columns = [name for name in frame.columns if name not in others]
    own = pd.DataFrame(
        {name: np.full(len(frame), float(k)) for k, name in enumerate(columns)}, index=frame.index
    )
    return frame[columns].notna(), tuple(columns), own


def _order(frame: pd.DataFrame, name: str | None) -> tuple[NDArray[np.float64] | None, bool]:
    """Return the order as numbers (dates and times in days), and whether it is a date or time."""
    import pandas as pd

    if name is None:
        return None, False
    require_columns(frame, [name], what=WHAT)
    column = frame[name]
    if not pd.api.types.is_datetime64_any_dtype(column):
        return numeric_column(frame, name, what=WHAT), False
    seconds = (column - column.min()).dt.total_seconds().to_numpy(dtype=np.float64)
    return seconds / _SECONDS_PER_DAY, True


def _refuse_missing_order(
    frame: pd.DataFrame, values: NDArray[np.float64], rated: pd.DataFrame, name: str
) -> None:
    lost = np.isnan(values) & rated.any(axis=1).to_numpy()
    if lost.any():
        row = int(np.flatnonzero(lost)[0])
        raise ColumnError(
            f"column {name!r} of {called(frame, WHAT)} must not have missing values where there "
            f"is a rating, but row {row + 1} is empty ({int(lost.sum())} such rows)"
        )


def _cells(groups: list[Ratings], who: list[Ratings], when: list[Ratings] | None) -> list[Cells]:
    found: list[Cells] = []
    at = 0
    for i, (group, own) in enumerate(zip(groups, who, strict=True)):
        assert group.table is not None
        assert own.table is not None
        raters = tuple(np.nanmax(own.table, axis=0).astype(int).tolist()) if own.table.size else ()
        # In the order of their labels.
        place = np.argsort(raters, kind="stable")
        table = np.ascontiguousarray(group.table[:, place])
        order = None
        if when is not None:
            timed = when[i].table
            assert timed is not None
            order = np.ascontiguousarray(timed[:, place])
        units, labels = np.arange(len(table)), tuple(range(1, len(table) + 1))
        positions = at + units
        at += len(table)
        if group.clusters is not None:
            positions, units = np.unique(group.clusters, return_inverse=True)
            labels = tuple(group.cluster_labels[code] for code in positions.tolist())
        found.append(
            Cells(
                replace(group, table=table, clusters=units),
                tuple(raters[k] for k in place),
                order,
                units.astype(np.int64),
                labels,
                positions,
            )
        )
        _refuse_too_many(found[-1])
    return found


def _refuse_too_many(cells: Cells) -> None:
    q, units = cells.table.shape[1], len(cells.labels)
    if units * q * q > MOST_SUMS:
        raise DataError(
            say(
                "{q} raters and {units} {unit} need {n:,d} sums of pairs of raters, more than "
                "{most:,d}; give fewer raters at a time, or subjects in {cluster=}",
                q=q,
                units=units,
                unit="subjects or targets",
                n=units * q * q,
                most=MOST_SUMS,
            )
        )
