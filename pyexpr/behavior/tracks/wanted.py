"""What is read of a table, and what is read of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Protocol

from pyexpr.base.errors import LayoutError, TracksError, listed, near_names
from pyexpr.base.messages import say
from pyexpr.behavior.openface.csv import Columns
from pyexpr.behavior.openface.layout import Header
from pyexpr.behavior.tracks.layout import Rows

#: Words for a missing number that every table may have.
MISSING: Final = frozenset({"", "NA", "N/A", "#N/A", "null", "NULL", "None", "NaN", "nan", "NAN"})


@dataclass(frozen=True, slots=True)
class TableHeader(Header):
    """The header of any tracker's table: names as they stand."""

    doubled: frozenset[str] = frozenset()

    @property
    def tracker(self) -> str:
        """What wrote the file, for messages."""
        return "the tracker"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is read of a table, and how.

    Attributes
    ----------
    tables : tuple of tuple of str
        Columns of numbers; those of `cells` are named by `cell_columns`.
    missing : frozenset of str
        Words for a missing number.
    rows : Rows or None
        Which rows are read.
    part : tuple of (str, str)
        Columns, and what stands there in the rows that are read.
    clock : str
        The column of times as hours, minutes and seconds; "" for none.
    words : frozenset of str
        Columns that may say yes or no in words.
    labels : str
        The column of people, who may have names; "" for none.
    cells : (str, int, int) or None
        The column whose cells hold points, how many, and of how many axes.
    """

    tables: tuple[tuple[str, ...], ...]
    missing: frozenset[str] = frozenset()
    rows: Rows | None = None
    part: tuple[tuple[str, str], ...] = ()
    clock: str = ""
    words: frozenset[str] = frozenset()
    labels: str = ""
    cells: tuple[str, int, int] | None = None

    def sources(self) -> tuple[str, ...]:
        """Return the columns of the table that are needed, each once."""
        made = set(cell_columns(*self.cells)) if self.cells else set()
        names = [name for table in self.tables for name in table if name not in made]
        names += [self.cells[0]] if self.cells else []
        return tuple(dict.fromkeys(names))

    def selecting(self) -> tuple[str, ...]:
        """Return the columns that say which rows are read."""
        return (*((self.rows.column,) if self.rows else ()), *(name for name, _ in self.part))

    def selects(self, texts: Mapping[str, str]) -> bool:
        """Return whether a row is read, by its texts in the columns of `selecting`."""
        if self.rows is not None:
            text = texts[self.rows.column].strip()
            if (text not in self.rows.equals) if self.rows.equals else text in MISSING:
                return False
        return all(texts[name].strip() == value for name, value in self.part)


@dataclass(frozen=True, slots=True)
class ReadTable:
    """Columns of numbers, the names of people by their numbers, and how many rows were others'."""

    columns: Columns
    people: tuple[str, ...] = ()
    others: int = 0


def cell_columns(column: str, count: int, n_axes: int) -> tuple[str, ...]:
    """Return names for the numbers in a cell that holds all points."""
    return tuple(f"{column}[{point}].{axis}" for point in range(count) for axis in "xyz"[:n_axes])


class Named(Protocol):
    """A table, as far as its names go."""

    @property
    def path(self) -> str:
        """The file, for messages."""

    @property
    def names(self) -> tuple[str, ...]:
        """Its columns."""

    @property
    def nested(self) -> frozenset[str]:
        """Columns that hold lists or records."""


def require(table: Named, names: Iterable[str]) -> None:
    """Raise `LayoutError` for a column that is not there, `TracksError` for one twice there."""
    names = tuple(names)
    refuse_nested(table, names)
    for name in names:
        if name not in table.names:
            raise LayoutError(
                say(
                    "{path!r}: the layout names the column {name!r}, which the table has not; "
                    "{hint}",
                    path=table.path,
                    name=name,
                    hint=near_names(name, table.names),
                )
            )
        if table.names.count(name) > 1:
            raise TracksError(
                f"{table.path!r}: the header names the column {name!r} twice; rename one"
            )


def refuse_nested(table: Named, names: Iterable[str]) -> None:
    """Raise `TracksError` for needed columns that hold lists or records."""
    nested = [name for name in names if name in table.nested]
    if nested:
        raise TracksError(
            f"{table.path!r}: {listed(nested, most=3)} holds lists or records, where one number a "
            "row is needed; give each point and axis a column of its own"
        )
