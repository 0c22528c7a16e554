"""What is wrong with a table or a layout is said in a sentence, with what to do."""

from __future__ import annotations

import gzip
import json
import re
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from behavior.tracks_tables import flat, mediapipe, moving, py_feat

import pyexpr as px
from pyexpr.base import unpacking
from pyexpr.base.errors import DataError, LayoutError, OpenFaceError, TracksError
from pyexpr.base.feather_file import feather_table
from pyexpr.base.parquet_file import parquet_table
from pyexpr.behavior.openface.csv import read_header
from pyexpr.behavior.openface.parts import parts_read_once
from pyexpr.behavior.openface.recording import read_openface
from pyexpr.behavior.tracks import recognition
from pyexpr.behavior.tracks.layout import load_layout
from pyexpr.behavior.tracks.reading import read_by_layout, read_tracks
from pyexpr.behavior.tracks.table import open_table
from pyexpr.behavior.tracks.text_table import TextTable, joined_fields, split_fields
from pyexpr.study.tables import any_table

N = 30
TIMES = np.arange(N) / 25
POINTS = flat(moving(3, N), "x{}", "y{}")
XY = "[points]\nx = 'x{}'\ny = 'y{}'\n"
GIVEN: dict[str, Any] = {"points": ["x{}", "y{}"], "units": "px"}


def table(**columns: Any) -> pd.DataFrame:
    return pd.DataFrame({"t": TIMES, **POINTS, **columns})


def changed(row: int, value: float) -> Any:
    times = TIMES.copy()
    times[row] = value
    return times


def twice(frame: pd.DataFrame) -> pd.DataFrame:
    return pd.concat([frame, frame]).sort_index(kind="stable")


@pytest.mark.parametrize(
    ("frame", "given", "message"),
    [
        (table().drop(columns="t"), {}, "the table has no times.*state fps="),
        (table(f=np.arange(N)).drop(columns="t"), {"frame": "f"}, "has no times.*state fps="),
        (table(t=TIMES * 1e9), {"time": "t"}, "tell no rate of 4 to 250 frames.*state fps="),
        (table(t=changed(3, -0.04)), {"time": "t"}, "'t' has -0.04 in row 4"),
        (table(t=changed(3, 0.08)), {"time": "t"}, r"0.08 in row 4, after 0.08 in row 3.*person="),
        (table(t=changed(9, 0.04)), {"time": "t"}, "has 0.04 in row 10, after 0.32 in row 9"),
        (twice(table()), {"time": "t"}, "times must increase.*several people"),
        (table().iloc[::-1], {"time": "t"}, "in row 2, after .*: the rows are out of order; sort"),
        (
            twice(table(f=np.arange(N))), {"time": "t", "frame": "f"},
            "30 of 60 rows repeat a frame.*person=.*split_by=",
        ),
        (table(**dict.fromkeys(POINTS, np.nan)), {"time": "t"}, "no row has a point"),
        (table(ok=0), {"time": "t", "valid": "nope"}, "the column 'nope', which the table has not"),
        (table(who=["a", None] * 15), {"time": "t", "person": "who"}, "must hold whole numbers"),
        (table(x1="left"), {"time": "t"}, "column 'x1' must hold numbers, but row 1 holds 'left'"),
        (table().drop(columns="y1"), {"time": "t"}, "columns that the table has not: 'y1'"),
        (
            table().drop(columns=["x1", "y1"]), {"time": "t"},
            "of the columns of points 'x{}' the table lacks number 1",
        ),
        (table(), {"time": ("t", "clock"), "frame": "x0"}, "must hold whole numbers"),
        (table(t="noon"), {"time": ("t", "clock")}, "must hold times such as 00:01:02.500"),
    ],
)  # fmt: skip
def test_tables(frame: pd.DataFrame, given: dict, message: str, tmp_path: Path) -> None:
    path = tmp_path / "own.csv"
    frame.to_csv(path, index=False)
    for source in (path, frame):
        with pytest.raises(TracksError, match=message) as caught:
            read_tracks(source, **(GIVEN | given))
        assert len(str(caught.value)) < 500


def test_rows_are_those_of_the_file(tmp_path: Path) -> None:
    # Rows of others stand between: b's second row is the fourth.
    both = pd.concat([table(who="a"), table(t=changed(1, -1.0), who="b")]).sort_index(kind="stable")
    both.to_csv(tmp_path / "both.csv", index=False)
    for source in (both, tmp_path / "both.csv"):
        with pytest.raises(TracksError, match="'t' has -1 in row 4"):
            read_tracks(source, time="t", split_by="who", part="b", **GIVEN)


def test_a_last_line_that_was_cut(tmp_path: Path) -> None:
    path = tmp_path / "cut.csv"
    text = "t;x0;y0\n0,00;1,25;2,25\n0,04;1,50;2,50\n0,08;1,75;2"
    path.write_text(text)
    given = {"points": ["x{}", "y{}"], "units": "px", "time": "t"}
    found = read_tracks(path, **given)
    assert (found.log.rows_read, found.log.rows_cut) == (2, 1)
    path.write_text(text + ",75\n")
    assert read_tracks(path, **given).log.rows_read == 3


def test_split_by_what_is_not_there(tmp_path: Path) -> None:
    frame = table(who="a")
    with pytest.raises(TracksError, match="no rows that are read"):
        read_tracks(frame, time="t", split_by="who", part="b", **GIVEN)
    with pytest.raises(TracksError, match=r"the column 'whom', which the table has not.*'who'"):
        read_tracks(frame, time="t", split_by="whom", part="a", **GIVEN)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"points": ["x{}", "y{}"]}, "units="),
        ({"units": "px"}, "points="),
        ({"points": "x{}", "units": "px"}, "the patterns of x and y"),
        ({"points": ["x", "y{}"], "units": "px"}, "must have {} once"),
        ({"points": ["x{}", "y{}"], "units": "inch"}, "'px', 'share', 'mm', 'cm' or 'm'"),
        ({"image_size": (640,)}, "image_size= must be width and height"),
        ({"image_size": (640, -1)}, "image_size= must be width and height"),
        ({"layout": 3}, "layout= must be the name of a layout, or a path, not 3"),
        ({"layout": "mediapip"}, "did you mean 'mediapipe'"),
        ({"layout": "openface"}, "reads files"),
        ({"layout": "openface", "points": ["x{}", "y{}"], "units": "px"}, "knows its columns"),
        ({"groups": ["blends"]}, "groups= has no 'blends'"),
        ({"groups": "blendshapes"}, "must be a list of names"),
        ({"clock": "video"}, "needs the path of the video"),
        ({"split_by": "who"}, "part="),
        ({"fps": 0}, "fps= must be a positive number"),
        ({"layout": "mediapipe"}, "columns that the table has not: 'x0'"),
        ({}, "proves no layout that is known"),
    ],
)  # fmt: skip
def test_arguments(given: dict, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read_tracks(pd.DataFrame({"t": [0.0, 0.1], "a": [1.0, 2.0]}), **given)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("colour = 1", "the layout has no entry 'colour'; it has 'name'"),
        ("name = 3", "name must be text, not 3"),
        ("fps = '30'\nemotions = {columns = 'a', unit = 'x'}", 'fps must be a number .*"30"'),
        ("fps = 30.0", "names nothing to read"),
        (f"{XY}", r"\[points\] lacks the entry 'unit', which must be 'px', 'share', 'mm', 'cm' or"),
        ("[points]\nx = 'x{}'\nunit = 'px'", r"\[points\]: a point has x and y"),
        (f"{XY}unit = 'inch'", r"\[points\] unit must be 'px', .* or 'm', not \"inch\""),
        (f"{XY}unit = 'px'\nstabel = [1]", r"\[points\] has no entry 'stabel'; did you mean 'sta"),
        (f"{XY}units = 'px'", "has no entry 'units'; did you mean 'unit', 'count'.$"),
        (f"{XY}unit = 'px'\nouter_eyes = [1]", "outer_eyes are two"),
        (f"{XY}unit = 'px'\nstable = [1, -1]", "whole numbers of at least 0, but item 2 is -1"),
        (f"{XY}unit = 'px'\ncount = [0]", "of at least 1 and at most 100,000, but item 1 is 0"),
        (f"{XY}unit = 'px'\nregions.jaw = ['a']", r"\[points.regions\] jaw must be a list of"),
        (f"{XY}unit = 'px'\nregions = 3", "regions must be a table of lists of whole numbers"),
        (f"{XY}unit = 'px'\noptional = 'no'", 'optional must be true or false, not "no"'),
        (f"{XY}unit = 'px'\n[image]\nwidth = 640\nheight = 'h'", "two numbers, or two columns"),
        (f"{XY}unit = 'px'\n[proof]\nall = []", r"all must be a list of texts, one at least, not"),
        (f"time = 'ms'\n{XY}unit = 'px'", 'time must be a table, not "ms"'),
        (f"{XY}unit = 'inch'\n[time]\nunit = 'h'", r"be 'auto'.*; \[points\] unit must be"),
        ("[valid]\ncolumn = 'ok'", "one of at_least, above and equals"),
        ("[head]\nrotation = ['a', 'b']", r'a list of three texts, not \["a", "b"\]'),
        ("blendshapes = {columns = ['a', 3], unit = 'x'}", "list of texts, but item 2 is 3"),
        ("base = 'nope'", "no layout 'nope' to be the base"),
        ("base = 3", "base must be the name of a layout"),
        ("base = 'own.toml'", "is based on this layout"),
        ("base = '\\u0000.toml'".replace("'", '"'), "no layout .* to be the base"),
        ("x =", "the layout is no TOML"),
        ("x = '\x00'", "holds a NUL byte"),
        ("x = '\udc80'", "the layout is no TOML"),
        ("x = " + "9" * 5000, "a whole number of thousands of digits"),
        ("x = " + "[" * 3000 + "]" * 3000, "nested too deeply"),
    ],
)  # fmt: skip
def test_layouts(text: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "own.toml"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(LayoutError, match=message) as caught:
        load_layout(path)
    assert "own.toml" in str(caught.value)
    assert not of_pydantic(caught.value)


def of_pydantic(error: Exception) -> bool:
    """Whether an error speaks as pydantic or Python do."""
    words = "input should|valid (string|number|integer|tuple|boolean|dictionary)|field required|"
    words += r"extra input|unable to parse|value error|pydantic|strict|traceback|<class|\btuple\b"
    return re.search(words, str(error), re.IGNORECASE) is not None


# Few, as each costs milliseconds; thousands were tried when this was written.
N_SLIPS = 120
# What a slip of the hand puts where something else was.
SLIPS = (
    "3", "-1", "1e400", "nan", "0.0", '""', '"px"', '"x{}"', '"{}"', '"{}{}"', '"{0}{}"', '"}{}"',
    "true", "[]", "[1]", "[-1, 2]", '["a"]', '["a", "b", "c"]', "[[1]]", "{}", "{ a = 1 }",
    "2020-01-01", '"\\u0000"', "99999999999999999999999", '"ms"', '"clock"', '"t"', '"x0"',
)  # fmt: skip


def mutated(text: str, rng: np.random.Generator) -> str:
    """Change a line or two of a layout."""
    lines = text.splitlines()
    for _ in range(rng.integers(1, 3)):
        at = int(rng.integers(len(lines)))
        key, is_entry, value = lines[at].partition("=")
        kind = int(rng.integers(10))
        if not is_entry:
            lines[at] = ("", f"{lines[at]}x", f"[{lines[at]}]", lines[at])[kind % 4]
        elif kind == 0:
            lines[at] = f"{key[:-2]} ={value}"
        elif kind == 1:
            lines[at] = f"{key}={value[: len(value) // 2]}"
        elif kind < 4:
            lines[at] = ""
        else:
            lines[at] = f"{key}= {SLIPS[int(rng.integers(len(SLIPS)))]}"
    return "\n".join(lines)


LAYOUT = """name = "own"
title = "Own"
frame = "f"
person = "p"
confidence = "c"
fps = 25.0
missing = ["lost"]
[proof]
all = ["f", "x0"]
none = ["z0"]
[time]
column = "t"
unit = "s"
[valid]
column = "c"
at_least = 0.5
[rows]
column = "who"
equals = ["a"]
[points]
x = "x{}"
y = "y{}"
unit = "px"
count = [3]
first = 0
score = "s{}"
score_above = 0.5
stable = [0, 1]
outer_eyes = [0, 2]
[points.regions]
mouth = [0, 1]
[head]
rotation = ["r0", "r1", "r2"]
rotation_unit = "deg"
[gaze]
angle = ["r0", "r1"]
unit = "rad"
optional = true
[action_units]
presence = "AU{}_c"
[action_units.intensity]
columns = "AU{}_r"
unit = "0 to 5"
[blendshapes]
columns = ["b_jaw", "b_eye"]
unit = "0 to 1"
scale = 0.01
[emotions]
columns = "e_*"
unit = "0 to 1"
[image]
width = 640
height = 480
"""


def test_layouts_with_slips_of_the_hand(tmp_path: Path) -> None:
    # Each is refused in a sentence, or reads the table or refuses that in a sentence.
    rng = np.random.default_rng(17)
    columns = [f"{name}{k}" for name in ("r", "s", "AU0") for k in range(3)]
    columns += ["AU01_c", "AU02_c", "AU01_r", "AU02_r", "b_jaw", "b_eye", "e_joy", "e_fear"]
    own = table(**{name: np.round(rng.random(N), 3) for name in columns})
    own = own.assign(f=np.arange(N), p=0, c=0.9, s0=0.9, s1=0.9, who="a").iloc[:8]
    path, refused = tmp_path / "own.toml", list[DataError]()
    path.write_text(LAYOUT)
    assert read_tracks(own, path).n_frames == 8
    for _ in range(N_SLIPS):
        path.write_text(mutated(LAYOUT, rng), encoding="utf-8")
        try:
            read_by_layout(load_layout(path), open_table(own))
        except DataError as error:
            refused.append(error)
    assert 0.4 * N_SLIPS < len(refused) < 0.9 * N_SLIPS
    for error in refused:
        assert not of_pydantic(error), str(error)
        assert len(str(error)) < 900


def test_a_layout_of_other_columns(tmp_path: Path) -> None:
    with pytest.raises(LayoutError, match="no such file"):
        load_layout(tmp_path / "none.toml")
    own = tmp_path / "own.toml"
    own.write_text("time.column = 't'\nblendshapes = {columns = 'blend_*', unit = '0 to 1'}\n")
    with pytest.raises(LayoutError, match="'blend_\\*', of which the table has none"):
        read_tracks(table(), own)
    own.write_text("time.column = 't'\n[points]\nx='x{}'\ny='y{}'\nunit='px'\nstable = [7]\n")
    with pytest.raises(LayoutError, match="names point 7 among regions, stable"):
        read_tracks(table(), own)
    own.write_text("time.column = 'when'\n[points]\nx='x{}'\ny='y{}'\nunit='px'\n")
    with pytest.raises(LayoutError, match="the column 'when', which the table has not"):
        read_tracks(table(), own)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "the file is empty"),
        (b"#only\n#comments\n", "no header, only comments"),
        (b"a\x00b\n1,2\n", "a binary file"),
        (b"\x89PNG\r\n\x1a\n" + bytes(20), "this is an image"),
        (b"\x00\x00\x00\x20ftypisom" + bytes(20), "this is a video"),
        (b"t,x0,y0\n", "a header but no rows: the tracker stopped"),
        (b"t,x0,y0\n0,1\n1,2\n", "no whole row"),
        (b"t,x0,y0,x0\n0,1,2,3\n", "names the column 'x0' twice"),
        (b"PAR1" + bytes(40), "cannot be unpacked"),
        (b"\x1f\x8b\x08" + bytes(20), "compression is damaged"),
    ],
)
def test_files(content: bytes, message: str, tmp_path: Path) -> None:
    path = tmp_path / "own.csv"
    path.write_bytes(content)
    with pytest.raises(OpenFaceError, match=message):
        read_tracks(path, time="t", **GIVEN)
    with pytest.raises(OpenFaceError, match="no such file"):
        read_tracks(tmp_path / "none.csv", time="t", **GIVEN)
    with pytest.raises(OpenFaceError):
        read_tracks("a\0.csv", time="t", **GIVEN)


def test_openface_of_single_images_is_no_recording(tmp_path: Path) -> None:
    path = tmp_path / "image.csv"
    path.write_text("face,confidence,pose_Tx,pose_Ty,pose_Tz\n0,0.9,1,2,3\n")
    with pytest.raises(OpenFaceError, match="output for single images"):
        read_tracks(path)


def test_nested_columns(tmp_path: Path) -> None:
    path = tmp_path / "nested.parquet"
    frame = table(x1=[[1.0, 2.0]] * N)
    frame.to_parquet(path)
    with pytest.raises(TracksError, match="'x1' holds lists or records"):
        read_tracks(path, time="t", **GIVEN)
    # One that is not needed does not matter.
    table(extra=[[1.0, 2.0]] * N).to_parquet(path)
    assert read_tracks(path, time="t", **GIVEN).n_frames == N


def test_a_file_that_unpacks_to_far_too_much(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unpacking, "_HARMLESS", 1000)
    path = tmp_path / "bomb.csv.gz"
    path.write_bytes(gzip.compress(b"t,x0,y0\n" + b"0,0,0\n" * 200_000))
    with pytest.raises(OpenFaceError, match="which no table of its size does"):
        read_tracks(path, time="t", **GIVEN)


def test_a_packed_table_that_says_it_has_far_too_many_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unpacking, "_HARMLESS", 1000)
    path = tmp_path / "bomb.parquet"
    # Equal values pack to nothing.
    pd.DataFrame({"t": np.zeros(400_000), "x0": 0.0, "y0": 0.0}).to_parquet(path)
    with pytest.raises(TracksError, match="which no table of its size does"):
        read_tracks(path, time="t", **GIVEN)


@pytest.mark.parametrize(
    "given",
    [
        # One text; one that stands in many rows, which is in the file once; and within lists.
        ["a" * 4_000_000],
        ["a" * 100_000] * 40,
        [["a" * 100_000]] * 40,
        [{"b": ["a" * 100_000]}] * 40,
    ],
    ids=["long", "repeated", "in lists", "in records"],
)
def test_texts_of_a_packed_table_count_as_often_as_they_stand_in_it(
    given: list[Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    path = tmp_path / "text.parquet"
    parquet.write_table(pa.table({"t": range(len(given)), "a": given}), path)
    content = path.read_bytes()
    assert len(content) < 500_000
    assert parquet_table(content).equals(parquet.read_table(path))
    monkeypatch.setattr(unpacking, "_HARMLESS", 10**6)
    monkeypatch.setattr(unpacking, "_MOST_RATIO", 1)
    monkeypatch.setattr(unpacking, "_RATIO", 1)
    with pytest.raises(DataError, match=r"unpacks to more than 0\.001 GB"):
        parquet_table(content)
    with pytest.raises(OpenFaceError, match=r"unpacks to more than 0\.001 GB"):
        read_openface(path)
    with pytest.raises(DataError, match=r"ratings: '.*unpacks to more than 0\.001 GB"):
        any_table.read_table(path, (), "ratings")


def test_folders_of_openpose(tmp_path: Path) -> None:
    with pytest.raises(TracksError, match="has no files of OpenPose"):
        read_tracks(tmp_path, fps=25)
    first = tmp_path / "a_000000000000_keypoints.json"
    for text in ("{", "[]", '{"people": [1]}', '{"people": {}}'):
        first.write_text(text)
        with pytest.raises(TracksError, match="has no list of people"):
            read_tracks(tmp_path, fps=25)
    for values in ([1.0, 2.0], [[1.0, 2.0, 3.0]], ["left"] * 3):
        first.write_text(json.dumps({"people": [{"pose_keypoints_2d": values}]}))
        with pytest.raises(TracksError, match="three numbers a point"):
            read_tracks(tmp_path, fps=25)


def test_cells_that_hold_no_points(tmp_path: Path) -> None:
    own = tmp_path / "own.toml"
    own.write_text("time.column = 't'\n[points]\ncells = 'lm'\ncount = [2]\nunit = 'px'\n")
    good = json.dumps([[1.0, 2.0], [3.0, 4.0]])
    for bad in ("[[1.0, 2.0]]", "[[1, 2], [3]]", "nobody", "[['a', 1], [2, 3]]"):
        frame = pd.DataFrame({"t": TIMES[:3], "lm": [good, bad, good]})
        for source in (frame, tmp_path / "cells.csv"):
            frame.to_csv(tmp_path / "cells.csv", index=False)
            with pytest.raises(TracksError, match=r"must hold 2 points of 2 numbers.*row 2"):
                read_tracks(source, own)


# --- feather, whose columns may be packed -------------------------------------------------------


def feather_file(path: Path, table: Any, **options: Any) -> Path:
    from pyarrow import feather

    feather.write_feather(table, str(path), **options)
    return path


@pytest.mark.parametrize("compression", ["lz4", "zstd", "uncompressed"])
def test_feather_is_read_as_arrow_reads_it(compression: str, tmp_path: Path) -> None:
    import pyarrow as pa
    from pyarrow import feather

    words = pa.array(["left", "right", None] * 10).dictionary_encode()
    columns = {name: values.astype(float) for name, values in table().items()}
    given = pa.table({**columns, "side": words, "none": pa.nulls(N)})
    path = feather_file(tmp_path / "t.feather", given, compression=compression, chunksize=7)
    content = path.read_bytes()
    assert feather_table(content).equals(feather.read_table(pa.BufferReader(content)))
    found = read_tracks(path, time="t", **GIVEN)
    np.testing.assert_array_equal(
        found.groups["landmarks_2d"], read_tracks(table(), time="t", **GIVEN).groups["landmarks_2d"]
    )


@pytest.mark.parametrize(
    "given",
    [
        lambda pa: pa.table({name: np.zeros(400_000) for name in "ab"}),
        lambda pa: pa.table({"a": pa.array(["a" * 4_000_000])}),
        lambda pa: pa.table({"a": pa.array(["a" * 4_000_000]).dictionary_encode()}),
        # Rows without any byte.
        lambda pa: pa.table({"a": pa.nulls(10**6)}),
    ],
    ids=["numbers", "a text", "a dictionary", "nothing"],
)
def test_a_feather_bomb_is_not_unpacked(
    given: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import pyarrow as pa

    own = {"compression": "zstd", "chunksize": 10**6}
    path = feather_file(tmp_path / "b.feather", given(pa), **own)
    monkeypatch.setattr(unpacking, "_HARMLESS", 10**6)
    assert path.stat().st_size < 5000
    monkeypatch.setattr(pa.ipc, "open_stream", lambda _: Whole())
    for read in (read_tracks, read_openface):
        with pytest.raises(OpenFaceError, match=r"unpacks to more than 0\.00"):
            read(path)


class Whole:
    """A stream whose schema may be looked at, and nothing else."""

    schema = ("a",)

    def read_all(self) -> None:
        raise AssertionError("it was unpacked")


def test_damaged_feather_is_reported_to_be(tmp_path: Path) -> None:
    import pyarrow as pa

    whole = pa.table({name: np.asarray(values) for name, values in table().items()})
    content = feather_file(tmp_path / "t.feather", whole, compression="zstd").read_bytes()
    rng = np.random.default_rng(5)
    for _ in range(30):
        damaged = bytearray(content)
        for place in rng.integers(6, len(content), 4):
            damaged[place] = rng.integers(256)
        path = tmp_path / "d.feather"
        path.write_bytes(bytes(damaged[: rng.integers(60, len(content) + 1)]))
        # Most are refused; a changed number is read.
        with suppress(OpenFaceError):
            read_tracks(path, time="t", **GIVEN)


# --- tables of several recordings ---------------------------------------------------------------


def test_a_table_of_several_recordings_is_opened_and_split_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names, given = ("a", "b, late", "c"), {"time": "t", "split_by": "who", **GIVEN}
    frame = pd.concat([table(who=name) for name in names])
    frame.loc[frame["who"] == "c", "x0"] += 5.0
    path = tmp_path / "all.csv"
    frame.to_csv(path, index=False)
    alone = [read_tracks(path, part=name, **given) for name in names]
    opened: list[str] = []
    split: list[tuple[str, ...]] = []
    open_table_, split_ = recognition.open_table, TextTable._split
    monkeypatch.setattr(
        recognition, "open_table", lambda source: opened.append(source) or open_table_(source)
    )
    monkeypatch.setattr(TextTable, "_split", lambda self, by: split.append(by) or split_(self, by))
    with parts_read_once():
        found = [read_tracks(path, part=name, **given) for name in names]
        assert (len(opened), split) == (1, [("who",)])
    for one, other in zip(found, alone, strict=True):
        assert one.log == other.log
        np.testing.assert_array_equal(one.groups["landmarks_2d"], other.groups["landmarks_2d"])
    assert (found[2].groups["landmarks_2d"] != found[0].groups["landmarks_2d"]).any()


def test_rows_of_a_part_have_the_numbers_of_the_file(tmp_path: Path) -> None:
    frame = pd.concat([table(who="a"), table(who="b")])
    frame["t"] = frame["t"].astype(str)
    frame.iloc[N + 4, frame.columns.get_loc("t")] = "now"
    path = tmp_path / "all.csv"
    frame.to_csv(path, index=False)
    given = {"time": "t", "split_by": "who", **GIVEN}
    assert read_tracks(path, part="a", **given).log.rows_read == N
    with pytest.raises(TracksError, match=f"'t' must hold .*row {N + 5} holds 'now'"):
        read_tracks(path, part="b", **given)
    # A cut row may be of any recording; whole ones of others are counted, as they were.
    path.write_text(path.read_text().replace("now", "9.0") + "1,2\n")
    log = read_tracks(path, part="a", **given).log
    assert (log.rows_read, log.rows_cut) == (N, 1)
    assert any(f"{N} rows left out" in note for note in log.notes)


@pytest.mark.parametrize("fields", [["1", "2"], [], ["a\x1fb", "c"], ["", ""]])
def test_fields_of_a_row_come_back_as_they_were(fields: list[str]) -> None:
    assert split_fields(joined_fields(fields)) == fields


# --- given to OpenFace's reader -----------------------------------------------------------------


def test_openfaces_reader_names_the_layout_of_another_trackers_table(tmp_path: Path) -> None:
    points = moving(468, 3, n_axes=3) / 1000
    for layout, given in (
        ("mediapipe", mediapipe(points)),
        ("py-feat", py_feat(moving(68, 3))),
    ):
        given.to_csv(tmp_path / "t.csv", index=False)
        given.to_parquet(tmp_path / "t.parquet")
        for name in ("t.csv", "t.parquet"):
            message = (
                f"not a file of OpenFace .* layout '{layout}' .* read_tracks .*layout='{layout}'"
            )
            for read in (px.read_openface, px.describe_openface, read_header):
                with pytest.raises(OpenFaceError, match=message):
                    read(tmp_path / name)
    # What no layout is proved by, and what is no table, is refused as it was.
    table().to_csv(tmp_path / "own.csv", index=False)
    with pytest.raises(OpenFaceError, match="not an OpenFace file: its header lacks"):
        px.read_openface(tmp_path / "own.csv")
    with pytest.raises(OpenFaceError, match="there is no such file"):
        px.read_openface(tmp_path / "absent.csv")
