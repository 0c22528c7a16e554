"""Which frame a row belongs to, and how many frames there are in a second.

Time comes from the frame number; timestamps tell the frame rate where they can be
believed. Where they prove a variable rate, `clock` places frames by them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pyexpr.base.errors import OpenFaceError
from pyexpr.base.messages import Template
from pyexpr.base.unpacking import SETTING, most_unpacked
from pyexpr.behavior.openface.csv import Columns

#: OpenFace's own assumption for image sequences and cameras that do not tell their rate.
DEFAULT_FPS: Final = 30.0
# Rates outside this range are writing errors: OpenFace 0.x stamps images at 1000 a second.
PLAUSIBLE_FPS: Final = (4.0, 250.0)
_NTSC: Final = tuple(rate * 1000 / 1001 for rate in (24, 30, 48, 60, 120, 240))
# Half the last decimal that OpenFace prints, absolute (2.x) or in six digits (0.x).
_HALF_UNIT: Final = 0.5e-3
_SIX_DIGITS: Final = 5e-6
# So far apart (s) two rates may come over a whole recording and count as one.
_DRIFT: Final = 1.5e-3
# A gap may be long, but a number that makes the grid this many times the file is damage.
GRID_PER_ROW: Final = 1000
GRID_LEAST: Final = 100_000
# Where more frames are missing than there are, the timestamps must have the gaps, too; without
# such timestamps there are no more frames than this for each row.
_MANY_GAPS: Final = 2
_GRID_UNPROVEN: Final = 40
_ENOUGH_STEPS: Final = 10


_NO_NUMBERS = Template("no_frame_numbers", "there are no frame numbers")()
_ONE_NUMBER = Template("one_frame_number", "the frame number is {number} in every row")
_LATE_START = Template(
    "late_first_frame",
    "the first frame is number {first}: the {before} before it count as missing",
)
_AS_ROWS = Template("rows_as_frames", "{why}: rows are treated as consecutive frames")
_AS_STAMPS = Template(
    "timestamps_as_frames", "{why}: each new timestamp is taken as the next frame"
)
_NO_STAMPS = Template("no_timestamps", "there are no timestamps")()
_FEW_STAMPS = Template("few_timestamps", "fewer than two frames have a timestamp")()
_ONE_STAMP = Template("one_timestamp", "all timestamps are {stamp:g}")
_NOT_INCREASING = Template(
    "timestamps_not_increasing", "timestamps do not increase from frame to frame"
)()
_IMPLAUSIBLE = Template("implausible_rate", "timestamps claim {rate:.6g} frames per second")
_UNEVEN = Template(
    "uneven_timestamps",
    "timestamps are not evenly spaced: {rate:.6g} frames per second is their mean",
)
_UNIT = Template("unit_of_timestamps", "timestamps are read as {unit}")
# Units in a second: the plausible rates in one and in the next do not overlap.
_UNITS: Final = {1.0: "seconds", 1e3: "milliseconds", 1e6: "microseconds"}
_ASSUMED = Template(
    "assumed_rate",
    "{doubt}: {rate:g} frames per second are assumed (state {fps=} if not so)",
    report="{doubt}: {rate:g} frames per second are assumed",
)
_APART = Template(
    "timestamps_apart",
    "timestamps and frame number / {rate:.6g} are up to {apart:.3g} s apart: frame numbers are "
    "used",
)


@dataclass(frozen=True, slots=True)
class FrameNumbers:
    """Position of each row on the grid of frames, from 0.

    Attributes
    ----------
    index : (rows,) int64
    notes : tuple of str
    """

    index: NDArray[np.int64]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Uneven:
    """What timestamps of a variable rate tell.

    Attributes
    ----------
    notes : tuple of str
    rate : float
        Frames per second between stops of the clock.
    unit : float
        Units of the timestamps in a second.
    grid : (stamps,) int64 or None
        The frame of each stamp, from 0 at the first, if frames were dropped from an even rate.
    """

    notes: tuple[str, ...]
    rate: float
    unit: float
    grid: NDArray[np.int64] | None


@dataclass(frozen=True, slots=True)
class FrameRate:
    """Frames per second, and where the number comes from; `uneven` where stamps vary."""

    fps: float
    source: str
    notes: tuple[str, ...]
    uneven: Uneven | None = None


def whole_numbers(
    columns: Columns,
    name: str,
    values: NDArray[np.float64] | None = None,
    *,
    least: int | None = None,
) -> NDArray[np.int64]:
    """Return a column (or `values` of it) as whole numbers; `OpenFaceError` names row and value."""
    values = columns.column(name) if values is None else values
    with np.errstate(invalid="ignore"):
        good = np.isfinite(values) & (values == np.floor(values)) & (np.abs(values) < 2**53)
        if least is not None:
            good &= values >= least
    if not good.all():
        row = int(np.flatnonzero(~good)[0])
        content = "nothing" if np.isnan(values[row]) else f"{values[row]:g}"
        raise OpenFaceError(
            f"{columns.header.path!r}: column {columns.header.own_name(name)!r} must hold whole "
            "numbers"
            + ("" if least is None else f" from {least}")
            + f", but row {columns.file_row(row)} holds {content}; correct or delete that row"
        )
    return values.astype(np.int64)


def frame_numbers(columns: Columns, faces: NDArray[np.int64] | None) -> FrameNumbers:
    """Place every row on the grid of frames.

    Numbering may start at 1 (OpenFace's own) or 0; a number that is missing is a
    gap, also before the first row. Where all rows bear the same number, or there
    is none, rows are taken in their order: each is one frame, or, with several
    faces, each new timestamp is.
    """
    header = columns.header
    several = faces is not None and bool((faces != faces[0]).any())
    if "frame" not in header:
        return _by_order(columns, several, _NO_NUMBERS)
    numbers = whole_numbers(columns, "frame", least=0)
    constant = len(numbers) > 1 and bool((numbers == numbers[0]).all())
    if constant and not (several and faces is not None and len(np.unique(faces)) == len(faces)):
        return _by_order(columns, several, _ONE_NUMBER(number=numbers[0]))
    first = int(numbers.min())
    base = min(first, 1)
    length = int(numbers.max()) - base + 1
    row, per_row = int(numbers.argmax()), GRID_PER_ROW
    if length > _MANY_GAPS * len(numbers) and not _is_due(columns, numbers, row):
        per_row = _GRID_UNPROVEN
    if length > max(GRID_LEAST, per_row * len(numbers)):
        raise OpenFaceError(
            f"{header.path!r}: frame number {numbers[row]} in row {columns.file_row(row)} is out "
            f"of proportion to the {len(numbers)} rows of the file; correct or delete that row"
        )
    _check_memory(columns, length)
    notes: tuple[str, ...] = ()
    if first > 1:
        notes = (_LATE_START(first=first, before=first - 1),)
    return FrameNumbers(numbers - base, notes)


def _check_memory(columns: Columns, length: int) -> None:
    """Refuse gaps, true as they may be, that take more memory than a file of this size may.

    A frame that is missing takes as much as one that is there: all that is computed from frames
    is computed on a grid without gaps.
    """
    width = 8 * sum(len(names) for names in columns.tables)
    most = most_unpacked(width * columns.n_rows)
    if length > _MANY_GAPS * columns.n_rows and width * length > most:
        raise OpenFaceError(
            f"{columns.header.path!r}: with its gaps the recording has {length:,} frames for "
            f"{columns.n_rows:,} rows, and takes {width * length / 1e9:.1f} GB of memory (at most "
            f"{most / 1e9:g} for a file of this size); cut it at its long gaps into recordings of "
            f"their own, or raise the limit by the environment variable {SETTING}"
        )


def _is_due(columns: Columns, numbers: NDArray[np.int64], row: int) -> bool:
    """Say whether the highest frame number is that of its timestamp; False where none tells.

    The rows of a recording with gaps have stamps with gaps. Where the stamps go on evenly past a
    number, it is the number that is wrong, and what lies before it is no gap: `OpenFaceError`.
    """
    if "timestamp" not in columns.header:
        return False
    times = columns.column("timestamp")
    with np.errstate(invalid="ignore", divide="ignore"):
        steps, gaps = np.diff(numbers), np.diff(times)
        if not (gaps > 0).all():
            return False
        rates = steps[steps > 0] / gaps[steps > 0]
    if len(rates) < _ENOUGH_STEPS:
        return False
    rate = float(np.median(rates))
    first = int(numbers.argmin())
    due = numbers[first] + rate * (times[row] - times[first])
    if numbers[row] - numbers[first] > _MANY_GAPS * (due - numbers[first] + rate):
        raise OpenFaceError(
            f"{columns.header.path!r}: frame number {numbers[row]} in row {columns.file_row(row)} "
            f"is out of proportion to its timestamp {times[row]:g}, where the other rows have "
            f"frame {due:.0f}; correct or delete that row"
        )
    return True


def _by_order(columns: Columns, several: bool, why: str) -> FrameNumbers:
    if not several:
        return FrameNumbers(
            np.arange(columns.n_rows, dtype=np.int64),
            (_AS_ROWS(why=why),),
        )
    if "timestamp" in columns.header:
        times = columns.column("timestamp")
        if np.isfinite(times).all() and times.min() < times.max():
            index = np.unique(times, return_inverse=True)[1].astype(np.int64)
            return FrameNumbers(index, (_AS_STAMPS(why=why),))
    raise OpenFaceError(
        f"{columns.header.path!r}: {why}, there are several faces, and timestamps do not tell "
        "which rows belong to the same frame; run OpenFace on the video again"
    )


def frame_rate(
    frames: NDArray[np.int64], times: NDArray[np.float64] | None, stated: float | None
) -> FrameRate:
    """Decide the frame rate: stated, else from the timestamps, else `DEFAULT_FPS`.

    `frames` and `times` are those of one face, a row a frame, in order. Timestamps
    are believed if they increase and their rate lies within `PLAUSIBLE_FPS`, in seconds,
    milliseconds or microseconds. Where a straight line through them is right to the last
    printed decimal, its rate is theirs: the nearest whole, half or NTSC one if that agrees
    with every stamp, else that of least squares, to as few decimals as agree. Where none
    does they are uneven, and the rate is the mean between stops of the clock.
    """
    time_base = _TimeBase(doubt=_NO_STAMPS) if times is None else _time_base(frames, times)
    seconds = None if times is None else times / time_base.unit
    unit = (_UNIT(unit=_UNITS[time_base.unit]),) if time_base.unit != 1 else ()
    if stated is not None:
        notes = _disagreement(frames, seconds, stated) if time_base.rate is not None else ()
        return FrameRate(stated, "stated", unit + notes)
    if time_base.rate is None:
        return FrameRate(
            DEFAULT_FPS,
            "default",
            (_ASSUMED(doubt=time_base.doubt, rate=DEFAULT_FPS),),
        )
    uneven = (_UNEVEN(rate=time_base.rate),) if time_base.uneven else ()
    return FrameRate(
        time_base.rate,
        "timestamps",
        (*unit, *uneven, *_disagreement(frames, seconds, time_base.rate)),
        Uneven(unit, time_base.rate, time_base.unit, time_base.grid) if time_base.uneven else None,
    )


@dataclass(frozen=True, slots=True)
class _TimeBase:
    """What timestamps tell: a rate, or why none; their units in a second; whether uneven."""

    rate: float | None = None
    doubt: str = ""
    unit: float = 1.0
    uneven: bool = False
    grid: NDArray[np.int64] | None = None


def _time_base(frames: NDArray[np.int64], times: NDArray[np.float64]) -> _TimeBase:
    known = np.isfinite(times)
    frame, time = frames[known].astype(np.float64), times[known]
    if len(time) < 2:
        return _TimeBase(doubt=_FEW_STAMPS)
    if (time == time[0]).all():
        return _TimeBase(doubt=_ONE_STAMP(stamp=time[0]))
    steps, gaps = np.diff(frame), np.diff(time)
    if (gaps <= 0).any():
        return _TimeBase(doubt=_NOT_INCREASING)
    claimed = float((frame[-1] - frame[0]) / (time[-1] - time[0]))
    low, high = PLAUSIBLE_FPS
    unit = next((unit for unit in _UNITS if low <= claimed * unit <= high), None)
    if unit is None:
        return _TimeBase(doubt=_IMPLAUSIBLE(rate=claimed))
    time, gaps = time / unit, gaps / unit
    half = 1.5 * _roundings(time)
    rate = _even(frame, time, half)
    if rate is not None:
        return _TimeBase(rate, unit=unit)
    # Stops of the clock say nothing about the rate between them.
    periods = gaps / steps
    usual = np.abs(periods / np.median(periods) - 1) < 0.5
    mean = float(steps[usual].sum() / gaps[usual].sum())
    rate, grid = _with_dropped(time, mean, half)
    grid = None if grid is None or not known.all() else grid
    return _TimeBase(rate, unit=unit, uneven=True, grid=grid)


def _with_dropped(
    time: NDArray[np.float64], mean: float, half: NDArray[np.float64]
) -> tuple[float, NDArray[np.int64] | None]:
    """Return the rate of a camera that dropped frames, and the frame of each stamp from 0.

    The mean, and no frames, where stamps lie on no such grid.
    """
    steps = np.round(np.diff(time) * mean)
    grid = np.concatenate(([0.0], np.cumsum(steps)))
    if (steps < 1).any():
        return mean, None
    rate = _even(grid, time, half)
    return (mean, None) if rate is None else (rate, grid.astype(np.int64))


def _even(
    frame: NDArray[np.float64], time: NDArray[np.float64], half: NDArray[np.float64]
) -> float | None:
    """Return the rate of a straight line through stamps, None if none is right for all.

    The rate of least squares may be written shorter: as a usual rate, or with few decimals,
    as it stood in the head of the video. It must not leave that of least squares by more
    than the stamps' rounding leaves open.
    """
    fitted = 1 / _slope(frame, time)
    span = time[-1] - time[0]
    # Three standard errors, of uniform errors in n evenly spaced stamps.
    open_ = max(_DRIFT, 6 * float(half.max()) / np.sqrt(len(time)))
    shorter = [round(fitted, decimals) for decimals in range(1, 7)]
    for rate in (*_candidates(fitted), *shorter, fitted):
        if rate <= 0 or abs(fitted / rate - 1) * span > open_:
            continue
        if _fits(frame, time, rate, half):
            return rate
    return None


def _roundings(time: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return half the last decimal that each stamp was printed with, at most three decimals.

    OpenFace 0.x prints six digits, so later stamps have fewer decimals.
    """
    half = np.full(len(time), _HALF_UNIT)
    decade = np.floor(np.log10(np.maximum(np.abs(time), 100.0)))
    for power in np.unique(decade):
        here = decade == power
        for decimals in (1, 2):
            scaled = time[here] * 10**decimals
            if (np.abs(scaled - np.round(scaled)) < 1e-9 * np.maximum(1, np.abs(scaled))).all():
                half[here] = 0.5 * 10.0**-decimals
                break
    return half


def _fits(
    frame: NDArray[np.float64], time: NDArray[np.float64], rate: float, half: NDArray[np.float64]
) -> bool:
    """Return whether one line of this rate is within every stamp's rounding."""
    offset = time - frame / rate
    return bool((offset - half).max() <= (offset + half).min())


def _slope(frame: NDArray[np.float64], time: NDArray[np.float64]) -> float:
    """Return the seconds between frames by least squares."""
    frame, time = frame - frame.mean(), time - time.mean()
    return float(frame @ time / (frame @ frame))


def _candidates(rate: float) -> list[float]:
    """Return the nearest whole, half and NTSC rate: what cameras have, the likeliest first."""
    return [float(round(rate)), round(2 * rate) / 2, min(_NTSC, key=lambda ntsc: abs(ntsc - rate))]


def _disagreement(
    frames: NDArray[np.int64], times: NDArray[np.float64] | None, fps: float
) -> tuple[str, ...]:
    if times is None:
        return ()
    apart = np.abs(times - frames / fps)
    apart = apart[np.isfinite(apart)]
    if not len(apart) or apart.max() <= 1.5 / fps:
        return ()
    return (_APART(rate=fps, apart=apart.max()),)
