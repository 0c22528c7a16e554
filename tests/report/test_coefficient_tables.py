"""The coefficients' tables to exact strings."""

from __future__ import annotations

import math

import pandas as pd
import pytest

from pyexpr.base.errors import ColumnError, DataError
from pyexpr.base.messages import message_column
from pyexpr.figures.pooled import pooled_alt
from pyexpr.figures.weights import coefficients_figure, weights_alt
from pyexpr.inference.coefficients.notes import DIFFERENT_LABELS, OF_WEIGHTS
from pyexpr.report.tables.coefficients import (
    coefficients_table,
    contrasts_table,
    leakage_table,
    omnibus_table,
    pooled_table,
    variation_table,
)

NAN = math.nan


def coefficients(**more: object) -> pd.DataFrame:
    frame = pd.DataFrame(
        {
            "context": ["all", "pain"],
            "feature": "au_count",
            "estimate": [0.0, 0.312],
            "procedure_low": [-0.1, 0.2],
            "procedure_high": [0.1, 0.4],
            "selected": [0.034, 1.0],
            "tested_estimate": [0.2, NAN],
            "conf_low": [-0.01, NAN],
            "conf_high": [0.41, NAN],
            "df": [23.0, NAN],
            "p_value": [0.0004, NAN],
            "method": "least_squares",
            "reason": ["", "the feature is constant"],
        }
    )
    return frame.assign(**more)


def test_coefficients() -> None:
    table = coefficients_table(coefficients(), confidence=0.9)
    assert table.rows == (
        ("Pain", "AU count", "0.31", "[0.20, 0.40]", "100%", "—", "—", "—", "—"),
        ("All", "AU count", "0", "[−0.10, 0.10]", "3%", "0.20", "[−0.01, 0.41]", "23.0", "< .001"),
    )
    assert table.columns[-3:] == ("Tested slope: 90% CI", "Tested slope: df", "Tested slope: p")
    text = " ".join(table.notes)
    assert "least squares, clustered by subject" in text
    assert "Pain, AU count: the feature is constant" in text
    assert "adjusted" not in text


def test_families_may_be_adjusted_in_two_ways() -> None:
    frame = coefficients(p_adjusted=[0.0056, 0.02], adjustment=["max_t", "holm"])
    table = coefficients_table(frame)
    assert table.columns[-1] == "Tested slope: p, max-T or Holm"
    assert any(
        "by Holm's method if a slope is determined by few subjects" in note for note in table.notes
    )


def test_slopes_on_few_subjects_are_named() -> None:
    table = coefficients_table(coefficients(n_effective=[17.2, 1.94]))
    message = "Slopes determined by effectively fewer than 5 subjects, with the effective number: "
    assert f"{message}Pain, AU count (1.9)." in table.notes
    many = coefficients_table(coefficients(n_effective=[17.2, NAN]))
    assert not any("fewer than" in note for note in many.notes)


def test_adjusted_p_values_have_their_column_and_note() -> None:
    frame = coefficients(p_adjusted=[0.0056, NAN], adjustment="holm")
    table = coefficients_table(frame)
    assert table.columns[-1] == "Tested slope: p, Holm"
    assert table.rows[1][-1] == ".006"
    assert any(
        "CIs are adjusted by Bonferroni's method, so a CI can include 0" in note
        for note in table.notes
    )


def test_contrasts_say_nothing_of_weights() -> None:
    frame = pd.DataFrame(
        {
            "context": ["pain - startle"],
            "first_context": ["pain"],
            "second_context": ["startle"],
            "feature": ["au_count"],
            "estimate": [0.1],
            "conf_low": [-0.1],
            "conf_high": [0.3],
            "df": [11.4],
            "p_value": [0.21],
            "reason": message_column([OF_WEIGHTS(reason=DIFFERENT_LABELS)]),
            "method": ["desparsified"],
        }
    )
    table = contrasts_table(frame)
    assert table.rows == (("Pain − Startle", "AU count", "0.10", "[−0.10, 0.30]", "11.4", ".210"),)
    assert not any("labels" in note for note in table.notes)


def test_omnibus() -> None:
    frame = pd.DataFrame(
        {"feature": ["au_count"], "statistic": [10.27], "df1": [2], "df2": [22.0],
         "p_value": [0.0007], "method": ["AHT"], "p_adjusted": [0.01], "adjustment": ["holm"]}
    )  # fmt: skip
    table = omnibus_table(frame)
    assert table.rows == (("AU count", "10.27", "2", "22.0", "< .001", ".010"),)
    assert "Test: approximate Hotelling's T² of the slopes, with an F distribution." in table.notes
    # An F keeps its zero, a p has none.
    small = omnibus_table(frame.assign(statistic=0.92, p_value=0.413)).rows[0]
    assert (small[1], small[4]) == ("0.92", ".413")


def test_leakage() -> None:
    frame = pd.DataFrame(
        {"context": ["all"], "metric": ["nrmse"], "whole_sample": [0.126], "training_only": [0.124],
         "difference": [0.002], "conf_low": [0.001], "conf_high": [0.003], "p_value": [0.0008],
         "reason": ["different criteria"]}
    )  # fmt: skip
    table = leakage_table(frame)
    assert table.rows == (("All", "NRMSE", "0.126", "0.124", "0.002", "[0.001, 0.003]", "< .001"),)
    assert table.notes[1:] == ("All, NRMSE: different criteria.",)
    # A correlation cannot pass 1; a difference of two can.
    row = leakage_table(frame.assign(metric="correlation")).rows[0]
    assert row[2:6] == (".126", ".124", "0.002", "[0.001, 0.003]")


def pooled() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "context": ["pain", "Pain", "rest"],
            "feature": "au_count",
            "estimate": [0.25, -0.05, NAN],
            "conf_low": [0.1, NAN, NAN],
            "conf_high": [0.4, NAN, NAN],
            "separate_estimate": [0.3, -0.104, NAN],
            "separate_low": [0.12, -0.3, NAN],
            "separate_high": [0.48, 0.1, NAN],
            "shrinkage": [0.337, 1.0, NAN],
            "n_effective": [17.2, 3.94, NAN],
            "reason": ["", "too few subjects", "the feature is constant"],
        }
    )


VARIATION = pd.DataFrame(
    {
        "feature": ["au_count"], "estimate": [0.21], "conf_low": [0.0], "conf_high": [1.5],
        "common_slope": [0.1], "common_low": [-0.2], "common_high": [0.4], "reason": "",
    }
)  # fmt: skip


def test_pooled_slopes_stand_beside_the_separate_ones() -> None:
    table = pooled_table(pooled(), confidence=0.9)
    assert table.columns[2:] == (
        "Separate slope: Slope", "Separate slope: 90% CI", "Pooled slope: Slope",
        "Pooled slope: 90% interval", "Pooled slope: Shrinkage",
    )  # fmt: skip
    assert table.rows == (
        ("pain", "AU count", "0.30", "[0.12, 0.48]", "0.25", "[0.10, 0.40]", "34%"),
        ("Pain", "AU count", "−0.10", "[−0.30, 0.10]", "−0.05", "—", "100%"),
        ("Rest", "AU count", "—", "—", "—", "—", "—"),
    )
    text = " ".join(table.notes)
    assert "Its interval is of the shrunken slope: it holds on average over contexts" in text
    assert "it therefore differs from the tested slope" in text
    assert "with the effective number: Pain, AU count (3.9)." in text
    assert "No interval for Pain, AU count: too few subjects." in text
    assert "Rest, AU count: the feature is constant." in text


def test_variation_of_slopes() -> None:
    table = variation_table(VARIATION, digits=1)
    assert table.rows == (("AU count", "0.2", "[0.0, 1.5]", "0.1", "[−0.2, 0.4]"),)
    assert table.columns[1:3] == ("Slopes between contexts: SD", "Slopes between contexts: 95% CI")


def test_words_of_the_pooled_figure_have_every_number() -> None:
    text = pooled_alt(pooled(), VARIATION)
    assert (
        "AU count: pain 0.30 [0.12, 0.48] alone, 0.25 [0.10, 0.40] pooled; "
        "Pain −0.10 [−0.30, 0.10] alone, −0.05 pooled; Rest — alone, — pooled; common slope 0.10."
    ) in text
    assert text.endswith("Rest, AU count: the feature is constant.")


@pytest.mark.parametrize(
    "make", [coefficients_table, contrasts_table, omnibus_table, pooled_table, variation_table]
)
def test_a_missing_column_is_named(make: object) -> None:
    with pytest.raises(ColumnError, match="feature"):
        make(pd.DataFrame({"context": ["a"]}))  # type: ignore[operator]


def test_two_rows_for_one_coefficient_are_refused() -> None:
    with pytest.raises(DataError, match="more than one row"):
        coefficients_table(pd.concat([coefficients(), coefficients()]))


def test_figure_4_names_contexts_as_they_are() -> None:
    contexts = ["pain", "Pain", "a b"]
    table = pd.DataFrame(
        {
            "context": contexts, "feature": "au_count", "estimate": 0.1, "procedure_low": 0.0,
            "procedure_high": 0.2, "tested_estimate": 0.2, "conf_low": 0.1, "conf_high": 0.3,
        }
    )  # fmt: skip
    panels = coefficients_figure(table).axes
    assert [axes.get_title() for axes in panels] == contexts
    assert [label.get_text() for label in panels[0].get_yticklabels()] == ["au_count"]
    (named, *_) = coefficients_figure(table, names={"pain": "Cold pressor"}).axes
    assert named.get_title() == "Cold pressor"
    # In words, too, no two contexts have one name.
    words = weights_alt(table.rename(columns={"procedure_low": "low", "procedure_high": "high"}))
    assert all(f" {context}: AU count" in words for context in contexts)
