"""Ctrl-C ends a long call of the user's with one sentence."""

from __future__ import annotations

from collections.abc import Callable
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
    hands_over: bool = False,
) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """Let Ctrl-C end a function by `Interrupted` with a sentence: what was stopped, what is kept.

    Of functions within one another the outermost speaks, which is the one that the user
    called. Its traceback is short; where the work was is in ``__context__``.

    Parameters
    ----------
    doing : str
        What the function was at, in the past tense: "the factor model was fitted".
    kept : str, or function of the same arguments that returns one
        What there is now: by default nothing.
    undo : function of the same arguments, optional
        Called first, so that nothing half made is left.
    hands_over : bool
        Whether the function itself raises `Interrupted` with what it has made; that is then
        passed on.
    """

    def decorate(function: Callable[P, T]) -> Callable[P, T]:
        @wraps(function)
        def ended(*args: P.args, **kwargs: P.kwargs) -> T:
            try:
                return function(*args, **kwargs)
            except KeyboardInterrupt as stop:
                if hands_over and isinstance(stop, Interrupted):
                    # The frames below say nothing to the user.
                    raise stop.with_traceback(None) from None
                if undo is not None:
                    undo(*args, **kwargs)
                now = kept if isinstance(kept, str) else kept(*args, **kwargs)
                raise Interrupted(f"stopped by Ctrl-C while {doing}: {now}") from None

        return ended

    return decorate
