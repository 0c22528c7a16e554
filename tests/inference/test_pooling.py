"""Slopes pooled over contexts: lme4's numbers, clubSandwich's variance, identities, bad input."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import pyexpr as px
from pyexpr.base.errors import ColumnError, DataError, FewSubjectsWarning
from pyexpr.inference.coefficients.cluster_ols import cluster_ols
from pyexpr.inference.pooling.estimates import Mixture
from pyexpr.inference.pooling.spread import spread_of

LME4 = json.loads(
    (Path(__file__).parents[1] / "golden" / "pooling.json").read_text(encoding="utf-8")
)
CASES = [name for name in LME4 if name != "persons"]
EFFECTS = {"intercepts": "intercepts", "slopes": "slopes", "unbalanced_slopes": "slopes"}
# lme4's optimisers stop there: the criterion is flat at the optimum, so that its square root is
# the distance of the variances.
CRITERION = 1e-7
VARIANCE = 2e-4


def table(name: str) -> tuple[pd.DataFrame, pd.Series[float]]:
    rows = pd.DataFrame(LME4[name]["data"])
    return rows[["f", "g", "subject", "context"]], rows["y"]


def pooled(name: str, **options: Any) -> px.PooledCoefficientResult:
    X, y = table(name)
    effects = EFFECTS.get(name, "contexts")
    given = {"subject_effects": effects, **options}
    with pytest.warns(FewSubjectsWarning):
        return px.pooled_coefficients(X, y, context="context", cluster="subject", **given)


@pytest.mark.parametrize("name", CASES)
def test_equals_lme4(name: str) -> None:
    found, case = pooled(name), LME4[name]
    ours = found.variances().set_index(["group", "term"])["estimate"]
    assert found.mixed.criterion == pytest.approx(case["criterion"][0], abs=CRITERION)
    total = sum(case["variances"])
    for group, term, value in zip(case["groups"], case["terms"], case["variances"], strict=True):
        assert ours[group, term] == pytest.approx(value, abs=VARIANCE * total), (group, term)
    assert len(ours) == len(case["variances"])
    common = found.variation()["common_slope"]
    assert common.tolist() == pytest.approx(case["common"], abs=VARIANCE)
    slopes = found.tidy().set_index(["feature", "context"])["estimate"]
    for feature in "fg":
        assert slopes[feature][case["contexts"]].tolist() == pytest.approx(
            case[f"pooled_{feature}"], abs=VARIANCE
        )


def test_lme4s_cases_have_a_spread_of_0() -> None:
    found = pooled("unbalanced")
    row = found.variation().set_index("feature").loc["g"]
    assert row["estimate"] == 0
    assert row["reason"].code == "pooling_no_spread"
    tidy = found.tidy()
    own = tidy[tidy["feature"] == "g"]
    assert own["estimate"].to_numpy() == pytest.approx(row["common_slope"], abs=1e-12)
    assert own["shrinkage"].to_numpy() == pytest.approx(1.0, abs=1e-9)


def test_without_variances_of_subjects_the_slopes_are_least_squares() -> None:
    # The label has no differences between subjects, so that REML leaves their variances at 0.
    rng = np.random.default_rng(2)
    X = pd.DataFrame(rng.normal(size=(240, 2)), columns=["f", "g"])
    X["subject"], X["context"] = np.repeat(np.arange(24), 10), np.tile(list("abcde"), 48)
    e = rng.normal(size=240)
    e -= pd.Series(e).groupby(X["subject"]).transform("mean").to_numpy()
    y = X["f"] * X["context"].map(dict(zip("abcde", np.arange(5.0), strict=True))) + e
    found = px.pooled_coefficients(
        X, y, context="context", cluster="subject", subject_effects="intercepts"
    )
    assert found.mixed.subjects.tolist() == [0.0]
    ols = px.context_coefficients(
        X, y, context="context", cluster="subject", alpha=0.1, l1_ratio=0.5, n_boot=0
    ).tidy()
    ours = found.tidy()
    theirs = ours[["context", "feature"]].merge(ols, on=["context", "feature"])
    for own, other in (
        ("separate_estimate", "tested_estimate"), ("separate_std_error", "tested_std_error"),
        ("separate_df", "df"), ("separate_low", "conf_low"), ("n_effective", "n_effective"),
    ):  # fmt: skip
        assert ours[own].to_numpy() == pytest.approx(theirs[other].to_numpy(), rel=1e-7)


def test_shrinkage_of_a_balanced_design() -> None:
    # Orthogonal features of the same size in every context and subject: v / (v + tau^2).
    rng = np.random.default_rng(4)
    f = np.tile([-1.0, -1.0, 1.0, 1.0], 80)
    X = pd.DataFrame({"f": f, "subject": np.repeat(np.arange(20), 16)})
    X["context"] = np.tile(np.repeat(list("abcd"), 4), 20)
    slope = X["context"].map({"a": 0.2, "b": 0.5, "c": 0.1, "d": 0.8})
    y = slope * f + rng.normal(size=320)
    found = px.pooled_coefficients(
        X, y, context="context", cluster="subject", subject_effects="intercepts"
    )
    v = found.mixed.residual / 80
    expected = v / (v + found.mixed.between[0])
    tidy = found.tidy()
    assert tidy["shrinkage"].to_numpy() == pytest.approx(expected, rel=1e-6)
    gap = tidy["separate_estimate"] - tidy["separate_estimate"].mean()
    moved = tidy["estimate"] - tidy["separate_estimate"].mean()
    assert moved.to_numpy() == pytest.approx((1 - expected) * gap.to_numpy(), rel=1e-6)


def test_the_interval_of_tau_is_that_of_meta_analysis() -> None:
    # Many clusters, and contexts without common clusters: Viechtbauer's Q of known variances.
    rng = np.random.default_rng(5)
    n, effects = 400, np.array([0.3, 0.9, 0.1, 0.5, -0.2])
    sizes = np.array([1.0, 1.5, 0.7, 1.0, 2.0])
    context = np.tile(np.arange(5), n)
    y = effects[context] + sizes[context] * rng.normal(size=5 * n) * 6
    fit = cluster_ols(np.eye(5)[context], y, np.arange(5 * n))
    model = np.diag(fit.vcov().diagonal())
    found = spread_of(fit, np.arange(5), model)

    def q(tau: float) -> float:
        w = 1 / (model.diagonal() + tau**2)
        return float(w @ (fit.coef - w @ fit.coef / w.sum()) ** 2)

    assert found.p_value == pytest.approx(stats.chi2.sf(q(0.0), 4), abs=2e-2)
    low, high = found.quantile(np.array([0.025, 0.975]))
    for tau, probability in ((low, 0.025), (high, 0.975)):
        if tau > 0:
            assert stats.chi2.sf(q(float(tau)), 4) == pytest.approx(probability, abs=1e-2)


def test_the_degrees_of_freedom_of_one_variance_are_satterthwaites() -> None:
    rng = np.random.default_rng(6)
    X = np.column_stack([np.ones(60), rng.normal(size=60)])
    fit = cluster_ols(X, rng.normal(size=60), np.repeat(np.arange(12), 5))
    contrast = np.array([[0.3, 1.0]])
    assert fit.df_of_sum(contrast) == pytest.approx(fit.contrasts(contrast).df[0], rel=1e-10)
    # Of orthogonal parts of a space it does not matter which: the trace is the same.
    turn = np.linalg.qr(rng.normal(size=(2, 2)))[0]
    assert fit.df_of_sum(np.eye(2)) == pytest.approx(fit.df_of_sum(turn), rel=1e-10)


def test_quantiles_of_a_mixture() -> None:
    mixture = Mixture(
        np.array([0.3, 0.7]), np.array([[0.0, 2.0]]), np.array([[1.0, 0.5]]), np.array([[4.0, 9.0]])
    )
    for probability in (0.025, 0.5, 0.975):
        at = mixture.quantile(probability)
        own = 0.3 * stats.t.cdf(at[0], 4) + 0.7 * stats.t.cdf((at[0] - 2) / 0.5, 9)
        assert own == pytest.approx(probability, abs=1e-9)
    draws = np.random.default_rng(1).random(400_000) < 0.3
    rng = np.random.default_rng(2)
    values = np.where(draws, rng.standard_t(4, 400_000), 2 + 0.5 * rng.standard_t(9, 400_000))
    assert mixture.std_error()[0] > 0
    assert mixture.quantile(0.9)[0] == pytest.approx(np.quantile(values, 0.9), abs=0.02)


def planted(seed: int = 13) -> tuple[pd.DataFrame, pd.Series[float], dict[str, float]]:
    rng = np.random.default_rng(seed)
    slopes = {"a": 1.2, "b": 0.2, "c": 0.5, "d": 0.3}
    X = pd.DataFrame(rng.normal(size=(960, 2)), columns=["f", "g"])
    X["subject"], X["context"] = np.repeat(np.arange(40), 24), np.tile(list("abcd"), 240)
    own = rng.normal(0, 0.2, size=40)[X["subject"]]
    y = (X["context"].map(slopes) + own) * X["f"] + 0.3 * X["g"] + rng.normal(size=960)
    return X, y, slopes


def test_planted_slopes_are_found() -> None:
    X, y, slopes = planted()
    found = px.pooled_coefficients(X, y, context="context", cluster="subject")
    variation = found.variation().set_index("feature")
    assert variation.loc["f", "p_value"] < 0.001 < 0.05 < variation.loc["g", "p_value"]
    assert variation.loc["f", "conf_low"] > 0 == variation.loc["g", "conf_low"]
    tidy = found.tidy().set_index(["feature", "context"])
    scale = dict(zip(found.data.features, found.data.scale, strict=True))
    for context, slope in slopes.items():
        row = tidy.loc[("f", context)]
        assert row["conf_low"] < slope * scale["f"] < row["conf_high"]
    contrasts = found.contrasts().set_index(["feature", "context"])
    assert contrasts.loc[("f", "a - b"), "conf_low"] > 0
    assert contrasts.loc[("f", "a - b"), "p_value"] < 0.001
    assert (contrasts.loc["g", "p_value"] > 0.05).all()
    # A slope that hardly differs is estimated more precisely with the other contexts.
    narrower = tidy["conf_high"] - tidy["conf_low"] < tidy["separate_high"] - tidy["separate_low"]
    assert narrower.loc["g"].all()
    assert found.interval(confidence=0.5).tidy()["conf_low"].gt(found.tidy()["conf_low"]).all()


def test_nothing_depends_on_order_or_on_units() -> None:
    X, y, _ = planted()
    found = px.pooled_coefficients(X, y, context="context", cluster="subject").tidy()
    order = np.random.default_rng(1).permutation(len(X))
    again = px.pooled_coefficients(
        X.iloc[order].reset_index(drop=True), y.iloc[order].reset_index(drop=True),
        context="context", cluster="subject",
    ).tidy()  # fmt: skip
    other = px.pooled_coefficients(
        X.assign(f=1000 - 50 * X["f"]), 3 * y + 7, context="context", cluster="subject"
    ).tidy()
    for name in ("estimate", "conf_low", "conf_high", "separate_std_error"):
        assert again[name].to_numpy() == pytest.approx(found[name].to_numpy(), abs=1e-7)
    own = found[found["feature"] == "f"]
    turned = other[other["feature"] == "f"]
    assert turned["estimate"].to_numpy() == pytest.approx(-3 * own["estimate"].to_numpy(), rel=1e-6)
    assert turned["conf_low"].to_numpy() == pytest.approx(
        -3 * own["conf_high"].to_numpy(), rel=1e-6
    )


def test_a_constant_feature_of_one_context_has_no_slope_there() -> None:
    X, y, _ = planted()
    X.loc[X["context"] == "d", "g"] = 5.0
    found = px.pooled_coefficients(X, y, context="context", cluster="subject")
    row = found.tidy().set_index(["feature", "context"]).loc[("g", "d")]
    assert np.isnan(row["estimate"])
    assert row["reason"].code == "constant_feature"
    contrasts = found.contrasts().set_index(["feature", "context"])
    assert contrasts.loc[("g", "c - d"), "reason"].code == "constant_feature"
    assert contrasts.loc[("g", "a - b"), "reason"] == ""
    assert found.plot().axes


def test_a_slope_of_one_subject_has_no_interval() -> None:
    X, y, _ = planted()
    X.loc[(X["context"] == "d") & (X["subject"] != 3), "g"] *= 1e-3
    X.loc[(X["context"] == "d") & (X["subject"] == 3), "g"] *= 50
    found = px.pooled_coefficients(X, y, context="context", cluster="subject")
    row = found.tidy().set_index(["feature", "context"]).loc[("g", "d")]
    assert np.isnan(row["separate_std_error"])
    assert row["reason"].code == "leverage_of_one_subject"
    assert np.isfinite(row["separate_estimate"])


def test_rows_with_missing_values_are_counted() -> None:
    X, y, _ = planted()
    X.loc[3, "f"], y[5] = np.nan, np.nan
    found = px.pooled_coefficients(X, y, context="context", cluster="subject")
    assert found.data.n_dropped == 2
    assert any(note.code == "rows_without_feature" for note in found.notes())  # type: ignore[attr-defined]
    assert "2 rows were left out" in str(found)


def test_what_cannot_be_pooled_is_refused() -> None:
    X, y, _ = planted()

    def refused(message: str, X: Any = X, y: Any = y, **options: Any) -> None:
        given = {"context": "context", "cluster": "subject", **options}
        with pytest.raises((DataError, ColumnError), match=message):
            px.pooled_coefficients(X, y, **given)

    few = X["context"].isin(["a", "b"])
    refused("at least 3 contexts.*there are only 2", X[few], y[few])
    refused("varies in 2 of 4 contexts", X.assign(g=X["g"].where(few, 1.0)))
    refused("the label is constant", y=np.ones(len(X)))
    refused("explain completely", y=X["f"] * 2)
    refused("collinear", X.assign(h=X["f"] + X["g"]))
    refused("subject_effects=.* must be one of", subject_effects="all")
    refused("n_boot.*require no draws", n_boot=10)
    refused("adjust.*variation", adjust="holm")
    refused("one column of subjects", cluster=("subject", "context"), context=X["context"].tolist())
    refused("no column", cluster="person")


def test_figure_has_an_arrow_for_each_slope() -> None:
    X, y, _ = planted()
    found = px.pooled_coefficients(X, y, context="context", cluster="subject")
    figure = found.plot(names={"f": "Smile"})
    assert [axes.get_title() for axes in figure.axes] == ["Smile", "g"]
    assert [len(axes.texts) for axes in figure.axes] == [4, 4]
    row = found.tidy().iloc[0]
    drawn = [tuple(line.get_xdata()) for line in figure.axes[0].lines]
    assert any(float(xs[0]) == row["estimate"] for xs in drawn if len(xs) == 1)
