"""Which frame a row belongs to, and how many frames there are in a second.

Time comes from the frame number; timestamps only tell the frame rate, and only
where they can be believed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pyexpr.base.errors import OpenFaceError
from pyexpr.base.messages import Template
from pyexpr.behavior.openface.csv import Columns

#: OpenFace's own assumption for image sequences and cameras that do not tell their rate.
DEFAULT_FPS: Final = 30.0
# Rates outside this range are writing errors: OpenFace 0.x stamps images at 1000 a second.
PLAUSIBLE_FPS: Final = (4.0, 250.0)
_NTSC: Final = tuple(rate * 1000 / 1001 for rate in (24, 30, 48, 60, 120, 240))
# Half the last decimal that OpenFace prints, absolute (2.x) or in six digits (0.x).
_HALF_UNIT: Final = 0.5e-3
_SIX_DIGITS: Final = 5e-6
# A gap may be long, but a number that makes the grid a thousand times the file is damage.
_GRID_PER_ROW: Final = 1000
_GRID_LEAST: Final = 100_000


_NO_NUMBERS = Template("no_frame_numbers", "there are no frame numbers")()
_ONE_NUMBER = Template("one_frame_number", "the frame number is {number} in every row")
_LATE_START = Template(
    "late_first_frame",
    "the first frame is number {first}: the {before} before it count as missing",
)
_AS_ROWS = Template("rows_as_frames", "{why}: rows are taken as consecutive frames")
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
class FrameRate:
    """Frames per second, and where the number comes from."""

    fps: float
    source: str
    notes: tuple[str, ...]


def whole_numbers(columns: Columns, name: str, *, least: int | None = None) -> NDArray[np.int64]:
    """Return a column of whole numbers, or raise `OpenFaceError` naming row and value."""
    values = columns.column(name)
    with np.errstate(invalid="ignore"):
        good = np.isfinite(values) & (values == np.floor(values)) & (np.abs(values) < 2**53)
        if least is not None:
            good &= values >= least
    if not good.all():
        row = int(np.flatnonzero(~good)[0])
        held = "nothing" if np.isnan(values[row]) else f"{values[row]:g}"
        raise OpenFaceError(
            f"{columns.header.path!r}: column {name!r} must hold whole numbers"
            + ("" if least is None else f" from {least}")
            + f", but row {columns.file_row(row)} holds {held}; mend or delete that row"
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
    several = faces is not None and len(np.unique(faces)) > 1
    if "frame" not in header:
        return _by_order(columns, several, _NO_NUMBERS)
    numbers = whole_numbers(columns, "frame", least=0)
    constant = len(numbers) > 1 and bool((numbers == numbers[0]).all())
    if constant and not (several and faces is not None and len(np.unique(faces)) == len(faces)):
        return _by_order(columns, several, _ONE_NUMBER(number=numbers[0]))
    first = int(numbers.min())
    base = min(first, 1)
    length = int(numbers.max()) - base + 1
    if length > max(_GRID_LEAST, _GRID_PER_ROW * len(numbers)):
        row = int(numbers.argmax())
        raise OpenFaceError(
            f"{header.path!r}: frame number {numbers[row]} in row {columns.file_row(row)} is out "
            f"of proportion to the {len(numbers)} rows of the file; mend or delete that row"
        )
    notes: tuple[str, ...] = ()
    if first > 1:
        notes = (_LATE_START(first=first, before=first - 1),)
    return FrameNumbers(numbers - base, notes)


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
    are believed if they increase and their rate lies within `PLAUSIBLE_FPS`; the
    rate is then the first whole, half or NTSC one that agrees with every stamp to the
    last printed decimal, or the mean where none does.
    """
    told, doubt = (None, _NO_STAMPS) if times is None else _told(frames, times)
    if stated is not None:
        notes = _disagreement(frames, times, stated) if told is not None else ()
        return FrameRate(stated, "stated", notes)
    if told is None:
        return FrameRate(
            DEFAULT_FPS,
            "default",
            (_ASSUMED(doubt=doubt, rate=DEFAULT_FPS),),
        )
    notes = (doubt,) if doubt else ()
    return FrameRate(told, "timestamps", notes + _disagreement(frames, times, told))


def _told(frames: NDArray[np.int64], times: NDArray[np.float64]) -> tuple[float | None, str]:
    """Return the rate the timestamps tell and a remark, or None and why not."""
    known = np.isfinite(times)
    frame, time = frames[known].astype(np.float64), times[known]
    if len(time) < 2:
        return None, _FEW_STAMPS
    steps, gaps = np.diff(frame), np.diff(time)
    if (time == time[0]).all():
        return None, _ONE_STAMP(stamp=time[0])
    if (gaps <= 0).any():
        return None, _NOT_INCREASING
    overall = float((frame[-1] - frame[0]) / (time[-1] - time[0]))
    if not PLAUSIBLE_FPS[0] <= overall <= PLAUSIBLE_FPS[1]:
        return None, _IMPLAUSIBLE(rate=overall)
    tolerance = 3 * max(_HALF_UNIT, _SIX_DIGITS * float(np.abs(time).max()))
    for rate in _candidates(overall):
        offset = time - frame / rate
        if offset.max() - offset.min() <= tolerance:
            return rate, ""
    # Stops of the clock say nothing about the rate between them.
    periods = gaps / steps
    usual = np.abs(periods / np.median(periods) - 1) < 0.5
    mean = float(steps[usual].sum() / gaps[usual].sum())
    nearest = min(_candidates(mean), key=lambda candidate: abs(candidate - mean))
    rate = nearest if abs(nearest / mean - 1) < 5e-4 else mean
    return rate, _UNEVEN(rate=rate)


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
