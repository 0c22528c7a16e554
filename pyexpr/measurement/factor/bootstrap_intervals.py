"""Intervals of a one-factor model from its refits: jackknife-t, percentile, BCa. Pure arrays."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pyexpr.base.checks import confidence_level, whole_number
from pyexpr.base.errors import DataError, listed
from pyexpr.resampling.quantiles import MOST_UNDEFINED, interpolated_quantiles

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

METHODS = ("jackknife_t", "percentile", "bca")
# A loading of up to so many standard deviations of its indicator is compared as it is: it may be
# 0. Beyond, its error grows with it, and logarithms are nearer to symmetry.
_STRAIGHT = 0.5
# Fewest degrees of freedom that heavy tails and unequal subjects may leave.
_LEAST_DF = 2.0


@dataclass(frozen=True, slots=True)
class GroupDraws:
    """The refits of one group.

    Attributes
    ----------
    estimate : (q,) float64
        Of all subjects, in the order of `quantities`.
    replicates : (B, q) float64
        NaN where the refit failed or was not admissible.
    jackknife : (G, q) float64
        Without each subject. Of a refit with a negative residual variance the formulas of
        weights and reliability are followed past 0, where they are smooth; NaN without a
        solution.
    unit : (q,) float64
        The unit of each quantity: the standard deviation of the indicator for a loading, 1 for
        the others.
    sizes : (G,) float64
        Rows of each subject.
    n, n_clusters : int
        Rows and subjects used.
    n_failed, n_inadmissible : int
        Replicates without a solution, and with a residual variance that is not positive.
    """

    estimate: NDArray[np.float64]
    replicates: NDArray[np.float64]
    jackknife: NDArray[np.float64]
    unit: NDArray[np.float64]
    sizes: NDArray[np.float64]
    n: int
    n_clusters: int
    n_failed: int
    n_inadmissible: int


def intervals(
    group: GroupDraws, names: list[str], method: str, confidence: float
) -> dict[str, Any]:
    """Return the columns of `tidy` that depend on method and level; `names` are of quantities."""
    n_undefined = np.isnan(group.replicates).sum(axis=0)
    if method == "jackknife_t":
        found = _jackknife_t(group, names, confidence)
    else:
        found = _from_draws(group, method, confidence)
    error, limits, used, reasons = found
    return {
        "std_error": error, "conf_low": limits[:, 0], "conf_high": limits[:, 1],
        "method": used.astype(str), "n": group.n, "n_clusters": group.n_clusters,
        "n_undefined": n_undefined, "reason": reasons.astype(str),
    }  # fmt: skip


Columns = tuple["Array", "Array", "NDArray[np.object_]", "NDArray[np.object_]"]


@dataclass(frozen=True, slots=True)
class _Scale:
    """A scale on which a quantity is nearly symmetric, the way back, and the quantity's range."""

    to: Callable[[Array], Array]
    back: Callable[[Array], Array]
    least: float = -np.inf
    most: float = np.inf


def _odd_root(value: Array) -> Array:
    """``cbrt(1 + x) - cbrt(1 - x)``: like atanh within (-1, 1), and defined beyond."""
    return np.asarray(np.cbrt(1 + value) - np.cbrt(1 - value))


def _odd_root_back(value: Array) -> Array:
    # With a = cbrt(1 + x), b = cbrt(1 - x): a^3 + b^3 = 2, so that m = a + b is the real root
    # of m^3 + 3 y^2 m = 8, found by Cardano's formula; x = (a^3 - b^3) / 2.
    root = np.sqrt(16 + value**6)
    total = np.cbrt(4 + root) + np.cbrt(4 - root)
    return np.asarray((((total + value) / 2) ** 3 - ((total - value) / 2) ** 3) / 2)


def _straight_then_log(value: Array) -> Array:
    size = np.maximum(np.abs(value), _STRAIGHT)
    beyond = np.sign(value) * _STRAIGHT * (1 + np.log(size / _STRAIGHT))
    return np.where(np.abs(value) > _STRAIGHT, beyond, value)


def _straight_then_exp(value: Array) -> Array:
    size = np.maximum(np.abs(value), _STRAIGHT)
    beyond = np.sign(value) * _STRAIGHT * np.exp(size / _STRAIGHT - 1)
    return np.where(np.abs(value) > _STRAIGHT, beyond, value)


_SCALES = {
    "loading": _Scale(_straight_then_log, _straight_then_exp),
    "std_loading": _Scale(_odd_root, _odd_root_back, -1.0, 1.0),
    "residual_variance": _Scale(lambda t: np.sign(t) * np.abs(t) ** 0.2, lambda y: y**5, 0.0),
    "score_weight": _Scale(np.asarray, np.asarray),
    "score_reliability": _Scale(lambda r: -np.cbrt(1 - r), lambda y: 1 + y**3, 0.0, 1.0),
}


def _jackknife_t(group: GroupDraws, names: list[str], confidence: float) -> Columns:
    """Student's t with the jackknife's standard error on the scale of each quantity."""
    from scipy.special import stdtrit

    G = len(group.jackknife)
    limits = np.full((len(names), 2), np.nan)
    for row, name in enumerate(names):
        scale, unit = _SCALES[name], group.unit[row]
        values = scale.to(np.append(group.estimate[row], group.jackknife[:, row]) / unit)
        centred = values[1:] - values[1:].mean()
        df = _degrees_of_freedom(centred, group.sizes)
        half = float(stdtrit(df, (1 + confidence) / 2)) * np.sqrt((G - 1) / G * (centred @ centred))
        ends = scale.back(values[0] + half * np.array([-1.0, 1.0]))
        # An estimate that is itself out of range is not cut off from its interval.
        if scale.least <= group.estimate[row] / unit <= scale.most:
            ends = ends.clip(scale.least, scale.most)
        limits[row] = ends * unit
    deviations = group.jackknife - group.jackknife.mean(axis=0)
    error = np.sqrt((G - 1) / G * (deviations**2).sum(axis=0))
    reasons = np.full(len(names), "", dtype=object)
    lost = np.isnan(group.jackknife).sum(axis=0).tolist()
    for row in [row for row, count in enumerate(lost) if count]:
        reasons[row] = f"without {lost[row]} of {G} subjects the model has no solution"
    reasons[np.isnan(group.estimate)] = "inadmissible"
    error[reasons != ""] = np.nan
    limits[reasons != ""] = np.nan
    return error, limits, np.full(len(names), "jackknife_t", dtype=object), reasons


def _degrees_of_freedom(centred: Array, sizes: Array) -> float:
    """G - 1, or fewer with heavy tails or unequal subjects, as for `compare_models`."""
    G = len(centred)
    squares = centred**2
    kurtosis = 0.0
    if squares.sum() > 0:
        kurtosis = max(float((squares**2).mean() / squares.mean() ** 2) - 3.0, 0.0)
    by_tails = 2 / (2 / (G - 1) + kurtosis / G)
    by_sizes = float(sizes.sum() ** 2 / (sizes**2).sum()) - 1
    # With two subjects there is one, however they are.
    return min(G - 1.0, max(_LEAST_DF, min(by_tails, by_sizes)))


def _from_draws(group: GroupDraws, method: str, confidence: float) -> Columns:
    """Quantiles of the replicates that have a proper solution."""
    draws = np.ascontiguousarray(group.replicates.T)
    B = draws.shape[1]
    n_defined = (~np.isnan(draws)).sum(axis=1)
    ends = np.tile([(1 - confidence) / 2, (1 + confidence) / 2], (len(draws), 1))
    used = np.full(len(draws), "percentile", dtype=object)
    levels = ends
    if method == "bca":
        levels, usable = _bca_levels(group, draws, n_defined, ends)
        used[usable] = "bca"
    limits = interpolated_quantiles(draws, levels, n_defined)
    reasons = np.full(len(draws), "", dtype=object)
    unknown = np.isnan(group.estimate)
    reasons[unknown] = "inadmissible"
    many = (B - n_defined > MOST_UNDEFINED * B) & ~unknown
    for row in np.flatnonzero(many):
        reasons[row] = f"undefined in {B - n_defined[row]} of {B} replicates"
    limits[unknown | many] = np.nan
    with np.errstate(invalid="ignore"):
        centre = np.nansum(draws, axis=1) / n_defined
        squares = np.nansum((draws - centre[:, None]) ** 2, axis=1)
        error = np.sqrt(squares / np.where(n_defined > 1, n_defined - 1, np.nan))
    error[unknown] = np.nan
    return error, limits, used, reasons


def _bca_levels(
    group: GroupDraws,
    draws: NDArray[np.float64],
    n_defined: NDArray[np.int64],
    ends: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Return the corrected levels (q, 2), and where there are any; Efron (1987)."""
    from scipy.special import ndtr, ndtri

    B = n_defined
    with np.errstate(divide="ignore", invalid="ignore"):
        z0 = ndtri((draws < group.estimate[:, None]).sum(axis=1) / B)[:, None]
        influence = (group.jackknife.mean(axis=0) - group.jackknife).T
        acceleration = (influence**3).sum(axis=1) / (6 * (influence**2).sum(axis=1) ** 1.5)
        z = z0 + ndtri(ends)
        levels = ndtr(z0 + z / (1 - acceleration[:, None] * z))
        usable = np.isfinite(levels).all(axis=1)
        usable &= (levels[:, 0] > 1 / (B + 1)) & (levels[:, 1] < B / (B + 1))
    return np.where(usable[:, None], levels, ends), usable


def check_interval(method: str, confidence: float, n_boot: int) -> None:
    """Raise `DataError` for an unknown method, a wrong level, or too few replicates for it."""
    if method not in METHODS:
        raise DataError(f"method= must be one of {listed(METHODS)}, not {method!r}")
    confidence_level(confidence)
    whole_number(n_boot, argument="n_boot", least=1)
    if method == "jackknife_t":
        return
    least = int(np.ceil(2 / (1 - confidence) - 1 - 1e-9))
    if n_boot < least:
        raise DataError(
            f"a {method} interval at confidence {confidence:g} needs n_boot of at least {least} "
            f"(better 1000), not {n_boot}"
        )
