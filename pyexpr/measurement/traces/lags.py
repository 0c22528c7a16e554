r"""Lags between raters, from correlations of shifted traces.

With :math:`r_{jk}(d)` the correlation of the traces of raters j and k, the first of which is read d
frames later, over all clips and about the mean of each trace, the lags maximise
:math:`\sum_{j<k} n_{jk} r_{jk}(l_j - l_k)` and add up to 0; n is the number of common frames. For
one rater, given the others, that is the lag of the largest correlation with the sum of the other
traces (Mariooryad and Busso 2015 shift one mean trace; Nicolaou, Pavlovic and Pantic 2014 align
raters to each other). Lags are found frame by frame, and then between frames by a quadratic
approximation of each :math:`r_{jk}` at its place.

References
----------
Mariooryad, S. and Busso, C. (2015). Correcting time-continuous emotional labels by modeling the
reaction lag of evaluators. IEEE Transactions on Affective Computing, 6, 97-108.
https://doi.org/10.1109/TAFFC.2014.2334294
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pyexpr.measurement.traces.frames import Frames

# Rounds of coordinate ascent; a few suffice.
_ROUNDS = 50


@dataclass(frozen=True, slots=True)
class LagSums:
    """Sums per subject and pair of raters, (G, q, q, shifts), shifts from -2m to 2m frames.

    Attributes
    ----------
    products : float64
        Of the values of the first rater, so many frames later, and of the second.
    first, second : float64
        Their squares, over the same frames.
    number : (G, q, q) float64
        Common frames without a shift.
    """

    products: NDArray[np.float64]
    first: NDArray[np.float64]
    second: NDArray[np.float64]
    number: NDArray[np.float64]

    @classmethod
    def of(
        cls, frames: Frames, subject_of: NDArray[np.int64], n_subjects: int, most: int
    ) -> LagSums:
        """Sum over the clips of each subject."""
        q = frames.table.shape[1]
        shape = (n_subjects, q, q, 4 * most + 1)
        found = cls(np.zeros(shape), np.zeros(shape), np.zeros(shape), np.zeros(shape[:3]))
        starts = np.flatnonzero(np.diff(frames.clip, prepend=-1))
        for rows in np.split(np.arange(len(frames.clip)), starts[1:]):
            if len(rows):
                found._add(frames, rows, int(subject_of[frames.clip[rows[0]]]), most)
        return found

    def _add(self, frames: Frames, rows: NDArray[np.int64], subject: int, most: int) -> None:
        number = frames.number[rows]
        own = np.flatnonzero(~np.isnan(frames.table[rows[0]]))
        n = int(number[-1] - number[0]) + 1
        values, here = np.zeros((len(own), n)), np.zeros(n)
        at = number - number[0]
        part = frames.table[np.ix_(rows, own)].T
        # Less the first value, so that a constant trace is 0 without rounding.
        part = part - part[:, :1]
        values[:, at] = part - part.mean(axis=1, keepdims=True)
        here[at] = 1.0
        squares = values**2
        # Products of matrices: several times faster than sums over strided views.
        products = (_later(values, 2 * most) @ values.T).transpose(0, 2, 1)
        first = _later(squares, 2 * most) @ here
        second = (_later(here, 2 * most) @ squares.T).T
        j, k = np.ix_(own, own)
        self.products[subject, j, k] += products
        self.first[subject, j, k] += first[:, None]
        self.second[subject, j, k] += second[None]
        self.number[subject, j, k] += len(rows)

    def correlations(
        self, kept: NDArray[np.bool_] | None = None
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the correlations (q, q, shifts) of the subjects kept, and the frames (q, q)."""
        rows = slice(None) if kept is None else kept
        products, first, second = (
            part[rows].sum(axis=0) for part in (self.products, self.first, self.second)
        )
        with np.errstate(divide="ignore", invalid="ignore"):
            found = products / np.sqrt(first * second)
        return np.where(first * second > 0, found, np.nan), self.number[rows].sum(axis=0)


def _later(x: NDArray[np.float64], most: int) -> NDArray[np.float64]:
    """Return ``x(t + d)`` for d from -most to most, (..., 2 most + 1, n); 0 beyond its ends."""
    n = x.shape[-1]
    padded = np.zeros((*x.shape[:-1], n + 2 * most))
    padded[..., most : most + n] = x
    return np.lib.stride_tricks.sliding_window_view(padded, n, axis=-1)


def best_lags(
    correlations: NDArray[np.float64],
    number: NDArray[np.float64],
    most: int,
    start: NDArray[np.int64] | None = None,
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return the lags in frames, adding up to 0, and in whole frames.

    NaN for all where they are not determined, and for a rater whose largest correlation lies at the
    limit of `most` frames.
    """
    q = len(number)
    weight = np.where(np.eye(q, dtype=bool), 0.0, number)
    usable = (weight > 0) & np.isfinite(correlations[:, :, 2 * most])
    weight = np.where(usable, weight, 0.0)
    nothing = np.full(q, np.nan)
    if not _one_piece(weight > 0):
        return nothing, np.zeros(q, dtype=np.int64)
    # A shift without common frames is never the best.
    value = np.where(np.isfinite(correlations), correlations, -1.0)
    at = np.zeros(q, dtype=np.int64) if start is None else start.copy()
    shifts = np.arange(-most, most + 1)
    at_limit = np.zeros(q, dtype=bool)
    for _ in range(_ROUNDS):
        before = at.copy()
        for j in range(q):
            others = np.flatnonzero(weight[j] > 0)
            tried = int(np.round(at[others].mean())) + shifts
            offsets = np.clip(tried[:, None] - at[others] + 2 * most, 0, 4 * most)
            best = int(np.argmax((weight[j, others] * value[j, others, offsets]).sum(axis=1)))
            at[j] = tried[best]
            at_limit[j] = best in (0, 2 * most)
        at -= int(np.round(at.mean()))
        if np.array_equal(at, before):
            break
    lags = _between_frames(value, weight, at, most)
    lags[at_limit] = np.nan
    return lags, at


def _one_piece(linked: NDArray[np.bool_]) -> bool:
    reached = {0}
    new = [0]
    while new:
        near = np.flatnonzero(linked[new.pop()]).tolist()
        new += [one for one in near if one not in reached]
        reached.update(near)
    return len(reached) == len(linked)


def _between_frames(
    value: NDArray[np.float64], weight: NDArray[np.float64], at: NDArray[np.int64], most: int
) -> NDArray[np.float64]:
    """Return the maximum of the quadratic approximations at whole frames."""
    q = len(at)
    offset = np.clip(at[:, None] - at + 2 * most, 1, 4 * most - 1)
    i, j = np.indices((q, q))
    below, here, above = (value[i, j, offset + d] for d in (-1, 0, 1))
    slope, bend = (above - below) / 2, 2 * here - above - below
    bend = np.where((weight > 0) & (bend > 0), weight * bend, 0.0)
    slope = np.where(bend > 0, weight * slope, 0.0)
    laplacian = np.diag(bend.sum(axis=1)) - bend
    moved = np.linalg.lstsq(laplacian, slope.sum(axis=1), rcond=1e-10)[0].clip(-1, 1)
    lags = at + moved
    return np.asarray(lags - lags.mean())
