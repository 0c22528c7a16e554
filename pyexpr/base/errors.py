"""The errors and warnings that pyexpr raises.

All errors derive from `PyexprError`. Those about the user's data also derive from `ValueError`.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any

from pyexpr.base.visible import LINES, visible


def _portable(error: BaseException) -> tuple[Any, ...]:
    """Serve as `__reduce__`: copied and sent to another process, whatever its arguments.

    By default an exception is made again by a call with its message alone, which fails
    where its constructor wants more.
    """
    kind = type(error)
    python: Any = _of_python(kind)
    reduced = python.__reduce__(error)
    return (_made_again, (kind, reduced[1]), *reduced[2:])


def _made_again(kind: type[BaseException], arguments: tuple[Any, ...]) -> BaseException:
    # Python's own part of it; what the constructors of ours set is in the state.
    own = _of_python(kind)
    error = own.__new__(kind, *arguments)
    own.__init__(error, *arguments)
    return error


def _of_python(kind: type[Any]) -> type[Any]:
    """Return the class of Python's that gives an exception its memory."""
    while kind.__module__ != "builtins":
        kind = kind.__base__  # type: ignore[assignment]
    return kind


class PyexprError(Exception):
    """Base of all errors raised by pyexpr."""

    __reduce__ = _portable

    def __str__(self) -> str:
        return visible(super().__str__(), keep=LINES)


class DataError(PyexprError, ValueError):
    """The data cannot be used; the message says which data, and why."""


class ColumnError(DataError):
    """A column does not exist, or contains invalid values."""


class OpenFaceError(DataError):
    """A file is not a usable OpenFace recording."""


class TracksError(OpenFaceError):
    """A table of tracked points is not a usable recording."""


class LayoutError(TracksError):
    """A layout of tracks cannot be used, or is not that of the table."""


class VideoError(DataError):
    """A file is not a usable video, or does not contain the requested clip."""


class SavedResultError(DataError):
    """A saved result cannot be read, or a result cannot be saved."""


class StudyError(DataError):
    """The parts of a study do not fit together."""


class FactorModelError(DataError):
    """The data do not identify the factor model.

    Attributes
    ----------
    reason : str
        One of ``constant_indicator``, ``too_few_indicators``, ``too_few_rows``,
        ``singular_covariance``, ``nonpositive_product``, ``not_converged``,
        ``inadmissible``.
    """

    def __init__(self, message: str, *, reason: str) -> None:
        super().__init__(message)
        self.reason = reason


class EngineError(PyexprError, RuntimeError):
    """A fitting engine is not available or failed."""


class RNotFoundError(EngineError):
    """R, or the bridge to it, is not installed."""


class LavaanNotFoundError(EngineError):
    """R is installed, but its package lavaan is not."""


class RError(EngineError):
    """R stopped with an error; the message is that of R."""


class TrackerError(PyexprError, RuntimeError):
    """A tracker of faces has no usable model, or failed."""


class TrackerNotInstalledError(TrackerError):
    """The tracker, or what it needs, is not installed."""


class ClusterError(PyexprError, RuntimeError):
    """The workers of a cluster cannot be reached, cannot be used, or have ended."""


class Interrupted(KeyboardInterrupt):
    """Ctrl-C was pressed; `result` holds what was computed until then.

    Attributes
    ----------
    result : object
        The result so far, as if no more had been requested; None if there is none yet.
    """

    __reduce__ = _portable

    def __str__(self) -> str:
        return visible(super().__str__(), keep=LINES)

    def __init__(self, message: str, result: object = None) -> None:
        super().__init__(message)
        self.result = result


class DeepNotInstalledError(PyexprError, ImportError):
    """Requirements of the deep models are not installed, or are incompatible."""


class DeepMemoryError(PyexprError, MemoryError):
    """The memory of the device is not sufficient for the model and a batch."""


class ProcessLostError(PyexprError, RuntimeError):
    """Another of the processes that train a network together has ended."""


class PyexprWarning(UserWarning):
    """Base of all warnings issued by pyexpr."""

    __reduce__ = _portable

    def __str__(self) -> str:
        return visible(super().__str__(), keep=LINES)


class FewSubjectsWarning(PyexprWarning):
    """There are so few subjects that intervals are approximate."""


class SharedSubjectsWarning(PyexprWarning):
    """Rows share subjects, but the computation treats them as independent."""


class SeparatedClassesWarning(PyexprWarning):
    """Features separate the classes, so the size of the weights is determined by a tiny penalty."""


def warn_user(message: str, category: type[PyexprWarning]) -> None:
    """Warn as from the line of the user's code that called into the package."""
    level, frame = 1, sys._getframe()
    while frame.f_back is not None and frame.f_globals["__name__"].startswith("pyexpr."):
        level, frame = level + 1, frame.f_back
    warnings.warn(message, category, stacklevel=level)


def listed(names: Iterable[object], *, most: int = 8, of: int | None = None) -> str:
    """Join names for a sentence: quoted, and cut after `most` of them; there are `of` in all."""
    items = list(names)
    n = len(items) if of is None else of
    text = ", ".join(repr(str(item)) for item in items[:most])
    return text if n <= most else f"{text} and {n - most} more"


def have(what: str) -> str:
    """Return ``what`` with "has" or "have" to match its noun: "the ratings (a.csv) have"."""
    noun = what.partition(" (")[0].partition(" of ")[0].rpartition(" ")[2]
    of_data = what.startswith("the data") and not what.startswith("the data frame")
    several = (noun.endswith("s") and not noun.endswith("ss")) or of_data
    return f"{what} {'have' if several else 'has'}"


def counted(n: int, noun: str, one: str = "", several: str = "") -> str:
    """Return "1 row" or "2 rows", with the verb for one or several where given: "1 row was"."""
    text = f"{n} {noun} {one}" if n == 1 else f"{n} {noun}s {several}"
    return text.rstrip()


def near_names(name: str, names: Iterable[object], *, lead: str = "it has") -> str:
    """Return a hint with the names most like `name`, or with all of them, after `lead`."""
    known = [str(other) for other in names]
    folded = {other.casefold().strip(): other for other in known}
    near = get_close_matches(name.casefold().strip(), folded, n=3, cutoff=0.6)
    if near:
        return f"did you mean {listed(folded[match] for match in near)}?"
    return f"{lead} {listed(known, most=12)}" if known else "it has no columns"
