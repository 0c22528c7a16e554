"""Messages of the analysis for readers of a report, without names of columns, options or calls."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from pyexpr.base.messages import Template, Voice, in_voice
from pyexpr.words.labels import MINUS, is_known, name_in_sentence
from pyexpr.words.wording import sentence

_UNBROKEN = "\u00a0"


class _Reader(Voice):
    """Names as in tables, numbers in APA style, and targets by the study's name for them."""

    def __init__(self, unit: str) -> None:
        self.things = {"target": unit, "targets": f"{unit}s"}

    def text_of(self, template: Template) -> str:
        return template.text if template.report is None else template.report

    def thing(self, word: str) -> str:
        return self.things.get(word, word)

    def model(self, name: str) -> str:
        return name_in_sentence(name) if is_known(name) else repr(name)

    def metric(self, name: str) -> str:
        return name_in_sentence(name)

    def number(self, text: str) -> str:
        return text.replace("-", MINUS) if text.startswith("-") else text

    def percent(self, text: str) -> str:
        return f"{self.number(text)}%"

    def p(self, value: float) -> str:
        # A line must not be broken within it.
        return super().p(value).replace(" ", _UNBROKEN)


READER: Final = _Reader("clip")


def readers_reason(text: str) -> str:
    """Return a reason without names of columns, options or calls."""
    return in_voice(text, READER)


def readers_note(note: str, unit: str = "clip") -> str:
    """Return a note as a sentence without names of columns or calls; "" if it is not to be shown.

    `unit` is the study's name for a row.

    Examples
    --------
    >>> from pyexpr.base.messages import Template
    >>> untested = Template("untested", "{n:count target, is, are} not tested; see {call tidy()}",
    ...     report="{n:count target, is, are} not tested")
    >>> readers_note(untested(n=3))
    'In all, 3 clips are not tested.'
    """
    text = in_voice(note, _Reader(unit))
    # A sentence must not begin with a numeral.
    return sentence(f"in all, {text}" if text[:1].isdigit() else text)


def readers_notes(notes: Iterable[str], unit: str = "clip") -> list[str]:
    """Return the notes that a reader needs, without duplicates."""
    return [note for note in dict.fromkeys(readers_note(note, unit) for note in notes) if note]
