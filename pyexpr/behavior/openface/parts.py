"""One recording out of a table of several, told apart by a column of the file."""

from __future__ import annotations

import os
from dataclasses import replace

from pyexpr.base.errors import OpenFaceError, near_names
from pyexpr.base.messages import say
from pyexpr.behavior.openface.csv import Source, source_of, whole_text
from pyexpr.behavior.openface.dialects import Rows, as_openface, rows_of


def part_names(path: str | os.PathLike[str], split_by: str) -> list[str]:
    """Return what stands in the column that tells recordings apart, in the order of the file.

    Raises
    ------
    OpenFaceError
        If the file cannot be used, lacks the column, or the column is empty in a row.
    """
    table, at, _ = _table(path, split_by)
    names = dict.fromkeys(_part(fields, at) for fields in table.rows)
    if "" in names:
        raise OpenFaceError(
            f"{str(path)!r}: the column {split_by!r}, which tells its recordings apart, is empty "
            "in some rows; fill it in"
        )
    return list(names)


def open_part(path: str | os.PathLike[str], split_by: str, part: str) -> Source:
    """Return the rows of one recording as if they were a file of their own.

    Raises
    ------
    OpenFaceError
        As `open_source`; also if the file lacks the column, or the column that value.
    """
    table, at, sha256 = _table(path, split_by)
    own, others = [], dict[str, None]()
    for fields in table.rows:
        name = _part(fields, at)
        if name == part:
            own.append(fields)
        else:
            others[name] = None
    if not own:
        raise OpenFaceError(
            say(
                "{path!r}: no row has {part:label} in column {split_by:label}; {hint}",
                path=str(path),
                part=part,
                split_by=split_by,
                hint=near_names(part, others),
            )
        )
    source = source_of(str(path), as_openface(replace(table, rows=iter(own))), sha256)
    # Rows are counted within the part, and messages say so.
    said = f"{path} ({split_by} {part})"
    return replace(source, header=replace(source.header, path=said))


def _part(fields: list[str], at: int) -> str:
    return fields[at].strip() if at < len(fields) else ""


def _table(path: str | os.PathLike[str], split_by: str) -> tuple[Rows, int, str]:
    """Return the rows of a file, where the column that tells them apart stands, and its SHA-256."""
    text, sha256 = whole_text(path)
    table = rows_of(text)
    if split_by not in table.names:
        raise OpenFaceError(
            say(
                "{path!r}: {split_by=} was asked for, but the file has no column {split_by:label}; "
                "{hint}",
                path=str(path),
                split_by=split_by,
                hint=near_names(split_by, table.names),
            )
        )
    return table, table.names.index(split_by), sha256
