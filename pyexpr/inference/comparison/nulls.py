"""The null values of tests of differences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pyexpr.base.checks import is_number
from pyexpr.base.errors import DataError, listed
from pyexpr.base.messages import say
from pyexpr.inference.comparison.metrics import kind_named, split_name
from pyexpr.inference.comparison.quantities import METRICS

# The largest difference of two values between -1 and 1.
_MOST = 2.0

NullDifference = float | Mapping[str, float]


def checked_nulls(
    given: Any, metrics: Sequence[str], *, argument: str = "null_difference"
) -> dict[str, float]:
    """Return the null value of the differences of every metric.

    Raises
    ------
    DataError
        If a value is not a finite number or is a difference that the metric cannot have, or if a
        mapping names another metric.
    """
    names = list(dict.fromkeys(metrics))
    if isinstance(given, Mapping):
        unknown = [name for name in given if name not in names]
        if unknown or not given:
            raise DataError(
                say(
                    "{@argument=} names {unknown}, but the metrics are {names}",
                    argument=argument,
                    unknown=listed(unknown) or "no metric",
                    names=listed(names),
                )
            )
        values = {name: given.get(name, 0.0) for name in names}
    else:
        values = dict.fromkeys(names, given)
    for name, value in values.items():
        if not is_number(value):
            raise DataError(
                say(
                    "{@argument=} is the difference that is tested, so it must be a finite number, "
                    "or a mapping of metrics to such numbers, not {given!r}",
                    argument=argument,
                    given=value,
                )
            )
        base = split_name(name)[0] if name in METRICS else name
        if kind_named(base).bounded and abs(value) >= _MOST:
            raise DataError(
                say(
                    "{@argument=} is {given:g}, but two values of {metric!r} differ by less than "
                    "{most:g}",
                    argument=argument,
                    given=value,
                    metric=name,
                    most=_MOST,
                )
            )
    return {name: float(value) for name, value in values.items()}
