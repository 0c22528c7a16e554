"""Counts of a recording whose every frame is known."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path

import numpy as np
import pytest
from behavior.openface_files import LAYOUTS, rows, write
from hypothesis import given, settings
from hypothesis import strategies as st

from pyexpr.base.errors import DataError
from pyexpr.behavior.features.quality import clip_quality, recording_quality
from pyexpr.behavior.openface.recording import OpenFaceRecording, read_openface
from pyexpr.behavior.schedules import Clip, Schedule
from pyexpr.core.clip_features import count_frames


@pytest.fixture
def recording(tmp_path: Path) -> OpenFaceRecording:
    """100 frames at 25 a second: 4 missing, 3 failed just after them, 1 row doubled, 1 cut."""
    layout = LAYOUTS["46"]
    table = rows(layout, 100)
    for row in table[24:27]:
        row.update(success=0.0, confidence=0.1)
    table.append({**table[50], "confidence": 0.9})
    del table[20:24]
    path = write(tmp_path / "a.csv", layout, table)
    path.write_text(path.read_text() + "101, 0, 4.0\n")
    return read_openface(path)


def test_recording(recording: OpenFaceRecording) -> None:
    row = recording_quality(recording)
    notes = row.pop("notes")
    assert row.pop("mean_confidence") == pytest.approx((93 * 0.98 + 3 * 0.1) / 96, rel=1e-12)
    assert row == {
        "openface": recording.path,
        "fps": 25.0,
        "fps_source": "timestamps",
        "frames_expected": 100,
        "frames_present": 96,
        "frames_valid": 93,
        "frames_missing": 4,
        "frames_failed": 3,
        "longest_gap": 7,
        "share_valid": 0.93,
        "rows_read": 97,
        "rows_cut": 1,
        "rows_overlong": 0,
        "rows_doubled": 1,
        "rows_other_face": 0,
        "faces": 1,
        "values_missing": 0,
        "frames_implausible": 0,
        "jumps": 0,
        "ids_joined": 0,
    }
    assert notes.startswith("1 cut row dropped whole; 1 row dropped that repeat")


def test_clips(recording: OpenFaceRecording) -> None:
    first, second = (
        clip_quality(recording, clip) for clip in Schedule.every(1).cut("a", 50, 25)[0]
    )
    assert first.pop("mean_confidence") == pytest.approx((20 * 0.98 + 0.1) / 21, rel=1e-12)
    assert first == {
        "context": "a",
        "clip": "1",
        "start": 0.0,
        "end": 1.0,
        "frames_expected": 25,
        "frames_present": 21,
        "frames_valid": 20,
        "frames_missing": 4,
        "frames_failed": 1,
        "longest_gap": 5,
        "share_valid": 0.8,
        "rows_doubled": 0,
        "rows_other_face": 0,
        "frames_implausible": 0,
        "jumps": 0,
    }
    assert (second["frames_failed"], second["longest_gap"], second["start"]) == (2, 2, 1.0)


def test_dropped_rows_are_counted_in_their_clip(tmp_path: Path) -> None:
    layout = LAYOUTS["61"]
    table = rows(layout, 75)
    table += [{**row, "confidence": 0.5} for row in table if row["frame"] in (26, 26, 50, 51)]
    path = write(tmp_path / "a.csv", layout, table)
    recording = read_openface(path, face=1)
    clips = Schedule.every(1).cut("a", 75, 25)[0]
    counts = [clip_quality(recording, clip) for clip in clips]
    # Frames 26, 50 and 51 (from 1) are 25, 49 and 50 of the grid; two other faces a row.
    assert [row["rows_doubled"] for row in counts] == [0, 2, 1]
    assert [row["rows_other_face"] for row in counts] == [50, 54, 52]
    whole = recording_quality(recording)
    assert (whole["rows_doubled"], whole["rows_other_face"]) == (3, 156)


def test_a_clip_without_a_row(recording: OpenFaceRecording) -> None:
    row = clip_quality(recording, Clip("a", "x", 20, 24))
    assert (row["frames_present"], row["share_valid"], row["longest_gap"]) == (0, 0.0, 4)
    assert np.isnan(row["mean_confidence"])


@pytest.mark.parametrize(("start", "stop"), [(-1, 5), (90, 101), (5, 5)])
def test_clips_outside_the_recording(recording: OpenFaceRecording, start: int, stop: int) -> None:
    with pytest.raises(DataError, match="cut the schedule for this recording"):
        clip_quality(recording, Clip("a", "x", start, stop))


@settings(max_examples=100, deadline=None, derandomize=True)
@given(st.lists(st.booleans(), max_size=30))
def test_longest_gap(valid: list[bool]) -> None:
    runs = [len(list(run)) for good, run in groupby(valid) if not good]
    frames = np.array(valid, dtype=bool)
    found = count_frames(frames, frames, np.full(len(frames), np.nan))
    assert found.longest_gap == max(runs, default=0)
