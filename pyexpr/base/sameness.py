"""Whether two results are the same, except for permitted differences."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np


def same(one: Any, other: Any, *, but: Collection[str], rtol: float = 0.0) -> bool:
    """Return whether two values are equal in all their parts, bit by bit.

    Parameters
    ----------
    one, other : object
        Built of dataclasses, tables, arrays and plain values. All functions count as equal, because
        a function has no value to compare.
    but : collection of str
        Fields of dataclasses that are not compared.
    rtol : float
        Relative difference that arrays of numbers may have.

    Examples
    --------
    >>> same({"x": np.array([1.0, np.nan])}, {"x": np.array([1.0, np.nan])}, but=())
    True
    >>> same((1.0, "a"), (1.0 + 1e-15, "a"), but=())
    False
    """

    def equal(a: Any, b: Any) -> bool:
        return same(a, b, but=but, rtol=rtol)

    if one is other or (callable(one) and callable(other)):
        return True
    if is_dataclass(one) and is_dataclass(other):
        return _same_fields(one, other, but, rtol)
    if type(one) is not type(other):
        return False
    if isinstance(one, np.ndarray):
        return _same_array(one, other, rtol, equal)
    if isinstance(one, Mapping):
        return one.keys() == other.keys() and all(equal(one[key], other[key]) for key in one)
    if isinstance(one, Sequence) and not isinstance(one, str | bytes):
        return len(one) == len(other) and all(map(equal, one, other))
    if hasattr(one, "equals"):
        # Tables, and columns of them.
        return bool(one.equals(other))
    if isinstance(one, float) and np.isnan(one):
        return bool(np.isnan(other))
    return bool(one == other)


def _same_fields(one: Any, other: Any, but: Collection[str], rtol: float) -> bool:
    kinds = type(one), type(other)
    if not (issubclass(kinds[0], kinds[1]) or issubclass(kinds[1], kinds[0])):
        return False
    # The other result may have what a saved one does not have, such as compiled functions.
    shared = {field.name for field in fields(one) if field.init} & {f.name for f in fields(other)}
    return all(
        same(getattr(one, name), getattr(other, name), but=but, rtol=rtol)
        for name in shared.difference(but)
    )


def _same_array(one: Any, other: Any, rtol: float, equal: Any) -> bool:
    if one.dtype != other.dtype or one.shape != other.shape:
        return False
    if one.dtype == object:
        return all(map(equal, one.ravel(), other.ravel()))
    if rtol and one.dtype.kind == "f":
        return bool(np.allclose(one, other, rtol=rtol, atol=0.0, equal_nan=True))
    return bool(one.tobytes() == other.tobytes())
