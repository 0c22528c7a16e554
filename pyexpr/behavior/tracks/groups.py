"""Which groups of values a table holds by a layout: their columns, shapes and units."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pyexpr.base.errors import LayoutError, listed, near_names
from pyexpr.base.messages import say
from pyexpr.behavior.openface.layout import GROUPS
from pyexpr.behavior.tracks.layout import MILLIMETRES, ActionUnits, Layout, Points, Values
from pyexpr.behavior.tracks.table import Table
from pyexpr.behavior.tracks.wanted import cell_columns, refuse_nested

#: Groups of a recording that OpenFace does not have.
OTHER_GROUPS: Final = ("au_score", "blendshapes", "emotions")
ALL_GROUPS: Final = (*GROUPS, *OTHER_GROUPS)
SHARE: Final = "image share"
_UNIT_NUMBER: Final = re.compile(r"\d+")


@dataclass(frozen=True, slots=True)
class Group:
    """One group of a recording, and what it is read from.

    Attributes
    ----------
    name : str
    columns : tuple of str
        Of the table, in the order of the group's array.
    shape : tuple of int
        Of one frame.
    unit : str
        As the recording has it.
    factor : float or (columns,) float64
        By which the table's numbers are multiplied.
    labels : tuple of str
        What the columns are; () for points and angles.
    present_above : float or None
        A group of presences is made of the columns' numbers over this.
    """

    name: str
    columns: tuple[str, ...]
    shape: tuple[int, ...]
    unit: str
    factor: float | NDArray[np.float64] = 1.0
    labels: tuple[str, ...] = ()
    present_above: float | None = None

    def values(self, numbers: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the group's values, of its columns' numbers."""
        if self.present_above is None:
            return numbers if np.all(self.factor == 1.0) else numbers * self.factor
        above = (numbers > self.present_above).astype(np.float64)
        return np.where(np.isnan(numbers), np.nan, above)


def groups_of(
    layout: Layout, table: Table, image_size: tuple[float, float] | None
) -> dict[str, Group]:
    """Return the groups that a table has by a layout, by name.

    Raises
    ------
    LayoutError
        If the layout names columns that the table has not, and does not call them optional.
    """
    found: list[Group] = []
    for points in (layout.points, layout.points_3d):
        if points is not None:
            found += _landmarks(points, table, image_size)
    if layout.head is not None:
        head = layout.head
        for name, columns, unit, factor in (
            ("pose_translation", head.position, "mm", MILLIMETRES[head.position_unit]),
            ("pose_rotation", head.rotation, "rad", _radians(head.rotation_unit)),
        ):
            if columns is not None and there(table, columns, head.optional):
                found.append(Group(name, columns, (3,), unit, factor))
    gaze = layout.gaze
    if gaze is not None and there(table, gaze.angle, gaze.optional):
        found.append(Group("gaze_angle", gaze.angle, (2,), "rad", _radians(gaze.unit)))
    if layout.action_units is not None:
        found += _action_units(layout.action_units, table)
    for name, values in (("blendshapes", layout.blendshapes), ("emotions", layout.emotions)):
        if values is not None:
            found += _values(name, values, table, str)
    if not found:
        raise LayoutError(
            f"{table.path!r}: the table has none of the columns that the layout "
            f"{layout.name!r} names"
        )
    return {one.name: one for one in found}


def _radians(unit: str) -> float:
    return 1.0 if unit == "rad" else float(np.pi / 180)


def there(table: Table, columns: Sequence[str], optional: bool) -> bool:
    """Return whether columns are there; `LayoutError` if some, or needed ones, are not."""
    refuse_nested(table, columns)
    known = set(table.names)
    absent = [name for name in columns if name not in known]
    if not absent:
        return True
    if optional and len(absent) == len(columns):
        return False
    raise LayoutError(
        say(
            "{path!r}: the layout names columns that the table has not: {absent}; {hint}",
            path=table.path,
            absent=listed(absent, most=5),
            hint=near_names(absent[0], table.names),
        )
    )


def _landmarks(points: Points, table: Table, image_size: tuple[float, float] | None) -> list[Group]:
    axes = points.axes()
    if points.cells is not None:
        refuse = there(table, [points.cells], points.optional)
        if not refuse:
            return []
        n_points, n_axes = points.count[0], 2
        columns = cell_columns(points.cells, n_points, n_axes)
    else:
        labels = point_labels(points, table)
        columns = tuple(axis.replace("{}", label) for label in labels for axis in axes)
        n_points, n_axes = len(labels), len(axes)
        if not labels or not there(table, columns, points.optional):
            return []
    for numbers in (*points.regions.values(), points.stable, points.outer_eyes):
        if any(number >= n_points for number in numbers):
            raise LayoutError(
                f"{table.path!r}: the layout names point {max(numbers)} among regions, stable or "
                f"outer_eyes, but the table has {n_points} points, from 0"
            )
    unit, scale = points.unit, [1.0, 1.0, 1.0]
    if unit == "share" and image_size is not None:
        # MediaPipe's z has about the scale of x.
        unit, scale = "px", [image_size[0], image_size[1], image_size[0]]
    elif unit in MILLIMETRES:
        unit, scale = "mm", [MILLIMETRES[unit]] * 3
    shown = SHARE if unit == "share" else unit
    factor = np.tile(scale[:n_axes], n_points)
    found = []
    if n_axes == 3:
        found.append(Group("landmarks_3d", columns, (n_points, 3), shown, factor))
    if n_axes == 2 or unit != "mm":
        flat = np.arange(n_points * n_axes).reshape(n_points, n_axes)[:, :2].ravel()
        two = tuple(columns[at] for at in flat)
        found.append(Group("landmarks_2d", two, (n_points, 2), shown, factor[flat]))
    return found


def point_labels(points: Points, table: Table) -> tuple[str, ...]:
    """Return what stands for each point in the names of its columns: a number or a label."""
    if points.labels:
        return points.labels
    assert points.x is not None
    known = set(table.names)
    if points.count:
        last = (points.first + count - 1 for count in sorted(points.count, reverse=True))
        count = next(
            (one - points.first + 1 for one in last if points.x.replace("{}", str(one)) in known),
            min(points.count),
        )
        return tuple(str(points.first + number) for number in range(count))
    before, after = points.x.split("{}")
    pattern = re.compile(re.escape(before) + r"(\d+)" + re.escape(after))
    numbers = sorted(int(hit[1]) for name in table.names if (hit := pattern.fullmatch(name)))
    if not numbers:
        if points.optional:
            return ()
        raise LayoutError(
            say(
                "{path!r}: the layout names the columns of points {pattern!r}, which the table has "
                "not; {hint}",
                path=table.path,
                pattern=points.x,
                hint=near_names(points.x, table.names),
            )
        )
    gaps = sorted({*range(numbers[0], numbers[-1] + 1)} - {*numbers})
    if gaps:
        raise LayoutError(
            f"{table.path!r}: of the columns of points {points.x!r} the table lacks number "
            f"{gaps[0]}; points are numbered without gaps"
        )
    return tuple(str(number) for number in numbers)


def score_columns(points: Points, table: Table) -> tuple[str, ...]:
    """Return the columns of the points' scores, () if the layout has none."""
    if points.score is None:
        return ()
    return tuple(points.score.replace("{}", label) for label in point_labels(points, table))


def _action_units(units: ActionUnits, table: Table) -> list[Group]:
    found: list[Group] = []
    if units.presence is not None:
        given = Values(columns=units.presence, unit="0/1", optional=units.optional)
        found += _values("au_presence", given, table, _unit_name)
    for name, given_ in (("au_intensity", units.intensity), ("au_score", units.score)):
        if given_ is None:
            continue
        values = (
            given_ if given_.optional else given_.model_copy(update={"optional": units.optional})
        )
        own = _values(name, values, table, _unit_name)
        found += own
        present = values.present_above
        if own and present is not None and all(one.name != "au_presence" for one in found):
            one = own[0]
            found.append(
                Group("au_presence", one.columns, one.shape, "0/1", 1.0, one.labels, present)
            )
    return found


def _unit_name(text: str) -> str:
    """Return the name of an action unit as OpenFace writes it: AU01."""
    number = _UNIT_NUMBER.search(text)
    return f"AU{int(number[0]):02d}" if number else text


def _values(name: str, values: Values, table: Table, label: Callable[[str], str]) -> list[Group]:
    if isinstance(values.columns, str):
        pattern = values.columns
        regex = re.escape(pattern).replace(r"\{\}", r"(\d+)").replace(r"\*", "(.+)")
        hits = [(one, hit) for one in table.names if (hit := re.fullmatch(regex, one))]
        columns = tuple(one for one, _ in hits)
        labels = tuple(label(hit[1] if hit.groups() else one) for one, hit in hits)
        if not columns:
            if values.optional:
                return []
            raise LayoutError(
                say(
                    "{path!r}: the layout names the columns {pattern!r}, of which the table has "
                    "none; {hint}",
                    path=table.path,
                    pattern=pattern,
                    hint=near_names(pattern, table.names),
                )
            )
        refuse_nested(table, columns)
    else:
        columns = values.columns
        if not there(table, columns, values.optional):
            return []
        labels = tuple(label(one) for one in columns)
    return [Group(name, columns, (len(columns),), values.unit, values.scale, labels)]
