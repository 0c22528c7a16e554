"""One video through a tracker into its file of points; runs in worker processes."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from itertools import tee
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyexpr.base.contents import FileState, KnownFile, hashed_file
from pyexpr.base.errors import PyexprError, TrackerError, VideoError
from pyexpr.base.files import sha256
from pyexpr.base.messages import message_of
from pyexpr.base.versions import versions
from pyexpr.base.video_file import VideoIndex, decode_all, index_video
from pyexpr.behavior.tracking.face_ids import FaceIds
from pyexpr.behavior.tracking.points_file import (
    differences,
    identity,
    points_file,
    stored_provenance,
    units_of,
)
from pyexpr.behavior.tracking.trackers import TrackedFace, Tracker

# Frames after which the bar moves.
_OFTEN = 16


@dataclass(frozen=True, slots=True)
class TrackJob:
    """One video, the file for its points, and how it is tracked."""

    video: Path
    output: Path
    tracker: type[Tracker]
    model: Path | None
    model_sha256: str | None
    faces: int
    options: dict[str, Any]
    skip: bool

    @property
    def wanted(self) -> dict[str, Any]:
        """What decides the points, but for the video."""
        return identity(self.tracker, self.model_facts, self.faces, self.options)

    @property
    def model_facts(self) -> dict[str, str] | None:
        """Name and hash of the model's file."""
        if self.model is None or self.model_sha256 is None:
            return None
        return {"file": self.model.name, "sha256": self.model_sha256}


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a video: how its points came about, or why there are none."""

    status: str
    provenance: dict[str, Any] = field(default_factory=dict)
    reason: str = ""


def compared(job: TrackJob) -> Outcome | None:
    """Return the outcome of a file that is there: ``"kept"`` if it would be written the same.

    Else it is ``"other"``, with what differs as its reason; None if the file is not ours.
    """
    found = stored_provenance(job.output)
    if found is None:
        return None
    differing = differences(found, job.wanted)
    try:
        if not differing and sha256(job.video) != found["video"]["sha256"]:
            differing = ["video"]
    except OSError:
        differing = ["video"]
    return Outcome("other" if differing else "kept", found, ", ".join(differing))


def track_video(job: TrackJob) -> Outcome:
    """Track one video to its end."""
    outcome = Outcome("skipped")
    for done in track_steps(job):
        if isinstance(done, Outcome):
            outcome = done
    return outcome


def track_steps(job: TrackJob) -> Iterator[float | Outcome]:
    """Track one video; yield shares of it as they are done, adding up to 1, then the outcome.

    What is wrong with the installation or the model ends it; what is wrong with the video is
    the outcome, if the job says so.
    """
    if job.model is not None and sha256(job.model) != job.model_sha256:
        raise TrackerError(
            f"the model {str(job.model)!r} was changed while videos were tracked; begin again"
        )
    tracker = job.tracker(faces=job.faces, model=job.model, options=job.options)
    tracker.start()
    with closing(tracker):
        try:
            yield from _tracked(job, tracker)
        except PyexprError as error:
            if not job.skip or isinstance(error, OSError):
                raise
            yield Outcome("skipped", reason=message_of(error))


def _tracked(job: TrackJob, tracker: Tracker) -> Iterator[float | Outcome]:
    index, known = _read(job.video)
    found, share = _Counts(), 0.0
    with points_file(job.tracker, job.output) as file:
        ids = FaceIds(job.faces)
        for number, picture, faces in _faces(job, tracker, index):
            time = float(index.times[number])
            numbers = ids.of(faces, time)
            _refuse_doubled(job, numbers, number)
            for face_id, face in zip(numbers, faces, strict=True):
                file.add(number, time, face_id, face)
            if not faces:
                file.add(number, time, 0, None)
            found.add(picture, numbers)
            if number % _OFTEN == 0:
                yield number / len(index) - share
                share = number / len(index)
        if not found.size:
            raise VideoError(
                f"no frame of {str(job.video)!r} can be decoded: it is damaged; copy it anew"
            )
        _refuse_changed(job.video, known)
        provenance = _provenance(job, index, known, found)
        file.close(provenance)
    yield 1 - share
    yield Outcome("tracked", provenance)


@dataclass(slots=True)
class _Counts:
    """What was found in the frames so far."""

    rows: int = 0
    frames: int = 0
    with_face: int = 0
    damaged: int = 0
    ids: set[int] = field(default_factory=set)
    size: tuple[int, ...] = ()

    def add(self, picture: NDArray[np.uint8] | None, ids: list[int]) -> None:
        self.rows += max(len(ids), 1)
        self.frames += 1
        self.with_face += bool(ids)
        self.ids.update(ids)
        if picture is None:
            self.damaged += 1
        else:
            self.size = picture.shape


def _provenance(
    job: TrackJob, index: VideoIndex, known: KnownFile, found: _Counts
) -> dict[str, Any]:
    return job.wanted | {
        "model": job.model_facts,
        "video": {
            "file": job.video.name,
            "sha256": known.sha256,
            "width": found.size[1],
            "height": found.size[0],
            "frames": len(index),
            "fps": index.fps,
            "seconds": index.seconds,
            "variable": index.is_variable,
        },
        "units": units_of(job.tracker),
        "counts": {
            "rows": found.rows,
            "frames": found.frames,
            "frames_with_face": found.with_face,
            "frames_damaged": found.damaged,
            "face_ids": len(found.ids),
        },
        "versions": versions("av", "pyarrow"),
    }


def _read(video: Path) -> tuple[VideoIndex, KnownFile]:
    """Return a video's frames and bytes, or refuse one that is not whole or has one picture."""
    index = index_video(video)
    if index.is_cut:
        raise VideoError(
            f"{str(video)!r} is cut: it ends after {index.seconds:.4g} s but says it lasts "
            f"{index.promised:.4g} s; copy it anew, or write what there is to a file of its own"
        )
    if len(index) < 2:
        raise VideoError(f"{str(video)!r} has a single picture, so there is no movement to track")
    return index, hashed_file(video)


def _refuse_changed(video: Path, known: KnownFile) -> None:
    try:
        same = known.state is not None and FileState.of(os.stat(video)) == known.state
    except OSError:
        same = False
    if not same:
        raise VideoError(
            f"{str(video)!r} was changed while it was read; track it again when nothing writes "
            "to it"
        )


def _refuse_doubled(job: TrackJob, ids: list[int], number: int) -> None:
    if len(set(ids)) < len(ids):
        raise TrackerError(
            f"the tracker {job.tracker.name!r} gives two faces of frame {number} of "
            f"{str(job.video)!r} one face_id"
        )


_Frame = tuple[int, NDArray[np.uint8] | None, list[TrackedFace]]


def _faces(job: TrackJob, tracker: Tracker, index: VideoIndex) -> Iterator[_Frame]:
    """Yield number, picture and faces of each frame; damaged ones have neither."""
    # A tracker may look ahead, and ask for times before pictures or after them.
    ours, pictures, moments = tee(decode_all(index), 3)
    found = tracker.track(
        (picture for _, picture in pictures), (float(index.times[k]) for k, _ in moments)
    )
    following = 0
    for number, picture in ours:
        for damaged in range(following, number):
            yield damaged, None, []
        faces = _next(job, found, number)
        yield number, picture, _checked(job, faces, number)
        following = number + 1
    if _next(job, found, following) is not None:
        raise TrackerError(
            f"the tracker {job.tracker.name!r} gives faces of more frames than "
            f"{str(job.video)!r} has"
        )
    for damaged in range(following, len(index)):
        yield damaged, None, []


def _next(
    job: TrackJob, found: Iterator[Sequence[TrackedFace]], number: int
) -> Sequence[TrackedFace] | None:
    """Return the next frame's faces; None if the tracker has ended."""
    try:
        return next(found, None)
    except PyexprError:
        raise
    except Exception as error:
        raise TrackerError(
            f"the tracker {job.tracker.name!r} stopped at frame {number} of "
            f"{str(job.video)!r}: {type(error).__name__}: {error}"
        ) from error


def _checked(job: TrackJob, faces: Sequence[TrackedFace] | None, number: int) -> list[TrackedFace]:
    """Return the faces that have points, or refuse what a tracker must not give."""
    tracker, wrong = job.tracker, ""
    if faces is None:
        wrong = "gives nothing"
    elif len(faces) > job.faces:
        wrong = f"gives {len(faces)} faces, more than the {job.faces} requested,"
    for face in faces or ():
        given: dict[str, tuple[Any, tuple[int, ...]]] = {
            "points": (face.points, (tracker.points, 3))
        }
        if tracker.blendshapes:
            given["blendshapes"] = (face.blendshapes, (len(tracker.blendshapes),))
        if tracker.has_pose:
            given["pose"] = (face.pose, (6,))
        for name, (numbers, shape) in given.items():
            if np.shape(numbers) != shape:
                wrong = f"gives {name} of shape {np.shape(numbers)}, not {shape},"
    if wrong:
        raise TrackerError(
            f"the tracker {tracker.name!r} {wrong} for frame {number} of {str(job.video)!r}"
        )
    return [face for face in faces or () if np.isfinite(face.points[:, :2]).all(axis=1).any()]
