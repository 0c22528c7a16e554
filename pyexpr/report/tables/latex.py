"""A table as LaTeX with booktabs and escaped text."""

from __future__ import annotations

import re
from collections.abc import Sequence

from pyexpr.report.columns import Spanner, head_parts, spanned, symbols, title_parts
from pyexpr.report.tables.display import DisplayTable
from pyexpr.report.tables.latex_fit import FITS, Fit, align, head_lines, parts, width

# A star or bracket after the end of a row would be read as its argument.
_SIGNS = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "#": r"\#",
    "%": r"\%", "_": r"\_", "^": r"\textasciicircum{}", "~": r"\textasciitilde{}",
    "<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}", "[": "{[}", "]": "{]}",
    "*": "{*}", '"': r"\texttt{\char34}", "'": "{'}", "`": "{`}",
    "−": "$-$", "—": "---", "–": "--", "∞": r"$\infty$", "²": "$^2$", "×": r"$\times$",
    "±": r"$\pm$", "≥": r"$\geq$", "≤": r"$\leq$", "√": r"$\surd$", "Δ": r"$\Delta$",
    "α": r"$\alpha$", "ε": r"$\varepsilon$", "η": r"$\eta$", "θ": r"$\theta$",
    "β": r"$\beta$", "λ": r"$\lambda$", "μ": r"$\mu$", "χ": r"$\chi$", "ρ": r"$\rho$",
    "σ": r"$\sigma$", "Σ": r"$\Sigma$", "ω": r"$\omega$", "Ω": r"$\Omega$", "→": r"$\to$",
    "…": r"\ldots{}",
    "\u00a0": "~",
}  # fmt: skip
_BLANKS = re.compile(r"[ \t\r\n]+")
# Two of these characters in a row would be printed as one other character.
_LIGATURE = "([-–—](?=[-–—])|,(?=,))"
_SIGN = re.compile("|".join([_LIGATURE, *map(re.escape, _SIGNS)]))
# Latin letters. LaTeX knows few other letters, and stops at an unknown one.
_LATIN = re.compile("[\x00-\u024f\u2000-\u206f]*")
# A table with more rows does not fit on a page.
_PAGE = 40


def escaped(text: str) -> str:
    r"""Return text that LaTeX prints as it is, on one line.

    Letters outside ASCII are kept, because LaTeX reads UTF-8.

    Examples
    --------
    >>> escaped("[−.08, 95%]")
    '{[}$-$.08, 95\\%{]}'
    """
    return _escaped_part(" ".join(text.split()))


def _set(parts: Sequence[tuple[str, bool]]) -> str:
    """Return the escaped text, with symbols of statistics in italics."""
    # Parts are escaped one by one, and blanks between them are kept.
    return "".join(
        rf"\textit{{{text}}}" if symbol else _escaped_part(_BLANKS.sub(" ", text))
        for text, symbol in parts
    ).strip()


def _escaped_part(text: str) -> str:
    return _SIGN.sub(
        lambda sign: _SIGNS.get(sign[0], sign[0]) + ("{}" if sign[1] else ""),
        text,
    )


def latex(display: DisplayTable) -> str:
    r"""Return the table with caption, booktabs rules and notes.

    It is a ``table`` environment, or a ``longtable`` if it has more rows than a page. If the table
    is too wide, the following are tried in turn: labels are broken over lines (array), the type is
    set smaller, the table is set in landscape format (pdflscape), and it is divided into parts that
    each begin with the labels. It is never scaled, because letters could then have any size.
    Columns with a common head share it (``\cmidrule``); cells in `bold` are bold.
    """
    fit = next((fit for fit in FITS if width(display, fit) <= fit.room), None)
    if fit is not None:
        return _table(display, fit)
    shared = enumerate(parts(display, FITS[-1]))
    return "\n".join(_table(part, FITS[-1], again=i > 0) for i, part in shared)


def _table(display: DisplayTable, fit: Fit, *, again: bool = False) -> str:
    """Return one table; `again` keeps the number of the previous table."""
    spanners, heads = spanned(display.columns)
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
    aligned = align(display, heads, fit)
    columns = rf"{{@{{}}{aligned}@{{}}}}"
    # LaTeX numbers tables itself.
    caption = rf"\caption{{{_set(symbols(title_parts(display.title)[1]))}}}"
    long = len(display.rows) > _PAGE
    packages = [
        "booktabs",
        *(["longtable"] if long else []),
        *(["array"] if "p{" in aligned else []),
        *(["pdflscape"] if fit.turned else []),
    ]
    set_in = [rf"\{fit.size}", rf"\setlength{{\tabcolsep}}{{{fit.gap:g}pt}}"]
    make = _long if long else _short
    lines = make(display, columns, caption, set_in, top, body)
    if again:
        lines.insert(0, r"\addtocounter{table}{-1}")
    if fit.turned:
        lines = [r"\begin{landscape}", *lines, r"\end{landscape}"]
    text = "\n".join(lines)
    return f"{_needs(*packages, latin=bool(_LATIN.fullmatch(text)))}\n{text}\n"


def _short(
    display: DisplayTable,
    columns: str,
    caption: str,
    set_in: list[str],
    top: list[str],
    body: list[str],
) -> list[str]:
    lines = [
        r"\begin{table}",
        r"\centering",
        caption,
        *set_in,
        rf"\begin{{tabular}}{columns}",
        *top,
        *body,
        r"\bottomrule",
        r"\end{tabular}",
    ]
    if display.notes:
        lines += [
            r"\par\smallskip",
            r"\begin{minipage}{\linewidth}",
            rf"\footnotesize {_notes(display)}",
            r"\end{minipage}",
        ]
    return [*lines, r"\end{table}"]


def _long(
    display: DisplayTable,
    columns: str,
    caption: str,
    set_in: list[str],
    top: list[str],
    body: list[str],
) -> list[str]:
    lines = [
        r"\begingroup",
        *set_in,
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
    return [*lines, r"\endgroup"]


def _needs(*packages: str, latin: bool) -> str:
    used = "".join(rf"\usepackage{{{name}}}" for name in packages)
    by = (
        "the default encoding of LaTeX since 2018"
        if latin
        else "with letters that need XeLaTeX or LuaLaTeX and a font that has them"
    )
    return f"% Requires {used}; the text is UTF-8, {by}."


def _notes(display: DisplayTable) -> str:
    return rf"\textit{{Note.}} {' '.join(_set(symbols(note)) for note in display.notes)}"


def _row(cells: list[str]) -> str:
    return " & ".join(cells) + r" \\"


def _head(head: str, j: int, display: DisplayTable) -> str:
    lines = [
        _set(head_parts(line) if i == 0 else symbols(line))
        for i, line in enumerate(head_lines(head, j, display))
    ]
    stacked = r" \\ ".join(lines)
    text = stacked if len(lines) == 1 else rf"\shortstack{{{stacked}}}"
    return text if j < display.text_columns or not head else rf"\multicolumn{{1}}{{c}}{{{text}}}"


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
