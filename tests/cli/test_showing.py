"""What commands print: JSON alone, CSV on standard output, quiet, colours, visible labels."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import typer

from pyexpr.cli.app import EXIT_STATUS, app
from pyexpr.cli.main import main
from pyexpr.cli.options import several_of
from pyexpr.cli.showing import CALL, has_colours, show_error, show_warning
from pyexpr.diagnosis import DoctorResult, Finding

COMMANDS: dict[str, Any] = typer.main.get_command(app).commands  # type: ignore[attr-defined]


def call(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[str, str, object]:
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        warnings.simplefilter("always")
        patch.setattr(sys, "argv", ["pyexpr", *map(str, arguments)])
        code: object = 0
        try:
            main()
        except SystemExit as stopped:
            code = stopped.code
    out, err = capsys.readouterr()
    return out, err, code


@pytest.fixture
def tables(tmp_path: Path) -> Path:
    rng = np.random.default_rng(1)
    subject = np.repeat(np.arange(20), 3)
    frame = pd.DataFrame({"subject": subject, "task": "pain", "truth": rng.normal(size=60)})
    frame = frame.assign(a=frame["truth"] + rng.normal(size=60), b=rng.normal(size=60), still=1.0)
    frame.to_csv(tmp_path / "t.csv", index=False)
    rows = [(f"s{t}", "r\x1b[31m"[: 1 + 5 * (t % 2)], (7 * t + 3 * r) % 5) for t in range(8)
            for r in range(3)]  # fmt: skip
    ratings = pd.DataFrame(rows, columns=["subject", "question", "score"])
    ratings.to_csv(tmp_path / "r.csv", index=False)
    lines = ["frame,timestamp,confidence,success,pose_Tx,pose_Ty,pose_Tz"]
    lines += [f"{k + 1},{k / 25:.2f},0.98,1,{1.2 * k:.1f},0,500" for k in range(150)]
    (tmp_path / "f.csv").write_text("\n".join(lines) + "\n")
    return tmp_path


def command(name: str, tables: Path) -> list[object]:
    return {
        "icc": ["icc", tables / "r.csv", "--targets", "subject", "--context", "question"],
        "cfa": ["cfa", tables / "t.csv", "--indicators", "truth,a,b", "--engine", "native"],
        "compare": ["compare", tables / "t.csv", "--predictions", "a,still", "--n-boot", "0"],
        "features": ["features", tables / "f.csv", "--every", "3"],
    }[name]


@pytest.mark.parametrize("name", ["icc", "cfa", "compare", "features"])
def test_json_is_all_of_standard_output(
    name: str, tables: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, err, code = call(capsys, *command(name, tables), "--json", "-o", tables / "out.csv")
    assert code == 0, err

    def no_constant(name: str) -> None:
        raise AssertionError(f"{name} is no JSON")

    found = json.loads(out, parse_constant=no_constant)
    assert set(found) >= {"result", "heading", "table", "provenance", "notes"}
    written = pd.read_csv(tables / "out.csv")
    assert len(found["table"]) == len(written)
    assert list(found["table"][0]) == list(written)
    for row, (_, other) in zip(found["table"], written.iterrows(), strict=True):
        numbers = {k: v for k, v in row.items() if isinstance(v, float)}
        np.testing.assert_array_equal(list(numbers.values()), other[list(numbers)].astype(float))


def test_a_missing_number_is_null_beside_its_reason(
    tables: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = [*command("compare", tables), "--metrics", "correlation", "--json"]
    found = json.loads(call(capsys, *arguments)[0])
    (still,) = [row for row in found["table"] if row["term"] == "still"]
    assert still["estimate"] is None
    assert still["reason"]


@pytest.mark.parametrize("name", ["icc", "compare"])
def test_standard_output_has_the_bytes_of_the_file(
    name: str, tables: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    path = tables / "out.csv"
    call(capfdbinary, *command(name, tables), "-o", path)  # type: ignore[arg-type]
    out, err, code = call(capfdbinary, *command(name, tables), "-o", "-")  # type: ignore[arg-type]
    assert code == 0
    assert out == path.read_bytes()
    assert b"Note: " in err  # type: ignore[operator]


def test_a_second_table_goes_to_standard_output(
    tables: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, _, code = call(capsys, *command("cfa", tables), "--scores", "-")
    assert code == 0
    assert "bartlett_score" in pd.read_csv(io.StringIO(out))


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        (["-o", "-", "--json"], "--output and --json all write to standard output"),
        (["-o", "-", "--scores", "-"], "--output and --scores all write to standard output"),
    ],
)
def test_two_things_are_not_mixed_on_standard_output(
    more: list[str], sentence: str, tables: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, err, code = call(capsys, *command("cfa", tables), *more)
    assert (code, out) == (2, "")
    assert sentence in " ".join(err.replace("│", " ").split())


@pytest.mark.parametrize("name", ["run", "check", "paper"])
def test_a_folder_is_not_standard_output(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    study = [] if name == "paper" else ["study.toml"]
    _, err, code = call(capsys, name, *study, "-o", "-")
    assert code == 2
    assert "a folder here, which standard output cannot be" in " ".join(
        err.replace("│", " ").split()
    )


def test_quiet_is_quiet(tables: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("icc", "compare", "features"):
        output = tables / f"{name}.csv"
        assert call(capsys, *command(name, tables), "-q", "-o", output) == ("", "", 0)
        assert output.exists()
        out, err, code = call(capsys, *command(name, tables), "--quiet")
        assert (err, code) == ("", 0)
        assert "Note: " not in out
    # An error is said all the same.
    _, err, code = call(capsys, "icc", tables / "none.csv", "--quiet")
    assert code == 1
    assert err.startswith("Error: ")


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_command_has_json_quiet_and_its_exit_status(name: str) -> None:
    options = {option for parameter in COMMANDS[name].params for option in parameter.opts}
    assert {"--json", "--quiet", "-q"} <= options
    assert COMMANDS[name].epilog == EXIT_STATUS


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_help_is_in_sentences(name: str) -> None:
    command = COMMANDS[name]
    helps = {parameter.name: parameter.help or "" for parameter in command.params}
    helps |= {"the command": command.help.strip()}
    for about, text in helps.items():
        assert re.match(r"[A-Z\"]|mediapipe", text), (about, text)
        assert text.endswith("."), (about, text)
        # Clipped forms that a reader stumbles over.
        assert not re.search(r"\b(one row a|a column an?|, by commas)\b", text), (about, text)


def test_a_command_that_writes_one_table_can_write_it_to_standard_output() -> None:
    folders = {"run", "check", "init", "report", "track", "simulate", "demo", "paper", "doctor"}
    for name in set(COMMANDS) - folders:
        (output,) = [one for one in COMMANDS[name].params if "-o" in one.opts]
        assert '"-" is standard output' in output.help, name


def test_the_doctor_says_by_its_status_what_everything_needs(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for broken, needed_for, expected in (
        ("R", "the factor model", 0), ("numpy", "everything", 1),
    ):  # fmt: skip
        found = DoctorResult((Finding(broken, "", "missing", needed_for, "Run: x"),))
        monkeypatch.setattr("pyexpr.diagnosis.doctor", lambda found=found: found)
        out, _, code = call(capsys, "doctor", "--json")
        assert code == expected
        assert json.loads(out)["table"][0]["remedy"] == "Run: x"


def test_version_and_help(capsys: pytest.CaptureFixture[str]) -> None:
    import pyexpr

    assert call(capsys, "--version") == (f"pyexpr {pyexpr.__version__}\n", "", 0)
    out, _, code = call(capsys, "icc", "-h")
    assert code == 0
    assert "130 if it was stopped by Ctrl-C" in " ".join(out.split())


def test_the_shell_completes_commands_options_and_values() -> None:
    def completed(*words: str) -> list[str]:
        done = subprocess.run(
            [sys.executable, "-c", "import sys; sys.argv[0] = 'pyexpr'; "
             "from pyexpr.cli.script import main; main()"],
            capture_output=True, text=True, check=False,
            env={**os.environ, "_PYEXPR_COMPLETE": "complete_bash",
                 "COMP_WORDS": " ".join(["pyexpr", *words]), "COMP_CWORD": str(len(words))},
        )  # fmt: skip
        return done.stdout.split()

    assert completed("compa") == ["compare"]
    assert completed("compare", "--metrics", "rmse,corr") == ["rmse,correlation"]


def test_a_value_is_not_completed_twice() -> None:
    assert several_of(["rmse", "r2"])("rmse,r") == ["rmse,r2"]


class Stream(io.StringIO):
    def __init__(self, terminal: bool) -> None:
        super().__init__()
        self.terminal = terminal

    def isatty(self) -> bool:
        return self.terminal


@pytest.mark.parametrize(
    ("terminal", "environment", "expected"),
    [
        (True, {}, True), (False, {}, False), (True, {"NO_COLOR": "1"}, False),
        (True, {"NO_COLOR": ""}, True), (False, {"FORCE_COLOR": "1"}, True),
        (False, {"FORCE_COLOR": "1", "NO_COLOR": "1"}, False), (True, {"TERM": "dumb"}, False),
    ],
)  # fmt: skip
def test_colours_are_for_terminals(
    terminal: bool,
    environment: dict[str, str],
    expected: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("NO_COLOR", "FORCE_COLOR", "TERM"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    stream = Stream(terminal)
    assert has_colours(stream) == expected
    monkeypatch.setattr(sys, "stderr", stream)
    show_error("it is\x1b[2Jwrong")
    shown = stream.getvalue()
    assert ("\x1b[1;31mError:\x1b[0m" in shown) == expected
    assert shown.endswith("it is\\x1b[2Jwrong\n")


def test_labels_do_not_reach_the_terminal_raw(
    tables: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, err, code = call(capsys, *command("icc", tables))
    assert code == 0
    assert "r\\x1b[31" in out
    assert "\x1b" not in out + err
    # The file has the label as it is.
    call(capsys, *command("icc", tables), "-o", tables / "out.csv")
    assert "r\x1b[31" in (tables / "out.csv").read_text()
    _, err, code = call(capsys, "compare", tables / "t.csv", "--predictions", "\x1b]0;x\x07")
    assert code == 1
    assert "\x1b" not in err
    CALL.begin([])
    show_warning("of \x1b[31m")
    assert capsys.readouterr().err == "Warning: of \\x1b[31m\n"


def test_a_letter_that_an_output_lacks_ends_nothing(tables: Path) -> None:
    path = tables / "u.csv"
    path.write_text((tables / "r.csv").read_text().replace("r\x1b[31", "Ω"), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "pyexpr.cli.main", "icc", str(path), "--targets", "subject",
         "--context", "question"],
        capture_output=True, check=False, env={**os.environ, "PYTHONIOENCODING": "cp1252"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert b"\\u03a9" in done.stdout
