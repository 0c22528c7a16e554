"""Factor scores and their errors, from estimates. Pure arrays."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from pyexpr.base.messages import Template

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from pyexpr.measurement.engines.protocol import Parameters


# Effect of a factor on an indicator, in their units; below this it is rounding.
_NO_EFFECT = 1e-10
INADMISSIBLE_MODEL = Template("inadmissible", "inadmissible")()


@dataclass(frozen=True, slots=True)
class GroupMatrices:
    """The model of one context, ``x = nu + Lambda f + e`` with ``f = alpha + B f + zeta``.

    Attributes
    ----------
    loadings : (p, m), Lambda
    residuals : (p, p), Theta, covariances of e
    disturbances : (m, m), Psi
        Covariances of zeta: of the factors themselves where no factor measures another.
    paths : (m, m), B
        Loadings of factors (rows) on the factors that they measure (columns).
    intercepts, alpha : (p,), (m,)
    without_error : (p,) bool
        Indicators whose residual variance is fixed at 0.
    without_disturbance : (m,) bool
        Factors that measure another and whose own variance is fixed at 0.
    """

    loadings: NDArray[np.float64]
    residuals: NDArray[np.float64]
    disturbances: NDArray[np.float64]
    paths: NDArray[np.float64]
    intercepts: NDArray[np.float64]
    alpha: NDArray[np.float64]
    without_error: NDArray[np.bool_]
    without_disturbance: NDArray[np.bool_]

    @property
    def factors(self) -> NDArray[np.float64]:
        """Covariances of the factors, (m, m)."""
        return factor_covariances(self.disturbances, self.paths)

    @property
    def means(self) -> NDArray[np.float64]:
        """Means of the factors, (m,)."""
        if not self.paths.any():
            return self.alpha
        return np.asarray(np.linalg.solve(np.eye(len(self.alpha)) - self.paths, self.alpha))

    @property
    def admissible(self) -> bool:
        """Whether covariances of residuals and of factors are positive definite.

        Variances that are 0 by design are left out, such as the residual variance of a factor's
        only indicator.
        """
        kept, own = ~self.without_error, ~self.without_disturbance
        return all(
            float(np.linalg.eigvalsh(matrix)[0]) > 0
            for matrix in (
                self.residuals[np.ix_(kept, kept)],
                self.disturbances[np.ix_(own, own)],
            )
            if len(matrix)
        )

    @property
    def sets(self) -> list[FactorSet]:
        """The factors that are scored jointly."""
        return factor_sets(self.loadings, self.paths)


@dataclass(frozen=True, slots=True)
class FactorSet:
    """Factors whose Bartlett scores hold given one another.

    Attributes
    ----------
    given : (k,) int
        Factors given which the scores are unbiased.
    scored : (k,) bool
        Those among them whose scores are computed from this set.
    direct : bool
        Whether these are all the factors that indicators measure.
    """

    given: NDArray[np.int64]
    scored: NDArray[np.bool_]
    direct: bool


def factor_covariances(
    disturbances: NDArray[np.inexact[Any]], paths: NDArray[np.inexact[Any]]
) -> NDArray[Any]:
    """Return ``(I - B)^-1 Psi (I - B)^-T``, (m, m)."""
    if not paths.any():
        return disturbances
    total = np.linalg.inv(np.eye(len(paths)) - paths)
    return np.asarray(total @ disturbances @ total.T)


def factor_sets(loadings: NDArray[np.float64], paths: NDArray[np.float64]) -> list[FactorSet]:
    """Return the factors that are scored jointly, by how far they are from the indicators.

    Those that indicators measure are one set. Factors that factors alone measure are given one
    another, and the lower factors that none of them, or of a lower set, has above it.
    """
    level = np.where(loadings.any(axis=0) | ~paths.any(axis=0), 1, 0)
    while (level == 0).any():
        for k in np.flatnonzero(level == 0):
            below = level[paths[:, k] != 0]
            if (below > 0).all():
                level[k] = below.max() + 1
    found = []
    for height in range(1, int(level.max()) + 1):
        lower = level <= height
        given = lower & ~(paths[:, lower] != 0).any(axis=1) if height > 1 else lower
        places = np.flatnonzero(given)
        found.append(FactorSet(places, level[places] == height, height == 1))
    return found


def group_matrices(
    parameters: Parameters, code: int, factors: Sequence[str], indicators: Sequence[str]
) -> GroupMatrices:
    """Arrange the estimates of one context as matrices."""
    p, m = len(indicators), len(factors)
    row = {name: j for j, name in enumerate(indicators)}
    column = {name: k for k, name in enumerate(factors)}
    loadings, residuals, psi = np.zeros((p, m)), np.zeros((p, p)), np.zeros((m, m))
    paths, intercepts, means = np.zeros((m, m)), np.zeros(p), np.zeros(m)
    nothing = {name: np.zeros(n, dtype=bool) for name, n in (("residual", p), ("factor", m))}
    for i in np.flatnonzero(parameters.group == code):
        left, op, right = parameters.lhs[i], parameters.op[i], parameters.rhs[i]
        value = parameters.estimate[i]
        if op == "=~" and right in row:
            loadings[row[right], column[left]] = value
        elif op == "=~":
            paths[column[right], column[left]] = value
        elif op == "~1":
            if left in row:
                intercepts[row[left]] = value
            else:
                means[column[left]] = value
        elif op == "~~":
            matrix, place = (residuals, row) if left in row else (psi, column)
            matrix[place[left], place[right]] = matrix[place[right], place[left]] = value
            if left == right and value == 0 and parameters.free[i] < 0:
                nothing["residual" if left in row else "factor"][place[left]] = True
    return GroupMatrices(
        loadings, residuals, psi, paths, intercepts, means, nothing["residual"],
        nothing["factor"] & paths.any(axis=1),
    )  # fmt: skip


def slopes_of(
    loadings: NDArray[np.inexact[Any]],
    covariances: NDArray[np.inexact[Any]],
    members: FactorSet,
) -> NDArray[Any]:
    """Return K, (p, k), of ``E[x | f] = K f + ...``, f the factors that are given in a set.

    ``Cov(x, f) Var(f)^-1``: Lambda where indicators measure all of them, else what the factors
    between leave of it.
    """
    given = members.given
    if members.direct:
        return loadings[:, given]
    return np.asarray(
        np.linalg.solve(covariances[np.ix_(given, given)], (loadings @ covariances[:, given]).T).T
    )


def measured(model: GroupMatrices, method: str) -> NDArray[np.bool_]:
    """Return which factors (m,) can be scored from the indicators of the model."""
    m = model.loadings.shape[1]
    if method == "regression":
        return np.full(m, len(model.loadings) > 0)
    found = np.zeros(m, dtype=bool)
    for members in model.sets:
        kept = _distinguishable(model, members)
        found[members.given] |= kept & members.scored
    return found


def _distinguishable(model: GroupMatrices, members: FactorSet) -> NDArray[np.bool_]:
    """Return which factors (k,) of a set the indicators measure, none if not apart."""
    slopes = slopes_of(model.loadings, model.factors, members)
    if not members.direct:
        implied = model.loadings @ model.factors @ model.loadings.T + model.residuals
        unit = np.sqrt(
            np.abs(np.outer(np.diag(implied), 1 / np.diag(model.factors)[members.given]))
        )
        slopes = np.where(np.abs(slopes) > _NO_EFFECT * unit, slopes, 0.0)
    some = slopes.any(axis=0)
    # Indicators that measure several factors at once may not tell them apart.
    rank = np.linalg.matrix_rank(slopes[:, some]) if some.any() else 0
    return np.asarray(some & (rank == some.sum()))


def factor_scores(
    x: NDArray[np.float64], model: GroupMatrices, method: str, *, partial: bool = False
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return scores and their standard errors, both (n, m), of rows (n, p) without NaN.

    Bartlett: ``(K'W^-1 K)^-1 K'W^-1 (x - E x + K E f) `` with error ``(K'W^-1 K)^-1``, where x
    is ``K f`` and a rest with covariances W given the factors f: for factors that indicators
    measure K = Lambda and W = Theta, for those above them what the disturbances add. The same
    with S for W, less Var(f) in the error. With `partial`, factors that no indicator here measures
    are NaN.
    Regression: ``E f + Var(f) Lambda'S^-1 (x - E x)``, error from
    ``Var(f) - Var(f) Lambda'S^-1 Lambda Var(f)``. Source: Bartlett (1937); Thurstone (1935).
    """
    if method == "bartlett":
        return _bartlett(x, model, partial)
    factors, loadings, means = model.factors, model.loadings, model.means
    implied = loadings @ factors @ loadings.T + model.residuals
    weights = np.linalg.solve(implied, loadings @ factors)
    scores = means + (x - model.intercepts - loadings @ means) @ weights
    errors = _roots(factors - factors @ loadings.T @ weights)
    return np.asarray(scores, dtype=np.float64), np.broadcast_to(errors, scores.shape)


def _bartlett(
    x: NDArray[np.float64], model: GroupMatrices, partial: bool
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    factors, means = model.factors, model.means
    expected = model.intercepts + model.loadings @ means
    scores = np.full((len(x), len(means)), np.nan)
    errors = np.full(len(means), np.nan)
    for members in model.sets:
        kept = np.ones(len(members.given), dtype=bool)
        if partial:
            kept = _distinguishable(model, members)
        given, wanted = members.given[kept], members.scored[kept]
        if not wanted.any():
            continue
        slopes = slopes_of(model.loadings, factors, members)[:, kept]
        given_factors = factors[np.ix_(given, given)]
        rest = model.residuals
        less = np.zeros_like(given_factors)
        if model.without_error.any() or not members.direct:
            rest = model.loadings @ factors @ model.loadings.T + model.residuals
            less = given_factors
        weighted = np.linalg.solve(rest, slopes)
        information = slopes.T @ weighted
        centred = x - expected + slopes @ means[given]
        found = np.linalg.solve(information, weighted.T @ centred.T).T
        error = np.linalg.inv(information) - less
        # What is measured without error has the error 0, not its rounding.
        error[np.abs(error) < 1e-12 * np.abs(less).max()] = 0.0
        scores[:, given[wanted]] = found[:, wanted]
        errors[given[wanted]] = _roots(error)[wanted]
    return scores, np.broadcast_to(errors, scores.shape)


def _roots(error: NDArray[np.float64]) -> NDArray[np.float64]:
    with np.errstate(invalid="ignore"):
        # An inadmissible model may have a negative error variance: NaN then.
        return np.asarray(np.sqrt(np.diag(error)))


def observed_part(model: GroupMatrices, seen: NDArray[np.bool_]) -> GroupMatrices:
    """Return the model of the observed indicators alone."""
    return replace(
        model,
        loadings=model.loadings[seen],
        residuals=model.residuals[np.ix_(seen, seen)],
        intercepts=model.intercepts[seen],
        without_error=model.without_error[seen],
    )
