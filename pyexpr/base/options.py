"""Options that one function of a family does not accept, with the reason."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import wraps
from typing import ParamSpec, TypeVar

from pyexpr.base.errors import DataError
from pyexpr.base.messages import say

#: Names of the column of contexts elsewhere, or here in the past -> its present name.
FORMER_CONTEXT = dict.fromkeys(("by", "group", "contexts"), "context")

_WHAT = {"context": say("the column of contexts is {context=}")}

P = ParamSpec("P")
T = TypeVar("T")


def explains(
    *, not_taken: Mapping[str, str] | None = None, renamed: Mapping[str, str] | None = None
) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """Let a function report options that it does not have by a sentence, not by a `TypeError`.

    This decorator comes below `stoppable`, which must be the outermost.

    Parameters
    ----------
    not_taken : mapping, optional
        Option that functions of this kind have -> why this one does not.
    renamed : mapping, optional
        Former name of an option -> today's.
    """

    def decorate(function: Callable[P, T]) -> Callable[P, T]:
        name = getattr(function, "__name__", "this function")

        @wraps(function)
        def checked(*args: P.args, **kwargs: P.kwargs) -> T:
            for option, why in (not_taken or {}).items():
                if option in kwargs:
                    raise DataError(
                        say(
                            "{name}() does not accept {@option=}: {why}",
                            name=name,
                            option=option,
                            why=why,
                        )
                    )
            for former, today in (renamed or {}).items():
                if former in kwargs:
                    hint = _WHAT.get(today, say("it is now called {@today=}", today=today))
                    raise DataError(
                        say(
                            "{name}() has no argument {@former=}; {hint}",
                            name=name,
                            former=former,
                            hint=hint,
                        )
                    )
            return function(*args, **kwargs)

        return checked

    return decorate
