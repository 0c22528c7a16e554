"""Intervals and p-values from one set of draws and one jackknife.

Sources: Efron (1987) for BCa; Davison and Hinkley (1997), chapter 5, for the
others; the scales and degrees of freedom of `jackknife_t` are described at
`jackknife_t`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np

from pyexpr.base.errors import DataError, counted, listed
from pyexpr.core.cluster_bootstrap import Summary, order_statistics, summarise
from pyexpr.core.quantiles import MOST_UNDEFINED, interpolated_quantiles

if TYPE_CHECKING:
    from numpy.typing import NDArray

DEFAULT = "jackknife_t"
SINGLE_IN_STRATUM = "a stratum has a single subject here, which shows no variation"


@dataclass(frozen=True, slots=True)
class JackknifeGroup:
    """Quantities that rest on the same clusters, and their values without each of them.

    Attributes
    ----------
    rows : (q,) int64
        Positions of the quantities.
    values : (q, G) float64
        Without each cluster, clusters sorted by stratum.
    strata : tuple of int
        Sizes of the strata, adding up to G.
    """

    rows: NDArray[np.int64]
    values: NDArray[np.float64]
    strata: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Evidence:
    """What every interval is computed from; arrays are (Q,) unless said otherwise.

    Attributes
    ----------
    estimate : float64
        NaN where undefined, with the reason in `reason`.
    scale : list of str
        On which the quantity is studentised (`pyexpr.core.cluster_bootstrap.SCALES`).
    simple_df : bool
        Whether the degrees of freedom are G - 1, kurtosis not looked at.
    null : float64
        Value tested; NaN where nothing is.
    replicates : (Q, B) float64
        NaN where undefined.
    groups : list of JackknifeGroup
    reason : list of str
    replicate_errors : callable
        Returns the (Q, B) standard errors within the replicates, on the scale.
    """

    estimate: NDArray[np.float64]
    scale: Sequence[str]
    simple_df: NDArray[np.bool_]
    null: NDArray[np.float64]
    replicates: NDArray[np.float64]
    groups: Sequence[JackknifeGroup]
    reason: Sequence[str]
    replicate_errors: Callable[[], NDArray[np.float64]]
    n_threads: int | None = None


@dataclass(slots=True)
class Intervals:
    """One row per quantity; arrays are (Q,), NaN where `reason` says why.

    `asked` is the method wanted, `method` the one each row got. `p_adjusted` and
    `adjustment` are there once several tests are judged together.
    """

    asked: str
    method: list[str]
    confidence: float
    std_error: NDArray[np.float64]
    statistic: NDArray[np.float64]
    df: NDArray[np.float64]
    p_value: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    reason: list[str]
    n_undefined: NDArray[np.int64]
    p_adjusted: NDArray[np.float64] | None = None
    adjustment: list[str] | None = None


# --- scales ------------------------------------------------------------------------------


def to_scale(x: NDArray[np.float64], scale: str) -> NDArray[np.float64]:
    """Return x on an increasing scale on which its distribution is nearer to symmetric."""
    with np.errstate(divide="ignore", invalid="ignore"):
        if scale == "negative_reciprocal":
            return np.asarray(-1.0 / x)
        if scale == "atanh":
            return np.asarray(np.arctanh(x))
        if scale == "negative_log_complement":
            return np.asarray(-np.log1p(-x))
    return x


def from_scale(g: NDArray[np.float64], scale: str) -> NDArray[np.float64]:
    """Undo `to_scale`; a limit beyond the end of the scale is infinite."""
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        if scale == "negative_reciprocal":
            return np.asarray(np.where(g < 0, -1.0 / g, np.inf))
        if scale == "atanh":
            return np.asarray(np.tanh(g))
        if scale == "negative_log_complement":
            return np.asarray(-np.expm1(-g))
    return g


def _by_scale(
    change: Callable[[NDArray[np.float64], str], NDArray[np.float64]],
    values: NDArray[np.float64],
    scales: Sequence[str],
) -> NDArray[np.float64]:
    names = np.array(scales)
    result = np.empty_like(values)
    for scale in dict.fromkeys(scales):
        chosen = names == scale
        result[chosen] = change(values[chosen], scale)
    return result


# --- the jackknife -----------------------------------------------------------------------


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


@dataclass(frozen=True, slots=True)
class _Jackknife:
    error: NDArray[np.float64]  # of the quantity itself
    scaled_error: NDArray[np.float64]  # on its scale
    df: NDArray[np.float64]
    acceleration: NDArray[np.float64]
    reason: list[str]


def _jackknife(evidence: Evidence) -> _Jackknife:
    n = len(evidence.estimate)
    error, scaled_error, df, acceleration = np.full((4, n), np.nan)
    found = _Jackknife(error, scaled_error, df, acceleration, [""] * n)
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
        scaled = _by_scale(to_scale, group.values, scales)
        with np.errstate(invalid="ignore"):
            found.error[rows] = jackknife_error(group.values, group.strata)
            found.scaled_error[rows] = jackknife_error(scaled, group.strata)
            still[rows] = _still(found.error[rows], evidence.estimate[rows])
            if len(group.strata) > 1:
                found.df[rows] = G - len(group.strata)
            else:
                found.df[rows] = np.where(evidence.simple_df[rows], G - 1, kurtosis_df(scaled))
            influence = (G - 1) * (group.values.mean(axis=1, keepdims=True) - group.values)
            squares = np.einsum("qg,qg->q", influence, influence)
            with np.errstate(divide="ignore"):
                found.acceleration[rows] = np.sum(influence**3, axis=1) / (6 * squares**1.5)
        for row, undefined in zip(rows, np.isnan(group.values).sum(axis=1), strict=True):
            if undefined:
                found.reason[row] = f"undefined without one of {counted(undefined, 'subject')}"
        # As when one subject makes all errors: the scale has no value without it.
        for row, at_end in zip(rows, np.isinf(scaled).sum(axis=1), strict=True):
            if at_end and not found.reason[row] and not still[row]:
                found.reason[row] = (
                    f"at the end of its range without one of {counted(at_end, 'subject')}"
                )
    return found


def jackknife_t(evidence: Evidence, confidence: float) -> Intervals:
    """Delete-one-cluster jackknife on a scale, with Student's t.

    ``g(T) +- t_df SE``, back-transformed, where SE is the jackknife standard
    error of g(T). g is -1/x for RMSE, NRMSE and MAE, atanh for correlation and
    concordance, -log(1-x) for R2, the identity for differences and bias. df is
    G - 1 for pooled and between-subject correlations and their differences, else
    `kurtosis_df`. `std_error` is that of the quantity itself.
    """
    from scipy.special import stdtr, stdtrit

    knife = _jackknife(evidence)
    centre = _by_scale(to_scale, evidence.estimate, evidence.scale)
    null = _by_scale(to_scale, evidence.null, evidence.scale)
    with np.errstate(divide="ignore", invalid="ignore"):
        statistic = (centre - null) / knife.scaled_error
        half = stdtrit(knife.df, (1 + confidence) / 2) * knife.scaled_error
        low = _by_scale(from_scale, centre - half, evidence.scale)
        high = _by_scale(from_scale, centre + half, evidence.scale)
        p = 2 * stdtr(knife.df, -np.abs(statistic))
    # t can be so large that p underflows; it is never 0.
    p = np.where(p == 0, np.nextafter(0, 1), p)
    n = len(p)
    undefined = evidence.replicates.shape[1] - _summary(evidence, evidence.null).n_defined
    result = Intervals(
        DEFAULT,
        [DEFAULT] * n,
        confidence,
        knife.error,
        statistic,
        knife.df,
        p,
        low,
        high,
        [""] * n,
        undefined,
    )
    still = _still(knife.error, evidence.estimate)
    at_end = np.isinf(centre) & ~still
    for row in np.flatnonzero(still):
        result.low[row] = result.high[row] = evidence.estimate[row]
        result.statistic[row] = result.p_value[row] = np.nan
        result.reason[row] = "the same without any one subject: no variation to judge by"
    for row in np.flatnonzero(at_end):
        _blank(result, int(row), "the estimate lies at the end of its range")
    _give_reasons(result, knife.reason)
    return result


def _still(error: NDArray[np.float64], estimate: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return where the error is 0 but for rounding: every leave-one-out value is the estimate."""
    return np.asarray(error <= 1e-14 * np.maximum(np.abs(estimate), 1e-300))


def _blank(result: Intervals, row: int, reason: str) -> None:
    """Take interval and test from a row that cannot have them."""
    for values in (result.low, result.high, result.p_value, result.statistic, result.df):
        values[row] = np.nan
    result.reason[row] = result.reason[row] or reason


def _give_reasons(result: Intervals, reasons: Sequence[str]) -> None:
    for row, reason in enumerate(reasons):
        if reason:
            _blank(result, row, reason)


# --- quantiles of the replicates ----------------------------------------------------------


def _levels(confidence: float, n: int) -> NDArray[np.float64]:
    # Written as boot.ci writes it: the rank it gives is the same double.
    return np.tile([(1 - confidence) / 2, (1 + confidence) / 2], (n, 1))


def _summary(evidence: Evidence, null: NDArray[np.float64]) -> Summary:
    return summarise(evidence.replicates, evidence.estimate, null, n_threads=evidence.n_threads)


def _two_sided(
    at_most: NDArray[np.int64], at_least: NDArray[np.int64], n: NDArray[np.int64]
) -> NDArray[np.float64]:
    return np.asarray(np.minimum(2 * (np.minimum(at_most, at_least) + 1) / (n + 1), 1.0))


def _from_draws(
    evidence: Evidence,
    method: str,
    confidence: float,
    summary: Summary,
    p_value: NDArray[np.float64],
    low: NDArray[np.float64],
    high: NDArray[np.float64],
) -> Intervals:
    n = len(evidence.estimate)
    result = Intervals(
        method,
        [method] * n,
        confidence,
        summary.sd,
        np.full(n, np.nan),
        np.full(n, np.nan),
        np.where(np.isnan(evidence.null), np.nan, p_value),
        low,
        high,
        [""] * n,
        evidence.replicates.shape[1] - summary.n_defined,
    )
    for group in evidence.groups:
        if min(group.strata) == 1:
            for row in group.rows:
                several = len(group.strata) > 1
                _blank(result, int(row), SINGLE_IN_STRATUM if several else "only 1 subject")
                result.std_error[row] = np.nan
    _refuse_undefined(evidence, result, summary.n_defined)
    return result


def _refuse_undefined(evidence: Evidence, result: Intervals, n_defined: NDArray[np.int64]) -> None:
    B = evidence.replicates.shape[1]
    for row in np.flatnonzero((B - n_defined) > MOST_UNDEFINED * B):
        _blank(result, int(row), f"undefined in {B - n_defined[row]} of {B} replicates")


def percentile(evidence: Evidence, confidence: float) -> Intervals:
    """Quantiles of the replicates, interpolated as `interpolated_quantiles` says.

    ``p = 2 min(#{t* <= null} + 1, #{t* >= null} + 1)/(B + 1)``, at most 1.
    """
    summary = _summary(evidence, evidence.null)
    limits = interpolated_quantiles(
        evidence.replicates,
        _levels(confidence, len(evidence.estimate)),
        summary.n_defined,
        n_threads=evidence.n_threads,
    )
    p = _two_sided(summary.n_at_most_null, summary.n_at_least_null, summary.n_defined)
    return _from_draws(evidence, "percentile", confidence, summary, p, limits[:, 0], limits[:, 1])


def basic(evidence: Evidence, confidence: float) -> Intervals:
    """Mirror the percentile interval about the estimate: ``2T`` minus its limits."""
    mirrored = 2 * evidence.estimate - evidence.null
    summary = _summary(evidence, mirrored)
    limits = interpolated_quantiles(
        evidence.replicates,
        _levels(confidence, len(mirrored)),
        summary.n_defined,
        n_threads=evidence.n_threads,
    )
    p = _two_sided(summary.n_at_most_null, summary.n_at_least_null, summary.n_defined)
    twice = 2 * evidence.estimate
    return _from_draws(
        evidence, "basic", confidence, summary, p, twice - limits[:, 1], twice - limits[:, 0]
    )


def normal(evidence: Evidence, confidence: float) -> Intervals:
    """``2T - mean t* +- z sd(t*)``: normal, with the bootstrap's estimate of bias taken off."""
    from scipy.special import ndtr

    summary = _summary(evidence, evidence.null)
    centre = 2 * evidence.estimate - summary.mean
    half = NormalDist().inv_cdf((1 + confidence) / 2) * summary.sd
    with np.errstate(divide="ignore", invalid="ignore"):
        statistic = (centre - evidence.null) / summary.sd
    p = 2 * ndtr(-np.abs(statistic))
    p = np.where(p == 0, np.nextafter(0, 1), p)
    result = _from_draws(evidence, "normal", confidence, summary, p, centre - half, centre + half)
    result.statistic = np.where(np.isnan(result.p_value), np.nan, statistic)
    return result


def bca(evidence: Evidence, confidence: float) -> Intervals:
    """Percentiles corrected for bias and acceleration (Efron, 1987).

    ``z0 = qnorm(#{t* < t}/B)``; the acceleration comes from the subject jackknife of
    each quantity, as ``boot::boot.ci(type = "bca", L = (G - 1) * (mean(J) - J))`` takes
    it. Where z0 is infinite, or an end lies outside (1/(B + 1), B/(B + 1)), the row gets
    the percentile interval, and `method` says so. p by inversion.
    """
    from scipy.special import ndtr, ndtri

    knife = _jackknife(evidence)
    summary = _summary(evidence, evidence.null)
    B = summary.n_defined
    with np.errstate(divide="ignore", invalid="ignore"):
        z0 = ndtri(summary.n_below_estimate / B)
        acceleration = knife.acceleration
        z = z0[:, None] + ndtri(_levels(confidence, len(z0)))
        levels = ndtr(z0[:, None] + z / (1 - acceleration[:, None] * z))
        usable = np.isfinite(levels).all(axis=1)
        usable &= (levels[:, 0] > 1 / (B + 1)) & (levels[:, 1] < B / (B + 1))
        # The level whose end of the interval meets the null, from below and from above.
        tails = []
        for count, sign in ((summary.n_at_most_null, 1), (summary.n_at_least_null, -1)):
            y = sign * ndtri(np.minimum(count + 1, B) / (B + 1)) - z0
            tails.append(ndtr(sign * (y / (1 + acceleration * y) - z0)))
        p = np.clip(2 * np.minimum(*tails), 1 / (B + 1), 1.0)
    plain = _two_sided(summary.n_at_most_null, summary.n_at_least_null, B)
    levels = np.where(usable[:, None], levels, _levels(confidence, len(z0)))
    limits = interpolated_quantiles(evidence.replicates, levels, B, n_threads=evidence.n_threads)
    result = _from_draws(
        evidence,
        "bca",
        confidence,
        summary,
        np.where(usable, p, plain),
        limits[:, 0],
        limits[:, 1],
    )
    for row in np.flatnonzero(~usable):
        result.method[row] = "percentile"
    return result


def studentize(evidence: Evidence) -> NDArray[np.float64]:
    """Return ``(g(T*) - g(T)) / SE*`` of every replicate, (Q, B); NaN where SE* is 0."""
    centre = _by_scale(to_scale, evidence.estimate, evidence.scale)
    pivot = _by_scale(to_scale, evidence.replicates, evidence.scale)
    error = evidence.replicate_errors()
    # Zero but for rounding, as when one subject fills a replicate.
    with np.errstate(divide="ignore", invalid="ignore"):
        still = error <= 1e-12 * np.maximum(np.abs(pivot), np.abs(centre)[:, None])
        pivot -= centre[:, None]
        pivot /= error
    pivot[still | ~np.isfinite(pivot)] = np.nan
    return pivot


def _studentized(evidence: Evidence, confidence: float, *, symmetric: bool) -> Intervals:
    pivot, knife = studentize(evidence), _jackknife(evidence)
    centre = _by_scale(to_scale, evidence.estimate, evidence.scale)
    null = _by_scale(to_scale, evidence.null, evidence.scale)
    with np.errstate(divide="ignore", invalid="ignore"):
        statistic = (centre - null) / knife.scaled_error
    if symmetric:
        np.abs(pivot, out=pivot)
        summary = summarise(pivot, centre, np.abs(statistic), n_threads=evidence.n_threads)
        B = summary.n_defined
        # The rank that makes the interval agree with p.
        rank = np.clip(np.ceil((B + 1) * confidence - 1e-9), 1, np.maximum(B, 1)).astype(np.int64)
        reach = order_statistics(pivot, rank[:, None] - 1, n_threads=evidence.n_threads)
        lower = upper = reach[:, 0]
        p = (summary.n_at_least_null + 1) / (B + 1)
    else:
        summary = summarise(pivot, centre, statistic, n_threads=evidence.n_threads)
        B = summary.n_defined
        limits = interpolated_quantiles(
            pivot, _levels(confidence, len(centre)), B, n_threads=evidence.n_threads
        )
        lower, upper = limits[:, 1], -limits[:, 0]
        p = _two_sided(summary.n_at_most_null, summary.n_at_least_null, B)
    with np.errstate(invalid="ignore"):
        low = _by_scale(from_scale, centre - lower * knife.scaled_error, evidence.scale)
        high = _by_scale(from_scale, centre + upper * knife.scaled_error, evidence.scale)
    name = "studentized" if symmetric else "studentized_et"
    result = _from_draws(evidence, name, confidence, summary, p, low, high)
    result.std_error = knife.error
    result.statistic = np.where(np.isnan(result.p_value), np.nan, statistic)
    _give_reasons(result, knife.reason)
    return result


def studentized(evidence: Evidence, confidence: float) -> Intervals:
    """Symmetric bootstrap-t on the scale of `jackknife_t`.

    Within a replicate the G drawn copies are G distinct subjects, each left out in
    turn for the standard error; the interval is ``g(T) +- q SE`` with q the quantile
    of ``|g(T*) - g(T)| / SE*``. Replicates whose SE* is 0 are undefined.
    """
    return _studentized(evidence, confidence, symmetric=True)


def studentized_et(evidence: Evidence, confidence: float) -> Intervals:
    """Bootstrap-t with equal tails on the scale of `jackknife_t`; see `studentized`."""
    return _studentized(evidence, confidence, symmetric=False)


METHODS: dict[str, Callable[[Evidence, float], Intervals]] = {
    "jackknife_t": jackknife_t,
    "percentile": percentile,
    "basic": basic,
    "normal": normal,
    "bca": bca,
    "studentized": studentized,
    "studentized_et": studentized_et,
}


def compute(evidence: Evidence, method: str | None, confidence: float) -> Intervals:
    """Return the intervals and tests of one method; ``None`` is the recommended one.

    Raises
    ------
    DataError
        If the method is unknown, the confidence not between 0 and 1, or there are
        too few replicates for quantiles that far out.
    """
    name = DEFAULT if method is None else method
    if name not in METHODS:
        raise DataError(f"method= must be one of {listed(METHODS, most=20)}, not {method!r}")
    if not 0 < confidence < 1:
        raise DataError(f"confidence= must lie between 0 and 1, not {confidence!r}")
    B = evidence.replicates.shape[1]
    least = int(np.ceil(2 / (1 - confidence) - 1 - 1e-9))
    if name != DEFAULT and least > B:
        raise DataError(
            f"method {name!r} at confidence {confidence:g} needs n_boot of at least {least} "
            f"(better 2000), not {B}"
        )
    result = METHODS[name](evidence, confidence)
    for row, reason in enumerate(evidence.reason):
        if reason and np.isnan(evidence.estimate[row]):
            result.reason[row] = ""
            _blank(result, row, reason)
            result.std_error[row] = np.nan
        elif reason:
            result.reason[row] = "; ".join(filter(None, [reason, result.reason[row]]))
    return result
