"""Ctrl-C ends a call with one sentence: that of the function which the user called."""

from __future__ import annotations

import signal
import sys
import time
import traceback

import pytest

from pyexpr.base.errors import Interrupted
from pyexpr.base.stopping import stoppable


@stoppable("parts were made")
def inner(result: object = None) -> None:
    raise Interrupted("of the depths", result) if result else KeyboardInterrupt


@stoppable("all was made", kept="the parts done are kept")
def outer(result: object = None) -> None:
    """Make all."""
    inner(result)


def test_the_outermost_says_what_was_stopped_and_what_is_kept() -> None:
    with pytest.raises(Interrupted, match=r"while parts were made: nothing is kept$") as stop:
        inner()
    assert str(stop.value).startswith("stopped by Ctrl-C while parts")
    for result in (None, "a part, of which the user knows nothing"):
        with pytest.raises(Interrupted) as stop:
            outer(result)
        assert str(stop.value) == "stopped by Ctrl-C while all was made: the parts done are kept"
        assert stop.value.result is None
        # What is printed is short, and not the frames of the work.
        assert "of the depths" not in "".join(traceback.format_exception(stop.value))
    assert (outer.__name__, outer.__doc__) == ("outer", "Make all.")


def test_what_a_function_hands_over_arrives() -> None:
    @stoppable("it was drawn", returns_figure=True)
    def draw(result: object) -> None:
        if result is None:
            raise KeyboardInterrupt
        raise Interrupted("so much is there", result)

    with pytest.raises(Interrupted, match="so much is there") as stop:
        draw(3)
    assert stop.value.result == 3
    with pytest.raises(Interrupted, match="while it was drawn"):
        draw(None)


def test_half_made_things_are_undone_and_errors_pass() -> None:
    undone: list[int] = []

    @stoppable("it was made", kept=lambda thing: f"{thing} are gone", undo=undone.append)
    def make(thing: int) -> None:
        raise KeyboardInterrupt if thing else ValueError("no thing")

    with pytest.raises(Interrupted, match=r": 7 are gone$"):
        make(7)
    with pytest.raises(ValueError, match="no thing"):
        make(0)
    assert undone == [7]


class Deaf:
    """Its finalizer meets a Ctrl-C, which Python prints and ignores."""

    def __del__(self) -> None:
        raise KeyboardInterrupt


def test_an_interrupt_that_python_ignores_is_repeated() -> None:
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    hook = sys.unraisablehook

    @stoppable("nothing was heard")
    def long() -> None:
        Deaf()
        for _ in range(1000):
            time.sleep(0.01)

    try:
        with pytest.raises(Interrupted, match="while nothing was heard"):
            long()
    finally:
        signal.signal(signal.SIGINT, before)
    assert sys.unraisablehook is hook
