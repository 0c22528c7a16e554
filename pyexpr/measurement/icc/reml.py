"""Two-way ICCs when cells are missing: variance components by REML.

Model: rating = mean + target + rater + error, the last three random, the components bounded
at 0. The restricted likelihood is in `icc.criterion`, the search for its maximum in `icc.search`.

References
----------
Patterson, H. D. and Thompson, R. (1971). Recovery of inter-block information when block sizes
are unequal. Biometrika, 58, 545-554. https://doi.org/10.1093/biomet/58.3.545
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pyexpr.base.messages import Template
from pyexpr.measurement.icc.criterion import MOST_NUMBERS, SparseTable, TableSums
from pyexpr.measurement.icc.intervals import NAN, Signal
from pyexpr.measurement.icc.search import minimise

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from pyexpr.measurement.icc.search import Minimum

METHOD = "REML, delta"
ONE_RATER = Template("one_rater", "there is only one rater")()
NOT_DETERMINED = Template(
    "too_little_crossed",
    "raters and {thing targets} are not crossed enough to separate their variances",
)()
NO_RESIDUAL = Template(
    "no_residual",
    "{thing targets} and raters explain the ratings completely: the error variance is 0",
)()
TARGETS_AT_BOUND = Template(
    "targets_at_bound",
    "boundary: the variance of {thing targets} is estimated as 0, so there is no interval",
)()
RATERS_AT_BOUND = Template(
    "raters_at_bound", "boundary: the variance of raters is estimated as 0"
)()

# Designs of targets, raters and error are equal up to rounding.
SMALLEST_LIKENESS = 1e-10
SMALLEST_RESIDUAL = 1e-12
# Raters up to whom subjects are left out by subtracting sums; beyond, each fit is from scratch.
MOST_RATERS = 150


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
    targets, raters = _without_gaps(targets), _without_gaps(raters)
    if raters.max() == 0:
        return _no_components(ONE_RATER)
    swapped = bool(raters.max() > targets.max())
    tables = criterion_of(values, *((raters, targets) if swapped else (targets, raters)))
    return next(_fitted(tables, swapped=swapped))


def _without_gaps(codes: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.unique(codes, return_inverse=True)[1].astype(np.int64)


def _centred(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Subtract the first value and then the mean, so that similar values subtract exactly."""
    shifted = values - values[0]
    return np.asarray(shifted - shifted.mean())


def criterion_of(
    values: NDArray[np.float64], a: NDArray[np.int64], b: NDArray[np.int64]
) -> TableSums | SparseTable:
    """Return the criterion of ratings with codes without gaps, b the factor of fewer levels."""
    n_b = int(b.max()) + 1
    n_sizes = len(np.unique(np.bincount(a)))
    small = n_sizes * n_b**2 <= MOST_NUMBERS and (int(a.max()) + 1) * n_b <= 10 * MOST_NUMBERS
    return (TableSums.of if small else SparseTable)(_centred(values), a, b)


def fit_without_each(
    values: NDArray[np.float64],
    targets: NDArray[np.int64],
    raters: NDArray[np.int64],
    subjects: NDArray[np.int64],
) -> list[Components]:
    """Estimate the components without each subject in turn, as `fit_components` would.

    Parameters
    ----------
    values, targets, raters : ndarray, shape (ratings,)
        As for `fit_components`.
    subjects : ndarray of int64, shape (ratings,)
        The subject to whom the target belongs.

    Returns
    -------
    list of Components
        In the order of the subjects' codes.
    """
    targets, raters, subjects = map(_without_gaps, (targets, raters, subjects))
    n_raters = int(raters.max()) + 1
    if n_raters > MOST_RATERS:
        others = (subjects != code for code in range(int(subjects.max()) + 1))
        return [fit_components(values[kept], targets[kept], raters[kept]) for kept in others]
    found: list[Components] = []
    for left in _left_out(_table(values, targets, raters), values, targets, raters, subjects):
        found.extend(_fitted(left))
    return found


def _table(
    values: NDArray[np.float64], targets: NDArray[np.int64], raters: NDArray[np.int64]
) -> TableSums:
    return TableSums.of(_centred(values), targets, raters)


def _left_out(
    whole: TableSums,
    values: NDArray[np.float64],
    targets: NDArray[np.int64],
    raters: NDArray[np.int64],
    subjects: NDArray[np.int64],
) -> Iterator[TableSums]:
    """Yield sums without each subject, as many at once as memory should hold."""
    values = _centred(values)
    order = np.argsort(subjects, kind="stable")
    first = np.searchsorted(subjects[order], np.arange(int(subjects.max()) + 2))
    step = max(1, MOST_NUMBERS // whole.crossings.size)
    for at in range(0, len(first) - 1, step):
        own = order[first[at] : first[min(at + step, len(first) - 1)]]
        levels, target = np.unique(targets[own], return_inverse=True)
        owners = np.zeros(len(levels), dtype=np.int64)
        owners[target] = subjects[own] - at
        yield whole.without(
            TableSums.of(values[own], target, raters[own], owners=owners, like=whole)
        )


def rater_means(
    values: NDArray[np.float64],
    targets: NDArray[np.int64],
    raters: NDArray[np.int64],
    subjects: NDArray[np.int64],
    ratios: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Return the raters' means, of all and then without each subject, (G + 1, raters).

    Parameters
    ----------
    values, targets, raters, subjects : ndarray, shape (ratings,)
        As for `fit_without_each`.
    ratios : ndarray, shape (G + 1,)
        Variance of targets over that of error, of all and without each subject.

    Notes
    -----
    Generalised least squares with fixed raters and random targets. A rater who rated only one
    subject keeps the mean from all subjects when that one is left out.
    """
    targets, raters, subjects = map(_without_gaps, (targets, raters, subjects))
    table = _table(values, targets, raters)
    found = [table.effects_of_b(ratios[:1])]
    at = 1
    for left in _left_out(table, values, targets, raters, subjects):
        found.append(left.effects_of_b(ratios[at : at + len(left)]))
        at += len(left)
    means = np.vstack(found)
    return np.where(np.isnan(means), means[:1], means)


def _fitted(tables: TableSums | SparseTable, *, swapped: bool = False) -> Iterator[Components]:
    """Yield the components of each table; `swapped` if factor a is the raters'."""
    layout = tables.layout()
    raters = layout.a_levels if swapped else layout.b_levels
    undetermined = layout.likeness() < SMALLEST_LIKENESS
    spread = tables.moment_squares()[:, 2]
    usable = np.flatnonzero((raters > 1) & ~undetermined & (spread > 0))
    found: Minimum | None = None
    if len(usable):
        kept = tables.take(usable) if isinstance(tables, TableSums) else tables
        found = minimise(kept)
    place = {int(table): i for i, table in enumerate(usable)}
    for table in range(len(tables)):
        if raters[table] <= 1:
            yield _no_components(ONE_RATER)
        elif undetermined[table]:
            yield _no_components(NOT_DETERMINED)
        elif found is None or table not in place:
            yield _no_components(NO_RESIDUAL)
        else:
            yield _of_minimum(found, place[table], spread[table], layout.n[table], swapped)


def _of_minimum(found: Minimum, i: int, spread: float, n: float, swapped: bool) -> Components:
    error = float(found.error[i])
    if found.lost[i] or error * (n - 1) <= SMALLEST_RESIDUAL * spread:
        return _no_components(NO_RESIDUAL)
    if found.flat[i]:
        return _no_components(NOT_DETERMINED)
    ratios, covariance = found.ratios[i], np.zeros((2, 2))
    free = np.ix_(*[np.flatnonzero(ratios > 0)] * 2)
    covariance[free] = 2 * np.linalg.inv(found.curvature[i][free])
    if swapped:
        ratios, covariance = ratios[::-1], covariance[::-1, ::-1]
    return Components(
        float(ratios[0]) * error, float(ratios[1]) * error, error,
        float(found.criterion[i]), covariance,
    )  # fmt: skip


def _no_components(reason: str) -> Components:
    return Components(NAN, NAN, NAN, NAN, np.full((2, 2), NAN), reason)


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
    """Target variance over the variance that counts as error in the family."""
    noise = components.error + (components.rater if family == "agreement" else 0.0)
    return components.target / noise
