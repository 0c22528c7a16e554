"""Conversion of tables and columns of other libraries to pandas, in one place.

All tables that narwhals knows (polars, PyArrow, DuckDB, Dask, Modin, ...), or that provide their
values through Arrow's interface, are converted to pandas here. Types are preserved: whole numbers
with missing values stay whole, and an ordered type becomes an ordered categorical column.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, Union, cast

import numpy as np

from pyexpr.base.arrays import unmasked
from pyexpr.base.errors import ColumnError, DataError, have, listed
from pyexpr.base.messages import say

if TYPE_CHECKING:
    import pandas as pd
    from narwhals.typing import IntoFrame

# What is neither a table nor a column of another library.
_OWN = (str, bytes, int, float, list, tuple, dict, np.ndarray, np.generic)
_BY_ARROW = ("__arrow_c_stream__", "__arrow_c_array__")


class ArrowTable(Protocol):
    """A table of any library that provides its values through Arrow's interface."""

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        """Return a capsule of the table's stream."""


#: A table: a data frame of pandas, of any library that narwhals knows (polars, PyArrow,
#: DuckDB, Modin, Dask) or that hands over its values by Arrow's interface; a mapping of
#: columns; or records.
FrameLike: TypeAlias = Union[
    "pd.DataFrame", "IntoFrame", ArrowTable, Mapping[Any, Any], Sequence[Mapping[Any, Any]]
]


def as_pandas(data: Any, *, what: str) -> Any:
    """Return a table of another library as a data frame; anything else unchanged.

    Tables that are computed only on demand (polars' LazyFrame, relations of DuckDB)
    are computed.

    Raises
    ------
    DataError
        If the library cannot compute the table, or cannot export its values.
    """
    data = unmasked(data)
    if data is None or isinstance(data, _OWN):
        return data
    import pandas as pd

    if isinstance(data, pd.DataFrame):
        return _with_own_types(data)
    if isinstance(data, pd.Series):
        return data
    import narwhals as nw

    # narwhals has its own error for them.
    _refuse_doubled(getattr(data, "column_names", None), what)
    try:
        known = nw.from_native(data, pass_through=True)
        if isinstance(known, nw.LazyFrame):
            known = known.collect()
        if isinstance(known, nw.DataFrame):
            if known.implementation.is_pandas_like():
                return _with_own_types(known.to_pandas())
            found = _from_arrow_table(known.to_arrow(), what)
            for name, dtype in known.schema.items():
                found[name] = _in_its_order(found[name], dtype)
            return found
        return _from_arrow_table(_arrow_table(data), what) if _is_table(data) else data
    except ColumnError:
        raise
    except Exception as error:
        # An error of the other library, in its own words.
        raise DataError(
            f"{what}: a {type(data).__module__.partition('.')[0]} {type(data).__name__} could not "
            f"be made a pandas data frame: {_one_line(error)}"
        ) from error


def as_column(value: Any, *, argument: str) -> Any:
    """Return a column of another library as a Series; anything else unchanged.

    Masked values of a NumPy array are missing; see `pyexpr.base.arrays.unmasked`.

    Raises
    ------
    DataError
        If the library cannot export the values.
    """
    value = unmasked(value)
    if value is None or isinstance(value, _OWN):
        return value
    import pandas as pd

    if isinstance(value, pd.Series):
        return _with_own_type(value)
    if isinstance(value, (pd.DataFrame, pd.Index, pd.api.extensions.ExtensionArray)):
        return value
    import narwhals as nw

    known = nw.from_native(value, series_only=True, pass_through=True)
    try:
        if isinstance(known, nw.Series):
            if known.implementation.is_pandas_like():
                return _with_own_type(known.to_pandas())
            found = _in_its_order(_from_arrow(known.to_arrow()), known.dtype)
            return found.rename(known.name or None)
        if any(hasattr(value, name) for name in _BY_ARROW) and not _is_table(value):
            import pyarrow as pa

            return _from_arrow(pa.chunked_array(value if _streams(value) else [pa.array(value)]))
    except Exception as error:
        raise DataError(
            f"{argument}: a {type(value).__module__.partition('.')[0]} {type(value).__name__} "
            f"could not be made a pandas Series: {_one_line(error)}"
        ) from error
    return value


def single_column(value: Any, *, argument: str) -> Any:
    """Return a single column by `as_column`; a table or several dimensions are an error."""
    found = as_column(value, argument=argument)
    # Looking at a lazy table would make it warn, so its class is looked at instead.
    table = hasattr(type(found), "columns")
    shape = (0,) if table else getattr(found, "shape", (0,))
    if table or len(shape) != 1:
        kind = f"a {type(value).__name__}" if table else f"an array of shape {shape}"
        raise DataError(
            say(
                "{argument} must be one column, not {kind}; select the column first",
                argument=argument,
                kind=kind,
            )
        )
    return found


def as_values(value: Any, *, argument: str) -> Any:
    """Return a table or column of another library as pandas'; anything else unchanged."""
    found = as_column(value, argument=argument)
    return as_pandas(found, what=argument) if found is value else found


def _streams(value: Any) -> bool:
    return hasattr(value, "__arrow_c_stream__")


def _is_table(data: Any) -> bool:
    """Return whether an object that narwhals does not support provides several columns."""
    if hasattr(data, "__dataframe__"):
        return True
    if not any(hasattr(data, name) for name in _BY_ARROW):
        return False
    return hasattr(data, "schema") or hasattr(data, "columns") or hasattr(data, "column_names")


def _arrow_table(data: Any) -> Any:
    import pyarrow as pa

    if any(hasattr(data, name) for name in _BY_ARROW):
        return pa.table(data)
    from pyarrow.interchange import from_dataframe

    return from_dataframe(data)


def _refuse_doubled(names: Any, what: str) -> None:
    if isinstance(names, list) and all(isinstance(name, str) for name in names):
        doubled = [name for name in dict.fromkeys(names) if names.count(name) > 1]
        if doubled:
            raise ColumnError(f"{have(what)} two columns of the same name: {listed(doubled)}")


def _from_arrow_table(table: Any, what: str) -> pd.DataFrame:
    import pandas as pd
    import pyarrow as pa

    _refuse_doubled(table.column_names, what)
    columns = {}
    for name, column in zip(table.column_names, table.columns, strict=True):
        if pa.types.is_fixed_size_binary(column.type):
            # For polars' Python objects Arrow has only the addresses.
            raise ColumnError(
                f"column {name!r} of {what} contains Python objects or bytes; convert them to "
                "text or numbers first"
            )
        columns[name] = _from_arrow(column)
    return pd.DataFrame(columns, index=pd.RangeIndex(table.num_rows))


def _from_arrow(column: Any) -> pd.Series[Any]:
    """Return the values of an Arrow column in the types that users of pandas expect."""
    import pandas as pd
    import pyarrow as pa

    kind = column.type
    if pa.types.is_dictionary(kind):
        # PyArrow's versions differ in which dictionaries they hand on.
        column = column.cast(pa.dictionary(pa.int32(), kind.value_type, kind.ordered))
    if column.null_count and pa.types.is_integer(kind):
        # As floats the labels 1 and 2 were "1.0" and "2.0", and large ones not exact.
        number = f"{'U' if pa.types.is_unsigned_integer(kind) else ''}Int{kind.bit_width}"
        whole = column.to_pandas(types_mapper=lambda _: pd.api.types.pandas_dtype(number))
        return cast("pd.Series[Any]", whole)
    if column.null_count and pa.types.is_boolean(kind):
        return cast("pd.Series[Any]", column.to_pandas(types_mapper=lambda _: pd.BooleanDtype()))
    return cast("pd.Series[Any]", column.to_pandas())


def _in_its_order(column: pd.Series[Any], dtype: Any) -> pd.Series[Any]:
    """Return a column of an Enum with the order of its categories, which Arrow may not provide.

    polars before 2 leaves it out.
    """
    import narwhals as nw

    if not isinstance(dtype, nw.Enum):
        return column
    return column.cat.set_categories(list(dtype.categories), ordered=True)


def _with_own_types(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a frame without the types that pandas borrows from Arrow."""
    import pandas as pd

    borrowed = [isinstance(dtype, pd.ArrowDtype) for dtype in frame.dtypes]
    if not any(borrowed):
        return frame
    columns = [_with_own_type(frame.iloc[:, position]) for position in range(frame.shape[1])]
    return pd.concat(columns, axis=1).set_axis(frame.columns, axis=1)


def _with_own_type(column: pd.Series[Any]) -> pd.Series[Any]:
    import pandas as pd
    import pyarrow as pa

    if not isinstance(column.dtype, pd.ArrowDtype):
        return column
    found = _from_arrow(pa.chunked_array(pa.array(column)))
    return pd.Series(found.array, index=column.index, name=column.name)


def _one_line(error: Exception) -> str:
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text[:200]}" if text else type(error).__name__
