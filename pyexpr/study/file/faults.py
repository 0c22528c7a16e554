"""Problems in the entries of a study file, with a sentence for each."""

from __future__ import annotations

from collections.abc import Iterator
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError

from pyexpr.base.errors import near_names
from pyexpr.base.invalid_values import allowed, shown


class MisfitError(ValueError):
    """Sections of a study file contradict each other; there is a sentence for each problem.

    Attributes
    ----------
    problems : list of str
    """

    def __init__(self, *problems: str) -> None:
        super().__init__("; ".join(problems))
        self.problems = list(problems)


def sentences(error: ValidationError, model: type[BaseModel]) -> Iterator[str]:
    """Yield a sentence for each problem in the entries of a study file."""
    # An entry of one of several kinds has an error for each of them.
    kinds: dict[str, dict[str, None]] = {}
    problems = error.errors(include_url=False)
    for problem in problems:
        kinds.setdefault(_entry(problem["loc"], model), {})[allowed(problem)] = None
    for problem in problems:
        entry = _entry(problem["loc"], model)
        place = ".".join(str(part) for part in problem["loc"])
        if problem["type"] == "extra_forbidden":
            section, _, name = place.rpartition(".")
            where = f"[{section}]" if section else "the file"
            yield f"{where} has no entry {name!r}; {near_names(name, _entries(section, model))}"
        elif problem["type"] == "missing":
            yield f"[{place}] is missing"
        elif isinstance(misfits := problem.get("ctx", {}).get("error"), MisfitError):
            yield from misfits.problems
        elif allowed(problem):
            if found := [kind for kind in kinds.pop(entry, {}) if kind]:
                yield f"{entry} must be {' or '.join(found)}, not {shown(problem['input'])}"
        else:
            message = problem["msg"].removeprefix("Value error, ")
            given = "" if isinstance(problem["input"], dict) else f" (it is {problem['input']!r})"
            # The file as a whole has no place.
            before = f"{place}: {message[0].lower()}{message[1:]}" if place else message
            yield f"{before}{given}"


def _entry(loc: tuple[int | str, ...], model: Any) -> str:
    """Return an entry as a sentence names it: ``ratings.low``, ``item 1 of compare.metrics``."""
    name, key = "", ""
    for part in loc:
        if isinstance(part, int):
            name = f"item {part + 1} of {name}"
            continue
        if part == "[key]":
            return f"the name {key!r} in {name.removesuffix(f'.{key}')}"
        key = part
        separate = name.startswith("item ")
        name = f"{part} in {name}" if separate else f"{name}.{part}".removeprefix(".")
        field = model.model_fields.get(part) if hasattr(model, "model_fields") else None
        kinds = [] if field is None else _kinds(field.annotation)
        if len(kinds) > 1:
            # The next part is one of the kinds.
            break
        model = kinds[0] if kinds else None
    return name


def _kinds(annotation: Any) -> list[Any]:
    if get_origin(annotation) not in (Union, UnionType):
        return [annotation]
    return [kind for kind in get_args(annotation) if kind is not NoneType]


def _entries(section: str, model: Any) -> list[str]:
    for part in filter(None, section.split(".")):
        field = model.model_fields.get(part)
        # A section that may be absent is a union with None.
        kinds = () if field is None else get_args(field.annotation) or (field.annotation,)
        model = next((kind for kind in kinds if hasattr(kind, "model_fields")), None)
        if model is None:
            return []
    return list(model.model_fields)
