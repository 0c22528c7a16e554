"""The ratings of a study, as the whole analysis is resampled from them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pyexpr.base.errors import ColumnError, DataError, StudyError, counted, listed
from pyexpr.base.messages import message_of, say
from pyexpr.modeling.chain.chain import FEWEST
from pyexpr.modeling.chain.labels import read_labels
from pyexpr.modeling.chain.rated import Columns, read_rated
from pyexpr.study.file.chain_misfits import ENTRY
from pyexpr.study.file.config import StudyConfig
from pyexpr.study.tables.inputs import CLIP_KEY, Inputs

if TYPE_CHECKING:
    import pandas as pd


def chain_ratings(config: StudyConfig, inputs: Inputs) -> pd.DataFrame:
    """Return the ratings that make the label."""
    ratings = inputs.ratings
    questions = config.label.question or inputs.questions
    return ratings[ratings["question"].isin(questions)].reset_index(drop=True)


def chain_model(config: StudyConfig, inputs: Inputs) -> dict[str, list[str]] | None:
    """Return the factor model, whose first question has a positive loading, if there is one."""
    if config.label.method != "factor":
        return None
    positive = config.factor_model.positive
    # The sort is stable.
    return {config.factor_model.factor: sorted(inputs.questions, key=lambda one: one != positive)}


def chain_columns(inputs: Inputs) -> dict[str, Any]:
    """Return the columns of the ratings, by the arguments of `bootstrap_chain`."""
    return {
        "targets": CLIP_KEY, "cluster": "subject", "ratings": "score", "question": "question",
        "context": "context" if len(inputs.contexts) > 1 else None,
    }  # fmt: skip


def check_chain_ratings(config: StudyConfig, inputs: Inputs) -> None:
    """Raise `StudyError` for ratings whose analysis cannot be computed without some subjects.

    The factor model is fitted, which takes less than a second.
    """
    model = chain_model(config, inputs)
    if model is not None and len(inputs.questions) < 3:
        raise StudyError(
            f"{ENTRY} requires a factor model of at least three questions, but the ratings have "
            f"{counted(len(inputs.questions), 'question')}: {listed(inputs.questions)}; "
            'method = "mean" under [label] uses their mean'
        )
    names = chain_columns(inputs)
    columns = Columns(
        tuple(names["targets"]), names["cluster"], names["context"], names["ratings"],
        names["question"],
    )  # fmt: skip
    confidence = config.compare.confidence
    try:
        rated = read_rated(chain_ratings(config, inputs), columns, confidence)
        if len(rated.subjects) < FEWEST:
            raise StudyError(
                f"{ENTRY} requires at least {FEWEST} subjects, so that one can be left out, but "
                f"ratings are of {len(rated.subjects)}; leave bootstrap out"
            )
        read_labels(rated, model, columns, confidence)
    except StudyError:
        raise
    except (ColumnError, DataError) as error:
        raise StudyError(say("{entry}: {error}", entry=ENTRY, error=message_of(error))) from None
