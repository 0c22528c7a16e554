"""Messages in the terms of a study file: its entries and sections instead of arguments."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from pyexpr.base.errors import DataError
from pyexpr.base.messages import Voice, in_voice, message_of

# The section of each entry that has the name of a function's argument.
_SECTIONS: Final = {
    "trusted": "models", "context_as": "models",
    "scheme": "evaluation", "folds": "evaluation", "repeats": "evaluation",
    "inner_folds": "evaluation",
    "proportions": "split",
    "adjust_for": "features",
    "kind": "label", "positive": "label",
    "threshold": "compare",
}  # fmt: skip
# Entries of the section of one model, which the message names.
_OF_MODEL: Final = frozenset({"estimator", "params", "grid", "scale"})
_LISTS: Final = frozenset({"trusted"})


class _StudyFile(Voice):
    """Arguments without an entry in a study file stay as Python writes them."""

    def option(self, name: str, value: Any = None, *, bare: bool = False) -> str:
        if name in _OF_MODEL:
            return name if bare else f"{name} = {_toml(value)}"
        section = _SECTIONS.get(name)
        if section is None:
            return super().option(name, value, bare=bare)
        shown = f"{name} = [...]" if name in _LISTS else name
        return f"{shown if bare else f'{name} = {_toml(value)}'} under [{section}]"

    def value(self, code: str) -> str:
        return {"True": "true", "False": "false"}.get(code, code)


def _toml(value: Any) -> str:
    try:
        return json.dumps(value, ensure_ascii=False)
    except TypeError:
        return repr(value)


#: The voice of messages about a study that a file describes.
STUDY_FILE: Final = _StudyFile()


@contextmanager
def in_words_of_the_file() -> Iterator[None]:
    """Express errors about the data or the models in the terms of the study file.

    Examples
    --------
    >>> from pyexpr.base.messages import say
    >>> with in_words_of_the_file():
    ...     raise DataError(say("name it in {trusted=}"))
    Traceback (most recent call last):
        ...
    pyexpr.base.errors.DataError: name it in trusted = [...] under [models]
    """
    try:
        yield
    except DataError as error:
        message = message_of(error)
        text = in_voice(message, STUDY_FILE)
        if text == str(error):
            raise
        raise type(error)(text) from error
