"""Arguments that several functions take, checked before any work."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from pyexpr.base.errors import ColumnError, DataError, have, kind_of

if TYPE_CHECKING:
    import pandas as pd


def checked_names(names: Any, *, argument: str, hint: str = "") -> tuple[str, ...]:
    """Return a name, or any iterable of names that has an order, as a tuple of them.

    Raises `DataError`, with `hint` at its end, for anything else.
    """
    if isinstance(names, str):
        return (str(names),)
    # The order of a set is another in every run, and so would be that of the result.
    if isinstance(names, (set, frozenset)) or not np.iterable(names):
        raise DataError(f"{argument} must be a name or a list of names, not {kind_of(names)}{hint}")
    items = tuple(names)
    for item in items:
        if not isinstance(item, str):
            raise DataError(
                f"{argument} must list names (text), but has {kind_of(item)} among them{hint}"
            )
    return tuple(str(item) for item in items)


def check_flat_columns(frame: pd.DataFrame, *, what: str) -> None:
    """Raise `ColumnError` if columns have names of several levels, which no text names."""
    if frame.columns.nlevels > 1:
        raise ColumnError(
            f"{have(what)} column names of {frame.columns.nlevels} levels, such as "
            f"{frame.columns[0]!r}; join them first: "
            "table.columns = ['_'.join(map(str, name)) for name in table.columns]"
        )
