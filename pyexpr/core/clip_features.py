"""Bins, movement between bins, and action units of one clip; frames and their confidence."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pyexpr.core.extension import kernels


class BinnedMotion(NamedTuple):
    """Displacement and velocity between bins.

    Attributes
    ----------
    displacement, velocity : float
        As in `pyexpr.core.kinematics.landmark_motion`; NaN if there is no step, or no two in a row.
    n_known : int
        Number of bins in which some point is known.
    n_velocities : int
        Number of runs of three adjacent bins of this kind.
    """

    displacement: float
    velocity: float
    n_known: int
    n_velocities: int


class UnitActivity(NamedTuple):
    """Activity of the action units in a clip.

    Attributes
    ----------
    n_known : int
        Valid frames in which the presence of all units is finite.
    n_present : int
        (frame, unit) pairs of these whose presence is 1.
    n_active : int
        The number of pairs on which `intensity` is based.
    intensity : float
        Mean of the known intensities of units that are present; 0 if there is none.
    frames_present : list of int
        Known frames in which each unit is present.
    """

    n_known: int
    n_present: int
    n_active: int
    intensity: float
    frames_present: list[int]


class FrameCounts(NamedTuple):
    """Numbers of usable frames; `mean_confidence` is NaN if no frame has a confidence."""

    n_present: int
    n_valid: int
    n_failed: int
    longest_gap: int
    mean_confidence: float


def bin_points(
    points: NDArray[np.float64],
    first: NDArray[np.int64],
    expected: NDArray[np.int64],
    end: int,
    *,
    decimate: bool,
    angles: bool,
) -> NDArray[np.float64]:
    """Return one position per bin of each point.

    Parameters
    ----------
    points : float64 array, shape (frames, points, dims)
        A point is known in a frame when all its coordinates are finite.
    first, expected : int64 arrays, shape (bins,)
        First frame of each bin, and its number of frames if the clip did not end.
    end : int
        The frame after the last bin.
    decimate : bool
        Whether the position is that of the first frame of the bin. By default it is the mean
        of the frames in which the point is known, which must be half of those expected.
    angles : bool
        Whether values are degrees. The mean is then computed from the wrapped differences from the
        first known value of the bin.

    Returns
    -------
    float64 array, shape (bins, points, dims)
        NaN where a point is not known.

    Notes
    -----
    Sums are computed in NumPy's order, so that the bytes do not depend on the processor. Checked
    against NumPy bit by bit.

    Examples
    --------
    >>> import numpy as np
    >>> points = np.array([1.0, 3.0, np.nan, 8.0]).reshape(4, 1, 1)
    >>> bins = np.array([0, 2]), np.array([2, 2])
    >>> bin_points(points, *bins, 4, decimate=False, angles=False).ravel().tolist()
    [2.0, 8.0]
    """
    return kernels.bin_points(_together(points), first, expected, end, decimate, angles)


def binned_motion(
    points: NDArray[np.float64],
    first: NDArray[np.int64],
    expected: NDArray[np.int64],
    end: int,
    *,
    decimate: bool,
    angles: bool,
    rate: float,
    velocity: str,
) -> BinnedMotion:
    """Return displacement and velocity between bins.

    Parameters
    ----------
    points, first, expected, end, decimate, angles
        As for `bin_points`; angles are one number per frame, whose differences are wrapped.
    rate : float
        Bins per second.
    velocity : {"abs_derivative", "derivative", "speed"}
        As for `pyexpr.core.kinematics.landmark_motion`.

    Examples
    --------
    >>> import numpy as np
    >>> points = np.array([0.0, 2.0, 4.0, 6.0]).reshape(4, 1, 1)
    >>> bins = np.array([0, 2]), np.array([2, 2])
    >>> binned_motion(
    ...     points, *bins, 4, decimate=False, angles=False, rate=5.0, velocity="speed"
    ... ).displacement
    4.0
    """
    reading = getattr(kernels.Velocity, velocity)
    return BinnedMotion(
        *kernels.binned_motion(
            _together(points), first, expected, end, decimate, angles, float(rate), reading
        )
    )


def unit_activity(
    valid: NDArray[np.bool_],
    presence: NDArray[np.float64],
    intensity: NDArray[np.float64],
    columns: NDArray[np.int64],
) -> UnitActivity:
    """Return how active action units are in a clip.

    Parameters
    ----------
    valid : bool array, shape (frames,)
    presence, intensity : float64 arrays, shape (frames, units) each
    columns : int64 array, shape (units, 2)
        The columns of `presence` and of `intensity` of the units that have both.

    Examples
    --------
    >>> import numpy as np
    >>> presence = np.array([[1.0, 0.0], [1.0, 1.0]])
    >>> found = unit_activity(
    ...     np.array([True, True]), presence, 2 * presence, np.array([[0, 0], [1, 1]])
    ... )
    >>> found.n_present, found.intensity, found.frames_present
    (3, 2.0, [2, 1])
    """
    return UnitActivity(
        *kernels.unit_activity(
            np.ascontiguousarray(valid),
            np.ascontiguousarray(presence, dtype=np.float64),
            np.ascontiguousarray(intensity, dtype=np.float64),
            columns,
        )
    )


def count_frames(
    present: NDArray[np.bool_], valid: NDArray[np.bool_], confidence: NDArray[np.float64]
) -> FrameCounts:
    """Return the numbers of frames with a row, valid and failed, and the longest run without a row.

    Parameters
    ----------
    present, valid : bool arrays, shape (frames,)
    confidence : float64 array, shape (frames,)
        NaN if it is not known.

    Examples
    --------
    >>> import numpy as np
    >>> count_frames(np.array([True, True]), np.array([True, False]), np.array([0.9, 0.1]))
    FrameCounts(n_present=2, n_valid=1, n_failed=1, longest_gap=1, mean_confidence=0.5)
    """
    return FrameCounts(
        *kernels.count_frames(
            np.ascontiguousarray(present),
            np.ascontiguousarray(valid),
            np.ascontiguousarray(confidence, dtype=np.float64),
        )
    )


def _together(points: NDArray[Any]) -> NDArray[np.float64]:
    """Return points whose coordinates are adjacent within a frame, copied only if necessary."""
    _, n_points, dims = points.shape
    rows, apart, side = points.strides
    size = 8
    good = (
        points.dtype == np.float64
        and (dims < 2 or side == size)
        and (n_points < 2 or apart == dims * size)
        and rows >= 0
        and rows % size == 0
    )
    return points if good else np.ascontiguousarray(points, dtype=np.float64)
