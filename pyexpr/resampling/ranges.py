"""Ranges of replicates of one analysis: their order, and whether they may be joined."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, Protocol, TypeVar

from pyexpr.base.errors import DataError
from pyexpr.base.messages import Template, say
from pyexpr.base.sameness import same

# Fields in which the parts of one analysis differ or may differ.
_MAY_DIFFER = frozenset(
    {
        "differences", "first_replicate", "functions", "intervals", "n_boot", "n_failed",
        "n_jobs", "n_threads", "progress", "replicate_errors", "replicates", "statistic",
    }
)  # fmt: skip
# Tolerance for a user's function, whose libraries round differently on other processors.
_ROUNDING = 1e-9

NOTE_RANGE = Template(
    "range_of_replicates",
    "The replicates are those numbered {first} to {last}, counted from 0; "
    "{call px.join(results)} joins them with the others.",
    report="The replicates are those numbered {first} to {last}, counted from 0.",
    r="The replicates are those numbered {first} to {last}, counted from 0; "
    "join_results() joins them with the others.",
)


class Range(Protocol):
    """A result with some of the replicates of an analysis."""

    @property
    def first_replicate(self) -> int:
        """Return the number of its first replicate, counted from 0."""

    @property
    def n_boot(self) -> int:
        """Return the number of its replicates."""


R = TypeVar("R", bound=Range)


def note_of_range(result: Range) -> tuple[str, ...]:
    """Return a note if the replicates are not the first ones of their seed."""
    first, n = result.first_replicate, result.n_boot
    return (NOTE_RANGE(first=first, last=first + n - 1),) if first and n else ()


def in_sequence(results: Sequence[R]) -> list[R]:
    """Return the results in the order of their replicates.

    Raises
    ------
    DataError
        If a replicate is in two of them, or some are missing between them.
    """
    found = sorted(results, key=lambda one: (one.first_replicate, one.n_boot))
    for before, after in pairwise(found):
        stop = before.first_replicate + before.n_boot
        at = after.first_replicate
        if at < stop:
            raise DataError(
                say(
                    "two of the results contain the replicates {first} to {last}: one has {one}, "
                    "the other {other}; give each call another range by {first_replicate=} and "
                    "{n_boot=}",
                    first=at,
                    last=min(stop, at + after.n_boot) - 1,
                    one=_range(before),
                    other=_range(after),
                )
            )
        if at > stop:
            raise DataError(
                say(
                    "the replicates {first} to {last} are missing between the results with {one} "
                    "and {other}; compute them with {first_replicate=} and {n_boot=}",
                    first=stop,
                    last=at - 1,
                    one=_range(before),
                    other=_range(after),
                    first_replicate=stop,
                    n_boot=at - stop,
                )
            )
    return found


def _range(one: Range) -> str:
    if not one.n_boot:
        return "none"
    return f"{one.first_replicate} to {one.first_replicate + one.n_boot - 1}"


def check_parts(
    one: Any, other: Any, options: Sequence[tuple[str, Any, Any]], *, by_kernel: bool
) -> None:
    """Raise `DataError` unless two results have the same data, options and seed.

    Parameters
    ----------
    one, other : object
        The parts that must be equal, without the replicates.
    options : sequence of (name, value in one, value in the other)
        Named in the message if they differ.
    by_kernel : bool
        Whether no function of the user was called, whose results may be rounded differently on
        other processors.
    """
    for name, first, second in options:
        if first != second:
            raise DataError(
                say(
                    "results that are joined must have the same {@name=}, not {first!r} and "
                    "{second!r}",
                    name=name,
                    first=first,
                    second=second,
                )
            )
    if not same(one, other, but=_MAY_DIFFER, rtol=0.0 if by_kernel else _ROUNDING):
        raise DataError(
            say(
                "results that are joined must be of the same data and options, and differ only in "
                "{first_replicate=} and {n_boot=}; these are of different data or options"
            )
        )
