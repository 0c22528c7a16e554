"""What is kept of a recording or a video is kept under its content, and under no other."""

from __future__ import annotations

import hashlib
import os
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from pyexpr.base.errors import OpenFaceError, VideoError
from pyexpr.base.video_file import write_video
from pyexpr.behavior.features import frame_store
from pyexpr.behavior.features.features import extract_features
from pyexpr.behavior.features.frame_store import Reading, read_frames
from pyexpr.behavior.openface import csv as openface_csv
from pyexpr.behavior.openface.recording import read_openface
from pyexpr.behavior.video import decoding as video_decoding
from pyexpr.behavior.video.video import read_video_clips
from pyexpr.core import csv_reader

HEADER = "frame, timestamp, confidence, success, gaze_angle_x, gaze_angle_y\n"
GAZE = Reading(("gaze_angle",))


def recording(value: float, frames: int = 10) -> bytes:
    rows = (f"{k + 1}, {k / 25:.2f}, 0.98, 1, {value:.2f}, 0.20\n" for k in range(frames))
    return (HEADER + "".join(rows)).encode()


def exchange(path: Path, content: bytes) -> None:
    """Put another file in a file's place that keeps its time of modification."""
    status = os.stat(path)
    other = path.with_name("other")
    other.write_bytes(content)
    os.utime(other, ns=(status.st_atime_ns, status.st_mtime_ns))
    os.replace(other, path)


@pytest.mark.parametrize("digest", [csv_reader.file_digest, lambda: None])
@pytest.mark.parametrize("apart_from", [0, 1 << 20])
def test_a_recording_knows_the_hash_of_what_was_read(
    apart_from: int, digest: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pyexpr.behavior.openface.text.file_digest", digest)
    monkeypatch.setattr("pyexpr.behavior.openface.text._PIECE", 10)
    monkeypatch.setattr("pyexpr.behavior.openface.text._WORTH_A_THREAD", apart_from)
    path = tmp_path / "a.csv"
    path.write_bytes(recording(0.1))
    expected = hashlib.sha256(recording(0.1)).hexdigest()
    assert read_openface(path, groups=["gaze_angle"]).sha256 == expected
    assert extract_features(str(path), every=0.2, n_jobs=1).hashes == {str(path): expected}


@pytest.mark.parametrize("digest", [csv_reader.file_digest, lambda: None])
def test_one_of_several_files_is_read_without_a_thread_of_its_own(
    digest: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pyexpr.behavior.openface.text.file_digest", digest)
    monkeypatch.setattr("pyexpr.behavior.openface.text._WORTH_A_THREAD", 0)
    monkeypatch.setattr("pyexpr.base.jobs.available_processors", lambda: 2)
    monkeypatch.setattr("pyexpr.behavior.openface.csv._LONGEST_LINE", 300)
    paths = [str(tmp_path / f"{k}.csv") for k in range(4)]
    for k, path in enumerate(paths):
        Path(path).write_bytes(recording(k / 10, frames=40))
    alone = extract_features(paths, every=0.4, n_jobs=1)
    # Nothing is to call it.
    monkeypatch.setattr("pyexpr.behavior.openface.text._Hashing", None)
    found = extract_features(paths, every=0.4, n_jobs=2)
    pd.testing.assert_frame_equal(found.table, alone.table)
    assert found.hashes == {p: hashlib.sha256(Path(p).read_bytes()).hexdigest() for p in paths}
    Path(paths[2]).write_bytes(recording(0.1) + b"x" * 400)
    Path(paths[3]).write_bytes(recording(0.1) + b"1, x, 1, 1, 1, 1\n")
    with pytest.raises(OpenFaceError, match=r"2\.csv': a line is longer"):
        extract_features(paths, every=0.4, n_jobs=2)


def test_the_thread_that_hashes_ends_with_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pyexpr.behavior.openface.text._WORTH_A_THREAD", 0)
    monkeypatch.setattr("pyexpr.behavior.openface.text.file_digest", lambda: None)
    before = threading.active_count()
    path = tmp_path / "a.csv"
    for damage, message in (
        (b"x" * 300_000, "a line is longer"),
        (b"1, x, 1, 1, 1, 1\n", "holds 'x'"),
    ):
        path.write_bytes(recording(0.1) + damage)
        with pytest.raises(OpenFaceError, match=message):
            read_openface(path, groups=["gaze_angle"])
    assert threading.active_count() == before


@pytest.mark.parametrize("now", [recording(0.3), recording(0.1, frames=5)])
def test_a_file_that_changes_after_it_was_looked_at(
    now: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(recording(0.1))
    read = openface_csv.read_columns

    def changed(source: Any, *tables: Any) -> Any:
        exchange(path, now)
        return read(source, *tables)

    monkeypatch.setattr("pyexpr.behavior.openface.recording.read_columns", changed)
    with pytest.raises(OpenFaceError, match="changed while it was read"):
        read_openface(path, groups=["gaze_angle"])


def test_frames_are_kept_by_content(tmp_path: Path) -> None:
    path, kept = tmp_path / "a.csv", tmp_path / "kept"
    path.write_bytes(recording(0.1))
    assert read_frames(str(path), GAZE, kept).values[0, 0] == np.float32(0.1)
    exchange(path, recording(0.3))
    assert read_frames(str(path), GAZE, kept).values[0, 0] == np.float32(0.3)


def test_frames_of_another_content_are_not_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, kept = tmp_path / "a.csv", tmp_path / "kept"
    path.write_bytes(recording(0.1))

    def changed(*args: Any, **kwargs: Any) -> Any:
        exchange(path, recording(0.3))
        return read_openface(*args, **kwargs)

    monkeypatch.setattr(frame_store, "read_openface", changed)
    with pytest.raises(OpenFaceError, match="changed while it was read"):
        read_frames(str(path), GAZE, kept)
    assert not kept.exists() or not list(kept.iterdir())


def film(path: Path, shade: int) -> bytes:
    write_video(path, [np.full((32, 32, 3), shade, np.uint8)] * 10, fps=10)
    return path.read_bytes()


def clips(path: Path, folder: Path) -> Any:
    table = pd.DataFrame({"video": [str(path)], "start": [0.0], "end": [1.0]})
    return read_video_clips(table, frames=2, size=16, cache_dir=folder, n_jobs=1, progress=False)


def test_a_video_of_the_same_size_and_time_is_decoded_anew(tmp_path: Path) -> None:
    path, kept = tmp_path / "a.mp4", tmp_path / "kept"
    dark, light = film(tmp_path / "d.mp4", 20), film(tmp_path / "l.mp4", 200)
    size = max(len(dark), len(light))
    # A box that players skip fills the shorter one up.
    padded = [
        film + ((size + 16 - len(film)).to_bytes(4, "big") + b"free").ljust(size + 16 - len(film))
        for film in (dark, light)
    ]
    path.write_bytes(padded[0])
    assert clips(path, kept)[0].mean() < 60
    exchange(path, padded[1])
    assert clips(path, kept)[0].mean() > 150


def test_a_video_that_changes_while_it_is_decoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, kept = tmp_path / "a.mp4", tmp_path / "kept"
    film(path, 20)
    light = film(tmp_path / "l.mp4", 200)
    decode = video_decoding.decoded

    def changed(job: Any, spans: Any) -> Any:
        exchange(path, light)
        return decode(job, spans)

    monkeypatch.setattr(video_decoding, "decoded", changed)
    with pytest.raises(VideoError, match="was changed while it was read"):
        clips(path, kept)
    assert list(kept.iterdir()) == []
