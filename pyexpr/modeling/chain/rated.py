"""The ratings, as the chain uses them: sums for the reliability, and the mean of each question."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pyexpr.base.contexts import ALL
from pyexpr.base.errors import DataError
from pyexpr.base.messages import say
from pyexpr.base.tables import (
    as_frame,
    called,
    check_flat_columns,
    label_codes,
    numeric_column,
    require_columns,
)
from pyexpr.measurement.icc.icc import icc
from pyexpr.measurement.icc.layout import from_long
from pyexpr.measurement.icc.left_out import one_way_sums

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from pyexpr.base.foreign import FrameLike

    Array = NDArray[np.float64]

RATINGS = "the table of ratings"
FORM = "ICC(1,k)"


@dataclass(frozen=True, slots=True)
class Columns:
    """The names of the columns that both tables have, and of those of the ratings alone."""

    targets: tuple[str, ...]
    cluster: str
    context: str | None
    ratings: str
    question: str | None


@dataclass(frozen=True, slots=True)
class Reliability:
    """ICC(1,k) of a question in one context, or over all contexts, from sums per subject.

    Attributes
    ----------
    context, question : text
    sums : (subjects, columns) float64
        The sums of all subjects; 0 for a subject who has no ratings here.
    theta : callable
        Computes the ratio of the variance of targets to that of errors, from totals (..., columns).
    k : float
        Number of ratings to which the ICC refers. Replicates use the number of all subjects, too.
    n : int
        Number of rated targets.
    low, high : float
        Limits of `icc` with subjects as clusters.
    reason : str
    """

    context: str
    question: str
    sums: Array
    theta: Any
    k: float
    n: int
    low: float
    high: float
    reason: str

    def values(self, counts: Array) -> Array:
        """Return the ICC of drawn subjects, counts (B, subjects): (B,)."""
        with np.errstate(divide="ignore", invalid="ignore"):
            signal = self.k * self.theta(counts @ self.sums)
            return np.asarray(np.where(np.isinf(signal), 1.0, signal / (1 + signal)))

    @property
    def subjects(self) -> NDArray[np.int64]:
        """Return the positions of the subjects who have ratings here."""
        return np.flatnonzero(self.sums[:, 1] > 0)


@dataclass(frozen=True, slots=True)
class Rated:
    """The rated clips.

    Attributes
    ----------
    clips : DataFrame
        One row per clip: the columns that identify it, subject, context, a column per question.
    questions : list of str
    subjects : list
        Labels, sorted.
    contexts : list
        Labels, in order; "all" is the only one if there are no contexts.
    reliability : list of Reliability
        Per context and question, then over all contexts.
    """

    clips: pd.DataFrame
    questions: list[str]
    subjects: list[Any]
    contexts: list[Any]
    reliability: list[Reliability]


def read_rated(data: FrameLike, columns: Columns, confidence: float) -> Rated:
    """Return the rated clips; every error names the column or the clip."""
    frame = as_frame(data, what=RATINGS)
    check_flat_columns(frame, what=RATINGS)
    if not len(frame):
        raise DataError(f"{called(frame, RATINGS)} has no rows")
    optional = [name for name in (columns.context, columns.question) if name is not None]
    wanted = [*columns.targets, columns.cluster, columns.ratings, *optional]
    require_columns(frame, wanted, what=RATINGS)
    frame = frame[list(dict.fromkeys(wanted))].copy()
    frame[columns.ratings] = numeric_column(frame, columns.ratings, what=RATINGS)
    contexts: list[Any] = [ALL]
    if columns.context is not None:
        contexts = label_codes(
            frame[columns.context], name=columns.context, what=RATINGS, keep_order=True
        )[1]
        if ALL in map(str, contexts):
            raise DataError(
                f"a context may not be called {ALL!r}, which denotes all contexts together; "
                f"rename it in column {columns.context!r}"
            )
    subjects = label_codes(frame[columns.cluster], name=columns.cluster, what=RATINGS)[1]
    clips, questions = _clips(frame, columns)
    levels = [columns.context] if columns.context is not None and len(contexts) > 1 else []
    reliability = _reliability(frame, columns, levels, len(subjects), confidence)
    if levels:
        reliability += _reliability(frame, columns, [], len(subjects), confidence)
    return Rated(clips, questions, subjects, contexts, reliability)


def _clips(frame: pd.DataFrame, columns: Columns) -> tuple[pd.DataFrame, list[str]]:
    """Return the mean of each question of each clip, and the questions in order."""
    for name in columns.targets:
        label_codes(frame[name], name=name, what=RATINGS)
    keys = list(columns.targets)
    others = [columns.cluster] if columns.context is None else [columns.cluster, columns.context]
    others = [name for name in others if name not in keys]
    by = frame.groupby(keys, sort=True, observed=True)
    for name in others:
        several = by[name].nunique()
        if (several > 1).any():
            raise DataError(
                say(
                    "a clip has ratings with {n} labels in column {name!r}: {targets=} must "
                    "identify a clip, which belongs to one subject and one context",
                    n=int(several.max()),
                    name=name,
                )
            )
    if columns.question is None:
        questions, question = [columns.ratings], None
        wide = by[[columns.ratings]].mean()
    else:
        question = columns.question
        codes, labels = label_codes(frame[question], name=question, what=RATINGS, keep_order=True)
        questions = [str(label) for label in labels]
        named = frame.assign(**{question: [questions[code] for code in codes]})
        means = named.groupby([*keys, question], sort=True, observed=True)[columns.ratings].mean()
        wide = means.unstack(question)[questions]
    taken = [name for name in questions if name in (*keys, *others)]
    if taken:
        raise DataError(
            f"question {taken[0]!r} has the name of another column of {RATINGS}; rename it"
        )
    wide.columns = [str(name) for name in wide.columns]
    clips = by[others].first().join(wide) if others else wide
    return clips.reset_index(), questions


def _reliability(
    frame: pd.DataFrame, columns: Columns, levels: Sequence[str], n_subjects: int, level: float
) -> list[Reliability]:
    by = [*levels, *([] if columns.question is None else [columns.question])]
    table = icc(
        frame, targets=list(columns.targets), ratings=columns.ratings, context=by or None,
        form=FORM, cluster=columns.cluster, confidence=level,
    ).tidy()  # fmt: skip
    groups = from_long(
        frame, targets=columns.targets, ratings=columns.ratings, raters=None, context=by,
        cluster=columns.cluster,
    )  # fmt: skip
    found = []
    for group, (_, row) in zip(groups, table.iterrows(), strict=True):
        one = one_way_sums(group)
        sums = np.zeros((n_subjects, one.sums.shape[1]))
        sums[np.unique(group.rated()[2])] = one.sums
        label = {name: str(value) for name, value in zip(by, group.labels, strict=True)}
        found.append(
            Reliability(
                context=label[levels[0]] if levels else ALL,
                question=columns.ratings if columns.question is None else label[columns.question],
                sums=sums,
                theta=one.theta,
                k=float(row["k"]),
                n=int(row["n_targets"]),
                low=float(row["conf_low"]),
                high=float(row["conf_high"]),
                reason=row["reason"],
            )
        )
    return found
