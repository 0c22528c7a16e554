"""How well factors are measured: by definition, by psych, and by lavaan's delta method."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from lavaan_direct import by_lavaan
from parity.factor_model import ONE, holzinger

from pyexpr.measurement.factor.cfa import cfa
from pyexpr.measurement.factor.reliability import shares

# lavaan as called here stops when its objective changes by less than 1e-10 of itself.
SHARE = 2e-6


def test_reliability_by_its_definitions() -> None:
    fit = cfa(holzinger(), ONE, engine="native")
    table = fit.reliability().set_index("quantity")
    scores = fit.scores()
    information = 1 / scores["se"].iloc[0] ** 2
    assert table.loc["score_reliability", "estimate"] == pytest.approx(
        information / (1 + information)
    )
    # The model's own squared correlation of Bartlett scores with the factor.
    variance = np.var(scores["score"])
    assert table.loc["score_reliability", "estimate"] == pytest.approx(1 / variance, rel=1e-9)
    assert table.loc["determinacy", "estimate"] ** 2 == pytest.approx(
        table.loc["score_reliability", "estimate"]
    )
    # semTools::compRelSEM and psych::omega use the same omega for one factor.
    loading, residual = fit.loadings()["loading"], fit.loadings()["residual_variance"]
    omega = loading.sum() ** 2 / (loading.sum() ** 2 + residual.sum())
    assert table.loc["omega", "estimate"] == pytest.approx(omega)
    assert (
        (table["conf_low"] < table["estimate"]) & (table["estimate"] < table["conf_high"])
    ).all()


def test_omega_interval_is_the_delta_method_of_lavaan(tmp_path: Path) -> None:
    data = holzinger()
    native = cfa(data, ONE, engine="native").reliability().set_index("quantity").loc["omega"]
    code = (
        "m <- 'f =~ l1*x1 + l2*x2 + l3*x3; x1 ~~ t1*x1; x2 ~~ t2*x2; x3 ~~ t3*x3;"
        "J := log((l1 + l2 + l3)^2 / (t1 + t2 + t3))';"
        "p <- parameterEstimates(cfa(m, d, std.lv = TRUE)); unlist(p[p$lhs == 'J', c('est', 'se')])"
    )
    expected(native, *by_lavaan(tmp_path, data, code))


def expected(row: pd.Series, log_ratio: float, error: float, power: float = 1.0) -> None:
    """The share and its limits from lavaan's logarithm of the ratio and its standard error."""
    for column, side in (("estimate", 0.0), ("conf_low", -1.0), ("conf_high", 1.0)):
        ratio = math.exp(log_ratio + side * 1.959963984540054 * error)
        share = (ratio / (1 + ratio)) ** power
        assert row[column] == pytest.approx(share, abs=SHARE), (row.name, column)


def test_reliability_does_not_hang_on_the_unit_of_the_factor() -> None:
    """A marker loading and a free variance say the same as a variance of 1."""
    rng = np.random.default_rng(1)
    f = rng.normal(size=500)
    data = pd.DataFrame({f"x{j}": 10 * (f + rng.normal(size=500)) for j in range(1, 4)})
    marked = cfa(data, "f =~ 1*x1 + x2 + x3\nf ~~ NA*f").reliability()
    unit = cfa(data, "f =~ x1 + x2 + x3").reliability()
    for column in ("estimate", "conf_low", "conf_high"):
        np.testing.assert_allclose(marked[column], unit[column], atol=1e-5)


def two_factors(n: int = 300) -> pd.DataFrame:
    rng = np.random.default_rng(4)
    f = rng.normal(size=n)
    g = 0.8 * f + 0.6 * rng.normal(size=n)
    columns = {f"x{j}": f * (0.5 + 0.2 * j) + rng.normal(size=n) for j in range(1, 4)}
    columns |= {f"x{j}": g * (0.1 * j) + rng.normal(size=n) for j in range(4, 7)}
    return pd.DataFrame(columns)


TWO = "f =~ x1 + x2 + x3\ng =~ x4 + x5 + x6"
# r the correlation of the factors, a and b the information of their own indicators; the
# error of the regression scores of f is ((1/(1-r2) + b) / ((1/(1-r2) + a)(1/(1-r2) + b)
# - (r/(1-r2))^2)), the factors' variances 1.
TWO_IN_LAVAAN = """m <- 'f =~ l1*x1 + l2*x2 + l3*x3
g =~ l4*x4 + l5*x5 + l6*x6
f ~~ r*g
x1 ~~ t1*x1; x2 ~~ t2*x2; x3 ~~ t3*x3; x4 ~~ t4*x4; x5 ~~ t5*x5; x6 ~~ t6*x6
a := l1^2/t1 + l2^2/t2 + l3^2/t3
b := l4^2/t4 + l5^2/t5 + l6^2/t6
q := 1/(1 - r^2)
d := (q + a)*(q + b) - (r*q)^2
fb := log(a)
gb := log(b)
fd := log(d/(q + b) - 1)
gd := log(d/(q + a) - 1)
fo := log((l1 + l2 + l3)^2/(t1 + t2 + t3))
go := log((l4 + l5 + l6)^2/(t4 + t5 + t6))'
p <- parameterEstimates(cfa(m, d, std.lv = TRUE))
unlist(p[match(c('fb', 'fd', 'fo', 'gb', 'gd', 'go'), p$lhs), c('est', 'se')])"""


@pytest.mark.parametrize("model", [TWO, TWO.replace("=~ x1", "=~ 2*x1") + "\nf ~~ NA*f"])
def test_two_correlated_factors_have_lavaans_delta_method(tmp_path: Path, model: str) -> None:
    data = two_factors()
    logs, errors = by_lavaan(tmp_path, data, TWO_IN_LAVAAN).reshape(2, 6)
    table = cfa(data, model).reliability()
    assert table["factor"].tolist() == ["f"] * 3 + ["g"] * 3
    assert table["quantity"].tolist() == ["score_reliability", "determinacy", "omega"] * 2
    assert (table["reason"] == "").all()
    for (_, row), log_ratio, error in zip(table.iterrows(), logs, errors, strict=True):
        expected(row, log_ratio, error, 0.5 if row["quantity"] == "determinacy" else 1.0)
    # The weaker factor borrows from the stronger one.
    found = table.set_index(["factor", "quantity"])["estimate"]
    assert found["g", "determinacy"] > math.sqrt(found["g", "score_reliability"]) + 0.05


CROSSED = "f =~ x1 + x2 + x3 + x4\ng =~ x4 + x5 + x6\nx1 ~~ x2"


def test_shared_indicators_and_residuals(tmp_path: Path) -> None:
    """Determinacy is each factor's multiple R; Bartlett scores of the model's covariance the rest.

    psych's smc() takes it from lavaan's covariance of factors and indicators: its factor.stats()
    gave the same until psych 2.6, which means something else.
    """
    data = two_factors()
    fit = cfa(data, CROSSED)
    code = (
        "library(psych);"
        f"f <- cfa('{CROSSED}', d, std.lv = TRUE); J <- lavInspect(f, 'cov.all');"
        "r2 <- sapply(lavNames(f, 'lv'), function(one) {"
        "  all <- c(names(d), one); smc(cov2cor(unclass(J)[all, all]))[[one]]"
        "});"
        "s <- lavPredict(f, method = 'Bartlett');"
        "W <- solve(cov(d), cov(d, s)); V <- t(W) %*% fitted(f)$cov[names(d), names(d)] %*% W;"
        "c(sqrt(r2), 1 / diag(V))"
    )
    determinacy, reliability = by_lavaan(tmp_path, data, code).reshape(2, 2)
    table = fit.reliability().set_index(["quantity", "factor"])
    np.testing.assert_allclose(table.loc["determinacy", "estimate"], determinacy, atol=SHARE)
    np.testing.assert_allclose(table.loc["score_reliability", "estimate"], reliability, atol=SHARE)
    assert (table.loc["omega", "reason"].str.startswith("an indicator also measures another")).all()
    assert table.loc["omega", "estimate"].isna().all()


def test_factors_that_their_indicators_do_not_distinguish() -> None:
    data = two_factors()
    model = "f =~ 1*x1 + 1*x2 + 1*x3\ng =~ 1*x1 + 1*x2 + 1*x3\nf ~~ 0*g\ng ~~ 1*g\nf ~~ 1*f"
    table = cfa(data, model).reliability().set_index("quantity")
    assert (
        table.loc["score_reliability", "reason"] == "the indicators do not distinguish the factors"
    ).all()
    assert table.loc["score_reliability", "estimate"].isna().all()
    # Regression scores of both are there, and the same: each takes half of the sum.
    assert table.loc["determinacy", "estimate"].between(0.5, math.sqrt(0.5)).all()
    assert np.ptp(table.loc["determinacy", "estimate"]) < 1e-12


def test_limits_beyond_the_largest_number_are_limits_of_a_share() -> None:
    """As where so few rows have two indicators that errors on the scale of logarithms are huge."""
    fit = cfa(holzinger(), ONE, engine="native")
    for share in shares(fit.output, fit.model, 0, 1e6):
        assert (share.conf_low, share.conf_high) == (0.0, 1.0)
        assert 0.5 < share.estimate < 1
