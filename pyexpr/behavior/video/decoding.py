"""One recording's clips from its video into its file of the cache; runs in worker processes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pyexpr.base.contents import FileState
from pyexpr.base.errors import VideoError
from pyexpr.base.video_file import VideoIndex, decode_frames, index_video
from pyexpr.behavior.openface.options import Place
from pyexpr.behavior.openface.recording import read_openface
from pyexpr.behavior.video.cache import StoredClips, load_clips, save_clips, state_of
from pyexpr.behavior.video.clips import Span, VideoOptions
from pyexpr.behavior.video.face_boxes import (
    boxes_of_frames,
    check_inside,
    face_boxes,
    is_of_length,
)
from pyexpr.behavior.video.sampling import MISSING, cropped, resized, sampled_frames


@dataclass(frozen=True, slots=True)
class ClipJob:
    """One recording: which clips of it are wanted, and where they are kept.

    `states` are those of its `paths` that the name of `file` stands for.
    """

    video: str
    openface: str | None
    spans: tuple[Span, ...]
    options: VideoOptions
    file: Path
    states: tuple[FileState | None, ...]
    face: Place | int = "largest"

    @property
    def paths(self) -> tuple[str, ...]:
        """What is read: the video, and for faces the landmarks."""
        return (self.video,) if self.openface is None else (self.video, self.openface)


def is_cached(job: ClipJob) -> bool:
    """Return whether all clips of a recording are in its file."""
    stored = load_clips(job.file)
    return stored is not None and all(stored.row(span) is not None for span in job.spans)


def fill(job: ClipJob) -> None:
    """Decode the missing clips of a recording and write its file again (runs in a worker)."""
    stored = load_clips(job.file)
    spans = [span for span in job.spans if stored is None or stored.row(span) is None]
    fresh = decoded(job, spans)
    for path, state in zip(job.paths, job.states, strict=True):
        # The name of the file identifies the content that it had when clips were requested.
        if state_of(path) != state:
            raise VideoError(
                f"{path!r} was changed while it was read; read it again when nothing writes to it"
            )
    if stored is not None:
        fresh = StoredClips(
            np.concatenate([stored.spans, fresh.spans]),
            np.concatenate([stored.numbers, fresh.numbers]),
            np.concatenate([stored.pixels, fresh.pixels]),
        )
    save_clips(job.file, fresh)


def decoded(job: ClipJob, spans: Sequence[Span]) -> StoredClips:
    """Read the clips of one recording from its video."""
    options = job.options
    index = index_video(job.video)
    numbers = np.array([_numbers(index, span, options) for span in spans], dtype=np.int64)
    wanted = np.unique(numbers[numbers != MISSING])
    boxes: dict[int, NDArray[np.float64]] = {}
    if job.openface is not None:
        boxes = _boxes(index, job, wanted)
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


def _numbers(index: VideoIndex, span: Span, options: VideoOptions) -> NDArray[np.int64]:
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
            f"{what} lie outside of the recording, which lasts {index.seconds:.4g} s; correct "
            "start and end, or leave out the clip"
        )
    return sampled_frames(index, origin + start, origin + end, options.frames, options.rate)


def _boxes(
    index: VideoIndex, job: ClipJob, wanted: NDArray[np.int64]
) -> dict[int, NDArray[np.float64]]:
    """Return the face's box in each wanted frame that has one."""
    openface = str(job.openface)
    # OpenFace numbers the frames of its video: those are matched by number, others by time.
    recording = read_openface(openface, groups=["landmarks_2d"], face=job.face, clock="frames")
    if not is_of_length(recording, index):
        recording = read_openface(openface, groups=["landmarks_2d"], face=job.face)
    boxes = face_boxes(recording, job.options.margin)
    check_inside(boxes, index, openface)
    found = boxes_of_frames(recording, boxes, index, wanted)
    return {
        int(number): box
        for number, box in zip(wanted, found, strict=True)
        if np.isfinite(box).all()
    }
