"""A draft of a study file: its entries, with reasons."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from pyexpr.base.visible import visible

_WIDTH = 96
# Up to here every whole number has a float of its own.
_EXACT = 2**53


@dataclass(frozen=True, slots=True)
class Choice:
    """An entry of a study file.

    Attributes
    ----------
    section : str
        "" for the top of the file.
    entry : str
    value : object
    why : str
        The reason for it, and the alternatives; written as a comment before it.
    """

    section: str
    entry: str
    value: Any
    why: str = ""


@dataclass(slots=True)
class Draft:
    """The entries of a study file, in order, and what may be added to its sections."""

    choices: list[Choice] = field(default_factory=list)
    # Section -> lines that a user may uncomment, after its entries.
    hints: dict[str, list[str]] = field(default_factory=dict)

    def set(self, section: str, entry: str, value: Any, why: str = "") -> None:
        """Add an entry."""
        self.choices.append(Choice(section, entry, value, why))

    def hint(self, section: str, text: str, *lines: str) -> None:
        """Add a comment to a section, and lines that may be uncommented."""
        wrapped = textwrap.wrap(text, _WIDTH)
        self.hints.setdefault(section, []).extend([*wrapped, *lines])

    def raw(self) -> dict[str, Any]:
        """Return the entries as a TOML reader returns them."""
        found: dict[str, Any] = {}
        for one in self.choices:
            own = found
            for part in filter(None, one.section.split(".")):
                own = own.setdefault(part, {})
            own[one.entry] = one.value
        return found

    def text(self, header: str) -> str:
        """Return the study file, every entry under its comment."""
        lines = [*_comment(header), ""]
        sections = dict.fromkeys([*(one.section for one in self.choices), *self.hints])
        for section in sections:
            empty = not any(one.section == section for one in self.choices)
            if section:
                lines.append(f"# [{section}]" if empty else f"[{section}]")
            for one in self.choices:
                if one.section == section:
                    lines += [*_comment(one.why), *_entry(one)]
            lines += [f"# {visible(line)}".rstrip() for line in self.hints.get(section, ())]
            lines.append("")
        return "\n".join(lines)


def _comment(text: str) -> list[str]:
    # A comment must not contain control characters, which a label may have.
    return [f"# {visible(line)}" for line in textwrap.wrap(text, _WIDTH)]


def _entry(choice: Choice) -> list[str]:
    line = f"{choice.entry} = {toml_value(choice.value)}"
    if len(line) <= _WIDTH or not isinstance(choice.value, list):
        return [line]
    return [f"{choice.entry} = [", *(f"    {toml_value(one)}," for one in choice.value), "]"]


def toml_value(value: Any) -> str:
    """Return a value as TOML writes it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        # Whole numbers are written without a decimal point.
        whole = value.is_integer() and abs(value) < _EXACT
        return str(int(value)) if whole else repr(float(value))
    if isinstance(value, str):
        # A basic string of TOML is a string of JSON, except for one control character.
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_key(k)} = {toml_value(v)}" for k, v in value.items()) + "}"
    if isinstance(value, Iterable):
        return "[" + ", ".join(map(toml_value, value)) + "]"
    raise TypeError(f"no entry of a study file: {value!r}")


def _key(name: str) -> str:
    plain = name.isascii() and name.replace("_", "").replace("-", "").isalnum()
    return name if plain else toml_value(name)
