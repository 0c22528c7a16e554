"""lavaan in this process, through rpy2.rinterface: the one door for rpy2.

R starts on first use, once. It belongs to the thread that started it and never
survives a fork; both are refused with a sentence instead of a crash.
"""

from __future__ import annotations

import locale
import os
import shutil
import signal
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

from pyexpr.base.errors import EngineError, RNotFoundError
from pyexpr.measurement.engines import wire
from pyexpr.measurement.engines.host_engine import hosted_by_r
from pyexpr.measurement.engines.protocol import (
    Answer,
    FitOutput,
    FitRequest,
    bridge_text,
    fitted,
    r_not_found,
    read_answer,
)


@dataclass(frozen=True, slots=True)
class _Session:
    """The R of this process: who may use it, and its one function."""

    process: int
    thread: int
    rinterface: Any
    answer: Any


_session: _Session | None = None
_starting = threading.Lock()


class Rpy2Engine:
    """lavaan in the R that runs inside this process."""

    name = "rpy2"

    def fit(self, request: FitRequest) -> FitOutput:
        """Fit with lavaan; see `pyexpr.measurement.engines.protocol.Engine`."""
        return fitted(request, ask)


def ask(payload: dict[str, Any]) -> Answer:
    """Hand a payload to bridge.R in this process and return its answer."""
    session = _started()
    raw = session.rinterface.ByteSexpVector(wire.encode(payload))
    try:
        answer = session.answer(raw)
    except session.rinterface.embedded.RRuntimeError as error:
        raise EngineError(f"R failed outside the model: {error}") from None
    return read_answer(
        bytes(answer.memoryview()) if hasattr(answer, "memoryview") else bytes(answer)
    )


def _started() -> _Session:
    global _session
    with _starting:
        if _session is None:
            _session = _start()
    if _session.process != os.getpid():
        raise EngineError(
            "this process was forked after R had started, and R does not survive a fork: start "
            "workers with multiprocessing's 'spawn' method, or use engine='rscript' or 'native'"
        )
    if _session.thread != threading.get_ident():
        raise EngineError(
            "R runs in another thread of this process and cannot be used from two: call from that "
            "thread, or use engine='rscript' or 'native' here"
        )
    return _session


def usable_here() -> bool:
    """Tell whether R has not started, or may be used from this process and thread."""
    return _session is None or (_session.process, _session.thread) == (
        os.getpid(),
        threading.get_ident(),
    )


def _start() -> _Session:
    if hosted_by_r():
        raise EngineError(
            "this Python runs inside R, where rpy2 would abort the process: use engine='host' or "
            "engine='rscript'"
        )
    home = os.environ.get("R_HOME")
    if shutil.which("R") is None and not (home and os.path.isdir(home)):
        raise r_not_found("R was not found: there is no 'R' on the PATH and R_HOME is not set")
    if find_spec("rpy2") is None or find_spec("rpy2.rinterface_lib") is None:
        raise r_not_found("the Python package rpy2-rinterface, which runs R, is not installed")
    with _unchanged_process():
        try:
            import rpy2.rinterface as rinterface

            with warnings.catch_warnings():
                # That R is not in the main thread is said by our own error when it matters.
                warnings.simplefilter("ignore")
                # Not interactive: R must never wait for an answer on the console.
                rinterface.initr(interactive=False)
        except (ImportError, OSError, ValueError, RuntimeError) as error:
            raise _not_loadable(error) from error
        base = rinterface.baseenv
        private = base["new.env"](parent=base)
        text = rinterface.StrSexpVector([bridge_text()])
        keep = rinterface.BoolSexpVector([False])
        parsed = base["parse"](text=text, **{"keep.source": keep})
        base["eval"](parsed, private)
    return _Session(os.getpid(), threading.get_ident(), rinterface, private["pyexpr_answer"])


def _not_loadable(error: Exception) -> RNotFoundError:
    return r_not_found(f"rpy2-rinterface cannot load R ({type(error).__name__}: {error})")


@contextmanager
def _unchanged_process() -> Iterator[None]:
    """Undo what starting R does to the process: environment, locale, Ctrl-C handler."""
    environment = dict(os.environ)
    # All of it, paper and measurement too, which Python has no names for.
    places = locale.setlocale(locale.LC_ALL)
    in_main = threading.current_thread() is threading.main_thread()
    handler = signal.getsignal(signal.SIGINT) if in_main else None
    try:
        yield
    finally:
        for name in set(os.environ) - set(environment):
            # R reads these while it runs, and R inside Python is told by the last.
            if not name.startswith("R_") and name != "PYTHON_SESSION_INITIALIZED":
                del os.environ[name]
        os.environ.update(environment)
        locale.setlocale(locale.LC_ALL, places)
        if in_main and handler is not None:
            signal.signal(signal.SIGINT, handler)
