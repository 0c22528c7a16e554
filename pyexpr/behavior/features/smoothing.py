"""Movement from smoothed derivatives instead of differences between bins."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pyexpr.behavior.features.binning import wrapped
from pyexpr.core.kinematics import Velocity

#: Seconds of the window, and the degree of the polynomial fitted in it.
WINDOW_SECONDS: Final = 0.4
DEGREE: Final = 2


def savgol_window(fps: float) -> int:
    """Return the frames of the window: the least odd number that lasts 0.4 s, at least 5."""
    frames = math.ceil(WINDOW_SECONDS * fps - 1e-9)
    return max(frames + 1 - frames % 2, DEGREE + 3)


def savgol_motion(
    points: NDArray[np.float64], *, fps: float, rate: float, velocity: Velocity, angles: bool
) -> tuple[float, float, int]:
    """Average displacement and velocity by Savitzky and Golay's derivatives.

    In a window around each frame a parabola is fitted to each coordinate x. With
    s = |x'| the speed of a point, displacement is the mean of ``s / rate`` (the way
    made in one step) and velocity the mean of ``|s'| / rate``, ``s' / rate`` or
    ``s`` by its reading, so that units and, for smooth motion, values are those of
    differences between bins.

    Parameters
    ----------
    points : float64 array, shape (frames, points, dims)
        A window takes part if the point is finite in all of its frames: gaps are
        never bridged.
    fps, rate : float
        Frames, and steps, per second.
    velocity : {"abs_derivative", "derivative", "speed"}
    angles : bool
        Whether the values are degrees, to be unwrapped first.

    Returns
    -------
    displacement, velocity : float
        Over all (point, frame) pairs; NaN if there is none.
    n_frames : int
        Frames in which any point has a whole window.

    References
    ----------
    Savitzky, A., and Golay, M. J. E. (1964). Smoothing and differentiation of data
    by simplified least squares procedures. Analytical Chemistry 36, 1627-1639.

    Examples
    --------
    >>> import numpy as np
    >>> position = 10.0 * np.arange(75).reshape(75, 1, 1) / 25  # 10 a second
    >>> displacement, _, n_frames = savgol_motion(
    ...     position, fps=25, rate=5, velocity="abs_derivative", angles=False
    ... )
    >>> round(displacement, 9), n_frames
    (2.0, 65)
    """
    first, second = _derivatives(_unwrapped(points) if angles else points, fps)
    speed = np.sqrt((first**2).sum(axis=2))
    known = np.isfinite(speed)
    speed, first, second = speed[known], first[known], second[known]
    if not len(speed):
        return float("nan"), float("nan"), 0
    displacement = float(speed.mean()) / rate
    n_frames = int(np.logical_or.reduce(known, axis=1).sum())
    if velocity == "speed":
        return displacement, displacement * rate, n_frames
    moving = speed > 0
    # A point at rest for a moment: its speed falls and rises again at |x''|, on
    # balance not at all.
    at_rest = np.sqrt((second**2).sum(axis=1)) if velocity == "abs_derivative" else 0.0
    change = (first * second).sum(axis=1) / np.where(moving, speed, 1.0)
    change = np.where(moving, change, at_rest)
    if velocity == "abs_derivative":
        change = np.abs(change)
    return displacement, float(change.mean()) / rate, n_frames


def _derivatives(
    points: NDArray[np.float64], fps: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return first and second derivatives per second, NaN where the window is not whole."""
    from scipy.signal import savgol_filter

    window = savgol_window(fps)

    def derivative(order: int) -> NDArray[np.float64]:
        return np.asarray(
            savgol_filter(
                points, window, DEGREE, deriv=order, delta=1 / fps, axis=0,
                mode="constant", cval=np.nan,
            ),
            dtype=np.float64,
        )  # fmt: skip

    return derivative(1), derivative(2)


def _unwrapped(degrees: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return angles without jumps between adjacent frames; over a gap, any multiple of 360."""
    steps = np.nan_to_num(wrapped(np.diff(degrees, axis=0)))
    smooth = np.concatenate([np.zeros_like(degrees[:1]), np.cumsum(steps, axis=0)])
    return np.where(np.isnan(degrees), np.nan, smooth)
