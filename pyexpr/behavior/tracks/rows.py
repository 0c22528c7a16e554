"""A table's numbers as the columns that recordings are made of, whichever tracker wrote them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pyexpr.base.errors import TracksError
from pyexpr.base.messages import Template
from pyexpr.behavior.openface.csv import Columns
from pyexpr.behavior.openface.layout import FaceScale
from pyexpr.behavior.tracks.groups import Group, groups_of, score_columns, there
from pyexpr.behavior.tracks.layout import Layout, Points
from pyexpr.behavior.tracks.row_checks import check_rows, frame_step
from pyexpr.behavior.tracks.table import Table
from pyexpr.behavior.tracks.wanted import ReadTable, TableHeader, Wanted

_NO_SCALE: Final = FaceScale(None, frozenset())
_SECONDS: Final = {"ms": 1e3, "us": 1e6}

_NO_VALIDITY = Template(
    "no_validity", "no column tells failed rows: those without any value are not valid"
)()
_EMPTY = Template("empty_rows", "{rows:count row} without any value: not valid")
_OTHERS = Template("rows_of_others", "{rows:count row} left out that the layout does not take")
_LOW_SCORES = Template("points_of_low_score", "{points:count point} of low score: missing")
_STEP = Template(
    "every_so_many_frames",
    "frame numbers go in steps of {step}: the frames between were never tracked, and the rate is "
    "that of those which were",
)
_PEOPLE = Template("people_numbered", "people of column {column:label} are numbered: {people}")


@dataclass(frozen=True, slots=True)
class TracksHeader(TableHeader):
    """What of a table is read, under the names that recordings have for it.

    Attributes
    ----------
    groups_read : mapping of str to Group
    own_names : mapping of str to str
        What the table calls frame, face_id, timestamp and confidence.
    face_scale : FaceScale
    """

    groups_read: Mapping[str, Group] = field(default_factory=dict)
    own_names: Mapping[str, str] = field(default_factory=dict)
    face_scale: FaceScale = _NO_SCALE

    def group_columns(self, group: str) -> tuple[str, ...]:
        """Return the columns of a group in the order of its array, () if there is none."""
        if group not in self.groups_read:
            return ()
        # Of their own, as some columns are read into two groups.
        return tuple(f"{group} {name}" for name in self.groups_read[group].columns)

    def groups(self) -> tuple[str, ...]:
        """Return the groups that are there."""
        return tuple(self.groups_read)

    def group_shape(self, group: str) -> tuple[int, ...]:
        """Return the shape of one frame of a group."""
        return self.groups_read[group].shape

    def unit_names(self, group: str) -> tuple[str, ...]:
        """Return the names of the action units in a group of them."""
        return self.groups_read[group].labels

    def own_name(self, name: str) -> str:
        """Return what the table itself calls one of `ROW_COLUMNS`."""
        return self.own_names.get(name, name)

    @property
    def scale(self) -> FaceScale:
        """How lengths that are no millimetres become some."""
        return self.face_scale


@dataclass(frozen=True, slots=True)
class Translated:
    """A table under the names that recordings have.

    Attributes
    ----------
    columns : Columns
    header : TracksHeader
        That of the columns.
    notes : tuple of str
    image_size : tuple of float
        Width and height, px; () if not known.
    step : int
        Frames from one row to the next: more than 1 where the tracker left frames out evenly.
    """

    columns: Columns
    header: TracksHeader
    notes: tuple[str, ...]
    image_size: tuple[float, ...]
    step: int


def translated(
    layout: Layout,
    table: Table,
    *,
    groups: Sequence[str],
    image_size: tuple[float, float] | None,
    part: tuple[tuple[str, str], ...] = (),
    in_steps: bool = True,
) -> Translated:
    """Read a table by a layout.

    Parameters
    ----------
    layout : Layout
    table : Table
    groups : sequence of str
        Those to read; landmarks are added where people must be distinguished.
    image_size : (float, float), optional
        Width and height, px.
    part : tuple of (str, str)
        Columns, and what stands there in the rows to read.
    in_steps : bool
        Whether frame numbers that go in steps count the frames that were tracked alone.

    Raises
    ------
    TracksError
        If columns are not there or hold no numbers, or rows do not fit together.
    """
    sizes = _size_columns(layout, table) if image_size is None else ()
    known = groups_of(layout, table, image_size)
    wanted = {name: known[name] for name in groups if name in known}
    if layout.person is not None:
        # These distinguish the people.
        also = ("landmarks_2d", "pose_translation")
        wanted |= {name: known[name] for name in also if name in known}
    own = _row_columns(layout)
    scores = () if layout.points is None else score_columns(layout.points, table)
    read = table.read(_wanted(layout, table, own, sizes, scores, wanted, part))
    columns = read.columns
    if sizes:
        image_size = _measured(columns, sizes)
        rescaled = groups_of(layout, table, image_size)
        wanted = {name: rescaled[name] for name in wanted}

    notes = _reading_notes(layout, read)
    values = {name: group.values(columns.matrix(group.columns)) for name, group in wanted.items()}
    if scores and layout.points is not None:
        low = _without_low_scores(values, columns.matrix(scores), layout.points)
        notes += [_LOW_SCORES(points=low)] if low else []
    rows = _row_values(layout, columns, own)
    rows["success"], more_notes = _validity(layout, columns, values)
    notes += more_notes
    header = TracksHeader(
        columns.header.path,
        {name: at for at, name in enumerate(rows)},
        len(rows),
        0,
        {},
        groups_read=wanted,
        own_names=own,
        face_scale=_face_scale(layout, wanted),
    )
    check_rows(header, columns, rows)
    step = frame_step(rows) if in_steps else 1
    if step > 1:
        rows["frame"] = np.floor(rows["frame"] / step)
        notes.append(_STEP(step=step))
    made = _made(header, columns, rows, values)
    return Translated(made, header, tuple(notes), image_size or (), step)


def _reading_notes(layout: Layout, read: ReadTable) -> list[str]:
    """Return notes on the rows that were read."""
    notes: list[str] = []
    if read.others:
        notes.append(_OTHERS(rows=read.others))
    if read.people:
        people = ", ".join(f"{number} {name}" for number, name in enumerate(read.people))
        notes.append(_PEOPLE(column=layout.person, people=people))
    return notes


def _row_values(
    layout: Layout, columns: Columns, own: Mapping[str, str]
) -> dict[str, NDArray[np.float64]]:
    """Return frame, face, time (s, or in a unit that its rate tells) and confidence of each row."""
    rows = {name: columns.column(column) for name, column in own.items()}
    if layout.time is not None and layout.time.unit in _SECONDS:
        rows["timestamp"] = rows["timestamp"] / _SECONDS[layout.time.unit]
    return rows


def _made(
    header: TracksHeader,
    columns: Columns,
    rows: Mapping[str, NDArray[np.float64]],
    values: Mapping[str, NDArray[np.float64]],
) -> Columns:
    """Return columns under the names of recordings."""
    tables: dict[tuple[str, ...], NDArray[np.float64]] = {
        (name,): column[:, np.newaxis] for name, column in rows.items()
    }
    tables |= {header.group_columns(name): value for name, value in values.items()}
    return Columns.made(
        header,
        tables,
        columns.n_rows,
        n_cut=columns.n_cut,
        n_overlong=columns.n_overlong,
        skipped=columns.skipped,
    )


def _row_columns(layout: Layout) -> dict[str, str]:
    """Return which columns tell frame, face, time and confidence, by the names of recordings."""
    given = {
        "frame": layout.frame,
        "face_id": layout.person,
        "timestamp": None if layout.time is None else layout.time.column,
        "confidence": layout.confidence,
    }
    return {name: column for name, column in given.items() if column is not None}


def _size_columns(layout: Layout, table: Table) -> tuple[str, ...]:
    image = layout.image
    if image is None or not isinstance(image.width, str) or not isinstance(image.height, str):
        return ()
    both = (image.width, image.height)
    return both if there(table, both, image.optional) else ()


def _measured(columns: Columns, names: Sequence[str]) -> tuple[float, float] | None:
    """Return the size of the images as the table has it, None where it has none."""
    found = []
    for name in names:
        values = columns.column(name)
        values = values[np.isfinite(values)]
        if not len(values):
            return None
        if (values != values[0]).any():
            raise TracksError(
                f"{columns.header.path!r}: column {name!r} has images of several sizes; give every "
                "recording a file of its own"
            )
        found.append(float(values[0]))
    return found[0], found[1]


def _wanted(
    layout: Layout,
    table: Table,
    own: Mapping[str, str],
    sizes: Sequence[str],
    scores: tuple[str, ...],
    groups: Mapping[str, Group],
    part: tuple[tuple[str, str], ...],
) -> Wanted:
    valid = () if layout.valid is None else (layout.valid.column,)
    single = tuple(dict.fromkeys((*own.values(), *valid, *sizes)))
    tables: list[tuple[str, ...]] = [(name,) for name in single]
    tables += list(dict.fromkeys(group.columns for group in groups.values()))
    tables += [scores] if scores else []
    cells = None
    if layout.points is not None and layout.points.cells is not None:
        cells = (layout.points.cells, layout.points.count[0], 2)
        cells = cells if "landmarks_2d" in groups else None
    return Wanted(
        tables=tuple(tables),
        missing=frozenset(layout.missing),
        rows=layout.rows,
        part=part,
        clock=layout.time.column if layout.time is not None and layout.time.unit == "clock" else "",
        words=frozenset(valid),
        labels=layout.person or "",
        cells=cells,
    )


def _without_low_scores(
    values: dict[str, NDArray[np.float64]], scores: NDArray[np.float64], points: Points
) -> int:
    """Set points of low score missing, and return how many there are."""
    assert points.score_above is not None
    with np.errstate(invalid="ignore"):
        low = ~(scores > points.score_above)
    seen = np.zeros(low.shape, dtype=np.bool_)
    for name in ("landmarks_2d", "landmarks_3d"):
        if name in values and values[name].shape[1] % low.shape[1] == 0:
            points_of = values[name].reshape(*low.shape, -1)
            seen |= np.isfinite(points_of).all(axis=2)
            points_of[low] = np.nan
            values[name] = points_of.reshape(len(low), -1)
    # Of rows without anybody no point is of low score.
    return int((low & seen).sum())


def _validity(
    layout: Layout, columns: Columns, values: Mapping[str, NDArray[np.float64]]
) -> tuple[NDArray[np.float64], list[str]]:
    """Return 1 for valid rows and 0 for others, and notes."""
    notes: list[str] = []
    valid = np.ones(columns.n_rows, dtype=np.bool_)
    if layout.valid is None:
        notes.append(_NO_VALIDITY)
    else:
        rule, column = layout.valid, columns.column(layout.valid.column)
        with np.errstate(invalid="ignore"):
            if rule.at_least is not None:
                valid = column >= rule.at_least
            elif rule.above is not None:
                valid = column > rule.above
            else:
                valid = column == rule.equals
    shown = [values[name] for name in ("landmarks_2d", "landmarks_3d") if name in values]
    known = np.zeros(columns.n_rows, dtype=np.bool_)
    for one in shown or list(values.values()):
        known |= np.isfinite(one).any(axis=1)
    if not known.any():
        what = "point" if shown else "value"
        raise TracksError(
            f"{columns.header.path!r}: no row has a {what}: all are missing; the tracker found "
            "nobody, or the layout names other columns"
        )
    empty = int((valid & ~known).sum())
    if empty:
        notes.append(_EMPTY(rows=empty))
    return (valid & known).astype(np.float64), notes


def _face_scale(layout: Layout, groups: Mapping[str, Group]) -> FaceScale:
    outer = layout.points.outer_eyes if layout.points is not None else ()
    return FaceScale(
        (outer[0], outer[1]) if outer else None,
        frozenset(
            name
            for name in ("landmarks_2d", "landmarks_3d")
            if name in groups and groups[name].unit != "mm"
        ),
    )
