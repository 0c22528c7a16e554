"""Small words for sentences: lists, counts, plurals."""

from __future__ import annotations

import re
from collections.abc import Iterable

from pyexpr.base.messages import Template
from pyexpr.words.labels import count

#: Why a clip or recording was left out before any analysis: one table of the study alone has it.
NO_RECORDING = Template("without_recording", "rated, but without a recording")()
NO_RATINGS = Template("without_ratings", "recorded, but without ratings")()
FEW_CLIPS = Template("few_clips", "from a subject with too few observations")()
NO_FEATURES = Template("without_features", "rated, but not in the table of features")()
NO_RATINGS_OF = Template("features_unrated", "in the table of features, but without ratings")()
BEFORE_ANALYSIS = (NO_RECORDING, NO_RATINGS, FEW_CLIPS, NO_FEATURES, NO_RATINGS_OF)

# The counts of a study before any analysis, by their names in its record.
RATINGS_UNSCORED = "ratings without a score"
RATINGS_OFF_SCALE = "ratings outside of the scale"
RATINGS_ALONE = "ratings of clips with another rating missing"
RATINGS_UNRECORDED = "ratings without a recording"
RECORDINGS_UNRATED = "recordings without ratings"
RATINGS_UNMEASURED = "ratings of clips without features"
CLIPS_UNRATED = "clips of the features without ratings"
#: Of each, what is counted, and what it is without.
DROPPED = {
    RATINGS_UNSCORED: ("rating", "without a score"),
    RATINGS_OFF_SCALE: ("rating", "outside of the scale"),
    RATINGS_ALONE: ("rating", "of a clip with another rating missing"),
    RATINGS_UNRECORDED: ("rating", "without a recording"),
    RECORDINGS_UNRATED: ("recording", "without ratings"),
    RATINGS_UNMEASURED: ("rating", "without features"),
    CLIPS_UNRATED: ("row of features", "without ratings"),
}


def listed_words(words: Iterable[str], last: str = "and") -> str:
    """Join words for a sentence: ``a, b, and c``.

    Examples
    --------
    >>> listed_words(["a"]), listed_words(["a", "b"]), listed_words(["a", "b", "c"])
    ('a', 'a and b', 'a, b, and c')
    """
    found = list(words)
    if len(found) < 3:
        return f" {last} ".join(found)
    return f"{', '.join(found[:-1])}, {last} {found[-1]}"


def counted(number: float, one: str) -> str:
    """Return a number with its noun: ``1 clip``, ``1,200 clips``.

    Examples
    --------
    >>> counted(1, "clip"), counted(1200, "clip")
    ('1 clip', '1,200 clips')
    """
    return f"{count(number)} {one if number == 1 else f'{one}s'}"


_BLANKS = re.compile(r"[ \t\r\n]+")
_SMALL = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")


def spelled(number: int, one: str) -> str:
    """Return a number with its noun; numbers below 10 are words, as in APA style.

    Examples
    --------
    >>> spelled(1, "context"), spelled(3, "context"), spelled(12, "context")
    ('one context', 'three contexts', '12 contexts')
    """
    shown = _SMALL[number] if 0 <= number < len(_SMALL) else count(number)
    return f"{shown} {one if number == 1 else f'{one}s'}"


def were(number: float) -> str:
    """Return the past verb for a number of things: ``was`` for one, ``were`` for more."""
    return "was" if number == 1 else "were"


def sentence(text: str) -> str:
    """Return text as a sentence, with a capital letter and a full stop.

    Examples
    --------
    >>> sentence("no interval here")
    'No interval here.'
    """
    # str.split is not used, because it would remove non-breaking spaces.
    text = _BLANKS.sub(" ", text).strip(" ")
    if not text:
        return ""
    return f"{text[0].upper()}{text[1:]}{'' if text[-1] in '.!?' else '.'}"
