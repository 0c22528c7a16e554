"""Rare factor models, against lavaan called directly in R."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from lavaan_direct import by_lavaan

from pyexpr.base.errors import ColumnError, DataError, FactorModelError, RError
from pyexpr.measurement.factor.bootstrap import bootstrap_cfa
from pyexpr.measurement.factor.cfa import cfa
from pyexpr.measurement.invariance.invariance import invariance

ONE = "f =~ x1 + x2 + x3 + x4"
TWO = "f =~ x1 + x2\ng =~ x3 + x4"

# lavaan, as a user calls it, stops when its objective does not change by 1e-10 of itself.
LOGL = 1e-5
IN_ERRORS = 2e-3


def incomplete(seed: int = 2, n: int = 200) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    f = rng.normal(size=n)
    data = pd.DataFrame({f"x{j}": f * (0.6 + 0.1 * j) + rng.normal(size=n) for j in range(1, 5)})
    data = data.mask(rng.random(data.shape) < 0.15)
    return data[data.notna().any(axis=1)].reset_index(drop=True)


@pytest.mark.parametrize("model", [ONE, TWO])
@pytest.mark.parametrize("estimator", ["ML", "MLR"])
def test_full_information_with_degrees_of_freedom(
    tmp_path: Path, model: str, estimator: str
) -> None:
    """lavaan's Gauss-Newton, which sharpens our estimates, stops beside this maximum."""
    data = incomplete()
    found = cfa(data, model, missing="fiml", estimator=estimator)
    code = (
        f"f <- cfa('{model}', d, std.lv = TRUE, missing = 'fiml', estimator = '{estimator}');"
        "c(logLik(f), fitMeasures(f, 'chisq'), coef(f)[1:4])"
    )
    logl, chisq, *loadings = by_lavaan(tmp_path, data, code)
    measures = found.glance().iloc[0]
    assert measures["logl"] == pytest.approx(logl, abs=LOGL)
    assert measures["chisq"] == pytest.approx(chisq, abs=2 * LOGL)
    table = found.tidy().query("op == '=~'")
    signs = np.sign(np.array(loadings) * table["estimate"].to_numpy())
    difference = np.abs(table["estimate"] - signs * loadings) / table["std_error"]
    assert difference.max() < IN_ERRORS


def test_full_information_in_tests_of_invariance(tmp_path: Path) -> None:
    data = incomplete(5, 300)
    data["context"] = np.where(np.arange(len(data)) % 2, "a", "b")
    found = invariance(data, ONE, context="context", cluster=False, missing="fiml")
    code = (
        f"a <- list('{ONE}', d, group = 'context', std.lv = TRUE, missing = 'fiml');"
        "f <- do.call('cfa', a); g <- do.call('cfa', c(a, group.equal = 'loadings'));"
        "c(fitMeasures(f, 'chisq'), fitMeasures(g, 'chisq'))"
    )
    free, equal = by_lavaan(tmp_path, data, code)
    chisq = found.fit_measures()["chisq"].to_numpy()
    np.testing.assert_allclose(chisq[:2], [free, equal], atol=10 * LOGL)


def test_a_factor_with_one_indicator(tmp_path: Path) -> None:
    """lavaan fixes its residual variance at 0: that is admissible, and it has scores."""
    rng = np.random.default_rng(5)
    f = rng.normal(size=300)
    data = pd.DataFrame({f"x{j}": f + rng.normal(size=300) for j in range(1, 5)})
    model = "f =~ x1 + x2 + x3\ng =~ x4"
    found = cfa(data, model)
    assert found.admissible
    assert found.notes() == ()
    for method in ("bartlett", "regression"):
        scores = found.scores(method=method)
        code = (
            f"f <- cfa('{model}', d, std.lv = TRUE); s <- lavPredict(f, method = '{method}');"
            "c(s[1:20, 1], s[1:20, 2])"
        )
        theirs = by_lavaan(tmp_path, data, code)
        ours = scores[["score_f", "score_g"]].to_numpy()[:20].T.ravel()
        np.testing.assert_allclose(ours, theirs, atol=1e-6)
        assert scores["se_g"].max() < 1e-7
        assert (scores["reason"] == "").all()
    quality = found.reliability().set_index(["factor", "quantity"])
    assert (
        quality.loc[("g", "omega"), "reason"] == "an indicator has no residual variance by design"
    )
    assert quality.loc[("f", "omega"), "estimate"] == pytest.approx(0.75, abs=0.06)


def test_full_information_scores_what_was_observed(tmp_path: Path) -> None:
    data = incomplete(3)
    data[["x3", "x4"]] += np.random.default_rng(4).normal(size=len(data))[:, None]
    data.loc[0] = [1.0, 0.5, np.nan, np.nan]
    data.loc[1] = [np.nan, np.nan, np.nan, 1.0]
    found = cfa(data, TWO, missing="fiml")
    for method in ("bartlett", "regression"):
        scores = found.scores(method=method)
        code = (
            f"f <- cfa('{TWO}', d, std.lv = TRUE, missing = 'fiml');"
            f"s <- lavPredict(f, method = '{method}'); c(s[, 1], s[, 2])"
        )
        theirs = by_lavaan(tmp_path, data, code).reshape(2, -1).T
        ours = scores[["score_f", "score_g"]].to_numpy()
        # Both signs are free.
        theirs = theirs * np.sign(np.nansum(ours * theirs, axis=0))
        there = ~np.isnan(theirs) & ~np.isnan(ours)
        assert np.abs(ours - theirs)[there].max() < 5e-3
        partly = np.isnan(ours).any(axis=1)
        assert (partly == (scores["reason"] == "missing indicator")).all()
        assert partly[0] == partly[1] == (method == "bartlett")
        assert np.isfinite(ours[0, 0])
        assert np.isfinite(ours[1, 1])
        assert np.isnan(ours).sum() == np.isnan(theirs).sum()


@pytest.mark.parametrize("scales", [[1e4, 1, 1], [1e-3, 1e3, 1], [1e-9, 1e-9, 1e-9]])
def test_indicators_on_different_scales(scales: list[float]) -> None:
    """A model without fixed numbers is the same in any units, whoever fits it."""
    rng = np.random.default_rng(5)
    f = rng.normal(size=400)
    plain = pd.DataFrame({f"x{j}": 3 + f + rng.normal(size=400) for j in range(1, 4)})
    model = {"f": list(plain)}
    scaled = plain * scales
    at_rest = cfa(plain, model, engine="rpy2")
    fits = [cfa(scaled, model, engine=engine) for engine in ("rpy2", "native")]
    for found in fits:
        np.testing.assert_allclose(found.tidy()["std_all"], at_rest.tidy()["std_all"], rtol=1e-6)
    tables = [found.tidy().set_index(["lhs", "op", "rhs"]) for found in fits]
    tables[1] = tables[1].reindex(tables[0].index)
    for column in ("estimate", "std_error", "statistic", "p_value"):
        np.testing.assert_allclose(tables[0][column], tables[1][column], rtol=1e-5, atol=1e-300)
    glances = [found.glance().iloc[0] for found in fits]
    for measure in ("logl", "aic", "bic", "cfi", "srmr"):
        assert glances[0][measure] == pytest.approx(glances[1][measure], rel=1e-7, abs=1e-7)
    change = -400 * np.log(scales).sum()
    assert glances[0]["logl"] == pytest.approx(at_rest.glance()["logl"].item() + change, rel=1e-9)


def test_full_information_on_different_scales() -> None:
    data, scales = incomplete(), np.array([1e4, 1.0, 1.0, 1e-2])
    plain, scaled = (cfa(one, ONE, missing="fiml") for one in (data, data * scales))
    np.testing.assert_allclose(plain.tidy()["std_all"], scaled.tidy()["std_all"], atol=1e-5)
    change = -float((data.notna().sum() * np.log(scales)).sum())
    assert scaled.glance()["logl"].item() == pytest.approx(
        plain.glance()["logl"].item() + change, abs=LOGL
    )
    assert scaled.glance()["chisq"].item() == pytest.approx(
        plain.glance()["chisq"].item(), abs=1e-4
    )


def test_what_stands_before_a_star_is_never_code(tmp_path: Path) -> None:
    data = incomplete().dropna()
    written = tmp_path / "written"
    for modifier in (f"`(cat('x', file='{written}'))`", "`a b`", "`1; 2`"):
        with pytest.raises(DataError, match=r"stands before \* in the model"):
            cfa(data, f"f =~ {modifier}*x1 + x2 + x3", engine="rscript")
    assert not written.exists()
    labelled = cfa(data, "f =~ _a*x1 + _a*x2 + x3").tidy()["estimate"]
    assert labelled[0] == pytest.approx(labelled[1], rel=1e-9)


@pytest.mark.parametrize("name", ["estimate", "lhs", "reason", "quantity"])
def test_a_group_may_not_have_the_name_of_a_column_of_results(name: str) -> None:
    data = incomplete().dropna()
    data[name] = np.where(np.arange(len(data)) % 2, "a", "b")
    data["subject"] = np.arange(len(data)) // 2
    model = {"f": ["x1", "x2", "x3"]}
    for fit in (
        lambda: cfa(data, model, context=name, engine="native"),
        lambda: bootstrap_cfa(data, model, context=name, cluster="subject"),
    ):
        with pytest.raises(DataError, match=f"names the column '{name}'"):
            fit()


def test_clusters_are_those_of_the_rows_used() -> None:
    rng = np.random.default_rng(1)
    f = rng.normal(size=200)
    data = pd.DataFrame({f"x{j}": f + rng.normal(size=200) for j in range(1, 4)})
    data["subject"] = np.arange(200) // 4
    data.loc[data["subject"] == 7, "x1"] = np.nan
    model = {"f": ["x1", "x2", "x3"]}
    assert cfa(data, model, cluster="subject").glance()["n_clusters"].item() == 49
    with pytest.raises(DataError, match="all rows used belong to one 'subject'"):
        cfa(data.assign(subject=1), model, cluster="subject")


def test_columns_with_other_names_than_text_can_be_scored() -> None:
    data = incomplete().dropna()
    plain = cfa(data, {"f": ["x1", "x2", "x3"]}, engine="native").scores()
    numbered = data.rename(columns={"x1": 1, "x2": 2, "x3": 3})
    fit = cfa(numbered, {"f": [1, 2, 3]}, engine="native")
    pd.testing.assert_frame_equal(fit.scores(numbered), plain)


def test_dates_and_numbers_as_text_are_no_ratings() -> None:
    data = incomplete().dropna()
    dates = pd.date_range("2020-01-01", periods=len(data))
    for column, match in (
        (dates, "it holds dates"),
        (data["x1"].astype(str).to_numpy(), "holds the text"),
        (data["x1"].to_numpy() + 1j, "complex numbers"),
    ):
        with pytest.raises(ColumnError, match=match):
            cfa(data.assign(x1=column), {"f": ["x1", "x2", "x3"]}, engine="native")


def test_arguments_that_are_no_numbers() -> None:
    data = incomplete().dropna()
    data["subject"] = np.arange(len(data)) // 2
    model = {"f": ["x1", "x2", "x3"]}
    for wrong in ("0.9", None, 95):
        with pytest.raises(DataError, match="confidence= must be a number between 0 and 1"):
            cfa(data, model, confidence=wrong)
    for wrong in (100.5, "100", True):
        with pytest.raises(DataError, match="n_boot= must be a whole number"):
            bootstrap_cfa(data, model, cluster="subject", n_boot=wrong)


@pytest.mark.parametrize("engine", ["rpy2", "native"])
def test_a_negative_residual_variance_has_its_cfi(tmp_path: Path, engine: str) -> None:
    """lavaan's baseline model cannot start from it."""
    r = np.random.default_rng(1015)
    p, n = int(r.integers(4, 7)), int(r.integers(20, 60))
    loadings = r.uniform(0.2, 1.6, p)
    data = pd.DataFrame(
        r.normal(size=(n, 1)) * loadings + r.normal(size=(n, p)) * 0.8,
        columns=[f"v{j}" for j in range(p)],
    )
    found = cfa(data, {"f": list(data)}, engine=engine)
    assert not found.admissible
    code = (
        f"f <- cfa('f =~ {' + '.join(data)}', d, std.lv = TRUE);"
        "fitMeasures(f, c('cfi', 'tli', 'chisq'))"
    )
    theirs = by_lavaan(tmp_path, data, code)
    ours = found.glance()[["cfi", "tli", "chisq"]].to_numpy()[0]
    np.testing.assert_allclose(ours, theirs, atol=1e-5)
    assert not any("baseline" in text or len(text) > 300 for text in found.messages)


@pytest.mark.parametrize(
    ("model", "error", "match"),
    [
        (f"{TWO}\ng ~~ x1", DataError, "lets a factor covary with an indicator"),
        (f"{ONE}\nx1 ~~ x2\nx2 ~~ x1", DataError, "'x2 ~~ x1' twice"),
        ("x1 =~ x1 + x2 + x3", DataError, "a factor and its indicator are both called 'x1'"),
        ("f =~ a*x1 + a*x2\ng =~ x3 + x4\nf ~~ 0*g", FactorModelError, "not identified"),
        ("f =~ a*x1 + b*x2 + c*x3\ng =~ a*x1 + b*x2 + c*x3", FactorModelError, "identified"),
    ],
)
def test_models_that_say_nothing_are_refused(
    model: str, error: type[Exception], match: str
) -> None:
    with pytest.raises(error, match=match):
        cfa(incomplete().dropna(), model)


def test_a_label_is_one_parameter_in_all_groups_and_factors() -> None:
    data = incomplete().dropna().reset_index(drop=True)
    data["g"] = np.where(data.index % 2, "u", "v")
    found = cfa(data, "f =~ a*x1 + x2 + x3", context="g")
    loadings = found.loadings().query("indicator == 'x1'")["loading"]
    assert np.ptp(loadings) < 1e-6
    assert any("labelled 'a' are also constrained to be equal" in note for note in found.notes())
    # Turned around alone, one side would have the other's sign.
    data[["x3", "x4"]] *= -1
    tied = cfa(data, "f =~ a*x1 + x2\ng =~ a*x3 + x4").loadings()
    one, other = tied.query("indicator in ['x1', 'x3']")["loading"]
    assert one == pytest.approx(other, abs=1e-6)


def test_names_that_are_the_same_as_text() -> None:
    data = incomplete().dropna().set_axis([0, 1, 2, "0"], axis=1)
    with pytest.raises(ColumnError, match=r"the same as text, such as 0 and '0': '0'"):
        cfa(data, {"f": ["0", "1", "2"]})


def test_the_locale_is_as_before_r_started() -> None:
    code = (
        "import locale, pandas as pd; from pyexpr.measurement.factor.cfa import cfa;"
        "before = locale.setlocale(locale.LC_ALL);"
        "data = {'a': [1, 2, 3, 5, 4, 7], 'b': [2, 1, 4, 4, 5, 6], 'c': [1, 3, 2, 5, 6, 5]};"
        "cfa(data, {'f': list('abc')}, engine='rpy2');"
        "assert locale.setlocale(locale.LC_ALL) == before"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def out_of_bounds(engine: str, request: object) -> None:
    raise RError("subscript out of bounds")


def test_indicators_that_no_row_has_both_of(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of three, lavaan 0.6 and 0.7 stop at different solutions: all of a line are as likely."""
    rng = np.random.default_rng(5)
    factor = rng.normal(size=120)
    data = pd.DataFrame(
        0.8 * factor[:, None] + 0.6 * rng.normal(size=(120, 4)), columns=list("abcd")
    )
    data.loc[:59, "c"] = np.nan
    data.loc[60:, "b"] = np.nan
    data["task"] = np.where(np.arange(120) % 60 < 30, "x", "y")
    with pytest.raises(FactorModelError, match="no row has both 'b' and 'c': with three") as caught:
        cfa(data, {"f": ["a", "b", "c"]}, missing="fiml")
    assert caught.value.reason == "never_together"
    found = cfa(data, {"f": list("abcd")}, missing="fiml").notes()
    assert [note.code for note in found] == ["never_together"]
    assert found[0].startswith("No row has both 'b' and 'c': the data contain no")
    data.loc[0, "c"] = 0.0
    # lavaan 0.7 cannot fit several groups then.
    reason = ""
    try:
        found = cfa(data, {"f": list("abcd")}, context="task", missing="fiml").notes()
    except FactorModelError as error:
        reason = error.reason
    else:
        assert [note.partition(":")[0] for note in found] == [
            "No row in context 'y' has both 'b' and 'c'"
        ]
    assert reason in {"", "never_together"}
    # As lavaan 0.7 stops, whichever lavaan is here.
    with monkeypatch.context() as patch:
        patch.setattr("pyexpr.measurement.factor.cfa.fit_with", out_of_bounds)
        with pytest.raises(FactorModelError) as caught:
            cfa(data, {"f": list("abcd")}, context="task", missing="fiml")
    assert caught.value.reason == "never_together"
    assert "(subscript out of bounds). No row has both 'b' and 'c' in context 'y'" in str(
        caught.value
    )
    data.loc[119, "b"] = 0.0
    assert cfa(data, {"f": list("abcd")}, context="task", missing="fiml").notes() == ()
