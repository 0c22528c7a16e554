"""Notes of the analysis for a reader: what names columns and calls, told without them."""

from __future__ import annotations

import re
from collections.abc import Iterable

from pyexpr.words.labels import MINUS, in_words
from pyexpr.words.wording import sentence

# What tables and sentences of the report say already, in its own words.
_TOLD = re.compile(
    r"statistic and p_value test that targets"
    r"|estimate, boot_std_error, procedure_low"
    r"|tested_estimate and what follows it"
    # The table of clips left out has them one by one, the method those outside of a recording.
    r"|\d+ clips?(?:: | of the schedule )|\d+ more clips for other reasons"
)
_REWORDED = (
    (re.compile(r"; see (?:the intervals of )?the table '\w+'"), ""),
    (
        re.compile(r"The columns lavaan_\* are lavaan's: contexts"),
        "Changes in fit are lavaan's, with contexts",
    ),
    # In a study they are clips.
    (re.compile(r"(?<![\w'./-])target(s?)(?![\w'-]|\.\w)"), r"clip\1"),
    (
        re.compile(r"^tests and the weights over all are of y_pooled, other weights of y$"),
        "tests, and the weights over all contexts, are of the pooled factor scores, other weights "
        "of each context's own scores",
    ),
    (re.compile(r" \(allow_inadmissible = true under \[factor_model\] [^)]*\)"), ""),
    (re.compile(r" \(reason in comparison\.csv\)"), ""),
    (re.compile(r"(\d) %"), r"\1%"),
    # A line does not end within it.
    (re.compile(r"\bp ([=<>]) (?=\.)"), "p\u00a0\\1\u00a0"),
    (re.compile(r"(?<![\w.)])-(?=\.?\d)"), MINUS),
)  # fmt: skip


def readers_reason(text: str) -> str:
    """Return a reason without names of columns, options or calls."""
    for pattern, words in _REWORDED:
        text = pattern.sub(words, text)
    return in_words(text)


def readers_note(note: str) -> str:
    """Return a note as a sentence without names of columns or calls; "" where it is told already.

    Examples
    --------
    >>> readers_note("levels of R2 are not tested; see the table 'contrasts'")
    'Levels of R² are not tested.'
    """
    if _TOLD.match(note):
        return ""
    told = readers_reason(note)
    # A sentence does not begin with a numeral.
    return sentence(f"in all, {told}" if told[:1].isdigit() else told)


def readers_notes(notes: Iterable[str]) -> list[str]:
    """Return the notes that a reader needs, each once."""
    return [note for note in dict.fromkeys(map(readers_note, notes)) if note]
