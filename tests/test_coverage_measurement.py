"""The fast paths of the measurement study are the paths that users take."""

from __future__ import annotations

import importlib
from pathlib import Path
from types import ModuleType

import pandas as pd
import pytest

from pyexpr.measurement.invariance import invariance

FOLDER = Path(__file__).parents[1] / "benchmarks" / "coverage_study"
# lavaan stops at its default tolerances in the study, at stricter ones in the package.
P_VALUE = 1e-3


@pytest.fixture
def study(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(FOLDER))
    return importlib.import_module("measurement")


def test_p_values_are_those_of_invariance(study: ModuleType) -> None:
    tables, ours = [], []
    for number, _, data in study.factor_studies(0, 20, range(1)):
        table = pd.DataFrame(data["columns"], columns=["x1", "x2", "x3"])
        table = table.assign(context=data["context"], subject=data["subject"])
        ours.append(
            invariance(
                table, {"f": ["x1", "x2", "x3"]}, group="context", cluster="subject",
                engine="rpy2",
            ).tidy().set_index("level")
        )  # fmt: skip
        tables.append(table.drop(columns="subject").assign(study=len(tables)))
        assert number == 0
    theirs = study.lavaan_p_values(tables)
    for number, found in enumerate(ours):
        for level in ("metric", "scalar"):
            wanted = found.loc[level, "lavaan_p_value"]
            assert theirs.loc[number, level] == pytest.approx(wanted, abs=P_VALUE)
    tally: dict[str, list[int]] = {}
    study.factor_piece(0, 20, range(1), tally)
    for level in ("metric", "scalar"):
        # Nothing departs in every third of the tables.
        rejected = sum(found.loc[level, "p_value"] <= 0.05 for found in ours[::3])
        assert tally[f"{level}|none|ours"] == [rejected, 1, 0]


def test_page_is_written_from_pieces(
    study: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(study, "PIECES", tmp_path)
    monkeypatch.setattr(study, "PIECE", 4)
    study.one_piece("factor", 3, 20, 0)
    study.report.write(tmp_path, tmp_path / "page.md")
    page = (tmp_path / "page.md").read_text()
    assert "Ours: 4 studies a cell" in page
    with pytest.raises(SystemExit, match="no pieces"):
        study.report.write(tmp_path / "empty", tmp_path / "page.md")
