"""Passes over the frames of a recording, slow and obvious: one frame, one number at a time."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray


def blank_rows(
    values: NDArray[np.float64], valid: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], int]:
    """Return values with NaN in the rows that are not valid, and how many NaN the others have."""
    blanked = np.where(valid[:, np.newaxis], values, np.nan)
    return blanked, int(np.isnan(values[valid]).sum())


def point_middles(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the mean of each frame's points, added one after the other."""
    middles = np.empty((len(points), points.shape[2]))
    for frame, own in enumerate(points):
        for axis in range(points.shape[2]):
            total = own[0, axis]
            for point in own[1:]:
                total = total + point[axis]
            middles[frame, axis] = total / len(own)
    return middles


def fastest_step(
    places: NDArray[np.float64], seconds: NDArray[np.float64], *, least: float, circle: float = 0.0
) -> float:
    """Return the square of the largest speed from one known frame to the next."""
    known = [frame for frame in range(len(places)) if all(map(math.isfinite, places[frame]))]
    speeds = [0.0]
    for before, after in pairwise(known):
        steps = [b - a for a, b in zip(places[before], places[after], strict=True)]
        if circle:
            # The remainder nearest to 0: within half a turn.
            steps = [math.remainder(step, circle) for step in steps]
        apart = max(seconds[after] - seconds[before], least)
        speeds.append(sum(step * step for step in steps) / apart**2)
    return max(speeds)
