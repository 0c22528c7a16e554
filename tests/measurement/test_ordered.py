"""Ordered indicators by WLSMV, modification indices and options, against lavaan asked directly."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from lavaan_direct import by_lavaan

from pyexpr.base.errors import DataError, EngineError, FactorModelError, RError
from pyexpr.measurement.factor.bootstrap import bootstrap_cfa
from pyexpr.measurement.factor.cfa import cfa
from pyexpr.measurement.factor.cfa_result import CFAResult
from pyexpr.measurement.invariance.invariance import invariance

NAMES = ["q1", "q2", "q3", "q4"]
MODEL = {"f": NAMES}
SYNTAX = "f =~ q1 + q2 + q3 + q4"
# lavaan, as a user calls it, stops when its objective does not change by 1e-10 of itself.
NEAR = 2e-5
SCORE = 2e-4
LIKERT = ["never", "seldom", "often", "always"]


def answers(n: int = 400, seed: int = 3) -> pd.DataFrame:
    """Skewed answers 0 to 3 to four questions; the second is keyed the other way."""
    rng = np.random.default_rng(seed)
    f = rng.normal(size=n)
    table = pd.DataFrame(
        {
            name: np.digitize(k * f + np.sqrt(1 - k * k) * rng.normal(size=n), [-0.2, 0.6, 1.2])
            for name, k in zip(NAMES, (0.8, -0.7, 0.6, 0.75), strict=True)
        }
    )
    return table.assign(context=np.where(rng.random(n) < 0.4, "b", "a"))


def as_ordered(table: pd.DataFrame) -> pd.DataFrame:
    words = {
        name: pd.Categorical.from_codes(table[name], [*LIKERT, "nobody says this"], ordered=True)
        for name in NAMES
    }
    return table.assign(**words)


@pytest.fixture(scope="module")
def fit() -> CFAResult:
    return cfa(as_ordered(answers()), MODEL)


def test_ordered_categoricals_are_lavaans_wlsmv(tmp_path: Path, fit: CFAResult) -> None:
    measures = ["chisq", "df", "npar", "chisq.scaled", "pvalue.scaled", "chisq.scaling.factor",
                "cfi.scaled", "tli.scaled", "rmsea.scaled", "srmr", "cfi.robust"]  # fmt: skip
    code = (
        f"f <- cfa('{SYNTAX}', d, std.lv = TRUE, ordered = TRUE, estimator = 'WLSMV');"
        "p <- parameterEstimates(f); p <- p[p$op %in% c('=~', '|'), ];"
        "s <- standardizedSolution(f);"
        "s <- s[s$op %in% c('=~', '~~') & s$lhs != 'f' | s$op == '=~', ];"
        f"c(fitMeasures(f, c({', '.join(map(repr, measures))})), p$est, p$se, s$est.std, s$se,"
        "lavPredict(f, method = 'EBM'), lavPredict(f, method = 'ML'))"
    )
    parts = np.cumsum([len(measures), 16, 16, 8, 8, 400])
    wanted = np.split(by_lavaan(tmp_path, answers()[NAMES], code), parts)
    row = fit.glance().iloc[0]
    ours = [
        "chisq", "df", "npar", "chisq_scaled", "p_value_scaled", "scaling_factor", "cfi_scaled",
        "tli_scaled", "rmsea_scaled", "srmr", "cfi_robust",
    ]  # fmt: skip
    np.testing.assert_allclose(row[ours].astype(float), wanted[0], atol=NEAR)
    table = fit.tidy()
    chosen = table[table["op"].isin(["=~", "|"])]
    assert (chosen["op"] == "|").sum() == 12
    assert chosen.query("op == '|'")["rhs"].tolist() == ["t1", "t2", "t3"] * 4
    np.testing.assert_allclose(chosen["estimate"], wanted[1], atol=NEAR)
    np.testing.assert_allclose(chosen["std_error"], wanted[2], atol=NEAR)
    standard = fit.standardized()
    of_indicators = standard[(standard["op"] == "=~") | standard["rhs"].isin(NAMES)]
    np.testing.assert_allclose(of_indicators["estimate"], wanted[3], atol=NEAR)
    np.testing.assert_allclose(of_indicators["std_error"], wanted[4], atol=1e-4)
    np.testing.assert_allclose(fit.scores(method="regression")["score"], wanted[5], atol=SCORE)
    # Of rows that are extreme throughout lavaan's maximum is where its optimiser stopped.
    found, theirs = fit.scores()["score"].to_numpy(), wanted[6]
    inside = np.abs(theirs) < 2.5
    assert inside.sum() > 300
    np.testing.assert_allclose(found[inside], theirs[inside], atol=SCORE)
    assert fit.scores()["se"].isna().all()
    message = " ".join(fit.notes())
    assert "are ordered: fitted by WLSMV" in message
    assert "'q1' is high" in message
    assert fit.estimator == row["estimator"] == "WLSMV"
    assert np.isnan(row["logl"])
    residual = table.query("lhs == 'q1' and op == '~~'").iloc[0]
    assert residual["reason"] == "1 minus the explained variance"
    assert np.isnan(residual["std_error"])


def test_numbers_are_ordered_only_where_named(fit: CFAResult) -> None:
    plain = answers()
    for ordered, data in ((True, plain), (NAMES, plain), (None, as_ordered(plain))):
        found = cfa(data, MODEL, ordered=ordered)
        np.testing.assert_array_equal(found.tidy()["estimate"], fit.tidy()["estimate"])
    turned = cfa(as_ordered(plain), MODEL, positive="q2")
    np.testing.assert_array_equal(
        turned.scores(method="regression")["score"], -fit.scores(method="regression")["score"]
    )
    assert cfa(plain, MODEL).estimator == "ML"
    numbers = plain.assign(**{n: pd.Categorical(plain[n], ordered=True) for n in NAMES})
    assert cfa(numbers, MODEL, ordered=False, engine="native").estimator == "ML"
    some = cfa(plain, MODEL, ordered="q4").tidy()
    assert some.query("op == '|'")["lhs"].unique().tolist() == ["q4"]
    assert some.query("lhs == 'q1' and op == '~1'")["reason"].item() == ""
    rscript = cfa(plain, MODEL, ordered=True, engine="rscript")
    np.testing.assert_allclose(rscript.tidy()["estimate"], fit.tidy()["estimate"], atol=1e-9)


def test_groups_and_new_rows_are_scored_as_lavaan_does(tmp_path: Path) -> None:
    data = answers()
    found = cfa(data, MODEL, ordered=True, context="context")
    code = (
        f"f <- cfa('{SYNTAX}', d, std.lv = TRUE, ordered = c('q1', 'q2', 'q3', 'q4'),"
        "group = 'context'); s <- rep(NA, nrow(d)); e <- lavPredict(f, method = 'EBM');"
        "for (g in names(e)) s[d$context == g] <- e[[g]];"
        "l <- inspect(f, 'est'); for (g in names(l)) s[d$context == g] <- s[d$context == g] *"
        "sign(l[[g]]$lambda[1, 1]); c(fitMeasures(f, 'chisq.scaled'), s)"
    )
    chisq, *scores = by_lavaan(tmp_path, data, code)
    assert found.glance()["chisq_scaled"].item() == pytest.approx(chisq, abs=1e-4)
    own = found.scores(method="regression")["score"]
    np.testing.assert_allclose(own, scores, atol=SCORE)
    loadings = found.loadings().set_index(["context", "indicator"])["loading"].unstack()
    assert (np.sign(loadings.to_numpy()) == [1, -1, 1, 1]).all()
    # A few new rows, one incomplete, which alone do not hold every category.
    new = data.iloc[[5, 9, 2]].astype({"q3": float}).reset_index(drop=True)
    new.loc[1, "q3"] = np.nan
    again = found.scores(new, method="regression")
    np.testing.assert_allclose(again["score"][[0, 2]], own.iloc[[5, 2]], atol=1e-9)
    assert again["reason"].tolist() == ["", "missing indicator", ""]
    with pytest.raises(DataError, match=r"row 1 of indicator 'q1' holds 7, which does not occur"):
        found.scores(new.assign(q1=7))


def test_incomplete_rows_are_dropped_and_reliability_is_refused() -> None:
    data = as_ordered(answers())
    data.loc[[3, 7], "q2"] = np.nan
    found = cfa(data, MODEL)
    assert found.n_dropped == 2
    assert found.scores()["reason"][[3, 7]].tolist() == ["missing indicator"] * 2
    table = found.reliability()
    assert table["estimate"].isna().all()
    assert table["reason"].str.contains("reliability is not that of the ratings").all()


def test_what_ordered_indicators_cannot_have() -> None:
    data = as_ordered(answers()).assign(subject=np.arange(400) // 4)
    with pytest.raises(EngineError, match="'native' cannot fit ordered indicators"):
        cfa(data, MODEL, engine="native")
    for change, match in (
        ({"missing": "fiml"}, "does not support with missing="),
        ({"estimator": "MLR"}, "does not support with estimator="),
        ({"cluster": "subject"}, "does not support with cluster="),
        ({"ordered": ["q9"]}, "'q9', which is not an indicator"),
    ):
        with pytest.raises(DataError, match=match):
            cfa(data, MODEL, **change)
    with pytest.raises(DataError, match="is for ordered indicators"):
        cfa(answers(), MODEL, estimator="WLSMV")
    with pytest.raises(DataError, match="too many for ordered categories"):
        cfa(answers().assign(q1=np.arange(400.0)), MODEL, ordered=True)
    lone = data.copy()
    rare = (data["context"] == "b") & (data["q3"] == "seldom")
    lone.loc[rare, "q3"] = "never"
    with pytest.raises(FactorModelError, match=r"no row of its category number 2.*context 'b'"):
        cfa(lone, MODEL, context="context")
    constant = data.assign(q3=pd.Categorical(["never"] * 400, LIKERT, ordered=True))
    with pytest.raises(FactorModelError, match="'q3' is constant"):
        cfa(constant, MODEL)
    for call in (
        lambda: bootstrap_cfa(data, MODEL, cluster="subject"),
        lambda: invariance(data, MODEL, context="context"),
    ):
        with pytest.raises(DataError, match=r"for continuous indicators.*ordered Categoricals"):
            call()


def continuous(n: int = 300) -> pd.DataFrame:
    rng = np.random.default_rng(1)
    f = rng.normal(size=n)
    shared = rng.normal(size=n)
    columns = {
        f"x{j}": k * f + rng.normal(size=n) + (j < 3) * 0.6 * shared
        for j, k in enumerate((1, -1, 1, 1, -1), 1)
    }
    g = 0.6 * f + rng.normal(size=n)
    table = pd.DataFrame(columns | {f"z{j}": g + rng.normal(size=n) for j in range(1, 4)})
    return table.assign(context=np.where(np.arange(n) % 3, "b", "a"))


@pytest.mark.parametrize("scale", [1.0, 1e4])
def test_modification_indices_are_lavaans(tmp_path: Path, scale: float) -> None:
    data = continuous()
    data["y1"] = scale * (data["x1"] + data["x4"] + np.random.default_rng(2).normal(size=300))
    data["y2"] = data["y1"] / scale + np.random.default_rng(3).normal(size=300)
    model = "f =~ x1 + x2 + x3 + x4 + x5\ng =~ y1 + y2"
    found = cfa(data, model).modification_indices()
    code = (
        # In units that lavaan's optimiser can fit; the change of unit is undone below.
        f"d$y1 <- d$y1 / {scale};"
        "f <- cfa('f =~ x1 + x2 + x3 + x4 + x5\\ng =~ y1 + y2', d, std.lv = TRUE);"
        "m <- modificationIndices(f); m <- m[m$op != '~1', ]; m <- m[order(-m$mi), ][1:6, ];"
        "c(m$mi, abs(m$epc), abs(m$sepc.all))"
    )
    wanted = by_lavaan(tmp_path, data, code).reshape(3, 6)
    top = found.query("op != '~1'").head(6)
    np.testing.assert_allclose(top["mi"], wanted[0], rtol=1e-3)
    unit = np.where((top["lhs"] == "y1") | (top["rhs"] == "y1"), scale, 1.0)
    np.testing.assert_allclose(top["epc"].abs() / unit, wanted[1], rtol=1e-3)
    np.testing.assert_allclose(top["sepc_all"].abs(), wanted[2], rtol=1e-3)
    # Turned around, an expected loading changes its sign, and a residual covariance does not.
    turned = cfa(data, model, positive={"f": "x2"}).modification_indices()
    key = ["lhs", "op", "rhs"]
    both = found.merge(turned, on=key)
    sign = np.where((both["lhs"] == "f") & (both["op"] == "=~"), -1, 1)
    # An index of next to nothing has an expected change whose sign is rounding.
    np.testing.assert_allclose(both["epc_y"], both["epc_x"] * sign, rtol=1e-3, atol=1e-5)


def test_modification_indices_by_group_and_without_lavaan() -> None:
    data = continuous()
    model = {"f": [f"x{j}" for j in range(1, 6)]}
    found = cfa(data, model, context="context").modification_indices()
    alone = cfa(data[data["context"] == "b"], model).modification_indices()
    mine = found[(found["context"] == "b") & (found["op"] == "~~")].reset_index(drop=True)
    np.testing.assert_allclose(mine["mi"], alone.query("op == '~~'")["mi"], rtol=1e-3)
    assert found["mi"].is_monotonic_decreasing
    with pytest.raises(EngineError, match="native engine has no modification indices"):
        cfa(data, model, engine="native").modification_indices()


def test_options_reach_lavaan(tmp_path: Path) -> None:
    data = continuous()
    model = "f =~ x1 + x2 + x3 + x4\ng =~ z1 + z2 + z3"
    found = cfa(data, model, lavaan_options={"orthogonal": True, "information": "observed"})
    code = (
        f"f <- cfa('{model}', d, std.lv = TRUE, orthogonal = TRUE, information = 'observed');"
        "c(fitMeasures(f, 'chisq'), parameterEstimates(f)$se[1:7])"
    ).replace("\n", "\\n")
    chisq, *errors = by_lavaan(tmp_path, data, code)
    assert found.glance()["chisq"].item() == pytest.approx(chisq, abs=1e-4)
    np.testing.assert_allclose(found.tidy()["std_error"][:7], errors, rtol=1e-3)
    assert found.provenance()["lavaan_options"] == {"orthogonal": True, "information": "observed"}


@pytest.mark.parametrize(
    ("options", "error", "match"),
    [
        ({"std.lv": False}, DataError, r"may not set 'std.lv': use 'f ~~ NA\*f'"),
        ({"std_lv": False}, DataError, "may not set 'std_lv'"),
        ({"estimator": "GLS"}, DataError, "use estimator= instead"),
        ({"group.equal": "loadings"}, DataError, r"use invariance\(\) instead"),
        ({"do.fit": False}, DataError, "may not set 'do.fit', because the results"),
        ({"orthogonal": None}, DataError, "an option must be text, a number or a truth value"),
        (["orthogonal"], DataError, "must be a dictionary"),
        ({"orthogonall": True}, RError, "has no option 'orthogonall'"),
    ],
)
def test_options_that_are_refused(options: object, error: type[Exception], match: str) -> None:
    with pytest.raises(error, match=match):
        cfa(continuous(), {"f": ["x1", "x2", "x3"]}, lavaan_options=options)


def test_the_native_engine_has_no_options() -> None:
    with pytest.raises(EngineError, match="cannot fit a model with lavaan_options="):
        cfa(
            continuous(), {"f": ["x1", "x2", "x3"]}, engine="native",
            lavaan_options={"orthogonal": True},
        )  # fmt: skip
