"""Factor scores and their errors, from estimates. Pure arrays."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from pyexpr.measurement.engines.protocol import Parameters


@dataclass(frozen=True, slots=True)
class GroupMatrices:
    """The model of one group: Lambda (p, m), Theta (p, p), Psi (m, m), nu (p,), alpha (m,).

    `without_error` (p,) marks the indicators whose residual variance is fixed at 0.
    """

    loadings: NDArray[np.float64]
    residuals: NDArray[np.float64]
    factors: NDArray[np.float64]
    intercepts: NDArray[np.float64]
    means: NDArray[np.float64]
    without_error: NDArray[np.bool_]

    @property
    def admissible(self) -> bool:
        """Whether residual and factor covariances are positive definite.

        A residual variance of 0 by design, as that of a factor's only indicator, is left out.
        """
        kept = ~self.without_error
        own = self.residuals[np.ix_(kept, kept)]
        return all(
            float(np.linalg.eigvalsh(matrix)[0]) > 0
            for matrix in (own, self.factors)
            if len(matrix)
        )


def group_matrices(
    parameters: Parameters, code: int, factors: Sequence[str], indicators: Sequence[str]
) -> GroupMatrices:
    """Arrange the estimates of one group as matrices."""
    p, m = len(indicators), len(factors)
    row = {name: j for j, name in enumerate(indicators)}
    column = {name: k for k, name in enumerate(factors)}
    loadings, residuals, psi = np.zeros((p, m)), np.zeros((p, p)), np.zeros((m, m))
    intercepts, means = np.zeros(p), np.zeros(m)
    without_error = np.zeros(p, dtype=bool)
    for i in np.flatnonzero(parameters.group == code):
        left, op, right = parameters.lhs[i], parameters.op[i], parameters.rhs[i]
        value = parameters.estimate[i]
        if op == "=~":
            loadings[row[right], column[left]] = value
        elif op == "~1":
            if left in row:
                intercepts[row[left]] = value
            else:
                means[column[left]] = value
        elif op == "~~":
            matrix, place = (residuals, row) if left in row else (psi, column)
            matrix[place[left], place[right]] = matrix[place[right], place[left]] = value
            if left == right and left in row and value == 0 and parameters.free[i] < 0:
                without_error[row[left]] = True
    return GroupMatrices(loadings, residuals, psi, intercepts, means, without_error)


def factor_scores(
    x: NDArray[np.float64], model: GroupMatrices, method: str
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return scores and their standard errors, both (n, m), of rows (n, p) without NaN.

    Bartlett: ``(L'T^-1 L)^-1 L'T^-1 (x - nu)``, error from ``(L'T^-1 L)^-1``; the same with S for
    T, less psi in the error, where an indicator has no residual variance.
    Regression: ``alpha + psi L'S^-1 (x - nu - L alpha)``, error from
    ``psi - psi L'S^-1 L psi``. Source: Bartlett (1937); Thurstone (1935).
    """
    centred = x - model.intercepts
    implied = model.loadings @ model.factors @ model.loadings.T + model.residuals
    if method == "bartlett" and model.without_error.any():
        weighted = np.linalg.solve(implied, model.loadings)
        information = model.loadings.T @ weighted
        scores = np.linalg.solve(information, weighted.T @ centred.T).T
        error = np.linalg.inv(information) - model.factors
        # What is measured without error has the error 0, not its rounding.
        error[np.abs(error) < 1e-12 * np.abs(model.factors).max()] = 0.0
    elif method == "bartlett":
        weighted = np.linalg.solve(model.residuals, model.loadings)
        information = model.loadings.T @ weighted
        scores = np.linalg.solve(information, weighted.T @ centred.T).T
        error = np.linalg.inv(information)
    else:
        weights = np.linalg.solve(implied, model.loadings @ model.factors)
        scores = model.means + (centred - model.loadings @ model.means) @ weights
        error = model.factors - model.factors @ model.loadings.T @ weights
    with np.errstate(invalid="ignore"):
        # An inadmissible model may have a negative error variance: NaN then.
        errors = np.sqrt(np.diag(error))
    return np.asarray(scores, dtype=np.float64), np.broadcast_to(errors, scores.shape)


def observed_part(model: GroupMatrices, seen: NDArray[np.bool_]) -> GroupMatrices:
    """Return the model of the observed indicators alone."""
    return GroupMatrices(
        model.loadings[seen],
        model.residuals[np.ix_(seen, seen)],
        model.factors,
        model.intercepts[seen],
        model.means,
        model.without_error[seen],
    )


def factors_alone(model: GroupMatrices, kept: NDArray[np.bool_]) -> GroupMatrices:
    """Return the model without the factors that no indicator here measures."""
    return replace(
        model,
        loadings=model.loadings[:, kept],
        factors=model.factors[np.ix_(kept, kept)],
        means=model.means[kept],
    )
