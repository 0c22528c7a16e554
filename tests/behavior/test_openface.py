"""The reader on every layout and every oddity, in files written here; real files if named.

Set PYEXPR_REAL_DATA to a folder with OpenFace files to read those too.
"""

from __future__ import annotations

import bz2
import gzip
import os
import pickle
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from behavior.openface_files import (
    AU_C,
    AU_R,
    EYES,
    GAZE,
    GAZE_ANGLE,
    LAYOUTS,
    PARAMS,
    POINTS_2D,
    POINTS_3D,
    POSE,
    TIME,
    Layout,
    array,
    rows,
    text,
    value,
    write,
)
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pyexpr.base.errors import DataError, OpenFaceError
from pyexpr.base.messages import codes_of, joined
from pyexpr.behavior.openface import time
from pyexpr.behavior.openface.recording import OpenFaceRecording, describe_openface, read_openface

# Files are printed with one to six decimals and read back from them: nothing is rounded twice.
PRINTED = 1e-12
N = 12
SMALL = Layout(["frame", "face_id", *TIME, *POSE, *GAZE_ANGLE, "AU01_r", "AU01_c", "AU28_c"])

# Group -> (columns in the order of the file, shape of a frame as it is stored by axis, then point)
MEMBERS = {
    "landmarks_2d": (POINTS_2D, (2, 68)),
    "landmarks_3d": (POINTS_3D, (3, 68)),
    "pose_translation": (POSE[:3], None),
    "pose_rotation": (POSE[3:], None),
    "gaze_angle": (GAZE_ANGLE, None),
    "gaze_vector": (GAZE, None),
    "au_presence": (AU_C, None),
    "au_intensity": (AU_R, None),
    "params": (PARAMS[:6], None),
    "eye_landmarks_2d": (EYES[:112], (2, 56)),
    "eye_landmarks_3d": (EYES[112:], (3, 56)),
    "shape": (PARAMS[6:], None),
}


def planted(group: str, n: int, face: int = 0) -> np.ndarray:
    names, axes = MEMBERS[group]
    flat = array(names, n, face)
    return flat if axes is None else flat.reshape(n, *axes).swapaxes(1, 2)


def small(path: Path, change: Callable[[list[dict]], object] = lambda table: None, n: int = N):
    table = rows(SMALL, n)
    change(table)
    return write(path / "small.csv", SMALL, table)


def test_full_layouts_have_the_known_widths() -> None:
    widths = {name: len(layout.columns) for name, layout in LAYOUTS.items()}
    assert widths == {
        "714": 714,
        "713": 713,
        "431": 431,
        "46": 46,
        "334": 334,
        "61": 61,
        "images": 711,
    }


@pytest.mark.parametrize("name", ["714", "713", "431", "46", "334", "61"])
def test_every_group_of_every_layout(name: str, tmp_path: Path) -> None:
    layout = LAYOUTS[name]
    path = write(tmp_path / "a.csv", layout, rows(layout, N))
    content = [group for group, (names, _) in MEMBERS.items() if set(names) <= set(layout.columns)]
    recording = read_openface(path, groups=content, face=0 if name == "61" else "largest")
    assert (recording.n_frames, recording.fps, recording.fps_source) == (N, 25.0, "timestamps")
    assert recording.valid.all()
    assert set(recording.groups) == set(content)
    for group in content:
        values = recording.groups[group]
        np.testing.assert_allclose(values, planted(group, N), rtol=PRINTED, err_msg=group)
        assert values.flags.c_contiguous
        assert values.dtype == np.float64
    assert recording.au_presence_names == tuple(unit[:-2] for unit in AU_C)
    assert recording.au_intensity_names == tuple(unit[:-2] for unit in AU_R)


@pytest.mark.parametrize("name", ["714", "431", "334"])
def test_equal_to_pandas(name: str, tmp_path: Path) -> None:
    layout = LAYOUTS[name]
    rng = np.random.default_rng(1)
    table = rows(layout, 40, make=lambda column, *_: float(rng.normal()))
    path = write(tmp_path / "a.csv", layout, table)
    frame = pd.read_csv(path, skipinitialspace=True)
    frame.columns = frame.columns.str.strip()
    # Noise is no movement of a head.
    for group, values in read_openface(path, max_speed=np.inf, max_turn=np.inf).groups.items():
        names, axes = MEMBERS[group]
        expected = frame[names].to_numpy(dtype=float)
        if axes:
            expected = expected.reshape(-1, *axes).swapaxes(1, 2)
        np.testing.assert_allclose(values, expected, rtol=PRINTED, err_msg=group)


def test_case_is_never_folded(tmp_path: Path) -> None:
    layout = LAYOUTS["714"]
    recording = read_openface(
        write(tmp_path / "a.csv", layout, rows(layout, 3)), groups=["landmarks_2d", "landmarks_3d"]
    )
    assert recording.groups["landmarks_2d"][2, 5, 0] == value("x_5", 2)
    assert recording.groups["landmarks_3d"][2, 5, 0] == value("X_5", 2)


def test_order_of_columns_does_not_matter(tmp_path: Path) -> None:
    turned = Layout(SMALL.columns[::-1])
    one = read_openface(write(tmp_path / "a.csv", SMALL, rows(SMALL, N)))
    two = read_openface(write(tmp_path / "b.csv", turned, rows(turned, N)))
    for group in one.groups:
        np.testing.assert_array_equal(one.groups[group], two.groups[group])
    assert two.au_presence_names == ("AU01", "AU28")


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("blank", ["", " ", "  "])
@pytest.mark.parametrize("start", ["", "\ufeff", "\n"])
def test_header_styles(newline: str, blank: str, start: str, tmp_path: Path) -> None:
    layout = Layout(SMALL.columns, blank, blank, newline)
    path = tmp_path / "a.csv"
    path.write_bytes((start + text(layout, rows(layout, N))).encode())
    recording = read_openface(path)
    assert (recording.n_frames, int(recording.valid.sum())) == (N, N)
    np.testing.assert_allclose(recording.groups["pose_rotation"], planted("pose_rotation", N))


def test_header_in_quotes_with_a_column_of_row_names(tmp_path: Path) -> None:
    lines = text(SMALL, rows(SMALL, N)).splitlines()
    head = ",".join(f'"{name}"' for name in ("", *SMALL.columns))
    body = [f'"{number}",{line}' for number, line in enumerate(lines[1:], start=1)]
    path = tmp_path / "a.csv"
    path.write_text("\n".join([head, *body]) + "\n")
    assert read_openface(path).n_frames == N


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress])
def test_compressed(pack: Callable[[bytes], bytes], tmp_path: Path) -> None:
    data = text(SMALL, rows(SMALL, N)).encode()
    path = tmp_path / "a.packed"
    path.write_bytes(pack(data))
    assert read_openface(path).n_frames == N
    path.write_bytes(path.read_bytes()[:60])
    with pytest.raises(OpenFaceError, match="compression is damaged"):
        read_openface(path)


# ---- frames and time ---------------------------------------------------------------------------


@pytest.mark.parametrize("first", [0, 1])
def test_numbering_from_zero_or_one(first: int, tmp_path: Path) -> None:
    recording = read_openface(write(tmp_path / "a.csv", SMALL, rows(SMALL, N, first=first)))
    assert (recording.n_frames, recording.log.frames_missing, recording.log.notes) == (
        N,
        0,
        ("the file has no columns for 'landmarks_2d'",),
    )


def test_gaps_are_frames(tmp_path: Path) -> None:
    recording = read_openface(small(tmp_path, lambda table: [table.pop(i) for i in (7, 6, 2)]))
    assert (recording.n_frames, recording.log.frames_missing) == (N, 3)
    np.testing.assert_array_equal(np.flatnonzero(~recording.present), [2, 6, 7])
    expected = planted("pose_translation", N)
    expected[[2, 6, 7]] = np.nan
    np.testing.assert_allclose(recording.groups["pose_translation"], expected, rtol=PRINTED)
    assert recording.fps == 25.0
    assert np.isnan(recording.confidence[[2, 6, 7]]).all()


def test_gap_before_the_first_row(tmp_path: Path) -> None:
    recording = read_openface(small(tmp_path, lambda table: table.__delitem__(slice(0, 4))))
    assert (recording.n_frames, recording.log.frames_missing) == (N, 4)
    assert "the first frame is number 5: the 4 before it count as missing" in recording.log.notes


def test_rows_in_another_order(tmp_path: Path) -> None:
    recording = read_openface(small(tmp_path, lambda table: table.reverse()))
    np.testing.assert_allclose(
        recording.groups["pose_rotation"], planted("pose_rotation", N), rtol=PRINTED
    )


def test_doubled_frames_keep_the_valid_one_of_highest_confidence(tmp_path: Path) -> None:
    def double(table: list[dict]) -> None:
        failed = {**table[3], "success": 0.0, "confidence": 0.99, "pose_Tx": -1.0}
        better = {**table[5], "confidence": 0.99, "pose_Tx": -2.0}
        same = {**table[8], "pose_Tx": -3.0}
        table[3:4] = [failed, table[3]]
        table += [better, same]

    recording = read_openface(small(tmp_path, double), max_speed=np.inf)
    assert (recording.n_frames, recording.log.rows_doubled, recording.log.rows_read) == (N, 3, 15)
    expected = planted("pose_translation", N)
    expected[5, 0] = -2.0
    np.testing.assert_allclose(recording.groups["pose_translation"], expected, rtol=PRINTED)
    assert any("3 rows dropped that repeat a frame" in note for note in recording.log.notes)


def test_frame_zero_in_every_row(tmp_path: Path) -> None:
    recording = read_openface(
        small(tmp_path, lambda table: [row.update(frame=0.0) for row in table])
    )
    assert (recording.n_frames, recording.fps, recording.log.rows_doubled) == (N, 25.0, 0)
    assert (
        "the frame number is 0 in every row: rows are treated as consecutive frames"
        in recording.log.notes
    )


def test_no_frame_column(tmp_path: Path) -> None:
    layout = Layout([name for name in SMALL.columns if name not in ("frame", "face_id")])
    recording = read_openface(write(tmp_path / "a.csv", layout, rows(layout, N)))
    assert recording.n_frames == N
    assert "no_frame_numbers" in codes_of(joined(recording.log.notes))


@pytest.mark.parametrize(
    ("field", "message"),
    [
        ("-3", "holds -3"),
        ("1.5", "holds 1.5"),
        ("", "holds nothing"),
        ("nan", "holds nothing"),
        ("900000000", "out of proportion"),
        ("1e300", "holds 1e"),
    ],
)
def test_impossible_frame_numbers(field: str, message: str, tmp_path: Path) -> None:
    path = small(tmp_path)
    lines = path.read_text().splitlines()
    lines[5] = field + lines[5][lines[5].index(",") :]
    path.write_text("\n".join(lines) + "\n")
    with pytest.raises(OpenFaceError, match=re.escape(message)) as caught:
        read_openface(path)
    assert str(path) in str(caught.value)
    assert "row 5" in str(caught.value)


def test_a_damaged_frame_number_is_no_gap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = [f"{k + 1},{k / 25:.3f},0.9,1,0,0,0" for k in range(60)]
    head = "frame,timestamp,confidence,success,pose_Rx,pose_Ry,pose_Rz"
    damaged = tmp_path / "damaged.csv"
    damaged.write_text("\n".join([head, *lines]).replace("\n31,1.200", "\n3100,1.200") + "\n")
    with pytest.raises(
        OpenFaceError, match=r"frame number 3100 in row 31 .* timestamp 1\.2, where"
    ):
        read_openface(damaged, groups=["pose_rotation"])
    # A gap of as many frames, which the timestamps have, too.
    gap = tmp_path / "gap.csv"
    late = [f"{k + 3001},{(k + 3000) / 25:.3f},0.9,1,0,0,0" for k in range(60)]
    gap.write_text("\n".join([head, *lines, *late]) + "\n")
    assert read_openface(gap, groups=["pose_rotation"]).n_frames == 3060
    # Gaps take memory, too: so much that a file of this size may.
    monkeypatch.setattr(time, "most_unpacked", lambda size: 12 * size)
    with pytest.raises(
        OpenFaceError, match=r"has 3,060 frames for 120 rows, and takes .* cut it at its long gaps"
    ):
        read_openface(gap, groups=["pose_rotation"])


@pytest.mark.parametrize(
    "fps",
    [4, 7.5, 12.5, 15, 24000 / 1001, 24, 25, 30000 / 1001, 30, 50, 60000 / 1001, 60, 120, 240],
)
@pytest.mark.parametrize("fixed", [True, False])
def test_rate_from_timestamps(fps: float, fixed: bool, tmp_path: Path) -> None:
    layout = Layout(SMALL.columns, fixed=fixed)
    path = write(tmp_path / "a.csv", layout, rows(layout, 300, fps=fps))
    recording = read_openface(path)
    assert (recording.fps, recording.fps_source) == (fps, "timestamps")
    assert recording.log.notes == ("the file has no columns for 'landmarks_2d'",)


def test_stated_rate_wins_and_is_checked(tmp_path: Path) -> None:
    path = small(tmp_path, n=100)
    recording = read_openface(path, fps=50)
    assert (recording.fps, recording.fps_source) == (50.0, "stated")
    # 99 frames last 3.96 s at 25 a second and 1.98 s at 50.
    assert "timestamps and frame number / 50 are up to 1.98 s apart" in recording.log.notes[0]
    assert len(read_openface(path, fps=25).log.notes) == len(recording.log.notes) - 1


@pytest.mark.parametrize(
    ("stamp", "message"),
    [
        (lambda i: 0.0, "all timestamps are 0"),
        (lambda i: i / 1000, "timestamps claim 1000 frames per second"),
        (lambda i: i * 2.0, "timestamps claim 0.5 frames per second"),
        (lambda i: -i / 25, "timestamps do not increase"),
        (lambda i: "nan", "fewer than two frames have a timestamp"),
    ],
)
def test_timestamps_that_cannot_be_believed(
    stamp: Callable[[int], float | str], message: str, tmp_path: Path
) -> None:
    def spoil(table: list[dict]) -> None:
        for number, row in enumerate(table):
            row["timestamp"] = stamp(number)

    path = small(tmp_path, spoil)
    recording = read_openface(path)
    assert (recording.fps, recording.fps_source) == (30.0, "default")
    assert any(
        note.startswith(message) and "30 frames per second are assumed" in note
        for note in recording.log.notes
    )
    stated = read_openface(path, fps=24)
    assert (stated.fps, stated.fps_source) == (24.0, "stated")
    assert len(stated.log.notes) == 1


def test_timestamps_absent_or_a_single_row(tmp_path: Path) -> None:
    layout = Layout([name for name in SMALL.columns if name != "timestamp"])
    recording = read_openface(write(tmp_path / "a.csv", layout, rows(layout, N)))
    assert (recording.fps, recording.fps_source) == (30.0, "default")
    assert "no_timestamps" in codes_of(joined(recording.log.notes))
    assert read_openface(small(tmp_path, n=1)).fps_source == "default"


def test_uneven_timestamps_give_their_mean(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    stamps = np.cumsum(rng.uniform(0.03, 0.05, 400))
    stamps -= stamps[0]

    def spread(table: list[dict]) -> None:
        for row, stamp in zip(table, stamps, strict=True):
            row["timestamp"] = stamp

    recording = read_openface(small(tmp_path, spread, n=400), clock="frames")
    assert recording.fps == pytest.approx(399 / stamps[-1], rel=1e-4)
    assert "uneven_timestamps" in codes_of(joined(recording.log.notes))


def test_a_stop_of_the_clock_does_not_change_the_rate(tmp_path: Path) -> None:
    def stop(table: list[dict]) -> None:
        for row in table[60:]:
            row["timestamp"] += 10

    recording = read_openface(small(tmp_path, stop, n=200), clock="frames")
    assert recording.fps == 25.0
    assert any("up to 10 s apart" in note for note in recording.log.notes)


# ---- validity ----------------------------------------------------------------------------------


def test_failed_rows_are_nan_whatever_they_hold(tmp_path: Path) -> None:
    def fail(table: list[dict]) -> None:
        table[2].update(success=0.0, confidence=0.0, pose_Tz=2.8e7)
        table[3].update(dict.fromkeys(SMALL.columns[4:], 0.0))
        table[4].update(success=0.0)  # values gone stale
        table[5].update(success="nan")

    recording = read_openface(small(tmp_path, fail))
    np.testing.assert_array_equal(np.flatnonzero(~recording.valid), [2, 3, 4, 5])
    assert (recording.log.frames_failed, recording.log.frames_missing) == (4, 0)
    assert recording.present.all()
    for group in recording.groups.values():
        assert np.isnan(group[2:6]).all()
        assert np.isfinite(group[[0, 1, *range(6, N)]]).all()


def test_min_confidence(tmp_path: Path) -> None:
    path = small(tmp_path, lambda table: [row.update(confidence=0.9) for row in table[:5]])
    assert read_openface(path).log.frames_failed == 0
    assert read_openface(path, min_confidence=0.9).log.frames_failed == 0
    recording = read_openface(path, min_confidence=0.95)
    np.testing.assert_array_equal(np.flatnonzero(~recording.valid), range(5))
    np.testing.assert_allclose(recording.confidence, [0.9] * 5 + [0.98] * 7)


def test_without_success(tmp_path: Path) -> None:
    layout = Layout([name for name in SMALL.columns if name != "success"])
    table = rows(layout, N)
    table[1]["confidence"], table[2]["confidence"] = 0.72, 0.73
    recording = read_openface(write(tmp_path / "a.csv", layout, table))
    np.testing.assert_array_equal(np.flatnonzero(~recording.valid), [1])
    assert "no_success" in codes_of(joined(recording.log.notes))


def test_without_confidence(tmp_path: Path) -> None:
    layout = Layout([name for name in SMALL.columns if name != "confidence"])
    path = write(tmp_path / "a.csv", layout, rows(layout, N))
    recording = read_openface(path)
    assert "there is no column 'confidence'" in recording.log.notes
    assert np.isnan(recording.confidence).all()
    with pytest.raises(OpenFaceError, match=r"min_confidence=0\.8 was requested"):
        read_openface(path, min_confidence=0.8)


def test_without_success_and_confidence(tmp_path: Path) -> None:
    layout = Layout([name for name in SMALL.columns if name not in ("confidence", "success")])
    recording = read_openface(write(tmp_path / "a.csv", layout, rows(layout, N)))
    assert recording.valid.all()
    assert "neither_success_nor_confidence" in codes_of(joined(recording.log.notes))


NAN_SPELLINGS = [
    *("nan", "-nan", "NaN", "+nan", "-nan(ind)", "nan(ind)", "-NaN", "nan(snan)"),
    *(
        "1.#QNAN",
        "-1.#QNAN",
        "1.#IND",
        "-1.#IND",
        "-1.#IND00",
        "1.#INF",
        "-1.#INF",
        "1.#R",
        "-1.#J",
    ),
    *("inf", "-inf", "Infinity", "1e999", "", "NA", "null"),
]


@pytest.mark.parametrize("spelling", NAN_SPELLINGS)
@pytest.mark.parametrize("blank", ["", " ", "  "])
def test_values_that_are_no_number(spelling: str, blank: str, tmp_path: Path) -> None:
    layout = Layout(SMALL.columns, row_blank=blank)
    table = rows(layout, N)
    table[4]["pose_Rx"] = spelling
    recording = read_openface(write(tmp_path / "a.csv", layout, table))
    expected = planted("pose_rotation", N)
    expected[4, 0] = np.nan
    np.testing.assert_allclose(recording.groups["pose_rotation"], expected, rtol=PRINTED)
    assert recording.valid.all()
    assert recording.log.values_missing == 1
    assert "1 value in valid frames not a number, treated as missing" in recording.log.notes


# ---- damaged rows ------------------------------------------------------------------------------


def test_rows_cut_or_overlong_are_dropped_whole(tmp_path: Path) -> None:
    path = small(tmp_path)
    lines = path.read_text().splitlines()
    lines[4] = lines[4][: len(lines[4]) // 2]
    lines[6] += ",1,2"
    lines.insert(8, "")
    path.write_text("\n".join(lines) + "\n")
    recording = read_openface(path)
    log = recording.log
    assert (log.rows_read, log.rows_cut, log.rows_overlong, log.frames_missing) == (N - 2, 1, 1, 2)
    np.testing.assert_array_equal(np.flatnonzero(~recording.present), [3, 5])
    assert "1 cut row dropped whole" in log.notes


def frames_kept(recording: OpenFaceRecording) -> tuple[int, int]:
    return recording.n_frames, recording.log.rows_cut


@pytest.mark.parametrize("name", ["714", "46", "small"])
def test_cut_in_the_last_line_at_any_byte(name: str, tmp_path: Path) -> None:
    layout = {**LAYOUTS, "small": SMALL}[name]
    data = text(layout, rows(layout, 3)).encode()
    last = data.rstrip().rindex(b"\n") + 1
    end = len(data) - len(layout.newline)
    path = tmp_path / "a.csv"
    whole = planted("pose_translation", 3)
    cuts = (
        range(last, len(data) + 1)
        if name == "small"
        else [*range(last, last + 30), *range(end - 30, len(data) + 1)]
    )
    for cut in cuts:
        path.write_bytes(data[:cut])
        recording = read_openface(path, groups=["pose_translation"])
        kept = 3 if cut >= end else 2
        assert frames_kept(recording) == (kept, int(cut > last and kept == 2)), data[last:cut]
        np.testing.assert_allclose(recording.groups["pose_translation"], whole[:kept], rtol=PRINTED)


@pytest.mark.parametrize("end", ["-", "1.", "-0.", "1e-", "1.#I", "-na"])
def test_cut_within_a_last_number_that_is_read(end: str, tmp_path: Path) -> None:
    layout = Layout(["frame", *TIME, *POSE])
    path = write(tmp_path / "a.csv", layout, rows(layout, N))
    path.write_text(path.read_text().rstrip().rpartition(",")[0] + "," + end)
    assert frames_kept(read_openface(path)) == (N - 1, 1)


@pytest.mark.parametrize(
    ("column", "content"),
    [
        ("pose_Tx", "abc"),
        ("pose_Rz", "1,5".replace(",", ";")),
        ("success", "yes"),
        ("pose_Ty", "\u0663"),
        ("pose_Tz", "1\uff12"),
    ],
)
def test_text_among_numbers_names_column_row_and_value(
    column: str, content: str, tmp_path: Path
) -> None:
    path = small(tmp_path, lambda table: table[6].update({column: content}))
    with pytest.raises(
        OpenFaceError, match=f"column '{column}' must hold numbers, but row 7 holds '{content}'"
    ):
        read_openface(path)
    lines = path.read_text().splitlines()
    lines[2] = "2,0"  # a dropped row does not shift the count
    path.write_text("\n".join(lines) + "\n")
    with pytest.raises(OpenFaceError, match="row 7 holds"):
        read_openface(path)


def test_text_in_a_column_that_is_not_read_is_left_alone(tmp_path: Path) -> None:
    path = small(tmp_path, lambda table: table[6].update(AU01_r="abc"))
    assert read_openface(path, groups=["pose_rotation"]).n_frames == N


def test_bytes_that_are_not_utf8_in_a_row(tmp_path: Path) -> None:
    path = small(tmp_path)
    path.write_bytes(path.read_bytes().replace(b"0.98", b"\xff.98", 1))
    with pytest.raises(OpenFaceError, match="column 'confidence' must hold numbers, but row 1"):
        read_openface(path)


@pytest.mark.parametrize("piece", [1, 2, 64, 1000])
def test_files_are_read_in_pieces_to_the_same_end(
    piece: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = text(SMALL, rows(SMALL, N)).encode()
    cases = [data, data[:-3], data + b"1,\xff\n", data.replace(b"\n", b"\r\n"), gzip.compress(data)]
    path = tmp_path / "a.csv"
    for content in cases:
        path.write_bytes(content)
        one = read_openface(path)
        with monkeypatch.context() as patch:
            patch.setattr("pyexpr.behavior.openface.text._PIECE", piece)
            patch.setattr("pyexpr.behavior.openface.text._WORTH_A_THREAD", 0)
            two = read_openface(path)
        assert one.log == two.log
        for group in one.groups:
            np.testing.assert_array_equal(one.groups[group], two.groups[group])


def test_threads_read_the_same(tmp_path: Path) -> None:
    path = small(tmp_path, n=200)
    path.write_text(path.read_text().replace("\n50,", "\n50,0\n50,"))
    with ThreadPoolExecutor(8) as pool:
        read = list(pool.map(read_openface, [path] * 40))
    for one in read:
        assert one.log == read[0].log
        np.testing.assert_array_equal(
            one.groups["pose_translation"], read[0].groups["pose_translation"]
        )


def test_a_recording_can_be_sent_to_another_process(tmp_path: Path) -> None:
    one = read_openface(small(tmp_path))
    two = pickle.loads(pickle.dumps(one))
    assert (two.log, two.fps, two.n_frames) == (one.log, one.fps, one.n_frames)
    np.testing.assert_array_equal(two.groups["pose_translation"], one.groups["pose_translation"])


# ---- files that are not recordings ---------------------------------------------------------------

NOT_RECORDINGS = {
    "empty": (b"", "the file is empty"),
    "blank": (b" \n\r\n ", "the file is empty"),
    "header only": (text(SMALL, []).encode(), "a header but no rows"),
    "cut in the header": (text(SMALL, []).encode()[:-9], "ends within its first line, after 15"),
    "cut rows only": (text(SMALL, []).encode() + b"1, 0\n2, 0\n", "no whole row: 2 of 2 rows"),
    "one row without an end": (
        text(SMALL, rows(SMALL, 1)).encode().rstrip(),
        "no whole row: 1 of 1 rows",
    ),
    "another header": (
        text(SMALL, []).encode() + b"1," * 99 + b"1\n",
        "header and rows do not belong together",
    ),
    "binary": (bytes(range(256)) * 9, "a binary file"),
    "latin": (b"\xe9\xe8,\xff\n1,2\n", "a binary file, or text"),
    "another table": (
        b"subject,task,score\n1,2,3\n",
        "not an OpenFace file: its header lacks 'frame', 'face_id', 'timestamp', 'confidence', "
        "'success' and all landmarks, pose, gaze and action units; its first column is 'subject'",
    ),
    "semicolons": (b"frame;timestamp;score\n1;0;1\n", "no landmarks, pose, gaze or action units"),
    "tabs": (
        b"frame\tsuccess\tx_0\n1\t0\t1\n",
        "of the 136 columns of landmarks_2d the",
    ),
    "time only": (b"frame,timestamp,success\n1,0,1\n", "no landmarks, pose, gaze or action units"),
    "images": (
        text(LAYOUTS["images"], rows(LAYOUTS["images"], 2)).encode(),
        "for single images: it lacks the columns 'frame' and 'timestamp'",
    ),
    "no time": (b"Frames,pose_Tx,pose_Ty,pose_Tz\n1,2,3,4\n", "did you mean 'Frames'?"),
    "doubled name": (
        b"frame,timestamp,pose_Tx,pose_Ty,pose_Tz,pose_Tx\n1,0,1,1,1,1\n",
        "names the column 'pose_Tx' twice",
    ),
    "part of a group": (
        b"frame,timestamp,pose_Tx,pose_Ty\n1,0,1,1\n",
        "of the 3 columns of pose_translation the file lacks 'pose_Tz'",
    ),
    "damaged gzip": (gzip.compress(b"frame,x_0\n" * 99)[:20], "compression is damaged"),
    "a line without end": (
        b"frame,x_0," + b"9" * 3_000_000 + b"\n1,2,3\n",
        "within its first line",
    ),
    "a row without end": (
        text(SMALL, rows(SMALL, 2)).encode() + b"9," * 2_000_000 + b"\n",
        "a line is longer than",
    ),
}


@pytest.mark.parametrize("case", NOT_RECORDINGS)
def test_files_that_are_not_recordings(case: str, tmp_path: Path) -> None:
    content, message = NOT_RECORDINGS[case]
    path = tmp_path / "bad.csv"
    path.write_bytes(content)
    for function in (read_openface, describe_openface):
        with pytest.raises(OpenFaceError, match=re.escape(message)) as caught:
            function(path)
        assert str(caught.value).startswith(f"{str(path)!r}: ")


def test_absent_folder_and_name_that_cannot_be(tmp_path: Path) -> None:
    with pytest.raises(OpenFaceError, match="there is no such file"):
        read_openface(tmp_path / "absent.csv")
    with pytest.raises(OpenFaceError, match="this is a folder"):
        read_openface(tmp_path)
    with pytest.raises(OpenFaceError, match="cannot be read"):
        read_openface("a\0b.csv")


def test_no_permission(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Root may read everything, so the refusal itself is simulated.
    def refuse(*args: object, **kwargs: object) -> None:
        raise PermissionError(13, "Permission denied")

    path = small(tmp_path)
    monkeypatch.setattr("builtins.open", refuse)
    with pytest.raises(OpenFaceError, match="no permission to read it"):
        read_openface(path)


# ---- groups and faces ----------------------------------------------------------------------------


def test_groups_that_a_file_lacks(tmp_path: Path) -> None:
    path = small(tmp_path)
    with pytest.raises(OpenFaceError, match=r"no columns for 'landmarks_2d'; it has 'pose_tr"):
        read_openface(path, groups=["landmarks_2d", "pose_rotation"])
    recording = read_openface(path, groups=["landmarks_2d", "pose_rotation"], on_missing="note")
    assert set(recording.groups) == {"pose_rotation"}
    assert "the file has no columns for 'landmarks_2d'" in recording.log.notes


def test_gaze_vectors_stand_in_for_angles(tmp_path: Path) -> None:
    layout = LAYOUTS["431"]
    recording = read_openface(write(tmp_path / "a.csv", layout, rows(layout, N)))
    assert "gaze_angle" not in recording.groups
    np.testing.assert_allclose(
        recording.groups["gaze_vector"], planted("gaze_vector", N), rtol=PRINTED
    )
    assert "gaze is read from its vectors" in recording.log.notes


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"groups": ["landmarks"]}, "groups= has no 'landmarks'; did you mean"),
        ({"groups": "landmarks_2d"}, "groups= must be a list"),
        ({"fps": 0}, "fps= must be a positive number"),
        ({"fps": float("nan")}, "fps= must be a positive number"),
        ({"min_confidence": 80}, "min_confidence= must be between 0 and 1"),
        ({"face": "first"}, "face= must be 'largest', 'left', 'right' or a face_id"),
        ({"fps": "25"}, "fps= must be a positive number"),
        ({"face": None}, "face= must be 'largest', 'left', 'right' or a face_id"),
        ({"face": float("inf")}, "face= must be 'largest', 'left', 'right' or a face_id"),
        ({"face": 0.5}, "face= must be 'largest', 'left', 'right' or a face_id"),
        ({"face": True}, "face= must be 'largest', 'left', 'right' or a face_id"),
        ({"on_missing": "ignore"}, "on_missing= must be"),
    ],
)
def test_arguments(arguments: dict, message: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=re.escape(message)):
        read_openface(small(tmp_path), **arguments)


FACES = Layout([*SMALL.columns, *POINTS_2D], faces=(0, 1, 2))


def face_points(name: str, frame: int, face: int) -> float:
    """Face 1 is twice as large as the others; each stands elsewhere and drifts slowly."""
    if name in POINTS_2D:
        axis, point = name.split("_")
        size = 200 if face == 1 else 100
        spread = size * int(point) / 67 if axis == "x" else size * (int(point) % 7) / 6
        return 300.0 * face + spread + 0.1 * frame
    return value(name, frame, face)


def test_the_largest_face_is_followed(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", FACES, rows(FACES, N, make=face_points))
    for groups in (None, ["pose_translation"]):  # also where no landmarks were requested
        recording = read_openface(path, groups=groups)
        np.testing.assert_allclose(
            recording.groups["pose_translation"], planted("pose_translation", N, 1), rtol=PRINTED
        )
        assert (recording.log.faces, recording.log.rows_other_face) == (3, 2 * N)
        assert (
            "3 faces: face_id 1 is followed (largest sum of size over its valid frames)"
            in recording.log.notes
        )
    other = read_openface(path, face=2)
    np.testing.assert_allclose(
        other.groups["pose_translation"], planted("pose_translation", N, 2), rtol=PRINTED
    )
    with pytest.raises(OpenFaceError, match="no face with face_id 7; the file has '0', '1', '2'"):
        read_openface(path, face=7)


def test_a_large_face_seen_for_a_moment_does_not_win(tmp_path: Path) -> None:
    table = [
        row for row in rows(FACES, N, make=face_points) if row["face_id"] != 1 or row["frame"] <= 3
    ]
    recording = read_openface(write(tmp_path / "a.csv", FACES, table))
    assert any("face_id 0 is followed" in note for note in recording.log.notes)
    follow = read_openface(tmp_path / "a.csv", face=1)
    assert (follow.n_frames, follow.log.frames_missing) == (N, N - 3)


@pytest.mark.parametrize("garbage", [None, "-nan(ind)", "inf"])
def test_failed_rows_do_not_make_a_face_large(garbage: str | None, tmp_path: Path) -> None:
    table = rows(FACES, N, make=face_points)
    for row in table:
        if row["face_id"] == 1:
            row["success"] = 0.0
            row.update(dict.fromkeys(POINTS_2D[::3], garbage) if garbage else {})
    recording = read_openface(write(tmp_path / "a.csv", FACES, table))
    assert any("face_id 0 is followed" in note for note in recording.log.notes)


def test_time_is_derived_from_the_rows_of_all_faces(tmp_path: Path) -> None:
    table = [
        row for row in rows(FACES, N, make=face_points) if row["face_id"] != 1 or row["frame"] == 3
    ]
    recording = read_openface(write(tmp_path / "a.csv", FACES, table), face=1)
    assert (recording.fps, recording.fps_source, recording.log.frames_missing) == (
        25.0,
        "timestamps",
        N - 1,
    )


def test_a_face_id_that_passes_to_another_person_is_noted(tmp_path: Path) -> None:
    table = rows(FACES, N, make=face_points)
    for row in table:
        if row["face_id"] == 1 and row["frame"] > 6:
            row.update({name: row[name] + 400 for name in POINTS_2D})
    recording = read_openface(write(tmp_path / "a.csv", FACES, table))
    assert any("jumps by more than half its size (1 time)" in note for note in recording.log.notes)


def test_faces_without_landmarks_go_by_confidence(tmp_path: Path) -> None:
    layout = LAYOUTS["61"]
    table = rows(layout, N)
    for row in table:
        row["confidence"] = 0.99 if row["face_id"] == 2 else 0.9
    recording = read_openface(write(tmp_path / "a.csv", layout, table))
    assert any(
        "face_id 2 is followed (largest sum of confidence" in note for note in recording.log.notes
    )


def test_a_single_frame_with_several_faces(tmp_path: Path) -> None:
    recording = read_openface(write(tmp_path / "a.csv", FACES, rows(FACES, 1, make=face_points)))
    assert (recording.n_frames, recording.log.rows_other_face) == (1, 2)


def test_several_faces_without_frame_numbers(tmp_path: Path) -> None:
    table = rows(FACES, N, make=face_points)
    for row in table:
        row["frame"] = 0.0
    recording = read_openface(write(tmp_path / "a.csv", FACES, table))
    assert (recording.n_frames, recording.log.rows_doubled) == (N, 0)
    assert "timestamps_as_frames" in codes_of(joined(recording.log.notes))
    for row in table:
        row["timestamp"] = 0.0
    with pytest.raises(OpenFaceError, match="timestamps do not tell"):
        read_openface(write(tmp_path / "b.csv", FACES, table))


def test_face_where_there_is_no_face_id(tmp_path: Path) -> None:
    layout = LAYOUTS["713"]
    path = write(tmp_path / "a.csv", layout, rows(layout, 3))
    recording = read_openface(path, face=0)
    assert recording.n_frames == 3
    assert "no_face_ids" in codes_of(joined(recording.log.notes))
    with pytest.raises(OpenFaceError, match="no column 'face_id'"):
        read_openface(path, face=1)


# ---- what a recording shows, and what describe_openface says ------------------------------------


def test_tidy_and_text(tmp_path: Path) -> None:
    recording = read_openface(small(tmp_path))
    table = recording.tidy()
    assert list(table.columns) == ["group", "shape", "unit", "known"]
    assert table.set_index("group").loc["pose_translation", "unit"] == "mm"
    assert "12 frames at 25 per second (timestamps), 12 valid" in str(recording)
    assert recording.to_dict()["provenance"]["rows_read"] == N
    assert repr(recording).startswith("<OpenFaceRecording ")


@pytest.mark.parametrize(
    ("name", "layout", "faces"),
    [
        ("714", "OpenFace 2", 1),
        ("431", "OpenFace 0 or 1, or a part of 2", 1),
        ("61", "OpenFace 2", 3),
    ],
)
def test_describe(name: str, layout: str, faces: int, tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", LAYOUTS[name], rows(LAYOUTS[name], N))
    (row,) = describe_openface(path).to_dict(orient="records")
    assert (row["layout"], row["faces"], row["columns"]) == (layout, faces, int(name))
    assert (row["frames"], row["fps"], row["rows"]) == (N, 25.0, N * faces)
    content = [
        group for group, (names, _) in MEMBERS.items() if set(names) <= set(LAYOUTS[name].columns)
    ]
    assert set(row["groups"].split()) == set(content)


# ---- anything at all -----------------------------------------------------------------------------

FUZZ = settings(max_examples=100, deadline=None, derandomize=True)
VALID = text(SMALL, rows(SMALL, 4)).encode()


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fuzz") / "a.csv"


def assert_usable_or_refused(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    try:
        recording = read_openface(path)
    except OpenFaceError as error:
        named = str(error).startswith(f"{str(path)!r}: ")
    else:
        named = True
        check(recording)
    assert named


def check(recording: OpenFaceRecording) -> None:
    n = recording.n_frames
    assert n > 0
    assert recording.fps > 0
    for values in recording.groups.values():
        assert len(values) == n
        assert np.isnan(values[~recording.valid]).all()
        assert not np.isinf(values).any()
    assert (recording.present | ~recording.valid).all()
    assert recording.log.frames_missing == n - recording.present.sum()
    log = recording.log
    assert log.rows_read == recording.present.sum() + log.rows_doubled + log.rows_other_face


@FUZZ
@given(st.binary(max_size=400))
@example(b"\xef\xbb\xbf")
def test_random_bytes(scratch: Path, content: bytes) -> None:
    assert_usable_or_refused(scratch, content)


@FUZZ
@given(st.integers(0, len(VALID)))
def test_a_file_cut_anywhere(scratch: Path, length: int) -> None:
    assert_usable_or_refused(scratch, VALID[:length])


@FUZZ
@given(st.integers(0, len(VALID) - 1), st.binary(max_size=3), st.integers(0, 4))
def test_a_file_changed_anywhere(scratch: Path, at: int, put: bytes, taken: int) -> None:
    assert_usable_or_refused(scratch, VALID[:at] + put + VALID[at + taken :])


@FUZZ
@given(st.lists(st.sampled_from([b",", b"\n", b"\r", b'"', b" ", b"1", b"nan", b"-", b"x_0"])))
def test_a_header_followed_by_anything(scratch: Path, pieces: list[bytes]) -> None:
    head = VALID[: VALID.index(b"\n") + 1]
    assert_usable_or_refused(scratch, head + b"".join(pieces))


# ---- real files ----------------------------------------------------------------------------------

# file -> frames, fps, source, rows cut
REAL = {
    "facsvatar_demo_714.csv": (490, 25.0, "timestamps", 0),
    "facsvatar_head_test_713.csv": (715, 30.0, "timestamps", 0),
    "facsvatar_jt_714_truncated.csv": (474, 25.0, "timestamps", 1),
    "pyfeat_OpenFace_Test.csv": (100, 30.0, "default", 0),
}
FOLDER = Path(os.environ.get("PYEXPR_REAL_DATA", "/nonexistent"))

if FOLDER.is_dir():

    @pytest.mark.parametrize("name", REAL)
    def test_real_files(name: str) -> None:
        path = next(FOLDER.rglob(name))
        frames, fps, source, cut = REAL[name]
        recording = read_openface(path)
        assert (recording.n_frames, recording.fps, recording.fps_source) == (frames, fps, source)
        assert (int(recording.valid.sum()), recording.log.rows_cut) == (frames, cut)
        frame = pd.read_csv(path, skipinitialspace=True, low_memory=False).iloc[:frames]
        frame.columns = frame.columns.str.strip()
        for group, values in read_openface(
            path, groups=list(MEMBERS), on_missing="note"
        ).groups.items():
            names, axes = MEMBERS[group]
            expected = frame[names].to_numpy(dtype=float)
            if axes:
                expected = expected.reshape(-1, *axes).swapaxes(1, 2)
            np.testing.assert_allclose(values, expected, rtol=PRINTED, err_msg=group)
