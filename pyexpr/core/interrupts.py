"""Ctrl-C while foreign code runs, through which no exception may pass.

Python runs the handler of a signal when it next runs Python code. If that is a callback from
foreign code, the exception ends only the callback: it is printed, and the foreign code continues.
The signal is therefore kept as a flag, in C, until the foreign code has returned. The kernels of
this package do not need this, because they ask Python between two tasks whether to continue.
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
        """Let Ctrl-C set the C ``int`` at this address to 1, at once if it was already pressed."""
        kernels.tell_interrupts(flag)


@contextmanager
def hold_interrupts() -> Iterator[Hold]:
    """Keep Ctrl-C from running its handler within the block; `handled` runs it later.

    Nothing changes if Ctrl-C runs no Python handler of this thread (in a thread other than the main
    one, or if the signal is ignored or left to the system).
    """
    hold = Hold()
    if not _listens():
        yield hold
        return
    failed = True
    try:
        # Within the try, because a Ctrl-C from just before is raised when this returns.
        kernels.hold_interrupts(0)
        yield hold
        failed = False
    finally:
        hold.came = kernels.release_interrupts()
        if hold.came and failed:
            # After an error `handled` is not called, so the handler runs here first.
            signal.raise_signal(signal.SIGINT)


def handled(hold: Hold, sentence: str) -> None:
    """Run the handler of a Ctrl-C that came during the hold.

    Python's own handler leads to `Interrupted` with this sentence. Another handler may raise any
    exception; if it raises none, the work continues.
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
