"""Standard output on a full disk: one sentence and status 1, of every command that prints."""

from __future__ import annotations

import errno
import io
import os
import shutil
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import typer

from pyexpr.behavior.tracking import track
from pyexpr.cli import main
from pyexpr.cli.app import app
from pyexpr.paper import beside_truth, reproduce
from pyexpr.report.tables.console import to_console
from pyexpr.report.tables.display import DisplayTable
from pyexpr.simulation import simulate
from pyexpr.simulation.simulate import simulate_study
from pyexpr.study.pipeline import Study, StudyResult
from pyexpr.study.results import report, summary

COMMANDS: dict[str, Any] = typer.main.get_command(app).commands  # type: ignore[attr-defined]
FULL = (
    "Error: standard output: No space left on device; make room there, or choose another place, "
    "and run it again"
)


class FullDisk(io.RawIOBase):
    """What /dev/full is on Linux, until it is told that there is room."""

    full = True

    def writable(self) -> bool:
        return True

    def write(self, content: Any) -> int:
        if self.full:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return len(content)


@pytest.fixture
def arguments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, list[object]]:
    """Return a call of each command; what takes a minute has its result already."""
    rng = np.random.default_rng(1)
    display = DisplayTable("Table 1", ("term",), (("x",),))
    table = pd.DataFrame({"subject": rng.integers(5, size=30), "y": rng.normal(size=30)})
    result = SimpleNamespace(
        table=table, dropped=table.iloc[:0], tidy=lambda: table, printed=lambda: table,
        heading=lambda: "a heading", notes=list, displays=lambda: {"one": display},
    )  # fmt: skip
    monkeypatch.setattr(track, "track_videos", lambda *_args, **_options: result)
    monkeypatch.setattr(reproduce, "reproduce_paper", lambda **_options: result)
    monkeypatch.setattr(report, "study_report", lambda *_args, **_options: tmp_path / "r.html")
    stages = SimpleNamespace(tables={})
    for name, found in (
        ("run", StudyResult.__new__(StudyResult)), ("predictions", table), ("models", stages),
    ):  # fmt: skip
        monkeypatch.setattr(Study, name, lambda *_args, found=found, **_options: found)
    for module, name in ((summary, "print_summary"), (beside_truth, "print_beside_truth")):
        monkeypatch.setattr(module, name, lambda *_args: to_console(display))
    study = tmp_path / "study"
    simulate_study(study, subjects=3, n_jobs=1, progress=False)
    (tmp_path / "new").mkdir()
    shutil.copy(study / "ratings.csv", tmp_path / "new")
    shutil.copytree(study / "openface", tmp_path / "new" / "openface")
    common = rng.normal(size=(30, 1))
    numbers = pd.DataFrame(common + rng.normal(size=(30, 3)), columns=list("abc"))
    table.join(numbers).to_csv(tmp_path / "t.csv", index=False)
    clips = {"clip": np.repeat(range(6), 12), "rater": list("abcabcabcabc") * 6}
    values = {"time": np.tile(np.repeat(range(4), 3), 6) + 5 * np.repeat(range(6), 12)}
    ratings = pd.DataFrame(clips | values).assign(y=rng.normal(size=72))
    ratings.to_csv(tmp_path / "r.csv", index=False)
    times = {"dyad": np.repeat(range(4), 100), "person": np.repeat(range(8), 50)}
    way = {"time": np.tile(np.arange(50) / 5, 8), "way": rng.normal(size=400)}
    pd.DataFrame(times | way).to_csv(tmp_path / "dyads.csv", index=False)
    recording = study / "openface" / "S001_pain.csv"
    return {
        "run": [study / "study.toml"],
        "init": [tmp_path / "new", "--yes"],
        "check": [study / "study.toml"],
        "report": [study],
        "icc": [tmp_path / "t.csv", "--ratings", "y", "--targets", "subject", "--context", ""],
        "ceiling": [tmp_path / "t.csv", tmp_path / "t.csv", "--predictions", "y", "--truth", "y",
                    "--targets", "a", "--ratings", "y"],
        "importance": [tmp_path / "t.csv", "--label", "y", "--features", "a,b,c", "--folds", "2",
                       "--model", "sklearn.linear_model.LinearRegression"],
        "components": [
            tmp_path / "t.csv", "--ratings", "y", "--facets", "subject", "--replicates"
        ],
        "multilevel": [tmp_path / "t.csv", "--ratings", "y", "--targets", "a"],
        "agreement": [tmp_path / "t.csv", "--ratings", "y", "--targets", "subject"],
        "raters": [
            tmp_path / "r.csv", "--raters", "rater", "--ratings", "y",
            "--targets", "clip,time",
        ],
        "traces": [
            tmp_path / "r.csv", "--ratings", "y", "--targets", "clip", "--cluster", "clip",
            "--max-lag", "1", "--rate", "1",
        ],
        "cfa": [tmp_path / "t.csv", "--indicators", "a,b,c", "--engine", "native"],
        "track": ["a.mp4", "-o", tmp_path],
        "features": [recording, "--every", "3"],
        "series": [recording],
        "synchrony": [tmp_path / "dyads.csv", "--series=way", "--window=5", "--lag=1"],
        "fit": [study / "study.toml"],
        "compare": [
            tmp_path / "t.csv", "--truth", "y", "--predictions", "a,b", "--n-boot", "0",
            "--context", "subject",
        ],
        "sensitivity": [
            study / "study.toml", "--set", "compare.confidence=.9", "--of", "reliability",
        ],
        "errors": [
            tmp_path / "t.csv", "--truth", "y", "--predictions", "a", "--properties", "b",
        ],
        "plan": [
            "--n-subjects", "10", "--n-clips", "2", "--difference", "0.2", "--metric", "rmse",
            "--published", "rmse=1", "--published", "between_errors=0.5", "--published", "icc=0.2",
            "--n-studies", "10",
        ],
        "simulate": [study, "--subjects", "3"],
        "demo": [study, "--subjects", "3"],
        "paper": [],
        "doctor": [],
    }  # fmt: skip


def status(*words: object) -> object:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["pyexpr", *map(str, words)])
        try:
            main.main()
        except SystemExit as end:
            return end.code
    return 0


def test_every_command_says_in_a_sentence_that_nothing_could_be_printed(
    arguments: dict[str, list[object]],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    recwarn: pytest.WarningsRecorder,
) -> None:
    assert set(arguments) == set(COMMANDS)
    calls = [[name, *more] for name, more in arguments.items()]
    calls += [["--help"], ["--version"], ["icc", "--help"], ["icc", *arguments["icc"], "--json"]]
    calls += [["icc", *arguments["icc"], "-o", "-"], ["doctor", "--json"]]
    wrong = []
    for call in calls:
        disk = FullDisk()
        with monkeypatch.context() as patch:
            out = io.TextIOWrapper(io.BufferedWriter(disk), encoding="utf-8")
            patch.setattr(sys, "stdout", out)
            code = status(*call)
        disk.full = False
        out.close()
        errors = capsys.readouterr().err.splitlines()
        sentences = [line for line in errors if line.startswith("Error: ")]
        if code != 1 or sentences != [FULL] or errors[-1] != FULL:
            wrong += [f"{' '.join(map(str, call))}: {code}, {errors}"]
    assert not wrong, "\n".join(wrong)


def test_a_disk_that_fails_is_not_taken_for_standard_output(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def failing(*_: object, **__: object) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(simulate, "simulate_study", failing)
    assert status("simulate", tmp_path) == 1
    assert capsys.readouterr().err == "Error: reading or writing failed: Input/output error\n"
