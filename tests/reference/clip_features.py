"""Features of one clip, slow and obvious: whole temporaries, one line per definition."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from reference.kinematics import wrapped


def known_points(points: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return where all coordinates of a point are finite: (frames, points)."""
    return np.isfinite(points).all(axis=2)


def bin_points(
    points: NDArray[np.float64],
    first: NDArray[np.int64],
    expected: NDArray[np.int64],
    end: int,
    *,
    decimate: bool = False,
    angles: bool = False,
) -> NDArray[np.float64]:
    """Return one position per bin of each point."""
    used = points[:end]
    valid = known_points(used)
    if decimate:
        return np.where(valid[first, :, np.newaxis], used[first], np.nan)
    index = np.repeat(np.arange(len(first)), np.diff(np.append(first, end)))
    counts = np.add.reduceat(valid.astype(np.int64), first, axis=0)
    origin = np.zeros((len(first), *used.shape[1:]))
    values = used
    if angles:
        origin = _first_valid(used, valid, first)
        values = wrapped(used - origin[index])
    sums = np.add.reduceat(np.where(valid[:, :, np.newaxis], values, 0.0), first, axis=0)
    enough = (2 * counts >= expected[:, np.newaxis]) & (counts > 0)
    means = origin + sums / np.maximum(counts, 1)[:, :, np.newaxis]
    return np.where(enough[:, :, np.newaxis], means, np.nan)


def _first_valid(
    values: NDArray[np.float64], valid: NDArray[np.bool_], first: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Return the first valid value of each bin, NaN if it has none: (bins, points, dims)."""
    last = len(values) - 1
    rows = np.where(valid, np.arange(len(values))[:, np.newaxis], last + 1)
    rows = np.minimum.reduceat(rows, first, axis=0)
    found = np.take_along_axis(values, np.minimum(rows, last)[:, :, np.newaxis], axis=0)
    return np.where((rows <= last)[:, :, np.newaxis], found, np.nan)


def known_bins(means: NDArray[np.float64]) -> tuple[int, int]:
    """Return the bins in which some point is known, and the runs of three adjacent ones."""
    known = known_points(means).any(axis=1)
    return int(known.sum()), int((known[2:] & known[1:-1] & known[:-2]).sum())


def unit_activity(
    valid: NDArray[np.bool_],
    presence: NDArray[np.float64],
    intensity: NDArray[np.float64],
    columns: NDArray[np.int64],
) -> tuple[int, int, int, float, list[int]]:
    """Return frames known, pairs present, pairs active, their mean, and frames of each unit."""
    known = valid & np.isfinite(presence).all(axis=1)
    present = presence == 1
    shown, values = present[:, columns[:, 0]], intensity[:, columns[:, 1]]
    active = values[shown & known[:, np.newaxis] & np.isfinite(values)]
    mean = _sum(active) / len(active) if len(active) else 0.0
    frames = present[known].sum(axis=0)
    return int(known.sum()), int(frames.sum()), len(active), mean, frames.tolist()


def count_frames(
    present: NDArray[np.bool_], valid: NDArray[np.bool_], confidence: NDArray[np.float64]
) -> tuple[int, int, int, int, float]:
    """Return frames present, valid, failed, the longest run not valid, and the mean confidence."""
    edges = np.flatnonzero(np.concatenate(([True], valid, [True])))
    known = confidence[np.isfinite(confidence)]
    return (
        int(present.sum()),
        int(valid.sum()),
        int((present & ~valid).sum()),
        int(np.diff(edges).max()) - 1,
        _sum(known) / len(known) if len(known) else float("nan"),
    )


def _sum(numbers: NDArray[np.float64]) -> float:
    """Return the sum as NumPy 2 adds, in halves; NumPy 1.26 first adds pieces of 8192 numbers."""
    if len(numbers) <= 8192:
        return float(numbers.sum())
    half = len(numbers) // 2 // 8 * 8
    return _sum(numbers[:half]) + _sum(numbers[half:])
