"""Features of the recordings of several calls, as of one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pyexpr.base.errors import DataError
from pyexpr.base.messages import message_column, say
from pyexpr.behavior.features.mixed import Kind, differences

if TYPE_CHECKING:
    import pandas as pd

#: Start and end (s) and label of the clips of each context.
Segments = dict[str, tuple[tuple[float, float, str], ...]]


def check_options(one: Mapping[str, Any], other: Mapping[str, Any]) -> None:
    """Raise `DataError` unless features were computed with the same options."""
    for name in {**one, **other}:
        if one.get(name) != other.get(name):
            raise DataError(
                say(
                    "features that are joined must be computed with the same {@name=}, not "
                    "{first!r} and {second!r}",
                    name=name,
                    first=one.get(name),
                    second=other.get(name),
                )
            )


def joined_segments(parts: Sequence[Segments]) -> Segments:
    """Return the segments of all contexts; `DataError` if two results cut one differently."""
    found: Segments = {}
    for own in parts:
        for context, segments in own.items():
            if found.setdefault(context, segments) != segments:
                raise DataError(
                    say(
                        "features that are joined must be cut by the same schedule, but two of the "
                        "results have other segments for context {context:label}",
                        context=context,
                    )
                )
    return found


def joined_units(parts: Sequence[Mapping[str, str]]) -> dict[str, str]:
    """Return the units of all signals; `DataError` if two results measure one in other units."""
    found: dict[str, str] = {}
    for own in parts:
        for name, unit in own.items():
            if found.setdefault(name, unit) != unit:
                raise DataError(
                    say(
                        "{name:label} is in {unit!r} in one of the results and in {first!r} in "
                        "another, so they cannot be joined; compute them with layouts that have "
                        "the same unit",
                        name=name,
                        unit=unit,
                        first=found[name],
                    )
                )
    # In the order of one call.
    return {name: unit for own in reversed(parts) for name, unit in own.items()}


def check_recordings(tables: Sequence[Sequence[pd.DataFrame]]) -> None:
    """Raise `DataError` if a recording, or part of one, is in two of the results.

    `tables` are, of each result, those whose rows name a subject and a context.
    """
    of: dict[tuple[Any, Any], int] = {}
    for number, own in enumerate(tables):
        keys = {
            key
            for table in own
            # A table without rows may be one without columns.
            if len(table)
            for key in zip(table["subject"], table["context"], strict=True)
        }
        for subject, context in sorted(keys & of.keys(), key=str):
            raise DataError(
                say(
                    "the recording of subject {subject:label} in context {context:label} is in two "
                    "of the results; each recording may be in one",
                    subject=subject,
                    context=context,
                )
            )
        of.update(dict.fromkeys(keys, number))


def check_kinds(kinds: Sequence[Sequence[Kind]]) -> None:
    """Raise `DataError` if recordings of two results cannot be compared; see `differences`."""
    first = next((own[0] for own in kinds if own), None)
    for own in kinds:
        for kind in own:
            # Whatever the results do with such recordings: one call would look at all of them.
            if first is not None and own is not kinds[0] and differences(first, kind, "keep"):
                raise DataError(
                    say(
                        "the recordings {path:label} and {first:label} differ in their action "
                        "units, landmarks or image size, and one call for all of them would apply "
                        "{on_mixed=} to both; compute the features of all recordings in one call",
                        path=kind.path,
                        first=first.path,
                    )
                )


def joined_hashes(hashes: Sequence[Mapping[str, str]]) -> dict[str, str]:
    """Return the hashes of all files; `DataError` if one has changed meanwhile."""
    found: dict[str, str] = {}
    for own in hashes:
        for path, digest in own.items():
            if found.setdefault(path, digest) != digest:
                raise DataError(
                    say(
                        "the file {path:label} has changed between the calls whose results are "
                        "joined; compute its features again",
                        path=path,
                    )
                )
    return found


def stacked(tables: Sequence[pd.DataFrame], *messages: str) -> pd.DataFrame:
    """Return the rows of all tables; the columns `messages` remain messages."""
    import pandas as pd

    # An empty table has no types of its own.
    full = [table for table in tables if len(table)] or list(tables[:1])
    found = pd.concat(full, ignore_index=True)
    return found.assign(
        **{name: message_column([x for table in full for x in table[name]]) for name in messages}
    )
