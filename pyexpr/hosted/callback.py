"""A function of the R user, called from Python."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pyexpr.base.errors import EngineError
from pyexpr.measurement.engines import wire

_caller: Callable[[bytearray], Any] | None = None


class FunctionError(EngineError):
    """The user's R function raised an error; R keeps its condition and shows it."""


@dataclass(frozen=True, slots=True)
class RFunction:
    """A statistic that R computes from its own copy of the rows.

    Attributes
    ----------
    function : int
        The number by which R stores it in the current session.
    """

    function: int

    def __call__(self, _: Any, weights: Any) -> Any:
        """Return the numbers that the function returns, named or not."""
        return call_r(self.function, weights=weights)


def register_caller(caller: Callable[[bytearray], Any]) -> None:
    """Store the function of R that calls functions of the user."""
    global _caller
    _caller = caller


def call_r(function: int, **arguments: Any) -> Any:
    """Call the function that R stores by this number; return its numbers, named or not.

    Raises
    ------
    FunctionError
        If the function raised an error.
    KeyboardInterrupt
        If the user interrupted it.
    """
    if _caller is None:
        raise EngineError("no R has handed over a way to call its functions")
    request = wire.encode({"function": function, "arguments": arguments})
    answer = wire.decode(bytes(_caller(bytearray(request))))
    if answer["status"] == ["interrupted"]:
        raise KeyboardInterrupt
    if answer["status"] == ["error"]:
        raise FunctionError("the R function stopped with an error")
    values = [float(value) for value in answer["value"]]
    if answer["names"] is None:
        return values[0] if len(values) == 1 else values
    return dict(zip(answer["names"], values, strict=True))
