"""The report of a study as one page."""

from __future__ import annotations

from collections.abc import Iterable

from pyexpr.report.html.page import (
    Section,
    bullets,
    caution_box,
    copyable,
    figure,
    folded,
    page,
    paragraph,
)
from pyexpr.report.markup import Markup, element, joined, prose
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
    altered_note,
)
from pyexpr.report.tables.html import report_table
from pyexpr.report.text.references import Work
from pyexpr.words.wording import counted


def study_page(outline: Outline) -> str:
    """Return the report as one self-contained HTML document."""
    sections = [
        Section(one.name, one.title, tuple(map(_rendered, one.blocks))) for one in outline.sections
    ]
    return page(outline.title, map(_rendered, outline.lead), sections)


def _rendered(block: Block) -> Markup:
    match block:
        case Text(text):
            return paragraph(text)
        case Heading(text):
            return element("h3", prose(text))
        case Items(items):
            return bullets(items)
        case Caution(items, title):
            return joined(caution_box(items, title=title))
        case Pointers():
            return _pointers(block)
        case Table():
            return _table(block)
        case Figure():
            return _figure(block)
        case Copied(name, what, inner):
            return copyable(name, what, *map(_rendered, inner))
        case Folded(title, inner):
            return folded(title, *map(_rendered, inner))
        case References(works):
            return bullets(map(_work, works), class_="references")
        case Facts(facts):
            rows = (joined(element("dt", key), element("dd", text)) for key, text in facts)
            return element("dl", *rows)


def _pointers(block: Pointers) -> Markup:
    links = [element("a", title, href=f"#{name}") for name, title in block.sections]
    listed = [joined(", " if i else " ", link) for i, link in enumerate(links)]
    return element("p", block.text, *listed, ".", class_="pointers")


def _table(block: Table) -> Markup:
    table = report_table(block.display, _id("table", block.stem))
    shown = _marked(table, block.altered)
    if not block.folded:
        return shown
    title = f"{block.display.title.rstrip('.')} ({counted(len(block.display.rows), 'row')})"
    return folded(title, shown, class_="long")


def _figure(block: Figure) -> Markup:
    drawn = figure(_id("figure", block.stem), block.picture.svg, block.caption, note=block.note)
    shown = _marked(drawn, block.altered)
    return folded(block.caption.rstrip("."), shown, class_="long") if block.folded else shown


def _marked(block: Markup, altered: Iterable[str]) -> Markup:
    files = tuple(altered)
    if not files:
        return block
    return joined(caution_box([altered_note(files)], title="Altered"), block)


def _id(kind: str, stem: str) -> str:
    """Return the id of a table or figure in the page, different from those of sections."""
    return f"{kind}-{stem.replace('_', '-')}"


def _work(work: Work) -> Markup:
    parts = [element("em", text) if italic else text for text, italic in work.parts()]
    address = work.address
    return joined(*parts, *([" ", element("a", address, href=address)] if address else []))
