"""Options of lavaan that a user may set, and those that pyexpr sets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from pyexpr.base.errors import DataError
from pyexpr.base.messages import say

# Options that are set here, and what to use instead. In lavaan's older spelling, with dots.
_OURS = {
    **{
        name: say("{@name=}", name=name)
        for name in ("model", "data", "ordered", "cluster", "estimator", "missing")
    },
    "group": say("{context=}"), "group.equal": "invariance()",
    "group.partial": say("{free=} of invariance()"),
    "std.lv": "'f ~~ NA*f' or a loading fixed at 1 in the model",
}  # fmt: skip
_FIXED = frozenset(
    {
        "likelihood", "meanstructure", "control", "do.fit", "se", "start", "sample.cov",
        "sample.mean", "sample.th", "sample.nobs", "sampling.weights", "wls.v", "nacov",
        "parameterization", "mimic", "level", "verbose", "debug", "baseline", "h1", "store.vcov",
        "auto.fix.first", "auto.fix.single", "bootstrap", "iseed", "ov.order", "group.label",
        "slotoptions", "slotpartable", "slotsamplestats", "slotdata", "slotmodel", "slotcache",
    }
)  # fmt: skip


def checked_options(options: Any) -> dict[str, Any]:
    """Return the options as plain values.

    Raises
    ------
    DataError
        For an option that the package sets itself, and for a value that is not a number, text, a
        truth value, or a list of these.
    """
    if options is None:
        return {}
    if not isinstance(options, Mapping):
        raise DataError(
            say(
                "{lavaan_options=} must be a dictionary of options of lavaan's cfa(), "
                "such as {{'orthogonal': True}}",
                r="{lavaan_options=} must be a list of options of lavaan's cfa(), such as "
                "list(orthogonal = TRUE)",
            )
        )
    return {str(name): _checked(str(name), value) for name, value in options.items()}


def _checked(name: str, value: Any) -> Any:
    dotted = name.replace("_", ".").lower()
    if dotted in _OURS:
        raise DataError(
            say(
                "{lavaan_options=} may not set {name!r}: use {ours} instead",
                name=name,
                ours=_OURS[dotted],
            )
        )
    if dotted in _FIXED:
        raise DataError(
            say(
                "{lavaan_options=} may not set {name!r}, because the results depend on the "
                "value that pyexpr sets",
                name=name,
            )
        )
    if isinstance(value, np.generic):
        value = value.item()
    values = list(value) if isinstance(value, (list, tuple)) else [value]
    kinds = {type(item) for item in values}
    if len(kinds) != 1 or not kinds <= {str, bool, int, float}:
        raise DataError(
            say(
                "{lavaan_options=} sets {name!r} to {value!r}; an option must be text, a "
                "number or a truth value, or a list of one of these",
                name=name,
                value=value,
            )
        )
    return values if isinstance(value, (list, tuple)) else value
