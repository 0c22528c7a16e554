"""The door to mediapipe, against a module of mediapipe's documented interface that finds a spot.

What mediapipe itself says of a real face cannot be had here: its model is the user's own file.
"""

from __future__ import annotations

import os
import sys
import zipfile
from collections.abc import Callable
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from behavior.spot_tracker import SIZE, spots
from behavior.video_files import write
from scipy.spatial.transform import Rotation

from pyexpr.base.errors import DataError, TrackerError, TrackerNotInstalledError
from pyexpr.behavior.tracking import mediapipe_tracker
from pyexpr.behavior.tracking.mediapipe_tracker import MediaPipeTracker, pose_of
from pyexpr.behavior.tracking.points_file import track_provenance
from pyexpr.behavior.tracking.track import track_videos

N, HEIGHT, WIDTH = 6, *SIZE
# Milliseconds: faster than mediapipe's clock can tell apart at two places.
TIMES = [0, 0.04, 0.0401, 0.0402, 0.08, 0.16]
SINGLE = 1e-5
ANGLES = np.array([0.1, -0.3, 0.2])


def matrix() -> np.ndarray:
    """A head 1 cm to the right, 2 cm up, 60 cm away, turned on the axes of an image."""
    axes = np.diag([1.0, -1.0, -1.0])
    found = np.eye(4)
    found[:3, :3] = axes @ Rotation.from_euler("XYZ", ANGLES).as_matrix() @ axes
    found[:3, 3] = [1, 2, -60]
    return found


class Landmarker:
    """As `mediapipe.tasks.vision.FaceLandmarker` in its documentation."""

    names = MediaPipeTracker.blendshapes

    def __init__(self, options: Any) -> None:
        self.options, self.stamps, self.closed = options, list[int](), False

    def detect_for_video(self, image: Any, timestamp_ms: int) -> Any:
        if self.options.running_mode != "VIDEO":
            raise ValueError("Task is not initialized with the video mode")
        if self.stamps and timestamp_ms <= self.stamps[-1]:
            raise ValueError("Input timestamp must be monotonically increasing")
        self.stamps.append(timestamp_ms)
        return self._found(image)

    def detect(self, image: Any) -> Any:
        if self.options.running_mode != "IMAGE":
            raise ValueError("Task is not initialized with the image mode")
        return self._found(image)

    def _found(self, image: Any) -> Any:
        assert image.image_format == "SRGB"
        assert image.data.flags["C_CONTIGUOUS"]
        y, x = np.nonzero(image.data[:, :, 0] > 128)
        faces = 1 if len(x) else 0
        middle = SimpleNamespace(
            x=x.mean() / WIDTH if faces else 0, y=y.mean() / HEIGHT if faces else 0, z=-0.25
        )
        shapes = [
            SimpleNamespace(category_name=name, score=k / 100) for k, name in enumerate(self.names)
        ]
        return SimpleNamespace(
            face_landmarks=[[middle] * 478] * faces,
            face_blendshapes=[shapes] * faces,
            facial_transformation_matrixes=[matrix()] * faces,
        )

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[Landmarker]:
    """Put the module where mediapipe would be; return the landmarkers made by it."""
    found: list[Landmarker] = []

    def create(options: Any) -> Landmarker:
        if b"broken" in options.base_options.model_asset_buffer:
            raise RuntimeError("Unable to open zip archive.\nStack trace: ...")
        found.append(Landmarker(options))
        return found[-1]

    module = ModuleType("mediapipe")
    module.__spec__ = ModuleSpec("mediapipe", None)
    vision = SimpleNamespace(
        FaceLandmarkerOptions=lambda **given: SimpleNamespace(**given),
        FaceLandmarker=SimpleNamespace(create_from_options=create),
        RunningMode=SimpleNamespace(VIDEO="VIDEO", IMAGE="IMAGE"),
    )
    vars(module).update(
        tasks=SimpleNamespace(vision=vision, BaseOptions=lambda **given: SimpleNamespace(**given)),
        Image=lambda image_format, data: SimpleNamespace(image_format=image_format, data=data),
        ImageFormat=SimpleNamespace(SRGB="SRGB"),
    )
    monkeypatch.setitem(sys.modules, "mediapipe", module)
    monkeypatch.setattr(mediapipe_tracker, "package_version", lambda _: "1.2.3")
    return found


def bundle(path: Path, *names: str, content: str = "weights") -> Path:
    with zipfile.ZipFile(path, "w") as file:
        for name in names:
            # With a date that is always the same.
            file.writestr(zipfile.ZipInfo(name), content)
    return path


def model(folder: Path, **options: Any) -> Path:
    names = ("face_detector.tflite", "face_landmarks_detector.tflite", "face_blendshapes.tflite")
    return bundle(folder / "face_landmarker.task", *names, **options)


@pytest.fixture
def video(tmp_path: Path) -> Path:
    centres = [(10 + 4 * k, 20) for k in range(N)]
    return write(
        tmp_path / "s01.mp4",
        N,
        size=SIZE,
        times=TIMES,
        draw=lambda k: spots() if k == 4 else spots(centres[k]),
    )


def track(video: Path, folder: Path, **options: Any) -> pd.DataFrame:
    settings = {"model": model(folder), "n_jobs": 1, "progress": False, **options}
    return pd.read_parquet(track_videos(video, folder / "out", **settings).table["output"][0])


def test_points_are_pixels_and_pose_is_on_the_axes_of_the_image(
    made: list[Landmarker], video: Path, tmp_path: Path
) -> None:
    found = track(video, tmp_path)
    assert found["success"].tolist() == [1, 1, 1, 1, 0, 1]
    there = found[found["success"] == 1]
    assert len(found.columns) == 4 + 3 * 478 + 52 + 6
    np.testing.assert_allclose(there["x_477"], [10, 14, 18, 22, 30], atol=0.26)
    np.testing.assert_allclose(there["y_0"], 20, atol=0.26)
    np.testing.assert_allclose(there["z_0"], -0.25 * WIDTH, rtol=SINGLE)
    np.testing.assert_allclose(there["blend_jawOpen"], 0.25, rtol=SINGLE)
    np.testing.assert_allclose(there[["pose_Tx", "pose_Ty", "pose_Tz"]], [[10, -20, 600]] * 5)
    angles = there[["pose_Rx", "pose_Ry", "pose_Rz"]]
    np.testing.assert_allclose(angles, [ANGLES] * 5, rtol=SINGLE)
    assert found.loc[4, "x_0":].isna().all()


def test_what_is_requested_of_mediapipe(
    made: list[Landmarker], video: Path, tmp_path: Path
) -> None:
    track(video, tmp_path, faces=2, options={"min_tracking_confidence": 0.7})
    (one,) = made
    assert one.closed
    # Milliseconds, each but once.
    assert one.stamps == [0, 40, 41, 42, 80, 160]
    requested = vars(one.options)
    assert requested.pop("base_options").model_asset_buffer == model(tmp_path).read_bytes()
    assert requested == {
        "running_mode": "VIDEO", "num_faces": 2, "output_face_blendshapes": True,
        "output_facial_transformation_matrixes": True, "min_face_detection_confidence": 0.5,
        "min_face_presence_confidence": 0.5, "min_tracking_confidence": 0.7,
    }  # fmt: skip
    stored = track_provenance(tmp_path / "out/s01.parquet")
    assert stored["tracker"] == {"name": "mediapipe", "version": "1.2.3"}
    assert stored["options"]["min_tracking_confidence"] == 0.7
    assert stored["units"]["pose_T"].startswith("mm for a face of the size of")
    track(video, tmp_path, options={"mode": "image"}, overwrite=True)
    assert made[1].options.running_mode == "IMAGE"
    assert made[1].stamps == []


@pytest.mark.parametrize("seed", range(5))
def test_angles_are_those_of_scipy(seed: int) -> None:
    rng = np.random.default_rng(seed)
    given = np.eye(4)
    turn = Rotation.random(random_state=rng)
    given[:3, :3], given[:3, 3] = turn.as_matrix(), rng.normal(size=3)
    # y and z point the other way: so do rotations about them, and x stays.
    other = Rotation.from_rotvec(turn.as_rotvec() * [1, -1, -1])
    np.testing.assert_allclose(pose_of(given)[3:], other.as_euler("XYZ"), atol=1e-12)
    np.testing.assert_allclose(pose_of(given)[:3], 10 * given[:3, 3] * [1, -1, -1])


# What is wrong with the model -> how the file is made, and what is said of it.
BAD_MODELS: dict[str, tuple[Callable[[Path], Path], str]] = {
    "text": (
        lambda folder: Path(__file__),
        "is no model of MediaPipe's, or was not copied whole",
    ),
    "of hands": (
        lambda folder: bundle(folder / "hand.task", "hand_landmarks_detector.tflite"),
        "is a model of MediaPipe's, but not of its FaceLandmarker",
    ),
    "early": (
        lambda folder: bundle(folder / "early.task", "face_landmarks_detector.tflite"),
        "is a model without blendshapes, an early one",
    ),
}


@pytest.mark.parametrize("kind", BAD_MODELS)
def test_bad_models(kind: str, made: list[Landmarker], video: Path, tmp_path: Path) -> None:
    make, message = BAD_MODELS[kind]
    bad = make(tmp_path)
    with pytest.raises(TrackerError) as refused:
        track(video, tmp_path, model=bad)
    assert str(refused.value).startswith(
        f"the model file {str(bad)!r} {message}; what is needed is"
    )
    assert "https://storage.googleapis.com/mediapipe-models/face_landmarker" in str(refused.value)


def test_what_mediapipe_cannot_use_is_one_sentence(
    made: list[Landmarker], video: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "bad").mkdir()
    bad = model(tmp_path / "bad", content="broken")
    # Of the model, so that no video is skipped for it.
    with pytest.raises(TrackerError) as refused:
        track(video, tmp_path, model=bad, on_error="skip")
    assert str(refused.value).startswith(
        f"mediapipe 1.2.3 cannot use the model {str(bad)!r}: Unable to open zip archive.; what is"
    )
    monkeypatch.setattr(Landmarker, "names", ("other",))
    with pytest.raises(TrackerError, match="gives other blendshapes than are known here"):
        track(video, tmp_path)


def test_options_of_mediapipe(video: Path, tmp_path: Path, made: list[Landmarker]) -> None:
    with pytest.raises(DataError, match="'mode' must be 'video' or 'image', not 'live'"):
        track(video, tmp_path, options={"mode": "live"})
    with pytest.raises(DataError, match=r"'min_tracking_confidence' must be between 0 and 1, not"):
        track(video, tmp_path, options={"min_tracking_confidence": 50})


def test_mediapipe_is_not_installed_or_does_not_load(
    video: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mediapipe_tracker, "find_spec", lambda _: None)
    with pytest.raises(TrackerNotInstalledError) as refused:
        track(video, tmp_path)
    assert str(refused.value) == (
        "the tracker 'mediapipe' is not installed; run: pip install 'pyexpr-stats[track]'"
    )
    monkeypatch.setattr(mediapipe_tracker, "find_spec", lambda _: "there")
    monkeypatch.setitem(sys.modules, "mediapipe", None)
    with pytest.raises(TrackerNotInstalledError, match="mediapipe cannot be loaded"):
        track(video, tmp_path)


def test_what_mediapipe_says_of_itself_is_not_shown(
    capfd: pytest.CaptureFixture[str],
) -> None:
    with mediapipe_tracker._quiet():
        os.write(2, b"W0000 00:00 inference_feedback_manager.cc:121\n")
    os.write(2, b"shown\n")
    assert capfd.readouterr().err == "shown\n"
