"""The middle of the points of each frame."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

# Frames at a time: what is added up stays in the cache of the processor.
_FRAMES: Final = 1024


def middles(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the mean of each frame's points, the same bits as ``points.mean(axis=1)``.

    Over pairs of coordinates NumPy's mean goes one pair at a time, which takes four times as
    long as adding them up as complex numbers; both add in the order of the points.

    Parameters
    ----------
    points : float64 array, shape (frames, points, 2 or 3)

    Returns
    -------
    float64 array, shape (frames, 2 or 3)
        NaN where a coordinate of some point is.

    Examples
    --------
    >>> middles(np.array([[[0.0, 1.0], [4.0, 2.0]]]))
    array([[2. , 1.5]])
    """
    n_frames, n_points, n_axes = points.shape
    if n_axes != 2 or n_points == 0 or not points.flags.c_contiguous:
        mean: NDArray[np.float64] = points.mean(axis=1)
        return mean
    pairs = points.view(np.complex128)[:, :, 0]
    sums = np.empty((n_frames, 2))
    for start in range(0, n_frames, _FRAMES):
        added = np.add.accumulate(pairs[start : start + _FRAMES], axis=1)
        sums[start : start + _FRAMES] = added[:, -1:].view(np.float64)
    sums /= n_points
    return sums


def known_middles(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the mean of each frame's known points: NaN only where there is none.

    Parameters
    ----------
    points : float64 array, shape (frames, points, 2 or 3)

    Returns
    -------
    float64 array, shape (frames, 2 or 3)

    Examples
    --------
    >>> known_middles(np.array([[[0.0, 1.0], [4.0, np.nan]]]))
    array([[2., 1.]])
    """
    found = middles(points)
    some = np.flatnonzero(~np.isfinite(found).all(axis=1))
    part = points[some]
    known = np.isfinite(part)
    with np.errstate(invalid="ignore"):
        found[some] = np.where(known, part, 0.0).sum(axis=1) / known.sum(axis=1)
    return found
