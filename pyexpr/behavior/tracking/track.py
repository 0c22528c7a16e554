"""Videos through a tracker of faces: files of points, made once."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

from pyexpr.base.checks import whole_number
from pyexpr.base.errors import (
    DataError,
    Interrupted,
    PyexprError,
    TrackerNotInstalledError,
    listed,
)
from pyexpr.base.files import OutputError, sha256, writable_folder
from pyexpr.base.jobs import checked_jobs, in_processes
from pyexpr.base.messages import message_column, message_of, say
from pyexpr.base.outputs import check_folder_outputs
from pyexpr.base.progress import progress as shown
from pyexpr.base.stopping import stoppable
from pyexpr.behavior.tracking.find_videos import find_videos, refuse_missing
from pyexpr.behavior.tracking.one_video import (
    Outcome,
    TrackJob,
    compared,
    track_steps,
    track_video,
)
from pyexpr.behavior.tracking.result import TrackedVideos
from pyexpr.behavior.tracking.trackers import (
    Tracker,
    check_model,
    checked_options,
    is_importable,
    tracker_class,
)

# Of the bar, per video.
_STEPS = 1000
_FACTS = (
    "frames", "seconds", "fps", "width", "height", "frames_with_face", "frames_damaged", "face_ids"
)  # fmt: skip


@stoppable("videos were tracked", returns_figure=True)
def track_videos(
    videos: str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
    output: str | os.PathLike[str],
    *,
    tracker: str | type[Tracker] = "mediapipe",
    model: str | os.PathLike[str] | None = None,
    faces: int = 1,
    options: Mapping[str, Any] | None = None,
    on_error: Literal["stop", "skip"] = "stop",
    overwrite: bool = False,
    n_jobs: int | None = -1,
    progress: bool | None = None,
) -> TrackedVideos:
    r"""Run a face tracker on videos, and write the points of each video to a parquet file.

    The tracker must be installed separately: pyexpr does not include one, and nothing else in it
    requires one.

    Parameters
    ----------
    videos : path, or iterable of paths
        Videos in any format that FFmpeg reads, or folders, of which all videos are used,
        including those in subfolders.
    output : path
        Folder for the files: ``s01.mp4`` gives ``s01.parquet``, in the same subfolders as the
        videos.
    tracker : str, or class derived from `Tracker`
        ``"mediapipe"``, which is installed by ``pip install 'pyexpr-stats[track]'``; or your own
        tracker, given as its class or as ``"module:Class"``.
    model : path, optional
        The tracker's model file: for mediapipe ``face_landmarker.task``.
    faces : int
        Maximum number of faces in a frame.
    options : mapping, optional
        Options of the tracker. mediapipe has ``mode`` (``"video"``, or ``"image"``, which
        processes each frame separately), ``min_face_detection_confidence``,
        ``min_face_presence_confidence``, ``min_tracking_confidence`` (0.5).
    on_error : {"stop", "skip"}
        Whether a video that cannot be tracked is an error, or is listed in ``dropped``.
    overwrite : bool
        Whether existing files with other content may be replaced. Files that were made from the
        same video, tracker, model and options are always kept.
    n_jobs : int, optional
        Number of videos at a time, as in joblib: -1 (the default) is one per processor, None is 1.
        ``joblib.parallel_config`` can send them to a cluster. The files do not depend on it.
    progress : bool, optional
        Whether to show a bar; by default if standard error is a terminal.

    Returns
    -------
    TrackedVideos
        A row per video.

    Raises
    ------
    TrackerNotInstalledError
        If the tracker, or PyAV, is not installed.
    TrackerError
        If no model file is given, it does not exist or is not a model, or the tracker fails.
    VideoError
        If a video is damaged or truncated, if it is an image, or if a folder contains no video.
    OutputError
        If the files cannot be written, or files with other content exist.
    DataError
        If an argument is invalid, the tracker does not exist, or two videos have the same name.

    Notes
    -----
    A file has one row per face and frame, and one row for each frame without a face:

    - ``frame``: number in the video, from 0; ``timestamp``: presentation time in seconds from the
      first frame, also for variable frame rates.
    - ``face_id``: 0 if only one face is tracked. Of several faces, each keeps its id while it
      stays at its place; a face that was not seen for a second gets a new id. 0 in a frame
      without a face.
    - ``success``: 1, or 0 for a frame without a face or one that cannot be decoded; points
      are missing there.
    - ``x_0``, ``y_0``, ``z_0``, ...: pixels of the upright image from its upper left corner;
      z in pixels too, smaller towards the camera. Mediapipe has 478 points.
    - ``blend_<name>``: blendshapes, 0 to 1.
    - ``pose_Tx``, ``pose_Ty``, ``pose_Tz`` and ``pose_Rx``, ``pose_Ry``, ``pose_Rz``: position
      and rotation (radians) of the head on OpenFace's axes: x to the right, y down, z away
      from the camera, rotation ``R(x) R(y) R(z)``. Mediapipe's position is in mm if the
      face has the size of its canonical face, and is proportional to mm otherwise; z also assumes
      a camera with a vertical field of view of 63 degrees.

    Points, blendshapes and pose are 32-bit numbers. Tracker and version, SHA-256 of model and
    video, options and versions are in the file's metadata: `track_provenance` reads them.

    With one face and ``mode="video"``, mediapipe smooths the points over time, which reduces and
    delays movement. With ``mode="image"`` it does not.

    Examples
    --------
    >>> import os, tempfile
    >>> import numpy as np, pandas as pd
    >>> import pyexpr as px
    >>> from pyexpr.base.video_file import write_video
    >>> class BrightSpot(px.Tracker):
    ...     name, points = "bright-spot", 1
    ...
    ...     def track(self, frames, times):
    ...         for picture, _ in zip(frames, times):
    ...             y, x = np.nonzero(picture[:, :, 0] > 128)
    ...             yield [px.TrackedFace(np.array([[x.mean(), y.mean(), 0.0]]))]
    >>> pictures = [np.zeros((32, 32, 3), np.uint8) for _ in range(4)]
    >>> for k, picture in enumerate(pictures):
    ...     picture[8:16, 4 * k : 4 * k + 8] = 255
    >>> folder = tempfile.mkdtemp()
    >>> write_video(os.path.join(folder, "s01.mp4"), pictures, fps=25)
    >>> found = track_videos(folder, os.path.join(folder, "points"), tracker=BrightSpot)
    >>> points = pd.read_parquet(found.table["output"][0])
    >>> points[["frame", "timestamp", "success"]].values.tolist()
    [[0.0, 0.0, 1.0], [1.0, 0.04, 1.0], [2.0, 0.08, 1.0], [3.0, 0.12, 1.0]]
    >>> points["x_0"].round().diff().dropna().tolist()
    [4.0, 4.0, 4.0]
    """
    chosen = tracker_class(tracker)
    faces = whole_number(faces, argument="faces", least=1)
    if on_error not in ("stop", "skip"):
        raise DataError(
            say("{on_error=} must be one of 'stop', 'skip', not {given!r}", given=on_error)
        )
    settings = checked_options(chosen, options)
    folder = Path(output)
    named = find_videos(videos, folder)
    file = None if model is None else Path(model)
    _refuse_all(
        # If files are skipped, the result lists those that do not exist.
        *([partial(refuse_missing, [video for video, _ in named])] if on_error == "stop" else []),
        partial(check_model, chosen, file),
        partial(_check_installed, chosen),
    )
    processes = _processes(chosen, n_jobs)
    digest = None if file is None else sha256(file)
    jobs = [
        TrackJob(video, target, chosen, file, digest, faces, settings, on_error == "skip")
        for video, target in named
    ]
    outcomes: dict[int, Outcome] = {}
    try:
        _keep(folder, jobs, outcomes, processes, overwrite=overwrite)
        _track(jobs, outcomes, processes, progress)
    except KeyboardInterrupt:
        done = [one for one in outcomes.values() if one.status != "skipped"]
        raise Interrupted(
            f"stopped by Ctrl-C while videos were tracked: {len(done)} of {len(jobs)} files are "
            f"complete in {str(folder)!r}; the same call goes on with the others",
            _result(jobs, outcomes),
        ) from None
    return _result(jobs, outcomes)


def _refuse_all(*checks: Callable[[], None]) -> None:
    """Raise the first error of some checks, in whose sentence those of the others follow."""
    found: list[PyexprError] = []
    for check in checks:
        try:
            check()
        except PyexprError as error:
            found.append(error)
    if not found:
        return
    message: str = message_of(found[0])
    for other in found[1:]:
        message = say("{message}; besides, {other}", message=message, other=message_of(other))
    raise type(found[0])(message) from None


def _check_installed(tracker: type[Tracker]) -> None:
    if not tracker.available():
        how = f"; run: {tracker.install}" if tracker.install else ""
        raise TrackerNotInstalledError(f"the tracker {tracker.name!r} is not installed{how}")
    if find_spec("av") is None:
        raise TrackerNotInstalledError(
            "videos are read by PyAV, which is not installed; run: pip install av"
        )


def _processes(tracker: type[Tracker], n_jobs: int | None) -> int:
    if is_importable(tracker):
        return checked_jobs(n_jobs)
    # Other processes would not find it.
    if n_jobs not in (None, -1) and checked_jobs(n_jobs) > 1:
        raise DataError(
            say(
                "the tracker {name!r} is defined in a script or notebook, where other processes "
                "do not find it; move it to a module of its own, or leave {n_jobs=} out",
                name=tracker.name,
            )
        )
    return 1


def _keep(
    folder: Path,
    jobs: list[TrackJob],
    outcomes: dict[int, Outcome],
    processes: int,
    *,
    overwrite: bool,
) -> None:
    """Find the files that have the requested content already, and refuse to replace others."""
    there = [number for number, job in enumerate(jobs) if job.output.is_file()]
    tasks = [(jobs[number],) for number in there]
    names = [os.path.relpath(job.output, folder) for job in jobs]
    own, others = [], []
    for place, outcome in in_processes(compared, tasks, n_jobs=processes, what="reads videos"):
        if outcome is None:
            continue
        own.append(names[there[place]])
        if outcome.status == "kept":
            outcomes[there[place]] = outcome
        else:
            others.append(f"{own[-1]} ({outcome.reason})")
    inputs = [job.video for job in jobs]
    check_folder_outputs(
        folder, names, own=own, inputs=inputs, overwrite=overwrite, what="the tracked points"
    )
    if others and not overwrite:
        raise OutputError(
            say(
                "{files:count file, is, are} there already in {folder!r}, tracked otherwise: "
                "{names}, with what differs; choose another folder, or say that "
                "they may be replaced ({overwrite=True})",
                files=len(others),
                folder=str(folder),
                names=listed(sorted(others), most=3),
            )
        )
    writable_folder(folder)


def _track(
    jobs: list[TrackJob], outcomes: dict[int, Outcome], processes: int, progress: bool | None
) -> None:
    todo = [number for number in range(len(jobs)) if number not in outcomes]
    steps = _alone(jobs, todo, outcomes)
    if processes > 1 and len(todo) > 1:
        steps = _together(jobs, todo, outcomes, processes)
    for _ in shown(
        steps,
        total=_STEPS * len(todo),
        label="Tracking videos",
        show=progress,
        steps=lambda done: done,
    ):
        pass


def _together(
    jobs: list[TrackJob], todo: list[int], outcomes: dict[int, Outcome], processes: int
) -> Iterator[int]:
    tasks = [(jobs[number],) for number in todo]
    for place, outcome in in_processes(track_video, tasks, n_jobs=processes, what="tracks videos"):
        outcomes[todo[place]] = outcome
        yield _STEPS


def _alone(jobs: list[TrackJob], todo: list[int], outcomes: dict[int, Outcome]) -> Iterator[int]:
    for number in todo:
        share, reported = 0.0, 0
        for done in track_steps(jobs[number]):
            if isinstance(done, Outcome):
                outcomes[number], share = done, 1.0
            else:
                share += done
            yield round(_STEPS * share) - reported
            reported = round(_STEPS * share)


def _result(jobs: list[TrackJob], outcomes: dict[int, Outcome]) -> TrackedVideos:
    import pandas as pd

    rows, dropped = [], []
    for number in sorted(outcomes):
        job, outcome = jobs[number], outcomes[number]
        if outcome.status == "skipped":
            dropped.append({"video": str(job.video), "reason": outcome.reason})
            continue
        video, counts = outcome.provenance["video"], outcome.provenance["counts"]
        facts = {**video, **counts}
        rows.append(
            {"video": str(job.video), "output": str(job.output), "status": outcome.status}
            | {name: facts[name] for name in _FACTS}
        )
    first = jobs[0]
    return TrackedVideos(
        table=pd.DataFrame(rows, columns=["video", "output", "status", *_FACTS]),
        dropped=pd.DataFrame(dropped, columns=["video", "reason"]).assign(
            reason=message_column(row["reason"] for row in dropped)
        ),
        tracker=first.wanted["tracker"],
        model=first.model_facts,
        faces=first.faces,
        options=first.options,
    )
