"""Reading of CSV files of users: every row must have a field for each column.

OpenFace's recordings have a reader of their own (`pyexpr.behavior.openface.csv`), which
drops and counts the rows of a recording that was cut.
"""

from __future__ import annotations

import csv
import io
from collections import deque
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from pyexpr.base.contents import KnownFile, read_content
from pyexpr.base.errors import ColumnError, DataError, counted, have
from pyexpr.base.messages import Template, say
from pyexpr.base.tables import check_column_names
from pyexpr.base.unpacking import DAMAGED, decompressed, is_compressed

if TYPE_CHECKING:
    import pandas as pd

# The words for a missing number in a CSV; in a column of labels only "" is missing.
_MISSING_NUMBERS: Final = ("", "NA", "N/A", "NaN", "nan", "-nan", "null", "NULL", "None", ".")
# R and pandas treat these differently in text: as a missing value, or as a class.
_AMBIGUOUS: Final = ("None",)
_SEPARATORS: Final = {";": "semicolons", "\t": "tabs", "|": "bars"}
_ZIP: Final = b"PK\x03\x04"
_UTF_16: Final = (b"\xff\xfe", b"\xfe\xff")
# Most bytes of a row.
_LONGEST: Final = 1 << 24


_READ_AS_MISSING = Template(
    "text_read_as_missing",
    "column {column:label} of {what}: {n:count row, was, were} read as missing because "
    "{spelling:label} stands there, first in row {row}; if it is a class of its own, rename it in "
    "the file",
    report="{n:count row, was, were} missing in column {column:label}, which is written "
    "{spelling:label} there",
)


@dataclass(frozen=True, slots=True)
class Spelling:
    """The word for a missing value in a column of text.

    Attributes
    ----------
    text : str
    n : int
        Rows that have it.
    row : int
        The first of them, counted from 1 after the header.
    """

    text: str
    n: int
    row: int


@dataclass(frozen=True, slots=True)
class _Header:
    """The first line that is not empty.

    Attributes
    ----------
    names : list of str
        As they are written.
    n_lines : int
        Lines of the file up to its end.
    alone : bool
        Whether nothing follows.
    """

    names: list[str]
    n_lines: int
    alone: bool


def read_csv(
    path: Path | str,
    *,
    labels: Iterable[str] = (),
    what: str,
    spelled: dict[str, tuple[Spelling, ...]] | None = None,
) -> pd.DataFrame:
    """Read a CSV file: columns `labels` as text, others as numbers where all are numbers.

    The text of `labels` is unchanged: a subject called "NA" or "007" stays so. In other columns
    "NA" and the like are missing values. If such a column is text, and `spelled` is given, they are
    added to it under the name of the column, for `checked_spellings`. Blanks around names and
    values are ignored, as are empty lines. The first column may lack a name, like the row names
    that R and pandas write. A file with only a header is a table without rows.

    Raises
    ------
    DataError
        If the file does not exist or is not UTF-8 text, if its columns are not separated by commas,
        or if a row has more or fewer fields than the header; the message names the line.
    ColumnError
        If two columns have the same name, or names that differ only by blanks around them,
        or a column with values has no name.
    """
    return read_known_csv(path, labels=labels, what=what, spelled=spelled)[0]


def read_known_csv(
    path: Path | str,
    *,
    labels: Iterable[str] = (),
    what: str,
    spelled: dict[str, tuple[Spelling, ...]] | None = None,
) -> tuple[pd.DataFrame, KnownFile]:
    """Return the table of `read_csv`, and the hash of the bytes from which it was read."""
    try:
        content, known = read_content(path)
    except FileNotFoundError:
        raise DataError(f"{what}: there is no file {str(path)!r}") from None
    except OSError as error:
        raise DataError(f"{what}: cannot read {str(path)!r}: {error.strerror}") from None
    return csv_table(content, path=path, labels=labels, what=what, spelled=spelled), known


def csv_table(
    content: bytes,
    *,
    path: Path | str,
    labels: Iterable[str] = (),
    what: str,
    spelled: dict[str, tuple[Spelling, ...]] | None = None,
) -> pd.DataFrame:
    """Return the table that the bytes of a CSV file hold, as `read_csv` does; `path` names it."""
    import pandas as pd

    place = what if Path(path).name in what else f"{what} ({path})"
    content = _plain(content, place)
    header = _read_header(content, place)
    names = [name.strip() for name in header.names]
    columns = _columns(content, header, place)
    kept = set(labels)
    table: dict[str, Any] = {}
    for position, (name, column) in enumerate(zip(names, columns, strict=True)):
        if not name and position:
            _refuse_values(column, position, place)
        else:
            table[name] = _as_label(column) if name in kept else _number_if_all_are(column)
            if spelled is not None and name not in kept and table[name].dtype.kind not in "iuf":
                spelled[name] = _spellings(column)
    return pd.DataFrame(table)


def checked_spellings(
    names: Iterable[str], spelled: Mapping[str, tuple[Spelling, ...]], *, what: str
) -> list[str]:
    """Return a note on the text that was read as missing in columns of classes.

    Parameters
    ----------
    names : iterable of str
        Columns whose text is a class: a label, predictions, a covariate.
    spelled : mapping of str to tuple of Spelling
        As `read_csv` fills it.
    what : str
        The table in words.

    Raises
    ------
    ColumnError
        For "None", which pandas reads as missing and readr as text, since it may be a class.
    """
    notes: list[str] = []
    for name in dict.fromkeys(names):
        for one in spelled.get(name, ()):
            if one.text in _AMBIGUOUS:
                raise ColumnError(
                    say(
                        "column {name!r} of {what} holds {text!r} in {rows} (first row {row}), "
                        "which may be a class or a missing value; rename the class, or leave the "
                        "field empty where the value is missing",
                        name=name,
                        what=what,
                        text=one.text,
                        rows=counted(one.n, "row"),
                        row=one.row,
                    )
                )
            notes.append(
                _READ_AS_MISSING(column=name, what=what, spelling=one.text, n=one.n, row=one.row)
            )
    return notes


def _plain(content: bytes, place: str) -> bytes:
    """Return the text of the file, decoded from UTF-8, without a byte-order mark."""
    if is_compressed(content):
        try:
            content = decompressed(content)
        except DataError as error:
            raise DataError(f"{place}: {error}") from None
        except DAMAGED as error:
            raise DataError(
                f"{place}: its compression is damaged ({error}); copy the file again"
            ) from None
    if content.startswith(_ZIP):
        raise DataError(
            f"{place}: this is a ZIP archive, as Excel's workbooks are; save the table as CSV"
        )
    if content.startswith(_UTF_16):
        raise DataError(f"{place}: this is UTF-16 text; save it as UTF-8 CSV")
    if not content.removeprefix(b"\xef\xbb\xbf").strip():
        raise DataError(f"{place}: the file is empty")
    at = content.find(b"\x00")
    if at >= 0:
        line = content.count(b"\n", 0, at) + 1
        raise DataError(
            f"{place}: line {line} holds a NUL byte, so the file is damaged, or not UTF-8 text; "
            "write it again"
        )
    try:
        content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise DataError(
            f"{place} is not UTF-8 text, first in line {line}; save it as UTF-8 CSV"
        ) from None
    return content


def _records(content: bytes) -> Any:
    """Return a reader of the rows, which tracks the current line."""
    # Python's own reader is the only one that says where a quotation mark is wrong.
    return csv.reader(
        io.TextIOWrapper(io.BytesIO(content), encoding="utf-8-sig", newline=""), strict=True
    )


def _is_blank(record: list[str]) -> bool:
    return not record or (len(record) == 1 and not record[0].strip())


def _read_header(content: bytes, place: str) -> _Header:
    records = _records(content)
    try:
        names: list[str] = next((record for record in records if not _is_blank(record)), [])
    except csv.Error as error:
        raise _unclosed(place, 1, error) from None
    if not names:
        # Blanks that are not in ASCII.
        raise DataError(f"{place}: the file is empty")
    if len(names) == 1:
        for separator, word in _SEPARATORS.items():
            if separator in names[0]:
                raise DataError(
                    f"{place}: the columns are separated by {word}; save it with commas between "
                    "the columns, and points in the numbers"
                )
    # A column may lack its name if it holds R's or pandas' row names, or is empty.
    named = [name for name in names if name.strip()]
    if not named:
        raise ColumnError(f"{have(place)} no names of columns in the first line")
    check_column_names(named, what=place)
    n_lines = records.line_num
    try:
        alone = all(map(_is_blank, records))
    except csv.Error:
        alone = False
    return _Header(names, n_lines, alone)


def _columns(content: bytes, header: _Header, place: str) -> list[Any]:
    """Return the columns as Arrow's text, without the blanks around values."""
    import pyarrow as pa
    import pyarrow.compute as pc
    from pyarrow import csv as arrow_csv

    if header.alone:
        return [pa.array([], pa.large_string()) for _ in header.names]
    quoted = b'"' in content
    if quoted:
        # Arrow treats an unclosed quotation mark as if it were closed.
        try:
            deque(_records(content), maxlen=0)
        except csv.Error:
            raise _uneven(content, header, place) from None
    wrong: list[int] = []

    def drop(row: Any) -> str:
        if row.text.strip():
            wrong.append(row.actual_columns)
        return "skip"

    names = [str(position) for position in range(len(header.names))]
    try:
        table = arrow_csv.read_csv(
            io.BytesIO(content),
            read_options=arrow_csv.ReadOptions(
                use_threads=False,
                block_size=_LONGEST,
                skip_rows=header.n_lines,
                column_names=names,
            ),
            parse_options=arrow_csv.ParseOptions(
                quote_char='"' if quoted else False,
                newlines_in_values=quoted,
                invalid_row_handler=drop,
            ),
            convert_options=arrow_csv.ConvertOptions(
                column_types=dict.fromkeys(names, pa.large_string()), strings_can_be_null=False
            ),
        )
    except pa.ArrowException as error:
        raise DataError(f"{place} is not a CSV file: {error}") from None
    if wrong:
        raise _uneven(content, header, place)
    return [pc.utf8_trim_whitespace(column.combine_chunks()) for column in table.columns]


def _uneven(content: bytes, header: _Header, place: str) -> DataError:
    """Return the error that names the first row that does not fit the header."""
    records, n_columns = _records(content), len(header.names)
    next(record for record in records if not _is_blank(record))
    line, n_rows = header.n_lines + 1, 0
    wrong: list[tuple[int, list[str]]] = []
    try:
        for record in records:
            if not _is_blank(record):
                n_rows += 1
                if len(record) != n_columns:
                    wrong.append((line, record))
            line = records.line_num + 1
    except csv.Error as error:
        if not wrong:
            return _unclosed(place, line, error)
    at, first = wrong[0]
    more = f" ({len(wrong)} such lines)" if len(wrong) > 1 else ""
    return DataError(
        f"{place}: line {at} has {counted(len(first), 'field')}, but the header has "
        f"{n_columns}{more}; {_remedy(header.names, first, every=len(wrong) == n_rows)}"
    )


def _remedy(header: list[str], record: list[str], *, every: bool) -> str:
    if record[0].lstrip().startswith("#"):
        return "comment lines are not supported; delete them"
    if every and len(record) == len(header) + 1:
        return (
            "name every column in the first line: that of the row names, too, which R writes with "
            "write.csv(), or leaves out with row.names=FALSE"
        )
    if every and len(record) == len(header) - 1 and not header[-1].strip():
        return "the first line ends with a comma too many, so delete it"
    if len(record) > len(header):
        return (
            "delete a comma too many there, or put the text or number that holds a comma into "
            "quotation marks"
        )
    return "add what is missing there, a comma for each empty field"


def _unclosed(place: str, line: int, error: csv.Error) -> DataError:
    # The errors of Python's csv have no codes.
    theirs = str(error)
    if "expected after" in theirs:
        return DataError(
            f"{place}: in the row that begins in line {line} text follows a closing quotation "
            'mark; within a quoted text write "" for each quotation mark'
        )
    return DataError(
        f"{place}: in the row that begins in line {line} a quotation mark is opened and not closed"
    )


def _refuse_values(column: Any, position: int, place: str) -> None:
    """Raise `ColumnError` if a column without a name holds anything."""
    for row, value in enumerate(column.to_pylist()):
        if value:
            raise ColumnError(
                say(
                    "{place}: column {position} has no name in the first line, but row "
                    "{row} holds {value!r} there; name the column, or delete it",
                    place=place,
                    position=position + 1,
                    row=row + 1,
                    value=value,
                )
            )


def _as_label(text: Any) -> pd.Series[Any]:
    import pyarrow as pa
    import pyarrow.compute as pc

    missing = pc.equal(text, "")
    found: pd.Series[Any] = pc.replace_with_mask(
        text, missing, pa.scalar(None, pa.large_string())
    ).to_pandas()
    return found


def _spellings(text: Any) -> tuple[Spelling, ...]:
    """Return the words for missing values in a column of text, other than the empty field."""
    import pyarrow.compute as pc

    found = []
    for word in _MISSING_NUMBERS[1:]:
        here = pc.equal(text, word)
        n = pc.sum(here).as_py() or 0
        if n:
            found.append(Spelling(word, n, pc.index(here, True).as_py() + 1))
    return tuple(found)


def _number_if_all_are(text: Any) -> pd.Series[Any]:
    import pyarrow as pa
    import pyarrow.compute as pc

    missing = pc.is_in(text, pa.array(_MISSING_NUMBERS, pa.large_string()))
    present = pc.replace_with_mask(text, missing, pa.scalar(None, pa.large_string()))
    try:
        numbers = pc.cast(present, pa.float64())
    except pa.ArrowInvalid:
        found: pd.Series[Any] = present.to_pandas()
        return found
    # After the other cast, because this one also reads 0x10, which is not a form for scores.
    with suppress(pa.ArrowInvalid):
        numbers = pc.cast(present, pa.int64())
    result: pd.Series[Any] = numbers.to_pandas()
    return result
