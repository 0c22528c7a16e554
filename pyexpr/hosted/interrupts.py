"""Ctrl-C while R hosts this Python: always an interrupt, and never the end of the session."""

from __future__ import annotations

import ctypes
import sys


def quieten_handler() -> bool:
    """Let the signal handler of reticulate 1.28 read R's flag instead of asking R.

    Its handler asks by evaluating R code, wherever Python happens to be: a second
    Ctrl-C that comes while R evaluates ends the session. Only the question changes,
    not who answers the signal. Other versions of reticulate have no such callback,
    and where the flag cannot be found theirs stays.

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
