"""The fast path of the coverage study is the path that users take."""

from __future__ import annotations

import importlib
import json
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd
import pytest

from pyexpr.base.errors import PyexprWarning
from pyexpr.inference.comparison.comparison import compare_models
from pyexpr.resampling.intervals.methods import METHODS, compute

FOLDER = Path(__file__).parents[1] / "benchmarks" / "coverage_study"
N_BOOT = 99
N_STUDIES = 2


@pytest.fixture
def modules(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, ModuleType]]:
    monkeypatch.syspath_prepend(str(FOLDER))
    names = ("scenarios", "alternatives", "batches", "report", "run", "coefficients")
    yield {name: importlib.import_module(name) for name in names}
    for name in names:
        del sys.modules[name]


@pytest.mark.parametrize("ratio", [False, True])
def test_stacked_studies_are_compare_models(modules: dict[str, ModuleType], ratio: bool) -> None:
    scenarios, batches = modules["scenarios"], modules["batches"]
    scenario = scenarios.SCENARIOS[4]
    columns = [
        scenarios.study(scenario, 12, np.random.default_rng([3, number]))
        for number in range(N_STUDIES)
    ]
    studies = [
        batches.prepare(one, n_boot=N_BOOT, seed=number, ratio=ratio)
        for number, one in enumerate(columns)
    ]
    stack = batches.stacked(studies)
    for method in METHODS:
        found = compute(stack, method, 0.95)
        for number, (one, study) in enumerate(zip(columns, studies, strict=True)):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", PyexprWarning)
                wanted = compare_models(
                    pd.DataFrame(one), truth="y", predictions=list("abcd"), cluster="subject",
                    metrics=batches.METRICS, n_boot=N_BOOT, seed=number, method=method,
                    ratio=ratio,
                ).tidy()  # fmt: skip
            wanted = wanted.set_index(["metric", "term"])
            for k, row in enumerate(study.rows):
                at = number * len(study.rows) + k
                own = wanted.loc[(row.metric, row.term)]
                low, high = (
                    np.exp(limits[at]) if ratio else limits[at]
                    for limits in (found.low, found.high)
                )  # fmt: skip
                got = low, high, found.p_value[at], found.df[at]
                expected = own[["conf_low", "conf_high", "p_value", "df"]].to_numpy(dtype=float)
                np.testing.assert_array_equal(got, expected)


def test_a_piece_counts_what_intervals_say(
    modules: dict[str, ModuleType], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = modules["run"]
    monkeypatch.setattr(run, "PIECES", tmp_path)
    monkeypatch.setattr(
        run, "KINDS", {"jackknife": (4, 1), "draws": (4, 1), "ratio": (4, 1), "tails": (4, 1)}
    )
    monkeypatch.setattr(run, "truths_of", lambda _: {
        (metric, model): 0.7 for metric in modules["batches"].METRICS for model in "abcd"
    })  # fmt: skip
    jackknife = json.loads(run.one_piece("jackknife", 1, 12, 0).read_text(encoding="utf-8"))
    draws = json.loads(run.one_piece("draws", 1, 12, 0).read_text(encoding="utf-8"))
    ratios = json.loads(run.one_piece("ratio", 1, 12, 0).read_text(encoding="utf-8"))
    assert {method for methods in run.METHODS.values() for method in methods} == set(METHODS)
    for method in run.METHODS["ratio"]:
        inside, below, above = (
            ratios[f"{what}|{method}|rmse|a / b"] for what in ("coverage", "below", "above")
        )
        assert inside[0] + below[0] + above[0] == inside[1] == 4
    for counts, methods in ((jackknife, ("jackknife_t",)), (draws, run.RESAMPLING)):
        for method in methods:
            for metric in modules["batches"].METRICS:
                # An interval holds the value, or lies on one side of it.
                inside, below, above = (
                    counts[f"{what}|{method}|{metric}|a"] for what in ("coverage", "below", "above")
                )
                assert inside[0] + below[0] + above[0] == inside[1] <= 4
    # The rule among the alternatives is the package's own.
    for key, own in jackknife.items():
        if key.startswith("coverage|jackknife_t"):
            assert jackknife[key.replace("coverage|jackknife_t", "tried|adopted")][0] == own[0]
    assert sum(key.startswith("size|sign_flip") for key in draws) == 3


def test_a_study_of_slopes_is_counted(modules: dict[str, ModuleType]) -> None:
    coefficients = modules["coefficients"]
    tally: dict[str, list[float]] = {}
    coefficients.count_study(24, 0, tally)
    for method in coefficients.METHODS:
        for kind in coefficients.KINDS:
            share, _, n = tally[f"coverage|{method}|{kind}"]
            assert n == 1
            assert 0.5 <= share <= 1
    assert {key for key in tally if key.startswith("size")} == {
        "size|least squares, CR2|omnibus", "size|least squares, CR3|omnibus",
        "size|desparsified|omnibus", "size|wild, CR1|slope", "size|wild, CR2|slope",
    }  # fmt: skip
