"""Ctrl-C stops a long call of the user with one sentence."""

from __future__ import annotations

import _thread
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import ParamSpec, TypeVar

from pyexpr.base.errors import Interrupted

P = ParamSpec("P")
T = TypeVar("T")

NOTHING = "nothing is kept"


def stoppable(
    doing: str,
    *,
    kept: str | Callable[..., str] = NOTHING,
    undo: Callable[..., None] | None = None,
    returns_figure: bool = False,
) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """Let Ctrl-C end a function by `Interrupted` with a sentence: what was stopped, what is kept.

    Of nested functions the outermost raises it, which is the one that the user called. Its
    traceback is short; the place of the interrupt is in ``__context__``.

    Parameters
    ----------
    doing : str
        What the function was doing, in the past tense: "the factor model was fitted".
    kept : str, or function of the same arguments that returns one
        What is kept; by default nothing.
    undo : function of the same arguments, optional
        Called first, so that nothing incomplete is left.
    returns_figure : bool
        Whether the function itself raises `Interrupted` with its partial result, which is then
        passed on.
    """

    def decorate(function: Callable[P, T]) -> Callable[P, T]:
        @wraps(function)
        def ended(*args: P.args, **kwargs: P.kwargs) -> T:
            try:
                with _repeat_interrupt():
                    return function(*args, **kwargs)
            except KeyboardInterrupt as stop:
                if returns_figure and isinstance(stop, Interrupted):
                    # The frames below are of no interest to the user.
                    raise stop.with_traceback(None) from None
                if undo is not None:
                    undo(*args, **kwargs)
                now = kept if isinstance(kept, str) else kept(*args, **kwargs)
                raise Interrupted(f"stopped by Ctrl-C while {doing}: {now}") from None

        return ended

    return decorate


# Seconds until a Ctrl-C whose exception was ignored is repeated.
_SOON = 0.01
_repeating = threading.Event()


@contextmanager
def _repeat_interrupt() -> Iterator[None]:
    """Repeat a Ctrl-C that came during code whose exceptions Python ignores.

    Such code is callbacks of weak references, finalizers, and the like: the exception is printed
    there, and the work continues.
    """
    if _repeating.is_set() or threading.current_thread() is not threading.main_thread():
        yield
        return
    before = sys.unraisablehook

    def hook(ignored: sys.UnraisableHookArgs, /) -> None:
        if issubclass(ignored.exc_type, KeyboardInterrupt):
            # By another thread, since from here it would reach the same code.
            threading.Timer(_SOON, _thread.interrupt_main).start()
        else:
            before(ignored)

    _repeating.set()
    sys.unraisablehook = hook
    try:
        yield
    finally:
        sys.unraisablehook = before
        _repeating.clear()
