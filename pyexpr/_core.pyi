"""Typed stub of the extension."""

import numpy as np
from numpy.typing import NDArray

# kinematics

class Velocity:
    abs_derivative: Velocity
    derivative: Velocity
    speed: Velocity

def landmark_motion(
    landmarks: NDArray[np.float64] | NDArray[np.float32],
    rate: float,
    reading: Velocity,
    period: float,
) -> tuple[
    tuple[float, float, int, int],
    NDArray[np.float64],
    NDArray[np.float64],
    NDArray[np.int64],
    NDArray[np.int64],
]: ...
