"""Frames to bins of equal duration: the rate at which movement is measured."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from pyexpr.base.errors import DataError
from pyexpr.base.messages import say
from pyexpr.core import clip_features as core

Binning = Literal["mean", "decimate"]

# 5 * 0.2 * 25 / 25 may fall a bit short of 1: the frame belongs to bin 1.
_SLACK = 1e-9
HALF_TURN = 180.0


@dataclass(frozen=True, slots=True)
class Bins:
    """Which frames of a clip make up which bin.

    Attributes
    ----------
    first : int array, shape (n_bins,)
        First frame of each bin.
    index : int array, shape (frames,)
        Bin of each frame. Frames of a last bin that the clip cuts off before
        its half are left out, so this may be shorter than the clip.
    expected : int array, shape (n_bins,)
        Frames in each bin were the clip to go on.
    """

    first: NDArray[np.int64]
    index: NDArray[np.int64]
    expected: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.first)

    def enough(self, counts: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return where counts of valid frames, bins along axis 0, are at least half of all."""
        expected = self.expected.reshape(-1, *[1] * (counts.ndim - 1))
        return np.asarray(2 * counts >= expected, dtype=np.bool_)

    def valid(self, frames: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Return which bins are valid, given which frames are; other axes are kept."""
        used = frames[: len(self.index)].astype(np.int64)
        return self.enough(np.add.reduceat(used, self.first, axis=0))


# Clips of a study are mostly of one length.
@lru_cache(maxsize=8)
def frame_bins(n_frames: int, fps: float, rate: float) -> Bins:
    """Return the bins of a clip: frame k belongs to bin ``floor(rate * k / fps + 1e-9)``.

    Raises
    ------
    DataError
        If there are more bins than frames in a second.
    """
    if rate > fps:
        raise DataError(
            say(
                "{rate=} asks for more bins per second than the recording has frames "
                "({fps:g} per second); choose a rate of at most {fps:g}",
                rate=rate,
                fps=fps,
            )
        )
    # As many frames more as fill the last bin.
    beyond = n_frames + int(np.ceil(fps / rate)) + 1
    index = np.floor(rate * np.arange(beyond) / fps + _SLACK).astype(np.int64)
    n_bins = int(index[n_frames - 1]) + 1 if n_frames else 0
    expected = np.bincount(index)[:n_bins]
    if n_bins and 2 * np.count_nonzero(index[:n_frames] == n_bins - 1) < expected[-1]:
        n_bins -= 1
    index = index[:n_frames][index[:n_frames] < n_bins]
    bins = Bins(np.searchsorted(index, np.arange(n_bins)), index, expected[:n_bins])
    for array in (bins.first, bins.index, bins.expected):
        # All clips of this length have the same ones.
        array.flags.writeable = False
    return bins


def bin_points(
    points: NDArray[np.float64], bins: Bins, how: Binning = "mean", *, angles: bool = False
) -> NDArray[np.float64]:
    """Return one position per bin of each point: the mean of its frames, or the first frame.

    Parameters
    ----------
    points : float64 array, shape (frames, points, dims)
        A point is valid in a frame when all its coordinates are finite.
    bins : Bins
    how : {"mean", "decimate"}
        ``mean`` averages the valid frames of the bin and needs half of all;
        ``decimate`` takes the bin's first frame, valid or not.
    angles : bool
        Whether the values are degrees: the mean is then taken of the
        differences, wrapped, from the bin's first valid value.

    Returns
    -------
    float64 array, shape (bins, points, dims)
        NaN where a bin is not valid.
    """
    return core.bin_points(
        points,
        bins.first,
        bins.expected,
        len(bins.index),
        decimate=how == "decimate",
        angles=angles,
    )


def known_points(points: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return where all coordinates of a point are finite: (frames, points)."""
    # Axis by axis: reducing over an axis of 2 or 3 takes NumPy several times as long.
    known = np.isfinite(points[:, :, 0])
    for axis in range(1, points.shape[2]):
        known &= np.isfinite(points[:, :, axis])
    return known


def wrapped(degrees: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return differences of angles in [-180, 180)."""
    return (degrees + HALF_TURN) % (2 * HALF_TURN) - HALF_TURN
