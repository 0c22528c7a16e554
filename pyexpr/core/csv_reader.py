"""Parsing of numeric tables from comma-separated text that arrives in pieces."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pyexpr.core.extension import kernels

# Bytes of a file that are read at a time; Ctrl-C is handled in between.
_AT_ONCE: Final = 1 << 24


@dataclass(frozen=True, slots=True)
class UnreadField:
    """A field that contains neither a number nor a word for a missing one.

    Attributes
    ----------
    table, column : int
        Numbers of the table, and of the column in it.
    row : int
        Among all rows, from 1.
    text : bytes
        Its content, without blanks around it.
    """

    table: int
    column: int
    row: int
    text: bytes


@dataclass(frozen=True, slots=True)
class CsvTables:
    """The tables that were read from a text.

    Attributes
    ----------
    tables : list of (rows, columns) float64
        In the requested order; the arrays own their memory.
    memory : list of (at least rows, columns) float64
        This memory, with the requested space after the rows, whose content is undefined.
    cut, overlong : list of int
        Rows dropped because they have too few or too many fields, or end in the middle of
        their last number; counted from 1 among all rows.
    unread : UnreadField or None
        The first such field of the first table and column with any; its value is NaN.
    too_long : bool
        Whether reading stopped at a line that exceeds the permitted length.
    """

    tables: list[NDArray[np.float64]]
    memory: list[NDArray[np.float64]]
    cut: list[int]
    overlong: list[int]
    unread: UnreadField | None
    too_long: bool


@dataclass(frozen=True, slots=True)
class RestOfFile:
    """The rest of an open file, which is read, hashed and parsed without Python's lock.

    Attributes
    ----------
    descriptor : int
        The file is read from its present position.
    digest : Sha256
        The bytes that are read are added to it.
    """

    descriptor: int
    digest: kernels.Sha256


def file_digest() -> kernels.Sha256 | None:
    """Return a SHA-256 for `RestOfFile`; None if the processor has no instructions for one.

    Examples
    --------
    >>> digest = file_digest()
    >>> if digest is not None:
    ...     digest.update(b"abc")
    ...     assert digest.hexdigest().startswith("ba7816bf")
    """
    return kernels.Sha256(True) if kernels.has_sha256_instructions() else None


def read_csv(
    pieces: Iterable[bytes | bytearray | memoryview],
    tables: Sequence[Sequence[int]],
    *,
    n_columns: int,
    skip_lines: int,
    longest_line: int,
    n_bytes: int = 0,
    room: Callable[[NDArray[np.float64]], int] | None = None,
    rest: RestOfFile | None = None,
) -> CsvTables:
    r"""Read columns of numbers in one pass.

    Fields are separated by commas and have no quotes; lines end with ``\n``, ``\r`` or
    ``\r\n``; empty lines, and blanks and tabs around a field, are ignored. Numbers
    are read to the nearest double. Missing, NaN: an empty field; ``NA``, ``N/A``, ``#N/A``,
    ``null``, ``NULL``, ``None``; ``nan`` and ``inf`` as the C libraries print them.

    Parameters
    ----------
    pieces : iterable of bytes
        The text, cut anywhere. A piece is no longer used once the next one is requested.
    tables : sequence of sequences of int
        For each table its columns, as positions in a row, from 0.
    n_columns : int
        Fields of a whole row; rows with another number are dropped and listed.
    skip_lines : int
        Lines before the first row, empty ones too.
    longest_line : int
        Most characters of a line; reading stops at a longer one.
    n_bytes : int
        Length of the text, or 0; it only avoids repeated allocation of memory.
    room : function of a (rows, columns) array that returns an int, optional
        Returns the least number of rows for the memory of the other tables, given the first table.
    rest : RestOfFile, optional
        The rest of the text after the pieces.

    Returns
    -------
    CsvTables

    Notes
    -----
    If the text ends without the end of a line, its last row counts as cut if its last field cannot
    be read, has fewer decimals than that of the complete row before, or if there is no row before.
    Between pieces, Python's lock is released and Ctrl-C is handled. Checked against Python's
    ``float`` bit by bit, and against Arrow's reader.

    Examples
    --------
    >>> from pyexpr.core.csv_reader import read_csv
    >>> read = read_csv(
    ...     [b"a, b, c\n1, 2.5, x\n2, -n", b"an, y\n3, 4\n"],
    ...     [[1, 0]], n_columns=3, skip_lines=1, longest_line=100,
    ... )
    >>> read.tables[0].tolist(), read.cut
    ([[2.5, 1.0], [nan, 2.0]], [3])
    """
    reader = kernels.CsvReader(
        [list(map(int, table)) for table in tables], n_columns, skip_lines, longest_line, n_bytes
    )
    short = all(reader.feed(piece) for piece in pieces) and _rest_is_short(reader, rest)
    short = short and reader.finish()
    unread = reader.unread()
    memory: list[NDArray[np.float64]] = []
    n_rows = wanted = 0
    for position, table in enumerate(tables):
        memory.append(reader.take(position, len(table), wanted))
        if position == 0:
            n_rows = len(memory[0])
            wanted = 0 if room is None else room(memory[0])
    return CsvTables(
        [one[:n_rows] for one in memory],
        memory,
        reader.cut(),
        reader.overlong(),
        None if unread is None else UnreadField(*unread),
        too_long=not short,
    )


def _rest_is_short(reader: kernels.CsvReader, rest: RestOfFile | None) -> bool:
    """Read the rest of a file; return whether none of its lines is too long."""
    n = _AT_ONCE
    while rest is not None and n >= _AT_ONCE:
        short, n = reader.feed_file(rest.descriptor, rest.digest, _AT_ONCE)
        if not short:
            return False
    return True
