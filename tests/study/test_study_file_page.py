"""The page of the study file names every entry that there is, with its default."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from pyexpr.study.file.config import StudyConfig
from pyexpr.study.file.model_sections import EstimatorSection
from pyexpr.study.init.draft import toml_value

PAGE = Path(__file__).parents[2] / "docs" / "howto" / "study_file.md"


def documented() -> dict[tuple[str, str], str]:
    """Return the default of each (section, entry), as the page has it."""
    text = PAGE.read_text("utf-8").partition("## Every entry")[2]
    found: dict[tuple[str, str], str] = {}
    for block in text.split("\n### ")[1:]:
        heading, _, body = block.partition("\n")
        section = heading.strip("`[]") if heading.startswith("`") else ""
        for row in re.findall(r"^\| `(\w+)` \|(.*)\|$", body, flags=re.MULTILINE):
            cells = [cell.strip() for cell in row[1].split(" | ")]
            assert len(cells) == 3, row
            assert all(cells), row
            assert (section, row[0]) not in found
            found[section, row[0]] = cells[1]
    return found


def entries(model: type[BaseModel], section: str = "") -> Iterator[tuple[str, str, FieldInfo]]:
    for name, field in model.model_fields.items():
        kinds = [*get_args(field.annotation), field.annotation]
        # A list of sections names them within.
        kinds += [one for kind in kinds for one in get_args(kind)]
        inner = [kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel)]
        if inner:
            yield from entries(inner[0], f"{section}.{name}".lstrip("."))
        else:
            yield section, name, field


def default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=True)
    return "none" if value is None else f"`{toml_value(value)}`"


def test_every_entry_with_its_default() -> None:
    known = [*entries(StudyConfig), *entries(EstimatorSection, "models.NAME")]
    assert documented() == {(section, name): default(field) for section, name, field in known}
    assert len(known) > 100
