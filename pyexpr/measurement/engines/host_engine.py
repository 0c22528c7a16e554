"""lavaan in the R session that hosts this Python, through a function registered by R.

rpy2 must never be imported there (the process aborts at R's next garbage
collection), so R gives Python one function, from raw bytes to raw bytes:

.. code-block:: r

    bridge <- new.env(parent = baseenv())
    host <- reticulate::import("pyexpr.measurement.engines.host_engine")
    eval(parse(text = host$bridge_text()), bridge)
    host$register(reticulate::r_to_py(bridge$pyexpr_answer, convert = TRUE))
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from typing import Any

from pyexpr.base.errors import EngineError
from pyexpr.base.messages import say
from pyexpr.measurement.engines import wire
from pyexpr.measurement.engines.protocol import (
    Answer,
    FitOutput,
    FitRequest,
    bridge_text,
    fitted,
    read_answer,
)

__all__ = ["HostEngine", "ask", "bridge_text", "hosted_by_r", "register", "registered"]

_answer: Callable[[bytearray], Any] | None = None
# The process and the thread in which R handed it over; R answers only there.
_home: tuple[int, int] = (0, 0)


def hosted_by_r() -> bool:
    """Tell whether this very process was started as R, or is a fork of one.

    Children inherit the variable, so the process id in it must be ours. A fork has the
    function that R handed over, too.
    """
    if registered():
        return True
    started = os.environ.get("R_SESSION_INITIALIZED", "")
    marks = started.replace(",", ":").replace(";", ":").split(":")
    return any(mark.strip().lower() == f"pid={os.getpid()}" for mark in marks)


def register(answer: Callable[[bytearray], Any]) -> None:
    """Keep the function by which the hosting R answers: raw bytes in, raw bytes out."""
    global _answer, _home
    if not callable(answer):
        raise EngineError(
            f"the hosting R session must register a function, not {type(answer).__name__}"
        )
    _answer = answer
    _home = (os.getpid(), threading.get_ident())


def registered() -> bool:
    """Return whether a hosting R session has registered its function."""
    return _answer is not None


def usable_here() -> bool:
    """Return whether the hosting R registered its function in this process and thread."""
    return registered() and _home == (os.getpid(), threading.get_ident())


class HostEngine:
    """lavaan in the R that hosts this Python."""

    name = "host"

    def fit(self, request: FitRequest) -> FitOutput:
        """Fit with lavaan; see `pyexpr.measurement.engines.protocol.Engine`."""
        return fitted(request, ask)


def ask(payload: dict[str, Any]) -> Answer:
    """Hand a payload to bridge.R in the hosting R and return its answer."""
    if _answer is None:
        raise EngineError(
            say(
                "no hosting R session has registered a function; {engine='host'} works only "
                "from R, after pyexpr.measurement.engines.host_engine.register()"
            )
        )
    if not usable_here():
        raise EngineError(
            say(
                "the R session that hosts this Python can be called only from the thread and "
                "the process in which it registered its function; call from there, or use "
                "{engine='rscript'} or 'native' here"
            )
        )
    # A bytearray becomes a raw vector in every reticulate; bytes do not.
    return read_answer(bytes(_answer(bytearray(wire.encode(payload)))))
