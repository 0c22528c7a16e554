"""The ratings without each subject in turn: signals, variances and the raters' means.

Everything that depends on ratings is reduced to sums per subject, so that leaving out a subject is
a subtraction. Tables with missing cells are refitted by REML, all at once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pyexpr.measurement.icc.intervals import EPSILON
from pyexpr.measurement.icc.reml import fit_components, fit_without_each, rater_means

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pyexpr.measurement.icc.layout import Ratings


@dataclass(frozen=True, slots=True)
class SubjectSums:
    """Sums per subject, (G, S), and theta as a function of their totals (..., S)."""

    sums: NDArray[np.float64]
    theta: Callable[[NDArray[np.float64]], NDArray[np.float64]]

    def left_out(self) -> NDArray[np.float64]:
        """Theta of all subjects, then without each, (G + 1,)."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return self.theta(_complete_and_left_out(self.sums))


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Of all subjects, and then without each: variances (G + 1,), raters' means (G + 1, q)."""

    target: NDArray[np.float64]
    rater: NDArray[np.float64]
    error: NDArray[np.float64]
    means: NDArray[np.float64]


def _complete_and_left_out(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    total = sums.sum(axis=0)
    return np.vstack([total, total - sums])


def _cleared(squares: NDArray[np.float64], total: NDArray[np.float64]) -> NDArray[np.float64]:
    """Set a sum of squares that is only rounding to 0, as the kernel does."""
    return np.where(squares <= 64 * EPSILON * total, 0.0, squares)


def one_way_sums(ratings: Ratings) -> SubjectSums:
    """Return sums for the one-way forms: targets, ratings, squares of both kinds."""
    values, targets, clusters = ratings.rated()
    values = values - values.mean()
    present, codes = np.unique(clusters, return_inverse=True)
    _, target, times = np.unique(targets, return_inverse=True, return_counts=True)
    totals = np.bincount(target, weights=values)
    inside = np.bincount(target, weights=(values - (totals / times)[target]) ** 2)
    owner = np.zeros(len(times), dtype=np.int64)
    owner[target] = codes
    parts = (np.ones(len(times)), times, times**2, totals, totals**2 / times, inside)
    sums = [np.bincount(owner, weights=part, minlength=len(present)) for part in parts]
    return SubjectSums(np.column_stack(sums), _one_way_theta)


def _one_way_theta(s: NDArray[np.float64]) -> NDArray[np.float64]:
    targets, n, squares, total, between, within = np.moveaxis(s, -1, 0)
    everything = between + within
    ms_between = _cleared(between - total**2 / n, everything) / (targets - 1)
    ms_within = _cleared(within, everything) / (n - targets)
    n0 = (n - squares / n) / (targets - 1)
    return np.asarray((ms_between - ms_within) / (n0 * ms_within))


def two_way_sums(ratings: Ratings, family: str = "consistency") -> SubjectSums:
    """Return sums for the consistency or agreement forms of a complete table (targets, raters)."""
    sums = _table_sums(ratings)

    def theta(s: NDArray[np.float64]) -> NDArray[np.float64]:
        target, rater, error = _two_way_variances(s)
        return np.asarray(target / (error if family == "consistency" else error + rater))

    return SubjectSums(sums, theta)


def _table_sums(ratings: Ratings) -> NDArray[np.float64]:
    """Per subject: targets, squared sums of targets, squares, and the sums of each rater."""
    assert ratings.table is not None
    assert ratings.clusters is not None
    table = ratings.table - ratings.table.mean()
    present, codes = np.unique(ratings.clusters, return_inverse=True)
    parts = [np.ones(len(table)), table.sum(axis=1) ** 2, (table**2).sum(axis=1), *table.T]
    return np.column_stack(
        [np.bincount(codes, weights=part, minlength=len(present)) for part in parts]
    )


def _two_way_variances(
    s: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Variances of targets, raters and error from totals (..., S) of `_table_sums`."""
    n, rows, all_squares = s[..., 0], s[..., 1], s[..., 2]
    columns = s[..., 3:]
    k = columns.shape[-1]
    middle = columns.sum(axis=-1) ** 2 / (n * k)
    of_raters = (columns**2).sum(axis=-1) / n
    ms_targets = _cleared(rows / k - middle, all_squares) / (n - 1)
    error = _cleared(all_squares - rows / k - of_raters + middle, all_squares)
    ms_error = error / ((n - 1) * (k - 1))
    ms_raters = _cleared(of_raters - middle, all_squares) / (k - 1)
    return (ms_targets - ms_error) / k, (ms_raters - ms_error) / n, ms_error


def consistency_of_tables(tables: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return theta of many complete tables: of all subjects, then without each, (B, G + 1).

    Parameters
    ----------
    tables : ndarray, shape (B, G, m, k)
        Ratings of the m targets of each of G subjects by k raters.
    """
    centred = tables - tables.mean(axis=(1, 2, 3), keepdims=True)
    squared = (centred.sum(axis=3) ** 2).sum(axis=2)
    number = np.full(squared.shape, float(tables.shape[2]))
    parts = [number, squared, (centred**2).sum(axis=(2, 3))]
    sums = np.concatenate([np.stack(parts, axis=-1), centred.sum(axis=2)], axis=-1)
    total = sums.sum(axis=1, keepdims=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        target, _, error = _two_way_variances(np.concatenate([total, total - sums], axis=1))
        return np.asarray(target / error)


def complete(ratings: Ratings) -> bool:
    """Say whether there is a table of targets by raters without missing cells."""
    return ratings.table is not None and not np.isnan(ratings.table).any()


def left_out(ratings: Ratings) -> LeftOut:
    """Variances and raters' means of the two-way model; NaN where it is not determined."""
    if complete(ratings):
        totals = _complete_and_left_out(_table_sums(ratings))
        with np.errstate(divide="ignore", invalid="ignore"):
            return LeftOut(*_two_way_variances(totals), totals[:, 3:] / totals[:, :1])
    values, targets, raters = ratings.triplets()
    subjects = ratings.rated()[2]
    fits = [
        fit_components(values, targets, raters),
        *fit_without_each(values, targets, raters, subjects),
    ]
    target, rater, error = (
        np.array([getattr(fit, name) for fit in fits]) for name in ("target", "rater", "error")
    )
    with np.errstate(invalid="ignore", divide="ignore"):
        means = rater_means(values, targets, raters, subjects, target / error)
    return LeftOut(target, rater, error, means)
