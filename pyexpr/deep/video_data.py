"""Clips of video frames as input of the 3D-CNN: uint8 until they are on the device."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from pyexpr.base.arrays import unmasked
from pyexpr.base.errors import DataError
from pyexpr.behavior.video.clips import VideoClips

if TYPE_CHECKING:
    from numpy.typing import NDArray

Shape = tuple[int, int, int]
# The network halves frames three times and height and width four times; smaller clips vanish.
SMALLEST: Shape = (2, 8, 8)


class FrameClips:
    """Clips of one shape, in memory or on disk; see `training.Examples`.

    Parameters
    ----------
    clips : VideoClips, or sequence of arrays
        Each (frames, height, width, 3) uint8.
    rows : ndarray of int64, optional
        Positions of the clips that count; None: all.
    """

    def __init__(
        self,
        clips: VideoClips | Sequence[NDArray[np.uint8]],
        rows: NDArray[np.int64] | None = None,
    ) -> None:
        self.clips = clips
        self.rows = np.arange(len(clips)) if rows is None else rows

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def shape(self) -> Shape:
        """Frames, height and width of a clip."""
        frames, height, width, _ = self.clips[0].shape
        return frames, height, width

    def take(self, rows: NDArray[np.int64]) -> FrameClips:
        """Return the clips at these positions."""
        return FrameClips(self.clips, self.rows[rows])

    def batch(self, rows: NDArray[np.int64]) -> tuple[torch.Tensor, ...]:
        """Return (frames,), shape (clips, frames, height, width, 3), uint8."""
        # A copy, because data mapped from disk must not be written to.
        return (torch.from_numpy(np.stack([self.clips[int(row)] for row in self.rows[rows]])),)

    def fingerprint(self) -> str:
        """Return a hash of the clips."""
        digest = hashlib.sha256()
        for row in self.rows.tolist():
            digest.update(np.ascontiguousarray(self.clips[row]).tobytes())
        return f"{self.shape}-{digest.hexdigest()}"


def checked_frames(X: Any, *, what: str) -> Sequence[NDArray[np.uint8]]:
    """Return the clips of an array (n, frames, height, width, 3) or of a list of arrays.

    Raises
    ------
    DataError
        For other types and shapes, for no clips, for clips of different shapes or too
        small ones; the message names the clip.
    """
    listed = isinstance(X, (list, tuple))
    if not listed and (not hasattr(X, "ndim") or np.ndim(X) != 5):
        shape = f"an array of shape {np.shape(X)}" if hasattr(X, "shape") else type(X).__name__
        raise DataError(
            f"{what} must be an array of shape (clips, frames, height, width, 3), a list of such "
            f"clips, clips from read_video_clips, or a clip table, not {shape}"
        )
    if not len(X):
        raise DataError(f"{what} has no clips")
    clips = [np.asarray(unmasked(clip)) for clip in X]
    for number, clip in enumerate(clips, start=1):
        if clip.ndim != 4 or clip.shape[3] != 3:
            raise DataError(
                f"clip {number} of {what} must have the shape (frames, height, width, 3), not "
                f"{clip.shape}"
            )
        if clip.dtype != np.uint8:
            raise DataError(
                f"clip {number} of {what} must hold pixels as uint8 (0 to 255), not {clip.dtype}"
            )
        if clip.shape != clips[0].shape:
            raise DataError(
                f"clip {number} of {what} has the shape {clip.shape}, but clip 1 {clips[0].shape}"
            )
    if any(has < least for has, least in zip(clips[0].shape, SMALLEST, strict=False)):
        raise DataError(
            f"the clips of {what} have the shape {clips[0].shape[:3]}; at least {SMALLEST} "
            "(frames, height, width) are needed"
        )
    return clips
