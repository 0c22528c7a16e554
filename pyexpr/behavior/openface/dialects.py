"""OpenFace's tables as people save them: by spreadsheets, R and pandas, packed, in other encodings.

What such a program changed is undone, and nothing else: separators, decimal commas, quotes,
TRUE and FALSE, capitals, comments, and the empty rows and columns of spreadsheets. The text that
comes out is read as if OpenFace had written it, with the same checks.
"""

from __future__ import annotations

import csv
import io
import re
import zipfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final
from xml.etree import ElementTree

from pyexpr.base.errors import DataError, OpenFaceError, listed
from pyexpr.base.feather_file import feather_table
from pyexpr.base.parquet_file import MAGIC, parquet_table
from pyexpr.base.unpacking import DAMAGED, check_archive, decompressed
from pyexpr.behavior.openface.layout import ROW_COLUMNS, is_known

_XZ: Final = b"\xfd7zXZ\x00"
_ZIP: Final = b"PK\x03\x04"
_UTF_16: Final = (b"\xff\xfe", b"\xfe\xff")
_ARROW: Final = {MAGIC: "parquet", b"ARROW1": "feather"}
_BOM: Final = b"\xef\xbb\xbf"
# Rows in which another dialect must show.
_ROWS_SEEN: Final = 50
_HEAD: Final = 1 << 18
# Lines of a text in quotes, such as a remark.
_LONGEST_QUOTE: Final = 50
_SEPARATORS: Final = (",", ";", "\t")
_DECIMAL_COMMA: Final = re.compile(r"\s*[-+]?\d*,\d+(?:[eE][-+]?\d+)?\s*")
# A row of numbers is changed at once: field by field takes ten times as long.
_NUMBERS: Final = re.compile(r"[-+0-9.,eE \x1f]*")
_QUOTED: Final = re.compile(r'\s*".*"\s*')
_YES_NO: Final = {"true": "1", "false": "0"}
_SPECIAL: Final = re.compile(r'["\r\n]')
# The last is XFD.
_SHEET_COLUMNS: Final = 16_384
_SHEET: Final = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"


@dataclass(frozen=True, slots=True)
class Rows:
    """A table as text.

    Attributes
    ----------
    names : list of str
        OpenFace's own names in its own capitals.
    rows : iterator of list of str
        Fields of each row that is not empty; as many as the row has.
    ended : bool
        Whether the last line ends as lines do; it may have been cut otherwise.
    """

    names: list[str]
    rows: Iterator[list[str]]
    ended: bool


def is_packed(head: bytes) -> bool:
    """Return whether a file must be unpacked or decoded before its text can be looked at."""
    return head.startswith((_XZ, _ZIP, *_UTF_16, *_ARROW))


def unpacked(name: str, raw: bytes) -> bytes:
    """Return the table in a packed file as text in UTF-8.

    Raises
    ------
    OpenFaceError
        If it is damaged, holds no table or several, or unpacks to what no recording is.
    """
    try:
        if raw.startswith(_XZ):
            raw = decompressed(raw)
        elif raw.startswith(_ZIP):
            raw = _unpacked_zip(name, raw)
        elif raw.startswith(tuple(_ARROW)):
            return _arrow_text(raw)
        if raw.startswith(_UTF_16):
            return raw.decode("utf-16").encode()
    except OpenFaceError:
        raise
    except DataError as error:
        raise OpenFaceError(f"{name!r}: {error}") from None
    except (*DAMAGED, ElementTree.ParseError) as error:
        raise OpenFaceError(
            f"{name!r}: cannot be unpacked ({error}); copy the file again"
        ) from None
    return raw


def _unpacked_zip(name: str, raw: bytes) -> bytes:
    with zipfile.ZipFile(io.BytesIO(raw)) as archive:
        check_archive(archive, len(raw))
        names = archive.namelist()
        if "xl/workbook.xml" in names:
            return _sheet_text(name, archive)
        files = [
            one
            for one in names
            if not one.endswith("/") and not one.startswith("__MACOSX/") and "/." not in f"/{one}"
        ]
        if len(files) != 1:
            raise OpenFaceError(
                f"{name!r}: the archive holds {len(files)} files ({listed(files, most=3)}); unpack "
                "it, and give the file of the recording"
            )
        return archive.read(files[0])


def _sheet_text(name: str, archive: zipfile.ZipFile) -> bytes:
    """Return the only sheet of a workbook with anything in it, as text."""
    shared: list[str] = []
    if "xl/sharedStrings.xml" in archive.namelist():
        tree = ElementTree.fromstring(archive.read("xl/sharedStrings.xml"))
        shared = [
            "".join(part.text or "" for part in item.iter(f"{_SHEET}t"))
            for item in tree.iter(f"{_SHEET}si")
        ]
    sheets = sorted(one for one in archive.namelist() if one.startswith("xl/worksheets/sheet"))
    tables = [rows for one in sheets if (rows := _cells(archive.read(one), shared))]
    if len(tables) != 1:
        raise OpenFaceError(
            f"{name!r}: the workbook has {len(tables)} sheets with data, where one is needed; save "
            "the recording's as CSV"
        )
    width = max(max(row, default=0) for row in tables[0]) + 1
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerows([row.get(column, "") for column in range(width)] for row in tables[0])
    return text.getvalue().encode()


def _cells(sheet: bytes, shared: list[str]) -> list[dict[int, str]]:
    """Return the rows of a sheet: texts by their column."""
    rows = []
    for row in ElementTree.fromstring(sheet).iter(f"{_SHEET}row"):
        cells: dict[int, str] = {}
        for cell in row.iter(f"{_SHEET}c"):
            place = re.match(r"[A-Z]+", cell.get("r", ""))
            column = _column(place[0]) if place else max(cells, default=-1) + 1
            kind, value = cell.get("t", "n"), cell.findtext(f"{_SHEET}v", "")
            if kind == "s" and value:
                value = shared[int(value)]
            elif kind == "b":
                value = "TRUE" if value == "1" else "FALSE"
            elif kind == "inlineStr":
                value = "".join(part.text or "" for part in cell.iter(f"{_SHEET}t"))
            if value:
                cells[column] = value
        if cells:
            rows.append(cells)
    return rows


def _column(letters: str) -> int:
    number = 0
    for letter in letters:
        number = 26 * number + ord(letter) - ord("A") + 1
    if number > _SHEET_COLUMNS:
        raise ValueError(f"there is no column {letters} in a sheet")
    return number - 1


def _arrow_text(raw: bytes) -> bytes:
    """Return a table of parquet or feather as text, every number to its last digit."""
    import pyarrow as pa
    from pyarrow import csv as arrow_csv

    try:
        table = parquet_table(raw) if raw.startswith(MAGIC) else feather_table(raw)
        nested = [field.name for field in table.schema if pa.types.is_nested(field.type)]
        flat = table.drop_columns(nested)
        text = pa.BufferOutputStream()
        arrow_csv.write_csv(flat, text)
    except pa.ArrowException as error:
        raise ValueError(str(error)) from None
    written: bytes = text.getvalue().to_pybytes()
    return written


def is_dialect(text: bytes) -> bool:
    """Return whether a text is a table that another program than OpenFace saved.

    OpenFace's own, and those that read the same, are not: looking costs nothing then.
    """
    return begins_otherwise(text) or ends_empty(text)


def begins_otherwise(text: bytes) -> bool:
    """Return whether that can be seen where a text begins."""
    head = text[:_HEAD].removeprefix(_BOM)
    lines = [line for line in _first_lines(head, _ROWS_SEEN + 1) if line.strip()]
    if not lines:
        return False
    names = _plain_names(lines[0])
    return names is None or _rows_show_dialect(lines, names, b'"' in head)


@lru_cache(maxsize=32)
def _plain_names(line: str) -> tuple[str, ...] | None:
    """Return the names of a header line, None if another program than OpenFace shows in it."""
    if line.lstrip(' "').startswith("#") or _separator(line) != ",":
        return None
    names = [_bare(name) for name in line.split(",")]
    return tuple(names) if _own_names(names) == names else None


def ends_empty(text: bytes) -> bool:
    """Return whether the last line of a text is no row: empty, as in spreadsheets, or a comment."""
    text = text[-_HEAD:].rstrip(b"\r\n \t")
    last = text[max(text.rfind(b"\n"), text.rfind(b"\r")) + 1 :]
    return last.lstrip(b' "').startswith(b"#") or (last.endswith(b",") and not last.strip(b", "))


def _rows_show_dialect(lines: list[str], names: tuple[str, ...], has_quotes: bool) -> bool:
    """Return whether after the header there are comments, quoted values, or TRUE or FALSE."""
    at = names.index("success") if "success" in names else None
    for number, line in enumerate(lines[1:], start=1):
        if _is_comment(line, ",", len(names)):
            return True
        if has_quotes and '"' in line:
            goes_on = _opens(line) and any(map(_opens, lines[number + 1 :]))
            if _quotes_matter(line, names, line.split(","), goes_on):
                return True
        fields = [] if at is None else line.split(",", at + 1)
        if at is not None and at < len(fields) and fields[at].strip().lower() in _YES_NO:
            return True
    return False


def _lines(text: bytes) -> list[str]:
    """Return lines as the reader counts them: a form feed, say, ends none."""
    return [line.decode("utf-8", "replace") for line in text.splitlines()]


def _first_lines(text: bytes, n: int) -> list[str]:
    """Return the first of these lines: what follows is not split."""
    end = -1
    for _ in range(n):
        end = text.find(b"\n", end + 1)
        if end < 0:
            return _lines(text)[:n]
    return _lines(text[: end + 1])[:n]


def _opens(line: str) -> bool:
    """Return whether a line begins or ends a text that goes over several lines."""
    return line.count('"') % 2 == 1


def _quotes_matter(line: str, names: Sequence[str], fields: list[str], goes_on: bool) -> bool:
    """Return whether a row with quotes reads otherwise without a look at them.

    If no other line closes the text, the quotation mark is damage to this row.
    """
    pairs = list(zip(names, fields, strict=False))
    if any(_QUOTED.fullmatch(field) and is_known(name) for name, field in pairs):
        return True
    # A comma or the end of a line in a text; a quote among numbers is a damage of its row.
    in_text = len(fields) > len(names) or goes_on
    return in_text and any(
        field.lstrip().startswith('"') and not is_known(name) for name, field in pairs
    )


def _separator(line: str) -> str:
    return max(_SEPARATORS, key=line.count)


def _bare(name: str) -> str:
    return name.strip().strip('"').strip()


def _is_comment(line: str, separator: str, n_names: int) -> bool:
    """Return whether a line is a comment, and no row whose first field was damaged."""
    return line.lstrip(' "').startswith("#") and line.count(separator) + 1 != n_names


def _own_names(names: list[str]) -> list[str]:
    """Return OpenFace's own names for those that a program changed, as far as they are proven.

    None is proven if two columns would get the same.
    """
    own = [_own_name(name) for name in names]
    known = [name for name in own if is_known(name)]
    return own if len(known) == len(set(known)) else [_own_capitals(name) for name in names]


def _own_capitals(name: str) -> str:
    """Return a column of frames in OpenFace's capitals; those of points differ by theirs."""
    return name.lower() if name.lower() in ROW_COLUMNS else name


def _own_name(name: str) -> str:
    """Undo what else R makes of names: dots for other characters, and X before those that begin.

    OpenFace writes a blank before each name but the first, and of " success" R makes X.success.
    """
    if "." not in name:
        return _own_capitals(name)
    bare = name.removeprefix("X").removeprefix(".")
    found = (name.replace(".", "_"), bare, bare.replace(".", "_"))
    return next(filter(is_known, map(_own_capitals, found)), name)


def rows_of(text: bytes, *, capitals: bool = True) -> Rows:
    """Return the rows of a text in any dialect, with the dialect undone.

    With `capitals` also that of the columns which OpenFace writes in small letters.
    """
    lines = _lines(text.removeprefix(_BOM))
    start = next(
        (
            n
            for n, line in enumerate(lines)
            if line.strip() and not line.lstrip(' "').startswith("#")
        ),
        len(lines),
    )
    separator = _separator(lines[start]) if start < len(lines) else ","
    records = _records(lines[start:], separator)
    names = [_bare(name) for name in next(records, [])]
    names = _own_names(names) if capitals else names
    rows = _undone(records, names, decimal_comma=separator != ",")
    # Behind the last row there may be a comment.
    ended = text.endswith((b"\n", b"\r")) or (lines or [""])[-1].lstrip(' "').startswith("#")
    return Rows(names, rows, ended)


def _records(lines: list[str], separator: str) -> Iterator[list[str]]:
    """Yield the fields of each row; a quoted text may go over several lines.

    A quote that nothing closes is a damage of its own line: it must not swallow those after it.
    """

    def fields(text: list[str]) -> list[str]:
        if len(text) == 1 and '"' not in text[0]:
            return text[0].split(separator)
        ended = (f"{line}\n" for line in text)
        return next(csv.reader(ended, delimiter=separator, skipinitialspace=True), [])

    width = at = 0
    while at < len(lines):
        end = at + 1
        if lines[at].count('"') % 2:
            later = range(end, min(end + _LONGEST_QUOTE, len(lines)))
            end = next((n + 1 for n in later if lines[n].count('"') % 2), end)
        found = fields(lines[at:end])
        if end > at + 1 and len(found) != width:
            end = at + 1
            found = fields(lines[at:end])
        width = width or len(found)
        at = end
        yield found


def _undone(
    records: Iterable[list[str]], names: list[str], *, decimal_comma: bool
) -> Iterator[list[str]]:
    success = names.index("success") if "success" in names else None
    for fields in records:
        if not any(field.strip() for field in fields):
            continue
        if len(fields) != len(names) and fields[0].lstrip(' "').startswith("#"):
            continue
        if decimal_comma and _NUMBERS.fullmatch(numbers := "\x1f".join(fields)):
            fields = numbers.replace(",", ".").split("\x1f")
        elif decimal_comma:
            fields = [
                field.replace(",", ".") if _DECIMAL_COMMA.fullmatch(field) else field
                for field in fields
            ]
        if success is not None and success < len(fields):
            fields[success] = _YES_NO.get(fields[success].strip().lower(), fields[success])
        yield fields


def as_openface(table: Rows) -> bytes:
    """Return a table as OpenFace writes it; commas and quotes within its fields are left out."""
    line = line_writer(table.names)
    return openface_text(table.names, map(line, table.rows), ended=table.ended)


def openface_text(names: list[str], lines: Iterable[str], *, ended: bool) -> bytes:
    """Return the text of a table, of its lines as `line_writer` writes them."""
    header = ",".join(_plain(name) for name in names if name)
    return "\n".join([header, *lines, ""] if ended else [header, *lines]).encode()


def line_writer(names: list[str]) -> Callable[[list[str]], str]:
    """Return what writes the fields of a row as a line; columns without a name are left out."""
    kept = [number for number, name in enumerate(names) if name]

    def line_of(fields: list[str]) -> str:
        if len(fields) != len(names):
            # Cut or overlong: it is found, and counted, by its length.
            return "cut" if len(fields) < len(names) else "," * len(kept)
        if len(kept) < len(names):
            fields = [fields[number] for number in kept]
        line = ",".join(fields)
        if line.count(",") >= len(kept) or _SPECIAL.search(line):
            line = ",".join(map(_plain, fields))
        return line

    return line_of


def _plain(field: str) -> str:
    return re.sub(r'[",\r\n]+', " ", field).strip()
