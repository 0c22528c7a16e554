"""Displacement and velocity, slow and obvious: whole temporaries, one line per definition."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def wrapped(degrees: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return differences of angles in [-180, 180)."""
    return (degrees + 180.0) % 360.0 - 180.0


def landmark_motion(
    landmarks: NDArray[np.floating], rate: float, velocity: str, *, angles: bool = False
) -> dict[str, object]:
    """Return the averages and counts over all landmarks, and of each."""
    x = landmarks.astype(np.float64)
    valid = np.isfinite(x).all(axis=2)
    x[~valid] = np.nan
    difference = x[1:] - x[:-1]
    if angles:
        difference = wrapped(difference)
    steps = np.sqrt((difference**2).sum(axis=2))
    change = (steps[1:] - steps[:-1]) * rate
    velocities = {
        "abs_derivative": np.abs(change),
        "derivative": change,
        "speed": steps * rate,
    }[velocity]

    def mean(values: NDArray[np.float64]) -> float:
        found = values[~np.isnan(values)]
        return float(found.sum() / len(found)) if len(found) else np.nan

    def each(values: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.array([mean(values[:, i]) for i in range(x.shape[1])])

    return {
        "displacement": mean(steps),
        "velocity": mean(velocities),
        "n_steps": int((~np.isnan(steps)).sum()),
        "n_velocities": int((~np.isnan(velocities)).sum()),
        "displacement_each": each(steps),
        "velocity_each": each(velocities),
        "n_steps_each": (~np.isnan(steps)).sum(axis=0),
        "n_velocities_each": (~np.isnan(velocities)).sum(axis=0),
    }
