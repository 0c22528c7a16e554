"""Conversion of values to R's own serialization (XDR, version 2) and back.

Every engine that uses R hands over one raw vector and gets one back, so numbers
cross bit for bit, NA of every type is NA on the other side, a vector of length
one stays a vector, and no text of the user is ever R code.

========================= =====================================================
Python                    R
========================= =====================================================
``None``                  ``NULL``
float64 array             double (NaN is sent as ``NA_real_``)
int or bool array or list integer, logical (``None`` is ``NA``)
str, list of str or None  character (``None`` is ``NA_character_``)
dict; list of the above   named list; list
========================= =====================================================

In the answer, doubles are arrays (``NA`` is NaN), other vectors are lists (``NA`` is ``None``), and
named lists are dicts. Source: "R Internals", section Serialization Formats.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from pyexpr.base.errors import EngineError

_SYMBOL, _PAIRLIST, _CHAR, _LOGICAL, _INTEGER, _REAL = 1, 2, 9, 10, 13, 14
_STRINGS, _LIST, _RAW, _NULL, _REFERENCE = 16, 19, 24, 254, 255
_HAS_ATTRIBUTES, _HAS_TAG = 1 << 9, 1 << 10
_UTF8 = 1 << (12 + 3)
_NA_INTEGER = -(2**31)
_NA_REAL = np.array([0x7FF00000000007A2], dtype=np.uint64).view(np.float64)[0]
_HEADER = b"X\n" + struct.pack(">iii", 2, 0x00040202, 0x00020300)


def encode(value: Any) -> bytes:
    """Return `value` as R's `serialize(value, NULL, version = 2)` would write it."""
    return b"".join([_HEADER, *_item(value)])


def _item(value: Any) -> list[bytes]:
    if value is None:
        return [struct.pack(">i", _NULL)]
    if isinstance(value, Mapping):
        names = [str(name) for name in value]
        head = struct.pack(">ii", _LIST | _HAS_ATTRIBUTES, len(names))
        parts = [head, *(piece for item in value.values() for piece in _item(item))]
        tag = struct.pack(">ii", _PAIRLIST | _HAS_TAG, _SYMBOL) + _char("names")
        return [*parts, tag, *_vector(names), struct.pack(">i", _NULL)]
    if isinstance(value, np.ndarray):
        return _vector(value.ravel())
    if isinstance(value, bytes):
        return [struct.pack(">ii", _RAW, len(value)), value]
    if isinstance(value, (str, bool, int, float, np.generic)):
        return _vector([value])
    items = list(value)
    if not items or any(_is_nested(item) for item in items):
        head = struct.pack(">ii", _LIST, len(items))
        return [head, *(piece for item in items for piece in _item(item))]
    return _vector(items)


def _is_nested(item: Any) -> bool:
    return isinstance(item, (Mapping, list, tuple, bytes, np.ndarray))


def _char(text: str | None) -> bytes:
    if text is None:
        return struct.pack(">ii", _CHAR, -1)
    raw = text.encode("utf-8")
    return struct.pack(">ii", _CHAR | _UTF8, len(raw)) + raw


def _vector(items: Sequence[Any] | np.ndarray[Any, Any]) -> list[bytes]:
    """Return an atomic vector; its type is that of the items that are not None."""
    if isinstance(items, np.ndarray) and items.dtype.kind == "f":
        values = items.astype(np.float64)
        values[np.isnan(values)] = _NA_REAL
        return [struct.pack(">ii", _REAL, len(values)), values.astype(">f8").tobytes()]
    present = [item for item in items if item is not None]
    if all(isinstance(item, str) for item in present):
        head = struct.pack(">ii", _STRINGS, len(items))
        return [head, *(_char(item) for item in items)]
    if all(isinstance(item, (bool, np.bool_)) for item in present):
        return _integers(_LOGICAL, items)
    if all(isinstance(item, (int, np.integer)) and not isinstance(item, bool) for item in present):
        if any(abs(int(item)) >= 2**31 for item in present):
            raise EngineError("an integer beyond 2^31 cannot be an R integer; pass it as a float")
        return _integers(_INTEGER, items)
    if all(isinstance(item, (int, float, np.number)) for item in present):
        return _vector(np.array([np.nan if x is None else float(x) for x in items]))
    kinds = sorted({type(item).__name__ for item in present})
    raise EngineError(f"these types cannot be one R vector: {', '.join(kinds)}")


def _integers(kind: int, items: Sequence[Any] | np.ndarray[Any, Any]) -> list[bytes]:
    values = [_NA_INTEGER if item is None else int(item) for item in items]
    return [struct.pack(">ii", kind, len(values)), np.array(values, dtype=">i4").tobytes()]


def decode(raw: bytes) -> Any:
    """Return the value of R's `serialize(x, NULL, version = 2)` for plain vectors and lists."""
    if not raw.startswith(b"X\n"):
        raise EngineError("R did not answer with a serialized value")
    return _Reader(raw).read()


class _Reader:
    """One pass over the bytes; symbols may refer back to earlier ones."""

    def __init__(self, raw: bytes) -> None:
        self.raw = raw
        self.at = len(_HEADER)
        self.symbols: list[str] = []

    def integer(self) -> int:
        value: int = struct.unpack_from(">i", self.raw, self.at)[0]
        self.at += 4
        return value

    def take(self, n: int) -> bytes:
        self.at += n
        return self.raw[self.at - n : self.at]

    def read(self) -> Any:
        flags = self.integer()
        kind = flags & 0xFF
        if kind == _NULL:
            return None
        if kind == _CHAR:
            n = self.integer()
            return None if n < 0 else self.take(n).decode("utf-8")
        if kind == _SYMBOL:
            self.symbols.append(self.read())
            return self.symbols[-1]
        if kind == _REFERENCE:
            return self.symbols[(flags >> 8) - 1]
        value = self.vector(kind)
        if flags & _HAS_ATTRIBUTES:
            names = self.attributes().get("names")
            if isinstance(value, list) and kind == _LIST and names is not None:
                return dict(zip(names, value, strict=True))
        return value

    def vector(self, kind: int) -> Any:
        n = self.integer()
        if kind == _REAL:
            values = np.frombuffer(self.take(8 * n), dtype=">f8").astype(np.float64)
            # NA_real_ is one NaN of many; there is one NaN on this side.
            values[np.isnan(values)] = np.nan
            return values
        if kind in (_INTEGER, _LOGICAL):
            numbers = np.frombuffer(self.take(4 * n), dtype=">i4").tolist()
            cast = bool if kind == _LOGICAL else int
            return [None if item == _NA_INTEGER else cast(item) for item in numbers]
        if kind in (_STRINGS, _LIST):
            return [self.read() for _ in range(n)]
        if kind == _RAW:
            return self.take(n)
        raise EngineError(f"R answered with a value of type {kind}, which is not plain data")

    def attributes(self) -> dict[str, Any]:
        found: dict[str, Any] = {}
        while (flags := self.integer()) & 0xFF == _PAIRLIST:
            if not flags & _HAS_TAG:
                raise EngineError("R answered with an attribute without a name")
            name = self.read()
            found[name] = self.read()
        return found
