"""Slopes of persons: lme4, statsmodels and scipy, reliability of planted slopes, bad input."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import pyexpr as px
from pyexpr.base.errors import ColumnError, DataError
from pyexpr.inference.persons.reliability import moderated, shrunken

LME4 = json.loads(
    (Path(__file__).parents[1] / "golden" / "pooling.json").read_text(encoding="utf-8")
)["persons"]


def planted(
    seed: int = 1, persons: int = 60, rows: int = 20, sd: float = 0.4
) -> tuple[pd.DataFrame, np.ndarray]:
    rng = np.random.default_rng(seed)
    subject = np.repeat(np.arange(persons), rows)
    own = rng.normal(0.5, sd, size=persons)
    x = rng.normal(size=len(subject))
    y = own[subject] * x + rng.normal(size=len(subject)) + rng.normal(size=persons)[subject]
    task = np.tile(["a", "b"], len(subject) // 2)
    return pd.DataFrame({"subject": subject, "task": task, "x": x, "y": y}), own


def slopes(table: Any, **options: Any) -> px.PersonSlopesResult:
    return px.person_slopes(table, score="y", signal="x", cluster="subject", **options)


def test_a_balanced_design_equals_lme4() -> None:
    table = pd.DataFrame(LME4["data"])
    # With one residual variance for all, as in lme4's model.
    found = slopes(table)
    xx = float(((table["x"][:10] - table["x"][:10].mean()) ** 2).sum())
    residual = float(np.sum(found.variances * found.df) * xx / found.df.sum())
    assert residual == pytest.approx(LME4["residual"][0], rel=1e-6)
    ours = shrunken(found.values, np.full(15, residual / xx))
    # lme4's optimiser stops there.
    assert np.sqrt(ours.variance) == pytest.approx(LME4["std_dev"][0], rel=1e-5)
    assert ours.values.tolist() == pytest.approx(LME4["shrunken"], rel=1e-5)
    quantities = found.reliability().set_index("quantity")["estimate"]
    assert quantities["std_dev"] == pytest.approx(LME4["std_dev"][0], rel=1e-5)
    assert quantities["mean"] == pytest.approx(LME4["mean"][0], rel=1e-6)


def test_each_person_equals_scipy() -> None:
    table, _ = planted(persons=8)
    tidy = slopes(table).tidy().set_index("subject")
    r = slopes(table, kind="correlation").tidy().set_index("subject")
    for subject, rows in table.groupby("subject"):
        theirs = stats.linregress(rows["x"], rows["y"])
        assert tidy.loc[subject, "estimate"] == pytest.approx(theirs.slope, rel=1e-10)
        assert tidy.loc[subject, "std_error"] == pytest.approx(theirs.stderr, rel=1e-10)
        half = stats.t.ppf(0.975, 18) * theirs.stderr
        assert tidy.loc[subject, "conf_high"] == pytest.approx(theirs.slope + half, rel=1e-10)
        pearson = stats.pearsonr(rows["x"], rows["y"])
        assert r.loc[subject, "estimate"] == pytest.approx(pearson.statistic, rel=1e-10)
        low, high = pearson.confidence_interval()
        assert r.loc[subject, ["conf_low", "conf_high"]].tolist() == pytest.approx([low, high])


def test_within_contexts_equals_statsmodels() -> None:
    import statsmodels.formula.api as smf

    table, _ = planted(persons=6)
    table["y"] += 3 * (table["task"] == "a")
    table["x"] += 2 * (table["task"] == "a")
    tidy = slopes(table, context="task").tidy().set_index("subject")
    for subject, rows in table.groupby("subject"):
        theirs = smf.ols("y ~ x + task", rows).fit()
        assert tidy.loc[subject, "estimate"] == pytest.approx(theirs.params["x"], rel=1e-9)
        assert tidy.loc[subject, "std_error"] == pytest.approx(theirs.bse["x"], rel=1e-9)
        assert tidy.loc[subject, "df"] == theirs.df_resid


def test_planted_reliability_is_found() -> None:
    table, own = planted(persons=400)
    found = slopes(table)
    quantities = found.reliability().set_index("quantity")
    # The mean of one over a chi-square with 19 degrees of freedom is 1/17.
    truth = own.var() / (own.var() + 1 / 17)
    for name in ("reliability", "odd_even"):
        row = quantities.loc[name]
        assert row["conf_low"] < truth < row["conf_high"]
        assert row["estimate"] == pytest.approx(truth, abs=0.06)
    assert quantities.loc["std_dev", "estimate"] == pytest.approx(own.std(), abs=0.04)
    tidy = found.tidy()
    # Reliability is the squared correlation with the true slopes.
    r = np.corrcoef(tidy["estimate"], own)[0, 1]
    assert quantities.loc["reliability", "estimate"] == pytest.approx(r**2, abs=0.06)
    error = np.mean((tidy["estimate"] - own) ** 2)
    assert np.mean((tidy["shrunken"] - own) ** 2) < 0.9 * error


def test_persons_that_do_not_differ_have_no_reliability() -> None:
    table, _ = planted(seed=9, sd=0.0)
    rows = slopes(table).reliability().set_index("quantity")
    assert rows.loc["reliability", "estimate"] == 0
    assert rows.loc["std_dev", "estimate"] == 0
    assert rows.loc["reliability", "reason"].code == "persons_errors_explain"
    assert rows.loc["reliability", "conf_low"] == 0 < rows.loc["reliability", "conf_high"] < 0.7


def test_moderated_variances() -> None:
    rng = np.random.default_rng(3)
    df = rng.integers(3, 20, size=4_000)
    # Inverse chi-square with 8 degrees of freedom about 2: the prior is found again.
    true = 2 * 8 / rng.chisquare(8, size=4_000)
    s2 = true * rng.chisquare(df) / df
    found = moderated(s2, df)
    expected = (8 * 2 + df * s2) / (8 + df)
    assert found == pytest.approx(expected, rel=0.2)
    alike = rng.chisquare(df) / df
    assert np.ptp(moderated(alike, df)) < 0.5
    assert np.mean((found - true) ** 2) < np.mean((s2 - true) ** 2)


def test_persons_without_an_estimate_have_a_reason() -> None:
    table, _ = planted(persons=12)
    table.loc[table["subject"] == 0, "x"] = 2.0
    table.loc[table["subject"] == 1, "y"] = 3.0
    table = table[(table["subject"] != 2) | (table.groupby("subject").cumcount() < 4)]
    table.loc[table["subject"] == 3, "y"] = np.nan
    table.loc[table["subject"] == 4, "y"] = -table["x"]
    found = slopes(table, kind="correlation")
    reasons = [reason.code if reason else "" for reason in found.tidy()["reason"]]
    assert reasons[:5] == [
        "persons_constant_signal", "persons_constant_score", "persons_few_rows",
        "persons_few_rows", "persons_exact",
    ]  # fmt: skip
    assert not any(reasons[5:])
    assert "only 4 rows; at least 5" in found.tidy()["reason"][2]
    assert found.tidy()["estimate"].isna().sum() == 5
    assert found.n_dropped == 20
    assert {note.code for note in found.notes()} >= {"persons_left_out", "persons_rows_left_out"}  # type: ignore[attr-defined]
    # A constant score has the slope 0, and one that the signal explains has no error.
    tidy = slopes(table).tidy()
    assert tidy.loc[1, ["estimate", "std_error"]].tolist() == [0.0, 0.0]
    assert tidy.loc[4, "std_error"] == 0


def test_few_persons_have_no_interval() -> None:
    table, _ = planted(persons=4)
    rows = slopes(table).reliability()
    assert rows["estimate"].isna().all()
    assert [reason.code for reason in rows["reason"]] == [
        "persons_few_subjects", "persons_few_subjects", "persons_few_subjects", "persons_no_halves",
    ]  # fmt: skip
    assert slopes(table).tidy()["shrunken"].isna().all()


def test_what_is_wrong_is_said() -> None:
    table, _ = planted(persons=8)

    def refused(message: str, table: Any = table, **options: Any) -> None:
        given = {"score": "y", "signal": "x", "cluster": "subject", **options}
        with pytest.raises((DataError, ColumnError), match=message):
            px.person_slopes(table, **given)

    refused("no column", signal="smile")
    refused("must be different columns", signal="y")
    refused("kind=.* must be one of", kind="rank")
    refused("min_rows=.* at least 3", min_rows=2)
    refused("no subject has an estimate.*does not vary", table.assign(x=1.0))
    refused("has score and signal", table.assign(x=np.nan))
    refused("column of the result", table.rename(columns={"subject": "n"}), cluster="n")
    refused("n_boot.*require no draws", n_boot=10)


def test_figure() -> None:
    table, _ = planted(persons=10)
    found = slopes(table, kind="correlation")
    figure = found.plot(names={"x": "Smile"})
    assert figure.axes[0].get_xlabel() == "Correlation of y with Smile"
    assert len(figure.axes[0].get_yticks()) == 10
    assert figure.axes[0].get_title() == f"Reliability {found.reliability()['estimate'][2]:.2f}"
    assert found.interval(confidence=0.5).tidy()["conf_low"].gt(found.tidy()["conf_low"]).all()
