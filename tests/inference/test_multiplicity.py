"""Holm against R, max-T against hand-made maxima."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import scipy.stats
from reference import cluster_bootstrap as twin

from pyexpr.base.errors import DataError
from pyexpr.inference.comparison.comparison import compare_models
from pyexpr.inference.comparison.predictions import Predictions
from pyexpr.resampling.intervals.studentized import symmetric_reach
from pyexpr.resampling.multiplicity import holm
from pyexpr.resampling.quantiles import rank_of
from pyexpr.resampling.simultaneous import simultaneous


def test_holm_leaves_out_what_was_not_tested():
    assert holm([0.02, np.nan, 0.04])[[0, 2]].tolist() == [0.04, 0.04]
    assert np.isnan(holm([0.02, np.nan, 0.04])[1])
    assert np.isnan(holm([np.nan, np.nan])).all()
    assert holm([]).shape == (0,)


def test_holm_is_rs_p_adjust():
    table = pd.read_csv(Path(__file__).parents[1] / "golden" / "holm.csv")
    assert table["p"].isna().sum() == 2
    for _, rows in table.groupby("set"):
        np.testing.assert_allclose(holm(rows["p"]), rows["adjusted"], rtol=1e-14)


def made(**options):
    rng = np.random.default_rng(3)
    frame = pd.DataFrame({"subject": np.repeat(np.arange(22), 5)})
    frame["context"] = np.tile(list("aabbb"), 22)
    frame["y"] = rng.normal(size=110) + np.repeat(rng.normal(size=22), 5)
    for i, name in enumerate("pqr"):
        frame[name] = 0.3 * i * frame.y + rng.normal(size=110)
    settings = {
        "metrics": ["rmse", "correlation"], "n_boot": 199, "seed": 4, "predictions": list("pqr"),
    }  # fmt: skip
    return frame, compare_models(frame, truth="y", cluster="subject", **(settings | options))


def test_holm_intervals_are_bonferronis():
    _, result = made(context="context")
    adjusted = result.adjust("holm")
    tidy, wide = adjusted.tidy(), result.interval(confidence=1 - 0.05 / 3).tidy()
    family = tidy.second_model != ""
    assert (tidy.adjustment[family] == "holm").all()
    for _, part in tidy[family].groupby(["metric", "context"]):
        assert len(part) == 3
        p = np.sort(part.p_value)
        # Three steps by hand.
        steps = np.maximum.accumulate([3 * p[0], 2 * p[1], p[2]]).clip(max=1)
        np.testing.assert_allclose(np.sort(part.p_adjusted), steps, rtol=1e-12)
    assert np.array_equal(tidy.conf_low[family], wide.conf_low[family])
    assert (tidy.adjustment[~family] == "").all()
    plain = result.tidy()
    assert np.array_equal(tidy.conf_high[~family], plain.conf_high[~family])
    assert np.array_equal(tidy.p_value, plain.p_value, equal_nan=True)


def normal_scores(p):
    return scipy.stats.norm.isf(np.asarray(p) / 2)


def test_max_t_by_rows_left_out():
    frame, result = made(metrics=["rmse"], n_boot=0)
    adjusted = result.adjust("max_t")
    tidy = adjusted.tidy()
    y, cluster = frame.y.to_numpy(), frame.subject.to_numpy()
    left = np.array(
        [
            twin.leave_one_out("rmse", frame[a].to_numpy(), y, cluster, 22)
            - twin.leave_one_out("rmse", frame[b].to_numpy(), y, cluster, 22)
            for a, b in [("p", "q"), ("p", "r"), ("q", "r")]
        ]
    )
    family = (tidy.second_model != "").to_numpy()
    plain = result.tidy()[family]
    # The distribution of the largest of three, by another way to it and other draws.
    correlations = np.corrcoef(left)
    draws = scipy.stats.multivariate_normal(np.zeros(3), correlations, allow_singular=True)
    largest = np.abs(draws.rvs(200_000, random_state=1)).max(axis=1)
    wanted = [(largest >= z).mean() for z in normal_scores(plain.p_value)]
    # Four standard errors of a share of 9,999 draws.
    np.testing.assert_allclose(tidy.p_adjusted[family], wanted, atol=0.02)
    alone = 2 * scipy.stats.norm.sf(np.quantile(largest, 0.95))
    half = scipy.stats.t.isf(alone / 2, plain.df) * plain.std_error
    np.testing.assert_allclose(tidy.conf_high[family] - tidy.estimate[family], half, rtol=0.03)
    assert (tidy.method[family] == "max_t").all()
    assert (tidy.method[~family] == "jackknife_t").all()
    # Whatever the method at hand, and whatever was drawn for it.
    _, drawn = made(metrics=["rmse"], method="percentile")
    pd.testing.assert_frame_equal(
        drawn.adjust("max_t").tidy()[family].drop(columns="n_undefined"),
        tidy[family].drop(columns="n_undefined"),
    )


def independent(G, m, seed):
    """Influences of G clusters on m estimates, exactly uncorrelated."""
    q, _ = np.linalg.qr(np.random.default_rng(seed).normal(size=(G, m)))
    return q


def test_the_largest_of_independent_tests_is_sidaks():
    p = np.array([0.001, 0.01, 0.04, 0.3])
    found = simultaneous(independent(30, 4, 0), p, 0.95, seed=1)
    np.testing.assert_allclose(found.p_adjusted, 1 - (1 - p) ** 4, atol=0.02)
    assert 1 - found.confidence == pytest.approx(1 - 0.95**0.25, rel=0.15)


def test_the_largest_of_equal_tests_is_one_test():
    influence = np.tile(independent(30, 1, 0), 5) * [1, 2, -1, 1e-8, 1e8]
    p = np.array([0.001, 0.01, 0.04, 0.3, 0.9])
    found = simultaneous(influence, p, 0.95, seed=1)
    np.testing.assert_allclose(found.p_adjusted, p, atol=0.02)
    assert found.confidence == pytest.approx(0.95, abs=0.008)


@pytest.mark.parametrize("n", [19, 20, 39, 199, 2_000, 9_999])
@pytest.mark.parametrize("confidence", [0.8, 0.9, 0.95])
def test_the_rank_makes_intervals_agree_with_p(n, confidence):
    # With 39 or 199 draws B * confidence would give the same rank; with 2,000 it does not.
    draws = np.arange(1.0, n + 1)
    reach = draws[rank_of(confidence, n) - 1]
    p = {z: (1 + np.sum(draws >= z)) / (n + 1) for z in (reach, np.nextafter(reach, np.inf))}
    beyond, upto = p[np.nextafter(reach, np.inf)], p[reach]
    assert beyond <= 1 - confidence + 1e-12 < upto


@pytest.mark.parametrize("confidence", [0.8, 0.9, 0.95])
def test_the_largest_of_2000_draws_agrees_with_its_interval(confidence, monkeypatch):
    # Of 9,999 draws the rank B * confidence would be the same; of 2,000 it is one less.
    monkeypatch.setattr("pyexpr.resampling.simultaneous.N_DRAWS", 2_000)
    influence = independent(30, 3, 0)
    alone = 1 - simultaneous(influence, np.full(3, 0.5), confidence, seed=1).confidence
    p = alone * np.array([1 - 1e-9, 1 + 1e-9, 0.5])
    adjusted = simultaneous(influence, p, confidence, seed=1).p_adjusted
    assert adjusted[0] <= 1 - confidence + 1e-12 < adjusted[1]


@pytest.mark.parametrize("confidence", [0.8, 0.9, 0.95])
def test_the_bootstrap_t_of_2000_draws_agrees_with_its_interval(confidence):
    pivot = np.random.default_rng(3).standard_t(5, size=(1, 2_000))
    reach = symmetric_reach(pivot, np.zeros(1), confidence).reach
    upto = symmetric_reach(pivot, reach, confidence).p_value[0]
    beyond = symmetric_reach(pivot, np.nextafter(reach, np.inf), confidence).p_value[0]
    assert beyond <= 1 - confidence + 1e-12 < upto


def test_max_t_agrees_with_its_intervals():
    agreed = 0
    for seed in range(40):
        rng = np.random.default_rng(seed)
        frame = pd.DataFrame({"subject": np.repeat(np.arange(25), rng.integers(1, 9, size=25))})
        frame["y"] = rng.normal(size=len(frame))
        for i, name in enumerate("pqr"):
            frame[name] = 0.25 * i * frame.y + rng.normal(size=len(frame))
        tidy = compare_models(
            frame, truth="y", predictions=list("pqr"), cluster="subject", adjust="max_t",
            metrics=["rmse", "correlation"], n_boot=0, confidence=0.9,
        ).tidy()  # fmt: skip
        tidy = tidy[tidy.adjustment == "max_t"]
        outside = (tidy.conf_low > 0) | (tidy.conf_high < 0)
        assert ((tidy.p_adjusted <= 0.1) == outside).all()
        agreed += int(outside.sum())
    assert 20 < agreed < 220  # both happen


def test_max_t_where_differences_rest_on_other_subjects():
    frame, _ = made()
    models = {"p": "p", "q": "q", "r": Predictions("r", truth="y")}
    frame.loc[frame.subject < 2, "r"] = np.nan
    result = compare_models(
        frame, truth="y", predictions=models, cluster="subject", metrics=["rmse"], n_boot=0,
    )  # fmt: skip
    assert len(result.evidence.groups) == 2  # differences from r rest on all, r alone on fewer
    tidy = result.adjust("max_t").tidy()
    family = tidy.adjustment == "max_t"
    holm_p = result.adjust("holm").tidy().p_adjusted[family]
    assert family.sum() == 3
    assert (tidy.p_adjusted[family] >= tidy.p_value[family] - 0.01).all()
    assert (tidy.p_adjusted[family] <= holm_p + 0.01)[tidy.p_value[family].idxmin()]


def test_max_t_does_not_depend_on_draws_or_threads():
    _, one = made(n_boot=0, n_threads=1)
    _, two = made(n_boot=199, n_threads=3)
    columns = ["p_adjusted", "conf_low", "conf_high"]
    pd.testing.assert_frame_equal(
        one.adjust("max_t").tidy()[columns], two.adjust("max_t").tidy()[columns], check_exact=True
    )


def test_adjusting_when_comparing():
    _, requested = made(adjust="max_t")
    _, plain = made()
    pd.testing.assert_frame_equal(requested.tidy(), plain.adjust("max_t").tidy(), check_exact=True)


def test_an_unknown_rule():
    with pytest.raises(DataError, match="adjust= must be one of 'holm', 'max_t', not 'fdr'"):
        made(adjust="fdr")


@pytest.mark.parametrize("rule", ["holm", "max_t"])
@pytest.mark.parametrize("options", [{"pairwise": False}, {"predictions": ["p"]}])
def test_no_differences_cannot_be_adjusted_together(rule, options):
    message = "there are none; compare two or more models with pairwise=True"
    with pytest.raises(DataError, match=message):
        made(adjust=rule, **options)
    _, result = made(**options)
    with pytest.raises(DataError, match=message):
        result.adjust(rule)


def test_max_t_at_a_confidence_beyond_its_draws():
    with pytest.raises(DataError, match=r"9,999 draws, too few for a confidence of 0\.99999; use"):
        made(adjust="max_t", n_boot=0, confidence=0.99999)
