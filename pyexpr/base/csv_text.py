"""Tables as CSV text that reads back equal."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd


def csv_text(table: pd.DataFrame) -> str:
    """Return a table as CSV (UTF-8, commas, a line feed after each row), without its index."""
    return table.to_csv(index=False, lineterminator="\n")
