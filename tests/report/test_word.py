"""The report as a Word document: APA's tables, text as it is, equal bytes, known as our own."""

from __future__ import annotations

import builtins
import io
import zipfile
from pathlib import Path
from typing import Any

import docx
import pytest
from docx.oxml.ns import qn

from pyexpr.base.files import OutputError
from pyexpr.report.outline import (
    Caution,
    Copied,
    Figure,
    Folded,
    Items,
    Outline,
    Picture,
    References,
    Section,
    Table,
    Text,
)
from pyexpr.report.tables.display import DisplayTable
from pyexpr.report.text.references import cited
from pyexpr.report.word.document import is_own_document, study_document

NASTY = '<w:p> & "x" \x00\x1b[31m \ufffe'
WIDE = DisplayTable(
    "Table 2. Wide.", ("Model", *(f"NRMSE: {c}" for c in "abcdefgh")), (("net", *"12345678"),)
)
NARROW = DisplayTable(
    "Table 1. ICC(1,k).",
    ("Context", "Estimate", "p, Holm"),
    (("pain", "−.10", "< .001"), (NASTY, ".20", ".300")),
    ("First, p < .05.", "Second."),
    frozenset({(0, 1)}),
)


def png() -> bytes:
    from PIL import Image

    target = io.BytesIO()
    Image.new("RGB", (4, 2)).save(target, "png")
    return target.getvalue()


def outline() -> Outline:
    figure = Figure("performance", Picture("<svg/>", png()), "Figure 1. Performance.", "Of all.")
    return Outline(
        NASTY,
        (Caution(("Simulated.",)),),
        (
            Section(
                "summary", "In brief", (Copied("c", "it", (Text("It was, p = .02."),)), figure)
            ),
            Section("results", "Results", (Table("a", NARROW), Table("b", WIDE, folded=True))),
            Section("method", "Method", (Folded("Models", (Items(("One.", "Two.")),)),)),
            Section("citing", "References", (References(cited("Holm, 1979", "1")),)),
        ),
    )


@pytest.fixture(scope="module")
def content() -> bytes:
    return study_document(outline())


@pytest.fixture(scope="module")
def document(content: bytes) -> Any:
    return docx.Document(io.BytesIO(content))


def test_the_same_outline_gives_the_same_bytes_and_no_moment_of_now(content: bytes) -> None:
    assert study_document(outline()) == content
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert {entry.date_time for entry in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        core = archive.read("docProps/core.xml").decode()
    assert core.count("1980-01-01T00:00:00Z") == 2
    assert "20" not in core.partition("<dcterms:created")[2]


def test_a_table_has_number_title_note_and_apas_rules(document: Any) -> None:
    table = document.tables[0]
    assert [[cell.text for cell in row.cells] for row in table.rows][:2] == [
        ["Context", "Estimate", "p, Holm"], ["pain", "−.10", "<\u00a0.001"],
    ]  # fmt: skip
    shown = [paragraph.text for paragraph in document.paragraphs]
    at = shown.index("Table 1")
    assert shown[at : at + 3] == ["Table 1", "ICC(1,k)", "Note. First, p < .05. Second."]
    number, title, note = document.paragraphs[at : at + 3]
    assert number.runs[0].bold
    assert title.runs[0].italic
    assert [run.text for run in note.runs if run.italic] == ["Note.", "p"]

    def rules(row: Any) -> set[str]:
        borders = row.cells[0]._tc.findall(f".//{qn('w:tcBorders')}/*")
        return {line.tag.rpartition("}")[2] for line in borders}

    assert [rules(row) for row in table.rows] == [{"top", "bottom"}, set(), {"bottom"}]
    assert table.rows[1].cells[1].paragraphs[0].runs[0].bold
    assert [run.text for run in table.rows[0].cells[2].paragraphs[0].runs if run.italic] == ["p"]


def test_a_wide_table_has_a_page_turned_sideways_and_a_spanner(document: Any) -> None:
    wide = [one.page_width > one.page_height for one in document.sections]
    assert wide == [False, True, False]
    heads = [cell.text for cell in document.tables[1].rows[0].cells]
    assert heads == ["", *["NRMSE"] * 8]


def test_a_heading_stands_on_the_page_of_the_wide_table_that_follows() -> None:
    sections = (
        Section("a", "Upright", (Text("It was."),)), Section("b", "Sideways", (Table("b", WIDE),)),
    )  # fmt: skip
    made = docx.Document(io.BytesIO(study_document(Outline("A", (), sections))))
    pages = [""]
    for child in made.element.body:
        pages[-1] += "".join(text for text in child.itertext())
        if child.findall(f".//{qn('w:sectPr')}"):
            pages.append("")
    assert [("It was." in page, "Sideways" in page, "Wide" in page) for page in pages] == [
        (True, False, False), (False, True, True),
    ]  # fmt: skip


def test_columns_are_as_wide_as_what_they_hold_and_fit_the_page() -> None:
    label = "a label of many words that is wrapped where the page has no room for it, as here"
    rows = ((label, "0.1 [−0.25, 0.35]", "1"), ("b", "0.2 [−0.15, 0.45]", "2"))
    display = DisplayTable("Table 1. A.", ("Label", "Estimate", "n"), rows)
    made = docx.Document(
        io.BytesIO(study_document(Outline("A", (), (Section("a", "A", (Table("t", display),)),))))
    )
    table, page = made.tables[0], made.sections[0]
    widths = [column.width for column in table.columns]
    assert sum(widths) <= page.page_width - page.left_margin - page.right_margin + 10
    assert widths[0] > widths[1] > widths[2]
    assert [cell.width for cell in table.rows[1].cells] == widths
    # An interval stays on a line.
    assert table.rows[1].cells[1].text == "0.1 [−0.25,\u00a00.35]"
    assert all(row._tr.findall(f".//{qn('w:cantSplit')}") for row in table.rows)


def test_text_is_text_and_figures_have_words(document: Any) -> None:
    assert "<w:p> & " in document.paragraphs[0].text
    assert r"\x00\x1b[31m \ufffe" in document.tables[0].rows[2].cells[0].text
    assert len(document.inline_shapes) == 1
    assert document.inline_shapes[0]._inline.docPr.get("descr") == "Performance"
    last = document.paragraphs[-1]
    assert last.text.startswith("Holm, S. (1979). A simple")
    assert last.paragraph_format.first_line_indent < 0


def test_a_tall_figure_fits_the_page_with_its_caption() -> None:
    from PIL import Image

    target = io.BytesIO()
    Image.new("L", (2, 9)).save(target, "png")
    tall = Figure("tall", Picture("<svg/>", target.getvalue()), "Figure 1. Tall.")
    made = study_document(Outline("A", (), (Section("a", "A", (tall,)),)))
    (shape,) = docx.Document(io.BytesIO(made)).inline_shapes
    assert 20 < shape.height.cm < 22
    assert shape.width.cm == pytest.approx(shape.height.cm * 2 / 9, abs=0.01)


def test_it_is_known_as_ours_until_it_is_edited(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "report.docx"
    path.write_bytes(content)
    assert is_own_document(path)
    document = docx.Document(str(path))
    document.add_paragraph("Mine.")
    document.save(str(path))
    assert not is_own_document(path)
    path.write_bytes(b"PK")
    assert not is_own_document(path)
    assert not is_own_document(tmp_path / "absent.docx")


def test_without_python_docx_a_sentence_says_how_to_get_it(monkeypatch: Any) -> None:
    real = builtins.__import__

    def absent(name: str, *args: Any, **kwargs: Any) -> Any:
        if name == "docx":
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", absent)
    with pytest.raises(OutputError, match=r"pip install 'pyexpr-stats\[word\]'"):
        study_document(outline())
