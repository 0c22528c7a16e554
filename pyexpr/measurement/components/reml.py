r"""Variance components by restricted maximum likelihood, none below 0.

Newton's method on the variances themselves starts at the MIVQUE estimates, and uses Fisher's
information where the likelihood is not concave. Components at 0 stay there as long as the
derivative points below 0.

References
----------
Patterson, H. D. and Thompson, R. (1971). Recovery of inter-block information when block sizes are
unequal. Biometrika, 58, 545-554. https://doi.org/10.1093/biomet/58.3.545
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pyexpr.measurement.components.moments import SMALLEST_LIKENESS, Moments, moments

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pyexpr.measurement.components.blocks import Blocks

MOST_STEPS = 300
# Tolerated squared distance from the optimum, in standard errors.
CLOSE = 1e-13
# Smallest residual variance, as a fraction of the variance of the ratings.
SMALLEST_RESIDUAL = 1e-10


@dataclass(frozen=True, slots=True)
class Fit:
    """Estimated variances, the residual's last, and how they were found.

    Attributes
    ----------
    variances : ndarray, shape (q + 1,)
        At least 0; NaN if the ratings do not determine them.
    covariance : ndarray, shape (q + 1, q + 1)
        Inverse of the expected information, including components at 0.
    criterion : float
        Minus twice the restricted log-likelihood.
    converged : bool
        Whether the optimum was reached.
    alike : tuple of int
        Effects that cannot be separated from each other; empty if all can.
    exact : bool
        Whether the effects explain the ratings completely.
    """

    variances: NDArray[np.float64]
    covariance: NDArray[np.float64]
    criterion: float
    converged: bool
    alike: tuple[int, ...] = ()
    exact: bool = False


def fit(blocks: Blocks) -> Fit:
    """Return the REML estimates."""
    q = blocks.n_effects
    n = float(blocks.n.sum())
    spread = float(blocks.yy.sum()) / max(n - 1, 1)
    start = moments(blocks, np.ones(q))
    alike = _alike(start.information[0])
    if alike:
        return _none(q, alike=alike)
    if not spread > 0:
        return _none(q, exact=True)
    first = start.mivque()[0]
    least = SMALLEST_RESIDUAL * spread
    if first[q] <= least:
        first[q] = spread / (q + 1)
    variances = np.maximum(first, 0.0)
    variances[q] = max(variances[q], 1e-3 * spread)
    return _climb(blocks, variances, least)


def _none(q: int, **why: object) -> Fit:
    nothing = np.full(q + 1, math.nan)
    return Fit(nothing, np.full((q + 1, q + 1), math.nan), math.nan, False, **why)  # type: ignore[arg-type]


def _alike(information: NDArray[np.float64]) -> tuple[int, ...]:
    """Return the effects (possibly with the residual) that the design does not separate."""
    size = np.einsum("kk->k", information)
    empty = np.flatnonzero(size <= SMALLEST_LIKENESS * max(size.max(), 1.0))
    if len(empty):
        return tuple(int(k) for k in empty)
    root = np.sqrt(size)
    values, vectors = np.linalg.eigh(information / np.outer(root, root))
    if values[0] > SMALLEST_LIKENESS:
        return ()
    return tuple(int(k) for k in np.flatnonzero(np.abs(vectors[:, 0]) > 1e-3))


def criterion_of(found: Moments, residual: float) -> float:
    """Return minus twice the restricted log-likelihood."""
    df = float(found.df[0])
    return float(
        df * math.log(2 * math.pi * residual)
        + found.log_determinant[0]
        + found.square[0] / residual
    )


def _at(blocks: Blocks, variances: NDArray[np.float64]) -> tuple[Moments, float]:
    found = moments(blocks, variances[:-1] / variances[-1])
    return found, criterion_of(found, float(variances[-1]))


def _climb(blocks: Blocks, variances: NDArray[np.float64], least: float) -> Fit:
    found, value = _at(blocks, variances)
    converged = False
    for _ in range(MOST_STEPS):
        gradient, newton, fisher = _derivatives(found, float(variances[-1]))
        free = (variances > 0) | (gradient < 0)
        step, decrement = _step(gradient, newton, fisher, free)
        if decrement < CLOSE:
            converged = True
            break
        moved = _moved(blocks, variances, step, gradient, value, least)
        if moved is None:
            # Only rounding errors remain, or the criterion decreases in no direction.
            converged = decrement < 1e-6
            break
        variances, found, value = moved
        if variances[-1] <= least:
            return _none(len(variances) - 1, exact=True)
    fisher = _derivatives(found, float(variances[-1]))[2]
    covariance = np.asarray(2 * np.linalg.inv(fisher), dtype=np.float64)
    return Fit(variances, covariance, value, converged)


def _derivatives(
    found: Moments, residual: float
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return gradient, Hessian and expected Hessian of the criterion, in the variances."""
    assert found.curvature is not None
    gradient = found.traces[0] / residual - found.forms[0] / residual**2
    fisher = found.information[0] / residual**2
    newton = 2 * found.curvature[0] / residual**3 - fisher
    return gradient, newton, fisher


def _step(
    gradient: NDArray[np.float64],
    newton: NDArray[np.float64],
    fisher: NDArray[np.float64],
    free: NDArray[np.bool_],
) -> tuple[NDArray[np.float64], float]:
    """Return the step of the free variances, and the squared distance that it covers."""
    at = np.flatnonzero(free)
    scale = np.sqrt(np.diag(fisher))[at]
    step = np.zeros_like(gradient)
    for matrix in (newton, fisher):
        scaled = matrix[np.ix_(at, at)] / np.outer(scale, scale)
        values, vectors = np.linalg.eigh((scaled + scaled.T) / 2)
        if values[0] > 1e-8 * max(values[-1], 1.0) or matrix is fisher:
            values = np.maximum(values, 1e-12)
            own = vectors @ ((vectors.T @ (gradient[at] / scale)) / values)
            step[at] = -own / scale
            break
    return step, float(-gradient @ step)


def _moved(
    blocks: Blocks,
    variances: NDArray[np.float64],
    step: NDArray[np.float64],
    gradient: NDArray[np.float64],
    value: float,
    least: float,
) -> tuple[NDArray[np.float64], Moments, float] | None:
    """Return the variances after the longest step that lowers the criterion, none below 0."""
    length = 1.0
    for _ in range(50):
        moved = np.maximum(variances + length * step, 0.0)
        moved[-1] = max(variances[-1] + length * step[-1], variances[-1] / 10, least)
        found, new = _at(blocks, moved)
        if math.isfinite(new) and new <= value + 1e-4 * float(gradient @ (moved - variances)):
            if (moved == variances).all():
                return None
            return moved, found, new
        length /= 2
    return None
