"""What a tracker's table holds, declared: names of columns, units, validity, clock.

A layout is a TOML file. Those that are shipped stand in the folder ``layouts`` beside this
module; a user's own may start from one of them (``base = "mediapipe"``).
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StrictBool,
    StrictStr,
    ValidationError,
    model_validator,
)

from pyexpr.base.errors import LayoutError, listed, near_names
from pyexpr.base.messages import say
from pyexpr.behavior.tracks.layout_faults import faults

_FOLDER: Final = Path(__file__).parent / "layouts"
Whole = Annotated[int, Field(strict=True, ge=0)]
Real = Annotated[float, Field(strict=True, allow_inf_nan=False)]
# Larger ones are mistakes, and would take the memory of the machine.
Count = Annotated[int, Field(strict=True, ge=1, le=100_000)]
Size = Annotated[float, Field(strict=True, gt=0, le=1e6, allow_inf_nan=False)]
LengthUnit = Literal["px", "share", "mm", "cm", "m"]
AngleUnit = Literal["rad", "deg"]
TimeUnit = Literal["auto", "s", "ms", "us", "clock"]
#: Millimetres in a unit.
MILLIMETRES: Final = {"mm": 1.0, "cm": 10.0, "m": 1000.0}


class _Part(BaseModel):
    """A section of a layout: no entry but those that it has."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Proof(_Part):
    """Names that a header must have, and must not have, for the layout to be proved by it."""

    all: Annotated[tuple[StrictStr, ...], Field(min_length=1)]
    none: tuple[StrictStr, ...] = ()


class Time(_Part):
    """The column of times. ``auto``: seconds, milliseconds or microseconds, as their rate says."""

    column: StrictStr
    unit: TimeUnit = "auto"


class Valid(_Part):
    """The column by which a row is valid: at least or above a number, or equal to one."""

    column: StrictStr
    at_least: Real | None = None
    above: Real | None = None
    equals: Real | None = None

    @model_validator(mode="after")
    def _one_rule(self) -> Valid:
        if sum(one is not None for one in (self.at_least, self.above, self.equals)) != 1:
            raise ValueError("give one of at_least, above and equals")
        return self


class Rows(_Part):
    """Which rows are the tracker's: those with one of some texts in a column, or with any."""

    column: StrictStr
    equals: tuple[StrictStr, ...] = ()


class Points(_Part):
    """Landmarks: patterns with ``{}`` for the number (or label) of a point, or a cell with all."""

    x: StrictStr | None = None
    y: StrictStr | None = None
    z: StrictStr | None = None
    # A column whose cells hold all points of a row: [[x, y], [x, y], ...].
    cells: StrictStr | None = None
    first: Whole = 0
    # How many points there may be; without it as many as the header has.
    count: tuple[Count, ...] = ()
    labels: tuple[StrictStr, ...] = ()
    unit: LengthUnit
    score: StrictStr | None = None
    score_above: Real | None = None
    optional: StrictBool = False
    regions: dict[str, tuple[Whole, ...]] = {}
    stable: tuple[Whole, ...] = ()
    outer_eyes: tuple[Whole, ...] = ()

    @model_validator(mode="after")
    def _found_by_name(self) -> Points:
        if (self.cells is None) == (self.x is None and self.y is None):
            raise ValueError("give patterns x and y (and z), or cells")
        if self.cells is None and (self.x is None or self.y is None):
            raise ValueError("a point has x and y: give both patterns")
        if self.cells is not None and len(self.count) != 1:
            raise ValueError("cells need the count of points, such as count = [98]")
        for pattern in (self.x, self.y, self.z, self.score):
            if pattern is not None and pattern.count("{}") != 1:
                raise ValueError(
                    f"the pattern {pattern!r} must have {{}} once, where the number of a point "
                    "stands"
                )
        if (self.score is None) != (self.score_above is None):
            raise ValueError("score and score_above belong together")
        if len(self.outer_eyes) not in (0, 2):
            raise ValueError("outer_eyes are two points")
        return self

    def axes(self) -> tuple[str, ...]:
        """Return the patterns of the axes that there are."""
        return tuple(one for one in (self.x, self.y, self.z) if one is not None)


class Head(_Part):
    """Where the head is, and how it is turned (about x, y and z: pitch, yaw and roll)."""

    position: tuple[StrictStr, StrictStr, StrictStr] | None = None
    position_unit: Literal["mm", "cm", "m"] = "mm"
    rotation: tuple[StrictStr, StrictStr, StrictStr] | None = None
    rotation_unit: AngleUnit = "deg"
    optional: StrictBool = False


class Gaze(_Part):
    """Angles of the gaze: to the side and up, as OpenFace's gaze_angle_x and gaze_angle_y."""

    angle: tuple[StrictStr, StrictStr]
    unit: AngleUnit
    optional: StrictBool = False


class Values(_Part):
    """Columns of one kind: names, or a pattern with ``{}`` (a number) or ``*`` (any name)."""

    columns: StrictStr | tuple[StrictStr, ...]
    unit: StrictStr
    scale: Size = 1.0
    # Action units over this are present.
    present_above: Real | None = None
    optional: StrictBool = False


class ActionUnits(_Part):
    """Action units: present (0/1), how intense, or a score (a probability, or odds)."""

    presence: StrictStr | tuple[StrictStr, ...] | None = None
    intensity: Values | None = None
    score: Values | None = None
    optional: StrictBool = False


class Image(_Part):
    """The size of the images: numbers, or the columns that have them."""

    width: StrictStr | Size
    height: StrictStr | Size
    optional: StrictBool = False

    @model_validator(mode="after")
    def _of_one_kind(self) -> Image:
        if isinstance(self.width, str) != isinstance(self.height, str):
            raise ValueError("width and height are two numbers, or two columns")
        return self


class Layout(_Part):
    """What a tracker's table holds.

    Attributes
    ----------
    name, title, people : str
        Its name; its tracker; the advice for tables of several people.
    proof : Proof or None
        How a header proves it; without it the layout must be named.
    header : str
        The name that the header line begins with, where other lines stand before it.
    missing : tuple of str
        Words for a missing number, besides those that every table may have.
    frame, person, confidence : str or None
        Columns.
    time, valid, rows, points, points_3d, head, gaze, action_units, blendshapes, emotions, image
        What stands in the table; None where it does not.
    fps : float or None
        Frames per second, where the table has no times.
    """

    name: StrictStr
    title: StrictStr = ""
    people: StrictStr = ""
    proof: Proof | None = None
    header: StrictStr = ""
    missing: tuple[StrictStr, ...] = ()
    frame: StrictStr | None = None
    person: StrictStr | None = None
    confidence: StrictStr | None = None
    fps: Size | None = None
    time: Time | None = None
    valid: Valid | None = None
    rows: Rows | None = None
    points: Points | None = None
    points_3d: Points | None = None
    head: Head | None = None
    gaze: Gaze | None = None
    action_units: ActionUnits | None = None
    blendshapes: Values | None = None
    emotions: Values | None = None
    image: Image | None = None

    @model_validator(mode="after")
    def _has_something(self) -> Layout:
        parts = (self.points, self.points_3d, self.head, self.gaze, self.action_units)
        if all(part is None for part in (*parts, self.blendshapes, self.emotions)):
            raise ValueError(
                "the layout names nothing to read: give [points], [head], [gaze], [action_units], "
                "[blendshapes] or [emotions]"
            )
        if self.points_3d is not None and self.points_3d.z is None:
            raise ValueError("[points_3d] needs the pattern z")
        return self

    def proved_by(self, names: Iterable[str]) -> bool:
        """Return whether a header proves the layout."""
        if self.proof is None:
            return False
        known = set(names)
        return known.issuperset(self.proof.all) and known.isdisjoint(self.proof.none)


@cache
def shipped() -> dict[str, Layout]:
    """Return the layouts that pyexpr brings, by name."""
    found = [load_layout(path) for path in sorted(_FOLDER.glob("*.toml"))]
    return {one.name: one for one in found}


def layout_named(layout: str | Path) -> Layout:
    """Return a shipped layout, or the user's in a file (a path that ends in ``.toml``).

    Raises
    ------
    LayoutError
        If there is none of that name, or the file cannot be used.
    """
    text = str(layout)
    if isinstance(layout, Path) or text.lower().endswith(".toml"):
        return load_layout(Path(text))
    if text not in shipped():
        raise LayoutError(
            say(
                "{layout=} has no {given!r}; {hint}; a layout of your own is a file that ends "
                "in '.toml'",
                given=text,
                hint=near_names(text, ("openface", *shipped())),
            )
        )
    return shipped()[text]


def layout_beside(name: Any, folder: Path) -> Any:
    """Return what a table or study names as a layout, the path of a file from its own folder."""
    of_file = isinstance(name, str) and name.strip().lower().endswith(".toml")
    return str(folder / name.strip()) if of_file else name


def load_layout(path: Path) -> Layout:
    """Return the layout in a TOML file; `LayoutError` says in a sentence what is wrong in it."""
    return layout_of(_entries(path, ()), str(path), path.stem)


def layout_files(layout: str | Path) -> tuple[Path, ...]:
    """Return the files of the user that a layout consists of: its own, and that of its base.

    None of a layout that pyexpr brings. What cannot be read is left to `layout_named`, which says
    why.
    """
    found: list[Path] = []
    name: Any = str(layout)
    folder = Path()
    while isinstance(name, str) and name.lower().endswith(".toml") and "\0" not in name:
        path = folder / name
        if path in found or not path.is_file():
            break
        found.append(path)
        try:
            name = tomllib.loads(path.read_bytes().decode("utf-8-sig")).get("base")
        except (OSError, ValueError, RecursionError):
            break
        folder = path.parent
    return tuple(found)


def _entries(path: Path, seen: tuple[Path, ...]) -> dict[str, Any]:
    """Return the entries of a file, over those of its base."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise LayoutError(f"{str(path)!r}: there is no such file; check the path") from None
    except OSError as error:
        raise LayoutError(
            f"{str(path)!r}: the layout cannot be read: {error.strerror or error}"
        ) from None
    except ValueError:
        raise LayoutError(
            f"{str(path)!r}: the name of a layout's file cannot hold a NUL character"
        ) from None
    if b"\x00" in content:
        raise LayoutError(
            f"{str(path)!r}: the layout holds a NUL byte, so it is no text; write it as UTF-8 TOML"
        )
    try:
        entries = tomllib.loads(content.decode("utf-8-sig"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise LayoutError(f"{str(path)!r}: the layout is no TOML: {error}") from None
    except RecursionError:
        raise LayoutError(
            f"{str(path)!r}: lists or tables are nested too deeply; a layout's are three deep"
        ) from None
    except ValueError:
        # Python itself reads no number of more than 4,300 digits.
        raise LayoutError(
            f"{str(path)!r}: a whole number of thousands of digits is no entry of a layout"
        ) from None
    base = entries.pop("base", None)
    if base is None:
        return entries
    if not isinstance(base, str):
        raise LayoutError(
            f"{str(path)!r}: base must be the name of a layout, not {str(base)[:60]!r}"
        )
    # What a user changes may make another table of it: only the original's proof is the file's.
    if base.lower().endswith(".toml") and "\0" not in base:
        below = path.parent / base
        if below.resolve() in seen:
            raise LayoutError(f"{str(path)!r}: the base {base!r} is based on this layout")
        under = _entries(below, (*seen, path.resolve()))
    elif base in _names():
        under = _entries(_FOLDER / f"{base}.toml", ())
    else:
        raise LayoutError(
            f"{str(path)!r}: there is no layout {base[:60]!r} to be the base; "
            f"{near_names(base, _names())}"
        )
    return _merged(under, {"name": path.stem} | entries)


def _names() -> tuple[str, ...]:
    return tuple(sorted(path.stem for path in _FOLDER.glob("*.toml")))


def _merged(under: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Return entries over others: sections are merged, entries replaced."""
    found = dict(under)
    for name, value in over.items():
        below = found.get(name)
        both = isinstance(below, dict) and isinstance(value, dict)
        found[name] = _merged(below, value) if both and below is not None else value
    return found


def layout_of(entries: Mapping[str, Any], what: str, name: str = "") -> Layout:
    """Return a layout of its entries; `what` names it in the error."""
    named = {"name": name} | dict(entries)
    try:
        return Layout.model_validate(named)
    except ValidationError as error:
        raise LayoutError(f"{what!r}: {faults(error, Layout, named)}") from None


def unknown_layout(path: str, names: Iterable[str]) -> LayoutError:
    """Return the error for a table that no layout is proved by."""
    return LayoutError(
        say(
            "{path!r}: its header proves no layout that is known ({known}); say what its columns "
            "are ({points=}, {time=}, {person=}), or name a layout ({layout=}) or a file of your "
            "own; its first columns are {names}",
            path=path,
            known=listed(("openface", *shipped()), most=20),
            names=listed(names, most=5),
        )
    )
