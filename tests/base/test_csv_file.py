"""CSV files at the door: every row has a field for each column, or its line is named."""

from __future__ import annotations

import bz2
import gzip
import lzma
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pyexpr.base.csv_file import Spelling, checked_spellings, read_csv
from pyexpr.base.errors import ColumnError, DataError
from pyexpr.base.tables import numeric_column


def table(tmp_path: Path, content: str | bytes, *labels: str) -> pd.DataFrame:
    path = tmp_path / "t.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_csv(path, labels=labels, what="the table")


def rows(tmp_path: Path, content: str | bytes) -> list[list[object]]:
    found = table(tmp_path, content)
    return [list(found.columns), *found.to_numpy().tolist()]


def test_labels_stay_as_they_stand(tmp_path: Path) -> None:
    found = table(tmp_path, "\ufeff subject ,score\n007,1\nNA,\n true ,NaN\n,.\n", "subject")
    assert list(found["subject"][:3]) == ["007", "NA", "true"]
    assert found["subject"].isna().tolist() == [False, False, False, True]
    np.testing.assert_array_equal(found["score"], [1, np.nan, np.nan, np.nan])


def test_numbers_are_those_of_python(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    values = rng.normal(size=2000) * 10.0 ** rng.integers(-60, 60, 2000)
    found = table(tmp_path, "x,n\n" + "".join(f"{float(x)!r},{k}\n" for k, x in enumerate(values)))
    np.testing.assert_array_equal(found["x"], values)
    assert found["n"].dtype == np.int64
    found = table(tmp_path, "x,y,z\n1e3,+2,18446744073709551616\n.5, 007 ,-1\n")
    assert found.to_numpy().tolist() == [[1000.0, 2.0, 2.0**64], [0.5, 7.0, -1.0]]


def test_a_column_with_text_stays_text(tmp_path: Path) -> None:
    for odd in ("high", "\u0663", "1\uff12", "1_0", "0x10", "1,5", "True", "\u22123"):
        found = table(tmp_path, f'x\n1\n"{odd}"\n')
        with pytest.raises(ColumnError, match=f"must be a number, but row 2 holds '{odd}'"):
            numeric_column(found, "x", what="the table")


def test_what_is_missing_among_text_is_reported(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("subject,mood,drug,n\nNA,NA,None,1\nb,PA,x,NA\nc,NA,x,None\nd,,null,2\n")
    spelled: dict[str, tuple[Spelling, ...]] = {}
    found = read_csv(path, labels=["subject"], what="the table", spelled=spelled)
    # As pandas reads text; labels stay, and what is no number cannot be a class of a number.
    assert found["subject"].tolist() == ["NA", "b", "c", "d"]
    assert found["mood"].isna().tolist() == [True, False, True, True]
    assert found["n"].isna().tolist() == [False, True, True, False]
    assert spelled == {
        "mood": (Spelling("NA", 2, 1),),
        "drug": (Spelling("null", 1, 4), Spelling("None", 1, 1)),
    }
    (note,) = checked_spellings(["mood", "mood", "n", "subject"], spelled, what="the table")
    assert note == (
        "column 'mood' of the table: 2 rows were read as missing because 'NA' stands there, first "
        "in row 1; if it is a class of its own, rename it in the file"
    )
    with pytest.raises(ColumnError, match="column 'drug' of the table holds 'None' in 1 row "):
        checked_spellings(["drug"], spelled, what="the table")


WANTED: list[list[object]] = [["a", "b"], [1, 2], [3, 4]]


@pytest.mark.parametrize(
    "content",
    [
        "a,b\n1,2\n3,4",
        "a,b\r\n1,2\r\n3,4\r\n",
        "a,b\r1,2\r3,4\r",
        "\n\n a , b \n\n1, 2\n   \n3 ,4\n\n",
        '"a","b"\n"1","2"\n"3","4"\n',
        '"a","b"\r"1","2"\r\r"3","4"\r',
        '\ufeff"a",b\n1,2\n3,4\n',
        # A comma at the end of every line: a column without name and values.
        "a,b,\n1,2,\n3,4, \n",
        gzip.compress(b"a,b\n1,2\n3,4\n", mtime=0),
        bz2.compress(b"a,b\n1,2\n3,4\n"),
        lzma.compress(b"a,b\n1,2\n3,4\n"),
    ],
)
def test_files_that_are_read(tmp_path: Path, content: str | bytes) -> None:
    assert rows(tmp_path, content) == WANTED


@pytest.mark.parametrize("quoted", ["", '"'])
def test_the_row_names_of_r_and_pandas(tmp_path: Path, quoted: str) -> None:
    # write.csv() writes "", DataFrame.to_csv() nothing.
    found = rows(tmp_path, f"{quoted}{quoted},{quoted}a{quoted}\n{quoted}1{quoted},5\n2,6\n")
    assert found == [["", "a"], [1, 5], [2, 6]]


def test_quoted_text(tmp_path: Path) -> None:
    found = table(
        tmp_path, 'subject,"note\n two",x\n"Smith, J","said ""no""\nand left",1\n"",b"c,2\n'
    )
    assert found.to_dict("list") == {
        "subject": ["Smith, J", found["subject"][1]],
        "note\n two": ['said "no"\nand left', 'b"c'],
        "x": [1, 2],
    }
    assert found["subject"].isna().tolist() == [False, True]


COMMA = "delete a comma too many there, or put the text or number that holds a comma into quot"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "is empty"),
        ("\ufeff \n", "is empty"),
        (b"a,b\n1,2\n\xff\xfe,1\n", "is not UTF-8 text, first in line 3; save it as UTF-8 CSV"),
        ("a,b\n1,2\n".encode("utf-16"), "this is UTF-16 text; save it as UTF-8 CSV"),
        ("a,b\n1,2\n".encode("utf-16-le"), "line 1 holds a NUL byte"),
        ("a,b\n1,2\n1,\0\n", "line 3 holds a NUL byte"),
        (b"PK\x03\x04 and so on", "this is a ZIP archive, as Excel's workbooks are"),
        (gzip.compress(b"a,b\n1,2\n", mtime=0)[:-9], "its compression is damaged"),
        ("a;b\n1,5;2\n", "the columns are separated by semicolons; save it with commas"),
        ("a\tb\n1\t2\n", "the columns are separated by tabs; save it with commas"),
        ("a,b\n1,2,\n3,4\n", f"line 2 has 3 fields, but the header has 2; {COMMA}"),
        ("a,b\n1,2\n1,2,3\n", f"line 3 has 3 fields, but the header has 2; {COMMA}"),
        ("a,b\n1,2\n0,5,2\n0,5,2\n", rf"line 3 has 3 fields, .* 2 \(2 such lines\); {COMMA}"),
        ("a,b\n1,2\n3\n4,5\n", "line 3 has 1 field, but the header has 2; add what is missing"),
        # Lines of the file, not rows: of empty ones and of texts over two lines.
        ('a,b\n\n"x\ny",2\n\n3\n', "line 6 has 1 field, but the header has 2"),
        ("a,b\r1,2\r\r3,4,5\r", "line 4 has 3 fields, but the header has 2"),
        ("a,b\n# made today\n1,2\n", "line 2 has 1 field, .*comment lines are not supported"),
        ("a,b\n1,5,6\n2,7,8\n", r"line 2 has 3 fields, .*\(2 such lines\); name every column"),
        ("a,b,\n1,2\n3,4\n", "line 2 has 2 fields, .*the first line ends with a comma too many"),
        ('a,b\n1,"2\n3,4\n', "row that begins in line 2 a quotation mark is opened and not closed"),
        ('a,b\n1,2\n1,"2"3\n', "row that begins in line 3 text follows a closing quotation mark"),
        ('a,b\n1,"2\n' + "3,4\n" * 50_000, "in line 2 a quotation mark is opened and not closed"),
    ],
)
def test_files_that_are_refused(tmp_path: Path, content: str | bytes, message: str) -> None:
    with pytest.raises(DataError, match=rf"^the table \(.*t\.csv\).*{message}"):
        table(tmp_path, content)


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ("a,b,a", "has two columns of the same name: 'a'"),
        ("a,b, a", "has two columns whose names differ only in the spaces around them: 'a', ' a'"),
        ('"a ",b,a', "has two columns whose names differ only in the spaces .*: 'a ', 'a'"),
        ("a,,b", "column 2 has no name in the first line, but row 1 holds '2' there"),
        ("a,b, ", "column 3 has no name in the first line, but row 1 holds '3' there"),
        (",,", "has no names of columns in the first line"),
    ],
)
def test_names_of_columns(tmp_path: Path, header: str, message: str) -> None:
    with pytest.raises(ColumnError, match=rf"^the table \(.*t\.csv\):? {message}"):
        table(tmp_path, f"{header}\n1,2,3\n")


def test_a_header_alone_is_a_table_without_rows(tmp_path: Path) -> None:
    for content in ("a,b", "a,b\n", '"a","b"\n\n'):
        found = table(tmp_path, content)
        assert found.shape == (0, 2)
        assert list(found) == ["a", "b"]


def test_a_file_that_the_sentence_names_already_is_named_once(tmp_path: Path) -> None:
    path = tmp_path / "r.csv"
    path.write_text("a\n1,2\n")
    with pytest.raises(DataError, match=r"^the ratings \(r\.csv\): line 2 has 2 fields"):
        read_csv(path, what="the ratings (r.csv)")


def test_an_absent_file_and_a_folder(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="there is no file"):
        read_csv(tmp_path / "no.csv", what="the table")
    with pytest.raises(DataError, match="cannot read"):
        read_csv(tmp_path, what="the table")
