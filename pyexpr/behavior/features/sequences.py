"""Clips as sequences of frames: what a model that sees every frame is given."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pyexpr.base.errors import ColumnError, DataError, listed
from pyexpr.base.jobs import checked_jobs, results_in_order
from pyexpr.base.messages import message_of, say
from pyexpr.base.progress import progress as shown
from pyexpr.base.tables import as_frame, numeric_column, require_columns
from pyexpr.behavior.features.frame_store import (
    COLUMN_SETS,
    Frames,
    Reading,
    frame_columns,
    mapped_rows,
    named_groups,
    read_frames,
    wanted_groups,
)
from pyexpr.behavior.features.manifest import face_of, layouts_of
from pyexpr.behavior.openface.options import Place
from pyexpr.behavior.schedules import Segment

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["COLUMN_SETS", "ClipSequences", "clip_rows", "read_sequences"]

_WHAT = "the clip table"
# 3 * 0.1 * 10 is 3.0000000000000004: a frame must not hang on the last bit.
_ROUNDING = 1e-9


@dataclass(frozen=True, slots=True, eq=False)
class ClipSequences:
    """The frames of clips.

    Attributes
    ----------
    clips : sequence of (frames, p) float32 arrays
        NaN where a frame is missing or not valid. With a cache, each is read from its
        file when it is needed.
    lengths : (clips,) int64
        Frames of each of them.
    names : tuple of str
        Of the p columns, in OpenFace's manner.
    table : DataFrame
        A row per clip: openface, start, end, fps (of the recording), n_frames (of the
        clip in its recording), n_valid_frames, n_missing_frames (without a row), n_failed_frames
        (with a row that is not valid), n_missing_values (no number, in valid frames).
    """

    clips: Sequence[NDArray[np.float32]]
    lengths: NDArray[np.int64]
    names: tuple[str, ...]
    table: pd.DataFrame


class _KeptClips(Sequence[NDArray[np.float32]]):
    """Clips in kept arrays: which rows of which file. Open files would be too many."""

    def __init__(self, places: list[tuple[Path, slice | NDArray[np.int64]]]) -> None:
        self.places = places

    def __len__(self) -> int:
        return len(self.places)

    def __getitem__(self, number: Any) -> Any:
        return mapped_rows(*self.places[number])


@dataclass(frozen=True, slots=True)
class ClipRow:
    """One row of a clip table: which seconds of which file."""

    path: str
    segment: Segment
    face: Place | int | None = None
    layout: str | None = None


def clip_rows(table: Any, names: Sequence[str], *, what: str = _WHAT) -> list[ClipRow]:
    """Return file and seconds of each row of a clip table.

    Parameters
    ----------
    table : DataFrame
        Columns start, end (seconds of the recording; negative starts count from
        its end) and one of `names`; if wanted face and layout, which may be empty; others are
        ignored.
    names : sequence of str
        What the column of the file may be called; the first that is there counts.
    what : str
        The table's name for messages.

    Raises
    ------
    ColumnError
        If a column is missing or holds no number or path; the message names the row.
    DataError
        If there are no rows, or a clip does not end after its start.
    """
    frame = as_frame(table, what=what)
    column = next((name for name in names if name in frame.columns), names[0])
    require_columns(frame, [column, "start", "end"], what=what)
    if frame.empty:
        raise DataError(f"{what} has no rows")
    starts, ends = (numeric_column(frame, name, what=what) for name in ("start", "end"))
    layouts = layouts_of(frame, None)
    rows = []
    for number, (path, start, end) in enumerate(zip(frame[column], starts, ends, strict=True), 1):
        if not isinstance(path, (str, os.PathLike)) or not str(path).strip():
            raise ColumnError(
                say(
                    "column {column!r} of {what} must hold paths, but row {number} holds {path!r}",
                    column=column,
                    what=what,
                    number=number,
                    path=path,
                )
            )
        try:
            segment = Segment(float(start), float(end), f"row {number}")
        except DataError as error:
            raise DataError(
                say(
                    "row {number} of {what}: {error}",
                    number=number,
                    what=what,
                    error=message_of(error),
                )
            ) from None
        face = None
        if "face" in frame.columns:
            face = face_of(frame["face"].iloc[number - 1], None, number, what)
        rows.append(ClipRow(os.fspath(path), segment, face, layouts[number - 1]))
    return rows


def read_sequences(
    table: Any,
    columns: str | Sequence[str] = "points",
    *,
    rate: float | None = 25.0,
    fps: float | None = None,
    min_confidence: float | None = None,
    face: Place | int = "largest",
    layout: str | None = None,
    cache_dir: Path | str | None = None,
    progress: bool | None = None,
    what: str = _WHAT,
) -> ClipSequences:
    r"""Read the frames of every clip of a table from its OpenFace file, or another tracker's.

    Parameters
    ----------
    table : DataFrame
        A row per clip: openface (path; or recording), start, end (seconds of the
        recording; negative starts count from its end), and if wanted face and layout (as the
        arguments; empty for these). Other columns are ignored.
    columns : str or sequence of str
        Groups of columns: "points" (face and eyes, 2D and 3D), "points_2d",
        "points_3d", "eyes", "gaze", "pose", "aus", "parameters", "expressions" (action units,
        blendshapes, emotions), "all", or names of the reader's groups. Of another tracker's
        table each is what of it the layout has, but for groups named themselves.
    rate : float, optional
        Frames per second of the sequences, Hz. A recording of another rate gives for
        each time k / rate the frame shown then. None: as recorded.
    fps, min_confidence, face
        As in `read_openface`.
    layout : str, optional
        Of tables that another tracker than OpenFace wrote, as in `read_tracks`; ``"auto"`` is
        what each header proves.
    cache_dir : path, optional
        Where each recording's array is kept, so that it is parsed once.
    progress : bool, optional
        Whether to show a bar; by default if standard error is a terminal.
    what : str
        The table's name for messages.

    Returns
    -------
    ClipSequences

    Raises
    ------
    OpenFaceError
        If a file cannot be used or has no columns of a group.
    ColumnError, DataError
        If the table makes no sense, a clip goes beyond its recording, files have
        different columns, or a clip has no valid frame; the message names the row.

    Examples
    --------
    >>> import os, tempfile
    >>> path = os.path.join(tempfile.mkdtemp(), "s01.csv")
    >>> with open(path, "w") as file:
    ...     _ = file.write("frame,timestamp,confidence,success,pose_Tx,pose_Ty,pose_Tz,")
    ...     _ = file.write("pose_Rx,pose_Ry,pose_Rz\n")
    ...     for k in range(75):
    ...         _ = file.write(f"{k + 1},{k / 25:.2f},0.98,1,{k},0,500,0,0,0\n")
    >>> clips = {"openface": [path], "start": [1.0], "end": [3.0]}
    >>> found = read_sequences(clips, "pose")
    >>> found.clips[0].shape, found.names[0], found.table["n_valid_frames"].item()
    ((50, 6), 'pose_Tx', 50)
    """
    if rate is not None and not (np.isfinite(rate) and rate > 0):
        raise DataError(
            say("{rate=} must be a positive number of frames per second, not {given!r}", given=rate)
        )
    rows = clip_rows(table, ("openface", "recording"), what=what)
    groups = wanted_groups(columns)
    named = named_groups(columns)
    wanted: dict[tuple[str, Place | int, str | None], list[int]] = {}
    for number, row in enumerate(rows):
        key = (row.path, face if row.face is None else row.face, row.layout or layout)
        wanted.setdefault(key, []).append(number)
    tasks = [
        (
            path,
            Reading(groups, fps, min_confidence, own, by, named),
            cache_dir,
            [(number, rows[number].segment) for number in numbers],
            rate,
            what,
        )
        for (path, own, by), numbers in wanted.items()
    ]
    results = shown(
        results_in_order(_read, tasks, n_jobs=checked_jobs(-1)),
        total=len(tasks),
        label="Reading recordings",
        show=progress,
    )
    pieces: dict[int, _Piece] = {}
    for found in results:
        pieces.update(found)
    return _assembled([pieces[number] for number in range(len(rows))])


@dataclass(frozen=True, slots=True)
class _Piece:
    """A clip in memory, or (None) in a kept array; and what was counted."""

    clip: NDArray[np.float32] | None
    place: tuple[Path, slice | NDArray[np.int64]] | None
    length: int
    names: tuple[str, ...]
    counts: dict[str, Any]


def _read(
    path: str,
    reading: Reading,
    cache_dir: Path | str | None,
    clips: list[tuple[int, Segment]],
    rate: float | None,
    what: str,
) -> list[tuple[int, _Piece]]:
    """Read one recording and cut its clips; with each the number of its row."""
    frames = read_frames(path, reading, cache_dir)
    return [(number, _cut(frames, segment, rate, number, what)) for number, segment in clips]


def _assembled(pieces: list[_Piece]) -> ClipSequences:
    import pandas as pd

    first = pieces[0]
    for piece in pieces:
        _refuse_others(
            (piece.counts["openface"], piece.names), (first.counts["openface"], first.names)
        )
    kept = [piece.place for piece in pieces if piece.place is not None]
    clips = [piece.clip for piece in pieces if piece.clip is not None]
    return ClipSequences(
        clips=_KeptClips(kept) if kept else clips,
        lengths=np.array([piece.length for piece in pieces], dtype=np.int64),
        names=first.names,
        table=pd.DataFrame([piece.counts for piece in pieces]),
    )


def _cut(frames: Frames, segment: Segment, rate: float | None, number: int, what: str) -> _Piece:
    n = len(frames.values)
    start, stop = segment.frames(n, frames.fps)
    span = f"{segment.start:g} to {segment.end:g} s"
    if not 0 <= start < stop <= n:
        raise DataError(
            say(
                "row {number} of {what} spans {span}, frames {start} to {stop}, but "
                "{path!r} has {n} frames ({n_2:.4g} s)",
                number=number + 1,
                what=what,
                span=span,
                start=start,
                stop=stop,
                path=frames.path,
                n=n,
                n_2=n / frames.fps,
            )
        )
    valid, present = frames.valid[start:stop], frames.present[start:stop]
    if not valid.any():
        raise DataError(
            f"row {number + 1} of {what} ({frames.path!r}, {span}) has no valid frame; leave it out"
        )
    clip = frames.values[start:stop]
    p = clip.shape[1]
    counts = {
        "openface": frames.path,
        "start": segment.start,
        "end": segment.end,
        "fps": frames.fps,
        "n_frames": stop - start,
        "n_valid_frames": int(valid.sum()),
        "n_missing_frames": int((~present).sum()),
        "n_failed_frames": int((present & ~valid).sum()),
        "n_missing_values": int(np.isnan(clip).sum()) - int((~valid).sum()) * p,
    }
    chosen: slice | NDArray[np.int64] = slice(start, stop)
    length = stop - start
    if rate is not None and rate != frames.fps:
        # Of the requested seconds: the frames may last a moment longer.
        length = max(round((segment.end - segment.start) * rate), 1)
        # The frame that is shown at each time k / rate.
        shown = np.floor(np.arange(length) * frames.fps / rate + _ROUNDING).astype(np.int64)
        chosen = start + np.minimum(shown, stop - start - 1)
    if frames.file is not None:
        return _Piece(None, (frames.file, chosen), length, frames.names, counts)
    # Copied, so that a recording need not be held for its clips.
    return _Piece(frames.values[chosen].copy(), None, length, frames.names, counts)


def check_sequences(
    files: Iterable[tuple[str, str | None]], columns: str | Sequence[str] = "points"
) -> None:
    """Raise what `read_sequences` would raise about columns, by the headers of files alone.

    Parameters
    ----------
    files : iterable of (path, layout)
        The layout is None, or "", for OpenFace's own. A file whose header cannot be used is passed
        over: reading it says why.
    columns : str or sequence of str
        As in `read_sequences`.

    Raises
    ------
    OpenFaceError
        If a file lacks a group.
    DataError
        If files have different columns.
    """
    groups, named = wanted_groups(columns), named_groups(columns)
    first: tuple[str, tuple[str, ...]] | None = None
    for path, layout in dict.fromkeys(files):
        names = frame_columns(path, Reading(groups, layout=layout or None, named=named))
        if names is not None:
            first = first or (path, names)
            _refuse_others((path, names), first)


def _refuse_others(own: tuple[str, tuple[str, ...]], first: tuple[str, tuple[str, ...]]) -> None:
    """Raise `DataError` if a file, (path, names), has other columns than the first."""
    if own[1] == first[1]:
        return
    parts = [
        f"{word} {listed(names)}"
        for word, names in (
            ("lacks", [name for name in first[1] if name not in own[1]]),
            ("has besides", [name for name in own[1] if name not in first[1]]),
        )
        if names
    ]
    raise DataError(
        say(
            "{path:label} has other columns than {first:label}: it {what}; choose {columns=} that "
            "all recordings have",
            path=own[0],
            first=first[0],
            what=" and ".join(parts),
        )
    )
