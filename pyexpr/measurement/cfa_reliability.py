"""How well a fitted model measures its factors, by scores and by sums; with intervals."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from pyexpr.measurement.scores import GroupMatrices, group_matrices

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pyexpr.measurement.engines.protocol import FitOutput
    from pyexpr.measurement.spec import MeasurementModel

QUANTITIES = ("score_reliability", "determinacy", "omega")
# Each quantity is (I / (1 + I)) to this power, I its ratio.
_POWERS = np.array([1.0, 0.5, 1.0])
# Of the complex step: nothing is subtracted, so it may be as small as it likes.
_STEP = 1e-60
_INADMISSIBLE = "inadmissible"
_NO_ERROR = "an indicator has no residual variance by design"
_NOT_APART = "the indicators do not tell the factors apart"
_NO_OMEGA = "an indicator measures another factor too, so a sum is not of this factor alone"


@dataclass(frozen=True, slots=True)
class Share:
    """One quantity of one factor: a share, its limits, or why there is none."""

    factor: str
    quantity: str
    estimate: float
    conf_low: float
    conf_high: float
    reason: str


def shares(output: FitOutput, model: MeasurementModel, code: int, z: float) -> list[Share]:
    """Return `QUANTITIES` of every factor in one group, limits `z` standard errors away.

    The delta method on the logarithm of each ratio, over all parameters of the group.
    """
    factors, indicators = model.factors, model.indicators
    matrices = group_matrices(output.parameters, code, factors, indicators)
    reasons = _reasons(matrices)
    if (reasons == _INADMISSIBLE).all():
        logs = errors = np.full(reasons.shape, np.nan)
    else:
        logs, errors = _estimates(output, matrices, code, factors, indicators)
    found = []
    for k, factor in enumerate(factors):
        for q, quantity in enumerate(QUANTITIES):
            estimate = low = high = math.nan
            if not reasons[q, k]:
                limits = logs[q, k] + z * errors[q, k] * np.array([0.0, -1.0, 1.0])
                # ratio / (1 + ratio), also where the ratio itself is beyond the largest number.
                explained = np.exp(-np.logaddexp(0.0, -limits))
                estimate, low, high = (explained ** _POWERS[q]).tolist()
            found.append(Share(factor, quantity, estimate, low, high, reasons[q, k]))
    return found


def no_shares(model: MeasurementModel, reason: str) -> list[Share]:
    """Return `QUANTITIES` of every factor without a value, and why."""
    return [
        Share(factor, quantity, math.nan, math.nan, math.nan, reason)
        for factor in model.factors
        for quantity in QUANTITIES
    ]


def _reasons(matrices: GroupMatrices) -> NDArray[np.object_]:
    """Return why quantities of factors have no value, (3, m), "" where they have one."""
    loads = matrices.loadings != 0
    reasons = np.full((len(QUANTITIES), loads.shape[1]), "", dtype=object)
    reasons[-1, loads[loads.sum(axis=1) > 1].any(axis=0)] = _NO_OMEGA
    if not _apart(matrices.loadings):
        reasons[0] = _NOT_APART
    reasons[:, loads[matrices.without_error].any(axis=0)] = _NO_ERROR
    if not matrices.admissible:
        reasons[:] = _INADMISSIBLE
    return reasons


def _apart(loadings: NDArray[np.inexact[Any]]) -> bool:
    """Say whether Bartlett scores of the factors are defined."""
    return bool(np.linalg.matrix_rank(loadings.real) == loadings.shape[1])


def _estimates(
    output: FitOutput,
    matrices: GroupMatrices,
    code: int,
    factors: tuple[str, ...],
    indicators: tuple[str, ...],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the logarithms of the ratios, (3, m), and their standard errors."""
    parameters = output.parameters
    rows = np.flatnonzero((parameters.group == code) & (parameters.free >= 0))
    slopes = []
    for row in rows:
        # Where one parameter stands in the matrices: those with a 1 in its place alone.
        one = np.zeros(len(parameters.estimate))
        one[row] = 1.0
        place = group_matrices(replace(parameters, estimate=one), code, factors, indicators)
        slopes.append(
            _log_ratios(
                matrices.loadings + 1j * _STEP * place.loadings,
                matrices.residuals + 1j * _STEP * place.residuals,
                matrices.factors + 1j * _STEP * place.factors,
            ).imag
            / _STEP
        )
    free = parameters.free[rows]
    vcov = output.vcov[np.ix_(free, free)]
    gradient = np.array(slopes).reshape(len(rows), len(QUANTITIES), len(factors))
    variance = np.einsum("iqk,ij,jqk->qk", gradient, vcov, gradient)
    logs = _log_ratios(matrices.loadings, matrices.residuals, matrices.factors)
    # Of fixed parameters alone the variance is 0, or its rounding.
    return np.asarray(logs.real), np.sqrt(np.maximum(variance, 0.0))


def _log_ratios(
    loadings: NDArray[np.inexact[Any]],
    residuals: NDArray[np.inexact[Any]],
    factors: NDArray[np.inexact[Any]],
) -> NDArray[np.complex128]:
    """Return log I of each quantity and factor, (3, m), with ``I / (1 + I)`` the share.

    With S the implied covariance: ``psi_kk / E_kk``, E the error of Bartlett scores,
    ``(L'S^-1 L)^-1 - Psi``; ``R2 / (1 - R2)``, R2 the squared correlation with
    regression scores, ``(Psi L'S^-1 L Psi)_kk / psi_kk``; and ``psi_kk (sum lambda)^2 /
    sum Theta`` over the factor's own indicators, each by the sign of its loading.
    """
    variances = np.diag(factors)
    implied = loadings @ factors @ loadings.T + residuals
    information = loadings.T @ np.linalg.solve(implied, loadings)
    unexplained = np.full_like(variances, np.nan)
    if _apart(loadings):
        unexplained = np.diag(np.linalg.inv(information)) - variances
    explained = np.diag(factors @ information @ factors) / variances
    # Of a sum in which indicators that load negatively are turned around.
    own = np.sign(loadings.real).T
    total = np.einsum("kj,jl,kl->k", own, residuals, own)
    with np.errstate(divide="ignore", invalid="ignore"):
        # Infinite or not defined where a reason says so, and not shown.
        ratios = np.array(
            [
                variances / unexplained,
                explained / (1 - explained),
                variances * (own * loadings.T).sum(axis=1) ** 2 / total,
            ]
        )
        return np.log(ratios.astype(np.complex128))
