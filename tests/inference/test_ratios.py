"""Ratios of errors: judged on the logarithm, shown as ratios."""

from __future__ import annotations

import subprocess

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn.metrics import mean_absolute_error, mean_squared_error
from statsmodels.stats.multitest import multipletests

from pyexpr.base.errors import DataError
from pyexpr.base.messages import codes_of, joined
from pyexpr.inference.comparison.comparison import compare_models

# Sums in another order; through exp and log.
TWIN = 1e-12
# boot.ci prints 17 digits of the same arithmetic on the same replicates.
BOOT_CI = 1e-10
# Between two replicates boot interpolates for BCa as they are, we in logarithms.
BETWEEN = 1e-5
SKLEARN = {
    "rmse": lambda t, p: np.sqrt(mean_squared_error(t, p)),
    "mae": mean_absolute_error,
}


def table():
    rng = np.random.default_rng(2)
    n = 24 * 6
    frame = pd.DataFrame({"subject": np.repeat([f"s{i:02d}" for i in range(24)], 6)})
    frame["context"] = np.tile(["calm", "pain", "pain"], n // 3)
    frame["y"] = rng.normal(size=24)[np.repeat(np.arange(24), 6)] + rng.normal(size=n)
    frame["good"] = 0.7 * frame.y + 0.5 * rng.normal(size=n)
    frame["poor"] = 0.2 * frame.y + rng.normal(size=n)
    return frame


def compare(frame, **options):
    settings = {
        "truth": "y", "predictions": ["good", "poor"], "cluster": "subject", "n_boot": 99,
        "metrics": ["rmse"], "ratio": True,
    }  # fmt: skip
    return compare_models(frame, **(settings | options))


def where(result, term, context="all", metric="rmse"):
    tidy = result.tidy()
    (found,) = np.flatnonzero(
        (tidy.metric == metric) & (tidy.term == term) & (tidy.context == context)
    )
    return int(found)


def test_ratios_follow_the_differences():
    result = compare(table(), context="context", metrics=["correlation", "mae"])
    tidy = result.tidy()
    mae = tidy[tidy.metric == "mae"]
    assert list(zip(mae.context, mae.term, strict=True)) == [
        *[
            (c, t)
            for c in ("calm", "pain", "all")
            for t in ("good", "poor", "good - poor", "good / poor")
        ],
        ("calm - pain", "good"),
        ("calm - pain", "poor"),
        ("calm / pain", "good"),
        ("calm / pain", "poor"),
    ]
    assert not tidy.term[tidy.metric == "correlation"].str.contains("/").any()
    assert "ratios_of_errors" in codes_of(joined(result.notes()))
    plain = compare(table(), context="context", metrics=["correlation", "mae"], ratio=False)
    kept = ~(tidy.term.str.contains("/") | tidy.context.str.contains("/")).to_numpy()
    pd.testing.assert_frame_equal(tidy[kept].reset_index(drop=True), plain.tidy(), check_exact=True)
    assert np.array_equal(result.replicates[:, kept], plain.replicates)


@pytest.mark.parametrize("metric", ["rmse", "nrmse", "mae", "mae_within", "rmse_between"])
def test_replicates_are_ratios_of_the_levels(metric):
    width = {"score_range": 7} if metric == "nrmse" else {}
    result = compare(table(), context="context", metrics=[metric], **width)
    column = {
        key: result.replicates[:, where(result, *key, metric)]
        for key in [("good", "calm"), ("poor", "calm"), ("good", "pain"), ("good / poor", "calm"),
                    ("good", "calm / pain")]
    }  # fmt: skip
    good = column["good", "calm"]
    np.testing.assert_allclose(
        column["good / poor", "calm"], good / column["poor", "calm"], rtol=TWIN
    )
    np.testing.assert_allclose(
        column["good", "calm / pain"], good / column["good", "pain"], rtol=TWIN
    )


@pytest.mark.parametrize("metric", sorted(SKLEARN))
def test_jackknife_t_is_students_on_logarithms(metric):
    frame = table()
    result = compare(frame, metrics=[metric])
    row = result.tidy().iloc[where(result, "good / poor", metric=metric)]
    error = SKLEARN[metric]
    logs = []
    for subject in frame.subject.unique():
        left = frame[frame.subject != subject]
        logs.append(np.log(error(left.y, left.good) / error(left.y, left.poor)))
    ratio = error(frame.y, frame.good) / error(frame.y, frame.poor)
    se = np.sqrt(23 / 24 * np.sum((logs - np.mean(logs)) ** 2))
    df = 2 / (2 / 23 + max(0.0, float(stats.kurtosis(logs, bias=False))) / 24)
    half = stats.t.ppf(0.975, df) * se
    assert row.estimate == pytest.approx(ratio, rel=TWIN)
    assert row.std_error == pytest.approx(ratio * se, rel=1e-9)
    assert row.df == pytest.approx(df, rel=1e-9)
    assert row.conf_low == pytest.approx(ratio * np.exp(-half), rel=1e-9)
    assert row.conf_high == pytest.approx(ratio * np.exp(half), rel=1e-9)
    assert row.p_value == pytest.approx(2 * stats.t.sf(abs(np.log(ratio)) / se, df), rel=1e-7)
    influence = result.influence().query("term == 'good / poor'")
    np.testing.assert_allclose(influence.estimate, np.exp(logs), rtol=TWIN)


def test_intervals_equal_boot_ci_on_the_logarithm(tmp_path):
    result = compare(table(), n_boot=399)
    i = where(result, "good / poor")
    left_out = result.influence().query("term == 'good / poor'").estimate
    np.savetxt(tmp_path / "replicates.txt", result.replicates[:, i], fmt="%.17g")
    np.savetxt(tmp_path / "without.txt", left_out, fmt="%.17g")
    code = f"""
library(boot)
t <- scan("replicates.txt", quiet = TRUE); J <- log(scan("without.txt", quiet = TRUE))
b <- list(t0 = {float(result.tidy().estimate[i])!r}, t = matrix(t), R = length(t), data = 1:24,
          sim = "ordinary", stype = "i", call = quote(boot()), strata = rep(1, 24))
class(b) <- "boot"
found <- boot.ci(b, type = c("perc", "basic", "norm", "bca"), L = 23 * (mean(J) - J),
                 h = log, hdot = function(t) 1 / t, hinv = exp)
cat(sprintf("%.17g", c(found$percent[4:5], found$basic[4:5], found$normal[2:3], found$bca[4:5])))
"""
    message = subprocess.run(
        ["Rscript", "--vanilla", "-e", code],
        cwd=tmp_path, capture_output=True, text=True, check=True,
    )  # fmt: skip
    wanted = np.array(message.stdout.split(), dtype=float).reshape(4, 2)
    for method, limits in zip(("percentile", "basic", "normal", "bca"), wanted, strict=True):
        row = result.interval(method=method).tidy().iloc[i]
        assert row.method == method
        close = BETWEEN if method == "bca" else BOOT_CI
        assert [row.conf_low, row.conf_high] == pytest.approx(limits.tolist(), rel=close)


@pytest.mark.parametrize("rule", ["holm", "max_t"])
def test_ratios_are_a_family_of_their_own(rule):
    frame = table()
    frame["third"] = 0.5 * frame.good + 0.5 * frame.poor
    models = ["good", "poor", "third"]
    result = compare(frame, predictions=models, n_boot=400)
    one = result.adjust(rule).tidy()
    ratios = one.term.str.contains("/")
    assert (one.adjustment[ratios] == rule).all()
    if rule == "holm":
        p = result.tidy().p_value[ratios]
        np.testing.assert_allclose(one.p_adjusted[ratios], multipletests(p, method="holm")[1])
    low, high = np.log(one.conf_low[ratios]), np.log(one.conf_high[ratios])
    np.testing.assert_allclose((low + high) / 2, np.log(one.estimate[ratios]), rtol=1e-9)
    before = result.tidy()
    assert (one.conf_low[ratios] < before.conf_low[ratios]).all()


def test_extend_equals_one_call():
    once = compare(table(), n_boot=200, method="studentized")
    twice = compare(table(), n_boot=150, method="studentized").extend(50)
    assert np.array_equal(once.replicates, twice.replicates)
    pd.testing.assert_frame_equal(once.tidy(), twice.tidy(), check_exact=True)


def test_degenerate_ratios_say_why():
    frame = table()
    frame["same"] = frame.good
    frame["mirrored"] = 2 * frame.y - frame.good
    frame["perfect"] = frame.y
    models = ["good", "same", "mirrored", "perfect"]
    tidy = compare(frame, predictions=models, metrics=["rmse", "mae"]).tidy()
    for metric in ("rmse", "mae"):
        of = tidy[tidy.metric == metric].set_index("term")
        for term in ("good / same", "good / mirrored"):
            row = of.loc[term]
            assert (row.estimate, row.conf_low, row.conf_high) == (1, 1, 1)
            assert np.isnan(row.p_value)
            assert "its variation cannot be estimated" in row.reason
        row = of.loc["good / perfect"]
        assert np.isnan([row.estimate, row.conf_low, row.p_value]).all()
        assert row.reason == "the error of 'perfect' is 0, so there is no ratio"


def test_replicates_without_errors_are_undefined():
    frame = table()
    frame["nearly"] = frame.y + (frame.subject < "s03") * 1.0
    with pytest.warns(UserWarning, match="is undefined in"):
        result = compare(frame, predictions=["good", "nearly"], n_boot=400, method="percentile")
    i = where(result, "good / nearly")
    missing = np.isnan(result.replicates[:, i])
    # Three subjects make all its errors; drawn without any of them it makes none.
    assert missing.mean() == pytest.approx((21 / 24) ** 24, abs=0.03)
    assert result.tidy().n_undefined[i] == missing.sum()


@pytest.mark.parametrize(
    "options", [{"metrics": ["correlation", "r2"]}, {"pairwise": False}, {"predictions": ["good"]}]
)
def test_a_ratio_needs_errors_and_two_to_divide(options):
    with pytest.raises(DataError, match="ratio=True divides the errors of two models or contexts"):
        compare(table(), **options)


def test_the_sign_flip_test_is_of_differences():
    assert compare(table()).sign_flip().tidy().term.tolist() == ["good - poor"]
