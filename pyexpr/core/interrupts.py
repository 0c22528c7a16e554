"""Ctrl-C while foreign code runs, through which no exception may pass.

Python runs the handler of a signal when it next runs Python code. Where that is a
callback from foreign code, the exception ends the callback alone: it is printed,
and the foreign code goes on. So the signal is kept as a flag, in C, until the
foreign code has returned. The kernels of this package need none of it: they ask
Python between two tasks whether to go on.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from pyexpr.base.errors import Interrupted
from pyexpr.core.extension import kernels


@dataclass(slots=True)
class Hold:
    """Whether Ctrl-C was pressed; known when the block has ended."""

    came: bool = False

    def tell(self, flag: int) -> None:
        """Let Ctrl-C set the C ``int`` at this address to 1: at once if it has come."""
        kernels.tell_interrupts(flag)


@contextmanager
def hold_interrupts() -> Iterator[Hold]:
    """Keep Ctrl-C from running its handler within the block; `handled` makes up for it.

    Where Ctrl-C runs no Python handler of this thread (another thread than the main
    one; the signal ignored, or left to the system) nothing changes.
    """
    hold = Hold()
    if not _listens():
        yield hold
        return
    failed = True
    try:
        # Within the try: a Ctrl-C of just before is raised when this returns.
        kernels.hold_interrupts(0)
        yield hold
        failed = False
    finally:
        hold.came = kernels.release_interrupts()
        if hold.came and failed:
            # Who leaves by an error never comes to ask: the handler's own comes first.
            signal.raise_signal(signal.SIGINT)


def handled(hold: Hold, sentence: str) -> None:
    """Let a Ctrl-C that came during the hold have its handler now.

    With Python's own that is `Interrupted` with this sentence. Another handler may
    raise what it likes; if it raises nothing the work is to go on.
    """
    if not hold.came:
        return
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        raise Interrupted(sentence)
    signal.raise_signal(signal.SIGINT)


def _listens() -> bool:
    return threading.current_thread() is threading.main_thread() and callable(
        signal.getsignal(signal.SIGINT)
    )
