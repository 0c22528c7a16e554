"""The approximate width of a LaTeX table, and how it is made to fit a page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from textwrap import wrap

from pyexpr.report.columns import spanned
from pyexpr.report.tables.display import DisplayTable

# Width in points of a line of text, upright and in landscape format, in LaTeX's article class,
# which is narrower than most journals. The width of a table is estimated, because TeX is not run.
_LINE = 390.0
_TURNED = 550.0
# Labels longer than this number of digits may be broken over lines.
_LABEL = 20.0


@dataclass(frozen=True, slots=True)
class Fit:
    """How a table is made to fit.

    `digit` is the width of a digit and `gap` half the space between columns, in points.
    """

    size: str
    digit: float
    gap: float
    broken: bool = False
    turned: bool = False

    @property
    def room(self) -> float:
        """The width of a line, in points."""
        return _TURNED if self.turned else _LINE


# The most readable come first; no letter is smaller than 8 points.
FITS = (
    Fit("small", 4.63, 4),
    Fit("small", 4.63, 4, broken=True),
    Fit("footnotesize", 4.25, 3),
    Fit("footnotesize", 4.25, 3, broken=True),
    Fit("footnotesize", 4.25, 3, turned=True),
    Fit("footnotesize", 4.25, 3, broken=True, turned=True),
)


def parts(display: DisplayTable, fit: Fit) -> list[DisplayTable]:
    """Divide columns among tables that fit, each with the labels; groups of heads stay together."""
    labels = list(range(display.text_columns))
    groups: list[list[int]] = []
    at = 0
    for spanner in spanned(display.columns)[0]:
        columns = [j for j in range(at, at + spanner.width) if j >= display.text_columns]
        at += spanner.width
        whole = not columns or width(_only(display, [*labels, *columns]), fit) <= fit.room
        groups += [columns] if whole else [[j] for j in columns]
    shares: list[list[int]] = []
    for columns in filter(None, groups):
        fuller = [*shares[-1], *columns] if shares else []
        if shares and width(_only(display, [*labels, *fuller]), fit) <= fit.room:
            shares[-1] = fuller
        else:
            shares.append(columns)
    if len(shares) < 2:
        # The labels alone are too wide, so dividing the table does not help.
        return [display]
    title = display.title.removesuffix(".")
    last = len(shares) - 1
    return [
        replace(
            _only(display, [*labels, *share]),
            title=f"{title} (part {i + 1} of {len(shares)}).",
            notes=display.notes if i == last else (),
        )
        for i, share in enumerate(shares)
    ]


def _only(display: DisplayTable, columns: Sequence[int]) -> DisplayTable:
    places = {j: at for at, j in enumerate(columns)}
    return replace(
        display,
        columns=tuple(display.columns[j] for j in columns),
        rows=tuple(tuple(row[j] for j in columns) for row in display.rows),
        bold=frozenset((i, places[j]) for i, j in display.bold if j in places),
    )


def align(display: DisplayTable, heads: Sequence[str], fit: Fit) -> str:
    """Return LaTeX's column specification: labels are aligned left, numbers right."""
    return "".join(
        ("r" if j >= display.text_columns else "l")
        if broken is None
        else rf">{{\raggedright\arraybackslash}}p{{{broken:.0f}pt}}"
        for j in range(len(heads))
        for broken in [_broken(display, heads, j, fit)]
    )


def _broken(display: DisplayTable, heads: Sequence[str], j: int, fit: Fit) -> float | None:
    """Return the width in points of a column whose labels are broken over lines, or None."""
    texts = [heads[j], *(row[j] for row in display.rows)]
    if not fit.broken or j >= display.text_columns or max(map(_digits, texts)) <= _LABEL:
        return None
    # TeX does not break words here.
    words = [_digits(word) for text in texts for word in text.split()]
    return fit.digit * max(_LABEL, *words)


def width(display: DisplayTable, fit: Fit) -> float:
    """Return the approximate width of the table in points."""
    _, heads = spanned(display.columns)
    wide = 2 * fit.gap * (len(heads) - 1)
    for j, head in enumerate(heads):
        cells = [
            # Bold digits are wider.
            _digits(row[j]) * (1.15 if (i, j) in display.bold else 1)
            for i, row in enumerate(display.rows)
        ]
        natural = fit.digit * max([*map(_digits, head_lines(head, j, display)), *cells])
        wide += _broken(display, heads, j, fit) or natural
    return wide


def _digits(text: str) -> float:
    """Return the approximate width of a text in Computer Modern, in digits."""
    return sum(
        0.56 if sign in " .,:;[]()il|'" else
        1.55 if sign in "−+<>=" else
        2.0 if sign in "—∞" else
        1.45 if sign.isupper() else 1.0
        for sign in text
    )  # fmt: skip


def head_lines(head: str, j: int, display: DisplayTable) -> list[str]:
    """Break a head over lines if it is wider than the numbers below it."""
    if j < display.text_columns:
        return [head]
    room = max([8, *(len(row[j]) for row in display.rows)])
    return wrap(head, room, break_long_words=False, break_on_hyphens=False) or [""]
