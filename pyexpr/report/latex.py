"""A table as LaTeX: booktabs, nothing else needed, everything escaped."""

from __future__ import annotations

import re

from pyexpr.report.columns import Spanner, spanned, statistic
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
    "λ": r"$\lambda$", "χ": r"$\chi$", "ρ": r"$\rho$", "σ": r"$\sigma$", "…": r"\ldots{}",
    "\u00a0": "~",
}  # fmt: skip
_SIGN = re.compile("|".join(map(re.escape, _SIGNS)))
_HEAD = (
    "% Needs \\usepackage{booktabs}; text is UTF-8, which LaTeX of 2018 or later reads by itself.\n"
)


def escaped(text: str) -> str:
    r"""Return text that LaTeX prints as it is, on one line.

    Letters that are not ASCII stay: LaTeX reads UTF-8.

    Examples
    --------
    >>> escaped("[−.08, 95%]")
    '{[}$-$.08, 95\\%{]}'
    """
    return _escaped_part(" ".join(text.split()))


def _escaped_part(text: str) -> str:
    return _SIGN.sub(lambda sign: _SIGNS[sign.group()], text)


def latex(display: DisplayTable) -> str:
    r"""Return the table as a ``table`` environment: caption, booktabs rules, notes.

    Columns under one head share it (``\cmidrule``); cells in `bold` are bold.
    """
    spanners, heads = spanned(display.columns)
    align = "".join("l" if j < display.text_columns else "r" for j in range(len(heads)))
    lines = [
        _HEAD + r"\begin{table}",
        r"\centering",
        rf"\caption{{{escaped(display.title)}}}",
        r"\small",
        r"\setlength{\tabcolsep}{4pt}",
        rf"\begin{{tabular}}{{@{{}}{align}@{{}}}}",
        r"\toprule",
    ]
    if any(spanner.text for spanner in spanners):
        lines += _spanner_lines(spanners)
    lines += [_row([_centred(head, j, display) for j, head in enumerate(heads)]), r"\midrule"]
    for i, row in enumerate(display.rows):
        lines.append(
            _row(
                [
                    rf"\textbf{{{escaped(cell)}}}" if (i, j) in display.bold else escaped(cell)
                    for j, cell in enumerate(row)
                ]
            )
        )
    lines += [r"\bottomrule", r"\end{tabular}"]
    if display.notes:
        notes = " ".join(escaped(note) for note in display.notes)
        lines += [
            r"\par\smallskip",
            r"\begin{minipage}{\linewidth}",
            rf"\footnotesize \textit{{Note.}} {notes}",
            r"\end{minipage}",
        ]
    return "\n".join([*lines, r"\end{table}"]) + "\n"


def _row(cells: list[str]) -> str:
    return " & ".join(cells) + r" \\"


def _centred(head: str, j: int, display: DisplayTable) -> str:
    symbol, rest = statistic(head)
    text = (rf"\textit{{{symbol}}}" if symbol else "") + _escaped_part(rest)
    return text if j < display.text_columns or not text else rf"\multicolumn{{1}}{{c}}{{{text}}}"


def _spanner_lines(spanners: tuple[Spanner, ...]) -> list[str]:
    cells, rules, at = [], [], 1
    for spanner in spanners:
        if spanner.text:
            cells.append(rf"\multicolumn{{{spanner.width}}}{{c}}{{{escaped(spanner.text)}}}")
            rules.append(rf"\cmidrule(lr){{{at}-{at + spanner.width - 1}}}")
        else:
            cells.append("")
        at += spanner.width
    return [_row(cells), "".join(rules)]
