"""`pyexpr series` and `pyexpr synchrony`: what Python computes, as the other commands show it."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from behavior.openface_files import POSE, TIME, Layout, rows, text

from pyexpr.behavior.features.series import movement_series
from pyexpr.behavior.features.synchrony import synchrony
from pyexpr.cli.main import main

ONE = Layout(["frame", *TIME, *POSE])


def run(*arguments: object) -> int:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["pyexpr", *map(str, arguments)])
        patch.setattr("warnings.showwarning", None)
        try:
            main()
        except SystemExit as stopped:
            return int(stopped.code or 0)
    return 0


@pytest.fixture
def recording(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A head that moves by 2 mm a frame, 3 s at 25 frames per second."""
    monkeypatch.chdir(tmp_path)
    table = rows(ONE, 75, make=lambda name, frame, _: 2.0 * frame if name == "pose_Tx" else 500.0)
    Path("s01.csv").write_text(text(ONE, table))
    return "s01.csv"


@pytest.fixture
def dyads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Four dyads; the second person does 1 s later what the first did."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(1)
    tables = []
    for dyad in range(4):
        moves = rng.normal(size=105)
        second = moves[:100] + rng.normal(size=100)
        for person, way in (("a", moves[5:]), ("b", second)):
            tables.append(
                {"dyad": dyad, "person": f"{person}{dyad}", "time": np.arange(100) / 5, "way": way}
            )
    pd.concat([pd.DataFrame(one) for one in tables]).to_csv("dyads.csv", index=False)
    return "dyads.csv"


def read(source: str | io.StringIO) -> pd.DataFrame:
    return pd.read_csv(source, dtype={"dyad": "str"}, keep_default_na=True)


def test_series(recording: str, capsys: pytest.CaptureFixture[str]) -> None:
    expected = movement_series(recording, progress=False).tidy()
    assert run("series", recording, "-o", "bins.csv") == 0
    assert capsys.readouterr().out.startswith("Movement of 1 clip from 1 file, at 5 Hz\n")
    found = read("bins.csv")
    assert list(found) == list(expected)
    np.testing.assert_array_equal(found["head_displacement"], expected["head_displacement"])
    # A row per frame; clips; only the table on standard output.
    assert run("series", recording, "--frames", "--every", 1, "-o", "-", "-q") == 0
    frames = read(io.StringIO(capsys.readouterr().out))
    assert frames["clip"].value_counts().to_dict() == {1: 25, 2: 25, 3: 25}
    np.testing.assert_allclose(frames["head_displacement"].dropna(), 2.0)
    assert run("series", recording, "--json") == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["result"] == "MovementSeries"
    assert len(shown["table"]) == len(expected)
    assert shown["provenance"]["units"]["head_displacement"] == "mm per step"


def test_synchrony(dyads: str, capsys: pytest.CaptureFixture[str]) -> None:
    options = {"series": "way", "window": 10.0, "lag": 2.0, "measure": "peak", "seed": 3}
    expected = synchrony(pd.read_csv(dyads), **options)
    command = ("synchrony", dyads, *(f"--{name}={value}" for name, value in options.items()))
    assert run(*command, "-o", "all.csv", "--windows", "windows.csv") == 0
    shown = capsys.readouterr().out
    assert shown.startswith("Synchrony of way in 4 dyads: windows of 10 s, lags to 2 s\n")
    assert "Note: the measure is positive without any synchrony" in shown
    found = read("all.csv")
    assert found["dyad"].tolist() == ["0", "1", "2", "3", "all"]
    np.testing.assert_allclose(found["estimate"], expected.table["estimate"], rtol=1e-12)
    np.testing.assert_allclose(found["p_value"], expected.table["p_value"], rtol=1e-12)
    windows = read("windows.csv")
    np.testing.assert_allclose(windows["correlation"], expected.correlations.ravel(), rtol=1e-12)
    assert run(*command, "--json") == 0
    assert json.loads(capsys.readouterr().out)["provenance"]["options"]["seed"] == 3


@pytest.mark.parametrize(
    ("command", "status", "message"),
    [
        (("series",), 2, "give OpenFace files, or --recordings"),
        (("series", "s01.csv", "--every", "1", "--schedule", "bp4d_plus"), 2, "not both"),
        (("series", "study.toml"), 2, "a study file has no series of its own"),
        (("series", "s01.csv", "--every", "100"), 1, "no clip fits into its recording: s01.csv:"),
        (("series", "s01.csv", "--rate", "0"), 1, "--rate must be a positive number"),
        (("series", "none.csv"), 1, "there is no such file"),
        (("series", "s01.csv", "--layout", "mediapip"), 1, "did you mean 'mediapipe'"),
        (("series", "s01.csv", "-o", "s01.csv", "--overwrite"), 1, "s01.csv"),
        (("series", "s01.csv", "-o", "-", "--json"), 2, "both"),
        (("synchrony", "s01.csv"), 1, "has no column 'head_displacement'"),
        (("synchrony", "s01.csv", "--measure", "peaks", "--series", "pose_Tx"), 1, "'peak'"),
        (("synchrony", "s01.csv", "--windows", "-", "-o", "-"), 2, "standard output"),
    ],
)
def test_what_is_wrong_is_one_sentence(
    command: tuple[str, ...],
    status: int,
    message: str,
    recording: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(*command) == status
    shown = capsys.readouterr()
    if message != "both":
        assert message in " ".join(shown.err.replace("│", " ").split())
    assert "Traceback" not in shown.err
    assert shown.out == ""
