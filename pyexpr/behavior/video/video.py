"""Clips of videos as small arrays of frames: sampled by time, cropped, kept on disk."""

from __future__ import annotations

import math
import os
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pyexpr.base.errors import ColumnError, DataError
from pyexpr.base.files import cache_folder, writable_folder
from pyexpr.base.jobs import checked_jobs, in_processes
from pyexpr.base.messages import Message, Template, message_column, message_of, say
from pyexpr.base.progress import progress as shown
from pyexpr.base.stopping import stoppable
from pyexpr.base.tables import as_frame, numeric_column, require_columns
from pyexpr.base.versions import package_version
from pyexpr.base.video_file import index_video
from pyexpr.behavior.features.manifest import face_of
from pyexpr.behavior.openface.options import Place
from pyexpr.behavior.schedules import Schedule, Segment
from pyexpr.behavior.video.cache import cache_file, state_of
from pyexpr.behavior.video.clips import Crop, Span, VideoClips, VideoOptions
from pyexpr.behavior.video.decoding import ClipJob, fill, is_cached
from pyexpr.behavior.video.sampling import MISSING, Resize

if TYPE_CHECKING:
    import pandas as pd

    from pyexpr.base.foreign import FrameLike

_WHAT = "the table of clips"
_RECORDINGS = "the table of recordings"
# Seconds. A last frame that lasts a moment less than it should is no reason to lose a clip.
_SPARE = 0.02


def describe_video(path: str | os.PathLike[str]) -> pd.DataFrame:
    """Describe a video in one row of a table, without decoding it.

    Parameters
    ----------
    path : path
        A video in any format that FFmpeg reads.

    Returns
    -------
    DataFrame
        One row: ``video`` (the path), ``width``, ``height`` (px, as stored), ``frames``,
        ``fps`` (the mean), ``variable`` (whether frames last differently long), ``seconds``,
        ``cut`` (whether frames are missing that the header promises).

    Raises
    ------
    VideoError
        If the file is absent, empty, no video, or has no video stream.

    Examples
    --------
    >>> import os, tempfile
    >>> import numpy as np
    >>> from pyexpr.base.video_file import write_video
    >>> path = os.path.join(tempfile.mkdtemp(), "s01.mp4")
    >>> write_video(path, [np.zeros((64, 64, 3), np.uint8)] * 50, fps=25)
    >>> describe_video(path)[["frames", "fps", "variable", "seconds"]].values.tolist()
    [[50, 25.0, False, 2.0]]
    """
    import pandas as pd

    index = index_video(os.fspath(path))
    row = {
        "video": index.path,
        "width": index.width,
        "height": index.height,
        "frames": len(index),
        "fps": index.fps,
        "variable": index.is_variable,
        "seconds": index.seconds,
        "cut": index.is_cut,
    }
    return pd.DataFrame([row])


@stoppable("videos were decoded", kept="the clips done are in the cache; call it again to go on")
def read_video_clips(
    clips: FrameLike,
    *,
    schedule: Schedule | FrameLike | None = None,
    every: float | None = None,
    frames: int = 16,
    size: int = 112,
    rate: float | None = None,
    resize: Resize = "torchvision",
    crop: Crop | None = None,
    margin: float = 0.3,
    cache_dir: str | os.PathLike[str] | None = None,
    n_jobs: int | None = -1,
    progress: bool | None = None,
) -> VideoClips:
    r"""Extract a few frames of reduced size from each clip of videos.

    Parameters
    ----------
    clips : DataFrame
        A row per clip: video (path), start, end (seconds from the first frame; a
        negative start counts both from the end), with ``crop="face"`` also openface
        (path) and, if wanted, face (as in `extract_features`). With `schedule` or
        `every` a row per recording: subject, context, video. Other columns are kept.
    schedule : Schedule or DataFrame, optional
        Segments per context, as in `extract_features`; those that a recording is too short
        for, and the later of two that overlap in it, are listed in ``dropped``.
    every : float, optional
        Instead: clips of so many seconds, from the beginning on.
    frames : int
        Frames per clip.
    size : int
        Their width and height.
    rate : float, optional
        Frames per second, from the middle of the clip; by default `frames` are spread
        over the whole clip. torchvision's networks were trained with 16 at 15 per second.
    resize : {"torchvision", "aspect"}
        ``"torchvision"``: as the transforms of r3d_18's weights, to 128 x 171
        whatever the shape, then the central 112 x 112 (in proportion for other sizes).
        ``"aspect"`` does not stretch: the shorter side to 128, then the same. Without
        effect on cropped faces, which are square.
    crop : "face", optional
        Cut out a square around OpenFace's landmarks, averaged over 0.5 s; what lies
        outside of the image is black, as is a frame without a valid landmark near it.
    margin : float
        Width of the border around the landmarks, in parts of their box's longer side.
    cache_dir : path, optional
        Folder for the decoded frames, one file per recording and options; by default
        ``$PYEXPR_CACHE/video`` or ``~/.cache/pyexpr/video``. It may be removed any time.
    n_jobs : int, optional
        Number of recordings decoded at a time, as in joblib: -1 (the default) is one per processor,
        None is 1. ``joblib.parallel_config`` can send them to a cluster. Results do not depend on
        it.
    progress : bool, optional
        Show a bar; by default if standard error is a terminal.

    Returns
    -------
    VideoClips
        In the order of the rows (and the schedule).

    Raises
    ------
    VideoError
        If a file is no video, is cut, or has no video stream, or a clip lies outside of it.
    ColumnError, DataError
        For a missing column or value, a clip that does not end after its start, or an
        option that makes no sense.
    OpenFaceError
        If the landmarks cannot be read, or are those of another video.

    Notes
    -----
    Frames are chosen by presentation time, so that any rate, 23.976 and variable ones
    included, gives the right moments; see `pyexpr.behavior.video.sampling.sampled_frames`
    for the rule and its source. Missing frames (before the first, after the last, in a
    hole of over 0.5 s, or damaged) are black and counted, as in Lin, Girard and
    Morency (2020). Clips that touch share no frame. Checked against torchvision's own
    resampling and transforms, and against videos whose frames bear their number.

    Examples
    --------
    >>> import os, tempfile
    >>> import numpy as np, pandas as pd
    >>> from pyexpr.base.video_file import write_video
    >>> folder = tempfile.mkdtemp()
    >>> path = os.path.join(folder, "s01.mp4")
    >>> write_video(path, [np.full((64, 64, 3), 4 * k, np.uint8) for k in range(60)], fps=25)
    >>> table = pd.DataFrame({"video": [path, path], "start": [0, -1], "end": [1, 0]})
    >>> found = read_video_clips(table, frames=5, size=32, cache_dir=folder, n_jobs=1)
    >>> found[0].shape, found.numbers(0).tolist(), found.numbers(1).tolist()
    ((5, 32, 32, 3), [0, 5, 10, 15, 20], [35, 40, 45, 50, 55])
    """
    import pandas as pd

    options = VideoOptions(frames, size, rate, resize, crop, margin)
    folder = writable_folder(
        cache_folder("video", None if cache_dir is None else os.fspath(cache_dir))
    )
    dropped = pd.DataFrame(columns=["subject", "context", "clip", "video", "reason"])
    if schedule is not None or every is not None:
        table, dropped = _scheduled(clips, schedule, every)
    else:
        table = as_frame(clips, what=_WHAT)
    jobs, sources = _jobs(table, options, folder)
    todo = [job for job in jobs if not is_cached(job)]
    done = in_processes(
        fill, [(job,) for job in todo], n_jobs=checked_jobs(n_jobs), what="decodes videos"
    )
    for _ in shown(done, total=len(todo), label="Decoding videos", show=progress):
        pass
    clips_found = VideoClips(
        table=table,
        dropped=dropped,
        files=tuple(file for file, _ in sources),
        spans=tuple(span for _, span in sources),
        options=options,
    )
    missing = [int((clips_found.numbers(k) == MISSING).sum()) for k in range(len(clips_found))]
    return replace(clips_found, table=table.assign(n_missing=np.array(missing, dtype=np.int64)))


def _scheduled(
    recordings: Any, schedule: Any, every: float | None
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return a row per clip of each recording, and the clips that recordings do not yield."""
    import pandas as pd

    if schedule is not None and every is not None:
        raise DataError(say("give either {schedule=} or {every=}, not both"))
    frame = as_frame(recordings, what=_RECORDINGS)
    require_columns(frame, ["subject", "context", "video"], what=_RECORDINGS)
    if every is not None:
        plan = Schedule.every(every)
    else:
        plan = schedule if isinstance(schedule, Schedule) else Schedule.from_table(schedule)
    rows, dropped = [], []
    for number, record in enumerate(frame.to_dict("records")):
        path = _path(record["video"], "video", number, what=_RECORDINGS)
        seconds = index_video(path).seconds
        kept: list[tuple[str, float, float]] = []
        for segment in plan.segments_within(str(record["context"]), seconds):
            origin = seconds if segment.start < 0 else 0.0
            start, end = origin + segment.start, origin + segment.end
            reason = _outside(segment, seconds) or _overlapping(start, end, kept)
            if reason:
                names = {name: record[name] for name in ("subject", "context", "video")}
                dropped.append({**names, "clip": segment.label, "reason": reason})
            else:
                kept.append((segment.label, start, end))
                rows.append(record | {"clip": segment.label} | {"start": start, "end": end})
    columns = [*frame.columns, "clip", "start", "end"]
    lost = ["subject", "context", "clip", "video", "reason"]
    reasons = message_column(row["reason"] for row in dropped)
    return (
        pd.DataFrame(rows, columns=columns),
        pd.DataFrame(dropped, columns=lost).assign(reason=reasons),
    )


_TOO_SHORT = Template(
    "video_too_short",
    "the recording is too short for [{start:g}, {end:g}] s: it lasts {seconds:.4g} s",
)
_OVERLAPS = Template(
    "video_clips_overlap",
    "[{start:.4g}, {end:.4g}] s overlaps with clip {clip:label} in this recording",
)


def _outside(segment: Segment, seconds: float) -> str:
    """Return why a recording of `seconds` does not have a segment, or ""."""
    before = segment.start < 0 and seconds + segment.start < -_SPARE
    if before or segment.end > seconds + _SPARE:
        return _TOO_SHORT(start=segment.start, end=segment.end, seconds=seconds)
    return ""


def _overlapping(start: float, end: float, kept: list[tuple[str, float, float]]) -> str:
    """Return which earlier clip of the recording shares time with this one, or ""."""
    for label, first, last in kept:
        if start < last - _SPARE and first < end - _SPARE:
            return _OVERLAPS(start=start, end=end, clip=label)
    return ""


_Key = tuple[str, str | None, Place | int]


def _jobs(
    table: pd.DataFrame, options: VideoOptions, folder: Path
) -> tuple[list[ClipJob], list[tuple[str, Span]]]:
    """Return a job per recording, and each clip's file and span."""
    needed = ["video", "start", "end"] + (["openface"] if options.crop else [])
    require_columns(table, needed, what=_WHAT)
    if table.empty:
        raise DataError(f"{_WHAT} has no rows")
    starts = numeric_column(table, "start", what=_WHAT)
    ends = numeric_column(table, "end", what=_WHAT)
    requested = {**asdict(options), "av": package_version("av")}
    wanted: dict[_Key, list[Span]] = {}
    clips: list[tuple[_Key, Span]] = []
    with_faces = options.crop and "face" in table.columns
    for row in range(len(table)):
        video = _path(table["video"].iloc[row], "video", row, what=_WHAT)
        openface = (
            _path(table["openface"].iloc[row], "openface", row, what=_WHAT)
            if options.crop
            else None
        )
        face: Place | int = "largest"
        if with_faces:
            face = face_of(table["face"].iloc[row], face, row + 1, _WHAT)
        span = _span(starts[row], ends[row], row)
        key = (video, openface, face)
        wanted.setdefault(key, []).append(span)
        clips.append((key, span))
    states = {key: tuple(state_of(path) for path in key[:2] if path is not None) for key in wanted}
    files = {
        key: cache_file(
            folder,
            *key[:2],
            # Another face is another crop; of the default the name is as it always was.
            requested if key[2] == "largest" else requested | {"face": key[2]},
            states[key],
        )
        for key in wanted
    }
    jobs = [
        ClipJob(*key[:2], tuple(dict.fromkeys(spans)), options, files[key], states[key], key[2])
        for key, spans in wanted.items()
    ]
    return jobs, [(str(files[key]), span) for key, span in clips]


def _path(value: Any, column: str, row: int, *, what: str) -> str:
    if not isinstance(value, (str, os.PathLike)) or not str(value).strip():
        number = isinstance(value, (int, float)) and not math.isnan(value)
        found = f"holds {value}" if number else "is empty"
        raise ColumnError(
            f"column {column!r} of {what} must be the path of a file, but row {row + 1} {found}"
        )
    return os.fspath(value)


def _span(start: float, end: float, row: int) -> Span:
    for name, value in (("start", start), ("end", end)):
        if math.isnan(value):
            raise ColumnError(f"column {name!r} of {_WHAT} is empty in row {row + 1}")
    try:
        Segment(float(start), float(end), str(row + 1))
    except DataError as error:
        message = message_of(error)
        assert isinstance(message, Message)
        raise DataError(message.with_values(what=f"the clip in row {row + 1}")) from None
    return float(start), float(end)
