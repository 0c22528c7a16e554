"""Users' text as a terminal may show it: characters that would move or recolour it are escaped."""

from __future__ import annotations

import re
from typing import Final

#: Control characters that text of several lines keeps.
LINES: Final = "\n\t"

# Control characters (C0, DEL, C1), separators of lines that terminals obey, characters that turn
# the direction of what follows, halves of characters, which cannot be encoded, and the two that
# XML cannot hold. Marks of direction (U+200E, U+200F) and joiners stay: Arabic and Hebrew labels
# need them.
_UNSEEN = re.compile(
    "[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]"
)


def visible(text: str, *, keep: str = "") -> str:
    r"""Return text with its control characters escaped, as in Python.

    A label may hold a terminal's escape sequences, which would clear the screen, recolour it or
    write something else over a number. All users' text that is printed passes through this
    function.

    Parameters
    ----------
    text : str
    keep : str
        Control characters that stay, such as `LINES` in text of several lines.

    Examples
    --------
    >>> print(visible("pain\x1b[31m"))
    pain\x1b[31m
    >>> visible("one\ntwo\r", keep=LINES)
    'one\ntwo\\r'
    """
    if text.isascii() and text.isprintable():
        return text
    shown = _UNSEEN.sub(lambda found: found[0] if found[0] in keep else _written(found[0]), text)
    # A message without control characters stays a message.
    return text if shown == text else shown


def _written(sign: str) -> str:
    return repr(sign)[1:-1]
