"""What a whole study cannot do with its tables, said before the first stage."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from pyexpr.base.errors import DataError, StudyError, counted, listed, near_names
from pyexpr.base.messages import message_of, say
from pyexpr.deep.requirements import require, require_installed
from pyexpr.modeling.splits import split_subjects
from pyexpr.study.config import ModelsSection, StudyConfig
from pyexpr.study.inputs import CLIP_KEY, Inputs

NO_HUMANS = '[baselines] human = "none" leaves the human baseline out'


def check_early(config: StudyConfig, inputs: Inputs) -> None:
    """Raise `StudyError` for what a whole study cannot do with these tables.

    Said before the first stage, not after an hour of the others.
    """
    questions = inputs.questions
    if len(questions) < 3:
        raise StudyError(
            "the factor model needs at least three questions, but the ratings have "
            f"{counted(len(questions), 'question')}: {listed(questions)}"
        )
    positive = config.factor_model.positive
    if positive is not None and positive not in questions:
        raise StudyError(
            f"positive = {positive!r} under [factor_model] is no question; "
            f"{near_names(positive, questions)}"
        )
    answers = inputs.ratings.groupby([*CLIP_KEY, "rater"], sort=False)["question"].nunique()
    if config.baselines.human in ("slot", "person") and answers.max() < len(questions):
        raise StudyError(f"no rater answered every question about any clip; {NO_HUMANS}")
    subjects = inputs.ratings["subject"].unique()
    proportions = config.split.proportions
    try:
        split = split_subjects(subjects, proportions=proportions, seed=config.seed)
    except DataError as error:
        raise StudyError(say("[split] proportions: {error}", error=message_of(error))) from None
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
            raise StudyError(
                say("[models.{name}] device: {error}", name=name, error=message_of(error))
            ) from None
