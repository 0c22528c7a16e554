"""Heads and titles of tables, divided as APA sets them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

_NUMBERED = re.compile(r"(Table \d+)\. (.+)", re.DOTALL)
_STATISTIC = re.compile(r"(?:p|F|df|t|z)(?![\w])")


@dataclass(frozen=True, slots=True)
class Spanner:
    """A head over `width` columns; without text over a column that stands alone."""

    text: str
    width: int


def spanned(columns: Sequence[str]) -> tuple[tuple[Spanner, ...], tuple[str, ...]]:
    """Divide heads ``Metric: Context`` into spanners and what stands under them.

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


def statistic(head: str) -> tuple[str, str]:
    """Divide a head into the symbol that APA sets in italics, or "", and the rest.

    Examples
    --------
    >>> statistic("p, Holm"), statistic("Context")
    (('p', ', Holm'), ('', 'Context'))
    """
    found = _STATISTIC.match(head)
    return (found[0], head[found.end() :]) if found else ("", head)


def title_parts(title: str) -> tuple[str, str]:
    """Divide ``Table 1. Reliability.`` into its number and its title, as APA sets them.

    Examples
    --------
    >>> title_parts("Table 1. Reliability."), title_parts("Weights.")
    (('Table 1', 'Reliability'), ('', 'Weights'))
    """
    found = _NUMBERED.match(title)
    number, words = (found[1], found[2]) if found else ("", title)
    return number, words.removesuffix(".")


def _first(head: str) -> str:
    first, colon, _ = head.partition(": ")
    return first if colon else ""
