"""What a killed program left is removed by the next; what is being written stays."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from pyexpr.base import part_files
from pyexpr.base.files import folder_aside, whole_file, write_text

KILLED = """
import os, signal, sys
from pathlib import Path
from pyexpr.base.part_files import part_file, part_folder
folder = Path(sys.argv[1])
with part_file(folder / "a.csv") as one, part_folder(folder) as aside:
    one.write_text("half")
    (aside / "figures").mkdir()
    (aside / "figures" / "b.svg").write_text("half")
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture(autouse=True)
def as_a_new_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(part_files, "_SWEPT", set())


def test_what_a_killed_program_left_is_removed(tmp_path: Path) -> None:
    killed = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path)], check=False)
    assert killed.returncode == -signal.SIGKILL
    left = sorted(os.listdir(tmp_path))
    assert [name.endswith(".part") for name in left] == [True, True]
    # The user's own, though called alike.
    own = [".a.csv.part", "a.0123abcd.pyexpr.part", ".film.0123abcd.part"]
    for name in own:
        (tmp_path / name).write_text("mine")
    (tmp_path / ".x.0123abcd.pyexpr.part").symlink_to(tmp_path / own[0])
    write_text(tmp_path / "other.csv", "new")
    kept = sorted([*own, "other.csv", ".x.0123abcd.pyexpr.part"])
    assert sorted(os.listdir(tmp_path)) == kept


def test_what_is_being_written_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with whole_file(tmp_path / "a.csv") as part, folder_aside(tmp_path) as aside:
        part.write_text("one")
        (aside / "b").write_text("two")
        # Another program begins.
        monkeypatch.setattr(part_files, "_SWEPT", set())
        write_text(tmp_path / "c.csv", "new")
        assert (part.read_text(), (aside / "b").read_text()) == ("one", "two")
    assert sorted(os.listdir(tmp_path)) == ["a.csv", "c.csv"]


def test_a_part_that_another_takes_for_left_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    locked = iter([False, True])
    monkeypatch.setattr(part_files, "_locked", lambda _handle: next(locked))
    write_text(tmp_path / "a.csv", "new")
    assert (tmp_path / "a.csv").read_text() == "new"
