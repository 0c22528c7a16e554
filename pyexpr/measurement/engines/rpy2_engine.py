"""lavaan in this process, through rpy2.rinterface: the only module that imports rpy2.

R starts once, on first use, and works for one thread at a time: any thread may call, and the others
wait. It checks the stack of the thread that calls. R does not survive a fork; calls from a forked
process raise an error, so that they do not crash.
"""

from __future__ import annotations

import locale
import os
import shutil
import signal
import subprocess
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

from pyexpr.base.errors import EngineError, RNotFoundError
from pyexpr.base.messages import say
from pyexpr.core.interrupts import Hold, handled, hold_interrupts
from pyexpr.measurement.engines import wire
from pyexpr.measurement.engines.host_engine import hosted_by_r
from pyexpr.measurement.engines.protocol import (
    STOPPED,
    Answer,
    FitOutput,
    FitRequest,
    bridge_text,
    fitted,
    r_not_found,
    read_answer,
)
from pyexpr.measurement.engines.r_stack import checked_stack
from pyexpr.measurement.engines.r_startup import RUNS_FOR_RPY2, SET_BY_R, stops


@dataclass(frozen=True, slots=True)
class _Session:
    """The R of this process, and its one function."""

    rinterface: Any
    answer: Any


_session: _Session | None = None
# The process in which R was started, or is being started; a fork inherits R in any state.
_process: int | None = None
# One that its holder may take again, as a handler of Ctrl-C that fits a model would.
_working = threading.RLock()


class Rpy2Engine:
    """lavaan in the R that runs inside this process."""

    name = "rpy2"

    def fit(self, request: FitRequest) -> FitOutput:
        """Fit with lavaan; see `pyexpr.measurement.engines.protocol.Engine`."""
        return fitted(request, ask)


def ask(payload: dict[str, Any]) -> Answer:
    """Hand a payload to bridge.R in this process and return its answer.

    Raises
    ------
    Interrupted
        If Ctrl-C is pressed and the call comes from the main thread, the only one that receives it.
        R has then left the fit, and is ready for the next one.
    """
    request = wire.encode(payload)
    # Before the lock, which a fork inherits as it was.
    _refuse_fork()
    while True:
        # Ctrl-C while another thread's fit is waited for is an ordinary one.
        with _working:
            session = _started()
            with hold_interrupts() as hold:
                answer = _interruptible_answer(session, request, hold)
        handled(hold, STOPPED)
        # A handler of the user's own may have received Ctrl-C and let the work go on.
        if not hold.came:
            break
    if isinstance(answer, EngineError):
        raise answer
    return read_answer(answer, started_here=True)


def _interruptible_answer(session: _Session, request: bytes, hold: Hold) -> bytes | EngineError:
    """Return bridge.R's answer; R stops its work on Ctrl-C."""
    from rpy2.rinterface_lib import openrlib

    rlib, ffi = openrlib.rlib, openrlib.ffi
    name = "UserBreak" if os.name == "nt" else "R_interrupts_pending"
    # R calls this while it works. As Python code it would run the handlers of signals,
    # whose exceptions cannot pass through R: they would be printed and lost.
    events = rlib.ptr_R_ProcessEvents
    rlib.ptr_R_ProcessEvents = ffi.NULL
    try:
        raw = session.rinterface.ByteSexpVector(request)
        hold.tell(int(ffi.cast("uintptr_t", ffi.addressof(rlib, name))))
        # The lock of rpy2, too: another thread that uses R directly has another stack.
        with openrlib.rlock, checked_stack(rlib, ffi):
            answer = session.answer(raw)
        return bytes(answer.memoryview()) if hasattr(answer, "memoryview") else bytes(answer)
    except session.rinterface.embedded.RRuntimeError as error:
        return EngineError(f"R failed outside the model: {error}")
    finally:
        # A Ctrl-C at the last moment must not reach the next user of this R.
        hold.tell(0)
        setattr(rlib, name, 0)
        rlib.ptr_R_ProcessEvents = events


def _refuse_fork() -> None:
    if not usable_here():
        raise EngineError(
            say(
                "this process was forked after R had started, which R does not support; start "
                "workers with multiprocessing's 'spawn' method, or use {engine='rscript'} or "
                "'native'"
            )
        )


def usable_here() -> bool:
    """Return whether R has not started, or has started in this process."""
    return _process in (None, os.getpid())


def _started() -> _Session:
    global _session
    if _session is None:
        _session = _start()
    return _session


def _start() -> _Session:
    if hosted_by_r():
        raise EngineError(
            say(
                "this Python runs inside R, where rpy2 would abort the process: use "
                "{engine='host'} or {engine='rscript'}"
            )
        )
    home = os.environ.get("R_HOME")
    if shutil.which("R") is None and not (home and os.path.isdir(home)):
        raise r_not_found("R was not found: there is no 'R' on the PATH and R_HOME is not set")
    if find_spec("rpy2") is None or find_spec("rpy2.rinterface_lib") is None:
        raise r_not_found("the Python package rpy2-rinterface, which runs R, is not installed")
    global _process
    _process = os.getpid()
    with _unchanged_process():
        # For R, and the Rscript by which rpy2 learns R's environment.
        os.environ["R_PROFILE_USER"] = os.devnull
        # That Rscript needs R's usual packages.
        os.environ.pop("R_DEFAULT_PACKAGES", None)
        try:
            import rpy2.rinterface as rinterface
            from rpy2.rinterface_lib import embedded

            embedded.set_initoptions((*embedded.get_initoptions(), "--no-init-file"))
            # Half a start would be the end of R here; a second one finds it started.
            with hold_interrupts() as hold, warnings.catch_warnings():
                # If R is not in the main thread, our own error reports it where it matters.
                warnings.simplefilter("ignore")
                # Not interactive: R must never wait for an answer on the console.
                rinterface.initr(interactive=False)
                answer = _bridge(rinterface)
        except (ImportError, OSError, ValueError, RuntimeError) as error:
            raise _not_loadable(error) from error
        except (StopIteration, subprocess.CalledProcessError) as error:
            raise _not_startable(error) from error
    handled(hold, STOPPED)
    return _Session(rinterface, answer)


def _bridge(rinterface: Any) -> Any:
    """Return the one function of bridge.R, evaluated in an environment of its own."""
    base = rinterface.baseenv
    private = base["new.env"](parent=base)
    text = rinterface.StrSexpVector([bridge_text()])
    parsed = base["parse"](text=text, **{"keep.source": rinterface.BoolSexpVector([False])})
    base["eval"](parsed, private)
    return private["pyexpr_answer"]


def _not_loadable(error: Exception) -> RNotFoundError:
    return r_not_found(f"rpy2-rinterface cannot load R ({type(error).__name__}: {error})")


def _not_startable(error: Exception) -> RNotFoundError:
    # rpy2 asks an Rscript for R's environment, and says no more than that nothing came.
    return RNotFoundError(stops(RUNS_FOR_RPY2, f"rpy2-rinterface cannot start R ({error})"))


@contextmanager
def _unchanged_process() -> Iterator[None]:
    """Undo what starting R does to the process: environment, locale, Ctrl-C."""
    environment = dict(os.environ)
    # All of it, paper and measurement too, which Python has no names for.
    places = locale.setlocale(locale.LC_ALL)
    in_main = threading.current_thread() is threading.main_thread()
    # A handler in Python is held meanwhile, and given back by who holds it.
    ignored = in_main and not callable(signal.getsignal(signal.SIGINT))
    handler = signal.getsignal(signal.SIGINT) if ignored else None
    try:
        yield
    finally:
        for name in set(os.environ) - set(environment):
            # R reads these while it runs; the last one tells reticulate that R runs inside Python.
            if name == "R_PROFILE_USER" or not (
                name.startswith("R_") or name == "PYTHON_SESSION_INITIALIZED"
            ):
                del os.environ[name]
            else:
                SET_BY_R.add(name)
        os.environ.update(environment)
        locale.setlocale(locale.LC_ALL, places)
        if handler is not None:
            signal.signal(signal.SIGINT, handler)
