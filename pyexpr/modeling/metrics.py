"""Seven metrics of the agreement of predictions with the truth, and when each is undefined.

They are computed by the resampling kernel with all rows as one cluster, so that there is a single
implementation.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from pyexpr.base.checks import is_number
from pyexpr.base.errors import DataError, near_names
from pyexpr.base.messages import say
from pyexpr.base.tables import float_values
from pyexpr.core.cluster_bootstrap import Level, MetricDesign, Quantity, cluster_sums
from pyexpr.inference.comparison.sums import constant_sides

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


def rmse(truth: ArrayLike, prediction: ArrayLike) -> float:
    """Return the root mean squared error, ``sqrt(mean((p - y)^2))``; unit of the truth.

    Parameters
    ----------
    truth, prediction : array_like, shape (n,)
        No missing values; rows must be selected beforehand.

    Returns
    -------
    float
        NaN without rows (`undefined_reason` says why).

    Raises
    ------
    DataError
        If the shapes differ, or a value is missing or infinite.

    Notes
    -----
    Checked against: scikit-learn's `root_mean_squared_error`.

    Examples
    --------
    >>> rmse([0.0, 0.0], [3.0, 4.0])
    3.5355339059327378
    """
    return _value("rmse", truth, prediction)


def nrmse(truth: ArrayLike, prediction: ArrayLike, *, score_range: float) -> float:
    """Return RMSE divided by the range that scores can take; no unit.

    Parameters
    ----------
    truth, prediction : array_like, shape (n,)
        As for `rmse`.
    score_range : float
        Highest minus lowest possible score; not estimated from the data. 7 for factor
        scores from -3.5 to 3.5.

    Returns
    -------
    float

    Raises
    ------
    DataError
        As `rmse`, and if the range is not above 0.

    Notes
    -----
    Checked against: scikit-learn's `root_mean_squared_error` over the range.

    Examples
    --------
    >>> nrmse([0.0, 100.0], [25.0, 75.0], score_range=100)
    0.25
    """
    if not (is_number(score_range) and score_range > 0):
        raise DataError(
            say("{score_range=} must be a positive finite number, not {given!r}", given=score_range)
        )
    return rmse(truth, prediction) / score_range


def mae(truth: ArrayLike, prediction: ArrayLike) -> float:
    """Return the mean absolute error, ``mean(abs(p - y))``; unit of the truth.

    Parameters, missing values and errors are those of `rmse`.

    Notes
    -----
    Checked against: scikit-learn's `mean_absolute_error`.

    Examples
    --------
    >>> mae([0.0, 0.0], [3.0, -4.0])
    3.5
    """
    return _value("mae", truth, prediction)


def bias(truth: ArrayLike, prediction: ArrayLike) -> float:
    """Return the mean of prediction minus truth; unit of the truth.

    Parameters, missing values and errors are those of `rmse`.

    Examples
    --------
    >>> bias([0.0, 0.0], [3.0, -4.0])
    -0.5
    """
    return _value("bias", truth, prediction)


def correlation(truth: ArrayLike, prediction: ArrayLike) -> float:
    """Return Pearson's correlation.

    NaN if the truth or the prediction is constant, apart from rounding of numbers of its size.
    Parameters, missing values and errors are those of `rmse`.

    Notes
    -----
    Checked against: scipy's `pearsonr`.

    Examples
    --------
    >>> round(correlation([1.0, 2.0, 3.0], [1.0, 2.0, 4.0]), 3)
    0.982
    """
    return _value("correlation", truth, prediction)


def concordance(truth: ArrayLike, prediction: ArrayLike) -> float:
    """Return the concordance correlation coefficient, with moments of divisor n.

    ``2 s_yp / (s_y^2 + s_p^2 + (mean(y) - mean(p))^2)``. A constant prediction of
    a varying truth has concordance 0; NaN only if both are constant. Parameters,
    missing values and errors are those of `rmse`.

    Notes
    -----
    Source: Lin (1989), Biometrics 45, 255-268.
    Checked against: one minus the mean squared difference over its mean for all
    pairings of a truth with a prediction.

    Examples
    --------
    >>> concordance([1.0, 2.0, 3.0], [1.0, 2.0, 3.0])
    1.0
    """
    return _value("concordance", truth, prediction)


def r2(truth: ArrayLike, prediction: ArrayLike) -> float:
    """Return ``1 - SSE/SST``, with SST about the mean truth of these rows.

    Negative if the mean predicts better. NaN if the truth is constant. Parameters,
    missing values and errors are those of `rmse`.

    Notes
    -----
    Checked against: scikit-learn's `r2_score`.

    Examples
    --------
    >>> r2([1.0, 2.0, 3.0], [1.0, 2.0, 3.0])
    1.0
    """
    return _value("r2", truth, prediction)


METRICS: dict[str, Callable[..., float]] = {
    "rmse": rmse,
    "nrmse": nrmse,
    "mae": mae,
    "correlation": correlation,
    "concordance": concordance,
    "r2": r2,
    "bias": bias,
}


def undefined_reason(metric: str, truth: ArrayLike, prediction: ArrayLike) -> str:
    """Return why a metric is NaN on these rows, or "" if it is defined.

    Parameters
    ----------
    metric : str
        One of `METRICS`.
    truth, prediction : array_like, shape (n,)
        As for the metric itself.

    Raises
    ------
    DataError
        If the metric is unknown, or the arrays cannot be used.

    Examples
    --------
    >>> undefined_reason("correlation", [1.0, 2.0], [5.0, 5.0])
    'the prediction is constant'
    """
    if metric not in METRICS:
        raise DataError(f"unknown metric {metric!r}; {near_names(metric, METRICS)}")
    y, p = _checked(truth, prediction)
    if len(y) == 0:
        return "no rows"
    constant = constant_sides(cluster_sums(p, y, np.zeros(len(y), dtype=np.int64), 1))
    flat_truth, flat_prediction = "t" in constant, "p" in constant
    if metric == "correlation" and flat_prediction:
        return "the prediction is constant"
    if metric in ("correlation", "r2") and flat_truth:
        return "the truth is constant"
    if metric == "concordance" and flat_truth and flat_prediction:
        return "truth and prediction are constant"
    return ""


def _value(metric: str, truth: ArrayLike, prediction: ArrayLike) -> float:
    y, p = _checked(truth, prediction)
    rows = cluster_sums(p, y, np.zeros(len(y), dtype=np.int64), 1)
    design = MetricDesign([rows], [Level(metric, (0,))], [Quantity(0)], (1,))
    return float(design.estimate()[0])


def _checked(
    truth: ArrayLike, prediction: ArrayLike
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    y = float_values(truth, argument="the truth")
    p = float_values(prediction, argument="the prediction")
    if y.ndim != 1 or y.shape != p.shape:
        raise DataError(
            f"truth and prediction must be one-dimensional and of one length, "
            f"but their shapes are {y.shape} and {p.shape}"
        )
    for name, values in (("truth", y), ("prediction", p)):
        bad = np.flatnonzero(~np.isfinite(values))
        if len(bad):
            raise DataError(
                f"the {name} must be finite, but row {bad[0] + 1} holds {values[bad[0]]} "
                f"({len(bad)} such rows); leave out these rows for all models"
            )
    return y, p
