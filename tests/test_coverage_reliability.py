"""The fast paths of the study of the ICC's intervals are the paths that users take."""

from __future__ import annotations

import importlib
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd
import pytest

from pyexpr.measurement.icc.group import plain_signals
from pyexpr.measurement.icc.icc import icc
from pyexpr.measurement.icc.left_out import left_out

FOLDER = Path(__file__).parents[1] / "benchmarks" / "coverage_study"


@pytest.fixture
def study(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(FOLDER))
    return importlib.import_module("reliability")


@pytest.mark.parametrize("scenario", [0, 15])
def test_intervals_of_crossed_ratings_are_those_of_icc(study: ModuleType, scenario: int) -> None:
    design = study.CROSSED[scenario]
    table, subjects = study.crossed_study(design, np.random.default_rng(1))
    frame = pd.DataFrame(table, columns=[f"r{j}" for j in range(design.raters)])
    rows = icc(frame.assign(subject=subjects), cluster="subject").tidy().set_index("form")
    ratings = study.of_table(table, subjects)
    alone = plain_signals(ratings, ratings.squares(), 0.95, {"agreement", "consistency"})
    for family, form in (("agreement", "ICC(A,1)"), ("consistency", "ICC(C,1)")):
        found = study.ours(alone[family], family, left_out(ratings))
        for name, theta in (("conf_low", found.low), ("conf_high", found.high)):
            assert rows.loc[form, name] == pytest.approx(theta / (1 + theta), rel=1e-9)


def test_intervals_of_one_way_ratings_are_those_of_icc(study: ModuleType) -> None:
    values, clips, subjects = study.one_way_study(study.ONE_WAY[1], 10, np.random.default_rng(2))
    frame = pd.DataFrame({"clip": clips, "subject": subjects, "score": values})
    ask = {"targets": "clip", "ratings": "score", "form": "ICC(1,1)", "cluster": "subject"}
    row = icc(frame, **ask).tidy().iloc[0]
    ratings = study.of_long(values, clips, subjects)
    alone = plain_signals(ratings, ratings.squares(), 0.95, {"one_way"})
    found = study.cluster_signals(ratings, alone, 0.95)[0]["one_way"]
    for name, theta in (("conf_low", found.low), ("conf_high", found.high)):
        assert row[name] == pytest.approx(theta / (1 + theta), rel=1e-9)
    tally: dict[str, list[int]] = {}
    for truth in (0.5, 2.0, 4.0):
        study.add(tally, "way", 1.0, 3.0, truth)
    study.add(tally, "way", np.nan, np.nan, 1.0)
    study.add(tally, "way", 1.0, np.inf, 1.0)
    assert tally == {"way": [2, 1, 4, 1, 1]}


def test_truths(study: ModuleType) -> None:
    """Of many targets, from the definitions: what two ratings of one share."""
    rng = np.random.default_rng(3)
    design = study.CROSSED[4]
    pairs = np.concatenate([_pairs(study, design, rng) for _ in range(3000)])
    assert np.corrcoef(pairs.T)[0, 1] == pytest.approx(
        study.crossed_truth(design, "agreement"), abs=0.02
    )
    assert study.one_way_truth(study.ONE_WAY[0]) == pytest.approx(0.7 / 1.7)


def _pairs(study: ModuleType, design: object, rng: np.random.Generator) -> np.ndarray:
    """Scores that two raters gave one clip of each subject."""
    table, subjects = study.crossed_study(design, rng)
    first = np.unique(subjects, return_index=True)[1]
    return table[first, :2]


def test_page_is_written_from_pieces(
    study: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(study, "PIECES", tmp_path)
    monkeypatch.setattr(study, "PIECE", 4)
    monkeypatch.setattr(study, "N_BOOT", 59)
    again = [study.one_piece("oneway", 1, 10, 0).read_text() for _ in range(2)]
    assert again[0] == again[1]
    study.one_piece("crossed", 0, 20, 0)
    study.report.write(tmp_path, tmp_path / "page.md", n_boot=59)
    page = (tmp_path / "page.md").read_text()
    assert "4 studies a cell, 59 replicates" in page
    assert "| 20 subjects of 8 clips, 4 raters | 0.35 |" in page
    with pytest.raises(SystemExit, match="no pieces"):
        study.report.write(tmp_path / "empty", tmp_path / "page.md", n_boot=59)
