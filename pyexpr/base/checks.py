"""Arguments that are numbers: checked at the door, refused in words."""

from __future__ import annotations

import math
from numbers import Integral, Real
from typing import Any

from pyexpr.base.errors import DataError


def is_number(value: object) -> bool:
    """Return whether `value` is a finite number, of Python or NumPy."""
    return isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value)


def real_number(value: Any, *, argument: str) -> float:
    """Return a finite number, or raise `DataError`."""
    if not is_number(value):
        raise DataError(f"{argument}= must be a finite number, not {value!r}")
    return float(value)


def whole_number(value: Any, *, argument: str, least: int) -> int:
    """Return a whole number of at least `least`, or raise `DataError`."""
    if isinstance(value, bool) or not isinstance(value, Integral) or value < least:
        raise DataError(f"{argument}= must be a whole number of at least {least}, not {value!r}")
    return int(value)


def confidence_level(value: Any) -> float:
    """Return a level between 0 and 1, or raise `DataError`."""
    if not is_number(value) or not 0 < float(value) < 1:
        raise DataError(f"confidence= must be between 0 and 1, not {value!r}")
    return float(value)
