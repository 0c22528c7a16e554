"""The roles of the tables in a folder, and of their columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pyexpr.base.errors import StudyError, listed, near_names
from pyexpr.study.init.answers import Answers
from pyexpr.study.init.column_words import columns_of
from pyexpr.study.init.found_tables import FEATURES, RATINGS, RECORDINGS, FoundTable, table_of
from pyexpr.study.init.listed_recordings import openface_files

NONE = "none"
_KINDS = (RATINGS, RECORDINGS, FEATURES)


@dataclass(frozen=True, slots=True)
class Roles:
    """The tables of a study.

    Attributes
    ----------
    ratings, recordings, features : FoundTable or None
    listed : list of str
        Paths of recordings in subfolders that no table names, relative to the folder; empty if
        there is a table of recordings.
    unused : list of str
        Tables that are none of these.
    """

    ratings: FoundTable | None
    recordings: FoundTable | None
    features: FoundTable | None
    listed: list[str]
    unused: list[str]

    def tables(self) -> list[FoundTable]:
        """Return the tables that there are."""
        return [one for one in (self.ratings, self.recordings, self.features) if one is not None]


def roles_of(
    home: Path, tables: list[FoundTable], unread: Sequence[str], answers: Answers
) -> Roles:
    """Return the role of each table; raise `StudyError` if there are not enough for a study."""
    named_tables = {kind: answers.option(kind) for kind in _KINDS}
    taken = {name for name in named_tables.values() if name not in (None, NONE)}
    found: dict[str, FoundTable | None] = {}
    for kind in _KINDS:
        named = named_tables[kind]
        if named is not None:
            found[kind] = None if named == NONE else _named(home, tables, kind, named)
            continue
        own = [one for one in tables if one.kind == kind and one.name not in taken]
        found[kind] = _one_of(own, kind, answers)
    used = {one.name for one in found.values() if one is not None}
    unused = [one.name for one in tables if one.name not in used]
    listed_files = []
    if found[RECORDINGS] is None and named_tables[RECORDINGS] != NONE and found[FEATURES] is None:
        listed_files = openface_files(home)
    roles = Roles(
        found[RATINGS], found[RECORDINGS], found[FEATURES], listed_files, unused
    )  # fmt: skip
    _check_enough(home, roles, tables, unread)
    return roles


def _named(home: Path, tables: list[FoundTable], kind: str, name: str) -> FoundTable:
    if not (home / name).is_file():
        hint = near_names(name, [one.name for one in tables])
        raise StudyError(f"--{kind}: there is no table {name!r} in {str(home)!r}; {hint}")
    found = table_of(home, name)
    # A table of ratings that does not look like one: its columns are named by options.
    return replace(found, kind=kind, wide=found.wide if kind == RATINGS else None)


def _one_of(own: list[FoundTable], kind: str, answers: Answers) -> FoundTable | None:
    # A table of persons has subjects and numbers, too.
    own = [one for one in own if columns_of("clip", map(str, one.frame))] or own
    if len(own) < 2:
        return own[0] if own else None
    names = [one.name for one in own]
    answer = answers.one_of(kind, f"Which of the tables has the {kind}?", [*names, NONE])
    return None if answer == NONE else own[names.index(answer)]


def _check_enough(
    home: Path, roles: Roles, tables: list[FoundTable], unread: Sequence[str]
) -> None:
    there = f"it has {listed([one.name for one in tables])}" if tables else "it has no table"
    if unread:
        there += f"; {unread[0]}"
    if not roles.tables():
        raise StudyError(
            f"there is no table of ratings or features in {str(home)!r} ({there}); a table needs "
            "a column of subjects and one of clips (--subject, --clip, with --ratings or "
            "--features, name them)"
        )
    if roles.features is None and roles.ratings is None:
        raise StudyError(
            f"there are recordings in {str(home)!r}, but no table of ratings ({there}): name it "
            "by --ratings"
        )
    if roles.features is None and roles.recordings is None and not roles.listed:
        raise StudyError(
            f"there are ratings in {str(home)!r} ({roles.tables()[0].name}), but neither a table "
            f"of features nor recordings of OpenFace ({there}); put one there, or name it by "
            "--features or --recordings"
        )


def column_of(table: FoundTable, part: str, others: Sequence[FoundTable], answers: Answers) -> str:
    """Return the column of a table with this role, which an option or its name determines."""
    found = optional_column(table, part, others, answers)
    if found is None:
        names = [str(name) for name in table.frame]
        found = answers.one_of(
            part,
            f"No column of {table.name} has the usual name of the {part}. Which column is it?",
            names,
        )
    return found


def optional_column(
    table: FoundTable, part: str, others: Sequence[FoundTable], answers: Answers
) -> str | None:
    """Return the result of `column_of`, or None if there is no such column."""
    answer, names = answers.option(part), [str(name) for name in table.frame]
    if answer is not None and answer in names:
        return answer
    if answer == NONE:
        return None
    if answer is not None and not any(answer in other.frame for other in others):
        raise StudyError(f"--{part}: no table has a column {answer!r}; {near_names(answer, names)}")
    found = columns_of(part, names)
    if len(found) > 1:
        return answers.one_of(part, f"Which column of {table.name} is the {part}?", found)
    return found[0] if found else None
