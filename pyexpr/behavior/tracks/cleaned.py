"""Fields of a table as numbers: words, times of a clock, people, cells that hold all points."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from pyexpr.base.errors import TracksError
from pyexpr.base.messages import say
from pyexpr.behavior.tracks.wanted import MISSING, Wanted, cell_columns

#: What the number of a row is called among columns.
ROW: Final = "(row)"
_WORDS: Final = {"true": "1", "false": "0", "yes": "1", "no": "0"}
_CLOCK: Final = re.compile(r"(?:(\d+):)?(\d+):(\d+(?:[.,]\d+)?)")


@dataclass(slots=True)
class Cleaned:
    """The text of a table with the columns wanted alone, each a number."""

    wanted: Wanted
    people: dict[str, int] = field(default_factory=dict)
    others: int = 0
    #: Of each row of the text the number that it has in the table.
    rows: list[int] = field(default_factory=list)

    def text(self, path: str, rows: Iterable[tuple[int, list[str]]], names: Sequence[str]) -> bytes:
        """Return a text with a column more, so that a cut row has fewer than any.

        Rows come with their numbers, from 1.
        """
        at = {name: number for number, name in reversed(list(enumerate(names)))}
        wanted = self.wanted
        made = cell_columns(*wanted.cells) if wanted.cells else ()
        own = [name for name in wanted.sources() if not wanted.cells or name != wanted.cells[0]]
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n", quoting=csv.QUOTE_NONE, escapechar="\\")
        writer.writerow([*(_plain(name) for name in (*own, *made)), ROW])
        selecting = [(name, at[name]) for name in wanted.selecting()]
        for number, fields in rows:
            if len(fields) != len(names):
                cut = len(fields) < len(names)
                self.rows.append(number)
                out.write("cut\n" if cut else "," * len((*own, *made, ROW)) + "\n")
                continue
            if not wanted.selects({name: fields[position] for name, position in selecting}):
                self.others += 1
                continue
            numbers = [self.number(path, name, fields[at[name]], number) for name in own]
            if wanted.cells:
                numbers += cell_numbers(path, fields[at[wanted.cells[0]]], wanted.cells, number)
            self.rows.append(number)
            writer.writerow([*numbers, number])
        return out.getvalue().encode()

    def number(self, path: str, name: str, text: str, row: int) -> str:
        """Return the text of a number that a field stands for."""
        text = text.strip()
        if text in MISSING or text in self.wanted.missing:
            return ""
        if name == self.wanted.clock:
            return repr(clock_seconds(path, name, text, row))
        if name in self.wanted.words:
            return _WORDS.get(text.lower(), text)
        if name == self.wanted.labels:
            return self.person(text)
        return text.replace(",", " ")

    def person(self, text: str) -> str:
        """Return the number of a person: as it stands, or of a name in order of appearance."""
        if not self.people and is_number(text):
            return text
        return str(self.people.setdefault(text, len(self.people)))


def is_cut(last: list[str], before: list[str], names: Sequence[str]) -> bool:
    """Return whether a last line without an end stops within its last number."""
    if not len(last) == len(before) == len(names):
        return False
    return len(last[-1].partition(".")[2]) < len(before[-1].partition(".")[2])


def clock_seconds(path: str, name: str, text: str, row: int) -> float:
    """Return a time of the form hours:minutes:seconds in seconds."""
    found = _CLOCK.fullmatch(text)
    if found is None:
        if is_number(text):
            return float(text)
        raise TracksError(
            say(
                "{path!r}: column {name!r} must hold times such as 00:01:02.500, but row {row} "
                "holds {text!r}",
                path=path,
                name=name,
                row=row,
                text=text[:60],
            )
        )
    hours, minutes, seconds = found.groups()
    whole = 3600 * int(hours or 0) + 60 * int(minutes)
    # Milliseconds stay what they are: a sum of floats would end in another digit.
    return round(whole + float(seconds.replace(",", ".")), 6)


def cell_numbers(path: str, cell: Any, cells: tuple[str, int, int], row: int) -> list[str]:
    """Return the numbers of a cell that holds all points; empty ones for an empty cell."""
    column, count, n_axes = cells
    text = cell.strip() if isinstance(cell, str) else cell
    if text is None or (isinstance(text, str) and text in MISSING):
        return [""] * (count * n_axes)
    try:
        values = np.asarray(json.loads(text) if isinstance(text, str) else text, dtype=np.float64)
    except (ValueError, TypeError):
        values = np.zeros(0)
    if values.size != count * n_axes:
        raise TracksError(
            say(
                "{path!r}: column {column!r} must hold {count} points of {n_axes} numbers, such as "
                "[[1.5, 2.0], ...], but row {row} holds {text!r}",
                path=path,
                column=column,
                count=count,
                n_axes=n_axes,
                row=row,
                text=str(cell)[:60],
            )
        )
    return [repr(float(value)) for value in values.ravel()]


def _plain(name: str) -> str:
    return re.sub(r'[",\r\n]+', " ", name)


def is_number(text: str) -> bool:
    """Return whether a field is a number, or missing."""
    text = text.strip()
    if text in MISSING:
        return True
    try:
        float(text)
    except ValueError:
        return False
    return True
