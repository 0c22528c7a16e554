"""Small OpenFace files in every layout, written as OpenFace writes them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

AU_R = [f"AU{n:02d}_r" for n in (1, 2, 4, 5, 6, 7, 9, 10, 12, 14, 15, 17, 20, 23, 25, 26, 45)]
AU_C = [f"AU{n:02d}_c" for n in (1, 2, 4, 5, 6, 7, 9, 10, 12, 14, 15, 17, 20, 23, 25, 26, 28, 45)]
GAZE = [f"gaze_{eye}_{axis}" for eye in (0, 1) for axis in "xyz"]
GAZE_ANGLE = ["gaze_angle_x", "gaze_angle_y"]
EYES = [f"eye_lmk_{axis}_{i}" for axis in "xyXYZ" for i in range(56)]
POSE = ["pose_Tx", "pose_Ty", "pose_Tz", "pose_Rx", "pose_Ry", "pose_Rz"]
POINTS_2D = [f"{axis}_{i}" for axis in "xy" for i in range(68)]
POINTS_3D = [f"{axis}_{i}" for axis in "XYZ" for i in range(68)]
PARAMS = ["p_scale", "p_rx", "p_ry", "p_rz", "p_tx", "p_ty", *(f"p_{i}" for i in range(34))]
TIME = ["timestamp", "confidence", "success"]

FULL = [
    *("frame", "face_id", *TIME, *GAZE, *GAZE_ANGLE, *EYES, *POSE),
    *(*POINTS_2D, *POINTS_3D, *PARAMS, *AU_R, *AU_C),
]


@dataclass(frozen=True)
class Layout:
    """Columns of a layout and how its header and rows are printed."""

    columns: Sequence[str]
    header_blank: str = ""
    row_blank: str = ""
    newline: str = "\n"
    fixed: bool = True  # decimals by column as OpenFace 2, or six digits as 0.x
    faces: Sequence[int] = field(default=(0,))


LAYOUTS = {
    "714": Layout(FULL, " ", " ", "\r\n"),
    "713": Layout([name for name in FULL if name != "face_id"], " ", " ", "\r\n"),
    "431": Layout(
        ["frame", *TIME, *GAZE, *POSE, *POINTS_2D, *POINTS_3D, *PARAMS, *AU_R, *AU_C],
        *(" ", ""),
        fixed=False,
    ),
    "46": Layout(["frame", "face_id", *TIME, *POSE, *AU_R, *AU_C]),
    "334": Layout(
        [
            *("frame", "face_id", *TIME, *EYES[:112], *POSE, *POINTS_2D),
            *(*PARAMS, *AU_R, *AU_C),
        ],
        *("", "  "),
    ),
    "61": Layout(
        [
            *("frame", "face_id", *TIME, *GAZE, *GAZE_ANGLE, *POSE, *AU_R, *AU_C),
            *(f"extra_{i}" for i in range(7)),
        ],
        faces=(0, 1, 2),
    ),
    "images": Layout(["face", "confidence", *FULL[5:]], " ", " "),
}


def value(name: str, frame: int, face: int = 0) -> float:
    """Return a value that no other column, frame or face has (as far as its range allows)."""
    if name.endswith("_c"):
        return float((frame + int(name[2:4]) + face) % 2)
    code = FULL.index(name) if name in FULL else 0
    if name.endswith("_r"):
        return round((code + frame + face) % 50 / 10, 2)
    return round(code + frame / 10 + 1000 * face, 1)


def rows(
    layout: Layout,
    n: int,
    *,
    fps: float = 25.0,
    first: int = 1,
    make: Callable[[str, int, int], float] = value,
) -> list[dict[str, float]]:
    """Return rows as dictionaries, to be changed before they are written."""
    table = []
    for number in range(n):
        for face in layout.faces:
            row = {name: make(name, number, face) for name in layout.columns}
            known = {
                "frame": first + number,
                "face_id": face,
                "face": face,
                "timestamp": number / fps,
                "confidence": 0.98,
                "success": 1,
            }
            row.update({name: float(item) for name, item in known.items() if name in row})
            table.append(row)
    return table


def printed(name: str, number: float | str, *, fixed: bool) -> str:
    """Print a value with OpenFace's decimals; text is left as it is."""
    if isinstance(number, str):
        return number
    if not fixed:
        return f"{number:.6g}"
    if name in ("frame", "face_id", "face", "success") or name.startswith("extra"):
        return f"{number:.0f}"
    if name in ("timestamp", *GAZE_ANGLE):
        return f"{number:.3f}"
    if name == "confidence" or name.startswith("AU"):
        return f"{number:.2f}"
    return f"{number:.1f}" if "_T" in name or name[0] in "xyXYZe" else f"{number:.6f}"


def text(layout: Layout, table: Iterable[dict[str, float]]) -> str:
    """Return the file's text."""
    lines = [("," + layout.header_blank).join(layout.columns)]
    for row in table:
        fields = [printed(name, row[name], fixed=layout.fixed) for name in layout.columns]
        lines.append(("," + layout.row_blank).join(fields))
    return layout.newline.join(lines) + layout.newline


def write(path: Path, layout: Layout, table: Iterable[dict[str, float]]) -> Path:
    """Write a file and return its path."""
    path.write_bytes(text(layout, table).encode())
    return path


def array(names: Sequence[str], n: int, face: int = 0) -> np.ndarray:
    """Return what `value` says of columns, (frames, columns)."""
    return np.array([[value(name, frame, face) for name in names] for frame in range(n)])
