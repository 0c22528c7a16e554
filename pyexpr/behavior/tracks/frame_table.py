"""A table of columns: a data frame, or a file of parquet or feather."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pyexpr.base.contents import read_content
from pyexpr.base.errors import DataError, TracksError
from pyexpr.base.feather_file import feather_table
from pyexpr.base.messages import say
from pyexpr.base.parquet_file import MAGIC, parquet_schema, parquet_table
from pyexpr.behavior.openface.csv import Columns
from pyexpr.behavior.tracks.cleaned import Cleaned, cell_numbers
from pyexpr.behavior.tracks.wanted import (
    ReadTable,
    TableHeader,
    Wanted,
    cell_columns,
    require,
)

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True)
class FrameTable:
    """A table of columns: a data frame, or a file of parquet or feather.

    Attributes
    ----------
    path : str
    names : tuple of str
        Of columns that hold one value a row.
    nested : frozenset of str
        Columns that hold lists or records.
    sha256 : str
    frame : callable
        Names -> data frame of these columns.
    n_bytes : int
        Of a file.
    """

    path: str
    names: tuple[str, ...]
    nested: frozenset[str]
    sha256: str
    frame: Callable[[Sequence[str]], pd.DataFrame]
    n_bytes: int = 0

    def with_header(self, start: str) -> FrameTable:
        """Return the table itself: its names are no line of text."""
        return self

    def size(self) -> int:
        """Return the bytes of the file that are held; those of a data frame are the caller's."""
        return self.n_bytes

    def read(self, wanted: Wanted) -> ReadTable:
        """Return columns as numbers."""
        needed = tuple(dict.fromkeys((*wanted.sources(), *wanted.selecting())))
        require(self, needed)
        frame = self.frame(needed)
        kept = np.ones(len(frame), dtype=np.bool_)
        if wanted.selecting():
            texts = {name: [_text(one) for one in frame[name]] for name in wanted.selecting()}
            kept = np.array(
                [
                    wanted.selects({name: values[row] for name, values in texts.items()})
                    for row in range(len(frame))
                ],
                dtype=np.bool_,
            )
            frame = frame[kept]
        if not len(frame):
            raise TracksError(f"{self.path!r}: the table has no rows that are read")
        cleaned = Cleaned(wanted)
        numbers = {
            name: self._numbers(frame[name], name, cleaned)
            for name in wanted.sources()
            if not wanted.cells or name != wanted.cells[0]
        }
        if wanted.cells:
            cells = [
                [float(one or "nan") for one in cell_numbers(self.path, cell, wanted.cells, row)]
                for row, cell in enumerate(frame[wanted.cells[0]], start=1)
            ]
            made = cell_columns(*wanted.cells)
            numbers |= dict(zip(made, np.array(cells).reshape(len(frame), -1).T, strict=True))
        tables = {
            table: np.stack([numbers[name] for name in table], axis=1)
            if table
            else np.zeros((len(frame), 0))
            for table in wanted.tables
        }
        positions = {name: at for at, name in enumerate(numbers)}
        header = TableHeader(self.path, positions, len(positions), 0, {})
        left_out = tuple((np.flatnonzero(~kept) + 1).tolist())
        columns = Columns.made(header, tables, len(frame), skipped=left_out)
        return ReadTable(columns, tuple(cleaned.people), int((~kept).sum()))

    def _numbers(self, column: pd.Series[Any], name: str, cleaned: Cleaned) -> NDArray[np.float64]:
        import pandas as pd

        if pd.api.types.is_bool_dtype(column) or pd.api.types.is_numeric_dtype(column):
            values = column.to_numpy(dtype=np.float64, na_value=np.nan)
            return np.where(np.isfinite(values), values, np.nan)
        found = np.empty(len(column))
        for row, value in enumerate(column):
            text = _text(value)
            number = cleaned.number(self.path, name, text, row + 1)
            try:
                found[row] = float(number) if number else np.nan
            except ValueError:
                raise TracksError(
                    say(
                        "{path!r}: column {name!r} must hold numbers, but row {row} holds {text!r}",
                        path=self.path,
                        name=name,
                        row=row + 1,
                        text=text[:60],
                    )
                ) from None
        return np.where(np.isfinite(found), found, np.nan)


def frame_table(path: str, frame: pd.DataFrame) -> FrameTable:
    """Return a data frame as a table."""
    names = tuple(str(name) for name in frame.columns)
    named = frame.set_axis(list(names), axis=1)
    return FrameTable(path, names, frozenset(), "", lambda needed: named[list(needed)])


def arrow_table(path: str) -> FrameTable:
    """Return the table in a file of parquet or feather; columns are read when they are used."""
    import pyarrow as pa

    try:
        content, known = read_content(path)
        table = None if content.startswith(MAGIC) else feather_table(content)
        schema = parquet_schema(content) if table is None else table.schema
        all_names = tuple(schema.names)
    except DataError as error:
        raise TracksError(f"{path!r}: {error}") from None
    except (OSError, UnicodeDecodeError, pa.ArrowException) as error:
        raise _damaged(path, error) from None
    nested = frozenset(one.name for one in schema if pa.types.is_nested(one.type))

    def frame(names: Sequence[str]) -> pd.DataFrame:
        wanted = list(names)
        try:
            read = parquet_table(content, wanted) if table is None else table.select(wanted)
            found: pd.DataFrame = read.to_pandas()
        except DataError as error:
            raise TracksError(f"{path!r}: {error}") from None
        except (OSError, pa.ArrowException) as error:
            raise _damaged(path, error) from None
        return found[wanted]

    return FrameTable(path, all_names, nested, known.sha256, frame, len(content))


def _damaged(path: str, error: Exception) -> TracksError:
    reason = str(error).splitlines()[0]
    return TracksError(f"{path!r}: cannot be unpacked ({reason}); copy the file again")


def _text(value: Any) -> str:
    return "" if value is None or value != value else str(value)
