"""Checks of numeric arguments."""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from numbers import Integral, Real
from typing import Any

from pyexpr.base.errors import DataError
from pyexpr.base.messages import say

# The largest number of rows, replicates or threads that every machine supports.
_MOST = 2**31 - 1
_by_default = threading.local()


def is_number(value: object) -> bool:
    """Return whether `value` is a finite number, of Python or NumPy."""
    if not isinstance(value, Real) or isinstance(value, bool):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:
        # A whole number beyond the largest float.
        return False


def is_whole(value: object) -> bool:
    """Return whether `value` is a whole number, of Python or NumPy, and not a truth value."""
    return isinstance(value, Integral) and not isinstance(value, bool)


def real_number(value: Any, *, argument: str) -> float:
    """Return a finite number, or raise `DataError`."""
    if not is_number(value):
        raise DataError(
            say(
                "{@argument=} must be a finite number, not {value!r}",
                argument=argument,
                value=value,
            )
        )
    return float(value)


def whole_number(value: Any, *, argument: str, least: int) -> int:
    """Return a whole number of at least `least`, or raise `DataError`."""
    if not is_whole(value) or value < least:
        raise DataError(
            say(
                "{@argument=} must be a whole number of at least {least}, not {value!r}",
                argument=argument,
                least=least,
                value=value,
            )
        )
    if value > _MOST:
        raise DataError(
            say(
                "{@argument=} must be at most {most:,}, not {value}",
                argument=argument,
                most=_MOST,
                value=value,
            )
        )
    return int(value)


def further_replicates(n: Any) -> int:
    """Return a number of replicates to add, or raise `DataError`."""
    if not is_whole(n) or n < 0:
        raise DataError(
            say("{n=} must be a whole number of further replicates, not {given!r}", given=n)
        )
    return int(n)


def confidence_level(value: Any) -> float:
    """Return a level between 0 and 1, or raise `DataError`."""
    if not is_number(value) or not 0 < float(value) < 1:
        raise DataError(
            say("{confidence=} must be a number between 0 and 1, not {value!r}", value=value)
        )
    return float(value)


def checked_threads(n_threads: Any) -> int | None:
    """Return `n_threads`, or raise `DataError` unless it is a positive whole number or None."""
    if n_threads is None:
        return None
    if not is_whole(n_threads) or n_threads < 1:
        raise DataError(
            say(
                "{n_threads=} must be a whole number of at least 1, or {value None} for "
                "one per core, not {given!r}",
                given=n_threads,
            )
        )
    return min(int(n_threads), _MOST)


def kernel_threads(n_threads: Any) -> int:
    """Return `n_threads`, checked, as the kernels take it: 0 is one per core.

    None gives 0 or, within one of several tasks, its share of the cores.
    """
    by_default: int = getattr(_by_default, "threads", 0)
    return checked_threads(n_threads) or by_default


@contextmanager
def kernel_threads_by_default(threads: int) -> Iterator[None]:
    """Set the number of threads for kernels that this thread calls without a number."""
    before: int = getattr(_by_default, "threads", 0)
    _by_default.threads = threads
    try:
        yield
    finally:
        _by_default.threads = before
