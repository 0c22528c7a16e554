"""Several recordings in one table: refused by name, or split by a column of the file."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from behavior.openface_files import POSE, TIME, Layout, rows, text, write

from pyexpr.base.errors import DataError, OpenFaceError
from pyexpr.behavior.features.features import extract_features
from pyexpr.behavior.features.series import movement_series
from pyexpr.behavior.openface import parts
from pyexpr.behavior.openface.parts import part_names
from pyexpr.behavior.openface.recording import read_openface

N = 30
ONE = Layout(["frame", "face_id", *TIME, *POSE])
FACES = Layout(ONE.columns, faces=(0, 1))
WITHOUT_ID = Layout(["frame", *TIME, *POSE])


def place(speed: float) -> Callable[[str, int, int], float]:
    """Return a head that moves by `speed` mm a frame."""
    return lambda name, frame, face: speed * frame if name == "pose_Tx" else 500.0 + face


def stacked(*tables: Sequence[dict]) -> list[dict]:
    return [dict(row) for table in tables for row in table]


@pytest.mark.parametrize("layout", [ONE, WITHOUT_ID, FACES], ids=["one face", "no id", "two faces"])
def test_frame_numbers_that_start_again(layout: Layout, tmp_path: Path) -> None:
    table = rows(layout, N, make=place(1.0))
    path = write(tmp_path / "all.csv", layout, stacked(table, table[: 4 * len(layout.faces)]))
    last = N * len(layout.faces)
    with pytest.raises(OpenFaceError, match="frame numbers start again") as caught:
        read_openface(path)
    assert f"row {last + 1} (at 1, after {N})" in str(caught.value)


@pytest.mark.parametrize("order", ["file after file", "by frame"])
def test_people_without_an_id(order: str, tmp_path: Path) -> None:
    table = stacked(rows(WITHOUT_ID, N), rows(WITHOUT_ID, N))
    if order == "by frame":
        table.sort(key=lambda row: row["frame"])
    path = write(tmp_path / "two.csv", WITHOUT_ID, table)
    message = "start again" if order == "file after file" else f"{N} of {2 * N} rows repeat a frame"
    with pytest.raises(OpenFaceError, match=message):
        read_openface(path)


@pytest.mark.parametrize("numbers", ["counted on", "all zero"])
def test_a_clock_that_starts_again(numbers: str, tmp_path: Path) -> None:
    table = stacked(rows(ONE, N), rows(ONE, N))
    for number, row in enumerate(table, start=1):
        row["frame"] = float(number if numbers == "counted on" else 0)
    path = write(tmp_path / "all.csv", ONE, table)
    with pytest.raises(OpenFaceError, match=re.escape(f"row {N + 1} (at 0, after 1.16)")):
        read_openface(path)


def test_other_orders_of_one_recording_are_read(tmp_path: Path) -> None:
    table = rows(FACES, N)
    for order in (lambda row: (row["face_id"], row["frame"]), lambda row: -row["frame"]):
        path = write(tmp_path / "a.csv", FACES, sorted(table, key=order))
        assert read_openface(path, face=0).n_frames == N
    late = [*table, dict(table[8])]  # one row again at the end
    assert read_openface(write(tmp_path / "b.csv", FACES, late), face=0).log.rows_doubled == 1


@pytest.fixture
def study(tmp_path: Path) -> Path:
    """Two people of 3 s in one file, the second five times as fast; a name with a comma."""
    lines = []
    for name, speed in (("a.mp4", 1.0), ('"b, late.mp4"', 5.0)):
        body = text(ONE, rows(ONE, 75, make=place(speed))).splitlines()
        lines += [line + "," + name for line in body[1:]]
    path = tmp_path / "study.csv"
    path.write_text("\n".join([",".join([*ONE.columns, "filename"]), *lines]) + "\n")
    return path


def test_the_column_that_could_split_is_named(study: Path) -> None:
    study.write_text(study.read_text().replace('"b, late.mp4"', "b.mp4"))
    with pytest.raises(OpenFaceError, match="split_by=; beside OpenFace's own there are 'filename"):
        read_openface(study)


def test_split_by_a_column(study: Path) -> None:
    assert part_names(study, "filename") == ["a.mp4", "b, late.mp4"]
    slow, fast = (
        read_openface(study, split_by="filename", part=part) for part in ("a.mp4", "b, late.mp4")
    )
    for recording, speed in ((slow, 1.0), (fast, 5.0)):
        assert (recording.path, recording.n_frames, recording.fps) == (str(study), 75, 25.0)
        expected = speed * np.arange(75)
        np.testing.assert_allclose(recording.groups["pose_translation"][:, 0], expected, atol=0.05)
    assert slow.sha256 == fast.sha256
    with pytest.raises(OpenFaceError, match=r"no row has 'b\.mp4' in column 'filename'"):
        read_openface(study, split_by="filename", part="b.mp4")
    with pytest.raises(OpenFaceError, match=r"no column 'file'; did you mean"):
        read_openface(study, split_by="file", part="a.mp4")
    with pytest.raises(DataError, match="give both"):
        read_openface(study, split_by="filename")


def test_features_of_a_split_file(study: Path) -> None:
    by_path = extract_features(study, every=3, split_by="filename", progress=False).table
    assert by_path["subject"].tolist() == ["a.mp4", "b, late.mp4"]
    # 5 frames a step.
    np.testing.assert_allclose(by_path["head_displacement"], [5.0, 25.0], atol=0.02)
    table = pd.DataFrame({"subject": [1, 2], "context": "talk", "openface": str(study)}).assign(
        part=["b, late.mp4", "a.mp4"]
    )
    by_table = extract_features(table, every=3, split_by="filename", progress=False).table
    np.testing.assert_allclose(by_table["head_displacement"], [25.0, 5.0], atol=0.02)
    with pytest.raises(DataError, match="'part'"):
        extract_features(table.drop(columns="part"), every=3, split_by="filename")


def test_a_file_of_several_is_read_once(study: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []
    whole = parts.whole_text
    monkeypatch.setattr(parts, "whole_text", lambda path: read.append(path) or whole(path))
    options = {"every": 3, "split_by": "filename", "progress": False}
    found = extract_features(study, n_jobs=2, **options)
    assert len(read) == 1
    assert movement_series(study, split_by="filename", progress=False).heading()[:19] == (
        "Movement of 2 clips"
    )
    assert len(read) == 2
    # Nothing is kept for later, when the file may be another.
    assert not parts._KEPT._files
    assert not parts._KEPT.users
    # Files that are too large to be kept are read again, with the same result.
    monkeypatch.setattr(parts, "KEPT_BYTES", 0)
    other = study.with_name("other.csv")
    other.write_text(study.read_text().replace("a.mp4", "c.mp4").replace("late", "later"))
    both = extract_features([study, other], n_jobs=1, **options)
    pd.testing.assert_frame_equal(both.table[:2], found.table)


def test_only_the_last_row_of_a_file_may_be_cut(study: Path) -> None:
    # Without an end of line the last number may be cut: of the last part, not of each.
    whole = study.read_text()
    for content in (whole.rstrip("\n"), whole[:-60]):
        study.write_text(content)
        logs = [
            read_openface(study, split_by="filename", part=part).log
            for part in part_names(study, "filename")
        ]
        assert [(log.rows_read, log.rows_cut) for log in logs] == [(75, 0), (74, 1)]
