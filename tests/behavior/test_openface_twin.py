"""The reader against its twin, Arrow, and its numbers against Python's float."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from behavior.fuzz_openface import compared, ours, recordings, run, same_bits
from behavior.openface_files import LAYOUTS, rows, write
from reference import openface_csv as twin

from pyexpr.base.errors import OpenFaceError
from pyexpr.behavior.openface.csv import open_source, read_columns


def test_damaged_files_give_the_same_table_or_the_same_error(tmp_path: Path) -> None:
    seen = run(150, seed=1, scratch=tmp_path / "a.csv", whole=recordings(["46"]))
    assert seen["same table"] > 40
    assert seen["same error"] > 40


@pytest.mark.parametrize("name", ["714", "713", "431", "334", "61", "46"])
def test_every_layout_to_the_last_bit(name: str, tmp_path: Path) -> None:
    random = np.random.default_rng(1)
    table = rows(
        LAYOUTS[name], 60, make=lambda *_: float(random.normal(0, 10.0 ** random.integers(-6, 7)))
    )
    path = write(tmp_path / "a.csv", LAYOUTS[name], table)
    assert same_bits(ours(path).values, twin.read_table(path)[1].values)


def test_a_word_among_many_blanks_is_a_missing_value(tmp_path: Path) -> None:
    # Arrow's reader wants each number of blanks listed.
    path = tmp_path / "a.csv"
    path.write_text("frame,pose_Tx\n1,          NA  \n2,         \n3,1.5\n")
    values = read_columns(open_source(path), ["pose_Tx"]).column("pose_Tx")
    np.testing.assert_array_equal(values, [np.nan, np.nan, 1.5])
    path.write_text("frame,pose_Tx\n1,\x0b1.5\n")
    with pytest.raises(OpenFaceError, match="'pose_Tx' must hold numbers, but row 1 holds"):
        read_columns(open_source(path), ["pose_Tx"])


@pytest.mark.parametrize("end", ["\x0b", "\x0c", "\t", " ", ""])
def test_a_last_line_that_ends_in_what_is_no_blank(end: str, tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("frame,pose_Tx\n1,2.5\n2,3.5" + end)
    assert compared(path) == "same table"
    assert ours(path).n_cut == (1 if end in ("\x0b", "\x0c") else 0)


def test_tables_and_columns_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("frame,pose_Tx,pose_Ty\n1,2,3\n4,5\n6,7,8\n")
    columns = read_columns(open_source(path), ["frame"], ["pose_Ty", "pose_Tx"])
    np.testing.assert_array_equal(columns.matrix(["pose_Ty", "pose_Tx"]), [[3, 2], [8, 7]])
    np.testing.assert_array_equal(columns.matrix(["pose_Tx", "frame"]), [[2, 1], [7, 6]])
    assert [columns.file_row(row) for row in range(columns.n_rows)] == [1, 3]
    columns.matrix(["frame"])[:] = 0  # a copy
    np.testing.assert_array_equal(columns.column("frame"), [1, 6])
    table = columns.take_table(["pose_Ty", "pose_Tx"])
    # Behind the rows there is room for frames without one.
    np.testing.assert_array_equal(table[: columns.n_rows], [[3, 2], [8, 7]])
