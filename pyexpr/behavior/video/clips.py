"""Clips of videos: how their frames are taken, and where these lie on disk."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from pyexpr.base.checks import is_number, whole_number
from pyexpr.base.errors import DataError, VideoError
from pyexpr.base.messages import Template, say
from pyexpr.base.results import Result
from pyexpr.base.versions import versions
from pyexpr.base.visible import visible
from pyexpr.behavior.video.cache import StoredClips, mapped
from pyexpr.behavior.video.sampling import Resize

if TYPE_CHECKING:
    import pandas as pd

Crop = Literal["face"]
#: Start and end of a requested clip.
Span = tuple[float, float]


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
            value = whole_number(getattr(self, name), argument=name, least=least)
            object.__setattr__(self, name, value)
        if self.rate is not None and not (is_number(self.rate) and self.rate > 0):
            raise DataError(
                say(
                    "{rate=} must be a positive number of frames per second, not {given!r}",
                    given=self.rate,
                )
            )
        if self.resize not in ("torchvision", "aspect"):
            raise DataError(
                say("{resize=} must be 'torchvision' or 'aspect', not {given!r}", given=self.resize)
            )
        if self.crop not in (None, "face"):
            raise DataError(
                say("{crop=} must be {value None} or 'face', not {given!r}", given=self.crop)
            )
        if not (is_number(self.margin) and 0 <= self.margin <= 2):
            raise DataError(
                say("{margin=} must be between 0 and 2, not {given!r}", given=self.margin)
            )


_MISSING_FRAMES = Template(
    "frames_missing", "{missing} {what} missing in {clips:count clip}: black."
)
_BLACK = Template("black_throughout", "{clips:count clip, is, are} black throughout.")
_NOT_TAKEN = Template(
    "clips_not_taken",
    "Of the schedule {dropped:count clip, is, are} not taken: {argument `dropped`} says why.",
    report="Of the schedule {dropped:count clip, is, are} not taken.",
    r="Of the schedule {dropped:count clip, is, are} not taken: `dropped` says why.",
)


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class VideoClips(Result):
    """Clips of videos, their frames on disk.

    Attributes
    ----------
    table : DataFrame
        The requested clips, with ``n_missing``: how many of their frames are black
        because the video, or with ``crop="face"`` the face, has none there.
    dropped : DataFrame
        Clips of the schedule that are not taken: subject, context, clip, video, reason.
    files : tuple of str
        Each clip's file in the cache.
    spans : tuple of (float, float)
        Each clip's start and end, by which its file knows it.
    options : VideoOptions
    """

    table: pd.DataFrame
    dropped: pd.DataFrame
    files: tuple[str, ...]
    spans: tuple[Span, ...]
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
        found: list[str] = []
        if missing.any():
            found.append(
                _MISSING_FRAMES(
                    missing=int(missing.sum()),
                    what="frames or face" if self.options.crop else "frames",
                    clips=int((missing > 0).sum()),
                )
            )
        whole = int((missing == self.options.frames).sum())
        if whole:
            found.append(_BLACK(clips=whole))
        if len(self.dropped):
            found.append(_NOT_TAKEN(dropped=len(self.dropped)))
        return tuple(found)

    def __repr__(self) -> str:
        return f"<VideoClips {visible(self.heading())}>"
