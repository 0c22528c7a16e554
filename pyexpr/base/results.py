"""Base of all results, whose output is derived from one `tidy()` table."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import fields, is_dataclass
from os import PathLike
from typing import TYPE_CHECKING, Any

import numpy as np

from pyexpr.base.errors import SavedResultError
from pyexpr.base.saved import pickled_parts, save
from pyexpr.base.saved_classes import name_of
from pyexpr.base.visible import LINES, visible

if TYPE_CHECKING:
    import pandas as pd


class Result(ABC):
    """Base of all results: frozen dataclasses with a table, a text and a dictionary."""

    __slots__ = ()

    @abstractmethod
    def tidy(self) -> pd.DataFrame:
        """Return one row per quantity, with the column names of broom."""

    @abstractmethod
    def heading(self) -> str:
        """Return the sentence above the printed table, which says what was computed."""

    def provenance(self) -> dict[str, Any]:
        """Return how the numbers were computed: method, level, seed, counts, versions."""
        return {}

    def notes(self) -> tuple[str, ...]:
        """Return notes on the interpretation of the table, one sentence each.

        Each note, and each `reason` in a table, is text with a `code` for use in programs.
        """
        return ()

    def printed(self) -> pd.DataFrame:
        """Return the table for printing, without columns that are only for programs."""
        return self.tidy()

    def to_dict(self) -> dict[str, Any]:
        """Return table, provenance and notes as plain values that JSON can hold.

        NaN becomes None; infinities become the strings "inf" and "-inf".
        """
        return {
            "result": type(self).__name__,
            "heading": self.heading(),
            "table": records(self.tidy()),
            "provenance": jsonable(self.provenance()),
            "notes": list(self.notes()),
        }

    def save(self, path: str | PathLike[str], *, overwrite: bool = False) -> None:
        """Write the result to a file that `pyexpr.load` reads.

        The file contains everything the result needs, including the data. Other intervals, further
        replicates, scores of new data and figures give exactly the same numbers after loading. If
        the replicates exceed one megabyte and the kernel can draw them again from the seed, they
        are not saved but drawn again when the file is loaded. Unlike a pickle the file does not
        contain code, so it is safe to load a file of unknown origin. For this reason it does not
        contain a custom statistic (`cluster_bootstrap`).

        Parameters
        ----------
        path : path
            The file, with any extension.
        overwrite : bool
            Whether an existing file may be replaced.

        Raises
        ------
        SavedResultError
            If the result cannot be saved, such as that of a study, whose results are in its folder.
        OutputError
            If the file cannot be written, or exists already.
        """
        save(self, path, overwrite=overwrite)

    def __reduce_ex__(self, protocol: Any) -> Any:
        if name_of(type(self)) is not None:
            try:
                return pickled_parts(self)
            except SavedResultError:
                # Labels of a kind that files do not support; a pickle supports any.
                pass
        return object.__reduce_ex__(self, protocol)

    def __str__(self) -> str:
        lines = [self.heading(), "", table_text(self.printed())]
        if self.notes():
            lines += ["", *(f"Note: {note}" for note in self.notes())]
        return visible("\n".join(lines), keep=LINES)

    # A prompt shows the table, not every replicate behind it.
    __repr__ = __str__

    def _repr_html_(self) -> str:
        from html import escape

        notes = "".join(f"<p><small>{escape(note)}</small></p>" for note in self.notes())
        table = self.printed().to_html(index=False, float_format=number_text, na_rep="", border=0)
        return f"<p>{escape(self.heading())}</p>{table}{notes}"


def number_text(value: float) -> str:
    """Format a number for reading: three decimals, or scientific if these are not informative."""
    if math.isnan(value):
        return ""
    value = value + 0.0  # -0.0 is 0
    if value == 0 or (0.001 <= abs(value) < 1e5):
        return f"{value:.0f}" if value == int(value) and abs(value) >= 10 else f"{value:.3f}"
    return f"{value:.3g}"


def p_text(p: float) -> str:
    """Format a p-value for a sentence: three decimals, or that it is below .001."""
    return "p < .001" if p < 0.001 else f"p = {f'{p:.3f}'.removeprefix('0')}"


def table_text(table: pd.DataFrame) -> str:
    """Return a table as aligned text, without its index; see `visible` for the user's labels."""

    def text_of(table: pd.DataFrame) -> str:
        return str(table.to_string(index=False, float_format=number_text, na_rep=""))

    text = text_of(table)
    if visible(text, keep=LINES) == text:
        return text
    # Before aligning, since escaped text is longer.
    return text_of(table.map(_shown).rename(columns=_shown))


def _shown(cell: Any) -> Any:
    return visible(cell) if isinstance(cell, str) else cell


def records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Return a table as a list of its rows, built of values for JSON; see `jsonable`."""
    return [jsonable(row) for row in table.to_dict(orient="records")]


def jsonable(value: Any) -> Any:
    """Return `value` built only of None, bool, int, float, str, list and dict."""
    if value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, np.bool_):
        return bool(value)
    if isinstance(value, (int, np.integer)):
        return int(value)
    if isinstance(value, (float, np.floating)):
        number = float(value)
        if math.isnan(number):
            return None
        return number if math.isfinite(number) else ("inf" if number > 0 else "-inf")
    if isinstance(value, dict):
        return {str(key): jsonable(item) for key, item in value.items()}
    if isinstance(value, np.ndarray):
        return [jsonable(item) for item in value.tolist()]
    if isinstance(value, (list, tuple, set, frozenset)):
        return [jsonable(item) for item in value]
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: jsonable(getattr(value, field.name)) for field in fields(value)}
    return str(value)
