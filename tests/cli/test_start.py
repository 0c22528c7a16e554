"""Ctrl-C on the command line: one sentence that is true of the command, and status 130."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pyexpr.base.errors import Interrupted
from pyexpr.cli.main import main
from pyexpr.core.cluster_bootstrap import MetricDesign

# Presses Ctrl-C when typer is being imported, or as the commands are being put together.
PRESS = """
import runpy, signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
class Finder:
    def find_spec(name, path=None, target=None):
        if name == "{module}":
            signal.raise_signal(signal.SIGINT)
sys.meta_path.insert(0, Finder)
sys.argv = ["pyexpr", "doctor"]
"""
AS_MODULE = "runpy.run_module('pyexpr.cli.main', run_name='__main__')"
AS_SCRIPT = "from pyexpr.cli.script import main; main()"
SENTENCE = "Interrupted: stopped by Ctrl-C before the end: no file is half written\n"


@pytest.mark.parametrize("call", [AS_MODULE, AS_SCRIPT])
@pytest.mark.parametrize("module", ["typer", "pyexpr.base.errors", "pyexpr.diagnosis"])
def test_an_interrupt_while_it_starts(call: str, module: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PRESS.format(module=module) + call],
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert (done.returncode, done.stderr, done.stdout) == (130, SENTENCE, "")


@pytest.fixture
def table(tmp_path: Path) -> Iterator[Path]:
    rng = np.random.default_rng(1)
    frame = pd.DataFrame({"subject": np.arange(60) // 3, "truth": rng.normal(size=60)})
    frame.assign(a=rng.normal(size=60), b=rng.normal(size=60)).to_csv(
        tmp_path / "t.csv", index=False
    )
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield tmp_path / "t.csv"
    assert signal.signal(signal.SIGINT, before) is signal.default_int_handler


def printed(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["pyexpr", *map(str, arguments)])
        patch.setattr("warnings.showwarning", None)
        with pytest.raises(SystemExit) as stopped:
            main()
    assert stopped.value.code == 130
    return capsys.readouterr().err


def test_nothing_is_kept_of_a_comparison(
    table: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def press(*_: object, **__: object) -> None:
        signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(MetricDesign, "replicates", press)
    output = table.parent / "o.csv"
    assert printed(capsys, "compare", table, "--predictions", "a,b", "-o", output) == (
        "Interrupted: stopped by Ctrl-C after 0 of 2000 replicates: nothing is kept; a smaller "
        "--n-boot ends sooner\n"
    )
    assert not output.exists()


@pytest.mark.parametrize(
    ("command", "target", "sentence"),
    [
        (["cfa", "{}", "--indicators", "truth,a,b"], "pyexpr.measurement.factor.cfa.rows_to_fit",
         "while the factor model was fitted: there is no result of this fit"),
        (["icc", "{}", "--targets", "subject", "--context", "", "--ratings", "a"],
         "pyexpr.measurement.icc.icc.groups_of",
         "while intraclass correlations were computed: nothing is kept"),
    ],
)  # fmt: skip
def test_each_command_says_what_is_kept(
    command: list[str],
    target: str,
    sentence: str,
    table: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def press(*_: object, **__: object) -> None:
        signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(target, press)
    arguments = [part.format(table) for part in command]
    assert printed(capsys, *arguments) == f"Interrupted: stopped by Ctrl-C {sentence}\n"


def test_an_interrupt_beside_the_commands_has_the_status_too(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped() -> None:
        raise Interrupted("stopped by Ctrl-C in the midst")

    monkeypatch.setattr("pyexpr.cli.main.app", stopped)
    assert printed(capsys, "doctor") == "Interrupted: stopped by Ctrl-C in the midst\n"
