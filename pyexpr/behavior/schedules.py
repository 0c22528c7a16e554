"""Schedules: the seconds of a recording that form clips.

Seconds are half-open and cut without rounding: at ``fps`` frames per second a
segment [start, end) holds the frames k with ``start * fps <= k < end * fps``, so
that segments which touch share no frame. A negative start counts from the end of
the recording, with n frames: ``n + start * fps <= k < n + end * fps``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal

from pyexpr.base.checks import is_number
from pyexpr.base.contexts import ALL
from pyexpr.base.errors import DataError, StudyError, listed, near_names
from pyexpr.base.messages import Message, Template, message_of, say
from pyexpr.base.tables import as_frame, numeric_column, require_columns

if TYPE_CHECKING:
    import pandas as pd

# 3 * 0.1 * 10 is 3.0000000000000004: a frame must not hang on the last bit.
_ROUNDING: Final = 1e-9


@dataclass(frozen=True, slots=True)
class Segment:
    """A piece of a recording, in seconds, half-open.

    Attributes
    ----------
    start, end : float
        Seconds. Both are 0 or more, or the start is negative: then both count
        from the end of the recording, and an end of 0 is the end.
    label : str
        The clip's name within its context.

    Examples
    --------
    The last three seconds of a recording of 250 frames, 25 in a second:

    >>> Segment(-3, 0, "end").frames(250, 25)
    (175, 250)
    """

    start: float
    end: float
    label: str

    def __post_init__(self) -> None:
        if not (is_number(self.start) and is_number(self.end)):
            raise DataError(
                say(
                    "{what} runs from {start!r} to {end!r}: both must be seconds",
                    what=self._named(),
                    start=self.start,
                    end=self.end,
                )
            )
        if self.start >= self.end:
            raise DataError(
                say(
                    "{what} runs from {start:g} to {end:g} seconds, but must end after its "
                    "start{hint}",
                    what=self._named(),
                    start=self.start,
                    end=self.end,
                    hint="; an end counts from the end of the recording only if the start does"
                    if self.end < 0 <= self.start
                    else "",
                )
            )
        if self.start < 0 < self.end:
            raise DataError(
                say(
                    "{what} starts {start:g} s before the end of the recording but ends {end:g} s "
                    "after its beginning; count both from the same side",
                    what=self._named(),
                    start=-self.start,
                    end=self.end,
                )
            )

    def _named(self) -> Message:
        return say("segment {label:label}", label=self.label)

    def frames(self, n_frames: int, fps: float) -> tuple[int, int]:
        """Return the first frame and the one after the last, also beyond the recording.

        The recording has `n_frames` frames by number, gaps included, and `fps` in a second.
        """
        origin = n_frames if self.start < 0 else 0
        return (
            origin + math.ceil(self.start * fps - _ROUNDING),
            origin + math.ceil(self.end * fps - _ROUNDING),
        )


@dataclass(frozen=True, slots=True)
class Clip:
    """A segment found in a recording: frames [start_frame, stop_frame) of its grid."""

    context: str
    label: str
    start_frame: int
    stop_frame: int

    @property
    def n_frames(self) -> int:
        """Number of frames, gaps included."""
        return self.stop_frame - self.start_frame


_SPAN = Template("span", "[{start:g}, {end:g}] s")
_TOO_SHORT = Template(
    "recording_too_short",
    "the recording is too short for {span}: it has {frames} frames ({seconds:.7g} s)",
)
_NO_FRAME = Template("no_frame_in_span", "{span} holds no frame at {rate:g} frames per second")
_OVERLAPS = Template(
    "clips_overlap",
    "{span} overlaps with clip {clip:label} in a recording of {frames} frames ({seconds:.4g} s)",
)


@dataclass(frozen=True, slots=True)
class DroppedClip:
    """A segment for which a recording is too short, with the reason."""

    context: str
    label: str
    reason: str


@dataclass(frozen=True, slots=True)
class Schedule:
    """The segments of each context.

    Attributes
    ----------
    segments : mapping of str to tuple of Segment
        In the order that decides which of two overlapping segments is the later.
    period : float or None
        Seconds; if given, every recording of any context is cut into clips of
        this length from its beginning, and `segments` is empty.

    Examples
    --------
    >>> clips, dropped = BP4D_PLUS.cut("pain", n_frames=1000, fps=25)
    >>> [(clip.label, clip.start_frame, clip.stop_frame) for clip in clips][:4]
    [('1', 0, 75), ('2', 75, 150), ('3', 150, 225), ('4', 700, 775)]
    >>> dropped
    []
    """

    segments: Mapping[str, tuple[Segment, ...]] = field(default_factory=dict)
    period: float | None = None

    def __post_init__(self) -> None:
        if self.period is not None and not (math.isfinite(self.period) and self.period > 0):
            raise DataError(f"clips must last a positive number of seconds, not {self.period}")
        if (self.period is None) == (not self.segments):
            raise DataError(say("a schedule needs segments for at least one context, or {every=}"))
        for context, segments in self.segments.items():
            labels = [segment.label for segment in segments]
            doubled = sorted({label for label in labels if labels.count(label) > 1})
            if doubled:
                raise DataError(
                    f"context {context!r} of the schedule has two segments with the same clip "
                    f"label: {listed(doubled)}"
                )
            if not segments:
                raise DataError(f"context {context!r} of the schedule has no segments")

    @classmethod
    def from_table(cls, frame: Any) -> Schedule:
        """Build a schedule from a table.

        Parameters
        ----------
        frame : DataFrame
            Columns ``context``, ``start``, ``end`` (seconds; negative starts count
            from the end) and, if wanted, ``clip`` (the label). A segment without a
            label has its number within its context, from 1, in the order of the rows.

        Raises
        ------
        DataError
            For a missing column, a start that is not before its end, or a label
            used twice in a context; the message names row and value.
        """
        what = "the schedule"
        table = as_frame(frame, what=what)
        require_columns(table, ["context", "start", "end"], what=what)
        starts = numeric_column(table, "start", what=what)
        ends = numeric_column(table, "end", what=what)
        segments: dict[str, tuple[Segment, ...]] = {}
        for row, value in enumerate(table["context"]):
            context = _label(value, "context", row)
            earlier = segments.setdefault(context, ())
            given = table["clip"].iloc[row] if "clip" in table.columns else None
            label = str(len(earlier) + 1) if _is_empty(given) else _text(given)
            try:
                segment = Segment(float(starts[row]), float(ends[row]), label)
            except DataError as error:
                raise DataError(
                    say(
                        "row {row} of {what}: {error}",
                        row=row + 1,
                        what=what,
                        error=message_of(error),
                    )
                ) from None
            segments[context] = (*earlier, segment)
        return cls(segments)

    @classmethod
    def every(cls, seconds: float) -> Schedule:
        """Cut recordings of any context into clips of `seconds`, labelled from "1".

        What remains at the end is left out; a recording shorter than one clip is
        listed as dropped.
        """
        if not is_number(seconds):
            raise DataError(
                say(
                    "clips must last a positive number of seconds, not {seconds!r}", seconds=seconds
                )
            )
        return cls(period=float(seconds))

    def to_table(self) -> pd.DataFrame:
        """Return the segments as a table that `from_table` takes: context, clip, start, end."""
        import pandas as pd

        rows = [
            {"context": context, "clip": item.label, "start": item.start, "end": item.end}
            for context, segments in self.segments.items()
            for item in segments
        ]
        return pd.DataFrame(rows, columns=["context", "clip", "start", "end"])

    def cut(
        self,
        context: str,
        n_frames: int,
        fps: float,
        *,
        on_short: Literal["drop", "error"] = "drop",
    ) -> tuple[list[Clip], list[DroppedClip]]:
        """Return the clips of one recording, and the segments it does not yield.

        Parameters
        ----------
        context : str
        n_frames : int
            Length of the recording by frame number, gaps included.
        fps : float
            Frames per second.
        on_short : {"drop", "error"}
            Whether segments the recording is too short for, and the later (in the
            schedule) of two that overlap in it, are listed or an error.

        Raises
        ------
        StudyError
            If the schedule does not know the context; with ``on_short="error"``,
            if any segment is lost.
        """
        if on_short not in ("drop", "error"):
            raise DataError(
                say("{on_short=} must be 'drop' or 'error', not {given!r}", given=on_short)
            )
        if not (math.isfinite(fps) and fps > 0):
            raise DataError(
                say("{fps=} must be a positive number of frames per second, not {given}", given=fps)
            )
        clips: list[Clip] = []
        dropped: list[DroppedClip] = []
        for segment in self._segments_of(str(context), n_frames, fps):
            start, stop = segment.frames(n_frames, fps)
            reason = _why_not(segment, start, stop, n_frames, fps, clips)
            if reason:
                dropped.append(DroppedClip(str(context), segment.label, reason))
            else:
                clips.append(Clip(str(context), segment.label, start, stop))
        if dropped and on_short == "error":
            lost = "; ".join(f"clip {item.label!r}: {item.reason}" for item in dropped)
            raise StudyError(
                say(
                    "a recording of context {context!r} does not yield its schedule: "
                    "{lost}; {on_short='drop'} goes on without such clips",
                    context=str(context),
                    lost=lost,
                )
            )
        return clips, dropped

    def segments_within(self, context: str, seconds: float) -> tuple[Segment, ...]:
        """Return the segments of a context for a recording of `seconds`, also those beyond it."""
        if self.period is not None:
            # A recording shorter than one clip still gets that clip, to be listed as lost.
            count = max(1, math.floor((seconds + _ROUNDING) / self.period))
            return self._periods(count)
        return self._segments_of(context, 0, 1.0)

    def _periods(self, count: int) -> tuple[Segment, ...]:
        period = self.period or 0.0
        return tuple(
            Segment(number * period, (number + 1) * period, str(number + 1))
            for number in range(count)
        )

    def _segments_of(self, context: str, n_frames: int, fps: float) -> tuple[Segment, ...]:
        if self.period is not None:
            period = self.period
            # A recording shorter than one clip still gets that clip, to be listed as lost.
            count = max(1, math.floor((n_frames + _ROUNDING) / (period * fps)))
            while Segment(0.0, (count + 1) * period, "").frames(n_frames, fps)[1] <= n_frames:
                count += 1
            return self._periods(count)
        if context not in self.segments:
            hint = near_names(context, self.segments)
            # Otherwise the hint is what it has.
            knows = (
                f" (it knows {listed(self.segments, most=20)})" if hint.startswith("did") else ""
            )
            alone = (
                "; recordings that are given as files, without a table of them, have the context "
                "'all'"
                if context == ALL
                else ""
            )
            raise StudyError(f"the schedule has no context {context!r}; {hint}{knows}{alone}")
        return self.segments[context]


def _why_not(
    segment: Segment, start: int, stop: int, n_frames: int, fps: float, clips: list[Clip]
) -> str:
    """Return why a segment is not a clip of the recording, or ""."""
    length = {"frames": n_frames, "seconds": n_frames / fps}
    if start < 0 or stop > n_frames:
        # Rounded down, so that a recording that is a few milliseconds too short does not appear
        # to be long enough.
        lasts = math.floor(n_frames / fps * 1000 + _ROUNDING) / 1000
        return _TOO_SHORT(span=_span(segment), frames=n_frames, seconds=lasts)
    if start >= stop:
        return _NO_FRAME(span=_span(segment), rate=fps)
    for clip in clips:
        if start < clip.stop_frame and clip.start_frame < stop:
            return _OVERLAPS(span=_span(segment), clip=clip.label, **length)
    return ""


def _span(segment: Segment) -> str:
    return _SPAN(start=segment.start, end=segment.end)


def _label(value: Any, column: str, row: int) -> str:
    if _is_empty(value):
        raise DataError(f"column {column!r} of the schedule is empty in row {row + 1}")
    return _text(value)


def _is_empty(value: Any) -> bool:
    return value is None or value != value or str(value).strip() in ("", "<NA>")


def _text(value: Any) -> str:
    """Return a label as text; whole numbers without a decimal point."""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value).strip()


def _numbered(*spans: tuple[float, float]) -> tuple[Segment, ...]:
    return tuple(
        Segment(float(start), float(end), str(number))
        for number, (start, end) in enumerate(spans, start=1)
    )


#: The segments of the five tasks of BP4D+ in the appendix of the paper (3 s each).
BP4D_PLUS: Final = Schedule(
    {
        "sadness": _numbered(
            (0, 3), (3, 6), (30, 33), (33, 36), (-12, -9), (-9, -6), (-6, -3), (-3, 0)
        ),
        "startle": _numbered((3, 6), (6, 9), (9, 12), (12, 15), (15, 18)),
        "fear": _numbered((0, 3), (3, 6), (6, 9), (9, 12), (12, 15), (15, 18), (18, 21)),
        "pain": _numbered((0, 3), (3, 6), (6, 9), (-12, -9), (-9, -6), (-6, -3), (-3, 0)),
        "disgust": _numbered((3, 6), (6, 9), (9, 12), (12, 15)),
    }
)
