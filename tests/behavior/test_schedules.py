"""Segments in seconds, found in recordings frame by frame."""

from __future__ import annotations

import json
from fractions import Fraction
from itertools import pairwise
from math import inf, nan

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pyexpr.base.errors import ColumnError, DataError, StudyError
from pyexpr.behavior.schedules import BP4D_PLUS, Clip, DroppedClip, Schedule, Segment

EXACT = settings(max_examples=200, deadline=None, derandomize=True)

# The appendix of the paper, "Video Segmentation".
APPENDIX = json.loads("""{
"sadness": [[0, 3], [3, 6], [30, 33], [33, 36], [-12, -9], [-9, -6], [-6, -3], [-3, 0]],
"startle": [[3, 6], [6, 9], [9, 12], [12, 15], [15, 18]],
"fear": [[0, 3], [3, 6], [6, 9], [9, 12], [12, 15], [15, 18], [18, 21]],
"pain": [[0, 3], [3, 6], [6, 9], [-12, -9], [-9, -6], [-6, -3], [-3, 0]],
"disgust": [[3, 6], [6, 9], [9, 12], [12, 15]]}""")


def spans(clips: list[Clip]) -> list[tuple[str, int, int]]:
    return [(clip.label, clip.start_frame, clip.stop_frame) for clip in clips]


def test_bp4d_plus_is_the_appendix() -> None:
    assert {
        context: [[segment.start, segment.end] for segment in segments]
        for context, segments in BP4D_PLUS.segments.items()
    } == APPENDIX
    for segments in BP4D_PLUS.segments.values():
        assert [item.label for item in segments] == [str(n + 1) for n in range(len(segments))]


def test_three_seconds_at_25_fps_are_75_frames() -> None:
    clips, dropped = BP4D_PLUS.cut("pain", 1003, 25.0)
    assert dropped == []
    assert spans(clips) == [
        *(("1", 0, 75), ("2", 75, 150), ("3", 150, 225)),
        *(("4", 703, 778), ("5", 778, 853), ("6", 853, 928), ("7", 928, 1003)),
    ]
    assert {clip.n_frames for clip in clips} == {75}
    assert {clip.context for clip in clips} == {"pain"}


def exact(start: Fraction, end: Fraction, n: int, fps: Fraction) -> list[int]:
    """The definition itself, in exact arithmetic, frame by frame."""
    origin = n if start < 0 else 0
    low, high = origin + start * fps, origin + end * fps
    return [k for k in range(-400, n + 400) if low <= k < high]


@EXACT
@given(
    st.integers(-100, 100),
    st.integers(1, 60),
    st.integers(0, 300),
    st.sampled_from([Fraction(24000, 1001), Fraction(25), Fraction(30000, 1001), Fraction(10)]),
)
def test_frames_by_the_definition_in_exact_arithmetic(
    start: int, length: int, n: int, fps: Fraction
) -> None:
    tenths = (Fraction(start, 10), Fraction(min(start + length, 0 if start < 0 else 999), 10))
    segment = Segment(float(tenths[0]), float(tenths[1]), "a")
    first, stop = segment.frames(n, float(fps))
    assert list(range(first, stop)) == exact(*tenths, n, fps)


def test_touching_segments_share_no_frame_and_leave_none_out() -> None:
    table = pd.DataFrame(
        {
            "context": "a",
            "start": [i * 0.7 for i in range(20)],
            "end": [(i + 1) * 0.7 for i in range(20)],
        }
    )
    clips, _ = Schedule.from_table(table).cut("a", 1000, 30000 / 1001)
    assert len(clips) == 20
    assert all(one.stop_frame == two.start_frame for one, two in pairwise(clips))


def test_short_recordings_lose_segments_and_say_so() -> None:
    clips, dropped = BP4D_PLUS.cut("disgust", 299, 25.0)
    assert [clip.label for clip in clips] == ["1", "2"]
    assert dropped == [
        DroppedClip(
            "disgust", label, f"the recording is too short for {span}: it has 299 frames (11.96 s)"
        )
        for label, span in (("3", "[9, 12] s"), ("4", "[12, 15] s"))
    ]
    assert len(BP4D_PLUS.cut("disgust", 300, 25.0)[0]) == 3
    assert BP4D_PLUS.cut("disgust", 0, 25.0)[0] == []


def test_a_recording_a_few_milliseconds_too_short_does_not_appear_to_be_long_enough() -> None:
    schedule = Schedule.from_table(
        pd.DataFrame({"context": ["a"], "clip": ["1"], "start": [597.0], "end": [600.0]})
    )
    (dropped,) = schedule.cut("a", 9011, 15.0185)[1]
    assert dropped.reason.endswith("[597, 600] s: it has 9011 frames (599.993 s)")


def test_negative_starts_before_the_beginning_are_too_short() -> None:
    schedule = Schedule({"a": (Segment(-3.0, 0.0, "end"),)})
    assert spans(schedule.cut("a", 75, 25)[0]) == [("end", 0, 75)]
    assert schedule.cut("a", 74, 25)[0] == []


def test_the_later_of_two_overlapping_segments_is_dropped() -> None:
    # 20 s: [-12, -9] is 8 to 11 s, which meets [6, 9]; what follows is free.
    clips, dropped = BP4D_PLUS.cut("pain", 500, 25.0)
    assert [clip.label for clip in clips] == ["1", "2", "3", "5", "6", "7"]
    assert [(item.label, item.reason) for item in dropped] == [
        ("4", "[-12, -9] s overlaps with clip '3' in a recording of 500 frames (20 s)")
    ]


def test_a_dropped_segment_drops_no_other() -> None:
    schedule = Schedule({"a": (Segment(0, 2, "x"), Segment(1, 4, "y"), Segment(3, 5, "z"))})
    clips, dropped = schedule.cut("a", 500, 25)
    assert [clip.label for clip in clips] == ["x", "z"]
    assert [item.label for item in dropped] == ["y"]


def test_on_short_error() -> None:
    with pytest.raises(StudyError, match=r"context 'pain' .*clip '4': \[-12, -9\] s overlaps"):
        BP4D_PLUS.cut("pain", 500, 25, on_short="error")
    assert len(BP4D_PLUS.cut("pain", 600, 25, on_short="error")[0]) == 7


def test_a_segment_between_two_frames() -> None:
    _, dropped = Schedule({"a": (Segment(0.01, 0.02, "x"),)}).cut("a", 100, 25)
    assert dropped[0].reason == "[0.01, 0.02] s holds no frame at 25 frames per second"


def test_every() -> None:
    schedule = Schedule.every(3)
    clips, dropped = schedule.cut("anything", 260, 25)
    assert (spans(clips), dropped) == ([("1", 0, 75), ("2", 75, 150), ("3", 150, 225)], [])
    assert spans(schedule.cut("b", 225, 25)[0]) == spans(clips)
    clips, dropped = schedule.cut("b", 74, 25)
    assert clips == []
    assert "too short for [0, 3] s" in dropped[0].reason
    # 29.97: 89.91 frames a clip, none lost between them.
    clips, _ = schedule.cut("b", 900, 30000 / 1001)
    assert [clip.start_frame for clip in clips] == [0, 90, 180, 270, 360, 450, 540, 630, 720, 810]
    assert clips[-1].stop_frame == 900
    with pytest.raises(StudyError, match="too short"):
        schedule.cut("b", 74, 25, on_short="error")


def test_from_table() -> None:
    table = pd.DataFrame(
        {
            "context": ["a", "b", "a"],
            "start": [0, -6, 3],
            "end": [3, -0.0, 6],
        }
    )
    schedule = Schedule.from_table(table)
    assert schedule.segments == {
        "a": (Segment(0.0, 3.0, "1"), Segment(3.0, 6.0, "2")),
        "b": (Segment(-6.0, 0.0, "1"),),
    }
    named = Schedule.from_table(table.assign(clip=[10, 11, 12.0]))
    assert [item.label for item in named.segments["a"]] == ["10", "12"]
    # As a study file has it that names some: the others have their number.
    for empty in (None, nan, "", " "):
        some = Schedule.from_table(table.assign(clip=["x", empty, empty]))
        assert [item.label for item in some.segments["a"]] == ["x", "2"]
        assert [item.label for item in some.segments["b"]] == ["1"]
    text = Schedule.from_table(table.assign(clip=["x", "y", " z "], context=[1, 2, 1]))
    assert [item.label for item in text.segments["1"]] == ["x", "z"]
    assert spans(text.cut(1, 300, 25)[0]) == [("x", 0, 75), ("z", 75, 150)]  # type: ignore[arg-type]


def test_to_table_and_back() -> None:
    assert Schedule.from_table(BP4D_PLUS.to_table()) == BP4D_PLUS


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"start": 3.0}, DataError, "row 1 of the schedule: segment '1' runs from 3 to 3 seconds"),
        ({"start": 4.0}, DataError, "must end after its start"),
        ({"end": -1.0}, DataError, "counts from the end of the recording only if the start does"),
        ({"start": -1.0}, DataError, "count both from the same side"),
        ({"start": nan}, DataError, "both must be seconds"),
        ({"end": inf}, ColumnError, "column 'end' of the schedule must be finite"),
        ({"end": "soon"}, ColumnError, "must be a number, but row 1 holds 'soon'"),
        ({"context": None}, DataError, "column 'context' of the schedule is empty in row 1"),
    ],
)
def test_tables_that_make_no_schedule(change: dict, error: type[Exception], message: str) -> None:
    row = {"context": "a", "start": 0.0, "end": 3.0, **change}
    with pytest.raises(error, match=message):
        Schedule.from_table(pd.DataFrame([row]))


def test_missing_column_and_doubled_label() -> None:
    with pytest.raises(
        ColumnError, match="the schedule has no column 'start'; did you mean 'Start'"
    ):
        Schedule.from_table(pd.DataFrame({"context": ["a"], "Start": [0], "end": [1]}))
    table = pd.DataFrame(
        {"context": ["a", "a"], "start": [0, 1], "end": [1, 2], "clip": ["x", "x"]}
    )
    with pytest.raises(DataError, match=r"context 'a' of the schedule has two segments .* 'x'"):
        Schedule.from_table(table)


def test_unknown_context_lists_the_known() -> None:
    with pytest.raises(
        StudyError, match=r"no context 'Pain'; did you mean 'pain'\? \(it knows 'sad"
    ):
        BP4D_PLUS.cut("Pain", 1000, 25)


def test_other_arguments() -> None:
    for build, message in (
        (lambda: Schedule({}), "needs segments"),
        (lambda: Schedule({"a": ()}), "has no segments"),
        (lambda: Schedule.every(0), "positive number of seconds"),
        (lambda: Schedule.every(nan), "positive number of seconds"),
        (lambda: Schedule({"a": (Segment(0, 1, "x"),)}, period=3.0), "needs segments"),
        (lambda: BP4D_PLUS.cut("pain", 100, 0), "fps= must be"),
        (lambda: BP4D_PLUS.cut("pain", 100, 25, on_short="skip"), "on_short= must be"),  # type: ignore[arg-type]
    ):
        with pytest.raises(DataError, match=message):
            build()
