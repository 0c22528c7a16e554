"""Conversion of pandas tables to plain values and arrays and back, without loss."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from pyexpr.base.errors import SavedResultError

if TYPE_CHECKING:
    import pandas as pd

Code = Callable[[Any], Any]


def table_parts(value: pd.DataFrame | pd.Series[Any] | pd.Index[Any], code: Code) -> dict[str, Any]:
    """Return the parts of a table, a column or an index; `code` encodes their values."""
    import pandas as pd

    if isinstance(value, pd.DataFrame):
        data = [_array(value.iloc[:, j], code) for j in range(value.shape[1])]
        return {"table": [_index(value.columns, code), _index(value.index, code), data]}
    if isinstance(value, pd.Series):
        return {"series": [code(value.name), _index(value.index, code), _array(value, code)]}
    return {"index": _index(value, code)}


def table_made(kind: str, parts: Any, decode: Code) -> Any:
    """Return the object from the parts made by `table_parts`."""
    import pandas as pd

    if kind == "index":
        return _index_made(parts, decode)
    if kind == "series":
        name, index, data = parts
        values = _array_made(data, decode)
        return _column(values, _index_made(index, decode)).rename(decode(name))
    columns, index, data = parts
    rows = _index_made(index, decode)
    frame = pd.DataFrame(
        {j: _column(_array_made(one, decode), rows) for j, one in enumerate(data)},
        index=rows,
    )
    frame.columns = _index_made(columns, decode)
    return frame


def _column(values: Any, index: pd.Index[Any]) -> pd.Series[Any]:
    import pandas as pd

    # Objects stay objects; pandas 3 would convert an array of text to its own type.
    objects = isinstance(values, np.ndarray) and values.dtype == object
    return pd.Series(values, index=index, dtype=object if objects else None)


def _index(index: pd.Index[Any], code: Code) -> dict[str, Any]:
    import pandas as pd

    if isinstance(index, pd.RangeIndex):
        return {"range": [index.start, index.stop, index.step, code(index.name)]}
    if isinstance(index, pd.MultiIndex):
        levels = [_index(level, code) for level in index.levels]
        codes = [code(np.asarray(one)) for one in index.codes]
        return {"multi": [levels, codes, code(list(index.names))]}
    return {"labels": [_array(index, code), code(index.name)]}


def _index_made(node: dict[str, Any], decode: Code) -> Any:
    import pandas as pd

    ((kind, parts),) = node.items()
    if kind == "range":
        return pd.RangeIndex(parts[0], parts[1], parts[2], name=decode(parts[3]))
    if kind == "multi":
        levels = [_index_made(level, decode) for level in parts[0]]
        return pd.MultiIndex(levels, [decode(one) for one in parts[1]], names=decode(parts[2]))
    values = _array_made(parts[0], decode)
    dtype = object if isinstance(values, np.ndarray) and values.dtype == object else None
    return pd.Index(values, name=decode(parts[1]), dtype=dtype)


def _array(column: pd.Series[Any] | pd.Index[Any], code: Code) -> dict[str, Any]:
    import pandas as pd

    values: Any = column.array
    dtype: Any = column.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        codes = code(np.asarray(values.codes))
        return {"categorical": [_index(dtype.categories, code), codes, bool(dtype.ordered)]}
    if isinstance(dtype, pd.StringDtype):
        # "str" is the text of pandas 3, whose missing value is NaN.
        kind = "string" if dtype.na_value is pd.NA else "str"
        return {"text": [kind, [None if one is dtype.na_value else str(one) for one in values]]}
    if isinstance(dtype, pd.DatetimeTZDtype):
        utc = np.asarray(values.tz_convert("UTC").tz_localize(None))
        return {"instants": [code(utc), str(dtype.tz)]}
    if isinstance(values, pd.arrays.BooleanArray | pd.arrays.IntegerArray):
        fill = False if isinstance(values, pd.arrays.BooleanArray) else 0
        data = values.to_numpy(dtype.numpy_dtype, na_value=fill)
        return {"masked": [code(data), code(np.asarray(values.isna()))]}
    if isinstance(dtype, np.dtype):
        return {"array": code(np.asarray(column))}
    raise SavedResultError(f"a result with a column of type {dtype} cannot be saved")


def _array_made(node: dict[str, Any], decode: Code) -> Any:
    import pandas as pd

    ((kind, parts),) = node.items()
    if kind == "array":
        return decode(parts)
    if kind == "categorical":
        categories = _index_made(parts[0], decode)
        return pd.Categorical.from_codes(decode(parts[1]), categories, ordered=parts[2])
    if kind == "text":
        # To pandas 2 "str" means objects.
        old = parts[0] == "str" and pd.Series([], dtype="str").dtype == object
        return pd.Series(parts[1], dtype=object if old else parts[0]).array
    if kind == "instants":
        utc = pd.DatetimeIndex(decode(parts[0])).tz_localize("UTC")
        return utc.tz_convert(parts[1]).array
    data, absent = decode(parts[0]), decode(parts[1])
    if data.dtype == bool:
        return pd.arrays.BooleanArray(data, absent)
    return pd.arrays.IntegerArray(data, absent)
