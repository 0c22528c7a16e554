"""Masks of NumPy's masked arrays: missing values wherever arrays enter, or refused."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

import pyexpr as px
from pyexpr.base.arrays import unmasked
from pyexpr.modeling.metrics import rmse
from pyexpr.resampling.multiplicity import holm

RATINGS = np.array(
    [[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]]
)
MASK = np.zeros(RATINGS.shape, dtype=bool)
MASK[0, 1] = True


@pytest.mark.parametrize(
    ("values", "kind", "missing"),
    [
        (np.array([1, 2, 3]), "f", math.nan),
        (np.array([1.5, 2, 3], dtype=np.float32), "f", math.nan),
        (np.array([1 + 1j, 2, 3]), "c", math.nan),
        (np.array(["2024-01-01", "2024-01-02", "2024-01-03"], "datetime64[D]"), "M", None),
        (np.array(["a", "b", "c"]), "O", None),
        (np.array([True, False, True]), "O", None),
    ],
)
def test_what_is_masked_is_missing(values: np.ndarray, kind: str, missing: object) -> None:
    plain = unmasked(np.ma.masked_array(values, mask=[False, True, False]))
    assert not isinstance(plain, np.ma.MaskedArray)
    assert plain.dtype.kind == kind
    assert pd.isna(plain[1])
    assert missing is not None or kind == "M" or plain[1] is None
    assert plain[0] == values[0]
    assert plain[2] == values[2]


def test_nothing_masked_and_no_mask_are_the_array_itself() -> None:
    values = np.arange(3)
    assert unmasked(values) is values
    assert unmasked(np.ma.masked_array(values)).dtype == values.dtype
    assert unmasked("text") == "text"
    rows = unmasked([np.ma.masked_array([1, 2], mask=[True, False]), np.array([3, 4])])
    assert np.isnan(rows[0][0])
    assert unmasked(np.ma.masked).shape == ()


@pytest.mark.parametrize("dtype", [int, float, np.float32])
def test_icc_leaves_masked_ratings_out(dtype: type) -> None:
    hidden = RATINGS.astype(dtype)
    hidden[MASK] = -999
    missing = RATINGS.astype(float)
    missing[MASK] = np.nan
    found = px.icc(np.ma.masked_array(hidden, MASK)).tidy()
    pd.testing.assert_frame_equal(found, px.icc(missing).tidy())
    rows = px.icc(list(np.ma.masked_array(hidden, MASK))).tidy()
    pd.testing.assert_frame_equal(rows, found)
    columns = {name: np.ma.masked_array(hidden, MASK)[:, j] for j, name in enumerate("abcd")}
    pd.testing.assert_frame_equal(px.icc(columns).tidy(), found)


def test_models_refuse_masked_features_labels_and_subjects() -> None:
    rng = np.random.default_rng(1)
    X, y = rng.normal(size=(40, 2)), rng.normal(size=40)
    groups = np.repeat(np.arange(10), 4)
    first = np.arange(40) == 0
    masked = np.ma.masked_array(X, np.column_stack([first, first]))
    model = px.ElasticNetRegressor(alpha=0.1, l1_ratio=0.5)
    with pytest.raises(ValueError, match="X contains NaN"):
        model.fit(masked, y)
    with pytest.raises(ValueError, match="y contains NaN"):
        model.fit(X, np.ma.masked_array(y, first))
    with pytest.raises(ValueError, match="contains NaN"):
        model.fit(X, y, validation=(masked, y))
    with pytest.raises(ValueError, match="X contains NaN"):
        model.fit(X, y).predict(masked)
    tuned = px.ElasticNetRegressor(alpha=[0.1, 0.2], n_folds=2)
    with pytest.raises(px.errors.ColumnError, match="missing"):
        tuned.fit(X, y, groups=np.ma.masked_array(groups, first))
    by_context = px.ContextualRegressor(model)
    context = np.repeat(["a", "b"], 20)
    with pytest.raises(px.errors.ColumnError, match="missing"):
        by_context.fit(X, y, context=np.ma.masked_array(context, first))
    with pytest.raises(ValueError, match="X contains NaN"):
        by_context.fit(masked, y, context=context)
    with pytest.raises(ValueError, match="contains NaN"):
        by_context.fit(X, np.ma.masked_array(y, first), context=context)


def test_coefficients_leave_masked_rows_out() -> None:
    rng = np.random.default_rng(2)
    n = 120
    X, y = rng.normal(size=(n, 2)), rng.normal(size=n)
    first = np.arange(n) == 0
    given = {"context": np.tile(["a", "b"], n // 2), "cluster": np.repeat(np.arange(20), 6)}
    hidden, wrong = X.copy(), X.copy()
    hidden[0], wrong[0] = np.nan, -999
    expected = px.context_coefficients(hidden, y, **given).tidy()
    mask = np.column_stack([first, first])
    found = px.context_coefficients(np.ma.masked_array(wrong, mask), y, **given).tidy()
    pd.testing.assert_frame_equal(found, expected)
    label = np.ma.masked_array(np.where(first, -999, y), first)
    pd.testing.assert_frame_equal(px.context_coefficients(X, label, **given).tidy(), expected)
    masked = {"cluster": np.ma.masked_array(given["cluster"], first)}
    with pytest.raises(px.errors.ColumnError, match="missing"):
        px.context_coefficients(X, y, **(given | masked))


def test_splits_metrics_and_p_values() -> None:
    subjects = np.ma.masked_array(np.repeat(np.arange(12), 2), np.arange(24) == 3)
    for call in (px.split_subjects, px.subject_folds):
        with pytest.raises(px.errors.ColumnError, match="missing"):
            call(subjects)
    with pytest.raises(px.errors.DataError, match="truth must be finite"):
        rmse(np.ma.masked_array([1.0, 2.0, -999.0], [False, False, True]), [1.0, 2.0, 3.0])
    adjusted = holm(np.ma.masked_array([0.01, 0.02, 0.0], [False, False, True]))
    assert adjusted[:2].tolist() == [0.02, 0.02]
    assert np.isnan(adjusted[2])


def test_a_masked_statistic_is_undefined() -> None:
    table = pd.DataFrame({"x": np.arange(12.0), "subject": np.repeat(np.arange(6), 2)})
    with pytest.raises(px.errors.DataError, match="'none' is not defined on the table itself"):
        px.cluster_bootstrap(
            table,
            lambda rows, weights: {"mean": np.mean(rows["x"]), "none": np.ma.masked},
            cluster="subject", n_boot=50, seed=1,
        )  # fmt: skip
