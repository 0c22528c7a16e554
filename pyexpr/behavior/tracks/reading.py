"""Recordings of any tracker: a table, and a layout that says what stands in it."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np

from pyexpr.base.errors import DataError, OpenFaceError, TracksError, listed
from pyexpr.base.messages import Template, message_of, say
from pyexpr.base.remote_files import reads_remote
from pyexpr.base.stopping import stoppable
from pyexpr.behavior.openface.csv import Columns
from pyexpr.behavior.openface.layout import FEATURE_GROUPS, OPENFACE
from pyexpr.behavior.openface.options import Clock, Place, ReadingOptions
from pyexpr.behavior.openface.plausible import MAX_SPEED, MAX_TURN
from pyexpr.behavior.openface.recording import (
    OpenFaceRecording,
    read_openface,
    recording_of,
)
from pyexpr.behavior.tracks.arguments import check_groups, checked_size, own_entries
from pyexpr.behavior.tracks.groups import OTHER_GROUPS, SHARE, Group, groups_of
from pyexpr.behavior.tracks.layout import Layout, LengthUnit, TimeUnit, layout_named
from pyexpr.behavior.tracks.recognition import AUTO, layout_for, recognised
from pyexpr.behavior.tracks.rows import Translated, translated
from pyexpr.behavior.tracks.table import Table
from pyexpr.behavior.tracks.text_table import beginning_of

if TYPE_CHECKING:
    from pyexpr.base.foreign import FrameLike


#: What is read unless groups are named; landmarks in space where there are none of the image.
_USUAL: Final = (*FEATURE_GROUPS, *OTHER_GROUPS)
_SHARES = Template(
    "image_shares",
    "points are shares of the image, x of its width and y of its height: state {image_size=} for "
    "pixels",
    report="points are shares of the image, x of its width and y of its height",
)
_PEOPLE_OF_LAYOUT = Template("people_of_layout", "{note}")
_MISSING = Template("tracks_lacking", "the table has no {groups}")


@stoppable("a recording was read")
@reads_remote
def read_tracks(
    source: FrameLike | str | os.PathLike[str],
    layout: str | os.PathLike[str] | None = None,
    *,
    points: Sequence[str] | None = None,
    units: LengthUnit | None = None,
    frame: str | None = None,
    time: str | tuple[str, TimeUnit] | None = None,
    valid: str | tuple[str, float] | None = None,
    person: str | None = None,
    image_size: tuple[float, float] | None = None,
    groups: Sequence[str] | None = None,
    fps: float | None = None,
    clock: Clock = "auto",
    min_confidence: float | None = None,
    face: Place | int = "largest",
    join_ids: bool = False,
    max_speed: float = MAX_SPEED,
    max_turn: float = MAX_TURN,
    video: str | os.PathLike[str] | None = None,
    split_by: str | None = None,
    part: str | None = None,
    on_missing: Literal["error", "note"] = "error",
) -> OpenFaceRecording:
    r"""Read a table of tracked points, head pose, action units or blendshapes.

    Parameters
    ----------
    source : path or DataFrame
        A file of text (commas, semicolons or tabs; plain or compressed), xlsx, parquet or
        feather; a folder of OpenPose's JSON files; or a data frame of any library.
    layout : str or path, optional
        The meaning of the columns: the name of a layout that pyexpr contains (``"openface"``,
        ``"py-feat"``, ``"mediapipe"`` and others), or a TOML file of your own (``.toml``). By
        default the layout is identified from the header.
    points : sequence of str, optional
        Patterns of the columns of x and y (and z), with ``{}`` for the number of a point:
        ``["x_{}", "y_{}"]``. They replace the points of the layout, if one is given.
    units : {"px", "share", "mm", "cm", "m"}, optional
        Unit of the points; it is required with `points`. ``"share"`` means proportions of the
        image: x of its width, y of its height.
    frame, person : str, optional
        Columns of the frame number and of the person (numbers or names).
    time : str or (str, unit), optional
        The column of times, and its unit: ``"s"``, ``"ms"``, ``"us"`` or ``"clock"``
        (hours:minutes:seconds). Without a unit, the one for which there are 4 to 250 frames per
        second is used.
    valid : str or (str, float), optional
        The column that is 1 (or true) in valid rows; or a column and its minimum in valid rows.
    image_size : (float, float), optional
        Width and height of the images (px), with which proportions of the image are converted to
        pixels.
    groups : sequence of str, optional
        As in `read_openface`, and ``"au_score"``, ``"blendshapes"``, ``"emotions"``. By
        default all but landmarks in space beside those in the image.
    fps : float, optional
        Frames per second of the video. It is required if the table contains no times.
    clock, min_confidence, face, join_ids, max_speed, max_turn, video, split_by, part, on_missing
        As in `read_openface`.

    Returns
    -------
    OpenFaceRecording
        The same as for `read_openface`; `layout` and `units` state its origin. Lengths are in px,
        mm or proportions of the image, and angles in radians.

    Raises
    ------
    LayoutError
        If the header identifies no layout, or if a layout cannot be used or names columns that
        do not exist.
    TracksError
        If the table cannot be read, has no times and no `fps` is given, has times that are
        negative or do not increase, or has no row with a point.

    Notes
    -----
    Missing values: a row is valid if the layout's column states so and it has a point (or any
    value, if there are no points). Values of invalid rows are NaN. If the score of a point is too
    low, only this point is NaN. The clock, gaps, several faces and implausible movement are
    treated as in `read_openface`.

    Examples
    --------
    >>> import numpy as np
    >>> table = {"t": np.arange(4) * 40.0}
    >>> table |= {"a0": [0.0, 1, 2, 3], "b0": 0.0, "a1": [5.0, 5, 5, 5], "b1": [1.0, 1, 1, 1]}
    >>> table["b0"] = [0.0] * 4
    >>> recording = read_tracks(table, points=["a{}", "b{}"], units="px", time=("t", "ms"))
    >>> recording.fps, recording.groups["landmarks_2d"].shape, recording.unit("landmarks_2d")
    (25.0, (4, 2, 2), 'px')
    """
    size = checked_size(image_size)
    own = own_entries(points, units, frame, time, valid, person)
    check_groups(groups)
    options: dict[str, Any] = {
        "fps": fps,
        "clock": clock,
        "min_confidence": min_confidence,
        "face": face,
        "join_ids": join_ids,
        "max_speed": max_speed,
        "max_turn": max_turn,
    }
    # These checks come before anything is read.
    ReadingOptions(**options)
    if clock == "video" and video is None:
        raise DataError(say("{clock='video'} needs the path of the video: {video=}"))
    if (split_by is None) != (part is None):
        raise DataError(
            say(
                "{split_by=} names the column that tells the recordings of a file apart, and "
                "{part=} what stands there for one of them; give both"
            )
        )
    found = layout_for(source, layout, own, in_parts=part is not None)
    if isinstance(found, str):
        return read_openface(
            source,  # type: ignore[arg-type]
            groups=groups,
            video=video,
            split_by=split_by,
            part=part,
            on_missing=on_missing,
            **options,
        )
    chosen, table = found
    parts = () if split_by is None or part is None else ((split_by, part),)
    return _read(chosen, table, groups, options, size, video, parts, on_missing)


def _read(
    layout: Layout,
    table: Table,
    groups: Sequence[str] | None,
    options: dict[str, Any],
    image_size: tuple[float, float] | None,
    video: str | os.PathLike[str] | None,
    part: tuple[tuple[str, str], ...],
    on_missing: str,
    *,
    needs_rate: bool = True,
) -> OpenFaceRecording:
    image_size = image_size or _stated_size(layout)
    known = groups_of(layout, table, image_size)
    wanted, missing = _wanted(table.path, tuple(known), groups, on_missing)
    if options["fps"] is None and options["clock"] == "auto":
        options = options | {"fps": layout.fps}
    if needs_rate and options["fps"] is None and layout.time is None and video is None:
        raise TracksError(_no_times(table.path, layout))
    reading = ReadingOptions(**options)
    try:
        found = translated(
            layout,
            table,
            groups=wanted,
            image_size=image_size,
            part=part,
            # A video has the frames between, too.
            in_steps=reading.clock != "video",
        )
        if reading.fps is not None:
            # That of the video, of which only each so many-th frame was tracked.
            reading = replace(reading, fps=reading.fps / found.step)
        recording = _recording(table, found, wanted, reading, video, missing)
    except TracksError:
        raise
    except OpenFaceError as error:
        raise TracksError(message_of(error)) from None
    if needs_rate and recording.fps_source == "default":
        raise TracksError(_no_times(table.path, layout))
    return _with_layout(recording, layout, table, found)


def read_by_layout(layout: Layout, table: Table) -> tuple[OpenFaceRecording, dict[str, str]]:
    """Return what a table gives by a layout, whatever its rate, and the units of its groups."""
    known = groups_of(layout, table, _stated_size(layout))
    options = ReadingOptions().to_dict()
    recording = _read(layout, table, None, options, None, None, (), "note", needs_rate=False)
    units = {name: recording.units.get(name, group.unit) for name, group in known.items()}
    return recording, units


@reads_remote
def read_recording(
    path: str, layout: str | None, *, groups: Sequence[str] | None, **options: Any
) -> OpenFaceRecording:
    """Return a recording for its features: OpenFace's without a layout, else as `read_tracks`.

    Named groups are those that OpenFace has; what a layout has besides comes with them.
    """
    if layout is None or layout == OPENFACE:
        return read_openface(path, groups=groups, **options)
    if groups is not None:
        found = layout_for(path, layout, {}, in_parts=options.get("part") is not None)
        if isinstance(found, str):
            return read_openface(path, groups=groups, **options)
        groups = (*groups, *(one for one in OTHER_GROUPS if one in groups_of(*found, None)))
    return read_tracks(path, layout, groups=groups, **options)


def read_some(
    path: str,
    layout: str,
    *,
    groups: Sequence[str],
    needed: Sequence[str],
    of_openface: Sequence[str],
    **options: Any,
) -> OpenFaceRecording:
    """Return a recording with those of some groups that its layout has; some are `needed`.

    Of a table that is OpenFace's all of `of_openface` are read.

    Raises
    ------
    TracksError
        If the table has none of the groups, or if a required one is missing.
    """
    found = layout_for(path, layout, {})
    if isinstance(found, str):
        return read_openface(path, groups=of_openface, **options)
    chosen, table = found
    known = groups_of(chosen, table, _stated_size(chosen))
    there = some_groups(path, chosen.name, known, groups, needed)
    reading = ReadingOptions(**options).to_dict()
    return _read(chosen, table, there, reading, None, None, (), "error")


def some_groups(
    path: str, layout: str, known: Iterable[str], groups: Sequence[str], needed: Sequence[str]
) -> tuple[str, ...]:
    """Return those of some groups that a table has; it must have one, and those `needed`."""
    known = tuple(known)
    there = tuple(name for name in groups if name in known)
    missing = [name for name in needed if name not in known] or list(groups[: not there])
    if missing:
        raise TracksError(
            f"{path!r}: the table has no columns for {listed(missing if there else groups)} by the "
            f"layout {layout!r}; it has {listed(known, most=len(known))}: ask for those"
        )
    return there


def header_groups(path: str, layout: str) -> tuple[str, dict[str, Group]] | None:
    """Return a table's layout and groups by its header alone; None for OpenFace's own."""
    beginning = beginning_of(path)
    name = layout
    if layout == AUTO and beginning is not None:
        name = recognised(beginning) or AUTO
    if name == OPENFACE:
        return None
    if beginning is None or name == AUTO:
        found = layout_for(path, layout, {})
        if isinstance(found, str):
            return None
        chosen, table = found
    else:
        chosen = layout_named(name)
        table = beginning.with_header(chosen.header)
    return chosen.name, groups_of(chosen, table, _stated_size(chosen))


def group_labels(path: str, layout: str) -> dict[str, tuple[str, ...]] | None:
    """Return the labels of a table's groups by its header alone; None for OpenFace's own."""
    found = header_groups(path, layout)
    return None if found is None else {name: one.labels for name, one in found[1].items()}


def unit_names(path: str, layout: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the action units of a table, present and how intense, by its header alone."""
    found = layout_for(path, layout, {})
    if isinstance(found, str):
        raise TracksError(f"{path!r}: this is OpenFace's")
    groups = groups_of(*found, None)
    presence, intensity = (groups.get(name) for name in ("au_presence", "au_intensity"))
    return (
        () if presence is None else presence.labels,
        () if intensity is None else intensity.labels,
    )


def _recording(
    table: Table,
    found: Translated,
    wanted: Sequence[str],
    options: ReadingOptions,
    video: str | os.PathLike[str] | None,
    missing: tuple[str, ...],
) -> OpenFaceRecording:
    columns = found.columns
    # Landmarks and the head's place come with people, whether requested or not.
    several = "face_id" in columns.header
    return recording_of(
        table.path,
        columns,
        columns if several and _distinguishable(columns) else None,
        wanted,
        options,
        video,
        notes=(*found.notes, *missing),
    )


def _distinguishable(columns: Columns) -> bool:
    """Return whether there are several people, and something tells where they are."""
    ids = columns.column("face_id")
    ids = ids[np.isfinite(ids)]
    groups = columns.header.groups()
    placed = "landmarks_2d" in groups or "pose_translation" in groups
    return placed and len(ids) > 0 and bool((ids != ids[0]).any())


def _with_layout(
    recording: OpenFaceRecording, layout: Layout, table: Table, found: Translated
) -> OpenFaceRecording:
    groups = {name: found.header.groups_read[name] for name in recording.groups}
    points = layout.points or layout.points_3d
    notes = recording.log.notes
    if any(group.unit == SHARE for group in groups.values()):
        notes = (*notes, _SHARES())
    if layout.people and recording.log.faces > 1:
        notes = (*notes, _PEOPLE_OF_LAYOUT(note=layout.people))
    return replace(
        recording,
        log=replace(recording.log, notes=notes),
        sha256=table.sha256,
        layout=layout.name,
        units={name: group.unit for name, group in groups.items()},
        names={name: group.labels for name, group in groups.items() if group.labels},
        regions={} if points is None else dict(points.regions),
        stable=() if points is None else points.stable,
        outer=() if points is None else points.outer_eyes,
        image_size=tuple(found.image_size),
    )


def _no_times(path: str, layout: Layout) -> str:
    if layout.time is not None:
        return say(
            "{path!r}: the times in column {column!r} tell no rate of 4 to 250 frames per second; "
            "state {fps=}",
            path=path,
            column=layout.time.column,
        )
    return say(
        "{path!r}: the table has no times, so its movement has no speed; state {fps=} (the frames "
        "per second of the video), or name a column of times ({time=})",
        path=path,
    )


def _stated_size(layout: Layout) -> tuple[float, float] | None:
    image = layout.image
    if image is None or isinstance(image.width, str) or isinstance(image.height, str):
        return None
    return image.width, image.height


def _wanted(
    path: str, known: Sequence[str], groups: Sequence[str] | None, on_missing: str
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the groups to read, and notes on those that the table does not have."""
    if groups is None:
        usual = tuple(name for name in _USUAL if name in known)
        if "landmarks_2d" not in known and "landmarks_3d" in known:
            usual = ("landmarks_3d", *usual)
        return usual, ()
    missing = tuple(name for name in dict.fromkeys(groups) if name not in known)
    if missing and on_missing == "error":
        raise TracksError(
            f"{path!r}: the table has no columns for {listed(missing)}; it has "
            f"{listed(known, most=len(known))}: ask for those"
        )
    found = tuple(name for name in dict.fromkeys(groups) if name in known)
    return found, (_MISSING(groups=listed(missing)),) if missing else ()
