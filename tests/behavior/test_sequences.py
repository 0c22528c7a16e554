"""Clips as sequences of frames: cut, gaps, rates, and the arrays kept on disk."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from behavior.hand_made import openface_text
from behavior.tracks_tables import mediapipe, moving, py_feat

from pyexpr.base.errors import ColumnError, DataError, OpenFaceError
from pyexpr.behavior.features import frame_store
from pyexpr.behavior.features.frame_store import (
    COLUMN_SETS,
    Reading,
    frame_columns,
    named_groups,
    read_frames,
    wanted_groups,
)
from pyexpr.behavior.features.sequences import check_sequences, read_sequences
from pyexpr.behavior.openface.layout import expected_columns
from pyexpr.behavior.openface.recording import read_openface
from pyexpr.behavior.tracks.groups import ALL_GROUPS

HEADER = "frame,timestamp,confidence,success,pose_Tx,pose_Ty,pose_Tz,pose_Rx,pose_Ry,pose_Rz\n"


def write(
    path: Path,
    n: int = 100,
    *,
    fps: float = 25,
    failed: tuple[int, ...] = (),
    missing: tuple[int, ...] = (),
    value: str = "",
) -> str:
    """Write a recording whose pose_Tx is the number of the frame, from 0."""
    rows = [
        f"{k + 1},{k / fps:.3f},0.98,{int(k not in failed)},{k},{value or 0},500,0,0,{k / 100}\n"
        for k in range(n)
        if k not in missing
    ]
    path.write_text(HEADER + "".join(rows))
    return str(path)


def clips(path: str | list[str], *spans: tuple[float, float]) -> pd.DataFrame:
    starts, ends = zip(*spans, strict=True)
    return pd.DataFrame({"openface": path, "start": starts, "end": ends})


@pytest.mark.parametrize("cached", [False, True])
def test_clips_are_the_frames_of_the_recording(tmp_path: Path, cached: bool) -> None:
    path = write(tmp_path / "a.csv")
    table = clips(path, (0, 3), (1, 2), (-1, 0))
    found = read_sequences(table, "pose", cache_dir=tmp_path / "kept" if cached else None)
    assert [clip.shape for clip in found.clips] == [(75, 6), (25, 6), (25, 6)]
    assert found.lengths.tolist() == [75, 25, 25]
    assert found.names == ("pose_Tx", "pose_Ty", "pose_Tz", "pose_Rx", "pose_Ry", "pose_Rz")
    np.testing.assert_array_equal(found.clips[1][:, 0], np.arange(25, 50))
    np.testing.assert_array_equal(found.clips[2][:, 0], np.arange(75, 100))
    whole = read_openface(path, groups=["pose_translation", "pose_rotation"])
    both = np.hstack([whole.groups["pose_translation"], whole.groups["pose_rotation"]])
    np.testing.assert_array_equal(found.clips[0], both[:75].astype(np.float32))
    assert found.clips[0].dtype == np.float32


@pytest.mark.parametrize("cached", [False, True])
def test_gaps_and_failed_frames_are_nan_and_counted(tmp_path: Path, cached: bool) -> None:
    path = write(tmp_path / "a.csv", failed=(3, 4, 60), missing=(10, 11, 12), value="-nan(ind)")
    found = read_sequences(
        clips(path, (0, 1), (2, 3)), "pose", cache_dir=tmp_path / "kept" if cached else None
    )
    lost = np.isnan(found.clips[0][:, 0])
    assert np.flatnonzero(lost).tolist() == [3, 4, 10, 11, 12]
    assert np.isnan(found.clips[0][lost]).all()
    counted = found.table.drop(columns=["openface", "start", "end"]).to_dict(orient="records")
    assert counted == [
        {"fps": 25.0, "n_frames": 25, "n_valid_frames": 20, "n_missing_frames": 3,
         "n_failed_frames": 2, "n_missing_values": 20},
        {"fps": 25.0, "n_frames": 25, "n_valid_frames": 24, "n_missing_frames": 0,
         "n_failed_frames": 1, "n_missing_values": 24},
    ]  # fmt: skip


def test_other_rates_give_the_frame_shown_at_each_time(tmp_path: Path) -> None:
    fast = write(tmp_path / "fast.csv", n=200, fps=50)
    slow = write(tmp_path / "slow.csv", n=40, fps=10)
    found = read_sequences(clips([fast, slow], (1, 2), (1, 2)), "pose")
    np.testing.assert_array_equal(found.clips[0][:, 0], np.arange(50, 100, 2))
    # At 0, 0.04, 0.08, 0.12 s a recording of 10 Hz shows frames 0, 0, 0, 1.
    expected = 10 + np.floor(np.arange(25) * 0.4 + 1e-9)
    np.testing.assert_array_equal(found.clips[1][:, 0], expected)
    assert found.lengths.tolist() == [25, 25]
    assert found.table["n_frames"].tolist() == [50, 10]
    as_recorded = read_sequences(clips([fast, slow], (1, 2), (1, 2)), "pose", rate=None)
    assert as_recorded.lengths.tolist() == [50, 10]


def test_each_recording_is_parsed_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    parsed: list[str] = []
    whole = frame_store.read_openface

    def counted(path: str, **options: Any) -> Any:
        parsed.append(path)
        return whole(path, **options)

    monkeypatch.setattr(frame_store, "read_openface", counted)
    path, kept = write(tmp_path / "a.csv"), tmp_path / "kept"
    table = clips(path, (0, 3), (1, 2))
    first = read_sequences(table, "pose", cache_dir=kept)
    again = read_sequences(table, "pose", cache_dir=kept)
    assert parsed == [path]
    for one, two in zip(first.clips, again.clips, strict=True):
        np.testing.assert_array_equal(one, two)
    pd.testing.assert_frame_equal(first.table, again.table)
    # The same file elsewhere is the same; other options, or another content, are not.
    copy = tmp_path / "b.csv"
    copy.write_bytes(Path(path).read_bytes())
    read_sequences(clips(str(copy), (0, 3)), "pose", cache_dir=kept)
    assert len(parsed) == 1
    read_sequences(table, "pose", cache_dir=kept, min_confidence=0.5)
    read_sequences(table, "pose_rotation", cache_dir=kept)
    assert len(parsed) == 3
    write(Path(path), n=90)
    assert read_sequences(clips(path, (-1, 0)), "pose", cache_dir=kept).clips[0][-1, 0] == 89
    assert len(parsed) == 4


def test_what_is_kept_is_whole_or_made_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, kept = write(tmp_path / "a.csv"), tmp_path / "kept"
    reading = Reading(("pose_translation",))
    good = read_frames(path, reading, kept).values.copy()
    (array,), (facts,) = kept.glob("*.npy"), kept.glob("*.json")
    assert np.load(array).shape == (100, 5)
    assert json.loads(facts.read_text())["fps"] == 25
    for damage in (
        lambda: array.write_bytes(array.read_bytes()[:-9]),
        lambda: array.write_bytes(b"no array"),
        lambda: facts.write_text("{"),
        facts.unlink,
        array.unlink,
        lambda: facts.write_text(json.dumps({"fps": 25, "names": ["one"]})),
    ):
        damage()
        np.testing.assert_array_equal(read_frames(path, reading, kept).values, good)
        assert np.load(array).shape == (100, 5)

    def stopped(*_: object) -> None:
        raise KeyboardInterrupt

    array.unlink()
    monkeypatch.setattr(frame_store.np, "save", stopped)
    with pytest.raises(KeyboardInterrupt):
        read_frames(path, reading, kept)
    assert not list(kept.glob("*.npy"))
    assert not list(kept.glob(".*"))


def test_many_recordings_leave_no_file_open(tmp_path: Path) -> None:
    paths = [write(tmp_path / f"{k}.csv", n=30 + k) for k in range(20)]
    open_files = Path("/proc/self/fd")
    before = len(list(open_files.iterdir())) if open_files.exists() else 0
    found = read_sequences(clips(paths, *[(0, 1)] * 20), "pose", cache_dir=tmp_path / "kept")
    assert all(clip.shape == (25, 6) for clip in found.clips)
    if before:
        assert len(list(open_files.iterdir())) <= before + 2


def test_names_of_columns() -> None:
    assert wanted_groups("points") == (
        "landmarks_2d", "landmarks_3d", "eye_landmarks_2d", "eye_landmarks_3d",
    )  # fmt: skip
    assert wanted_groups(["gaze", "pose_rotation", "gaze_angle"]) == (
        "pose_rotation", "gaze_angle", "gaze_vector",
    )  # fmt: skip
    assert wanted_groups("all") == ALL_GROUPS
    assert set().union(*COLUMN_SETS.values()) == set(ALL_GROUPS)
    assert named_groups(["points", "gaze_angle"]) == ("gaze_angle",)
    with pytest.raises(DataError, match="did you mean 'points_2d'"):
        wanted_groups("points2d")
    with pytest.raises(DataError, match="at least one group"):
        wanted_groups([])


def test_tables_that_make_no_sense(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", failed=tuple(range(50, 75)))
    table = clips(path, (0, 1), (2, 3))
    cases: list[tuple[pd.DataFrame, type[Exception], str]] = [
        (clips(path, (0, 1), (3.5, 4.5)), DataError, r"row 2 .*3.5 to 4.5 s, frames 88 to 113"),
        (clips(path, (0, 1), (2, 3)), DataError, r"row 2 .*a.csv', 2 to 3 s\) has no valid frame"),
        (clips(path, (1, 0)), DataError, "row 1 of the clip table: .* must end after its start"),
        (clips("", (0, 1)), ColumnError, "column 'openface' .* paths, but row 1 holds ''"),
        (table.assign(openface=[path, np.nan]), ColumnError, "row 2 holds nan"),
        (table.drop(columns="end"), ColumnError, "has no column 'end'"),
        (table.iloc[:0], DataError, "has no rows"),
        (table.assign(openface=str(tmp_path / "b.csv")), OpenFaceError, "b.csv': there is no such"),
    ]  # fmt: skip
    for bad, kind, message in cases:
        with pytest.raises(kind, match=message):
            read_sequences(bad, "pose")
    with pytest.raises(OpenFaceError, match="no columns for 'gaze_angle', 'gaze_vector'"):
        read_sequences(clips(path, (0, 1)), "gaze")
    with pytest.raises(DataError, match="rate= must be a positive number"):
        read_sequences(clips(path, (0, 1)), "pose", rate=0)
    assert read_sequences(table.iloc[:1].rename(columns={"openface": "recording"}), "pose").clips


def test_recordings_must_have_the_same_columns(tmp_path: Path) -> None:
    for name, units in (("a", ("AU01_c", "AU02_c")), ("b", ("AU01_c", "AU04_c"))):
        lines = [f"frame,timestamp,success,{','.join(units)}", "1,0.00,1,0,1", "2,0.04,1,1,1"]
        (tmp_path / f"{name}.csv").write_text("\n".join(lines) + "\n")
    table = clips([str(tmp_path / f"{name}.csv") for name in "ab"], (0, 0.08), (0, 0.08))
    with pytest.raises(
        DataError,
        match=r"b.csv' has other columns than .*a.csv': it lacks 'AU02_c' and has besides "
        r"'AU04_c'; choose columns= that all recordings have",
    ):
        read_sequences(table, "au_presence")


@pytest.fixture
def mesh(tmp_path: Path) -> tuple[str, str]:
    """Return a table of two points in shares of the image and of a blendshape, and its layout."""
    layout = tmp_path / "mesh.toml"
    layout.write_text(
        "time.column = 't'\nblendshapes = {columns = 'b_*', unit = '0 to 1'}\n"
        "[points]\nx = 'x{}'\ny = 'y{}'\nz = 'z{}'\nunit = 'share'\n"
    )
    table = {"t": np.arange(50) / 25, "b_jawOpen": np.linspace(0, 1, 50)}
    table |= {
        f"{axis}{k}": 0.1 * k + n + np.arange(50) for n, axis in enumerate("xyz") for k in (0, 1)
    }
    path = tmp_path / "mesh.csv"
    pd.DataFrame(table).to_csv(path, index=False)
    return str(path), str(layout)


@pytest.mark.parametrize("cached", [False, True])
def test_frames_of_another_tracker(mesh: tuple[str, str], tmp_path: Path, cached: bool) -> None:
    path, layout = mesh
    kept = tmp_path / "kept" if cached else None
    found = read_sequences(
        clips(path, (0, 1)), ["points", "expressions"], layout=layout, cache_dir=kept
    )
    # Points in space hold those of the image: x and y stand once.
    assert found.names == ("x_0", "y_0", "x_1", "y_1", "z_0", "z_1", "blendshape_jawOpen")
    assert found.clips[0].shape == (25, 7)
    np.testing.assert_allclose(found.clips[0][:, 2], 0.1 + np.arange(25), rtol=1e-6)
    np.testing.assert_allclose(found.clips[0][:, 5], 2.1 + np.arange(25), rtol=1e-6)
    np.testing.assert_allclose(found.clips[0][:, 6], np.arange(25) / 49, rtol=1e-6)
    # A column of the table says it row by row; what is kept goes with the layout's content.
    table = clips(path, (0, 1)).assign(layout=layout)
    assert read_sequences(table, "all", cache_dir=kept).names == found.names
    Path(layout).write_text(Path(layout).read_text() + "labels = ['1']\n")
    assert read_sequences(table, "points", cache_dir=kept).names == ("x_0", "y_0", "z_0")


def test_what_another_tracker_does_not_have(mesh: tuple[str, str]) -> None:
    path, layout = mesh
    table = clips(path, (0, 1))
    for columns, lacks in (("gaze", "'gaze_angle', 'gaze_vector'"), ("emotions", "'emotions'")):
        with pytest.raises(
            OpenFaceError,
            match=f"no columns for {lacks} by the layout 'mesh'; it has 'landmarks_3d', "
            "'landmarks_2d', 'blendshapes': ask for those",
        ):
            read_sequences(table, columns, layout=layout)
    with pytest.raises(OpenFaceError, match="no columns for 'emotions' by"):
        read_sequences(table, ["points", "emotions"], layout=layout)
    # Without a layout the file is not OpenFace's.
    with pytest.raises(OpenFaceError, match=r"mesh.csv"):
        read_sequences(table, "points")


# --- columns by the header alone ----------------------------------------------------------------


def said_or(read: Any, path: Path, reading: Reading) -> Any:
    """Return the names that are found, or what the error says."""
    try:
        found = read(str(path), reading)
    except OpenFaceError as error:
        return str(error)
    return getattr(found, "names", found)


@pytest.mark.parametrize("columns", ["points", "expressions", "all", ["pose", "gaze"], "aus"])
def test_columns_by_the_header_are_those_that_are_read(columns: Any, tmp_path: Path) -> None:
    tables = {
        "py-feat": (py_feat(moving(68, 5)), 25.0),
        "mediapipe": (mediapipe(moving(468, 5, n_axes=3) / 1000), None),
    }
    groups, named = wanted_groups(columns), named_groups(columns)
    for layout, (frame, fps) in tables.items():
        path = tmp_path / f"{layout}.csv"
        frame.to_csv(path, index=False)
        for given in (layout, "auto"):
            reading = Reading(groups, fps=fps, layout=given, named=named)
            expected = said_or(read_frames, path, reading)
            assert said_or(frame_columns, path, reading) == expected
    own, groups = tmp_path / "own.csv", ("landmarks_2d", "landmarks_3d", "pose_rotation")
    names = [*(name for group in groups for name in expected_columns(group)), "AU04_r", "AU01_r"]
    own.write_text(openface_text({name: np.full(30, 0.5) for name in names}))
    for given in (None, "auto", "openface"):
        reading = Reading((*groups, "au_intensity"), layout=given)
        assert frame_columns(str(own), reading) == read_frames(str(own), reading).names


def test_what_a_study_of_sequences_lacks_is_reported_by_the_headers(tmp_path: Path) -> None:
    one, other = (write(tmp_path / f"{name}.csv", 40) for name in "ab")
    text = Path(one).read_text()
    text = text.replace("pose_Tx", "AU01_c").replace("pose_Ty", "AU10_c")
    Path(one).write_text(text.replace("pose_Tz", "AU02_c"))
    Path(other).write_text(text.replace("pose_Tz", "AU04_c"))
    spoilt = tmp_path / "spoilt.csv"
    spoilt.write_text("nothing\n")
    files = [(one, None), (str(spoilt), None), (other, None), (str(tmp_path / "absent.csv"), None)]
    with pytest.raises(
        DataError, match=r"b\.csv' has other columns .* lacks 'AU02_c' and"
    ) as by_header:
        check_sequences(files, "au_presence")
    with pytest.raises(DataError) as by_reading:
        read_sequences(clips([one, other], (0, 1), (0, 1)), "au_presence")
    assert str(by_header.value) == str(by_reading.value)
    with pytest.raises(OpenFaceError, match="has no columns for 'landmarks_2d'"):
        check_sequences(files, "points_2d")
    check_sequences([(one, None), (one, ""), (str(spoilt), None)], "au_presence")
