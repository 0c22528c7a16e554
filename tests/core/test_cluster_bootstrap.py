"""The bootstrap kernel against numpy's generator and the row-by-row twin."""

from __future__ import annotations

import hashlib
import pickle
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reference import cluster_bootstrap as twin

from pyexpr.base.errors import DataError
from pyexpr.core import cluster_bootstrap as core

# Both sum the same numbers in another order.
TWIN = 1e-12
# Those of classes and ranks: test_class_metrics.py.
BASES = ("rmse", "mse", "mae", "correlation", "concordance", "r2", "bias")
NAMES = [*BASES, *(f"{base}_{part}" for part in ("within", "between") for base in BASES)]


def data(seed, sizes, holes=0.0):
    rng = np.random.default_rng(seed)
    cluster = np.repeat(np.arange(len(sizes)), sizes)
    n = len(cluster)
    t = rng.normal(size=len(sizes))[cluster] + rng.normal(size=n) + 3
    p = 0.6 * t + rng.normal(size=n) - 1
    p[rng.random(n) < holes] = np.nan
    order = rng.permutation(n)
    return p[order], t[order], cluster[order]


def design(p, t, cluster, n_clusters, names=NAMES, strata=None, scale="identity"):
    parts = {part: i for i, part in enumerate(core.PARTS)}
    columns = [core.cluster_sums(p, t, cluster, n_clusters, part=part) for part in parts]
    columns = [core.Column(c.sums, c.centres, i) for i, c in enumerate(columns)]
    levels = [
        core.Level(name.partition("_")[0], (parts[name.partition("_")[2] or "pooled"],))
        for name in names
    ]
    quantities = [core.Quantity(i, scale=scale) for i in range(len(names))]
    return core.MetricDesign(columns, levels, quantities, strata or (n_clusters,))


def test_draws_of_strata_follow_one_another():
    counts = core.draw_counts([4, 1, 6], 50, seed=3)
    assert (counts[:, :4].sum(axis=1) == 4).all()
    assert (counts[:, 4] == 1).all()
    assert (counts[:, 5:].sum(axis=1) == 6).all()
    assert counts[7].tolist() == np.bincount(twin.draws([4, 1, 6], 3, 1, 7), minlength=11).tolist()


def test_streams_differ():
    one = core.draw_counts([20], 5, seed=1, stream=1)
    assert not np.array_equal(one, core.draw_counts([20], 5, seed=1, stream=2))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("sizes", [[5] * 9, [1, 2, 30, 4, 4, 1, 9], [1] * 12])
def test_replicates_equal_rows_copied(name, sizes):
    if name.startswith("correlation_within") and max(sizes) == 1:
        return  # covered by test_undefined_is_nan
    p, t, cluster = data(4, sizes, holes=0.1)
    G = len(sizes)
    found = design(p, t, cluster, G, [name]).replicates(40, seed=9)[0]
    wanted = [twin.replicate(name, p, t, cluster, [G], 9, r) for r in range(40)]
    np.testing.assert_allclose(found, wanted, rtol=TWIN, atol=TWIN)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(
    sizes=st.lists(st.integers(1, 6), min_size=2, max_size=9),
    seed=st.integers(0, 2**32),
    constant=st.sampled_from(["", "p", "t"]),
    holes=st.sampled_from([0.0, 0.4]),
)
def test_any_shape_equals_the_twin(sizes, seed, constant, holes):
    p, t, cluster = data(seed, sizes, holes)
    p = np.where(np.isnan(p), p, 2.5) if constant == "p" else p
    t = np.full_like(t, -0.1) if constant == "t" else t
    G = len(sizes)
    made = design(p, t, cluster, G)
    # Leaving one out may leave two rows, whose correlation of 1 magnifies rounding.
    close = {"rtol": 1e-9, "atol": 1e-9}
    np.testing.assert_allclose(
        made.estimate(), [twin.metric(name, p, t, cluster) for name in NAMES], **close
    )
    found = made.replicates(3, seed=seed)
    wanted = [
        [twin.replicate(name, p, t, cluster, [G], seed, r) for r in range(3)] for name in NAMES
    ]
    np.testing.assert_allclose(found, wanted, **close)
    left = [twin.leave_one_out(name, p, t, cluster, G) for name in NAMES]
    np.testing.assert_allclose(made.jackknife(), left, **close)


def test_jackknife_equals_rows_left_out():
    p, t, cluster = data(8, [3, 1, 7, 5, 12, 2, 2, 40])
    found = design(p, t, cluster, 8).jackknife()
    wanted = [twin.leave_one_out(name, p, t, cluster, 8) for name in NAMES]
    np.testing.assert_allclose(found, wanted, rtol=TWIN, atol=TWIN)


@pytest.mark.parametrize("strata", [(4, 6), (2, 2, 2, 2, 2), (3, 7)])
def test_jackknife_leaves_every_stratum_its_weight(strata):
    p, t, cluster = data(5, [4, 1, 9, 3, 3, 12, 2, 5, 4, 4])
    found = design(p, t, cluster, 10, NAMES, strata).jackknife()
    wanted = [twin.leave_one_out(name, p, t, cluster, 10, list(strata)) for name in NAMES]
    np.testing.assert_allclose(found, wanted, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("strata", [(10,), (4, 6), (2, 2, 2, 2, 2)])
def test_errors_within_replicates_leave_out_one_copy(strata):
    p, t, cluster = data(5, [4] * 10)
    names = ["rmse", "correlation", "r2", "mae_within", "concordance_between"]
    made = design(p, t, cluster, 10, names, strata)
    found = made.standard_errors(12, seed=2)
    wanted = [
        [twin.standard_error(name, p, t, cluster, list(strata), 2, r) for r in range(12)]
        for name in names
    ]
    # Differences of nearly equal numbers: two digits less than the values themselves.
    np.testing.assert_allclose(found, wanted, rtol=1e-10)


@pytest.mark.parametrize(
    ("scale", "function", "name"),
    [
        ("atanh", np.arctanh, "correlation"),
        ("negative_reciprocal", lambda x: -1 / x, "rmse"),
        ("negative_root_complement", lambda x: -np.sqrt(1 - x), "r2"),
    ],
)
def test_errors_on_a_scale(scale, function, name):
    p, t, cluster = data(6, [5] * 8)
    found = design(p, t, cluster, 8, [name], scale=scale).standard_errors(6, seed=1)[0]
    wanted = [twin.standard_error(name, p, t, cluster, [8], 1, r, function) for r in range(6)]
    np.testing.assert_allclose(found, wanted, rtol=1e-10)


def digest(array):
    return hashlib.sha256(array.tobytes()).hexdigest()


@pytest.mark.parametrize("n_clusters", [28, 200])
def test_bytes_do_not_depend_on_threads_or_ranges(n_clusters):
    p, t, cluster = data(1, [3] * n_clusters)
    made = design(p, t, cluster, n_clusters)
    for method in (made.replicates, made.standard_errors):
        whole = method(203, seed=5, n_threads=1)
        for n_threads in (2, 7):
            assert digest(method(203, seed=5, n_threads=n_threads)) == digest(whole)
        pieces = [
            method(n, seed=5, first=first, n_threads=2)
            for first, n in [(0, 1), (1, 65), (66, 100), (166, 37)]
        ]
        assert digest(np.concatenate(pieces, axis=1)) == digest(whole)


def test_a_quantity_does_not_depend_on_its_neighbours():
    p, t, cluster = data(1, [3] * 28)
    all_of_them = design(p, t, cluster, 28).replicates(100, seed=5)
    for i, name in enumerate(NAMES):
        alone = design(p, t, cluster, 28, [name]).replicates(100, seed=5)
        assert digest(alone[0]) == digest(all_of_them[i])


def test_shared_sums_change_nothing():
    p, t, cluster = data(1, [3] * 28)
    q = p * 0.5 + np.sin(np.arange(len(p)))
    quantities = [core.Quantity(0), core.Quantity(1), core.Quantity(0, 1)]
    levels = [core.Level("correlation", (0,)), core.Level("correlation", (1,))]

    def made(keys):
        columns = [
            core.cluster_sums(values, t, cluster, 28, shared=key)
            for values, key in zip((p, q), keys, strict=True)
        ]
        return core.MetricDesign(columns, levels, quantities, (28,)).replicates(50, seed=1)

    assert digest(made(["t", "t"])) == digest(made([0, 1]))


def test_levels_average_their_columns():
    p, t, cluster = data(1, [3] * 10)
    q = -p
    columns = [core.cluster_sums(v, t, cluster, 10, shared=0) for v in (p, q, p + 1)]
    levels = [core.Level("rmse", (0, 1, 2), 7.0)]
    found = core.MetricDesign(columns, levels, [core.Quantity(0)], (10,)).replicates(5, seed=1)
    for r in range(5):
        each = [twin.replicate("rmse", v, t, cluster, [10], 1, r) for v in (p, q, p + 1)]
        assert found[0, r] == pytest.approx(np.mean(each) / 7, rel=TWIN)


def test_a_far_away_mean_costs_no_digits():
    p, t, cluster = data(1, [3] * 10)
    p, t = np.round(p, 3), np.round(t, 3)
    shifted = design(p + 2**16, t + 2**16, cluster, 10, ["correlation"]).replicates(20, seed=1)
    # Adding and taking off 2**16 rounds the data once: then both are the same numbers.
    exact = design((p + 2**16) - 2**16, (t + 2**16) - 2**16, cluster, 10, ["correlation"])
    np.testing.assert_allclose(shifted, exact.replicates(20, seed=1), rtol=TWIN)


def test_rmse_in_exact_arithmetic():
    p = np.array([0.1, 0.2, 0.7, 1.1])
    t = np.array([0.3, 0.1, 0.9, 1.0])
    made = design(p, t, np.array([0, 0, 1, 1]), 2, ["rmse"])
    exact = sum((Fraction(a) - Fraction(b)) ** 2 for a, b in zip(p, t, strict=True)) / 4
    assert made.estimate()[0] == pytest.approx(float(exact) ** 0.5, rel=1e-15)


def test_undefined_is_nan():
    cluster = np.repeat(np.arange(6), 2)
    t = np.arange(12.0)
    found = design(np.full(12, 0.1), t, cluster, 6, ["correlation", "rmse", "concordance"])
    values = found.replicates(10, seed=1)
    assert np.isnan(values[0]).all()
    assert np.isfinite(values[1:]).all()
    one_each = design(t, t + np.sin(t), np.arange(12), 12, ["correlation_within"])
    assert np.isnan(one_each.estimate()).all()


def test_rows_and_offset_of_a_shared_output():
    p, t, cluster = data(1, [3] * 10)
    made = design(p, t, cluster, 10, ["rmse", "mae"])
    out = np.zeros((5, 30))
    made.replicates(20, seed=1, rows=[4, 1], offset=10, out=out)
    alone = made.replicates(20, seed=1)
    assert np.array_equal(out[[4, 1], 10:], alone)
    assert not out[[0, 2, 3]].any()
    assert not out[:, :10].any()
    with pytest.raises(ValueError, match="beyond the output"):
        made.replicates(21, seed=1, rows=[4, 1], offset=10, out=out)


def test_a_design_survives_pickling():
    p, t, cluster = data(1, [3] * 10)
    made = design(p, t, cluster, 10)
    again = pickle.loads(pickle.dumps(made))
    assert digest(again.replicates(9, seed=1)) == digest(made.replicates(9, seed=1))


@pytest.mark.parametrize("n", [1, 2, 7, 500, 30_000])
@pytest.mark.parametrize("ties", [False, True])
def test_order_statistics_equal_sorting(n, ties):
    rng = np.random.default_rng(n)
    values = rng.integers(0, 5, size=(6, n)).astype(float) if ties else rng.standard_cauchy((6, n))
    values[2, rng.random(n) < 0.3] = np.nan
    values[3] = np.nan
    values[4] = np.sort(values[4])
    ranks = rng.integers(0, n, size=(6, 5))
    ranks[0, :2] = [0, n - 1]
    found = core.order_statistics(values, ranks, n_threads=2)
    for row in range(6):
        ordered = np.sort(values[row][~np.isnan(values[row])])
        wanted = [ordered[k] if k < len(ordered) else np.nan for k in ranks[row]]
        np.testing.assert_array_equal(found[row], wanted)


def test_order_statistics_of_a_rank_that_is_not_there():
    assert np.isnan(core.order_statistics(np.ones((1, 3)), np.array([[-1, 3]]))).all()


def test_summaries_equal_numpy():
    rng = np.random.default_rng(0)
    values = rng.normal(5, 1, size=(4, 1003))
    values[1, ::7] = np.nan
    values[2] = np.nan
    values[3] = np.round(values[3], 1)
    estimate = np.array([5.0, 5.1, np.nan, 5.0])
    null = np.array([4.0, 5.0, 5.0, 5.2])
    found = core.summarise(values, estimate, null)
    for row in (0, 1, 3):
        x = values[row][~np.isnan(values[row])]
        assert found.n_defined[row] == len(x)
        assert found.n_below_estimate[row] == (x < estimate[row]).sum()
        assert found.n_at_most_null[row] == (x <= null[row]).sum()
        assert found.n_at_least_null[row] == (x >= null[row]).sum()
        assert found.mean[row] == pytest.approx(x.mean(), rel=1e-14)
        assert found.sd[row] == pytest.approx(x.std(ddof=1), rel=1e-12)
    assert found.n_defined[2] == 0
    assert np.isnan(found.mean[2])


def test_seed_must_be_a_whole_number():
    with pytest.raises(DataError, match="seed= must be"):
        core.draw_counts([3], 1, seed=-1)


def test_cluster_codes_are_checked():
    with pytest.raises(ValueError, match="within 0"):
        core.cluster_sums([1.0], [1.0], [3], 2)


def test_a_replicate_of_zeros_is_undefined():
    p = np.zeros(20)
    p[:3] = 1.0
    t = np.sin(np.arange(20.0))
    values = design(p, t, np.arange(20), 20, ["correlation"]).replicates(2000, seed=1)[0]
    missing = core.draw_counts([20], 2000, seed=1)[:, :3].sum(axis=1) == 0
    assert 40 < missing.sum() < 120
    assert np.array_equal(np.isnan(values), missing)


def test_weighted_clusters_are_replicates_and_left_out_values():
    made = design(*data(3, [4, 1, 7, 2, 5, 3, 6]), 7)
    counts = core.draw_counts([7], 70, seed=5).astype(np.float64)
    wanted = made.replicates(70, seed=5, n_threads=1)
    for threads in (1, 3):
        found = made.weighted(counts, n_threads=threads)
        np.testing.assert_array_equal(found, wanted)
    np.testing.assert_allclose(made.weighted(1 - np.eye(7)), made.jackknife(), rtol=1e-11)
    with pytest.raises(ValueError, match="counts must be"):
        made.weighted(counts[:, :6])
