"""Normalised landmarks: what the head does is gone, what the face does stays."""

from __future__ import annotations

import numpy as np
import pytest
from behavior.hand_made import recording, whole
from scipy.spatial.transform import Rotation

from pyexpr.behavior.features.alignment import normalised_landmarks
from pyexpr.behavior.features.one_clip import clip_features
from pyexpr.behavior.features.options import FeatureOptions, feature_units

# A rotation found by singular values and undone: rounding only.
ROUNDING = 1e-12
OUTER_EYE_CORNERS = (36, 45)
CHIN = 8


@pytest.fixture
def face():
    """68 points in mm, eyes 90 mm apart."""
    points = np.random.default_rng(1).normal(scale=40.0, size=(68, 3))
    points[36], points[45] = (-45.0, 0.0, 5.0), (45.0, 0.0, 5.0)
    return points


def posed(faces, seed=2):
    """Turn and shift each frame of (75, 68, 3) as smoothly as a head moves."""
    seconds = np.arange(75) / 25
    turns = Rotation.from_euler(
        "xyz", np.column_stack([40 * np.sin(seconds), 60 * np.cos(2 * seconds), 25 * seconds]),
        degrees=True,
    ).as_matrix()  # fmt: skip
    shift = np.column_stack([100 * seconds, 30 * np.sin(seconds), 600 + 50 * seconds])
    return np.einsum("fpi,fji->fpj", faces, turns) + shift[:, np.newaxis, :]


def test_a_face_that_only_turns_does_not_move(face) -> None:
    made = recording(landmarks_3d=posed(np.tile(face, (75, 1, 1))))
    moving = clip_features(made, whole(made), FeatureOptions(landmarks="3d"))
    assert moving["points_displacement"] > 10
    unmoving = clip_features(made, whole(made), FeatureOptions(landmarks="normalised"))
    assert unmoving["points_displacement"] == pytest.approx(0, abs=ROUNDING)
    assert unmoving["points_velocity"] == pytest.approx(0, abs=ROUNDING)
    assert unmoving["reason"] == ""


def test_what_the_face_does_stays(face) -> None:
    # The chin drops by a tenth of the distance of the eyes each bin.
    faces = np.tile(face, (75, 1, 1))
    faces[:, CHIN, 1] += 9.0 * np.arange(75) / 5
    made = recording(landmarks_3d=posed(faces))
    found = clip_features(made, whole(made), FeatureOptions(landmarks="normalised"))
    assert found["points_displacement"] == pytest.approx(0.1 / 68, rel=1e-9)


@pytest.mark.parametrize("size", [0.01, 3.0])
def test_size_is_removed(face, size) -> None:
    faces = posed(np.tile(face, (75, 1, 1)))
    np.testing.assert_allclose(
        normalised_landmarks(size * faces), normalised_landmarks(faces), atol=1e-11
    )
    left, right = OUTER_EYE_CORNERS
    normalised = normalised_landmarks(faces)
    np.testing.assert_allclose(
        np.linalg.norm(normalised[:, left] - normalised[:, right], axis=1), 1.0, rtol=ROUNDING
    )


def test_a_face_is_not_mirrored(face) -> None:
    # Stable points of noise alone: the best fit may be a mirror image, a rotation never is.
    faces = np.random.default_rng(3).normal(size=(75, 68, 3))
    normalised = normalised_landmarks(faces)
    before = np.linalg.det(faces[:, :3] - faces[:, 3:4])
    after = np.linalg.det(normalised[:, :3] - normalised[:, 3:4])
    assert (np.sign(before) == np.sign(after)).all()


def test_frames_without_the_stable_points_are_missing(face) -> None:
    faces = posed(np.tile(face, (75, 1, 1)))
    faces[3, 30, 0] = np.nan
    faces[5, CHIN, 0] = np.nan
    normalised = normalised_landmarks(faces)
    assert np.isnan(normalised[3]).all()
    assert np.isnan(normalised[5]).any(axis=1).sum() == 1
    assert np.isnan(normalised_landmarks(np.full((4, 68, 3), np.nan))).all()


def test_in_space_the_unit_is_mm() -> None:
    points = np.zeros((75, 68, 3))
    points[:] = (np.arange(75) / 5)[:, np.newaxis, np.newaxis] * np.array([2.0, 3.0, 6.0])
    made = recording(landmarks_3d=points)
    found = clip_features(made, whole(made), FeatureOptions(landmarks="3d"))
    assert found["points_displacement"] == pytest.approx(7.0, rel=1e-12)
    assert feature_units(FeatureOptions(landmarks="3d"))["points_velocity"] == "mm/s"
    made = recording(without=["landmarks_3d"])
    found = clip_features(made, whole(made), FeatureOptions(landmarks="3d"))
    assert found["reason"] == "points: the file has no landmarks_3d"
