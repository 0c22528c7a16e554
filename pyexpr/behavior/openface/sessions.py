"""Sessions of DAIC-WOZ and its kin: OpenFace's early output, a text file for each kind of column.

Beside each other lie ``300_CLNF_features.txt`` (68 points in the image), ``features3D``,
``pose``, ``gaze`` and ``AUs``, each with frame, timestamp, confidence and success. Their columns
get the names of later versions, and the files of one session become one table.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pyexpr.base.errors import OpenFaceError, listed
from pyexpr.base.messages import Template

_ROW: Final = ("frame", "timestamp", "confidence", "success")
_KINDS: Final = ("features", "features3D", "pose", "gaze", "AUs")
# The documentation of DAIC-WOZ calls the last one a CSV file.
_MARK: Final = "_CLNF_"
_NAME: Final = re.compile(rf"([^.].*){_MARK}(?:({'|'.join(_KINDS)})\.txt|(AUs)\.csv)")
_UNIT: Final = re.compile(r"AU\d+_[cr]")
# What stands in a file besides _ROW -> OpenFace's later name. Of gaze there are vectors in the
# head's own axes as well, which later versions do not write.
_COLUMNS: Final[dict[str, dict[str, str]]] = {
    "features": {f"{axis}{i}": f"{axis}_{i}" for axis in "xy" for i in range(68)},
    "features3D": {f"{axis}{i}": f"{axis}_{i}" for axis in "XYZ" for i in range(68)},
    "pose": {axis: f"pose_T{axis.lower()}" for axis in "XYZ"}
    | {f"R{axis}": f"pose_R{axis}" for axis in "xyz"},
    "gaze": {f"{axis}_{eye}": f"gaze_{eye}_{axis}" for eye in (0, 1) for axis in "xyz"}
    | {f"{axis}_h{eye}": "" for eye in (0, 1) for axis in "xyz"},
}

_JOINED = Template("files_joined", "joined from {files:count file}: {kinds}")
_UNLIKE = Template(
    "files_unlike",
    "in {frames:count frame} the files differ in confidence or success: the least of each is taken",
)


@dataclass(frozen=True, slots=True)
class _File:
    """One of a session's files: its rows, and OpenFace's names of its columns ("" for none)."""

    path: Path
    session: str
    kind: str
    names: tuple[str, ...]
    lines: list[str]


@dataclass(frozen=True, slots=True)
class Session:
    """The table that the files of a session make.

    Attributes
    ----------
    content : bytes
        As OpenFace would have written it.
    sha256 : str
        As `joined_sha256` makes it of those of the files.
    notes : tuple of str
    """

    content: bytes
    sha256: str
    notes: tuple[str, ...]


def stands_alone(path: str | os.PathLike[str], *, is_file: bool = False) -> bool:
    """Return whether a path is no folder, and not named as one of a session's files.

    `session_files` of most paths are then known without a look at what lies beside them. That it
    is a file need not be asked of the disk where `is_file` says so.
    """
    text = os.fspath(path)
    if _MARK in text and _MARK in os.path.basename(text):
        return False
    return is_file or not os.path.isdir(text)


def session_files(path: str | os.PathLike[str]) -> tuple[Path, ...]:
    """Return the files that are read for a path, in a fixed order.

    For one of a session's files they are all that lie beside it, for a folder those of the one
    session in it; for any other path they are that path.

    Raises
    ------
    OpenFaceError
        If a folder holds several sessions.
    """
    given = Path(path)
    # Most are files of their own; the rest is asked only of those that may not be.
    if stands_alone(path):
        return (given,)
    named = _NAME.fullmatch(given.name)
    if named is not None and not given.is_dir():
        return _of_session(given.parent, named[1]) or (given,)
    if not given.is_dir():
        return (given,)
    sessions = sorted({found[1] for found in map(_NAME.fullmatch, os.listdir(given)) if found})
    if len(sessions) > 1:
        raise OpenFaceError(
            f"{str(path)!r}: the folder holds the files of {len(sessions)} sessions "
            f"({listed(sessions, most=3)}); name one file of the session"
        )
    return _of_session(given, sessions[0]) if sessions else (given,)


def _of_session(folder: Path, session: str) -> tuple[Path, ...]:
    try:
        names = os.listdir(folder)
    except OSError:
        return ()
    found = [(match[2] or match[3], name) for name in names if (match := _NAME.fullmatch(name))]
    own = [(kind, name) for kind, name in found if name.startswith(f"{session}_CLNF_")]
    return tuple(folder / name for _, name in sorted(own, key=lambda one: _KINDS.index(one[0])))


def is_session(files: Sequence[Path]) -> bool:
    """Return whether these are files of a session, and not a recording of its own."""
    return _NAME.fullmatch(files[0].name) is not None and not files[0].is_dir()


def joined_sha256(hashes: Sequence[str]) -> str:
    """Return one SHA-256 for the files of a recording: that of the only one, or of all theirs."""
    if len(hashes) == 1:
        return hashes[0]
    return hashlib.sha256("\n".join(hashes).encode()).hexdigest()


def joined_files(read: Mapping[Path, tuple[bytes, str]], *, head: bool = False) -> Session:
    """Join the files of one session, row by row.

    Parameters
    ----------
    read : mapping of Path to (bytes, str)
        The text of each file, and its SHA-256.
    head : bool
        Whether the names of the columns are enough.

    Raises
    ------
    OpenFaceError
        If a file has other columns than its name says, there are two of a kind, they are of
        several sessions, or not of the same frames and times.
    """
    files = sorted(
        (_opened(path, text, head=head) for path, (text, _) in read.items()),
        key=lambda file: _KINDS.index(file.kind),
    )
    kinds = [file.kind for file in files]
    for file in files[1:]:
        if kinds.count(file.kind) > 1:
            raise OpenFaceError(
                f"{str(file.path)!r}: there are two files of the session's {file.kind}; keep one"
            )
        if file.session != files[0].session:
            raise OpenFaceError(
                f"{str(file.path)!r} and {files[0].path.name!r} are of two sessions by their "
                "names; give the files of one"
            )
    names = [*_ROW, *(name for file in files for name in file.names[len(_ROW) :] if name)]
    rows = [] if head else list(_rows(files))
    unlike = sum(differs for _, differs in rows)
    notes: tuple[str, ...] = ()
    if len(files) > 1:
        notes += (_JOINED(files=len(files), kinds=", ".join(kinds)),)
    if unlike:
        notes += (_UNLIKE(frames=unlike),)
    lines = [",".join(names), *(line for line, _ in rows), ""]
    hashes = [read[file.path][1] for file in files]
    return Session("\n".join(lines).encode(), joined_sha256(hashes), notes)


def _opened(path: Path, content: bytes, *, head: bool) -> _File:
    named = _NAME.fullmatch(path.name)
    session, kind = (named[1], named[2] or named[3]) if named else ("", "")
    text = content.decode("utf-8", "replace").removeprefix("\ufeff")
    lines = re.split(r"\r\n|\n|\r", text.partition("\n")[0] if head else text)
    given = [name.strip() for name in lines[0].split(",")]
    later = _COLUMNS.get(kind, {})
    if kind == "AUs":
        later = {name: name for name in given if _UNIT.fullmatch(name)}
    as_now = {name: name for name in later.values() if name}
    for known in (later, as_now):
        if known and sorted(given) == sorted((*_ROW, *known)) and tuple(given[:4]) == _ROW:
            return _File(
                path, session, kind, (*_ROW, *(known[name] for name in given[4:])), lines[1:]
            )
    usual = {"features": "x0 to y67", "features3D": "X0 to Z67", "pose": "X, Y, Z, Rx, Ry, Rz"}
    usual |= {"gaze": "x_0 to z_h1", "AUs": "action units such as AU01_r"}
    raise OpenFaceError(
        f"{str(path)!r}: a file of this name has the columns {', '.join(_ROW)} and then "
        f"{usual.get(kind, 'those of a session')}, but this one has {listed(given, most=6)}; give "
        "the file as it was downloaded"
    )


def _rows(files: Sequence[_File]) -> Iterator[tuple[str, bool]]:
    """Yield the lines of the table, and whether the files differ in them."""
    tables = [_whole_rows(file) for file in files]
    first, length = files[0], len(tables[0])
    for file, table in zip(files, tables, strict=True):
        if len(table) != length:
            raise OpenFaceError(
                f"{str(file.path)!r} has {len(table)} rows, but {first.path.name!r} beside it has "
                f"{length}: files of one session have the same frames, so copy them again"
            )
    kept = [[n for n, name in enumerate(file.names) if n >= len(_ROW) and name] for file in files]
    for number in range(length):
        fields = [table[number] for table in tables]
        if not all(fields):
            # Cut or overlong in one of the files: no row of the session.
            yield "cut", False
            continue
        for file, own in zip(files[1:], fields[1:], strict=True):
            _refuse_other_time(first, file, number + 1, fields[0], own)
        marks = [_least([own[n] for own in fields]) for n in (2, 3)]
        differs = any(own[n] != fields[0][n] for own in fields[1:] for n in (2, 3))
        values = [own[n] for own, wanted in zip(fields, kept, strict=True) for n in wanted]
        yield ",".join([*fields[0][:2], *marks, *values]), differs


def _whole_rows(file: _File) -> list[list[str]]:
    """Return the fields of each row, none of a row with too few or too many.

    The last row may be cut within a number if no line end follows it.
    """
    ended = not file.lines or not file.lines[-1]
    rows = [
        [field.strip() for field in line.split(",")] for line in file.lines if line.strip(" \t")
    ]
    if rows and not ended:
        rows[-1] = []
    return [row if len(row) == len(file.names) else [] for row in rows]


def _refuse_other_time(
    first: _File, other: _File, row: int, one: Sequence[str], two: Sequence[str]
) -> None:
    """Raise `OpenFaceError` if two rows are not of the same frame and time."""
    for name, given, expected in zip(_ROW[:2], two, one, strict=False):
        if given != expected and _number(given) != _number(expected):
            raise OpenFaceError(
                f"{str(other.path)!r}: row {row} has {name} {given}, but {first.path.name!r} "
                f"beside it has {expected}: files of one session have the same frames, so they "
                "are not of one run of OpenFace"
            )


def _number(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text


def _least(texts: Sequence[str]) -> str:
    """Return the least of some numbers, as it is written; what is none, where there is such."""
    if all(text == texts[0] for text in texts):
        return texts[0]
    strange = [text for text in texts if isinstance(_number(text), str)]
    return strange[0] if strange else min(texts, key=float)
