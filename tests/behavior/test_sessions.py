"""A session of DAIC-WOZ, whose columns lie in several files, reads as the file they would be."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
from behavior.session_files import KINDS, TIMES, N, values, write

from pyexpr.base.errors import DataError, OpenFaceError
from pyexpr.behavior.features.features import extract_features
from pyexpr.behavior.features.frame_store import Reading, read_frames
from pyexpr.behavior.openface.csv import read_header
from pyexpr.behavior.openface.recording import describe_openface, read_openface


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    folder = tmp_path / "300_P"
    folder.mkdir()
    return write(folder)


def changed(path: Path, row: int, column: int, text: str) -> None:
    lines = path.read_text().split("\n")
    fields = lines[row].split(", ")
    fields[column] = text
    lines[row] = ", ".join(fields)
    path.write_text("\n".join(lines))


def as_one_file(path: Path) -> Path:
    names = ["frame", "timestamp", "confidence", "success"]
    rows = [list(time) for time in TIMES]
    for kind, columns in KINDS.items():
        kept = [n for n, name in enumerate(columns.values()) if name]
        names += [name for name in columns.values() if name]
        for row, own in zip(rows, values(kind), strict=True):
            row += [own[n] for n in kept]
    path.write_text("\n".join(",".join(row) for row in [names, *rows]) + "\n")
    return path


@pytest.mark.parametrize("given", ["pose", "AUs", "features", "folder", "list"])
def test_any_of_its_files_is_the_session(
    given: str, files: dict[str, Path], tmp_path: Path
) -> None:
    expected = read_openface(as_one_file(tmp_path / "one.csv"))
    source: Path | list[Path] = files.get(given, files["pose"].parent)
    read = read_openface([*files.values()][::-1] if given == "list" else source)
    assert list(read.groups) == list(expected.groups)
    for group, columns in expected.groups.items():
        np.testing.assert_array_equal(read.groups[group], columns, err_msg=group)
    assert (read.fps, read.n_frames, read.au_presence_names) == (30, N, ("AU04", "AU12"))
    assert read.log.notes[0] == "joined from 5 files: features, features3D, pose, gaze, AUs"
    assert read.log.notes[1:] == expected.log.notes
    hashes = [hashlib.sha256(files[kind].read_bytes()).hexdigest() for kind in KINDS]
    assert read.sha256 == hashlib.sha256("\n".join(hashes).encode()).hexdigest()


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_alone_has_its_own_columns(kind: str, files: dict[str, Path]) -> None:
    for other in KINDS:
        if other != kind:
            files[other].unlink()
    read = read_openface(files[kind], groups=None)
    expected = {
        "features": {"landmarks_2d"},
        "features3D": set(),
        "pose": {"pose_translation", "pose_rotation"},
        "gaze": {"gaze_vector"},
        "AUs": {"au_presence", "au_intensity"},
    }
    assert set(read.groups) == expected[kind]
    assert read.sha256 == hashlib.sha256(files[kind].read_bytes()).hexdigest()
    assert not any("joined" in note for note in read.log.notes)


def test_action_units_may_be_called_a_csv_file(files: dict[str, Path]) -> None:
    files["AUs"].rename(files["AUs"].with_suffix(".csv"))
    assert set(read_openface(files["pose"]).groups) >= {"au_presence", "au_intensity"}
    # Others with that ending are whole files of OpenFace that somebody named so.
    path = as_one_file(files["pose"].with_suffix(".csv"))
    assert read_openface(path).sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


def test_its_header_and_description(files: dict[str, Path]) -> None:
    header = read_header(files["gaze"])
    assert header.groups() == (
        *("landmarks_2d", "landmarks_3d", "pose_translation", "pose_rotation", "gaze_vector"),
        *("au_presence", "au_intensity"),
    )
    assert describe_openface(files["gaze"].parent)[["rows", "fps"]].values.tolist() == [[N, 30]]


@pytest.mark.parametrize(("column", "text"), [(0, "12"), (1, "0.4")])
def test_files_that_disagree_about_time_are_refused(
    column: int, text: str, files: dict[str, Path]
) -> None:
    changed(files["gaze"], 10, column, text)
    name = ("frame", "timestamp")[column]
    with pytest.raises(OpenFaceError, match=rf"_gaze.txt': row 10 has {name} {text}, but '300_CLN"):
        read_openface(files["AUs"])


def test_files_of_other_lengths_are_refused(files: dict[str, Path]) -> None:
    lines = files["pose"].read_text().split("\n")
    files["pose"].write_text("\n".join(lines[:40]) + "\n")
    with pytest.raises(OpenFaceError, match=r"_pose.txt' has 39 rows, but .* beside it has 70"):
        read_openface(files["AUs"])


def test_the_same_time_may_be_written_otherwise(files: dict[str, Path]) -> None:
    changed(files["gaze"], 31, 1, "1.000")
    assert read_openface(files["gaze"]).log.rows_read == N


def test_a_frame_is_valid_if_all_files_say_so(files: dict[str, Path]) -> None:
    changed(files["gaze"], 5, 3, "0")
    changed(files["AUs"], 6, 2, "0.5")
    read = read_openface(files["pose"], min_confidence=0.9)
    assert np.flatnonzero(~read.valid).tolist() == [4, 5]
    assert read.confidence[5] == 0.5
    assert "in 2 frames the files differ in confidence or success" in read.log.notes[1]


@pytest.mark.parametrize("kind", ["features", "AUs"])
def test_a_row_that_is_cut_in_one_file_is_cut(kind: str, files: dict[str, Path]) -> None:
    lines = files[kind].read_text().split("\n")
    lines[20] = lines[20][:30]
    # And the last one, within its last number.
    files[kind].write_text("\n".join(lines).rstrip("\n")[:-1])
    log = read_openface(files["pose"]).log
    assert (log.rows_read, log.rows_cut) == (N - 2, 2)


def test_columns_of_another_kind_are_refused(files: dict[str, Path]) -> None:
    files["pose"].write_text(files["pose"].read_text().replace("Rx", "Qx"))
    with pytest.raises(OpenFaceError, match=r"_pose.txt': .* and then X, Y, Z, Rx, Ry, Rz, but"):
        read_openface(files["AUs"])


def test_what_is_no_single_session_is_refused(files: dict[str, Path], tmp_path: Path) -> None:
    folder = files["pose"].parent
    other = write(folder, "301")
    with pytest.raises(OpenFaceError, match=r"holds the files of 2 sessions \('300', '301'\)"):
        read_openface(folder)
    with pytest.raises(OpenFaceError, match="are of two sessions"):
        read_openface([files["pose"], other["gaze"]])
    (tmp_path / "300_CLNF_pose.txt").write_text(files["pose"].read_text())
    with pytest.raises(OpenFaceError, match="two files of the session's pose"):
        read_openface([files["pose"], tmp_path / "300_CLNF_pose.txt"])
    with pytest.raises(DataError, match="at least one file"):
        read_openface([])
    (tmp_path / "empty").mkdir()
    with pytest.raises(OpenFaceError, match="this is a folder"):
        read_openface(tmp_path / "empty")


def test_features_of_a_session_are_those_of_one_subject(files: dict[str, Path]) -> None:
    result = extract_features(files["pose"].parent, every=2)
    assert result.table["reason"].tolist() == [""]
    assert result.table["head_displacement"].item() == pytest.approx(6 * 0.25 * 3**0.5)
    with pytest.raises(DataError, match="are files of one session"):
        extract_features(list(files.values()), every=2)


def test_kept_frames_are_read_again_when_a_file_beside_changes(
    files: dict[str, Path], tmp_path: Path
) -> None:
    reading = Reading(("gaze_vector",))
    before = read_frames(str(files["pose"]), reading, tmp_path / "kept").values.copy()
    changed(files["gaze"], 3, 4, "0.875")
    after = read_frames(str(files["pose"]), reading, tmp_path / "kept").values
    assert np.flatnonzero((before != after).any(axis=1)).tolist() == [2]
