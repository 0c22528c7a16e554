"""An OpenFace file's columns by Arrow's reader: the twin of pyexpr.behavior.openface.csv.

Arrow knows no cut last number, and its words for missing values must be listed with the blanks
before and after them. What it refuses is explained from the fields as text.
"""

from __future__ import annotations

import bz2
import gzip
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyarrow import csv

from pyexpr.base.errors import OpenFaceError
from pyexpr.behavior.openface.csv import _no_rows
from pyexpr.behavior.openface.layout import Header, parse_header

# A header of 714 names is 7 KB, a row at most 10 KB.
_LOOK: Final = 1 << 18
_ENDS: Final = (b"\n", b"\r")
_BOM: Final = b"\xef\xbb\xbf"
_TO_ASCII: Final = bytes(byte if byte < 128 else ord("?") for byte in range(256))
_COMPRESSED: Final = {b"\x1f\x8b": "gzip", b"BZh": "bz2"}

# What the C libraries of Linux, macOS and Windows print for a value that is no number; the
# older Windows one pads and rounds its words as if they were digits ("1.#R" is "1.#QNAN").
_WORDS: Final = (
    *("nan", "NaN", "NAN", "nan(ind)", "NaN(ind)", "nan(snan)", "NaN(snan)"),
    *("inf", "Inf", "INF", "infinity", "Infinity"),
    *(f"1.#{word}{'0' * n}" for word in ("QNAN", "SNAN", "IND", "INF") for n in range(4)),
    *("1.#R", "1.#QO", "1.#J", "1.#IO", "1.#SO"),
)
_NOT_NUMBERS: Final = (
    "",
    *(sign + word for word in _WORDS for sign in ("", "-", "+")),
    *("NA", "N/A", "#N/A", "null", "NULL", "None"),
)
NULL_VALUES: Final = tuple(
    " " * before + word + " " * after
    for word in _NOT_NUMBERS
    for before in range(4)
    for after in range(2)
)


@dataclass(frozen=True, slots=True)
class Table:
    """Values (rows, columns), infinite and missing ones as NaN, and the rows dropped.

    `skipped` counts rows from 1; a cut last one is not among them.
    """

    values: NDArray[np.float64]
    n_cut: int
    n_overlong: int
    skipped: tuple[int, ...]


def read_table(path: Path, names: Sequence[str] | None = None) -> tuple[Header, Table]:
    """Return the columns (by default all that the header names once) of a file."""
    content = _content(str(path))
    head = content[:_LOOK]
    if not head.removeprefix(_BOM).strip():
        raise OpenFaceError(f"{str(path)!r}: the file is empty; run OpenFace on the video again")
    header = _read_header(str(path), head)
    if not _has_short_lines(content):
        raise OpenFaceError(
            f"{str(path)!r}: a line is longer than {_LOOK:,} characters, which no row of OpenFace "
            "is; the file is damaged, so run OpenFace on the video again"
        )
    if not _is_utf_8(content):
        content = content.translate(_TO_ASCII)
    whole = _without_cut_tail(content, header)
    return header, _read(header, whole, names or list(header.positions), len(whole) < len(content))


def _content(name: str) -> bytes:
    with open(name, "rb") as handle:
        content = handle.read()
    kind = next((kind for magic, kind in _COMPRESSED.items() if content.startswith(magic)), "")
    if not kind:
        return content
    try:
        return gzip.decompress(content) if kind == "gzip" else bz2.decompress(content)
    except (OSError, EOFError, ValueError, zlib.error) as error:
        raise OpenFaceError(f"{name!r}: the {kind} compression is damaged ({error})") from None


def _read(header: Header, content: bytes, names: Sequence[str], tail_cut: bool) -> Table:
    try:
        table, cut, overlong = _arrow_table(header, content, names, pa.float64(), ())
    except pa.ArrowException:
        try:
            table, cut, overlong = _arrow_table(header, content, names, pa.float64(), NULL_VALUES)
        except pa.ArrowException as error:
            raise _explained(header, content, names, str(error)) from None
    n_cut = len(cut) + int(tail_cut)
    if table.num_rows == 0:
        raise OpenFaceError(_no_rows(header, n_cut, len(overlong)))
    values = np.stack([column.to_numpy() for column in table.columns], axis=1)
    values[np.isinf(values)] = np.nan
    skipped = tuple(sorted(line - header.skip_lines for line in (*cut, *overlong)))
    return Table(values, n_cut, len(overlong), skipped)


def _is_utf_8(content: bytes) -> bool:
    try:
        content.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _has_short_lines(text: bytes) -> bool:
    """Return whether there is an end of line in every stretch as long as a header may be."""
    return all(
        any(text.find(end, start, start + _LOOK) >= 0 for end in _ENDS)
        for start in range(0, len(text) - _LOOK, _LOOK)
    )


def _read_header(name: str, head: bytes) -> Header:
    if b"\x00" in head:
        raise OpenFaceError(
            f"{name!r}: a binary file, or text that is not UTF-8; give the CSV file OpenFace wrote"
        )
    skip = 0
    rest = head.removeprefix(_BOM)
    line = ended = b""
    while rest and not line.strip():
        end = min((at for at in (rest.find(b"\n"), rest.find(b"\r")) if at >= 0), default=len(rest))
        line, ended, rest = rest[:end], rest[end : end + 2], rest[end:]
        rest = rest.removeprefix(b"\r\n") if ended == b"\r\n" else rest[1:]
        skip += 1
    try:
        text = line.decode("utf-8")
    except UnicodeDecodeError:
        raise OpenFaceError(
            f"{name!r}: a binary file, or text that is not UTF-8; give the CSV file OpenFace wrote"
        ) from None
    if not ended:
        raise OpenFaceError(
            f"{name!r}: the file ends within its first line, after {text.count(',') + 1} column "
            "names: the header was cut or nothing follows it; run OpenFace on the video again"
        )
    return parse_header(name, text, skip_lines=skip)


def _without_cut_tail(content: bytes, header: Header) -> bytes:
    """Leave out the last line if it stops within its last field.

    Lines with too few fields stay: they are dropped and counted where all such
    rows are. A last field is whole if it is a number with as many decimals as
    that of the line before; a single row has nothing to be compared with and
    counts as cut.
    """
    if content.endswith(_ENDS):
        return content
    start = max(content.rfind(b"\n"), content.rfind(b"\r")) + 1
    last = content[start:]
    if last.count(b",") != header.n_columns - 1:
        return content
    # The first line of the stretch looked at is the header, or begins before the stretch.
    lines = content[max(0, start - _LOOK) : start].splitlines()[1:]
    whole = [line for line in lines if line.count(b",") == header.n_columns - 1]
    if not whole:
        return content[:start]
    field, model = (_last_field(line) for line in (last, whole[-1]))
    if not _is_number(field) or _decimals(field) < _decimals(model):
        return content[:start]
    return content


def _last_field(line: bytes) -> str:
    # Blanks and tabs around a field do not count; a vertical tab, say, is no number.
    return line.rpartition(b",")[2].decode("utf-8", "replace").strip(" \t")


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return text.strip() != "" and text.strip() in _NOT_NUMBERS
    # Python would read digits of other scripts, too; Arrow does not.
    return text == text.strip() and "_" not in text and text.isascii()


def _decimals(text: str) -> int:
    return len(text.partition(".")[2])


def _arrow_table(
    header: Header, content: bytes, names: Sequence[str], kind: Any, null_values: Sequence[str]
) -> tuple[Any, list[int], list[int]]:
    """Return the table, and the lines of rows with too few and too many fields."""
    cut: list[int] = []
    overlong: list[int] = []

    def drop(row: Any) -> str:
        (cut if row.actual_columns < row.expected_columns else overlong).append(row.number)
        return "skip"

    keys = [str(header.positions[name]) for name in names]
    with pa.BufferReader(content) as stream:
        table = csv.read_csv(
            stream,
            # Positions instead of the names: a name may be doubled, quoted, or led by blanks.
            read_options=csv.ReadOptions(
                use_threads=False,
                skip_rows=header.skip_lines,
                column_names=[str(position) for position in range(header.n_columns)],
            ),
            parse_options=csv.ParseOptions(quote_char=False, invalid_row_handler=drop),
            convert_options=csv.ConvertOptions(
                include_columns=keys,
                column_types=dict.fromkeys(keys, kind),
                null_values=list(null_values),
                check_utf8=False,
            ),
        )
    return table, cut, overlong


def _explained(header: Header, content: bytes, names: Sequence[str], reason: str) -> OpenFaceError:
    """Return the error that names the value which is not a number."""
    path = header.path
    try:
        table, cut, overlong = _arrow_table(header, content, names, pa.binary(), ())
    except (pa.ArrowException, OSError) as error:
        return OpenFaceError(f"{path!r}: cannot be read as CSV: {error}; export the file again")
    for name, column in zip(names, table.columns, strict=True):
        for row, value in enumerate(column.to_pylist()):
            text = (value or b"").decode("utf-8", "replace")
            text = text.strip(" \t")
            if text and not _is_number(text):
                number = file_row(row, (*cut, *overlong), header)
                return OpenFaceError(
                    f"{path!r}: column {name!r} must hold numbers, but row {number} holds "
                    f"{text[:60]!r}; correct or delete that row, or export the file again"
                )
    return OpenFaceError(f"{path!r}: cannot be read as CSV: {reason}; export the file again")


def file_row(row: int, skipped: Sequence[int], header: Header) -> int:
    """Return the number of a kept row among all rows, from 1, the header not counted."""
    line = row + header.skip_lines + 1
    for other in sorted(skipped):
        line += other <= line
    return line - header.skip_lines
