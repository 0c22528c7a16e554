"""The elastic net kernel against its twin, and against scikit-learn on the resampled rows."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from parity.coefficients import clips as study
from parity.coefficients import drawn as draws
from reference import elastic_net as twin
from sklearn.linear_model import ElasticNet
from sklearn.preprocessing import StandardScaler

from pyexpr.base.errors import DataError
from pyexpr.core.elastic_net import (
    ElasticNetFits,
    cross_products,
    elastic_net_fits,
    squared_errors,
)
from pyexpr.modeling.elastic_net import ElasticNetRegressor
from pyexpr.modeling.tuned_net import ALPHAS, L1_RATIOS

SETTINGS = settings(derandomize=True, deadline=None, max_examples=25)
TWIN = 1e-12
# scikit-learn's descent stops at a gap of 1e-14 of the label's sum of squares.
SCIKIT_LEARN = 1e-8


@SETTINGS
@given(
    seed=st.integers(0, 10_000),
    n_clusters=st.integers(4, 15),
    p=st.integers(1, 6),
    alpha=st.sampled_from(ALPHAS),
    l1_ratio=st.sampled_from(L1_RATIOS),
)
def test_equals_twin(seed, n_clusters, p, alpha, l1_ratio) -> None:
    X, y, clusters = study(seed, n_clusters, rows=8, p=p, mixing=0.5)
    counts = draws(seed, 3, n_clusters)
    products = cross_products(X, y, clusters, n_clusters)
    fits = elastic_net_fits(products, counts, alpha=alpha, l1_ratio=l1_ratio, n_threads=1)
    errors, n_rows = squared_errors(products, counts, fits, n_threads=1)
    assert fits.converged.all()
    for b in range(3):
        rows = twin.resample(clusters, counts[b])
        expected = twin.fit(X[rows], y[rows], alpha, l1_ratio)
        np.testing.assert_allclose(fits.coef[b, 0, 0], expected[0], rtol=0, atol=TWIN)
        assert fits.intercept[b] == pytest.approx(expected[1], abs=TWIN)
        np.testing.assert_allclose(fits.mean[b], expected[2], rtol=TWIN, atol=1e-10)
        np.testing.assert_allclose(fits.scale[b], expected[3], rtol=TWIN)
        error = twin.squared_error(X[rows], y[rows], expected)
        assert errors[b, 0, 0] == pytest.approx(error, rel=1e-11)
        assert n_rows[b] == len(rows)


def test_tunes_the_grid_as_the_regressor_does() -> None:
    X, y, clusters = study(3, n_clusters=30)
    train, held_out = clusters < 20, clusters >= 20
    model = ElasticNetRegressor().fit(X[train], y[train], validation=(X[held_out], y[held_out]))
    products = cross_products(X, y, clusters)
    number = np.arange(30)
    fits = elastic_net_fits(
        products, (number < 20).astype(int), alpha=ALPHAS, l1_ratio=L1_RATIOS, n_threads=1
    )
    errors, n_rows = squared_errors(products, (number >= 20).astype(int), fits)
    rmse = np.sqrt(errors[0] / n_rows[0])
    np.testing.assert_allclose(rmse.ravel(), model.path_["rmse"], rtol=SCIKIT_LEARN)
    i, j = np.unravel_index(np.argmin(rmse), rmse.shape)
    assert (ALPHAS[i], L1_RATIOS[j]) == (model.alpha_, model.l1_ratio_)
    np.testing.assert_allclose(fits.coef[0, i, j], model.coef_, atol=SCIKIT_LEARN)
    np.testing.assert_allclose(fits.mean[0], model.mean_, rtol=1e-10)
    np.testing.assert_allclose(fits.scale[0], model.scale_, rtol=1e-10)


def test_more_features_than_rows() -> None:
    X, y, clusters = study(4, n_clusters=10, rows=2, p=30)
    fits = elastic_net_fits(
        cross_products(X, y, clusters), np.ones(10, dtype=int), alpha=(0.05, 0.5), l1_ratio=0.5
    )
    assert fits.converged.all()
    Z = StandardScaler().fit_transform(X)
    for i, alpha in enumerate((0.05, 0.5)):
        expected = ElasticNet(alpha=alpha, l1_ratio=0.5, tol=1e-14, max_iter=1_000_000).fit(Z, y)
        np.testing.assert_allclose(fits.coef[0, i, 0], expected.coef_, atol=SCIKIT_LEARN)


def test_order_of_penalties_is_the_callers() -> None:
    X, y, clusters = study(5, p=4)
    products = cross_products(X, y, clusters)
    up = elastic_net_fits(products, np.ones(20, int), alpha=(0.01, 0.5, 0.1), l1_ratio=(1, 0.2))
    for i, alpha in enumerate((0.01, 0.5, 0.1)):
        for j, l1_ratio in enumerate((1, 0.2)):
            alone = elastic_net_fits(products, np.ones(20, int), alpha=alpha, l1_ratio=l1_ratio)
            np.testing.assert_allclose(up.coef[0, i, j], alone.coef[0, 0, 0], atol=TWIN)
            assert up.converged[0, i, j]


def test_same_bytes_with_any_number_of_threads_and_neighbours() -> None:
    X, y, clusters = study(6)
    products = cross_products(X, y, clusters)
    counts = draws(7, 50, 20)
    one = elastic_net_fits(products, counts, alpha=0.1, l1_ratio=0.5, n_threads=1)
    for threads in (2, 7):
        many = elastic_net_fits(products, counts, alpha=0.1, l1_ratio=0.5, n_threads=threads)
        assert one.coef.tobytes() == many.coef.tobytes()
        assert one.gap.tobytes() == many.gap.tobytes()
    some = elastic_net_fits(products, counts[10:20], alpha=0.1, l1_ratio=0.5)
    assert some.coef.tobytes() == one.coef[10:20].tobytes()


def test_large_offsets_keep_their_digits() -> None:
    X, y, clusters = study(8, p=5)
    # Steps of 2**-20 around 2**20: the shifted data are the same numbers exactly.
    X, y = np.round(X * 2**20) / 2**20, np.round(y * 2**20) / 2**20
    counts = draws(9, 5, 20)
    near = elastic_net_fits(cross_products(X, y, clusters), counts, alpha=0.1, l1_ratio=0.5)
    far = elastic_net_fits(
        cross_products(X + 2.0**20, y - 2.0**20, clusters), counts, alpha=0.1, l1_ratio=0.5
    )
    np.testing.assert_allclose(far.coef, near.coef, rtol=0, atol=1e-9)


def test_constants_in_the_data_and_in_a_resample() -> None:
    X, y, clusters = study(10, p=4)
    X[:, 1] = 0.1
    X[:, 2] = np.where(clusters < 10, 1 / 3, X[:, 2])
    products = cross_products(X, y, clusters)
    counts = np.array([np.arange(20) < 10, np.arange(20) < 15]).astype(int)
    fits = elastic_net_fits(products, counts, alpha=0.01, l1_ratio=(0, 0.5))
    assert (fits.coef[..., 1] == 0).all()
    assert (fits.coef[0, ..., 2] == 0).all()
    assert (fits.coef[1, ..., 2] != 0).all()
    assert fits.scale[0, 2] == 1
    errors, n_rows = squared_errors(products, counts, fits)
    rows = clusters < 10
    model = ElasticNetRegressor(alpha=0.01, l1_ratio=0.5).fit(X[rows], y[rows])
    np.testing.assert_allclose(fits.coef[0, 0, 1], model.coef_, atol=SCIKIT_LEARN)
    expected = ((model.predict(X[rows]) - y[rows]) ** 2).sum()
    assert errors[0, 0, 1] == pytest.approx(expected, rel=1e-9)
    assert n_rows[0] == rows.sum()


def test_constant_label_and_empty_resample() -> None:
    X, _, clusters = study(11, p=3)
    products = cross_products(X, np.full(len(X), 0.1), clusters)
    counts = np.vstack([np.ones(20, int), np.zeros(20, int)])
    fits = elastic_net_fits(products, counts, alpha=0.1, l1_ratio=(0, 0.5))
    assert np.abs(fits.coef[0]).max() < 1e-15
    assert fits.converged[0].all()
    assert np.isnan(fits.coef[1]).all()
    assert not fits.converged[1].any()


def test_too_few_sweeps_are_reported() -> None:
    X, y, clusters = study(12, n_clusters=10, rows=2, p=30)
    fits: ElasticNetFits = elastic_net_fits(
        cross_products(X, y, clusters), np.ones(10, int), alpha=0.001, l1_ratio=1, max_sweeps=1
    )
    assert not fits.converged.any()


def test_refused() -> None:
    X, y, clusters = study(13, p=2)
    products = cross_products(X, y, clusters)
    ones = np.ones(20, dtype=int)
    with_gap = y.copy()
    with_gap[4] = np.nan
    cases = [
        (lambda: cross_products(X, y[:-1], clusters), "one value per row"),
        (lambda: cross_products(X, with_gap, clusters), "y must be finite, but row 5 is not"),
        (lambda: cross_products(X, y, clusters, 5), "between 0 and 4, but go from 0 to 19"),
        (lambda: cross_products(X[:0], y[:0], clusters[:0]), "at least one row"),
        (lambda: elastic_net_fits(products, ones, alpha=0, l1_ratio=1), "alpha= must be above 0"),
        (lambda: elastic_net_fits(products, ones, alpha=(1, 1), l1_ratio=1), "a value twice"),
        (lambda: elastic_net_fits(products, ones, alpha=1, l1_ratio=2), "l1_ratio= must be"),
        (lambda: elastic_net_fits(products, ones[:-1], alpha=1, l1_ratio=1), "one column per"),
        (lambda: elastic_net_fits(products, ones * 0.5, alpha=1, l1_ratio=1), "whole numbers"),
        (lambda: elastic_net_fits(products, -ones, alpha=1, l1_ratio=1), "must not be negative"),
        (
            lambda: elastic_net_fits(products, ones, alpha=1, l1_ratio=1, n_threads=0),
            "n_threads= must be a whole number of at least 1",
        ),
        (
            lambda: squared_errors(
                products, [ones, ones], elastic_net_fits(products, ones, alpha=1, l1_ratio=1)
            ),
            "counts has 2 resamples, but fits has 1",
        ),
    ]
    for call, message in cases:
        with pytest.raises(DataError, match=message):
            call()
