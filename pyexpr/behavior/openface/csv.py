"""From the bytes of an OpenFace file to columns of float64: what Arrow does, and its gaps.

Only the columns asked for are converted. Rows with too few or too many fields
are dropped whole and counted; a last line that ends in the middle of its last
number is found and dropped too, which no reader does by itself.
"""

from __future__ import annotations

import bz2
import gzip
import hashlib
import os
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from pyexpr.base.contents import FileState, KnownFile, read_content
from pyexpr.base.errors import OpenFaceError
from pyexpr.base.messages import say
from pyexpr.behavior.openface.dialects import (
    as_openface,
    is_dialect,
    is_packed,
    rows_of,
    unpacked,
)
from pyexpr.behavior.openface.layout import Header, parse_header

# A header of 714 names is 7 KB, a row at most 10 KB.
_LOOK: Final = 1 << 18
_CHUNK: Final = 1 << 20
_ENDS: Final = (b"\n", b"\r")
# 8 minutes of 714 columns; larger files are streamed.
_IN_MEMORY: Final = 1 << 26
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
# Arrow knows those of Linux by itself, and each spelling listed slows every number down, so the
# list serves only where a file has the others. Arrow compares before it trims: hence the blanks.
NULL_VALUES: Final = tuple(
    " " * before + word + " " * after
    for word in _NOT_NUMBERS
    for before in range(4)
    for after in range(2)
)


@dataclass(frozen=True, slots=True)
class Source:
    """A file that was looked into.

    Attributes
    ----------
    header : Header
    content : bytes or None
        The text; None where the file is large, and Arrow may stream it as it is.
    tail_cut : bool
        Whether a cut last line was already left out of `content`.
    known : KnownFile
        With the hash of the file's bytes, as they were looked at.
    """

    header: Header
    content: bytes | None
    tail_cut: bool
    known: KnownFile

    def refuse_changed(self) -> None:
        """Raise `OpenFaceError` if what Arrow streamed is not what was looked at."""
        if self.content is None and not self.known.is_as_it_was():
            raise OpenFaceError(
                f"{self.header.path!r}: the file was changed while it was read; read it again "
                "when nothing writes to it"
            )


@dataclass(frozen=True, slots=True)
class Columns:
    """The columns asked for, as Arrow holds them.

    Attributes
    ----------
    header : Header
    batches : list of pyarrow.RecordBatch
        Columns are named by their position in the file.
    n_rows, n_cut, n_overlong : int
        Whole rows, and rows dropped because they have too few or too many fields.
    skipped : tuple of int
        Lines of the dropped rows, as Arrow counts them: empty lines not counted.
    """

    header: Header
    batches: list[Any]
    n_rows: int
    n_cut: int
    n_overlong: int
    skipped: tuple[int, ...]

    def file_row(self, row: int) -> int:
        """Return the number of a whole row, from 0, among all rows of the file, from 1."""
        return file_row(row, self.skipped, self.header)

    def matrix(self, names: Sequence[str]) -> NDArray[np.float64]:
        """Return columns side by side, (rows, columns), missing and infinite values as NaN."""
        keys = [str(self.header.positions[name]) for name in names]
        # Arrow interleaves the columns of a batch in one pass, while they are in the cache.
        parts = [
            batch.select(keys).to_tensor(null_to_nan=True, row_major=True).to_numpy()
            for batch in self.batches
        ]
        values: NDArray[np.float64] = parts[0] if len(parts) == 1 else np.concatenate(parts)
        # A sum is finite only if every value is: the mask is built for few files.
        with np.errstate(over="ignore", invalid="ignore"):
            suspicious = not np.isfinite(values.sum())
        if suspicious and np.isinf(values).any():
            values = np.where(np.isinf(values), np.nan, values)
        return values

    def column(self, name: str) -> NDArray[np.float64]:
        """Return one column, missing and infinite values as NaN."""
        return self.matrix([name])[:, 0].copy()


def open_source(path: str | os.PathLike[str]) -> Source:
    """Look into a file: find its header, and whether its last line was cut.

    Raises
    ------
    OpenFaceError
        If there is no such file, it cannot be read, or it is not OpenFace's.
    """
    name = str(path)
    head, content, known = _unpacked(path)
    if content is None:
        return Source(_read_header(name, head), None, tail_cut=False, known=known)
    if is_dialect(content):
        content = as_openface(rows_of(content))
    return source_of(name, content, known)


def whole_text(path: str | os.PathLike[str]) -> tuple[bytes, KnownFile]:
    """Return all text of a file, unpacked but in its own dialect; as `open_source`."""
    _, content, known = _unpacked(path)
    return read_content(Path(path)) if content is None else (content, known)


def _unpacked(path: str | os.PathLike[str]) -> tuple[bytes, bytes | None, KnownFile]:
    """Return the beginning of a file's text, all of it unless Arrow may stream it, and the file."""
    name = str(path)
    try:
        if Path(path).is_dir():
            raise IsADirectoryError
        head, content, known = _look(path)
    except FileNotFoundError:
        raise OpenFaceError(f"{name!r}: there is no such file; check the path") from None
    except IsADirectoryError:
        raise OpenFaceError(
            f"{name!r}: this is a folder; name one of the CSV files in it"
        ) from None
    except PermissionError:
        raise OpenFaceError(
            f"{name!r}: no permission to read it; change its mode (chmod u+r) or its owner"
        ) from None
    except (OSError, ValueError) as error:
        raise OpenFaceError(f"{name!r}: cannot be read: {error}") from None
    compression = next((kind for magic, kind in _COMPRESSED.items() if head.startswith(magic)), "")
    if compression:
        if content is None:
            content, known = read_content(name)
        content = _decompressed(name, content, compression)
    elif is_packed(head) or (content is None and is_dialect(head)):
        if content is None:
            content, known = read_content(name)
        content = unpacked(name, content)
    return head, content, known


def source_of(name: str, content: bytes, known: KnownFile) -> Source:
    """Look into the text of a recording; as `open_source`, without a file.

    Raises
    ------
    OpenFaceError
        As `open_source`.
    """
    head = content[:_LOOK]
    if not head.removeprefix(_BOM).strip():
        raise OpenFaceError(f"{name!r}: the file is empty; run OpenFace on the video again")
    header = _read_header(name, head)
    if not _has_short_lines(content):
        # Arrow refuses a row longer than its block, and its version 17 crashes on one.
        raise OpenFaceError(
            f"{name!r}: a line is longer than {_LOOK:,} characters, which no row of OpenFace "
            "is; the file is damaged, so run OpenFace on the video again"
        )
    if not _is_utf_8(content):
        # Arrow cannot report a cut row that is not UTF-8; numbers and commas are ASCII.
        content = content.translate(_TO_ASCII)
    whole = _without_cut_tail(content, header)
    return Source(header, whole, tail_cut=len(whole) < len(content), known=known)


def read_header(path: str | os.PathLike[str]) -> Header:
    """Return the header of a recording from the beginning of its file, whatever its size.

    Raises
    ------
    OpenFaceError
        If there is no such file, it cannot be read, or it is not OpenFace's.
    """
    try:
        with open(path, "rb") as handle:
            head = handle.read(_LOOK)
    except OSError as error:
        raise OpenFaceError(f"{str(path)!r}: cannot be read: {error.strerror or error}") from None
    compressed = any(head.startswith(magic) for magic in _COMPRESSED)
    if compressed or is_packed(head) or is_dialect(head) or not head.strip():
        return open_source(path).header
    return _read_header(str(path), head)


def _look(path: str | os.PathLike[str]) -> tuple[bytes, bytes | None, KnownFile]:
    """Return the beginning of a file, all of it unless it is large and Arrow may stream it, hash.

    The hash is of the bytes that were seen, whatever becomes of the file.
    """
    with open(path, "rb") as handle:
        before = FileState.of(os.fstat(handle.fileno()))

        def known(sha256: str) -> KnownFile:
            after = FileState.of(os.fstat(handle.fileno()))
            return KnownFile(Path(path), sha256, after if before == after else None)

        if handle.seek(0, os.SEEK_END) > _IN_MEMORY:
            handle.seek(-1, os.SEEK_END)
            plain = handle.read(1) in _ENDS
            handle.seek(0)
            head = chunk = handle.read(_CHUNK)
            digest = hashlib.sha256()
            while chunk and plain:
                digest.update(chunk)
                plain = chunk.isascii() and _has_short_lines(chunk)
                chunk = handle.read(_CHUNK)
            if plain:
                return head[:_LOOK], None, known(digest.hexdigest())
        handle.seek(0)
        content = handle.read()
        return content[:_LOOK], content, known(hashlib.sha256(content).hexdigest())


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


def _decompressed(name: str, packed: bytes, compression: str) -> bytes:
    # Python's modules, because Arrow takes a cut compressed file for a whole one.
    decompress = gzip.decompress if compression == "gzip" else bz2.decompress
    try:
        return decompress(packed)
    except (OSError, EOFError, ValueError, zlib.error) as error:
        raise OpenFaceError(
            f"{name!r}: the {compression} compression is damaged ({error}); copy the file again"
        ) from None


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
    return line.rpartition(b",")[2].decode("utf-8", "replace").strip()


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return text.strip() != "" and text.strip() in _NOT_NUMBERS
    # Python would read digits of other scripts, too; Arrow does not.
    return "_" not in text and text.isascii()


def _decimals(text: str) -> int:
    return len(text.partition(".")[2])


def read_columns(source: Source, names: Sequence[str]) -> Columns:
    """Convert the named columns of a file to float64.

    Raises
    ------
    OpenFaceError
        If there are no whole rows, or a value is not a number: the message names
        column, row and value.
    """
    import pyarrow as pa

    header = source.header
    try:
        table, cut, overlong = _arrow_table(source, names, pa.float64(), ())
    except pa.ArrowException:
        try:
            table, cut, overlong = _arrow_table(source, names, pa.float64(), NULL_VALUES)
        except (pa.ArrowException, OSError) as error:
            raise _explained(source, names, str(error)) from None
    except OSError as error:
        raise OpenFaceError(f"{header.path!r}: cannot be read: {error}") from None
    n_cut = len(cut) + int(source.tail_cut)
    if table.num_rows == 0:
        raise OpenFaceError(_no_rows(header, n_cut, len(overlong)))
    skipped = (*cut, *overlong)
    return Columns(header, table.to_batches(), table.num_rows, n_cut, len(overlong), skipped)


def _arrow_table(
    source: Source, names: Sequence[str], kind: Any, null_values: Sequence[str]
) -> tuple[Any, list[int], list[int]]:
    """Return the table, and the lines of rows with too few and too many fields."""
    import pyarrow as pa
    from pyarrow import csv

    cut: list[int] = []
    overlong: list[int] = []

    def drop(row: Any) -> str:
        (cut if row.actual_columns < row.expected_columns else overlong).append(row.number)
        return "skip"

    header = source.header
    keys = [str(header.positions[name]) for name in names]
    stream = pa.OSFile(header.path) if source.content is None else pa.BufferReader(source.content)
    with stream:
        table = csv.read_csv(
            stream,
            # Positions instead of the names: a name may be doubled, quoted, or led by blanks.
            read_options=csv.ReadOptions(
                use_threads=False,  # files are read in parallel, not their parts
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


def _explained(source: Source, names: Sequence[str], said: str) -> OpenFaceError:
    """Return the error that names the value which is not a number."""
    import pyarrow as pa

    path = source.header.path
    try:
        table, cut, overlong = _arrow_table(source, names, pa.binary(), ())
    except (pa.ArrowException, OSError) as error:
        return OpenFaceError(f"{path!r}: cannot be read as CSV: {error}; export the file again")
    for name, column in zip(names, table.columns, strict=True):
        for row, value in enumerate(column.to_pylist()):
            text = (value or b"").decode("utf-8", "replace")
            if text.strip() and not _is_number(text.strip()):
                number = file_row(row, (*cut, *overlong), source.header)
                return OpenFaceError(
                    say(
                        "{path!r}: column {name!r} must hold numbers, but row {number} "
                        "holds {text!r}; mend or delete that row, or export the file "
                        "again",
                        path=path,
                        name=name,
                        number=number,
                        text=text.strip()[:60],
                    )
                )
    return OpenFaceError(f"{path!r}: cannot be read as CSV: {said}; export the file again")


def file_row(row: int, skipped: Sequence[int], header: Header) -> int:
    """Return the number of a kept row among all rows, from 1, the header not counted."""
    line = row + header.skip_lines + 1
    for other in sorted(skipped):
        line += other <= line
    return line - header.skip_lines


def _no_rows(header: Header, n_cut: int, n_overlong: int) -> str:
    if n_overlong:
        return (
            f"{header.path!r}: the header has {header.n_columns} columns and all "
            f"{n_overlong + n_cut} rows have another number; header and rows do not belong together"
        )
    if n_cut:
        return (
            f"{header.path!r}: no whole row: {n_cut} of {n_cut} rows have fewer fields than the "
            f"{header.n_columns} of the header; run OpenFace on the video again"
        )
    return (
        f"{header.path!r}: the file has a header but no rows: OpenFace stopped before the first "
        "frame; run it on the video again"
    )
