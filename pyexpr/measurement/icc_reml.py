"""Two-way ICCs when cells are missing: variance components by REML.

Model: rating = mean + target + rater + error, the last three random. With lambda_t and
lambda_r the variances over that of error, the restricted likelihood is a function of these
two alone (mean and error variance profiled out). The larger factor is eliminated, so that
only a matrix of the size of the smaller one is factored (Bates et al. 2015 order it likewise).

References
----------
Patterson, H. D. and Thompson, R. (1971). Recovery of inter-block information when block sizes
are unequal. Biometrika, 58, 545-554.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pyexpr.measurement.icc_intervals import NAN, Signal

if TYPE_CHECKING:
    from numpy.typing import NDArray

METHOD = "REML, delta"
ONE_RATER = "there is only one rater"
NOT_DETERMINED = "raters and targets are too little crossed to tell their variances apart"
NO_RESIDUAL = "targets and raters explain the ratings fully: the error variance is 0"
TARGETS_AT_BOUND = "boundary: the variance of targets is estimated as 0, so there is no interval"
RATERS_AT_BOUND = "boundary: the variance of raters is estimated as 0"

# Beyond it the error variance is rounding.
LARGEST_RATIO = 1e8
SMALLEST_RESIDUAL = 1e-12
# Differences of the exact gradient, in log lambda: error about step^2, rounding about eps/step.
STEP = 1e-4


@dataclass(frozen=True, slots=True)
class Components:
    """Variance components, and the covariance of (log lambda_t, log lambda_r).

    A component at its bound has zero rows in `covariance`; `criterion` is minus twice the
    restricted log-likelihood.
    """

    target: float
    rater: float
    error: float
    criterion: float
    covariance: NDArray[np.float64]
    reason: str = ""


class _NoResidualError(Exception):
    """Targets and raters explain the ratings but for rounding."""


class _Profile:
    """Minus twice the restricted log-likelihood of (lambda_a, lambda_b), and its gradient.

    Factor a is the larger one: (Z_a' H_a^-1 Z_a) is diagonal and never formed.
    """

    def __init__(
        self, values: NDArray[np.float64], a: NDArray[np.int64], b: NDArray[np.int64]
    ) -> None:
        from scipy.sparse import csr_array

        self.n = len(values)
        y = values - values[0]
        y = y - y.mean()
        self.scale = float(y @ y)
        self.weights = csr_array((np.ones(self.n), (a, b)))
        self.size_a = np.bincount(a).astype(np.float64)
        self.size_b = np.bincount(b).astype(np.float64)
        # Sums per level of the two columns that matter: 1 and y.
        self.sums_a = np.column_stack([self.size_a, np.bincount(a, y)])
        self.sums_b = np.column_stack([self.size_b, np.bincount(b, y)])
        self.products = np.array([[self.n, y.sum()], [y.sum(), y @ y]])

    def __call__(self, ratios: NDArray[np.float64]) -> tuple[float, NDArray[np.float64], float]:
        """Return (criterion, gradient, error variance)."""
        from scipy.linalg import cho_solve, cholesky
        from scipy.sparse import csr_array

        la, lb = float(ratios[0]), float(ratios[1])
        d = 1 + la * self.size_a
        scaled = csr_array(self.weights.multiply(1 / d[:, None]))
        t = np.diag(self.size_b) - la * (self.weights.T @ scaled).toarray()
        s = lb * t
        s[np.diag_indices_from(s)] += 1
        factor = cholesky(s, lower=True)
        inverse = cho_solve((factor, True), np.eye(len(s)), overwrite_b=True)
        alpha = self.sums_a / d[:, None]
        beta = self.sums_b - la * (scaled.T @ self.sums_a)
        b_part = inverse @ beta
        a_part = alpha - lb * (scaled @ b_part)
        inner = self.products - la * self.sums_a.T @ alpha - lb * beta.T @ b_part
        mean = inner[0, 1] / inner[0, 0]
        rss = float(inner[1, 1] - inner[0, 1] * mean)
        if rss <= SMALLEST_RESIDUAL * self.scale:
            raise _NoResidualError
        df = self.n - 1
        criterion = (
            df * (1 + math.log(2 * math.pi * rss / df))
            + float(np.log(d).sum() + 2 * np.log(np.diag(factor)).sum())
            + math.log(inner[0, 0])
        )
        traces = (
            float((self.size_a / d).sum() - lb * np.sum(inverse * (scaled.T @ scaled).toarray())),
            float(np.sum(inverse * t)),
        )
        gradient = np.array(
            [
                trace
                - part[:, 0] @ part[:, 0] / inner[0, 0]
                - df * np.sum((part[:, 1] - mean * part[:, 0]) ** 2) / rss
                for trace, part in zip(traces, (a_part, b_part), strict=True)
            ]
        )
        return criterion, gradient, rss / df


def fit_components(
    values: NDArray[np.float64], targets: NDArray[np.int64], raters: NDArray[np.int64]
) -> Components:
    """Estimate the variance components of targets, raters and error by REML, bounded at 0.

    Parameters
    ----------
    values : ndarray, shape (ratings,)
        Without missing values.
    targets, raters : ndarray of int64, shape (ratings,)
        Labels as codes; gaps are allowed.

    Returns
    -------
    Components
        NaN, with a reason, where the data do not determine them.
    """
    targets = np.unique(targets, return_inverse=True)[1].astype(np.int64)
    raters = np.unique(raters, return_inverse=True)[1].astype(np.int64)
    if raters.max() == 0:
        return _no_components(ONE_RATER)
    if len(values) in {raters.max() + 1, targets.max() + 1}:
        # One rating per rater, or per target: that factor is the error itself.
        return _no_components(NOT_DETERMINED)
    swapped = raters.max() > targets.max()
    a, b = (raters, targets) if swapped else (targets, raters)
    profile = _Profile(values, a, b)
    try:
        ratios = _minimise(profile)
    except _NoResidualError:
        return _no_components(NO_RESIDUAL)
    criterion, _, error = profile(ratios)
    free = np.flatnonzero(ratios > 0)
    covariance = np.zeros((2, 2))
    if len(free):
        curvature = _curvature(profile, ratios, free)
        if np.linalg.eigvalsh(curvature).min() <= 1e-7 * len(values):
            return _no_components(NOT_DETERMINED)
        covariance[np.ix_(free, free)] = 2 * np.linalg.inv(curvature)
    if swapped:
        ratios, covariance = ratios[::-1], covariance[::-1, ::-1]
    return Components(
        float(ratios[0]) * error, float(ratios[1]) * error, error, criterion, covariance
    )


def _no_components(reason: str) -> Components:
    return Components(NAN, NAN, NAN, NAN, np.full((2, 2), NAN), reason)


def _minimise(profile: _Profile) -> NDArray[np.float64]:
    """Return the minimising ratios, 0 where bounded; raise if they run off to infinity."""
    from scipy.optimize import minimize

    def of_roots(roots: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        criterion, gradient, _ = profile(roots**2)
        return criterion, 2 * roots * gradient

    largest = math.sqrt(LARGEST_RATIO)
    found: Any = minimize(
        of_roots,
        np.array([1.0, 0.5]),
        jac=True,
        method="L-BFGS-B",
        bounds=[(0, largest)] * 2,
        options={"ftol": 1e-14, "gtol": 1e-7},
    )
    ratios: NDArray[np.float64] = np.asarray(found.x) ** 2
    if ratios.max() >= 0.99 * LARGEST_RATIO:
        raise _NoResidualError
    for i in range(2):
        # On its way to the bound the optimiser stops a little short of it.
        bounded = ratios.copy()
        bounded[i] = 0.0
        if ratios[i] < 1e-4 and profile(bounded)[1][i] >= 0:
            ratios = bounded
    return _polish(profile, ratios)


def _polish(profile: _Profile, ratios: NDArray[np.float64]) -> NDArray[np.float64]:
    """Newton's steps in log lambda, where the optimiser's tolerance left digits to gain."""
    free = np.flatnonzero(ratios > 0)
    for _ in range(4 if len(free) else 0):
        gradient = (ratios * profile(ratios)[1])[free]
        curvature = _curvature(profile, ratios, free)
        if np.linalg.eigvalsh(curvature).min() <= 0:
            break
        step = np.linalg.solve(curvature, gradient)
        if np.abs(step).max() > 0.5:
            break
        ratios = ratios.copy()
        ratios[free] *= np.exp(-step)
        if np.abs(step).max() < 1e-9:
            break
    return ratios


def _curvature(
    profile: _Profile, ratios: NDArray[np.float64], free: NDArray[np.intp]
) -> NDArray[np.float64]:
    """Second derivatives of the criterion in log lambda, of the components not at their bound."""
    rows = []
    for i in free:
        sides = []
        for sign in (1, -1):
            moved = ratios.copy()
            moved[i] *= math.exp(sign * STEP)
            sides.append((moved * profile(moved)[1])[free])
        rows.append((sides[0] - sides[1]) / (2 * STEP))
    matrix = np.array(rows)
    symmetric: NDArray[np.float64] = (matrix + matrix.T) / 2
    return symmetric


def component_signal(
    components: Components,
    family: str,
    *,
    k: float,
    n_targets: int,
    n_ratings: int,
    confidence: float,
) -> Signal:
    """ICC(A,.) or ICC(C,.) from variance components, by the delta method on log(1 + k theta)."""
    from scipy.special import ndtri

    bare = Signal(NAN, NAN, NAN, NAN, NAN, NAN, NAN, k, n_targets, n_ratings, METHOD)
    return _with_interval(bare, components, family, float(ndtri(1 - (1 - confidence) / 2)))


def _with_interval(bare: Signal, components: Components, family: str, z: float) -> Signal:
    from dataclasses import replace

    if components.reason:
        return replace(bare, reason=components.reason)
    theta = theta_of(components, family)
    if components.target == 0:
        return replace(bare, theta=0.0, reason=TARGETS_AT_BOUND)
    ratio = components.rater / components.error
    down = -ratio / (1 + ratio) if family == "agreement" else 0.0
    slope = bare.k * theta / (1 + bare.k * theta) * np.array([1.0, down])
    half = z * math.sqrt(float(slope @ components.covariance @ slope))
    centre = math.log1p(bare.k * theta)
    return replace(
        bare,
        theta=theta,
        low=math.expm1(centre - half) / bare.k,
        high=math.expm1(centre + half) / bare.k,
        reason=RATERS_AT_BOUND if components.rater == 0 else "",
    )


def theta_of(components: Components, family: str) -> float:
    """Target variance over what counts as error in the family."""
    noise = components.error + (components.rater if family == "agreement" else 0.0)
    return components.target / noise
