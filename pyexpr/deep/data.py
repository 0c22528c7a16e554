"""Sequences of frames as input of the LSTM: standardised within clips, in batches."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from pyexpr.base.arrays import unmasked
from pyexpr.base.errors import DataError
from pyexpr.base.messages import say

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Standardised clips are kept while they fit in this many bytes; others are made each time.
KEPT_BYTES = 2**31


def standardised(clip: NDArray[Any]) -> NDArray[np.float32]:
    """Return a clip, shape (frames, p), each column standardised over its known frames.

    The divisor is n. A column that is constant, or known in no frame, is 0. So is a missing value,
    which is replaced by the mean of its column.
    """
    values = np.asarray(unmasked(clip), dtype=np.float64)
    known = np.isfinite(values)
    n = known.sum(axis=0)
    # Centred at a value of the column first, so that a constant gives exactly 0.
    first = np.take_along_axis(values, known.argmax(axis=0)[np.newaxis], axis=0)
    shifted = np.where(known, values - first, 0.0)
    mean = shifted.sum(axis=0) / np.maximum(n, 1)
    centred = np.where(known, shifted - mean, 0.0)
    deviation = np.sqrt(np.square(centred).sum(axis=0) / np.maximum(n, 1))
    constant = (shifted == 0).all(axis=0)
    scaled = np.divide(centred, deviation, out=np.zeros_like(centred), where=~constant)
    single: NDArray[np.float32] = scaled.astype(np.float32)
    return single


class Sequences:
    """Clips of frames, shape (frames, p) each, with p the same; see `training.Examples`.

    Parameters
    ----------
    clips : sequence of arrays
        Clips as they were measured, with missing values NaN.
    width : int
        Columns, p.
    lengths : sequence of int
        Frames of each of them.
    rows : ndarray of int64, optional
        Positions of the clips that count; None: all.
    ready : dict, optional
        Clips standardised before, by position, shared between parts.
    """

    def __init__(
        self,
        clips: Sequence[NDArray[Any]],
        width: int,
        lengths: Sequence[int] | NDArray[np.int64],
        rows: NDArray[np.int64] | None = None,
        ready: dict[int, torch.Tensor] | None = None,
    ) -> None:
        self.clips, self.width, self.lengths = clips, width, lengths
        self.rows = np.arange(len(clips)) if rows is None else rows
        self._ready: dict[int, torch.Tensor] = {} if ready is None else ready
        self._keep = int(np.sum(lengths)) * width * 4 <= KEPT_BYTES

    def __len__(self) -> int:
        return len(self.rows)

    def __getstate__(self) -> dict[str, Any]:
        # Not sent to another process, since standardising there is as fast as sending.
        return {**self.__dict__, "_ready": {}}

    def take(self, rows: NDArray[np.int64]) -> Sequences:
        """Return the clips at these positions."""
        return Sequences(self.clips, self.width, self.lengths, self.rows[rows], self._ready)

    def batch(self, rows: NDArray[np.int64]) -> tuple[torch.Tensor, ...]:
        """Return (frames,), or (frames padded with 0, lengths) if lengths differ."""
        found = [self._clip(int(row)) for row in self.rows[rows]]
        lengths = torch.tensor([len(clip) for clip in found])
        if (lengths == lengths[0]).all():
            return (torch.stack(found),)
        return torch.nn.utils.rnn.pad_sequence(found, batch_first=True), lengths

    def fingerprint(self) -> str:
        """Return a hash of the clips' values."""
        digest = hashlib.sha256()
        for row in self.rows:
            clip = self._clip(int(row)).numpy()
            digest.update(str(clip.shape).encode())
            digest.update(clip.tobytes())
        return digest.hexdigest()

    def _clip(self, row: int) -> torch.Tensor:
        if row in self._ready:
            return self._ready[row]
        clip = torch.from_numpy(standardised(self.clips[row]))
        if self._keep:
            self._ready[row] = clip
        return clip


def checked_sequences(X: Any, *, what: str) -> list[NDArray[Any]]:
    """Return the clips of an array (n, frames, p) or of a list of arrays (frames, p).

    Raises
    ------
    DataError
        For text, infinities, other shapes, a clip without frames or without any
        known value, and clips of different widths; the message names the clip.
    """
    listed = isinstance(X, (list, tuple))
    if not listed and (not hasattr(X, "ndim") or np.ndim(X) != 3):
        shape = f"an array of shape {np.shape(X)}" if hasattr(X, "shape") else type(X).__name__
        raise DataError(
            f"{what} must be an array of shape (clips, frames, columns), a list of arrays "
            f"(frames, columns), or a clip table, not {shape}"
        )
    if not len(X):
        raise DataError(f"{what} has no clips")
    clips = [_checked_clip(clip, number, what) for number, clip in enumerate(X, start=1)]
    width = clips[0].shape[1]
    for number, clip in enumerate(clips, start=1):
        if clip.shape[1] != width:
            raise DataError(
                f"clip {number} of {what} has {clip.shape[1]} columns, but clip 1 has {width}"
            )
    return clips


def _checked_clip(clip: Any, number: int, what: str) -> NDArray[Any]:
    values = np.asarray(unmasked(clip))
    if values.dtype.kind not in "fiub":
        raise DataError(f"clip {number} of {what} must hold numbers, not {values.dtype}")
    if values.ndim != 2 or not values.shape[0] or not values.shape[1]:
        raise DataError(
            f"clip {number} of {what} must have the shape (frames, columns), not {values.shape}"
        )
    if np.isinf(values).any():
        frame, column = np.argwhere(np.isinf(values))[0]
        raise DataError(
            say(
                "clip {number} of {what} must be finite, but frame {frame} holds "
                "{values} in column {column}; missing values are {value NaN}",
                number=number,
                what=what,
                frame=frame + 1,
                values=values[frame, column],
                column=column + 1,
            )
        )
    if np.isnan(values).all():
        raise DataError(f"clip {number} of {what} has no observed value in any frame; leave it out")
    return values
