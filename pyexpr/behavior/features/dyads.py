"""A long table of two people's series to arrays on one even grid of time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from pyexpr.base.errors import DataError, listed
from pyexpr.base.messages import say
from pyexpr.base.tables import label_codes, numeric_column

if TYPE_CHECKING:
    import pandas as pd

# How far a time may be from the even grid, in steps of it.
_OFF_GRID: Final = 0.1


@dataclass(frozen=True, slots=True)
class Dyads:
    """The series of the two people of each dyad.

    Attributes
    ----------
    labels : list
        Of the dyads, sorted.
    people : list of (object, object)
        The first and the second person of each, in the order of their labels.
    first, second : float64 arrays, shape (dyads, bins)
        From each dyad's first time on; NaN where there is no value.
    step : float
        Seconds from bin to bin.
    """

    labels: list[Any]
    people: list[tuple[Any, Any]]
    first: NDArray[np.float64]
    second: NDArray[np.float64]
    step: float


def read_dyads(frame: pd.DataFrame, *, series: str, dyad: str, person: str, time: str) -> Dyads:
    """Return the dyads of a long table.

    Raises
    ------
    ColumnError, DataError
        If labels or times are missing, a dyad has not two people, a person has two rows at
        one time, or times do not lie on an even grid that is the same for all.
    """
    if frame.empty:
        raise DataError("data has no rows")
    values = numeric_column(frame, series, what="data")
    times = numeric_column(frame, time, what="data")
    if np.isnan(times).any():
        row = int(np.flatnonzero(np.isnan(times))[0]) + 1
        raise DataError(f"column {time!r} of data must hold seconds, but row {row} is empty")
    of_dyad, labels = label_codes(frame[dyad], name=dyad, what="data")
    of_person, names = label_codes(frame[person], name=person, what="data")
    people = _people(of_dyad, of_person, labels, names)
    rows = [
        [np.flatnonzero((of_dyad == d) & (of_person == p)) for p in pair]
        for d, pair in enumerate(people)
    ]
    step = _step([times[own] for pair in rows for own in pair])
    placed = []
    for label, pair, own in zip(labels, people, rows, strict=True):
        start = min(times[one].min() for one in own)
        for one, who in zip(own, pair, strict=True):
            placed.append(_placed(times[one], float(start), step, label, names[who]))
    n_bins = max(int(bins.max()) for bins in placed) + 1
    filled = np.full((2 * len(labels), n_bins), np.nan)
    members = [own for pair in rows for own in pair]
    for at, (bins, member) in enumerate(zip(placed, members, strict=True)):
        filled[at, bins] = values[member]
    named = [(names[first], names[second]) for first, second in people]
    return Dyads(labels, named, filled[0::2], filled[1::2], step)


def _people(
    of_dyad: NDArray[np.int64], of_person: NDArray[np.int64], labels: list[Any], names: list[Any]
) -> list[tuple[int, int]]:
    """Return the two people of each dyad."""
    people = []
    for d, label in enumerate(labels):
        own = np.unique(of_person[of_dyad == d]).tolist()
        if len(own) != 2:
            found = listed([names[one] for one in own])
            raise DataError(
                say(
                    "dyad {label:label} must have two people, but has {n}: {found}",
                    label=label,
                    n=len(own),
                    found=found,
                )
            )
        people.append((own[0], own[1]))
    return people


def _step(times: list[NDArray[np.float64]]) -> float:
    """Return the seconds from bin to bin: those of the longest series, end to end."""
    longest = np.sort(max(times, key=len))
    steps = np.diff(longest)
    steps = steps[steps > 0]
    if not len(steps):
        raise DataError("each person of data must have values at two times at least")
    n_steps = round(float((longest[-1] - longest[0]) / np.median(steps)))
    # In few digits: a lag of five steps of 0.2 s is 1 s.
    return float(f"{float(longest[-1] - longest[0]) / n_steps:.10g}")


def _placed(
    times: NDArray[np.float64], start: float, step: float, dyad: Any, person: Any
) -> NDArray[np.int64]:
    """Return the bin of each time of a person, from the start of the dyad on."""
    places = (times - start) / step
    bins = np.rint(places).astype(np.int64)
    off = np.abs(places - bins) > _OFF_GRID
    if off.any():
        raise DataError(
            say(
                "times must lie on an even grid that both people of all dyads share, here of "
                "{step:.6g} s, but {person:label} of dyad {dyad:label} has a value at {time:.6g} "
                "s; bin the series first, as {call movement_series()} does",
                step=step,
                person=person,
                dyad=dyad,
                time=float(times[np.flatnonzero(off)[0]]),
            )
        )
    found, counts = np.unique(bins, return_counts=True)
    if (counts > 1).any():
        twice = found[np.flatnonzero(counts > 1)[0]]
        raise DataError(
            say(
                "{person:label} of dyad {dyad:label} has more than one value at {time:.6g} s; keep "
                "the rows of one context and clip",
                person=person,
                dyad=dyad,
                time=float(times[np.flatnonzero(bins == twice)[0]]),
            )
        )
    return bins
