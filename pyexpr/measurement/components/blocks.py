r"""Ratings as cross-products per object of measurement (a subject).

Inner effects, of which every level belongs to one subject (the subject, its clips, its interaction
with raters), form blocks. Outer effects (raters) and the mean connect the blocks. Let Z_s be the
inner effects of subject s, and T = (W, 1) the outer effects and the mean. The ratings enter the
likelihood only through the products of Z_s, T and y within each subject.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Blocks:
    """Cross-products of the ratings per subject.

    Attributes
    ----------
    zz, zt, tt : ndarray, shapes (G, m, m), (G, m, t), (G, t, t)
        Products of the inner effects' levels (padded with zeros) and of T. ``tt`` is (1, t, t), the
        sum over subjects, if one matrix per subject would not fit in memory.
    zy, ty, yy, n : ndarray, shapes (G, m), (G, t), (G,), (G,)
        Products with the ratings, from which the mean is subtracted, and numbers of ratings.
    inner, outer : tuple of int
        Positions of the inner and of the outer effects.
    slots, columns : ndarray of int64, shapes (m,), (t,)
        The effect of each inner slot and of each column of T, as its place in `inner` or `outer`;
        the last column, the mean, has the place ``len(outer)``.
    """

    zz: NDArray[np.float64]
    zt: NDArray[np.float64]
    tt: NDArray[np.float64]
    zy: NDArray[np.float64]
    ty: NDArray[np.float64]
    yy: NDArray[np.float64]
    n: NDArray[np.float64]
    inner: tuple[int, ...]
    outer: tuple[int, ...]
    slots: NDArray[np.int64]
    columns: NDArray[np.int64]

    @property
    def n_effects(self) -> int:
        """Return the number of effects, without the residual."""
        return len(self.inner) + len(self.outer)

    @property
    def each(self) -> bool:
        """Whether single subjects can be left out."""
        return len(self.tt) == len(self.zz)


# Largest size of one array, and of the sums per subject.
MOST_NUMBERS = 40_000_000
MOST_SUMS = 60_000_000


def size_of(subjects: NDArray[np.int64], effects: Sequence[NDArray[np.int64]]) -> int:
    """Return how many numbers the largest array of the blocks would hold."""
    inner, outer = _split(subjects, effects)
    n_subjects = int(subjects.max()) + 1
    m = sum(int(_local(subjects, effects[j])[1].max()) + 1 for j in inner)
    t = 1 + sum(int(effects[j].max()) + 1 for j in outer)
    return max(n_subjects * m * (m + t), t * t)


def leaves_out(subjects: NDArray[np.int64], effects: Sequence[NDArray[np.int64]]) -> bool:
    """Return whether sums for each subject, which leaving one out requires, fit in memory."""
    inner, outer = _split(subjects, effects)
    n_subjects = int(subjects.max()) + 1
    t = 1 + sum(int(effects[j].max()) + 1 for j in outer)
    each = n_subjects * t * t <= MOST_NUMBERS
    return each and n_subjects * (len(inner) * t) ** 2 <= MOST_SUMS


def are_outer(
    subjects: NDArray[np.int64], effects: Sequence[NDArray[np.int64]]
) -> tuple[bool, ...]:
    """Return which effects are not nested within subjects; the residual is last and is nested."""
    outer = _split(subjects, effects)[1]
    return tuple(j in outer for j in range(len(effects) + 1))


def blocks_of(
    values: NDArray[np.float64],
    subjects: NDArray[np.int64],
    effects: Sequence[NDArray[np.int64]],
) -> Blocks:
    """Return the cross-products of ratings.

    Parameters
    ----------
    values : ndarray, shape (n,)
        Without missing values.
    subjects : ndarray of int64, shape (n,)
        Codes without gaps of the objects of measurement.
    effects : sequence of ndarray of int64, shape (n,)
        Codes without gaps of each effect's levels, without the residual.
    """
    inner, outer = _split(subjects, effects)
    n_subjects = int(subjects.max()) + 1
    z, slots = _columns_within(subjects, [effects[j] for j in inner])
    t, columns = _columns_of(len(values), [effects[j] for j in outer])
    n_z, n_t = len(slots), len(columns)
    y = values - values[0]
    y = y - y.mean()

    def product(
        a: NDArray[np.int64], n_a: int, b: NDArray[np.int64], n_b: int
    ) -> NDArray[np.float64]:
        found = np.zeros(n_subjects * n_a * n_b)
        for one in a.T:
            for other in b.T:
                found += np.bincount((subjects * n_a + one) * n_b + other, minlength=len(found))
        return found.reshape(n_subjects, n_a, n_b)

    def with_values(a: NDArray[np.int64], n_a: int) -> NDArray[np.float64]:
        found = np.zeros(n_subjects * n_a)
        for one in a.T:
            found += np.bincount(subjects * n_a + one, weights=y, minlength=len(found))
        return found.reshape(n_subjects, n_a)

    if n_subjects * n_t * n_t <= MOST_NUMBERS:
        tt = product(t, n_t, t, n_t)
    else:
        tt = np.zeros(n_t * n_t)
        for one in t.T:
            for other in t.T:
                tt += np.bincount(one * n_t + other, minlength=len(tt))
        tt = tt.reshape(1, n_t, n_t)
    return Blocks(
        zz=product(z, n_z, z, n_z),
        zt=product(z, n_z, t, n_t),
        tt=tt,
        zy=with_values(z, n_z),
        ty=with_values(t, n_t),
        yy=np.bincount(subjects, weights=y * y, minlength=n_subjects).astype(np.float64),
        n=np.bincount(subjects, minlength=n_subjects).astype(np.float64),
        inner=tuple(inner),
        outer=tuple(outer),
        slots=slots,
        columns=columns,
    )


def _split(
    subjects: NDArray[np.int64], effects: Sequence[NDArray[np.int64]]
) -> tuple[list[int], list[int]]:
    """Return the effects of which every level belongs to one subject, and the other effects."""
    inner: list[int] = []
    outer: list[int] = []
    for j, codes in enumerate(effects):
        owner = np.zeros(int(codes.max()) + 1, dtype=np.int64)
        owner[codes] = subjects
        (inner if (owner[codes] == subjects).all() else outer).append(j)
    return inner, outer


def _local(
    subjects: NDArray[np.int64], codes: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return each rating's level, numbered within its subject, and the numbers of levels."""
    owner = np.zeros(int(codes.max()) + 1, dtype=np.int64)
    owner[codes] = subjects
    order = np.argsort(owner, kind="stable")
    first = np.searchsorted(owner[order], owner[order])
    number = np.empty_like(owner)
    number[order] = np.arange(len(owner)) - first
    return number[codes], number


def _columns_within(
    subjects: NDArray[np.int64], effects: Sequence[NDArray[np.int64]]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    columns, slots, start = [], [], 0
    for place, codes in enumerate(effects):
        own, number = _local(subjects, codes)
        width = int(number.max()) + 1
        columns.append(start + own)
        slots.append(np.full(width, place))
        start += width
    if not columns:
        return np.zeros((len(subjects), 0), dtype=np.int64), np.zeros(0, dtype=np.int64)
    return np.column_stack(columns), np.concatenate(slots)


def _columns_of(
    n: int, effects: Sequence[NDArray[np.int64]]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the columns of T of each rating, the mean last, and each column's effect."""
    columns, places, start = [], [], 0
    for place, codes in enumerate(effects):
        width = int(codes.max()) + 1
        columns.append(start + codes)
        places.append(np.full(width, place))
        start += width
    columns.append(np.full(n, start))
    places.append(np.full(1, len(effects)))
    return np.column_stack(columns), np.concatenate(places)
