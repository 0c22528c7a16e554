"""Tests of estimates: Student's t for one, F for several at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class ContrastTests:
    """Linear contrasts of coefficients; every array is (m,).

    `statistic` is (estimate - null) / std_error, referred to Student's t with `df`.
    """

    estimate: NDArray[np.float64]
    std_error: NDArray[np.float64]
    statistic: NDArray[np.float64]
    df: NDArray[np.float64]
    p_value: NDArray[np.float64]

    def limits(
        self, confidence: float | NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the ends of the intervals, estimate -+ t std_error."""
        from scipy.special import stdtrit

        half = stdtrit(self.df, (1 + np.asarray(confidence)) / 2) * self.std_error
        return self.estimate - half, self.estimate + half


@dataclass(frozen=True, slots=True)
class WaldTest:
    """A test of q contrasts at once: F with df1 = q and df2 degrees of freedom.

    NaN where there is none; `reason` may say why.
    """

    statistic: float
    df1: int
    df2: float
    p_value: float
    reason: str = ""


def t_tests(
    estimate: NDArray[np.float64],
    std_error: NDArray[np.float64],
    df: NDArray[np.float64],
    rounding: NDArray[np.float64],
    null: float = 0.0,
) -> ContrastTests:
    """Refer estimates to Student's t; if an error is at most `rounding`, there is no test."""
    from scipy.special import stdtr

    constant = ~(std_error > rounding)
    with np.errstate(divide="ignore", invalid="ignore"):
        statistic = np.where(constant, np.nan, (estimate - null) / std_error)
        p = 2 * stdtr(df, -np.abs(statistic))
    # If t is so large that p underflows, p is set to the smallest positive number.
    p = np.where(p == 0, np.nextafter(0, 1), p)
    return ContrastTests(estimate, std_error, statistic, df, p)


def f_test(
    estimate: NDArray[np.float64],
    scores: NDArray[np.float64],
    unit: NDArray[np.float64],
    eta: float,
    rounding: float,
) -> WaldTest:
    """Refer the Hotelling T2 of q contrasts on eta degrees of freedom to F.

    Parameters
    ----------
    estimate : ndarray, shape (q,)
    scores : ndarray, shape (G, q)
        Their covariance is ``scores' scores``.
    unit : ndarray, shape (q, q)
        Covariance that independent errors of variance 1 would give.
    eta, rounding : float
        If a combination of the contrasts has a standard error of at most `rounding` times that of
        `unit`, it does not vary, and there is no test.
    """
    from scipy.special import fdtrc

    q = len(estimate)
    df2 = eta - q + 1
    none = WaldTest(float("nan"), q, float(df2), float("nan"))
    if not df2 > 0 or not np.isfinite(scores).all():
        return none
    root = np.linalg.cholesky(unit)
    _, s, Vt = np.linalg.svd(np.linalg.solve(root, scores.T).T, full_matrices=False)
    if len(s) < q or not s[-1] > rounding:
        return none
    quadratic = float(np.sum((Vt @ np.linalg.solve(root, estimate) / s) ** 2))
    statistic = df2 / (eta * q) * quadratic
    p = float(fdtrc(q, df2, statistic))
    return WaldTest(float(statistic), q, float(df2), p if p > 0 else float(np.nextafter(0, 1)))
