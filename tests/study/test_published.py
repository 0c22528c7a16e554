"""What follows from the published figures, against closed forms of others and simulation."""

from __future__ import annotations

import math

import numpy as np
import pytest

from pyexpr.measurement.factor.cfa import cfa
from pyexpr.paper import published_numbers
from pyexpr.paper.published import (
    bartlett_from_published,
    bartlett_weights,
    baseline_correlation,
    baseline_nrmse,
    check_interval,
    human_bound,
    residual_variance,
    score_information,
)

# Four Monte Carlo standard errors.
SIGMAS = 4.0


def test_table_1_comes_back_within_rounding() -> None:
    for row in published_numbers.reliability().itertuples():
        found = check_interval(
            row.estimate, row.conf_low, row.conf_high, n_targets=row.n_targets, k=6, digits=2,
            fewest=row.n_targets,
        )  # fmt: skip
        assert found.status == "agrees", row


# Found by hand with psych::ICC's formula: what is odd about the pilots.
ODD = {
    (5, "sadness", "response"): ("explained", 35, "of 35 clips, not the 40"),
    (5, "sadness", "emotion"): ("explained", 35, "of 35 clips"),
    (5, "sadness", "motion"): ("explained", 35, "of 35 clips"),
    (5, "sadness", "tension"): ("explained", 35, "of 35 clips"),
    (5, "startle", "emotion"): ("explained", 24, "of 24 clips, not the 25"),
    (5, "startle", "motion"): ("misprint", 25, "the upper limit is .881, printed .861"),
    (5, "fear", "emotion"): ("misprint", 35, "belongs to an ICC of .331, printed .391"),
    (5, "disgust", "tension"): ("explained", 19, "of 19 clips, not the 20"),
    (6, "startle", "emotion"): ("explained", 24, "of 24 clips, not the 25"),
    (6, "pain", "motion"): ("explained", 34, "of 34 clips, not the 35"),
}


def test_the_pilots_come_back_but_for_misprints_and_lost_clips() -> None:
    seen = {}
    for row in published_numbers.pilots().itertuples():
        found = check_interval(
            row.estimate, row.conf_low, row.conf_high, n_targets=row.n_targets, k=row.k,
            digits=3, fewest=row.n_targets - 5,
        )  # fmt: skip
        if found.status == "agrees":
            assert abs(found.conf_low - row.conf_low) < 0.002
        else:
            seen[row.table, row.context, row.question] = found
    assert set(seen) == set(ODD)
    for key, (status, n, words) in ODD.items():
        assert (seen[key].status, seen[key].n_targets) == (status, n)
        assert words in seen[key].remark


def test_an_interval_that_fits_nothing_is_open() -> None:
    found = check_interval(0.5, 0.4, 0.9, n_targets=30, k=3, digits=3, fewest=25)
    assert found.status == "open"
    lower = check_interval(0.749, 0.415, 0.881, n_targets=25, k=3, digits=3, fewest=25)
    assert lower.remark == "the lower limit is .515, printed .415"


def test_residual_variance_has_the_range_of_its_rounding() -> None:
    found = residual_variance(0.85)
    assert (found.low, found.value, found.high) == pytest.approx(
        (1 - 0.855**2, 1 - 0.85**2, 1 - 0.845**2)
    )
    assert found.meets(0.28, 0.005)
    assert not found.meets(0.30, 0.005)


def test_bartlett_weights_are_those_of_the_matrix_formula_and_of_our_scores() -> None:
    lambdas, thetas = np.array([0.98, 0.97, 0.91]), np.array([0.04, 0.06, 0.18])
    inverse = np.linalg.inv(np.diag(thetas))
    matrix = lambdas[:, None]
    wanted = np.linalg.inv(matrix.T @ inverse @ matrix) @ matrix.T @ inverse
    np.testing.assert_allclose(bartlett_weights(lambdas, thetas), wanted[0], rtol=1e-12)

    # The scores of a fitted model are these weights of its standardised indicators.
    rng = np.random.default_rng(4)
    factor = rng.normal(size=400)
    data = lambdas * factor[:, None] + np.sqrt(thetas) * rng.normal(size=(400, 3))
    table = dict(zip("abc", data.T, strict=True))
    fit = cfa(table, {"f": list("abc")}, engine="native")
    loadings = fit.loadings()
    own = bartlett_weights(
        loadings["std_loading"].to_numpy(), loadings["std_residual_variance"].to_numpy()
    )
    standard = (data - data.mean(axis=0)) / data.std(axis=0)
    np.testing.assert_allclose(fit.scores()["score"], standard @ own, atol=1e-6)


def test_score_reliability_is_the_squared_correlation_with_the_factor() -> None:
    lambdas, thetas = np.array([0.98, 0.96, 0.85]), np.array([0.04, 0.07, 0.28])
    weights, reliability = bartlett_from_published(lambdas.tolist(), thetas.tolist())
    assert all(one.low < one.value < one.high for one in (*weights, reliability))
    rng = np.random.default_rng(5)
    factor = rng.normal(size=200_000)
    x = lambdas * factor[:, None] + np.sqrt(thetas) * rng.normal(size=(200_000, 3))
    score = x @ [one.value for one in weights]
    found = np.corrcoef(score, factor)[0, 1] ** 2
    # The standard error of r^2 at r^2 = .975 and 200,000 rows is .0001.
    assert abs(found - reliability.value) < 0.0005
    # And the label's variance is 1 + 1/I.
    information = score_information(lambdas, thetas)
    assert score.var() == pytest.approx(1 + 1 / information, rel=0.01)


@pytest.mark.parametrize("kind", ["uniform", "normal"])
def test_baselines_reach_what_simulation_says(kind: str) -> None:
    rng = np.random.default_rng(6)
    n, studies, information = 140, 4000, 3.0
    label = rng.normal(scale=math.sqrt(1 + 1 / information), size=(studies, n))
    draws = (
        rng.uniform(-3.5, 3.5, label.shape) if kind == "uniform" else rng.normal(size=label.shape)
    )
    nrmse = np.sqrt(((draws - label) ** 2).mean(axis=1)) / 7
    expected = baseline_nrmse(kind, information, n)
    # The root of a mean lies below the root of the expectation by se^2 / (2 rmse): .0004.
    assert abs(nrmse.mean() - expected.value) < SIGMAS * nrmse.std() / math.sqrt(studies) + 5e-4
    assert nrmse.std() == pytest.approx(expected.std_error, rel=SIGMAS / math.sqrt(2 * studies))


def test_the_correlation_of_draws_has_variance_one_over_n_less_one() -> None:
    rng = np.random.default_rng(7)
    n, studies = 8, 20_000
    # Any label will do, clustered and skewed.
    label = np.repeat(rng.exponential(size=4), 2)
    draws = rng.uniform(size=(studies, n))
    centred = draws - draws.mean(axis=1, keepdims=True)
    y = label - label.mean()
    r = centred @ y / np.sqrt((centred**2).sum(axis=1) * (y @ y))
    expected = baseline_correlation(n)
    assert abs(r.mean() - expected.value) < SIGMAS * expected.std_error / math.sqrt(studies)
    assert r.std() == pytest.approx(expected.std_error, rel=SIGMAS / math.sqrt(2 * studies))


def simulated_human(seed: int, shared: float) -> tuple[list[float], list[float], float, float]:
    """Rate 40,000 clips by six raters; return ICCs, loadings, and the human baseline."""
    rng = np.random.default_rng(seed)
    clips, raters, questions = 40_000, 6, 3
    truth = rng.normal(size=clips)[:, None, None]
    halo = shared * rng.normal(size=(clips, raters, 1))
    noise = rng.normal(size=(clips, raters, questions)) * np.array([0.3, 0.35, 0.5])
    ratings = truth + halo + noise
    within = ratings.var(axis=1, ddof=1).mean(axis=0)
    between = raters * ratings.mean(axis=1).var(axis=0, ddof=1)
    icc = (between - within) / between
    means = ratings.mean(axis=1)
    r = np.corrcoef(means.T)
    loadings = np.sqrt(
        [r[0, 1] * r[0, 2] / r[1, 2], r[0, 1] * r[1, 2] / r[0, 2], r[0, 2] * r[1, 2] / r[0, 1]]
    )
    weighted = (ratings / means.std(axis=0)) @ loadings
    z = (weighted - weighted.mean()) / weighted.std()
    others = (z.sum(axis=1, keepdims=True) - z) / (raters - 1)
    correlation = np.mean([np.corrcoef(z[:, i], others[:, i])[0, 1] for i in range(raters)])
    nrmse = np.sqrt(((z - others) ** 2).mean()) / 7
    return icc.tolist(), loadings.tolist(), float(correlation), float(nrmse)


@pytest.mark.parametrize("shared", [0.0, 0.5, 0.9])
def test_no_rater_does_better_than_the_bound(shared: float) -> None:
    icc, loadings, correlation, nrmse = simulated_human(8, shared)
    bound = human_bound(icc, loadings, k=6, half=0.0)
    # 40,000 clips: the standard error of the correlation is .003.
    assert correlation <= bound.correlation + 0.01
    assert nrmse >= bound.nrmse - 0.001
    # Questions that differ only in noise leave nothing open: the bound is reached.
    assert bound.correlation - correlation < 0.02
    assert nrmse - bound.nrmse < 0.003
    # Rounding can only move it outward.
    assert human_bound(icc, loadings, k=6).correlation >= bound.correlation
