"""Recordings to a table of features: one row per clip, and what was lost on the way."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pyexpr.base.errors import ColumnError, DataError, listed
from pyexpr.base.messages import Template, message_column, message_of, parts_of, say
from pyexpr.base.processes import checked_processes
from pyexpr.base.progress import progress as shown
from pyexpr.base.results import Result
from pyexpr.base.stopping import stoppable
from pyexpr.base.tables import as_frame, require_columns
from pyexpr.base.versions import versions
from pyexpr.behavior.features.binning import Binning
from pyexpr.behavior.features.one_clip import clip_features
from pyexpr.behavior.features.options import (
    FEATURES,
    AuCount,
    Derivatives,
    FeatureOptions,
    Head,
    Landmarks,
    feature_units,
    needed_groups,
)
from pyexpr.behavior.features.quality import clip_quality, recording_quality
from pyexpr.behavior.openface.recording import read_openface
from pyexpr.behavior.schedules import Schedule
from pyexpr.core.kinematics import Velocity

if TYPE_CHECKING:
    import pandas as pd

    from pyexpr.base.foreign import FrameLike
    from pyexpr.behavior.openface.recording import OpenFaceRecording

__all__ = ["FEATURES", "FeatureResult", "extract_features", "feature_units"]

_WHAT = "the table of recordings"
#: The context of files that come without a table.
NO_CONTEXT = "all"


# The report has a table of the clips left out, and the method those outside of a recording.
_NOT_THERE = Template(
    "clips_outside_recordings",
    "{dropped:count clip, of the schedule is, of the schedule are} not in the recordings.",
    report="",
)
_CLIPS = Template("clips_without_features", "{clips:count clip}: {reason}.", report="")
_MORE_CLIPS = Template(
    "more_clips_without_features", "{clips} more clips for other reasons.", report=""
)
_OF_FILES = Template("of_files", "{files}: {note}.")


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class FeatureResult(Result):
    """Features of clips, and what became of every recording.

    Attributes
    ----------
    table : DataFrame
        A row per clip: subject, context, clip, openface (path), start, end (s, of
        the recording), the fourteen `FEATURES`, n_frames, n_valid_frames, n_bins,
        n_valid_bins, n_velocities, n_au_active, reason ("" or why features are NaN).
    quality : DataFrame
        A row per clip: subject and the columns of `clip_quality`.
    recordings : DataFrame
        A row per recording: subject, context, the columns of `recording_quality`
        (read log included), n_clips, n_dropped.
    dropped : DataFrame
        A row per clip that its recording does not yield: subject, context, clip,
        openface, reason.
    options : dict
        The arguments the features were computed with.
    hashes : dict of str to str
        SHA-256 of the bytes that were read, by the path of the recording.
    """

    table: pd.DataFrame
    quality: pd.DataFrame
    recordings: pd.DataFrame
    dropped: pd.DataFrame
    options: dict[str, Any]
    hashes: dict[str, str] = field(default_factory=dict)

    def tidy(self) -> pd.DataFrame:
        """Return `table`, one row per clip."""
        return self.table

    def heading(self) -> str:
        """Return how many clips of how many recordings have features."""
        complete = int((self.table["reason"] == "").sum())
        return (
            f"Features of {len(self.table)} clips from {len(self.recordings)} recordings "
            f"({complete} complete), at {self.options['rate']:g} Hz"
        )

    def units(self) -> dict[str, str]:
        """Return the unit of each feature."""
        names = FeatureOptions().to_dict()
        return feature_units(FeatureOptions(**{name: self.options[name] for name in names}))

    def provenance(self) -> dict[str, Any]:
        """Return options, counts and versions."""
        return {
            "options": self.options,
            "units": self.units(),
            "n_recordings": len(self.recordings),
            "n_clips": len(self.table),
            "n_incomplete": int((self.table["reason"] != "").sum()),
            "n_dropped": len(self.dropped),
            "versions": versions("pandas"),
        }

    def notes(self) -> tuple[str, ...]:
        """Return what was lost, by reason."""
        found: list[str] = []
        if len(self.dropped):
            found.append(_NOT_THERE(dropped=len(self.dropped)))
        reasons = self.table.loc[self.table["reason"] != "", "reason"].value_counts()
        found += [_CLIPS(clips=count, reason=reason) for reason, count in reasons.head(5).items()]
        if len(reasons) > 5:
            found.append(_MORE_CLIPS(clips=int(reasons.iloc[5:].sum())))
        return (*found, *self._reading_notes())

    def _reading_notes(self) -> list[str]:
        """Return what the reader said, each sentence once with the files it is about."""
        found: dict[str, list[str]] = {}
        for path, text in zip(self.recordings["openface"], self.recordings["notes"], strict=True):
            for note in parts_of(text):
                found.setdefault(note, []).append(Path(path).name)
        return [_OF_FILES(files=listed(files, most=3), note=note) for note, files in found.items()]


@dataclass(frozen=True, slots=True)
class _Job:
    """One file, and how it is read and cut."""

    subject: Any
    context: Any
    path: str
    schedule: Schedule
    options: FeatureOptions
    reading: dict[str, Any]
    on_short: Literal["drop", "error"]


@dataclass(frozen=True, slots=True)
class _Rows:
    """What one file gives to each of the four tables."""

    table: list[dict[str, Any]]
    quality: list[dict[str, Any]]
    recording: dict[str, Any]
    dropped: list[dict[str, Any]]
    path: str
    sha256: str


@stoppable("features were computed")
def extract_features(
    recordings: FrameLike | str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
    *,
    schedule: Schedule | FrameLike | None = None,
    every: float | None = None,
    rate: float = 5.0,
    bins: Binning = "mean",
    velocity: Velocity = "abs_derivative",
    head: Head = "pose",
    au_count: AuCount = "mean",
    min_valid: float = 0.5,
    landmarks: Landmarks = "2d",
    derivatives: Derivatives = "differences",
    min_confidence: float | None = None,
    fps: float | None = None,
    face: Literal["largest"] | int = "largest",
    on_short: Literal["drop", "error"] = "drop",
    n_jobs: int | None = None,
    progress: bool | None = None,
) -> FeatureResult:
    r"""Read OpenFace files, cut them into clips, and compute the features of each clip.

    Parameters
    ----------
    recordings : DataFrame, or a path, or a sequence of paths
        A table with the columns subject, context, openface (path; other columns
        are ignored), a recording per row, each (subject, context) once. For paths
        the subject is the file's name without its ending, the context "all".
    schedule : Schedule or DataFrame, optional
        Segments per context; a table has the columns of `Schedule.from_table`.
    every : float, optional
        Instead of a schedule: clips of so many seconds, from the beginning on.
    rate : float
        Bins per second. Frame k of a clip goes to bin ``floor(rate * k / fps)``; a bin is
        valid with half of its expected frames.
    bins : {"mean", "decimate"}
        Mean of the bin's valid frames, or its first frame.
    velocity : {"abs_derivative", "derivative", "speed"}
        With ``d_t`` the distance between adjacent valid bins, whose mean is the
        displacement: the mean of ``|d_{t+1} - d_t| * rate`` over three adjacent valid bins,
        the same with its sign, or the mean of ``d_t * rate``.
    head : {"pose", "params"}
        Head position from pose_Tx, pose_Ty, pose_Tz (mm), or from p_tx, p_ty, p_scale
        (px, px, and the scale without unit).
    au_count : {"mean", "distinct"}
        Mean number of units present per valid frame, or the number of units present for
        at least 0.2 s of the clip's valid frames.
    min_valid : float
        Share of the bins that must be valid, over 0 and at most 1.
    landmarks : {"2d", "3d", "normalised"}
        Points in the image (px), in space (mm), or in space with the head's position and
        rotation removed, in interocular distances.
    derivatives : {"differences", "savgol"}
        Differences between bins, or Savitzky and Golay's derivatives of the frames.
    min_confidence, fps, face
        As in `read_openface`.
    on_short : {"drop", "error"}
        Whether clips that a recording is too short for are listed or an error.
    n_jobs : int, optional
        Files worked on at a time; by default as many as there are processors.
        It never changes the result.
    progress : bool, optional
        Whether to show a bar; by default if standard error is a terminal.

    Returns
    -------
    FeatureResult
        Rows in the order of `recordings` and the schedule.

    Raises
    ------
    DataError
        If an argument makes no sense, neither or both of `schedule` and `every`
        are given, or a (subject, context) occurs twice.
    OpenFaceError
        If a file cannot be used; the message names it.

    Notes
    -----
    Nothing is repaired in silence: clips without features carry the reason, clips
    a recording does not yield are in ``dropped``, frames and rows left out are
    counted in ``quality`` and ``recordings``.

    Examples
    --------
    >>> import os, tempfile
    >>> path = os.path.join(tempfile.mkdtemp(), "s01.csv")
    >>> with open(path, "w") as file:
    ...     _ = file.write("frame,timestamp,confidence,success,pose_Tx,pose_Ty,pose_Tz\n")
    ...     for k in range(75):  # 30 mm/s to the right
    ...         _ = file.write(f"{k + 1},{k / 25:.2f},0.98,1,{1.2 * k:.1f},0,500\n")
    >>> result = extract_features(path, every=3)
    >>> result.table["head_displacement"].round(6).tolist()  # mm per step of 0.2 s
    [6.0]
    >>> result.table["reason"].item()[:34]
    'points: the file has no landmarks_'
    """
    options = FeatureOptions(
        rate=rate,
        bins=bins,
        velocity=velocity,
        head=head,
        au_count=au_count,
        min_valid=min_valid,
        landmarks=landmarks,
        derivatives=derivatives,
    )
    plan = _schedule(schedule, every)
    groups = needed_groups(options)
    reading: dict[str, Any] = {
        "groups": groups,
        "min_confidence": min_confidence,
        "fps": fps,
        "face": face,
        # By default the reader takes what there is of what the features need.
        "on_missing": "error" if groups is None else "note",
    }
    manifest = _manifest(recordings)
    for context in dict.fromkeys(context for _, context, _ in manifest):
        # A context the schedule does not know is an error now, not after an hour of reading.
        plan.cut(str(context), n_frames=1, fps=1.0)
    jobs = [
        _Job(subject, context, path, plan, options, reading, on_short)
        for subject, context, path in manifest
    ]
    results = shown(
        _each(jobs, _workers(n_jobs, len(jobs))),
        total=len(jobs),
        label="Reading recordings",
        show=progress,
    )
    asked = {"every": every, "min_confidence": min_confidence, "fps": fps, "face": face}
    return _assembled(list(results), options.to_dict() | asked | {"on_short": on_short})


def features_of_recordings(
    recordings: Iterable[tuple[Any, Any, OpenFaceRecording]],
    *,
    schedule: Schedule,
    options: FeatureOptions | None = None,
    on_short: Literal["drop", "error"] = "drop",
) -> FeatureResult:
    """Compute the features of recordings that are in memory, without any file.

    Parameters
    ----------
    recordings : iterable of (subject, context, OpenFaceRecording)
        One after the other; none is kept.
    schedule, options, on_short
        As for `extract_features`.

    Returns
    -------
    FeatureResult
        As `extract_features` gives of files with the same content.
    """
    chosen = options or FeatureOptions()
    rows = [
        _rows(_Job(subject, context, recording.path, schedule, chosen, {}, on_short), recording)
        for subject, context, recording in recordings
    ]
    return _assembled(rows, chosen.to_dict() | {"on_short": on_short})


def _schedule(schedule: Any, every: float | None) -> Schedule:
    if (schedule is None) == (every is None):
        raise DataError(
            say(
                "give either {schedule=} (segments per context, such as "
                "{call schedules.BP4D_PLUS}) or {every=} (seconds per clip){both}",
                both=", not both" if schedule is not None else "",
            )
        )
    if every is not None:
        return Schedule.every(every)
    return schedule if isinstance(schedule, Schedule) else Schedule.from_table(schedule)


def _manifest(recordings: Any) -> list[tuple[Any, Any, str]]:
    """Return (subject, context, path) of every recording."""
    if isinstance(recordings, (str, os.PathLike)):
        recordings = [recordings]
    if isinstance(recordings, Sequence) and all(
        isinstance(path, (str, os.PathLike)) for path in recordings
    ):
        return _from_paths([os.fspath(path) for path in recordings])
    frame = as_frame(recordings, what=_WHAT)
    columns = ["subject", "context", "openface"]
    require_columns(frame, columns, what=_WHAT)
    for name in columns:
        empty = (frame[name].isna() | (frame[name].astype(str).str.strip() == "")).to_numpy()
        if empty.any():
            raise ColumnError(
                f"column {name!r} of {_WHAT} must not have missing values, but row "
                f"{int(empty.argmax()) + 1} is empty"
                + (f" ({int(empty.sum())} such rows)" if empty.sum() > 1 else "")
            )
    if frame.empty:
        raise DataError(f"{_WHAT} has no rows")
    doubled = frame.duplicated(["subject", "context"]).to_numpy()
    if doubled.any():
        (second,) = frame.iloc[[int(doubled.argmax())]].to_dict("records")
        raise DataError(
            say(
                "subject {subject!r} has two recordings in context {context!r} (the "
                "second is {openface!r}); keep one, or name the contexts apart",
                subject=second["subject"],
                context=second["context"],
                openface=second["openface"],
            )
        )
    for row, path in enumerate(frame["openface"].tolist(), start=1):
        if not isinstance(path, (str, os.PathLike)):
            raise ColumnError(
                say(
                    "column 'openface' of {what} must hold paths, but row {row} holds {path!r}",
                    what=_WHAT,
                    row=row,
                    path=path,
                )
            )
    return [
        (subject, context, os.fspath(path))
        for subject, context, path in frame[columns].itertuples(index=False)
    ]


def _from_paths(paths: list[str]) -> list[tuple[str, str, str]]:
    if not paths:
        raise DataError("there are no recordings: the list of paths is empty")
    names = [Path(path).stem for path in paths]
    doubled = sorted({name for name in names if names.count(name) > 1})
    if doubled:
        raise DataError(
            f"two files are both named {listed(doubled)}: give a table with the columns subject, "
            "context and openface instead"
        )
    return [(name, NO_CONTEXT, path) for name, path in zip(names, paths, strict=True)]


def _workers(n_jobs: int | None, n_files: int) -> int:
    return min(checked_processes(n_jobs), n_files)


def _each(jobs: list[_Job], workers: int) -> Iterator[_Rows]:
    """Yield the rows of every file in order; the first error ends it."""
    if workers == 1:
        yield from map(_extract, jobs)
        return
    # Threads: reading and the kernels work without the interpreter's lock, and
    # starting processes costs more than most studies take.
    pool = ThreadPoolExecutor(workers)
    try:
        yield from pool.map(_extract, jobs)
    finally:
        pool.shutdown(cancel_futures=True)


def _extract(job: _Job) -> _Rows:
    """Read one file, cut it, and compute everything about its clips."""
    # What is wrong with a file is said with its name; what is wrong with its clips is not.
    recording = read_openface(job.path, **job.reading)
    try:
        return _rows(job, recording)
    except DataError as error:
        said = say("{path:label}: {error}", path=job.path, error=message_of(error))
        raise type(error)(said) from None


def _rows(job: _Job, recording: OpenFaceRecording) -> _Rows:
    clips, dropped = job.schedule.cut(
        str(job.context), recording.n_frames, recording.fps, on_short=job.on_short
    )
    who = {"subject": job.subject, "context": job.context}
    table = [
        who
        | {
            "clip": clip.label,
            "openface": job.path,
            "start": clip.start_frame / recording.fps,
            "end": clip.stop_frame / recording.fps,
        }
        | clip_features(recording, clip, job.options)
        for clip in clips
    ]
    return _Rows(
        table=table,
        quality=[clip_quality(recording, clip) | who for clip in clips],
        recording=who
        | recording_quality(recording)
        | {"n_clips": len(clips), "n_dropped": len(dropped)},
        dropped=[
            who | {"clip": item.label, "openface": job.path, "reason": item.reason}
            for item in dropped
        ],
        path=job.path,
        sha256=recording.sha256,
    )


_KEY = ("subject", "context", "clip")
_TABLE_COLUMNS = (
    *_KEY, "openface", "start", "end", *FEATURES,
    "n_frames", "n_valid_frames", "n_bins", "n_valid_bins", "n_velocities", "n_au_active",
    "reason",
)  # fmt: skip
_DROPPED_COLUMNS = (*_KEY, "openface", "reason")


def _without(rows: list[dict[str, Any]], names: tuple[str, ...]) -> list[str]:
    return [name for row in rows for name in row if name not in names]


def _assembled(rows: list[_Rows], options: dict[str, Any]) -> FeatureResult:
    import pandas as pd

    table = [row for one in rows for row in one.table]
    quality = [row for one in rows for row in one.quality]
    recordings = [one.recording for one in rows]
    dropped = [row for one in rows for row in one.dropped]
    return FeatureResult(
        table=pd.DataFrame(table, columns=_TABLE_COLUMNS).assign(
            reason=message_column(row["reason"] for row in table)
        ),
        # The subject comes first, whatever the order in which a row was put together.
        quality=pd.DataFrame(quality, columns=[*_KEY, *_without(quality[:1], _KEY)]),
        recordings=pd.DataFrame(recordings).assign(
            notes=message_column(row["notes"] for row in recordings)
        ),
        # Text, also where none is dropped: an empty table is joined and stacked like a full one.
        dropped=pd.DataFrame(dropped, columns=_DROPPED_COLUMNS, dtype="str").assign(
            reason=message_column(row["reason"] for row in dropped)
        ),
        options=options,
        hashes={one.path: one.sha256 for one in rows if one.sha256},
    )
