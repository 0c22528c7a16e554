"""One recording out of a table of several, told apart by a column of the file."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from pyexpr.base.contents import KnownFile, read_content
from pyexpr.base.errors import OpenFaceError, near_names
from pyexpr.base.messages import say
from pyexpr.behavior.openface.csv import Source, open_source, source_of


def part_names(path: str | os.PathLike[str], split_by: str) -> list[str]:
    """Return what stands in the column that tells recordings apart, in the order of the file.

    Raises
    ------
    OpenFaceError
        If the file cannot be used, lacks the column, or the column is empty in a row.
    """
    header, rows, _ = _rows(path, split_by)
    names = dict.fromkeys(value for value, _ in rows)
    if "" in names:
        raise OpenFaceError(
            f"{header!r}: the column {split_by!r}, which tells its recordings apart, is empty in "
            "some rows; fill it in"
        )
    return list(names)


def open_part(path: str | os.PathLike[str], split_by: str, part: str) -> Source:
    """Return the rows of one recording as if they were a file of their own.

    Raises
    ------
    OpenFaceError
        As `open_source`; also if the file lacks the column, or the column that value.
    """
    name, rows, (head, known) = _rows(path, split_by)
    own, others = [], dict[str, None]()
    for value, line in rows:
        if value == part:
            own.append(line)
        else:
            others[value] = None
    if not own:
        raise OpenFaceError(
            say(
                "{path!r}: no row has {part:label} in column {split_by:label}; {hint}",
                path=name,
                part=part,
                split_by=split_by,
                hint=near_names(part, others),
            )
        )
    source = source_of(name, b"\n".join([head, *own, b""]), known)
    # The rows are counted within the part, and messages say so.
    said = f"{name} ({split_by} {part})"
    return replace(source, header=replace(source.header, path=said))


def _rows(
    path: str | os.PathLike[str], split_by: str
) -> tuple[str, Iterator[tuple[str, bytes]], tuple[bytes, KnownFile]]:
    """Return the path, (value, line) of each row, the header's line and the file."""
    source = open_source(path)
    header, known = source.header, source.known
    content = source.content
    if content is None:
        content, known = read_content(Path(path))
    if split_by not in header:
        # Its own columns hold no names of recordings.
        raise OpenFaceError(
            say(
                "{path!r}: {split_by=} was asked for, but the file has no column {split_by:label}; "
                "{hint}",
                path=header.path,
                split_by=split_by,
                hint=near_names(split_by, header.positions),
            )
        )
    lines = content.splitlines()
    head, body = lines[header.skip_lines - 1], lines[header.skip_lines :]
    return header.path, _values(body, header.positions[split_by]), (head, known)


def _values(lines: list[bytes], position: int) -> Iterator[tuple[str, bytes]]:
    for line in lines:
        if not line.strip():
            continue
        if b'"' in line:
            # A name in quotes may hold commas: the row goes on without it.
            fields = next(csv.reader([line.decode("utf-8", "replace")]))
            value = fields[position] if position < len(fields) else ""
            fields[position : position + 1] = [""]
            yield value.strip(), ",".join(fields).encode()
            continue
        found = line.split(b",", position + 1)
        text = found[position] if position < len(found) else b""
        yield text.decode("utf-8", "replace").strip(), line
