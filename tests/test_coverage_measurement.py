"""The fast paths of the measurement study are the paths that users take."""

from __future__ import annotations

import importlib
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd
import pytest

from pyexpr.measurement.invariance.invariance import invariance

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
                table, {"f": ["x1", "x2", "x3"]}, context="context", cluster="subject",
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


def test_intervals_of_the_factor_model_are_counted_by_indicator(
    study: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(study, "PIECES", tmp_path)
    monkeypatch.setattr(study, "PIECE", 2)
    monkeypatch.setattr(study, "MODEL_BOOT", 59)
    tally: dict[str, list[int]] = {}
    study.model_piece(3, 12, range(2), tally)
    assert tally["model|no solution"] == [0, 2, 0]
    # Four indicators in each of two studies, one reliability.
    for method in ("jackknife_t", "percentile", "bca"):
        assert sum(tally[f"model|loading|{method}"][1:]) == 8
        assert sum(tally[f"model|score_reliability|{method}"][1:]) == 2
    # The truth is that of the model: weights and loadings multiply to 1, and so on.
    truth = study.MODEL_SCENARIOS[3].truth
    assert truth[:4] @ truth[12:16] == pytest.approx(1)
    assert truth[:4] ** 2 + truth[8:12] == pytest.approx(np.ones(4))
    tally = {}
    study.contrast_piece(0, 12, range(1), tally)
    assert {key: sum(counts[1:]) for key, counts in tally.items()} == {
        "contrast|metric|none": 9, "contrast|scalar|none": 9, "contrast|metric|metric": 1,
    }  # fmt: skip


def test_sections_that_were_not_counted_again_stay(study: ModuleType, tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    (tmp_path / "model-0-12-0000.json").write_text(
        '{"model|no solution": [0, 50, 0], "model|loading|jackknife_t": [144, 150, 0]}'
    )
    (tmp_path / "contrast-0-20-0000.json").write_text('{"contrast|metric|none": [40, 50, 0]}')
    study.report.write(tmp_path, page)
    first = page.read_text()
    # 144 of 150 indicators, of 50 studies: the error is of 50.
    assert "| 3 strong | loadings, jackknife-t | .960 (28) |" in first
    assert " .800 (57) |" in first
    (tmp_path / "contrast-0-20-0000.json").unlink()
    (tmp_path / "model-0-12-0000.json").write_text(
        '{"model|no solution": [0, 50, 0], "model|loading|jackknife_t": [141, 150, 0]}'
    )
    study.report.write(tmp_path, page)
    second = page.read_text()
    assert "| 3 strong | loadings, jackknife-t | .940 (34) |" in second
    assert " .800 (57) |" in second
    assert second.count("## Coverage of 95 % intervals of contrasts between contexts") == 1


def test_families_of_intervals_are_counted_once_a_study(study: ModuleType) -> None:
    tally: dict[str, list[int]] = {}
    study.family_piece(4, 20, range(1), tally)
    study.together_piece(0, 20, range(1), tally)
    assert {sum(counts[1:]) for counts in tally.values()} == {1}
    assert {f"together|{level}|max_t" for level in ("metric", "scalar")} < set(tally)
    # Subjects are of strata of the shares that are said, and the factor's variance is 1.
    scenario = study.FAMILY_SCENARIOS[4]
    table, _ = study.model_study(scenario, 20, np.random.default_rng(1))
    of_subjects = table.groupby("subject")["stratum"].first()
    assert of_subjects.value_counts(sort=False).tolist() == [2, 6, 12]
    loadings = np.array(scenario.loadings)
    many, names = study.model_study(scenario, 4_000, np.random.default_rng(1))
    expected = np.outer(loadings, loadings) + np.diag(1 - loadings**2)
    np.testing.assert_allclose(many[names].cov(), expected, atol=0.05)
