"""Recordings to a table of features: one row per clip, and what was lost on the way."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Literal, get_args

from pyexpr.base.errors import DataError, listed
from pyexpr.base.jobs import checked_jobs
from pyexpr.base.messages import say
from pyexpr.base.progress import progress as shown
from pyexpr.base.stopping import stoppable
from pyexpr.behavior.features.alike import alike
from pyexpr.behavior.features.assembled import assembled
from pyexpr.behavior.features.baseline import check_baseline
from pyexpr.behavior.features.binning import Binning
from pyexpr.behavior.features.expressions import expressions_resolved
from pyexpr.behavior.features.manifest import manifest_of, refuse_absent
from pyexpr.behavior.features.many_recordings import rows_of_jobs
from pyexpr.behavior.features.mixed import OnMixed, common_units
from pyexpr.behavior.features.one_recording import rows_of_recording
from pyexpr.behavior.features.options import (
    AuCount,
    Derivatives,
    Extra,
    FeatureOptions,
    Head,
    Landmarks,
    needed_groups,
)
from pyexpr.behavior.features.recording_rows import Job, Rows
from pyexpr.behavior.features.result import FeatureResult
from pyexpr.behavior.openface.options import Clock, Place, ReadingOptions
from pyexpr.behavior.openface.parts import parts_read_once
from pyexpr.behavior.openface.plausible import MAX_SPEED, MAX_TURN
from pyexpr.behavior.schedules import Schedule
from pyexpr.core.kinematics import Velocity

if TYPE_CHECKING:
    from pyexpr.base.foreign import FrameLike
    from pyexpr.behavior.openface.recording import OpenFaceRecording

__all__ = ["extract_features", "features_of_recordings"]


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
        alike(rows_of_jobs(jobs, checked_jobs(n_jobs)), on_mixed),
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
    return assembled(results, options, requested, plan)


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
            found = rows_of_recording(
                Job(subject, context, recording.path, schedule, chosen, {}, on_short), recording
            )
            contexts.update(dict.fromkeys(row["context"] for row in found.table))
            yield found
        check_baseline(chosen.baseline, contexts)

    return assembled(each(), chosen, {"on_short": on_short}, schedule)


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
