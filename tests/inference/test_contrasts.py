"""Differences between contexts, of models and of differences between models; equivalence."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

import pyexpr as px
from pyexpr.base.errors import DataError


def table(seed: int = 1, subjects: int = 30) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    subject = np.repeat(np.arange(subjects), 10)
    n = len(subject)
    truth = rng.normal(size=n)
    return pd.DataFrame({
        "subject": subject, "task": np.tile(["a", "b", "c", "a", "b"], n // 5), "y": truth,
        "p": 0.5 * truth + rng.normal(size=n), "q": 0.2 * truth + rng.normal(size=n),
    })  # fmt: skip


def compared(data: pd.DataFrame, **options: Any) -> px.ComparisonResult:
    settings = {"metrics": ["rmse", "correlation"], "n_boot": 200} | options
    return px.compare_models(
        data, truth="y", predictions=["p", "q"], cluster="subject", context="task", **settings
    )


def advantage(data: pd.DataFrame, metric: str) -> float:
    """Return (p - q in a) - (p - q in b)."""

    def value(model: str, task: str) -> float:
        rows = data[data["task"] == task]
        if metric == "rmse":
            return float(np.sqrt(np.mean((rows["y"] - rows[model]) ** 2)))
        return float(np.corrcoef(rows["y"], rows[model])[0, 1])

    return (value("p", "a") - value("q", "a")) - (value("p", "b") - value("q", "b"))


@pytest.mark.parametrize("metric", ["rmse", "correlation"])
def test_a_difference_of_differences_and_its_jackknife(metric: str) -> None:
    data = table()
    found = compared(data).contrasts().tidy()
    row = found.query("metric == @metric and term == 'p - q' and context == 'a - b'").iloc[0]
    assert row["estimate"] == pytest.approx(advantage(data, metric), abs=1e-12)
    without = np.array([advantage(data[data["subject"] != one], metric) for one in range(30)])
    error = np.sqrt(29 / 30 * np.sum((without - without.mean()) ** 2))
    assert row["std_error"] == pytest.approx(error, rel=1e-10)
    assert row["statistic"] == pytest.approx(row["estimate"] / error, rel=1e-10)


def test_rows_of_one_model_are_those_of_the_comparison() -> None:
    result = compared(table(), ratio=True)
    found, whole = result.contrasts().tidy(), result.tidy()
    models = found[found["second_model"] == ""]
    theirs = whole[whole["second_context"] != ""]
    columns = ["metric", "term", "context", "estimate", "conf_low", "conf_high", "p_value", "df"]
    keys = ["metric", "term", "context"]
    pd.testing.assert_frame_equal(
        models[columns].sort_values(keys, ignore_index=True),
        theirs[columns].sort_values(keys, ignore_index=True),
    )
    ratios = found[(found["kind"] == "ratio") & (found["second_model"] == "q")]
    assert ratios["term"].tolist() == ["p / q"] * 3
    assert ratios["context"].tolist() == ["a / b", "a / c", "b / c"]


def test_replicates_more_of_them_and_other_intervals() -> None:
    result = compared(table())
    found = result.contrasts()
    names = result.tidy()[["metric", "term", "context"]].apply(tuple, axis=1).tolist()
    own = found.tidy()[["metric", "term", "context"]].apply(tuple, axis=1).tolist()
    at = {name: i for i, name in enumerate(names)}
    expected = (
        result.replicates[:, at["rmse", "p", "a - c"]]
        - result.replicates[:, at["rmse", "q", "a - c"]]
    )
    column = own.index(("rmse", "p - q", "a - c"))
    np.testing.assert_array_equal(found.replicates[:, column], expected)
    more, at_once = found.extend(100), compared(table(), n_boot=300).contrasts()
    np.testing.assert_array_equal(more.replicates, at_once.replicates)
    percentile = found.interval(method="percentile").tidy()
    assert percentile["conf_low"][column] == pytest.approx(np.quantile(expected, 0.025), abs=0.02)
    with pytest.raises(DataError, match="contrasts have no studentized intervals"):
        found.interval(method="studentized")


def test_families_are_the_pairs_of_contexts_of_a_term() -> None:
    found = compared(table()).contrasts()
    holm = found.adjust("holm").tidy()
    for _, rows in holm.groupby(["metric", "term"]):
        least = rows["p_value"].min()
        assert rows["p_adjusted"].min() == pytest.approx(min(1, 3 * least))
    largest = found.adjust("max_t").tidy()
    assert (largest["p_adjusted"] >= largest["p_value"]).all()


def test_omnibus_of_two_contexts_is_the_t_test() -> None:
    data = table().query("task != 'c'")
    found = compared(data).contrasts()
    rows, tests = found.tidy(), found.omnibus()
    np.testing.assert_allclose(tests["statistic"], rows["statistic"] ** 2, rtol=1e-10)
    np.testing.assert_allclose(tests["p_value"], rows["p_value"], rtol=1e-9)
    assert (tests["df1"] == 1).all()


def test_omnibus_of_three_contexts_does_not_depend_on_the_first() -> None:
    data = table()
    renamed = data.assign(task=data["task"].map({"a": "z", "b": "b", "c": "c"}))
    # As the degrees of freedom are the smallest of the differences, those of correlations agree.
    tests = [
        compared(one, metrics=["correlation"]).contrasts().omnibus() for one in (data, renamed)
    ]
    for column in ("statistic", "df2", "p_value"):
        np.testing.assert_allclose(tests[0][column], tests[1][column], rtol=1e-9)
    # Hotelling's T2 by hand, from the values without each subject.
    found = compared(data, metrics=["correlation"]).contrasts()
    influence = found.influence().query("term == 'p - q' and context in ['a - b', 'a - c']")
    values = influence.pivot(index="cluster", columns="context", values="estimate").to_numpy()
    covariance = np.cov(values.T, ddof=0) * 29
    row = found.tidy().query("term == 'p - q' and context in ['a - b', 'a - c']")
    estimate = row["estimate"].to_numpy()
    square = estimate @ np.linalg.solve(covariance, estimate)
    own = tests[0].set_index("term").loc["p - q"]
    assert own["statistic"] == pytest.approx(28 / (29 * 2) * square, rel=1e-9)


def test_what_is_rounding_is_no_difference() -> None:
    data = table().assign(q=lambda t: 3 - 2 * t["p"])
    found = compared(data, metrics=["correlation"]).contrasts().tidy()
    # The correlations are r and -r, so that nothing cancels; those of q = 2p + 1 do.
    assert (found.query("term == 'p - q'")["p_value"].notna()).all()
    data = data.assign(q=lambda t: 2 * t["p"] + 1)
    same = compared(data, metrics=["correlation"]).contrasts().tidy().query("term == 'p - q'")
    assert (same["estimate"] == 0).all()
    assert same["p_value"].isna().all()


def test_models_of_different_rows_have_a_reason() -> None:
    data = table()
    options: dict[str, Any] = {
        "truth": "y", "cluster": "subject", "context": "task", "n_boot": 0, "metrics": "rmse",
    }  # fmt: skip
    models = {"p": "p", "q": px.Predictions("q", truth="y")}
    gone = data.assign(q=data["q"].where(np.arange(len(data)) != 3))
    found = px.compare_models(gone, predictions=models, **options).contrasts().tidy()
    marked = found.query("term == 'p - q'")
    assert (marked["reason"] == "different rows").all()
    assert marked["conf_low"].notna().all()
    gone = data.assign(q=data["q"].where(data["subject"] != 3))
    found = px.compare_models(gone, predictions=models, **options).contrasts().tidy()
    apart = found.query("term == 'p - q'")
    assert apart["estimate"].isna().all()
    assert apart["reason"].str.contains("different subjects").all()


def test_without_contexts_there_are_no_contrasts() -> None:
    result = px.compare_models(
        table(), truth="y", predictions=["p", "q"], cluster="subject", n_boot=0
    )
    with pytest.raises(DataError, match="needs two or more contexts"):
        result.contrasts()


def test_equivalence_is_the_wider_interval_within_the_region() -> None:
    from scipy.stats import t

    result = compared(table(), metrics=["rmse"])
    found = result.equivalence((-0.3, 0.3)).tidy()
    shorter = result.interval(confidence=0.9).tidy().query("kind == 'difference'")
    np.testing.assert_allclose(found["conf_low"], shorter["conf_low"])
    inside = (found["conf_low"] > -0.3) & (found["conf_high"] < 0.3)
    outside = (found["conf_low"] > 0.3) | (found["conf_high"] < -0.3)
    assert ((found["conclusion"] == "equivalent") == inside).all()
    assert ((found["conclusion"] == "not equivalent") == outside).all()
    assert set(found["conclusion"]) == {"equivalent", "not equivalent", "undecided"} - (
        set() if outside.any() else {"not equivalent"}
    )
    statistic = (shorter["estimate"] + 0.3) / shorter["std_error"]
    np.testing.assert_allclose(found["p_low"], t.sf(statistic, shorter["df"]), rtol=1e-8)


def test_equivalence_of_ratios_is_left_out_and_regions_are_by_metric() -> None:
    result = compared(table(), ratio=True)
    found = result.equivalence({"rmse": (-0.3, 0.3)}).tidy()
    assert set(found["metric"]) == {"rmse"}
    assert set(found["kind"]) == {"difference"}
    of_contrasts = result.contrasts().equivalence((-0.3, 0.3), alpha=0.025)
    assert "p - q" in set(of_contrasts.tidy()["term"])
    assert "95 %" in of_contrasts.notes()[0]


@pytest.mark.parametrize(
    ("region", "options", "sentence"),
    [
        (0.02, {}, r"region= must be two numbers"),
        ("-1,1", {}, r"region= must be two numbers"),
        ((0.1, -0.1), {}, "must begin below its end"),
        ((0.1, np.nan), {}, "must be two numbers"),
        ({"mae": (-1, 1)}, {}, "names 'mae', but the metrics of the result are"),
        ((-1, 1), {"alpha": 0.5}, "alpha= must be between 0 and 0.5"),
    ],
)
def test_bad_regions_are_one_sentence(region: Any, options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(DataError, match=sentence):
        compared(table()).equivalence(region, **options)
    one = px.compare_models(table(), truth="y", predictions=["p"], cluster="subject", n_boot=0)
    with pytest.raises(DataError, match="equivalence is that of differences"):
        one.equivalence((-1, 1))


def test_rows_left_out_are_reported_with_contrasts_and_equivalence() -> None:
    data = table()
    result = compared(data.assign(p=data["p"].where(np.arange(len(data)) != 3)), n_boot=0)
    (dropped,) = [note for note in result.notes() if "1 row" in note]
    assert dropped in result.contrasts().notes()
    assert dropped in result.equivalence((-1, 1)).notes()
    assert dropped in result.contrasts().equivalence((-1, 1)).notes()
