"""Recordings to a table of features: one row per clip, and what was lost on the way."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar, get_args

from pyexpr.base.errors import DataError, OpenFaceError, TracksError, counted, listed
from pyexpr.base.jobs import checked_jobs, results_in_order, sent_elsewhere
from pyexpr.base.messages import Template, joined, message_column, message_of, parts_of, say
from pyexpr.base.progress import progress as shown
from pyexpr.base.results import Result
from pyexpr.base.stopping import stoppable
from pyexpr.base.versions import versions
from pyexpr.behavior.features.baseline import (
    COUNT,
    check_baseline,
    with_deviations,
    without_deviations,
)
from pyexpr.behavior.features.binning import Binning
from pyexpr.behavior.features.expressions import expressions_resolved
from pyexpr.behavior.features.gathered import GatheredRows
from pyexpr.behavior.features.joining import (
    Segments,
    check_kinds,
    check_options,
    check_recordings,
    joined_hashes,
    joined_segments,
    joined_units,
    stacked,
)
from pyexpr.behavior.features.manifest import manifest_of, refuse_absent
from pyexpr.behavior.features.means import clip_means, mean_units, means_table
from pyexpr.behavior.features.mixed import (
    Kind,
    OnMixed,
    common_units,
    differences,
    distinct,
    image_size,
    unit_differences,
    with_units,
)
from pyexpr.behavior.features.one_clip import clip_features
from pyexpr.behavior.features.options import (
    FEATURES,
    AuCount,
    Derivatives,
    Extra,
    FeatureOptions,
    Head,
    Landmarks,
    TrackerUnits,
    clip_feature_names,
    feature_names,
    feature_units,
    landmark_group,
    needed_groups,
)
from pyexpr.behavior.features.quality import clip_quality, recording_quality
from pyexpr.behavior.features.recording_rows import Job, Rows
from pyexpr.behavior.features.row_store import RowStore, current_store, unusable
from pyexpr.behavior.openface.layout import OPENFACE
from pyexpr.behavior.openface.options import Clock, Place, ReadingOptions
from pyexpr.behavior.openface.parts import parts_read_once
from pyexpr.behavior.openface.plausible import MAX_SPEED, MAX_TURN
from pyexpr.behavior.schedules import Schedule
from pyexpr.behavior.tracks.groups import ALL_GROUPS, SHARE
from pyexpr.behavior.tracks.reading import read_recording
from pyexpr.core.kinematics import Velocity

if TYPE_CHECKING:
    import pandas as pd

    from pyexpr.base.foreign import FrameLike
    from pyexpr.behavior.openface.recording import OpenFaceRecording

T = TypeVar("T")

__all__ = ["FEATURES", "FeatureResult", "extract_features", "feature_names", "feature_units"]


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


def _no_means() -> pd.DataFrame:
    return means_table([], _KEY)


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class FeatureResult(Result):
    """Features of clips, and a summary of every recording.

    Attributes
    ----------
    table : DataFrame
        A row per clip: subject, context, clip, openface (path), start, end (s, of
        the recording), the fourteen `FEATURES` and those of `extra`, n_frames,
        n_valid_frames, n_bins, n_valid_bins, n_velocities, n_au_active, reason ("" or why
        features are NaN); with a `baseline` the deviations, and n_baseline_clips.
    quality : DataFrame
        One row per clip: subject and the columns of `clip_quality`.
    recordings : DataFrame
        A row per recording: subject, context, the columns of `recording_quality`
        (read log included), image_width and image_height (px, as landmarks and head
        position imply them by OpenFace's default camera, or another layout tells them),
        layout, points_unit (of the landmarks; "" without any), n_clips, n_dropped.
    dropped : DataFrame
        One row per clip for which its recording is too short or unusable: subject, context, clip,
        openface, reason. The clip is "" if a whole recording was skipped.
    options : dict
        The arguments the features were computed with.
    hashes : dict of str to str
        SHA-256 of the bytes that were read, by the path of the recording.
    means : DataFrame
        Of recordings of other trackers, a row per clip: subject, context, clip, and the
        mean over its frames of each action unit's intensity or score, each blendshape and
        each emotion, as far as they have them. Without rows where all are OpenFace's.
    group_units : dict of str to str
        Units of the groups and means of other trackers.
    kinds : tuple of Kind
        The action units, landmarks and image sizes of the recordings, by which it is decided
        whether others can be joined.
    """

    table: pd.DataFrame
    quality: pd.DataFrame
    recordings: pd.DataFrame
    dropped: pd.DataFrame
    options: dict[str, Any]
    hashes: dict[str, str] = field(default_factory=dict)
    means: pd.DataFrame = field(default_factory=_no_means)
    group_units: dict[str, str] = field(default_factory=dict)
    kinds: tuple[Kind, ...] = ()
    segments: Segments = field(default_factory=dict)

    def tidy(self) -> pd.DataFrame:
        """Return `table`, one row per clip."""
        return self.table

    @stoppable("features were joined", kept="the results are as they were")
    def join(self, *others: FeatureResult) -> FeatureResult:
        """Return the features of these recordings and of others; see `pyexpr.join`.

        Rows are those that one call for all recordings would give, in the order of the results.
        Deviations from a `baseline` are computed again, from all clips of a subject.
        """
        parts = [self, *others]
        for other in others:
            check_options(self.options, other.options)
        check_recordings([(part.recordings, part.dropped[part.dropped["clip"] == ""])
                          for part in parts])  # fmt: skip
        check_kinds([part.kinds for part in parts])
        return FeatureResult(
            table=self._with_clips(others),
            quality=stacked([part.quality for part in parts]),
            recordings=stacked([part.recordings for part in parts], "notes"),
            dropped=stacked([part.dropped for part in parts], "reason"),
            options=self.options,
            hashes=joined_hashes([part.hashes for part in parts]),
            means=stacked([part.means for part in parts]),
            group_units=joined_units([part.group_units for part in parts]),
            kinds=distinct(kind for part in parts for kind in part.kinds),
            segments=joined_segments([part.segments for part in parts]),
        )

    def _with_clips(self, others: Sequence[FeatureResult]) -> pd.DataFrame:
        """Return the table of clips of all results."""
        options, tables = _options_in(self.options), [self.table, *(o.table for o in others)]
        if options.baseline is None:
            return stacked(tables, "reason")
        own = clip_feature_names(options)
        whole = stacked([without_deviations(table, own) for table in tables], "reason")
        return with_deviations(whole, own, options.baseline)[list(self.table.columns)]

    def heading(self) -> str:
        """Return how many clips of how many recordings have features."""
        complete = int((self.table["reason"] == "").sum())
        return (
            f"Features of {counted(len(self.table), 'clip')} from "
            f"{counted(len(self.recordings), 'recording')} "
            f"({complete} complete), at {self.options['rate']:g} Hz"
        )

    def units(self) -> dict[str, str]:
        """Return the unit of each feature."""
        options = _options_in(self.options)
        known = self.group_units
        usual = TrackerUnits()
        tracker = TrackerUnits(
            known.get(landmark_group(options)), known.get("au_intensity", usual.intensity), known
        )
        means = {name: known[name] for name in self.means.columns if name not in _KEY}
        return feature_units(options, tracker) | means

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


@stoppable("features were computed")
@parts_read_once()
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
    extra: Extra = (),
    action_units: str | Sequence[str] = (),
    expressions: str | Sequence[str] = (),
    baseline: str | None = None,
    min_confidence: float | None = None,
    fps: float | None = None,
    clock: Clock = "auto",
    face: Place | int = "largest",
    join_ids: bool = False,
    max_speed: float = MAX_SPEED,
    max_turn: float = MAX_TURN,
    layout: str | None = None,
    split_by: str | None = None,
    on_mixed: OnMixed = "error",
    on_short: Literal["drop", "error"] = "drop",
    on_error: Literal["stop", "skip"] = "stop",
    n_jobs: int | None = -1,
    progress: bool | None = None,
) -> FeatureResult:
    r"""Read OpenFace files, cut them into clips, and compute the features of each clip.

    Parameters
    ----------
    recordings : DataFrame, or a path, or a sequence of paths
        A table with the columns subject, context, openface (path), and optionally face (as the
        argument, for each row; empty for the argument), part (with `split_by`) and video (path,
        with ``clock="video"``) and layout (as the argument); other columns are ignored. There is
        one recording per row, and each (subject, context) occurs once. For paths the subject is the
        name of the file without its extension, and the context is "all".
    schedule : Schedule or DataFrame, optional
        Segments per context; a table has the columns of `Schedule.from_table`.
    every : float, optional
        Instead of a schedule: length of the clips in seconds, from the beginning of the recording.
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
    extra : {"regions", "acceleration", "variability", "asymmetry", "au_dynamics", "entropy", "expression_means", "expression_variability", "expression_dynamics"}
        One or several families of features in addition to the fourteen; see the notes.
    action_units : str or sequence of str
        Action units, such as "AU12", whose dynamics get columns of their own in addition to
        those of all units together. This requires "au_dynamics" in `extra`.
    expressions : str or sequence of str
        The signals of the ``expression_`` families: names such as "blendshape_jawOpen",
        "emotion_joy", "score_AU12" (a probability, or odds) or "intensity_AU12", or groups
        ("au_intensity", "au_score", "blendshapes", "emotions"). The default is
        all signals in the headers of the recordings.
    baseline : str, optional
        A context, or "all". Adds the deviation of each feature from the person's own mean over
        the clips of this context, or over all clips of the person.
    min_confidence, fps, clock, face, join_ids, max_speed, max_turn
        As in `read_openface`.
    layout : str, optional
        For tables of a tracker other than OpenFace, as in `read_tracks`. ``"auto"`` identifies
        the layout of each file from its header. Features are those for which the layout has
        data, in its units.
    split_by : str, optional
        For files with several recordings: the column that identifies the recording. The column part
        of the table gives its value for each row; for paths, each value is a separate recording
        and subject.
    on_mixed : {"error", "common", "keep"}
        What to do with recordings whose action units or image size differ from the first: raise an
        error, use the common action units (pixels are not comparable; use `landmarks` in other
        units), or keep them as they are, with a note.
    on_short : {"drop", "error"}
        Whether clips for which a recording is too short are listed, or are an error.
    on_error : {"stop", "skip"}
        Whether an unusable file is an error, or is left out and listed in ``dropped``.
    n_jobs : int, optional
        Number of files at a time, as in joblib: -1 (the default) is one per processor, None is 1.
        ``joblib.parallel_config`` can send them to a cluster. Results do not depend on it.
    progress : bool, optional
        Whether to show a bar; by default if standard error is a terminal.

    Returns
    -------
    FeatureResult
        Rows in the order of `recordings` and the schedule.

    Raises
    ------
    DataError
        If an argument is invalid, neither or both of `schedule` and `every` are given, or a
        (subject, context) occurs twice.
    OpenFaceError
        If a file cannot be used; the message names it.

    Notes
    -----
    No data are repaired silently. The reason is given for clips without features, clips for which a
    recording is too short are in ``dropped``, and frames and rows that are left out are counted in
    ``quality`` and ``recordings``.

    **Further features.** x is a position in bins (a landmark in the unit of `landmarks`, the
    head in mm, an angle in degrees). Gaps are never bridged. A feature for which there are too few
    data is NaN with a reason, and the other features are not affected.

    - ``regions``: displacement and velocity of ``brows_``, ``eyes_``, ``mouth_`` and ``jaw_``
      as of all points. Landmarks in pixels move with the head; ``landmarks="normalised"``
      leaves the movement of the face.
    - ``acceleration``: for landmarks, head and gaze, the mean length of
      ``(x_{t+1} - 2 x_t + x_{t-1}) * rate**2`` and, as ``_jerk``, of
      ``(x_{t+2} - 3 x_{t+1} + 3 x_t - x_{t-1}) * rate**3`` [1]_ (u/s^2, u/s^3); at least three
      of each. With ``derivatives="savgol"`` the derivatives of the fitted polynomial, a cubic
      for jerk.
    - ``variability``: ``sqrt(sum |x - m|**2 / (n - 1))`` about the mean position m, and as
      ``_range`` the diagonal of the box that contains all positions. In one dimension these are
      the standard deviation and the range [2]_. ``au_variability`` and ``au_range`` are the same
      for the intensities of action units, averaged over the units.
    - ``asymmetry``: ``(L - R) / (L + R)``, where L and R are the distances covered by the
      landmarks on the person's left and right side [3]_, from -1 to 1, for all pairs of landmarks
      and for each region.
    - ``au_dynamics``: an event is a run of observed frames of at least 0.2 s in which the unit is
      present. ``au_events`` (per minute of observed frames, summed over the units) counts all
      events; the others are means over events that begin and end within the clip: ``au_duration`` (s),
      ``au_amplitude`` (largest intensity a), ``au_onset_speed`` and ``au_offset_speed``
      (from the last frame before the event up to a, and from a to the first frame after it,
      in units of intensity per second) [4]_.
    - ``entropy``: of the displacement from bin to bin. ``_sample_entropy`` is -log(A/B) with
      templates of two and three steps and a tolerance of 0.2 SD [5]_; it requires 100 runs of
      three adjacent steps. ``_permutation_entropy`` is the entropy of the orders of three steps,
      divided by its maximum log(6) [6]_; it requires 30 runs.
    - ``expression_means``: for each signal of `expressions`, the mean over the clip's observed
      frames, under the signal's own name, such as ``blendshape_jawOpen``;
      ``expression_variability``: its standard deviation (n - 1), ``_sd``. Both require the
      proportion `min_valid` of the frames. ``expression_dynamics``: ``_speed``, the mean of
      ``|x_{t+1} - x_t| * rate`` over adjacent valid bins; at least three.

    With ``baseline`` each feature f has a column ``f_deviation``, f minus the person's mean [7]_.

    References
    ----------
    .. [1] Hogan, N., and Sternad, D. (2009). Sensitivity of smoothness measures to movement
       duration, amplitude, and arrests. Journal of Motor Behavior 41, 529-534.
       https://doi.org/10.3200/35-09-004-RC
    .. [2] Hammal, Z., Cohn, J. F., and George, D. T. (2014). Interpersonal coordination of head
       motion in distressed couples. IEEE Transactions on Affective Computing 5, 155-167.
       https://doi.org/10.1109/TAFFC.2014.2326408
    .. [3] Schmidt, K. L., Liu, Y., and Cohn, J. F. (2006). The role of structural facial
       asymmetry in asymmetry of peak facial expressions. Laterality 11, 540-561.
       https://doi.org/10.1080/13576500600832758
    .. [4] Cohn, J. F., and Schmidt, K. L. (2004). The timing of facial motion in posed and
       spontaneous smiles. International Journal of Wavelets, Multiresolution and Information
       Processing 2, 121-132. https://doi.org/10.1142/S021969130400041X
    .. [5] Richman, J. S., and Moorman, J. R. (2000). Physiological time-series analysis using
       approximate entropy and sample entropy. American Journal of Physiology 278,
       H2039-H2049. https://doi.org/10.1152/ajpheart.2000.278.6.H2039
    .. [6] Bandt, C., and Pompe, B. (2002). Permutation entropy: a natural complexity measure
       for time series. Physical Review Letters 88, 174102.
       https://doi.org/10.1103/PhysRevLett.88.174102
    .. [7] Enders, C. K., and Tofighi, D. (2007). Centering predictor variables in
       cross-sectional multilevel models: a new look at an old issue. Psychological Methods
       12, 121-138. https://doi.org/10.1037/1082-989X.12.2.121

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
    >>> further = extract_features(path, every=3, extra="variability")
    >>> further.table["head_range"].round(6).tolist(), further.units()["head_range"]
    ([84.0], 'mm')
    """  # noqa: E501 - the choices of an argument stand on one line
    options = FeatureOptions(
        rate=rate,
        bins=bins,
        velocity=velocity,
        head=head,
        au_count=au_count,
        min_valid=min_valid,
        landmarks=landmarks,
        derivatives=derivatives,
        extra=extra,
        action_units=action_units,
        expressions=expressions,
        baseline=baseline,
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
    manifest = manifest_of(
        recordings, split_by, read.face, with_videos=clock == "video", layout=layout
    )
    check_baseline(options.baseline, (entry.context for entry in manifest))
    for context in dict.fromkeys(entry.context for entry in manifest):
        # A context the schedule does not know is an error now, not after an hour of reading.
        plan.cut(str(context), n_frames=1, fps=1.0)
    if on_error == "stop":
        refuse_absent(manifest)
    files = [(entry.path, entry.layout) for entry in manifest]
    common = common_units(files) if on_mixed == "common" else {}
    options = expressions_resolved(options, files, common)
    jobs = (
        Job(
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
            entry.layout,
        )
        for entry in manifest
    )
    results = shown(
        _alike(_each(jobs, checked_jobs(n_jobs)), on_mixed),
        total=len(manifest),
        label="Reading recordings",
        show=progress,
    )
    requested = {
        **read.to_dict(),
        "every": every,
        "layout": layout,
        "split_by": split_by,
        "on_mixed": on_mixed,
        "on_short": on_short,
        "on_error": on_error,
    }
    return _assembled(results, options, requested, plan)


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


def _alike(results: Iterator[Rows], on_mixed: OnMixed) -> Iterator[Rows]:
    """Yield rows; those of another kind than the first are refused, or have a note."""
    first: Kind | None = None
    units: dict[str, tuple[str, str]] = {}
    for rows in results:
        if first is None:
            first = rows.kind
        if first is not None and rows.kind is not None and rows.recording is not None:
            notes = differences(first, rows.kind, on_mixed)
            notes += unit_differences(units, rows.path, _signal_units(rows), on_mixed)
            if notes:
                rows.recording["notes"] = joined([*parts_of(rows.recording["notes"]), *notes])
        yield rows


def _signal_units(rows: Rows) -> dict[str, str]:
    """Return the units of the signals whose means are compared; not of landmarks."""
    assert rows.recording is not None
    assert rows.kind is not None
    found = {
        name: unit
        for name, unit in rows.group_units.items()
        if name == "au_intensity" or name not in ALL_GROUPS
    }
    if rows.recording["layout"] == OPENFACE and rows.kind.units[1]:
        found["au_intensity"] = TrackerUnits().intensity
    return found


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
    contexts: dict[Any, None] = {}

    def each() -> Iterator[Rows]:
        for subject, context, recording in recordings:
            found = _rows(
                Job(subject, context, recording.path, schedule, chosen, {}, on_short), recording
            )
            contexts.update(dict.fromkeys(row["context"] for row in found.table))
            yield found
        check_baseline(chosen.baseline, contexts)

    return _assembled(each(), chosen, {"on_short": on_short}, schedule)


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


# Jobs that wait at a time: a hundred thousand take memory of their own.
_WAITING = 1024


def _each(jobs: Iterable[Job], n_jobs: int) -> Iterator[Rows]:
    """Yield the rows of every file in order.

    The first error ends it. With a store (`rows_stored`) the others are computed and stored first.
    """
    waiting, store = iter(jobs), current_store()
    errors: list[DataError] = []
    n = 0
    while batch := list(islice(waiting, _WAITING)):
        n += len(batch)
        if store is None:
            yield from results_in_order(_extract, [(job,) for job in batch], n_jobs=n_jobs)
            continue
        for found in _through(store, batch, n_jobs):
            if isinstance(found, Rows):
                yield found
            else:
                errors.append(found)
    if errors:
        assert store is not None
        raise unusable(errors, n, store) from errors[0]


def _through(store: RowStore, batch: list[Job], n_jobs: int) -> Iterator[Rows | DataError]:
    """Yield what is stored of each file, or was computed and stored, or why it cannot be used."""
    if not sent_elsewhere():
        tasks = [(job, store) for job in batch]
        yield from results_in_order(_found_or_extracted, tasks, n_jobs=n_jobs)
        return
    # Workers on other machines need not see the folder.
    known = [_or_error(store.find, job) for job in batch]
    to_do = [(job,) for job, found in zip(batch, known, strict=True) if found is None]
    computed = results_in_order(_extracted, to_do, n_jobs=n_jobs)
    for job, found in zip(batch, known, strict=True):
        if found is None:
            found = next(computed)
            if isinstance(found, Rows):
                store.keep(job, found)
        yield found


def _found_or_extracted(job: Job, store: RowStore) -> Rows | DataError:
    """Return the rows of a file from the store; computed, and stored, if they are not there."""
    found = _or_error(store.find, job)
    if found is None:
        found = _extracted(job)
        if isinstance(found, Rows):
            store.keep(job, found)
    return found


def _extracted(job: Job) -> Rows | DataError:
    return _or_error(_extract, job)


def _or_error(function: Callable[[Job], T], job: Job) -> T | DataError:
    try:
        return function(job)
    except DataError as error:
        return error


def _extract(job: Job) -> Rows:
    """Read one file, cut it, and compute everything about its clips."""
    # An error in a file names the file; an error in one of its clips does not.
    try:
        found = read_recording(job.path, job.layout, **job.reading)
        recording = with_units(found, job.common)
        _check_anchors(recording, job.options)
    except OpenFaceError as error:
        if not job.skip:
            raise
        who = {"subject": job.subject, "context": job.context, "clip": "", "openface": job.path}
        return Rows([], [], None, [who | {"reason": message_of(error)}], job.path, "")
    try:
        return _rows(job, recording)
    except DataError as error:
        message = say("{path:label}: {error}", path=job.path, error=message_of(error))
        raise type(error)(message) from None


def _check_anchors(recording: OpenFaceRecording, options: FeatureOptions) -> None:
    """Raise `TracksError` if a face cannot be aligned: no stable points, or axes of two units."""
    if options.landmarks != "normalised" or "landmarks_3d" not in recording.groups:
        return
    if recording.unit("landmarks_3d") == SHARE:
        raise TracksError(
            say(
                "{path:label}: {landmarks='normalised'} turns a face, which needs the same unit in "
                "all axes, but its points are shares of width and height; say in a layout of "
                "your own how large the images are (width and height under [image])",
                path=recording.path,
            )
        )
    if not (recording.stable and recording.outer):
        raise TracksError(
            say(
                "{path:label}: {landmarks='normalised'} aligns a face by its stable points, which "
                "the layout {layout!r} does not name (stable and outer_eyes under [points])",
                path=recording.path,
                layout=recording.layout,
            )
        )


def _rows(job: Job, recording: OpenFaceRecording) -> Rows:
    clips, dropped = job.schedule.cut(
        str(job.context), recording.n_frames, recording.fps, on_short=job.on_short
    )
    who = {"subject": job.subject, "context": job.context}
    size = image_size(recording)
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
    return Rows(
        table=table,
        quality=[clip_quality(recording, clip) | who for clip in clips],
        recording=who
        | recording_quality(recording)
        | dict(zip(("image_width", "image_height"), size, strict=True))
        | {"layout": recording.layout, "points_unit": _points_unit(recording, job.options)}
        | {"n_clips": len(clips), "n_dropped": len(dropped)},
        dropped=[
            who | {"clip": item.label, "openface": job.path, "reason": item.reason}
            for item in dropped
        ],
        path=job.path,
        sha256=recording.sha256,
        kind=Kind.of(
            recording,
            size if job.options.landmarks == "2d" else _NO_SIZE,
            landmark_group(job.options),
        ),
        means=[who | {"clip": clip.label} | clip_means(recording, clip) for clip in clips]
        if recording.names
        else [],
        group_units={**recording.units, **mean_units(recording)},
    )


def _points_unit(recording: OpenFaceRecording, options: FeatureOptions) -> str:
    """Return the unit of the landmarks that features are computed from, "" if there are none."""
    group = landmark_group(options)
    return recording.unit(group) if group in recording.groups else ""


# Where pixels play no part.
_NO_SIZE = (float("nan"), float("nan"))
_KEY = ("subject", "context", "clip")
_COUNTS = (
    "n_frames", "n_valid_frames", "n_bins", "n_valid_bins", "n_velocities", "n_au_active",
)  # fmt: skip
_DROPPED_COLUMNS = (*_KEY, "openface", "reason")


def _options_in(options: dict[str, Any]) -> FeatureOptions:
    """Return how features were computed, of a result's options."""
    # Of a result that an earlier version saved an option may be missing, which was not there.
    known = FeatureOptions().to_dict()
    return FeatureOptions(**{name: options[name] for name in known if name in options})


def _table(rows: GatheredRows, options: FeatureOptions) -> pd.DataFrame:
    """Return the table of clips, with deviations from the baseline if there is one."""
    own = clip_feature_names(options)
    before, after = (*_KEY, "openface", "start", "end"), (*_COUNTS, "reason")
    columns = [*before, *own, *after]
    table = rows.frame().reindex(columns=columns).assign(reason=message_column(rows.texts))
    if options.baseline is None:
        return table
    found = with_deviations(table, own, options.baseline)
    return found[[*before, *feature_names(options), *_COUNTS, COUNT, "reason"]]


def _assembled(
    results: Iterable[Rows], options: FeatureOptions, requested: dict[str, Any], plan: Schedule
) -> FeatureResult:
    import pandas as pd

    table, recordings = GatheredRows("reason"), GatheredRows("notes")
    quality, means = GatheredRows(), GatheredRows()
    dropped: list[dict[str, Any]] = []
    hashes: dict[str, str] = {}
    units: dict[str, str] = {}
    kinds: tuple[Kind, ...] = ()
    for one in results:
        table.add(one.table)
        quality.add(one.quality)
        means.add(one.means)
        dropped += one.dropped
        # The unit of the first recording that has it.
        units = {**one.group_units, **units}
        if one.sha256:
            hashes[one.path] = one.sha256
        if one.recording is not None:
            recordings.add([one.recording])
            kinds = distinct((*kinds, one.kind) if one.kind else kinds)
    return FeatureResult(
        table=_table(table, options),
        quality=_key_first(quality.frame()),
        recordings=recordings.frame().assign(notes=message_column(recordings.texts)),
        # Text, also where none is dropped: an empty table is joined and stacked like a full one.
        dropped=pd.DataFrame(dropped, columns=_DROPPED_COLUMNS, dtype="str").assign(
            reason=message_column(row["reason"] for row in dropped)
        ),
        options=options.to_dict() | requested,
        hashes=hashes,
        means=_key_first(means.frame()) if means else means_table([], _KEY),
        group_units=units,
        kinds=kinds,
        segments={
            context: tuple((one.start, one.end, one.label) for one in own)
            for context, own in plan.segments.items()
        },
    )


def _key_first(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table whose rows were put together in any order with its key first."""
    return table.reindex(columns=[*_KEY, *(name for name in table if name not in _KEY)])
