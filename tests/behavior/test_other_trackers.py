"""A table is OpenFace's only if its header proves it."""

from __future__ import annotations

from pathlib import Path

import pytest
from behavior.openface_files import AU_C, AU_R, POINTS_2D, POSE, TIME

from pyexpr.base.errors import OpenFaceError
from pyexpr.behavior.openface.recording import read_openface

POINTS_98 = [f"{axis}_{i}" for axis in "xy" for i in range(98)]
# OpenFace 3 has eight action units, which programs around it number from 1.
UNITS_8 = [f"AU{i:02d}_{kind}" for kind in "rc" for i in range(1, 9)]


def written(path: Path, columns: list[str]) -> Path:
    rows = [",".join([str(k + 1), *["0.5"] * (len(columns) - 1)]) for k in range(5)]
    path.write_text("\n".join([",".join(columns), *rows]) + "\n")
    return path


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (["frame", "face_id", *TIME, *POINTS_98, *UNITS_8], "layout 'openface3-flat'"),
        (["frame", *TIME, *UNITS_8], "no columns 'AU03_r', 'AU08_r', 'AU03_c', 'AU08_c'"),
        (["frame", *TIME, "AU1_r", "AU2_r"], "no columns 'AU1_r', 'AU2_r'"),
        (["frame", *TIME, *AU_R, "AU28_r"], "no columns 'AU28_r'"),
        (["frame", *TIME, *POSE, "X_68"], "no columns 'X_68'"),
        (["frame", *TIME, *POSE, *(f"p_{i}" for i in range(40))], "no columns 'p_34'"),
        (["frame", *TIME, *POSE, "eye_lmk_x_56"], "no columns 'eye_lmk_x_56'"),
        (["frame", "FaceScore", *POINTS_2D, "Pitch", "AU01"], "does not show that OpenFace wrote"),
        (["frame", "timestamp", *POINTS_2D], "does not show that OpenFace wrote"),
    ],
)
def test_refused_by_name(columns: list[str], message: str, tmp_path: Path) -> None:
    with pytest.raises(OpenFaceError, match=message) as caught:
        read_openface(written(tmp_path / "a.csv", columns))
    assert len(str(caught.value)) < 600


@pytest.mark.parametrize(
    "columns",
    [
        ["frame", "timestamp", *AU_R],
        ["frame", "timestamp", *AU_C],
        ["timestamp", "AU01_r", "AU12_c"],
        ["frame", "timestamp", "success", *POINTS_2D],
        ["frame", "timestamp", *POINTS_2D, "gaze_angle_x", "gaze_angle_y"],
        ["frame", *TIME, *POSE, "x_left", "AU_sum", "filename_1", "p_value"],
    ],
)
def test_parts_of_openface_files_are_read(columns: list[str], tmp_path: Path) -> None:
    assert read_openface(written(tmp_path / "a.csv", columns)).n_frames == 5
