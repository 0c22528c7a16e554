"""Recordings that cannot be compared are refused, or made comparable, or said."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from behavior.openface_files import (
    AU_C,
    AU_R,
    POINTS_2D,
    POINTS_3D,
    POSE,
    TIME,
    Layout,
    rows,
    write,
)

from pyexpr.base.errors import DataError
from pyexpr.base.messages import codes_of, parts_of
from pyexpr.behavior.features.features import extract_features
from pyexpr.behavior.features.mixed import image_size
from pyexpr.behavior.openface.recording import read_openface

N = 75
SIX = ["AU04_c", "AU12_c", "AU15_c", "AU23_c", "AU28_c", "AU45_c"]
POINTS = [*POINTS_2D, *POINTS_3D]
rng = np.random.default_rng(4)
SHAPE = rng.uniform(-60, 60, (68, 3))
# The outer corners of the eyes are 90 mm apart.
SHAPE[36], SHAPE[45] = (-45, -20, 10), (45, -20, 10)
SHAPE -= SHAPE.mean(axis=0)


def film(
    path: Path, width: int, height: int, units: list[str] = AU_C, *, zoom: float = 1.0
) -> Path:
    """Write what a pinhole camera with OpenFace's default focal length sees of a moving head."""
    focal = zoom * (500 * width / 640 + 500 * height / 480) / 2
    layout = Layout(["frame", "face_id", *TIME, *POSE, *POINTS, *units, *AU_R])
    table = []
    for k, row in enumerate(rows(layout, N, make=lambda *_: 0.0)):
        place = np.array([80 * np.sin(k / 9), 30 - 0.5 * k, 600 + k])
        points = SHAPE + place
        flat = focal * points[:, :2] / points[:, 2:] + np.array([width, height]) / 2
        row |= dict(zip(POSE[:3], place, strict=True))
        row |= dict(zip(POINTS_2D, flat.T.ravel(), strict=True))
        row |= dict(zip(POINTS_3D, points.T.ravel(), strict=True))
        row |= {name: float(number % 3 == 0) for number, name in enumerate(units)}
        row |= dict.fromkeys(AU_R, 1.0)
        table.append(row)
    return write(path, layout, table)


@pytest.mark.parametrize("size", [(640, 480), (640, 360), (1280, 720), (1080, 1920)])
def test_image_size(size: tuple[int, int], tmp_path: Path) -> None:
    recording = read_openface(film(tmp_path / "a.csv", *size))
    np.testing.assert_allclose(image_size(recording), size, rtol=0.02)


def test_size_that_is_not_known(tmp_path: Path) -> None:
    other_camera = read_openface(film(tmp_path / "a.csv", 640, 480, zoom=2))
    assert np.isnan(image_size(other_camera)).all()
    recording = read_openface(film(tmp_path / "a.csv", 640, 480), groups=["pose_translation"])
    assert np.isnan(image_size(recording)).all()


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("mixed")
    return [
        film(folder / "full.csv", 640, 480),
        film(folder / "six.csv", 640, 480, SIX),
        film(folder / "large.csv", 1280, 960),
    ]


def test_other_action_units(files: list[Path]) -> None:
    with pytest.raises(DataError, match=r"six.csv' has other action units than .*it lacks 'AU01'"):
        extract_features(files[:2], every=3, progress=False)
    common = extract_features(files[:2], every=3, on_mixed="common", progress=False)
    # Of the six, the file with 18 shows those at places 3, 9, 15 of its own: AU05, AU14, AU26.
    shown = {name for number, name in enumerate(AU_C) if number % 3 == 0}
    assert common.table["au_count"].tolist() == [len(shown & set(SIX)), 2]
    full, six = common.recordings["notes"]
    assert "common_action_units" in codes_of(full)
    assert "common_action_units" not in codes_of(six)
    kept = extract_features(files[:2], every=3, on_mixed="keep", progress=False)
    assert kept.table["au_count"].tolist() == [6, 2]
    assert "other_action_units" in codes_of(kept.recordings["notes"][1])
    assert len(parts_of(kept.recordings["notes"][0])) == 1


def test_images_of_another_size(files: list[Path]) -> None:
    two = files[::2]
    for how in ("error", "common"):
        with pytest.raises(DataError, match=r"about 12[5-9]\d x 9[3-7]\d px, .*landmarks='norm"):
            extract_features(two, every=3, on_mixed=how, progress=False)
    for landmarks in ("3d", "normalised"):
        found = extract_features(two, every=3, landmarks=landmarks, progress=False).table
        assert found["points_displacement"][0] == pytest.approx(found["points_displacement"][1])
    kept = extract_features(two, every=3, on_mixed="keep", progress=False)
    assert "other_image_size" in codes_of(kept.recordings["notes"][1])
    np.testing.assert_allclose(kept.recordings["image_width"], [640, 1280], rtol=0.02)
    with pytest.raises(DataError, match="on_mixed= must be one of 'error', 'common', 'keep'"):
        extract_features(two, every=3, on_mixed="drop")


def test_a_bad_file_of_many(files: list[Path], tmp_path: Path) -> None:
    bad = tmp_path / "bad.csv"
    bad.write_text("not,a\nrecording,1\n")
    given = [bad, files[0]]
    with pytest.raises(DataError, match=r"bad\.csv"):
        extract_features(given, every=3, progress=False)
    found = extract_features(given, every=3, on_error="skip", progress=False)
    assert found.table["subject"].tolist() == ["full"]
    assert found.recordings["subject"].tolist() == ["full"]
    (lost,) = found.dropped.to_dict("records")
    assert (lost["subject"], lost["clip"], lost["openface"]) == ("bad", "", str(bad))
    assert "not an OpenFace file" in lost["reason"]
    with pytest.raises(DataError, match="on_error= must be one of 'stop', 'skip'"):
        extract_features(given, every=3, on_error="ignore")
