"""Labels of a study that are classes: text, or the answer of most raters."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from pyexpr.base.errors import StudyError, counted, listed, near_names
from pyexpr.base.messages import Template
from pyexpr.study.file.config import StudyConfig

if TYPE_CHECKING:
    import pandas as pd

#: Why a clip has no class.
TIED = Template("raters_tied", "its raters are tied")()
# As in the comparison of predictions.
_MOST = 50
_OF_TWO = ("auc", "brier", "f1")


def as_classes(values: Iterable[Any]) -> pd.Series[str]:
    """Return classes as text, missing where None."""
    import pandas as pd

    return pd.Series([None if one is None else str(one) for one in values], dtype="str")


def class_of_numbers(value: float) -> str:
    """Return the name of a class that is a whole number."""
    return f"{value:.0f}"


def majority_classes(answers: pd.DataFrame, question: str, keys: Sequence[str]) -> pd.DataFrame:
    """Return the answer that most raters of a clip gave: keys, answer, tied.

    Raises `StudyError` if answers are not classes.
    """
    own = answers[(answers["question"] == question) & answers["score"].notna()]
    odd = own[own["score"] != own["score"].round()]
    if len(odd):
        raise StudyError(
            f"question {question!r} is treated as classes, which are integers, but has the "
            f'answer {odd["score"].iloc[0]:g}; set kind = "regression" under [label] for numbers'
        )
    if own["score"].nunique() > _MOST:
        raise StudyError(
            f"question {question!r} has {own['score'].nunique()} different answers; there may "
            f"be at most {_MOST} classes"
        )
    counts = own.groupby([*keys, "score"], sort=True).size().rename("n").reset_index()
    most = counts.groupby([*keys])["n"].transform("max")
    first = counts[counts["n"] == most]
    found = first.groupby([*keys], sort=True)["score"].agg(["first", "size"]).reset_index()
    found = found.rename(columns={"first": "answer"})
    return found.assign(tied=found["size"] > 1).drop(columns="size")


def positive_of(config: StudyConfig, classes: Sequence[str]) -> str | None:
    """Return the class to which metrics refer, or None if there is none.

    If no class is named as positive, it is the last of two, provided that the metrics are the same
    for both.
    """
    if config.label.positive is not None:
        return config.label.positive
    if list(classes) == ["0", "1"]:
        return "1"
    symmetric = "f1" not in config.compare.metrics and config.compare.threshold is None
    return classes[-1] if len(classes) == 2 and symmetric else None


def check_classes(config: StudyConfig, values: pd.Series[str]) -> None:
    """Raise `StudyError` if a label of classes cannot be predicted, or evaluated as requested."""
    (name,) = config.labels
    classes = classes_of(values)
    if len(classes) < 2:
        only = f"one class, {classes[0]!r}," if classes else "no class"
        raise StudyError(
            f"label {name!r} has {only} in all {counted(len(values), config.unit)}; a "
            "classification requires at least two classes"
        )
    positive = config.label.positive
    if positive is not None and positive not in classes:
        raise StudyError(
            f"positive = {positive!r} under [label] is not a class of label {name!r}; "
            f"{near_names(positive, classes)}"
        )
    # With two classes these are the same for both.
    needed = ["f1"] if len(classes) == 2 else [*_OF_TWO]
    needed = [one for one in needed if one in config.compare.metrics]
    needed += ["threshold"] if config.compare.threshold is not None else []
    if needed and positive_of(config, classes) is None:
        others = (
            'metrics = ["accuracy", "balanced_accuracy", "f1_macro", "kappa"] under [compare] '
            "refer to all classes"
            if len(classes) > 2
            else "balanced_accuracy and kappa refer to both classes"
        )
        raise StudyError(
            f"{needed[0]} under [compare] refers to one class, but label {name!r} has "
            f"{listed(classes)}: name the class by positive = under [label]; {others}"
        )


def check_evaluated_classes(
    config: StudyConfig, rows: pd.DataFrame, contexts: Sequence[str]
) -> None:
    """Raise `StudyError` if some context has only one class among the predicted rows.

    `rows` are those predicted, with their context and class (score).
    """
    if not config.label.classified:
        return
    positive = positive_of(config, classes_of(rows["score"]))
    needed = any(one in _OF_TWO for one in config.compare.metrics)
    for context in contexts:
        own = rows.loc[rows["context"] == context, "score"]
        classes = classes_of(own)
        missing = needed and positive is not None and positive not in classes
        if len(own) and (len(classes) < 2 or missing):
            there = f"of class {classes[0]!r}" if len(classes) == 1 else f"not {positive!r}"
            raise StudyError(
                f"all {counted(len(own), config.unit)} of context {context!r} on which models "
                f"are evaluated are {there}, so there are no classes to distinguish; leave out "
                'the context, or set scheme = "cross_validation" under [evaluation]'
                if not config.evaluation.crossed
                else f"all {counted(len(own), config.unit)} of context {context!r} are {there}, "
                "so there are no classes to distinguish; leave out the context"
            )


def classes_of(values: pd.Series[str]) -> list[str]:
    """Return the classes, sorted as the models have them."""
    found: list[str] = np.unique(values[values.notna()].to_numpy(dtype="U")).tolist()
    return found
