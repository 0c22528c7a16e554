"""What one comparison is, and the ways to say how far two sets of numbers lie apart."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import numpy as np
import pandas as pd


@dataclass(frozen=True, slots=True)
class Tolerance:
    """How far two numbers may lie apart, measured how, and why so far."""

    limit: float
    reason: str
    measured: str = "absolute"


@dataclass(frozen=True, slots=True)
class Peer:
    """With what is compared, in which version, from which source (kept, or made now).

    The version is asked only when something is printed: it may need R to run.
    """

    name: str
    version: Callable[[], str] = lambda: ""
    source: str = ""

    def __str__(self) -> str:
        return f"{self.name} {self.version()}".strip()


def python_package(name: str) -> Peer:
    """Return a Python package that is called now."""
    return Peer(name, lambda: version(name))


@dataclass(frozen=True, slots=True)
class Comparison:
    """Named quantities, computed here and by a peer, and how far apart they may be.

    Attributes
    ----------
    area : str
        The table it belongs to.
    ours : str
        The engine, or the function, that is checked.
    data : str
        The data set, in words.
    peer : Peer
    quantities : mapping of str to Tolerance
    differences : callable
        Returns the largest difference of each quantity; with `not_served` it must raise that.
    slow : bool
        For `make parity` alone.
    not_served : exception type, optional
        What asking this engine for these data raises.
    """

    area: str
    ours: str
    data: str
    peer: Peer
    quantities: Mapping[str, Tolerance]
    differences: Callable[[], Mapping[str, float]]
    slow: bool = False
    not_served: type[Exception] | None = None

    @property
    def name(self) -> str:
        """What pytest calls it."""
        return f"{self.area}, {self.ours}, {self.data}, {self.peer.name}"


class NotHereError(Exception):
    """What is compared with is not installed on this machine; the text says what."""


def absolute(ours: Any, theirs: Any) -> float:
    """Return the largest difference; where one is NaN or infinite the other must be so too."""
    return scaled(ours, theirs, 1.0)


def relative(ours: Any, theirs: Any, *, floor: float = 0.0) -> float:
    """Return the largest difference, relative to the peer's value (at least `floor`)."""
    return scaled(ours, theirs, np.maximum(np.abs(np.asarray(theirs, dtype=float)), floor))


def scaled(ours: Any, theirs: Any, scale: Any) -> float:
    """Return the largest difference in units of `scale`; 0 of scale 0 is no difference."""
    a, b = np.asarray(ours, dtype=float), np.asarray(theirs, dtype=float)
    if a.shape != b.shape:
        raise ValueError(f"{a.shape} numbers here, {b.shape} there")
    if a.size == 0:
        raise ValueError("there is nothing to compare")
    ordinary = np.isfinite(b)
    if not np.array_equal(a[~ordinary], b[~ordinary], equal_nan=True):
        return float("inf")
    if not np.isfinite(a[ordinary]).all():
        return float("inf")
    apart = np.abs(a[ordinary] - b[ordinary])
    unit = np.broadcast_to(np.asarray(scale, dtype=float), b.shape)[ordinary]
    with np.errstate(divide="ignore", invalid="ignore"):
        found = np.where(apart == 0, 0.0, apart / unit)
    return float(found.max(initial=0.0))


def aligned(ours: pd.Series, theirs: pd.Series) -> tuple[np.ndarray, np.ndarray]:
    """Return the values of two series in the order of the peer's index, which both must have."""
    if not ours.index.is_unique or set(ours.index) != set(theirs.index):
        raise ValueError(f"labels differ: {ours.index[:3].tolist()}, {theirs.index[:3].tolist()}")
    return ours.loc[theirs.index].to_numpy(dtype=float), theirs.to_numpy(dtype=float)


def largest(parts: list[Mapping[str, float]]) -> dict[str, float]:
    """Return each quantity's largest difference over several parts of one comparison."""
    found: dict[str, float] = {}
    for part in parts:
        for name, value in part.items():
            found[name] = max(found.get(name, 0.0), value)
    return found
