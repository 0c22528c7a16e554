"""Variance components and decision studies: lme4's numbers, Brennan's, identities, bad input."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import pyexpr as px
from pyexpr.base.errors import ColumnError, DataError
from pyexpr.measurement.components import blocks
from pyexpr.measurement.components import group as of_context

LME4 = json.loads(
    (Path(__file__).parents[1] / "golden" / "variance_components.json").read_text(encoding="utf-8")
)
# lme4's optimiser stops there, restarted.
RELATIVE = 1e-6
SCORES = {"dyestuff": "Yield", "dyestuff2": "Yield", "penicillin": "diameter", "pastes": "strength"}
NESTED = {"pastes": {"cask": "batch"}}
REPLICATED = ("dyestuff", "dyestuff2", "pastes")


def of_lme4(name: str) -> tuple[pd.DataFrame, px.VarianceComponentsResult]:
    case = LME4[name]
    table = pd.DataFrame(case["data"])
    score = SCORES.get(name, "score")
    nested = NESTED.get(name) or ({"clip": "subject"} if "clip" in table else None)
    return table, px.variance_components(
        table,
        ratings=score,
        facets=[column for column in table.columns if column != score],
        nested=nested,
        effects=[group.split(":") for group in case["groups"] if group != "Residual"],
        replicates=name in REPLICATED,
    )


@pytest.mark.parametrize("name", LME4)
def test_equals_lme4(name: str) -> None:
    _, found = of_lme4(name)
    ours = dict(zip([*map(frozenset, found.design.effects), frozenset({"Residual"})],
                    found.groups[0].variances, strict=True))  # fmt: skip
    for group, variance in zip(LME4[name]["groups"], LME4[name]["variances"], strict=True):
        expected = pytest.approx(variance, rel=RELATIVE, abs=1e-12)
        assert ours[frozenset(group.split(":"))] == expected, group
    assert found.groups[0].criterion == pytest.approx(LME4[name]["criterion"][0], abs=1e-9)


def test_lme4s_cases_have_components_at_0() -> None:
    at_zero = [name for name in LME4 if min(LME4[name]["variances"]) < 1e-12]
    assert at_zero == ["dyestuff2", "at_bound", "questions"]
    _, found = of_lme4("at_bound")
    rows = found.tidy().set_index("effect")
    assert "boundary" in rows.loc["subject", "reason"]
    assert rows.loc["subject", "conf_low"] == 0
    assert rows.loc["subject", "conf_high"] > 0


# Brennan (2001): synthetic data set no. 4, persons x (raters within tasks), and no. 3, persons x
# items x occasions. Columns are raters, or items within occasions.
TASKS = np.array([
    [5, 6, 5, 5, 5, 3, 4, 5, 6, 7, 3, 3], [9, 3, 7, 7, 7, 5, 5, 5, 7, 7, 5, 2],
    [3, 4, 3, 3, 5, 3, 3, 5, 6, 5, 1, 6], [7, 5, 5, 3, 3, 1, 4, 3, 5, 3, 3, 5],
    [9, 2, 9, 7, 7, 7, 3, 7, 2, 7, 5, 3], [3, 4, 3, 5, 3, 3, 6, 3, 4, 5, 1, 2],
    [7, 3, 7, 7, 7, 5, 5, 7, 5, 5, 5, 4], [5, 8, 5, 7, 7, 5, 5, 4, 3, 2, 1, 1],
    [9, 9, 8, 8, 6, 6, 6, 5, 5, 8, 1, 1], [4, 4, 4, 3, 3, 5, 6, 5, 5, 7, 1, 1],
])  # fmt: skip
OCCASIONS = np.array([
    [2, 6, 7, 5, 2, 5, 5, 5], [4, 5, 6, 7, 6, 7, 5, 7], [5, 5, 4, 6, 5, 4, 5, 5],
    [5, 9, 8, 6, 5, 7, 7, 6], [4, 3, 5, 6, 4, 5, 6, 4], [4, 4, 4, 7, 6, 4, 7, 8],
    [2, 6, 6, 5, 2, 7, 7, 5], [3, 4, 4, 5, 6, 6, 6, 4], [0, 5, 4, 5, 5, 5, 5, 3],
    [6, 8, 7, 6, 6, 8, 8, 6],
])  # fmt: skip


def tasks() -> px.VarianceComponentsResult:
    person, column = np.indices(TASKS.shape)
    table = pd.DataFrame(
        {"person": person.ravel(), "task": column.ravel() // 4, "rater": column.ravel() % 4,
         "score": TASKS.ravel()}
    )  # fmt: skip
    return px.variance_components(
        table, ratings="score", facets=["person", "task", "rater"], nested={"rater": "task"}
    )


def occasions() -> px.VarianceComponentsResult:
    person, column = np.indices(OCCASIONS.shape)
    table = pd.DataFrame(
        {"person": person.ravel(), "occasion": column.ravel() // 4, "item": column.ravel() % 4,
         "score": OCCASIONS.ravel()}
    )  # fmt: skip
    return px.variance_components(table, ratings="score", facets=["person", "item", "occasion"])


def coefficients(plan: px.DesignStudyResult) -> list[float]:
    return plan.tidy()["estimate"].round(2).tolist()


def test_raters_within_tasks_are_brennans() -> None:
    found = tasks()
    published = {"person": 0.4731, "task": 0.3252, "rater": 0.6475, "person:task": 0.5596,
                 "residual": 2.3802}  # fmt: skip
    rows = found.tidy().set_index("effect")["estimate"]
    assert rows.round(4).to_dict() == published
    # Of means over 3 tasks with 4 raters each; with these tasks fixed.
    assert coefficients(found.d_study()) == [0.55, 0.46]
    assert coefficients(found.d_study({"task": 3, "rater": 4}, fixed="task")) == [0.77, 0.72]


def test_crossed_items_and_occasions_are_brennans() -> None:
    found = occasions()
    published = [0.5528, 0.4417, 0.0074, 0.5750, 0.1009, 0.1565, 0.9352]
    assert found.tidy()["estimate"].round(4).tolist() == published
    # Published for 4 items on 2 occasions, and for 4 fixed items.
    assert coefficients(found.d_study()) == [0.64, 0.55]
    assert coefficients(found.d_study(fixed=["item"])) == [0.81, 0.79]


def two_way() -> pd.DataFrame:
    rng = np.random.default_rng(3)
    score = rng.normal(size=(15, 1)) + 0.5 * rng.normal(size=4) + rng.normal(size=(15, 4))
    target, rater = np.indices(score.shape)
    return pd.DataFrame({"target": target.ravel(), "rater": rater.ravel(), "score": score.ravel()})


def test_one_facet_is_the_icc() -> None:
    table = two_way()
    plan = px.variance_components(table, ratings="score", facets=["target", "rater"]).d_study()
    icc = px.icc(
        table.assign(subject=table["target"]), targets="target", raters="rater", ratings="score",
        cluster="subject", form=["ICC(C,k)", "ICC(A,k)"],
    ).tidy().set_index("form")  # fmt: skip
    ours = plan.tidy().set_index("coefficient")
    assert ours.loc["generalizability", "estimate"] == pytest.approx(
        icc.loc["ICC(C,k)", "estimate"]
    )
    assert ours.loc["dependability", "estimate"] == pytest.approx(icc.loc["ICC(A,k)", "estimate"])
    # Of a complete table the jackknife leaves out mean squares, too.
    for limit in ("conf_low", "conf_high"):
        assert ours.loc["generalizability", limit] == pytest.approx(icc.loc["ICC(C,k)", limit])
        # The raters' error is that of the model here, and the jackknife's there.
        assert ours.loc["dependability", limit] == pytest.approx(
            icc.loc["ICC(A,k)", limit], abs=0.02
        )


def test_without_each_subject_the_estimates_are_mean_squares() -> None:
    """Of balanced ratings without one person, MIVQUE is the analysis of variance."""
    replicates = tasks().groups[0].sampling.replicates
    for left_out in (2, 7):
        kept = np.delete(TASKS, left_out, axis=0).reshape(9, 3, 4).astype(float)
        person = 12 * kept.mean(axis=(1, 2)).var(ddof=1)
        both = kept.mean(axis=2)
        cells = both - both.mean(axis=0) - both.mean(axis=1)[:, None] + both.mean()
        interaction = 4 * np.sum(cells**2) / 16
        assert replicates[1 + left_out, 0] == pytest.approx((person - interaction) / 12)


def test_order_scale_and_labels_change_nothing() -> None:
    table, found = of_lme4("unequal")
    other = table.sample(frac=1, random_state=1).assign(
        score=lambda t: 1e4 + 7 * t["score"], clip=lambda t: "c" + t["clip"].astype(str)
    )
    again = px.variance_components(
        other, ratings="score", facets=["subject", "clip", "rater"], nested={"clip": "subject"},
        effects=["subject", "clip", "rater", ("subject", "rater")],
    )  # fmt: skip
    ours, theirs = found.tidy(), again.tidy()
    assert np.allclose(theirs["estimate"], 49 * ours["estimate"], rtol=1e-8)
    assert np.allclose(theirs["conf_high"], 49 * ours["conf_high"], rtol=1e-6)
    assert np.allclose(theirs["share"], ours["share"], rtol=1e-8)


def test_contexts_are_analysed_separately() -> None:
    one, two = two_way(), two_way().assign(score=lambda t: 2 * t["score"])
    both = pd.concat([one.assign(task="a"), two.assign(task="b")])
    found = px.variance_components(
        both, ratings="score", facets=["target", "rater"], context="task"
    )
    table = found.tidy()
    assert table["task"].tolist() == ["a"] * 3 + ["b"] * 3
    assert np.allclose(table["estimate"][3:], 4 * table["estimate"][:3])
    assert found.d_study({"rater": [2, 3]}).tidy()["task"].tolist() == ["a"] * 4 + ["b"] * 4


def test_the_cheapest_design() -> None:
    found = tasks()
    plan = found.d_study(
        {"task": [3, 6, 12], "rater": [1, 2, 4]}, target=0.7, cost={"task": 10},
        cost_per_rating=1,
    )  # fmt: skip
    table = plan.tidy()
    assert (table["cost"] == 10 * table["n_task"] + table["n_task"] * table["n_rater"]).all()
    first = plan.cheapest().iloc[0]
    reached = table[(table["coefficient"] == "generalizability") & (table["estimate"] >= 0.7)]
    assert first["cost"] == reached["cost"].min()
    none = found.d_study({"task": 2, "rater": 1}, target=0.9).cheapest()
    assert none["n_task"].isna().all()
    assert "none of the designs reaches 0.9" in none["reason"].iloc[0]
    with pytest.raises(DataError, match="requires d_study"):
        found.d_study().cheapest()


def test_errors_of_measurement() -> None:
    row = tasks().d_study().tidy().iloc[0]
    error = 0.5596 / 3 + 2.3802 / 12
    assert row["sem"] == pytest.approx(np.sqrt(error), rel=1e-3)
    assert row["mdc"] == pytest.approx(1.96 * np.sqrt(2 * error), rel=1e-3)


def by_jackknife(table: np.ndarray, log_square: Callable[[np.ndarray], float]) -> np.ndarray:
    """Return the limits of a mean square, leaving out one row of the table at a time."""
    G = len(table)
    without = np.array([log_square(np.delete(table, row, axis=0)) for row in range(G)])
    pseudo = G * log_square(table) - (G - 1) * without
    excess = max(0.0, float(stats.kurtosis(pseudo, bias=False)))
    half = stats.t.ppf(0.975, 2 / (2 / (G - 1) + excess / G)) * stats.sem(pseudo)
    return np.exp(pseudo.mean() + np.array([-half, half]))


def test_limits_of_shares_are_those_of_an_f_ratio() -> None:
    k, rng = 4, np.random.default_rng(3)
    scores = 0.8 * rng.normal(size=(12, 1)) + rng.exponential(size=(12, k))
    table = pd.DataFrame({"target": np.repeat(np.arange(12), k), "score": scores.ravel()})
    found = px.variance_components(table, ratings="score", facets="target", replicates=True)

    def ratio_of(rows: np.ndarray) -> float:
        return (float(stats.f_oneway(*rows).statistic) - 1) / k

    within = float(scores.var(axis=1, ddof=1).mean())
    variance = within * ratio_of(scores)
    # The variance of its estimate is 2 (variance + noise)^2 / 11.
    between = k * float(scores.mean(axis=1).var(ddof=1))
    noise = np.sqrt(between**2 + within**2 * 11 / (12 * (k - 1))) / k - variance
    offset = noise / within
    ratio = by_jackknife(scores, lambda rows: np.log(ratio_of(rows) + offset)) - offset
    of_target, of_residual = found.tidy().to_dict("records")
    limits = [of_target["share_low"], of_target["share_high"]]
    np.testing.assert_allclose(limits, ratio / (1 + ratio), rtol=1e-6)
    np.testing.assert_allclose(
        [of_residual["share_high"], of_residual["share_low"]], 1 - np.array(limits), rtol=1e-9
    )


def test_limits_of_an_error_are_those_of_its_mean_square() -> None:
    table = two_way()
    wide = table.pivot(index="target", columns="rater", values="score").to_numpy(dtype=float)

    def log_square(rows: np.ndarray) -> float:
        apart = rows - rows.mean(axis=1, keepdims=True) - rows.mean(axis=0) + rows.mean()
        return float(np.log(np.sum(apart**2) / ((rows.shape[0] - 1) * (rows.shape[1] - 1))))

    plan = px.variance_components(table, ratings="score", facets=["target", "rater"]).d_study()
    row = plan.tidy().set_index("coefficient").loc["generalizability"]
    limits = np.sqrt(by_jackknife(wide, log_square) / wide.shape[1])
    np.testing.assert_allclose(row[["sem_low", "sem_high"]].astype(float), limits, rtol=1e-6)
    change = row["mdc"] / row["sem"]
    np.testing.assert_allclose(
        row[["mdc_low", "mdc_high"]].astype(float), change * limits, rtol=1e-6
    )


def test_a_rater_who_may_not_matter_has_a_share_from_0() -> None:
    rng = np.random.default_rng(2)
    # Raters who do not differ: their variance is estimated as 0.
    scores = rng.normal(size=(20, 1)) + rng.normal(size=(20, 3))
    scores -= scores.mean(axis=0)
    subject, rater = np.indices(scores.shape)
    table = pd.DataFrame(
        {"subject": subject.ravel(), "rater": rater.ravel(), "score": scores.ravel()}
    )
    found = px.variance_components(table, ratings="score", facets=["subject", "rater"])
    one = found.tidy().set_index("effect").loc["rater"]
    assert one["estimate"] == one["share_low"] == 0
    assert 0 < one["share_high"] < 0.5
    assert one["reason"] == "boundary: the variance is estimated as 0"


def test_what_the_ratings_do_not_separate_is_named() -> None:
    table = two_way()
    found = px.variance_components(
        table[table["rater"] == 0], ratings="score", facets=["target"], replicates=True
    ).tidy()
    assert found["estimate"].isna().all()
    assert "target and residual" in found["reason"].iloc[0]
    constant = px.variance_components(
        table.assign(score=3.0), ratings="score", facets=["target", "rater"]
    )
    assert "residual is 0" in constant.tidy()["reason"].iloc[0]
    assert constant.d_study().tidy()["estimate"].isna().all()
    few = px.variance_components(
        table[table["target"] < 4], ratings="score", facets=["target", "rater"]
    ).tidy()
    assert few["conf_low"].isna().all()
    assert few["reason"].str.contains("at least 5").all()


def test_missing_scores_are_counted() -> None:
    table = two_way()
    table.loc[[3, 9], "score"] = np.nan
    found = px.variance_components(table, ratings="score", facets=["target", "rater"])
    assert found.counts()["n_missing"].tolist() == [2]
    assert any("2" in note for note in found.notes())
    without = px.variance_components(
        table.dropna(), ratings="score", facets=["target", "rater"]
    ).tidy()
    pd.testing.assert_frame_equal(found.tidy(), without)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"facets": []}, "names no facet"),
        ({"facets": ["target", "target"]}, "twice"),
        ({"facets": 3}, "columns of the facets"),
        ({"nested": ["rater"]}, "in which facet"),
        ({"nested": {"clip": "target"}}, "'clip', which is not one of the facets"),
        ({"nested": {"target": "rater", "rater": "target"}}, "within itself"),
        ({"effects": "target"}, 'must be "all"'),
        ({"effects": ["clip"]}, "'clip', which is not one of the facets"),
        ({"effects": []}, "names no effect"),
        ({"effects": [("target", "rater")]}, "interaction of all facets"),
        ({"object_of_measurement": "clip"}, "one of the facets"),
        ({"replicates": 1}, "True or False"),
        ({"context": "rater"}, "contexts are analysed separately"),
        ({"facets": ["target"]}, "rows 1 and 2 are both of target 0"),
        ({"cluster": "target"}, "object_of_measurement"),
    ],
)
def test_bad_declarations(options: dict[str, Any], message: str) -> None:
    given: dict[str, Any] = {"ratings": "score", "facets": ["target", "rater"], **options}
    with pytest.raises((DataError, TypeError), match=message):
        px.variance_components(two_way(), **given)


def test_nested_facets_that_were_declared_as_crossed() -> None:
    table = two_way()
    table["rater"] = 10 * table["target"] + table["rater"]
    with pytest.raises(DataError, match="'rater' occurs with one level of 'target' only"):
        px.variance_components(table, ratings="score", facets=["target", "rater"])
    with pytest.raises(ColumnError, match="clip"):
        px.variance_components(table, ratings="score", facets=["target", "clip"])
    with pytest.raises(DataError, match="no scores"):
        px.variance_components(
            table.assign(score=np.nan), ratings="score", facets=["target", "rater"]
        )


@pytest.mark.parametrize(
    ("n", "options", "message"),
    [
        ({"person": 3}, {}, "object of measurement"),
        ({"clip": 3}, {}, "not one of the facets"),
        ({"rater": 0}, {}, "at least 1"),
        ({"rater": []}, {}, "no number"),
        ([3], {}, "must name facets"),
        ({}, {"fixed": "clip"}, "not one of the facets"),
        ({}, {"target": 1.5}, "between 0 and 1"),
        ({}, {"cost": {"rater": -1}}, "at least 0"),
        ({"rater": range(1, 100), "task": range(1, 100)}, {}, "9801 designs"),
    ],
)
def test_bad_plans(n: Any, options: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        tasks().d_study(n, **options)


def test_many_levels_are_divided_by_the_facet_with_most(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(5)
    rater, target = (part.ravel() for part in np.indices((4, 30)))
    score = rng.normal(size=4)[rater] + rng.normal(size=30)[target] + rng.normal(size=120)
    table = pd.DataFrame({"rater": rater, "target": target, "score": score})[rng.random(120) < 0.8]
    # Raters are the objects of measurement here, and there are few of them.
    facets = {"ratings": "score", "facets": ["rater", "target"]}
    whole = px.variance_components(table, **facets).tidy()
    monkeypatch.setattr(blocks, "MOST_SUMS", 0)
    divided: list[np.ndarray] = []
    monkeypatch.setattr(
        of_context, "blocks_of",
        lambda values, owners, effects: divided.append(owners)
        or blocks.blocks_of(values, owners, effects),
    )  # fmt: skip
    found = px.variance_components(table, **facets).tidy()
    assert divided[0].max() == 29
    for column in ("estimate", "std_error", "df"):
        np.testing.assert_allclose(found[column], whole[column], rtol=1e-6)
    assert found["method"].tolist() == whole["method"].tolist()
    assert set(found["reason"]) == {"there are too many levels for leaving out each object in turn"}
