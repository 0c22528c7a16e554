"""Folds of predictions from cross-validation, and detection of such predictions without folds.

The model of a fold is fitted to the other folds. If the truth is high in a fold, it is low in the
other folds, and so are the predictions of the model. Over folds, predictions and truth are
therefore negatively correlated even if the model has no information (Poldrack, Huckins and
Varoquaux, 2020, JAMA Psychiatry 77, 534-540). Within a fold there is only one model, and this does
not happen.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pyexpr.base.contexts import ALL
from pyexpr.base.errors import DataError
from pyexpr.base.messages import say
from pyexpr.base.tables import check_flat_columns, column_or_array, label_codes

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import ArrayLike, NDArray

    from pyexpr.inference.comparison.quantities import ColumnValues

# Smallest number of subjects of a fold, for pooled metrics and for those between subjects, for
# which three must remain when one is left out.
FEWEST = {"pooled": 2, "between": 4}
# Values that differ from a training mean by less than this, in standard deviations of the truth,
# are equal to it.
_SAME = 1e-6
# This number of values increases with the mean truth of the others by chance with probability 1/8!.
_ORDERED = 8


@dataclass(frozen=True, slots=True)
class Folds:
    """The fold of every row, by context.

    Attributes
    ----------
    name : str
        Name of the column of folds.
    cells : list of (n,) int64
        For each context, the fold of each row. Over all rows, this is the fold within the row's
        context if subjects are in different folds in different contexts.
    labels : list of list of str
        For each context, the labels of the folds.
    torn : list of bool
        For each context, whether some subject is in several folds.
    """

    name: str
    cells: list[NDArray[np.int64]]
    labels: list[list[str]]
    torn: list[bool]


def read_folds(
    frame: pd.DataFrame,
    fold: str | ArrayLike,
    codes: NDArray[np.int64],
    subjects: Sequence[Any],
    contexts: Sequence[str],
    context_rows: Sequence[NDArray[np.bool_] | None],
    used: NDArray[np.bool_],
    *,
    what: str,
) -> Folds:
    """Return the folds of each context.

    Raises
    ------
    DataError
        If a subject is in two folds of one context. A model that predicts some of its rows would
        then have been fitted to other rows of it.
    """
    if isinstance(fold, str):
        check_flat_columns(frame, what=what)
    name, series = column_or_array(frame, fold, argument="fold", what=what)
    of_row, labels = label_codes(series, name=name, what=what)
    shown = [str(label) for label in labels]
    cells, names, torn = [], [], []
    for context, rows in zip(contexts, context_rows, strict=True):
        mine = used if rows is None else used & rows
        subject = _in_two(of_row[mine], codes[mine], len(subjects))
        over_all = context == ALL and rows is None and len(contexts) > 1
        if subject is not None and not over_all:
            two = [shown[k] for k in np.unique(of_row[mine & (codes == subject)])[:2]]
            where = f" of context {context!r}" if len(contexts) > 1 else ""
            raise DataError(
                say(
                    "subject {subjects!r} is in folds {two!r} and {two_2!r} of column "
                    "{name!r}{where}, so a model that predicts some of its rows was fitted to "
                    "the others; assign whole subjects to folds ({call px.subject_folds})",
                    subjects=subjects[subject],
                    two=two[0],
                    two_2=two[1],
                    name=name,
                    where=where,
                )
            )
        own, own_names = of_row, shown
        if subject is not None:
            own, own_names = _by_context(of_row, shown, contexts, context_rows)
        cells.append(own)
        names.append(own_names)
        torn.append(subject is not None)
    return Folds(name, cells, names, torn)


class FoldsOf:
    """The folds of every column of predictions, either its own or those shared by all.

    Parameters
    ----------
    shared : Folds or None
    own : mapping of str to Folds
        Folds by the name of their column.
    """

    def __init__(self, shared: Folds | None, own: Mapping[str, Folds]) -> None:
        self._shared = shared
        self._own = own

    def of(self, column: ColumnValues) -> Folds | None:
        """Return the folds of a column of predictions."""
        return self._shared if column.fold is None else self._own[column.fold]

    @property
    def name(self) -> str | None:
        """Return the names of the columns of folds; None if there are none."""
        every = [*([] if self._shared is None else [self._shared]), *self._own.values()]
        return ", ".join(dict.fromkeys(folds.name for folds in every)) or None


def _in_two(fold: NDArray[np.int64], codes: NDArray[np.int64], n_subjects: int) -> int | None:
    """Return the first subject with rows in two folds; None if there is no such subject."""
    last = np.full(n_subjects, -1)
    last[codes] = fold
    torn = np.flatnonzero(last[codes] != fold)
    return int(codes[torn[0]]) if len(torn) else None


def _by_context(
    fold: NDArray[np.int64],
    labels: Sequence[str],
    contexts: Sequence[str],
    context_rows: Sequence[NDArray[np.bool_] | None],
) -> tuple[NDArray[np.int64], list[str]]:
    """Return each row's fold within its context, and the labels of these folds."""
    at, names = fold.copy(), []
    for c, rows in enumerate(context_rows):
        if rows is not None:
            at[rows] = fold[rows] + c * len(labels)
            names += [f"{contexts[c]}, {label}" for label in labels]
    return at, names


def is_of_left_out(
    prediction: NDArray[np.float64],
    truth: NDArray[np.float64],
    codes: NDArray[np.int64],
    n_clusters: int,
) -> bool:
    """Return whether predictions are a function of the truth that was left out.

    This is assumed in two cases. In the first, predictions are constant within groups of subjects,
    and in two groups or more they are the mean truth of the others (of rows, or of subjects'
    means). In the second, predictions are constant within eight groups or more, and increase
    strictly with the mean truth of the others.
    """
    one = np.full(n_clusters, np.nan)
    one[codes] = prediction
    moves = np.zeros(n_clusters, dtype=bool)
    moves[codes[prediction != one[codes]]] = True
    # This decides the usual case without further computation.
    if moves.all():
        return False
    n = np.bincount(codes, minlength=n_clusters).astype(np.float64)
    if moves[n > 0].all():
        return False
    total = np.bincount(codes, weights=truth, minlength=n_clusters).astype(np.float64)
    return constant_of_left_out(n, one, moves, total, float(truth.std()))


def constant_of_left_out(
    n: NDArray[np.float64],
    one: NDArray[np.float64],
    moves: NDArray[np.bool_],
    total: NDArray[np.float64],
    spread: float,
) -> bool:
    """Return what `is_of_left_out` does, given for each cluster (n_clusters,) what it needs.

    For each cluster these are the number of rows, one of the predictions, whether the others differ
    from it, and the sum of the truth. `spread` is the standard deviation of the truth over all
    rows.
    """
    constant = (n > 0) & ~moves
    values, group = np.unique(one[constant], return_inverse=True)
    if len(values) < 2:
        return False
    near = _SAME * spread
    rows, sums = (np.bincount(group, weights=x[constant]) for x in (n, total))
    mean = np.divide(total, n, out=np.zeros_like(total), where=n > 0)
    subjects, means = np.bincount(group), np.bincount(group, weights=mean[constant])
    with np.errstate(divide="ignore", invalid="ignore"):
        others = (total.sum() - sums) / (n.sum() - rows)
        others_means = (mean.sum() - means) / (np.count_nonzero(n) - subjects)
    found = (np.abs(values - others) <= near) | (np.abs(values - others_means) <= near)
    if np.count_nonzero(found) >= 2:
        return True
    return bool(len(values) >= _ORDERED and constant[n > 0].all() and (np.diff(others) > 0).all())


def fold_inflation(part: str, n_subjects: float, n_folds: int, n_repeats: int = 1) -> float:
    """Return the factor for the jackknife variance of an average over folds.

    A subject is tested in its own fold, and contributes to the models of all other folds. If models
    have no information, the average is a sum over pairs of subjects in different folds. Each pair
    contributes twice, because each subject is once tested and once used for training. The variance
    is therefore twice that for given models, which is what the jackknife over tested subjects
    estimates. (Nadeau and Bengio, 2003, correct by ``1 + K/(K-1)``.) In folds of m subjects the
    jackknife overestimates the latter by the factor ``m/(m-1)``, and between subjects, with one row
    for each, by ``m/(m-2)``. The result is divided by this factor, but is at least 1.

    The overestimation is due to the other subjects of the fold, from whose mean deviations are
    taken. If R repeats draw different folds, these subjects change, and averaging reduces this part
    to ``rho = 1/R + (1 - 1/R) (m-1)/(G-1)``. The last quotient is the probability that two subjects
    of a fold are in the same fold again. With ``c = 1 - 1/m``, the jackknife variance is that of
    one repeat times ``c^2 + (1 - c^2) rho``, and the true variance that of one repeat times ``(2c +
    (1 - c) rho) / (1 + c)``.

    Parameters
    ----------
    part : {"pooled", "between"}
    n_subjects : float
        Number of subjects in all folds; for pooled metrics, their effective number.
    n_folds : int
    n_repeats : int
        Number of partitions of the subjects into folds.
    """
    if n_folds == 1:
        return 1.0
    small = 2 if part == "between" else 1
    once = 2 * (n_subjects - small * n_folds) / n_subjects
    if n_repeats == 1 or n_subjects <= n_folds:
        return max(1.0, once)
    c = 1 - n_folds / n_subjects
    again = (n_subjects / n_folds - 1) / (n_subjects - 1)
    rho = 1 / n_repeats + (1 - 1 / n_repeats) * again
    return max(1.0, once * (2 * c + (1 - c) * rho) / ((1 + c) * (c**2 + (1 - c**2) * rho)))
