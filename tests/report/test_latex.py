"""LaTeX read back by a strict reader gives the table; its width is estimated, no TeX is asked."""

from __future__ import annotations

import re

import pytest
from report.latex_reader import printed, rows

from pyexpr.paper import published_numbers
from pyexpr.report.tables import tables
from pyexpr.report.tables.display import DisplayTable
from pyexpr.report.tables.latex import _SIGNS, escaped, latex

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
    message = r"\textit{F}(2, 20) = 0.92, \textit{p} = .41; \textit{R}$^2$ and an \textit{SD}."
    assert message in text


@pytest.mark.parametrize("n", [40, 41])
def test_a_long_table_goes_over_pages(n: int) -> None:
    display = DisplayTable("Long.", ("A", "B"), tuple((f"r{i}", ".1") for i in range(n)), ("N.",))
    text = latex(display)
    assert ("longtable" in text) is (n > 40)
    assert [row for row in rows(text) if row != ["A", "B"]] == [list(row) for row in display.rows]


@pytest.mark.parametrize("rows_of", [3, 50])
@pytest.mark.parametrize(
    ("n", "label", "size", "packages"),
    [
        (5, "short", "small", ()),
        (9, "short", "footnotesize", ()),
        (11, "short", "footnotesize", ("pdflscape",)),
        (6, "a label of many words that may be broken over lines", "small", ("array",)),
        (11, "a label of many words that may be broken", "footnotesize", ("array", "pdflscape")),
    ],
)
def test_a_wide_table_is_made_to_fit(
    rows_of: int, n: int, label: str, size: str, packages: tuple[str, ...]
) -> None:
    columns = ("Model", *(f"C{i}: CI" for i in range(n)))
    lines = tuple((f"{label} {i}", *("[.10, .20]",) * n) for i in range(rows_of))
    text = latex(DisplayTable("Wide.", columns, lines))
    assert rows(text)[-rows_of:] == [list(line) for line in lines]
    assert f"\\{size}\n" in text
    requested = {name for name in ("array", "pdflscape") if f"usepackage{{{name}}}" in text}
    assert requested == set(packages)
    assert text.count(r"\begin{landscape}") == ("pdflscape" in packages)
    assert "resizebox" not in text
    assert text.count("{") == text.count("}")


@pytest.mark.parametrize("rows_of", [3, 50])
def test_a_table_too_wide_for_any_page_goes_in_parts(rows_of: int) -> None:
    heads = tuple(f"{metric}: C{i}" for metric in ("NRMSE", "R", "MAE") for i in range(8))
    lines = tuple(
        ("a", f"b {i}", *(f"[.{j}{k}, .20]" for k in range(3) for j in range(8)))
        for i in range(rows_of)
    )
    display = DisplayTable(
        "Wide.", ("A", "B", *heads), lines, ("A note.",), frozenset({(1, 2), (1, 19)}), 2
    )
    texts = re.split(r"(?=% Requires)", latex(display))[1:]
    assert len(texts) == 3
    found = [rows(text)[-rows_of:] for text in texts]
    for i, line in enumerate(lines):
        assert [cell for part in found for cell in part[i][2:]] == list(line[2:])
        assert all(part[i][:2] == list(line[:2]) for part in found)
    # One number, its heads together, the note under the last, and what is bold stays bold.
    assert [r"\addtocounter{table}{-1}" in text for text in texts] == [False, True, True]
    assert [f"part {i} of 3" in text for i, text in enumerate(texts, start=1)] == [True] * 3
    assert [rows(text)[0] for text in texts] == [["", "", name] for name in ("NRMSE", "R", "MAE")]
    assert ["A note." in text for text in texts] == [False, False, True]
    assert [text.count(r"\textbf") for text in texts] == [1, 0, 1]


@pytest.mark.parametrize("numbers", [0, 1])
def test_labels_too_wide_for_any_page_are_printed_all_the_same(numbers: int) -> None:
    line = ("x" * 90, "y" * 90, *(".1",) * numbers)
    text = latex(DisplayTable("Wide.", ("A", "B", "C")[: len(line)], (line,), text_columns=2))
    assert rows(text)[-1] == list(line)
    assert "part" not in text


def test_the_papers_tables_come_back() -> None:
    for display in (
        tables.reliability_table(published_numbers.reliability()),
        tables.loadings_table(published_numbers.loadings()),
        tables.performance_table(published_numbers.performance()),
        tables.comparison_table(published_numbers.comparison()),
    ):
        found = rows(latex(display))
        assert found[-len(display.rows) :] == [list(row) for row in display.rows]
