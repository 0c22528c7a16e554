"""Donors of values: rows of other subjects or of the same subject, or the means of other subjects.

The donors of a row are a systematic sample of the possible ones: each is drawn with the same
probability, and they are spread over all subjects. Few repeats are therefore enough. With as many
repeats as possible donors, each donor is taken once and nothing is random.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pyexpr.core.streams import DONORS, generator

if TYPE_CHECKING:
    from numpy.typing import NDArray

ROWS, WITHIN, SUBJECTS = "rows", "within", "subjects"
KINDS = (ROWS, WITHIN, SUBJECTS)
#: Fewest subjects between whom values are exchanged: one can be left out.
FEWEST = 3


@dataclass(frozen=True, slots=True)
class Pairs:
    """Pairs of a row and a donor, within one cell.

    Attributes
    ----------
    target : (pairs,) int64
        Positions of the rows, ascending.
    donor : (pairs,) int64
        Positions of the rows that give their values, or, if means are exchanged, of subjects.
    from_subject : (pairs,) int64
        The subject of the donor.
    """

    target: NDArray[np.int64]
    donor: NDArray[np.int64]
    from_subject: NDArray[np.int64]


def pairs_of(
    subjects: NDArray[np.int64], kind: str, n_repeats: int | None, seed: int, cell: int
) -> Pairs:
    """Return the pairs of a cell.

    Parameters
    ----------
    subjects : (n,) int64
        The subject of each row, 0 to G - 1.
    kind : {"rows", "within", "subjects"}
    n_repeats : int or None
        Donors of each row; None takes all.
    seed, cell : int
        The random numbers depend only on these two.
    """
    random = generator(seed, DONORS, cell)
    sizes = np.bincount(subjects)
    shuffled = random.permutation(len(subjects))
    # Rows of a subject follow one another, subjects in random order.
    place = random.permutation(len(sizes))
    by_subject = shuffled[np.argsort(place[subjects[shuffled]], kind="stable")]
    ordered = subjects[by_subject]
    starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])
    target, donor = [], []
    for number, start in enumerate(starts.tolist()):
        size = int(sizes[ordered[start]])
        rows = by_subject[start : start + size]
        if kind == WITHIN:
            others = size - 1
        elif kind == ROWS:
            others = len(subjects) - size
        else:
            others = len(sizes) - 1
        chosen = _systematic(random, size, others, n_repeats)
        if kind == WITHIN:
            # Skip the row itself: later positions move on by one.
            chosen += chosen >= np.arange(size)[:, None]
            given = rows[chosen]
        elif kind == ROWS:
            chosen += np.where(chosen >= start, size, 0)
            given = by_subject[chosen]
        else:
            chosen += chosen >= number
            given = ordered[starts][chosen]
        target.append(np.repeat(rows, chosen.shape[1]))
        donor.append(given.reshape(-1))
    targets, donors = np.concatenate(target), np.concatenate(donor)
    order = np.argsort(targets, kind="stable")
    targets, donors = targets[order], donors[order]
    return Pairs(targets, donors, donors if kind == SUBJECTS else subjects[donors])


def _systematic(
    random: np.random.Generator, size: int, others: int, n_repeats: int | None
) -> NDArray[np.int64]:
    """Return positions among the others, (size, repeats), equally likely and without repetition."""
    if n_repeats is None or n_repeats >= others:
        return np.tile(np.arange(others), (size, 1))
    # The starts of a subject's rows are spread, too.
    start = (random.permutation(size) + random.random(size)) / size
    share = (start[:, None] + np.arange(n_repeats)) / n_repeats
    return np.minimum((share * others).astype(np.int64), others - 1)
