"""Tables show every label that Unicode allows, and nothing of it is more than text."""

from __future__ import annotations

import io
import re
from html.parser import HTMLParser

from any_label import ANY, examples
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from report.latex_reader import printed

from pyexpr.base.csv_text import is_formula
from pyexpr.base.visible import LINES, visible
from pyexpr.report.outline import Outline, Section, Table, Text
from pyexpr.report.tables.display import DisplayTable
from pyexpr.report.tables.html import report_table, word_html
from pyexpr.report.tables.latex import escaped, latex
from pyexpr.report.word.document import study_document

MARKDOWN = MarkdownIt("commonmark").enable(["table", "strikethrough"])
# Elements that a table may have, and no other.
OURS = {
    "html", "head", "meta", "title", "body", "table", "caption", "thead", "tbody", "tr", "th", "td",
    "p", "b", "i", "em", "strong", "br", "div", "button", "span",
}  # fmt: skip


def table_of(label: str) -> DisplayTable:
    return DisplayTable(
        f"Of {label}", ("Label", label), ((label, "1"), ("b", label)), (label,), frozenset({(1, 1)})
    )


def one_line(text: str) -> str:
    return " ".join(text.split())


def markdown_texts(text: str) -> list[str]:
    """Return the text of each cell and paragraph; anything but text and bold is an error."""
    found = []
    for token in MARKDOWN.parse(text):
        if token.type == "inline":
            children = token.children or []
            assert {child.type for child in children} <= {"text", "strong_open", "strong_close"}
            found.append("".join(child.content for child in children))
        else:
            assert token.type.partition("_")[0] in {
                "paragraph",
                "table",
                "thead",
                "tbody",
                "tr",
                "th",
                "td",
            }
    return found


@examples(50)
@given(ANY)
def test_markdown(label: str) -> None:
    shown = one_line(visible(label))
    note = one_line(f"Note: {visible(label, keep=LINES)}")
    found = markdown_texts(table_of(label).markdown())
    assert found == [one_line(f"Of {shown}"), "Label", shown, shown, "1", "b", shown, note]


def test_markdown_of_ordinary_labels_stays_readable() -> None:
    cells = ("AU06_r", "[−.08, .20]", "AT&T", "R² = .5", "95 % CI", "a - b", "[.1, .2](a)")
    text = DisplayTable("T.", ("A",), tuple((cell,) for cell in cells)).markdown()
    found = [line.strip("| ") for line in text.splitlines()[4:]]
    assert found == [*cells[:-1], r"\[.1, .2\](a)"]


@examples(40)
@given(ANY)
def test_latex(label: str) -> None:
    shown = one_line(visible(label))
    assert printed(escaped(visible(label))) == shown
    text = latex(table_of(label))
    begun, ended = (sorted(re.findall(rf"\\{word}\{{(.*?)\}}", text)) for word in ("begin", "end"))
    assert begun == ended
    assert set(begun) <= {"table", "tabular", "minipage", "landscape"}
    # What TeX would read as one character, or obey.
    assert not [sign for sign in text if ord(sign) < 32 and sign != "\n"]
    assert "^^" not in text


class Cells(HTMLParser):
    """Texts of cells, as a browser reads them; an element that is not ours is an error."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.cells: list[str] = []
        self.styles: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in OURS
        assert not [name for name, _ in attrs if name.startswith("on") or name in ("href", "src")]
        if tag in ("th", "td"):
            self.cells.append("")
            self.styles.append(dict(attrs).get("style") or "")

    def handle_data(self, data: str) -> None:
        if self.cells:
            self.cells[-1] += data

    def handle_comment(self, data: str) -> None:
        raise AssertionError(data)


@examples(40)
@given(ANY)
def test_html_and_word(label: str) -> None:
    shown = visible(label)
    for text in (report_table(table_of(label), "t"), word_html(table_of(label))):
        text.encode("utf-8")
        found = Cells(text)
        # The last cell runs on into what follows the table.
        assert [cell.replace("\u00a0", " ") for cell in found.cells[1:4]] == [
            shown.replace("\u00a0", " "), shown.replace("\u00a0", " "), "1",
        ]  # fmt: skip
    # A spreadsheet takes the cell for text.
    assert [r"mso-number-format:'\@'" in style for style in found.styles[1:3]] == [
        is_formula(shown)
    ] * 2


@examples(2)
@given(st.lists(ANY, min_size=30, max_size=30))
def test_a_word_document(labels: list[str]) -> None:
    import docx

    display = DisplayTable("Of labels", ("Label",), tuple((label,) for label in labels))
    blocks = (*map(Text, labels), Table("t", display))
    outline = Outline(title=labels[0], lead=(), sections=(Section("s", labels[1], blocks),))
    document = docx.Document(io.BytesIO(study_document(outline)))
    found = [row.cells[0].text for row in document.tables[0].rows]
    assert found == ["Label", *map(visible, labels)]
    texts = [paragraph.text for paragraph in document.paragraphs]
    assert texts[2 : 2 + len(labels)] == [visible(label, keep=LINES) for label in labels]
