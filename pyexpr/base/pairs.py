"""The kind of a row of a table: a single quantity, a difference, or a ratio.

Labels such as ``"p - q"`` are for reading only, since names may contain the same signs. Separate
columns say to what a row refers, and code reads only these.
"""

from __future__ import annotations

from collections.abc import Iterable

LEVEL, DIFFERENCE, RATIO = "level", "difference", "ratio"
#: The column that holds one of these.
KIND = "kind"
#: A column of labels -> the columns of the one or two names in each label.
PARTS = {
    "term": ("first_model", "second_model"),
    "context": ("first_context", "second_context"),
    "contrast": ("first_context", "second_context"),
}
#: All columns that say to what a row refers.
STRUCTURE = (KIND, *dict.fromkeys(name for parts in PARTS.values() for name in parts))

_SIGNS = {DIFFERENCE: "-", RATIO: "/"}


def pair_label(first: str, second: str | None, kind: str = DIFFERENCE) -> str:
    """Return the label of a name, or of two.

    Examples
    --------
    >>> pair_label("p", None), pair_label("p", "q"), pair_label("p", "q", RATIO)
    ('p', 'p - q', 'p / q')
    """
    return first if second is None else f"{first} {_SIGNS[kind]} {second}"


def pair_columns(label: str, pairs: Iterable[tuple[str, str | None]]) -> dict[str, list[str]]:
    """Return the two columns behind a column of labels; the second is "" if there is only one name.

    Examples
    --------
    >>> pair_columns("term", [("p", None), ("p", "q")])
    {'first_model': ['p', 'p'], 'second_model': ['', 'q']}
    """
    first, second = PARTS[label]
    listed = list(pairs)
    return {first: [one for one, _ in listed], second: [other or "" for _, other in listed]}
