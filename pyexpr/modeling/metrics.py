"""How well predictions match the truth: seven metrics, and when each is undefined."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from pyexpr.base.checks import is_number
from pyexpr.base.errors import DataError, near_names
from pyexpr.base.messages import say
from pyexpr.base.tables import float_values

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

# A variance this small beside its mean square is rounding, not spread.
CONSTANT = 1e-12


def rmse(truth: ArrayLike, prediction: ArrayLike) -> float:
    """Return the root mean squared error, ``sqrt(mean((p - y)^2))``; unit of the truth.

    Parameters
    ----------
    truth, prediction : array_like, shape (n,)
        No missing values: which rows count is decided before.

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
    y, p = _checked(truth, prediction)
    return float(np.sqrt(np.mean((p - y) ** 2))) if len(y) else np.nan


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
    y, p = _checked(truth, prediction)
    return float(np.mean(np.abs(p - y))) if len(y) else np.nan


def bias(truth: ArrayLike, prediction: ArrayLike) -> float:
    """Return the mean of prediction minus truth; unit of the truth.

    Parameters, missing values and errors are those of `rmse`.

    Examples
    --------
    >>> bias([0.0, 0.0], [3.0, -4.0])
    -0.5
    """
    y, p = _checked(truth, prediction)
    return float(np.mean(p - y)) if len(y) else np.nan


def correlation(truth: ArrayLike, prediction: ArrayLike) -> float:
    """Return Pearson's correlation.

    NaN if the truth or the prediction is constant: its variance is at most 1e-12
    of its mean square. Parameters, missing values and errors are those of `rmse`.

    Notes
    -----
    Checked against: scipy's `pearsonr`.

    Examples
    --------
    >>> round(correlation([1.0, 2.0, 3.0], [1.0, 2.0, 4.0]), 3)
    0.982
    """
    y, p = _checked(truth, prediction)
    if undefined_reason("correlation", y, p):
        return np.nan
    dy, dp = y - y.mean(), p - p.mean()
    return float(np.clip(dy @ dp / np.sqrt((dy @ dy) * (dp @ dp)), -1.0, 1.0))


def concordance(truth: ArrayLike, prediction: ArrayLike) -> float:
    """Return the concordance correlation coefficient, moments with divisor n.

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
    y, p = _checked(truth, prediction)
    if undefined_reason("concordance", y, p):
        return np.nan
    dy, dp = y - y.mean(), p - p.mean()
    spread = np.mean(dy**2) + np.mean(dp**2) + (y.mean() - p.mean()) ** 2
    return float(2 * np.mean(dy * dp) / spread)


def r2(truth: ArrayLike, prediction: ArrayLike) -> float:
    """Return ``1 - SSE/SST``, SST about the mean truth of these rows.

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
    y, p = _checked(truth, prediction)
    if undefined_reason("r2", y, p):
        return np.nan
    dy = y - y.mean()
    return float(1 - np.sum((p - y) ** 2) / (dy @ dy))


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
    """Return why a metric is NaN on these rows, or "" where it is defined.

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
    flat_truth, flat_prediction = _constant(y), _constant(p)
    if metric == "correlation" and flat_prediction:
        return "the prediction is constant"
    if metric in ("correlation", "r2") and flat_truth:
        return "the truth is constant"
    if metric == "concordance" and flat_truth and flat_prediction:
        return "truth and prediction are constant"
    return ""


def _constant(values: NDArray[np.float64]) -> bool:
    return bool(np.var(values) <= CONSTANT * np.mean(values**2))


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
                f"({len(bad)} such rows); leave these rows out of every model alike"
            )
    return y, p
