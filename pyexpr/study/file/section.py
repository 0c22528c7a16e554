"""Base of the sections of a study file: known entries that cannot be changed."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, get_args

from pydantic import BaseModel, ConfigDict, ValidationInfo, field_validator
from pydantic_core import PydanticKnownError

from pyexpr.base.errors import near_names


class Section(BaseModel):
    """A table of a study file; an unknown entry is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @field_validator("*", mode="before")
    @classmethod
    def _neither_for_the_other(cls, given: Any, entry: ValidationInfo) -> Any:
        """Refuse true and false as numbers and the reverse; pydantic would take them as 1 and 0."""
        assert entry.field_name is not None
        kinds = _kinds(cls.model_fields[entry.field_name].annotation)
        values = _values(given)
        if bool not in kinds and any(isinstance(value, bool) for value in values):
            if float in kinds:
                raise PydanticKnownError("float_type")
            if int in kinds:
                raise PydanticKnownError("int_type")
        if kinds & {bool, int, float, str} == {bool} and any(
            not isinstance(value, bool) and value is not None for value in values
        ):
            raise PydanticKnownError("bool_type")
        return given


def _kinds(annotation: Any) -> set[Any]:
    """Return the types that an annotation is made of."""
    return {annotation}.union(*map(_kinds, get_args(annotation))) if _is_type(annotation) else set()


def _is_type(annotation: Any) -> bool:
    # The arguments of a Literal are values.
    return isinstance(annotation, type) or bool(get_args(annotation))


def _values(given: Any) -> list[Any]:
    """Return a value, or those in a list or table."""
    if isinstance(given, dict):
        given = list(given.values())
    if isinstance(given, (list, tuple)):
        return [value for one in given for value in _values(one)]
    return [given]


def known_names(names: tuple[str, ...], known: Iterable[str], what: str) -> tuple[str, ...]:
    """Return names that are known, at least one and each once; ValueError says what is wrong."""
    if not names:
        raise ValueError(f"name at least one {what}")
    for place, name in enumerate(names):
        if name not in known:
            raise ValueError(
                f"there is no {what} {name!r}; {near_names(name, known, lead='there are')}"
            )
        if name in names[:place]:
            raise ValueError(f"{what} {name!r} is listed twice")
    return names
