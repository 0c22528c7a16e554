"""A table ready to be read, and as Markdown."""

from __future__ import annotations

from dataclasses import dataclass, field

import pandas as pd

from pyexpr.base.messages import Template
from pyexpr.base.visible import LINES, visible

#: The note that says what bold cells mean.
BOLD = Template("bold_cells", "Bold: the best model in the column{aside}.")
#: A lettered remark, which the table names.
REMARK = Template("lettered_remark", "({letter}) {remark}.")


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
        return visible(self.markdown(), keep=LINES)


def _escaped(text: str) -> str:
    """Return text that Markdown shows as it is, on one line."""
    flat = " ".join(text.split())
    for sign in ("\\", "|", "*", "`", "<"):
        flat = flat.replace(sign, f"\\{sign}")
    return flat
