"""Tables and columns of other libraries: types stay what they are, and refusals are sentences."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal

import narwhals as nw
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from pyexpr.base.errors import ColumnError, DataError
from pyexpr.base.foreign import as_column, as_pandas, as_values
from pyexpr.base.tables import as_frame, column_or_array, float_values, label_codes, numeric_column

TABLE = pl.DataFrame(
    {
        "whole": [1, None, 2**60 + 1],
        "small": pl.Series([1, 2, 3], dtype=pl.UInt8),
        "truth": [True, None, False],
        "text": ["a", None, "NA"],
        "real": [0.1, None, float("nan")],
        "day": [date(2026, 1, 2), None, None],
        "at": [datetime(2026, 1, 2, 3)] * 3,
        "decimal": [Decimal("1.50"), None, Decimal("2.25")],
        "level": pl.Series(["low", "high", None], dtype=pl.Enum(["low", "high"])),
        "category": pl.Series(["x", "y", "x"], dtype=pl.Categorical),
        "nothing": [None, None, None],
    }
)


class Batches:
    """A table that nobody knows, but which hands over its columns by Arrow's interface."""

    column_names = TABLE.columns

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        return in_arrow().__arrow_c_stream__(requested_schema)


class Exchanged:
    """A table that speaks the older interchange alone."""

    def __dataframe__(self, nan_as_null: bool = False, allow_copy: bool = True) -> object:
        return TABLE.select("small", "real").to_arrow().__dataframe__(nan_as_null, allow_copy)


def in_arrow() -> pa.Table:
    """The table with the order of its levels, which polars before 2 does not hand over."""
    arrow = TABLE.to_arrow()
    place = arrow.column_names.index("level")
    level = arrow["level"].combine_chunks()
    levels = pa.DictionaryArray.from_arrays(
        level.indices.cast(pa.int8()), level.dictionary, ordered=True
    )
    return arrow.set_column(place, "level", levels)


def tables() -> dict[str, object]:
    arrow = in_arrow()
    return {
        "polars": TABLE,
        "lazy": TABLE.lazy(),
        "narwhals": nw.from_native(TABLE),
        "pyarrow": arrow,
        "batch": arrow.to_batches()[0],
        "reader": pa.RecordBatchReader.from_batches(arrow.schema, arrow.to_batches()),
        "unknown": Batches(),
        "types of arrow": arrow.to_pandas(types_mapper=pd.ArrowDtype),
        "mapping": {name: TABLE[name] for name in TABLE.columns},
    }


@pytest.mark.parametrize("kind", tables())
def test_types_stay_what_they_are(kind: str) -> None:
    frame = as_frame(tables()[kind])
    assert {name: str(dtype) for name, dtype in frame.dtypes.items()} == {
        # Of text the type is that of this version of pandas: str, or object before 3.
        "whole": "Int64", "small": "uint8", "truth": "boolean",
        "text": str(pd.Series(["a"]).dtype), "real": "float64",
        "day": "object", "at": "datetime64[us]", "decimal": "object", "level": "category",
        "category": "category", "nothing": "object",
    }  # fmt: skip
    assert frame.index.equals(pd.RangeIndex(3))
    assert frame["whole"][2] == 2**60 + 1
    assert frame.isna().sum().to_dict() == {
        "whole": 1, "small": 0, "truth": 1, "text": 1, "real": 2, "day": 2, "at": 0, "decimal": 1,
        "level": 1, "category": 0, "nothing": 3,
    }  # fmt: skip
    assert frame["level"].cat.ordered
    assert frame["level"].cat.categories.tolist() == ["low", "high"]
    assert not frame["category"].cat.ordered
    assert frame["day"][0] == date(2026, 1, 2)
    np.testing.assert_array_equal(numeric_column(frame, "decimal", what="it"), [1.5, np.nan, 2.25])
    np.testing.assert_array_equal(numeric_column(frame, "truth", what="it"), [1, np.nan, 0])
    assert np.isnan(numeric_column(frame, "nothing", what="it")).all()
    with pytest.raises(ColumnError, match="column 'at' of it must be a number, but it holds dates"):
        numeric_column(frame, "at", what="it")


def test_the_older_interchange() -> None:
    frame = as_frame(Exchanged())
    assert frame["small"].tolist() == [1, 2, 3]
    np.testing.assert_array_equal(frame["real"], [0.1, np.nan, np.nan])


def test_a_table_without_rows_keeps_its_columns() -> None:
    assert list(as_frame(TABLE[:0])) == TABLE.columns


@pytest.mark.parametrize(
    ("table", "error", "message"),
    [
        (
            pa.table([[1], [2]], names=["a", "a"]),
            ColumnError,
            "the table has two columns of the same name: 'a'",
        ),
        (pl.DataFrame({"a": [1], " a": [2]}), ColumnError, "differ only in the spaces around them"),
        (
            pl.DataFrame({"a": pl.Series([object()], dtype=pl.Object)}),
            ColumnError,
            "column 'a' of the table contains Python objects or bytes",
        ),
        (
            pl.DataFrame({"a": ["x"]}).lazy().select(pl.col("a").cast(pl.Int64)),
            DataError,
            "the table: a polars LazyFrame could not be made a pandas data frame: InvalidOperation",
        ),
        (pl.Series([1]), DataError, "the table must be a table .*, not Series"),
        (pa.array([1]), DataError, "the table must be a table .*, not Int64Array"),
        ({"a": [1, 2], "b": [1]}, DataError, "the table cannot be converted to a data frame"),
    ],
)
def test_what_is_no_table_is_refused(table: object, error: type, message: str) -> None:
    with pytest.raises(error, match=message):
        as_frame(table, what="the table")


def test_masked_values_are_missing() -> None:
    masked = np.ma.array([1.0, 99.0, 3.0], mask=[0, 1, 0])
    labels = np.ma.array(["a", "b", "c"], mask=[0, 0, 1])
    frame = as_frame({"x": masked, "who": labels, "z": [1, 2, 3]})
    np.testing.assert_array_equal(numeric_column(frame, "x", what="it"), [1, np.nan, 3])
    np.testing.assert_array_equal(float_values(masked, argument="y"), [1, np.nan, 3])
    for column in (frame["who"], labels):
        with pytest.raises(ColumnError, match="must not have missing values, but row 3 is empty"):
            label_codes(column, name="who", what="it")
    column = column_or_array(frame, masked, argument="context", what="it")[1]
    assert column.isna().tolist() == [False, True, False]
    # Without a masked value it is as any array.
    assert as_column(np.ma.array([1, 2]), argument="y").tolist() == [1, 2]


def test_columns_of_a_mapping_go_by_position() -> None:
    frame = as_frame({"a": pd.Series([1, 2], index=[7, 8]), "b": pl.Series([3, None])})
    assert frame["a"].tolist() == [1, 2]
    assert frame["b"].tolist() == [3, pd.NA]


@pytest.mark.parametrize(
    "column",
    [
        pl.Series("x", [2, None, 1]),
        nw.from_native(pl.Series("x", [2, None, 1]), series_only=True),
        pa.chunked_array([[2, None], [1]]),
        pa.array([2, None, 1]),
        pd.Series([2, None, 1], dtype="int64[pyarrow]"),
    ],
)
def test_columns(column: object) -> None:
    found = as_column(column, argument="y=")
    assert isinstance(found, pd.Series)
    assert (str(found.dtype), found.tolist()) == ("Int64", [2, pd.NA, 1])
    np.testing.assert_array_equal(float_values(column, argument="y"), [2, np.nan, 1])
    name = column_or_array(pd.DataFrame(index=range(3)), column, argument="cluster", what="it")[0]
    assert name == ("x" if getattr(column, "name", None) else "cluster")


def test_what_is_of_no_library_stays_what_it_is() -> None:
    table, column = pd.DataFrame({"a": [1]}), pd.Series([1])
    for value in (None, "a", 3, [1], (1,), np.zeros(2), {"a": 1}, object(), column, pd.Index([1])):
        assert as_column(value, argument="y") is value
        assert as_values(value, argument="y") is value
        assert as_pandas(value, what="X") is value
    assert as_pandas(table, what="X") is table
    assert as_values(table, argument="X") is table


def test_labels_in_the_digits_of_two_scripts_are_refused() -> None:
    for labels in (["1", "\u0661", "2"], pd.Categorical(["s\uff11", "s1", "s2"])):
        with pytest.raises(ColumnError, match=r"holds .*, which are the same label in"):
            label_codes(labels, name="subject", what="it")
    # Those of one script are labels as others are.
    assert label_codes(["\u0661", "\u0662"], name="s", what="it")[1] == ["\u0661", "\u0662"]
