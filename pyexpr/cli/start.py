"""The start of the command line, and Ctrl-C there: one sentence and the status of shells, 130.

Nothing is imported here that takes time: Ctrl-C may come while typer is being imported.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

STATUS = 130
BEFORE_THE_END = "stopped by Ctrl-C before the end: no file is half written"


def interruption_text(sentence: str) -> str:
    """Return what is printed."""
    return f"Interrupted: {sentence}"


@contextmanager
def ends_at_once(*, also_after: bool) -> Iterator[None]:
    """Let Ctrl-C end the process within the block, which imports what the commands need.

    An exception out of a half-made import can be lost or become another one. With
    `also_after` that stays so until `raises_interrupted`.
    """
    changed = _set_handler(_end)
    try:
        yield
    finally:
        if changed and not also_after:
            signal.signal(signal.SIGINT, signal.default_int_handler)


@contextmanager
def raises_interrupted() -> Iterator[None]:
    """Let Ctrl-C raise `Interrupted` within the block.

    A bare KeyboardInterrupt that passes through code run by C ends the process by the
    signal, whoever catches it later.
    """
    changed = _set_handler(_interrupted)
    try:
        yield
    finally:
        if changed:
            signal.signal(signal.SIGINT, signal.default_int_handler)


def _set_handler(handler: Any) -> bool:
    """Let this handler have Ctrl-C, which so far was Python's; say whether it has."""
    if signal.getsignal(signal.SIGINT) not in (signal.default_int_handler, _end):
        return False
    try:
        signal.signal(signal.SIGINT, handler)
    except ValueError:  # Not the main thread, which alone hears signals.
        return False
    return True


def _end(*_: object) -> NoReturn:
    os.write(2, f"{interruption_text(BEFORE_THE_END)}\n".encode())
    os._exit(STATUS)


def _interrupted(*_: object) -> NoReturn:
    from pyexpr.base.errors import Interrupted

    raise Interrupted(BEFORE_THE_END)
