"""Base of the sections of a study file: known entries that cannot be changed."""

from __future__ import annotations

from collections.abc import Iterable

from pydantic import BaseModel, ConfigDict

from pyexpr.base.errors import near_names


class Section(BaseModel):
    """A table of a study file; an unknown entry is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


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
