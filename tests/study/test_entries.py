"""A study file that no study can mean is one sentence that names the file."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pyexpr.base.contents import hashed_file, read_content
from pyexpr.base.csv_file import read_csv
from pyexpr.base.errors import DataError, OpenFaceError, StudyError
from pyexpr.base.files import write_text
from pyexpr.base.outputs import OutputError, check_outputs
from pyexpr.behavior.openface.csv import open_source
from pyexpr.study.file.config import read_toml

DEEP = 3000
FILES = {
    "lists": (f"a = {'[' * DEEP}{']' * DEEP}\n", "lists or sections are nested more than 16 deep"),
    "sections": (f"[{'.'.join('a' * DEEP)}]\nx = 1\n", "are nested more than 16 deep"),
    "digits": (f"seed = 1\nn = {'9' * 5000}\n", "a whole number of thousands of digits, in line 2"),
    "large": (f"seed = {'9' * 400}\n", "seed: a whole number of 400 digits is too large"),
    "in a list": (f"[compare]\nn = [1, {2**63}]\n", "compare.n: a whole number of 19 digits is"),
    "NUL": ("a = 1\nb = 'x\0'\n", "is not a TOML file: Found invalid character '\\x00' (at line 2"),
    "escaped NUL": ('[data]\nratings = "a\\u0000"\n', "data.ratings: it holds a NUL character"),
    "NUL in a key": ('"a\\u0000" = 1\n', "'a\\x00': it holds a NUL character"),
    "long path": (
        f'[data]\nratings = "{"r/" * 3000}"\n', "data.ratings: a path of 6,000 characters",
    ),
    "long name": (f'output = "{"o" * 300}"\n', "output: a path of 300 characters is longer than"),
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(FILES))
def test_one_sentence_with_the_file(name: str, tmp_path: Path) -> None:
    text, sentence = FILES[name]
    path = tmp_path / "odd.toml"
    path.write_bytes(text.encode())
    with pytest.raises(StudyError) as error:
        read_toml(path)
    assert str(path) in str(error.value)
    assert sentence in str(error.value)
    assert len(str(error.value)) < 400 + len(str(path))
    assert "\n" not in str(error.value)


def test_what_is_no_utf_8_is_named_by_its_line(tmp_path: Path) -> None:
    path = tmp_path / "latin.toml"
    path.write_bytes(b"seed = 1\ntitle = 'M\xfcnchen'\n")
    with pytest.raises(StudyError, match="line 2 is not UTF-8 text; save it as UTF-8"):
        read_toml(path)


def test_an_ordinary_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "study.toml"
    path.write_text(f'seed = {2**63 - 1}\ntitle = "{"long " * 2000}"\n[a.b.c]\nx = [[1], [2.5]]\n')
    assert read_toml(path)[0]["a"] == {"b": {"c": {"x": [[1], [2.5]]}}}


def test_no_irregular_file_is_opened(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for path, kind in ((pipe, r"a pipe \(FIFO\)"), (Path("/dev/zero"), "a device")):
        refused = f"it is {kind}, and only files are read; write what it gives to a file first"
        with pytest.raises(StudyError, match=refused):
            read_toml(path)
        with pytest.raises(DataError, match=refused):
            read_csv(path, what="the ratings")
        with pytest.raises(OpenFaceError, match=refused):
            open_source(path)
        for read in (read_content, hashed_file):
            with pytest.raises(OSError, match=refused):
                read(path)


def test_names_that_no_file_can_have(tmp_path: Path) -> None:
    for name, reason in (("o" * 256, "File name too long"), ("a\0b", "embedded null")):
        with pytest.raises(OutputError, match=f"cannot write .*{reason}.*; choose another name"):
            check_outputs({"--output": tmp_path / name})
        with pytest.raises(StudyError, match="cannot read the study file"):
            read_toml(tmp_path / name)


@pytest.mark.parametrize("name", ["o" * 250 + ".csv", "ä" * 125 + ".csv"])
def test_a_name_as_long_as_allowed_is_written(name: str, tmp_path: Path) -> None:
    write_text(tmp_path / name, "x\n")
    assert (tmp_path / name).read_text() == "x\n"
    assert [path.name for path in tmp_path.iterdir()] == [name]
