"""Intervals against R's boot::boot.ci on the same replicates, and against closed forms."""

from __future__ import annotations

import numpy as np
import pytest
from parity.bootstrap import evidence
from scipy import stats

from pyexpr.base.errors import DataError
from pyexpr.resampling.intervals.evidence import Evidence, JackknifeGroup
from pyexpr.resampling.intervals.jackknife import (
    acceleration_of,
    degrees_of_freedom,
    jackknife_error,
    kurtosis_df,
    pooled_excess,
    stratified_df,
    stratum_variances,
)  # fmt: skip
from pyexpr.resampling.intervals.methods import METHODS, compute
from pyexpr.resampling.intervals.scales import limit


def test_percentile_p_by_counting():
    t = np.array([[-2.0, -1.0, 0.0, 0.5, 1.0, 2.0, 3.0, 4.0, 5.0] * 11])
    made = evidence(t, [1.0], np.ones((1, 9)))
    # 33 of 99 are at most 0, 77 at least 0.
    assert compute(made, "percentile", 0.5).p_value[0] == pytest.approx(2 * 34 / 100)
    # 2T - t* = 2 - t*: at least 0 for t* <= 2 (66 of 99), at most 0 for t* >= 2 (44).
    assert compute(made, "basic", 0.5).p_value[0] == pytest.approx(2 * 45 / 100)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("shift", [0.0, 0.7, 1.6, 2.0, 2.3, 3.0])
def test_p_agrees_with_the_interval(method, shift):
    rng = np.random.default_rng(1)
    J = shift - rng.normal(size=(1, 30)) / 29
    t = shift + 0.9 * rng.normal(size=(1, 1999)) + 0.1 * rng.standard_gamma(2, size=(1, 1999))
    made = evidence(t, [shift], J, errors=0.15 + 0.1 * rng.random((1, 1999)))
    p = compute(made, method, 0.95).p_value[0]
    assert 0 < p <= 1
    # An interval a little wider than 1 - p holds the null, one a little narrower does not.
    for confidence, inside in [(1 - p + 0.004, True), (1 - p - 0.004, False)]:
        if 0 < confidence < 0.998:
            found = compute(made, method, confidence)
            if found.method[0] == method:  # not fallen back to another
                assert bool(found.low[0] <= 0 <= found.high[0]) == inside


def test_p_is_never_zero():
    rng = np.random.default_rng(0)
    t = 50 + rng.normal(size=(1, 999))
    made = evidence(t, [50.0], 50 + rng.normal(size=(1, 12)) / 1e6, errors=np.ones((1, 999)))
    for method in METHODS:
        assert compute(made, method, 0.95).p_value[0] > 0
    assert compute(made, "percentile", 0.95).p_value[0] == 2 / 1000


def test_jackknife_t_of_a_mean_is_students_t():
    x = np.random.default_rng(2).normal(1, 2, size=17)
    J = (x.sum() - x) / 16
    made = evidence(np.zeros((1, 0)), [x.mean()], J[None])
    found = compute(made, None, 0.9)
    # The pseudo-values of a mean are the values: SE is s/sqrt(n).
    assert found.std_error[0] == pytest.approx(stats.sem(x), rel=1e-12)
    excess = max(0.0, stats.kurtosis(x, bias=False))
    assert found.df[0] == pytest.approx(2 / (2 / 16 + excess / 17), rel=1e-10)
    half = stats.t.ppf(0.95, found.df[0]) * stats.sem(x)
    assert found.high[0] == pytest.approx(x.mean() + half, rel=1e-12)
    statistic = x.mean() / stats.sem(x)
    assert found.p_value[0] == pytest.approx(2 * stats.t.sf(abs(statistic), found.df[0]), rel=1e-10)


@pytest.mark.parametrize("G", [4, 5, 6, 30])
def test_kurtosis_df_equals_scipys_kurtosis(G):
    J = np.random.default_rng(G).standard_t(2, size=(3, G))
    excess = np.maximum(0, stats.kurtosis(J, axis=1, bias=False)) if G >= 6 else 0
    wanted = np.maximum(2, 2 / (2 / (G - 1) + excess / G))
    np.testing.assert_allclose(kurtosis_df(J), np.broadcast_to(wanted, 3), rtol=1e-10)


@pytest.mark.parametrize(
    ("scale", "g", "inverse", "estimate"),
    [
        ("negative_reciprocal", lambda x: -1 / x, lambda y: -1 / y, 0.8),
        ("atanh", np.arctanh, np.tanh, 0.6),
        ("negative_root_complement", lambda x: -np.sqrt(1 - x), lambda y: 1 - y**2, 0.3),
    ],
)
def test_jackknife_t_on_a_scale(scale, g, inverse, estimate):
    J = estimate + np.random.default_rng(1).normal(size=(1, 10)) / 200
    made = evidence(np.zeros((1, 0)), [estimate], J, scale=scale, null=0.1)
    found = compute(made, None, 0.95)
    G = 10
    U = G * g(estimate) - (G - 1) * g(J[0])
    error = np.sqrt(np.sum((U - U.mean()) ** 2) / (G * (G - 1)))
    df = max(2, 2 / (2 / (G - 1) + max(0, stats.kurtosis(U, bias=False)) / G))
    half = stats.t.ppf(0.975, df) * error
    assert found.low[0] == pytest.approx(inverse(g(estimate) - half), rel=1e-10)
    assert found.high[0] == pytest.approx(inverse(g(estimate) + half), rel=1e-10)
    assert found.statistic[0] == pytest.approx((g(estimate) - g(0.1)) / error, rel=1e-10)


def test_the_limit_of_an_error_stays_finite():
    # On the scale -1/x it would not exist: 1/x is at most the reach.
    J = np.array([[0.2, 1.5, 3.0, 0.9, 0.4]])
    made = evidence(np.zeros((1, 0)), [0.5], J, scale="negative_reciprocal")
    assert 1.0 < compute(made, None, 0.95).high[0] < np.inf


def test_the_limit_of_an_error_bends_where_it_is_twice_the_error():
    x, reach = 1.7, np.linspace(0, 0.9, 1801) / 1.7
    high = limit(np.full(1801, -1 / x), reach, "negative_reciprocal")
    near = reach * x <= 0.5
    np.testing.assert_allclose(high[near], 1 / (1 / x - reach[near]), rtol=1e-12)
    assert high[reach * x == 0.5] == pytest.approx(2 * x)
    # Value and slope go on: no step is far from its neighbours'.
    steps = np.diff(high)
    assert (steps > 0).all()
    np.testing.assert_allclose(steps[1:], steps[:-1], rtol=4e-3)
    # Below 1/(1 - a), which it was, and above exp(a), which is symmetric on the logarithm.
    assert (high[~near] < 1 / (1 / x - reach[~near])).all()
    assert (high[~near] > x * np.exp(reach[~near] * x)).all()


def deviations(variances, sizes, n, seed, draw):
    """Return leave-one-out values of n sums of stratum means, (n, G)."""
    rng = np.random.default_rng(seed)
    return np.concatenate(
        [np.sqrt(v) * draw(rng, (n, G)) for v, G in zip(variances, sizes, strict=True)], axis=1
    )


def normal(rng, shape):
    return rng.normal(size=shape)


def heavy(rng, shape):
    return rng.standard_t(9, size=shape)


@pytest.mark.parametrize(
    ("variances", "sizes", "draw"),
    [
        ((1, 1), (20, 20), normal),
        ((1, 4), (12, 24), normal),
        ((1,) * 15, (2,) * 15, normal),
        ((1, 2, 3), (4, 9, 14), normal),
        ((1, 1), (60, 60), heavy),
    ],
)
def test_df_with_strata_are_twice_the_square_over_the_variance(variances, sizes, draw):
    values = deviations(variances, sizes, 4000, 1, draw)
    error = jackknife_error(values, sizes)
    square = error**2
    wanted = 2 * square.mean() ** 2 / square.var()
    simple = np.zeros(len(values), dtype=bool)
    found = degrees_of_freedom(values, sizes, simple)
    assert (found <= sum(sizes) - len(sizes)).all()
    # Estimated from one study each: right in the middle of many, but not each.
    assert np.median(found) == pytest.approx(wanted, rel=0.25)


def test_df_with_one_stratum_are_those_without():
    values = np.random.default_rng(0).standard_t(4, size=(50, 17))
    deviation = stratum_variances(values, (17,))
    excess = pooled_excess(values, (17,))
    np.testing.assert_allclose(
        stratified_df(deviation, 2 / 16 + excess[:, None] / 17), kurtosis_df(values), rtol=1e-10
    )
    np.testing.assert_allclose(
        excess, np.maximum(stats.kurtosis(values, axis=1, bias=False), 0), rtol=1e-10
    )


def test_acceleration_is_a_sixth_of_the_skewness_of_a_sum():
    # Of the sum of independent means, by Edgeworth: a = skewness / 6, of each stratum's
    # third and second cumulants, which plain moments estimate.
    rng = np.random.default_rng(4)
    parts = [rng.gamma(1, size=40), rng.gamma(2, size=7), rng.normal(size=12)]
    values = np.concatenate(
        [
            [sum(p.mean() for p in parts) - part.mean() + np.delete(part, i).mean()
             for i in range(len(part))]
            for part in parts
        ]
    )  # fmt: skip
    third = sum(stats.moment(part, 3) / len(part) ** 2 for part in parts)
    second = sum(stats.moment(part, 2) / len(part) for part in parts)
    found = acceleration_of(values[None], [len(part) for part in parts])
    assert found[0] == pytest.approx(third / second**1.5 / 6, rel=1e-9)


def test_strata_add_their_variances():
    J = np.random.default_rng(5).normal(size=(2, 9))
    wanted = 3 / 4 * 4 * J[:, :4].var(axis=1) + 4 / 5 * 5 * J[:, 4:].var(axis=1)
    np.testing.assert_allclose(jackknife_error(J, (4, 5)), np.sqrt(wanted), rtol=1e-12)
    group = JackknifeGroup(np.arange(2), J, (4, 5))
    made = evidence(np.zeros((2, 0)), [0.0, 1.0], J)
    made = Evidence(
        made.estimate, made.scale, made.simple_df, made.null, made.replicates, [group],
        made.reason, made.replicate_errors,
    )  # fmt: skip
    assert compute(made, None, 0.95).df.tolist() == [7, 7]


def test_studentized_interval_by_hand():
    rng = np.random.default_rng(4)
    t, errors = rng.normal(2, 1, size=(1, 199)), rng.uniform(0.5, 1.5, size=(1, 199))
    J = 2 - rng.normal(size=(1, 12)) / 11
    made = evidence(t, [2.0], J, errors=errors)
    error = jackknife_error(J, (12,))[0]
    pivot = np.sort(np.abs((t[0] - 2) / errors[0]))
    found = compute(made, "studentized", 0.9)
    assert found.high[0] == pytest.approx(2 + pivot[180 - 1] * error, rel=1e-12)
    assert found.low[0] == pytest.approx(2 - pivot[180 - 1] * error, rel=1e-12)
    assert found.p_value[0] == (np.sum(pivot >= 2 / error) + 1) / 200
    signed = np.sort((t[0] - 2) / errors[0])
    tails = compute(made, "studentized_et", 0.9)
    # Ranks 10 and 190 of 199 are order statistics themselves.
    assert tails.low[0] == pytest.approx(2 - signed[190 - 1] * error, rel=1e-12)
    assert tails.high[0] == pytest.approx(2 - signed[10 - 1] * error, rel=1e-12)


def test_bca_falls_back_to_percentile_and_says_so():
    t = np.random.default_rng(0).normal(size=(1, 999))
    made = evidence(t, [10.0], np.arange(9.0)[None])
    found = compute(made, "bca", 0.95)
    plain = compute(made, "percentile", 0.95)
    assert found.method == ["percentile"]
    assert (found.low[0], found.high[0], found.p_value[0]) == (
        plain.low[0], plain.high[0], plain.p_value[0],
    )  # fmt: skip


def test_too_many_undefined_replicates():
    t = np.random.default_rng(0).normal(size=(2, 1000))
    t[0, :101] = np.nan
    t[1, :99] = np.nan
    found = compute(evidence(t, [0.0, 0.0], np.ones((2, 5))), "percentile", 0.95)
    assert np.isnan(found.low[0])
    assert np.isnan(found.p_value[0])
    assert found.reason[0] == "undefined in 101 of 1000 replicates"
    assert np.isfinite(found.low[1])
    assert found.n_undefined.tolist() == [101, 99]


@pytest.mark.parametrize(
    ("method", "confidence", "message"),
    [
        ("bootstrap", 0.95, "method= must be one of 'jackknife_t', 'percentile'"),
        ("percentile", 95, "confidence= must be a number between 0 and 1, not 95"),
        ("percentile", 0.95, "needs n_boot of at least 39"),
    ],
)
def test_errors(method, confidence, message):
    made = evidence(np.zeros((1, 38)), [0.0], np.ones((1, 5)))
    with pytest.raises(DataError, match=message):
        compute(made, method, confidence)
