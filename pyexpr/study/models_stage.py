"""The models of a study: subjects split, models fitted per context and over all, predictions."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from pyexpr.base.contexts import ALL
from pyexpr.base.errors import DataError, StudyError, counted, listed
from pyexpr.base.messages import Template, message_column, message_of, say, says
from pyexpr.base.tables import ordered_rows
from pyexpr.behavior.features.features import FEATURES
from pyexpr.measurement.factor.scores import INADMISSIBLE_MODEL
from pyexpr.modeling.baselines import human_baseline, normal_baseline, uniform_baseline
from pyexpr.modeling.contextual import ContextualRegressor
from pyexpr.modeling.elastic_net import ElasticNetRegressor
from pyexpr.modeling.splits import split_subjects
from pyexpr.study.config import BaselinesSection, StudyConfig
from pyexpr.study.early_checks import NO_HUMANS
from pyexpr.study.inputs import CLIP_KEY, Inputs
from pyexpr.study.leakage import TrainingScores, relabelled, training_scores_or_reason
from pyexpr.study.store import StageOutput

if TYPE_CHECKING:
    import pandas as pd

PARTS = ("train", "validation", "test")
_INADMISSIBLE = Template(
    "scores_of_inadmissible_model",
    "its factor model has a negative residual variance (allow_inadmissible = true under "
    "[factor_model] uses it all the same)",
    report="its factor model has a negative residual variance",
)()
_NO_SUCH_CLIP = Template("clip_not_recorded", "rated, but the recording has no such clip")()
_NOT_RATED = Template("clip_not_rated", "in the recording, but not rated")()
_NO_SCORE = Template("no_factor_score", "no factor score: {reason}")
_BARE = Template("feature_missing", "a feature is missing")()
_OF_TRAINING = Template(
    "scores_of_training_models",
    "The scores that the models learn come from factor models of the {clips} clips of {subjects} "
    "training subjects; the table of loadings is of all subjects.",
)
_NO_HUMANS = Template("no_human_baseline", "There is no human baseline of {contexts}: {reason}")


def models(
    config: StudyConfig, inputs: Inputs, factor: StageOutput, behavior: StageOutput
) -> StageOutput:
    """Split the subjects, fit the models per context and over all, and predict the test part."""
    import pandas as pd

    scores = factor.tables["scores"]
    rows, left_out = complete_rows(scores, behavior.tables["features"])
    split = split_subjects(
        rows["subject"],
        context=rows["context"],
        proportions=config.split.proportions,
        seed=config.seed,
    )
    split.check()
    rows = rows.assign(part=split.part(rows["subject"]))
    _check_parts(rows, left_out, inputs.contexts)
    loadings, other_rows = factor.tables["loadings"], rows
    unseen = training_scores_or_reason(config, inputs, scores, split.train, loadings)
    if isinstance(unseen, TrainingScores):
        other_rows = relabelled(rows, unseen)
        if config.factor_model.fit_on == "train":
            rows, other_rows, loadings = other_rows, rows, unseen.loadings
    fitted, predictions, unrated = _fit_and_predict(config, inputs, rows, loadings)
    # The other kind of score, for what the leak is worth; baselines do not enter that.
    none = BaselinesSection(uniform=False, normal=False, human="none")
    plain = config.model_copy(update={"baselines": none})
    other = _fit_and_predict(plain, inputs, other_rows, loadings)[1]
    weights = ordered_rows(
        fitted.weights(), "context", (*inputs.contexts, ALL), "feature", tuple(FEATURES)
    )
    tuning = pd.DataFrame(
        [
            {"context": name, "alpha": model.alpha_, "l1_ratio": model.l1_ratio_}
            for name, model in [*fitted.estimators_.items(), (ALL, fitted.pooled_)]
        ]
    )
    tuning = ordered_rows(tuning, "context", (*inputs.contexts, ALL))
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
            _OF_TRAINING(clips=unseen.n_clips, subjects=unseen.n_subjects),
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
    found = pd.DataFrame(rows, columns=list(left_out))
    return found.assign(reason=message_column(row["reason"] for row in rows))


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
    bare = joined[list(FEATURES)].isna().any(axis=1)
    found = zip(
        joined["_merge"],
        joined["reason"].fillna(""),
        joined["score_reason"].fillna(""),
        bare,
        strict=True,
    )
    reason = message_column((_why_left_out(*one) for one in found), joined.index)
    kept = reason == ""
    if not kept.any():
        why = "; ".join(
            f"{text} ({counted(count, 'clip')})" for text, count in reason.value_counts().items()
        )
        raise StudyError(f"no clip has both scores and features: {why}")
    columns = [*CLIP_KEY, "score", "score_pooled", *FEATURES]
    left_out = joined.loc[~kept, CLIP_KEY].assign(reason=reason[~kept])
    return joined.loc[kept, columns].reset_index(drop=True), left_out.reset_index(drop=True)


def _why_left_out(merged: str, reason: str, unscored: str, bare: bool) -> str:
    """Return why a clip is not of the models; "" if it is."""
    if merged == "left_only":
        return _NO_SUCH_CLIP
    if merged == "right_only":
        return _NOT_RATED
    if reason:
        return reason
    if unscored:
        return _NO_SCORE(reason=_INADMISSIBLE if says(unscored, INADMISSIBLE_MODEL) else unscored)
    return _BARE if bare else ""


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
        low, high = config.baselines.uniform_limits
        draws = uniform_baseline(test[CLIP_KEY], low=low, high=high, seed=config.seed)
        base = base.assign(uniform=draws)
    if config.baselines.normal:
        # The factor is standardised, and its scores are in its unit.
        draws = normal_baseline(test[CLIP_KEY], mean=0, sd=1, seed=config.seed)
        base = base.assign(normal=draws)
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
                    raise StudyError(
                        say(
                            "context {context:label}: {error}; {mend}",
                            context=evaluated,
                            error=message_of(error),
                            mend=NO_HUMANS,
                        )
                    ) from None
                absent.setdefault(message_of(error), []).append(evaluated)
    predictions = pd.concat(blocks, ignore_index=True)
    leading = [*CLIP_KEY, "evaluated", "truth", "elastic_net"]
    return predictions[[*leading, *[name for name in predictions if name not in leading]]], [
        _NO_HUMANS(contexts=listed(contexts), reason=why) for why, contexts in absent.items()
    ]


def human_kind(options: BaselinesSection) -> str:
    """Return what stands behind a rater of the human baseline."""
    return "slot" if options.human == "auto" else options.human


def has_humans(predictions: pd.DataFrame) -> bool:
    """Say whether a table of predictions has the human baseline."""
    return any(str(name).startswith("human_") for name in predictions)


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
