"""Every metric against scikit-learn, scipy, or another definition; and where it is undefined."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import pearsonr
from sklearn.metrics import mean_absolute_error, r2_score, root_mean_squared_error

from pyexpr.base.errors import DataError
from pyexpr.modeling import metrics

SETTINGS = settings(derandomize=True, deadline=None, max_examples=80)
# Sums of up to 50 values of size 1e3 in another order.
ROUNDING = 1e-10
# Tenths, so that a variance is either 0 or far from it.
VALUES = st.integers(-10_000, 10_000).map(lambda tenths: tenths / 10)


def by_all_pairings(y: np.ndarray, p: np.ndarray) -> float:
    """Concordance by Lin's other definition: how much closer pairs are than chance pairings."""
    return float(1 - np.mean((y - p) ** 2) / np.mean((y[:, None] - p[None, :]) ** 2))


@SETTINGS
@given(data=st.data(), n=st.integers(2, 50))
def test_against_scikit_learn_and_scipy(data, n) -> None:
    y = data.draw(arrays(np.float64, n, elements=VALUES))
    p = data.draw(arrays(np.float64, n, elements=VALUES))
    close = {"rel": ROUNDING, "abs": ROUNDING}
    assert metrics.rmse(y, p) == pytest.approx(root_mean_squared_error(y, p), **close)
    assert metrics.nrmse(y, p, score_range=7) == pytest.approx(
        root_mean_squared_error(y, p) / 7, **close
    )
    assert metrics.mae(y, p) == pytest.approx(mean_absolute_error(y, p), **close)
    assert metrics.bias(y, p) == pytest.approx(p.mean() - y.mean(), rel=1e-9, abs=1e-9)
    flat_y, flat_p = np.ptp(y) == 0, np.ptp(p) == 0
    if flat_y:
        assert np.isnan(metrics.r2(y, p))
    else:
        assert metrics.r2(y, p) == pytest.approx(r2_score(y, p), **close)
    if flat_y or flat_p:
        assert np.isnan(metrics.correlation(y, p))
    else:
        assert metrics.correlation(y, p) == pytest.approx(pearsonr(y, p).statistic, abs=1e-9)
    if not (flat_y and flat_p):
        assert metrics.concordance(y, p) == pytest.approx(by_all_pairings(y, p), abs=1e-9)


def called(metric, truth, prediction) -> float:
    width = {"score_range": 7} if metric == "nrmse" else {}
    return metrics.METRICS[metric](truth, prediction, **width)


def test_range_of_the_scores() -> None:
    assert metrics.nrmse([0.0], [2.0], score_range=4) == 0.5
    for wrong in (0, -7, np.inf, np.nan, (0, 4)):
        with pytest.raises(DataError, match="score_range= must be a positive finite number"):
            metrics.nrmse([0.0], [2.0], score_range=wrong)
    with pytest.raises(TypeError, match="score_range"):
        metrics.nrmse([0.0], [2.0])


def test_large_offset_keeps_its_digits() -> None:
    rng = np.random.default_rng(3)
    y, p = rng.normal(size=(2, 200))
    # Steps of 2**-20 at 2**30: the sums are exact, so only the algorithm could lose digits.
    y, p = np.round(y * 2**20) / 2**20, np.round(p * 2**20) / 2**20
    shifted = metrics.correlation(y + 2.0**30, p + 2.0**30)
    assert np.isnan(shifted) or shifted == pytest.approx(metrics.correlation(y, p), abs=1e-9)
    assert metrics.correlation(y + 1000.0, p - 1000.0) == pytest.approx(
        metrics.correlation(y, p), abs=1e-12
    )


@pytest.mark.parametrize(
    ("metric", "truth", "prediction", "reason"),
    [
        ("correlation", [1.0, 2.0], [5.0, 5.0], "the prediction is constant"),
        ("correlation", [1.0, 1.0], [5.0, 6.0], "the truth is constant"),
        # The spread of 1e-7 around 1e6 is rounding: variance 2.5e-15 of a mean square of 1e12.
        ("correlation", [1.0, 2.0], [1e6, 1e6 + 1e-7], "the prediction is constant"),
        ("correlation", [0.0, 0.0], [0.0, 0.0], "the prediction is constant"),
        ("r2", [1.0, 1.0], [5.0, 6.0], "the truth is constant"),
        ("concordance", [1.0, 1.0], [1.0, 1.0], "truth and prediction are constant"),
        *((name, [], [], "no rows") for name in metrics.METRICS),
    ],
)
def test_undefined(metric, truth, prediction, reason) -> None:
    assert np.isnan(called(metric, truth, prediction))
    assert metrics.undefined_reason(metric, truth, prediction) == reason


def test_defined_has_no_reason() -> None:
    for name in metrics.METRICS:
        assert metrics.undefined_reason(name, [1.0, 2.0], [2.0, 1.0]) == ""
    assert metrics.concordance([1.0, 2.0], [5.0, 5.0]) == 0.0


@pytest.mark.parametrize(
    ("truth", "prediction", "message"),
    [
        ([1.0, np.nan], [1.0, 2.0], "the truth must be finite, but row 2 holds nan"),
        ([1.0, 2.0], [np.inf, 2.0], "the prediction must be finite, but row 1 holds inf"),
        ([1.0, 2.0], [1.0], "of one length"),
        ([[1.0]], [[1.0]], "one-dimensional"),
    ],
)
def test_refused(truth, prediction, message) -> None:
    for metric in metrics.METRICS:
        with pytest.raises(DataError, match=message):
            called(metric, truth, prediction)


def test_unknown_metric() -> None:
    with pytest.raises(DataError, match="did you mean 'correlation'"):
        metrics.undefined_reason("corelation", [1.0], [1.0])
