"""The jackknife by clusters: standard error, degrees of freedom, and skewness."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pyexpr.base.messages import Template
from pyexpr.resampling.influence import jackknife_influence as jackknife_influence
from pyexpr.resampling.intervals.evidence import (
    ONLY_ONE_SUBJECT,
    SINGLE_IN_STRATUM,
    Evidence,
    JackknifeGroup,
)
from pyexpr.resampling.intervals.scales import at_end
from pyexpr.resampling.memberships import Crossing, why_not

if TYPE_CHECKING:
    from numpy.typing import NDArray


def jackknife_error(values: NDArray[np.float64], strata: Sequence[int]) -> NDArray[np.float64]:
    """Return the delete-one-cluster standard error of each row of `values` (q, G).

    The square root of ``sum over strata (G_h - 1)/G_h sum_i (T_(hi) - mean_h)^2``.
    """
    variance = np.zeros(len(values))
    for own in stratum_variances(values, strata).T:
        variance += own
    return np.sqrt(variance)


def stratum_variances(values: NDArray[np.float64], strata: Sequence[int]) -> NDArray[np.float64]:
    """Return the contribution of each stratum to the jackknife variance, (q, strata)."""
    variance = np.empty((len(values), len(strata)))
    start = 0
    for h, size in enumerate(strata):
        part = values[:, start : start + size]
        deviation = part - part.mean(axis=1, keepdims=True)
        variance[:, h] = (size - 1) / size * np.einsum("qg,qg->q", deviation, deviation)
        start += size
    return variance


def acceleration_of(values: NDArray[np.float64], strata: Sequence[int]) -> NDArray[np.float64]:
    """Return BCa's acceleration of each row of `values` (q, G).

    ``sum u^3 / (6 (sum u^2)^1.5)`` with ``u = (G_h - 1)/G_h (mean_h - T_(hi))``, the
    empirical influence values over the sizes of their strata (Davison and Hinkley, 1997,
    section 5.3.2).
    """
    influence = np.empty_like(values)
    start = 0
    for size in strata:
        part = values[:, start : start + size]
        part = (size - 1) / size * (part.mean(axis=1, keepdims=True) - part)
        influence[:, start : start + size] = part
        start += size
    squares = np.einsum("qg,qg->q", influence, influence)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.sum(influence**3, axis=1) / (6 * squares**1.5))


def kurtosis_df(values: NDArray[np.float64], *, corrected: bool = True) -> NDArray[np.float64]:
    """Return the degrees of freedom of a jackknife variance, (q,), from values (q, G).

    ``2 / (2/(G-1) + k/G)``, at least 2, where k is the excess kurtosis of the pseudo-values, or 0
    if that is negative. If `corrected` for bias, k is 0 with fewer than six clusters; without the
    correction it is smaller.
    """
    G = values.shape[1]
    excess = np.zeros(len(values))
    if G >= 6 or not corrected:
        deviation = values - values.mean(axis=1, keepdims=True)
        second = np.mean(deviation**2, axis=1)
        with np.errstate(divide="ignore", invalid="ignore"):
            found = np.mean(deviation**4, axis=1) / second**2 - 3
        if corrected:
            found = (G - 1) / ((G - 2) * (G - 3)) * ((G + 1) * found + 6)
        excess = np.where(found > 0, found, 0.0)
    return np.asarray(np.maximum(2 / (2 / (G - 1) + excess / G), min(2, G - 1)))


def degrees_of_freedom(
    values: NDArray[np.float64],
    strata: Sequence[int],
    simple: NDArray[np.bool_],
    effective: NDArray[np.float64] | None = None,
    *,
    corrected: bool = True,
) -> NDArray[np.float64]:
    """Return the degrees of freedom of each row's jackknife variance, (q,).

    Equal clusters with normal pseudo-values have G - 1 degrees of freedom. Two things reduce them:
    heavy tails (`kurtosis_df`; ignored if `simple`), and unequal clusters, of which the largest
    contribute most of the variance. The latter leave ``effective - 1``, by Satterthwaite's rule for
    variances that are proportional to the cluster's rows. The pseudo-values also show part of that
    inequality, so the smaller of the two numbers is used, and not both reductions; it is at least
    2. With strata both are those of `stratified_df`.

    `effective` is (q, strata), the number of clusters of equal size to which those of each stratum
    are equivalent; `corrected` is as for `kurtosis_df`, for clusters in one stratum.
    """
    G = values.shape[1]
    if len(strata) == 1:
        df = np.where(simple, G - 1.0, kurtosis_df(values, corrected=corrected))
        if effective is not None:
            df = np.minimum(df, np.maximum(effective[:, 0] - 1, min(2, G - 1)))
        return df
    sizes = np.array(strata, dtype=np.float64)
    variance = stratum_variances(values, strata)
    excess = np.where(simple, 0.0, pooled_excess(values, strata))
    df = stratified_df(variance, 2 / (sizes - 1) + excess[:, None] / sizes)
    if effective is not None:
        df = np.minimum(df, stratified_df(variance, 2 / np.maximum(effective - 1, 1.0)))
    most = G - len(strata)
    return np.asarray(np.clip(df, min(2, most), most))


def stratified_df(
    variance: NDArray[np.float64], spread: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return Satterthwaite's degrees of freedom of sums of estimated variances, (q,).

    ``df = 2 V^2 / Var(V)``, V the sum over strata of v_h, whose estimates have the
    relative variances c_h. Both are estimated. Since ``E v_h^2 = (1 + c_h)`` times the square of
    the true variance, ``A = sum v_h^2 c_h / (1 + c_h)`` estimates Var(V) and ``V^2 - A`` the square
    of the sum, which gives ``df = 2 V^2 / A - 2``. With one stratum that is 2 / c. Without the
    correction, strata of two clusters would lose two thirds of their degrees of freedom.

    Parameters
    ----------
    variance : (q, strata)
        The v_h.
    spread : (q, strata)
        The c_h.
    """
    total = variance.sum(axis=1)
    known = np.sum(variance**2 * spread / (1 + spread), axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(2 * total**2 / known - 2)


def pooled_excess(values: NDArray[np.float64], strata: Sequence[int]) -> NDArray[np.float64]:
    """Return the excess kurtosis of values (q, G) about their strata's means, where positive.

    It is the sum of the unbiased fourth cumulants (k-statistics) of the strata over that of their
    squared variances, each weighted by its clusters. Strata with fewer than four clusters are left
    out, and with fewer than six clusters in the others it is 0.
    """
    fourth, square = np.zeros((2, len(values)))
    start = counted_clusters = 0
    for n in strata:
        part = values[:, start : start + n]
        start += n
        if n < 4:
            continue
        counted_clusters += n
        deviation = part - part.mean(axis=1, keepdims=True)
        m2, m4 = np.mean(deviation**2, axis=1), np.mean(deviation**4, axis=1)
        k4 = n * n * ((n + 1) * m4 - 3 * (n - 1) * m2**2) / ((n - 1) * (n - 2) * (n - 3))
        fourth += n * k4
        square += n * (n / (n - 1) * m2) ** 2
    if counted_clusters < 6:
        return np.zeros(len(values))
    with np.errstate(divide="ignore", invalid="ignore"):
        excess = fourth / square
    return np.asarray(np.where(excess > 0, excess, 0.0))


@dataclass(frozen=True, slots=True)
class PseudoValues:
    """Pseudo-values ``G T - (G - 1) T_(i)`` of each row: mean, its error, degrees of freedom.

    Unlike T itself, their mean is free of bias of the order 1/G (Tukey, 1958). Arrays are (q,).
    """

    centre: NDArray[np.float64]
    error: NDArray[np.float64]
    df: NDArray[np.float64]

    @classmethod
    def of(cls, scaled: NDArray[np.float64]) -> PseudoValues:
        """From values (q, 1 + G): of all clusters, then without each."""
        whole, left_out = scaled[:, 0], scaled[:, 1:]
        G = left_out.shape[1]
        centre = G * whole - (G - 1) * left_out.mean(axis=1)
        return cls(centre, jackknife_error(left_out, (G,)), kurtosis_df(left_out))


UNDEFINED_WITHOUT = Template(
    "undefined_without", "without {undefined} of {subjects} subjects {why}"
)
NEEDS_EACH_OF = Template(
    "undefined_without_one_of", "undefined if one of {undefined:count subject} is left out"
)
ENDS_WITHOUT = Template(
    "end_of_range_without", "at the limit of its range if one of {ends:count subject} is left out"
)


@dataclass(frozen=True, slots=True)
class Jackknife:
    """Results of leaving out one cluster at a time; arrays are (Q,)."""

    error: NDArray[np.float64]  # of the quantity itself
    scaled_error: NDArray[np.float64]  # on its scale
    df: NDArray[np.float64]
    acceleration: NDArray[np.float64]
    reason: list[str]


def jackknife_of(evidence: Evidence) -> Jackknife:
    """Return standard errors, degrees of freedom and acceleration, or why there are none."""
    n = len(evidence.estimate)
    error, scaled_error, df, acceleration = np.full((4, n), np.nan)
    found = Jackknife(error, scaled_error, df, acceleration, [""] * n)
    constant = np.zeros(n, dtype=bool)
    for group in evidence.groups:
        rows, G = group.rows, sum(group.strata)
        if group.crossing is not None:
            _of_two_memberships(evidence, group, group.crossing, found, constant)
            continue
        if G < 2:
            for row in rows:
                found.reason[row] = ONLY_ONE_SUBJECT
            continue
        if min(group.strata) == 1 and len(group.strata) > 1:
            for row in rows:
                found.reason[row] = SINGLE_IN_STRATUM
            continue
        scales = [evidence.scale[row] for row in rows]
        scaled = evidence.scaled(group.values, rows=rows)
        with np.errstate(invalid="ignore"):
            found.error[rows] = jackknife_error(group.values, group.strata)
            found.scaled_error[rows] = jackknife_error(scaled, group.strata)
            constant[rows] = without_variation(found.error[rows], evidence.estimate[rows])
            if evidence.inflation is not None:
                wider = np.sqrt(evidence.inflation[rows])
                found.error[rows] *= wider
                found.scaled_error[rows] *= wider
            found.df[rows] = degrees_of_freedom(
                scaled, group.strata, evidence.simple_df[rows], group.effective,
                corrected=evidence.corrected_kurtosis,
            )  # fmt: skip
            found.acceleration[rows] = acceleration_of(group.values, group.strata)
        if group.most_df is not None:
            found.df[rows] = np.minimum(found.df[rows], group.most_df)
        _give_reasons(group, scaled, scales, found, constant)
        for row, why in zip(rows, group.refused or (), strict=False):
            if why:
                found.reason[row] = why
                found.error[row] = found.scaled_error[row] = found.df[row] = np.nan
    return found


def _give_reasons(
    group: JackknifeGroup,
    scaled: NDArray[np.float64],
    scales: Sequence[str],
    found: Jackknife,
    constant: NDArray[np.bool_],
) -> None:
    """Set the reasons of quantities that are undefined without some cluster."""
    rows, G = group.rows, sum(group.strata)
    for row, undefined in zip(rows, np.isnan(group.values).sum(axis=1), strict=True):
        if undefined:
            found.reason[row] = (
                UNDEFINED_WITHOUT(undefined=undefined, subjects=G, why=group.why_undefined)
                if group.why_undefined
                else NEEDS_EACH_OF(undefined=undefined)
            )
    # For example, one subject has all errors, and the scale has no value without it.
    for row, n_ends in zip(rows, at_end(scaled, scales).sum(axis=1), strict=True):
        if n_ends and not found.reason[row] and not constant[row]:
            found.reason[row] = ENDS_WITHOUT(ends=n_ends)


def _of_two_memberships(
    evidence: Evidence,
    group: JackknifeGroup,
    crossing: Crossing,
    found: Jackknife,
    constant: NDArray[np.bool_],
) -> None:
    """Fill the rows of a group whose data rows belong to two clusters."""
    rows = group.rows
    whole, simple = evidence.estimate[rows], evidence.simple_df[rows]
    scaled, cells = (evidence.scaled(one, rows=rows) for one in (group.values, crossing.cells))
    on_scale = evidence.scaled(evidence.estimate)[rows]
    with np.errstate(invalid="ignore"):
        variance, _ = crossing.variances(whole, group.values, crossing.cells, simple)
        scaled_variance, found.df[rows] = crossing.variances(on_scale, scaled, cells, simple)
        found.error[rows], found.scaled_error[rows] = np.sqrt(variance), np.sqrt(scaled_variance)
        constant[rows] = without_variation(found.error[rows], whole)
        found.acceleration[rows] = acceleration_of(group.values, group.strata)
    for row, own in zip(rows, crossing.rows, strict=True):
        found.reason[row] = why_not(crossing.memberships, own)
    _give_reasons(group, scaled, [evidence.scale[row] for row in rows], found, constant)


def without_variation(
    error: NDArray[np.float64], estimate: NDArray[np.float64]
) -> NDArray[np.bool_]:
    """Return where the error is 0 up to rounding: every leave-one-out value is the estimate."""
    return np.asarray(error <= 1e-14 * np.maximum(np.abs(estimate), 1e-300))
