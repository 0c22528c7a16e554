"""An ordered Categorical of contexts keeps its order wherever contexts are shown."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest

import pyexpr as px
from pyexpr.base.errors import PyexprError, PyexprWarning

LEVELS = ["low", "mid", "high"]  # neither alphabetical nor that of first appearance
CONTRASTS = ["low - mid", "low - high", "mid - high"]


@pytest.fixture
def table() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    subject = np.repeat(np.arange(24), 10)
    frame = pd.DataFrame(rng.normal(size=(240, 4)), columns=["x", "u", "v", "y"])
    frame["y"] += frame["x"]
    frame["model"] = frame["y"] + rng.normal(size=240)
    frame["a"], frame["b"], frame["c"] = (frame["x"] + 0.7 * frame[one] for one in "xuv")
    frame["a"] = frame["x"] + 0.7 * rng.normal(size=240)
    order = ["never", *reversed(LEVELS)][::-1]
    frame["task"] = pd.Categorical(np.tile(LEVELS[::-1], 80), categories=order, ordered=True)
    return frame.assign(subject=subject)


@pytest.fixture(autouse=True)
def _quiet() -> None:
    warnings.simplefilter("ignore", PyexprWarning)


def titles(figure) -> list[str]:
    return [axes.get_title() for axes in figure.axes if axes.get_title()]


def test_coefficients(table: pd.DataFrame) -> None:
    options = {"cluster": "subject", "alpha": 0.1, "l1_ratio": 0.5, "n_boot": 20}
    result = px.context_coefficients(
        table[["subject", "task", "x", "u"]], table["y"], context="task", **options
    )
    assert result.tidy()["context"].unique().tolist() == [*LEVELS, "all"]
    assert result.contrasts()["context"].unique().tolist() == CONTRASTS
    assert titles(result.plot()) == [*LEVELS, "all"]
    by_value = px.context_coefficients(
        table[["subject", "x", "u"]], table["y"], context=table["task"], **options
    )
    assert by_value.tidy()["context"].unique().tolist() == [*LEVELS, "all"]


def test_the_order_is_of_what_is_shown_and_not_of_what_is_drawn(table: pd.DataFrame) -> None:
    text = table.assign(task=table["task"].astype(str))
    who = pd.Categorical(table["subject"], categories=range(23, -1, -1), ordered=True)
    options = {"truth": "y", "predictions": ["model"], "context": "task", "n_boot": 50, "seed": 3}
    plain = px.compare_models(text, cluster="subject", **options)
    kept = px.compare_models(table.assign(subject=who), cluster="subject", **options)
    assert kept.tidy()["context"].unique().tolist() == [*LEVELS, "all", *CONTRASTS]
    assert titles(kept.plot()) == [*LEVELS, "all"]
    same = [one for one in LEVELS if one in set(plain.tidy()["context"])]
    keys = ["metric", "term", "context"]
    left, right = (one.tidy().set_index(keys).loc[(slice(None), slice(None), same), :]
                   for one in (plain, kept))  # fmt: skip
    pd.testing.assert_frame_equal(left, right.loc[left.index], check_exact=True)


def test_models_icc_and_factor_models(table: pd.DataFrame) -> None:
    net = px.ElasticNetRegressor(0.1, 0.5)
    fitted = px.ContextualRegressor(net, context="task").fit(table[["task", "x", "u"]], table["y"])
    assert fitted.contexts_ == LEVELS
    assert fitted.weights()["context"].unique().tolist() == [*LEVELS, "all"]
    values = px.ContextualRegressor(net).fit(table[["x", "u"]], table["y"], context=table["task"])
    assert values.contexts_ == LEVELS
    np.testing.assert_array_equal(
        fitted.predict(table[["task", "x", "u"]]),
        values.predict(table[["x", "u"]], context=table["task"]),
    )
    many = px.fit_models(
        table, label="y", features=["x", "u"], cluster="subject", context="task",
        models={"net": net},
    )  # fmt: skip
    assert many.contexts == LEVELS
    assert many.tidy()["context"].unique().tolist() == [*LEVELS, "all"]
    assert many.compare(["rmse"]).tidy()["context"].unique().tolist() == [
        *LEVELS,
        "all",
        *CONTRASTS,
    ]
    factor = px.cfa(table, {"f": ["a", "b", "c"]}, context="task", engine="native")
    assert factor.tidy()["task"].unique().tolist() == LEVELS
    ratings = table.assign(clip=np.arange(240) // 3 * 3 + 0, rater=np.tile([1, 2, 3], 80))
    ratings["task"] = ratings["task"].to_numpy()[np.arange(240) // 3]
    ratings["task"] = pd.Categorical(ratings["task"], categories=LEVELS, ordered=True)
    found = px.icc(ratings, targets="clip", raters="rater", ratings="y", context="task")
    assert found.tidy()["task"].unique().tolist() == LEVELS


def test_unordered_categories_are_sorted_as_before(table: pd.DataFrame) -> None:
    table["task"] = pd.Categorical(table["task"].astype(str), categories=LEVELS[::-1])
    found = px.compare_models(
        table, truth="y", predictions=["model"], cluster="subject", context="task", n_boot=0
    )
    assert found.tidy()["context"].unique().tolist()[:3] == sorted(LEVELS)


@pytest.mark.parametrize("site", [[1, 2, 3], ["x", "y", "z"]])
def test_categories_are_no_amounts(table: pd.DataFrame, site: list) -> None:
    table["site"] = pd.Categorical(np.array(site)[table["subject"] % 3])
    net = px.ElasticNetRegressor(0.1, 0.5)
    message = "column 'site' of X contains categories, for which a slope is not .*get_dummies"
    for call in (
        lambda: px.context_coefficients(
            table[["subject", "task", "x", "site"]], table["y"], context="task", cluster="subject",
            alpha=0.1, l1_ratio=0.5, n_boot=0,
        ),
        lambda: net.fit(table[["x", "site"]], table["y"]),
        lambda: px.ContextualRegressor(net, context="task").fit(
            table[["task", "x", "site"]], table["y"]
        ),
    ):  # fmt: skip
        with pytest.raises(PyexprError, match=message):
            call()
    net.fit(table[["x", "site"]].assign(site=(table["subject"] % 3 == 0).astype(float)), table["y"])
