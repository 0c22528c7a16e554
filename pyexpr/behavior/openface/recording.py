"""OpenFace recordings: every layout from 0.x to 2.x, on one dense grid of frames."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from pyexpr.base.errors import DataError, OpenFaceError, listed, near_names
from pyexpr.base.messages import Template, joined, message_column, say
from pyexpr.base.remote_files import reads_remote
from pyexpr.base.results import Result
from pyexpr.base.stopping import stoppable
from pyexpr.base.visible import visible
from pyexpr.behavior.openface.clock import Grid, Placing, placing, video_times
from pyexpr.behavior.openface.csv import (
    Columns,
    Source,
    open_session,
    open_source,
    read_columns,
)
from pyexpr.behavior.openface.layout import (
    FEATURE_GROUPS,
    GROUPS,
    OPENFACE,
    OUTER,
    ROW_COLUMNS,
    STABLE,
    Header,
    group_unit,
    layout_name,
)
from pyexpr.behavior.openface.options import Clock, Place, ReadingOptions
from pyexpr.behavior.openface.parts import open_part
from pyexpr.behavior.openface.plausible import MAX_SPEED, MAX_TURN, without_implausible
from pyexpr.behavior.openface.rows import FollowedRows, face_columns, follow
from pyexpr.behavior.openface.time import FrameRate, frame_rate
from pyexpr.core.frame_grid import blank_rows

if TYPE_CHECKING:
    import pandas as pd


_NO_VALUES = Template(
    "values_no_numbers", "{values:count value} in valid frames not a number, treated as missing"
)
_IMPLAUSIBLE = Template(
    "implausible_frames",
    "{frames:count frame} with implausible movement (over {speed:g} mm/s or {turn:g} "
    "degrees/s), treated as missing",
)
_JUMPED = Template(
    "impossible_jumps",
    "{jumps:count impossible jump} between stretches of the recording (over {speed:g} mm/s or "
    "{turn:g} degrees/s): a cut, or another person's face",
)
_MISSING = Template("groups_lacking", "the file has no columns for {groups}")
_GAZE_OF_VECTORS = Template("gaze_of_vectors", "gaze is read from its vectors")()
_CUT = Template("rows_cut", "{rows:count cut row} dropped whole")
_OVERLONG = Template("rows_overlong", "{rows:count row} with too many fields dropped")


@dataclass(frozen=True, slots=True)
class ReadLog:
    """Log of reading a file: counts of rows of the file and frames of the grid.

    Attributes
    ----------
    rows_read : int
        Whole rows, of all faces.
    rows_cut, rows_overlong : int
        Rows dropped because they have too few fields (or stop within the last
        number of the file), or too many.
    rows_doubled : int
        Rows of the followed face dropped because another row has their frame.
    rows_other_face : int
        Rows of faces that are not followed.
    frames_missing : int
        Frames without a row of the followed face.
    frames_failed : int
        Frames whose row is not valid: OpenFace failed, or its confidence was too low.
    faces : int
        Different values of ``face_id`` (1 where there is no such column).
    values_missing : int
        Values of the groups that are not numbers (NaN, infinite) in valid frames.
    frames_implausible : int
        Valid frames in which some group was set to missing because of implausible movement.
    jumps : int
        Impossible steps between two longer stretches of frames, as when a face's number
        passes to another person.
    ids_joined : int
        Values of ``face_id`` that were joined to that of the followed face.
    notes : tuple of str
        Notes on the interpretation, one sentence each.
    """

    rows_read: int = 0
    rows_cut: int = 0
    rows_overlong: int = 0
    rows_doubled: int = 0
    rows_other_face: int = 0
    frames_missing: int = 0
    frames_failed: int = 0
    faces: int = 1
    values_missing: int = 0
    frames_implausible: int = 0
    jumps: int = 0
    ids_joined: int = 0
    notes: tuple[str, ...] = ()


def _no_frames() -> NDArray[np.int64]:
    return np.zeros(0, dtype=np.int64)


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class OpenFaceRecording(Result):
    """One face in one video, a value per frame of a dense grid.

    Attributes
    ----------
    path : str
    fps : float
        Frames per second.
    fps_source : str
        ``"stated"`` (the argument), ``"timestamps"``, ``"video"`` (its presentation
        times), ``"resampled"`` (times of a variable rate: the recording is read off at
        an even one), or
        ``"default"`` (30, OpenFace's own assumption, where timestamps are absent or
        absurd).
    n_frames : int
        Frames from the first to the last number in the file, gaps included.
    present : (n_frames,) bool
        Whether the file has a row for the frame.
    valid : (n_frames,) bool
        Present, successful, and with sufficient confidence.
    confidence : (n_frames,) float64
        As in the file, 0 to 1; NaN where not present or not in the file.
    groups : mapping of str to float64 arrays
        (n_frames, ...) each, NaN where not valid. ``landmarks_2d`` (68, 2) px;
        ``landmarks_3d`` (68, 3) mm; ``pose_translation`` (3,) mm;
        ``pose_rotation`` (3,) rad; ``gaze_angle`` (2,) rad; ``gaze_vector`` (6,);
        ``au_presence`` (18,) 0/1; ``au_intensity`` (17,) 0 to 5; ``params`` (6,)
        p_scale, p_rx, p_ry, p_rz, p_tx, p_ty; ``eye_landmarks_2d`` (56, 2) px;
        ``eye_landmarks_3d`` (56, 3) mm; ``shape`` (34,).
    au_presence_names, au_intensity_names : tuple of str
        ``"AU01"`` and so on, as in the groups' columns.
    log : ReadLog
    doubled_frames, other_face_frames : (rows,) int64
        Frame of each row that was dropped because another row has its frame, or
        because it is of a face that is not followed; sorted.
    implausible_frames : (k,) int64
        Valid frames in which some group is missing because no head moves so.
    jumps : mapping of str to int64 arrays
        By group, the first frame after each impossible step between two stretches.
    sha256 : str
        Of the bytes that were read, in hexadecimal; "" of a recording without a file. Of a
        session of several files, the SHA-256 of the lines that theirs make.
    layout : str
        ``"openface"``, or the name of the layout of another tracker's table.
    units : mapping of str to str
        Units of groups that are not in OpenFace's.
    names : mapping of str to tuple of str
        What the columns of a group are, where OpenFace has no such group.
    regions : mapping of str to tuple of int
        Landmarks of the regions of the face, as the layout names them.
    stable : tuple of int
        Landmarks that expressions hardly move, by which a face is aligned; () if not known.
    outer : tuple of int
        The two landmarks at the outer corners of the eyes; () if there are none.
    image_size : tuple of float
        Width and height of the images (px) where the table or the caller told them, else ().
    """

    path: str
    fps: float
    fps_source: str
    n_frames: int
    present: NDArray[np.bool_]
    valid: NDArray[np.bool_]
    confidence: NDArray[np.float64]
    groups: Mapping[str, NDArray[np.float64]]
    au_presence_names: tuple[str, ...]
    au_intensity_names: tuple[str, ...]
    log: ReadLog
    doubled_frames: NDArray[np.int64] = field(default_factory=_no_frames)
    other_face_frames: NDArray[np.int64] = field(default_factory=_no_frames)
    implausible_frames: NDArray[np.int64] = field(default_factory=_no_frames)
    jumps: Mapping[str, NDArray[np.int64]] = field(default_factory=dict)
    sha256: str = ""
    layout: str = OPENFACE
    units: Mapping[str, str] = field(default_factory=dict)
    names: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    regions: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    stable: tuple[int, ...] = STABLE
    outer: tuple[int, ...] = OUTER
    image_size: tuple[float, ...] = ()

    def unit(self, group: str) -> str:
        """Return the unit of a group's values."""
        return self.units.get(group) or group_unit(group)

    def tidy(self) -> pd.DataFrame:
        """Return one row per group: its shape in one frame, unit, and share of known values."""
        import pandas as pd

        rows = [
            {
                "group": name,
                "shape": " x ".join(str(length) for length in values.shape[1:]),
                "unit": self.unit(name),
                "known": float(np.isfinite(values).mean()) if values.size else float("nan"),
            }
            for name, values in self.groups.items()
        ]
        return pd.DataFrame(rows, columns=["group", "shape", "unit", "known"])

    def heading(self) -> str:
        """Return file, length and frame rate in a sentence."""
        return (
            f"{self.path}: {self.n_frames} frames at {self.fps:.6g} per second "
            f"({self.fps_source}), {int(self.valid.sum())} valid"
        )

    def provenance(self) -> dict[str, Any]:
        """Return path, frame rate and the counts of the log."""
        counts = {item.name: getattr(self.log, item.name) for item in fields(self.log)}
        del counts["notes"]
        return {"path": self.path, "fps": self.fps, "fps_source": self.fps_source, **counts}

    def notes(self) -> tuple[str, ...]:
        """Return the notes of the log."""
        return self.log.notes

    def __repr__(self) -> str:
        return f"<OpenFaceRecording {visible(self.heading())}>"


@stoppable("a recording was read")
@reads_remote
def read_openface(
    path: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
    *,
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
    r"""Read the CSV file that OpenFace wrote about one video.

    Parameters
    ----------
    path : path
        A file of OpenFace 0.x to 2.x with any of its groups of columns; plain,
        or compressed (gzip, bz2). Of a session of DAIC-WOZ, whose columns lie in several
        files (``300_CLNF_features.txt``, ``features3D``, ``pose``, ``gaze``, ``AUs``), any
        one of them, which reads all that lie beside it, or the folder, or a list of the files
        to read; they must have the same frames and timestamps.
    groups : sequence of str, optional
        Keys of `OpenFaceRecording.groups`; only their columns are converted. By
        default those the features are computed from, as far as the file has them
        (``gaze_vector`` where it has no ``gaze_angle``).
    fps : float, optional
        Frames per second. By default inferred from the timestamps, if they increase at 4 to 250
        frames per second, and otherwise 30. `fps_source` and the log state which.
    clock : {"auto", "frames", "timestamps", "video"}
        Whether frames are placed by their numbers, by their timestamps, or by the
        times at which `video` shows them. ``"auto"`` places them by timestamps where
        those prove a variable rate and no `fps` is stated.
    video : path, optional
        The video from which the file was computed, for ``clock="video"``. OpenFace's own timestamps
        count frames at the mean rate, whatever the actual rate of the camera.
    min_confidence : float, optional
        Frames with lower confidence are not valid, even if OpenFace succeeded.
    face : "largest", "left", "right" or int
        Which ``face_id`` to follow through the recording. ``"largest"`` is the
        one with the largest sum over its valid frames of the diagonal of the box
        around its landmarks (of its confidence, where there are no landmarks);
        ``"left"`` and ``"right"`` are places in the image, of the two faces that
        are seen longest.
    join_ids : bool
        Whether to treat other values of ``face_id`` as the same face if they never occur together
        with it, and begin or end at its position and with its size.
    max_speed : float
        Maximum speed in mm/s. Frames that the head or the landmarks could only reach at a higher
        speed are treated as missing, and counted; ``inf`` sets no limit.
    max_turn : float
        Maximum speed in degrees/s of the rotation of the head and of the gaze, used in the same
        way.
    split_by, part : str, optional
        For a file with several recordings: the column that identifies the recording, and its value
        for this one.
    on_missing : {"error", "note"}
        What to do if one of `groups` is missing in the file.

    Returns
    -------
    OpenFaceRecording

    Raises
    ------
    OpenFaceError
        If the file is absent, unreadable, empty, cut in its header, without a
        whole row, not OpenFace's, holds text among its numbers, or several
        recordings one after the other.

    Notes
    -----
    Missing values: a frame is valid if the file has a row for it, ``success`` is
    1 (``confidence > 0.725``, OpenFace's own limit, where there is no such column)
    and the confidence is at least `min_confidence`. Frames that are not valid are
    NaN in every group: failed rows hold zeros, stale values or garbage. Values
    that are no number (``-nan(ind)``, ``inf``) are NaN, and so are those of a group in
    frames that cannot be reached from the frames around them at `max_speed` and
    `max_turn`.

    Frames are placed by their number, from 1 (or 0 if the file has a frame 0);
    numbers that are missing are gaps. If all rows have the same number, rows are
    consecutive frames. Of two rows for one frame the valid one, then the one of
    higher confidence, then the first is kept.

    Timestamps prove a variable rate if no even rate is right for all of them to their
    last decimal. If they lie on the grid of an even rate, of which frames were dropped,
    frames are placed on that grid. Otherwise the recording is read off at 30 frames per
    second (60, 120, 240 for faster ones): between two adjacent frames at most 0.3 s,
    or two usual periods, apart, in proportion to time; action units and confidence from
    the nearer frame.

    Examples
    --------
    >>> import os, tempfile
    >>> text = "frame, timestamp, confidence, success, gaze_angle_x, gaze_angle_y\n"
    >>> text += "1, 0.00, 0.98, 1, 0.10, 0.20\n2, 0.04, 0.98, 1, 0.11, 0.20\n"
    >>> path = os.path.join(tempfile.mkdtemp(), "clip.csv")
    >>> with open(path, "w") as file:
    ...     _ = file.write(text)
    >>> recording = read_openface(path, groups=["gaze_angle"])
    >>> recording.fps, recording.fps_source, recording.groups["gaze_angle"].shape
    (25.0, 'timestamps', (2, 2))
    """
    _check_arguments(groups, on_missing, split_by, part)
    options = ReadingOptions(
        fps=fps,
        clock=clock,
        min_confidence=min_confidence,
        face=face,
        join_ids=join_ids,
        max_speed=max_speed,
        max_turn=max_turn,
    )
    if clock == "video" and video is None:
        raise DataError(say("{clock='video'} needs the path of the video: {video=}"))
    if not isinstance(path, (str, os.PathLike)):
        files = _session(path)
        path = str(files[0])
        source = open_session(path, files)
    elif split_by is None or part is None:
        source = open_source(path)
    else:
        source = open_part(path, split_by, part)
    return _read(str(path), source, groups, options, on_missing, video)


def _session(paths: Sequence[str | os.PathLike[str]]) -> list[Path]:
    """Return the files of a list, none of them twice."""
    files = list(dict.fromkeys(map(Path, paths)))
    if not files:
        raise DataError(say("{path=} must name at least one file of a session"))
    return files


def _read(
    path: str,
    source: Source,
    groups: Sequence[str] | None,
    options: ReadingOptions,
    on_missing: str,
    video: str | os.PathLike[str] | None,
) -> OpenFaceRecording:
    header = source.header
    wanted, missing = found_groups(header, groups, on_missing)
    tables = [[name for name in ROW_COLUMNS if name in header]]
    tables += [list(header.group_columns(group)) for group in wanted]
    columns = read_columns(source, *tables)
    faces = face_columns(source, columns, wanted)
    found = recording_of(
        path, columns, faces, wanted, options, video, about_files=source.notes, notes=missing
    )
    return replace(found, sha256=source.sha256)


def recording_of(
    path: str,
    columns: Columns,
    faces: Columns | None,
    wanted: Sequence[str],
    options: ReadingOptions,
    video: str | os.PathLike[str] | None = None,
    *,
    about_files: tuple[str, ...] = (),
    notes: tuple[str, ...] = (),
) -> OpenFaceRecording:
    """Return the recording that columns hold, whichever tracker they are of.

    Parameters
    ----------
    path : str
        Of the recording; for messages the header has its own.
    columns : Columns
        Those of `ROW_COLUMNS` that there are, and the groups `wanted`, which are handed over.
    faces : Columns or None
        Columns with the places of faces, if several must be distinguished.
    wanted : sequence of str
        Groups.
    options : ReadingOptions
    video : path, optional
    about_files, notes : tuple of str
        Notes about the files, which come first, and others.
    """
    header = columns.header
    rows = follow(columns, faces, options)
    grid, values_missing = _grid(columns, rows, wanted)

    stamps = columns.column("timestamp")[rows.clock] if "timestamp" in header else None
    if options.clock == "video":
        stamps = video_times(header.path, str(video), rows.clock_frames)
    stated = None if options.fps is None else float(options.fps)
    rate = frame_rate(rows.clock_frames, stamps, stated)
    placed = _placed(header.path, rate, rows.clock_frames, stamps, options.clock)
    times = np.arange(rows.n_frames) / rate.fps
    if placed is not None:
        times = np.interp(np.arange(rows.n_frames), rows.clock_frames, placed.times)
    grid = without_implausible(
        grid,
        times,
        max_speed=options.max_speed,
        max_turn=options.max_turn,
        scale=header.scale,
    )
    if placed is not None:
        grid = grid.by_time(rows.clock_frames, placed)
    clock = rate if placed is None else placed
    jumps = {int(frame) for frames in grid.jumps.values() for frame in frames}
    found_notes = _found_notes(values_missing, len(grid.implausible), len(jumps), options)
    return OpenFaceRecording(
        path=path,
        fps=clock.fps,
        fps_source="video"
        if options.clock == "video" and clock.source == "timestamps"
        else clock.source,
        n_frames=len(grid.present),
        present=grid.present,
        valid=grid.valid,
        confidence=grid.confidence,
        groups=dict(grid.groups),
        au_presence_names=_unit_names(header, "au_presence", grid.groups),
        au_intensity_names=_unit_names(header, "au_intensity", grid.groups),
        log=ReadLog(
            rows_read=columns.n_rows,
            rows_cut=columns.n_cut,
            rows_overlong=columns.n_overlong,
            rows_doubled=len(rows.doubled),
            rows_other_face=len(rows.other),
            frames_missing=int((~grid.present).sum()),
            frames_failed=int((grid.present & ~grid.valid).sum()),
            faces=rows.faces,
            values_missing=values_missing,
            frames_implausible=len(grid.implausible),
            jumps=len(jumps),
            ids_joined=rows.ids_joined,
            notes=(
                *about_files,
                *_dropped_notes(columns),
                *rows.notes,
                *clock.notes,
                *notes,
                *found_notes,
            ),
        ),
        doubled_frames=grid.doubled,
        other_face_frames=grid.other,
        implausible_frames=grid.implausible,
        jumps=dict(grid.jumps),
    )


def _grid(columns: Columns, rows: FollowedRows, wanted: Sequence[str]) -> tuple[Grid, int]:
    """Return the frames by number, and how many values in valid ones are no number."""
    present = np.zeros(rows.n_frames, dtype=np.bool_)
    present[rows.frames] = True
    valid = np.zeros(rows.n_frames, dtype=np.bool_)
    valid[rows.frames] = rows.valid
    confidence = np.full(rows.n_frames, np.nan)
    confidence[rows.frames] = rows.confidence
    read: dict[str, NDArray[np.float64]] = {}
    values_missing = 0
    for group in wanted:
        members = columns.header.group_columns(group)
        values = np.require(rows.dense(columns.take_table(members)), np.float64, ("C", "A", "W"))
        values_missing += blank_rows(values, valid)
        read[group] = values.reshape(rows.n_frames, *columns.header.group_shape(group))
    grid = Grid(present, valid, confidence, read, rows.doubled, rows.other, _no_frames())
    return grid, values_missing


def _placed(
    path: str,
    rate: FrameRate,
    frames: NDArray[np.int64],
    stamps: NDArray[np.float64] | None,
    clock: Clock,
) -> Placing | None:
    """Return where frames go by their timestamps, None where they stay by their numbers."""
    if clock in ("timestamps", "video") and rate.source != "timestamps":
        raise OpenFaceError(
            say(
                "{path!r}: {clock=} was requested, but the timestamps give no times here "
                "({why}); use {clock='frames'} and state {fps=}",
                path=path,
                clock=clock,
                why=joined(rate.notes),
            )
        )
    if clock == "frames" or rate.uneven is None or stamps is None:
        return None
    return placing(rate.uneven, frames, stamps)


def _found_notes(
    values_missing: int, n_implausible: int, n_jumps: int, options: ReadingOptions
) -> tuple[str, ...]:
    notes: tuple[str, ...] = ()
    if values_missing:
        notes += (_NO_VALUES(values=values_missing),)
    limits = {"speed": options.max_speed, "turn": options.max_turn}
    if n_implausible:
        notes += (_IMPLAUSIBLE(frames=n_implausible, **limits),)
    if n_jumps:
        notes += (_JUMPED(jumps=n_jumps, **limits),)
    return notes


def _check_arguments(
    groups: Sequence[str] | None, on_missing: str, split_by: str | None, part: str | None
) -> None:
    if isinstance(groups, str):
        raise DataError(say("{groups=} must be a list of names, such as [{given!r}]", given=groups))
    for group in groups or ():
        if group not in GROUPS:
            raise DataError(
                say(
                    "{groups=} has no {group!r}; {hint}",
                    group=group,
                    hint=near_names(str(group), GROUPS),
                )
            )
    if on_missing not in ("error", "note"):
        raise DataError(
            say("{on_missing=} must be 'error' or 'note', not {given!r}", given=on_missing)
        )
    if (split_by is None) != (part is None):
        raise DataError(
            say(
                "{split_by=} names the column that identifies the recordings of a file, and "
                "{part=} its value for one of them; give both"
            )
        )


def found_groups(
    header: Header, groups: Sequence[str] | None, on_missing: str
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the groups to read, and notes on those that the file does not have."""
    wanted = tuple(dict.fromkeys(FEATURE_GROUPS if groups is None else groups))
    missing = tuple(group for group in wanted if not header.group_columns(group))
    if missing and groups is not None and on_missing == "error":
        raise OpenFaceError(
            f"{header.path!r}: the file has no columns for {listed(missing)}; it has "
            f"{listed(header.groups(), most=len(GROUPS))}: ask for those, or run OpenFace with "
            "more outputs"
        )
    found = tuple(group for group in wanted if group not in missing)
    notes = (_MISSING(groups=listed(missing)),) if missing else ()
    if groups is None and "gaze_angle" in missing and header.group_columns("gaze_vector"):
        return (*found, "gaze_vector"), (*notes, _GAZE_OF_VECTORS)
    return found, notes


def _unit_names(
    header: Header, group: str, read: Mapping[str, NDArray[np.float64]]
) -> tuple[str, ...]:
    return header.unit_names(group) if group in read else ()


def _dropped_notes(columns: Columns) -> tuple[str, ...]:
    notes: tuple[str, ...] = ()
    if columns.n_cut:
        notes += (_CUT(rows=columns.n_cut),)
    if columns.n_overlong:
        notes += (_OVERLONG(rows=columns.n_overlong),)
    return notes


@stoppable("a recording was read")
def describe_openface(path: str | os.PathLike[str]) -> pd.DataFrame:
    r"""Describe an OpenFace file in one row of a table.

    Parameters
    ----------
    path : path
        As in `read_openface`.

    Returns
    -------
    DataFrame
        One row: ``openface`` (the path), ``layout`` (which OpenFace writes such
        columns), ``columns``, ``groups`` (separated by blanks), ``rows`` (whole
        ones), ``frames`` (of the grid), ``fps``, ``fps_source``, ``seconds``,
        ``faces``, ``share_valid`` (of the frames, for the largest face), ``notes``.

    Raises
    ------
    OpenFaceError
        As `read_openface`.

    Examples
    --------
    >>> import os, tempfile
    >>> path = os.path.join(tempfile.mkdtemp(), "clip.csv")
    >>> with open(path, "w") as file:
    ...     _ = file.write("frame, timestamp, confidence, success, gaze_angle_x, gaze_angle_y\n")
    ...     _ = file.write("1, 0.00, 0.98, 1, 0.10, 0.20\n2, 0.04, 0.98, 0, 0.00, 0.00\n")
    >>> describe_openface(path)[["rows", "fps", "share_valid"]].values.tolist()
    [[2.0, 25.0, 0.5]]
    """
    import pandas as pd

    source = open_source(path)
    header = source.header
    groups = header.groups()
    # The smallest group is enough, because only counts are needed.
    least = min(groups, key=lambda group: len(header.group_columns(group)))
    recording = _read(str(path), source, [least], ReadingOptions(), "error", None)
    row = {
        "openface": header.path,
        "layout": layout_name(header),
        "columns": header.n_columns,
        "groups": " ".join(groups),
        "rows": recording.log.rows_read,
        "frames": recording.n_frames,
        "fps": recording.fps,
        "fps_source": recording.fps_source,
        "seconds": recording.n_frames / recording.fps,
        "faces": recording.log.faces,
        "share_valid": float(recording.valid.mean()),
    }
    return pd.DataFrame([row]).assign(notes=message_column([joined(recording.notes())]))
