"""Parquet files, which are unpacked only after their unpacked size has been checked.

A file states the unpacked size of its columns. A text that occurs in many rows is stored once. Its
column is therefore read as a dictionary, and the text is counted once for each row before the rows
are made.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from pyexpr.base.errors import DataError
from pyexpr.base.unpacking import check_rows, most_unpacked, too_large

if TYPE_CHECKING:
    import pyarrow as pa

MAGIC: Final = b"PAR1"


def parquet_schema(content: bytes) -> pa.Schema:
    """Return the schema of a parquet file, whose content must not exceed the limit.

    Raises
    ------
    DataError
        Its content exceeds the limit.
    pyarrow.ArrowException
        It is damaged.
    """
    return _checked(content).schema_arrow


def parquet_table(content: bytes, columns: Sequence[str] | None = None) -> pa.Table:
    """Return the table in a file of parquet.

    Parameters
    ----------
    content : bytes
    columns : sequence of str, optional
        Names of columns that are not nested; by default all.

    Raises
    ------
    DataError
        Its content exceeds the limit, with texts counted once for each row.
    pyarrow.ArrowException
        It is damaged.

    Examples
    --------
    >>> import io
    >>> import pyarrow as pa
    >>> from pyarrow import parquet
    >>> file = io.BytesIO()
    >>> parquet.write_table(pa.table({"frame": [1, 2], "side": ["left", "left"]}), file)
    >>> parquet_table(file.getvalue(), ["side"]).to_pydict()
    {'side': ['left', 'left']}
    """
    import pyarrow as pa
    from pyarrow import parquet

    file = _checked(content)
    wanted = None if columns is None else list(columns)
    leaves = [file.metadata.schema.column(k) for k in range(file.metadata.num_columns)]
    texts = [
        leaf.path
        for leaf in leaves
        if leaf.physical_type == "BYTE_ARRAY" and (wanted is None or leaf.path in wanted)
    ]
    if texts:
        packed = parquet.ParquetFile(pa.BufferReader(content), read_dictionary=texts)
        check_texts(packed.read(columns=texts), len(content))
    table: pa.Table = file.read(columns=wanted)
    return table


def check_texts(table: pa.Table, size: int) -> None:
    """Raise `DataError` if the texts in a packed file of `size` bytes exceed the limit.

    Those of a dictionary count once for each row, as in a table of text.
    """
    most = most_unpacked(size)
    if sum(_bytes_of(column) for column in table.columns) > most:
        raise DataError(too_large(most))


def _checked(content: bytes) -> Any:
    import pyarrow as pa
    from pyarrow import parquet

    file = parquet.ParquetFile(pa.BufferReader(content))
    told = file.metadata
    check_rows(told.num_rows, told.num_columns, len(content))
    most = most_unpacked(len(content))
    groups = [told.row_group(k) for k in range(told.num_row_groups)]
    if sum(
        group.column(k).total_uncompressed_size for group in groups for k in range(told.num_columns)
    ) > most:  # fmt: skip
        raise DataError(too_large(most))
    return file


def _is_text(kind: pa.DataType) -> bool:
    import pyarrow as pa

    types = pa.types
    return bool(
        types.is_string(kind)
        or types.is_large_string(kind)
        or types.is_binary(kind)
        or types.is_large_binary(kind)
    )


def _bytes_of(column: Any) -> int:
    """Return the bytes of the texts of a column, counted as often as they occur."""
    import pyarrow as pa
    from pyarrow import compute

    kind = column.type
    if isinstance(column, pa.ChunkedArray):
        return sum(_bytes_of(chunk) for chunk in column.chunks)
    if pa.types.is_nested(kind):
        is_map = pa.types.is_map(kind)
        parts = [column.keys, column.items] if is_map else column.flatten()
        return sum(_bytes_of(part) for part in (parts if isinstance(parts, list) else [parts]))
    if pa.types.is_dictionary(kind) and _is_text(kind.value_type):
        lengths = compute.binary_length(column.dictionary).cast("int64").take(column.indices)
    elif _is_text(kind):
        lengths = compute.binary_length(column)
    else:
        return 0
    return compute.sum(lengths).as_py() or 0
