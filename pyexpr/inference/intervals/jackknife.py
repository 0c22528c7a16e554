"""Each quantity without each cluster in turn: standard error, degrees of freedom, skewness."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pyexpr.base.errors import counted
from pyexpr.inference.intervals.evidence import SINGLE_IN_STRATUM, Evidence
from pyexpr.inference.intervals.scales import at_end, by_scale, to_scale

if TYPE_CHECKING:
    from numpy.typing import NDArray


def jackknife_error(values: NDArray[np.float64], strata: Sequence[int]) -> NDArray[np.float64]:
    """Return the delete-one-cluster standard error of each row of `values` (q, G).

    The square root of ``sum over strata (G_h - 1)/G_h sum_i (T_(hi) - mean_h)^2``.
    """
    variance = np.zeros(len(values))
    start = 0
    for size in strata:
        part = values[:, start : start + size]
        deviation = part - part.mean(axis=1, keepdims=True)
        variance += (size - 1) / size * np.einsum("qg,qg->q", deviation, deviation)
        start += size
    return np.sqrt(variance)


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


def kurtosis_df(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the degrees of freedom of a jackknife variance, (q,), from values (q, G).

    ``2 / (2/(G-1) + k/G)``, k the bias-corrected excess kurtosis of the
    pseudo-values where positive (0 under six clusters); at least 2.
    """
    G = values.shape[1]
    excess = np.zeros(len(values))
    if G >= 6:
        deviation = values - values.mean(axis=1, keepdims=True)
        second = np.mean(deviation**2, axis=1)
        with np.errstate(divide="ignore", invalid="ignore"):
            raw = np.mean(deviation**4, axis=1) / second**2 - 3
        corrected = (G - 1) / ((G - 2) * (G - 3)) * ((G + 1) * raw + 6)
        excess = np.where(corrected > 0, corrected, 0.0)
    return np.asarray(np.maximum(2 / (2 / (G - 1) + excess / G), min(2, G - 1)))


def degrees_of_freedom(
    values: NDArray[np.float64],
    simple: NDArray[np.bool_],
    effective: NDArray[np.float64] | None = None,
) -> NDArray[np.float64]:
    """Return the degrees of freedom of each row's jackknife variance, (q,).

    Two things take from the G - 1 of equal clusters with normal pseudo-values: heavy
    tails (`kurtosis_df`; not looked at where `simple`), and unequal clusters, of which
    the largest carry most of the variance. The latter leave ``effective - 1``, as
    Satterthwaite's rule gives for variances that grow like the cluster's rows. The
    pseudo-values show part of that inequality too, so that the smaller of the two
    counts, not both; at least 2.
    """
    G = values.shape[1]
    df = np.where(simple, G - 1.0, kurtosis_df(values))
    if effective is not None:
        df = np.minimum(df, np.maximum(effective - 1, min(2, G - 1)))
    return df


@dataclass(frozen=True, slots=True)
class Knife:
    """What leaving out one cluster at a time says of each quantity; arrays are (Q,)."""

    error: NDArray[np.float64]  # of the quantity itself
    scaled_error: NDArray[np.float64]  # on its scale
    df: NDArray[np.float64]
    acceleration: NDArray[np.float64]
    reason: list[str]


def knife_of(evidence: Evidence) -> Knife:
    """Return standard errors, degrees of freedom and acceleration, or why there are none."""
    n = len(evidence.estimate)
    error, scaled_error, df, acceleration = np.full((4, n), np.nan)
    found = Knife(error, scaled_error, df, acceleration, [""] * n)
    still = np.zeros(n, dtype=bool)
    for group in evidence.groups:
        rows, G = group.rows, sum(group.strata)
        if G < 2:
            for row in rows:
                found.reason[row] = "only 1 subject"
            continue
        if min(group.strata) == 1 and len(group.strata) > 1:
            for row in rows:
                found.reason[row] = SINGLE_IN_STRATUM
            continue
        scales = [evidence.scale[row] for row in rows]
        scaled = by_scale(to_scale, group.values, scales)
        with np.errstate(invalid="ignore"):
            found.error[rows] = jackknife_error(group.values, group.strata)
            found.scaled_error[rows] = jackknife_error(scaled, group.strata)
            still[rows] = unmoved(found.error[rows], evidence.estimate[rows])
            if len(group.strata) > 1:
                found.df[rows] = G - len(group.strata)
            else:
                found.df[rows] = degrees_of_freedom(
                    scaled, evidence.simple_df[rows], group.effective
                )
            found.acceleration[rows] = acceleration_of(group.values, group.strata)
        for row, undefined in zip(rows, np.isnan(group.values).sum(axis=1), strict=True):
            if undefined:
                found.reason[row] = f"undefined without one of {counted(undefined, 'subject')}"
        # As when one subject makes all errors: the scale has no value without it.
        for row, n_ends in zip(rows, at_end(scaled, scales).sum(axis=1), strict=True):
            if n_ends and not found.reason[row] and not still[row]:
                found.reason[row] = (
                    f"at the end of its range without one of {counted(n_ends, 'subject')}"
                )
    return found


def unmoved(error: NDArray[np.float64], estimate: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return where the error is 0 but for rounding: every leave-one-out value is the estimate."""
    return np.asarray(error <= 1e-14 * np.maximum(np.abs(estimate), 1e-300))
