"""The sections of a new study file about the label and the features."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pyexpr.base.errors import StudyError, counted, listed, near_names
from pyexpr.study.init.answers import Answers
from pyexpr.study.init.column_words import columns_of, is_no_feature
from pyexpr.study.init.data import Data
from pyexpr.study.init.draft import Draft
from pyexpr.study.tables.inputs import CLIP_KEY

if TYPE_CHECKING:
    import pandas as pd

# Questions whose means correlate so may measure one thing.
_TOGETHER = 0.3
_NOT_SHOWN = "seems to describe how a clip was measured, or its subject"
_ALTERNATIVES = (
    'Alternatives: method = "factor" (scores of a factor model of the questions), "mean" '
    '(their mean), "question" (one, or several as separate outcomes: question = ["a", "b"]), '
    '"column" (a column of the table of features).'
)


def set_label(draft: Draft, data: Data, answers: Answers) -> None:
    """Write [label] and [features]."""
    if data.ratings is None:
        labels = _columns(draft, data, answers)
        questions: list[str] = []
    else:
        labels, questions = [], list(dict.fromkeys(data.ratings["question"]))
        _questions(draft, data.ratings, questions, answers)
    _set_matching(draft, data)
    _hint_few(draft, data)
    if data.features is not None:
        _set_features(draft, data, labels, questions)


def _columns(draft: Draft, data: Data, answers: Answers) -> list[str]:
    """Write a label that is a column of the features, and return the columns."""
    measures = [*data.measures(), *data.classes]
    kinds = "numbers or classes" if data.classes else "numbers"
    called = columns_of("label", measures)
    if answers.option("label") is None and len(called) == 1:
        names = called
    else:
        answer = answers.choose(
            "label", "Which column of the table of features should the models predict?", measures
        )
        names = [name.strip() for name in answer.split(",") if name.strip()]
    for name in names:
        if name not in measures:
            raise StudyError(
                f"--label: the features have no column of {kinds} {name!r}; "
                f"{near_names(name, measures)}"
            )
    if not names:
        raise StudyError("--label names no column")
    draft.set(
        "label", "method", "column",
        "There are no ratings, so the label is a column of the table of features, and there is no "
        "human baseline.",
    )  # fmt: skip
    draft.set("label", "column", names[0] if len(names) == 1 else names)
    assert data.features is not None
    _set_kind(
        draft,
        [name for name in names if name in data.classes],
        [name for name in names if name not in data.classes and _is_yes_or_no(data.features[name])],
        names,
    )
    return names


def _is_yes_or_no(values: pd.Series[float]) -> bool:
    return set(values.dropna().unique()) == {0, 1}


def _set_kind(draft: Draft, texts: list[str], yes_or_no: list[str], names: list[str]) -> None:
    """Write that the labels are classes, if all of them are."""
    others = [name for name in names if name not in texts and name not in yes_or_no]
    if others and texts:
        raise StudyError(
            f"--label: {texts[0]!r} is of classes and {others[0]!r} of numbers; write a study for "
            "each"
        )
    if others:
        return
    why = f"{listed(names)} {'is' if len(names) == 1 else 'are'} of classes."
    if yes_or_no:
        why = (
            f"{listed(yes_or_no)} {'holds' if len(yes_or_no) == 1 else 'hold'} only 0 and 1, so "
            'they are treated as classes; "regression" treats them as numbers.'
        )
    draft.set("label", "kind", "classification", why)


def _questions(draft: Draft, ratings: pd.DataFrame, questions: list[str], answers: Answers) -> None:
    proposed, why = _proposed(ratings, questions)
    answer = answers.option("label")
    if answer is None and len(questions) > 1:
        answer = answers.choose(
            "label",
            f"What should the models predict? {why}",
            ["factor", "mean", *questions],
            proposed,
        )
    answer = proposed if answer is None else answer
    if answer in ("factor", "mean") and answer not in questions:
        if answer == "factor" and len(questions) < 2:
            raise StudyError(
                f"--label: a factor needs two questions at least, and there is {listed(questions)}"
            )
        draft.set("label", "method", answer, f"{why} {_ALTERNATIVES}")
        return
    names = [name.strip() for name in answer.split(",") if name.strip()]
    for name in names:
        if name not in questions:
            raise StudyError(
                f"--label: there is no question {name!r}; "
                f"{near_names(name, ['factor', 'mean', *questions])}"
            )
    draft.set("label", "method", "question", f"{why} {_ALTERNATIVES}")
    draft.set("label", "question", names[0] if len(names) == 1 else names)
    own = {name: ratings.loc[ratings["question"] == name, "score"] for name in names}
    _set_kind(draft, [], [name for name in names if _is_yes_or_no(own[name])], names)


def _proposed(ratings: pd.DataFrame, questions: list[str]) -> tuple[str, str]:
    """Return the proposed label and the reason for it."""
    if len(questions) == 1:
        return questions[0], "There is one question. The models predict its mean rating."
    means = ratings.groupby([*CLIP_KEY, "question"], sort=True)["score"].mean().unstack()[questions]
    with np.errstate(invalid="ignore", divide="ignore"):
        table = means.corr().to_numpy()
    pairs = table[np.triu_indices(len(questions), 1)]
    every = ",".join(questions)
    if not np.isfinite(pairs).all():
        return every, "Each question is a separate outcome, because not all of them correlate."
    low, high = pairs.min(), pairs.max()
    span = f"{low:.2f}" if len(pairs) == 1 else f"{low:.2f} to {high:.2f}"
    answer = f"The {len(questions)} questions' mean ratings correlate {span}"
    if len(questions) > 2 and low >= _TOGETHER:
        return "factor", f"{answer}, so a model with one factor is proposed."
    return every, f"{answer}, so each is proposed as a separate outcome."


def _set_matching(draft: Draft, data: Data) -> None:
    """Leave out what occurs in only one table, and say how much that is."""
    if data.ratings is None:
        return
    rated = data.ratings[CLIP_KEY].drop_duplicates()
    if data.recordings is not None:
        key = ["subject", "context"] if data.contexts else ["subject"]
        rated, other = rated[key].drop_duplicates(), data.recordings[key]
        what = "recordings"
    elif data.features is not None and not data.has_recordings:
        key, other, what = CLIP_KEY, data.features[CLIP_KEY], "clips of the features"
    else:
        return
    both = rated.merge(other, on=key, how="outer", indicator=True)["_merge"].value_counts()
    if both["both"] == 0:
        raise StudyError(
            f"nothing is in both the ratings and the {what}: are subjects, contexts and clips "
            "spelled in the same way?"
        )
    if both["left_only"] or both["right_only"]:
        draft.set(
            "data", "unmatched", "drop",
            f"{counted(int(both['left_only']), 'rated one', 'has', 'have')} none of the {what}, "
            f"and {both['right_only']} of the {what} have no ratings; they are left out and "
            'listed. With "error" they are an error.',
        )  # fmt: skip


def _hint_few(draft: Draft, data: Data) -> None:
    counts = data.clips()["subject"].value_counts()
    few, usual = int(counts.min()), int(counts.median())
    if few < usual / 2:
        draft.hint(
            "data",
            f"Subjects have {few} to {int(counts.max())} clips. This leaves out those with few "
            "clips:",
            f"min_clips = {usual // 2}",
        )


def _set_features(draft: Draft, data: Data, labels: list[str], questions: list[str]) -> None:
    assert data.features is not None
    measures = [name for name in data.measures() if name not in labels]
    left: dict[str, str] = {}
    for name in measures:
        column = data.features[name]
        if name in questions:
            left[name] = "has the name of a question"
        elif column.isna().all():
            left[name] = "is empty"
        elif column.nunique() == 1:
            left[name] = "never varies"
        elif is_no_feature(name):
            left[name] = _NOT_SHOWN
        elif column.isna().mean() > 0.5:
            left[name] = "is missing in more than half of the clips"
    if len(left) == len(measures):
        left = {name: why for name, why in left.items() if why != _NOT_SHOWN}
    if measures and len(left) == len(measures):
        raise StudyError(
            "no column of the table of features can be a feature: "
            + ", ".join(f"{name} {why}" for name, why in left.items())
        )
    n = len(measures) - len(left)
    draft.hint(
        "features",
        f"All {n} numeric columns that are not listed here are features; use = [...] lists "
        "features individually.",
    )  # fmt: skip
    if left:
        why = ", ".join(f"{name} {reason}" for name, reason in left.items())
        draft.set("features", "leave_out", [*left], f"No features: {why}.")
        draft.hint(
            "features",
            "Columns that are not features may instead be covariates, for which models and "
            "coefficients are adjusted:",
            f'adjust_for = ["{next(iter(left))}"]   # and remove it from leave_out',
        )
