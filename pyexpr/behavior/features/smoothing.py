"""Movement from smoothed derivatives instead of differences between bins."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pyexpr.base.messages import Template
from pyexpr.behavior.features.binning import wrapped
from pyexpr.behavior.features.options import FeatureOptions
from pyexpr.behavior.features.signals import FEWEST_VELOCITIES
from pyexpr.core.kinematics import Velocity

#: Seconds of the window, and the degree of the polynomial fitted in it.
WINDOW_SECONDS: Final = 0.4
DEGREE: Final = 2

_FEW_FRAMES = Template(
    "few_frames", "{frames} frames with a whole window of {window} frames, {needed} needed"
)


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
    https://doi.org/10.1021/ac60214a047

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


def smoothed_motion(
    points: NDArray[np.float64], fps: float, options: FeatureOptions, *, angles: bool
) -> tuple[float, float] | str:
    """Return displacement and velocity by smoothed derivatives, or why there are none."""
    displacement, velocity, n_frames = savgol_motion(
        points, fps=fps, rate=options.rate, velocity=options.velocity, angles=angles
    )
    return few_frames(n_frames, fps, options) or (displacement, velocity)


def few_frames(n_frames: int, fps: float, options: FeatureOptions) -> str:
    """Return why so many frames with a whole window are too few, or ""."""
    # As much time as the fewest velocities between bins take.
    needed = int(np.ceil(FEWEST_VELOCITIES * fps / options.rate - 1e-9))
    if n_frames >= needed:
        return ""
    return _FEW_FRAMES(frames=n_frames, window=savgol_window(fps), needed=needed)


def savgol_rates(
    points: NDArray[np.float64], order: int, *, fps: float, angles: bool
) -> NDArray[np.float64]:
    """Return the length of each point's derivative of an order, per second to its power.

    A polynomial of at least that degree, a parabola or higher, is fitted in a window around
    each frame.

    Parameters
    ----------
    points : float64 array, shape (frames, points, dims)
    order : int
        1 for speed, 2 for acceleration, 3 for jerk.
    fps : float
    angles : bool
        Whether the values are degrees, to be unwrapped first.

    Returns
    -------
    float64 array, shape (frames, points)
        NaN where the window is not whole.
    """
    derivative = _derivative(_unwrapped(points) if angles else points, fps, order)
    return np.asarray(np.sqrt((derivative**2).sum(axis=2)), dtype=np.float64)


def _derivatives(
    points: NDArray[np.float64], fps: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return first and second derivatives per second, NaN where the window is not whole."""
    return _derivative(points, fps, 1), _derivative(points, fps, 2)


def _derivative(points: NDArray[np.float64], fps: float, order: int) -> NDArray[np.float64]:
    from scipy.signal import savgol_filter

    return np.asarray(
        savgol_filter(
            points, savgol_window(fps), max(DEGREE, order), deriv=order, delta=1 / fps, axis=0,
            mode="constant", cval=np.nan,
        ),
        dtype=np.float64,
    )  # fmt: skip


def _unwrapped(degrees: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return angles without jumps between adjacent frames; over a gap, any multiple of 360."""
    steps = np.nan_to_num(wrapped(np.diff(degrees, axis=0)))
    smooth = np.concatenate([np.zeros_like(degrees[:1]), np.cumsum(steps, axis=0)])
    return np.where(np.isnan(degrees), np.nan, smooth)
