"""Checks of arguments that several functions share."""

from __future__ import annotations

from typing import Any

import numpy as np

from pyexpr.base.errors import DataError
from pyexpr.base.messages import kind_of, say


def checked_names(names: Any, *, argument: str, hint: str = "") -> tuple[str, ...]:
    """Return a name, or any iterable of names that has an order, as a tuple of them.

    For anything else, raises a `DataError` that ends with `hint`.
    """
    if isinstance(names, str):
        return (str(names),)
    # The order of a set differs between runs, so the order of the result would differ, too.
    if isinstance(names, (set, frozenset)) or not np.iterable(names):
        raise DataError(
            say(
                "{argument} must be a name or a list of names, not {kind}{hint}",
                argument=argument,
                kind=kind_of(names),
                hint=hint,
            )
        )
    items = tuple(names)
    for item in items:
        if not isinstance(item, str):
            raise DataError(
                say(
                    "{argument} must list names (text), but one of them is {kind}{hint}",
                    argument=argument,
                    kind=kind_of(item),
                    hint=hint,
                )
            )
    return tuple(str(item) for item in items)
