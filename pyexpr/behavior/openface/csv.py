"""From the text of an OpenFace file to columns of float64.

Only the requested columns are converted. Rows with too few or too many fields
are dropped whole and counted; so is a last line that ends in the middle of its last
number.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pyexpr.base.contents import refuse_irregular_input
from pyexpr.base.errors import OpenFaceError
from pyexpr.base.messages import say
from pyexpr.behavior.openface.dialects import (
    as_openface,
    begins_otherwise,
    ends_empty,
    is_dialect,
    is_packed,
    rows_of,
    unpacked,
)
from pyexpr.behavior.openface.layout import Header, parse_header
from pyexpr.behavior.openface.other_trackers import layout_named_if_proved
from pyexpr.behavior.openface.sessions import is_session, joined_files, session_files
from pyexpr.behavior.openface.text import TextFile, pieces_of
from pyexpr.core.csv_reader import CsvTables, RestOfFile, read_csv

# A header of 714 names is 7 KB, a row at most 10 KB.
_LONGEST_LINE: Final = 1 << 18
_USUAL_LINE: Final = 1 << 14
_BOM: Final = b"\xef\xbb\xbf"
#: Path, header line and the lines up to its end -> what is known of the header.
Parse = Callable[[str, str, int], Header]
# Frames for each row of a file, on the average, that there is memory for at once.
_MOST_FRAMES: Final = 2
# How much periods of an even rate differ that are printed with three decimals (s).
_ROUNDED: Final = 0.0021


@dataclass(slots=True)
class Source:
    """A file that was looked into.

    Attributes
    ----------
    header : Header
    head : bytes
        The beginning of its text, as it was then.
    sha256 : str
        Of the bytes of the file, in hexadecimal; "" until they were read.
    content : bytes or None
        The text that was made of a file whose own is another: packed, saved by another
        program, or of several recordings. None where the file's is read as it is.
    notes : tuple of str
        What a reader of the recording must know of how the text was made.
    rows : sequence of int
        The number in the file of each row of the text, for messages; () if it is that of the text.
    """

    header: Header
    head: bytes
    sha256: str = ""
    content: bytes | None = None
    notes: tuple[str, ...] = ()
    rows: Sequence[int] = ()

    def changed(self) -> OpenFaceError:
        """Return the error for a file that is no longer what was looked at."""
        return OpenFaceError(
            f"{self.header.path!r}: the file was changed while it was read; read it again "
            "when nothing writes to it"
        )


@dataclass(frozen=True, slots=True)
class Columns:
    """The requested columns, in the requested tables.

    Attributes
    ----------
    header : Header
    tables : dict of tuple of str to (rows, columns) float64
        The names of a table's columns -> their values; missing and infinite ones are NaN.
    memory : dict of tuple of str to (at least rows, columns) float64
        Where the values are.
    n_rows, n_cut, n_overlong : int
        Whole rows, and rows dropped because they have too few or too many fields.
    skipped : tuple of int
        The dropped rows, counted from 1 among all rows, empty lines not counted.
    """

    header: Header
    tables: dict[tuple[str, ...], NDArray[np.float64]]
    memory: dict[tuple[str, ...], NDArray[np.float64]]
    n_rows: int
    n_cut: int
    n_overlong: int
    skipped: tuple[int, ...]

    @classmethod
    def made(
        cls,
        header: Header,
        tables: dict[tuple[str, ...], NDArray[np.float64]],
        n_rows: int,
        *,
        n_cut: int = 0,
        n_overlong: int = 0,
        skipped: tuple[int, ...] = (),
    ) -> Columns:
        """Return columns whose values are no file's own, but were made of them."""
        return cls(header, tables, dict(tables), n_rows, n_cut, n_overlong, skipped)

    def file_row(self, row: int) -> int:
        """Return the number of a whole row, from 0, among all rows of the file, from 1."""
        number = row + 1
        for other in self.skipped:
            number += other <= number
        return number

    def matrix(self, names: Sequence[str]) -> NDArray[np.float64]:
        """Return a copy of columns side by side, (rows, columns)."""
        table = self.tables.get(tuple(names))
        if table is not None:
            return table.copy()
        return np.stack([self.column(name) for name in names], axis=1)

    def view(self, names: Sequence[str]) -> NDArray[np.float64]:
        """Return columns side by side, (rows, columns), which are not to be changed."""
        table = self.tables.get(tuple(names))
        return self.matrix(names) if table is None else table

    def column(self, name: str) -> NDArray[np.float64]:
        """Return a copy of one column."""
        names = next(names for names in self.tables if name in names)
        return self.tables[names][:, names.index(name)].copy()

    def take_table(self, names: Sequence[str]) -> NDArray[np.float64]:
        """Return a requested table; afterwards it belongs to the caller, so this works once.

        Behind its rows there is room for those of frames without a row, if they are not too
        many.
        """
        del self.tables[tuple(names)]
        return self.memory.pop(tuple(names))


def open_source(path: str | os.PathLike[str]) -> Source:
    """Look into a file, and find its header; of a session of several files, into all.

    Raises
    ------
    OpenFaceError
        If there is no such file, it cannot be read, or it is not OpenFace's.
    """
    with layout_named_if_proved(str(path)):
        return _opened_source(path)


def _opened_source(path: str | os.PathLike[str]) -> Source:
    files = session_files(path)
    if is_session(files):
        return open_session(str(path), files)
    name = str(path)
    with _opened(name) as text:
        head = text.head(_LONGEST_LINE)
        # The end of a compressed text is looked at when the rows are read: it is unpacked once.
        other = is_packed(head) or begins_otherwise(head)
        other = other or (not text.compressed and ends_empty(_last_line(text)))
    return _translated(path) if other else _source(name, head, "", None)


def _last_line(text: TextFile) -> bytes:
    """Return the end of a text with its whole last line, but for empty lines after it."""
    for length in (_USUAL_LINE, _LONGEST_LINE):
        end = text.last(length)
        if len(end.strip().splitlines()) > 1:
            break
    return end


def open_session(name: str, files: Sequence[Path], *, head: bool = False) -> Source:
    """Join the files of a session, and find the header of their table; as `open_source`.

    `head`: the header is enough.
    """
    session = joined_files({file: whole_text(file) for file in files}, head=head)
    source = source_of(name, session.content, session.sha256)
    source.notes = session.notes
    return source


def _translated(path: str | os.PathLike[str]) -> Source:
    """Return a file of another program as OpenFace would have written it."""
    content, sha256 = whole_text(path)
    if is_dialect(content):
        content = as_openface(rows_of(content))
    return source_of(str(path), content, sha256)


def whole_text(path: str | os.PathLike[str]) -> tuple[bytes, str]:
    """Return all text of a file, unpacked but in its own dialect, and the file's SHA-256.

    Raises
    ------
    OpenFaceError
        If there is no such file, it cannot be read, or it cannot be unpacked.
    """
    with _opened(str(path)) as text:
        content = b"".join(bytes(piece) for piece in text.pieces())
        sha256 = text.sha256()
    return unpacked(str(path), content), sha256


def source_of(name: str, content: bytes, sha256: str, parse: Parse | None = None) -> Source:
    """Look into the text of a recording; as `open_source`, without a file.

    Parameters
    ----------
    name : str
        For messages.
    content : bytes
        The text, which is what `read_columns` reads.
    sha256 : str
        Of the file that it was made from.
    parse : callable, optional
        Makes a header of its line; by default `parse_header`, for which it must be OpenFace's.

    Raises
    ------
    OpenFaceError
        If it is not OpenFace's.
    """
    return _source(name, content[:_LONGEST_LINE], sha256, content, parse)


def _source(
    name: str, head: bytes, sha256: str, content: bytes | None, parse: Parse | None = None
) -> Source:
    if not head.removeprefix(_BOM).strip():
        raise OpenFaceError(f"{name!r}: the file is empty; run OpenFace on the video again")
    return Source(_read_header(name, head, parse), head, sha256, content)


def read_header(path: str | os.PathLike[str]) -> Header:
    """Return the header of a recording from the beginning of its file, whatever its size.

    Raises
    ------
    OpenFaceError
        As `open_source`.
    """
    with layout_named_if_proved(str(path)):
        return _looked_at(path)


def _looked_at(path: str | os.PathLike[str]) -> Header:
    files = session_files(path)
    if is_session(files):
        return open_session(str(path), files, head=True).header
    name = str(path)
    with _opened(name) as text:
        head = text.head(_LONGEST_LINE)
    if is_packed(head):
        head = whole_text(path)[0][:_LONGEST_LINE]
    if is_dialect(head):
        head = as_openface(rows_of(head))
    return _source(name, head, "", None).header


@contextmanager
def _opened(name: str) -> Iterator[TextFile]:
    """Open a file, and say in a sentence why it cannot be read."""
    try:
        refuse_irregular_input(name)
        with TextFile(name) as text:
            yield text
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
    except OpenFaceError:
        raise
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise OpenFaceError(f"{name!r}: cannot be read: {reason}") from None


def _read_header(name: str, head: bytes, parse: Parse | None) -> Header:
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
    if parse is not None:
        return parse(name, text, skip)
    try:
        return replace(_known_header(text, skip), path=name)
    except OpenFaceError:
        return parse_header(name, text, skip_lines=skip)


@lru_cache(maxsize=32)
def _known_header(line: str, skip_lines: int) -> Header:
    """Parse a header line once: the files of a study have the same."""
    return parse_header("", line, skip_lines=skip_lines)


def read_columns(source: Source, *tables: Sequence[str]) -> Columns:
    """Convert the named columns of a file to float64, in tables of their own.

    Raises
    ------
    OpenFaceError
        If the file changed, or there are no whole rows, or a value is not a number: the
        message names column, row and value.
    """
    read = _read(source, tables)
    header = source.header
    if read.too_long:
        raise OpenFaceError(
            f"{header.path!r}: a line is longer than {_LONGEST_LINE:,} characters, which no row "
            f"of {header.tracker} is; the file is damaged, so run {header.tracker} on the video "
            "again"
        )
    if read.unread is not None:
        row = read.unread.row
        row = source.rows[row - 1] if source.rows else row
        raise _no_number(
            header, tables[read.unread.table][read.unread.column], row, read.unread.text
        )
    n_rows = len(read.tables[0])
    if n_rows == 0:
        raise OpenFaceError(_no_rows(header, len(read.cut), len(read.overlong)))
    return Columns(
        header,
        {tuple(names): table for names, table in zip(tables, read.tables, strict=True)},
        {tuple(names): table for names, table in zip(tables, read.memory, strict=True)},
        n_rows,
        len(read.cut),
        len(read.overlong),
        tuple(sorted((*read.cut, *read.overlong))),
    )


def _read(source: Source, tables: Sequence[Sequence[str]]) -> CsvTables:
    """Read a source, and keep the hash of the file."""
    header = source.header
    positions = [[header.positions[name] for name in names] for names in tables]

    def read(
        pieces: Iterator[memoryview], n_bytes: int, rest: RestOfFile | None = None
    ) -> CsvTables:
        return read_csv(
            pieces,
            positions,
            n_columns=header.n_columns,
            skip_lines=header.skip_lines,
            longest_line=_LONGEST_LINE,
            n_bytes=n_bytes,
            room=partial(_room, tuple(tables[0])) if "frame" in tables[0] else None,
            rest=rest,
        )

    if source.content is not None:
        return read(pieces_of(source.content), len(source.content))
    try:
        with TextFile(header.path) as text:
            rest = text.rest()
            pieces = text.pieces() if rest is None else text.beginning(len(source.head))
            found = read(_unchanged(source, pieces), text.n_bytes, rest)
            sha256 = text.sha256()
            ends_otherwise = text.compressed and ends_empty(text.tail)
    except OSError as error:
        raise OpenFaceError(f"{header.path!r}: cannot be read: {error}") from None
    if source.sha256 not in ("", sha256):
        raise source.changed()
    source.sha256 = sha256
    if not ends_otherwise:
        return found
    translated = _translated(header.path)
    if translated.sha256 != sha256:
        raise source.changed()
    source.header, source.content = translated.header, translated.content
    return _read(source, tables)


def _room(names: Sequence[str], rows: NDArray[np.float64]) -> int:
    """Return how many frames there may be, by the first table; at most twice the rows.

    Memory that nothing is written to costs nothing.
    """
    most = _MOST_FRAMES * len(rows)
    numbers = rows[:, names.index("frame")]
    if "timestamp" in names and len(rows) > 1:
        with np.errstate(all="ignore"):
            periods = np.diff(rows[:, names.index("timestamp")]) / np.diff(numbers)
        periods = periods[np.isfinite(periods)]
        if len(periods) and np.ptp(periods) > _ROUNDED:
            # A variable rate: the recording may be resampled at a higher one.
            return most
    highest = np.max(numbers, initial=0, where=np.isfinite(numbers))
    return int(min(highest + 1, most))


def _unchanged(source: Source, pieces: Iterator[memoryview]) -> Iterator[memoryview]:
    """Yield the pieces of a file whose beginning is what was looked at."""
    done = 0
    for piece in pieces:
        seen = source.head[done : done + len(piece)]
        if bytes(piece[: len(seen)]) != seen:
            raise source.changed()
        done += len(piece)
        yield piece
        if done >= len(source.head):
            yield from pieces
    if done < len(source.head):
        raise source.changed()


def _no_number(header: Header, name: str, row: int, text: bytes) -> OpenFaceError:
    """Return the error that names a value which is not a number."""
    return OpenFaceError(
        say(
            "{path!r}: column {name!r} must hold numbers, but row {number} "
            "holds {text!r}; correct or delete that row, or export the file "
            "again",
            path=header.path,
            name=name,
            number=row,
            text=_shown(text),
        )
    )


def _shown(text: bytes) -> str:
    try:
        return text.decode("utf-8")[:60]
    except UnicodeDecodeError:
        return text.decode("ascii", "replace").replace("\ufffd", "?")[:60]


def _no_rows(header: Header, n_cut: int, n_overlong: int) -> str:
    if n_overlong:
        return (
            f"{header.path!r}: the header has {header.n_columns} columns and all "
            f"{n_overlong + n_cut} rows have another number; header and rows do not belong together"
        )
    if n_cut:
        return (
            f"{header.path!r}: no whole row: {n_cut} of {n_cut} rows have fewer fields than the "
            f"{header.n_columns} of the header; run {header.tracker} on the video again"
        )
    return (
        f"{header.path!r}: the file has a header but no rows: {header.tracker} stopped before the "
        "first frame; run it on the video again"
    )
