"""The rows of one recording as a Parquet file with its own checksum.

Any program that reads Parquet finds a row per clip: the columns of the table of features, those of
the table of quality (``quality.``) and, of other trackers, the means (``mean.``). What is no row
per clip is JSON in the metadata of the file. The SHA-256 of the whole file, with zeros in its own
place, is there, too.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Iterable, Sequence
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from pyexpr.base.messages import Message, from_json
from pyexpr.behavior.features.mixed import Kind
from pyexpr.behavior.features.recording_rows import Rows

if TYPE_CHECKING:
    import pyarrow as pa

_CONTENT: Final = b"pyexpr.recording"
_CHECKSUM: Final = b"pyexpr.sha256"
_NO_CHECKSUM: Final = b"0" * 64
# How every Parquet file begins and ends.
_MAGIC: Final = b"PAR1"
_QUALITY, _MEAN = "quality.", "mean."
# Where the recording lies is no part of what is stored: a study may be moved.
_PATH: Final = "openface"


def packed(rows: Rows, key: str) -> bytes:
    """Return the bytes of a file with the rows of one recording.

    Parameters
    ----------
    rows : Rows
        Of a recording that could be used.
    key : str
        A hash of everything that the rows depend on.
    """
    import pyarrow as pa
    from pyarrow import parquet

    assert rows.recording is not None
    assert rows.kind is not None
    columns = {
        **_columns(rows.table, "", but=_PATH),
        **_columns(rows.quality, _QUALITY),
        **_columns(rows.means, _MEAN),
    }
    content = {
        "key": key,
        "sha256": rows.sha256,
        "n_clips": len(rows.table),
        "recording": _without_path(rows.recording, rows.path),
        "dropped": [_without_path(row, rows.path) for row in rows.dropped],
        "kind": [rows.kind.path.removeprefix(rows.path), rows.kind.units, rows.kind.size,
                 rows.kind.points],
        "group_units": rows.group_units,
        "messages": {str(text): text.as_json() for text in _messages(rows)},
    }  # fmt: skip
    table = pa.table(columns)
    out = io.BytesIO()
    with parquet.ParquetWriter(
        out, table.schema, compression="none", use_dictionary=False, write_statistics=False,
        store_schema=False,
    ) as writer:  # fmt: skip
        writer.write_table(table)
        writer.add_key_value_metadata(
            {_CONTENT: json.dumps(content, default=_plain), _CHECKSUM: _NO_CHECKSUM}
        )
    raw = out.getvalue()
    at = _place(raw)
    end = at + len(_NO_CHECKSUM)
    assert raw[at:end] == _NO_CHECKSUM
    return raw[:at] + _digest(raw) + raw[end:]


def unpacked(raw: bytes, key: str, path: str) -> Rows | None:
    """Return the rows in the bytes of a file, None if they are damaged or of another key.

    Parameters
    ----------
    raw : bytes
        What `packed` gave, or anything else.
    key : str
    path : str
        Of the recording, as the table of recordings names it now.
    """
    if not is_whole(raw):
        return None
    import pyarrow as pa
    from pyarrow import parquet

    try:
        file = parquet.ParquetFile(pa.BufferReader(raw))
        content = json.loads(file.metadata.metadata[_CONTENT])
        if content["key"] != key:
            return None
        table = file.read(use_threads=False)
        known = {text: from_json(node) for text, node in content["messages"].items()}
        recording = content["recording"]
        where, units, size, points = content["kind"]
        return Rows(
            table=_with_messages(_rows(table, "", content["n_clips"], path), known),
            quality=_rows(table, _QUALITY, content["n_clips"]),
            recording=_with_message(_with_path(recording, path), "notes", known),
            dropped=_with_messages([_with_path(row, path) for row in content["dropped"]], known),
            path=path,
            sha256=content["sha256"],
            kind=Kind(
                path + where, tuple(map(tuple, units)), (size[0], size[1]), tuple(points)
            ),
            means=_rows(table, _MEAN, content["n_clips"]),
            group_units=content["group_units"],
        )  # fmt: skip
    except (
        # Of a file that somebody else has made and that has the right checksum.
        OSError, LookupError, TypeError, ValueError, AttributeError, RecursionError,
        pa.ArrowException,
    ):  # fmt: skip
        return None


def is_whole(raw: bytes) -> bool:
    """Say whether the bytes are as `packed` gave them."""
    at = _place(raw)
    if at < 0:
        return False
    end = at + len(_NO_CHECKSUM)
    return _digest(raw[:at] + _NO_CHECKSUM + raw[end:]) == raw[at:end]


def is_rows_file(raw: bytes) -> bool:
    """Say whether the bytes are, or were before they were damaged, those of such a file."""
    return not raw or (raw.startswith(_MAGIC) and (_CONTENT in raw or not raw.endswith(_MAGIC)))


def _digest(raw: bytes) -> bytes:
    return hashlib.sha256(raw).hexdigest().encode()


def _place(raw: bytes) -> int:
    """Return where the checksum is in a file, -1 if nowhere: after its name and its length."""
    at = raw.rfind(_CHECKSUM)
    if at < 0:
        return -1
    # Thrift has the type and the length (of 64, one byte) between a name and its value.
    found = at + len(_CHECKSUM) + 2
    return found if found + len(_NO_CHECKSUM) <= len(raw) else -1


def _columns(rows: Sequence[dict[str, Any]], prefix: str, but: str = "") -> dict[str, pa.Array]:
    if not rows:
        return {}
    return {
        f"{prefix}{name}": _column([row[name] for row in rows]) for name in rows[0] if name != but
    }


def _column(values: list[Any]) -> pa.Array:
    """Return a column of truth values, whole numbers, numbers or text."""
    import pyarrow as pa

    plain = [_plain(value) if isinstance(value, np.generic) else value for value in values]
    if all(isinstance(value, str) for value in plain):
        return pa.array([str(value) for value in plain], pa.string())
    if all(isinstance(value, bool) for value in plain):
        return pa.array(plain, pa.bool_())
    if all(isinstance(value, int) and not isinstance(value, bool) for value in plain):
        return pa.array(plain, pa.int64())
    # Arrow takes NaN of numbers for a value, as it is meant here.
    return pa.array(np.array(plain, dtype=np.float64), pa.float64())


def _plain(value: Any) -> Any:
    if isinstance(value, np.bool_):
        return bool(value)
    if isinstance(value, Integral):
        return int(value)
    if isinstance(value, Real):
        return float(value)
    if isinstance(value, str):
        return str(value)
    raise TypeError(f"a {type(value).__name__} is not stored")


def _rows(table: pa.Table, prefix: str, n: int, path: str | None = None) -> list[dict[str, Any]]:
    """Return the rows of the columns whose names begin with the prefix."""
    of = {
        name[len(prefix) :]: table.column(name).to_pylist()
        for name in table.column_names
        if name.startswith(prefix) and (prefix or not name.startswith((_QUALITY, _MEAN)))
    }
    if not of:
        return []
    rows = [dict(zip(of, values, strict=True)) for values in zip(*of.values(), strict=True)]
    if len(rows) != n:
        raise ValueError(f"{len(rows)} rows of {n} clips")
    return rows if path is None else [_with_path(row, path) for row in rows]


def _without_path(row: dict[str, Any], path: str) -> dict[str, Any]:
    """Return a row with what follows the path of the recording, the name of a part, alone."""
    return row | {_PATH: str(row[_PATH]).removeprefix(path)}


def _with_path(row: dict[str, Any], path: str) -> dict[str, Any]:
    return row | {_PATH: path + row.get(_PATH, "")}


def _messages(rows: Rows) -> Iterable[Message]:
    assert rows.recording is not None
    texts = [rows.recording["notes"], *(row["reason"] for row in (*rows.table, *rows.dropped))]
    return (text for text in texts if isinstance(text, Message))


def _with_messages(rows: list[dict[str, Any]], known: dict[str, Message]) -> list[dict[str, Any]]:
    return [_with_message(row, "reason", known) for row in rows]


def _with_message(row: dict[str, Any], name: str, known: dict[str, Message]) -> dict[str, Any]:
    return row | {name: known.get(row[name], row[name])}
