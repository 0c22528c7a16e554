"""The computations of a study, each a function from tables to tables; models apart."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal

from pyexpr.base.contexts import ALL
from pyexpr.base.errors import DataError, EngineError, PyexprWarning
from pyexpr.base.messages import (
    Message,
    Template,
    joined,
    message_column,
    message_of,
    say,
    says,
)
from pyexpr.base.results import jsonable
from pyexpr.base.tables import ordered_rows
from pyexpr.behavior.features.features import FEATURES, FeatureResult, extract_features
from pyexpr.inference.coefficients.coefficients import context_coefficients
from pyexpr.inference.comparison.comparison import compare_models
from pyexpr.inference.comparison.predictions import Predictions
from pyexpr.measurement.factor.cfa import cfa
from pyexpr.measurement.icc.icc import icc
from pyexpr.measurement.icc.notes import NOTE_NO_RATERS, NOTE_UNEQUAL
from pyexpr.measurement.invariance.invariance import invariance
from pyexpr.measurement.invariance.notes import DIFFER, NO_EVIDENCE, SEE_CONTRASTS, SEE_INTERVALS
from pyexpr.study.config import StudyConfig
from pyexpr.study.deep_tables import deep_tables, joined_predictions
from pyexpr.study.inputs import CLIP_KEY, Inputs
from pyexpr.study.leakage import leakage_table
from pyexpr.study.models_stage import complete_rows
from pyexpr.study.sources import refuse_changed
from pyexpr.study.store import StageOutput

if TYPE_CHECKING:
    import pandas as pd

# Where a method has no interval of its own for a row.
_OTHER_METHOD = Template("interval_by_other_method", "the interval is by {method:metric}")
_FALLEN = Template(
    "percentiles_for_bca",
    "{fallen:count interval, is, are} of percentiles where BCa's cannot be had: too few replicates "
    "lie beyond its ends (reason in comparison.csv)",
    report="{fallen:count interval, is, are} of percentiles where BCa's cannot be had: too few "
    "replicates lie beyond its ends",
)
_OF_CONTEXTS = Template("invariance_over_contexts", "Invariance over contexts. {note}")
_NOT_TESTED = Template("invariance_not_tested", "Invariance over contexts was not tested: {error}")
# The table of a study has another name than the method of a result.
_TABLE = {
    SEE_CONTRASTS.code: say("; see the table 'invariance_contrasts'", report=""),
    SEE_INTERVALS.code: say("; see the intervals of the table 'invariance_contrasts'", report=""),
}


def reliability(config: StudyConfig, inputs: Inputs) -> StageOutput:
    """ICC(1,k) per context and question, and per question over all contexts."""
    table, notes = _icc(config, inputs, cluster=False)
    # The paper's interval takes clips for independent; beside it the one that does not.
    respecting, _ = _icc(config, inputs, cluster="subject")
    table = table.assign(
        conf_low_subjects=respecting["conf_low"], conf_high_subjects=respecting["conf_high"]
    )
    return StageOutput({"reliability": table}, {"notes": notes})


def _icc(
    config: StudyConfig, inputs: Inputs, *, cluster: str | Literal[False]
) -> tuple[pd.DataFrame, list[str]]:
    import pandas as pd

    options: dict[str, Any] = {
        "targets": CLIP_KEY,
        "ratings": "score",
        "form": "ICC(1,k)",
        "confidence": config.compare.confidence,
        "cluster": cluster,
    }
    by_context = icc(inputs.ratings, context=["context", "question"], **options)
    overall = icc(inputs.ratings, context="question", **options)
    table = pd.concat([by_context.tidy(), overall.tidy().assign(context=ALL)], ignore_index=True)
    ordered = ordered_rows(table, "context", (*inputs.contexts, ALL), "question", inputs.questions)
    # Which forms need raters is no question here: only the one-way form is asked for.
    said = dict.fromkeys([*by_context.notes(), *overall.notes()])
    return ordered, [
        # What a result has a method for, a study has no table of.
        NOTE_UNEQUAL(elsewhere="") if says(note, NOTE_UNEQUAL) else note
        for note in said
        if not says(note, NOTE_NO_RATERS)
    ]


def factor_model(config: StudyConfig, inputs: Inputs) -> StageOutput:
    """Fit the one-factor model of the questions' means per context and over all; score clips."""
    import pandas as pd

    means = inputs.ratings.groupby([*CLIP_KEY, "question"], sort=True)["score"].mean().unstack()
    clips = means.reset_index()[[*CLIP_KEY, *inputs.questions]].rename_axis(columns=None)
    clips = ordered_rows(clips, "context", inputs.contexts)
    model = {config.factor_model.factor: list(inputs.questions)}
    engine, positive = config.factor_model.engine, config.factor_model.positive
    by_context = cfa(clips, model, context="context", engine=engine, positive=positive)
    pooled = cfa(clips, model, engine=engine, positive=positive)
    allow = config.factor_model.allow_inadmissible
    own, over_all = (fit.scores(allow_inadmissible=allow) for fit in (by_context, pooled))
    scores = clips.assign(
        score=own["score"],
        score_se=own["se"],
        score_pooled=over_all["score"],
        score_pooled_se=over_all["se"],
        score_reason=own["reason"].where(own["reason"] != "", over_all["reason"]),
    )
    loadings = pd.concat(
        [
            by_context.loadings(),
            pooled.loadings().assign(context=ALL),
        ],
        ignore_index=True,
    )
    contexts = (*inputs.contexts, ALL)
    loadings = ordered_rows(loadings, "context", contexts, "indicator", inputs.questions)
    parameters = pd.concat(
        [
            by_context.tidy(),
            pooled.tidy().assign(context=ALL),
        ],
        ignore_index=True,
    )
    parameters = ordered_rows(parameters, "context", contexts)
    messages = list(dict.fromkeys([*by_context.messages, *pooled.messages]))
    facts = {
        "engine": by_context.engine,
        "engine over all contexts": pooled.engine,
        "messages": messages,
        "notes": list(dict.fromkeys([*by_context.notes(), *pooled.notes(), *messages])),
        "clips without a score": int(scores["score"].isna().sum()),
        "provenance": jsonable(by_context.provenance()),
        "admissible": by_context.admissible and pooled.admissible,
    }
    tables = {"scores": scores, "loadings": loadings, "parameters": parameters}
    if config.factor_model.invariance and len(inputs.contexts) > 1:
        more, said = _invariance(config, clips, model)
        tables |= more
        facts["notes"] += said
    return StageOutput(tables, facts)


def _invariance(
    config: StudyConfig, clips: pd.DataFrame, model: dict[str, list[str]]
) -> tuple[dict[str, pd.DataFrame], list[str]]:
    """Whether the contexts share loadings and intercepts: two tables and what to say of them."""
    try:
        found = invariance(
            clips,
            model,
            context="context",
            cluster="subject",
            engine=config.factor_model.engine,
            confidence=config.compare.confidence,
            positive=config.factor_model.positive,
        )
    except (DataError, EngineError) as error:
        return {}, [_NOT_TESTED(error=message_of(error))]
    tables = {"invariance": found.tidy(), "invariance_contrasts": found.contrasts()}
    return tables, [_OF_CONTEXTS(note=_with_table(note)) for note in found.notes()]


def _with_table(note: str) -> str:
    """Return a note of a result that names the study's table in place of its method."""
    if not says(note, DIFFER, NO_EVIDENCE):
        return note
    assert isinstance(note, Message)
    return note.with_values(see=_TABLE[note.values["see"].code])


def features(
    config: StudyConfig,
    inputs: Inputs,
    *,
    hashes: Mapping[str, str],
    progress: bool | None = None,
) -> StageOutput:
    """Cut the recordings into clips and compute the features of each.

    `hashes` are the SHA-256 of the recordings by their path; `StudyError` if another content
    was read.
    """
    options = config.features
    result = extract_features(
        inputs.recordings[["subject", "context"]].assign(openface=inputs.recordings["path"]),
        schedule=inputs.schedule,
        rate=options.rate,
        bins=options.bins,
        velocity=options.velocity,
        head=options.head,
        landmarks=options.landmarks,
        derivatives=options.derivatives,
        au_count=options.au_count,
        min_valid=options.min_valid,
        min_confidence=options.min_confidence,
        face=options.face,
        fps=config.clips.fps,
        on_short=config.clips.on_short,
        progress=progress,
    )
    # As the study names its files, so that results do not depend on where it lies.
    names = dict(zip(inputs.recordings["path"], inputs.recordings["openface"], strict=True))
    refuse_changed(names[path] for path, read in result.hashes.items() if read != hashes[path])
    return features_output(result, names)


def features_output(result: FeatureResult, names: dict[str, str] | None = None) -> StageOutput:
    """Return the tables of features and what became of the recordings; files by their `names`."""
    tables = {
        "features": result.table,
        "quality": result.quality,
        "recordings": result.recordings,
        "dropped_clips": result.dropped,
    }
    if names is not None:
        tables = {
            name: table.assign(openface=table["openface"].map(names))
            if "openface" in table
            else table
            for name, table in tables.items()
        }
    return StageOutput(
        tables,
        {
            "clips without features": int((result.table["reason"] != "").sum()),
            "clips too short for the schedule": len(result.dropped),
            "notes": list(result.notes()),
        },
    )


def coefficients(
    config: StudyConfig,
    inputs: Inputs,
    factor: StageOutput,
    behavior: StageOutput,
    fitted: StageOutput,
) -> StageOutput:
    """Describe the models' weights and test slopes, per context and between contexts."""
    options = config.coefficients
    rows, _ = complete_rows(factor.tables["scores"], behavior.tables["features"])
    # The very labels that the models learned: of training subjects alone, where it is so.
    labels = fitted.tables["labelled_clips"].drop(columns="part")
    rows = rows[[*CLIP_KEY, *FEATURES]].merge(labels, on=CLIP_KEY, validate="one_to_one")
    if options.rows == "train":
        split = fitted.tables["split"]
        used = ("train", "validation") if config.models.elastic_net.refit else ("train",)
        rows = rows[rows["subject"].isin(split.loc[split["part"].isin(used), "subject"])]
    tuning = fitted.tables["tuning"].set_index("context")
    label = "score_pooled" if config.factor_model.labels == "pooled" else "score"
    with _warnings_as_notes() as said:
        result = context_coefficients(
            rows[["subject", "context", *FEATURES]],
            rows[label],
            # Slopes of different contexts can be compared on one scale of the label only.
            y_pooled=None if label == "score_pooled" else rows["score_pooled"],
            context="context",
            cluster="subject",
            alpha={str(name): value for name, value in tuning["alpha"].items()},
            l1_ratio={str(name): value for name, value in tuning["l1_ratio"].items()},
            n_boot=options.n_boot,
            confidence=config.compare.confidence,
            seed=config.seed,
            cr=options.cr,
            intercepts=options.intercepts,
        )
    if options.adjust != "none":
        result = result.adjust(options.adjust)
    tables = {
        "coefficients": ordered_rows(result.tidy(), "context", (*inputs.contexts, ALL)),
        "contrasts": result.contrasts() if len(inputs.contexts) > 1 else None,
        "omnibus": result.omnibus() if len(inputs.contexts) > 1 else None,
    }
    return StageOutput(
        {name: table for name, table in tables.items() if table is not None},
        {"notes": [*said, *result.notes()]},
    )


def comparison(
    config: StudyConfig, fitted: StageOutput, deep: Mapping[str, StageOutput]
) -> StageOutput:
    """Compare performance and its differences, per context and over all, by each method."""
    import pandas as pd

    predictions = joined_predictions(fitted, deep)
    options = config.compare
    tables, notes = [], []
    alike: dict[str, pd.DataFrame] = {}
    for evaluated in predictions["evaluated"].unique():
        block = predictions[predictions["evaluated"] == evaluated].reset_index(drop=True)
        models = predicted_columns(block, deep)
        needed = ["truth", *(name for name, own in models.items() if isinstance(own, str))]
        complete = block[needed].notna().all(axis=1)
        alike[evaluated] = block.loc[complete, [*CLIP_KEY, "evaluated", "truth"]]
        with _warnings_as_notes() as said:
            result = compare_models(
                block,
                truth="truth",
                predictions=models,
                cluster="subject",
                **options.measured(),
                n_boot=options.n_boot,
                method=options.methods[0],
                confidence=options.confidence,
                seed=config.seed,
            )
            for method in options.methods:
                table = result.interval(method=method, confidence=options.confidence).tidy()
                named = {"context": evaluated, "first_context": evaluated}
                tables.append(_as_asked(table, method).assign(**named))
        notes += [note for note in [*said, *result.notes()] if note not in notes]
    leakage, more = leakage_table(
        config,
        predictions,
        fitted.tables["other_predictions"],
        fitted.facts["no training-only scores because"],
    )
    compared = pd.concat(tables, ignore_index=True)
    fallen = sum(says(text, _OTHER_METHOD) for text in compared["reason"])
    if fallen:
        notes.append(_FALLEN(fallen=fallen))
    found = {"comparison": compared, "scores_leakage": leakage, "predictions": predictions}
    if deep:
        found |= deep_tables(config, compared, alike, deep)
    return StageOutput(found, {"notes": notes + more})


def _as_asked(table: pd.DataFrame, method: str) -> pd.DataFrame:
    """Name every row's method as it was asked for; `reason` says where it is another."""
    other = (table["method"] != method) & table["conf_low"].notna()
    reason = message_column(
        (
            joined([text, _OTHER_METHOD(method=by)]) if elsewhere else text
            for text, by, elsewhere in zip(table["reason"], table["method"], other, strict=True)
        ),
        table.index,
    )
    return table.assign(method=method, reason=reason)


def predicted_columns(
    block: pd.DataFrame, deep: Iterable[str] = ()
) -> dict[str, str | Predictions]:
    """Return the models of a table of predictions; the human baseline has a column per rater."""
    found: dict[str, str | Predictions] = {
        name: name
        for name in ("elastic_net", *deep, "uniform", "normal")
        # A model over all contexts alone says nothing about one of them.
        if name in block and block[name].notna().any()
    }
    raters = [
        name
        for name in map(str, block.columns)
        if name.startswith("human_")
        and not name.endswith("_criterion")
        and block[name].notna().any()
    ]
    if raters:
        found["human"] = Predictions(values=raters, truth=[f"{name}_criterion" for name in raters])
    return found


@contextmanager
def _warnings_as_notes() -> Iterator[list[str]]:
    """Collect our own warnings: said once, in the record and under the tables."""
    notes: list[str] = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", PyexprWarning)
        yield notes
    for one in caught:
        if issubclass(one.category, PyexprWarning):
            notes.append(message_of(one.message))
        else:
            warnings.warn_explicit(one.message, one.category, one.filename, one.lineno)
