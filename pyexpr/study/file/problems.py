"""What is wrong in a file of choices, in sentences that name the entry."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, get_args

from pydantic import ValidationError

from pyexpr.base.errors import near_names
from pyexpr.study.file.section import Section


class MisfitError(ValueError):
    """Sections of a study file do not fit one another: a sentence for each way.

    Attributes
    ----------
    problems : list of str
    """

    def __init__(self, *problems: str) -> None:
        super().__init__("; ".join(problems))
        self.problems = list(problems)


def sentences(error: ValidationError, model: type[Section]) -> Iterator[str]:
    """Yield a sentence for everything that is wrong in a file; `model` is that of its entries."""
    for problem in error.errors(include_url=False):
        place = ".".join(str(part) for part in problem["loc"])
        if problem["type"] == "extra_forbidden":
            section, _, name = place.rpartition(".")
            where = f"[{section}]" if section else "the file"
            known = _entries(section, model)
            yield f"{where} has no entry {name!r}; {near_names(name, known)}"
        elif problem["type"] == "missing":
            yield f"[{place}] is missing"
        elif isinstance(misfits := problem.get("ctx", {}).get("error"), MisfitError):
            yield from misfits.problems
        else:
            message = problem["msg"].removeprefix("Value error, ")
            given = "" if isinstance(problem["input"], dict) else f" (it is {problem['input']!r})"
            # Of the file as a whole there is no place.
            before = f"{place}: {message[0].lower()}{message[1:]}" if place else message
            yield f"{before}{given}"


def _entries(section: str, model: Any) -> list[str]:
    for part in filter(None, section.split(".")):
        field = model.model_fields.get(part)
        # A section that may be absent is a union with None.
        kinds = () if field is None else get_args(field.annotation) or (field.annotation,)
        model = next((kind for kind in kinds if hasattr(kind, "model_fields")), None)
        if model is None:
            return []
    return list(model.model_fields)
