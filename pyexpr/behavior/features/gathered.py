"""Rows of many recordings, gathered without holding each as a dictionary until the end."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import pandas as pd

# Rows that are held as dictionaries, which take ten times the memory of a table.
_BLOCK: Final = 1024


class GatheredRows:
    """Rows as dictionaries, which become a table block by block.

    Parameters
    ----------
    messages : str
        A column whose texts stay what they are: messages, of which a table would make plain text.

    Examples
    --------
    >>> rows = GatheredRows()
    >>> rows.add([{"clip": "1", "x": 1}, {"clip": "2", "x": 2}])
    >>> rows.frame()["x"].tolist()
    [1, 2]
    """

    def __init__(self, messages: str = "") -> None:
        self.texts: list[str] = []
        self._messages = messages
        self._rows: list[dict[str, Any]] = []
        self._blocks: list[pd.DataFrame] = []

    def __bool__(self) -> bool:
        return bool(self._rows or self._blocks)

    def add(self, rows: Sequence[dict[str, Any]]) -> None:
        """Add rows behind the others."""
        if self._messages:
            self.texts += [row[self._messages] for row in rows]
            rows = [row | {self._messages: ""} for row in rows]
        self._rows += rows
        if len(self._rows) >= _BLOCK:
            self._flush()

    def frame(self) -> pd.DataFrame:
        """Return the table of all rows, as pandas makes it of their list; nothing is left here."""
        import pandas as pd

        self._flush()
        blocks, self._blocks = self._blocks, []
        if len(blocks) > 1:
            return pd.concat(blocks, ignore_index=True)
        return blocks[0] if blocks else pd.DataFrame()

    def _flush(self) -> None:
        import pandas as pd

        if self._rows:
            self._blocks.append(pd.DataFrame(self._rows))
            self._rows = []
