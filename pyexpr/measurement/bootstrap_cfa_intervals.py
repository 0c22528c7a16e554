"""Intervals of a one-factor model from its refits: jackknife-t, percentile, BCa. Pure arrays."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pyexpr.base.checks import confidence_level, whole_number
from pyexpr.base.errors import DataError, listed
from pyexpr.core.quantiles import MOST_UNDEFINED, interpolated_quantiles

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

METHODS = ("jackknife_t", "percentile", "bca")
# Of asinh: about a logarithm beyond a quarter of the indicator's standard deviation, where a
# loading's error grows with the loading, and a straight line through 0.
_BEND = 4.0


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
    scale : (q,) float64
        The unit of each quantity: the standard deviation of an indicator for its loading, its
        inverse for its score weight, 1 for the others.
    n, n_clusters : int
        Rows and subjects used.
    n_failed, n_inadmissible : int
        Replicates without a solution, and with a residual variance that is not positive.
    """

    estimate: NDArray[np.float64]
    replicates: NDArray[np.float64]
    jackknife: NDArray[np.float64]
    scale: NDArray[np.float64]
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


_BENT = _Scale(lambda x: np.arcsinh(_BEND * x), lambda y: np.sinh(y) / _BEND)
_SCALES = {
    "loading": _BENT,
    "std_loading": _Scale(_odd_root, _odd_root_back, -1.0, 1.0),
    "residual_variance": _Scale(np.cbrt, lambda y: y**3, 0.0),
    "score_weight": _BENT,
    "score_reliability": _Scale(lambda r: -np.cbrt(1 - r), lambda y: 1 + y**3, 0.0, 1.0),
}


def _jackknife_t(group: GroupDraws, names: list[str], confidence: float) -> Columns:
    """Student's t with the jackknife's standard error on the scale of each quantity."""
    from scipy.special import stdtrit

    G = len(group.jackknife)
    half = float(stdtrit(G - 1, (1 + confidence) / 2))
    limits = np.full((len(names), 2), np.nan)
    for row, name in enumerate(names):
        scale, unit = _SCALES[name], group.scale[row]
        values = scale.to(np.append(group.estimate[row], group.jackknife[:, row]) / unit)
        spread = np.sqrt((G - 1) / G * ((values[1:] - values[1:].mean()) ** 2).sum())
        ends = scale.back(values[0] + half * spread * np.array([-1.0, 1.0]))
        # An estimate that is itself out of range is not cut off from its interval.
        if scale.least <= group.estimate[row] / unit <= scale.most:
            ends = ends.clip(scale.least, scale.most)
        limits[row] = ends * unit
    centred = group.jackknife - group.jackknife.mean(axis=0)
    error = np.sqrt((G - 1) / G * (centred**2).sum(axis=0))
    reasons = np.full(len(names), "", dtype=object)
    lost = np.isnan(group.jackknife).sum(axis=0)
    for row in np.flatnonzero(lost):
        reasons[row] = f"without {lost[row]} of {G} subjects the model has no solution"
    reasons[np.isnan(group.estimate)] = "inadmissible"
    error[reasons != ""] = np.nan
    limits[reasons != ""] = np.nan
    return error, limits, np.full(len(names), "jackknife_t", dtype=object), reasons


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
