"""What the caller says of a table, checked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, get_args

from pyexpr.base.checks import is_number
from pyexpr.base.errors import DataError, listed, near_names
from pyexpr.base.messages import say
from pyexpr.behavior.tracks.groups import ALL_GROUPS
from pyexpr.behavior.tracks.layout import LengthUnit


def own_entries(
    points: Sequence[str] | None,
    units: str | None,
    frame: str | None,
    time: str | tuple[str, str] | None,
    valid: str | tuple[str, float] | None,
    person: str | None,
) -> dict[str, Any]:
    """Return what the caller says of the table, as entries of a layout."""
    own: dict[str, Any] = {}
    if (points is None) != (units is None):
        raise DataError(
            say(
                "{points=} name the columns of points and {units=} what their numbers are (one of "
                "{known}); give both",
                known=listed(get_args(LengthUnit)),
            )
        )
    if points is not None:
        if isinstance(points, str) or len(points) not in (2, 3):
            raise DataError(
                say(
                    "{points=} must be the patterns of x and y (and z), such as {given}",
                    given=["x_{}", "y_{}"],
                )
            )
        own["points"] = dict(zip("xyz", points, strict=False)) | {"unit": units}
    given = {"frame": frame, "person": person}
    own |= {name: column for name, column in given.items() if column is not None}
    if time is not None:
        column, *unit = (time,) if isinstance(time, str) else time
        own["time"] = {"column": column} | ({"unit": unit[0]} if unit else {})
    if valid is not None:
        column, *least = (valid,) if isinstance(valid, str) else valid
        own["valid"] = {"column": column} | ({"at_least": least[0]} if least else {"equals": 1})
    return own


def checked_size(image_size: Any) -> tuple[float, float] | None:
    """Return the size of the images, or raise `DataError` if it is none."""
    if image_size is None:
        return None
    sides = tuple(image_size) if isinstance(image_size, (tuple, list)) else ()
    if len(sides) != 2 or not all(is_number(side) and side > 0 for side in sides):
        raise DataError(
            say(
                "{image_size=} must be width and height in pixels, such as (640, 360), not "
                "{given!r}",
                given=image_size,
            )
        )
    return float(sides[0]), float(sides[1])


def check_groups(groups: Sequence[str] | None) -> None:
    """Raise `DataError` for a group that no recording has."""
    if isinstance(groups, str):
        raise DataError(say("{groups=} must be a list of names, such as [{given!r}]", given=groups))
    for group in groups or ():
        if group not in ALL_GROUPS:
            raise DataError(
                say(
                    "{groups=} has no {group!r}; {hint}",
                    group=group,
                    hint=near_names(str(group), ALL_GROUPS),
                )
            )
