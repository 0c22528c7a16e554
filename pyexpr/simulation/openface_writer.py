"""Rows in the format of OpenFace 2 (FeatureExtraction): 714 columns, with its decimals."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pyexpr.base.files import whole_file

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

_INTENSITY_NUMBERS = (1, 2, 4, 5, 6, 7, 9, 10, 12, 14, 15, 17, 20, 23, 25, 26, 45)
AU_INTENSITY = [f"AU{number:02d}" for number in _INTENSITY_NUMBERS]
# OpenFace estimates only the presence of AU28 (lip suck).
AU_PRESENCE = sorted([*AU_INTENSITY, "AU28"])


def openface_layout() -> list[tuple[str, list[str], str]]:
    """Return OpenFace 2's columns in order: (group, names, number format) per group."""

    def numbered(prefixes: list[str], count: int) -> list[str]:
        return [f"{prefix}_{number}" for prefix in prefixes for number in range(count)]

    return [
        ("frame", ["frame", "face_id"], "%d"),
        ("timestamp", ["timestamp"], "%.3f"),
        ("confidence", ["confidence"], "%.2f"),
        ("success", ["success"], "%d"),
        ("gaze_vector", [f"gaze_{eye}_{axis}" for eye in "01" for axis in "xyz"], "%.6f"),
        ("gaze_angle", ["gaze_angle_x", "gaze_angle_y"], "%.3f"),
        ("eye_landmarks_2d", numbered(["eye_lmk_x", "eye_lmk_y"], 56), "%.1f"),
        ("eye_landmarks_3d", numbered(["eye_lmk_X", "eye_lmk_Y", "eye_lmk_Z"], 56), "%.1f"),
        ("pose_translation", ["pose_Tx", "pose_Ty", "pose_Tz"], "%.1f"),
        ("pose_rotation", ["pose_Rx", "pose_Ry", "pose_Rz"], "%.3f"),
        ("landmarks_2d", numbered(["x", "y"], 68), "%.1f"),
        ("landmarks_3d", numbered(["X", "Y", "Z"], 68), "%.1f"),
        ("params", ["p_scale", "p_rx", "p_ry", "p_rz", "p_tx", "p_ty"], "%.3f"),
        ("shape", numbered(["p"], 34), "%.3f"),
        ("au_intensity", [f"{unit}_r" for unit in AU_INTENSITY], "%.2f"),
        ("au_presence", [f"{unit}_c" for unit in AU_PRESENCE], "%.2f"),
    ]


_LAYOUT = openface_layout()
OPENFACE_COLUMNS = tuple(name for _, names, _ in _LAYOUT for name in names)
GROUPS: dict[str, slice] = {}
for _group, _names, _ in _LAYOUT:
    _start = sum(group.stop - group.start for group in GROUPS.values())
    GROUPS[_group] = slice(_start, _start + len(_names))
# Decimals of each column; a whole number has none.
_DECIMALS = np.array(
    [0 if how == "%d" else int(how[2]) for _, names, how in _LAYOUT for _ in names]
)
_HEADER = ", ".join(OPENFACE_COLUMNS) + "\n"
_ROW = ", ".join(number for _, names, number in _LAYOUT for _ in names) + "\n"


def write_openface(path: Path, rows: NDArray[np.float64]) -> None:
    """Write rows of shape (frames, 714), in the order of `OPENFACE_COLUMNS`, whole or not at all.

    A format string per row is six times faster than a data frame's writer.
    """
    with whole_file(path) as temporary, temporary.open("w", encoding="ascii", newline="") as file:
        file.write(_HEADER)
        for start in range(0, len(rows), 256):
            file.write("".join([_ROW % tuple(row) for row in rows[start : start + 256].tolist()]))


def as_printed(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return rows of shape (frames, 714) with the numbers that their file would hold."""
    powers = 10.0**_DECIMALS
    # An integer divided by a power of ten is the double that its decimals represent.
    result: NDArray[np.float64] = np.rint(rows * powers) / powers
    return result
