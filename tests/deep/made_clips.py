"""Clips made for the tests: in one kind the label is in the frames, in the other nowhere."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Clips = tuple[NDArray[np.float32], NDArray[np.float64], NDArray[np.int64]]
# How much each column follows the label.
_WEIGHTS = np.array([1, -1, 0.5, -0.5, 0, 0])


def trending_clips(n_subjects: int = 30, frames: int = 20, seed: int = 0) -> Clips:
    """Return clips (n, frames, 6) whose columns rise or fall as the label says, labels, subjects.

    Four clips a subject; noise of standard deviation 0.7 in every frame.
    """
    rng = np.random.default_rng(seed)
    subjects = np.repeat(np.arange(n_subjects), 4)
    label = rng.normal(size=len(subjects))
    time = np.linspace(-1, 1, frames)
    signal = label[:, np.newaxis, np.newaxis] * time[:, np.newaxis] * _WEIGHTS
    noise = 0.7 * rng.normal(size=signal.shape)
    return (signal + noise).astype(np.float32), label, subjects
