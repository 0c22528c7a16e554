"""Reliability of traces: ratings sampled over time."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from pyexpr.base.checks import confidence_level, is_number
from pyexpr.base.errors import DataError, listed
from pyexpr.base.messages import say
from pyexpr.base.stopping import stoppable
from pyexpr.measurement.icc.bootstrap import Bootstrap
from pyexpr.measurement.icc.group import ICCGroup, computed
from pyexpr.measurement.icc.layout import Ratings, names_of
from pyexpr.measurement.traces.frames import (
    FILLINGS,
    Frames,
    Rule,
    Traces,
    frames_of,
    read_traces,
    usual_rate,
)
from pyexpr.measurement.traces.lags import LagSums, best_lags
from pyexpr.measurement.traces.notes import LAG_JUMPS, NO_LAG, NO_PEAK
from pyexpr.measurement.traces.result import LEVELS, Lag, TraceReliabilityResult
from pyexpr.resampling.intervals.jackknife import jackknife_error, kurtosis_df

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pyexpr.base.foreign import FrameLike

# Lags between so many frames or fewer are searched.
_MOST_SHIFTS = 2000


@stoppable("the reliability of traces was computed")
def trace_reliability(
    data: FrameLike,
    *,
    targets: str | Sequence[str],
    ratings: str,
    raters: str,
    time: str,
    cluster: str,
    rate: float | None = None,
    filling: str = "linear",
    max_gap: float = 1.0,
    min_coverage: float = 0.5,
    max_lag: float = 4.0,
    align: bool = False,
    k: float | None = None,
    confidence: float = 0.95,
) -> TraceReliabilityResult:
    r"""Compute the reliability of traces, and the lags between raters.

    This is for ratings that several raters gave continuously while they watched a clip, such as
    valence by a joystick. It gives the reliability of the value of a moment, of moments within a
    clip, and of the mean of a clip, for one rater and for the mean of several.

    Parameters
    ----------
    data : DataFrame
        One row per value, in any order: clip, rater, time, value. Times may be regular or not, and
        differ between raters. Missing values are left out and counted.
    targets : str or list of str
        Column, or several columns together, that identify the clip.
    ratings, raters, time : str
        Columns of the values, of the raters, and of the times in seconds. Times may or may not
        begin anew with each clip, but all raters of a clip must have the same zero point.
    cluster : str
        Column of the subjects to whom the clips belong. Frames are not independent, nor are the
        clips of a subject, so intervals come from leaving out whole subjects. If each clip belongs
        to a different subject, name the column of the clips.
    rate : float, optional
        Frames per second to which traces are resampled. By default 1 over the median interval
        between values.
    filling : {"linear", "previous"}
        The value of a frame: linear interpolation between the means of the values that fall into
        each frame, at the means of their times; or the previous value, for devices that record
        only changes.
    max_gap : float
        Longest interval between two values, in seconds, over which frames are filled.
    min_coverage : float
        A trace with values in a smaller proportion of the frames of its clip is left out, with the
        reason in ``traces()``. Of the other traces, only the frames that all of them have are used.
    max_lag : float
        Largest lag in seconds of a rater relative to the mean of the others; 0 to estimate none.
    align : bool
        Whether to remove the lags before reliabilities are computed. They are reported in any case.
    k : float, optional
        Number of raters to which the average forms refer. By default the number of raters (their
        harmonic mean, if clips have different numbers).
    confidence : float
        Level of the intervals.

    Returns
    -------
    TraceReliabilityResult
        ``tidy()``, ``lags()``, ``traces()``, ``frames()``, ``mean_trace()``, ``notes()``,
        ``plot()``.

    Raises
    ------
    ColumnError
        If a column does not exist, a value or time is text, or a label is missing.
    DataError
        If a rater has two values of a clip at one time, a clip belongs to two subjects, fewer than
        two raters have usable traces, a lag is to be removed that cannot be estimated, or an option
        is not allowed.

    Notes
    -----
    The forms are those of `icc`: ICC(A,1) and ICC(A,k) of absolute agreement, ICC(C,1) and ICC(C,k)
    of consistency. At level ``frame`` the targets are the frames of all clips. At level ``within``
    they are the frames after the mean of each rater's trace of each clip was subtracted, so that
    only consistency is defined. At level ``clip`` the targets are clips and the ratings the means
    of traces. Frames within a clip are correlated; this leaves the estimates of variances valid but
    not intervals that count frames, which are therefore those of `icc` with `cluster`, from leaving
    out one subject at a time. Long clips have more frames and weigh more.

    Lags: for raters j and k, :math:`r_{jk}(d)` is the correlation of their traces, about the mean
    of each trace, with the first read d seconds later, over all clips. The lags l add up to 0 and
    maximise :math:`\sum_{j<k} n_{jk} r_{jk}(l_j - l_k)`, n being common frames: given the others,
    each rater's lag is that of the largest correlation with the sum of the others' traces. They
    are relative, since a delay that all raters share cannot be seen in ratings. Their intervals
    are Student's t with the jackknife's standard error. Where lags are removed (``align=True``),
    they are subtracted from the times before resampling, and the intervals of reliabilities treat
    them as known. The coverage is reported in ``docs/coverage_traces.md``.

    Checked against: `psych::ICC` of the resampled frames, `scipy.signal.correlate` and
    `scipy.interpolate.interp1d`, simulated traces with known lags and variances.

    References
    ----------
    Girard, J. M. and Wright, A. G. C. (2018). DARMA: Software for dual axis rating and media
    annotation. Behavior Research Methods, 50, 902-909.
    https://doi.org/10.3758/s13428-017-0915-5
    Mariooryad, S. and Busso, C. (2015). IEEE Transactions on Affective Computing, 6, 97-108.
    https://doi.org/10.1109/TAFFC.2014.2334294

    Examples
    --------
    Three raters of eight clips, the third of whom responds half a second later:

    >>> import numpy as np, pandas as pd
    >>> rng, t = np.random.default_rng(1), np.arange(0, 20, 0.1)
    >>> rows = []
    >>> for clip in range(8):
    ...     phase, level = rng.uniform(0, 6), rng.normal()
    ...     for rater, lag in zip("abc", (0.0, 0.0, 0.5)):
    ...         value = level + np.sin(1.5 * (t - lag) + phase) + rng.normal(0, 0.3, len(t))
    ...         rows.append(pd.DataFrame({"clip": clip, "rater": rater, "t": t, "valence": value}))
    >>> found = trace_reliability(
    ...     pd.concat(rows), targets="clip", raters="rater", time="t", ratings="valence",
    ...     cluster="clip", max_lag=2, align=True,
    ... )
    >>> print(found.lags()[["rater", "lag"]].round(2))
      rater   lag
    0     a -0.15
    1     b -0.17
    2     c  0.32
    """
    targets = names_of(targets)
    level = confidence_level(confidence)
    if k is not None and (not is_number(k) or k <= 0):
        raise DataError(say("{k=} must be a positive number of raters, not {given!r}", given=k))
    _check_columns(targets, ratings, raters, time, cluster)
    _check_options(rate, filling, max_gap, min_coverage, max_lag)
    traces = read_traces(
        data, targets=targets, raters=raters, time=time, ratings=ratings, cluster=cluster
    )
    rule = Rule(usual_rate(traces) if rate is None else rate, filling, max_gap, min_coverage)
    frames = _usable(traces, rule, None)
    lags = lags_of(frames, traces, rule.rate, max_lag, level)
    if align:
        _refuse_open_lags(lags, traces, max_lag, frames.table)
        # A rater without a usable trace has no lag either.
        frames = _usable(traces, rule, np.nan_to_num([one.estimate for one in lags]))
    return TraceReliabilityResult(
        traces_read=traces,
        rule=rule,
        used=frames,
        groups=tuple(_group(frames, traces, name, level) for name in LEVELS),
        estimated_lags=lags,
        aligned=bool(align),
        max_lag=float(max_lag),
        k=None if k is None else float(k),
        confidence=level,
        targets=tuple(targets),
        cluster=cluster,
    )


def _usable(traces: Traces, rule: Rule, lags: NDArray[np.float64] | None) -> Frames:
    frames = frames_of(traces, rule, lags)
    if not len(frames.clip):
        raise DataError(
            say(
                "no clip has two traces with common frames: a trace is left out if it has values "
                "in less than {least:.0f} % of the frames of its clip ({min_coverage=})",
                least=100 * rule.min_coverage,
            )
        )
    if len(np.unique(traces.subject_of[frames.clip])) < 2:
        raise DataError(
            "there is only one subject with usable traces; at least two are required to estimate "
            "how reliability varies"
        )
    return frames


def _group(frames: Frames, traces: Traces, level: str, confidence: float) -> ICCGroup:
    """Return the intraclass correlations at one level."""
    table: NDArray[np.float64] = frames.table
    clip: NDArray[np.int64] = frames.clip
    if level != "frame":
        clips, position = np.unique(clip, return_inverse=True)
        number = np.bincount(position)[:, None].astype(np.float64)
        # A rater has all of a clip's frames, or none.
        first = table - _first(table, position)[position]
        sums = np.column_stack([np.bincount(position, weights=column) for column in first.T])
        means = np.asarray(sums / number + _first(table, position), dtype=np.float64)
        if level == "within":
            table = table - means[position]
        else:
            table, clip = means, clips
    rated = ~np.isnan(table).all(axis=0)
    table = np.ascontiguousarray(table[:, rated])
    ratings = Ratings(
        labels=(level,),
        n_rows=table.size,
        n_missing=0,
        table=table,
        n_targets=len(table),
        n_raters=table.shape[1],
        clusters=traces.subject_of[clip],
        cluster_labels=traces.subjects,
    )
    families = {"consistency"} if level == "within" else {"agreement", "consistency"}
    return computed(ratings, confidence, families, Bootstrap(0, 0, "jackknife_t"), warn=False)


def _first(table: NDArray[np.float64], position: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return each clip's first values: less them, equal values have a mean without rounding."""
    return table[np.searchsorted(position, np.arange(position[-1] + 1))]


def lags_of(
    frames: Frames, traces: Traces, rate: float, max_lag: float, confidence: float
) -> tuple[Lag, ...]:
    """Return the lag of each rater with its interval; () if none is to be estimated."""
    most = math.floor(max_lag * rate + 1e-9)
    if most == 0:
        return ()
    if most > _MOST_SHIFTS:
        raise DataError(
            say(
                "{max_lag=} is {n:,d} frames at {rate:g} frames per second, more than {most:,d}; "
                "give a smaller {rate=}",
                max_lag=max_lag,
                n=most,
                rate=rate,
                most=_MOST_SHIFTS,
            )
        )
    rated = np.flatnonzero(~np.isnan(frames.table).all(axis=0))
    sums, linked = _sums_of(frames, traces, rated, most)
    if len(linked) < len(rated):
        # Those whose traces are constant have no lag, the others have theirs.
        rated = rated[linked]
        sums, _ = _sums_of(frames, traces, rated, most)
    correlations, number = sums.correlations()
    own, at = best_lags(correlations, number, most)
    with_frames = np.flatnonzero(sums.number.any(axis=(1, 2)))
    without = np.empty((len(rated), len(with_frames)))
    for column, subject in enumerate(with_frames):
        kept = np.arange(len(sums.number)) != subject
        without[:, column] = best_lags(*sums.correlations(kept), most, start=at)[0]
    peaks = _peaks(correlations, number, at, most)
    found = [Lag(np.nan, np.nan, np.nan, np.nan, NO_LAG)] * len(traces.raters)
    for i, rater in enumerate(rated.tolist()):
        found[rater] = _lag(
            own[i] / rate, without[i] / rate, peaks[i], confidence,
            NO_LAG if np.isnan(peaks[i]) else NO_PEAK(max_lag=max_lag),
        )  # fmt: skip
    return tuple(found)


def _sums_of(
    frames: Frames, traces: Traces, rated: NDArray[np.int64], most: int
) -> tuple[LagSums, NDArray[np.int64]]:
    """Return the sums of these raters, and which of them vary together with another."""
    some = Frames(frames.table[:, rated], frames.clip, frames.number, frames.reasons, frames.shares)
    sums = LagSums.of(some, traces.subject_of, len(traces.subjects), most)
    correlations, number = sums.correlations()
    usable = np.isfinite(correlations[:, :, 2 * most]) & (number > 0)
    usable &= ~np.eye(len(rated), dtype=bool)
    return sums, np.flatnonzero(usable.any(axis=1))


def _peaks(
    correlations: NDArray[np.float64], number: NDArray[np.float64], at: NDArray[np.int64], most: int
) -> NDArray[np.float64]:
    """Return each rater's mean correlation with the others at the lags, weighted by frames."""
    q = len(at)
    i, j = np.indices((q, q))
    found = correlations[i, j, np.clip(at[:, None] - at + 2 * most, 0, 4 * most)]
    weight = np.where(np.eye(q, dtype=bool) | np.isnan(found), 0.0, number)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray((weight * np.nan_to_num(found)).sum(axis=1) / weight.sum(axis=1))


def _lag(
    estimate: float,
    without: NDArray[np.float64],
    peak: float,
    confidence: float,
    why: str,
) -> Lag:
    from scipy.special import stdtrit

    if math.isnan(estimate):
        return Lag(estimate, estimate, estimate, peak, why)
    if np.isnan(without).any() or len(without) < 2:
        return Lag(estimate, np.nan, np.nan, peak, LAG_JUMPS)
    error = float(jackknife_error(without[None], (len(without),))[0])
    half = float(stdtrit(kurtosis_df(without[None])[0], (1 + confidence) / 2)) * error
    return Lag(estimate, error, half, peak, "")


def _refuse_open_lags(
    lags: tuple[Lag, ...], traces: Traces, max_lag: float, table: NDArray[np.float64]
) -> None:
    if not lags:
        raise DataError(say("{align=True} removes lags, which requires a {max_lag=} above 0"))
    used = [
        label
        for label, lag, values in zip(traces.raters, lags, table.T, strict=True)
        if lag.open and not np.isnan(values).all()
    ]
    if used:
        raise DataError(
            say(
                "the lag of {raters} cannot be estimated within {max_lag=}, so that it cannot be "
                "removed; leave out the rater, or the alignment, or give a larger {max_lag=}",
                raters=listed(used),
                max_lag=max_lag,
            )
        )


def _check_columns(targets: list[str], *columns: Any) -> None:
    for name, given in zip(("ratings", "raters", "time", "cluster"), columns, strict=True):
        if not isinstance(given, str):
            raise DataError(
                say(
                    "{@argument=} must be the name of a column, not a {kind}",
                    argument=name,
                    kind=type(given).__name__,
                )
            )
    ratings, raters, time, _ = columns
    if len({ratings, raters, time, *targets}) < 3 + len(targets):
        raise DataError(
            say("{targets=}, {ratings=}, {raters=} and {time=} must name different columns")
        )


def _check_options(rate: Any, filling: Any, max_gap: Any, min_coverage: Any, max_lag: Any) -> None:
    if rate is not None and (not is_number(rate) or rate <= 0):
        raise DataError(
            say("{rate=} must be a positive number of frames per second, not {given!r}", given=rate)
        )
    if filling not in FILLINGS:
        raise DataError(
            say("{filling=} must be one of {names}, not {given!r}", names=listed(FILLINGS),
                given=filling)
        )  # fmt: skip
    for name, given in (("max_gap", max_gap), ("max_lag", max_lag)):
        if not is_number(given) or given < 0:
            raise DataError(
                say(
                    "{@argument=} must be a number of seconds, 0 or more, not {given!r}",
                    argument=name,
                    given=given,
                )
            )
    if not is_number(min_coverage) or not 0 < min_coverage <= 1:
        raise DataError(
            say(
                "{min_coverage=} must be a proportion above 0 and at most 1, not {given!r}",
                given=min_coverage,
            )
        )
