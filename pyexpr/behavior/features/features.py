"""Recordings to a table of features: one row per clip, and what was lost on the way."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

from pyexpr.base.errors import DataError, OpenFaceError, listed
from pyexpr.base.messages import Template, joined, message_column, message_of, parts_of, say
from pyexpr.base.processes import checked_processes
from pyexpr.base.progress import progress as shown
from pyexpr.base.results import Result
from pyexpr.base.stopping import stoppable
from pyexpr.base.versions import versions
from pyexpr.behavior.features.binning import Binning
from pyexpr.behavior.features.manifest import manifest_of, refuse_absent
from pyexpr.behavior.features.mixed import (
    Kind,
    OnMixed,
    common_units,
    differences,
    image_size,
    with_units,
)
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
from pyexpr.behavior.openface.options import Clock, Place, ReadingOptions
from pyexpr.behavior.openface.plausible import MAX_SPEED, MAX_TURN
from pyexpr.behavior.openface.recording import read_openface
from pyexpr.behavior.schedules import Schedule
from pyexpr.core.kinematics import Velocity

if TYPE_CHECKING:
    import pandas as pd

    from pyexpr.base.foreign import FrameLike
    from pyexpr.behavior.openface.recording import OpenFaceRecording

__all__ = ["FEATURES", "FeatureResult", "extract_features", "feature_units"]


# The report has a table of the clips left out, and the method those outside of a recording.
_NOT_THERE = Template(
    "clips_outside_recordings",
    "{dropped:count clip, of the schedule is, of the schedule are} not in the recordings.",
    report="",
)
_SKIPPED = Template(
    "recordings_skipped",
    "{skipped:count recording, was, were} left out, as {on_error='skip'} asks; the first is "
    "{path:label}: {reason}.",
    report="{skipped:count recording, was, were} left out as unusable; the first "
    "is {path:label}: {reason}.",
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
        (read log included), image_width and image_height (px, as landmarks and head
        position imply them by OpenFace's default camera), n_clips, n_dropped.
    dropped : DataFrame
        A row per clip that its recording does not yield: subject, context, clip,
        openface, reason. The clip is "" where a whole recording was skipped.
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
        skipped = self.dropped[self.dropped["clip"] == ""]
        if len(skipped):
            first = skipped.iloc[0]
            found.append(
                _SKIPPED(skipped=len(skipped), path=first["openface"], reason=first["reason"])
            )
        if len(self.dropped) > len(skipped):
            found.append(_NOT_THERE(dropped=len(self.dropped) - len(skipped)))
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
    common: dict[str, tuple[str, ...]] = field(default_factory=dict)
    skip: bool = False


@dataclass(frozen=True, slots=True)
class _Rows:
    """What one file gives to each of the four tables."""

    table: list[dict[str, Any]]
    quality: list[dict[str, Any]]
    recording: dict[str, Any] | None
    dropped: list[dict[str, Any]]
    path: str
    sha256: str
    kind: Kind | None = None


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
    clock: Clock = "auto",
    face: Place | int = "largest",
    join_ids: bool = False,
    max_speed: float = MAX_SPEED,
    max_turn: float = MAX_TURN,
    split_by: str | None = None,
    on_mixed: OnMixed = "error",
    on_short: Literal["drop", "error"] = "drop",
    on_error: Literal["stop", "skip"] = "stop",
    n_jobs: int | None = None,
    progress: bool | None = None,
) -> FeatureResult:
    r"""Read OpenFace files, cut them into clips, and compute the features of each clip.

    Parameters
    ----------
    recordings : DataFrame, or a path, or a sequence of paths
        A table with the columns subject, context, openface (path), and if wanted face
        (as the argument, row by row; empty for the argument), part (with `split_by`) and
        video (path, with ``clock="video"``); other columns are ignored. A recording per
        row, each (subject, context) once. For paths the subject is the file's name
        without its ending, the context "all".
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
    min_confidence, fps, clock, face, join_ids, max_speed, max_turn
        As in `read_openface`.
    split_by : str, optional
        The column of files that hold several recordings which tells them apart. The
        column part of the table says which row is which; for paths each of its values is
        a recording, and the subject.
    on_mixed : {"error", "common", "keep"}
        What to do with recordings of other action units, or images of another size, than
        the first: stop, take the action units that all have (pixels have nothing in
        common: `landmarks` in other units have), or take them as they are, with a note.
    on_short : {"drop", "error"}
        Whether clips that a recording is too short for are listed or an error.
    on_error : {"stop", "skip"}
        Whether a file that cannot be used ends everything, or is listed in ``dropped``.
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
    read = ReadingOptions(
        min_confidence=min_confidence,
        fps=fps,
        clock=clock,
        face=face,
        join_ids=join_ids,
        max_speed=max_speed,
        max_turn=max_turn,
    )
    _check_choices(on_mixed, on_error)
    plan = _schedule(schedule, every)
    groups = needed_groups(options)
    reading: dict[str, Any] = read.to_dict() | {
        "groups": groups,
        # By default the reader takes what there is of what the features need.
        "on_missing": "error" if groups is None else "note",
    }
    manifest = manifest_of(recordings, split_by, read.face, with_videos=clock == "video")
    for context in dict.fromkeys(entry.context for entry in manifest):
        # A context the schedule does not know is an error now, not after an hour of reading.
        plan.cut(str(context), n_frames=1, fps=1.0)
    if on_error == "stop":
        refuse_absent(manifest)
    common = common_units(entry.path for entry in manifest) if on_mixed == "common" else {}
    jobs = [
        _Job(
            entry.subject,
            entry.context,
            entry.path,
            plan,
            options,
            reading
            | {
                "face": entry.face,
                "split_by": entry.split_by,
                "part": entry.part,
                "video": entry.video,
            },
            on_short,
            common,
            on_error == "skip",
        )
        for entry in manifest
    ]
    results = shown(
        _alike(_each(jobs, _workers(n_jobs, len(jobs))), on_mixed),
        total=len(jobs),
        label="Reading recordings",
        show=progress,
    )
    asked = {
        **read.to_dict(),
        "every": every,
        "split_by": split_by,
        "on_mixed": on_mixed,
        "on_short": on_short,
        "on_error": on_error,
    }
    return _assembled(list(results), options.to_dict() | asked)


def _check_choices(on_mixed: str, on_error: str) -> None:
    for name, given, known in (
        ("on_mixed", on_mixed, get_args(OnMixed)),
        ("on_error", on_error, ("stop", "skip")),
    ):
        if given not in known:
            raise DataError(
                say(
                    "{@name=} must be one of {known}, not {given!r}",
                    name=name,
                    known=listed(known),
                    given=given,
                )
            )


def _alike(results: Iterator[_Rows], on_mixed: OnMixed) -> Iterator[_Rows]:
    """Yield rows; those of another kind than the first are refused, or have a note."""
    first: Kind | None = None
    for rows in results:
        if first is None:
            first = rows.kind
        if first is not None and rows.kind is not None and rows.recording is not None:
            notes = differences(first, rows.kind, on_mixed)
            if notes:
                rows.recording["notes"] = joined([*parts_of(rows.recording["notes"]), *notes])
        yield rows


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
    try:
        recording = with_units(read_openface(job.path, **job.reading), job.common)
    except OpenFaceError as error:
        if not job.skip:
            raise
        who = {"subject": job.subject, "context": job.context, "clip": "", "openface": job.path}
        return _Rows([], [], None, [who | {"reason": message_of(error)}], job.path, "")
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
        | dict(zip(("image_width", "image_height"), image_size(recording), strict=True))
        | {"n_clips": len(clips), "n_dropped": len(dropped)},
        dropped=[
            who | {"clip": item.label, "openface": job.path, "reason": item.reason}
            for item in dropped
        ],
        path=job.path,
        sha256=recording.sha256,
        kind=Kind.of(recording, pixels=job.options.landmarks == "2d"),
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
    recordings = [one.recording for one in rows if one.recording is not None]
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
