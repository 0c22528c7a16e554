"""A table for display, and its form in Markdown."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

import pandas as pd

from pyexpr.base.messages import Template
from pyexpr.base.visible import LINES, visible

#: The note that says what bold cells mean.
BOLD = Template("bold_cells", "Bold: the best model in the column{aside}.")
#: A lettered remark, which the table names.
REMARK = Template("lettered_remark", "({letter}) {remark}.")


# Characters that CommonMark and GitHub's Markdown do not take as text. Brackets around numbers
# (intervals) and underscores between letters or digits (names of columns) are safe.
_MARKDOWN = re.compile(
    r"[\\|*`<~$^]"
    r"|&(?=#?\w+;)"
    r"|(?<![^\W_])_|_(?![^\W_])"
    r"|\[(?![−\d., %∞]+\](?![\[(:]))|\](?=[\[(:])"
)


@dataclass(frozen=True, slots=True)
class DisplayTable:
    """A table of text, with its title and notes.

    Control characters in users' labels are replaced by visible text (`pyexpr.base.visible`),
    because no format can hold all of them, and a terminal would execute them.

    Attributes
    ----------
    title : str
    columns : tuple of str
        Column heads; they need not be unique.
    rows : tuple of tuple of str
        One tuple of ``len(columns)`` cells per row.
    notes : tuple of str
        Sentences under the table.
    bold : frozenset of (int, int)
        Row and column numbers of the cells in bold.
    text_columns : int
        Number of leading columns with text, which are aligned left; the others are aligned right.
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...] = ()
    bold: frozenset[tuple[int, int]] = field(default_factory=frozenset)
    text_columns: int = 1

    def __post_init__(self) -> None:
        def shown(texts: Sequence[str], keep: str = "") -> tuple[str, ...]:
            return tuple(visible(text, keep=keep) for text in texts)

        for name, value in (
            ("title", visible(self.title)),
            ("columns", shown(self.columns)),
            ("rows", tuple(map(shown, self.rows))),
            ("notes", shown(self.notes, LINES)),
        ):
            object.__setattr__(self, name, value)

    def frame(self) -> pd.DataFrame:
        """Return the cells as a data frame of text."""
        return pd.DataFrame(list(self.rows), columns=pd.Index(self.columns), dtype=str)

    def markdown(self) -> str:
        """Return the table in GitHub's Markdown: title, table, notes."""
        cells = [
            [_strong(cell) if (i, j) in self.bold else _escaped(cell) for j, cell in enumerate(row)]
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

        parts = [_strong(self.title), ""]
        parts += [line(heads), line(rules), *map(line, cells)]
        for note in self.notes:
            parts += ["", f"Note: {_escaped(note)}"]
        return "\n".join(parts) + "\n"

    def __str__(self) -> str:
        return self.markdown()


def _escaped(text: str) -> str:
    """Return text that Markdown shows as it is, on one line."""
    return _MARKDOWN.sub(r"\\\g<0>", " ".join(text.split()))


def _strong(text: str) -> str:
    escaped = _escaped(text)
    return f"**{escaped}**" if escaped else ""
