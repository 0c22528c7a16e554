"""Labels of a study without a factor model: means of ratings, classes, or a column."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pyexpr.base.contexts import ALL
from pyexpr.base.errors import DataError, StudyError, near_names
from pyexpr.base.messages import Template, message_column
from pyexpr.base.tables import ordered_rows
from pyexpr.study.file.config import StudyConfig
from pyexpr.study.kept.store import StageOutput
from pyexpr.study.tables.classes import (
    TIED,
    check_classes,
    class_of_numbers,
    classes_of,
    majority_classes,
)
from pyexpr.study.tables.inputs import CLIP_KEY, Inputs

if TYPE_CHECKING:
    import pandas as pd

#: Why a clip has no label.
UNRATED = Template("question_unrated", "a question was not rated")()
NO_VALUE = Template("label_missing", "the label is missing")()


def label_stage(config: StudyConfig) -> str:
    """Return the name of the stage that makes the labels."""
    return "factor_model" if config.label.method == "factor" else "label"


def label(config: StudyConfig, inputs: Inputs) -> StageOutput:
    """Return the label of each clip, which is the same in all models."""
    facts: dict[str, Any] = {}
    values: pd.Series[Any]
    tied = None
    if config.label.classified and config.label.is_rated:
        clips, values, tied = _majority_class(config, inputs)
        why = UNRATED
    elif config.label.is_rated:
        clips, values = _rated(config, inputs)
        why = UNRATED
    else:
        assert inputs.measured is not None
        (name,) = config.labels
        clips = inputs.measured.table[CLIP_KEY]
        values, why = inputs.measured.table[name], NO_VALUE
    reasons = [why if missing else "" for missing in values.isna()]
    if tied is not None:
        reasons = [TIED if even else reason for even, reason in zip(tied, reasons, strict=True)]
    scores = clips.assign(
        score=values,
        score_pooled=values,
        score_reason=message_column(reasons, clips.index),
    )
    scores = ordered_rows(scores, "context", inputs.contexts)
    if values.isna().all():
        raise DataError(f"no clip has a label: {why}")
    if config.label.classified:
        classes = values.astype("str").where(values.notna())
        check_classes(config, classes)
        counts = classes.value_counts()
        facts["classes"] = {name: int(counts[name]) for name in classes_of(classes)}
    return StageOutput(
        {"scores": scores},
        {"notes": [], "clips without a score": int(values.isna().sum())} | facts,
    )


def _majority_class(
    config: StudyConfig, inputs: Inputs
) -> tuple[pd.DataFrame, pd.Series[str], pd.Series[bool]]:
    """Return the clips, the answer that most of their raters gave, and whether it is tied."""
    (name,) = config.labels
    clips = question_means(inputs)
    found = clips[CLIP_KEY].merge(
        majority_classes(inputs.ratings, name, CLIP_KEY), on=CLIP_KEY, how="left"
    )
    tied = found["tied"].eq(True)
    answer = found["answer"].where(~tied)
    values = answer.map(class_of_numbers, na_action="ignore").astype("str").where(answer.notna())
    return clips[CLIP_KEY], values, tied


def question_means(inputs: Inputs) -> pd.DataFrame:
    """Return the mean rating of each clip and question, a row per clip, a column per question."""
    means = inputs.ratings.groupby([*CLIP_KEY, "question"], sort=True)["score"].mean().unstack()
    clips = means.reset_index()[[*CLIP_KEY, *inputs.questions]].rename_axis(columns=None)
    return ordered_rows(clips, "context", inputs.contexts)


def equal_loadings(inputs: Inputs) -> bool:
    """Return whether the loadings are constrained to be equal, as for two questions."""
    return len(inputs.questions) == 2


def _rated(config: StudyConfig, inputs: Inputs) -> tuple[pd.DataFrame, pd.Series[float]]:
    clips = question_means(inputs)
    if config.label.method == "question":
        (name,) = config.labels
        return clips, clips[name]
    # A clip without ratings on a question has no mean: that of the others is a different label.
    return clips, clips[list(inputs.questions)].mean(axis=1, skipna=False)


def check_label(config: StudyConfig, inputs: Inputs) -> None:
    """Raise `StudyError` if the ratings cannot make the label."""
    questions = inputs.questions
    for name in config.label.question:
        if name not in questions:
            raise StudyError(
                f"question {name!r} under [label] is not in the ratings; "
                f"{near_names(name, questions)}"
            )
    if config.label.classified and len(config.labels) == 1:
        # The checks of the label's stage apply to its classes.
        label(config, inputs)


def human_weights(
    config: StudyConfig, inputs: Inputs, loadings: pd.DataFrame | None, evaluated: str
) -> dict[str, float]:
    """Return the weight of each question in a single rater's score, in a context or in all."""
    if loadings is None:
        questions = config.label.question or inputs.questions
        return dict.fromkeys(questions, 1.0)
    own = loadings[loadings["context"] == (evaluated or ALL)]
    return dict(zip(own["indicator"], own["std_loading"], strict=True))
