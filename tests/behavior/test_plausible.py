"""Movement that no head makes: missing and counted; what heads do is left alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from behavior.hand_made import openface_text
from behavior.openface_files import POINTS_2D

from pyexpr.base.errors import DataError
from pyexpr.base.messages import codes_of, joined
from pyexpr.behavior.features.features import extract_features
from pyexpr.behavior.openface.plausible import implausible
from pyexpr.behavior.openface.recording import read_openface

N = 75
FPS = 25.0
TIMES = np.arange(N) / FPS
FACE = np.stack([np.linspace(0, 100, 68), np.tile([0.0, 50.0], 34)], axis=1)


def found(group: str, values: np.ndarray, **limits: float):
    limits = {"max_speed": 5000.0, "max_turn": 1500.0} | limits
    one = implausible({group: values}, TIMES, **limits).get(group)
    return ([], []) if one is None else (one.faults.tolist(), one.jumps.tolist())


def constant(*shape: int) -> np.ndarray:
    return np.full((N, *shape), 0.1)


@pytest.mark.parametrize(
    ("group", "spoil"),
    [
        ("pose_translation", lambda v: v.__setitem__((40, 2), 2.8e7)),
        ("pose_translation", lambda v: v.__setitem__(40, -v[40] - 500)),
        ("pose_rotation", lambda v: v.__setitem__((40, 0), v[40, 0] + np.pi)),
        ("gaze_angle", lambda v: v.__setitem__((40, 1), v[40, 1] + 1.5)),
        ("gaze_vector", lambda v: v.__setitem__(40, [-1.0, 0.1, 0.1] * 2)),
    ],
)
def test_one_frame_that_cannot_be(group: str, spoil) -> None:
    values = constant({"gaze_angle": 2, "gaze_vector": 6}.get(group, 3))
    assert found(group, values) == ([], [])
    spoil(values)
    assert found(group, values) == ([40], [])
    assert found(group, values, max_speed=np.inf, max_turn=np.inf) == ([], [])


def test_landmarks_go_by_the_size_of_the_face() -> None:
    # The outer corners of the eyes are 13.4 px apart: 300 px are 2 m, and 20 px 0.13 m.
    points = np.broadcast_to(FACE, (N, 68, 2)).copy()
    points[40] += 300
    assert found("landmarks_2d", points) == ([40], [])
    points[40] -= 280
    assert found("landmarks_2d", points) == ([], [])
    assert found("landmarks_2d", 20 * points) == ([], [])  # nor in a larger image


def test_what_heads_do_is_left_alone() -> None:
    t = TIMES[:, np.newaxis]
    # A turn of the head as fast as it goes (800 degrees/s), a lunge of 3 m/s, over the seam of -pi.
    turn = np.radians(180 + 40 * np.sin(2 * np.pi * 3.2 * t)) * [0, 1, 0]
    turn = (turn + np.pi) % (2 * np.pi) - np.pi
    assert found("pose_rotation", turn) == ([], [])
    assert found("pose_translation", 150 * np.sin(20 * t) * [1, 0, 0]) == ([], [])


def test_time_allows_more_distance() -> None:
    values = constant(3)
    values[:20] += 2000  # 2 m before a gap of a second
    values[20:45] = np.nan
    assert found("pose_translation", values) == ([], [])
    assert found("pose_translation", values, max_speed=1000.0) == ([], [45])


def test_stretches() -> None:
    values = constant(3)
    values[30:32] += 3000
    values[34] -= 3000  # the two frames between are where they should be
    assert found("pose_translation", values) == ([30, 31, 34], [])
    values[40:] += 9000  # a cut, not a fault: it stays
    assert found("pose_translation", values) == ([30, 31, 34], [40])
    values[::2] += 50_000  # no two frames together
    assert found("pose_translation", values)[0] == list(range(N))


@pytest.fixture
def nodding() -> dict[str, list[float]]:
    """A head that nods and goes to the right, and points that go with it."""
    columns: dict[str, list[float]] = {
        "pose_Tx": (2.0 * np.arange(N)).tolist(),
        "pose_Ty": [0.0] * N,
        "pose_Tz": [500.0] * N,
        "pose_Rx": (0.004 * np.arange(N)).tolist(),
        "pose_Ry": [0.0] * N,
        "pose_Rz": [0.0] * N,
    }
    for name in POINTS_2D:
        axis, point = name.split("_")
        columns[name] = (FACE[int(point), "xy".index(axis)] * 5 + 0.5 * np.arange(N)).tolist()
    return columns


def test_in_a_file(nodding, tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(openface_text(nodding))
    clean = extract_features(path, every=3, progress=False)
    nodding["pose_Tz"][40], nodding["pose_Rx"][50] = 2.8e7, 3.0
    path.write_text(openface_text(nodding))
    recording = read_openface(path)
    assert np.flatnonzero(np.isnan(recording.groups["pose_translation"][:, 0])).tolist() == [40]
    assert np.flatnonzero(np.isnan(recording.groups["pose_rotation"][:, 0])).tolist() == [50]
    assert recording.valid.all()
    assert recording.implausible_frames.tolist() == [40, 50]
    assert "implausible_frames" in codes_of(joined(recording.log.notes))
    spoilt = extract_features(path, every=3, progress=False)
    moved = ["points_displacement", "head_displacement", "pitch_displacement"]
    # 5 frames a step, 10 mm: the two bins that lost a frame are a millimetre off.
    np.testing.assert_allclose(spoilt.table[moved], clean.table[moved], rtol=0.02)
    assert spoilt.recordings["frames_implausible"].tolist() == [2]
    assert spoilt.quality["frames_implausible"].tolist() == [2]
    free = extract_features(path, every=3, progress=False, max_speed=np.inf)
    assert free.table["head_displacement"].item() > 1e5
    for wrong in ({"max_speed": 0.0}, {"max_turn": -1.0}, {"max_turn": float("nan")}):
        with pytest.raises(DataError, match=f"{next(iter(wrong))}= must be a positive number"):
            read_openface(path, **wrong)


@pytest.mark.parametrize("derivatives", ["differences", "savgol"])
def test_no_step_goes_over_a_jump_and_the_clip_is_marked(
    derivatives: str, nodding, tmp_path: Path
) -> None:
    for name in ("pose_Tx", *POINTS_2D[:68]):
        nodding[name] = [value + 4000 * (k >= 33) for k, value in enumerate(nodding[name])]
    path = tmp_path / "a.csv"
    path.write_text(openface_text(nodding))
    found = extract_features(path, every=1.5, progress=False, derivatives=derivatives)
    np.testing.assert_allclose(found.table["head_displacement"], [10.0, 10.0], rtol=1e-3)
    assert found.quality["jumps"].tolist() == [1, 0]
    assert found.recordings["jumps"].tolist() == [1]
    assert "impossible_jumps" in codes_of(found.recordings["notes"].item())
