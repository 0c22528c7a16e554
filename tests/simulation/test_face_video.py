"""Simulated videos: the face drawn is the one that the OpenFace rows describe."""

from __future__ import annotations

import hashlib
import tomllib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pyexpr.base.errors import DataError
from pyexpr.base.video_file import decode_frames, index_video
from pyexpr.simulation import simulate
from pyexpr.simulation.face_video import (
    WINDOW_CENTRE,
    WINDOW_SIDE,
    _placed,
    draw_face,
    write_face_video,
)
from pyexpr.simulation.openface_writer import GROUPS
from pyexpr.simulation.recordings import recorded, simulate_recording
from pyexpr.simulation.simulate import simulate_study
from pyexpr.study.file.config import read_config

SIZE = 128
# Drawn points are rounded to a third of a pixel, and the rim of an area is mixed.
ONE_PIXEL = 1.0
GREY_LEVELS = 4.0


def on_picture(points: np.ndarray) -> np.ndarray:
    """Where a camera's pixels (.., 2) lie on the drawing."""
    return (points - np.array(WINDOW_CENTRE) + WINDOW_SIDE / 2) * SIZE / WINDOW_SIDE


def landmarks(rows: np.ndarray) -> np.ndarray:
    return rows[:, GROUPS["landmarks_2d"]].reshape(len(rows), 2, 68).transpose(0, 2, 1)


def middle(mask: np.ndarray) -> np.ndarray:
    y, x = np.nonzero(mask)
    return np.array([x.mean() + 0.5, y.mean() + 0.5])


def area_centre(outline: np.ndarray) -> np.ndarray:
    """The centroid of a polygon (shoelace formula)."""
    x, y = outline.T
    x1, y1 = np.roll(outline, -1, axis=0).T
    cross = x * y1 - x1 * y
    return np.array([((x + x1) * cross).sum(), ((y + y1) * cross).sum()]) / (3 * cross.sum())


def test_the_mouth_is_where_the_landmarks_say(tmp_path: Path) -> None:
    recording = recorded(3, 1, "pain")
    path = tmp_path / "face.mp4"
    write_face_video(path, recording.face, recording.lost, shade=0.9, size=SIZE)
    index = index_video(path)
    assert (len(index), index.fps, index.width) == (len(recording.rows), 25.0, SIZE)
    outlines = on_picture(landmarks(recording.face))[:, 48:60]
    points, eyes = (
        _placed(recording.face[:, GROUPS[name]], SIZE)
        for name in ("landmarks_2d", "eye_landmarks_2d")
    )
    wanted = [number for number in range(0, len(index), 40) if not recording.lost[number]]
    for number, shown in decode_frames(index, wanted):
        picture = draw_face(points[number], eyes[number], 0.9, SIZE)
        r, g = picture[..., 0].astype(float), picture[..., 1].astype(float)
        # Lips and mouth: hair is brown too, but darker.
        seen = middle((r > 1.6 * g) & (r - g > 30))
        assert np.abs(seen - area_centre(outlines[number])).max() < ONE_PIXEL
        # Compressed with a loss that is not seen: 2 of 255 grey levels on average.
        assert np.abs(shown.astype(int) - picture).mean() < GREY_LEVELS


def test_a_lost_face_is_out_of_sight_and_failed_frames_are_drawn() -> None:
    found = [(index, recorded(1, index, "startle")) for index in range(12)]
    index, recording = next((i, one) for i, one in found if one.lost.any())
    assert (recording.rows == simulate_recording(1, index, "startle")).all()
    gone = np.flatnonzero(recording.lost)
    assert (np.diff(gone) == 1).all()
    assert not recording.rows[gone[0], GROUPS["landmarks_2d"]].any()
    # The face itself goes on moving: it is the tracker that fails.
    assert recording.face[gone, GROUPS["landmarks_2d"]].all()
    failed = [(one.rows[:, GROUPS["success"]][:, 0] == 0) & ~one.lost for _, one in found]
    assert any(frames.any() for frames in failed)
    empty = draw_face(None, np.zeros((56, 2)), 0.5, SIZE)
    assert (empty == empty[0, 0]).all()


def test_a_study_with_videos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = simulate.write_recording
    monkeypatch.setattr(simulate, "recorded", lambda *who: _first_seconds(recorded(*who)))
    monkeypatch.setattr(
        simulate,
        "write_recording",
        lambda path, *rest: (
            real(path, *rest)
            if path.suffix == ".mp4"
            else path.parent.mkdir(exist_ok=True) or path.write_text("rows")
        ),
    )
    options = {"subjects": 1, "seed": 2, "n_jobs": 1, "progress": False}
    result = simulate_study(tmp_path, **options, videos=True, video_size=32)
    recordings = pd.read_csv(tmp_path / "recordings.csv")
    assert recordings["video"].tolist() == [
        f"video/S001_{context}.mp4" for context in ("startle", "pain", "disgust")
    ]
    assert index_video(tmp_path / recordings["video"][0]).width == 32
    assert result.provenance()["video_size"] == 32
    plain = tomllib.loads((tmp_path / "study.toml").read_text())
    deep = tomllib.loads((tmp_path / "study_deep.toml").read_text())
    assert deep == plain | {"models": deep["models"], "output": "results_deep"}
    assert list(read_config(Path(result.deep_study_file)).models.deep()) == ["lstm", "video3d"]

    before = _digests(tmp_path)
    assert not simulate_study(tmp_path, **options, videos=True, video_size=32).written
    (tmp_path / recordings["video"][1]).unlink()
    assert simulate_study(tmp_path, **options, videos=True, video_size=32).written
    assert _digests(tmp_path) == before
    # Without videos, those of before are removed with their study file.
    simulate_study(tmp_path, **options)
    assert not list(tmp_path.glob("video/*"))
    assert not (tmp_path / "study_deep.toml").exists()
    assert "video" not in pd.read_csv(tmp_path / "recordings.csv")


def _first_seconds(recording: object) -> object:
    """Fifty frames are enough, and quickly drawn."""
    return type(recording)(recording.rows[:50], recording.face[:50], recording.lost[:50])


def _digests(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.mark.parametrize("size", [15, 33, 2000, "64"])
def test_video_sizes_are_checked(tmp_path: Path, size: object) -> None:
    with pytest.raises(DataError, match="video_size= must be"):
        simulate_study(tmp_path, subjects=1, videos=True, video_size=size)
