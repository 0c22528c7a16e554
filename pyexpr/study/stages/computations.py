"""The computations of a study, except the models, as functions from tables to tables."""

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
    has_code,
    joined,
    message_column,
    message_of,
    say,
)
from pyexpr.base.results import jsonable
from pyexpr.base.tables import ordered_rows
from pyexpr.behavior.features.features import extract_features
from pyexpr.behavior.features.result import FeatureResult
from pyexpr.behavior.features.row_store import RowStore, rows_stored
from pyexpr.inference.coefficients.coefficients import context_coefficients
from pyexpr.inference.comparison.comparison import compare_models
from pyexpr.inference.comparison.notes import NOTE_RARE, NOTE_RAREST
from pyexpr.inference.comparison.predictions import Predictions
from pyexpr.measurement.factor.cfa import cfa
from pyexpr.measurement.icc.icc import icc
from pyexpr.measurement.icc.notes import NOTE_NO_RATERS, NOTE_UNEQUAL
from pyexpr.measurement.invariance.invariance import invariance
from pyexpr.measurement.invariance.notes import DIFFER, NO_EVIDENCE, SEE_CONTRASTS, SEE_INTERVALS
from pyexpr.study.file.config import StudyConfig
from pyexpr.study.file.model_sections import ElasticNetSection
from pyexpr.study.kept.store import StageOutput
from pyexpr.study.stages.class_columns import class_options_of, predicted_class_columns
from pyexpr.study.stages.deep_tables import deep_tables, joined_predictions
from pyexpr.study.stages.leakage import leakage_table
from pyexpr.study.stages.model_fits import (
    EVALUATED,
    PRIOR,
    design_of,
    repeat_columns,
    repeats_of,
    same_label,
)
from pyexpr.study.stages.models import complete_rows
from pyexpr.study.stages.sources import refuse_changed
from pyexpr.study.stages.spread import REPEAT, spread
from pyexpr.study.tables.feature_choice import chosen, with_quality, with_table
from pyexpr.study.tables.inputs import CLIP_KEY, Inputs
from pyexpr.study.tables.labels import equal_loadings, question_means

if TYPE_CHECKING:
    import pandas as pd

# Where a method has no interval of its own for a row.
_OTHER_METHOD = Template("interval_by_other_method", "the interval was computed by {method:metric}")
_FALLEN = Template(
    "percentiles_for_bca",
    "{fallen:count interval, is, are} from percentiles because BCa is not possible: too few "
    "replicates lie beyond its limits (reason in comparison.csv)",
    report="{fallen:count interval, is, are} from percentiles because BCa is not possible: too "
    "few replicates lie beyond its limits",
)
_IN_CONTEXT = Template("note_in_context", "in context {context:label} {note}")
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
    # Only the one-way form is requested, so the note on forms that need raters is left out.
    warned = dict.fromkeys([*by_context.notes(), *overall.notes()])
    return ordered, [
        # What a result has a method for, a study has no table of.
        NOTE_UNEQUAL(elsewhere="") if has_code(note, NOTE_UNEQUAL) else note
        for note in warned
        if not has_code(note, NOTE_NO_RATERS)
    ]


def factor_model(config: StudyConfig, inputs: Inputs) -> StageOutput:
    """Fit the one-factor model of the questions' means per context and over all; score clips."""
    import pandas as pd

    clips = question_means(inputs)
    model = {config.factor_model.factor: list(inputs.questions)}
    engine, positive = config.factor_model.engine, config.factor_model.positive
    options: dict[str, Any] = {
        "engine": engine, "positive": positive, "equal_loadings": equal_loadings(inputs)
    }  # fmt: skip
    by_context = cfa(clips, model, context="context", **options)
    pooled = cfa(clips, model, **options)
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
        more, warned = _invariance(config, clips, model)
        tables |= more
        facts["notes"] += warned
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
    if not has_code(note, DIFFER, NO_EVIDENCE):
        return note
    assert isinstance(note, Message)
    return note.with_values(see=_TABLE[note.values["see"].code])


def features(
    config: StudyConfig,
    inputs: Inputs,
    *,
    store: RowStore | None = None,
    progress: bool | None = None,
) -> StageOutput:
    """Cut the recordings into clips and compute the features of each; join those of the table.

    `store`, needed with recordings, has what was computed of them before, and their SHA-256 by
    their path; `StudyError` if another content was read.
    """
    if not inputs.recorded:
        assert inputs.measured is not None
        own = inputs.measured
        table = own.table[[*CLIP_KEY, *own.features, *own.covariates]].assign(reason="")
        bare = int(table[list(own.features)].isna().any(axis=1).sum())
        found = StageOutput({"features": table}, {"clips without features": bare, "notes": []})
        return chosen(config, found, own.features)
    assert config.clips is not None
    assert inputs.schedule is not None
    assert store is not None
    with rows_stored(store):
        result = extract_features(
            inputs.recordings.drop(columns=["openface", "video"], errors="ignore").rename(
                columns={"path": "openface", "video_path": "video"}
            ),
            schedule=inputs.schedule,
            **config.features.reading(),
            fps=config.clips.fps,
            on_short=config.clips.on_short,
            n_jobs=config.compute.n_jobs or -1,
            progress=progress,
        )
    # As the study names its files, so that results do not depend on where it lies.
    names = dict(zip(inputs.recordings["path"], inputs.recordings["openface"], strict=True))
    refuse_changed(
        names[path] for path, read in result.hashes.items() if read != store.hashes[path]
    )
    found = with_quality(config, features_output(result, names))
    computed = config.features.computed()
    if inputs.measured is not None:
        found, computed = with_table(found, inputs.measured), (*computed, *inputs.measured.features)
    return chosen(config, found, computed)


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
    # Means of other trackers' signals have a table of their own, unless they are features.
    own = [name for name in result.units() if name in result.table]
    return StageOutput(
        tables,
        {
            "clips without features": int(result.table[own].isna().all(axis=1).sum()),
            "clips too short for the schedule": len(result.dropped),
            "notes": list(result.notes()),
        },
    )


def coefficients(
    config: StudyConfig,
    inputs: Inputs,
    labelled: StageOutput,
    behavior: StageOutput,
    fitted: StageOutput,
) -> StageOutput:
    """Describe the models' weights and test slopes, per context and between contexts."""
    options = config.coefficients
    rows, names = rows_of_slopes(config, labelled, behavior, fitted)
    label = "score_pooled" if config.factor_model.labels == "pooled" else "score"
    measured, more = design_of(rows, names)
    with _warnings_as_notes() as warned:
        result = context_coefficients(
            rows[["subject", "context"]].join(measured),
            rows[label],
            # Slopes of different contexts can be compared on one scale of the label only.
            y_pooled=None if same_label(config) else rows["score_pooled"],
            context="context",
            cluster="subject",
            **_penalty(config, fitted),
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
        {"notes": [*warned, *more, *result.notes()]},
    )


def rows_of_slopes(
    config: StudyConfig, labelled: StageOutput, behavior: StageOutput, fitted: StageOutput
) -> tuple[pd.DataFrame, list[str]]:
    """Return the rows by which slopes are estimated, and their features and covariates."""
    rows, _ = complete_rows(labelled, behavior)
    names = [*behavior.facts["features"], *behavior.facts["covariates"]]
    # The very labels that the models learned: of training subjects alone, where it is so.
    labels = fitted.tables["labelled_clips"].drop(columns="part", errors="ignore")
    rows = rows[[*CLIP_KEY, *names]].merge(labels, on=CLIP_KEY, validate="one_to_one")
    if config.coefficients.rows == "train":
        split = fitted.tables["split"]
        rows = rows[
            rows["subject"].isin(split.loc[split["part"].isin(config.fitted_parts()), "subject"])
        ]
    return rows, names


def _penalty(config: StudyConfig, fitted: StageOutput) -> dict[str, Any]:
    """Return the penalty of the described weights: that of the models, or a grid to choose from.

    In cross-validation every fold has a penalty of its own, and that of all rows is chosen anew.
    """
    net = config.models.elastic_net
    if net is None or config.evaluation.crossed:
        grid = ElasticNetSection() if net is None else net
        return {"alpha": list(grid.alpha), "l1_ratio": list(grid.l1_ratio)}
    chosen = fitted.tables["tuning"].set_index("context")
    return {
        name: {str(context): value for context, value in chosen[name].items()}
        for name in ("alpha", "l1_ratio")
    }


def comparison(
    config: StudyConfig, fitted: StageOutput, deep: Mapping[str, StageOutput]
) -> StageOutput:
    """Compare performance and its differences, per context and over all, by each method."""
    import pandas as pd

    predictions = joined_predictions(fitted, deep)
    options = config.compare
    tables, notes = [], []
    alike: dict[str, pd.DataFrame] = {}
    learned = [*fitted.facts["models"], *deep]
    class_options = class_options_of(config, predictions["truth"])
    for evaluated in predictions["evaluated"].unique():
        block = predictions[predictions["evaluated"] == evaluated].reset_index(drop=True)
        models = predicted_columns(block, config, learned, class_options.get("positive"))
        needed = ["truth", *(name for name in models if name != "human")]
        complete = block[needed].notna().all(axis=1)
        alike[evaluated] = block.loc[complete, [*CLIP_KEY, "evaluated", "truth"]]
        with _warnings_as_notes() as warned:
            result = compare_models(
                block,
                truth="truth",
                predictions=models,
                cluster="subject",
                # Named, so that notes on a context name it.
                context=None if evaluated == ALL else EVALUATED,
                fold=repeat_columns("fold", config)[0] if config.evaluation.crossed else None,
                **options.measured(),
                **class_options,
                n_boot=options.n_boot,
                method=options.methods[0],
                confidence=options.confidence,
                seed=config.seed,
            )
            for method in options.methods:
                table = result.interval(method=method, confidence=options.confidence).tidy()
                named = {"context": evaluated, "first_context": evaluated}
                tables.append(_with_requested_method(table, method).assign(**named))
        own_notes = [_of_block(note, evaluated) for note in [*warned, *result.notes()]]
        notes += [note for note in own_notes if note not in notes]
    compared = pd.concat(tables, ignore_index=True)
    fallen = sum(has_code(text, _OTHER_METHOD) for text in compared["reason"])
    if fallen:
        notes.append(_FALLEN(fallen=fallen))
    found = {"comparison": compared, "predictions": predictions}
    if "other_predictions" in fitted.tables:
        leakage, more = leakage_table(
            config,
            predictions,
            fitted.tables["other_predictions"],
            fitted.facts["no training-only scores because"],
        )
        found["scores_leakage"] = leakage
        notes += more
    if config.evaluation.crossed and config.evaluation.repeats > 1:
        found["repeat_spread"] = pd.concat(
            [
                spread(config, name, repeats_of(config, predictions, name), compared, alike, REPEAT)
                for name in fitted.facts["models"]
            ],
            ignore_index=True,
        )
    if deep:
        found |= deep_tables(config, compared, alike, deep)
    return StageOutput(found, {"notes": notes})


def _of_block(note: str, evaluated: str) -> str:
    """Return a note, with the context where it is of the rows of one."""
    if evaluated == ALL or not has_code(note, NOTE_RAREST, NOTE_RARE):
        return note
    return _IN_CONTEXT(context=evaluated, note=note)


def _with_requested_method(table: pd.DataFrame, method: str) -> pd.DataFrame:
    """Name the requested method in every row; `reason` says if another was used."""
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
    block: pd.DataFrame, config: StudyConfig, learned: Iterable[str], positive: str | None = None
) -> dict[str, str | Predictions]:
    """Return the models of a table of predictions; of classes one may be positive.

    The human baseline has a column per rater, a model one per repeat of a cross-validation.
    """
    found: dict[str, str | Predictions] = {
        name: name
        for name in (*learned, "uniform", "normal", PRIOR)
        # A model over all contexts alone says nothing about one of them.
        if name in block and block[name].notna().any()
    }
    if config.evaluation.crossed and config.evaluation.repeats > 1:
        folds = repeat_columns("fold", config)
        found |= {
            name: Predictions(repeat_columns(name, config), fold=folds)
            for name in found
            if name in learned or name == PRIOR
        }
    if config.label.classified:
        found = {name: predicted_class_columns(config, block, name, positive) for name in found}
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
    """Collect the package's warnings, which are reported once in the record and tables."""
    notes: list[str] = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", PyexprWarning)
        yield notes
    for one in caught:
        if issubclass(one.category, PyexprWarning):
            notes.append(message_of(one.message))
        else:
            warnings.warn_explicit(one.message, one.category, one.filename, one.lineno)
