"""Slopes of errors: against clubSandwich and statsmodels, planted slopes, and bad input."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from statsmodels.regression.linear_model import OLS

import pyexpr as px
from pyexpr.base.errors import ColumnError, DataError

GOLDEN = Path(__file__).parents[1] / "golden"
# clubSandwich prints 15 digits; its matrix square roots are of other routines.
OF_R = 1e-9
KEY = ["term", "context", "property"]
NUMBERS = ["estimate", "std_error", "df", "p_value"]


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    return pd.read_csv(GOLDEN / "error_slopes_data.csv")


def slopes(table: Any, **more: Any) -> px.ErrorSlopesResult:
    options = {
        "truth": "y", "predictions": ["p", "q"], "properties": ["share", "confidence"],
        "cluster": "subject", "context": "task",
    }  # fmt: skip
    return px.error_slopes(table, **options | more)


@pytest.fixture(scope="module")
def found(rows: pd.DataFrame) -> px.ErrorSlopesResult:
    return slopes(rows)


def test_slopes_and_contrasts_are_those_of_clubsandwich(found: px.ErrorSlopesResult) -> None:
    golden = pd.read_csv(GOLDEN / "error_slopes.csv").set_index(KEY)
    ours = pd.concat([found.tidy(), found.contrasts()]).set_index(KEY)
    assert len(ours) == len(golden) == 24
    expected = golden.loc[ours.index, NUMBERS]
    np.testing.assert_allclose(ours[NUMBERS].to_numpy(float), expected, rtol=OF_R)


def test_one_property_with_the_first_correction_is_statsmodels(rows: pd.DataFrame) -> None:
    found = slopes(rows, properties="share", predictions="p", context=None, cr="CR1").tidy()
    x = rows["share"] / rows["share"].std(ddof=0)
    X = np.column_stack([np.ones(len(rows)), x])
    fit = OLS(np.abs(rows["y"] - rows["p"]), X).fit(
        cov_type="cluster", cov_kwds={"groups": rows["subject"], "use_correction": False}
    )
    groups = rows["subject"].nunique()
    # statsmodels' own correction also counts columns; CR1 is G / (G - 1) alone.
    error = fit.bse.iloc[1] * np.sqrt(groups / (groups - 1))
    assert found["estimate"].item() == pytest.approx(fit.params.iloc[1], rel=1e-10)
    assert found["std_error"].item() == pytest.approx(error, rel=1e-10)
    assert found["context"].item() == "all"
    assert found["mean_error"].item() == pytest.approx(np.abs(rows["y"] - rows["p"]).mean())


def test_differences_are_those_of_slopes_and_rows_are_alike(rows: pd.DataFrame) -> None:
    holes = rows.copy()
    holes.loc[[0, 5], "p"] = np.nan
    holes.loc[9, "share"] = np.nan
    found = slopes(holes)
    table = found.tidy().set_index(["term", "context", "property"])["estimate"]
    np.testing.assert_allclose(table["p - q"], table["p"] - table["q"], atol=1e-12)
    assert set(found.tidy().query("context == 'all'")["n"]) == {len(rows) - 3}
    assert any("3 rows without a truth" in note for note in found.notes())
    assert found.slopes[0].data.n_dropped == 3
    pd.testing.assert_frame_equal(
        found.tidy(), slopes(holes.dropna()).tidy(), check_exact=False, rtol=1e-12
    )


def test_a_planted_slope_is_found_in_its_context_only() -> None:
    rng = np.random.default_rng(2)
    n = 40 * 12
    table = pd.DataFrame(
        {
            "subject": np.repeat(np.arange(40), 12),
            "task": np.tile(["calm", "tense"], n // 2),
            "share": rng.uniform(0.5, 1, n),
            "y": rng.normal(size=n),
        }
    )
    size = np.where(table["task"] == "tense", 1.5 - table["share"], 0.75)
    table["p"] = table["y"] + size * rng.normal(size=n)
    found = slopes(table, properties="share", predictions="p")
    by_context = found.tidy().set_index("context")
    # E|N(0, s)| is s times the root of 2 / pi.
    true = -by_context.loc["tense", "scale"] * np.sqrt(2 / np.pi)
    assert by_context.loc["tense", "conf_low"] < true < by_context.loc["tense", "conf_high"] < 0
    assert by_context.loc["calm", "conf_low"] < 0 < by_context.loc["calm", "conf_high"]
    assert found.omnibus()["p_value"].item() < 0.05
    assert found.contrasts()["p_value"].item() == pytest.approx(
        found.omnibus()["p_value"].item(), rel=0.2
    )


def test_a_property_without_variation_has_a_reason(rows: pd.DataFrame) -> None:
    constant = rows.assign(share=np.where(rows["task"] == "a", 1.0, rows["share"]))
    table = slopes(constant).tidy().set_index(KEY)
    row = table.loc[("p", "a", "share")]
    assert np.isnan(row["estimate"])
    assert row["reason"] == "the feature is constant"


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"properties": []}, "properties= names no column"),
        ({"properties": ["share", "share"]}, "properties= names 'share' more than once"),
        ({"properties": "p"}, "properties= names 'p', which is also the truth"),
        ({"properties": "subject"}, "properties= names 'subject', which is also"),
        ({"properties": "sharee"}, "has no column 'sharee'; did you mean 'share'"),
        ({"predictions": "r"}, "has no column 'r'"),
        ({"n_boot": 99}, "does not accept n_boot=: no replicates are drawn"),
        ({"by": "task"}, "has no argument by=; the column of contexts is context="),
    ],
)
def test_what_is_wrong_is_one_sentence(
    rows: pd.DataFrame, given: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(DataError) as raised:
        slopes(rows, **given)
    assert sentence in str(raised.value)


def test_text_names_its_row(rows: pd.DataFrame) -> None:
    wrong = rows.astype({"share": object})
    wrong.loc[3, "share"] = "good"
    with pytest.raises(ColumnError, match=r"'share'.*row 4.*'good'"):
        slopes(wrong)


def test_it_is_drawn_and_saved(found: px.ErrorSlopesResult, tmp_path: Path) -> None:
    figure = found.plot(names={"share": "valid frames"})
    texts = {text.get_text() for axes in figure.axes for text in axes.get_yticklabels()}
    assert {"p", "q", "p - q"} <= texts
    assert [axes.get_title() for axes in figure.axes[:3]] == ["a", "b", "all"]
    found.save(tmp_path / "slopes.pyexpr")
    again = px.load(tmp_path / "slopes.pyexpr")
    pd.testing.assert_frame_equal(again.tidy(), found.tidy())
    narrow = again.interval(confidence=0.5).tidy()
    assert (narrow["conf_low"] > found.tidy()["conf_low"]).all()
