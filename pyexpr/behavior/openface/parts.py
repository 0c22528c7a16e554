"""One recording out of a table of several, told apart by a column of the file."""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from threading import Lock
from typing import Any, Final, Protocol, TypeVar

from pyexpr.base.contents import FileState
from pyexpr.base.errors import OpenFaceError, near_names
from pyexpr.base.messages import say
from pyexpr.base.remote_files import reads_remote
from pyexpr.behavior.openface.csv import Source, source_of, whole_text
from pyexpr.behavior.openface.dialects import Rows, line_writer, openface_text, rows_of
from pyexpr.behavior.openface.sessions import session_files

#: So many bytes of files that were split are kept at most, besides the last one.
KEPT_BYTES: Final = 2**29


@dataclass(frozen=True, slots=True)
class _Split:
    """A file of several recordings: the text of each, as OpenFace would have written it."""

    parts: dict[str, bytes]
    sha256: str

    def size(self) -> int:
        return sum(map(len, self.parts.values()))


class Sized(Protocol):
    """What takes so many bytes of memory."""

    def size(self) -> int:
        """Return how many."""


T = TypeVar("T", bound=Sized)


class _SplitFiles:
    """Files that were split, while somebody reads one part of them after the other."""

    def __init__(self) -> None:
        self.users = 0
        self._lock = Lock()
        self._files: OrderedDict[tuple[object, ...], Any] = OrderedDict()
        # One for each file: two threads must not both split it.
        self._locks: dict[tuple[object, ...], Lock] = {}

    def get(self, key: tuple[object, ...], make: Callable[[], T]) -> T:
        """Return what is kept under a key, made now unless it is there."""
        with self._lock:
            own = self._locks.setdefault(key, Lock())
        with own:
            with self._lock:
                if key in self._files:
                    self._files.move_to_end(key)
                    kept: T = self._files[key]
                    return kept
            found = make()
            with self._lock:
                self._files[key] = found
                while len(self._files) > 1 and self._size() > KEPT_BYTES:
                    self._files.popitem(last=False)
            return found

    def _size(self) -> int:
        return sum(one.size() for one in self._files.values())

    def begin(self) -> None:
        """Count one who reads part after part."""
        with self._lock:
            self.users += 1

    def end(self) -> None:
        """Count one less; after the last nothing is kept."""
        with self._lock:
            self.users -= 1
            if not self.users:
                self._files.clear()
                self._locks.clear()


_KEPT: Final = _SplitFiles()


@contextmanager
def parts_read_once() -> Iterator[None]:
    """While this is open, a file of several recordings is read and split once for all of them."""
    _KEPT.begin()
    try:
        yield
    finally:
        _KEPT.end()


def kept_for_parts(path: str, what: tuple[object, ...], make: Callable[[], T]) -> T:
    """Return what is made of a file: once for all its parts, while `parts_read_once` is open.

    Parameters
    ----------
    path : str
        It is made again if the file changes.
    what : tuple
        What is made of it.
    make : callable
    """
    return _KEPT.get((path, *what, *_state(path)), make) if _KEPT.users else make()


@reads_remote
def part_names(path: str | os.PathLike[str], split_by: str) -> list[str]:
    """Return what stands in the column that tells recordings apart, in the order of the file.

    Raises
    ------
    OpenFaceError
        If the file cannot be used, has no such column, or the column is empty in a row.
    """
    names = list(_parts(path, split_by).parts)
    if "" in names:
        raise OpenFaceError(
            f"{str(path)!r}: the column {split_by!r}, which tells its recordings apart, is empty "
            "in some rows; fill it in"
        )
    return names


def open_part(path: str | os.PathLike[str], split_by: str, part: str) -> Source:
    """Return the rows of one recording as if they were a file of their own.

    Raises
    ------
    OpenFaceError
        As `open_source`; also if the file lacks the column, or the column that value.
    """
    found = _parts(path, split_by)
    if part not in found.parts:
        raise OpenFaceError(
            say(
                "{path!r}: no row has {part:label} in column {split_by:label}; {hint}",
                path=str(path),
                part=part,
                split_by=split_by,
                hint=near_names(part, found.parts),
            )
        )
    source = source_of(str(path), found.parts[part], found.sha256)
    # Rows are counted within the part, and messages say so.
    label = f"{path} ({split_by} {part})"
    return replace(source, header=replace(source.header, path=label))


def _parts(path: str | os.PathLike[str], split_by: str) -> _Split:
    name = os.fspath(path)
    return kept_for_parts(name, (split_by,), lambda: _split(name, split_by))


def _state(path: str) -> tuple[FileState, ...]:
    try:
        return tuple(FileState.of(os.stat(file)) for file in session_files(path))
    except (OSError, ValueError):
        # Reading it says why.
        return ()


def _split(path: str, split_by: str) -> _Split:
    """Read a file and split it; every part is in its own order."""
    table, at, sha256 = _table(path, split_by)
    line = line_writer(table.names)
    lines: dict[str, list[str]] = {}
    name = ""
    for fields in table.rows:
        # A row that was cut before the column goes on where the one before it stands.
        name = fields[at].strip() if at < len(fields) else name
        lines.setdefault(name, []).append(line(fields))
    # Only the last line of the file may have been cut.
    texts = {
        part: openface_text(table.names, lines.pop(part), ended=table.ended or part != name)
        for part in list(lines)
    }
    return _Split(texts, sha256)


def _table(path: str, split_by: str) -> tuple[Rows, int, str]:
    """Return the rows of a file, where the column that tells them apart stands, and its SHA-256."""
    text, sha256 = whole_text(path)
    table = rows_of(text)
    if split_by not in table.names:
        raise OpenFaceError(
            say(
                "{path!r}: {split_by=} was requested, but the file has no column {split_by:label}; "
                "{hint}",
                path=str(path),
                split_by=split_by,
                hint=near_names(split_by, table.names),
            )
        )
    return table, table.names.index(split_by), sha256
