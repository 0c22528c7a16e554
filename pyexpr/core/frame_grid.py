"""Computations over all frames of a recording: missing rows, the mean of points, fast steps."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pyexpr.core.extension import kernels


def blank_rows(values: NDArray[np.float64], valid: NDArray[np.bool_]) -> int:
    """Set the rows of frames that are not valid to NaN, and count NaN in the other rows.

    Parameters
    ----------
    values : float64 array, shape (frames, columns)
        Changed in place; C-contiguous.
    valid : bool array, shape (frames,)

    Returns
    -------
    int

    Examples
    --------
    >>> import numpy as np
    >>> values = np.array([[1.0, np.nan], [2.0, 3.0]])
    >>> blank_rows(values, np.array([True, False])), values.tolist()
    (1, [[1.0, nan], [nan, nan]])
    """
    return kernels.blank_rows(values, np.ascontiguousarray(valid))


def point_middles(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the mean of each frame's points, the same bits as ``points.mean(axis=1)``.

    Parameters
    ----------
    points : float64 array, shape (frames, points, 2 or 3)
        At least one point.

    Returns
    -------
    float64 array, shape (frames, 2 or 3)
        NaN if a coordinate of some point is NaN.

    Examples
    --------
    >>> import numpy as np
    >>> point_middles(np.array([[[0.0, 1.0], [4.0, 2.0]]]))
    array([[2. , 1.5]])
    """
    return kernels.point_middles(np.ascontiguousarray(points, dtype=np.float64))


def fastest_step(
    places: NDArray[np.float64],
    seconds: NDArray[np.float64],
    *,
    least: float,
    circle: float = 0.0,
) -> float:
    """Return the square of the largest speed from one known frame to the next.

    Parameters
    ----------
    places : float64 array, shape (frames, dims)
        A frame is known when all its values are finite.
    seconds : float64 array, shape (frames,)
        Time of each frame.
    least : float
        Least time (s) between frames; closer frames count as this far apart.
    circle : float
        If not 0, values are angles and this is a full turn; differences are wrapped.

    Returns
    -------
    float
        Units squared per second squared; 0 if there are no two known frames.

    Examples
    --------
    >>> import numpy as np
    >>> fastest_step(np.array([[0.0], [np.nan], [3.0]]), np.array([0.0, 0.5, 1.0]), least=0.1)
    9.0
    """
    return kernels.fastest_step(
        np.ascontiguousarray(places, dtype=np.float64),
        np.ascontiguousarray(seconds, dtype=np.float64),
        float(least),
        float(circle),
    )
