"""The rate is what timestamps say, and where they vary frames go by them."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from behavior import video_files as videos
from behavior.openface_files import POSE, TIME, Layout, rows, write

from pyexpr.base.errors import DataError, OpenFaceError
from pyexpr.base.messages import codes_of, joined
from pyexpr.base.video_file import index_video
from pyexpr.behavior.features.features import extract_features
from pyexpr.behavior.openface.clock import Grid, Placing
from pyexpr.behavior.openface.csv import _room
from pyexpr.behavior.openface.recording import read_openface
from pyexpr.behavior.openface.time import frame_rate
from pyexpr.behavior.schedules import Segment

LAYOUT = Layout(["frame", "face_id", *TIME, *POSE, "AU01_r", "AU01_c"])
# The gaps of a webcam that slows down in the dark, s.
WEBCAM = [0.066, 0.067, 0.133, 0.066, 0.25, 0.067, 0.1, 0.263, 0.034, 0.066, 0.133]


def moving(path: Path, times: np.ndarray, speed: float = 30.0, **changes: float) -> Path:
    """Write a head that goes `speed` mm/s to the right and turns 0.3 rad/s, whatever the camera."""
    table = rows(LAYOUT, len(times), make=lambda name, *_: 500.0)
    for row, time in zip(table, times, strict=True):
        row |= {"timestamp": float(time), "pose_Tx": speed * time, "pose_Rx": 0.3 * time}
        row |= {"pose_Ry": 0.0, "pose_Rz": 0.0, "AU01_r": 1.0, "AU01_c": float(time % 0.2 < 0.1)}
        row |= changes
    wide = Layout(LAYOUT.columns, fixed=False)  # six digits, so that steps are exact
    return write(path, wide, table)


def stamps(n: int, rate: float, *, decimals: int = 3) -> np.ndarray:
    return np.round(np.arange(n) / rate, decimals)


@pytest.mark.parametrize(
    "rate", [29.98, 29.985, 29.96, 30.01, 24.99, 59.93, 29.83, 15.0185, 25.0, 30000 / 1001, 12.5]
)
@pytest.mark.parametrize("minutes", [0.2, 60])
def test_the_rate_of_even_stamps(rate: float, minutes: float) -> None:
    n = int(rate * 60 * minutes)
    for times in (stamps(n, rate), 1000 * stamps(n, rate), 7.3 + stamps(n, rate)):
        found = frame_rate(np.arange(n), times, None)
        assert found.uneven is None, rate
        # No frame is further from its stamp than stamps are from the truth.
        assert abs(n / found.fps - n / rate) < 2e-3
        if minutes == 60:
            assert found.fps == pytest.approx(rate, rel=1e-12)
            assert Segment(3597, 3600, "").frames(n, found.fps)[0] == np.ceil(3597 * rate - 1e-9)


@pytest.mark.parametrize("decimals", [2, 1])
def test_stamps_of_few_decimals(decimals: int) -> None:
    # OpenFace 0.x prints six digits: two decimals after 1000 s.
    times = np.round(2000 + np.arange(9000) / 29.985, decimals)
    keep = np.flatnonzero(np.diff(times, prepend=-1) > 0)
    found = frame_rate(keep, times[keep], None)
    assert found.fps == pytest.approx(29.985, abs=1e-5 * 10 ** (3 - decimals))
    assert found.uneven is None


def test_milliseconds_and_microseconds() -> None:
    frames = np.arange(250)
    for unit, word in ((1e3, "milliseconds"), (1e6, "microseconds")):
        found = frame_rate(frames, unit * stamps(250, 25), None)
        assert (found.fps, found.source) == (25.0, "timestamps")
        assert found.notes == (f"timestamps are read as {word}",)
        assert frame_rate(frames, unit * stamps(250, 25), 25.0).notes == found.notes


def test_a_constant_speed_by_a_webcams_clock(tmp_path: Path) -> None:
    times = np.concatenate([[0], np.cumsum(WEBCAM * 8)]).round(3)
    path = moving(tmp_path / "a.csv", times)
    found = extract_features(path, every=3, progress=False)
    recording = found.recordings.iloc[0]
    assert (recording["fps"], recording["fps_source"]) == (30.0, "resampled")
    assert "variable_rate" in codes_of(recording["notes"])
    assert len(found.table) == int(times[-1] // 3)
    # 30 mm/s are 6 mm in 0.2 s, 0.3 rad/s are 3.44 degrees.
    np.testing.assert_allclose(found.table["head_displacement"], 6.0, rtol=1e-4)
    np.testing.assert_allclose(found.table["head_velocity"], 0.0, atol=2e-3)
    np.testing.assert_allclose(found.table["pitch_displacement"], np.degrees(0.06), rtol=1e-4)
    assert (found.table["n_valid_bins"] == 15).all()
    by_number = extract_features(path, every=3, progress=False, clock="frames")
    assert abs(by_number.table["head_displacement"] - 6.0).max() > 0.3


def test_values_between_frames(tmp_path: Path) -> None:
    times = np.array([0.0, 0.06, 0.11, 0.21, 0.26, 1.0, 1.05, 1.12])
    path = moving(tmp_path / "a.csv", times)
    recording = read_openface(path)
    at = np.arange(recording.n_frames) / 30
    there = (at <= 0.26) | (at >= 1.0)  # 0.74 s without a frame are not bridged
    np.testing.assert_array_equal(recording.valid, there)
    np.testing.assert_array_equal(recording.present, there)
    head = recording.groups["pose_translation"][:, 0]
    np.testing.assert_allclose(head[there], 30 * at[there], atol=1e-3)
    assert np.isnan(head[~there]).all()
    # Action units are of the nearer frame, and 0 or 1.
    assert set(np.unique(recording.groups["au_presence"][there])) == {0.0, 1.0}


def test_a_failed_frame_takes_what_is_next_to_it(tmp_path: Path) -> None:
    times = np.cumsum([0, 0.05, 0.06, 0.07, 0.05, 0.06, 0.08]).round(3)
    table_path = moving(tmp_path / "a.csv", times)
    lines = table_path.read_text().splitlines()
    fields = lines[4].split(",")
    fields[LAYOUT.columns.index("success")] = "0"
    lines[4] = ",".join(fields)
    table_path.write_text("\n".join(lines) + "\n")
    recording = read_openface(table_path)
    at = np.arange(recording.n_frames) / 30
    lost = (at > times[2]) & (at < times[4])
    np.testing.assert_array_equal(recording.valid, ~lost)
    assert recording.present.all()


def test_angles_between_frames_go_the_short_way(tmp_path: Path) -> None:
    times = np.array([0.0, 0.05, 0.11, 0.16])
    path = moving(tmp_path / "a.csv", times)
    text = path.read_text().splitlines()
    column = LAYOUT.columns.index("pose_Rx")
    for line, angle in zip(range(1, 5), (3.13, 3.14, -3.13, -3.12), strict=True):
        fields = text[line].split(",")
        fields[column] = str(angle)
        text[line] = ",".join(fields)
    path.write_text("\n".join(text) + "\n")
    turned = read_openface(path).groups["pose_rotation"][:, 0]
    assert (abs((turned + 2 * np.pi) % (2 * np.pi) - np.pi) < 0.03).all()


def test_frames_dropped_from_an_even_rate_keep_their_rows(tmp_path: Path) -> None:
    kept = np.array([k for k in range(100) if k not in (10, 11, 12, 50)])
    path = moving(tmp_path / "a.csv", stamps(100, 29.97)[kept])
    recording = read_openface(path)
    assert (recording.fps_source, recording.n_frames) == ("timestamps", 100)
    assert recording.fps == pytest.approx(29.97, abs=5e-3)
    np.testing.assert_array_equal(np.flatnonzero(~recording.present), [10, 11, 12, 50])
    assert "frames_dropped" in codes_of(joined(recording.log.notes))
    # Rows are as they were, not between two.
    np.testing.assert_allclose(
        recording.groups["pose_translation"][kept, 0], 30 * stamps(100, 29.97)[kept], atol=1e-3
    )
    assert read_openface(path, clock="frames").n_frames == 96
    assert read_openface(path, fps=30).n_frames == 96


def jittering(n: int, columns: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return times of a variable rate about 55 a second, values, and the same with room behind."""
    rng = np.random.default_rng(1)
    memory = rng.normal(size=(2 * n, columns))
    return np.cumsum(rng.uniform(0.015, 0.021, n)), memory[:n].copy(), memory


def traced(work: Callable[[], Grid]) -> tuple[Grid, int]:
    """Return a grid, and how many bytes there were at most on the way to it."""
    tracemalloc.start()
    try:
        return work(), tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("dropped", [False, True])
def test_frames_are_placed_in_the_memory_of_their_columns(dropped: bool) -> None:
    n = 12_000
    times, values, memory = jittering(n, 64)
    frames = np.arange(n)
    # Every seventh frame was dropped.
    new = frames + frames // 6 if dropped else None
    placing = Placing(60.0, "", (), times, new, 55.0)
    marks = np.ones(n, dtype=bool)
    none = np.zeros(0, dtype=np.int64)
    groups = {"landmarks_2d": memory[:n].reshape(n, 32, 2)}
    grid = Grid(marks, marks, np.ones(n), groups, none, none, none)
    placed, peak = traced(lambda: grid.by_time(frames, placing))
    # A second array of them would take as much again.
    assert peak < 0.75 * values.nbytes
    found = placed.groups["landmarks_2d"].reshape(-1, 64)
    assert np.shares_memory(found, memory)
    if new is not None:
        np.testing.assert_array_equal(found[new], values)
        assert np.isnan(found[np.setdiff1d(np.arange(len(found)), new)]).all()
        return
    moments = np.arange(len(found)) / 60
    inside = (moments > times[0]) & (moments < times[-1])
    for column in (0, 7, 8, 63):
        expected = np.interp(moments, times, values[:, column])
        # A moment within a microsecond of a frame is that frame's.
        np.testing.assert_allclose(found[inside, column], expected[inside], rtol=0, atol=1e-3)
    # Without room there is another array, with the same values.
    again = replace(grid, groups={"landmarks_2d": values.reshape(n, 32, 2)})
    moved = again.by_time(frames, placing).groups["landmarks_2d"]
    np.testing.assert_array_equal(moved.reshape(-1, 64), found)
    assert not np.shares_memory(moved, values)


def test_room_for_a_variable_rate() -> None:
    names = ["frame", "timestamp"]
    times, _, _ = jittering(100, 1)
    even = np.stack([np.arange(1, 101), np.round(np.arange(100) / 29.97, 3)], axis=1)
    assert _room(names, even) == 101
    assert _room(names, np.stack([np.arange(100), times], axis=1)) == 200
    assert _room(["frame"], even[:, :1]) == 101
    assert _room(names, np.full((3, 2), np.nan)) == 1


def test_arguments(tmp_path: Path) -> None:
    path = moving(tmp_path / "a.csv", np.zeros(12))
    with pytest.raises(OpenFaceError, match="the timestamps give no times here"):
        read_openface(path, clock="timestamps")
    with pytest.raises(DataError, match="leave one of them out"):
        read_openface(path, clock="timestamps", fps=25)
    with pytest.raises(DataError, match="clock= must be one of 'auto', 'frames', 'timestamps'"):
        read_openface(path, clock="film")
    with pytest.raises(DataError, match="needs the path of the video"):
        read_openface(path, clock="video")
    with pytest.raises(DataError, match="needs a table of recordings with a column 'video'"):
        extract_features(path, every=3, clock="video")
    even = moving(tmp_path / "b.csv", stamps(12, 25))
    assert read_openface(even, clock="timestamps").fps_source == "timestamps"


@pytest.fixture
def phone(tmp_path: Path) -> tuple[Path, Path, np.ndarray]:
    """A phone that slows down after 2 s, and OpenFace's file of it with stamps at the mean rate."""
    times = np.concatenate([np.arange(60) / 30, 2 + np.arange(60) / 12]).round(3)
    video = videos.write(tmp_path / "a.mp4", len(times), times=times)
    path = moving(tmp_path / "a.csv", times)
    lines = path.read_text().splitlines()
    at, mean = LAYOUT.columns.index("timestamp"), times[-1] / (len(times) - 1)
    for k, line in enumerate(lines[1:]):
        fields = line.split(",")
        fields[at] = f"{k * mean:.3f}"
        lines[k + 1] = ",".join(fields)
    path.write_text("\n".join(lines) + "\n")
    return path, video, times


def test_one_clock_with_the_video(phone) -> None:
    path, video, times = phone
    table = {"subject": ["A"], "context": ["talk"], "openface": [str(path)], "video": [str(video)]}
    by_stamps = extract_features(table, every=2, progress=False)
    # The stamps are even, and wrong.
    assert by_stamps.recordings["fps_source"].item() == "timestamps"
    assert abs(by_stamps.table["head_displacement"] - 6.0).max() > 0.5
    found = extract_features(table, every=2, clock="video", progress=False)
    assert found.recordings["fps_source"].item() == "resampled"
    assert len(found.table) == int(times[-1] // 2)
    # 30 mm/s.
    np.testing.assert_allclose(found.table["head_displacement"], 6.0, rtol=1e-3)
    # The frame on show in the middle of the clip [4, 6) is the same to both.
    index = index_video(video)
    seen = index.times[np.searchsorted(index.times, 5.0)]
    recording = read_openface(path, clock="video", video=video)
    place = recording.groups["pose_translation"][round(seen * recording.fps), 0]
    assert place == pytest.approx(30 * seen, abs=30 / recording.fps)


def test_a_video_that_openface_did_not_see(phone, tmp_path: Path) -> None:
    path, _, times = phone
    other = videos.write(tmp_path / "b.mp4", len(times) - 5, rate=25)
    with pytest.raises(OpenFaceError, match="needs the very video that OpenFace saw"):
        read_openface(path, clock="video", video=other)
    even = videos.write(tmp_path / "c.mp4", len(times), rate=25)
    recording = read_openface(path, clock="video", video=even)
    assert (recording.fps, recording.fps_source) == (25.0, "video")
