"""Cluster-robust least squares against clubSandwich in R, and identities."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reference import cluster_ols as reference

from pyexpr.base.errors import DataError
from pyexpr.inference.coefficients.cluster_ols import (
    CORRECTIONS,
    DesignBlock,
    blocked_ols,
    cluster_ols,
)

SETTINGS = settings(derandomize=True, deadline=None, max_examples=20)


def data(seed: int, G: int, rows: int, p: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    cluster = np.repeat(np.arange(G), rng.integers(1, 2 * rows, size=G))
    n = len(cluster)
    X = np.column_stack([np.ones(n), rng.normal(size=(n, p))])
    return X, rng.normal(size=n) + rng.normal(size=G)[cluster], cluster


@SETTINGS
@given(seed=st.integers(0, 10_000), G=st.integers(6, 15), cr=st.sampled_from(CORRECTIONS[:3]))
def test_order_of_rows_units_and_labels_change_nothing(seed: int, G: int, cr: str) -> None:
    X, y, cluster = data(seed, G, 5, 2)
    contrast = np.array([[0.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
    fit = cluster_ols(X, y, cluster, cr=cr)
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(y))
    names = rng.permutation(1000)[:G]
    moved = cluster_ols((X * [1, 100, 0.01])[order], y[order], names[cluster[order]], cr=cr)
    a, b = fit.contrasts(contrast), moved.contrasts(contrast)
    np.testing.assert_allclose(b.estimate * [100, 0.01], a.estimate, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(b.std_error * [100, 0.01], a.std_error, rtol=1e-9)
    np.testing.assert_allclose(b.df, a.df, rtol=1e-9)
    # One contrast's Wald test is its t squared.
    one = fit.wald(contrast[:1])
    assert one.statistic == pytest.approx(a.statistic[0] ** 2, rel=1e-9)
    assert one.df2 == pytest.approx(a.df[0], rel=1e-9)
    np.testing.assert_allclose(fit.wald(contrast).df2, moved.wald(contrast).df2, rtol=1e-8)


# Both compute in doubles, in other orders.
TO_ROUNDING = 1e-9


def contexts(seed: int, sizes: list[int]) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return two contexts of clusters of these sizes, the last in the first context alone."""
    rng = np.random.default_rng(seed)
    cluster = np.concatenate(
        [np.repeat(np.arange(len(sizes)), sizes), np.repeat(np.arange(len(sizes) - 1), 4)]
    )
    context = np.repeat([0, 1], [sum(sizes), len(cluster) - sum(sizes)])
    features = rng.normal(size=(len(cluster), 2))
    # The first cluster has nearly all of the leverage of the first slope.
    features[(cluster == 0) & (context == 0), 0] *= 30
    X = np.zeros((len(cluster), 6))
    for c in (0, 1):
        X[context == c, 3 * c : 3 * c + 2] = features[context == c]
        X[context == c, 3 * c + 2] = 1.0
    y = rng.normal(size=len(cluster)) + rng.normal(size=len(sizes))[cluster]
    order = rng.permutation(len(cluster))
    return X[order], y[order], cluster[order], context[order]


@pytest.mark.parametrize("sizes", [[3, 1, 2, 7, 4, 2, 9], [2] * 30, [40, 1, 1, 2, 3]])
def test_it_is_the_definition_by_whole_matrices(sizes: list[int]) -> None:
    X, y, cluster, context = contexts(len(sizes), sizes)
    weights = np.array(
        [[1, 0, 0, 0, 0, 0], [0, 1, 0, 0, 0, 0], [1, 0, 0, -1, 0, 0], [0, 1, 0, 0, -1, 0],
         [0, 0, 1, 0, 0, 0], [0.5, 1, -1, 2, 0, 1]],
        dtype=float,
    )  # fmt: skip
    blocks = [
        DesignBlock(np.flatnonzero(context == c), at, X[np.ix_(context == c, at)])
        for c, at in enumerate([np.array([0, 1, 2]), np.array([3, 4, 5])])
    ]
    for cr, power in (("CR0", 0.0), ("CR2", -0.5), ("CR3", -1.0)):
        expected = np.array([reference.contrast(X, y, cluster, one, power) for one in weights]).T
        for fit in (cluster_ols(X, y, cluster, cr=cr), blocked_ols(blocks, y, cluster, cr=cr)):
            found = fit.contrasts(weights)
            np.testing.assert_allclose(found.estimate, expected[0], rtol=TO_ROUNDING)
            np.testing.assert_allclose(found.std_error, expected[1], rtol=TO_ROUNDING)
            np.testing.assert_allclose(found.df, expected[2], rtol=TO_ROUNDING)
    for both in (weights[:2], weights[2:4], weights[[0, 3, 4]]):
        expected_df = reference.wald_df2(X, cluster, both)
        for fit in (cluster_ols(X, y, cluster), blocked_ols(blocks, y, cluster)):
            assert fit.wald(both).df2 == pytest.approx(expected_df, rel=TO_ROUNDING)


def test_blocks_are_the_whole_design() -> None:
    X, y, cluster, context = contexts(3, [3, 1, 2, 7, 4, 2, 9])
    blocks = [
        DesignBlock(np.flatnonzero(context == c), at, X[np.ix_(context == c, at)])
        for c, at in enumerate([np.array([0, 1, 2]), np.array([3, 4, 5])])
    ]
    whole, parts = cluster_ols(X, y, cluster), blocked_ols(blocks, y, cluster)
    each = np.eye(6)
    for name in ("leverage", "determined", "influences"):
        np.testing.assert_allclose(
            getattr(parts, name)(each), getattr(whole, name)(each), rtol=1e-9, atol=1e-12
        )
    signs = np.random.default_rng(1).choice([-1.0, 1.0], size=(9, 7))
    contrast = np.array([1.0, 0, 0, -1, 0, 0])
    for one, other in zip(
        parts.wild_pivots(contrast, signs, null=0.1),
        whole.wild_pivots(contrast, signs, null=0.1),
        strict=True,
    ):
        np.testing.assert_allclose(one, other, rtol=1e-8)


def test_what_one_cluster_determines_is_by_the_generalised_inverse() -> None:
    X, y, cluster = data(3, 8, 4, 2)
    X = np.column_stack([X, cluster == 0])
    weights = np.array([0.0, 1.0, 0.0, 0.0])
    expected = reference.contrast(X, y, cluster, weights)
    found = cluster_ols(X, y, cluster).contrasts(weights)
    assert found.std_error[0] == pytest.approx(expected[1], rel=TO_ROUNDING)
    assert found.df[0] == pytest.approx(expected[2], rel=TO_ROUNDING)


def test_refused() -> None:
    X, y, cluster = data(3, 8, 4, 2)
    twice = np.column_stack([X, 2 * X[:, 1] - X[:, 2]])
    cases = [
        (lambda: cluster_ols(X, y, cluster, cr="CR9"), "cr= must be one of"),
        (lambda: cluster_ols(X, y[:-1], cluster), "one value per row"),
        (lambda: cluster_ols(X, y * np.nan, cluster), "must be finite"),
        (lambda: cluster_ols(X, y, cluster * 0), "at least 2, but there is 1"),
        (
            lambda: cluster_ols(twice, y, cluster, names=["a", "b", "c", "d"]),
            "columns 'b', 'c', 'd' are linearly dependent",
        ),
        (lambda: cluster_ols(X * [1, 0, 1], y, cluster), "column 2 is all 0"),
        (lambda: cluster_ols(X[:2], y[:2], [0, 1]), "2 rows"),
        (lambda: cluster_ols(X, y, cluster).contrasts([1, 2]), "one weight per coefficient"),
        (
            lambda: cluster_ols(X, y, cluster).wald([[0, 1, 0], [0, 2, 0]]),
            "linearly independent",
        ),
    ]
    for call, message in cases:
        with pytest.raises(DataError, match=message):
            call()
    alone = np.column_stack([X, cluster == 0])
    for cr in ("CR2", "CR3"):
        fit = cluster_ols(alone, y, cluster, cr=cr)
        assert np.isfinite(fit.vcov()).all()
        # The last column is that of one cluster alone; of the others each cluster knows.
        np.testing.assert_allclose(fit.determined(np.eye(4))[1:3], 0, atol=1e-12)
        assert fit.determined(np.eye(4))[3] > 0.5


def test_fast_enough_for_a_study_of_the_papers_size() -> None:
    rng = np.random.default_rng(4)
    cluster = np.repeat(np.arange(140), 16)
    X = rng.normal(size=(2240, 60))
    fit = cluster_ols(X, rng.normal(size=2240), cluster)
    assert (fit.contrasts(np.eye(60)).df > 50).all()
