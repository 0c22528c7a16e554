"""A table ready to be read: as Markdown and on the console."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pandas as pd

if TYPE_CHECKING:
    from rich.console import Console

# A longer label wraps on the terminal: the widest of these that needs fewest blocks.
_TEXT_WIDTHS = range(32, 13, -1)
# So begins the note that says what bold cells mean.
BOLD = "Bold: "
# Columns between two columns of a terminal's table.
_GAP = 2


@dataclass(frozen=True, slots=True)
class DisplayTable:
    """A table of text, with its title and notes.

    Attributes
    ----------
    title : str
    columns : tuple of str
        Column heads; they need not be unique.
    rows : tuple of tuple of str
        One tuple of ``len(columns)`` cells a row.
    notes : tuple of str
        Sentences under the table.
    bold : frozenset of (int, int)
        Row and column numbers of the cells to stand out.
    text_columns : int
        So many leading columns hold text, aligned left; the others align right.
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...] = ()
    bold: frozenset[tuple[int, int]] = field(default_factory=frozenset)
    text_columns: int = 1

    def frame(self) -> pd.DataFrame:
        """Return the cells as a data frame of text."""
        return pd.DataFrame(list(self.rows), columns=pd.Index(self.columns), dtype=str)

    def markdown(self) -> str:
        """Return the table in GitHub's Markdown: title, table, notes."""
        cells = [
            [
                f"**{_escaped(cell)}**" if (i, j) in self.bold and cell else _escaped(cell)
                for j, cell in enumerate(row)
            ]
            for i, row in enumerate(self.rows)
        ]
        heads = [_escaped(head) for head in self.columns]
        widths = [max(3, *map(len, column)) for column in zip(heads, *cells, strict=True)]
        rules = [
            "-" * width if j < self.text_columns else "-" * (width - 1) + ":"
            for j, width in enumerate(widths)
        ]

        def line(row: list[str]) -> str:
            padded = (
                cell.ljust(width) if j < self.text_columns else cell.rjust(width)
                for j, (cell, width) in enumerate(zip(row, widths, strict=True))
            )
            return f"| {' | '.join(padded)} |"

        parts = [f"**{_escaped(self.title)}**", ""]
        parts += [line(heads), line(rules), *map(line, cells)]
        for note in self.notes:
            parts += ["", f"Note: {_escaped(note)}"]
        return "\n".join(parts) + "\n"

    def __str__(self) -> str:
        return self.markdown()


def to_console(display: DisplayTable, console: Console | None = None) -> None:
    """Print a table to the terminal; one too wide is cut into blocks, never into its cells."""
    from rich.box import SIMPLE
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    target = console or Console()
    # Text, not str: a label such as "[red]" is a label, not a colour.
    target.print(Text(display.title, style="bold"))
    cap, blocks = _blocks(display, target.width)
    for block in blocks:
        table = Table(box=SIMPLE, padding=(0, 1, 0, 0), pad_edge=False, show_edge=False)
        for j in block:
            left = j < display.text_columns
            table.add_column(
                Text(display.columns[j] if left else _head(display, j)),
                justify="left" if left else "right",
                max_width=cap if left else None,
                no_wrap=not left,
                overflow="fold",
            )
        for i, row in enumerate(display.rows):
            table.add_row(
                *(Text(row[j], style="bold" if (i, j) in display.bold else "") for j in block)
            )
        target.print(table)
        target.print()
    for note in display.notes:
        if note.startswith(BOLD) and not target.is_terminal:
            continue  # A pipe or a file shows no bold.
        target.print(Text(f"Note: {note}", style="dim"))


def _natural(display: DisplayTable, j: int) -> int:
    from rich.cells import cell_len

    # A head may wrap between words; a number may not.
    words = display.columns[j].split() if j >= display.text_columns else [display.columns[j]]
    return max(map(cell_len, [*words, *(row[j] for row in display.rows)]), default=0)


def _head(display: DisplayTable, j: int) -> str:
    from textwrap import fill

    return fill(display.columns[j], _natural(display, j), break_on_hyphens=False)


def _blocks(display: DisplayTable, width: int) -> tuple[int, list[list[int]]]:
    """Share the columns evenly among as few blocks as fit, each led by the text columns.

    Returns the width given to text columns, wide unless narrower ones save a block.
    """
    texts = range(display.text_columns)
    numbers = list(range(display.text_columns, len(display.columns)))
    need = {j: _natural(display, j) + _GAP for j in (*texts, *numbers)}

    def share(cap: int) -> list[list[int]]:
        room = width - sum(min(need[j], cap + _GAP) for j in texts)
        for n in range(1, len(numbers) + 1):
            size = -(-len(numbers) // n)
            parts = [numbers[i : i + size] for i in range(0, len(numbers), size)]
            if all(sum(need[j] for j in part) <= room for part in parts):
                return parts
        return [[j] for j in numbers]

    cap = min(_TEXT_WIDTHS, key=lambda cap: (len(share(cap)), -cap))
    return cap, [[*texts, *part] for part in share(cap) or [[]]]


def _escaped(text: str) -> str:
    """Return text that Markdown shows as it is, on one line."""
    flat = " ".join(text.split())
    for sign in ("\\", "|", "*", "`", "<"):
        flat = flat.replace(sign, f"\\{sign}")
    return flat
