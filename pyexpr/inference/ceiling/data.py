"""The two tables of the ceiling, brought together: rows that were predicted, and their ratings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pyexpr.base.errors import ColumnError, DataError, listed
from pyexpr.base.messages import say
from pyexpr.base.tables import label_codes, numeric_column, require_columns
from pyexpr.inference.ceiling.quantities import CeilingSums

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

TABLE = "the table of predictions"
RATINGS = "the ratings"
ONE_WAY, CONSISTENCY = "ICC(1,k)", "ICC(C,k)"
# Proportion of the truth's variance that the weighted mean ratings must explain; it is below 1
# because values in files are rounded.
_EXPLAINED = 0.999
# Names of columns that usually hold the questions that raters answered about one target.
_QUESTIONS = frozenset({"question", "item", "scale", "indicator"})


@dataclass(frozen=True, slots=True)
class Columns:
    """The columns that are named."""

    targets: tuple[str, ...]
    ratings: str
    raters: str | None
    question: str | None


@dataclass(frozen=True, slots=True)
class RatedTargets:
    """The ratings of the targets that were predicted.

    Attributes
    ----------
    target : (n,) int64
        Row of the table of predictions.
    value : (n,) float64
    rater : (n,) int64 or None
    question : (n,) int64
    n_questions : int
    n_other : int
        Ratings of other targets, left out.
    """

    target: NDArray[np.int64]
    value: NDArray[np.float64]
    rater: NDArray[np.int64] | None
    question: NDArray[np.int64]
    n_questions: int
    n_other: int


def rated_targets(
    frame: pd.DataFrame, used: NDArray[np.bool_], ratings: pd.DataFrame, columns: Columns
) -> RatedTargets:
    """Return the ratings of the targets of the rows `used`; `DataError` if any has none."""
    import pandas as pd

    _check_columns(ratings, columns)
    keys = list(columns.targets)
    for name in keys:
        label_codes(frame[name], name=name, what=TABLE)
        label_codes(ratings[name], name=name, what=RATINGS)
    row_of = pd.MultiIndex.from_frame(frame.loc[used, keys])
    doubled = row_of.duplicated()
    if doubled.any():
        raise DataError(
            say(
                "{what} has several rows with {target}; {targets=} must identify each row",
                what=TABLE,
                target=_described(keys, row_of[doubled][0]),
            )
        )
    found = row_of.get_indexer(pd.MultiIndex.from_frame(ratings[keys]))
    value = numeric_column(ratings, columns.ratings, what=RATINGS)
    kept = (found >= 0) & ~np.isnan(value)
    target = np.flatnonzero(used)[found[kept]]
    missing = np.setdiff1d(np.flatnonzero(used), target)
    if len(missing):
        example = _described(keys, frame[keys].iloc[int(missing[0])])
        raise DataError(
            say(
                "{n:count row, has, have} no rating in {what}, the first is {example}; leave such "
                "rows out, or add their ratings",
                n=len(missing),
                what=RATINGS,
                example=example,
            )
        )
    rater = _codes(ratings, columns.raters, kept)
    question = _codes(ratings, columns.question, kept)
    _check_single(target, rater, question, columns)
    return RatedTargets(
        target,
        value[kept],
        rater,
        np.zeros(len(target), dtype=np.int64) if question is None else question,
        1 if question is None else int(question.max()) + 1,
        int(((found < 0) & ~np.isnan(value)).sum()),
    )


def _check_columns(ratings: pd.DataFrame, columns: Columns) -> None:
    named = [columns.raters, columns.question]
    wanted = [*columns.targets, columns.ratings, *(name for name in named if name is not None)]
    require_columns(ratings, wanted, what=RATINGS)
    if columns.question is not None and columns.raters is None:
        raise DataError(
            say(
                "the ratings of several questions are combined for each rater; name the column of "
                "the raters in {raters=}"
            )
        )
    if columns.question is None:
        for name in ratings.columns:
            asked = str(name).casefold() in _QUESTIONS and str(name) not in wanted
            if asked and ratings[name].nunique() > 1:
                raise DataError(
                    say(
                        "{what} have a column {name!r} with several values; if the truth was "
                        "computed from several of them use {question=@name}, otherwise select the "
                        "rows of one of them",
                        what=RATINGS,
                        name=str(name),
                    )
                )


def _codes(
    ratings: pd.DataFrame, name: str | None, kept: NDArray[np.bool_]
) -> NDArray[np.int64] | None:
    if name is None:
        return None
    return label_codes(ratings.loc[kept, name], name=name, what=RATINGS)[0]


def _check_single(
    target: NDArray[np.int64],
    rater: NDArray[np.int64] | None,
    question: NDArray[np.int64] | None,
    columns: Columns,
) -> None:
    """Raise `DataError` if a rater answered a question about a target twice."""
    import pandas as pd

    if rater is None:
        return
    cells = pd.DataFrame({"target": target, "rater": rater})
    if question is not None:
        cells["question"] = question
    if cells.duplicated().any():
        raise DataError(
            say(
                "a rater (column {name!r}) rated a target twice in {what}; {n:count rating, is, "
                "are} repeated",
                name=columns.raters,
                what=RATINGS,
                n=int(cells.duplicated().sum()),
            )
        )


def _described(keys: Sequence[str], values: Any) -> str:
    several = values if len(keys) > 1 or not isinstance(values, str) else [values]
    labels = [str(one) for one in (several if np.iterable(several) else [several])]
    return ", ".join(f"{key} {label!r}" for key, label in zip(keys, labels, strict=True))


@dataclass(frozen=True, slots=True)
class Composite:
    """One score per target and rater, in the unit of the truth.

    Attributes
    ----------
    target, rater : (n,) int64
    value : (n,) float64
    n_incomplete : int
        Ratings of raters who did not answer every question about the target.
    """

    target: NDArray[np.int64]
    rater: NDArray[np.int64]
    value: NDArray[np.float64]
    n_incomplete: int


def composite(
    ratings: RatedTargets,
    rows: NDArray[np.int64],
    truth: NDArray[np.float64],
    where: str,
) -> Composite:
    """Return each rater's score of the targets `rows`, weighted as in the truth.

    The weights are those with which the mean ratings give the truth.

    Raises
    ------
    ColumnError
        If the truth is not a weighted sum of the mean ratings.
    """
    place = np.full(int(max(rows.max(), ratings.target.max())) + 1, -1)
    place[rows] = np.arange(len(rows))
    own = place[ratings.target] >= 0
    target, value, question = (
        place[ratings.target[own]],
        ratings.value[own],
        ratings.question[own],
    )
    weights = _weights(target, question, value, truth, ratings.n_questions, where)
    rater = np.arange(len(target)) if ratings.rater is None else ratings.rater[own]
    cells, cell = np.unique(np.stack([target, rater]), axis=1, return_inverse=True)
    cell = cell.reshape(-1)
    score = np.bincount(cell, weights[question] * value)
    complete = np.bincount(cell) == ratings.n_questions
    return Composite(
        cells[0][complete],
        cells[1][complete],
        score[complete],
        int((~complete[cell]).sum()),
    )


def _weights(
    target: NDArray[np.int64],
    question: NDArray[np.int64],
    value: NDArray[np.float64],
    truth: NDArray[np.float64],
    n_questions: int,
    where: str,
) -> NDArray[np.float64]:
    """Return the weight of each question's mean rating in the truth."""
    cell = target * n_questions + question
    size = len(truth) * n_questions
    with np.errstate(invalid="ignore"):
        means = np.bincount(cell, value, size) / np.bincount(cell, minlength=size)
    means = means.reshape(len(truth), n_questions)
    # If a target lacks a question, its score was computed in another way.
    there = ~np.isnan(means).any(axis=1)
    x, y = means[there] - means[there].mean(axis=0), truth[there] - truth[there].mean()
    found = np.linalg.lstsq(x, y, rcond=None)[0] if len(y) else np.zeros(n_questions)
    whole = float(y @ y)
    explained = 1 - float(np.sum((y - x @ found) ** 2)) / whole if whole > 0 else 1.0
    if explained < _EXPLAINED or there.sum() <= n_questions:
        raise ColumnError(
            say(
                "the truth is not a weighted sum of the mean ratings of its targets{where}, which "
                "explain {share:.3g} of its variance; the ceiling requires the ratings from which "
                "the truth was computed",
                where=where,
                share=explained,
            )
        )
    return found


def sums_of(
    scores: Composite,
    subject: NDArray[np.int64],
    truth: NDArray[np.float64],
    predictions: NDArray[np.float64],
    form: str | None,
    where: str,
) -> CeilingSums:
    """Return the sums per subject of one context.

    Parameters
    ----------
    subject : (n,) int64
        Code of the subject of each row, from 0 without gaps.
    truth : (n,) float64
    predictions : (models, n) float64
    """
    n, n_subjects = len(truth), int(subject.max()) + 1
    count = np.bincount(scores.target, minlength=n)
    if (count == 0).any():
        raise DataError(
            say(
                "{n:count row, has, have} no rater who answered every question{where}; leave such "
                "rows out",
                n=int((count == 0).sum()),
                where=where,
            )
        )
    crossed = _crossed(scores, n, form, where)
    means = np.bincount(scores.target, scores.value) / count
    apart = scores.value - means[scores.target]
    within = np.bincount(scores.target, apart**2)
    centred = truth - truth.mean()
    columns = [np.ones(n), centred, centred**2, within, count - 1.0, 1 / count]
    for one in predictions:
        own = one - one.mean()
        columns += [own, own**2, own * centred, (one - truth) ** 2]
    if crossed:
        columns += list(crossed_columns(scores, apart, n))
    sums = np.zeros((n_subjects, len(columns)))
    np.add.at(sums, subject, np.stack(columns, axis=1))
    squares = [np.mean(truth**2), *(np.mean(one**2) for one in predictions)]
    return CeilingSums(sums, crossed, np.array(squares))


def crossed_columns(scores: Composite, apart: NDArray[np.float64], n: int) -> NDArray[np.float64]:
    """Return each rater's deviation from the mean of the target, (raters, n)."""
    codes = np.unique(scores.rater, return_inverse=True)[1].reshape(-1)
    found = np.zeros((int(codes.max()) + 1, n))
    found[codes, scores.target] = apart
    return found


def _crossed(scores: Composite, n: int, form: str | None, where: str) -> int:
    """Return the number of raters whose severity is not error; 0 if severity counts as error."""
    labels = np.unique(scores.rater)
    complete = len(labels) > 1 and len(labels) * n == len(scores.target)
    if form == CONSISTENCY and not complete:
        raise DataError(
            say(
                "{form=@given} requires that every rater rated every target{where}; use "
                "{form=@other}, in which the severity of a rater counts as error",
                given=CONSISTENCY,
                other=ONE_WAY,
                where=where,
            )
        )
    if form is None and complete:
        raise DataError(
            say(
                "{n:count rater} rated every target{where}; use {form=@same} if a label is the "
                "same person throughout, whose severity then is no error, or {form=@slots} if "
                "raters differ between targets",
                n=len(labels),
                where=where,
                same=CONSISTENCY,
                slots=ONE_WAY,
            )
        )
    return len(labels) if form == CONSISTENCY else 0


def check_form(form: str | None, raters: str | None) -> None:
    """Raise `DataError` if the form is unknown or requires raters."""
    if form not in (None, ONE_WAY, CONSISTENCY):
        raise DataError(
            say(
                "{form=} must be one of {names}, not {given!r}",
                names=listed((ONE_WAY, CONSISTENCY)),
                given=form,
            )
        )
    if form == CONSISTENCY and raters is None:
        raise DataError(
            say(
                "{form=@given} requires the rater of each rating; name the column of the raters "
                "in {raters=}",
                given=CONSISTENCY,
            )
        )
