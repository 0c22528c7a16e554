"""Handle Ctrl-C in a Python within R: it always interrupts, and never ends the session."""

from __future__ import annotations

import ctypes
import sys


def quieten_handler() -> bool:
    """Let the signal handler of reticulate 1.28 read R's flag instead of asking R.

    The handler evaluates R code, wherever Python happens to be, and a second Ctrl-C during this
    evaluation ends the session. Only this query is replaced, not the handler of the signal. Other
    versions of reticulate do not have this callback. If the flag cannot be found, the callback is
    not replaced.

    Returns
    -------
    bool
        Whether the callback was replaced.
    """
    signals = sys.modules.get("rpytools.signals")
    if not callable(getattr(signals, "_callback", None)):
        return False
    try:
        pending = ctypes.c_int.in_dll(ctypes.CDLL(None), "R_interrupts_pending")
    except (OSError, TypeError, ValueError):
        return False

    def ask(reset: bool) -> bool:
        if reset:
            pending.value = 0
        return pending.value != 0

    signals._callback = ask  # type: ignore[union-attr]
    return True
