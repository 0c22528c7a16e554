"""The stage of the models: the clips and subjects they are fitted to, and predictions."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache, partial
from itertools import starmap
from typing import TYPE_CHECKING, Any

from pyexpr.base.errors import StudyError, counted
from pyexpr.base.messages import Template, has_code, message_column
from pyexpr.base.tables import cells
from pyexpr.measurement.factor.scores import INADMISSIBLE_MODEL
from pyexpr.modeling.splits import split_subjects
from pyexpr.study.file.config import StudyConfig
from pyexpr.study.file.model_sections import BaselinesSection
from pyexpr.study.kept.store import StageOutput
from pyexpr.study.stages.leakage import TrainingScores, relabelled, training_scores_or_reason
from pyexpr.study.stages.model_fits import Choice, fit_and_predict, has_humans, human_kind
from pyexpr.study.tables.classes import check_evaluated_classes
from pyexpr.study.tables.inputs import CLIP_KEY, Inputs
from pyexpr.words.wording import NO_FEATURES, NO_RATINGS_OF

if TYPE_CHECKING:
    import pandas as pd

PARTS = ("train", "validation", "test")
_INADMISSIBLE = Template(
    "scores_of_inadmissible_model",
    "its factor model has a negative residual variance (set allow_inadmissible = true under "
    "[factor_model] to use it nevertheless)",
    report="its factor model has a negative residual variance",
)()
_NO_SUCH_CLIP = Template(
    "clip_not_recorded", "rated, but the recording does not contain the clip"
)()
_NOT_RATED = Template("clip_not_rated", "in the recording, but not rated")()
_NO_SCORE = Template("no_factor_score", "no factor score: {reason}")
_BARE = Template("feature_missing", "a feature is missing")()
_OF_TRAINING = Template(
    "scores_of_training_models",
    "The scores that the models predict come from factor models fitted to the {clips} clips of "
    "{subjects} training subjects; the table of loadings refers to all subjects.",
)
_NO_LABEL = Template("no_label", "no label: {reason}")
_UNADJUSTED = Template("covariate_missing", "a covariate is missing")()
# Why a clip has a label and no features, or the reverse: with recordings, and without.
_ONE_SIDED = {True: (_NO_SUCH_CLIP, _NOT_RATED), False: (NO_FEATURES, NO_RATINGS_OF)}


def models(
    config: StudyConfig, inputs: Inputs, labelled: StageOutput, behavior: StageOutput
) -> StageOutput:
    """Divide the subjects, fit the models per context and over all, and predict the others."""
    rows, left_out = complete_rows(labelled, behavior)
    loadings = labelled.tables.get("loadings")
    facts: dict[str, Any] = {"left out": left_out["reason"].value_counts().to_dict(), "notes": []}
    tables: dict[str, pd.DataFrame] = {"left_out": _with_unmatched(inputs, left_out)}
    chosen = Choice(tuple(behavior.facts["features"]), tuple(behavior.facts["covariates"]))
    if config.evaluation.crossed:
        _check_contexts(rows, left_out, inputs.contexts)
        check_evaluated_classes(config, rows, inputs.contexts)
        counts = {"all": int(rows["subject"].nunique())}
        clips = {"all": len(rows)}
    else:
        split = split_subjects(
            rows["subject"],
            context=rows["context"],
            proportions=config.split.proportions,
            seed=config.seed,
        )
        split.check()
        rows = rows.assign(part=split.part(rows["subject"]))
        check_parts(rows, left_out, inputs.contexts)
        check_evaluated_classes(config, rows[rows["part"] == "test"], inputs.contexts)
        tables["split"] = split.tidy()
        by_part = rows.groupby("part")["subject"].nunique()
        counts = {part: int(by_part.get(part, 0)) for part in PARTS}
        clips = {part: int((rows["part"] == part).sum()) for part in PARTS}
        if loadings is not None:
            rows, other_rows, loadings = _two_labels(
                config, inputs, rows, labelled, split.train, tables, facts
            )
            # The other kind of score, for what the leak is worth; baselines do not enter that.
            none = BaselinesSection(uniform=False, normal=False, human="none")
            plain = config.model_copy(update={"baselines": none})
            other = fit_and_predict(plain, inputs, other_rows, loadings, chosen)
            tables["other_predictions"] = other.predictions
    found = fit_and_predict(config, inputs, rows, loadings, chosen)
    tables |= {"own_predictions": found.predictions} | found.tables
    # What every other model is to learn, too.
    tables["labelled_clips"] = rows[
        [*CLIP_KEY, *(["part"] if "part" in rows else []), "score", "score_pooled"]
    ]
    has_human = has_humans(found.predictions)
    facts |= {
        "subjects": counts,
        "clips": clips,
        "models": list(found.columns),
        "columns": {name: list(meant) for name, meant in found.columns.items()},
        "human baseline": human_kind(config.baselines) if has_human else "none",
        "notes": [*found.notes, *facts["notes"]],
    }
    return StageOutput(tables, facts)


def _two_labels(
    config: StudyConfig,
    inputs: Inputs,
    rows: pd.DataFrame,
    labelled: StageOutput,
    train: Iterable[object],
    tables: dict[str, pd.DataFrame],
    facts: dict[str, Any],
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Return the rows with the study's scores, those with the other kind, and the loadings.

    Scores of the factor model of all subjects, and of the training subjects alone.
    """
    scores, loadings, other_rows = labelled.tables["scores"], labelled.tables["loadings"], rows
    unseen = training_scores_or_reason(config, inputs, scores, train, loadings)
    facts["scores fitted on"] = config.factor_model.fit_on
    facts["no training-only scores because"] = unseen if isinstance(unseen, str) else ""
    if isinstance(unseen, TrainingScores):
        other_rows = relabelled(rows, unseen)
        if config.factor_model.fit_on == "train":
            rows, other_rows, loadings = other_rows, rows, unseen.loadings
            facts["notes"] = [_OF_TRAINING(clips=unseen.n_clips, subjects=unseen.n_subjects)]
            tables["training_scores"] = unseen.scores
            tables["training_loadings"] = unseen.loadings
    return rows, other_rows, loadings


def _with_unmatched(inputs: Inputs, left_out: pd.DataFrame) -> pd.DataFrame:
    """Put what the tables of the study do not share before the clips left out of the models."""
    import pandas as pd

    if inputs.unmatched.empty:
        return left_out
    # Not pd.concat: a column without any value would be of a type of its own.
    rows = [*inputs.unmatched.to_dict("records"), *left_out.to_dict("records")]
    found = pd.DataFrame(rows, columns=list(left_out))
    return found.assign(reason=message_column(row["reason"] for row in rows))


def complete_rows(
    labelled: StageOutput, behavior: StageOutput
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Join labels and features by clip; return complete rows, and the others with the reason."""
    names = list(behavior.facts["features"])
    covariates = list(behavior.facts["covariates"])
    features = behavior.tables["features"][[*CLIP_KEY, *names, *covariates, "reason"]]
    joined = labelled.tables["scores"].merge(features, on=CLIP_KEY, how="outer", indicator=True)
    found = zip(
        cells(joined["_merge"]),
        cells(joined["reason"].fillna("")),
        cells(joined["score_reason"].fillna("")),
        joined[names].isna().any(axis=1).tolist(),
        joined[covariates].isna().any(axis=1).tolist(),
        strict=True,
    )
    one_sided = _ONE_SIDED["openface" in behavior.tables["features"]]
    no_label = _NO_SCORE if "loadings" in labelled.tables else _NO_LABEL
    # Many clips have the same reason, which is worded once.
    worded = cache(partial(_why_left_out, one_sided=one_sided, no_label=no_label))
    reason = message_column(starmap(worded, found), joined.index)
    kept = reason == ""
    if not kept.any():
        why = "; ".join(
            f"{text} ({counted(count, 'clip')})" for text, count in reason.value_counts().items()
        )
        raise StudyError(f"no clip has both scores and features: {why}")
    columns = [*CLIP_KEY, "score", "score_pooled", *names, *covariates]
    left_out = joined.loc[~kept, CLIP_KEY].assign(reason=reason[~kept])
    return joined.loc[kept, columns].reset_index(drop=True), left_out.reset_index(drop=True)


def _check_contexts(rows: pd.DataFrame, left_out: pd.DataFrame, contexts: tuple[str, ...]) -> None:
    """Every context needs complete clips."""
    for context in contexts:
        if not (rows["context"] == context).any():
            raise StudyError(
                f"context {context!r} has no complete clip; leave the context out"
                f"{_why_missing(left_out, context)}"
            )


def _why_missing(left_out: pd.DataFrame, context: str) -> str:
    lost = left_out.loc[left_out["context"] == context, "reason"].value_counts()
    return "".join(f"; {counted(count, 'clip')}: {reason}" for reason, count in lost.items())


def _why_left_out(
    merged: str,
    reason: str,
    unscored: str,
    bare: bool,
    unadjusted: bool,
    *,
    one_sided: tuple[str, str],
    no_label: Template,
) -> str:
    """Return why a clip does not enter the models; "" if it does."""
    if merged == "left_only":
        return one_sided[0]
    if merged == "right_only":
        return one_sided[1]
    # The reason for a missing feature that enters no model does not matter.
    if bare and reason:
        return reason
    if unscored:
        return no_label(
            reason=_INADMISSIBLE if has_code(unscored, INADMISSIBLE_MODEL) else unscored
        )
    if bare:
        return _BARE
    return _UNADJUSTED if unadjusted else ""


def check_parts(rows: pd.DataFrame, left_out: pd.DataFrame, contexts: tuple[str, ...]) -> None:
    """Every context needs subjects in every part."""
    for context in contexts:
        own = rows[rows["context"] == context]
        empty = [part for part in PARTS if not (own["part"] == part).any()]
        if empty:
            raise StudyError(
                f"context {context!r} has complete clips of "
                f"{counted(own['subject'].nunique(), 'subject')}, "
                f"none of them in the {empty[0]} part; leave the context out, or add subjects"
                f"{_why_missing(left_out, context)}"
            )
