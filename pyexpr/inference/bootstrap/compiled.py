"""Interface to numba: compiled functions become functions that the kernel can call.

A statistic is wrapped in a C callback that catches its exceptions. Otherwise, an exception in a
callback would print a line, and the callback would return 0.0.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from pyexpr.base.arrays import unmasked
from pyexpr.base.errors import DataError, EngineError
from pyexpr.base.messages import say
from pyexpr.core.compiled_statistic import CompiledStatistic
from pyexpr.core.interrupts import handled, hold_interrupts

if TYPE_CHECKING:
    from numpy.typing import NDArray

T = TypeVar("T")


def is_compiled(statistic: object) -> bool:
    """Return whether numba made this function; numba is not imported to find out."""
    return type(statistic).__module__.partition(".")[0] == "numba"


# Each metric is compiled only once.
@lru_cache(maxsize=64)
def on_repeated_rows(metric: Callable[..., Any]) -> Callable[..., Any]:
    """Return a statistic of (rows, weights) from a compiled metric of (truth, prediction).

    The rows (2, n) are repeated as often as their weights say.
    """
    numba = _numba()

    def statistic(rows, weights):  # type: ignore[no-untyped-def]
        total = 0
        for weight in weights:
            total += int(weight)
        if total == 0:
            return np.nan
        truth, prediction = np.empty(total), np.empty(total)
        at = 0
        for i in range(len(weights)):
            for _ in range(int(weights[i])):
                truth[at], prediction[at] = rows[0, i], rows[1, i]
                at += 1
        return metric(truth, prediction)

    return numba.njit(statistic)  # type: ignore[no-any-return]


def compile_statistic(
    name: str, statistic: Callable[..., Any], rows: NDArray[np.float64]
) -> tuple[CompiledStatistic, NDArray[np.float64]]:
    """Return the statistic as a C function, and its values on all rows.

    Parameters
    ----------
    name : str
        For messages.
    statistic : numba.njit function, numba.cfunc callback, or plain function
        The first and the last are called as ``statistic(rows, weights)`` with arrays
        (columns, n) and (n,); a callback as ``statistic(rows, n_columns, n_rows,
        weights)`` with pointers to double and two intp. A plain function is compiled.
    rows : (columns, n) float64, C-contiguous

    Raises
    ------
    EngineError
        If numba is not installed.
    DataError
        If numba cannot compile the statistic, or it does not return numbers.
    """
    numba = _whole(name, _numba)
    is_callback = hasattr(statistic, "address")
    try:
        if is_callback:
            # The Python function is compiled again without a callback, so that its exceptions can
            # be caught.
            inner = _jitted(numba, statistic.__wrapped__)  # type: ignore[attr-defined]
            callback = _whole(name, lambda: _callback(numba, inner, pointers=True))
            compiled = CompiledStatistic(*callback, 1)
            return compiled, _called(name, compiled, rows)
        inner = statistic if is_compiled(statistic) else _jitted(numba, statistic)
        at_all = _numbers(name, _whole(name, lambda: inner(rows, np.ones(rows.shape[1]))))
        several = at_all.ndim == 1
        n_values = at_all.size if several else 0
        callback = _whole(name, lambda: _callback(numba, inner, several=n_values))
        return CompiledStatistic(*callback, at_all.size), np.atleast_1d(at_all)
    except numba.core.errors.NumbaError as error:
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        raise DataError(
            f"numba cannot compile the statistic {name!r} for rows (columns, n) and weights (n,) "
            f"of float64: {' '.join(lines[:3])}"
        ) from error


def _whole(name: str, compile_one: Callable[[], T]) -> T:
    """Compile one function; Ctrl-C takes effect when this is done, after about a second.

    numba's compiler calls back into Python, where the exception of a Ctrl-C can be lost.
    """
    with hold_interrupts() as hold:
        found = compile_one()
    handled(hold, f"stopped by Ctrl-C while numba compiled the statistic {name!r}")
    return found


def _numbers(name: str, found: Any) -> NDArray[np.float64]:
    """Return what a statistic returned as a number or a row of numbers."""
    try:
        values = np.asarray(unmasked(found), dtype=np.float64)
    except (TypeError, ValueError):
        values = np.empty((0, 0))
    if values.ndim > 1 or values.size == 0:
        raise DataError(
            say(
                "the compiled statistic {name!r} must return a number, a tuple of "
                "numbers or a 1-dimensional array, not {found!r}",
                name=name,
                found=found,
            )
        )
    return values


@lru_cache(maxsize=64)
def _jitted(numba: Any, function: Callable[..., Any]) -> Any:
    return numba.njit(function)


# Compiling takes a second, so each statistic is compiled only once.
@lru_cache(maxsize=64)
def _callback(
    numba: Any, inner: Any, *, several: int = 0, pointers: bool = False
) -> tuple[int, Any]:
    """Wrap a compiled function as a C callback; return its address and an owner to keep alive."""
    carray, double = numba.carray, numba.types.CPointer(numba.types.float64)
    whole = numba.types.int64
    signature = whole(double, whole, whole, double, double)

    # Compiled code does not allow `return` inside `try`.
    if pointers:

        def run(rows, k, n, weights, values):  # type: ignore[no-untyped-def]
            status = 0
            try:
                carray(values, 1)[0] = inner(rows, k, n, weights)
            except Exception:
                status = 1
            return status

    elif several:

        def run(rows, k, n, weights, values):  # type: ignore[no-untyped-def]
            status = 0
            try:
                found = inner(carray(rows, (k, n)), carray(weights, n))
                if len(found) != several:
                    status = 1
                else:
                    for i in range(several):
                        carray(values, several)[i] = found[i]
            except Exception:
                status = 1
            return status

    else:

        def run(rows, k, n, weights, values):  # type: ignore[no-untyped-def]
            status = 0
            try:
                carray(values, 1)[0] = inner(carray(rows, (k, n)), carray(weights, n))
            except Exception:
                status = 1
            return status

    callback = numba.cfunc(signature)(run)
    return callback.address, callback


def _called(
    name: str, compiled: CompiledStatistic, rows: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the value of a callback on all rows."""
    from ctypes import POINTER, c_double

    def pointer(array: NDArray[np.float64]) -> Any:
        return array.ctypes.data_as(POINTER(c_double))

    value, weights = np.empty(1), np.ones(rows.shape[1])
    if compiled.owner.ctypes(pointer(rows), *rows.shape, pointer(weights), pointer(value)):
        raise DataError(f"the compiled statistic {name!r} raised an exception on all rows")
    return value


def _numba() -> Any:
    try:
        import numba
    except ImportError:
        raise EngineError(
            say(
                "{compiled=True} needs numba, which is not installed; run 'pip install "
                '"pyexpr-stats[numba]"\', or leave out {compiled=} to call the statistic '
                "as Python"
            )
        ) from None
    return numba
