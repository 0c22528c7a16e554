"""Feather files, which are unpacked only after their unpacked size has been checked.

A file of feather is a stream of Arrow's messages between two marks. Each packed column of a message
begins with the number of its bytes, so that the sum is known without unpacking any.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any, Final

from pyexpr.base.errors import DataError
from pyexpr.base.parquet_file import check_texts
from pyexpr.base.unpacking import check_rows, most_unpacked, too_large

if TYPE_CHECKING:
    import pyarrow as pa

MAGIC: Final = b"ARROW1"
# The mark, and the padding that brings the stream to a multiple of eight bytes.
_STREAM: Final = 8
# Places of entries in Arrow's tables Message, RecordBatch and DictionaryBatch (Message.fbs).
_KIND, _HEADER = 1, 2
_LENGTH, _BUFFERS, _COMPRESSION = 0, 2, 3
_OF_DICTIONARY = 1
_DICTIONARY_BATCH, _RECORD_BATCH = 2, 3


def feather_table(content: bytes) -> pa.Table:
    """Return the table in a file of feather.

    Raises
    ------
    DataError
        Its content exceeds the limit, or it is damaged.
    pyarrow.ArrowException
        It is damaged.

    Examples
    --------
    >>> import io
    >>> import pyarrow as pa
    >>> from pyarrow import feather
    >>> file = io.BytesIO()
    >>> feather.write_feather(pa.table({"frame": [1, 2]}), file)
    >>> feather_table(file.getvalue()).to_pydict()
    {'frame': [1, 2]}
    """
    import pyarrow as pa

    stream = pa.py_buffer(content)[_STREAM:]
    most, unpacked, n_rows = most_unpacked(len(content)), 0, 0
    try:
        for message in pa.ipc.MessageReader.open_stream(stream):
            rows, n_bytes = _amount(message)
            n_rows, unpacked = n_rows + rows, unpacked + n_bytes
            if unpacked > most:
                raise DataError(too_large(most))
        # The messages that were checked are read: the end of the file might name others.
        reader = pa.ipc.open_stream(stream)
        check_rows(n_rows, len(reader.schema), len(content))
        table = reader.read_all()
        check_texts(table, len(content))
        return table
    except (struct.error, IndexError) as error:
        raise DataError(f"it is damaged: {error}") from None


def _amount(message: Any) -> tuple[int, int]:
    """Return the rows of a message, and the bytes of its columns when they are unpacked."""
    told, body = message.metadata.to_pybytes(), message.body
    (root,) = struct.unpack_from("<I", told)
    kind = _entry(told, root, _KIND)
    batch = _table(told, root, _HEADER)
    if kind is None or batch is None:
        return 0, 0
    if told[kind] == _DICTIONARY_BATCH:
        batch = _table(told, batch, _OF_DICTIONARY)
    elif told[kind] != _RECORD_BATCH:
        return 0, 0
    if batch is None:
        return 0, 0
    length = _entry(told, batch, _LENGTH)
    n_rows = 0 if length is None else struct.unpack_from("<q", told, length)[0]
    buffers = _table(told, batch, _BUFFERS)
    if buffers is None or _entry(told, batch, _COMPRESSION) is None:
        return n_rows, 0 if body is None else body.size
    (count,) = struct.unpack_from("<I", told, buffers)
    held = b"" if body is None else memoryview(body)
    places = (struct.unpack_from("<qq", told, buffers + 4 + 16 * k) for k in range(count))
    return n_rows, sum(_unpacked(held, at, length) for at, length in places)


def _unpacked(body: bytes | memoryview, at: int, length: int) -> int:
    """Return the bytes of a column when it is unpacked; those of one that is not packed."""
    if length < _STREAM:
        return 0
    (stated,) = struct.unpack_from("<q", body, at)
    return length if stated < 0 else int(stated)


def _entry(told: bytes, table: int, number: int) -> int | None:
    """Return the position of an entry of a flatbuffers table, None if there is none."""
    described = table - struct.unpack_from("<i", told, table)[0]
    (size,) = struct.unpack_from("<H", told, described)
    place = 4 + 2 * number
    offset = struct.unpack_from("<H", told, described + place)[0] if place < size else 0
    return table + offset if offset else None


def _table(told: bytes, table: int, number: int) -> int | None:
    """Return the beginning of the table or list to which an entry points."""
    place = _entry(told, table, number)
    return None if place is None else place + int(struct.unpack_from("<I", told, place)[0])
