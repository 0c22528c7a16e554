"""d_study() and choose_icc()."""

from __future__ import annotations

import doctest
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pyexpr.base.errors import DataError
from pyexpr.measurement.icc import design as icc_design
from pyexpr.measurement.icc.design import choose_icc, d_study
from pyexpr.measurement.icc.icc import icc

R = json.loads((Path(__file__).parents[1] / "golden" / "icc.json").read_text())


@pytest.mark.parametrize("case", ["shrout_fleiss", "strong", "ordinal"])
def test_one_rater_and_all_raters_are_psychs_figures(case: str) -> None:
    table = np.array(R["cases"][case]["table"])
    psych = np.array(R["cases"][case]["psych_95"], dtype=float)[:, :3]
    plan = d_study(icc(table), raters=[1, table.shape[1]])
    found = plan.tidy()[["estimate", "conf_low", "conf_high"]].to_numpy()
    np.testing.assert_allclose(found, psych, rtol=1e-9, atol=1e-9)


def test_numbers_between_and_beyond() -> None:
    table = pd.DataFrame({"group": ["a"] * 3 + ["b"] * 3, "x": [1, 2, 4] * 2, "y": [2, 2, 5] * 2})
    result = icc(table, context="group", form="ICC(1,1)")
    plan = d_study(result, raters=[2, 10]).tidy()
    assert plan[["group", "k"]].to_numpy().tolist() == [["a", 2], ["a", 10], ["b", 2], ["b", 10]]
    single = result.tidy()["estimate"].iloc[0]
    np.testing.assert_allclose(
        plan["estimate"].iloc[:2], [2 * single / (1 + single), 10 * single / (1 + 9 * single)]
    )


def test_a_negative_estimate_is_not_stepped_up_to_nonsense() -> None:
    table = np.array(R["cases"]["negative"]["table"])
    row = d_study(icc(table, form="ICC(1,k)"), raters=[20]).tidy().iloc[0]
    assert np.isnan(row["estimate"])
    assert "too negative" in row["reason"]


def test_numbers_of_raters_that_are_none() -> None:
    result = icc(np.array(R["cases"]["strong"]["table"]))
    with pytest.raises(DataError, match=r"not 0\.0"):
        d_study(result, raters=[3, 0])
    with pytest.raises(DataError, match="none at all"):
        d_study(result, raters=[])


@pytest.mark.parametrize(
    ("same", "average", "agreement", "form", "shrout_fleiss"),
    [
        (False, False, True, "ICC(1,1)", "ICC(1,1)"),
        (False, True, False, "ICC(1,k)", "ICC(1,k)"),
        (True, False, True, "ICC(A,1)", "ICC(2,1)"),
        (True, True, True, "ICC(A,k)", "ICC(2,k)"),
        (True, False, False, "ICC(C,1)", "ICC(3,1)"),
        (True, True, False, "ICC(C,k)", "ICC(3,k)"),
    ],
)
def test_the_six_choices(
    same: bool, average: bool, agreement: bool, form: str, shrout_fleiss: str
) -> None:
    choice = choose_icc(same_raters=same, average=average, agreement=agreement)
    assert (choice.form, choice.shrout_fleiss) == (form, shrout_fleiss)
    assert len(choice.why) == 2
    assert str(choice).startswith(f"Report {form}")


def test_examples_of_the_docstrings_run() -> None:
    failed, tried = doctest.testmod(icc_design)
    assert failed == 0
    assert tried > 0


def test_arguments_of_the_wrong_kind() -> None:
    found = icc(np.arange(12.0).reshape(4, 3) ** 1.3)
    for raters in (5, "12"):
        with pytest.raises(DataError, match="raters= must be numbers of raters"):
            d_study(found, raters=raters)  # type: ignore[arg-type]
    with pytest.raises(DataError, match="same_raters= must be True or False, not 'no'"):
        choose_icc(same_raters="no", average=True)  # type: ignore[arg-type]
