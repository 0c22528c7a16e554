"""The series behind the features: a row per bin, or per frame, of each clip."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from pyexpr.base.errors import DataError, counted
from pyexpr.base.jobs import checked_jobs, results_in_order
from pyexpr.base.messages import Template, message_column, message_of, say
from pyexpr.base.progress import progress as shown
from pyexpr.base.results import Result
from pyexpr.base.stopping import stoppable
from pyexpr.base.versions import versions
from pyexpr.base.visible import visible
from pyexpr.behavior.features.binning import Binning, bin_points
from pyexpr.behavior.features.families import point_mean, region_points
from pyexpr.behavior.features.manifest import manifest_of
from pyexpr.behavior.features.means import mean_units
from pyexpr.behavior.features.movement import differences
from pyexpr.behavior.features.one_clip import bins_valid, clip_groups, signals_of
from pyexpr.behavior.features.options import (
    MOVING,
    OPENFACE_UNITS,
    FeatureOptions,
    Head,
    Landmarks,
    TrackerUnits,
    expression_name,
    landmark_group,
    length_unit,
    needed_groups,
)
from pyexpr.behavior.features.regions import REGIONS
from pyexpr.behavior.features.signals import ANGLES, Signals
from pyexpr.behavior.openface.options import Clock, Place, ReadingOptions
from pyexpr.behavior.openface.parts import parts_read_once
from pyexpr.behavior.openface.plausible import MAX_SPEED, MAX_TURN
from pyexpr.behavior.schedules import Clip, Schedule
from pyexpr.behavior.tracks.groups import OTHER_GROUPS
from pyexpr.behavior.tracks.reading import read_recording
from pyexpr.core.kinematics import Velocity

if TYPE_CHECKING:
    import pandas as pd

    from pyexpr.base.foreign import FrameLike
    from pyexpr.behavior.openface.recording import OpenFaceRecording

#: The label of a clip that is a whole recording.
WHOLE = "whole"
#: Positions that have columns, by part: those of landmarks are too many.
_AXES = {"head": ("x", "y", "z"), "gaze": ("x", "y")}
_MEASURES = ("displacement", "velocity", "acceleration", "jerk")
_KEY = ("subject", "context", "clip", "openface", "bin", "time", "n_valid_frames", "valid")
_OF_FILE = Template("of_file", "{path}: {note}")


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class MovementSeries(Result):
    """Time series of movement in clips.

    Attributes
    ----------
    table : DataFrame
        One row per bin of each clip; see `movement_series`.
    dropped : DataFrame
        One row per clip that its recording does not contain: subject, context, clip, openface,
        reason.
    options : dict
        The arguments the series were computed with.
    hashes : dict of str to str
        SHA-256 of the bytes that were read, by the path of the recording.
    of_files : tuple of str
        What a reader of the numbers must know of each file.
    group_units : dict of str to str
        Units of the groups and signals of other trackers.
    """

    table: pd.DataFrame
    dropped: pd.DataFrame
    options: dict[str, Any]
    hashes: dict[str, str] = field(default_factory=dict)
    of_files: tuple[str, ...] = ()
    group_units: dict[str, str] = field(default_factory=dict)

    def tidy(self) -> pd.DataFrame:
        """Return `table`, one row per bin."""
        return self.table

    def heading(self) -> str:
        """Return how many bins of how many clips there are, and at which rate."""
        clips = len(self.table[["subject", "context", "clip"]].drop_duplicates())
        rate = self.options["rate"]
        every = "by frames" if rate is None else f"at {rate:g} Hz"
        n_clips, n_files = counted(clips, "clip"), counted(len(self.hashes), "file")
        return f"Movement of {n_clips} from {n_files}, {every}"

    def units(self) -> dict[str, str]:
        """Return the unit of each column of numbers."""
        own = ("velocity", "head", "landmarks")
        options = FeatureOptions(**{name: self.options[name] for name in own})
        known = self.group_units
        tracker = TrackerUnits(known.get(landmark_group(options)))
        found = series_units(options, tracker)
        others = [str(name) for name in self.table if name not in {*found, *_KEY}]
        intensity = known.get("au_intensity", tracker.intensity)
        return {"time": "s", **found, **{name: known.get(name, intensity) for name in others}}

    def provenance(self) -> dict[str, Any]:
        """Return options, counts and versions."""
        return {
            "options": self.options,
            "units": self.units(),
            "n_rows": len(self.table),
            "n_dropped": len(self.dropped),
            "versions": versions("pandas"),
        }

    def notes(self) -> tuple[str, ...]:
        """Return what was met with in the files."""
        return self.of_files

    def __repr__(self) -> str:
        return f"<MovementSeries {visible(self.heading())}>"


@stoppable("movement was computed")
@parts_read_once()
def movement_series(
    recordings: FrameLike | str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
    *,
    schedule: Schedule | FrameLike | None = None,
    every: float | None = None,
    rate: float | None = 5.0,
    bins: Binning = "mean",
    velocity: Velocity = "abs_derivative",
    head: Head = "pose",
    landmarks: Landmarks = "2d",
    min_confidence: float | None = None,
    fps: float | None = None,
    clock: Clock = "auto",
    face: Place | int = "largest",
    join_ids: bool = False,
    max_speed: float = MAX_SPEED,
    max_turn: float = MAX_TURN,
    layout: str | None = None,
    split_by: str | None = None,
    on_short: Literal["drop", "error"] = "drop",
    n_jobs: int | None = -1,
    progress: bool | None = None,
) -> MovementSeries:
    r"""Compute the time series of movement whose averages are the features.

    Parameters
    ----------
    recordings : DataFrame, or a path, or a sequence of paths
        As for `extract_features`.
    schedule : Schedule or DataFrame, optional
        Segments per context. Without it and `every`, a clip is a whole recording.
    every : float, optional
        Length of the clips in seconds, from the beginning of the recording.
    rate : float, optional
        Bins per second, as for `extract_features`. None: the frames of each recording.
    bins, velocity, head, landmarks
        As for `extract_features`.
    min_confidence, fps, clock, face, join_ids, max_speed, max_turn, layout, split_by
        As for `extract_features`.
    on_short : {"drop", "error"}
        Whether clips for which a recording is too short are listed, or are an error.
    n_jobs : int, optional
        Number of files at a time, as in joblib: -1 (the default) is one per processor, None is 1.
        ``joblib.parallel_config`` can send them to a cluster. Results do not depend on it.
    progress : bool, optional
        Whether to show a bar; by default if standard error is a terminal.

    Returns
    -------
    MovementSeries
        Its table has one row per bin of each clip, in the order of time:

        - subject, context, clip, openface; bin (from 0), time (at which the bin begins, in
          seconds of the recording), n_valid_frames, valid (whether the bin is used, as for
          features);
        - ``points_displacement``, and ``head_``, ``pitch_``, ``yaw_``, ``roll_``, ``gaze_``: the
          distance from the previous bin to this one, for points the mean over landmarks;
          ``_velocity``: ``|d_t - d_{t-1}| * rate`` (or as `velocity` defines it);
          ``_acceleration`` and ``_jerk``: the lengths of the second and third difference of
          position, times ``rate**2`` and ``rate**3``. All of them end at the bin of the row;
        - ``brows_``, ``eyes_``, ``mouth_`` and ``jaw_`` displacement and velocity;
        - positions: ``head_x``, ``head_y``, ``head_z``, ``pitch``, ``yaw``, ``roll``,
          ``gaze_x``, ``gaze_y``;
        - ``au_count``, the mean number of units present over the bin's valid frames, and the mean
          intensity of each unit, such as ``AU12``; for other trackers also the means of scores,
          blendshapes and emotions, such as ``score_AU12``, ``blendshape_jawOpen`` and
          ``emotion_joy``.

        Units are in ``units()``.

    Raises
    ------
    DataError
        If an argument is invalid, both `schedule` and `every` are given, or recordings have the
        same quantity in different units.
    OpenFaceError
        If a file cannot be used; the message names it.

    Notes
    -----
    Missing values: a number is NaN if one of the bins that it is computed from is not valid, or if
    the file lacks the columns, which `notes()` reports. Gaps are never bridged, and short
    stretches are not left out. The mean of a column of movement is therefore the feature with the
    same name, provided that all landmarks are observed in the same bins. Features with
    ``derivatives="savgol"`` are not computed from bins.

    Examples
    --------
    >>> import os, tempfile
    >>> path = os.path.join(tempfile.mkdtemp(), "s01.csv")
    >>> with open(path, "w") as file:
    ...     _ = file.write("frame,timestamp,confidence,success,pose_Tx,pose_Ty,pose_Tz\n")
    ...     for k in range(20):  # 30 mm/s to the right
    ...         _ = file.write(f"{k + 1},{k / 25:.2f},0.98,1,{1.2 * k:.1f},0,500\n")
    >>> series = movement_series(path)
    >>> series.table[["bin", "time", "head_x", "head_displacement"]].round(6).values.tolist()
    [[0.0, 0.0, 2.4, nan], [1.0, 0.2, 8.4, 6.0], [2.0, 0.4, 14.4, 6.0], [3.0, 0.6, 20.4, 6.0]]
    """
    chosen: dict[str, Any] = {
        "bins": bins, "velocity": velocity, "head": head, "landmarks": landmarks,
    }  # fmt: skip
    options = FeatureOptions(**(chosen if rate is None else chosen | {"rate": rate}))
    read = ReadingOptions(
        min_confidence=min_confidence,
        fps=fps,
        clock=clock,
        face=face,
        join_ids=join_ids,
        max_speed=max_speed,
        max_turn=max_turn,
    )
    plan = _plan(schedule, every)
    groups = needed_groups(options)
    reading = read.to_dict() | {
        "groups": groups, "on_missing": "error" if groups is None else "note",
    }  # fmt: skip
    manifest = manifest_of(
        recordings, split_by, read.face, with_videos=clock == "video", layout=layout
    )

    def one(entry: Any) -> _Piece:
        own = {"face": entry.face, "split_by": entry.split_by, "part": entry.part}
        how = reading | own | {"video": entry.video}
        recording = read_recording(entry.path, entry.layout, **how)
        try:
            return _piece(entry, recording, plan, options, on_short, by_frames=rate is None)
        except DataError as error:
            message = say("{path:label}: {error}", path=entry.path, error=message_of(error))
            raise type(error)(message) from None

    tasks = [(entry,) for entry in manifest]
    found = results_in_order(one, tasks, n_jobs=checked_jobs(n_jobs))
    pieces = list(shown(found, total=len(tasks), label="Reading recordings", show=progress))
    requested = {"rate": rate, **chosen, **read.to_dict(), "every": every, "layout": layout}
    return _assembled(pieces, requested | {"split_by": split_by, "on_short": on_short})


def series_units(options: FeatureOptions, tracker: TrackerUnits = OPENFACE_UNITS) -> dict[str, str]:
    """Return the unit of each column of movement, in the order of the columns."""
    found: dict[str, str] = {}
    for part in (*MOVING, *REGIONS):
        length = length_unit(part, options, tracker)
        units = (f"{length} per step", f"{length}/s", f"{length}/s^2", f"{length}/s^3")
        own = dict(zip(_MEASURES, units, strict=True))
        found |= {f"{part}_{what}": own[what] for what in measures_of(part)}
    for part in MOVING[1:]:
        found |= dict.fromkeys(_position_names(part), length_unit(part, options))
    return found | {"au_count": "units per frame"}


def measures_of(part: str) -> tuple[str, ...]:
    """Return what there is of a part; a region has no acceleration of its own."""
    return _MEASURES[:2] if part in REGIONS else _MEASURES


def clip_series(
    recording: OpenFaceRecording, clip: Clip, options: FeatureOptions
) -> dict[str, NDArray[Any]]:
    """Return the series of one clip, each of shape (bins,), by its column.

    Raises
    ------
    DataError
        If the clip is outside the recording, or has fewer frames than bins.
    """
    groups, grid, valid = clip_groups(recording, clip, options)
    found: dict[str, NDArray[Any]] = {
        "bin": np.arange(len(grid)),
        "time": clip.start_frame / recording.fps + np.arange(len(grid)) / options.rate,
        "n_valid_frames": np.add.reduceat(valid[: len(grid.index)].astype(np.int64), grid.first)
        if len(grid)
        else np.zeros(0, dtype=np.int64),
        "valid": bins_valid(valid, grid, options),
    }
    signals = signals_of(recording, groups, grid, options)
    for part in (*MOVING, *REGIONS):
        found |= _of_part(part, signals, len(grid))
    for part in MOVING[1:]:
        names = _position_names(part)
        positions = signals.binned(part)
        if isinstance(positions, str):
            positions = np.full((len(grid), 1, len(names)), np.nan)
        found |= dict(zip(names, positions[:, 0].T, strict=True))
    presence, intensity = groups.get("au_presence"), groups.get("au_intensity")
    count = np.full((len(valid), 1), np.nan)
    if presence is not None:
        # NaN where one unit is not known: a number of units is of all of them.
        count = np.where(np.isnan(presence), np.nan, presence == 1).sum(axis=1)[:, np.newaxis]
    columns = {"au_count": count[:, 0]}
    if intensity is not None:
        columns |= dict(zip(recording.au_intensity_names, intensity.T, strict=True))
    for group in OTHER_GROUPS:
        labelled = [expression_name(group, label) for label in recording.names.get(group, ())]
        if group in groups and labelled:
            columns |= dict(zip(labelled, groups[group].T, strict=True))
    values = np.stack(list(columns.values()), axis=1)[:, :, np.newaxis]
    binned = bin_points(values, grid, options.bins)[:, :, 0]
    return found | dict(zip(columns, binned.T, strict=True))


def _of_part(part: str, signals: Signals, n_bins: int) -> dict[str, NDArray[np.float64]]:
    """Return the series of a part that moves: NaN where it is not in the file."""
    positions = signals.binned("points" if part in REGIONS else part)
    if part in REGIONS and not isinstance(positions, str):
        own = region_points(part, positions, signals.scheme)
        positions = own if isinstance(own, str) else positions[:, own]
    rows = np.full((len(_MEASURES), n_bins), np.nan)
    if not isinstance(positions, str):
        options, angles = signals.options, part in ANGLES
        lengths = differences(positions, 1, angles=angles)
        rows[0, 1:] = point_mean(lengths)
        change = np.diff(lengths, axis=0) * options.rate
        if options.velocity == "abs_derivative":
            change = np.abs(change)
        if options.velocity == "speed":
            rows[1, 1:] = rows[0, 1:] * options.rate
        else:
            rows[1, 2:] = point_mean(change)
        if part not in REGIONS:
            for order in (2, 3):
                further = point_mean(differences(positions, order, angles=angles))
                rows[order, order:] = further * options.rate**order
    return {f"{part}_{what}": rows[_MEASURES.index(what)] for what in measures_of(part)}


def _position_names(part: str) -> tuple[str, ...]:
    return tuple(f"{part}_{axis}" for axis in _AXES[part]) if part in _AXES else (part,)


@dataclass(frozen=True, slots=True)
class _Piece:
    """What one recording gives."""

    tables: list[pd.DataFrame]
    dropped: list[dict[str, Any]]
    path: str
    sha256: str
    notes: tuple[str, ...]
    units: dict[str, str]


def _plan(schedule: Any, every: float | None) -> Schedule | None:
    if schedule is not None and every is not None:
        raise DataError(
            say("give {schedule=} or {every=}, not both; without them a clip is a whole recording")
        )
    if every is not None:
        return Schedule.every(every)
    if schedule is None or isinstance(schedule, Schedule):
        return schedule
    return Schedule.from_table(schedule)


def _piece(
    entry: Any,
    recording: OpenFaceRecording,
    plan: Schedule | None,
    options: FeatureOptions,
    on_short: Literal["drop", "error"],
    *,
    by_frames: bool,
) -> _Piece:
    import pandas as pd

    context = str(entry.context)
    clips: Iterable[Clip] = [Clip(context, WHOLE, 0, recording.n_frames)]
    dropped: Any = ()
    if plan is not None:
        clips, dropped = plan.cut(context, recording.n_frames, recording.fps, on_short=on_short)
    if by_frames:
        options = replace(options, rate=recording.fps)
    who = {"subject": entry.subject, "context": entry.context}
    tables = []
    for clip in clips:
        series = pd.DataFrame(clip_series(recording, clip, options))
        place = who | {"clip": clip.label, "openface": entry.path}
        for at, (name, value) in enumerate(place.items()):
            series.insert(at, name, value)
        tables.append(series)
    return _Piece(
        tables,
        [
            who | {"clip": one.label, "openface": entry.path, "reason": one.reason}
            for one in dropped
        ],
        entry.path,
        recording.sha256,
        recording.notes(),
        {**recording.units, **mean_units(recording)},
    )


def _assembled(pieces: list[_Piece], options: dict[str, Any]) -> MovementSeries:
    import pandas as pd

    dropped = [row for piece in pieces for row in piece.dropped]
    tables = [table for piece in pieces for table in piece.tables]
    columns = [*_KEY, *series_units(FeatureOptions())]
    table = pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=columns)
    return MovementSeries(
        table=table,
        dropped=pd.DataFrame(
            dropped, columns=["subject", "context", "clip", "openface", "reason"], dtype="str"
        ).assign(reason=message_column(row["reason"] for row in dropped)),
        options=options,
        hashes={piece.path: piece.sha256 for piece in pieces},
        of_files=tuple(
            _OF_FILE(path=piece.path, note=note) for piece in pieces for note in piece.notes
        ),
        group_units=_units_of_all(pieces),
    )


def _units_of_all(pieces: list[_Piece]) -> dict[str, str]:
    """Return the units of all recordings; `DataError` if two measure the same in others."""
    found: dict[str, tuple[str, str]] = {}
    for piece in pieces:
        for name, unit in piece.units.items():
            other, path = found.setdefault(name, (unit, piece.path))
            if other != unit:
                raise DataError(
                    say(
                        "{path:label} has {name} in {unit}, {first:label} in {other}: numbers of "
                        "one column would not be comparable; compute their series apart",
                        path=piece.path,
                        name=name,
                        unit=unit,
                        first=path,
                        other=other,
                    )
                )
    return {name: unit for name, (unit, _) in found.items()}
