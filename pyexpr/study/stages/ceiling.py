"""The stage of the ceiling: the highest correlation that the reliability of the ratings allows."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from typing import TYPE_CHECKING

from pyexpr.base.contexts import ALL
from pyexpr.base.errors import ColumnError, DataError, FewSubjectsWarning
from pyexpr.base.interval_methods import DEFAULT, WITHOUT_ERRORS
from pyexpr.base.messages import Template, has_code, message_of
from pyexpr.inference.ceiling.ceiling import rating_ceiling
from pyexpr.inference.ceiling.notes import NOTE_WHAT
from pyexpr.study.file.config import StudyConfig
from pyexpr.study.kept.store import StageOutput
from pyexpr.study.stages.computations import predicted_columns
from pyexpr.study.tables.inputs import CLIP_KEY, Inputs

if TYPE_CHECKING:
    import pandas as pd

_OF_CEILING = Template("note_of_ceiling", "highest possible correlation: {note}")
_WITHOUT = Template(
    "ceiling_not_computed", "the highest possible correlation was not computed {where}: {error}"
)


def ceiling(
    config: StudyConfig, inputs: Inputs, predictions: pd.DataFrame, learned: Iterable[str]
) -> StageOutput:
    """Return the reliability of the scores that were predicted, and its square root.

    The rows are those on which the models were compared, in each context and over all.
    """
    import pandas as pd

    learned = list(learned)
    ratings, question = _ratings(config, inputs)
    tables: list[pd.DataFrame] = []
    notes: dict[str, None] = {}
    for evaluated in predictions["evaluated"].unique():
        block = predictions[predictions["evaluated"] == evaluated]
        model, rows = _compared_rows(config, block, learned)
        try:
            with warnings.catch_warnings():
                # The comparison says it of the same subjects.
                warnings.simplefilter("ignore", FewSubjectsWarning)
                result = rating_ceiling(
                    rows,
                    ratings.merge(rows[CLIP_KEY], on=CLIP_KEY),
                    truth="truth",
                    predictions=[model],
                    targets=CLIP_KEY,
                    cluster="subject",
                    ratings="score",
                    raters="rater",
                    question=question,
                    form=config.compare.ceiling,
                    n_boot=config.compare.n_boot,
                    method=_method(config),
                    confidence=config.compare.confidence,
                    seed=config.seed,
                    progress=False,
                )
        except (ColumnError, DataError) as error:
            where = "over all contexts" if evaluated == ALL else f"in context {str(evaluated)!r}"
            notes[_WITHOUT(where=where, error=message_of(error))] = None
            continue
        table = result.tidy()
        tables.append(table[table["term"] == "truth"].assign(context=evaluated))
        notes |= {
            _OF_CEILING(note=note): None for note in result.notes() if not has_code(note, NOTE_WHAT)
        }
    found = {"ceiling": pd.concat(tables, ignore_index=True)} if tables else {}
    return StageOutput(found, {"notes": list(notes)})


def _ratings(config: StudyConfig, inputs: Inputs) -> tuple[pd.DataFrame, str | None]:
    """Return the ratings that make the label, and the column of questions if they are several."""
    ratings = inputs.ratings[[*CLIP_KEY, "rater", "question", "score"]]
    questions = config.label.question or inputs.questions
    if len(questions) > 1:
        return ratings, "question"
    return ratings[ratings["question"] == questions[0]].drop(columns="question"), None


def _compared_rows(
    config: StudyConfig, block: pd.DataFrame, learned: Iterable[str]
) -> tuple[str, pd.DataFrame]:
    """Return a model's column, and the rows on which all models were compared.

    The ceiling is a property of the scores: it does not matter whose predictions stand beside them.
    """
    names = [name for name in predicted_columns(block, config, learned) if name != "human"]
    complete = block[["truth", *names]].notna().all(axis=1)
    return names[0], block[complete].reset_index(drop=True)


def _method(config: StudyConfig) -> str:
    """Return the first method of the intervals that needs no standard error in each replicate."""
    return next((name for name in config.compare.methods if name in WITHOUT_ERRORS), DEFAULT)
