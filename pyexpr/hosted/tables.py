"""Conversion between data frames of R and of pandas, column by column, without loss.

A column is a dictionary with its ``type`` and its values as raw bytes, in the byte order of this
machine; text and factors are codes (-1 is missing) of distinct values. R/R/border.R is the other
side.

=========== ====================================================================
R           pandas
=========== ====================================================================
double      float64, every bit kept: NA and NaN stay two things
integer     int32, with NA Int32
integer64   Int64
logical     bool, with NA boolean
character   text, missing where NA
factor      categorical, with all levels and their order
Date        datetime64[s] without a time zone
POSIXct     datetime64[ns] with a time zone
=========== ====================================================================

On the way to R int64 becomes the smallest type that holds all of the column:
integer, double (to 2^53), integer64. Columns of any other kind are refused.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from pyexpr.base.errors import ColumnError
from pyexpr.base.messages import Message
from pyexpr.hosted.voice import in_r

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

_NA_INTEGER = -(2**31)
_NA_INTEGER64 = -(2**63)
_LARGEST_INTEGER = 2**31 - 1
_EXACT_IN_DOUBLE = 2**53
_NANOSECONDS = 1_000_000_000
# Range of datetime64[ns] in whole seconds (1677 to 2262).
_SECONDS = 9_223_372_035


def to_frame(node: dict[str, Any]) -> pd.DataFrame:
    """Return the data frame that R sent."""
    import pandas as pd

    names, columns = list(node["names"]), list(node["columns"])
    values = [_from_r(name, column) for name, column in zip(names, columns, strict=True)]
    n = int(node["n"][0])
    # Each column is already a copy of the bytes.
    frame = pd.DataFrame(dict(enumerate(values)), index=pd.RangeIndex(n), copy=False)
    frame.columns = pd.Index(names, dtype=object)
    return frame


def from_frame(frame: pd.DataFrame) -> dict[str, Any]:
    """Return a data frame in the form for R, without its index."""
    names = [str(name) for name in frame.columns]
    columns = [_to_r(name, frame.iloc[:, j]) for j, name in enumerate(names)]
    return {"kind": "table", "n": len(frame), "names": names, "columns": columns}


def _numbers(column: dict[str, Any], name: str, dtype: type) -> NDArray[Any]:
    return np.frombuffer(column[name], dtype=dtype).copy()


def _from_r(name: str, column: dict[str, Any]) -> Any:
    return _READERS[column["type"][0]](name, column)


def _double(_: str, column: dict[str, Any]) -> Any:
    return _numbers(column, "data", np.float64)


def _integer(_: str, column: dict[str, Any]) -> Any:
    return _masked(_numbers(column, "data", np.int32), _NA_INTEGER, always=False)


def _integer64(_: str, column: dict[str, Any]) -> Any:
    return _masked(_numbers(column, "data", np.int64), _NA_INTEGER64, always=True)


def _masked(values: NDArray[Any], missing: int, *, always: bool) -> Any:
    import pandas as pd

    absent = values == missing
    return pd.arrays.IntegerArray(values, absent) if always or absent.any() else values


def _logical(_: str, column: dict[str, Any]) -> Any:
    import pandas as pd

    values = _numbers(column, "data", np.int32)
    absent = values == _NA_INTEGER
    true = values == 1
    return pd.arrays.BooleanArray(true, absent) if absent.any() else true


def _character(_: str, column: dict[str, Any]) -> Any:
    import pandas as pd

    # Distinct values, in the type that this version of pandas uses for text.
    distinct: Any = pd.Series([*column["levels"], None], dtype=pd.Series(["text"]).dtype).array
    # Code -1 (missing) refers to the last value.
    return distinct.take(_numbers(column, "codes", np.int32) % len(distinct))


def _factor(_: str, column: dict[str, Any]) -> Any:
    import pandas as pd

    levels = pd.Index(list(column["levels"]), dtype=pd.Series(["text"]).dtype)
    codes = _numbers(column, "codes", np.int32)
    return pd.Categorical.from_codes(codes, levels, ordered=bool(column["ordered"][0]))


def _date(name: str, column: dict[str, Any]) -> Any:
    days = _numbers(column, "data", np.float64)
    absent = np.isnan(days)
    whole = np.where(absent, 0.0, days)
    _refuse_rows(name, whole != np.floor(whole), "whole dates")
    _refuse_rows(name, np.abs(whole) * 86_400 > 2.0**62, "dates that Python knows")
    seconds = whole.astype(np.int64) * 86_400
    seconds[absent] = _NA_INTEGER64
    return seconds.view("datetime64[s]")


def _posixct(name: str, column: dict[str, Any]) -> Any:
    import pandas as pd

    seconds = _numbers(column, "data", np.float64)
    absent = np.isnan(seconds)
    seconds = np.where(absent, 0.0, seconds)
    _refuse_rows(name, np.abs(seconds) > _SECONDS, "times from 1678 to 2261")
    whole = np.floor(seconds)
    # Seconds and their fractions are converted separately, because a product of a double with 1e9
    # would lose the last digits.
    count = whole.astype(np.int64) * _NANOSECONDS
    count += np.rint((seconds - whole) * _NANOSECONDS).astype(np.int64)
    count[absent] = _NA_INTEGER64
    zone = str(column["tz"][0])
    try:
        return pd.Series(count.view("datetime64[ns]")).dt.tz_localize("UTC").dt.tz_convert(zone)
    except (KeyError, ValueError, OSError):
        raise ColumnError(
            f"column {name!r} has the time zone {zone!r}, which Python does not know"
        ) from None


def _refuse_rows(name: str, bad: NDArray[np.bool_], wanted: str) -> None:
    if bad.any():
        raise ColumnError(
            f"column {name!r} must hold {wanted}, but row {int(bad.argmax()) + 1} does not"
        )


_READERS: dict[str, Callable[[str, dict[str, Any]], Any]] = {
    "double": _double,
    "integer": _integer,
    "integer64": _integer64,
    "logical": _logical,
    "character": _character,
    "factor": _factor,
    "Date": _date,
    "POSIXct": _posixct,
}


def _to_r(name: str, column: pd.Series[Any]) -> dict[str, Any]:
    import pandas as pd

    dtype: Any = column.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        return {
            "type": "factor",
            "levels": [str(level) for level in dtype.categories],
            "codes": column.cat.codes.to_numpy(np.int32).tobytes(),
            "ordered": bool(dtype.ordered),
        }
    if isinstance(dtype, pd.DatetimeTZDtype):
        return _instants(column, str(dtype.tz))
    if pd.api.types.is_datetime64_dtype(dtype):
        return _naive(column)
    if pd.api.types.is_bool_dtype(dtype):
        return _logicals(column)
    if pd.api.types.is_integer_dtype(dtype):
        return _integers(column)
    if pd.api.types.is_float_dtype(dtype):
        values = column.to_numpy(np.float64, na_value=np.nan)
        return {"type": "double", "data": values.tobytes()}
    if pd.api.types.is_object_dtype(dtype) or pd.api.types.is_string_dtype(dtype):
        return _objects(name, column)
    raise ColumnError(f"column {name!r} has the type {dtype}, which cannot become a column of R")


def _logicals(column: pd.Series[Any]) -> dict[str, Any]:
    absent = column.isna().to_numpy(bool)
    values = column.fillna(False).to_numpy(np.int32)
    values[absent] = _NA_INTEGER
    return {"type": "logical", "data": values.tobytes()}


def _integers(column: pd.Series[Any]) -> dict[str, Any]:
    absent = column.isna().to_numpy(bool)
    dtype: Any = getattr(column.dtype, "numpy_dtype", column.dtype)
    present = column[~absent].to_numpy(dtype)
    # Numbers of Python are used, because they can represent 2^63.
    ends = (int(present.min()), int(present.max())) if len(present) else (0, 0)
    largest = max(abs(end) for end in ends)
    wide: bool = str(column.dtype) == "Int64"
    if not wide and largest <= _LARGEST_INTEGER:
        return _filled("integer", present, absent, np.int32, _NA_INTEGER)
    if not wide and largest <= _EXACT_IN_DOUBLE:
        return _filled("double", present, absent, np.float64, np.nan)
    if largest >= 2**63:
        raise ColumnError(f"column {column.name!r} holds whole numbers beyond 2^63")
    return _filled("integer64", present, absent, np.int64, _NA_INTEGER64)


def _filled(
    kind: str, present: NDArray[Any], absent: NDArray[np.bool_], dtype: type, missing: float
) -> dict[str, Any]:
    values: NDArray[Any] = np.full(len(absent), missing, dtype=dtype)
    values[~absent] = present
    return {"type": kind, "data": values.tobytes()}


def _instants(column: pd.Series[Any], zone: str) -> dict[str, Any]:
    absent = column.isna().to_numpy(bool)
    utc: Any = column.dt.tz_convert("UTC").dt.tz_localize(None)
    count = utc.to_numpy("datetime64[ns]").view(np.int64)
    seconds = count // _NANOSECONDS + (count % _NANOSECONDS) / _NANOSECONDS
    seconds[absent] = np.nan
    return {"type": "POSIXct", "data": seconds.tobytes(), "tz": zone}


def _naive(column: pd.Series[Any]) -> dict[str, Any]:
    absent = column.isna().to_numpy(bool)
    days = column.to_numpy("datetime64[D]")
    if (column.to_numpy()[~absent] != days[~absent]).any():
        return _instants(column.dt.tz_localize("UTC"), "UTC")
    count = days.view(np.int64).astype(np.float64)
    count[absent] = np.nan
    return {"type": "Date", "data": count.tobytes()}


def _objects(name: str, column: pd.Series[Any]) -> dict[str, Any]:
    """Convert text, and columns of objects if all are of the same kind."""
    import pandas as pd

    if not pd.api.types.is_object_dtype(column.dtype):
        return _text(column)
    absent = column.isna().to_numpy(bool)
    kinds = set(map(type, column[~absent]))
    if kinds and kinds <= {str, Message}:
        return _text(column)
    if not kinds:
        values = np.full(len(column), _NA_INTEGER, dtype=np.int32)
        return {"type": "logical", "data": values.tobytes()}
    if kinds and kinds <= {bool, np.bool_}:
        return _logicals(column.astype("boolean"))
    if kinds and all(issubclass(kind, (int, float, np.number)) for kind in kinds):
        numbers = column.astype(object).where(~absent, np.nan)
        return _to_r(name, pd.to_numeric(numbers))
    if any(issubclass(kind, (list, dict, set, np.ndarray)) for kind in kinds):
        raise ColumnError(f"column {name!r} holds lists, which cannot become a column of R")
    return _text(column.map(str, na_action="ignore"))


def _text(column: pd.Series[Any]) -> dict[str, Any]:
    import pandas as pd

    codes, distinct = pd.factorize(column)
    return {
        "type": "character",
        # Messages are written in the syntax of R; other text is unchanged.
        "levels": [in_r(value) for value in distinct],
        "codes": codes.astype(np.int32).tobytes(),
    }
