"""Traces resampled to frames, and the frames that all traces of a clip have."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pyexpr.base.errors import DataError, have
from pyexpr.base.messages import say
from pyexpr.base.tables import (
    called,
    frame_with_rows,
    label_codes,
    numeric_column,
    require_columns,
)
from pyexpr.measurement.icc.layout import codes_of
from pyexpr.measurement.traces.notes import ALONE, NO_OVERLAP, NO_VALUES, TOO_SHORT

if TYPE_CHECKING:
    from numpy.typing import NDArray

WHAT = "the traces"
FILLINGS = ("linear", "previous")
# More frames than this are a rate in wrong units.
_MOST_FRAMES = 20_000_000


@dataclass(frozen=True, slots=True)
class Trace:
    """The values of one rater over one clip, in the order of time."""

    clip: int
    rater: int
    times: NDArray[np.float64]
    values: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Traces:
    """All traces, and whose clips they are.

    Attributes
    ----------
    traces : tuple of Trace
    raters : tuple
        The labels of the raters.
    clips : tuple of tuple
        The labels of each clip, one per column.
    subject_of : (clips,) int64
        The subject of each clip.
    subjects : tuple
        The labels of the subjects.
    n_missing : int
        Values that are missing.
    """

    traces: tuple[Trace, ...]
    raters: tuple[Any, ...]
    clips: tuple[tuple[Any, ...], ...]
    subject_of: NDArray[np.int64]
    subjects: tuple[Any, ...]
    n_missing: int


@dataclass(frozen=True, slots=True)
class Rule:
    """How traces are resampled."""

    rate: float
    filling: str
    max_gap: float
    min_coverage: float


@dataclass(frozen=True, slots=True)
class Frames:
    """The frames that are used.

    Attributes
    ----------
    table : (frames, raters) float64
        NaN where the rater has no trace of the clip.
    clip : (frames,) int64
    number : (frames,) int64
        The frame's time is this over the rate.
    reasons : tuple of str
        Of each trace, why it is left out; "" where it is used.
    shares : (traces,) float64
        The proportion of the clip's frames in which it has a value.
    """

    table: NDArray[np.float64]
    clip: NDArray[np.int64]
    number: NDArray[np.int64]
    reasons: tuple[str, ...]
    shares: NDArray[np.float64]


def read_traces(
    data: Any, *, targets: list[str], raters: str, time: str, ratings: str, cluster: str
) -> Traces:
    """Read a long table, one row per value."""
    frame = frame_with_rows(data, what=WHAT)
    require_columns(frame, [*targets, raters, time, ratings, cluster], what=WHAT)
    values = numeric_column(frame, ratings, what=WHAT)
    times = numeric_column(frame, time, what=WHAT)
    lost = np.isnan(times) & ~np.isnan(values)
    if lost.any():
        raise DataError(
            f"column {time!r} of {called(frame, WHAT)} must not have missing values where there is "
            f"a rating, but row {int(np.flatnonzero(lost)[0]) + 1} is empty"
        )
    rater, labels = label_codes(frame[raters], name=raters, what=WHAT, keep_order=True)
    if len(labels) < 2:
        raise DataError(
            f"reliability compares raters, so that at least two raters are needed, but "
            f"{have(called(frame, WHAT))} 1 rater"
        )
    subject, subjects = label_codes(frame[cluster], name=cluster, what=WHAT)
    code, n_clips = codes_of(frame, targets)
    subject_of = np.zeros(n_clips, dtype=np.int64)
    subject_of[code] = subject
    strays = np.flatnonzero(subject_of[code] != subject)
    first = np.zeros(n_clips, dtype=np.int64)
    first[code[::-1]] = np.arange(len(code))[::-1]
    clips = tuple(zip(*(frame[name].iloc[first].tolist() for name in targets), strict=True))
    if len(strays):
        raise DataError(
            say(
                "each clip must belong to one {cluster!r}, but the clip {clip} belongs to several; "
                "name more columns in {targets=}",
                cluster=cluster,
                clip=", ".join(map(repr, clips[code[strays[0]]])),
            )
        )
    order = np.lexsort((times, rater, code))
    starts = np.flatnonzero(np.diff(code[order] * len(labels) + rater[order], prepend=-1))
    found = []
    for rows in np.split(order, starts[1:]):
        kept = rows[~np.isnan(values[rows])]
        doubled = np.flatnonzero(np.diff(times[kept]) == 0)
        if len(doubled):
            row = kept[doubled[0] + 1]
            raise DataError(
                say(
                    "a trace has one value at a time, but {rater!r} has several of the clip {clip} "
                    "at {time:g} (row {row}); remove the duplicates, or name more columns in "
                    "{targets=}",
                    rater=labels[rater[row]],
                    clip=", ".join(map(repr, clips[code[row]])),
                    time=float(times[row]),
                    row=int(row) + 1,
                )
            )
        found.append(Trace(int(code[rows[0]]), int(rater[rows[0]]), times[kept], values[kept]))
    return Traces(
        tuple(found), tuple(labels), clips, subject_of, tuple(subjects), int(np.isnan(values).sum())
    )


def usual_rate(traces: Traces) -> float:
    """Return how many values there are per second: 1 over the median interval."""
    steps = np.concatenate([np.diff(one.times) for one in traces.traces])
    if not len(steps):
        raise DataError("no trace has two values, so that there is nothing to resample")
    return float(1 / np.median(steps))


def resampled(trace: Trace, rule: Rule, lag: float = 0.0) -> tuple[int, NDArray[np.float64]]:
    """Return the number of the first frame and the values of all, NaN in gaps.

    The time of frame m is ``m / rate``, and its value is the linear interpolation between the means
    of the values, and of their times, that fall into each frame; or the previous value. The lag is
    subtracted from the times.
    """
    times = trace.times - lag
    frame = np.floor(times * rule.rate + 0.5).astype(np.int64)
    first, last = int(frame[0]), int(frame[-1])
    if last - first > _MOST_FRAMES:
        raise DataError(
            say(
                "a trace has {n:,d} frames at {rate:g} per second; times must be in seconds, and "
                "{rate=} in frames per second",
                n=last - first + 1,
                rate=rule.rate,
            )
        )
    number = np.bincount(frame - first)
    here = number > 0
    # Of the values in a frame the mean, at the mean of their times.
    values, at = (
        np.bincount(frame - first, weights=part)[here] / number[here]
        for part in (trace.values, times)
    )
    middle = np.arange(first, last + 1) / rule.rate
    if rule.filling == "previous":
        after = np.searchsorted(times, middle, side="right")
        found = trace.values[np.maximum(after - 1, 0)]
    else:
        found = np.interp(middle, at, values)
        after = np.searchsorted(times, middle)
    gap = np.zeros(len(times) + 1)
    gap[1:-1] = times[1:] - times[:-1]
    gap = gap[after]
    wide = gap > rule.max_gap
    # In a wide gap nothing is filled, and a value counts for its own frame alone.
    own = np.full(len(here), np.nan)
    own[here] = values
    return first, np.where(wide, own, found)


def frames_of(traces: Traces, rule: Rule, lags: NDArray[np.float64] | None = None) -> Frames:
    """Resample all traces and keep the frames that all traces of a clip have.

    Parameters
    ----------
    lags : (raters,) float64, optional
        Seconds that are subtracted from the times of each rater.
    """
    by_clip: dict[int, list[int]] = {}
    for i, trace in enumerate(traces.traces):
        by_clip.setdefault(trace.clip, []).append(i)
    reasons = [""] * len(traces.traces)
    shares = np.zeros(len(traces.traces))
    pieces = []
    for clip, members in by_clip.items():
        found = _of_clip(traces, members, rule, lags, reasons, shares)
        if found is not None:
            pieces.append((clip, *found))
    q = len(traces.raters)
    if not pieces:
        none = np.empty(0, dtype=np.int64)
        return Frames(np.empty((0, q)), none, none, tuple(reasons), shares)
    return Frames(
        np.vstack([table for _, table, _ in pieces]),
        np.concatenate([np.full(len(table), clip) for clip, table, _ in pieces]),
        np.concatenate([number for *_, number in pieces]),
        tuple(reasons),
        shares,
    )


def _of_clip(
    traces: Traces,
    members: list[int],
    rule: Rule,
    lags: NDArray[np.float64] | None,
    reasons: list[str],
    shares: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.int64]] | None:
    """Return the used frames (n, raters) of one clip and their numbers; set reasons and shares."""
    made = {}
    for i in members:
        trace = traces.traces[i]
        if len(trace.times):
            made[i] = resampled(trace, rule, 0.0 if lags is None else float(lags[trace.rater]))
        else:
            reasons[i] = NO_VALUES
    if not made:
        return None
    start = min(first for first, _ in made.values())
    n = max(first + len(values) for first, values in made.values()) - start
    table = np.full((n, len(traces.raters)), np.nan)
    for i, (first, values) in made.items():
        table[first - start : first - start + len(values), traces.traces[i].rater] = values
    used = []
    for i in made:
        rater = traces.traces[i].rater
        shares[i] = np.mean(~np.isnan(table[:, rater]))
        if shares[i] < rule.min_coverage:
            reasons[i] = TOO_SHORT(share=100 * shares[i], least=100 * rule.min_coverage)
            table[:, rater] = np.nan
        else:
            used.append(i)
    own = [traces.traces[i].rater for i in used]
    common = ~np.isnan(table[:, own]).any(axis=1)
    if len(used) < 2 or not common.any():
        for i in used:
            reasons[i] = ALONE if len(used) < 2 else NO_OVERLAP
        return None
    return table[common], start + np.flatnonzero(common)
