"""Slopes that rest on few subjects, and slopes over all with an intercept per context."""

from __future__ import annotations

import re
import warnings

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from scipy import stats

from pyexpr.base.errors import DataError, PyexprWarning
from pyexpr.inference.coefficients.cluster_ols import CORRECTIONS
from pyexpr.inference.coefficients.coefficients import CoefficientResult, context_coefficients
from pyexpr.inference.coefficients.data import read_data
from pyexpr.inference.coefficients.leverage import few_subjects_df, support_of
from pyexpr.inference.coefficients.slopes import slope_space

G = 24
CLOSE = 1e-9  # two factorisations of one design
AT_MOST = 0.07  # size of a test of a slope on few subjects
SIGMAS = 3  # seeded, but chosen without a look


def rows(carriers: int, seed: int = 0, *, own_slopes: float = 0.5, mean: float = 0.0):
    """Two contexts of 24 subjects; in pain only the first `carriers` of them ever nod."""
    rng = np.random.default_rng([seed, carriers])
    subject = np.repeat(np.arange(G), 12)
    context = np.tile(np.repeat(["interview", "pain"], 6), G)
    smile, nod = rng.normal(size=(2, len(subject)))
    nod = nod + mean
    nod[(context == "pain") & (subject >= carriers)] = 0.0
    slopes = own_slopes * rng.normal(size=(2, G))[(context == "pain").astype(int), subject]
    y = 0.3 * smile + slopes * nod + 0.7 * rng.normal(size=G)[subject]
    table = pd.DataFrame({"subject": subject, "context": context, "smile": smile, "nod": nod})
    return table, y + rng.normal(size=len(subject))


def fitted(table: pd.DataFrame, y: np.ndarray, **options: object) -> CoefficientResult:
    requested = {"alpha": 0.1, "l1_ratio": 0.5, "n_boot": 0, "n_threads": 1} | options
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PyexprWarning)
        return context_coefficients(table, y, context="context", cluster="subject", **requested)


def row(table: pd.DataFrame, context: str, feature: str = "nod") -> pd.Series:
    (found,) = table[(table["context"] == context) & (table["feature"] == feature)].index
    return table.loc[found]


def test_the_effective_number_is_that_of_partialled_out_residuals() -> None:
    """By statsmodels: residuals of a feature on the others and the intercept, squared, summed."""
    table, y = rows(5)
    found = fitted(table, y).tidy()
    for context in ("interview", "pain"):
        own = table[table["context"] == context]
        others = sm.add_constant(own["smile"])
        residual = sm.OLS(own["nod"], others).fit().resid
        share = (residual**2).groupby(own["subject"]).sum() / (residual**2).sum()
        wanted = 1 / (share**2).sum()
        assert row(found, context)["n_effective"] == pytest.approx(wanted, rel=CLOSE)
    assert row(found, "pain")["n_effective"] < 6 < row(found, "interview")["n_effective"]


@pytest.mark.parametrize("mean", [0.0, 5.0])
@pytest.mark.parametrize("cr", CORRECTIONS)
@pytest.mark.parametrize("tests", ["least_squares", "desparsified"])
def test_what_one_subject_shows_alone_is_not_tested(tests: str, cr: str, mean: float) -> None:
    table, y = rows(1, mean=mean)
    result = fitted(table, y, cr=cr, tests=tests)
    tidy, contrasts, omnibus = result.tidy(), result.contrasts(), result.omnibus()
    slope, contrast = row(tidy, "pain"), row(contrasts, "interview - pain")
    requested = ["statistic", "p_value", "conf_low", "conf_high", "df"]
    for one, error in ((slope, "tested_std_error"), (contrast, "std_error")):
        assert one[[*requested, error]].isna().all()
        assert re.search("subject 0 has 9. % of the slope's leverage", one["reason"])
        assert one["n_effective"] < 1.3
    assert np.isfinite(slope["tested_estimate"])
    (together,) = omnibus.index[omnibus["feature"] == "nod"]
    assert np.isnan(omnibus["p_value"][together])
    assert "in a context, subject 0 has" in omnibus["reason"][together]
    # The other slopes are as they are, and a family is of those that are tested.
    assert tidy.loc[tidy["feature"] == "smile", "p_value"].notna().all()
    for rule in ("holm", "max_t"):
        adjusted = result.adjust(rule).contrasts()
        assert adjusted["p_adjusted"].isna().tolist() == adjusted["p_value"].isna().tolist()
        if rule == "holm":
            assert row(adjusted, "interview - pain", "smile")["p_adjusted"] == pytest.approx(
                row(contrasts, "interview - pain", "smile")["p_value"]
            )
    if tests == "least_squares":
        wild = row(result.wild(n_boot=99), "pain")
        assert np.isnan(wild["p_value"])
        assert "subject 0 has" in wild["reason"]


@pytest.mark.parametrize("carriers", [2, 3, 5])
def test_size_where_few_subjects_carry_a_slope(carriers: int) -> None:
    studies, called = 200, {"slope": 0, "contrast": 0, "omnibus": 0}
    for seed in range(studies):
        table, y = rows(carriers, seed)
        data = read_data(table, y, context="context", cluster="subject", y_pooled=None, rows=None)
        space = slope_space(
            data, data.contexts, [], method="least_squares", cr="CR2", seed=0, n_threads=1
        )
        slope, contrast = space.weights([(1, 1, 1.0)]), space.weights([(0, 1, 1.0), (1, 1, -1.0)])
        tests = space.tests([slope, contrast])
        if not space.tested(1, 1):
            assert np.isnan(tests.p_value).all()
            continue
        omnibus = space.wald([contrast]).p_value
        assert omnibus == pytest.approx(tests.p_value[1], rel=1e-6)
        for name, p in zip(called, (*tests.p_value, omnibus), strict=True):
            called[name] += p < 0.05
    limit = AT_MOST * studies + SIGMAS * np.sqrt(AT_MOST * (1 - AT_MOST) * studies)
    assert max(called.values()) <= limit


def test_a_contrast_has_the_degrees_of_freedom_of_its_weaker_slope() -> None:
    table, y = rows(G)
    # Half of the leverage in pain is one subject's, who nods there more than others do.
    table.loc[(table["context"] == "pain") & (table["subject"] == 0), "nod"] *= 7
    result = fitted(table, y)
    weak = row(result.tidy(), "pain")
    contrast = row(result.contrasts(), "interview - pain")
    assert weak["n_effective"] < 6
    assert contrast["n_effective"] == weak["n_effective"]
    assert contrast["df"] == pytest.approx(weak["df"], rel=CLOSE)
    assert contrast["p_value"] == pytest.approx(
        2 * stats.t.sf(abs(contrast["statistic"]), weak["df"]), rel=1e-6
    )
    omnibus = result.omnibus().set_index("feature").loc["nod"]
    assert omnibus["df2"] == pytest.approx(weak["df"], rel=1e-6)
    # Slopes that rest on as many subjects: Satterthwaite's own, above both.
    both = row(result.contrasts(), "interview - pain", "smile")
    own = [row(result.tidy(), context, "smile")["df"] for context in ("interview", "pain")]
    assert both["df"] > max(own)


def test_max_t_is_not_for_slopes_on_few_subjects() -> None:
    result = fitted(*rows(5))
    by_holm, by_max_t = (result.adjust(rule) for rule in ("holm", "max_t"))
    tidy, other = by_max_t.tidy(), by_holm.tidy()
    pain = tidy["context"] == "pain"
    assert tidy["adjustment"].tolist() == np.where(pain, "holm", "max_t").tolist()
    kept = ["p_adjusted", "conf_low", "conf_high"]
    pd.testing.assert_frame_equal(tidy.loc[pain, kept], other.loc[pain, kept], check_exact=True)
    contrasts = by_max_t.contrasts()
    assert set(contrasts["adjustment"]) == {"holm"}
    pd.testing.assert_frame_equal(contrasts[kept], by_holm.contrasts()[kept], check_exact=True)


def test_three_equal_subjects_count_three() -> None:
    found = support_of(
        np.array([[1 / 3] * 3 + [0] * 3, [0.5, 0.5, 0, 0, 0, 0]]), np.ones(2), "abcdef"
    )
    np.testing.assert_allclose(found.n_effective, [3, 2])
    assert found.why_not == ("", "")
    np.testing.assert_allclose(
        few_subjects_df(np.array([23.0, 23.0, 2.0]), np.array([2.0, 12.0, 3.0])), [1.0, 23.0, 2.0]
    )
    all_of_it = support_of(np.array([[1.0, 0.0]]), np.ones(1), ["s01", "s02"])
    assert all_of_it.why_not[0].startswith("subject 's01' has 100 % of the slope's leverage")


def shifted(seed: int = 4) -> tuple[pd.DataFrame, np.ndarray]:
    """No slope in any context, but both feature and label are higher in pain."""
    rng = np.random.default_rng(seed)
    subject, context = np.repeat(np.arange(30), 8), np.tile(["interview", "pain"], 120)
    higher = 2.0 * (context == "pain")
    x, other = rng.normal(size=(2, 240))
    y = higher + rng.normal(size=240) + 0.5 * rng.normal(size=30)[subject]
    return pd.DataFrame(
        {"subject": subject, "context": context, "x": x + higher, "other": other}
    ), y


def test_slopes_over_all_do_not_take_means_of_contexts_for_slopes() -> None:
    table, y = shifted()
    deviation = table["x"] - table.groupby("context")["x"].transform("mean")
    scale = np.sqrt(np.mean(deviation**2))
    design = pd.DataFrame({"x": table["x"] / scale, "other": table["other"]})
    dummies = pd.get_dummies(table["context"], dtype=float)
    for intercepts, columns in (("context", dummies), ("common", np.ones(len(table)))):
        X = np.column_stack([design, columns])
        fit = sm.OLS(y, X).fit(cov_type="cluster", cov_kwds={"groups": table["subject"]})
        result = fitted(table, y, intercepts=intercepts, cr="CR1")
        found = row(result.tidy(), "all", "x")
        assert found["tested_estimate"] == pytest.approx(fit.params[0], rel=CLOSE)
        # statsmodels' correction has (n - 1)/(n - k) besides G/(G - 1).
        n, k = X.shape
        error = fit.bse[0] / np.sqrt((n - 1) / (n - k))
        assert found["tested_std_error"] == pytest.approx(error, rel=CLOSE)
        assert result.provenance()["intercepts"] == intercepts
        message = " ".join(result.notes())
        assert ("each context has its own intercept" in message) == (intercepts == "context")
        assert ("slopes over all contexts have one intercept" in message) == (
            intercepts == "common"
        )
        assert (found["p_value"] < 1e-6) == (intercepts == "common")
    with pytest.raises(DataError, match="intercepts= must be one of 'context', 'common', not 'no'"):
        fitted(table, y, intercepts="no")


def test_desparsified_slopes_over_all_are_within_contexts() -> None:
    """Without penalties they are least squares, with and without each subject."""
    table, y = shifted()
    options = {"tests": "desparsified", "alpha": 1e-9}
    ours = fitted(table, y, **options)
    theirs = fitted(table, y, tests="least_squares")
    for feature in ("x", "other"):
        one, other = (row(found.tidy(), "all", feature) for found in (ours, theirs))
        # The nodewise lassos have a penalty: the slopes are near, not the same.
        assert abs(one["tested_estimate"] - other["tested_estimate"]) < one["tested_std_error"] / 3
    common = row(fitted(table, y, intercepts="common", **options).tidy(), "all", "x")
    assert common["p_value"] < 1e-6 < 0.01 < row(ours.tidy(), "all", "x")["p_value"]


def test_what_differs_between_contexts_alone_has_no_slope_over_all() -> None:
    table, y = shifted()
    table["level"] = np.where(table["context"] == "pain", 1.0, 3.0)
    found = row(fitted(table, y).tidy(), "all", "level")
    assert np.isnan(found["tested_estimate"])
    assert "constant" in found["reason"]
    assert np.isfinite(
        row(fitted(table, y, intercepts="common").tidy(), "all", "level")["tested_estimate"]
    )
