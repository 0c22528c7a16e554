"""Differences tested against any null value."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

import pyexpr as px
from pyexpr.base.errors import DataError
from pyexpr.base.interval_methods import INTERVAL_METHODS

METRICS = ["rmse", "correlation"]


def table() -> pd.DataFrame:
    rng = np.random.default_rng(1)
    subject = np.repeat(np.arange(24), 4)
    y = rng.normal(size=96)
    p = y + 0.4 * rng.normal(size=24)[subject] + rng.normal(size=96)
    return pd.DataFrame({
        "subject": subject, "task": np.tile(["a", "b"], 48), "y": y, "p": p,
        "q": y + rng.normal(size=96),
    })  # fmt: skip


def compared(data: pd.DataFrame, **options: Any) -> Any:
    settings = {"metrics": METRICS, "n_boot": 99, "seed": 3, "context": "task"} | options
    return px.compare_models(data, truth="y", predictions=["p", "q"], cluster="subject", **settings)


@pytest.mark.parametrize("adjust", [None, "holm", "max_t"])
@pytest.mark.parametrize("method", INTERVAL_METHODS)
def test_a_null_of_bias_equals_predictions_shifted_by_it(method: str, adjust: str | None) -> None:
    data, options = table(), {"metrics": ["bias"], "method": method, "adjust": adjust}
    found = compared(data, null_difference=0.25, **options).tidy()
    shifted = compared(data.assign(q=data["q"] + 0.25), **options).tidy()
    between = found["second_model"] == "q"
    names = ["p_value", *(["p_adjusted"] if adjust else [])]
    pd.testing.assert_frame_equal(found.loc[between, names], shifted.loc[between, names])


def test_a_null_at_an_end_of_the_interval_has_the_p_value_of_its_level() -> None:
    result = compared(table(), n_boot=0)
    for row in result.tidy().query("kind == 'difference'").itertuples():
        again = compared(table(), n_boot=0, null_difference={row.metric: row.conf_low}).tidy()
        assert again.loc[row.Index, "p_value"] == pytest.approx(0.05, rel=1e-9)
        assert again.loc[row.Index, "conf_low"] == row.conf_low


def test_each_metric_has_its_null_and_notes_name_it() -> None:
    result = compared(table(), null_difference={"rmse": -0.02}, ratio=True)
    rows, null = result.rows, result.evidence.null
    for row, value in zip(rows, null, strict=True):
        if row.kind == "difference":
            assert value == (-0.02 if row.metric == "rmse" else 0.0)
        elif row.kind == "ratio":
            assert value == 0.0
    assert "against -0.02 (rmse), 0 (correlation)" in result.notes()[0]
    with pytest.raises(DataError, match="which is a difference of 0"):
        result.sign_flip()


def test_contrasts_have_a_null_of_their_own() -> None:
    found = compared(table(), n_boot=0).contrasts(null_difference=0.1)
    shown = found.tidy()
    np.testing.assert_allclose(
        shown["statistic"], (shown["estimate"] - 0.1) / shown["std_error"], rtol=1e-10
    )
    assert "tests of rmse are against 0.1" in "".join(found.notes())


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ("x", "finite number"),
        (np.nan, "finite number"),
        (True, "finite number"),
        ({"mae": 0.1}, "names 'mae'"),
        ({}, "names no metric"),
        ({"correlation": 2.5}, "differ by less than 2"),
    ],
)
def test_what_is_no_null_is_refused(given: Any, sentence: str) -> None:
    with pytest.raises(DataError, match=sentence):
        compared(table(), n_boot=0, null_difference=given)
