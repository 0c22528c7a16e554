"""OpenFace recordings: every layout from 0.x to 2.x, on one dense grid of frames."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from pyexpr.base.errors import DataError, OpenFaceError, listed, near_names
from pyexpr.base.messages import Template, joined, message_column, say
from pyexpr.base.results import Result
from pyexpr.base.stopping import stoppable
from pyexpr.behavior.openface.csv import Columns, open_source, read_columns
from pyexpr.behavior.openface.layout import (
    FEATURE_GROUPS,
    GROUPS,
    ROW_COLUMNS,
    Header,
    group_shape,
    group_unit,
    layout_name,
)
from pyexpr.behavior.openface.rows import face_columns, follow
from pyexpr.behavior.openface.time import frame_rate

if TYPE_CHECKING:
    import pandas as pd


_NO_VALUES = Template(
    "values_no_numbers", "{values:count value} in valid frames no number: missing"
)
_LACKING = Template("groups_lacking", "the file has no columns for {groups}")
_GAZE_OF_VECTORS = Template("gaze_of_vectors", "gaze is read from its vectors")()
_CUT = Template("rows_cut", "{rows:count cut row} dropped whole")
_OVERLONG = Template("rows_overlong", "{rows:count row} with too many fields dropped")


@dataclass(frozen=True, slots=True)
class ReadLog:
    """What reading a file met with, in rows of the file and frames of the grid.

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
        Frames whose row is not valid: OpenFace failed, or was not certain enough.
    faces : int
        Different values of ``face_id`` (1 where there is no such column).
    values_missing : int
        Values of the groups read that are no number (NaN, infinite) though their
        frame is valid.
    notes : tuple of str
        What a reader of the numbers must know, a sentence each.
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
        ``"stated"`` (the argument), ``"timestamps"``, or ``"default"`` (30,
        OpenFace's own assumption, where timestamps are absent or absurd).
    n_frames : int
        Frames from the first to the last number in the file, gaps included.
    present : (n_frames,) bool
        Whether the file has a row for the frame.
    valid : (n_frames,) bool
        Present, successful and certain enough.
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
    sha256 : str
        Of the bytes that were read, in hexadecimal; "" of a recording without a file.
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
    sha256: str = ""

    def tidy(self) -> pd.DataFrame:
        """Return one row per group: its shape in one frame, unit, and share of known values."""
        import pandas as pd

        rows = [
            {
                "group": name,
                "shape": " x ".join(str(length) for length in values.shape[1:]),
                "unit": group_unit(name),
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
        return f"<OpenFaceRecording {self.heading()}>"


@stoppable("a recording was read")
def read_openface(
    path: str | os.PathLike[str],
    *,
    groups: Sequence[str] | None = None,
    fps: float | None = None,
    min_confidence: float | None = None,
    face: Literal["largest"] | int = "largest",
    on_missing: Literal["error", "note"] = "error",
) -> OpenFaceRecording:
    r"""Read the CSV file that OpenFace wrote about one video.

    Parameters
    ----------
    path : path
        A file of OpenFace 0.x to 2.x with any of its groups of columns; plain,
        or compressed (gzip, bz2).
    groups : sequence of str, optional
        Keys of `OpenFaceRecording.groups`; only their columns are converted. By
        default those the features are computed from, as far as the file has them
        (``gaze_vector`` where it has no ``gaze_angle``).
    fps : float, optional
        Frames per second. By default what the timestamps tell, if they increase
        at 4 to 250 frames per second; else 30. `fps_source` and the log say which.
    min_confidence : float, optional
        Frames of lower confidence are not valid, even if OpenFace succeeded.
    face : "largest" or int
        Which ``face_id`` to follow through the recording. ``"largest"`` is the
        one with the largest sum over its valid frames of the diagonal of the box
        around its landmarks (of its confidence, where there are no landmarks).
    on_missing : {"error", "note"}
        What to do where the file lacks one of `groups`.

    Returns
    -------
    OpenFaceRecording

    Raises
    ------
    OpenFaceError
        If the file is absent, unreadable, empty, cut in its header, without a
        whole row, not OpenFace's, or holds text among its numbers.

    Notes
    -----
    Missing values: a frame is valid if the file has a row for it, ``success`` is
    1 (``confidence > 0.725``, OpenFace's own limit, where there is no such column)
    and the confidence is at least `min_confidence`. Frames that are not valid are
    NaN in every group: failed rows hold zeros, stale values or garbage. Values
    that are no number (``-nan(ind)``, ``inf``) are NaN.

    Frames are placed by their number, from 1 (or 0 if the file has a frame 0);
    numbers that are missing are gaps. If all rows have the same number, rows are
    consecutive frames. Of two rows for one frame the valid one, then the one of
    higher confidence, then the first is kept.

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
    _check_arguments(groups, fps, min_confidence, face, on_missing)
    source = open_source(path)
    header = source.header
    wanted, notes = _wanted_groups(header, groups, on_missing)
    tables = [[name for name in ROW_COLUMNS if name in header]]
    tables += [list(header.group_columns(group)) for group in wanted]
    columns = read_columns(source, *tables)
    rows = follow(columns, face_columns(source, columns, wanted), min_confidence, face)

    present = np.zeros(rows.n_frames, dtype=np.bool_)
    present[rows.frames] = True
    valid = np.zeros(rows.n_frames, dtype=np.bool_)
    valid[rows.frames] = rows.valid
    confidence = np.full(rows.n_frames, np.nan)
    confidence[rows.frames] = rows.confidence
    times = columns.column("timestamp")[rows.clock] if "timestamp" in header else None
    rate = frame_rate(rows.clock_frames, times, None if fps is None else float(fps))

    read: dict[str, NDArray[np.float64]] = {}
    values_missing = 0
    for group in wanted:
        members = header.group_columns(group)
        values = rows.dense(columns.hand_over(members))
        values[~valid] = np.nan
        values_missing += int(np.isnan(values[valid]).sum()) if np.isnan(values.sum()) else 0
        read[group] = values.reshape(rows.n_frames, *group_shape(group, len(members)))
    if values_missing:
        notes += (_NO_VALUES(values=values_missing),)
    return OpenFaceRecording(
        path=header.path,
        fps=rate.fps,
        fps_source=rate.source,
        n_frames=rows.n_frames,
        present=present,
        valid=valid,
        confidence=confidence,
        groups=read,
        au_presence_names=_unit_names(header, "au_presence", read),
        au_intensity_names=_unit_names(header, "au_intensity", read),
        log=ReadLog(
            rows_read=columns.n_rows,
            rows_cut=columns.n_cut,
            rows_overlong=columns.n_overlong,
            rows_doubled=len(rows.doubled),
            rows_other_face=len(rows.other),
            frames_missing=int((~present).sum()),
            frames_failed=int((present & ~valid).sum()),
            faces=rows.faces,
            values_missing=values_missing,
            notes=(*_dropped_notes(columns), *rows.notes, *rate.notes, *notes),
        ),
        doubled_frames=rows.doubled,
        other_face_frames=rows.other,
        sha256=source.sha256,
    )


def _check_arguments(
    groups: Sequence[str] | None,
    fps: float | None,
    min_confidence: float | None,
    face: str | int,
    on_missing: str,
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
    if fps is not None and not (_is_real(fps) and np.isfinite(fps) and fps > 0):
        raise DataError(
            say("{fps=} must be a positive number of frames per second, not {given!r}", given=fps)
        )
    if min_confidence is not None and not (_is_real(min_confidence) and 0 <= min_confidence <= 1):
        raise DataError(
            say("{min_confidence=} must be between 0 and 1, not {given!r}", given=min_confidence)
        )
    if face != "largest" and not (_is_real(face) and float(face).is_integer()):
        raise DataError(
            say("{face=} must be 'largest' or a face_id such as 0, not {given!r}", given=face)
        )
    if on_missing not in ("error", "note"):
        raise DataError(
            say("{on_missing=} must be 'error' or 'note', not {given!r}", given=on_missing)
        )


def _is_real(value: object) -> bool:
    return isinstance(value, (int, float, np.number)) and not isinstance(value, bool)


def _wanted_groups(
    header: Header, groups: Sequence[str] | None, on_missing: str
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the groups to read, and notes on those the file lacks."""
    wanted = tuple(dict.fromkeys(FEATURE_GROUPS if groups is None else groups))
    lacking = tuple(group for group in wanted if not header.group_columns(group))
    if lacking and groups is not None and on_missing == "error":
        raise OpenFaceError(
            f"{header.path!r}: the file has no columns for {listed(lacking)}; it has "
            f"{listed(header.groups(), most=len(GROUPS))}: ask for those, or run OpenFace with "
            "more outputs"
        )
    found = tuple(group for group in wanted if group not in lacking)
    notes = (_LACKING(groups=listed(lacking)),) if lacking else ()
    if groups is None and "gaze_angle" in lacking and header.group_columns("gaze_vector"):
        return (*found, "gaze_vector"), (*notes, _GAZE_OF_VECTORS)
    return found, notes


def _unit_names(
    header: Header, group: str, read: Mapping[str, NDArray[np.float64]]
) -> tuple[str, ...]:
    return tuple(name[:-2] for name in header.group_columns(group)) if group in read else ()


def _dropped_notes(columns: Columns) -> tuple[str, ...]:
    notes: tuple[str, ...] = ()
    if columns.n_cut:
        notes += (_CUT(rows=columns.n_cut),)
    if columns.n_overlong:
        notes += (_OVERLONG(rows=columns.n_overlong),)
    return notes


@stoppable("a recording was read")
def describe_openface(path: str | os.PathLike[str]) -> pd.DataFrame:
    r"""Say in one table row what an OpenFace file holds.

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

    header = open_source(path).header
    groups = header.groups()
    # The smallest group is enough: what is asked for are counts, not values.
    least = min(groups, key=lambda group: len(header.group_columns(group)))
    recording = read_openface(path, groups=[least])
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
