"""A table as HTML, for the report or as a separate file for a word processor."""

from __future__ import annotations

from pyexpr.base.csv_text import is_formula
from pyexpr.base.messages import has_code
from pyexpr.report.columns import head_parts, spanned, title_parts, unbroken
from pyexpr.report.markup import Child, Markup, element, joined, prose, with_symbols
from pyexpr.report.tables.display import REMARK, DisplayTable

_RULE = "1pt solid black"
_CELL = "padding:2pt 6pt;font-family:'Times New Roman',serif;font-size:11pt;vertical-align:top;"
_TEXT = "font-family:'Times New Roman',serif;font-size:11pt;margin:0 0 6pt 0;"
# Otherwise, a spreadsheet that opens the page would evaluate the cell.
_AS_TEXT = r"mso-number-format:'\@';"
# Tables with at most this number of rows stay on one page in print.
_SHORT = 25
# With more columns, the columns are set closer, to fit beside the contents.
_MANY = 7
# With more columns, the table is printed in landscape format.
_SIDEWAYS = 14


def report_table(display: DisplayTable, name: str) -> Markup:
    """Return the table for the report's page, which can be scrolled, sorted and copied.

    Parameters
    ----------
    display : DisplayTable
    name : str
        Id of the table in the page.
    """
    number, words = title_parts(display.title)
    caption = element(
        "caption",
        element(
            "span",
            element("strong", number) if number else None,
            " " if number else None,
            element("em", prose(words)),
        ),
        id=f"{name}-caption",
    )
    look = "apa many" if len(display.columns) > _MANY else "apa"
    table = element("table", caption, _head(display), _body(display), id=name, class_=look)
    return element(
        "div",
        element("div", table, class_="scroll", role="region", tabindex=0,
                aria_labelledby=f"{name}-caption"),
        # This is shown only if columns are hidden.
        element("p", "The table has more columns: scroll sideways.", class_="hint"),
        _notes(display),
        element(
            "p",
            element("button", "Copy table", type="button", data_copy=name,
                    aria_describedby=f"{name}-caption"),
            class_="tools",
        ),
        class_=" ".join(
            ["tablebox"]
            + ["short"] * (len(display.rows) <= _SHORT)
            + ["sideways"] * (len(display.columns) > _SIDEWAYS)
        ),
    )  # fmt: skip


def _head(display: DisplayTable) -> Markup:
    spanners, heads = spanned(display.columns)
    rows = []
    if any(spanner.text for spanner in spanners):
        rows.append(
            element(
                "tr",
                *(
                    element(
                        "th", prose(one.text), scope="colgroup", colspan=one.width, class_="over"
                    )
                    if one.text
                    else element("td")
                    for one in spanners
                ),
            )
        )
    rows.append(
        element(
            "tr",
            *(
                element(
                    "th",
                    element("button", _italic(head), type="button", class_="sort"),
                    scope="col",
                    aria_sort="none",
                    class_="text" if j < display.text_columns else None,
                )
                for j, head in enumerate(heads)
            ),
        )
    )
    return element("thead", *rows)


def _italic(head: str) -> Markup:
    return with_symbols(head_parts(head))


def _body(display: DisplayTable) -> Markup:
    rows = []
    for i, row in enumerate(display.rows):
        cells = []
        for j, cell in enumerate(row):
            text = unbroken(cell) if j >= display.text_columns else cell
            shown = element("strong", text) if (i, j) in display.bold else text
            if j == 0:
                cells.append(element("th", shown, scope="row", class_="text"))
            else:
                kind = "text" if j < display.text_columns else None
                cells.append(element("td", shown, class_=kind))
        rows.append(element("tr", *cells))
    return element("tbody", *rows)


def _notes(display: DisplayTable) -> Markup | None:
    if not display.notes:
        return None
    parts: list[Child] = [element("em", "Note."), " ", prose(display.notes[0])]
    for note in display.notes[1:]:
        # Lettered remarks, to which cells of the table refer, are on separate lines.
        parts += [element("br") if has_code(note, REMARK) else " ", prose(note)]
    return element("p", *parts, class_="note")


def word_html(display: DisplayTable) -> str:
    """Return a page with only the table, with inline styles of cells, which Word keeps."""
    number, words = title_parts(display.title)
    title = joined(
        element("p", element("b", number), style=_TEXT) if number else None,
        element("p", element("i", prose(words)), style=_TEXT),
    )
    notes = (
        element("p", element("i", "Note."), " ", prose(" ".join(display.notes)),
                style=_TEXT.replace("0 0 6pt 0", "6pt 0 0 0"))
        if display.notes
        else None
    )  # fmt: skip
    body = joined(title, _word_table(display), notes)
    page = element(
        "html",
        element("head", element("meta", charset="utf-8"), element("title", display.title)),
        element("body", body),
        lang="en",
    )
    return f"<!DOCTYPE html>\n{page}\n"


def _word_table(display: DisplayTable) -> Markup:
    spanners, heads = spanned(display.columns)
    over = any(spanner.text for spanner in spanners)

    def style(j: int, text: str = "", **rules: str) -> str:
        side = "left" if j < display.text_columns else "right"
        return (
            _CELL
            + f"text-align:{side};"
            + "".join(f"{name.replace('_', '-')}:{value};" for name, value in rules.items())
            + (_AS_TEXT if is_formula(text) else "")
        )

    rows = []
    if over:
        cells, at = [], 0
        for one in spanners:
            line = {"border_top": _RULE} | ({"border_bottom": _RULE} if one.text else {})
            look = style(at, one.text, **line).replace("text-align:right", "text-align:center")
            cells.append(element("th", prose(one.text), colspan=one.width, style=look))
            at += one.width
        rows.append(element("tr", *cells))
    line = {"border_bottom": _RULE} | ({} if over else {"border_top": _RULE})
    rows.append(
        element(
            "tr",
            *(
                element("th", _italic(head), style=style(j, head, **line))
                for j, head in enumerate(heads)
            ),
        )
    )
    last = len(display.rows) - 1
    for i, row in enumerate(display.rows):
        end = {"border_bottom": _RULE} if i == last else {}
        rows.append(
            element(
                "tr",
                *(
                    element(
                        "td",
                        element("b", cell) if (i, j) in display.bold else cell,
                        style=style(j, cell, **end),
                    )
                    for j, cell in enumerate(row)
                ),
            )
        )
    return element("table", *rows, border="0", cellspacing="0", style="border-collapse:collapse;")
