"""Clips of videos as small arrays of frames: sampled by time, cropped, kept on disk."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from pyexpr.base.errors import ColumnError, DataError, VideoError
from pyexpr.base.files import cache_folder, writable_folder
from pyexpr.base.processes import available_processors, in_processes
from pyexpr.base.progress import progress as shown
from pyexpr.base.results import Result
from pyexpr.base.tables import as_frame, numeric_column, require_columns
from pyexpr.base.versions import package_version, versions
from pyexpr.base.video_file import VideoIndex, decode_frames, index_video
from pyexpr.behavior.face_boxes import boxes_of_frames, check_inside, face_boxes
from pyexpr.behavior.openface import read_openface
from pyexpr.behavior.schedules import Schedule, Segment
from pyexpr.behavior.video_cache import StoredClips, cache_file, load_clips, mapped, save_clips
from pyexpr.behavior.video_sampling import MISSING, Resize, cropped, resized, sampled_frames

if TYPE_CHECKING:
    import pandas as pd

_WHAT = "the table of clips"
_RECORDINGS = "the table of recordings"
Crop = Literal["face"]
_Span = tuple[float, float]


@dataclass(frozen=True, slots=True)
class VideoOptions:
    """How frames are taken from a clip; checked when made. See `read_video_clips`."""

    frames: int = 16
    size: int = 112
    rate: float | None = None
    resize: Resize = "torchvision"
    crop: Crop | None = None
    margin: float = 0.3

    def __post_init__(self) -> None:
        for name, least in (("frames", 1), ("size", 8)):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < least:
                raise DataError(
                    f"{name}= must be a whole number of at least {least}, not {value!r}"
                )
        if self.rate is not None and not (math.isfinite(self.rate) and self.rate > 0):
            raise DataError(
                f"rate= must be a positive number of frames per second, not {self.rate!r}"
            )
        if self.resize not in ("torchvision", "aspect"):
            raise DataError(f"resize= must be 'torchvision' or 'aspect', not {self.resize!r}")
        if self.crop not in (None, "face"):
            raise DataError(f"crop= must be None or 'face', not {self.crop!r}")
        if not (math.isfinite(self.margin) and 0 <= self.margin <= 2):
            raise DataError(f"margin= must be between 0 and 2, not {self.margin!r}")


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class VideoClips(Result):
    """Clips of videos, their frames on disk.

    Attributes
    ----------
    table : DataFrame
        The clips as asked for, with ``n_missing``: how many of their frames are black
        because the video, or with ``crop="face"`` the face, has none there.
    dropped : DataFrame
        Clips of the schedule that a recording is too short for: subject, context, clip,
        video, reason.
    files : tuple of str
        Each clip's file in the cache.
    spans : tuple of (float, float)
        Each clip's start and end, by which its file knows it.
    options : VideoOptions
    """

    table: pd.DataFrame
    dropped: pd.DataFrame
    files: tuple[str, ...]
    spans: tuple[_Span, ...]
    options: VideoOptions

    def __len__(self) -> int:
        return len(self.spans)

    def __getitem__(self, clip: int) -> NDArray[np.uint8]:
        """Return the frames of one clip, (frames, size, size, 3) uint8 RGB, read-only."""
        stored, row = self._stored(clip)
        pixels: NDArray[np.uint8] = stored.pixels[row]
        return pixels

    def numbers(self, clip: int) -> NDArray[np.int64]:
        """Return which frame of the video (from 0) is behind each of a clip's; -1 is black."""
        stored, row = self._stored(clip)
        numbers: NDArray[np.int64] = stored.numbers[row]
        return numbers

    def stack(self) -> NDArray[np.uint8]:
        """Return all clips in memory: (clips, frames, size, size, 3) uint8."""
        options = self.options
        shape = (len(self), options.frames, options.size, options.size, 3)
        found = np.empty(shape, dtype=np.uint8)
        for clip in range(len(self)):
            found[clip] = self[clip]
        return found

    def _stored(self, clip: int) -> tuple[StoredClips, int]:
        """Return a clip's file, and where in it the clip lies."""
        path = self.files[clip]
        try:
            stored = mapped(path, os.stat(path).st_mtime_ns)
        except OSError:
            stored = None
        # The file may have grown, or been made anew with its clips in another order.
        row = None if stored is None else stored.row(self.spans[clip])
        if stored is None or row is None:
            raise VideoError(
                f"the decoded clips {path!r} were removed or changed since they were read; "
                "read them again"
            )
        return stored, row

    def tidy(self) -> pd.DataFrame:
        """Return `table`, one row per clip."""
        return self.table

    def heading(self) -> str:
        """Return how many clips of what shape, and how many frames are black."""
        options = self.options
        lost = int(self.table["n_missing"].sum())
        return (
            f"{len(self)} clips of {self.table['video'].nunique()} videos: {options.frames} frames "
            f"of {options.size} x {options.size}, {lost} of {len(self) * options.frames} black"
        )

    def provenance(self) -> dict[str, Any]:
        """Return options, counts and versions."""
        return {
            "options": asdict(self.options),
            "n_clips": len(self),
            "n_dropped": len(self.dropped),
            "n_missing_frames": int(self.table["n_missing"].sum()),
            "versions": versions("av"),
        }

    def notes(self) -> tuple[str, ...]:
        """Return what was lost."""
        missing = self.table["n_missing"]
        notes = []
        if missing.any():
            what = "frames or face" if self.options.crop else "frames"
            notes.append(
                f"{int(missing.sum())} {what} missing in {int((missing > 0).sum())} clips: black."
            )
        whole = int((missing == self.options.frames).sum())
        if whole:
            notes.append(f"{whole} clips are black throughout.")
        if len(self.dropped):
            notes.append(f"{len(self.dropped)} clips of the schedule are not in their recordings.")
        return tuple(notes)

    def __repr__(self) -> str:
        return f"<VideoClips {self.heading()}>"


def describe_video(path: str | os.PathLike[str]) -> pd.DataFrame:
    """Say in one table row what a video holds, without decoding it.

    Parameters
    ----------
    path : path
        A video in any format that FFmpeg reads.

    Returns
    -------
    DataFrame
        One row: ``video`` (the path), ``width``, ``height`` (px, as stored), ``frames``,
        ``fps`` (the mean), ``variable`` (whether frames last differently long), ``seconds``,
        ``cut`` (whether frames are lacking that the header promises).

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


def read_video_clips(
    clips: Any,
    *,
    schedule: Any = None,
    every: float | None = None,
    frames: int = 16,
    size: int = 112,
    rate: float | None = None,
    resize: Resize = "torchvision",
    crop: Crop | None = None,
    margin: float = 0.3,
    cache_dir: str | os.PathLike[str] | None = None,
    n_jobs: int | None = None,
    progress: bool | None = None,
) -> VideoClips:
    r"""Take a few small frames from each clip of videos.

    Parameters
    ----------
    clips : DataFrame
        A row per clip: video (path), start, end (seconds from the first frame; a
        negative start counts both from the end), with ``crop="face"`` also openface
        (path). With `schedule` or `every` a row per recording: subject, context, video.
        Other columns are kept.
    schedule : Schedule or DataFrame, optional
        Segments per context, as in `extract_features`.
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
        Processes that decode; by default as many as there are processors. It never
        changes the result.
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
    included, gives the right moments; see `pyexpr.behavior.video_sampling.sampled_frames`
    for the rule and its source. Missing frames (before the first, after the last, in a
    hole of over 0.5 s, or damaged) are black and counted, as in Lin, Girard, Sayette and
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
    todo = [job for job in jobs if not _is_kept(job)]
    done = in_processes(
        _fill, [(job,) for job in todo], n_jobs=_processes(n_jobs), what="decodes videos"
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


@dataclass(frozen=True, slots=True)
class _Job:
    """One recording: which clips of it are wanted, and where they are kept."""

    video: str
    openface: str | None
    spans: tuple[_Span, ...]
    options: VideoOptions
    file: Path


def _processes(n_jobs: int | None) -> int:
    if n_jobs is None:
        return available_processors()
    if isinstance(n_jobs, bool) or not isinstance(n_jobs, int) or n_jobs < 1:
        raise DataError(f"n_jobs= must be a whole number of at least 1, not {n_jobs!r}")
    return n_jobs


def _scheduled(
    recordings: Any, schedule: Any, every: float | None
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return a row per clip of each recording, and the clips that recordings do not yield."""
    import pandas as pd

    if schedule is not None and every is not None:
        raise DataError("give either schedule= or every=, not both")
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
        for segment in plan.segments_within(str(record["context"]), seconds):
            reason = _outside(segment, seconds)
            if reason:
                names = {name: record[name] for name in ("subject", "context", "video")}
                dropped.append({**names, "clip": segment.label, "reason": reason})
            else:
                origin = seconds if segment.start < 0 else 0.0
                rows.append(
                    record
                    | {"clip": segment.label}
                    | {"start": origin + segment.start, "end": origin + segment.end}
                )
    columns = [*frame.columns, "clip", "start", "end"]
    lost = ["subject", "context", "clip", "video", "reason"]
    return pd.DataFrame(rows, columns=columns), pd.DataFrame(dropped, columns=lost)


def _outside(segment: Segment, seconds: float) -> str:
    """Return why a recording of `seconds` does not have a segment, or ""."""
    # A last frame that lasts a moment less than it should is no reason to lose a clip.
    spare = 0.02
    if (segment.start < 0 and seconds + segment.start < -spare) or segment.end > seconds + spare:
        return (
            f"the recording is too short for [{segment.start:g}, {segment.end:g}] s: "
            f"it lasts {seconds:.4g} s"
        )
    return ""


def _jobs(
    table: pd.DataFrame, options: VideoOptions, folder: Path
) -> tuple[list[_Job], list[tuple[str, _Span]]]:
    """Return a job per recording, and each clip's file and span."""
    needed = ["video", "start", "end"] + (["openface"] if options.crop else [])
    require_columns(table, needed, what=_WHAT)
    if table.empty:
        raise DataError(f"{_WHAT} has no rows")
    starts = numeric_column(table, "start", what=_WHAT)
    ends = numeric_column(table, "end", what=_WHAT)
    asked = {**asdict(options), "av": package_version("av")}
    wanted: dict[tuple[str, str | None], list[_Span]] = {}
    clips = []
    for row in range(len(table)):
        video = _path(table["video"].iloc[row], "video", row, what=_WHAT)
        openface = (
            _path(table["openface"].iloc[row], "openface", row, what=_WHAT)
            if options.crop
            else None
        )
        span = _span(starts[row], ends[row], row)
        wanted.setdefault((video, openface), []).append(span)
        clips.append(((video, openface), span))
    files = {key: cache_file(folder, *key, asked) for key in wanted}
    jobs = [
        _Job(*key, tuple(dict.fromkeys(spans)), options, files[key])
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


def _span(start: float, end: float, row: int) -> _Span:
    for name, value in (("start", start), ("end", end)):
        if math.isnan(value):
            raise ColumnError(f"column {name!r} of {_WHAT} is empty in row {row + 1}")
    try:
        Segment(float(start), float(end), str(row + 1))
    except DataError as error:
        message = str(error).replace(f"segment {str(row + 1)!r}", f"the clip in row {row + 1}", 1)
        raise DataError(message) from None
    return float(start), float(end)


def _is_kept(job: _Job) -> bool:
    """Return whether all clips of a recording are in its file."""
    stored = load_clips(job.file)
    return stored is not None and all(stored.row(span) is not None for span in job.spans)


def _fill(job: _Job) -> None:
    """Decode what a recording's file lacks, and write it anew (runs in a worker process)."""
    stored = load_clips(job.file)
    spans = [span for span in job.spans if stored is None or stored.row(span) is None]
    fresh = _decoded(job, spans)
    if stored is not None:
        fresh = StoredClips(
            np.concatenate([stored.spans, fresh.spans]),
            np.concatenate([stored.numbers, fresh.numbers]),
            np.concatenate([stored.pixels, fresh.pixels]),
        )
    save_clips(job.file, fresh)


def _decoded(job: _Job, spans: Sequence[_Span]) -> StoredClips:
    """Read the clips of one recording from its video."""
    options = job.options
    index = index_video(job.video)
    numbers = np.array([_numbers(index, span, options) for span in spans], dtype=np.int64)
    wanted = np.unique(numbers[numbers != MISSING])
    boxes: dict[int, NDArray[np.float64]] = {}
    if job.openface is not None:
        boxes = _boxes(index, job.openface, wanted, options.margin)
        wanted = np.array([number for number in wanted.tolist() if number in boxes], dtype=np.int64)
    places: dict[int, list[tuple[int, int]]] = {}
    for clip, frame in np.argwhere(numbers != MISSING).tolist():
        places.setdefault(int(numbers[clip, frame]), []).append((clip, frame))
    shape = (len(spans), options.frames, options.size, options.size, 3)
    pixels = np.zeros(shape, dtype=np.uint8)
    found = set()
    for number, picture in decode_frames(index, wanted.tolist()):
        found.add(number)
        small = (
            cropped(picture, boxes[number], options.size)
            if boxes
            else resized(picture, options.size, options.resize)
        )
        for place in places[number]:
            pixels[place] = small
    if len(wanted) and not found:
        raise VideoError(f"no frame of {job.video!r} can be decoded: it is damaged; copy it anew")
    numbers[~np.isin(numbers, list(found))] = MISSING
    return StoredClips(np.array(spans, dtype=np.float64), numbers, pixels)


def _numbers(index: VideoIndex, span: _Span, options: VideoOptions) -> NDArray[np.int64]:
    """Return the frames of one clip, or refuse one that the recording cannot have."""
    start, end = span
    what = f"seconds {start:g} to {end:g} of {index.path!r}"
    if index.is_cut and (start < 0 or end > index.seconds):
        raise VideoError(
            f"{what} cannot be had: the file is cut, it ends after {index.seconds:.4g} s but says "
            f"it lasts {index.promised:.4g} s; copy it anew"
        )
    origin = index.seconds if start < 0 else 0.0
    if origin + end <= 0 or origin + start >= index.seconds:
        raise VideoError(
            f"{what} lie outside of the recording, which lasts {index.seconds:.4g} s; mend start "
            "and end, or leave the clip out"
        )
    return sampled_frames(index, origin + start, origin + end, options.frames, options.rate)


def _boxes(
    index: VideoIndex, openface: str, wanted: NDArray[np.int64], margin: float
) -> dict[int, NDArray[np.float64]]:
    """Return the face's box in each wanted frame that has one."""
    recording = read_openface(openface, groups=["landmarks_2d"])
    boxes = face_boxes(recording, margin)
    check_inside(boxes, index, openface)
    found = boxes_of_frames(recording, boxes, index, wanted)
    return {
        int(number): box
        for number, box in zip(wanted, found, strict=True)
        if np.isfinite(box).all()
    }
