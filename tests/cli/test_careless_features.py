"""`pyexpr features` used carelessly: each time one sentence that says what to do."""

from __future__ import annotations

import os
import sys
import warnings
from pathlib import Path

import pytest

from pyexpr.behavior.features import manifest
from pyexpr.cli.main import main

HEADER = "frame,timestamp,confidence,success,pose_Tx,pose_Ty,pose_Tz\n"
ROWS = "".join(f"{k + 1},{k / 25:.2f},0.98,1,{1.2 * k:.1f},0,500\n" for k in range(150))
SCHEDULE = "context,start,end,clip\n"
FILES = {
    "a.csv": HEADER + ROWS,
    "d/a.csv": HEADER + ROWS,
    "text.csv": HEADER + ROWS.replace("500", "abc"),
    "nothing.csv": "",
    "elsewhere.csv": SCHEDULE + "pain,0,3,1\n",
    "backwards.csv": SCHEDULE + "all,3,0,1\n",
    "unnamed.csv": "context,begin,end,clip\nall,0,3,1\n",
    "absent.csv": "subject,context,openface\ns1,all,a.csv\ns2,all,no.csv\ns3,all,none.csv\n",
    "blank.csv": "subject,context,openface\ns1,all,a.csv\ns2,all,\n",
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, text in FILES.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def printed(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[str, str, object]:
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        patch.setattr(sys, "argv", ["pyexpr", "features", *arguments])
        code: object = 0
        try:
            main()
        except SystemExit as stopped:
            code = stopped.code
    out, err = capsys.readouterr()
    return out, " ".join(err.replace("│", " ").split()), code


EVERY = ("--every", "3")
CARELESS = {
    "no.csv": (("no.csv", *EVERY), "'no.csv': there is no such file; check the path"),
    "two": (("no.csv", "a.csv", "none.csv", *EVERY), "2 files are not there: 'no.csv', 'none.csv'"),
    "a folder": (("d", *EVERY), "'d': this is a folder; name one of the CSV files in it"),
    "twice": (("a.csv", "a.csv", *EVERY), "the file 'a.csv' is given 2 times; name it once"),
    "otherwise": (("a.csv", "d/../a.csv", *EVERY), "(also as 'd/../a.csv'); name it once"),
    "one name": (("a.csv", "d/a.csv", *EVERY), "two files are both named 'a': give a table"),
    "not cut": (("a.csv",), "say how to cut the recordings: --every 3 (seconds), or --schedule"),
    "cut twice": (("a.csv", *EVERY, "--schedule", "backwards.csv"), "or --schedule, not both"),
    "elsewhere": (
        ("a.csv", "--schedule", "elsewhere.csv"),
        "no context 'all'; it has 'pain'; recordings that are given as files, without a table",
    ),
    "backwards": (("a.csv", "--schedule", "backwards.csv"), "must end after its start"),
    "unnamed": (("a.csv", "--schedule", "unnamed.csv"), "has no column 'start'; it has 'context'"),
    "no schedule": (("a.csv", "--schedule", "BP4D"), "there is no schedule 'BP4D': give"),
    "absent": (("--recordings", "absent.csv", *EVERY), "2 files are not there: 'no.csv'"),
    "blank": (("--recordings", "blank.csv", *EVERY), "must not have missing values, but row 2"),
    "text": (("text.csv", *EVERY), "column 'pose_Tz' must hold numbers, but row 1 holds 'abc'"),
    "nothing": (("nothing.csv", *EVERY), "'nothing.csv': the file is empty"),
    "no other": (("nothing.csv", *EVERY, "--on-error", "skip"), "no clip of 3 s fits: nothing.csv"),
    "4d": (("a.csv", *EVERY, "--landmarks", "4d"), "'2d', '3d', 'normalised', not '4d'"),
    "ignore": (("a.csv", *EVERY, "--on-error", "ignore"), "must be one of 'stop', 'skip', not"),
    "too much": (("a.csv", *EVERY, "--rate", "100"), "choose a rate of at most 25"),
}  # fmt: skip


@pytest.mark.parametrize("case", sorted(CARELESS))
def test_one_sentence(case: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments, sentence = CARELESS[case]
    out, err, code = printed(capsys, *arguments)
    assert (out, code in (1, 2)) == ("", True)
    assert sentence in err


def test_a_file_that_is_skipped_is_named(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out, _, code = printed(capsys, "text.csv", "a.csv", "no.csv", *EVERY, "--on-error", "skip")
    assert code == 0
    first = "2 recordings were left out, as --on-error skip asks; the first: "
    assert f"Note: {first}'text.csv': column 'pose_Tz'" in out
    assert "of the schedule" not in out


@pytest.mark.parametrize("place", ["files", "recordings", "schedule"])
def test_a_pipe_is_refused_before_it_is_opened(
    place: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # Opened, it would wait for ever for somebody to write.
    os.mkfifo("pipe.csv")
    arguments = {
        "files": ("pipe.csv", *EVERY),
        "recordings": ("--recordings", "pipe.csv", *EVERY),
        "schedule": ("a.csv", "--schedule", "pipe.csv"),
    }[place]
    _, err, code = printed(capsys, *arguments)
    assert code == 1
    assert "it is a pipe (FIFO), and only files are read; write what it gives to a file" in err


def test_a_long_list_of_paths_is_compared_in_a_time_that_grows_with_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    compared = 0

    class Name(str):
        __slots__ = ()

        def __eq__(self, other: object) -> bool:
            nonlocal compared
            compared += 1
            return str.__eq__(self, other)

        __hash__ = str.__hash__

    class Stem(type(Path())):  # type: ignore[misc]
        @property
        def stem(self) -> str:
            return Name(super().stem)

    monkeypatch.setattr(manifest, "Path", Stem)
    n = 2000
    assert len(manifest.manifest_of([f"/d/{k}.csv" for k in range(n)], None, "largest")) == n
    # Of each name with each other it was n * n.
    assert compared < 10 * n
