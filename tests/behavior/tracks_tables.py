"""Small tables as trackers write them, with movement whose features are known."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

RATE = 25.0
FRAMES = 60
EMOTIONS = ("anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral")


def moving(n_points: int, n_frames: int = FRAMES, seed: int = 1, n_axes: int = 2) -> Any:
    """Points that wander, (frames, points, axes), in pixels."""
    rng = np.random.default_rng(seed)
    start = 100 + 200 * rng.random((1, n_points, n_axes))
    return start + rng.normal(0, 0.8, (n_frames, n_points, n_axes)).cumsum(axis=0)


def flat(points: Any, *patterns: str) -> dict[str, Any]:
    """Columns of points, named by a pattern an axis."""
    return {
        pattern.format(point): points[:, point, axis]
        for point in range(points.shape[1])
        for axis, pattern in enumerate(patterns)
    }


def py_feat(points: Any, seed: int = 2) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    n = len(points)
    units = (1, 2, 4, 5, 6, 7, 9, 10, 11, 12, 14, 15, 17, 20, 23, 24, 25, 26, 28, 43)
    return pd.DataFrame(
        {
            "FaceRectX": 1.0, "FaceRectY": 2.0, "FaceRectWidth": 3.0, "FaceRectHeight": 4.0,
            "FaceScore": np.full(n, 0.99),
            **flat(points, "x_{}", "y_{}"),
            "Pitch": rng.normal(0, 5, n), "Roll": rng.normal(0, 5, n), "Yaw": rng.normal(0, 5, n),
            **{f"AU{unit:02d}": rng.random(n) for unit in units},
            **{name: rng.random(n) for name in EMOTIONS},
            "input": "clip.mp4",
            "frame": np.arange(n),
        }
    )  # fmt: skip


def mediapipe(shares: Any) -> pd.DataFrame:
    n = len(shares)
    return pd.DataFrame(
        {
            "frame": np.arange(n),
            "timestamp_ms": np.round(np.arange(n) * 1000 / RATE, 3),
            "face": 0,
            **flat(shares, "x{}", "y{}", "z{}"),
        }
    )


def written(frame: pd.DataFrame, path: Path, **options: Any) -> Path:
    frame.to_csv(path, index=False, **options)
    return path


def binned(values: Any, rate: float = 5.0, fps: float = RATE) -> Any:
    """Mean of each bin's frames; all frames are known, and bins are whole."""
    index = np.floor(np.arange(len(values)) * rate / fps + 1e-9).astype(int)
    return np.stack([values[index == one].mean(axis=0) for one in range(index.max() + 1)])


def motion(points: Any, rate: float = 5.0, fps: float = RATE) -> tuple[float, float]:
    """Displacement and velocity of points that are known in all frames, by their definition."""
    steps = np.linalg.norm(np.diff(binned(points, rate, fps), axis=0), axis=2)
    return float(steps.mean()), float(np.abs(np.diff(steps, axis=0)).mean() * rate)
