"""The study of coverage for classes evaluates what users' calls evaluate."""

from __future__ import annotations

import importlib
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd
import pytest

from pyexpr.base.errors import FewSubjectsWarning
from pyexpr.inference.comparison.comparison import compare_models

FOLDER = Path(__file__).parents[1] / "benchmarks" / "coverage_study"


@pytest.fixture
def study(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    monkeypatch.syspath_prepend(str(FOLDER))
    names = (
        "classification",
        "classification_designs",
        "batches",
        "awkward",
        "awkward_designs",
        "over_folds",
        "pages",
    )
    yield importlib.import_module("classification")
    for name in names:
        sys.modules.pop(name, None)


@pytest.mark.parametrize("method", ["jackknife_t", "percentile"])
def test_it_evaluates_as_compare_models_does(study: ModuleType, method: str) -> None:
    number, n_boot = 3, study.METHODS[method]
    columns = study.study(study.DESIGNS[number], np.random.default_rng([study.SEED, 1 + number, 4]))
    found = {}
    for one in study.prepare(columns, n_boot=n_boot, seed=4):
        evaluated = study.compute(one.evidence, method, 0.95)
        for row, low, high in zip(one.rows, evaluated.low, evaluated.high, strict=True):
            found[row.metric, row.term] = low, high
    for truth, metrics in (("y", study.OF_CLASSES), ("score", ["spearman"])):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FewSubjectsWarning)
            result = compare_models(
                pd.DataFrame(columns), truth=truth, predictions=list("abc"), cluster="subject",
                metrics=metrics, n_boot=n_boot, seed=4, method=method,
            )  # fmt: skip
        # What is counted are intervals as they are found; shown they end where the metric does.
        tidy, intervals = result.tidy(), result.intervals
        for metric, term, low, high in zip(
            tidy.metric, tidy.term, intervals.low, intervals.high, strict=True
        ):
            if (metric, term) in found:
                np.testing.assert_array_equal(found[metric, term], (low, high))
    assert len(found) == 3 * len(study.METRICS)


def test_a_piece_counts_what_intervals_say(
    study: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = {(metric, term): 0.0 for metric in study.METRICS for term in ("a", "a - b", "a - c")}
    monkeypatch.setattr(study, "true_values", lambda _: values)
    counts = study.counted(0, range(3), "jackknife_t")
    assert counts["coverage|auc|a"] == [0.0, 3.0]
    assert counts["size|auc"][1] == 3.0
    folded = study.folded(0, range(1))
    assert folded["within|noise"][1] == 1.0


def test_models_over_folds_are_evaluated_and_shown(
    study: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    over_folds = study.over_folds
    monkeypatch.setattr(over_folds, "PIECE", 3)
    monkeypatch.setattr(over_folds, "DESIGNS", ((16, 2, (6, 6)),))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FewSubjectsWarning)
        over_folds.one_piece(tmp_path, 0, 1, 0)
    found = over_folds.read(tmp_path, 0, 1)
    assert found["spearman|a - b"].shape == (3, 3)
    page = over_folds.section(tmp_path)
    assert sum(line.startswith("| 16 subjects of 6 clips, 2 folds | 1 |") for line in page) == 2
    # Of intervals that are known: two of four hold the mean, which is 2, and one lies beside 0.
    values = np.array([[1, 0, 3], [2, -1, 1], [3, 2.5, 4], [2, -5, 9]])
    shown = over_folds.shares(values)
    assert (shown["mean"], shown["coverage"], shown["beside 0"]) == (2, 0.5, 0.25)
