"""LaTeX read back by a strict reader gives the table; pdflatex was tried by hand on the same."""

from __future__ import annotations

import re

import pytest
from report.latex_reader import printed, rows

from pyexpr.report import paper_figures, tables
from pyexpr.report.display import DisplayTable
from pyexpr.report.latex import _SIGNS, escaped, latex

EVERY_SIGN = "".join(sign for sign in _SIGNS if sign != "\u00a0")


def test_every_sign_comes_back() -> None:
    text = f"x {EVERY_SIGN} \\end{{tabular}} é ü 100% [a] *b"
    assert printed(escaped(text)) == text


def test_breaks_of_a_line_are_blanks() -> None:
    assert escaped("a\nb\t c") == "a b c"


def nasty() -> DisplayTable:
    return DisplayTable(
        title=f"Table 7. {EVERY_SIGN}",
        columns=("Label", "A: x_1", "A: 95% CI", "p, Holm"),
        rows=(
            ("[first]", "*1", "[−.10, .20]", "< .001"),
            ("", "", "", "—"),
            (EVERY_SIGN, "\\\\", "50%", "&"),
        ),
        notes=(f"All of {EVERY_SIGN}.", "And more."),
        bold=frozenset({(0, 2)}),
    )


def test_a_table_comes_back_cell_by_cell() -> None:
    display = nasty()
    text = latex(display)
    over, heads, *body = rows(text)
    assert over == ["", "A", ""]
    assert heads == ["Label", "x_1", "95% CI", "p, Holm"]
    assert body == [list(row) for row in display.rows]
    assert r"\textbf{{[}$-$.10, .20{]}}" in text
    assert r"\multicolumn{1}{c}{\textit{p}, Holm}" in text
    assert r"\cmidrule(lr){2-3}" in text
    # The number is LaTeX's to give.
    assert r"\caption{Table" not in text
    note = re.search(r"\\textit\{Note\.\} (.*)", text)
    assert note
    assert printed(note[1]) == f"All of {EVERY_SIGN}. And more."
    assert text.isascii() is False or "é" not in text


def test_symbols_of_statistics_are_in_italics() -> None:
    notes = ("F(2, 20) = 0.92, p = .41; R² and an SD.",)
    display = DisplayTable("ICC(1,k) of k raters.", ("A", "CI, jackknife-t"), (("a", "b"),), notes)
    text = latex(display)
    assert r"\caption{ICC(1,\textit{k}) of k raters}" in text
    assert r"jackknife-\textit{t}" in text
    said = r"\textit{F}(2, 20) = 0.92, \textit{p} = .41; \textit{R}$^2$ and an \textit{SD}."
    assert said in text


@pytest.mark.parametrize("n", [40, 41])
def test_a_long_table_goes_over_pages(n: int) -> None:
    display = DisplayTable("Long.", ("A", "B"), tuple((f"r{i}", ".1") for i in range(n)), ("N.",))
    text = latex(display)
    assert ("longtable" in text) is (n > 40)
    assert [row for row in rows(text) if row != ["A", "B"]] == [list(row) for row in display.rows]


def test_a_wide_table_is_shrunk_to_the_line() -> None:
    cells = tuple("[.100, .200]" for _ in range(9))
    display = DisplayTable("Wide.", ("Model", *("CI",) * 9), (("a", *cells),))
    text = latex(display)
    assert r"\resizebox{\textwidth}{!}{%" in text
    assert "graphicx" in text
    assert text.count("{") == text.count("}")
    narrow = latex(DisplayTable("Narrow.", ("A", "B"), (("a", "b"),)))
    assert "resizebox" not in narrow


def test_the_papers_tables_come_back() -> None:
    for display in (
        tables.reliability_table(paper_figures.reliability()),
        tables.loadings_table(paper_figures.loadings()),
        tables.performance_table(paper_figures.performance()),
        tables.comparison_table(paper_figures.comparison()),
    ):
        found = rows(latex(display))
        assert found[-len(display.rows) :] == [list(row) for row in display.rows]
