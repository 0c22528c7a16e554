"""The specifications of a sensitivity analysis: the study file with other values of its entries."""

from __future__ import annotations

import copy
import itertools
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import UnionType
from typing import Any, Final, Union, get_args, get_origin

from pydantic import ValidationError

from pyexpr.base.errors import DataError, PyexprError, StudyError
from pyexpr.base.messages import Template, kind_of, message_of, say
from pyexpr.study.file.config import StudyConfig
from pyexpr.study.file.faults import sentences
from pyexpr.study.tables.signals import with_entries_from_tables

# Entries on which no number depends.
_WITHOUT_EFFECT: Final = ("title", "simulated", "output", "outcome", "unit", "compute")
#: What stands for an entry that is left out.
LEFT_OUT: Final = "none"
_NOT_TOGETHER = Template(
    "choices_not_together", "these choices cannot be combined in a study: {problems}"
)


@dataclass(frozen=True, slots=True)
class Specification:
    """One set of choices.

    Attributes
    ----------
    values : dict of str to object
        The value of each entry of the grid, as a study file holds it; None if it is left out.
    config : StudyConfig or None
        The checked study; None if the choices cannot be combined.
    problem : str
        Why not; "" otherwise.
    """

    values: dict[str, Any]
    config: StudyConfig | None
    problem: str = ""


class Grid:
    """The entries that are changed, and their values.

    Parameters
    ----------
    raw : dict
        The entries of the study file.
    base : StudyConfig
        The study that they describe.
    folder : Path
        Paths in the entries are relative to it.
    grid : mapping of str to sequence
        Entry -> its other values.
    finished : function, optional
        Completes each configuration after it was checked.

    Raises
    ------
    DataError, StudyError
        If an entry or a value cannot be in a study file.
    """

    def __init__(
        self,
        raw: Mapping[str, Any],
        base: StudyConfig,
        folder: Path,
        grid: Mapping[str, Any],
        finished: Callable[[StudyConfig], StudyConfig] = lambda config: config,
    ) -> None:
        if not isinstance(grid, Mapping) or not grid:
            raise DataError(
                say(
                    "{grid=} must map entries of the study file to other values, such as "
                    "{example}, not {given}",
                    example='{"features.min_confidence": [0.8, 0.9]}',
                    given="nothing" if isinstance(grid, Mapping) else kind_of(grid),
                )
            )
        self._raw, self._folder, self._finished = raw, folder, finished
        self._base_config = base
        self.base_values = {str(entry): _value_of(base, str(entry)) for entry in grid}
        self.entries = tuple(self.base_values)
        for entry in self.entries:
            _check_entry(entry, self.entries)
        self.alternatives = {
            str(entry): _alternatives(str(entry), given, _is_list(base, str(entry)))
            for entry, given in grid.items()
        }

    def specifications(self, *, full: bool) -> list[Specification]:
        """Return the specifications: first the study itself, then those with other choices.

        A value that the study itself has does not add a specification.
        """
        found = [Specification(dict(self.base_values), self._base_config)]
        seen = {_as_text(self._base_config.model_dump(mode="json"))}
        possible: list[dict[str, Any]] = []
        for changed in self._crossed() if full else self._one_at_a_time():
            config, problem = self._checked(changed)
            if config is None:
                if not full:
                    raise _impossible(changed, problem)
                values = self.base_values | changed
                found.append(Specification(values, None, _NOT_TOGETHER(problems=problem)))
                continue
            possible.append(changed)
            text = _as_text(config.model_dump(mode="json"))
            if text not in seen:
                seen.add(text)
                # A default may depend on what was changed.
                own = {entry: _value_of(config, entry) for entry in self.entries}
                found.append(Specification(own, config))
        if full:
            self._refuse_impossible(possible)
        return found

    def _one_at_a_time(self) -> Iterator[dict[str, Any]]:
        for entry, values in self.alternatives.items():
            for value in values:
                yield {entry: value}

    def _crossed(self) -> Iterator[dict[str, Any]]:
        choices = [
            [{}, *({entry: value} for value in values)]
            for entry, values in self.alternatives.items()
        ]
        for several in itertools.product(*choices):
            yield {entry: value for one in several for entry, value in one.items()}

    def _checked(self, changed: Mapping[str, Any]) -> tuple[StudyConfig | None, str]:
        """Return the study with other values, or a sentence on what is wrong with them."""
        raw = copy.deepcopy(dict(self._raw))
        for entry, value in changed.items():
            _put(raw, entry.split("."), value)
        try:
            completed = with_entries_from_tables(raw, self._folder)
            return self._finished(StudyConfig.model_validate(completed)), ""
        except ValidationError as error:
            return None, "; ".join(sentences(error, StudyConfig))
        except PyexprError as error:
            return None, message_of(error)

    def _refuse_impossible(self, possible: Sequence[Mapping[str, Any]]) -> None:
        """Raise `StudyError` for a value that no combination can have."""
        for entry, values in self.alternatives.items():
            for value in values:
                if not any(entry in one and one[entry] == value for one in possible):
                    # Checked alone, the value gives the clearest message.
                    problem = self._checked({entry: value})[1]
                    raise _impossible({entry: value}, problem)


def _impossible(changed: Mapping[str, Any], problem: str) -> StudyError:
    ((entry, value),) = changed.items()
    return StudyError(
        say(
            "{entry} = {value}: {problem}",
            entry=entry,
            value=shown(value),
            problem=problem,
        )
    )


def shown(value: Any) -> str:
    """Return a value of a study file as tables and figures show it.

    Examples
    --------
    >>> shown(0.8), shown(["jackknife_t", "bca"]), shown(None), shown(True)
    ('0.8', 'jackknife_t, bca', 'none', 'true')
    """
    if value is None:
        return LEFT_OUT
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:.12g}"
    if isinstance(value, str):
        return value
    if isinstance(value, (list, tuple)):
        return ", ".join(map(shown, value)) or LEFT_OUT
    return json.dumps(value, sort_keys=True, ensure_ascii=False, default=str)


def _check_entry(entry: str, entries: Sequence[str]) -> None:
    if entry.partition(".")[0] in _WITHOUT_EFFECT:
        raise StudyError(
            say("{entry!r} cannot be changed: no number of a study depends on it", entry=entry)
        )
    inside = [other for other in entries if other.startswith(f"{entry}.")]
    if inside:
        raise StudyError(
            say(
                "both {entry!r} and {inside!r}, which is a part of it, have other values; leave "
                "one of them out",
                entry=entry,
                inside=inside[0],
            )
        )


def _is_list(config: StudyConfig, entry: str) -> bool:
    """Say whether an entry holds a list, and not also a single value."""
    section: Any = config
    *sections, name = entry.split(".")
    for part in sections:
        section = getattr(section, part, None)
    field = getattr(type(section), "model_fields", {}).get(name)
    if field is None:
        return False
    several = get_origin(field.annotation) in (Union, UnionType)
    kinds = get_args(field.annotation) if several else (field.annotation,)
    found = {get_origin(kind) or kind for kind in kinds}
    return tuple in found and not found & {str, int, float}


def _alternatives(entry: str, given: Any, as_list: bool) -> list[Any]:
    """Return the values of an entry, a list where the study has a list."""
    if isinstance(given, str) or not isinstance(given, Sequence):
        raise DataError(
            say(
                "{entry} must have a list of other values, not {given}",
                entry=entry,
                given=kind_of(given),
            )
        )
    if not len(given):
        raise DataError(say("{entry} has an empty list of other values", entry=entry))
    values = [_plain(value) for value in given]
    return [
        [value] if as_list and value is not None and not isinstance(value, list) else value
        for value in values
    ]


def _plain(value: Any) -> Any:
    """Return a value as a study file holds it."""
    if getattr(value, "ndim", None) == 0 and hasattr(value, "item"):
        return value.item()
    if isinstance(value, (list, tuple)):
        return [_plain(one) for one in value]
    if isinstance(value, Mapping):
        return {str(name): _plain(one) for name, one in value.items()}
    return value


def _value_of(config: StudyConfig, entry: str) -> Any:
    """Return the value that a study uses for an entry, also a default; None if it is left out."""
    found: Any = config.model_dump(mode="json")
    for part in entry.split("."):
        if not isinstance(found, Mapping) or part not in found:
            return None
        found = found[part]
    return found


def _put(raw: dict[str, Any], parts: Sequence[str], value: Any) -> None:
    *sections, name = parts
    for section in sections:
        inner = raw.get(section, {})
        # The check of the file reports what is not a section.
        raw[section] = inner if isinstance(inner, dict) else {}
        raw = raw[section]
    if value is None:
        raw.pop(name, None)
    else:
        raw[name] = value


def _as_text(values: Mapping[str, Any]) -> str:
    return json.dumps(values, sort_keys=True, default=str)
