"""Column heads and titles of tables, divided into the parts that APA style sets apart."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

_NUMBERED = re.compile(r"((?:Table|Figure) \d+)\. (.+)", re.DOTALL)
_UNBROKEN = re.compile(r"\[[^\]\[]*\]|[<>] \.\d+")
_STATISTIC = re.compile(r"(?:p|F|df|t|z|SD)(?!\w)")
# Symbols of statistics in the package's sentences. The text next to a letter shows whether it is a
# symbol or names something else.
_SYMBOL = re.compile(
    r"(?<![\w.])p(?=[\s\u00a0](?:[=<>]|values?\b|below\b)|, (?:Holm|max-T)\b)"
    r"|(?<![\w.])F(?=\(| distribution\b)"
    r"|(?<![\w.])(?:df|SD)(?!\w)"
    r"|(?<=ICC\(1,)k(?=\))|(?<= number )k(?= = )"
    r"|(?<=jackknife-)t(?!\w)|(?<=max-)T(?!\w)"
    r"|(?<!\w)[RT](?=²)"
)


@dataclass(frozen=True, slots=True)
class Spanner:
    """A head over `width` columns; it has no text over a column that is not grouped."""

    text: str
    width: int


def spanned(columns: Sequence[str]) -> tuple[tuple[Spanner, ...], tuple[str, ...]]:
    """Divide heads ``Metric: Context`` into spanners and the heads below them.

    Examples
    --------
    >>> spanned(["Model", "NRMSE: Pain", "NRMSE: All"])
    ((Spanner(text='', width=1), Spanner(text='NRMSE', width=2)), ('Model', 'Pain', 'All'))
    """
    spanners: list[Spanner] = []
    heads: list[str] = []
    for first, group in groupby(columns, key=_first):
        under = list(group)
        if first and len(under) > 1:
            spanners.append(Spanner(first, len(under)))
            heads += [head.partition(": ")[2] for head in under]
        else:
            spanners += [Spanner("", 1)] * len(under)
            heads += under
    return tuple(spanners), tuple(heads)


def unbroken(cell: str) -> str:
    """Keep an interval, or ``< .001``, on one line, so that intervals align with estimates."""
    return _UNBROKEN.sub(lambda found: found[0].replace(" ", "\u00a0"), cell)


def head_parts(head: str) -> list[tuple[str, bool]]:
    """Divide a head as `symbols` divides a sentence; it may begin with a statistic's symbol.

    Examples
    --------
    >>> head_parts("p, Holm"), head_parts("Context")
    ([('p', True), (', Holm', False)], [('Context', False)])
    """
    found = _STATISTIC.match(head)
    if not found:
        return symbols(head)
    rest = head[found.end() :]
    return [(found[0], True), *symbols(rest)]


def symbols(text: str) -> list[tuple[str, bool]]:
    """Divide a sentence into parts, each with whether it is a symbol to be set in italics.

    Examples
    --------
    >>> symbols("A slope of 0.2, p = .01.")
    [('A slope of 0.2, ', False), ('p', True), (' = .01.', False)]
    """
    parts, at = [], 0
    for found in _SYMBOL.finditer(text):
        parts += [(text[at : found.start()], False), (found[0], True)]
        at = found.end()
    return [part for part in (*parts, (text[at:], False)) if part[0]]


def title_parts(title: str) -> tuple[str, str]:
    """Divide ``Table 1. Reliability.`` into its number and its title, which APA sets apart.

    Examples
    --------
    >>> title_parts("Table 1. Reliability."), title_parts("Weights.")
    (('Table 1', 'Reliability'), ('', 'Weights'))
    >>> title_parts("Figure 2. Weights.")
    ('Figure 2', 'Weights')
    """
    found = _NUMBERED.match(title)
    number, words = (found[1], found[2]) if found else ("", title)
    return number, words.removesuffix(".")


def _first(head: str) -> str:
    first, colon, _ = head.partition(": ")
    return first if colon else ""
