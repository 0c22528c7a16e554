"""Several people in one file: each followed as requested, ids of one person joined."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from behavior.openface_files import POINTS_2D, POSE, TIME, Layout, rows, write

from pyexpr.base.errors import ColumnError, DataError, OpenFaceError
from pyexpr.base.messages import codes_of, joined
from pyexpr.behavior.features.features import extract_features
from pyexpr.behavior.openface.recording import read_openface

N = 75
COLUMNS = ["frame", "face_id", *TIME, *POSE, *POINTS_2D]
TWO = Layout(COLUMNS, faces=(0, 1))
# mm a frame of the two; the right one is larger, and is seen first in the file as 0.
SPEED = {0: 5.0, 1: 1.0}


def dyad(name: str, frame: int, face: int) -> float:
    """Person 0 sits on the right and leans in fast, person 1 on the left; in mm and px."""
    where = 400.0 if face == 0 else -400.0
    if name == "pose_Tx":
        return where
    if name == "pose_Tz":
        return 900.0 - SPEED[face] * frame
    if name in POINTS_2D:
        axis, point = name.split("_")
        size = 120 if face == 0 else 100
        spread = size * (int(point) / 67 if axis == "x" else int(point) % 7 / 6)
        return 500.0 + where + spread + 0.2 * frame
    return 0.0


def renewed(table: list[dict], period: int = 20) -> None:
    """Let person 0 have a new id, from 2 on, every so many frames."""
    for row in table:
        if row["face_id"] == 0:
            row["face_id"] = 2.0 + (row["frame"] - 1) // period


def written(path: Path, change: Callable[[list[dict]], object], layout: Layout = TWO) -> Path:
    table = rows(layout, N, make=dyad)
    change(table)
    return write(path, layout, table)


@pytest.fixture
def film(tmp_path: Path) -> Path:
    return written(tmp_path / "film.csv", lambda table: None)


def moved(recording) -> float:
    return float(-np.diff(recording.groups["pose_translation"][:, 2]).mean())


@pytest.mark.parametrize("columns", [COLUMNS, COLUMNS[:11]], ids=["landmarks", "pose alone"])
def test_places(columns: list[str], tmp_path: Path) -> None:
    path = written(tmp_path / "a.csv", lambda table: None, Layout(columns, faces=(0, 1)))
    for place, face in (("right", 0), ("left", 1)):
        recording = read_openface(path, face=place)
        assert moved(recording) == pytest.approx(SPEED[face], abs=1e-3)
        assert any(f"the {place} of the two seen longest" in note for note in recording.log.notes)


def test_places_that_cannot_be_determined(tmp_path: Path) -> None:
    bare = Layout(["frame", "face_id", *TIME, "gaze_angle_x", "gaze_angle_y"], faces=(0, 1))
    path = write(tmp_path / "a.csv", bare, rows(bare, N, make=dyad))
    for requested in ({"face": "left"}, {"join_ids": True}):
        with pytest.raises(OpenFaceError, match="neither landmarks nor pose_Tx"):
            read_openface(path, **requested)
    alone = written(tmp_path / "b.csv", lambda t: t.__setitem__(slice(None), t[::2]))
    with pytest.raises(OpenFaceError, match="there is only one face"):
        read_openface(alone, face="left")


def test_a_face_per_row_of_the_table(film: Path) -> None:
    table = pd.DataFrame(
        {"subject": ["A", "B"], "context": "talk", "openface": str(film), "face": ["right", 1]}
    )
    found = extract_features(table, every=3, progress=False).table
    # 5 frames a step.
    np.testing.assert_allclose(found["head_displacement"], [25.0, 5.0], atol=0.02)
    # A number column with an empty cell holds 1.0; the empty one is the argument's.
    filled = extract_features(
        table.assign(face=[np.nan, 1.0]), every=3, face="right", progress=False
    ).table
    np.testing.assert_allclose(filled["head_displacement"], [25.0, 5.0], atol=0.02)
    with pytest.raises(ColumnError, match="column 'face' of the table of recordings must hold"):
        extract_features(table.assign(face=["middle", 1]), every=3)


@pytest.mark.parametrize("faces", [None, ["left", "left"], [1, 1.0]])
def test_one_face_is_not_two_subjects(faces, film: Path) -> None:
    table = pd.DataFrame({"subject": ["A", "B"], "context": "talk", "openface": str(film)})
    table = table if faces is None else table.assign(face=faces)
    with pytest.raises(DataError, match="subjects 'A' and 'B' have the same face of the same file"):
        extract_features(table, every=3)
    # One subject's file may serve two contexts.
    once = table.assign(subject="A", context=["talk", "rest"])
    assert len(extract_features(once, every=3, progress=False).table) == 2


def test_ids_of_one_person_are_joined(tmp_path: Path) -> None:
    path = written(tmp_path / "a.csv", renewed)
    lost = read_openface(path, face=2)
    assert (lost.log.frames_missing, lost.log.faces) == (N - 20, 5)
    recording = read_openface(path, face=2, join_ids=True)
    assert (recording.log.frames_missing, recording.log.ids_joined) == (0, 3)
    assert moved(recording) == pytest.approx(5.0, abs=1e-3)
    assert "face_ids_joined" in codes_of(joined(recording.log.notes))
    # Any of the ids is the person, and so is the place.
    for face in (4, "right", "largest"):
        other = read_openface(path, face=face, join_ids=True)
        np.testing.assert_array_equal(
            other.groups["pose_translation"], recording.groups["pose_translation"]
        )
    left = read_openface(path, face=1, join_ids=True)
    assert (left.log.ids_joined, moved(left)) == (0, pytest.approx(1.0, abs=1e-3))


def test_ids_that_are_not_one_person(tmp_path: Path) -> None:
    def elsewhere(table: list[dict]) -> None:
        renewed(table, 40)
        for row in table:
            if row["face_id"] == 3:  # another person sits down further to the right
                row.update({name: row[name] + 300 for name in POINTS_2D[:68]})

    def larger(table: list[dict]) -> None:
        renewed(table, 40)
        for row in table:
            if row["face_id"] == 3:
                row.update({name: 2 * row[name] - 960 for name in POINTS_2D[:68]})
                row.update({name: 2 * row[name] - 960 for name in POINTS_2D[68:]})

    def together(table: list[dict]) -> None:
        renewed(table, 40)
        both = next(row for row in table if row["face_id"] == 2 and row["frame"] == 40)
        table.append({**both, "face_id": 3.0})

    for change in (elsewhere, larger, together):
        recording = read_openface(written(tmp_path / "a.csv", change), face=2, join_ids=True)
        assert recording.log.ids_joined == 0, change.__name__


def test_a_clip_in_which_ids_are_swapped_is_marked(tmp_path: Path) -> None:
    def swap(table: list[dict]) -> None:
        for row in table:
            if 30 <= row["frame"] < 50:
                row["face_id"] = 1.0 - row["face_id"]

    path = written(tmp_path / "a.csv", swap)
    found = extract_features(path, every=1, face=0, progress=False)
    # Frames 30 and 50 are 29 and 49 of the grid, both in the second.
    assert found.quality["jumps"].tolist() == [0, 2, 0]
    assert found.recordings["jumps"].item() == 2
    # No step goes from one person to the other: within the clip it is 25 mm or 5 mm.
    assert found.table["head_displacement"].max() < 26


def test_a_failed_row_may_lack_its_id(tmp_path: Path) -> None:
    def lose(table: list[dict]) -> None:
        table[20].update(face_id="", success=0.0)

    recording = read_openface(written(tmp_path / "a.csv", lose), face=0)
    assert recording.log.frames_failed == 1

    def keep(table: list[dict]) -> None:
        table[20].update(face_id="")

    with pytest.raises(OpenFaceError, match="column 'face_id' must hold whole numbers"):
        read_openface(written(tmp_path / "a.csv", keep), face=0)
