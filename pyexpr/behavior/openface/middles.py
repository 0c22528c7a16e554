"""The middle of the points of each frame."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pyexpr.core.frame_grid import point_middles


def middles(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the mean of each frame's points, the same bits as ``points.mean(axis=1)``.

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
    if points.shape[1] == 0:
        mean: NDArray[np.float64] = points.mean(axis=1)
        return mean
    return point_middles(points)


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
