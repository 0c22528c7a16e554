"""The minimum of a restricted likelihood's criterion over two variance ratios, bounded at 0.

The search runs in phi = log(1 + c lambda), c the mean number of ratings of a level: near lambda = 0
a multiple of lambda itself, so that the derivative at the bound is that by the variance, and for
large lambda its logarithm, in which the criterion is nearly quadratic. A bound is accepted only
where that derivative is not negative (Karush, Kuhn and Tucker's condition), never because a step
ended there. If tables are small, the best point of a grid, and the best of its edges, are starting
points in addition to the estimates by moments, since the criterion may have more than one minimum.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pyexpr.measurement.icc.criterion import MOST_NUMBERS, Evaluation, SparseTable, TableSums

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Beyond it the error variance is rounding.
LARGEST_RATIO = 1e8
# The starts, in phi.
GRID = (0.0, 0.1, 0.5, 1.5, 3.0, 6.0)
# Differences of the exact gradient: error about step^2, rounding about eps / step.
STEP = 1e-4
LONGEST_STEP = 2.0
MOST_STEPS = 80
MOST_HALVINGS = 40
# A predicted gain that no criterion can show.
SMALLEST_GAIN = 1e-12


@dataclass(frozen=True, slots=True)
class Minimum:
    """Of B tables: ratios (B, 2), criterion (B,), error variance (B,), curvature (B, 2, 2).

    `curvature` is of the criterion in log lambda; rows and columns of a ratio at 0 are 0.
    `lost` (B,) says where the ratios diverge to infinity, `flat` where there is no minimum.
    """

    ratios: NDArray[np.float64]
    criterion: NDArray[np.float64]
    error: NDArray[np.float64]
    curvature: NDArray[np.float64]
    lost: NDArray[np.bool_]
    flat: NDArray[np.bool_]


class _Scaled:
    """Tables, with the criterion as a function of phi."""

    def __init__(self, tables: TableSums | SparseTable, scale: NDArray[np.float64]) -> None:
        self.tables = tables
        self.scale = scale

    def take(self, which: NDArray[np.intp]) -> _Scaled:
        """Return some of the tables; a sparse table is always single."""
        tables = self.tables.take(which) if isinstance(self.tables, TableSums) else self.tables
        return _Scaled(tables, self.scale[which])

    def ratios(self, phi: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the variance ratios."""
        return np.expm1(phi) / self.scale

    def __call__(self, phi: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the criterion (B,), and its gradient (B, 2) by phi."""
        found = self.evaluate(phi)
        return found.criterion, found.gradient * np.exp(phi) / self.scale

    def evaluate(self, phi: NDArray[np.float64]) -> Evaluation:
        return self.tables.evaluate(self.ratios(phi))

    def curvature(self, phi: NDArray[np.float64], g: NDArray[np.float64]) -> NDArray[np.float64]:
        """Second derivatives (B, 2, 2) by differences of the gradient, one-sided at the bound."""
        points, n = [], len(phi)
        for i in range(2):
            # Two further points: +-h, or h and 2h where the bound is near.
            for offset in (STEP, np.where(phi[:, i] < STEP, 2 * STEP, -STEP)):
                moved = phi.copy()
                moved[:, i] += offset
                points.append(moved)
        if isinstance(self.tables, TableSums):
            together = self.take(np.tile(np.arange(n), 4))(np.concatenate(points))[1]
            slopes = list(together.reshape(4, n, 2))
        else:
            slopes = [self(point)[1] for point in points]
        rows = []
        for i in range(2):
            up, far = slopes[2 * i : 2 * i + 2]
            two_sided = (up - far) / (2 * STEP)
            one_sided = (4 * up - far - 3 * g) / (2 * STEP)
            rows.append(np.where(phi[:, i : i + 1] < STEP, one_sided, two_sided))
        found = np.stack(rows, axis=1)
        return np.asarray((found + np.swapaxes(found, 1, 2)) / 2)


def minimise(tables: TableSums | SparseTable) -> Minimum:
    """Return the minimum of each table."""
    layout = tables.layout()
    problem = _Scaled(tables, layout.mean_sizes())
    moments = np.clip(layout.moment_ratios(tables.moment_squares()), 1e-3, 1e3)
    start = np.log1p(problem.scale * moments)
    if isinstance(tables, SparseTable):
        phi = _descend(problem, start)
    else:
        edge, inside = _two_starts(problem, start)
        twice = np.tile(np.arange(len(tables)), 2)
        found = _descend(problem.take(twice), np.concatenate([edge, inside]))
        values = [problem(half)[0] for half in np.split(found, 2)]
        phi = np.where((values[0] < values[1])[:, None], *np.split(found, 2))
    return _finished(problem, _polished(problem, phi))


def _two_starts(
    problem: _Scaled, start: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Best start with a ratio at 0, and best start with none, each (B, 2)."""
    n = len(problem.scale)
    grid = [np.tile([u, v], (n, 1)) for u in GRID for v in GRID]
    on_edge = np.array([*(point.min() == 0 for point in grid), False])
    points = np.stack([*grid, start])
    values = _values_at(problem, points)
    rows = np.arange(n)
    picked = [
        points[np.where(kind[:, None], values, np.inf).argmin(axis=0), rows]
        for kind in (on_edge, ~on_edge)
    ]
    return picked[0], picked[1]


def _values_at(problem: _Scaled, points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Criteria (S, B) at S points of each table, as many at once as memory should hold."""
    assert isinstance(problem.tables, TableSums)
    n = len(problem.scale)
    step = max(1, MOST_NUMBERS // problem.tables.crossings.size)
    found = []
    for at in range(0, len(points), step):
        part = points[at : at + step]
        which = np.tile(np.arange(n), len(part))
        found.append(problem.take(which)(part.reshape(-1, 2))[0].reshape(-1, n))
    return np.concatenate(found)


def _descend(problem: _Scaled, phi: NDArray[np.float64]) -> NDArray[np.float64]:
    """Newton's and then quasi-Newton's steps with a line search, within the bounds."""
    largest = np.log1p(problem.scale * LARGEST_RATIO)
    phi = np.minimum(phi, largest)
    f, g = problem(phi)
    hessian = problem.curvature(phi, g)
    running = np.arange(len(phi))
    for _ in range(MOST_STEPS):
        step = _step(hessian[running], g[running], phi[running])
        gain = -(g[running] * step).sum(axis=1)
        on = gain > SMALLEST_GAIN * (1 + np.abs(f[running]) * 1e-4)
        running, step = running[on], step[on]
        if not len(running):
            break
        part = problem if len(running) == len(phi) else problem.take(running)
        old = phi[running], f[running], g[running]
        new = _line_search(part, *old, step, largest[running])
        moved = (new[0] != old[0]).any(axis=1)
        hessian[running] = _updated(hessian[running], new[0] - old[0], new[2] - old[2])
        phi[running], f[running], g[running] = new
        running = running[moved]
    return phi


def _line_search(
    problem: _Scaled,
    phi: NDArray[np.float64],
    f: NDArray[np.float64],
    g: NDArray[np.float64],
    step: NDArray[np.float64],
    largest: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Halve the step until the criterion decreases; if it never does, do not move."""
    found = phi.copy(), f.copy(), g.copy()
    left = np.arange(len(phi))
    length = 1.0
    for _ in range(MOST_HALVINGS):
        part = problem if len(left) == len(phi) else problem.take(left)
        tried = np.clip(phi[left] + length * step[left], 0, largest[left])
        value, slope = part(tried)
        hoped = (g[left] * (tried - phi[left])).sum(axis=1)
        falls = value <= f[left] + 1e-4 * hoped
        done = left[falls]
        for mine, theirs in zip(found, (tried, value, slope), strict=True):
            mine[done] = theirs[falls]
        left, length = left[~falls], length / 2
        if not len(left):
            break
    return found


def _at_bound(g: NDArray[np.float64], phi: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return the ratios that remain at 0, where their derivative does not point away from it."""
    return (phi <= 0) & (g >= 0)


def _step(
    hessian: NDArray[np.float64], g: NDArray[np.float64], phi: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Newton's step of the free ratios, curvatures made positive, of bounded length."""
    at_bound = _at_bound(g, phi)
    free = np.where(at_bound, 0.0, g)
    matrix = hessian.copy()
    for i in range(2):
        matrix[at_bound[:, i], i, :] = 0
        matrix[at_bound[:, i], :, i] = 0
        matrix[at_bound[:, i], i, i] = 1
    values, vectors = np.linalg.eigh(matrix)
    values = np.maximum(np.abs(values), 1e-8 * np.abs(values).max(axis=1, keepdims=True) + 1e-12)
    inside = np.einsum("bji,bj->bi", vectors, free) / values
    step = -np.einsum("bij,bj->bi", vectors, inside)
    longest = np.abs(step).max(axis=1, keepdims=True)
    return np.where(at_bound, 0.0, step * np.minimum(1, LONGEST_STEP / np.maximum(longest, 1e-300)))


def _updated(
    hessian: NDArray[np.float64], moved: NDArray[np.float64], turned: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Broyden, Fletcher, Goldfarb and Shanno's update, where the curvature is positive."""
    along = np.einsum("bij,bj->bi", hessian, moved)
    own = (moved * along).sum(axis=1)
    seen = (moved * turned).sum(axis=1)
    usable = (seen > 1e-10 * np.abs(moved).max(axis=1) ** 2) & (own > 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        change = (
            turned[:, :, None] * turned[:, None, :] / seen[:, None, None]
            - along[:, :, None] * along[:, None, :] / own[:, None, None]
        )
    return np.where(usable[:, None, None], hessian + change, hessian)


def _polished(problem: _Scaled, phi: NDArray[np.float64]) -> NDArray[np.float64]:
    """Newton's steps by the gradient alone, which resolves more digits than the criterion."""
    largest = np.log1p(problem.scale * LARGEST_RATIO)
    _, g = problem(phi)
    for _ in range(3):
        step = _step(problem.curvature(phi, g), g, phi)
        # Far from the minimum, on a ridge, the criterion decides.
        step[np.abs(step).max(axis=1) > 0.1] = 0
        tried = np.clip(phi + step, 0, largest)
        slope = problem(tried)[1]
        better = _slope_left(slope, tried) < _slope_left(g, phi)
        if not better.any():
            break
        phi, g = np.where(better[:, None], tried, phi), np.where(better[:, None], slope, g)
    return phi


def _slope_left(g: NDArray[np.float64], phi: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(np.abs(np.where(_at_bound(g, phi), 0.0, g)).max(axis=1))


def _finished(problem: _Scaled, phi: NDArray[np.float64]) -> Minimum:
    found = problem.evaluate(phi)
    g = found.gradient * np.exp(phi) / problem.scale
    at_bound = _at_bound(g, phi) | (phi <= 0)
    curvature = problem.curvature(phi, g)
    for i in range(2):
        curvature[at_bound[:, i], i, :] = 0
        curvature[at_bound[:, i], :, i] = 0
    largest = np.abs(np.einsum("bii->bi", curvature)).max(axis=1)
    spread = curvature.copy()
    for i in range(2):
        spread[at_bound[:, i], i, i] = largest[at_bound[:, i]]
    flat = np.linalg.eigvalsh(spread)[:, 0] < 1e-8 * largest
    ratios = np.where(at_bound, 0.0, problem.ratios(phi))
    # d phi / d log lambda, with which a second derivative turns where the first is 0.
    turn = -np.expm1(-phi)
    return Minimum(
        ratios=ratios,
        criterion=found.criterion,
        error=found.error,
        curvature=curvature * turn[:, :, None] * turn[:, None, :],
        lost=np.asarray((ratios >= 0.99 * LARGEST_RATIO).any(axis=1)),
        flat=flat & ~at_bound.all(axis=1),
    )
