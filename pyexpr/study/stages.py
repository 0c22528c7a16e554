"""The computations of a study, each a function from tables to tables; deep models apart."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Literal

from pyexpr.base.errors import DataError, EngineError, PyexprWarning, StudyError, counted, listed
from pyexpr.base.results import jsonable
from pyexpr.behavior.features import FEATURES, FeatureResult, extract_features
from pyexpr.inference.coefficients import context_coefficients
from pyexpr.inference.comparison import compare_models
from pyexpr.inference.predictions import Predictions
from pyexpr.measurement.cfa import cfa
from pyexpr.measurement.icc_result import NOTE_NO_RATERS
from pyexpr.measurement.invariance import invariance
from pyexpr.measurement.reliability import icc
from pyexpr.modeling.baselines import human_baseline, normal_baseline, uniform_baseline
from pyexpr.modeling.contextual import ContextualRegressor
from pyexpr.modeling.elastic_net import ElasticNetRegressor
from pyexpr.modeling.splits import split_subjects
from pyexpr.study.config import ALL, BaselinesSection, StudyConfig
from pyexpr.study.deep_tables import deep_tables, joined_predictions
from pyexpr.study.inputs import CLIP_KEY, Inputs
from pyexpr.study.leakage import (
    TrainingScores,
    leakage_table,
    relabelled,
    training_scores_or_reason,
)
from pyexpr.study.store import StageOutput

if TYPE_CHECKING:
    import pandas as pd

PARTS = ("train", "validation", "test")
NO_HUMANS = '[baselines] human = "none" leaves the human baseline out'
_INADMISSIBLE = (
    "its factor model has a negative residual variance (allow_inadmissible = true under "
    "[factor_model] uses it all the same)"
)


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
    by_context = icc(inputs.ratings, by=["context", "question"], **options)
    overall = icc(inputs.ratings, by=["question"], **options)
    table = pd.concat([by_context.tidy(), overall.tidy().assign(context=ALL)], ignore_index=True)
    ordered = _in_order(table, "context", (*inputs.contexts, ALL), "question", inputs.questions)
    # Which forms need raters is no question here: only the one-way form is asked for.
    said = dict.fromkeys([*by_context.notes(), *overall.notes()])
    return ordered, [note for note in said if note != NOTE_NO_RATERS]


def factor_model(config: StudyConfig, inputs: Inputs) -> StageOutput:
    """Fit the one-factor model of the questions' means per context and over all; score clips."""
    import pandas as pd

    means = inputs.ratings.groupby([*CLIP_KEY, "question"], sort=True)["score"].mean().unstack()
    clips = means.reset_index()[[*CLIP_KEY, *inputs.questions]].rename_axis(columns=None)
    clips = _in_order(clips, "context", inputs.contexts)
    model = {config.factor_model.factor: list(inputs.questions)}
    engine = config.factor_model.engine
    by_context = cfa(clips, model, group="context", engine=engine)
    pooled = cfa(clips, model, engine=engine)
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
            by_context.loadings().rename(columns={"group": "context"}),
            pooled.loadings().assign(context=ALL).drop(columns="group", errors="ignore"),
        ],
        ignore_index=True,
    )
    contexts = (*inputs.contexts, ALL)
    loadings = _in_order(loadings, "context", contexts, "indicator", inputs.questions)
    parameters = pd.concat(
        [
            by_context.tidy().rename(columns={"group": "context"}),
            pooled.tidy().assign(context=ALL),
        ],
        ignore_index=True,
    )
    parameters = _in_order(parameters, "context", contexts)
    messages = list(dict.fromkeys([*by_context.messages, *pooled.messages]))
    facts = {
        "engine": by_context.engine,
        "engine over all contexts": pooled.engine,
        "messages": messages,
        "notes": list(dict.fromkeys([*by_context.notes(), *pooled.notes(), *messages])),
        "clips without a score": int(scores["score"].isna().sum()),
        "provenance": jsonable(by_context.provenance()),
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
            group="context",
            cluster="subject",
            engine=config.factor_model.engine,
            confidence=config.compare.confidence,
        )
    except (DataError, EngineError) as error:
        return {}, [f"Invariance over contexts was not tested: {error}"]
    tables = {"invariance": found.tidy(), "invariance_contrasts": found.contrasts()}
    return tables, [f"Invariance over contexts. {note}" for note in found.notes()]


def features(config: StudyConfig, inputs: Inputs, *, show: bool | None = None) -> StageOutput:
    """Cut the recordings into clips and compute the features of each."""
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
        progress=show,
    )
    # As the study names its files, so that results do not depend on where it lies.
    names = dict(zip(inputs.recordings["path"], inputs.recordings["openface"], strict=True))
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


def models(
    config: StudyConfig, inputs: Inputs, factor: StageOutput, behavior: StageOutput
) -> StageOutput:
    """Split the subjects, fit the models per context and over all, and predict the test part."""
    import pandas as pd

    scores = factor.tables["scores"]
    rows, left_out = complete_rows(scores, behavior.tables["features"])
    split = split_subjects(
        rows["subject"],
        contexts=rows["context"],
        proportions=config.split.proportions,
        seed=config.seed,
    )
    split.check()
    rows = rows.assign(part=split.part(rows["subject"]))
    _check_parts(rows, left_out, inputs.contexts)
    unseen = training_scores_or_reason(config, inputs, scores, split.train)
    loadings, other_rows = factor.tables["loadings"], rows
    if isinstance(unseen, TrainingScores):
        other_rows = relabelled(rows, unseen)
        if config.factor_model.fit_on == "train":
            rows, other_rows, loadings = other_rows, rows, unseen.loadings
    fitted, predictions, unrated = _fit_and_predict(config, inputs, rows, loadings)
    # The other kind of score, for what the leak is worth; baselines do not enter that.
    none = BaselinesSection(uniform=False, normal=False, human="none")
    plain = config.model_copy(update={"baselines": none})
    other = _fit_and_predict(plain, inputs, other_rows, loadings)[1]
    weights = _in_order(
        fitted.weights(), "context", (*inputs.contexts, ALL), "feature", tuple(FEATURES)
    )
    tuning = pd.DataFrame(
        [
            {"context": name, "alpha": model.alpha_, "l1_ratio": model.l1_ratio_}
            for name, model in [*fitted.estimators_.items(), (ALL, fitted.pooled_)]
        ]
    )
    tuning = _in_order(tuning, "context", (*inputs.contexts, ALL))
    tables = {
        "split": split.tidy(),
        "own_predictions": predictions,
        "other_predictions": other,
        "weights": weights,
        "tuning": tuning,
        "left_out": _with_unmatched(inputs, left_out),
        # What every other model is to learn, too.
        "labelled_clips": rows[[*CLIP_KEY, "part", "score", "score_pooled"]],
    }
    counts = rows.groupby("part")["subject"].nunique()
    facts = {
        "subjects": {part: int(counts.get(part, 0)) for part in PARTS},
        "clips": {part: int((rows["part"] == part).sum()) for part in PARTS},
        "left out": left_out["reason"].value_counts().to_dict(),
        "scores fitted on": config.factor_model.fit_on,
        "no training-only scores because": unseen if isinstance(unseen, str) else "",
        "human baseline": human_kind(config.baselines) if has_humans(predictions) else "none",
        "notes": unrated,
    }
    if isinstance(unseen, TrainingScores) and config.factor_model.fit_on == "train":
        facts["notes"] = [
            *unrated,
            f"The scores that the models learn come from factor models of the {unseen.n_clips} "
            f"clips of {unseen.n_subjects} training subjects; table 2 shows those of all subjects.",
        ]
        tables["training_scores"] = unseen.scores
        tables["training_loadings"] = unseen.loadings
    return StageOutput(tables, facts)


def _with_unmatched(inputs: Inputs, left_out: pd.DataFrame) -> pd.DataFrame:
    """Put what the tables of the study do not share before the clips left out of the models."""
    import pandas as pd

    if inputs.unmatched.empty:
        return left_out
    # Not pd.concat: a column without any value would be of a type of its own.
    rows = [*inputs.unmatched.to_dict("records"), *left_out.to_dict("records")]
    return pd.DataFrame(rows, columns=list(left_out))


def _fit_and_predict(
    config: StudyConfig, inputs: Inputs, rows: pd.DataFrame, loadings: pd.DataFrame
) -> tuple[ContextualRegressor, pd.DataFrame, list[str]]:
    """Fit the models to the rows' scores; return the predictions of the test part, and notes."""
    label = "score_pooled" if config.factor_model.labels == "pooled" else "score"
    fitted = _fit_elastic_net(config, rows, label)
    test = rows[rows["part"] == "test"].reset_index(drop=True)
    return fitted, *_predict(config, inputs, loadings, fitted, test, label)


def complete_rows(
    scores: pd.DataFrame, features: pd.DataFrame
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Join scores and features by clip; return complete rows, and the others with the reason."""
    joined = scores.merge(
        features[[*CLIP_KEY, *FEATURES, "reason"]], on=CLIP_KEY, how="outer", indicator=True
    )
    reason = joined["reason"].fillna("")
    reason = reason.mask(
        joined["_merge"] == "left_only", "rated, but the recording has no such clip"
    )
    reason = reason.mask(joined["_merge"] == "right_only", "in the recording, but not rated")
    unscored = joined["score_reason"].fillna("").replace({"inadmissible": _INADMISSIBLE})
    reason = reason.mask((reason == "") & (unscored != ""), "no factor score: " + unscored)
    bare = joined[list(FEATURES)].isna().any(axis=1)
    reason = reason.mask((reason == "") & bare, "a feature is missing")
    kept = reason == ""
    if not kept.any():
        why = "; ".join(
            f"{text} ({counted(count, 'clip')})" for text, count in reason.value_counts().items()
        )
        raise StudyError(f"no clip has both scores and features: {why}")
    columns = [*CLIP_KEY, "score", "score_pooled", *FEATURES]
    left_out = joined.loc[~kept, CLIP_KEY].assign(reason=reason[~kept])
    return joined.loc[kept, columns].reset_index(drop=True), left_out.reset_index(drop=True)


def _check_parts(rows: pd.DataFrame, left_out: pd.DataFrame, contexts: tuple[str, ...]) -> None:
    """Every context needs subjects in every part."""
    for context in contexts:
        own = rows[rows["context"] == context]
        empty = [part for part in PARTS if not (own["part"] == part).any()]
        if empty:
            lost = left_out.loc[left_out["context"] == context, "reason"].value_counts()
            why = "".join(f"; {counted(count, 'clip')}: {reason}" for reason, count in lost.items())
            raise StudyError(
                f"context {context!r} has complete clips of "
                f"{counted(own['subject'].nunique(), 'subject')}, "
                f"none of them in the {empty[0]} part; leave the context out, or add subjects{why}"
            )


def _fit_elastic_net(config: StudyConfig, rows: pd.DataFrame, label: str) -> ContextualRegressor:
    options = config.models.elastic_net
    estimator = ElasticNetRegressor(
        alpha=options.alpha, l1_ratio=options.l1_ratio, refit=options.refit
    )
    return fit_contextual(estimator, rows, FEATURES, label)


def fit_contextual(
    estimator: Any, rows: pd.DataFrame, columns: Iterable[str], label: str
) -> ContextualRegressor:
    """Fit an estimator per context and over all on the training part; the next judges it."""
    train, validation = (rows[rows["part"] == part] for part in ("train", "validation"))
    used = ["context", *columns]
    return ContextualRegressor(estimator, context="context").fit(
        train[used],
        train[label],
        y_pooled=train["score_pooled"],
        groups=train["subject"],
        validation={
            "X": validation[used],
            "y": validation[label],
            "y_pooled": validation["score_pooled"],
        },
    )


def _predict(
    config: StudyConfig,
    inputs: Inputs,
    loadings: pd.DataFrame,
    fitted: ContextualRegressor,
    test: pd.DataFrame,
    label: str,
) -> tuple[pd.DataFrame, list[str]]:
    """Return a row per test clip and per what it is evaluated as (its context, or all); notes."""
    import pandas as pd

    columns = ["context", *FEATURES]
    base = test[CLIP_KEY]
    if config.baselines.uniform:
        base = base.assign(uniform=uniform_baseline(test[CLIP_KEY], seed=config.seed))
    if config.baselines.normal:
        base = base.assign(normal=normal_baseline(test[CLIP_KEY], seed=config.seed))
    own = base.assign(
        evaluated=test["context"], truth=test[label], elastic_net=fitted.predict(test[columns])
    )
    pooled = base.assign(
        evaluated=ALL,
        truth=test["score_pooled"],
        elastic_net=fitted.predict(test[columns], pooled=True),
    )
    blocks = [own[own["context"] == context] for context in inputs.contexts] + [pooled]
    absent: dict[str, list[str]] = {}
    if config.baselines.human != "none":
        for i, block in enumerate(blocks):
            evaluated = str(block["evaluated"].iloc[0])
            try:
                blocks[i] = _with_humans(config, inputs, loadings, block)
            except DataError as error:
                if config.baselines.human != "auto":
                    raise StudyError(f"context {evaluated!r}: {error}; {NO_HUMANS}") from None
                absent.setdefault(str(error), []).append(evaluated)
    predictions = pd.concat(blocks, ignore_index=True)
    leading = [*CLIP_KEY, "evaluated", "truth", "elastic_net"]
    return predictions[[*leading, *[name for name in predictions if name not in leading]]], [
        f"There is no human baseline of {listed(contexts)}: {why}"
        for why, contexts in absent.items()
    ]


def human_kind(options: BaselinesSection) -> str:
    """Return what stands behind a rater of the human baseline."""
    return "slot" if options.human == "auto" else options.human


def has_humans(predictions: pd.DataFrame) -> bool:
    """Say whether a table of predictions has the human baseline."""
    return any(str(name).startswith("human_") for name in predictions)


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
    answers = inputs.ratings.groupby([*CLIP_KEY, "rater"], sort=False)["question"].nunique()
    if config.baselines.human in ("slot", "person") and answers.max() < len(questions):
        raise StudyError(f"no rater answered every question about any clip; {NO_HUMANS}")
    subjects = inputs.ratings["subject"].unique()
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


def _with_humans(
    config: StudyConfig, inputs: Inputs, loadings: pd.DataFrame, block: pd.DataFrame
) -> pd.DataFrame:
    """Add each rater's score and the mean of the others, standardised over this block."""
    evaluated = block["evaluated"].iloc[0]
    own = loadings[loadings["context"] == evaluated]
    rated = inputs.ratings.merge(block[CLIP_KEY], on=CLIP_KEY)
    weights = dict(zip(own["indicator"], own["std_loading"], strict=True))
    humans = human_baseline(rated, weights, human=human_kind(config.baselines))
    columns = [*CLIP_KEY, *humans.values, *humans.truth]
    return block.merge(humans.table[columns], on=CLIP_KEY, how="left")


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
    if options.rows == "train":
        split = fitted.tables["split"]
        used = ("train", "validation") if config.models.elastic_net.refit else ("train",)
        rows = rows[rows["subject"].isin(split.loc[split["part"].isin(used), "subject"])]
    tuning = fitted.tables["tuning"].set_index("context")
    label = "score_pooled" if config.factor_model.labels == "pooled" else "score"
    with warnings.catch_warnings(record=True) as caught:
        # Said in the record and under the tables, as of the comparison.
        warnings.simplefilter("always", PyexprWarning)
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
        )
    if options.adjust != "none":
        result = result.adjust(options.adjust)
    tables = {
        "coefficients": _in_order(result.tidy(), "context", (*inputs.contexts, ALL)),
        "contrasts": result.contrasts() if len(inputs.contexts) > 1 else None,
        "omnibus": result.omnibus() if len(inputs.contexts) > 1 else None,
    }
    return StageOutput(
        {name: table for name, table in tables.items() if table is not None},
        {"notes": [*(str(one.message) for one in caught), *result.notes()]},
    )


def comparison(
    config: StudyConfig, fitted: StageOutput, deep: Mapping[str, StageOutput]
) -> StageOutput:
    """Compare performance and its differences, per context and over all, by each method."""
    import pandas as pd

    predictions = joined_predictions(fitted, deep)
    options = config.compare
    tables, notes = [], []
    for evaluated in predictions["evaluated"].unique():
        block = predictions[predictions["evaluated"] == evaluated].reset_index(drop=True)
        with warnings.catch_warnings(record=True) as caught:
            # Said once, in the record and under the tables, instead of once per context.
            warnings.simplefilter("always", PyexprWarning)
            result = compare_models(
                block,
                truth="truth",
                predictions=predicted_columns(block, deep),
                cluster="subject",
                metrics=options.metrics,
                n_boot=options.n_boot,
                method=options.methods[0],
                confidence=options.confidence,
                seed=config.seed,
            )
            for method in options.methods:
                table = result.interval(method=method, confidence=options.confidence).tidy()
                tables.append(table.assign(context=evaluated))
        said = [str(warning.message) for warning in caught]
        notes += [note for note in [*said, *result.notes()] if note not in notes]
    leakage, more = leakage_table(
        config,
        predictions,
        fitted.tables["other_predictions"],
        fitted.facts["no training-only scores because"],
    )
    compared = pd.concat(tables, ignore_index=True)
    found = {"comparison": compared, "scores_leakage": leakage, "predictions": predictions}
    if deep:
        found |= deep_tables(config, compared, fitted, deep)
    return StageOutput(found, {"notes": notes + more})


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


def _in_order(table: pd.DataFrame, *keys: Any) -> pd.DataFrame:
    """Sort rows by columns in given orders of labels: column, labels, column, labels, ..."""
    ordered = table.assign(
        **{
            f"_{name}": table[name].map({label: rank for rank, label in enumerate(labels)})
            for name, labels in zip(keys[::2], keys[1::2], strict=True)
        }
    )
    ranks = [f"_{name}" for name in keys[::2]]
    return ordered.sort_values(ranks, kind="stable").drop(columns=ranks).reset_index(drop=True)
