"""Tables as users hand them over: named columns, checked once, at the door."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from pyexpr.base.errors import ColumnError, DataError, listed, near_names

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray


def as_frame(data: Any, *, what: str = "data") -> pd.DataFrame:
    """Return `data` as a data frame: a frame itself, a mapping of columns, or records."""
    import pandas as pd

    if isinstance(data, pd.DataFrame):
        frame = data
    elif isinstance(data, (Mapping, list)):
        frame = pd.DataFrame(data)
    else:
        raise DataError(f"{what} must be a table (a pandas DataFrame), not {type(data).__name__}")
    doubled = frame.columns[frame.columns.duplicated()]
    if len(doubled):
        raise ColumnError(f"{what} has two columns of the same name: {listed(doubled)}")
    return frame


def require_columns(frame: pd.DataFrame, names: Iterable[str], *, what: str) -> None:
    """Raise `ColumnError` naming the first column of `names` that `frame` lacks."""
    for name in names:
        if name not in frame.columns:
            raise ColumnError(f"{what} has no column {name!r}; {near_names(name, frame.columns)}")


def numeric_column(
    frame: pd.DataFrame,
    name: str,
    *,
    what: str,
    low: float | None = None,
    high: float | None = None,
    integer: bool = False,
) -> NDArray[np.float64]:
    """Return a column as float64, missing values as NaN.

    Raises `ColumnError`, naming row (counted from 1, without the header) and
    value, for text, infinities, and values outside [low, high].
    """
    import pandas as pd

    require_columns(frame, [name], what=what)
    column = frame[name]
    values = pd.to_numeric(column, errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)

    def refuse(bad: NDArray[np.bool_], wanted: str) -> None:
        if bad.any():
            row = int(np.flatnonzero(bad)[0])
            raise ColumnError(
                f"column {name!r} of {what} must be {wanted}, but row {row + 1} holds "
                f"{column.iloc[row]!r}"
                + (f" ({int(bad.sum())} such rows)" if bad.sum() > 1 else "")
            )

    refuse(np.isnan(values) & ~column.isna().to_numpy(dtype=bool), "a number")
    refuse(np.isinf(values), "finite")
    with np.errstate(invalid="ignore"):
        if low is not None or high is not None:
            below = values < low if low is not None else np.zeros(len(values), dtype=bool)
            above = values > high if high is not None else np.zeros(len(values), dtype=bool)
            wanted = (
                f"between {low:g} and {high:g}"
                if low is not None and high is not None
                else (f"at least {low:g}" if low is not None else f"at most {high:g}")
            )
            refuse(below | above, wanted)
        if integer:
            # Missing values are the caller's business, and NaN != NaN.
            refuse((values != np.floor(values)) & ~np.isnan(values), "a whole number")
    return values


def column_or_array(
    frame: pd.DataFrame, value: Any, *, argument: str, what: str
) -> tuple[str, pd.Series[Any]]:
    """Resolve an argument that names a column of `frame` or is itself an array of its length."""
    import pandas as pd

    if isinstance(value, str):
        require_columns(frame, [value], what=what)
        return value, frame[value]
    array = np.asarray(value)
    if array.ndim != 1 or len(array) != len(frame):
        raise DataError(
            f"{argument}= must name a column of {what} or have its length {len(frame)}, "
            f"but its shape is {array.shape}"
        )
    name = str(getattr(value, "name", None) or argument)
    return name, pd.Series(array, index=frame.index, name=name)


def label_codes(values: Any, *, name: str, what: str) -> tuple[NDArray[np.int64], list[Any]]:
    """Return (codes, labels): labels sorted, each row's position among them.

    Raises `ColumnError` if a label is missing.
    """
    import pandas as pd

    series = pd.Series(values)
    missing = series.isna().to_numpy(dtype=bool)
    if missing.any():
        row = int(np.flatnonzero(missing)[0])
        raise ColumnError(
            f"column {name!r} of {what} must not have missing values, but row {row + 1} is empty"
            + (f" ({int(missing.sum())} such rows)" if missing.sum() > 1 else "")
        )
    try:
        codes, labels = pd.factorize(series, sort=True)
    except TypeError:
        raise ColumnError(
            f"column {name!r} of {what} mixes text and numbers; make it all text or all numbers"
        ) from None
    return codes.astype(np.int64), list(labels)
