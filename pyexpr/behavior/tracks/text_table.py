"""A table of text."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from heapq import merge
from typing import Any, Final

import numpy as np

from pyexpr.base.errors import TracksError
from pyexpr.behavior.openface.csv import read_columns, source_of
from pyexpr.behavior.openface.dialects import is_packed, rows_of
from pyexpr.behavior.openface.parts import kept_for_parts
from pyexpr.behavior.openface.text import TextFile
from pyexpr.behavior.tracks.cleaned import ROW, Cleaned, is_cut, is_number
from pyexpr.behavior.tracks.wanted import ReadTable, TableHeader, Wanted, require

# Where a header may stand after lines about the recording.
_HEAD: Final = 1 << 18
_HEAD_LINES: Final = 200
_ROWS_SEEN: Final = 50
# What Python takes for a row besides its text.
_ROW_BYTES: Final = 160


# Between the fields of a row in one string, which takes an eighth of the memory of many.
_BETWEEN: Final = "\x1f"
Row = str | list[str]


@dataclass(slots=True)
class _SplitRows:
    """The rows of a table by the recording that they are of, with their numbers from 1.

    Attributes
    ----------
    parts : dict of tuple of str to list of (int, Row)
    odd : list of (int, Row)
        Rows with too few or too many fields, whose recording is not known.
    n_whole : int
        All others.
    """

    parts: dict[tuple[str, ...], list[tuple[int, Row]]]
    odd: list[tuple[int, Row]]
    n_whole: int

    def size(self) -> int:
        """Return about how many bytes they take."""
        rows = (row for part in (*self.parts.values(), self.odd) for row in part)
        return sum(len(row) + _ROW_BYTES for _, row in rows)


def joined_fields(fields: list[str]) -> Row:
    """Return the fields of a row as one string, where none of them holds what is put between."""
    row = _BETWEEN.join(fields)
    return row if row.count(_BETWEEN) == len(fields) - 1 else fields


def split_fields(row: Row) -> list[str]:
    """Return the fields that `joined_fields` joined."""
    return row.split(_BETWEEN) if isinstance(row, str) else row


@dataclass(frozen=True, slots=True)
class TextTable:
    """A table of text, from its header line on.

    Attributes
    ----------
    path : str
    content : bytes
    names : tuple of str
    sha256 : str
        Of the file.
    nested : frozenset of str
        No columns: text holds no lists.
    """

    path: str
    content: bytes
    names: tuple[str, ...]
    sha256: str
    nested: frozenset[str] = frozenset()

    def with_header(self, start: str) -> TextTable:
        """Return the table whose header line begins with a name; this one if none does."""
        at = 0
        for line in self.content[:_HEAD].splitlines(keepends=True)[:_HEAD_LINES]:
            names = _names(line)
            if names and names[0] == start:
                return replace(self, content=self.content[at:], names=names)
            at += len(line)
        return self

    def read(self, wanted: Wanted) -> ReadTable:
        """Return columns as numbers."""
        require(self, (*wanted.sources(), *wanted.selecting()))
        if self._is_plain(wanted):
            source = source_of(self.path, self.content, self.sha256, _plain_header)
            return ReadTable(read_columns(source, *wanted.tables))
        cleaned = Cleaned(wanted)
        rows: Iterable[tuple[int, list[str]]] = enumerate(self._rows(), start=1)
        if wanted.part:
            rows = self._part(wanted.part, cleaned)
        text = cleaned.text(self.path, rows, self.names)
        source = source_of(self.path, text, self.sha256, _plain_header)
        source.rows = cleaned.rows
        columns = read_columns(source, *wanted.tables, (ROW,))
        # Messages name the rows of the file, of which some were left out.
        read = set(columns.column(ROW).astype(np.int64).tolist())
        left_out = tuple(sorted({*range(1, max(read) + 1)} - read))
        columns = replace(columns, skipped=left_out)
        return ReadTable(columns, tuple(cleaned.people), cleaned.others)

    def _rows(self) -> list[list[str]]:
        """Return the fields of each row; none of a last line that was cut."""
        found = rows_of(self.content, capitals=False)
        rows = list(found.rows)
        if not found.ended and len(rows) > 1 and is_cut(rows[-1], rows[-2], self.names):
            rows[-1] = []
        return rows

    def _part(
        self, part: tuple[tuple[str, str], ...], cleaned: Cleaned
    ) -> Iterator[tuple[int, list[str]]]:
        """Return the rows of one recording, with their numbers; the others are counted."""
        columns = tuple(name for name, _ in part)
        split = kept_for_parts(self.path, (self.sha256, columns), lambda: self._split(columns))
        rows = split.parts.get(tuple(value for _, value in part), [])
        cleaned.others += split.n_whole - len(rows)
        return ((number, split_fields(row)) for number, row in merge(rows, split.odd))

    def _split(self, columns: tuple[str, ...]) -> _SplitRows:
        """Return the rows of each recording; `columns` tell them apart."""
        at = [self.names.index(name) for name in columns]
        found = _SplitRows({}, [], 0)
        for number, fields in enumerate(self._rows(), start=1):
            row = (number, joined_fields(fields))
            if len(fields) != len(self.names):
                found.odd.append(row)
                continue
            value = tuple(fields[position].strip() for position in at)
            found.parts.setdefault(value, []).append(row)
            found.n_whole += 1
        return found

    def size(self) -> int:
        """Return the bytes that the text takes."""
        return len(self.content)

    def _is_plain(self, wanted: Wanted) -> bool:
        """Return whether the reader of numbers can read the text as it is."""
        if wanted.rows or wanted.part or wanted.clock or wanted.missing or wanted.cells:
            return False
        head = self.content[:_HEAD]
        first = head.lstrip().splitlines()[0]
        if first.count(b",") + 1 != len(self.names) or first.startswith(b"#"):
            return False
        if b'"' in self.content:
            return False
        spoken = [self.names.index(name) for name in (*wanted.words, wanted.labels) if name]
        for line in head.splitlines()[1 : _ROWS_SEEN + 1]:
            fields = line.decode("utf-8", "replace").split(",")
            if any(at < len(fields) and not is_number(fields[at]) for at in spoken):
                return False
        return True


def beginning_of(source: Any) -> TextTable | None:
    """Return the beginning of a table of text, None where it cannot be looked into."""
    if not isinstance(source, (str, os.PathLike)):
        return None
    path = os.fspath(source)
    try:
        with TextFile(path) as text:
            head = text.head(_HEAD)
        return None if is_packed(head) or b"\x00" in head else text_table(path, head, "")
    except (OSError, ValueError):
        # Reading it says why.
        return None


def text_table(path: str, content: bytes, sha256: str) -> TextTable:
    """Return the table in a text, from its first line that is no comment on."""
    at = 0
    for line in content.splitlines(keepends=True):
        if line.strip() and not line.lstrip(b' "').startswith(b"#"):
            return TextTable(path, content[at:], _names(line), sha256)
        at += len(line)
    raise TracksError(f"{path!r}: the file has no header, only comments")


def _names(line: bytes) -> tuple[str, ...]:
    return tuple(rows_of(line, capitals=False).names)


def _plain_header(path: str, line: str, skip_lines: int) -> TableHeader:
    names = [name.strip() for name in line.split(",")]
    positions: dict[str, int] = {}
    for position, name in enumerate(names):
        positions.setdefault(name, position)
    return TableHeader(path, positions, len(names), skip_lines, {})
