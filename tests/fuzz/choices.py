"""Choices made from a string of bytes, so that a fuzzer that changes bytes changes choices."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")

# At the edges of what 32 and 64 bits hold, and whose products with small numbers wrap.
HOSTILE_SIZES = (2**60, 2**61, 2**62, 2**63 - 1, 2**63, 2**64 - 1, 2**64, -1, -(2**63))


class Choices:
    """A source that never ends: after its last byte come zeros."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    @property
    def over(self) -> bool:
        return self._at >= len(self._data)

    def taken(self, n: int) -> bytes:
        found = self._data[self._at : self._at + n].ljust(n, b"\0")
        self._at += n
        return found

    def below(self, n: int) -> int:
        """Return a whole number from 0 to n - 1, n at most 256."""
        return self.taken(1)[0] % n

    def one_of(self, values: Sequence[T]) -> T:
        return values[self.below(len(values))]

    def seldom(self) -> bool:
        """Return True once in 16 times."""
        return self.below(16) == 15

    def whole(self) -> int:
        """Return a small number, seldom a hostile one."""
        return self.one_of(HOSTILE_SIZES) if self.seldom() else self.below(6)

    def real(self) -> float:
        """Return any double: mostly a tame one."""
        kind = self.below(8)
        if kind == 7:
            return float(struct.unpack("<d", self.taken(8))[0])
        if kind == 6:
            return self.one_of(
                (float("nan"), float("inf"), float("-inf"), 0.0, -0.0, 1e308, 5e-324)
            )
        return (self.below(256) - 100) / 16
