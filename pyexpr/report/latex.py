"""A table as LaTeX: booktabs, everything escaped."""

from __future__ import annotations

import re
from collections.abc import Sequence
from textwrap import wrap

from pyexpr.report.columns import Spanner, head_parts, spanned, symbols, title_parts
from pyexpr.report.display import DisplayTable

# A star or bracket after the end of a row would be read as its argument.
_SIGNS = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "#": r"\#",
    "%": r"\%", "_": r"\_", "^": r"\textasciicircum{}", "~": r"\textasciitilde{}",
    "<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}", "[": "{[}", "]": "{]}",
    "*": "{*}", '"': r"\char34{}", "'": "{'}", "`": "{`}",
    "−": "$-$", "—": "---", "–": "--", "∞": r"$\infty$", "²": "$^2$", "×": r"$\times$",
    "±": r"$\pm$", "≥": r"$\geq$", "≤": r"$\leq$", "√": r"$\surd$", "Δ": r"$\Delta$",
    "α": r"$\alpha$", "ε": r"$\varepsilon$", "η": r"$\eta$", "θ": r"$\theta$",
    "β": r"$\beta$", "λ": r"$\lambda$", "μ": r"$\mu$", "χ": r"$\chi$", "ρ": r"$\rho$",
    "σ": r"$\sigma$", "Σ": r"$\Sigma$", "ω": r"$\omega$", "Ω": r"$\Omega$", "→": r"$\to$",
    "…": r"\ldots{}",
    "\u00a0": "~",
}  # fmt: skip
_BLANKS = re.compile(r"[ \t\r\n]+")
_SIGN = re.compile("|".join(map(re.escape, _SIGNS)))
# Digits in a line of text, and rows of a page, at the usual sizes.
_LINE = 84
_PAGE = 40


def escaped(text: str) -> str:
    r"""Return text that LaTeX prints as it is, on one line.

    Letters that are not ASCII stay: LaTeX reads UTF-8.

    Examples
    --------
    >>> escaped("[−.08, 95%]")
    '{[}$-$.08, 95\\%{]}'
    """
    return _escaped_part(" ".join(text.split()))


def _set(parts: Sequence[tuple[str, bool]]) -> str:
    """Return a text's parts escaped, symbols of statistics in italics."""
    # One by one, blanks kept, for they stand between the parts.
    return "".join(
        rf"\textit{{{text}}}" if symbol else _escaped_part(_BLANKS.sub(" ", text))
        for text, symbol in parts
    ).strip()


def _escaped_part(text: str) -> str:
    return _SIGN.sub(lambda sign: _SIGNS[sign.group()], text)


def latex(display: DisplayTable) -> str:
    r"""Return the table with caption, booktabs rules and notes.

    A ``table`` environment, shrunk to the text's width where it is too wide (graphicx);
    a ``longtable`` where it has more rows than a page holds. Columns under one head
    share it (``\cmidrule``); cells in `bold` are bold.
    """
    spanners, heads = spanned(display.columns)
    align = "".join("l" if j < display.text_columns else "r" for j in range(len(heads)))
    shown = [_head(head, j, display) for j, head in enumerate(heads)]
    top = [r"\toprule"]
    if any(spanner.text for spanner in spanners):
        top += _spanner_lines(spanners)
    top += [_row(shown), r"\midrule"]
    body = [
        _row(
            [
                rf"\textbf{{{escaped(cell)}}}" if (i, j) in display.bold else escaped(cell)
                for j, cell in enumerate(row)
            ]
        )
        for i, row in enumerate(display.rows)
    ]
    columns = rf"{{@{{}}{align}@{{}}}}"
    # LaTeX numbers tables itself.
    caption = rf"\caption{{{_set(symbols(title_parts(display.title)[1]))}}}"
    if len(display.rows) > _PAGE:
        return _long(display, columns, caption, top, body)
    wide = _width(display, heads) > _LINE
    lines = [
        _needs("booktabs", *(["graphicx"] if wide else [])),
        r"\begin{table}",
        r"\centering",
        caption,
        r"\small",
        r"\setlength{\tabcolsep}{4pt}",
        *([r"\resizebox{\textwidth}{!}{%"] if wide else []),
        rf"\begin{{tabular}}{columns}",
        *top,
        *body,
        r"\bottomrule",
        r"\end{tabular}" + ("}" if wide else ""),
    ]
    if display.notes:
        lines += [
            r"\par\smallskip",
            r"\begin{minipage}{\linewidth}",
            rf"\footnotesize {_notes(display)}",
            r"\end{minipage}",
        ]
    return "\n".join([*lines, r"\end{table}"]) + "\n"


def _long(
    display: DisplayTable, columns: str, caption: str, top: list[str], body: list[str]
) -> str:
    lines = [
        _needs("booktabs", "longtable"),
        r"\begingroup",
        r"\scriptsize",
        r"\setlength{\tabcolsep}{3pt}",
        rf"\begin{{longtable}}{columns}",
        rf"{caption} \\",
        *top,
        r"\endfirsthead",
        *top,
        r"\endhead",
        r"\bottomrule",
        r"\endfoot",
        *body,
        r"\end{longtable}",
    ]
    if display.notes:
        lines += [r"\noindent", _notes(display), r"\par"]
    return "\n".join([*lines, r"\endgroup"]) + "\n"


def _needs(*packages: str) -> str:
    used = "".join(rf"\usepackage{{{name}}}" for name in packages)
    return f"% Needs {used}; text is UTF-8, which LaTeX of 2018 or later reads by itself."


def _notes(display: DisplayTable) -> str:
    return rf"\textit{{Note.}} {' '.join(_set(symbols(note)) for note in display.notes)}"


def _width(display: DisplayTable, heads: Sequence[str]) -> int:
    """Return about how many digits wide the table is, two between columns."""
    return sum(
        2 + max([*map(len, _lines(heads[j], j, display)), *(len(row[j]) for row in display.rows)])
        for j in range(len(heads))
    )


def _row(cells: list[str]) -> str:
    return " & ".join(cells) + r" \\"


def _head(head: str, j: int, display: DisplayTable) -> str:
    lines = [
        _set(head_parts(line) if i == 0 else symbols(line))
        for i, line in enumerate(_lines(head, j, display))
    ]
    stacked = r" \\ ".join(lines)
    text = stacked if len(lines) == 1 else rf"\shortstack{{{stacked}}}"
    return text if j < display.text_columns or not head else rf"\multicolumn{{1}}{{c}}{{{text}}}"


def _lines(head: str, j: int, display: DisplayTable) -> list[str]:
    """Break a head over numbers where it is wider than they are."""
    if j < display.text_columns:
        return [head]
    room = max([8, *(len(row[j]) for row in display.rows)])
    return wrap(head, room, break_long_words=False, break_on_hyphens=False) or [""]


def _spanner_lines(spanners: tuple[Spanner, ...]) -> list[str]:
    cells, rules, at = [], [], 1
    for spanner in spanners:
        if spanner.text:
            cells.append(rf"\multicolumn{{{spanner.width}}}{{c}}{{{_set(symbols(spanner.text))}}}")
            rules.append(rf"\cmidrule(lr){{{at}-{at + spanner.width - 1}}}")
        else:
            cells.append("")
        at += spanner.width
    return [_row(cells), "".join(rules)]
