"""Plans against closed forms, published formulas, and the analyses that they stand for."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import pyexpr as px
from pyexpr.base.errors import ColumnError, DataError
from pyexpr.base.messages import has_code
from pyexpr.inference.coefficients.coefficients import context_coefficients
from pyexpr.inference.coefficients.data import read_data
from pyexpr.inference.comparison.comparison import compare_models
from pyexpr.measurement.icc.forms import find_form
from pyexpr.planning import notes
from pyexpr.planning.difference import (
    NormalRows,
    PilotRows,
    correlation_matrix,
    jackknife_tests,
    sums_of,
    tuned,
)
from pyexpr.planning.power import (
    assured,
    band,
    df_of_error,
    df_of_variance,
    effect_ratios,
    error_ratios,
    needed,
    noncentralities,
    t_power,
    wilson,
)
from pyexpr.planning.ratings_plan import averaged
from pyexpr.planning.reliability import components_of_pilot, limits_of_tables
from pyexpr.planning.slope import PilotSlopes
from pyexpr.planning.slope import tested as slope_test

# Standard errors of a simulated proportion that chance does not exceed in these fixed seeds.
FAR = 3.5
# Of numbers that are computed in another order.
EXACT = 1e-9
# Of a normal approximation of the power at 80 subjects, beside the error of the simulation.
NORMAL = 0.02
DIFFERENCE = {
    "difference": 0.1, "metric": "correlation", "truth": "y", "predictions": ["new", "old"],
    "cluster": "subject", "n_subjects": 20,
}  # fmt: skip
PUBLISHED = {"correlation": 0.4, "between_models": 0.5, "icc": 0.3}


def pilot(subjects: int = 12, *, seed: int = 1, skewed: bool = True) -> pd.DataFrame:
    """Return a pilot with unequal clips, skewed scores, and two contexts."""
    rng = np.random.default_rng(seed)
    who = np.repeat(np.arange(subjects), rng.integers(4, 11, subjects))
    n = len(who)

    def noise(size: int) -> np.ndarray:
        return rng.gamma(1.0, 1.0, size) - 1 if skewed else rng.normal(size=size)

    y = noise(subjects)[who] + noise(n)
    return pd.DataFrame({
        "subject": who, "task": np.where(np.arange(n) % 2, "joy", "pain"), "y": y,
        "new": y + 1.2 * noise(n), "old": y + 1.6 * noise(n), "x": noise(n),
        "z": rng.normal(size=n),
    })  # fmt: skip


def near(power: float, expected: float, n: int) -> bool:
    """Say whether a simulated power is within chance of another."""
    return abs(power - expected) < FAR * math.sqrt(expected * (1 - expected) / n)


@pytest.mark.parametrize("metric", ["correlation", "rmse"])
def test_a_simulated_study_has_the_p_value_of_compare_models(metric: str) -> None:
    table = pilot(9)
    rows = table[["y", "new", "old"]].to_numpy()
    sums = np.zeros((1, 9, 9))
    np.add.at(sums[0], table["subject"].to_numpy(), sums_of(*rows.T))
    found = jackknife_tests(sums, metric, 0.95)
    with pytest.warns(px.errors.FewSubjectsWarning):
        compared = compare_models(
            table, truth="y", predictions=["new", "old"], cluster="subject", metrics=[metric],
            n_boot=0,
        ).tidy()  # fmt: skip
    row = compared[compared["term"] == "new - old"].iloc[0]
    for own, column in ((found.estimate, "estimate"), (found.p_value, "p_value"), (found.df, "df")):
        assert own[0] == pytest.approx(row[column], rel=EXACT)


@pytest.mark.parametrize("context", ["joy", "all"])
def test_a_simulated_study_has_the_p_value_of_context_coefficients(context: str) -> None:
    table = pilot(14)
    data = read_data(
        table[["subject", "task", "x", "z"]], table["y"], context="task", cluster="subject",
        y_pooled=None, rows=None,
    )  # fmt: skip
    own = PilotSlopes.of(data, context, 0, 0.3, 0.95)
    with pytest.warns(px.errors.FewSubjectsWarning):
        found = context_coefficients(
            table[["subject", "task", "x", "z"]], table["y"], context="task", cluster="subject",
            alpha=0.1, l1_ratio=0.5, n_boot=0,
        ).tidy()  # fmt: skip
    row = found[(found["context"] == context) & (found["feature"] == "x")].iloc[0]
    assert slope_test(own.data, context, 0)[1] == pytest.approx(row["p_value"], rel=EXACT)
    assert own.observed() == pytest.approx(row["tested_estimate"], rel=EXACT)


@pytest.mark.parametrize("context", ["joy", "all", "all rows"])
def test_slopes_of_many_studies_are_those_of_each(context: str) -> None:
    """Few subjects with the feature: some studies have no test, or are fitted from their rows."""
    table = pilot(14).assign(x=lambda t: 1000 * t["x"] * (t["subject"] < 6) + 1e4)
    alone = context == "all rows"
    data = read_data(
        table[["subject", "x", "z", *([] if alone else ["task"])]], table["y"],
        context=np.full(len(table), context) if alone else "task", cluster="subject",
        y_pooled=None, rows=None,
    )  # fmt: skip
    own = PilotSlopes.of(data, context, 0, 0.3, 0.95)
    for clips in (None, 2):
        sampler = own.sampler(clips, np.random.default_rng(0))
        found = sampler.tests(7, 40, np.random.default_rng(3))
        rng = np.random.default_rng(3)
        drawn = [
            [sampler._rows_of(g, rng) for g in who.tolist()]
            for who in rng.integers(14, size=(40, 7))
        ]
        expected = np.array([sampler._tested(chosen) for chosen in drawn]).T
        assert np.isnan(expected).any()
        np.testing.assert_allclose(found, expected, rtol=EXACT)


def test_the_second_model_is_given_the_difference() -> None:
    rows = pilot()[["y", "new", "old"]].to_numpy()
    for difference in (0.2, -0.1):
        of_y = np.corrcoef(tuned(rows, np.ones(len(rows)), "correlation", difference, "ab").T)[0]
        assert of_y[1] - of_y[2] == pytest.approx(difference, abs=EXACT)
        y, a, b = tuned(rows, np.ones(len(rows)), "rmse", difference, "ab").T
        rmse = [math.sqrt(np.mean((one - y) ** 2)) for one in (a, b)]
        assert rmse[0] - rmse[1] == pytest.approx(difference, abs=EXACT)


def test_without_a_difference_the_power_is_the_level() -> None:
    rng = np.random.default_rng(1)
    table = pilot(14)
    rows, who = table[["y", "new", "old"]].to_numpy(), table["subject"].to_numpy()
    sources = [
        (NormalRows(correlation_matrix(0.4, 0.4, 0.5), 0.3, "correlation", 0.0, 0.95), 5),
        (NormalRows(np.diag([0.0, 1.0, 1.0]), 0.3, "rmse", 0.0, 0.95), 5),
        (PilotRows(rows, who, "correlation", 0.0, ("new", "old"), 0.95), 3),
    ]
    for source, clips in sources:
        p = source.sampler(clips, rng).tests(40, 1500, rng)[1]
        assert near(float(np.mean(p < 0.05)), 0.05, 1500)


@pytest.mark.parametrize("metric", ["correlation", "rmse"])
def test_power_of_independent_rows_is_that_of_the_t_test(metric: str) -> None:
    """Asymptotic variances: Olkin and Siotani's of correlations, and those of RMSE."""
    power = pytest.importorskip("statsmodels.stats.power").TTestPower()
    m, n = 5, 80
    if metric == "correlation":
        a, b, both = 0.5, 0.35, 0.5
        together = (both - a * b / 2) * (1 - a**2 - b**2 - both**2) + both**3
        variance = ((1 - a**2) ** 2 + (1 - b**2) ** 2 - 2 * together) / m
        numbers = {"correlation": b, "between_models": both, "icc": 0.0}
    else:
        a, b, both = 1.12, 1.0, 0.5
        variance = (a**2 + b**2 - 2 * both**2 * a * b) / (2 * m)
        numbers = {"rmse": b, "between_errors": both, "icc": 0.0}
    expected = power.power((a - b) / math.sqrt(variance), n, 0.05)
    found = px.plan_study(
        difference=a - b, metric=metric, n_subjects=n, n_clips=m, published=numbers,
        n_studies=2000, seed=3,
    ).tidy()  # fmt: skip
    error = math.sqrt(expected * (1 - expected) / 2000)
    assert abs(found["power"][0] - expected) < FAR * error + NORMAL


def test_power_of_a_slope_between_subjects_is_that_of_their_means() -> None:
    """A feature of subjects: least squares of means, averaged over the values of the feature."""
    n, m, slope, icc = 60, 2, 0.3, 0.4
    rng = np.random.default_rng(2)
    x = rng.normal(size=(4000, n))
    noncentral = slope * np.sqrt(n * x.var(axis=1)) / math.sqrt(icc + (1 - icc) / m)
    expected = float(np.mean([t_power(one, n - 2.0, 0.05) for one in noncentral]))
    found = px.plan_study(
        slope=slope, n_subjects=n, n_clips=m, n_studies=300, seed=1,
        published={"residual_sd": 1.0, "icc_feature": 1.0, "icc_residual": icc},
    ).tidy()  # fmt: skip
    error = math.sqrt(expected * (1 - expected) / 300)
    # CR2 does not assume equal variances, and has fewer degrees of freedom.
    assert -FAR * error - 0.06 < found["power"][0] - expected < FAR * error


def test_power_of_a_reliability_is_that_of_the_f_test() -> None:
    """The limit is above rho0 where F exceeds its quantile times (1 + k t0) / (1 + k t)."""
    n, k, rho, rho0 = 30, 4, 0.6, 0.4
    ratio = (1 + k * rho0 / (1 - rho0)) / (1 + k * rho / (1 - rho))
    critical = stats.f.isf(0.025, n - 1, n * (k - 1))
    expected = float(stats.f.sf(critical * ratio, n - 1, n * (k - 1)))
    found = px.plan_study(
        reliability=rho0, form="ICC(1,1)", n_subjects=n, n_raters=k, n_studies=1500, seed=2,
        published={"subject": rho, "residual": 1 - rho},
    ).tidy()  # fmt: skip
    assert found["assumed"][0] == pytest.approx(rho)
    assert near(found["power"][0], expected, 1500)


def test_numbers_of_subjects_for_a_reliability_are_those_of_published_formulas() -> None:
    k, rho, rho0, width = 4, 0.6, 0.4, 0.3
    # Walter, Eliasziw and Donner (1998), formula 8: an approximation.
    theta, theta0 = rho / (1 - rho), rho0 / (1 - rho0)
    log = math.log((1 + k * theta0) / (1 + k * theta))
    walter = 1 + 2 * (stats.norm.isf(0.025) + stats.norm.isf(0.2)) ** 2 * k / (log**2 * (k - 1))
    numbers = {"subject": rho, "residual": 1 - rho}
    plan = px.plan_study(
        reliability=rho0, form="ICC(1,1)", n_subjects=[40, 50, 60], n_raters=k, n_studies=800,
        published=numbers,
    )  # fmt: skip
    row = plan.required(power=0.8).iloc[0]
    assert row["conf_low"] - 1 <= walter <= row["conf_high"] + 1
    # Bonett (2002): the width that is expected, which about half of the studies reach.
    z = stats.norm.isf(0.025)
    bonett = 1 + 8 * z**2 * (1 - rho) ** 2 * (1 + (k - 1) * rho) ** 2 / (k * (k - 1) * width**2)
    plan = px.plan_study(
        width=width / 2, form="ICC(1,1)", n_subjects=[30, 36, 44], n_raters=k, n_studies=800,
        published=numbers,
    )  # fmt: skip
    assert plan.required(power=0.5)["n_subjects"][0] == pytest.approx(bonett, abs=2)


def test_components_of_balanced_ratings_are_those_of_the_analysis_of_variance() -> None:
    rng = np.random.default_rng(4)
    s, c, r = 8, 3, 4
    y = (
        2 * rng.normal(size=(s, 1, 1)) + rng.normal(size=(s, c, 1))
        + 0.7 * rng.normal(size=(1, 1, r)) + rng.normal(size=(s, c, r))
    )  # fmt: skip
    of_subject, of_clip, of_rater = y.mean(axis=(1, 2)), y.mean(axis=2), y.mean(axis=(0, 1))
    ms_s = c * r * of_subject.var(ddof=1)
    ms_c = r * np.sum((of_clip - of_subject[:, None]) ** 2) / (s * (c - 1))
    ms_r = s * c * of_rater.var(ddof=1)
    rest = y - of_clip[..., None] - of_rater + y.mean()
    ms_e = np.sum(rest**2) / ((s * c - 1) * (r - 1))
    where = np.indices(y.shape)
    table = pd.DataFrame(
        {name: own.ravel() for name, own in zip(("subject", "clip", "rater"), where, strict=True)}
        | {"rating": y.ravel()}
    )
    found = components_of_pilot(
        table, targets=["subject", "clip"], ratings="rating", raters="rater", cluster="subject",
        context=[], form=find_form("ICC(A,k)"), confidence=0.95,
    )[0]  # fmt: skip
    parts = found.components
    assert (found.n_subjects, found.n_clips, found.n_raters) == (s, c, r)
    expected = ((ms_s - ms_c) / (c * r), (ms_c - ms_e) / r, (ms_r - ms_e) / (s * c), ms_e)
    assert (parts.subject, parts.clip, parts.rater, parts.residual) == pytest.approx(
        expected, rel=1e-4
    )
    interval = px.icc(
        table, targets=["subject", "clip"], ratings="rating", raters="rater", cluster="subject",
        form="ICC(A,1)",
    ).tidy()  # fmt: skip
    limits = [one / (1 + one) for one in (parts.low, parts.high)]
    assert limits == pytest.approx(interval[["conf_low", "conf_high"]].to_numpy()[0], rel=EXACT)
    plan = px.plan_study(
        table, reliability=0.5, form="ICC(A,k)", targets=["subject", "clip"], ratings="rating",
        raters="rater", cluster="subject", n_subjects=10, n_studies=10,
    ).tidy()  # fmt: skip
    row = plan.iloc[0]
    assert (row["n_clips"], row["n_raters"]) == (c, r)
    assert row["pilot_low"] <= row["power"] <= row["pilot_high"]


def test_limits_of_many_tables_are_those_of_icc() -> None:
    rng = np.random.default_rng(8)
    form = find_form("ICC(C,k)")
    tables = rng.normal(size=(6, 7, 1, 1)) + rng.normal(size=(6, 7, 3, 4))
    found = limits_of_tables(tables, form, 0.95, clustered=True)
    where = np.indices(tables.shape[1:])
    names = ("subject", "clip", "rater")
    labels = {name: own.ravel() for name, own in zip(names, where, strict=True)}
    for table, limits in zip(tables, found, strict=True):
        expected = px.icc(
            pd.DataFrame(labels | {"rating": table.ravel()}), targets=["subject", "clip"],
            ratings="rating", raters="rater", cluster="subject", form="ICC(C,k)",
        ).tidy()[["conf_low", "conf_high"]]  # fmt: skip
        assert limits == pytest.approx(expected.to_numpy()[0], rel=EXACT)
    # A table without differences within targets is not among those that are done together.
    same = np.repeat(tables[:1, :, :, :1], 4, axis=3)
    assert np.isfinite(limits_of_tables(same, form, 0.95, clustered=True)).all()


def test_a_reliability_without_an_upper_limit_leaves_the_power_open_upwards() -> None:
    rng = np.random.default_rng(3)
    table = rng.normal(size=(14, 1, 1)) + np.sqrt(0.5) * rng.normal(size=(14, 5, 1))
    table = table + np.sqrt(0.3) * rng.normal(size=(1, 1, 4))
    table = table + np.sqrt(1.5) * rng.normal(size=(14, 5, 4))
    where = np.indices(table.shape)
    frame = pd.DataFrame(
        {name: own.ravel() for name, own in zip(("subject", "clip", "rater"), where, strict=True)}
        | {"rating": table.ravel()}
    )
    columns = {
        "targets": ["subject", "clip"], "ratings": "rating", "raters": "rater",
        "cluster": "subject",
    }  # fmt: skip
    limits = px.icc(frame, form="ICC(C,k)", **columns).tidy().iloc[0]
    assert limits["conf_high"] == 1
    row = px.plan_study(
        frame, reliability=0.8, form="ICC(C,k)", n_subjects=12, n_studies=20, **columns
    ).tidy().iloc[0]  # fmt: skip
    assert row["pilot_low"] < row["power"] < row["pilot_high"] == 1


def test_parts_of_the_power() -> None:
    proportion = pytest.importorskip("statsmodels.stats.proportion").proportion_confint
    for k, n in ((0, 50), (37, 200), (50, 50)):
        assert wilson(k, n, 0.9) == pytest.approx(proportion(k, n, 0.1, method="wilson"), abs=1e-12)
    for noncentral, df in ((0.0, 5.0), (2.5, 3.0), (4.0, 100.0)):
        critical = stats.t.isf(0.025, df)
        # Earlier versions of SciPy warn of a division by zero within, and the result is right.
        with np.errstate(divide="ignore"):
            expected = stats.nct.sf(critical, df, noncentral)
            expected += stats.nct.cdf(-critical, df, noncentral)
        assert t_power(noncentral, df, 0.05) == pytest.approx(expected, abs=2e-6)
    assert error_ratios(7, 0.9) == pytest.approx(
        [math.sqrt(7 / stats.chi2.ppf(q, 7)) for q in (0.95, 0.05)]
    )
    n = [20, 40, 80]
    power = np.array([t_power(0.4 * math.sqrt(one), one - 1.0, 0.05) for one in n])
    assert noncentralities(n, power, 1000, alpha=0.05) == pytest.approx(0.4 * np.sqrt(n), rel=1e-4)
    # All studies have the finding: the next smaller number says more.
    assert noncentralities([20, 80], np.array([0.6, 1.0]), 100, alpha=0.05)[1] > 4.5


def test_the_numbers_needed_are_where_the_power_is_reached() -> None:
    n = [20, 40, 80]
    exact = np.array([stats.norm.cdf(0.5 * math.sqrt(one) - 1.96) for one in n])
    wanted = math.ceil(((stats.norm.ppf(0.8) + 1.96) / 0.5) ** 2)
    assert needed(n, exact, 0.8) == wanted
    assert needed(n, exact, 0.2) == 20
    assert needed(n, np.array([0.1, 0.3, 0.25]), 0.8) == math.inf


def test_the_standard_error_of_a_mean_has_the_degrees_of_freedom_of_its_variance() -> None:
    rng = np.random.default_rng(5)
    plain, found = [], []
    for _ in range(40):
        x = rng.normal(size=20)
        without = np.array([np.delete(x, i).std(ddof=1) for i in range(20)])
        plain.append(df_of_variance(19 / 20 * float(np.log(without).var()) * 20))
        found.append(df_of_error(without, 1000.0, 0.95))
    assert np.median(plain) == pytest.approx(19, rel=0.35)
    # They allow for the error of this estimate too.
    assert (np.array(found) < plain).all()
    assert np.median(found) > 19 / 3


def test_the_degrees_of_freedom_are_those_of_the_logarithm_of_a_standard_error() -> None:
    rng = np.random.default_rng(6)
    for df in (2.0, 7.0, 40.0):
        logs = np.log(rng.chisquare(df, 200_000) / df) / 2
        assert df_of_variance(float(logs.var())) == pytest.approx(df, rel=0.02)


def test_the_standard_errors_without_each_subject_are_those_of_compare_models() -> None:
    """The second model is given the difference anew, so that the level of the errors is counted."""
    table = pilot(9, seed=2, skewed=False)
    rows, who = table[["y", "new", "old"]].to_numpy(), table["subject"].to_numpy()
    own = PilotRows(rows, who, "rmse", 0.2, ("new", "old"), 0.95)
    logs = []
    for left_out in range(9):
        kept = rows[who != left_out]
        given = tuned(kept, np.ones(len(kept)), "rmse", 0.2 * own.shrinkage(), "ab")
        frame = pd.DataFrame(given, columns=["y", "new", "old"])
        with pytest.warns(px.errors.FewSubjectsWarning):
            found = compare_models(
                frame.assign(subject=who[who != left_out]), truth="y", predictions=["new", "old"],
                cluster="subject", metrics=["rmse"], n_boot=0,
            ).tidy()  # fmt: skip
        logs.append(math.log(found.loc[found["term"] == "new - old", "std_error"].iloc[0]))
    assert own.worth() == pytest.approx(df_of_error(np.exp(logs), 1000.0, 0.95), rel=EXACT)
    fixed = tuned(rows, np.ones(len(rows)), "rmse", 0.2 * own.shrinkage(), "ab")
    without = [
        jackknife_tests(
            np.stack([sums_of(*fixed[who == g].T).sum(axis=0) for g in range(9) if g != h])[None],
            "rmse", 0.95,
        ).std_error[0]
        for h in range(9)
    ]  # fmt: skip
    # The second model as it is with all subjects: the errors of the first are taken to be known.
    assert own.worth() != pytest.approx(df_of_error(np.array(without), 1000.0, 0.95), rel=1e-3)


def test_the_assurance_is_the_mean_power_over_the_standard_error() -> None:
    rng = np.random.default_rng(7)
    for noncentral, worth, df in ((1.0, 5.0, 19.0), (3.5, 12.0, 39.0), (6.0, 1.0, 19.0)):
        each = noncentral * np.sqrt(rng.chisquare(worth, 1500) / worth)
        powers = [t_power(one, df, 0.1) for one in each]
        error = float(np.std(powers)) / math.sqrt(1500)
        assert abs(assured(noncentral, worth, df, 0.1) - float(np.mean(powers))) < FAR * error
        low, high = band((noncentral, 1.1 * noncentral), worth, df, 0.9)
        shares = np.mean(np.array(powers)[:, None] < [low, high + EXACT], axis=0)
        assert shares[0] == pytest.approx(0.05, abs=0.02)
        assert shares[1] >= 0.95 - 0.02
    # Three values with the mean and variance of the standard normal distribution.
    z = stats.norm.ppf(0.975)
    assert averaged([0.0, z**2, z**2], 0.95) == pytest.approx(1)
    assert averaged([3.0, 3.0 - z, 3.0 + z], 0.95) == pytest.approx(3)


def test_studies_without_an_estimate_are_left_out_of_the_ratio() -> None:
    found = effect_ratios(np.array([[1.0, 3.0, np.nan, 5.0], [np.nan, np.nan, np.nan, 2.0]]))
    assert found.tolist() == pytest.approx([3 / 2, 0])


def test_the_assurance_needs_more_subjects_than_the_power() -> None:
    plan = px.plan_study(
        pilot(12, skewed=False),
        **(DIFFERENCE | {"difference": 0.2, "n_subjects": [20, 60, 120], "n_studies": 200}),
    )
    table, row = plan.tidy(), plan.required().iloc[0]
    assert (table["pilot_low"] <= table["assurance"]).all()
    assert (table["assurance"] <= table["pilot_high"]).all()
    assert table["assurance"].iloc[-1] < table["power"].iloc[-1]
    assert row["n_subjects"] < row["assured"]
    assert any(has_code(one, notes.NOTE_ASSURANCE) for one in plan.notes())


def test_a_design_has_the_same_numbers_whatever_else_is_planned() -> None:
    table = pilot()
    same = {
        "difference": 0.15, "metric": "correlation", "truth": "y", "predictions": ["new", "old"],
        "cluster": "subject", "n_studies": 60, "seed": 7,
    }  # fmt: skip
    many = px.plan_study(table, n_subjects=[20, 30], n_clips=[2, 4], **same).tidy()
    one = px.plan_study(table, n_subjects=30, n_clips=4, **same).tidy()
    columns = ["n_subjects", "n_clips", "power", "conf_low", "n_undefined"]
    pd.testing.assert_series_equal(many[columns].iloc[-1], one[columns].iloc[0], check_names=False)
    again = px.plan_study(table, n_subjects=[20, 30], n_clips=[2, 4], **same)
    pd.testing.assert_frame_equal(again.tidy(), many)
    other = px.plan_study(table, n_subjects=30, n_clips=4, **(same | {"seed": 8})).tidy()
    assert not other["power"].equals(one["power"])


def test_a_plan_of_contexts_its_notes_and_its_figure(tmp_path: object) -> None:
    plan = px.plan_study(
        pilot(16), difference=0.2, metric="rmse", truth="y", predictions=["new", "old"],
        cluster="subject", context="task", n_subjects=[20, 40], n_studies=100,
    )  # fmt: skip
    table = plan.tidy()
    assert table["context"].tolist() == ["joy", "joy", "pain", "pain", "all", "all"]
    assert (table["pilot_low"] <= table["power"]).all()
    assert (table["power"] <= table["pilot_high"]).all()
    for note in (notes.NOTE_POWER, notes.NOTE_SUBJECTS, notes.NOTE_RMSE, notes.NOTE_CHOSEN):
        assert any(has_code(one, note) for one in plan.notes())
    assert "uncertainty does not become smaller" in str(plan)
    figure = plan.plot(power=0.9, names={"joy": "Joy"})
    assert [axes.get_title() for axes in figure.axes] == ["Joy", "pain", "all contexts"]
    assert plan.plot().axes[0].lines[0].get_ydata()[0] == plan.power == 0.8
    drawn = figure.axes[0].lines[-1]
    assert drawn.get_ydata().tolist() == table["power"][:2].tolist()
    path = tmp_path / "plan.pyexpr"  # type: ignore[operator]
    plan.save(path)
    pd.testing.assert_frame_equal(px.load(path).tidy(), table)


def test_a_slope_is_found_more_often_with_more_subjects() -> None:
    plan = px.plan_study(
        pilot(16), slope=0.5, truth="y", features=["x", "z"], feature="x", cluster="subject",
        n_subjects=[12, 50], n_clips=3, n_studies=60,
    )  # fmt: skip
    power = plan.tidy()["power"]
    assert power[0] + 0.15 < power[1]
    assert any(has_code(one, notes.NOTE_CHOSEN_SLOPE) for one in plan.notes())


def test_rows_left_out_are_counted() -> None:
    table = pilot()
    table.loc[[1, 5], "old"] = np.nan
    plan = px.plan_study(table, **(DIFFERENCE | {"n_studies": 20}))
    assert "2 rows were left out of the pilot" in plan.notes()[-1]


def test_missing_numbers_have_reasons() -> None:
    plan = px.plan_study(
        difference=0.1, metric="correlation", n_subjects=[20, 30], n_clips=4, published=PUBLISHED,
        n_studies=50,
    )  # fmt: skip
    assert plan.tidy()["pilot_low"].isna().all()
    assert all(has_code(one, notes.NO_PILOT) for one in plan.tidy()["reason"])
    row = plan.required(power=0.99).iloc[0]
    assert math.isnan(row["n_subjects"])
    assert has_code(row["reason"], notes.NOT_REACHED)
    row = plan.required(power=0.01).iloc[0]
    assert row["n_subjects"] == 20
    assert has_code(row["reason"], notes.AT_SMALLEST)
    sized = px.plan_study(
        difference=0.1, metric="correlation", n_subjects=[20, 30], n_clips=4, n_studies=50,
        published=PUBLISHED | {"n_subjects": 24, "n_clips": 4},
    )  # fmt: skip
    assert sized.tidy()["pilot_low"].notna().all()
    assert sized.pilot_subjects == (("all", 24),)


RELIABILITY = {
    "pilot": None, "difference": None, "metric": None, "truth": None, "predictions": None,
    "cluster": None, "reliability": 0.5,
}  # fmt: skip


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"difference": 0.0}, "no study can find that"),
        ({"slope": 0.2}, "exactly one of"),
        ({"difference": None}, "exactly one of"),
        ({"metric": "mae"}, "metric= must be one of"),
        ({"metric": None}, "metric= must be one of"),
        ({"features": ["x"]}, "features= is not used with difference="),
        ({"predictions": ["new"]}, "the two models"),
        ({"predictions": ["new", "none"]}, "has no column"),
        ({"cluster": None}, "needs cluster="),
        ({"n_clips": 40}, "no subject of the pilot has more than"),
        ({"n_subjects": 2}, "n_subjects= must be a whole number of at least 4"),
        ({"n_subjects": []}, "n_subjects= has no numbers"),
        ({"difference": 1.9}, "choose a smaller difference"),
        ({"difference": 9.0, "metric": "rmse"}, "choose a smaller difference"),
        ({"published": PUBLISHED}, "either the table of a pilot"),
        ({"pilot": pilot(5)}, "has 5 subjects with all values"),
        ({"pilot": None, "published": PUBLISHED}, "names columns of a pilot"),
        ({"pilot": pilot().assign(rare=lambda t: t["x"] * (t["subject"] < 2)), "slope": 0.2,
          "difference": None, "metric": None, "predictions": None, "features": "rare"},
         "rests on few subjects of the pilot"),
        ({"n_subjects": 90_000, "n_clips": 12}, "at most 1,000,000"),
        ({"n_studies": 5}, "n_studies= must be"),
        ({"context": ["task"]}, "one column"),
        (RELIABILITY | {"published": {"subject": 1}, "form": "ICC(1,1)"}, "lacks 'residual'"),
        (RELIABILITY | {"published": {"subject": 1, "residual": 1}}, "form= must name"),
        (RELIABILITY | {"published": {"subject": 1, "residual": 1}, "form": "ICC(1,1)"},
         "needs n_raters="),
        (RELIABILITY | {"published": {"subjects": 1}, "form": "ICC(1,1)"}, "did you mean"),
        (RELIABILITY | {"published": {"subject": -1, "residual": 1}, "form": "ICC(1,1)",
                        "n_raters": 2}, "must be at least 0"),
        (RELIABILITY | {"reliability": 1.2, "published": {}}, "reliability= must be between"),
        (RELIABILITY | {"pilot": pilot(), "form": "ICC(A,1)", "targets": "subject",
                        "ratings": "y"}, "requires the rater"),
    ],
)  # fmt: skip
def test_plans_that_make_no_sense(changed: dict[str, object], message: str) -> None:
    arguments = {"pilot": pilot()} | DIFFERENCE | changed
    with pytest.raises((DataError, ColumnError)) as error:
        px.plan_study(**arguments)
    assert message in str(error.value)
