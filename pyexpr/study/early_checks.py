"""What a whole study cannot do with its tables, said before the first stage."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from pyexpr.base.errors import DataError, StudyError, counted, listed, near_names
from pyexpr.behavior.features.features import FEATURES
from pyexpr.deep.requirements import require, require_installed
from pyexpr.modeling.fitting.specs import read_models
from pyexpr.modeling.splits import split_subjects
from pyexpr.study.config import StudyConfig
from pyexpr.study.feature_choice import check_choice
from pyexpr.study.inputs import CLIP_KEY, Inputs
from pyexpr.study.labels import check_label
from pyexpr.study.model_sections import ModelsSection
from pyexpr.study.model_specs import model_specs

NO_HUMANS = '[baselines] human = "none" leaves the human baseline out'


def check_early(config: StudyConfig, inputs: Inputs) -> None:
    """Raise `StudyError` for what a whole study cannot do with these tables.

    Said before the first stage, not after an hour of the others.
    """
    known = FEATURES if inputs.recorded else ()
    check_choice(config, [*known, *(inputs.measured.features if inputs.measured else ())])
    check_label(config, inputs)
    if config.label.method == "factor":
        _check_factor(config, inputs)
    if inputs.rated:
        _check_humans(config, inputs)
    # A model that cannot be made is known now, not after the features.
    read_models(
        model_specs(config),
        trusted=config.models.trusted,
        inner_folds=config.evaluation.inner_folds,
    )
    if not config.evaluation.crossed:
        _check_split(config, inputs)


def _check_factor(config: StudyConfig, inputs: Inputs) -> None:
    questions = inputs.questions
    if len(questions) < 2:
        raise StudyError(
            "the factor model needs at least two questions (of two, the loadings are held equal), "
            f"but the ratings have {counted(len(questions), 'question')}: {listed(questions)}; "
            '[label] method = "question" takes its mean rating'
        )
    positive = config.factor_model.positive
    if positive is not None and positive not in questions:
        raise StudyError(
            f"positive = {positive!r} under [factor_model] is no question; "
            f"{near_names(positive, questions)}"
        )


def _check_humans(config: StudyConfig, inputs: Inputs) -> None:
    asked = config.label.question or inputs.questions
    ratings = inputs.ratings[inputs.ratings["question"].isin(asked)]
    answers = ratings.groupby([*CLIP_KEY, "rater"], sort=False)["question"].nunique()
    if config.baselines.human in ("slot", "person") and answers.max() < len(asked):
        raise StudyError(f"no rater answered every question about any clip; {NO_HUMANS}")


def _check_split(config: StudyConfig, inputs: Inputs) -> None:
    subjects = inputs.clips()["subject"].unique()
    proportions = config.split.proportions
    try:
        split = split_subjects(subjects, proportions=proportions, seed=config.seed)
    except DataError as error:
        raise StudyError(f"[split] proportions: {error}") from None
    for part in ("train", "test"):
        # Nothing can be left out of one subject to see how much hangs on it.
        if len(getattr(split, part)) < 2:
            raise StudyError(
                f"[split] proportions = {list(proportions)} leave the {part} part 1 of "
                f"{counted(len(subjects), 'subject')}, and it needs at least 2; give it a "
                "larger share, or add subjects"
            )


def check_deep(models: ModelsSection, stored: Callable[[str], Path]) -> None:
    """Raise for deep models that cannot be trained here.

    What is not installed is said of all, a device that is not there only of those not yet
    `stored` under this file: a training may have been done elsewhere.
    """
    sections = models.deep()
    if sections:
        require_installed()
    for name, section in sections.items():
        if section.device is None or stored(name).exists():
            continue
        require()
        from pyexpr.deep.devices import choose_place

        try:
            choose_place(section.device)
        except DataError as error:
            raise StudyError(f"[models.{name}] device: {error}") from None
