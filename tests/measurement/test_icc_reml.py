"""Two-way ICCs with missing cells, against lme4."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from parity.reliability import cells

from pyexpr.base.messages import codes_of, joined
from pyexpr.measurement.icc import reml as icc_reml
from pyexpr.measurement.icc.criterion import SparseTable, TableSums
from pyexpr.measurement.icc.icc import icc
from pyexpr.measurement.icc.reml import fit_components, fit_without_each
from pyexpr.measurement.icc.search import minimise

GOLDEN = Path(__file__).parents[1] / "golden"
R = json.loads((GOLDEN / "icc.json").read_text())

# lme4's criterion is printed with nine decimals; its optimisers stop within about 1e-8 of it.
CRITERION = 1e-6
# In units of the residual variance; where the criterion is flat lme4's own digits end there.
COMPONENTS = 1e-4
# The same minimum from other sums of the same ratings.
SAME_MINIMUM = 1e-7


def golden_tables() -> list[tuple[dict[str, str], np.ndarray]]:
    """lme4's 600 odd tables: 2-30 raters, 2-80 % of cells missing, disconnected ones too."""
    rows = pd.read_csv(GOLDEN / "reml.csv", dtype=str, keep_default_na=False)
    found = []
    for row in rows.to_dict(orient="records"):
        scores = [math.nan if cell == "." else float(cell) for cell in row["scores"].split()]
        found.append((row, np.array(scores).reshape(-1, int(row["raters"]))))
    return found


def test_no_odd_design_is_fitted_worse_than_by_lme4() -> None:
    """Criterion and components; and a component is 0 where lme4 has it at 0, nowhere else."""
    worst = dict.fromkeys(("criterion", "components"), 0.0)
    for row, table in golden_tables():
        found = fit_components(*cells(table.tolist()))
        assert not found.reason, row
        error = float(row["error"])
        worst["criterion"] = max(worst["criterion"], found.criterion - float(row["criterion"]))
        for name in ("target", "rater", "error"):
            theirs = float(row[name])
            assert (getattr(found, name) == 0) == (theirs < 1e-6 * error), (name, row)
            away = abs(getattr(found, name) - theirs) / error
            worst["components"] = max(worst["components"], away)
    assert worst["criterion"] < CRITERION
    assert worst["components"] < COMPONENTS


def test_golden_tables_are_odd_enough() -> None:
    rows = [row for row, _ in golden_tables()]
    missing = [np.isnan(table).mean() for _, table in golden_tables()]
    assert len(rows) == 600
    assert {row["kind"] for row in rows} >= {"blocks", "chain", "more raters than targets"}
    assert min(missing) < 0.05 < 0.75 < max(missing)
    at_bound = {
        name: sum(float(row[name]) < 1e-6 * float(row["error"]) for row in rows)
        for name in ("target", "rater")
    }
    assert all(100 < count < 300 for count in at_bound.values())


def test_a_bound_holds_only_where_the_derivative_by_the_variance_leads_there() -> None:
    """Karush, Kuhn and Tucker's conditions, of both ways of evaluating the criterion."""
    for _, table in golden_tables()[::20]:
        values, targets, raters = cells(table.tolist())
        raters = np.unique(raters, return_inverse=True)[1]
        values = values - values.mean()
        sums, sparse = TableSums.of(values, targets, raters), SparseTable(values, targets, raters)
        found = minimise(sums)
        for tables in (sums, sparse):
            at = tables.evaluate(found.ratios)
            assert at.criterion == pytest.approx(found.criterion, rel=1e-12)
            for ratio, slope in zip(found.ratios[0], at.gradient[0], strict=True):
                assert slope >= 0 if ratio == 0 else abs(slope * ratio) < 1e-6
        assert minimise(sparse).criterion == pytest.approx(found.criterion, abs=1e-9)


def test_no_minimum_is_below_the_one_found() -> None:
    """On a fine grid of ratios: the criterion may have several minima."""
    grid = np.concatenate([[0], np.geomspace(1e-4, 1e3, 36)])
    points = np.array([(u, v) for u in grid for v in grid])
    for _, table in golden_tables()[7::30]:
        values, targets, raters = cells(table.tolist())
        raters = np.unique(raters, return_inverse=True)[1]
        sums = TableSums.of(values - values.mean(), targets, raters)
        everywhere = sums.take(np.zeros(len(points), dtype=int)).evaluate(points)
        assert minimise(sums).criterion[0] <= everywhere.criterion.min() + 1e-9


@pytest.mark.parametrize("seed", range(4))
def test_fits_without_each_subject_equal_fits_from_scratch(seed: int) -> None:
    """Subjects of one to nine targets; raters who rate one subject alone; more raters, too."""
    rng = np.random.default_rng(seed)
    n_raters = (3, 5, 12, 40)[seed]
    subjects = np.repeat(np.arange(12), rng.integers(1, 10, 12))
    table = np.add.outer(rng.normal(size=12)[subjects], 0.6 * rng.normal(size=n_raters))
    table += 1e5 + rng.normal(size=table.shape)
    table[rng.random(table.shape) < 0.4] = np.nan
    table[np.isnan(table).all(axis=1), 0] = 1e5
    table[subjects != 3, n_raters - 1] = np.nan
    values, targets, raters = cells(table.tolist())
    subject = subjects[targets]
    for code, found in enumerate(fit_without_each(values, targets, raters, subject)):
        kept = subject != code
        alone = fit_components(values[kept], targets[kept], raters[kept])
        assert found.reason == alone.reason
        for name in ("target", "rater", "error", "criterion"):
            assert getattr(found, name) == pytest.approx(
                getattr(alone, name), rel=SAME_MINIMUM, abs=SAME_MINIMUM * alone.error
            )


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
    assert "icc_by_reml" in codes_of(joined(icc(table).notes()))


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
    assert "not crossed enough" in row["reason"]
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
    scaled = []
    for left in (None, *range(5)):
        kept = icc(table[frame["subject"] != left], form="ICC(C,1)").tidy()["estimate"].iloc[0]
        scaled.append(-((1 + row["k"] * kept / (1 - kept)) ** -0.5))
    pseudo = 5 * scaled[0] - 4 * np.array(scaled[1:])
    half = 2.7764451051977987 * pseudo.std(ddof=1) / math.sqrt(5)  # t(4), 0.975
    assert row["conf_low"] == pytest.approx(1 - (pseudo.mean() - half) ** 2, rel=1e-6)
    assert row["method"] == "subject jackknife"
