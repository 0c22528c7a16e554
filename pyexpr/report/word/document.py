"""The report of a study as a Word document, with tables and references as APA sets them.

python-docx is imported here and nowhere else.
"""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pyexpr.base.files import OutputError
from pyexpr.base.unpacking import DAMAGED
from pyexpr.base.visible import LINES, visible
from pyexpr.report.columns import head_parts, spanned, symbols, title_parts, unbroken
from pyexpr.report.outline import (
    Block,
    Caution,
    Copied,
    Facts,
    Figure,
    Folded,
    Heading,
    Items,
    Outline,
    Pointers,
    References,
    Table,
    Text,
)
from pyexpr.report.tables.display import DisplayTable

if TYPE_CHECKING:
    from docx.document import Document

# Date of the file's properties and of the entries in its archive, so that equal results give equal
# bytes.
_MOMENT = datetime(1980, 1, 1)
_SEAL = b"pyexpr wrote this document; SHA-256 of its parts: "
_FONT = "Times New Roman"
# Largest number of columns on an upright page; wider tables are set in landscape format.
_UPRIGHT = 7
_MARGIN_CM = 2.54
# What caption and note of a figure need at least.
_BESIDE_FIGURE_CM = 3.0
# Width of the page, upright and in landscape format.
_PAGE_CM = (21.0, 29.7)
# Width of a digit per point of type size, in a wide font, and the margins of the text of a cell.
_SIGN_CM, _PADDING_CM = 0.021, 0.42


def study_document(outline: Outline) -> bytes:
    """Return the report as a .docx file; the same outline gives the same bytes.

    Raises
    ------
    OutputError
        If python-docx is not installed.
    """
    try:
        import docx
    except ImportError:
        raise OutputError(
            "a Word document needs python-docx; install it with: pip install 'pyexpr-stats[word]'"
        ) from None
    document = docx.Document()
    _set_up(document, outline.title)
    document.add_heading(_plain(outline.title), 0)
    for block in outline.lead:
        _add(document, block)
    for section in outline.sections:
        # A heading is kept on the page of the table that follows it.
        _orient(document, sideways=any(map(_is_wide, section.blocks[:1])))
        document.add_heading(_plain(section.title), 1)
        for block in section.blocks:
            _add(document, block)
    written = io.BytesIO()
    document.save(written)
    return _sealed(written.getvalue())


def is_own_document(path: Path) -> bool:
    """Return whether a file is a document that the package wrote and that was not changed."""
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.comment == _SEAL + _digest(archive)
    except DAMAGED:
        return False


def _sealed(content: bytes) -> bytes:
    """Write the archive again, with entries without a date, and with their hash as comment."""
    target = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(content)) as source,
        zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive,
    ):
        for name in source.namelist():
            entry = zipfile.ZipInfo(name)
            entry.compress_type = zipfile.ZIP_DEFLATED
            # No operating system is stored, so that the bytes are the same on Windows.
            entry.create_system = 0
            archive.writestr(entry, source.read(name))
        archive.comment = _SEAL + _digest(source)
    return target.getvalue()


def _digest(archive: zipfile.ZipFile) -> bytes:
    digest = hashlib.sha256()
    for name in archive.namelist():
        digest.update(name.encode())
        digest.update(archive.read(name))
    return digest.hexdigest().encode()


def _set_up(document: Document, title: str) -> None:
    from docx.oxml.ns import qn
    from docx.shared import Cm, Pt, RGBColor

    core: Any = document.core_properties
    core.title, core.author, core.comments = _plain(title)[:255], "pyexpr", ""
    core.last_modified_by, core.revision = "pyexpr", 1
    core.created = core.modified = _MOMENT
    styles: Any = document.styles
    for name in ("Normal", "Title", "Heading 1", "Heading 2", "List Bullet"):
        font = styles[name].font
        font.name, font.color.rgb = _FONT, RGBColor(0, 0, 0)
        # The template names other fonts for headings.
        fonts = styles[name].element.get_or_add_rPr().get_or_add_rFonts()
        for kind in ("ascii", "hAnsi", "eastAsia", "cs"):
            fonts.set(qn(f"w:{kind}"), _FONT)
        for kind in ("asciiTheme", "hAnsiTheme", "eastAsiaTheme", "cstheme"):
            fonts.attrib.pop(qn(f"w:{kind}"), None)
    for name, size in (("Normal", 11), ("Title", 18), ("Heading 1", 14), ("Heading 2", 12)):
        styles[name].font.size = Pt(size)
    page: Any = document.sections[0]
    page.page_width, page.page_height = Cm(21), Cm(29.7)
    for side in ("left", "right", "top", "bottom"):
        setattr(page, f"{side}_margin", Cm(_MARGIN_CM))


def _is_wide(block: Block) -> bool:
    return isinstance(block, Table) and len(block.display.columns) > _UPRIGHT


def _add(document: Document, block: Block) -> None:
    _orient(document, sideways=_is_wide(block))
    match block:
        case Text(text):
            _prose(document.add_paragraph(), text)
        case Heading(text):
            document.add_heading(_plain(text), 2)
        case Items(items):
            for item in items:
                _prose(document.add_paragraph(style="List Bullet"), item)
        case Caution(items, title):
            for item in items:
                paragraph = document.add_paragraph()
                _run(paragraph, f"{title}. ", bold=True)
                _prose(paragraph, item)
        case Copied(blocks=inner):
            for one in inner:
                _add(document, one)
        case Folded(title, inner):
            document.add_heading(_plain(title), 2)
            for one in inner:
                _add(document, one)
        case Table(display=display):
            _table(document, display)
        case Figure():
            _figure(document, block)
        case References(works):
            for work in works:
                _reference(document, work.parts(), work.address)
        case Facts(facts):
            for key, text in facts:
                paragraph = document.add_paragraph()
                _run(paragraph, f"{key}. ", bold=True)
                _run(paragraph, text)
        case Pointers(text, sections):
            _prose(document.add_paragraph(), f"{text} {', '.join(t for _, t in sections)}.")


def _run(paragraph: Any, text: str, *, bold: bool = False, italic: bool = False) -> None:
    made = paragraph.add_run(_plain(text))
    made.bold, made.italic = bold or None, italic or None


def _prose(paragraph: Any, text: str) -> None:
    """Write a sentence, with symbols of statistics in italics."""
    for part, symbol in symbols(text):
        _run(paragraph, part, italic=symbol)


def _plain(text: str) -> str:
    """Return text without characters that XML cannot contain."""
    return visible(text, keep=LINES)


def _reference(document: Document, parts: Iterable[tuple[str, bool]], address: str) -> None:
    from docx.shared import Cm

    paragraph: Any = document.add_paragraph()
    look = paragraph.paragraph_format
    look.left_indent, look.first_line_indent = Cm(1.27), Cm(-1.27)
    for text, italic in parts:
        _run(paragraph, text, italic=italic)
    if address:
        _run(paragraph, f" {address}")


def _caption(document: Document, title: str) -> None:
    """Write number and title on separate lines as in APA style, kept with what follows."""
    from docx.shared import Pt

    number, words = title_parts(title)
    for text, bold in ((number, True), (words, False)):
        if text:
            paragraph: Any = document.add_paragraph()
            look = paragraph.paragraph_format
            look.keep_with_next, look.space_after = True, Pt(4)
            _run(paragraph, text, bold=bold, italic=not bold)


def _note(document: Document, notes: Iterable[str], size: float = 9) -> None:
    from docx.shared import Pt

    text = " ".join(notes)
    if not text:
        document.add_paragraph()
        return
    paragraph: Any = document.add_paragraph()
    paragraph.paragraph_format.space_before = Pt(4)
    _run(paragraph, "Note.", italic=True)
    _prose(paragraph, f" {text}")
    for run in paragraph.runs:
        run.font.size = Pt(size)


def _figure(document: Document, block: Figure) -> None:
    from docx.shared import Cm

    _caption(document, block.caption)
    if block.picture.png:
        document.add_picture(io.BytesIO(block.picture.png), width=Cm(21 - 2 * _MARGIN_CM))
        shape: Any = document.inline_shapes[-1]
        if shape.height > (tallest := Cm(_PAGE_CM[1] - 2 * _MARGIN_CM - _BESIDE_FIGURE_CM)):
            shape.width, shape.height = round(shape.width * tallest / shape.height), tallest
        shape._inline.docPr.set("descr", _plain(title_parts(block.caption)[1]))
        shape._inline.docPr.set("name", block.stem)
    _note(document, [block.note] if block.note else [])


def _table(document: Document, display: DisplayTable) -> None:
    sideways = len(display.columns) > _UPRIGHT
    _caption(document, display.title)
    spanners, heads = spanned(display.columns)
    over = any(one.text for one in spanners)
    # All rows are read once, because python-docx searches the cells of a table at each call.
    table: Any = document.add_table(rows=over + 1 + len(display.rows), cols=len(heads))
    table.autofit = True
    size = 8 if sideways else 9
    rows = [list(row.cells) for row in table.rows]
    _set_widths(rows, table, display, heads, size, room=_PAGE_CM[sideways] - 2 * _MARGIN_CM)
    if over:
        at = 0
        for one in spanners:
            first, last = rows[0][at], rows[0][at + one.width - 1]
            cell = first.merge(last) if one.width > 1 else first
            _cell(cell, symbols(one.text), side="center", size=size)
            _rule(cell, top=True, bottom=bool(one.text))
            at += one.width
    for j, head in enumerate(heads):
        cell = rows[over][j]
        side = "left" if j < display.text_columns else "right"
        _cell(cell, head_parts(head), side=side, size=size)
        _rule(cell, top=not over, bottom=True)
    for i, row in enumerate(display.rows):
        for j, text in enumerate(row):
            cell = rows[over + 1 + i][j]
            side = "left" if j < display.text_columns else "right"
            shown = unbroken(text) if j >= display.text_columns else text
            _cell(cell, [(shown, False)], side=side, size=size, bold=(i, j) in display.bold)
            if i == len(display.rows) - 1:
                _rule(cell, bottom=True)
    for row in table.rows:
        _mark(row, "cantSplit")
    for row in table.rows[: over + 1]:
        _mark(row, "tblHeader")
    _note(document, display.notes)


def _set_widths(
    rows: list[list[Any]],
    table: Any,
    display: DisplayTable,
    heads: Sequence[str],
    size: float,
    *,
    room: float,
) -> None:
    """Give each column the width that it needs; labels are wrapped if there is too little room.

    Word fits columns to their content by itself; other programs take the widths of the file.
    """
    from docx.shared import Cm

    def width(signs: int) -> float:
        return signs * size * _SIGN_CM + _PADDING_CM

    columns = [[unbroken(row[j]) for row in display.rows] for j in range(len(heads))]
    wide, least = [], []
    for j, cells in enumerate(columns):
        words = [len(word) for text in (heads[j], *cells) for word in text.split(" ")]
        least.append(width(max(words, default=1)))
        label = j < display.text_columns
        lines = map(len, (heads[j], *cells)) if label else words
        wide.append(width(max(lines, default=1)))
    excess = max(0.0, sum(wide) - room)
    spare = sum(a - b for a, b in zip(wide, least, strict=True))
    share = min(1.0, excess / spare) if spare else 0.0
    for j, (a, b) in enumerate(zip(wide, least, strict=True)):
        table.columns[j].width = Cm(a - share * (a - b))
        for row in rows:
            row[j].width = table.columns[j].width


def _cell(
    cell: Any, parts: Iterable[tuple[str, bool]], *, side: str, size: float, bold: bool = False
) -> None:
    from docx.enum.text import WD_ALIGN_PARAGRAPH
    from docx.shared import Pt

    paragraph = cell.paragraphs[0]
    paragraph.alignment = getattr(WD_ALIGN_PARAGRAPH, side.upper())
    look = paragraph.paragraph_format
    look.space_before = look.space_after = Pt(1)
    for text, symbol in parts:
        _run(paragraph, text, bold=bold, italic=symbol)
    for run in paragraph.runs:
        run.font.size = Pt(size)


def _rule(cell: Any, *, top: bool = False, bottom: bool = False) -> None:
    """Draw the horizontal rules of APA style; tables have no other lines."""
    from docx.oxml import OxmlElement
    from docx.oxml.ns import qn

    properties = cell._tc.get_or_add_tcPr()
    borders = OxmlElement("w:tcBorders")
    for side, wanted in (("top", top), ("bottom", bottom)):
        if wanted:
            line = OxmlElement(f"w:{side}")
            for name, value in (
                ("val", "single"),
                ("sz", "8"),
                ("space", "0"),
                ("color", "000000"),
            ):
                line.set(qn(f"w:{name}"), value)
            borders.append(line)
    properties.append(borders)


def _mark(row: Any, name: str) -> None:
    """Keep a row on one page (cantSplit), or repeat it at the top of each (tblHeader)."""
    from docx.oxml import OxmlElement
    from docx.oxml.ns import qn

    mark = OxmlElement(f"w:{name}")
    mark.set(qn("w:val"), "true")
    row._tr.get_or_add_trPr().append(mark)


def _orient(document: Document, *, sideways: bool) -> None:
    """Begin a new page if the current one is turned the other way."""
    from docx.enum.section import WD_ORIENT, WD_SECTION

    before: Any = document.sections[-1]
    if sideways == (before.orientation == WD_ORIENT.LANDSCAPE):
        return
    after: Any = document.add_section(WD_SECTION.NEW_PAGE)
    after.orientation = WD_ORIENT.LANDSCAPE if sideways else WD_ORIENT.PORTRAIT
    after.page_width, after.page_height = before.page_height, before.page_width
