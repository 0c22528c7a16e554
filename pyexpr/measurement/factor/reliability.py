"""How well a fitted model measures its factors, by scores and by sums; with intervals."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from pyexpr.base.messages import Template
from pyexpr.measurement.factor.scores import (
    INADMISSIBLE_MODEL,
    FactorSet,
    GroupMatrices,
    factor_covariances,
    group_matrices,
    slopes_of,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pyexpr.measurement.engines.protocol import FitOutput
    from pyexpr.measurement.specification import MeasurementModel

QUANTITIES = ("score_reliability", "determinacy", "omega")
# Each quantity is (I / (1 + I)) to this power, I its ratio.
_POWERS = np.array([1.0, 0.5, 1.0])
# The size of the complex step: nothing is subtracted, so it may be arbitrarily small.
_STEP = 1e-60
_NO_ERROR = Template("no_error_by_design", "an indicator has no residual variance by design")()
_NOT_APART = Template("factors_not_apart", "the indicators do not distinguish the factors")()
_NO_OMEGA = Template(
    "indicator_of_two_factors",
    "an indicator also measures another factor, so a sum does not measure only this factor",
)()
_MIXED = Template(
    "indicators_and_factors",
    "it is measured by both indicators and factors, so it is not defined which of them to sum",
)()


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
    """Return `QUANTITIES` of every factor in one context, limits `z` standard errors away.

    The limits use the delta method on the logarithm of each ratio, over all parameters of the
    context.
    """
    factors, indicators = model.factors, model.indicators
    matrices = group_matrices(output.parameters, code, factors, indicators)
    reasons = _reasons(matrices)
    if (reasons == INADMISSIBLE_MODEL).all():
        logs = errors = np.full(reasons.shape, np.nan)
    else:
        logs, errors = _estimates(output, matrices, code, factors, indicators)
    found = []
    for k, factor in enumerate(factors):
        for q, quantity in enumerate(quantities_of(model, factor)):
            estimate = low = high = math.nan
            if not reasons[q, k]:
                limits = logs[q, k] + z * errors[q, k] * np.array([0.0, -1.0, 1.0])
                # ratio / (1 + ratio), also where the ratio itself is beyond the largest number.
                explained = np.exp(-np.logaddexp(0.0, -limits))
                estimate, low, high = (explained ** _POWERS[q]).tolist()
            found.append(Share(factor, quantity, estimate, low, high, reasons[q, k]))
    return found


def quantities_of(model: MeasurementModel, factor: str) -> tuple[str, ...]:
    """Return the names of a factor's quantities; omega of a higher-order factor is omega_h."""
    above = model.levels[factor] > 1
    return tuple("omega_h" if above and q == "omega" else q for q in QUANTITIES)


def no_shares(model: MeasurementModel, reason: str) -> list[Share]:
    """Return `QUANTITIES` of every factor without a value, and why."""
    return [
        Share(factor, quantity, math.nan, math.nan, math.nan, reason)
        for factor in model.factors
        for quantity in quantities_of(model, factor)
    ]


def _reasons(matrices: GroupMatrices) -> NDArray[np.object_]:
    """Return why quantities of factors have no value, (3, m), "" where they have one."""
    loads, paths = matrices.loadings != 0, matrices.paths != 0
    reasons = np.full((len(QUANTITIES), loads.shape[1]), "", dtype=object)
    reasons[-1] = ["" if _alone(loads, paths, k) else _NO_OMEGA for k in range(loads.shape[1])]
    reasons[-1, loads.any(axis=0) & paths.any(axis=0)] = _MIXED
    if not matrices.admissible:
        reasons[:] = INADMISSIBLE_MODEL
        return reasons
    for members in matrices.sets:
        slopes = slopes_of(matrices.loadings, matrices.factors, members)
        if np.linalg.matrix_rank(slopes) < len(members.given):
            reasons[0, members.given[members.scored]] = _NOT_APART
    reasons[:, loads[matrices.without_error].any(axis=0)] = _NO_ERROR
    return reasons


def _alone(loads: NDArray[np.bool_], paths: NDArray[np.bool_], k: int) -> bool:
    """Say whether k's indicators measure no factor other than `k` and its lower-order factors."""
    below = _below(paths, k)
    theirs = loads[np.asarray(loads[:, below].any(axis=1))]
    others = below & (np.arange(len(paths)) != k)
    return not (theirs[:, ~below].any() or paths[np.ix_(others, ~below)].any())


def _below(paths: NDArray[np.bool_], k: int) -> NDArray[np.bool_]:
    """Return which factors are `k` or one of its lower-order factors, at any level."""
    found = np.zeros(len(paths), dtype=bool)
    found[k] = True
    for _ in range(len(paths)):
        found |= paths[:, found].any(axis=1)
    return found


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
        # The position of one parameter in the matrices, which have a 1 only there.
        one = np.zeros(len(parameters.estimate))
        one[row] = 1.0
        place = group_matrices(replace(parameters, estimate=one), code, factors, indicators)
        slopes.append(
            _log_ratios(
                matrices,
                matrices.loadings + 1j * _STEP * place.loadings,
                matrices.residuals + 1j * _STEP * place.residuals,
                matrices.disturbances + 1j * _STEP * place.disturbances,
                matrices.paths + 1j * _STEP * place.paths,
            ).imag
            / _STEP
        )
    free = parameters.free[rows]
    vcov = output.vcov[np.ix_(free, free)]
    gradient = np.array(slopes).reshape(len(rows), len(QUANTITIES), len(factors))
    variance = np.einsum("iqk,ij,jqk->qk", gradient, vcov, gradient)
    logs = _log_ratios(
        matrices, matrices.loadings, matrices.residuals, matrices.disturbances, matrices.paths
    )
    # If all parameters are fixed, the variance is 0 up to rounding.
    return np.asarray(logs.real), np.sqrt(np.maximum(variance, 0.0))


def _log_ratios(
    at: GroupMatrices,
    loadings: NDArray[np.inexact[Any]],
    residuals: NDArray[np.inexact[Any]],
    disturbances: NDArray[np.inexact[Any]],
    paths: NDArray[np.inexact[Any]],
) -> NDArray[np.complex128]:
    """Return log I of each quantity and factor, (3, m), with ``I / (1 + I)`` the share.

    Near the model `at`, whose zeros and signs say what is summed. With S the implied
    covariance and V that of the factors: ``V_kk / E_kk``, E the error of Bartlett scores,
    ``(K'S^-1 K)^-1 - V``; ``R2 / (1 - R2)``, R2 the squared correlation with
    regression scores, ``(V L'S^-1 L V)_kk / V_kk``; and ``V_kk (sum lambda)^2 /
    sum Theta`` over the factor's own indicators, each by the sign of its loading, or for a
    higher factor the same of all indicators below it.
    """
    factors = factor_covariances(disturbances, paths)
    variances = np.diag(factors)
    implied = loadings @ factors @ loadings.T + residuals
    information = loadings.T @ np.linalg.solve(implied, loadings)
    unexplained = np.full_like(variances, np.nan)
    for members in at.sets:
        found = _unexplained(loadings, implied, factors, members)
        unexplained[members.given[members.scored]] = found[members.scored]
    explained = np.diag(factors @ information @ factors) / variances
    with np.errstate(divide="ignore", invalid="ignore"):
        # Infinite or not defined where a reason says so, and not shown.
        ratios = np.array(
            [
                variances / unexplained,
                explained / (1 - explained),
                _of_sums(at, loadings, residuals, implied, factors),
            ]
        )
        return np.log(ratios.astype(np.complex128))


def _unexplained(
    loadings: NDArray[np.inexact[Any]],
    implied: NDArray[np.inexact[Any]],
    factors: NDArray[np.inexact[Any]],
    members: FactorSet,
) -> NDArray[Any]:
    """Return the error variances (k,) of the Bartlett scores of a set, NaN if not apart."""
    given = members.given
    slopes = slopes_of(loadings, factors, members)
    if np.linalg.matrix_rank(slopes.real) < len(given):
        return np.full(len(given), np.nan, dtype=slopes.dtype)
    information = slopes.T @ np.linalg.solve(implied, slopes)
    return np.asarray(np.diag(np.linalg.inv(information)) - np.diag(factors)[given])


def _of_sums(
    at: GroupMatrices,
    loadings: NDArray[np.inexact[Any]],
    residuals: NDArray[np.inexact[Any]],
    implied: NDArray[np.inexact[Any]],
    factors: NDArray[np.inexact[Any]],
) -> NDArray[Any]:
    """Return for each factor (m,) the ratio of explained to unexplained variance of its sum."""
    variances = np.diag(factors)
    # For a sum in which indicators that load negatively are reversed.
    own = np.sign(at.loadings).T
    total = np.einsum("kj,jl,kl->k", own, residuals, own)
    ratios = variances * (own * loadings.T).sum(axis=1) ** 2 / total
    for members in at.sets:
        for k in () if members.direct else members.given[members.scored]:
            below = (at.loadings[:, _below(at.paths != 0, int(k))] != 0).any(axis=1)
            turned = np.sign((at.loadings @ at.factors[:, k]).real) * below
            common = (turned @ loadings @ factors[:, k]) ** 2 / variances[k]
            ratios[k] = common / (turned @ implied @ turned - common)
    return np.asarray(ratios)
