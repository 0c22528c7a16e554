"""A table on the terminal, in one piece if it fits."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby
from textwrap import fill, wrap
from typing import TYPE_CHECKING

from pyexpr.base.messages import has_code
from pyexpr.report.tables.display import BOLD, DisplayTable

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

# Labels wrap at one of these widths, but never within a word of up to 16 signs, unless it
# has a hyphen, where `textwrap` breaks it, too.
_TEXT_WIDTHS = range(32, 7, -1)
_WORD = 16
_BETWEEN_WORDS = re.compile(r"\s+|(?<=\w[^\W\d_]-)(?=\w[^\W\d_])")
# Number of blanks between two columns of a table on the terminal.
_GAP = 2
_Row = tuple[str, ...]


def to_console(display: DisplayTable, console: Console | None = None) -> None:
    """Print a table to the terminal without truncating numbers.

    If a table is too wide, labels are wrapped, intervals are placed under the estimates, or the
    first labels are put on separate lines, whichever takes the fewest lines. The table is divided
    into blocks only if no such layout fits.
    """
    from rich.console import Console
    from rich.text import Text

    target = console or Console()
    # Text instead of str, because a label such as "[red]" would be read as a colour.
    target.print(Text(display.title, style="bold"))
    layout = _layout(display, target.width)
    for block in layout.blocks:
        target.print(_table(display, layout, block, None))
        for heading, rows in _groups(display, layout.headings):
            if heading:
                target.print(Text(heading, style="bold"))
            target.print(_table(display, layout, block, rows))
        target.print()
    for note in display.notes:
        if has_code(note, BOLD) and not target.is_terminal:
            continue  # Bold is not shown in pipes and files.
        target.print(Text(f"Note: {note}", style="dim"))


@dataclass(frozen=True, slots=True)
class _Layout:
    """Columns by block, their widths, and whether intervals stand under their estimates.

    The first `headings` columns are shown as lines above their rows.
    """

    blocks: list[list[int]]
    widths: dict[int, int]
    folded: bool = False
    headings: int = 0


def _table(
    display: DisplayTable, layout: _Layout, block: Sequence[int], rows: Iterable[int] | None
) -> Table:
    """Return only the heads (if `rows` is None), or these rows without heads."""
    from rich.box import SIMPLE
    from rich.table import Table
    from rich.text import Text

    table = Table(
        box=SIMPLE, padding=(0, 1, 0, 0), pad_edge=False, show_edge=False, show_header=rows is None
    )
    for j in block:
        left, width = j < display.text_columns, layout.widths[j]
        head = display.columns[j]
        table.add_column(
            Text(
                _broken(head, width) if left else fill(head, max(1, width), break_on_hyphens=False)
            ),
            justify="left" if left else "right",
            width=width,
            no_wrap=not left,
            overflow="fold",
        )
    for i in rows or ():
        table.add_row(
            *(
                Text(
                    _broken(display.rows[i][j], layout.widths[j])
                    if j < display.text_columns
                    else _cell(display, i, j, folded=layout.folded),
                    style="bold" if (i, j) in display.bold else "",
                )
                for j in block
            )
        )
    return table


def _groups(display: DisplayTable, headings: int) -> Iterator[tuple[str, list[int]]]:
    """Yield rows that follow one another with the same first labels."""

    def first(i: int) -> _Row:
        return display.rows[i][:headings]

    for labels, rows in groupby(range(len(display.rows)), first):
        yield ", ".join(filter(None, labels)), list(rows)


def _cell(display: DisplayTable, i: int, j: int, *, folded: bool) -> str:
    text = display.rows[i][j]
    return text.replace(" [", "\n[") if folded and j >= display.text_columns else text


def _natural(display: DisplayTable, j: int, *, folded: bool = False) -> int:
    """Return the width for a label on one line, or for a head over numbers with a word per line."""
    cells = [_cell(display, i, j, folded=folded) for i in range(len(display.rows))]
    head = display.columns[j]
    return _widest([*([head] if j < display.text_columns else head.split()), *cells])


def _widest(texts: Iterable[str]) -> int:
    from rich.cells import cell_len

    return max((cell_len(line) for text in texts for line in text.split("\n")), default=0)


def _layout(display: DisplayTable, width: int) -> _Layout:
    """Return the layout with the fewest blocks and, among ties, the fewest lines."""

    def wanting(one: _Layout) -> tuple[int, int]:
        wide = max(sum(one.widths[j] + _GAP for j in block) - _GAP for block in one.blocks)
        return max(0, wide - width), len(one.blocks)

    columns = range(len(display.columns))
    texts = range(display.text_columns)
    words = [
        min(
            _WORD,
            _widest(
                word
                for text in (display.columns[j], *(row[j] for row in display.rows))
                for word in _BETWEEN_WORDS.split(text)
            ),
        )
        for j in texts
    ]
    found = []
    for headings in range(max(1, len(texts))):
        if headings and 2 * len(list(_groups(display, headings))) > len(display.rows):
            # Separate lines are of no use if every row has its own.
            break
        for folded in (False, True):
            natural = [_natural(display, j, folded=folded) for j in columns]
            shared = []
            for cap in _TEXT_WIDTHS:
                widths = {
                    j: min(natural[j], max(cap, words[j])) if j in texts else natural[j]
                    for j in columns[headings:]
                }
                shared.append(_Layout(*_share(display, widths, width), folded, headings))
            # With the same number of blocks, the widest labels take the fewest lines.
            found.append(min(shared, key=wanting))
    return min(found, key=lambda one: (*wanting(one), _lines(display, one)))


def _share(
    display: DisplayTable, widths: dict[int, int], width: int
) -> tuple[list[list[int]], dict[int, int]]:
    """Divide columns evenly among as few blocks as possible; each begins with the text columns."""
    texts = [j for j in widths if j < display.text_columns]
    numbers = [j for j in widths if j >= display.text_columns]
    room = width + _GAP - sum(widths[j] + _GAP for j in texts)
    for n in range(1, len(numbers) + 1):
        size = -(-len(numbers) // n)
        parts = [numbers[i : i + size] for i in range(0, len(numbers), size)]
        if all(sum(widths[j] + _GAP for j in part) <= room for part in parts):
            return [[*texts, *part] for part in parts], widths
    return [[*texts, j] for j in numbers] or [texts], widths


def _lines(display: DisplayTable, layout: _Layout) -> int:
    def tall(i: int, block: Sequence[int]) -> int:
        cells = {j: _cell(display, i, j, folded=layout.folded) for j in block}
        return max(
            (_broken(text, layout.widths[j]) if j < display.text_columns else text).count("\n") + 1
            for j, text in cells.items()
        )

    rows = sum(tall(i, block) for block in layout.blocks for i in range(len(display.rows)))
    headings = sum(bool(heading) for heading, _ in _groups(display, layout.headings))
    return rows + len(layout.blocks) * headings


@lru_cache(maxsize=4096)
def _broken(text: str, width: int) -> str:
    """Return a label broken into lines of at most `width`."""
    return "\n".join(wrap(text, max(1, width)))
