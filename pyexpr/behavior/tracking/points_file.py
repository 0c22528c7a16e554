"""Tracked points on disk: one parquet file per video, with how they came about in its metadata."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyexpr.base.errors import DataError
from pyexpr.base.files import OutputError, whole_file
from pyexpr.base.messages import say
from pyexpr.behavior.tracking.trackers import TrackedFace, Tracker

_KEY = b"pyexpr_track"
_FORMAT = 1
# Rows that are held in memory: some 12 MB of FaceLandmarker's columns.
_ROWS = 2048
_POSE = ("pose_Tx", "pose_Ty", "pose_Tz", "pose_Rx", "pose_Ry", "pose_Rz")
# What decides the content of a file; the versions beside it do not.
_IDENTITY = ("format", "tracker", "model", "faces", "options")


def track_provenance(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Return how a file of tracked points came about.

    Parameters
    ----------
    path : path
        A parquet file that `track_videos` has written.

    Returns
    -------
    dict
        ``format`` (of this record), ``tracker`` (name, version), ``model`` (name and SHA-256 of
        its file; None where the tracker needs none), ``video`` (name and SHA-256 of its file,
        width and height in px, upright, frames, fps, seconds, variable), ``faces``, ``options``,
        ``units`` (by column or beginning of columns), ``counts`` (rows, frames, frames_with_face,
        frames_damaged, face_ids) and ``versions``.

    Raises
    ------
    DataError
        If the file is not there or cannot be read, or `track_videos` has not written it.

    Examples
    --------
    >>> import os, tempfile
    >>> import numpy as np
    >>> import pyexpr as px
    >>> class BrightSpot(px.Tracker):
    ...     name, points = "bright-spot", 1
    ...
    ...     def track(self, frames, times):
    ...         for picture, _ in zip(frames, times):
    ...             y, x = np.nonzero(picture[:, :, 0] > 128)
    ...             yield [px.TrackedFace(np.array([[x.mean(), y.mean(), 0.0]]))]
    >>> from pyexpr.base.video_file import write_video
    >>> folder = tempfile.mkdtemp()
    >>> path = os.path.join(folder, "s01.mp4")
    >>> write_video(path, [np.full((16, 16, 3), 255, np.uint8)] * 5, fps=25)
    >>> found = px.track_videos(path, folder, tracker=BrightSpot)
    >>> track_provenance(found.table["output"][0])["counts"]["frames_with_face"]
    5
    """
    if not Path(path).is_file():
        raise DataError(say("there is no file {path!r}", path=os.fspath(path)))
    found = stored_provenance(Path(path))
    if found is None:
        raise DataError(
            say(
                "{path!r} is no file that {call track_videos()} has written, or it was changed "
                "since; track the video anew",
                path=os.fspath(path),
            )
        )
    return found


def stored_provenance(path: Path) -> dict[str, Any] | None:
    """Return what `track_provenance` does; None of a file that is not ours, or not whole."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        about = pq.read_metadata(path)
        found: dict[str, Any] = json.loads((about.metadata or {})[_KEY])
        whole = found["format"] == _FORMAT and found["counts"]["rows"] == about.num_rows
    except (OSError, pa.ArrowException, KeyError, ValueError, TypeError):
        return None
    return found if whole else None


def differences(stored: dict[str, Any], wanted: dict[str, Any]) -> list[str]:
    """Return in what a file differs from what would be written now, but for the video."""
    model = stored["model"]
    # By its bytes: a model may be named anew.
    found = stored | {"model": None if model is None else model["sha256"]}
    return [name for name in _IDENTITY if found[name] != wanted[name]]


def identity(
    tracker: type[Tracker], model: dict[str, str] | None, faces: int, options: dict[str, Any]
) -> dict[str, Any]:
    """Return what decides the points of any video."""
    return {
        "format": _FORMAT,
        "tracker": {"name": tracker.name, "version": tracker.version()},
        "model": None if model is None else model["sha256"],
        "faces": faces,
        "options": options,
    }


def columns_of(tracker: type[Tracker]) -> list[str]:
    """Return the names of the columns of a tracker's files."""
    names = ["frame", "timestamp", "face_id", "success"]
    for point in range(tracker.points):
        names += [f"x_{point}", f"y_{point}", f"z_{point}"]
    names += [f"blend_{name}" for name in tracker.blendshapes]
    return names + list(_POSE if tracker.has_pose else ())


def units_of(tracker: type[Tracker]) -> dict[str, str]:
    """Return units by column, or by how columns begin."""
    units = {"timestamp": "s from the first frame", "x_": "px", "y_": "px", "z_": "px, relative"}
    if tracker.blendshapes:
        units["blend_"] = "0 to 1"
    if tracker.has_pose:
        units |= {"pose_T": "mm", "pose_R": "radians"}
    return units | dict(tracker.units)


def numbers_of(tracker: type[Tracker], face: TrackedFace | None) -> NDArray[np.float32]:
    """Return a face as the columns after ``success``; NaN where there is none."""
    if face is None:
        return np.full(len(columns_of(tracker)) - 4, np.nan, dtype=np.float32)
    parts = [np.asarray(face.points, dtype=np.float64).ravel()]
    if tracker.blendshapes:
        parts.append(np.asarray(face.blendshapes, dtype=np.float64))
    if tracker.has_pose:
        parts.append(np.asarray(face.pose, dtype=np.float64))
    return np.concatenate(parts).astype(np.float32)


class PointsWriter:
    """Rows of points, written as they come."""

    def __init__(self, tracker: type[Tracker], path: Path) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        self._arrow = pa
        self._tracker, self._path = tracker, path
        numbers = [(name, pa.float32()) for name in columns_of(tracker)[4:]]
        self._schema = pa.schema(
            [
                ("frame", pa.int64()),
                ("timestamp", pa.float64()),
                ("face_id", pa.int64()),
                ("success", pa.int64()),
                *numbers,
            ]
        )
        self._rows: list[tuple[int, float, int, bool, NDArray[np.float32]]] = []
        # Numbers that hardly repeat gain nothing by a dictionary.
        self._file = pq.ParquetWriter(path, self._schema, compression="zstd", use_dictionary=False)

    def add(self, frame: int, time: float, face_id: int, face: TrackedFace | None) -> None:
        """Add a row: a face of a frame, or that it has none."""
        numbers = numbers_of(self._tracker, face)
        self._rows.append((frame, time, face_id, face is not None, numbers))
        if len(self._rows) == _ROWS:
            self._write()

    def close(self, provenance: dict[str, Any] | None = None) -> None:
        """Write what is left, and how it came about."""
        if provenance is not None:
            self._write()
            text = json.dumps(provenance, sort_keys=True, ensure_ascii=False)
            self._file.add_key_value_metadata({_KEY: text.encode()})
        self._file.close()

    def _write(self) -> None:
        if not self._rows:
            return
        frames, times, ids, success, numbers = zip(*self._rows, strict=True)
        columns: Sequence[Any] = [
            np.array(frames, dtype=np.int64),
            np.array(times, dtype=np.float64),
            np.array(ids, dtype=np.int64),
            np.array(success, dtype=np.int64),
            # A column each, which lies in one piece.
            *np.ascontiguousarray(np.array(numbers, dtype=np.float32).T),
        ]
        arrays = [self._arrow.array(column) for column in columns]
        table = self._arrow.Table.from_arrays(arrays, schema=self._schema)
        try:
            self._file.write_table(table)
        except OSError as error:
            raise OutputError(f"cannot write {str(self._path)!r}: {error}") from None
        self._rows = []


@contextmanager
def points_file(tracker: type[Tracker], path: Path) -> Iterator[PointsWriter]:
    """Yield a writer; the file is there, whole, if the block has closed it with a provenance."""
    with whole_file(path) as temporary:
        writer = PointsWriter(tracker, temporary)
        try:
            yield writer
        except BaseException:
            with suppress(OSError):
                writer.close()
            raise
