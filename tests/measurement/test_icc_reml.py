"""Two-way ICCs with missing cells, against lme4."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from parity.reliability import cells

from pyexpr.measurement import icc_reml
from pyexpr.measurement.icc_reml import fit_components
from pyexpr.measurement.reliability import icc

R = json.loads((Path(__file__).parents[1] / "golden" / "icc.json").read_text())


def test_complete_and_positive_equals_the_mean_squares() -> None:
    table = np.array(R["cases"]["strong"]["table"])
    components = fit_components(*cells(table.tolist()))
    expected = icc(table).tidy().set_index("form")["estimate"]
    for family, form in (("agreement", "ICC(A,1)"), ("consistency", "ICC(C,1)")):
        theta = icc_reml.theta_of(components, family)
        assert theta / (1 + theta) == pytest.approx(expected[form], rel=1e-7)


@pytest.mark.parametrize("case", ["some", "many"])
def test_forms_and_delta_limits_from_lme4s_components(case: str) -> None:
    expected = R["incomplete"][case]
    table = np.array(expected["table"], dtype=float)
    rows = icc(table).tidy().set_index("form")
    target, rater, error, _ = expected["components"]
    k = rows.loc["ICC(C,k)", "k"]
    counts = (~np.isnan(table)).sum(axis=1)
    assert k == pytest.approx(len(counts) / (1 / counts).sum())
    assert rows.loc["ICC(A,1)", "estimate"] == pytest.approx(target / (target + rater + error))
    assert rows.loc["ICC(C,1)", "estimate"] == pytest.approx(target / (target + error))
    assert rows.loc["ICC(A,k)", "estimate"] == pytest.approx(
        target / (target + (rater + error) / k)
    )
    # Delta method for the consistency form: one ratio alone.
    theta = target / error
    variance = expected["covariance"][0][0] * (k * theta / (1 + k * theta)) ** 2
    low = math.log1p(k * theta) - 1.959963984540054 * math.sqrt(variance)
    assert rows.loc["ICC(C,k)", "conf_low"] == pytest.approx(1 - math.exp(-low), rel=1e-4)
    assert set(rows["method"]) == {"Wald", "REML, delta"}
    assert any("REML" in note for note in icc(table).notes())


def test_delta_limits_of_agreement_by_differences() -> None:
    expected = R["incomplete"]["many"]
    row = icc(np.array(expected["table"], dtype=float), form="ICC(A,k)").tidy().iloc[0]
    target, rater, error, _ = expected["components"]

    def scale(log_ratios: np.ndarray) -> float:
        ratio_t, ratio_r = np.exp(log_ratios)
        return math.log1p(row["k"] * ratio_t / (1 + ratio_r))

    at = np.log([target / error, rater / error])
    slope = [(scale(at + step) - scale(at - step)) / 2e-5 for step in 1e-5 * np.eye(2)]
    half = 1.959963984540054 * math.sqrt(slope @ np.array(expected["covariance"]) @ slope)
    assert row["conf_low"] == pytest.approx(1 - math.exp(half - scale(at)), rel=1e-4)
    assert row["conf_high"] == pytest.approx(1 - math.exp(-half - scale(at)), rel=1e-4)


def test_bounds_and_undetermined_designs_have_reasons() -> None:
    rng = np.random.default_rng(3)
    no_raters = rng.normal(size=(30, 1)) + rng.normal(size=(30, 4))
    no_raters -= no_raters.mean(axis=0)
    no_raters[0, 0] = np.nan
    row = icc(no_raters, form="ICC(A,1)").tidy().iloc[0]
    assert "variance of raters is estimated as 0" in row["reason"]
    assert row["conf_low"] < row["estimate"] < row["conf_high"]
    no_targets = rng.normal(size=(30, 4))
    no_targets -= no_targets.mean(axis=1, keepdims=True)
    no_targets[0, 0] = np.nan
    row = icc(no_targets, form="ICC(C,1)").tidy().iloc[0]
    assert row["estimate"] == 0
    assert "variance of targets is estimated as 0" in row["reason"]
    # Every target has its own two raters: raters and error cannot be told apart.
    nested = pd.DataFrame(
        {"t": np.repeat(np.arange(10), 2), "r": np.arange(20), "x": rng.normal(size=20)}
    )
    nested["x"] += 3 * rng.normal(size=10)[nested["t"]]
    row = icc(nested, targets="t", raters="r", ratings="x", form="ICC(A,1)").tidy().iloc[0]
    assert math.isnan(row["estimate"])
    assert "too little crossed" in row["reason"]
    additive = np.add.outer(rng.normal(size=8), [0.0, 1.0, 3.0])
    additive[0, 0] = np.nan
    row = icc(additive, form="ICC(C,1)").tidy().iloc[0]
    assert math.isnan(row["estimate"])
    assert "error variance is 0" in row["reason"]


def test_jackknife_refits_the_components() -> None:
    table = np.array(R["incomplete"]["many"]["table"], dtype=float)
    frame = pd.DataFrame(table, columns=[f"r{j}" for j in range(table.shape[1])])
    frame["subject"] = np.arange(len(frame)) // 10
    row = icc(frame, cluster="subject", form="ICC(C,k)").tidy().iloc[0]
    logs = []
    for left in (None, *range(5)):
        kept = icc(table[frame["subject"] != left], form="ICC(C,1)").tidy()["estimate"].iloc[0]
        logs.append(math.log1p(row["k"] * kept / (1 - kept)))
    pseudo = 5 * logs[0] - 4 * np.array(logs[1:])
    half = 2.7764451051977987 * pseudo.std(ddof=1) / math.sqrt(5)  # t(4), 0.975
    assert row["conf_low"] == pytest.approx(1 - math.exp(half - pseudo.mean()), rel=1e-6)
    assert row["method"] == "subject jackknife"
