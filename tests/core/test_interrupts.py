"""Ctrl-C during compiled and foreign code."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from pyexpr.base.errors import Interrupted
from pyexpr.core.cluster_bootstrap import Level, MetricDesign, Quantity, cluster_sums
from pyexpr.core.interrupts import handled, hold_interrupts


@pytest.fixture(autouse=True)
def listening() -> Iterator[None]:
    # SIGINT is ignored in the children of a background job; here it must interrupt.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def press() -> None:
    os.kill(os.getpid(), signal.SIGINT)


def test_a_deferred_interrupt_is_raised_afterwards() -> None:
    with hold_interrupts() as hold:
        press()
        time.sleep(0)  # Python code goes on.
    assert hold.came
    with pytest.raises(Interrupted, match=r"^stopped while counting$"):
        handled(hold, "stopped while counting")
    with hold_interrupts() as hold:
        pass
    assert not hold.came
    handled(hold, "not said")
    with pytest.raises(KeyboardInterrupt):
        press()


def test_an_interrupt_is_not_lost_beside_an_error() -> None:
    def work() -> None:
        with hold_interrupts():
            press()
            raise ValueError("the work failed")

    with pytest.raises(KeyboardInterrupt) as caught:
        work()
    assert isinstance(caught.value.__context__, ValueError)


def test_handlers_of_the_user_decide() -> None:
    received: list[int] = []
    signal.signal(signal.SIGINT, lambda number, frame: received.append(number))
    with hold_interrupts() as hold:
        press()
        assert received == []
    handled(hold, "not said")
    assert received == [signal.SIGINT]

    def refuse(*_: Any) -> None:
        raise TimeoutError("the user's own")

    signal.signal(signal.SIGINT, refuse)
    with hold_interrupts() as hold:
        press()
    with pytest.raises(TimeoutError, match="the user's own"):
        handled(hold, "not said")


def test_an_ignored_interrupt_stays_ignored_and_other_threads_hold_nothing() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with hold_interrupts() as hold:
        press()
    assert not hold.came
    signal.signal(signal.SIGINT, signal.default_int_handler)
    inside, leave = threading.Event(), threading.Event()

    def work() -> None:
        with hold_interrupts():
            inside.set()
            leave.wait()

    thread = threading.Thread(target=work)
    thread.start()
    inside.wait()
    with pytest.raises(KeyboardInterrupt):
        press()
    leave.set()
    thread.join()


@pytest.mark.parametrize("n_threads", [1, 2])
def test_a_kernel_hears_it_in_the_midst(n_threads: int) -> None:
    rng = np.random.default_rng(0)
    truth = rng.normal(size=400)
    column = cluster_sums(truth + rng.normal(size=400), truth, np.arange(400) % 200, 200)
    design = MetricDesign([column], [Level("correlation", (0,))], [Quantity(0, None)], (200,))
    n = 8_000_000
    out = np.full((1, n), np.nan)

    def wait_and_press() -> None:
        while np.isnan(out[0, 0]):
            time.sleep(0.001)
        press()

    threading.Thread(target=wait_and_press, daemon=True).start()
    with pytest.raises(KeyboardInterrupt):
        design.replicates(n, seed=1, rows=[0], out=out, n_threads=n_threads)
    assert np.isnan(out[0, -1])
    # What was computed, however much, are the bytes of a run without an interrupt.
    done = int(np.argmax(np.isnan(out[0])))
    first = design.replicates(min(done, 1000), seed=1)
    assert done
    assert out[0, : len(first[0])].tobytes() == first[0].tobytes()
