"""Files are written whole or not at all."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from pyexpr.base.files import OutputError, sha256, whole_file, writable_folder, write_text


def test_write_text_replaces_the_file(tmp_path: Path) -> None:
    path = tmp_path / "new" / "a.txt"
    write_text(path, "one")
    write_text(path, "zwei é")
    assert path.read_text(encoding="utf-8") == "zwei é"
    assert [entry.name for entry in path.parent.iterdir()] == ["a.txt"]


def test_an_interrupted_write_leaves_the_old_file_and_no_other(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    write_text(path, "old")

    def interrupted() -> None:
        with whole_file(path) as temporary:
            temporary.write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert path.read_text() == "old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.txt"]


def test_an_interrupt_while_the_part_is_made_leaves_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make = os.open

    def made_and_interrupted(*arguments: object, **named: object) -> int:
        os.close(make(*arguments, **named))  # type: ignore[arg-type]
        raise KeyboardInterrupt

    monkeypatch.setattr("pyexpr.base.files.writable_folder", lambda _folder: None)
    monkeypatch.setattr(os, "open", made_and_interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_text(tmp_path / "a.txt", "text")
    assert not list(tmp_path.iterdir())


def test_an_unwritable_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match=r"cannot write into '.*file"):
        writable_folder(tmp_path / "file" / "results")


def test_sha256(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"abc")
    assert sha256(path) == hashlib.sha256(b"abc").hexdigest()


def test_lines_end_the_same_on_every_system(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As on Windows, where what is written as text is given the line ends of the system.
    monkeypatch.setattr(Path, "write_text", lambda *_, **__: pytest.fail("written as text"))
    write_text(tmp_path / "a.txt", "one\ntwo\n")
    assert (tmp_path / "a.txt").read_bytes() == b"one\ntwo\n"


def test_a_file_that_another_program_holds_is_named_and_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "table.csv"
    write_text(path, "old\n")

    def locked(_source: object, target: object) -> None:
        # What Windows says of a file that Excel has open.
        raise PermissionError(13, "Access is denied", str(target))

    monkeypatch.setattr(os, "replace", locked)
    with pytest.raises(OutputError) as raised:
        write_text(path, "new\n")
    assert str(raised.value) == (
        f"cannot replace {str(path)!r} (Access is denied): if a program such as Excel has the file "
        "open, close it there and try again; otherwise check that you may write to it"
    )
    assert raised.value.__cause__ is None
    assert path.read_text() == "old\n"
    assert [entry.name for entry in tmp_path.iterdir()] == ["table.csv"]
