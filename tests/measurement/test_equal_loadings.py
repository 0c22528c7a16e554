"""Loadings held equal, from two indicators on, against lavaan with one label."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from lavaan_direct import by_lavaan
from parity.factor_model import holzinger

from pyexpr.base.errors import DataError, EngineError, FactorModelError
from pyexpr.measurement.factor.bootstrap import bootstrap_cfa
from pyexpr.measurement.factor.cfa import cfa

# lavaan, as a user calls it, stops when its objective does not change by 1e-10 of itself.
NEAR = 1e-5


@pytest.mark.parametrize("engine", ["native", "rpy2"])
@pytest.mark.parametrize("p", [2, 4])
def test_equal_loadings_are_lavaans(tmp_path: Path, engine: str, p: int) -> None:
    names = [f"x{j}" for j in (7, 8, 9, 4)[:p]]
    data = holzinger()
    fit = cfa(data, {"f": names}, equal_loadings=True, engine=engine)
    code = (
        f"f <- cfa('f =~ {' + '.join(f'a*{name}' for name in names)}', d, std.lv = TRUE,"
        "meanstructure = TRUE, likelihood = 'normal');"
        "p <- parameterEstimates(f); s <- standardizedSolution(f);"
        "c(fitMeasures(f, c('chisq', 'df', 'npar', 'logl', 'cfi', 'tli', 'rmsea', 'srmr')),"
        f"p$est[1:{2 * p}], p$se[1:{2 * p}], s$est.std[1:{p}], s$se[1:{p}],"
        "lavPredict(f, method = 'Bartlett')[1:20], lavPredict(f)[1:20])"
    )
    wanted = np.split(by_lavaan(tmp_path, data, code), np.cumsum([8, 2 * p, 2 * p, p, p, 20]))
    row = fit.glance().iloc[0]
    measures = row[["chisq", "df", "npar", "logl", "cfi", "tli", "rmsea", "srmr"]]
    np.testing.assert_allclose(measures.astype(float), wanted[0], atol=NEAR)
    table = fit.tidy()
    np.testing.assert_allclose(table["estimate"][: 2 * p], wanted[1], atol=NEAR)
    np.testing.assert_allclose(table["std_error"][: 2 * p], wanted[2], atol=NEAR)
    standard = fit.standardized()
    np.testing.assert_allclose(standard["estimate"][:p], wanted[3], atol=NEAR)
    np.testing.assert_allclose(standard["std_error"][:p], wanted[4], atol=10 * NEAR)
    np.testing.assert_allclose(fit.scores()["score"][:20], wanted[5], atol=10 * NEAR)
    regression = fit.scores(method="regression")["score"]
    np.testing.assert_allclose(regression[:20], wanted[6], atol=10 * NEAR)
    assert (fit.reliability()["reason"] == "").all()


def test_reliability_and_its_interval_are_those_of_lavaan(tmp_path: Path) -> None:
    data = holzinger()
    code = (
        "m <- 'f =~ a*x7 + a*x8; x7 ~~ s*x7; x8 ~~ t*x8; J := log(4 * a^2 / (s + t))';"
        "p <- parameterEstimates(cfa(m, d, std.lv = TRUE)); unlist(p[p$lhs == 'J', c('est', 'se')])"
    )
    log_ratio, error = by_lavaan(tmp_path, data, code)
    for engine in ("native", "rpy2"):
        fit = cfa(data, {"f": ["x7", "x8"]}, equal_loadings=True, engine=engine)
        row = fit.reliability().set_index("quantity").loc["omega"]
        ends = log_ratio + 1.959963984540054 * error * np.array([0, -1, 1])
        found = row[["estimate", "conf_low", "conf_high"]].astype(float)
        np.testing.assert_allclose(found, 1 / (1 + np.exp(-ends)), atol=NEAR)


def test_groups_have_loadings_of_their_own() -> None:
    data = holzinger()
    fits = [
        cfa(data, {"f": ["x7", "x8"]}, equal_loadings=True, engine=engine, context="school")
        for engine in ("native", "rpy2")
    ]
    for fit in fits:
        loadings = fit.loadings()["loading"].to_numpy().reshape(2, 2)
        assert np.ptp(loadings, axis=1).max() < 1e-6
        assert abs(loadings[0, 0] - loadings[1, 0]) > 1e-3
        assert fit.glance()["df"].item() == 0
    np.testing.assert_allclose(fits[0].tidy()["estimate"], fits[1].tidy()["estimate"], atol=NEAR)


def test_two_indicators_may_say_it_in_syntax() -> None:
    data = holzinger()
    equal = cfa(data, {"f": ["x7", "x8"]}, equal_loadings=True, engine="native").loadings()
    for model in ("f =~ a*x7 + a*x8", "f =~ 1*x7 + 1*x8"):
        loadings = cfa(data, model).loadings()
        np.testing.assert_allclose(loadings["std_loading"], equal["std_loading"], atol=NEAR)


def test_what_equal_loadings_cannot_be() -> None:
    data = holzinger()
    with pytest.raises(FactorModelError, match="or two with equal loadings") as caught:
        cfa(data, {"f": ["x7", "x8"]})
    assert caught.value.reason == "too_few_indicators"
    with pytest.raises(FactorModelError, match="needs at least three"):
        cfa(data, {"f": ["x7"]}, equal_loadings=True)
    for engine in ("native", "rpy2"):
        with pytest.raises(FactorModelError, match="keyed in the opposite direction") as caught:
            cfa(
                data.assign(x8=-data["x8"]), {"f": ["x7", "x8"]}, equal_loadings=True,
                engine=engine,
            )  # fmt: skip
        assert caught.value.reason == "nonpositive_covariance"
    with pytest.raises(DataError, match="specifies that of 'x7'"):
        cfa(data, "f =~ 1*x7 + x8", equal_loadings=True)
    with pytest.raises(EngineError, match="native"):
        cfa(data, "f =~ a*x7 + a*x8", engine="native")
    with pytest.raises(DataError, match="one factor with free loadings"):
        bootstrap_cfa(data, "f =~ a*x7 + a*x8", cluster="school")


def test_a_heywood_case_with_equal_loadings() -> None:
    """A residual variance is not bounded, as in lavaan."""
    rng = np.random.default_rng(1)
    f = rng.normal(size=60)
    data = pd.DataFrame({"a": 0.3 * f, "b": 2 * f + 0.1 * rng.normal(size=60)})
    for engine in ("native", "rpy2"):
        fit = cfa(data, {"f": ["a", "b"]}, equal_loadings=True, engine=engine)
        assert not fit.admissible
        s = np.cov(data.to_numpy().T, ddof=0)
        residuals = fit.loadings()["residual_variance"]
        np.testing.assert_allclose(residuals, np.diag(s) - s[0, 1], atol=NEAR)
