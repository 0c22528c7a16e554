"""Our descriptions of what a value must be, since pydantic's errors are for programmers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

# The type of a pydantic error -> what the value must be.
_KINDS: Final = {
    **dict.fromkeys(("string_type", "string_sub_type"), "text"),
    **dict.fromkeys(("float_type", "float_parsing"), "a number"),
    **dict.fromkeys(
        ("int_type", "int_parsing", "int_from_float", "int_parsing_size"), "a whole number"
    ),
    **dict.fromkeys(("bool_type", "bool_parsing"), "true or false"),
    **dict.fromkeys(("list_type", "tuple_type", "set_type"), "a list"),
    **dict.fromkeys(
        ("dict_type", "mapping_type", "model_type", "model_attributes_type"), "a table"
    ),
    "finite_number": "a finite number",
    "missing": "given",
}
# The type of an error -> words before the bound, and the name of the bound.
_BOUNDS: Final = {
    "greater_than": ("above", "gt"),
    "greater_than_equal": ("at least", "ge"),
    "less_than": ("below", "lt"),
    "less_than_equal": ("at most", "le"),
}
_LENGTHS: Final = {"too_short": ("at least", "min_length"), "too_long": ("at most", "max_length")}
_CHOICES: Final = frozenset({"literal_error", "enum"})
_LONGEST = 60


def allowed(problem: Mapping[str, Any]) -> str:
    """Return what a value must be, by an item of `ValidationError.errors`; "" if that is unknown.

    Examples
    --------
    >>> allowed({"type": "float_parsing", "input": "abc"})
    'a number'
    >>> allowed({"type": "greater_than_equal", "ctx": {"ge": 1}})
    'at least 1'
    """
    kind, facts = str(problem["type"]), problem.get("ctx", {})
    if kind in _BOUNDS:
        words, name = _BOUNDS[kind]
        return f"{words} {facts[name]:g}"
    if kind in _LENGTHS:
        words, name = _LENGTHS[kind]
        return f"a list of {words} {facts[name]} items"
    if kind in _CHOICES:
        return str(facts["expected"])
    return _KINDS.get(kind, "")


def shown(value: object) -> str:
    """Return a value in the syntax of a study file, truncated if it is long.

    Examples
    --------
    >>> shown("abc"), shown(True), shown({"a": 1})
    ("'abc'", 'true', 'a table')
    """
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Mapping):
        return "a table"
    text = repr(list(value) if isinstance(value, tuple) else value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."
