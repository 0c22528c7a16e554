"""Control characters of users' text are written out wherever it is printed."""

from __future__ import annotations

import io
from types import SimpleNamespace

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from pyexpr.base.errors import DataError, Interrupted, PyexprWarning
from pyexpr.base.messages import say
from pyexpr.base.outputs import OutputError
from pyexpr.base.progress import progress
from pyexpr.base.results import table_text
from pyexpr.base.visible import LINES, visible
from pyexpr.behavior.features.series import MovementSeries
from pyexpr.behavior.openface.recording import OpenFaceRecording
from pyexpr.behavior.video.clips import VideoClips
from pyexpr.cli import studies
from pyexpr.report.tables.console import to_console
from pyexpr.report.tables.display import DisplayTable

BAD = "pain\x1b[2J\x1b]0;title\x07\x9b31m\r\u202e"
SHOWN = r"pain\x1b[2J\x1b]0;title\x07\x9b31m\r\u202e"


def test_it_is_written_as_python_writes_it() -> None:
    assert visible(BAD) == SHOWN
    assert visible("a\nb\t\x00", keep=LINES) == "a\nb\t\\x00"
    # Labels of every script, marks that they need included, stay as they are.
    for label in ("Schmerz ä", "疼痛", "שלום\u200f", "👩\u200d🔬", "a\u00a0b"):
        assert visible(label) is label


@settings(max_examples=50, deadline=None)
@given(st.text())
def test_no_control_character_is_left(text: str) -> None:
    shown = visible(text)
    assert not any(ord(sign) < 32 or 127 <= ord(sign) < 160 for sign in shown)
    shown.encode("utf-8")


@pytest.mark.parametrize("kind", [DataError, OutputError, PyexprWarning, Interrupted])
def test_errors_and_warnings(kind: type[BaseException]) -> None:
    assert str(kind(f"{BAD}\nnext")) == f"{SHOWN}\nnext"
    message = say("{name}: {n}", name="a", n=3)
    assert str(kind(message)) == "a: 3"


def test_tables_are_aligned_by_what_is_shown() -> None:
    text = table_text(pd.DataFrame({"x\x1b[31m": [BAD, "b"], "estimate": [0.5, 1.5]}))
    lines = text.splitlines()
    assert lines[0].split()[0] == r"x\x1b[31m"
    assert lines[1].split() == [SHOWN, "0.500"]
    assert len({len(line) for line in lines}) == 1
    assert visible(text, keep=LINES) == text


def test_a_table_on_the_terminal() -> None:
    stream = io.StringIO()
    console = Console(file=stream, width=120, force_terminal=False)
    display = DisplayTable(f"Of {BAD}", ("", BAD), ((BAD, "1"), ("b", "2")), notes=(BAD,))
    to_console(display, console)
    assert visible(stream.getvalue(), keep=LINES) == stream.getvalue()
    # Title, head and note; the label is wrapped.
    assert stream.getvalue().count(SHOWN) == 3
    assert visible(str(display), keep=LINES) == str(display)


def test_progress(capsys: pytest.CaptureFixture[str]) -> None:
    assert list(progress([1], total=1, label=f"{BAD}[bold]", show=True)) == [1]
    err = capsys.readouterr().err
    assert "\x07" not in err
    assert "]0;title\x07" not in err


def test_questions_on_the_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    requested: list[str] = []

    def entered(_text: str, *, default: str) -> str:
        requested.append(default)
        return default

    monkeypatch.setattr(studies.typer, "prompt", entered)
    # Enter takes the column by its own name.
    assert studies._ask(f"Which of {BAD}?", [BAD, "b"], BAD) == BAD
    assert capsys.readouterr().out == f"Which of {SHOWN}? ({SHOWN}, b)\n"
    assert requested == [SHOWN]


def test_what_a_prompt_of_python_shows() -> None:
    shown = SimpleNamespace(heading=lambda: BAD)
    for kind in (MovementSeries, OpenFaceRecording, VideoClips):
        assert repr_of(kind, shown) == f"<{kind.__name__} {SHOWN}>"


def repr_of(kind: type, shown: SimpleNamespace) -> str:
    return kind.__repr__(shown)  # type: ignore[arg-type]
