"""What is wrong in a layout, in the words of its file: which table and key, what is allowed."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from types import NoneType, UnionType
from typing import Annotated, Any, Final, Literal, Union, get_args, get_origin, get_type_hints

from pydantic import BaseModel, ValidationError

from pyexpr.base.errors import near_names

# The largest number of faults in a message: a file of another kind has one in every line.
_MOST: Final = 3
_LONGEST: Final = 60
# Singular and plural of what an entry may be.
_TEXT: Final = ("text", "texts")
_NUMBERS: Final = {1: "one", 2: "two", 3: "three"}


def faults(error: ValidationError, model: type[BaseModel], entries: Mapping[str, Any]) -> str:
    """Return what is wrong in the entries of a layout, at most three faults.

    Parameters
    ----------
    error : ValidationError
        Of the entries.
    model : type
        What they were to be.
    entries : mapping
        As they stand in the file.
    """
    found: dict[tuple[str, ...], str] = {}
    unknown: set[tuple[str, ...]] = set()
    # An unknown name explains why another one is missing in the same table.
    for one in sorted(error.errors(), key=lambda one: one["type"] != "extra_forbidden"):
        place = _Place.of(one["loc"], model)
        if one["type"] == "extra_forbidden":
            found[(*place.tables, place.key)] = _unknown(place, first=place.tables not in unknown)
            unknown.add(place.tables)
            continue
        if one["type"] == "missing" and place.item is None and place.tables in unknown:
            continue
        entry = (*place.tables, place.key)
        # Of a choice between kinds each kind has its own error; the item says most.
        if entry not in found or place.item is not None:
            found[entry] = _sentence(one, place, entries)
    sentences = list(found.values())
    more = f"; and {len(sentences) - _MOST} more" if len(sentences) > _MOST else ""
    return "; ".join(sentences[:_MOST]) + more


class _Place:
    """Where a fault is: in which table, at which key, and at which item of its list."""

    def __init__(
        self, tables: tuple[str, ...], key: str, item: int | None, kind: Any, model: type[BaseModel]
    ) -> None:
        self.tables, self.key, self.item = tables, key, item
        self.kind, self.model = kind, model

    @classmethod
    def of(cls, loc: Sequence[str | int], model: type[BaseModel]) -> _Place:
        tables: list[str] = []
        kind: Any = model
        for at, part in enumerate(loc):
            hints = _hints(model)
            if part not in hints:
                # A name that there is not.
                return cls(tuple(tables), str(part), None, None, model)
            kind = hints[str(part)]
            below = next((one for one in _kinds(kind) if _is_table(one)), None)
            if below is None:
                return cls._of_entry(tables, str(part), loc[at + 1 :], kind, model)
            if at == len(loc) - 1:
                return cls(tuple(tables), str(part), None, kind, model)
            tables.append(str(part))
            model = below
        return cls((), "", None, kind, model)

    @classmethod
    def _of_entry(
        cls,
        tables: list[str],
        key: str,
        rest: Sequence[str | int],
        kind: Any,
        model: type[BaseModel],
    ) -> _Place:
        if get_origin(kind) is dict and rest:
            # The entries of a table whose keys are the user's.
            tables, key, kind = [*tables, key], str(rest[0]), get_args(kind)[1]
        item = next((part for part in rest if isinstance(part, int)), None)
        return cls(tuple(tables), key, item, kind, model)

    def table(self) -> str:
        """Return the table as the file writes it, "the layout" outside of all."""
        return f"[{'.'.join(self.tables)}]" if self.tables else "the layout"

    def entry(self) -> str:
        """Return table and key."""
        return f"[{'.'.join(self.tables)}] {self.key}" if self.tables else self.key

    def value(self, entries: Mapping[str, Any]) -> Any:
        """Return what stands there."""
        found: Any = entries
        for name in (*self.tables, self.key):
            found = found.get(name) if isinstance(found, Mapping) else None
        return found

    def allowed(self) -> str:
        """Return what may stand there."""
        return _words(self.kind)[0]


def _unknown(place: _Place, *, first: bool) -> str:
    hint = near_names(place.key, place.model.model_fields)
    # The names that there are stand behind the first.
    hint = f"; {hint}" if first or hint.startswith("did") else ""
    return f"{place.table()} has no entry {place.key[:_LONGEST]!r}{hint}"


def _sentence(one: Any, place: _Place, entries: Mapping[str, Any]) -> str:
    if one["type"] == "value_error":
        # Of a table, or of the layout as a whole; the sentence is the layout's own.
        table = ".".join((*place.tables, place.key) if place.key else place.tables)
        text = str(one["ctx"]["error"])
        return f"[{table}]: {text}" if table else text
    if one["type"] == "missing" and place.item is None:
        return f"{place.table()} lacks the entry {place.key!r}, which must be {place.allowed()}"
    given = place.value(entries)
    items = given if isinstance(given, list) else ()
    if place.item is not None and place.item < len(items) and not _is_counted(place.kind, items):
        text = f"but item {place.item + 1} is {_shown(items[place.item])}"
        return f"{place.entry()} must be {place.allowed()}, {text}"
    return f"{place.entry()} must be {place.allowed()}, not {_shown(given)}"


def _is_counted(kind: Any, items: Sequence[Any]) -> bool:
    """Return whether a list has another number of items than it must have."""
    fixed = [get_args(one) for one in _kinds(kind) if get_origin(one) is tuple]
    return any(Ellipsis not in args and len(args) != len(items) for args in fixed)


def _shown(value: Any) -> str:
    """Return a value as a TOML file writes it, cut if it is long."""
    try:
        text = json.dumps(value, ensure_ascii=False, default=str)
    except (TypeError, ValueError):
        text = repr(value)
    if isinstance(value, Mapping):
        return "a table"
    if isinstance(value, list) and value and all(isinstance(one, Mapping) for one in value):
        return "a list of tables, as [[...]] makes one"
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."


@cache
def _hints(model: type[BaseModel]) -> dict[str, Any]:
    return get_type_hints(model, include_extras=True)


def _is_table(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)


def _kinds(kind: Any) -> Iterator[Any]:
    """Yield what an entry may be, but nothing at all."""
    if get_origin(kind) in (Union, UnionType):
        for one in get_args(kind):
            yield from _kinds(one)
    elif kind is not NoneType:
        yield kind


def _words(kind: Any) -> tuple[str, str]:
    """Return what an entry of a kind is called, one and several."""
    found = [_of_one(one) for one in _kinds(kind)]
    return " or ".join(one for one, _ in found), " or ".join(several for _, several in found)


def _of_one(kind: Any) -> tuple[str, str]:
    bound = ""
    if get_origin(kind) is Annotated:
        kind, *constraints = get_args(kind)
        bound = _bounds(constraints)
    origin, args = get_origin(kind), get_args(kind)
    if origin is Literal:
        names = [repr(one) for one in args]
        text = ", ".join(names[:-1]) + f" or {names[-1]}"
        return text, text
    if origin is tuple:
        number = "" if Ellipsis in args else f"{_NUMBERS[len(args)]} "
        text = f"{number}{_words(args[0])[1]}"
        return f"a list of {text}{bound}", f"lists of {text}{bound}"
    if origin is dict:
        text = f"a table of {_words(args[1])[1]}"
        return text, text
    if _is_table(kind):
        return "a table", "tables"
    text, several = {
        str: _TEXT, bool: ("true or false", "truth values"),
        int: ("a whole number", "whole numbers"), float: ("a number", "numbers"),
    }[kind]  # fmt: skip
    return text + bound, several + bound


def _bounds(constraints: Sequence[Any]) -> str:
    """Return the bounds of a number, which are whole, or the fewest items of a list."""
    parts: list[str] = []
    for one in constraints:
        for each in getattr(one, "metadata", None) or [one]:
            for name, words in (("gt", "above"), ("ge", "of at least"), ("le", "at most")):
                if getattr(each, name, None) is not None:
                    parts.append(f"{words} {int(getattr(each, name)):,}")
            if getattr(each, "min_length", None):
                return f", {_NUMBERS[each.min_length]} at least"
    return f" {' and '.join(parts)}" if parts else ""
