"""Files that are read are known by the hash of the bytes that were read."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from pyexpr.base.contents import KnownFile, hashed_file, read_content
from pyexpr.base.csv_file import read_known_csv


def exchange(path: Path, content: bytes) -> None:
    """Put another file in a file's place that keeps its time of modification."""
    status = os.stat(path)
    other = path.with_name("other")
    other.write_bytes(content)
    os.utime(other, ns=(status.st_atime_ns, status.st_mtime_ns))
    os.replace(other, path)


def test_hashes_of_what_was_read(tmp_path: Path) -> None:
    path = tmp_path / "a"
    content = b"abc" * 1_000_000
    path.write_bytes(content)
    read, known = read_content(path)
    assert read == content
    assert known.sha256 == hashed_file(path).sha256 == hashlib.sha256(content).hexdigest()
    assert known.is_unchanged()


def test_a_file_of_the_same_size_and_time_is_another(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"0.822")
    known = hashed_file(path)
    exchange(path, b"0.987")
    assert not known.is_unchanged()
    # The same bytes again, in a file of their own, are no change.
    exchange(path, b"0.822")
    assert known.is_unchanged()
    path.unlink()
    assert not known.is_unchanged()


def test_written_in_place_with_its_time_set_back(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"0.822")
    known = hashed_file(path)
    with path.open("r+b") as handle:
        handle.write(b"0.987")
    assert known.state is not None
    os.utime(path, ns=(0, known.state.modified_ns))
    assert not known.is_unchanged()


def test_a_file_that_changed_while_it_was_read_is_looked_at_again(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"x")
    assert not KnownFile(path, hashlib.sha256(b"y").hexdigest(), None).is_unchanged()


@pytest.mark.parametrize("name", ["a.csv", "a.csv.gz"])
def test_a_table_is_parsed_from_the_bytes_that_are_hashed(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import pandas as pd

    path = tmp_path / name
    pd.DataFrame({"x": [1.5]}).to_csv(path, index=False)
    before = hashlib.sha256(path.read_bytes()).hexdigest()

    def read_then_changed(file: Path) -> tuple[bytes, KnownFile]:
        found = read_content(file)
        path.write_bytes(b"x\n9\n")
        return found

    monkeypatch.setattr("pyexpr.base.csv_file.read_content", read_then_changed)
    table, known = read_known_csv(path, what="the table")
    assert table["x"].tolist() == [1.5]
    assert known.sha256 == before
    assert not known.is_unchanged()
