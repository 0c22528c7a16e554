"""Recordings made by hand: every group known, frames invalid where told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from pyexpr.behavior.openface.recording import OpenFaceRecording, ReadLog
from pyexpr.behavior.schedules import Clip

UNITS_C = (1, 2, 4, 5, 6, 7, 9, 10, 12, 14, 15, 17, 20, 23, 25, 26, 28, 45)
PRESENCE = tuple(f"AU{unit:02d}" for unit in UNITS_C)
INTENSITY = tuple(name for name in PRESENCE if name != "AU28")

# Frame shapes of the groups.
SHAPES = {
    "landmarks_2d": (68, 2),
    "landmarks_3d": (68, 3),
    "pose_translation": (3,),
    "pose_rotation": (3,),
    "gaze_angle": (2,),
    "au_presence": (18,),
    "au_intensity": (17,),
}


def recording(
    n_frames: int = 75,
    *,
    fps: float = 25.0,
    invalid: Sequence[int] = (),
    without: Sequence[str] = (),
    **groups: NDArray[np.float64],
) -> OpenFaceRecording:
    """Return a recording whose groups are at rest, but for those given."""
    valid = np.ones(n_frames, dtype=np.bool_)
    valid[list(invalid)] = False
    values: dict[str, NDArray[np.float64]] = {
        name: np.zeros((n_frames, *shape)) for name, shape in SHAPES.items()
    }
    values |= {name: np.array(given, dtype=np.float64) for name, given in groups.items()}
    for name in without:
        del values[name]
    for given in values.values():
        given[~valid] = np.nan
    return OpenFaceRecording(
        path="hand.csv",
        fps=fps,
        fps_source="stated",
        n_frames=n_frames,
        present=np.ones(n_frames, dtype=np.bool_),
        valid=valid,
        confidence=np.full(n_frames, 0.98),
        groups=values,
        au_presence_names=PRESENCE if "au_presence" in values else (),
        au_intensity_names=INTENSITY if "au_intensity" in values else (),
        log=ReadLog(),
    )


def whole(made: OpenFaceRecording) -> Clip:
    """Return the clip that is all of a recording."""
    return Clip("task", "1", 0, made.n_frames)


def openface_text(columns: Mapping[str, Sequence[float]]) -> str:
    """Return an OpenFace file with a name per column, frames numbered from 1 at 25 fps."""
    n = len(next(iter(columns.values())))
    table = {
        "frame": [k + 1 for k in range(n)],
        "timestamp": [k / 25 for k in range(n)],
        "confidence": [0.98] * n,
        "success": [1] * n,
        **columns,
    }
    lines = [", ".join(table)]
    lines += [
        ", ".join(f"{value:.6g}" for value in row) for row in zip(*table.values(), strict=True)
    ]
    return "\n".join(lines) + "\n"
