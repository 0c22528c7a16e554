"""The stage of pooled slopes: a multilevel model of all contexts beside their separate fits."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

from pyexpr.base.errors import ColumnError, DataError, FewSubjectsWarning
from pyexpr.base.messages import Template, message_of
from pyexpr.base.tables import ordered_rows
from pyexpr.inference.pooling.pooled import pooled_coefficients as pooled
from pyexpr.study.file.config import StudyConfig
from pyexpr.study.kept.store import StageOutput
from pyexpr.study.stages.computations import rows_of_slopes
from pyexpr.study.stages.model_fits import design_of
from pyexpr.study.tables.inputs import Inputs

if TYPE_CHECKING:
    import pandas as pd

_OF_POOLING = Template("note_of_pooling", "partial pooling: {note}")
_WITHOUT = Template("slopes_not_pooled", "the slopes of contexts were not pooled: {error}")


def pooled_coefficients(
    config: StudyConfig,
    inputs: Inputs,
    labelled: StageOutput,
    behavior: StageOutput,
    fitted: StageOutput,
) -> StageOutput:
    """Return the slopes of contexts, each alone and pooled in part, and how they vary.

    Rows, features and label are those of the tested slopes. Where slopes cannot be pooled, the
    reason is a note, and among the facts.
    """
    rows, names = rows_of_slopes(config, labelled, behavior, fitted)
    measured, _ = design_of(rows, names)
    try:
        with warnings.catch_warnings():
            # The tested slopes are of the same subjects, and the warning is among their notes.
            warnings.simplefilter("ignore", FewSubjectsWarning)
            result = pooled(
                rows[["subject", "context"]].join(measured),
                # As for the tests: slopes of contexts are compared on one scale of the label only.
                rows["score_pooled"],
                context="context",
                cluster="subject",
                subject_effects=config.coefficients.subject_effects,
                confidence=config.compare.confidence,
            )
    except (ColumnError, DataError) as error:
        reason = message_of(error)
        return StageOutput({}, {"notes": [_WITHOUT(error=reason)], "not pooled because": reason})
    tables: dict[str, pd.DataFrame] = {
        "pooled_slopes": ordered_rows(result.tidy(), "context", inputs.contexts),
        "slope_variation": result.variation(),
    }
    notes = [_OF_POOLING(note=note) for note in result.notes()]
    return StageOutput(tables, {"notes": notes, "not pooled because": ""})
