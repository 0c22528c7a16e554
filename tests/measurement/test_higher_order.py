"""Factors that measure factors, against lavaan asked directly and against their reduced form."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from lavaan_direct import by_lavaan
from numpy.typing import NDArray
from parity.factor_model import holzinger

from pyexpr.base.errors import DataError, EngineError, FactorModelError
from pyexpr.measurement.engines.protocol import Parameters
from pyexpr.measurement.factor.bootstrap import bootstrap_cfa
from pyexpr.measurement.factor.cfa import cfa
from pyexpr.measurement.factor.cfa_result import CFAResult
from pyexpr.measurement.factor.orientation import free_to_turn
from pyexpr.measurement.factor.scores import factor_scores, group_matrices
from pyexpr.measurement.invariance.invariance import invariance
from pyexpr.measurement.model_syntax import parse_model

# Both at tight tolerances; lavaan differentiates standardised values numerically.
NEAR = 2e-5
# lavaan, as a user calls it, stops when its objective does not change by 1e-10 of itself.
USUAL = 2e-4
# lavaan given our estimates: rounding alone.
SAME = 1e-8

FIRST = "visual =~ x1 + x2 + x3\ntextual =~ x4 + x5 + x6\nspeed =~ x7 + x8 + x9"
SECOND = f"{FIRST}\ng =~ visual + textual + speed"
MARKED = (
    "visual =~ 1*x1 + x2 + x3\ntextual =~ 1*x4 + x5 + x6\nspeed =~ 1*x7 + x8 + x9\n"
    "g =~ 1*visual + textual + speed"
)
# Disturbances and residuals that correlate, and a factor beside the higher one.
FOUR = (
    "top =~ a + b + c + d\na =~ a1 + a2 + a3\nb =~ b1 + b2 + b3\nc =~ c1 + c2 + c3\n"
    "d =~ d1 + d2 + d3\nside =~ s1 + s2 + s3\na ~~ b\na1 ~~ b1"
)
MIXED = f"{FIRST}\ng =~ visual + textual + speed + x10"
# lavaan's own Gauss-Newton from where its nlminb stops, which is 1e-4 standard errors away. Its
# tolerances are one option in lavaan 0.6 and another in 0.7.
TIGHT = (
    "c(list(start = f, optim.method = 'GN'), if ('gn.args' %in% names(lavOptions())) "
    "list(gn.args = list(tol_x = 1e-12, tol_g = 1e-12)) else list(optim.gn.tol.x = 1e-12))"
)
COLUMNS = ("estimate", "std_error", "std_all")
MEASURES = ("chisq", "df", "npar", "logl", "cfi", "tli", "rmsea", "srmr", "aic", "bic")


def four(n: int = 600, seed: int = 5) -> pd.DataFrame:
    """Four first-order factors under one, a factor beside them; two contexts."""
    rng = np.random.default_rng(seed)
    top = rng.normal(size=n)
    side = 0.4 * top + np.sqrt(1 - 0.16) * rng.normal(size=n)
    common = 0.4 * rng.normal(size=n)
    columns: dict[str, NDArray[np.float64]] = {}
    for k, (name, loading) in enumerate(zip("abcd", (0.8, 0.6, -0.7, 0.75), strict=True)):
        factor = loading * top + 0.5 * rng.normal(size=n) + (common if k < 2 else 0)
        for j in range(3):
            key = -1 if (k, j) == (1, 1) else 1
            columns[f"{name}{j + 1}"] = key * (0.9 - 0.1 * j) * factor + 0.6 * rng.normal(size=n)
    for j in range(3):
        columns[f"s{j + 1}"] = (0.8 - 0.1 * j) * side + 0.6 * rng.normal(size=n) + j
    shared = 0.3 * rng.normal(size=n)
    columns["a1"] = columns["a1"] + shared
    columns["b1"] = columns["b1"] + shared
    return pd.DataFrame(columns).assign(context=np.tile(["p", "q"], n // 2), truth=top)


def ten() -> pd.DataFrame:
    data = holzinger()
    noise = np.random.default_rng(1).normal(size=len(data))
    return data.assign(x10=data[["x1", "x5", "x9"]].sum(axis=1) * 0.4 + noise)


def r_text(model: str) -> str:
    return model.replace("\n", "; ")


def fitted(model: str, arguments: str) -> str:
    """Return R code that fits a model to d, as f."""
    call = f"list('{r_text(model)}', d, meanstructure = TRUE, {arguments})"
    return f"f <- do.call('cfa', {call}); f <- do.call('cfa', c({call}, {TIGHT}));"


def theirs(folder: Path, data: pd.DataFrame, model: str, arguments: str) -> dict[str, NDArray]:
    """Return what lavaan estimates, its fit measures, and lavPredict's scores with errors."""
    n_terms = "p <- parTable(f); p <- p[p$op %in% c('=~', '~~', '~1'), ]"
    code = (
        f"{fitted(model, arguments)} {n_terms};"
        "z <- standardizedSolution(f); k <- function(x) paste(x$lhs, x$op, x$rhs);"
        "p$std <- z$est.std[match(k(p), k(z))]; p <- p[order(k(p), method = 'radix'), ];"
        "b <- lavPredict(f, method = 'Bartlett', se = 'standard');"
        "r <- lavPredict(f, method = 'regression', se = 'standard');"
        "c(nrow(p), ncol(b), p$est, p$se, p$std, "
        f"fitMeasures(f, c({', '.join(map(repr, MEASURES))})),"
        "b, attr(b, 'se')[[1]], r, attr(r, 'se')[[1]])"
    )
    numbers = by_lavaan(folder, data, code)
    rows, m = int(numbers[0]), int(numbers[1])
    parts = np.split(
        numbers[2:],
        np.cumsum([3 * rows, len(MEASURES), len(data) * m, m, len(data) * m]),
    )
    return {
        "tidy": parts[0].reshape(3, rows).T,
        "glance": parts[1],
        "bartlett": np.vstack([parts[2].reshape(m, -1).T, parts[3]]),
        "regression": np.vstack([parts[4].reshape(m, -1).T, parts[5]]),
    }


def scores_of(fit: CFAResult, method: str, factors: list[str]) -> NDArray[np.float64]:
    """Return scores, and their errors in the last row."""
    table = fit.scores(method=method)
    values = table[[f"score_{name}" for name in factors]].to_numpy()
    return np.vstack([values, table[[f"se_{name}" for name in factors]].to_numpy()[0]])


@pytest.mark.parametrize(
    ("model", "arguments", "options"),
    [
        (SECOND, "std.lv = TRUE", {}),
        (MARKED, "estimator = 'MLR'", {"estimator": "MLR"}),
        (FOUR, "std.lv = TRUE", {}),
        (MIXED, "std.lv = TRUE", {}),
    ],
)
def test_estimates_errors_measures_and_scores_are_lavaans(
    model: str, arguments: str, options: dict[str, str], tmp_path: Path
) -> None:
    data = {FOUR: four(), MIXED: ten()}.get(model, holzinger()).select_dtypes("number")
    fit = cfa(data, model, engine="rpy2", **options)
    wanted = theirs(tmp_path, data, model, arguments)
    table = fit.tidy()
    table.index = pd.Index(table["lhs"] + " " + table["op"] + " " + table["rhs"])
    ours = table.sort_index()[list(COLUMNS)].to_numpy()
    # Which way factors point is lavaan's choice there and a rule here.
    np.testing.assert_allclose(np.abs(ours), np.abs(wanted["tidy"]), atol=NEAR)
    np.testing.assert_allclose(
        fit.glance()[list(MEASURES)].to_numpy(dtype=float)[0],
        wanted["glance"],
        rtol=NEAR,
        atol=NEAR,
    )
    # lavaan's order of factors is that of =~ in the text, ours too.
    factors = list(fit.model.factors)
    sign = np.sign((scores_of(fit, "regression", factors) * wanted["regression"])[:-1].sum(axis=0))
    turned = np.vstack([np.tile(sign, (len(data), 1)), np.ones(len(sign))])
    np.testing.assert_allclose(
        scores_of(fit, "regression", factors) * turned, wanted["regression"], atol=20 * NEAR
    )
    # Of a factor without indicators of its own lavaan 0.6 says 0 for everyone, which is no score;
    # lavaan 0.7 has one.
    scored = (wanted["bartlett"][:-1] != 0).any(axis=0)
    direct = [name not in ("g", "top") or model == MIXED for name in factors]
    assert (scored | ~np.array(direct)).all()
    np.testing.assert_allclose(
        (scores_of(fit, "bartlett", factors) * turned)[:, scored],
        wanted["bartlett"][:, scored],
        atol=20 * NEAR,
    )


def reduced_form(fit: CFAResult, given: list[str], columns: list[str]) -> str:
    """Return the model of the indicators given some factors, all numbers written out.

    What these factors do not explain of the indicators is in residual covariances, from lavaan's
    definition of the model's parameters, by the rules of expectation and not by ours.
    """
    table = fit.tidy()
    names, factors = list(fit.model.indicators), list(fit.model.factors)
    every = [*names, *factors]
    n = len(every)
    # RAM notation (McArdle & McDonald, 1984): one-headed and two-headed arrows.
    arrows, sources = np.zeros((n, n)), np.zeros((n, n))
    for lhs, op, rhs, value in table[["lhs", "op", "rhs", "estimate"]].itertuples(index=False):
        if op == "=~":
            arrows[every.index(rhs), every.index(lhs)] = value
        elif op == "~~":
            sources[every.index(lhs), every.index(rhs)] = value
            sources[every.index(rhs), every.index(lhs)] = value
    fixed = [every.index(name) for name in given]
    random = sources.copy()
    random[fixed] = random[:, fixed] = 0.0
    through = np.linalg.inv(np.eye(n) - arrows)
    effects = through[:, fixed]
    rest = through @ random @ through.T
    covariance = (through @ sources @ through.T)[np.ix_(fixed, fixed)]
    nu = table.query("op == '~1'").set_index("lhs")["estimate"]
    lines = [
        f"{name} =~ " + " + ".join(f"{effects[every.index(x), k]:.17g}*{x}" for x in columns)
        for k, name in enumerate(given)
    ]
    lines += [
        f"{left} ~~ {covariance[i, j]:.17g}*{right}"
        for i, left in enumerate(given)
        for j, right in enumerate(given[: i + 1])
    ]
    lines += [
        f"{left} ~~ {rest[every.index(left), every.index(right)]:.17g}*{right}"
        for i, left in enumerate(columns)
        for right in columns[: i + 1]
    ]
    lines += [f"{x} ~ {nu[x]:.17g}*1" for x in columns]
    return "\n".join(lines)


def bartlett_of_reduced(
    folder: Path, data: pd.DataFrame, fit: CFAResult, given: list[str], columns: list[str]
) -> NDArray[np.float64]:
    """Return lavPredict's Bartlett scores in the reduced form, errors in the last row."""
    code = (
        f"f <- lavaan('{r_text(reduced_form(fit, given, columns))}', d, meanstructure = TRUE,"
        "do.fit = FALSE); b <- lavPredict(f, method = 'Bartlett', se = 'standard');"
        "c(b, attr(b, 'se')[[1]])"
    )
    numbers = by_lavaan(folder, data[columns], code)
    k = len(given)
    return np.vstack([numbers[:-k].reshape(k, -1).T, numbers[-k:]])


@pytest.mark.parametrize(("model", "given"), [(SECOND, ["g"]), (FOUR, ["top", "side"])])
def test_bartlett_scores_of_a_higher_factor_are_those_of_the_reduced_form(
    model: str, given: list[str], tmp_path: Path
) -> None:
    data = four() if model == FOUR else holzinger()
    fit = cfa(data, model)
    wanted = bartlett_of_reduced(tmp_path, data, fit, given, list(fit.model.indicators))
    np.testing.assert_allclose(scores_of(fit, "bartlett", given[:1]), wanted[:, :1], atol=SAME)


def test_bartlett_scores_of_a_higher_factor_are_unbiased_given_it() -> None:
    data = four(n=20000)
    fit = cfa(data, FOUR)
    score = fit.scores()["score_top"].to_numpy()
    truth = data["truth"].to_numpy()
    slope, _ = np.polyfit(truth, score, 1)
    # The standard error of the slope is under .005, and so is that of the estimates' own scale.
    assert slope == pytest.approx(1.0, abs=0.03)
    table = fit.reliability().query("factor == 'top'").set_index("quantity")["estimate"]
    squared = np.corrcoef(score, truth)[0, 1] ** 2
    assert table["score_reliability"] == pytest.approx(squared, abs=0.01)
    regression = fit.scores(method="regression")["score_top"]
    assert table["determinacy"] == pytest.approx(np.corrcoef(regression, truth)[0, 1], abs=0.01)
    names = [name for name in fit.model.indicators if name[0] in "abcd"]
    sign = np.array([-1.0 if name in ("b2", "c1", "c2", "c3") else 1.0 for name in names])
    total = data[names].to_numpy() @ sign
    assert table["omega_h"] == pytest.approx(np.corrcoef(total, truth)[0, 1] ** 2, abs=0.01)


def test_omega_h_and_its_interval_are_lavaans_defined_parameter(tmp_path: Path) -> None:
    text = (
        "visual =~ a1*x1 + a2*x2 + a3*x3; textual =~ b1*x4 + b2*x5 + b3*x6;"
        "speed =~ c1*x7 + c2*x8 + c3*x9; g =~ h1*visual + h2*textual + h3*speed;"
        + "".join(f"x{j} ~~ e{j}*x{j};" for j in range(1, 10))
        + "sg := (a1+a2+a3)*h1 + (b1+b2+b3)*h2 + (c1+c2+c3)*h3;"
        "rest := (a1+a2+a3)^2 + (b1+b2+b3)^2 + (c1+c2+c3)^2 + "
        + "+".join(f"e{j}" for j in range(1, 10))
        + "; oh := sg^2/(sg^2+rest); va := h1^2 + 1;"
        "ov := va*(a1+a2+a3)^2/(va*(a1+a2+a3)^2+e1+e2+e3)"
    )
    code = (
        fitted(text, "std.lv = TRUE")
        + "p <- parameterEstimates(f); p <- p[match(c('oh', 'ov'), p$lhs), ]; c(p$est, p$se)"
    )
    values, errors = by_lavaan(tmp_path, holzinger(), code).reshape(2, 2)
    table = cfa(holzinger(), SECOND).reliability().set_index(["factor", "quantity"])
    own = table.loc[[("g", "omega_h"), ("visual", "omega")]]
    np.testing.assert_allclose(own["estimate"], values, atol=NEAR)
    half = 1.959963984540054 * errors / (values * (1 - values))
    logit = np.log(values / (1 - values))
    np.testing.assert_allclose(own["conf_low"], 1 / (1 + np.exp(half - logit)), atol=NEAR)
    np.testing.assert_allclose(own["conf_high"], 1 / (1 + np.exp(-half - logit)), atol=NEAR)
    assert (table["reason"] == "").all()
    # The others follow from lavPredict's standard errors: 1/(1 + se^2), 1 - se^2.
    fit = cfa(holzinger(), SECOND)
    se = {method: scores_of(fit, method, ["g"])[-1, 0] for method in ("bartlett", "regression")}
    assert table.loc[("g", "score_reliability"), "estimate"] == pytest.approx(
        1 / (1 + se["bartlett"] ** 2), abs=SAME
    )
    assert table.loc[("g", "determinacy"), "estimate"] == pytest.approx(
        np.sqrt(1 - se["regression"] ** 2), abs=SAME
    )


def test_a_sum_of_mixed_indicators_has_no_omega() -> None:
    table = cfa(ten(), MIXED).reliability().set_index(["factor", "quantity"])
    assert "both indicators and factors" in table.loc[("g", "omega_h"), "reason"]
    assert np.isnan(table.loc[("g", "omega_h"), "estimate"])
    assert table.loc[("g", "score_reliability"), "reason"] == ""


def test_factors_point_to_their_first_from_below_upwards() -> None:
    data = four()
    data[["a1", "a2", "a3"]] *= -1
    fit = cfa(data, FOUR)
    first = fit.loadings().groupby("factor", sort=False).first()["std_loading"]
    assert (first > 0).all()
    assert np.corrcoef(fit.scores()["score_top"], data["truth"])[0, 1] < -0.5
    other = cfa(data, FOUR, positive={"top": "d"})
    assert np.corrcoef(other.scores()["score_top"], data["truth"])[0, 1] > 0.5
    loading = other.loadings().set_index(["factor", "indicator"])["std_loading"]
    assert loading[("top", "d")] > 0 > loading[("top", "a")]
    assert "'top'" in " ".join(other.notes())
    below = cfa(data, FOUR, positive={"b": "b2", "top": "b"})
    loading = below.loadings().set_index(["factor", "indicator"])["std_loading"]
    assert loading[("top", "b")] > 0 > loading[("b", "b1")]
    # The same model the other way round: chi-square and errors stay.
    assert below.glance()["chisq"][0] == pytest.approx(fit.glance()["chisq"][0])
    ours = fit.turned_to(below.loadings()).tidy()
    np.testing.assert_allclose(ours["estimate"], below.tidy()["estimate"], atol=NEAR)


def test_groups_are_those_of_lavaan_and_point_one_way(tmp_path: Path) -> None:
    data = four()
    fit = cfa(data, FOUR, context="context")
    code = (
        fitted(FOUR, "group = 'context', std.lv = TRUE")
        + "p <- parameterEstimates(f); p <- p[p$op == '=~', ];"
        "p <- p[order(p$group, p$lhs, p$rhs, method = 'radix'), ]; c(p$est, p$se)"
    )
    estimates, errors = by_lavaan(tmp_path, data, code).reshape(2, -1)
    table = fit.tidy().query("op == '=~'").sort_values(["context", "lhs", "rhs"])
    np.testing.assert_allclose(np.abs(table["estimate"]), np.abs(estimates), atol=NEAR)
    np.testing.assert_allclose(table["std_error"], errors, atol=NEAR)
    for _, own in table.groupby("context"):
        signs = np.sign(own.set_index(["lhs", "rhs"])["estimate"])
        negative = set(signs[signs < 0].index)
        assert negative == {("b", "b2"), ("top", "c")}
    for _, rows in data.assign(score=fit.scores()["score_top"]).groupby("context"):
        assert np.corrcoef(rows["score"], rows["truth"])[0, 1] > 0.7


def test_new_rows_are_scored_with_the_fitted_parameters_and_other_engines_agree() -> None:
    data = holzinger()
    fit = cfa(data, SECOND)
    for method in ("bartlett", "regression"):
        whole = fit.scores(method=method)
        pd.testing.assert_frame_equal(fit.scores(data.iloc[7:9], method=method), whole.iloc[7:9])
    other = cfa(data, SECOND, engine="rscript")
    np.testing.assert_array_equal(fit.tidy()["estimate"], other.tidy()["estimate"])
    assert len(fit.plot().axes) > 0
    indices = fit.modification_indices().set_index(["lhs", "op", "rhs"])
    assert indices.loc[("visual", "=~", "x9"), "epc"] > 0


def test_fiml_scores_factors_from_what_was_observed(tmp_path: Path) -> None:
    data = holzinger()
    data.loc[:19, ["x4", "x5", "x6"]] = np.nan
    fit = cfa(data, SECOND, missing="fiml")
    rows = data.iloc[:20]
    scores = fit.scores()
    assert scores["score_textual"].isna().equals(data["x4"].isna())
    seen = [name for name in fit.model.indicators if name not in ("x4", "x5", "x6")]
    # lavaan checks the data that it is given a model of, and 20 rows would do.
    wanted = bartlett_of_reduced(tmp_path, data, fit, ["g"], seen)
    assert scores["score_g"].to_numpy()[:20] == pytest.approx(wanted[:20, 0], abs=SAME)
    assert scores["se_g"].to_numpy()[0] == pytest.approx(wanted[-1, 0], abs=SAME)
    assert (scores["reason"][:20] == "missing indicator").all()
    alone = fit.scores(rows.assign(x1=np.nan, x2=np.nan, x3=np.nan))
    assert alone["score_g"].notna().all()
    assert alone[["score_visual", "score_textual"]].isna().all(axis=None)


def test_three_levels_scored_as_simulated() -> None:
    """Eight indicators, four factors, two above, one at the top: unbiased, with their errors."""
    rng = np.random.default_rng(8)
    lhs, rhs, value = [], [], []
    for k in range(4):
        for j in range(2):
            lhs.append(f"f{k}"), rhs.append(f"x{2 * k + j}"), value.append(0.8 + 0.1 * j)
    for factor, low, loading in (
        ("h0", "f0", 0.9), ("h0", "f1", 0.8), ("h1", "f2", -0.7), ("h1", "f3", 1.1),
        ("t", "h0", 0.9), ("t", "h1", 0.8),
    ):  # fmt: skip
        lhs.append(factor), rhs.append(low), value.append(loading)
    factors = ("t", "h0", "h1", "f0", "f1", "f2", "f3")
    indicators = tuple(f"x{j}" for j in range(8))
    n = len(lhs)
    own = [*factors, *indicators]
    variance = [1.0, 0.5, 0.4, 0.3, 0.5, 0.4, 0.6, *[0.5] * 8]
    zeros = np.zeros(n + len(own))
    parameters = Parameters(
        (*lhs, *own), (*["=~"] * n, *["~~"] * len(own)), (*rhs, *own), zeros.astype(np.int64),
        zeros.astype(np.int64), np.array([*value, *variance]), zeros, zeros, zeros,
    )  # fmt: skip
    model = group_matrices(parameters, 0, factors, indicators)
    m = 200_000
    latent = {"t": rng.normal(size=m)}
    sd = dict(zip(own, np.sqrt(variance), strict=True))
    for low in (*factors[1:], *indicators):
        parts = [v * latent[a] for a, b, v in zip(lhs, rhs, value, strict=True) if b == low]
        latent[low] = sum(parts) + sd[low] * rng.normal(size=m)
    x = np.column_stack([latent[name] for name in indicators])
    for method in ("bartlett", "regression"):
        scores, errors = factor_scores(x, model, method)
        for k, name in enumerate(factors):
            error = scores[:, k] - latent[name]
            # Monte Carlo error of a standard deviation of 200,000 values: .0016 of itself.
            assert error.std() == pytest.approx(errors[0, k], rel=0.01)
            of = latent[name] if method == "bartlett" else scores[:, k]
            assert np.cov(error, of)[0, 1] == pytest.approx(0.0, abs=0.02)


def test_two_first_order_factors_are_a_model_with_equal_loadings(tmp_path: Path) -> None:
    two = "visual =~ x1 + x2 + x3\ntextual =~ x4 + x5 + x6\ng =~ {}visual + {}textual"
    labelled = cfa(holzinger(), two.format("odd_label*", "odd_label*"))
    code = (
        f"f <- cfa('{r_text(two.format('a*', 'a*'))}', d, std.lv = TRUE);"
        "p <- parameterEstimates(f); p <- p[p$lhs == 'g' & p$op == '=~', ]; c(p$est, p$se)"
    )
    wanted = by_lavaan(tmp_path, holzinger(), code).reshape(2, 2)
    ours = labelled.tidy().query("lhs == 'g' and op == '=~'")[["estimate", "std_error"]]
    np.testing.assert_allclose(ours.to_numpy().T, np.abs(wanted), atol=USUAL)
    assert (labelled.loadings()["std_loading"] > 0).all()
    fixed = cfa(holzinger(), FIRST + "\ng =~ visual + textual + speed", equal_loadings=True)
    assert fixed.loadings().groupby("factor")["loading"].std().to_numpy() == pytest.approx(
        0, abs=SAME
    )
    for text in (two.format("", ""), two.format("1*", ""), "f =~ x1 + x2 + x3\ng =~ f"):
        with pytest.raises(FactorModelError, match="needs at least three") as message:
            cfa(holzinger(), text)
        assert message.value.reason == "too_few_indicators"
    # Beside another factor two are enough, as in lavaan.
    beside = cfa(holzinger(), f"{FIRST}\ng =~ visual + textual\ng ~~ speed")
    assert beside.glance()["df"][0] == 24
    with pytest.raises(FactorModelError, match="two with equal loadings"):
        cfa(
            holzinger(), f"{FIRST}\ng =~ visual + textual\ng ~~ 0*speed",
            lavaan_options={"orthogonal": True},
        )  # fmt: skip


def test_what_is_no_model_is_refused_in_a_sentence() -> None:
    for text, message in (
        (f"{FIRST}\nvisual =~ textual\ntextual =~ visual", "in a circle"),
        (f"{FIRST}\ng =~ g + visual + textual", "both called 'g'"),
        ("f =~ f + x1 + x2", "both called 'f'"),
        (f"{FIRST}\ng =~ visual + textual + speed\nspeed =~ g", "'speed', 'g'"),
        (f"{FIRST}\ng =~ visual + sin(1)*textual + speed", "not understood"),
        (f"{FIRST}\ng =~ visual + c(a, b)*textual + speed", "each context"),
    ):
        with pytest.raises(DataError, match=message):
            parse_model(text)
    with pytest.raises(EngineError, match="higher-order factor"):
        cfa(holzinger(), SECOND, engine="native")
    with pytest.raises(DataError, match="'visual' is a factor of the model and a column"):
        cfa(holzinger().assign(visual=1.0), SECOND)
    with pytest.raises(DataError, match="does not support higher-order factors"):
        invariance(holzinger().assign(half=np.arange(301) % 2), SECOND, context="half")
    with pytest.raises(DataError, match="one factor with free loadings"):
        bootstrap_cfa(holzinger(), SECOND, cluster=np.arange(301) // 5)
    with pytest.raises(DataError, match="not an indicator of 'g'"):
        cfa(holzinger(), SECOND, positive={"g": "x1"})


def test_names_and_labels_of_the_user_never_reach_r() -> None:
    model = parse_model(
        "`face ; q()` =~ x1 + my.label*x2 + my.label*x3\ng =~ a_label*`face ; q()` + x4 + x5"
    )
    text = model.safe_syntax()
    assert text == "f1 =~ v1 + p1*v2 + p1*v3\nf2 =~ p2*f1 + v4 + v5"
    assert parse_model({"g": ["f", "x4"], "f": ["x1", "x2"]}).levels == {"g": 2, "f": 1}


def test_ordered_indicators_of_a_higher_factor(tmp_path: Path) -> None:
    model = "a =~ a1 + a2 + a3\nb =~ b1 + b2 + b3\nc =~ c1 + c2 + c3\ntop =~ a + b + c"
    data = four(n=150)[[f"{name}{j}" for name in "abc" for j in (1, 2, 3)]]
    table = data.apply(lambda x: np.digitize(x, x.quantile([0.4, 0.75]))).set_axis(
        data.columns, axis=1
    )
    fit = cfa(table, model, ordered=True)
    code = (
        f"f <- cfa('{r_text(model)}', d, std.lv = TRUE, ordered = TRUE);"
        "p <- parameterEstimates(f); p <- p[p$op == '=~', ]; s <- lavPredict(f, method = 'EBM');"
        "c(p$est, p$se, s)"
    )
    numbers = by_lavaan(tmp_path, table, code)
    own = fit.tidy().query("op == '=~'")
    np.testing.assert_allclose(np.abs(own["estimate"]), np.abs(numbers[:12]), atol=2e-4)
    np.testing.assert_allclose(own["std_error"], numbers[12:24], atol=2e-4)
    scores = fit.scores(method="regression")
    wanted = numbers[24:].reshape(4, -1).T
    ours = scores[[f"score_{name}" for name in fit.model.factors]].to_numpy()
    np.testing.assert_allclose(ours, wanted * np.sign((ours * wanted).sum(axis=0)), atol=2e-3)
    bartlett = fit.scores()
    assert bartlett["score_top"].isna().all()
    assert bartlett["score_a"].notna().all()
    assert bartlett["reason"].str.contains("use method='regression'").all()
    assert set(fit.reliability()["quantity"]) == {
        "score_reliability", "determinacy", "omega", "omega_h",
    }  # fmt: skip


def test_a_disturbance_of_zero_by_design_is_no_fault_and_a_negative_one_is() -> None:
    fixed = cfa(
        holzinger(),
        "visual =~ 1*x1 + x2 + x3\ntextual =~ 1*x4 + x5 + x6\nspeed =~ 1*x7 + x8 + x9\n"
        "g =~ visual + textual + speed\nvisual ~~ 0*visual",
    )
    assert fixed.admissible
    scores = fixed.scores()
    assert scores.drop(columns="reason").notna().all(axis=None)
    negative = cfa(four()[["a1", "a2", "a3", "b1", "b2", "b3", "c1", "c2", "c3"]].assign(
        a1=lambda t: t["a1"] + 2 * t["b1"] - 2 * t["c1"],
        a2=lambda t: t["a2"] + 2 * t["b1"] - 2 * t["c1"],
        a3=lambda t: t["a3"] + 2 * t["b1"] - 2 * t["c1"]),
        "a =~ 1*a1 + a2 + a3\nb =~ 1*b1 + b2 + b3\nc =~ 1*c1 + c2 + c3\ng =~ 1*a + b + c",
    )  # fmt: skip
    assert not negative.admissible
    assert "residual variance of 'a' (" in " ".join(negative.notes())
    assert (negative.scores()["reason"] == "inadmissible").all()


def test_which_factors_may_be_turned() -> None:
    nodes = [(0, name) for name in "abc"] + [(1, name) for name in "abc"]
    a, b, c = nodes[:3]
    assert free_to_turn(nodes[:3], []) == [[a], [b], [c]]
    assert free_to_turn(nodes[:3], [frozenset([a])]) == [[b], [c]]
    assert free_to_turn(nodes[:3], [frozenset([a, b]), frozenset([b, c])]) == [[a, b, c]]
    assert free_to_turn(nodes[:3], [frozenset([a, b, c])]) == [[a, c], [b, c]]
    assert free_to_turn(nodes[:3], [frozenset([a, b, c]), frozenset([b, c])]) == [[b, c]]


def test_a_label_over_groups_leaves_both_levels_free_to_turn() -> None:
    data = four()
    data.loc[data["context"] == "q", ["a1", "a2", "a3"]] *= 1.5
    fit = cfa(data, FOUR.replace("+ d\n", "+ same*d\n"), context="context")
    first = fit.loadings().groupby(["context", "factor"], sort=False).first()["std_loading"]
    assert (first > 0).all()
    fixed = fit.tidy().query("lhs == 'top' and rhs == 'd'")["estimate"]
    assert fixed.iloc[0] == pytest.approx(fixed.iloc[1])
