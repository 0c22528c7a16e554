"""Frames of a variable rate, placed by their timestamps.

Webcams and phones slow down in the dark and drop frames under load. A frame number says
nothing about time then; the timestamp does. Where frames were dropped from an even rate,
the others get the numbers they would have; where the rate itself varies, the recording is
read off at an even rate, between the frames that there are.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from pyexpr.base.errors import OpenFaceError
from pyexpr.base.messages import Template, say
from pyexpr.behavior.openface.time import GRID_LEAST, GRID_PER_ROW, Uneven

# The even rates a recording is read off at: bins of a fifth, a quarter or a sixth of a second
# hold whole frames of them.
_EVEN_RATES: Final = (30.0, 60.0, 120.0, 240.0)
# Between two frames further apart nothing is read off. Webcams in a dim room wait that long
# between frames (the longest gap of a real one at 11 a second was 0.263 s), and for movement
# measured five times a second it is a step and a half.
_LONGEST_GAP: Final = 0.3
_LONGEST_PERIODS: Final = 2
# The share of a video's frames that may be missing at the end of OpenFace's table.
_MISSED: Final = 0.02
_HALF_CIRCLE: Final = np.pi
# Frames that are placed at a time; each has five copies on its way. And columns, a line of the
# processor's cache.
_BLOCK: Final = 4096
_COLUMNS: Final = 8
# What is yes or no, or belongs to it, is that of the nearer frame.
_NEAREST: Final = frozenset({"au_presence", "au_intensity"})
_ANGLES: Final = frozenset({"pose_rotation"})

_DROPPED = Template(
    "frames_dropped",
    "timestamps have gaps at {rate:.6g} frames per second: frames are placed by their timestamps",
)
_READ_OFF = Template(
    "variable_rate",
    "timestamps show a variable rate, {rate:.6g} frames per second on average: the recording "
    "is resampled at {even:g} frames per second by its timestamps",
)


@dataclass(frozen=True, slots=True)
class Grid:
    """The frames of one face on a dense grid; as in `OpenFaceRecording`."""

    present: NDArray[np.bool_]
    valid: NDArray[np.bool_]
    confidence: NDArray[np.float64]
    groups: dict[str, NDArray[np.float64]]
    doubled: NDArray[np.int64]
    other: NDArray[np.int64]
    implausible: NDArray[np.int64]
    jumps: Mapping[str, NDArray[np.int64]] = field(default_factory=dict)

    def _lists(self, moved: NDArray[np.int64]) -> dict[str, Any]:
        """Return the lists of frames, each frame moved to its new place."""
        return {
            "doubled": np.sort(moved[self.doubled]),
            "other": np.sort(moved[self.other]),
            "implausible": np.unique(moved[self.implausible]),
            "jumps": {name: np.unique(moved[frames]) for name, frames in self.jumps.items()},
        }

    def by_time(self, frames: NDArray[np.int64], placing: Placing) -> Grid:
        """Return the grid with its frames placed by time; `frames` are those of the clock.

        This grid has no groups any more then: each is given up for its successor.
        """
        moved = np.zeros(len(self.present), dtype=np.int64)
        if placing.new is None:
            return self._interpolation(frames, placing, moved)
        moved[frames] = placing.new
        n_frames = int(placing.new[-1]) + 1
        # Where each of the new frames was; -1 where there is none.
        old = np.full(n_frames, -1, dtype=np.int64)
        old[placing.new] = frames
        there = np.flatnonzero(old >= 0)

        def spread(values: NDArray[Any], empty: Any) -> NDArray[Any]:
            grid = np.full(n_frames, empty, dtype=values.dtype)
            grid[there] = values[old[there]]
            return grid

        def fill(columns: NDArray[np.float64], filled: NDArray[np.float64]) -> None:
            filled[:] = np.nan
            for start in range(0, len(there), _BLOCK):
                block = there[start : start + _BLOCK]
                filled[block] = columns[old[block]]

        return replace(
            self,
            present=spread(self.present, False),
            valid=spread(self.valid, False),
            confidence=spread(self.confidence, np.nan),
            groups=self._changed_groups(lambda _, values: column_by_column(values, n_frames, fill)),
            **self._lists(moved),
        )

    def _interpolation(
        self, frames: NDArray[np.int64], placing: Placing, moved: NDArray[np.int64]
    ) -> Grid:
        reading = interpolation_at(frames, placing.times, placing.fps, placing.usual)
        last = len(reading.known) - 1
        moved[frames] = np.minimum(np.round(placing.times * placing.fps), last).astype(np.int64)
        nearest = reading.nearest
        return replace(
            self,
            present=reading.both(self.present),
            valid=reading.both(self.valid),
            confidence=np.where(reading.both(self.present), self.confidence[nearest], np.nan),
            groups=self._changed_groups(reading.values),
            **self._lists(moved),
        )

    def _changed_groups(
        self, change: Callable[[str, NDArray[np.float64]], NDArray[np.float64]]
    ) -> dict[str, NDArray[np.float64]]:
        """Return the groups changed, one after the other: each may change in its own memory."""
        return {name: change(name, self.groups.pop(name)) for name in tuple(self.groups)}


@dataclass(frozen=True, slots=True)
class Placing:
    """Where frames go that are placed by time.

    Attributes
    ----------
    fps : float
    source : str
        As `OpenFaceRecording.fps_source`.
    notes : tuple of str
    times : (clock rows,) float64
        Seconds from the beginning of the recording at which each frame is shown.
    new : (clock rows,) int64 or None
        Their new numbers; None: the recording is read off between them.
    usual : float
        Frames per second between stops of the clock.
    """

    fps: float
    source: str
    notes: tuple[str, ...]
    times: NDArray[np.float64]
    new: NDArray[np.int64] | None
    usual: float


def placing(
    uneven: Uneven, frames: NDArray[np.int64], stamps: NDArray[np.float64]
) -> Placing | None:
    """Return where frames go by their timestamps, None where those would make an endless grid.

    The recording begins where the number of its first frame says.
    """
    known = np.isfinite(stamps)
    times = np.interp(frames, frames[known], stamps[known]) / uneven.unit
    times = times - times[0] + frames[0] / uneven.rate
    if uneven.grid is not None:
        new = uneven.grid + int(frames[0])
        if new[-1] > max(GRID_LEAST, GRID_PER_ROW * len(new)):
            return None
        notes = (*uneven.notes, _DROPPED(rate=uneven.rate))
        return Placing(uneven.rate, "timestamps", notes, new / uneven.rate, new, uneven.rate)
    even = next((rate for rate in _EVEN_RATES if rate >= 0.9 * uneven.rate), _EVEN_RATES[-1])
    if times[-1] * even > max(GRID_LEAST, GRID_PER_ROW * len(times)):
        return None
    mean = (len(times) - 1) / (times[-1] - times[0])
    notes = (*uneven.notes, _READ_OFF(rate=mean, even=even))
    return Placing(even, "resampled", notes, times, None, uneven.rate)


def video_times(path: str, video: str, frames: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return when a video shows the frames that OpenFace numbered, in seconds.

    Raises
    ------
    OpenFaceError
        If the video has not as many frames.
    VideoError
        If it cannot be read.
    """
    from pyexpr.base.video_file import index_video

    index = index_video(video)
    # OpenFace may miss the last frame of a video.
    n_frames = int(frames[-1]) + 1
    if n_frames > len(index) or n_frames < (1 - _MISSED) * len(index) - 1:
        raise OpenFaceError(
            say(
                "{path!r} has frames up to number {n_frames}, but {video!r} has {shown}: "
                "{clock='video'} needs the very video that OpenFace saw",
                path=path,
                n_frames=n_frames,
                video=video,
                shown=len(index),
            )
        )
    times: NDArray[np.float64] = index.times[frames]
    return times


@dataclass(frozen=True, slots=True)
class Reading:
    """Which two frames, and how far between them, each even moment lies.

    Attributes
    ----------
    before, after : (moments,) int64
        Frames of the old grid; equal where a frame is shown at that moment.
    share : (moments,) float64
        0 at `before`, 1 at `after`.
    known : (moments,) bool
        Whether there are two frames near enough.
    """

    before: NDArray[np.int64]
    after: NDArray[np.int64]
    share: NDArray[np.float64]
    known: NDArray[np.bool_]

    @property
    def nearest(self) -> NDArray[np.int64]:
        """The nearer of the two frames."""
        return np.where(self.share > 0.5, self.after, self.before)

    def both(self, frames: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Return at which moments both frames are among those given."""
        return np.asarray(self.known & frames[self.before] & frames[self.after], dtype=np.bool_)

    def values(self, group: str, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return a group's values at each moment, NaN where either frame's is."""
        n_moments = len(self.known)

        def fill(columns: NDArray[np.float64], filled: NDArray[np.float64]) -> None:
            for start in range(0, n_moments, _BLOCK):
                block = slice(start, start + _BLOCK)
                known = self.known[block]
                part = Reading(self.before[block], self.after[block], self.share[block], known)
                filled[block] = np.where(
                    known[:, np.newaxis], part._between(group, columns), np.nan
                )

        return column_by_column(values, n_moments, fill)

    def _between(self, group: str, values: NDArray[np.float64]) -> NDArray[np.float64]:
        before, after = values[self.before], values[self.after]
        share = self.share[:, np.newaxis]
        steps = after - before
        if group in _ANGLES:
            steps = (steps + _HALF_CIRCLE) % (2 * _HALF_CIRCLE) - _HALF_CIRCLE
        found = before + share * steps
        if group in _NEAREST:
            found = np.where(np.isnan(found), found, values[self.nearest])
        return found


def column_by_column(
    values: NDArray[np.float64],
    n_rows: int,
    fill: Callable[[NDArray[np.float64], NDArray[np.float64]], None],
) -> NDArray[np.float64]:
    """Return values with other rows, written over the old ones where their memory has room.

    A second array of the landmarks would take most of the memory that all columns need. So a few
    columns are copied at a time, and the others wait in their place.

    Parameters
    ----------
    values : float64 array, shape (rows, ...)
        Given up.
    n_rows : int
        Rows of the result.
    fill : function of (rows, columns) and (n_rows, columns) float64 arrays
        Fills the second, which holds anything, from the first.
    """
    width = int(np.prod(values.shape[1:]))
    old = values.reshape(len(values), width)
    new = _memory_of(old)
    if len(new) < n_rows:
        new = np.empty((n_rows, width))
    new = new[:n_rows]
    for start in range(0, width, _COLUMNS):
        columns = slice(start, start + _COLUMNS)
        fill(old[:, columns].copy(), new[:, columns])
    return new.reshape(n_rows, *values.shape[1:])


def _memory_of(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the array whose first rows these are, with the room behind them; else the rows."""
    found: Any = rows
    base: Any = rows
    while isinstance(base, np.ndarray):
        same = base.ndim == 2 and base.shape[1:] == rows.shape[1:] and base.dtype == rows.dtype
        if same and base.flags.c_contiguous and base.ctypes.data == rows.ctypes.data:
            found = base
        base = base.base
    return np.asarray(found, dtype=np.float64)


def interpolation_at(
    frames: NDArray[np.int64], times: NDArray[np.float64], fps: float, usual: float
) -> Reading:
    """Return between which frames each moment k / fps lies.

    Parameters
    ----------
    frames : (n,) int64
        Frames that there are, in order.
    times : (n,) float64
        When each is shown, increasing.
    fps : float
        Moments per second.
    usual : float
        Frames per second, mostly.
    """
    moments = np.arange(int(np.floor(times[-1] * fps + 1e-6)) + 1) / fps
    at = np.searchsorted(times, moments + 1e-9, side="right") - 1
    low = np.clip(at, 0, len(times) - 1)
    # A moment within a microsecond of a frame is that frame's.
    exact = np.abs(times[low] - moments) < 1e-6
    high = np.where(exact, low, np.minimum(low + 1, len(times) - 1))
    gap = times[high] - times[low]
    share = np.where(exact, 0.0, (moments - times[low]) / np.where(gap > 0, gap, 1.0))
    # Nor where frames are missing between the two.
    near = (
        (gap > 0)
        & (gap <= max(_LONGEST_GAP, _LONGEST_PERIODS / usual))
        & (frames[high] - frames[low] == 1)
    )
    known = (at >= 0) & (exact | near)
    return Reading(frames[low], frames[high], np.where(known, share, 0.0), known)
