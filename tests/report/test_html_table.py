"""Tables as HTML: for the report with scopes and captions, for Word with styles on the cells."""

from __future__ import annotations

from xml.etree import ElementTree

from pyexpr.paper import published_numbers
from pyexpr.report.tables import tables
from pyexpr.report.tables.display import REMARK, DisplayTable
from pyexpr.report.tables.html import report_table, word_html

DISPLAY = DisplayTable(
    title="Table 1. Cells <b> & more.",
    columns=("Context", "NRMSE: Pain", "NRMSE: All", "p"),
    rows=(("<Pain>", ".1 [.0, .2]", ".3", "< .001"), ("All", "—", ".2", ".5")),
    notes=("A & B.", REMARK(letter="a", remark="why")),
    bold=frozenset({(0, 1)}),
)


def tree(text: str) -> ElementTree.Element:
    return ElementTree.fromstring(text.replace("<br>", "<br/>").replace('utf-8">', 'utf-8"/>'))


def text_of(node: ElementTree.Element) -> str:
    return "".join(node.itertext()).replace("\u00a0", " ")


def test_the_report_table_names_its_heads_for_a_screen_reader() -> None:
    root = tree(report_table(DISPLAY, "t1"))
    table = root.find(".//table")
    assert table is not None
    assert [text_of(th) for th in table.findall("thead/tr/th[@scope='col']")] == [
        "Context", "Pain", "All", "p",
    ]  # fmt: skip
    over = table.find("thead/tr/th[@scope='colgroup']")
    assert over is not None
    assert (over.get("colspan"), over.text) == ("2", "NRMSE")
    assert [text_of(th) for th in table.findall("tbody/tr/th[@scope='row']")] == ["<Pain>", "All"]
    caption = table.find("caption")
    assert caption is not None
    assert text_of(caption) == "Table 1 Cells <b> & more"
    box = root.find("div")
    assert box is not None
    assert box.get("aria-labelledby") == caption.get("id")
    assert box.get("tabindex") == "0"
    assert [text_of(one) for one in root.findall("p")[:2]] == [
        "The table has more columns: scroll sideways.", "Note. A & B.(a) why.",
    ]  # fmt: skip
    bold = table.findall("tbody//strong")
    assert [text_of(one) for one in bold] == [".1 [.0, .2]"]
    # Neither an interval nor a p is broken over lines.
    assert {"[.0,\u00a0.2]", "<\u00a0.001"} <= {
        word for cell in table.iter() for word in (cell.text or "").split(" ")
    }


def test_symbols_of_statistics_are_in_italics() -> None:
    display = DisplayTable(
        "Table 1. ICC(1,k).", ("Context", "p, Holm", "CI, jackknife-t"), (("p", ".1", ".2"),),
        ("F(2, 20) = 0.92, p = .41; no p value of R², and a pain of k people.",),
    )  # fmt: skip
    for text in (report_table(display, "t1"), word_html(display)):
        found = [text_of(one) for one in tree(text.rpartition("<!DOCTYPE html>\n")[2]).iter("i")]
        words = [one for one in found if len(one) < 3]
        assert words == ["k", "p", "t", "F", "p", "p", "R"]


def test_all_cells_are_there() -> None:
    display = tables.performance_table(published_numbers.performance())
    body = tree(report_table(display, "t3")).findall(".//tbody/tr")
    assert [tuple(text_of(cell) for cell in row) for row in body] == list(display.rows)


def test_word_keeps_rules_and_letters_on_the_cells() -> None:
    text = word_html(DISPLAY)
    assert text.startswith("<!DOCTYPE html>")
    root = tree(text.partition("\n")[2])
    cells = root.findall(".//table/tr")
    assert len(cells) == 4
    assert all("font-family" in (cell.get("style") or "") for row in cells for cell in row)
    assert "border-top" in (cells[0][0].get("style") or "")
    assert "border-bottom" in (cells[-1][0].get("style") or "")
    assert [text_of(cell) for cell in cells[2]] == ["<Pain>", ".1 [.0, .2]", ".3", "< .001"]
    paragraphs = [text_of(one) for one in root.findall("body/p")]
    assert paragraphs == ["Table 1", "Cells <b> & more", "Note. A & B. (a) why."]
    assert "script" not in text
