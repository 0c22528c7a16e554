"""A table of a tracker, from a file or a data frame: its names, and columns of it as numbers."""

from __future__ import annotations

import csv
import io
import json
import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from pyexpr.base.contents import read_content
from pyexpr.base.errors import LayoutError, OpenFaceError, TracksError, listed, near_names
from pyexpr.base.messages import say
from pyexpr.behavior.openface.csv import Columns, read_columns, source_of, whole_text
from pyexpr.behavior.openface.dialects import is_packed, rows_of
from pyexpr.behavior.openface.layout import Header
from pyexpr.behavior.openface.text import TextFile
from pyexpr.behavior.tracks.layout import Rows

if TYPE_CHECKING:
    import pandas as pd

_ARROW: Final = {b"PAR1": "parquet", b"ARROW1": "feather"}
_NO_TABLES: Final = {
    b"\x89PNG": "an image", b"\xff\xd8\xff": "an image", b"GIF8": "an image", b"BM": "an image",
    b"RIFF": "a video or sound", b"\x1aE\xdf\xa3": "a video", b"%PDF": "a PDF",
}  # fmt: skip
_BOM: Final = b"\xef\xbb\xbf"
# Where a header may stand after lines about the recording.
_HEAD: Final = 1 << 18
_HEAD_LINES: Final = 200
_ROWS_SEEN: Final = 50
_MISSING: Final = frozenset({"", "NA", "N/A", "#N/A", "null", "NULL", "None", "NaN", "nan", "NAN"})
_WORDS: Final = {"true": "1", "false": "0", "yes": "1", "no": "0"}
_CLOCK: Final = re.compile(r"(?:(\d+):)?(\d+):(\d+(?:[.,]\d+)?)")
_FRAME: Final = "the data frame"
# What the number of a row is called among columns.
_ROW: Final = "(row)"


@dataclass(frozen=True, slots=True)
class TableHeader(Header):
    """The header of any tracker's table: names as they stand."""

    doubled: frozenset[str] = frozenset()

    @property
    def tracker(self) -> str:
        """What wrote the file, for messages."""
        return "the tracker"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is read of a table, and how.

    Attributes
    ----------
    tables : tuple of tuple of str
        Columns of numbers; those of `cells` are named by `cell_columns`.
    missing : frozenset of str
        Words for a missing number.
    rows : Rows or None
        Which rows are read.
    part : tuple of (str, str)
        Columns, and what stands there in the rows that are read.
    clock : str
        The column of times as hours, minutes and seconds; "" for none.
    words : frozenset of str
        Columns that may say yes or no in words.
    labels : str
        The column of people, who may have names; "" for none.
    cells : (str, int, int) or None
        The column whose cells hold points, how many, and of how many axes.
    """

    tables: tuple[tuple[str, ...], ...]
    missing: frozenset[str] = frozenset()
    rows: Rows | None = None
    part: tuple[tuple[str, str], ...] = ()
    clock: str = ""
    words: frozenset[str] = frozenset()
    labels: str = ""
    cells: tuple[str, int, int] | None = None

    def sources(self) -> tuple[str, ...]:
        """Return the columns of the table that are needed, each once."""
        made = set(cell_columns(*self.cells)) if self.cells else set()
        names = [name for table in self.tables for name in table if name not in made]
        names += [self.cells[0]] if self.cells else []
        return tuple(dict.fromkeys(names))

    def selecting(self) -> tuple[str, ...]:
        """Return the columns that say which rows are read."""
        return (*((self.rows.column,) if self.rows else ()), *(name for name, _ in self.part))

    def takes(self, texts: Mapping[str, str]) -> bool:
        """Return whether a row is read, by its texts in the columns of `selecting`."""
        if self.rows is not None:
            text = texts[self.rows.column].strip()
            if (text not in self.rows.equals) if self.rows.equals else text in _MISSING:
                return False
        return all(texts[name].strip() == value for name, value in self.part)


@dataclass(frozen=True, slots=True)
class ReadTable:
    """Columns of numbers, the names of people by their numbers, and how many rows were others'."""

    columns: Columns
    people: tuple[str, ...] = ()
    others: int = 0


def cell_columns(column: str, count: int, n_axes: int) -> tuple[str, ...]:
    """Return names for the numbers in a cell that holds all points."""
    return tuple(f"{column}[{point}].{axis}" for point in range(count) for axis in "xyz"[:n_axes])


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
    """

    path: str
    content: bytes
    names: tuple[str, ...]
    sha256: str

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
        _require(self, (*wanted.sources(), *wanted.selecting()))
        if self._is_plain(wanted):
            source = source_of(self.path, self.content, self.sha256, _plain_header)
            return ReadTable(read_columns(source, *wanted.tables))
        cleaned = _Cleaned(wanted)
        rows = rows_of(self.content, capitals=False)
        text = cleaned.text(self.path, list(rows.rows), self.names, ended=rows.ended)
        source = source_of(self.path, text, self.sha256, _plain_header)
        columns = read_columns(source, *wanted.tables, (_ROW,))
        # Messages name the rows of the file, of which some were left out.
        read = set(columns.column(_ROW).astype(np.int64).tolist())
        left_out = tuple(sorted({*range(1, max(read) + 1)} - read))
        columns = replace(columns, skipped=left_out)
        return ReadTable(columns, tuple(cleaned.people), cleaned.others)

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
            if any(at < len(fields) and not _is_number(fields[at]) for at in spoken):
                return False
        return True


@dataclass(slots=True)
class _Cleaned:
    """The text of a table with the columns wanted alone, each a number."""

    wanted: Wanted
    people: dict[str, int] = field(default_factory=dict)
    others: int = 0

    def text(self, path: str, rows: list[list[str]], names: Sequence[str], *, ended: bool) -> bytes:
        """Return a text with a column more, so that a cut row has fewer than any."""
        at = {name: number for number, name in reversed(list(enumerate(names)))}
        wanted = self.wanted
        made = cell_columns(*wanted.cells) if wanted.cells else ()
        own = [name for name in wanted.sources() if not wanted.cells or name != wanted.cells[0]]
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n", quoting=csv.QUOTE_NONE, escapechar="\\")
        writer.writerow([*(_plain(name) for name in (*own, *made)), _ROW])
        if not ended and len(rows) > 1 and _is_cut(rows[-1], rows[-2], names):
            rows[-1] = []
        selecting = [(name, at[name]) for name in wanted.selecting()]
        for number, fields in enumerate(rows, start=1):
            if len(fields) != len(names):
                cut = len(fields) < len(names)
                out.write("cut\n" if cut else "," * len((*own, *made, _ROW)) + "\n")
                continue
            if not wanted.takes({name: fields[position] for name, position in selecting}):
                self.others += 1
                continue
            numbers = [self.number(path, name, fields[at[name]], number) for name in own]
            if wanted.cells:
                numbers += _cell(path, fields[at[wanted.cells[0]]], wanted.cells, number)
            writer.writerow([*numbers, number])
        return out.getvalue().encode()

    def number(self, path: str, name: str, text: str, row: int) -> str:
        """Return the text of a number that a field stands for."""
        text = text.strip()
        if text in _MISSING or text in self.wanted.missing:
            return ""
        if name == self.wanted.clock:
            return repr(clock_seconds(path, name, text, row))
        if name in self.wanted.words:
            return _WORDS.get(text.lower(), text)
        if name == self.wanted.labels:
            return self.person(text)
        return text.replace(",", " ")

    def person(self, text: str) -> str:
        """Return the number of a person: as it stands, or of a name in order of appearance."""
        if not self.people and _is_number(text):
            return text
        return str(self.people.setdefault(text, len(self.people)))


def _is_cut(last: list[str], before: list[str], names: Sequence[str]) -> bool:
    """Return whether a last line without an end stops within its last number."""
    if not len(last) == len(before) == len(names):
        return False
    return len(last[-1].partition(".")[2]) < len(before[-1].partition(".")[2])


def clock_seconds(path: str, name: str, text: str, row: int) -> float:
    """Return a time of the form hours:minutes:seconds in seconds."""
    found = _CLOCK.fullmatch(text)
    if found is None:
        if _is_number(text):
            return float(text)
        raise TracksError(
            say(
                "{path!r}: column {name!r} must hold times such as 00:01:02.500, but row {row} "
                "holds {text!r}",
                path=path,
                name=name,
                row=row,
                text=text[:60],
            )
        )
    hours, minutes, seconds = found.groups()
    whole = 3600 * int(hours or 0) + 60 * int(minutes)
    # Milliseconds stay what they are: a sum of floats would end in another digit.
    return round(whole + float(seconds.replace(",", ".")), 6)


def _cell(path: str, cell: Any, cells: tuple[str, int, int], row: int) -> list[str]:
    """Return the numbers of a cell that holds all points; empty ones for an empty cell."""
    column, count, n_axes = cells
    text = cell.strip() if isinstance(cell, str) else cell
    if text is None or (isinstance(text, str) and text in _MISSING):
        return [""] * (count * n_axes)
    try:
        values = np.asarray(json.loads(text) if isinstance(text, str) else text, dtype=np.float64)
    except (ValueError, TypeError):
        values = np.zeros(0)
    if values.size != count * n_axes:
        raise TracksError(
            say(
                "{path!r}: column {column!r} must hold {count} points of {n_axes} numbers, such as "
                "[[1.5, 2.0], ...], but row {row} holds {text!r}",
                path=path,
                column=column,
                count=count,
                n_axes=n_axes,
                row=row,
                text=str(cell)[:60],
            )
        )
    return [repr(float(value)) for value in values.ravel()]


@dataclass(frozen=True, slots=True)
class FrameTable:
    """A table of columns: a data frame, or a file of parquet or feather.

    Attributes
    ----------
    path : str
    names : tuple of str
        Of columns that hold one value a row.
    nested : frozenset of str
        Columns that hold lists or records.
    sha256 : str
    frame : callable
        Names -> data frame of these columns.
    """

    path: str
    names: tuple[str, ...]
    nested: frozenset[str]
    sha256: str
    frame: Callable[[Sequence[str]], pd.DataFrame]

    def with_header(self, start: str) -> FrameTable:
        """Return the table itself: its names are no line of text."""
        return self

    def read(self, wanted: Wanted) -> ReadTable:
        """Return columns as numbers."""
        needed = tuple(dict.fromkeys((*wanted.sources(), *wanted.selecting())))
        _require(self, needed)
        frame = self.frame(needed)
        kept = np.ones(len(frame), dtype=np.bool_)
        if wanted.selecting():
            texts = {name: [_text(one) for one in frame[name]] for name in wanted.selecting()}
            kept = np.array(
                [
                    wanted.takes({name: values[row] for name, values in texts.items()})
                    for row in range(len(frame))
                ],
                dtype=np.bool_,
            )
            frame = frame[kept]
        if not len(frame):
            raise TracksError(f"{self.path!r}: the table has no rows that are read")
        cleaned = _Cleaned(wanted)
        numbers = {
            name: self._numbers(frame[name], name, cleaned)
            for name in wanted.sources()
            if not wanted.cells or name != wanted.cells[0]
        }
        if wanted.cells:
            cells = [
                [float(one or "nan") for one in _cell(self.path, cell, wanted.cells, row)]
                for row, cell in enumerate(frame[wanted.cells[0]], start=1)
            ]
            made = cell_columns(*wanted.cells)
            numbers |= dict(zip(made, np.array(cells).reshape(len(frame), -1).T, strict=True))
        tables = {
            table: np.stack([numbers[name] for name in table], axis=1)
            if table
            else np.zeros((len(frame), 0))
            for table in wanted.tables
        }
        positions = {name: at for at, name in enumerate(numbers)}
        header = TableHeader(self.path, positions, len(positions), 0, {})
        left_out = tuple((np.flatnonzero(~kept) + 1).tolist())
        columns = Columns.made(header, tables, len(frame), skipped=left_out)
        return ReadTable(columns, tuple(cleaned.people), int((~kept).sum()))

    def _numbers(self, column: pd.Series[Any], name: str, cleaned: _Cleaned) -> NDArray[np.float64]:
        import pandas as pd

        if pd.api.types.is_bool_dtype(column) or pd.api.types.is_numeric_dtype(column):
            values = column.to_numpy(dtype=np.float64, na_value=np.nan)
            return np.where(np.isfinite(values), values, np.nan)
        found = np.empty(len(column))
        for row, value in enumerate(column):
            text = _text(value)
            number = cleaned.number(self.path, name, text, row + 1)
            try:
                found[row] = float(number) if number else np.nan
            except ValueError:
                raise TracksError(
                    say(
                        "{path!r}: column {name!r} must hold numbers, but row {row} holds {text!r}",
                        path=self.path,
                        name=name,
                        row=row + 1,
                        text=text[:60],
                    )
                ) from None
        return np.where(np.isfinite(found), found, np.nan)


Table = TextTable | FrameTable


def open_table(source: Any) -> Table:
    """Return the table in a file, a folder of OpenPose's JSON files, or a data frame.

    Raises
    ------
    TracksError
        If there is no such file, it cannot be read, or holds no table.
    """
    if not isinstance(source, (str, os.PathLike)):
        from pyexpr.base.tables import as_frame

        frame = as_frame(source, what=_FRAME)
        return _of_frame(_FRAME, frame, "")
    path = os.fspath(source)
    if Path(path).is_dir():
        from pyexpr.behavior.tracks.openpose import keypoint_frame

        return _of_frame(path, keypoint_frame(Path(path)), "")
    magic = _beginning(path)
    kind = next((_NO_TABLES[one] for one in _NO_TABLES if magic.startswith(one)), "")
    if kind or magic[4:8] == b"ftyp":
        raise TracksError(
            f"{path!r}: this is {kind or 'a video'}, no table of points; run a tracker on it first"
        )
    if magic.startswith(tuple(_ARROW)):
        return _of_arrow(path)
    content, sha256 = whole_text(path)
    content = content.removeprefix(_BOM)
    if b"\x00" in content:
        raise TracksError(
            f"{path!r}: a binary file, or text that is not UTF-8; give the table of the tracker"
        )
    if not content.strip():
        raise TracksError(f"{path!r}: the file is empty; run the tracker on the video again")
    return _of_text(path, content, sha256)


def beginning_of(source: Any) -> TextTable | None:
    """Return the beginning of a table of text, None where it cannot be looked into."""
    if not isinstance(source, (str, os.PathLike)):
        return None
    path = os.fspath(source)
    try:
        with TextFile(path) as text:
            head = text.head(_HEAD)
        return None if is_packed(head) or b"\x00" in head else _of_text(path, head, "")
    except (OSError, OpenFaceError):
        # Reading it says why.
        return None


def _of_text(path: str, content: bytes, sha256: str) -> TextTable:
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


def _of_frame(path: str, frame: pd.DataFrame, sha256: str) -> FrameTable:
    names = tuple(str(name) for name in frame.columns)
    named = frame.set_axis(list(names), axis=1)
    return FrameTable(path, names, frozenset(), sha256, lambda needed: named[list(needed)])


def _of_arrow(path: str) -> FrameTable:
    import pyarrow as pa
    from pyarrow import feather, parquet

    try:
        content, known = read_content(path)
        source = pa.BufferReader(content)
        if content.startswith(b"PAR1"):
            file = parquet.ParquetFile(source)
            schema = file.schema_arrow
        else:
            file = None
            table = feather.read_table(source)
            schema = table.schema
    except (OSError, pa.ArrowException) as error:
        raise _damaged(path, error) from None
    nested = frozenset(one.name for one in schema if pa.types.is_nested(one.type))

    def frame(names: Sequence[str]) -> pd.DataFrame:
        wanted = list(names)
        try:
            read = table.select(wanted) if file is None else file.read(columns=wanted)
            found: pd.DataFrame = read.to_pandas()
        except (OSError, pa.ArrowException) as error:
            raise _damaged(path, error) from None
        return found[wanted]

    return FrameTable(path, tuple(schema.names), nested, known.sha256, frame)


def _damaged(path: str, error: Exception) -> TracksError:
    said = str(error).splitlines()[0]
    return TracksError(f"{path!r}: cannot be unpacked ({said}); copy the file again")


def _beginning(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read(16)
    except OSError:
        # Reading it says why.
        return b""


def _require(table: Table, names: Iterable[str]) -> None:
    """Raise `LayoutError` for a column that is not there, `TracksError` for one twice there."""
    names = tuple(names)
    refuse_nested(table, names)
    for name in names:
        if name not in table.names:
            raise LayoutError(
                say(
                    "{path!r}: the layout names the column {name!r}, which the table has not; "
                    "{hint}",
                    path=table.path,
                    name=name,
                    hint=near_names(name, table.names),
                )
            )
        if table.names.count(name) > 1:
            raise TracksError(
                f"{table.path!r}: the header names the column {name!r} twice; rename one"
            )


def refuse_nested(table: Table, names: Iterable[str]) -> None:
    """Raise `TracksError` for needed columns that hold lists or records."""
    nested = [name for name in names if isinstance(table, FrameTable) and name in table.nested]
    if nested:
        raise TracksError(
            f"{table.path!r}: {listed(nested, most=3)} holds lists or records, where one number a "
            "row is needed; give each point and axis a column of its own"
        )


def _plain(name: str) -> str:
    return re.sub(r'[",\r\n]+', " ", name)


def _text(value: Any) -> str:
    return "" if value is None or value != value else str(value)


def _is_number(text: str) -> bool:
    text = text.strip()
    if text in _MISSING:
        return True
    try:
        float(text)
    except ValueError:
        return False
    return True
