"""A place that takes no more: one sentence that names it, and the old file stays."""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pyexpr.base import files, refusals
from pyexpr.base.errors import DataError
from pyexpr.base.files import (
    OutputError,
    folder_aside,
    temporary_folder,
    whole_file,
    write_text,
)
from pyexpr.behavior.features.frame_store import Reading, read_frames
from pyexpr.behavior.video.cache import StoredClips, save_clips
from pyexpr.report.tables.display import DisplayTable
from pyexpr.report.tables.files import write_table
from pyexpr.study.kept.store import StageOutput, save
from pyexpr.study.results.rendered import note_written

FULL = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def refuse_to_disk(monkeypatch: pytest.MonkeyPatch, error: OSError = FULL) -> None:
    """Let no file reach the disk: a system may say so of the last byte only."""

    def refused(_handle: int) -> None:
        raise error

    monkeypatch.setattr(os, "fsync", refused)


def test_it_names_place_room_and_need(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.txt"
    write_text(path, "old")
    monkeypatch.setattr(refusals, "free_bytes", lambda _folder: 1234)
    refuse_to_disk(monkeypatch)
    with pytest.raises(OutputError) as error:
        write_text(path, "x" * 5000)
    assert str(error.value) == (
        f"cannot write {str(path)!r}: the disk is full in {str(tmp_path)!r}, where 1,234 bytes are "
        "free and the file needs 5,000; make room there, or choose another place, and run it again"
    )
    assert (path.read_text(), os.listdir(tmp_path)) == ("old", ["a.txt"])
    monkeypatch.undo()
    write_text(path, "x" * 5000)
    assert path.read_text() == "x" * 5000


@pytest.mark.parametrize(
    ("number", "message"),
    [
        (errno.EDQUOT, "your quota is used up in "),
        (errno.EFBIG, "File too large; choose another place"),
        (errno.EROFS, "Read-only file system; choose another place"),
    ],
)
def test_whatever_the_place_refuses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, message: str
) -> None:
    refuse_to_disk(monkeypatch, OSError(number, os.strerror(number)))
    with pytest.raises(OutputError, match=message):
        write_text(tmp_path / "a.txt", "new")
    assert not os.listdir(tmp_path)


def test_who_says_nothing_of_it_is_asked_whether_the_disk_is_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(error: Exception) -> None:
        with whole_file(tmp_path / "a.npy") as temporary:
            temporary.write_bytes(b"12345")
            raise error

    # As NumPy, safetensors.
    for error in (OSError("1024 requested and 0 written"), RuntimeError("I/O error")):
        with pytest.raises(type(error), match=str(error)):
            failing(error)
        with monkeypatch.context() as patch:
            patch.setattr(refusals, "free_bytes", lambda _folder: 0)
            with pytest.raises(
                OutputError, match="0 bytes are free and the file needs more than 5"
            ):
                failing(error)
            # What is wrong with the data stays wrong with the data.
            with pytest.raises(DataError, match="mine"):
                failing(DataError("mine"))


def of_a_cache(folder: Path) -> None:
    source = folder.parent / "r.csv"
    source.write_text(
        "frame,timestamp,confidence,success,pose_Rx,pose_Ry,pose_Rz\n1,0,1,1,0,0,0\n2,0.04,1,1,0,0,0\n"
    )
    read_frames(str(source), Reading(groups=("pose_rotation",)), folder)


WRITERS: list[Callable[[Path], object]] = [
    lambda folder: write_table(
        pd.DataFrame({"a": [1]}), DisplayTable("T.", ("a",), (("1",),)), folder, "t"
    ),
    lambda folder: save(folder / "s.zip", "k", StageOutput({"t": pd.DataFrame({"a": [1]})})),
    lambda folder: note_written(folder / "l.json", "k", {}),
    lambda folder: save_clips(
        folder / "c.clips", StoredClips(np.zeros((1, 2)), np.zeros((1, 2)), np.zeros((1, 2)))
    ),
    of_a_cache,
]  # fmt: skip


@pytest.mark.parametrize("write", WRITERS)
def test_results_stages_and_caches(
    write: Callable[[Path], object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, undisturbed = tmp_path / "one", tmp_path / "other"
    for place in (folder, undisturbed):
        place.mkdir()
    with monkeypatch.context() as patch:
        refuse_to_disk(patch)
        with pytest.raises(OutputError, match=r"the disk is full in .*one'"):
            write(folder)
    assert not os.listdir(folder)
    for place in (folder, undisturbed):
        write(place)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == {
        path.name: path.read_bytes() for path in undisturbed.iterdir()
    }


def test_temporary_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))

    def full() -> None:
        with temporary_folder() as folder:
            assert folder.parent == tmp_path
            raise FULL

    with pytest.raises(OutputError, match=r"temporary files into '.*': No space .* TMPDIR, and"):
        full()

    def theirs() -> None:
        with temporary_folder():
            raise FileNotFoundError(errno.ENOENT, "no such file", "mine.csv")

    with pytest.raises(FileNotFoundError, match=r"mine\.csv"):
        theirs()
    assert not os.listdir(tmp_path)


def test_there_is_no_place_for_temporary_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setattr(tempfile, "_candidate_tempdir_list", lambda: ["/nowhere"])
    with pytest.raises(OutputError, match=r"No usable temporary directory .* TMPDIR"):
        temporary_folder().__enter__()


def test_a_file_is_on_the_disk_before_it_has_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []
    rename = os.replace
    # A folder's number tells it from the file.
    place = os.stat(tmp_path).st_ino

    def synced(handle: int) -> None:
        done.append("folder" if os.fstat(handle).st_ino == place else "file")

    def renamed(source: Path, target: Path) -> None:
        done.append("rename")
        rename(source, target)

    monkeypatch.setattr(files.os, "fsync", synced)
    monkeypatch.setattr(files.os, "replace", renamed)
    write_text(tmp_path / "a.txt", "new")
    assert done == ["file", "rename", "folder"]
    done.clear()
    # What is copied from there is on the disk where it goes to.
    with folder_aside(tmp_path) as aside:
        write_text(aside / "a.txt", "new")
    assert done == ["rename"]
