"""The models of a study, and the predictions of models and baselines for new subjects."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pyexpr.base.contexts import ALL
from pyexpr.base.errors import DataError, StudyError, listed
from pyexpr.base.messages import Template, message_of, say
from pyexpr.base.tables import ordered_rows
from pyexpr.modeling.baselines import (
    class_shares,
    human_baseline,
    normal_baseline,
    uniform_baseline,
)
from pyexpr.modeling.fitting.fit_models import fit_models
from pyexpr.modeling.fitting.labels import column_of_class
from pyexpr.modeling.fitting.notes import (
    CLASS_NOT_FITTED,
    NO_PROBABILITIES,
    NOT_VARYING,
    WARNED,
)
from pyexpr.modeling.fitting.result import ModelsResult
from pyexpr.study.file.config import StudyConfig
from pyexpr.study.file.model_sections import BaselinesSection
from pyexpr.study.file.model_specs import kind_of, model_specs
from pyexpr.study.file.voice import in_words_of_the_file
from pyexpr.study.tables.early_checks import NO_HUMANS
from pyexpr.study.tables.inputs import CLIP_KEY, Inputs
from pyexpr.study.tables.labels import human_weights

if TYPE_CHECKING:
    import pandas as pd

#: The baseline of classes: their shares among the rows to which models are fitted.
PRIOR = "prior"
#: In each context its own model is evaluated, and over all contexts the pooled one.
PAPERS = ("separate", "pooled")
_SUFFIXES = {"separate": "per_context", "pooled": "pooled", "feature": "with_context"}
_NO_HUMANS = Template("no_human_baseline", "There is no human baseline for {contexts}: {reason}")
_LEVELS = Template("levels_of_category", "levels of {name:label} are compared with {first:label}")
#: Whether a row is evaluated in its context or over all.
EVALUATED = "evaluated"


@dataclass(frozen=True, slots=True)
class Choice:
    """The columns that enter the models: features and covariates."""

    features: tuple[str, ...]
    covariates: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Fits:
    """The fitted models' predictions and tables.

    Attributes
    ----------
    predictions : DataFrame
        One row per clip and per context or "all" for which it is evaluated: clip key, evaluated,
        truth, a column per model, and the baselines; with cross-validation also repeat and fold.
    columns : dict of str to (str, str)
        Column of predictions -> the model's name, and the way in which contexts enter it.
    tables : dict of str to DataFrame
        Weights and tuning, if the models have them.
    notes : list of str
    """

    predictions: pd.DataFrame
    columns: dict[str, tuple[str, str]]
    tables: dict[str, pd.DataFrame] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def label_column(config: StudyConfig) -> str:
    """Return the column of the label of a context's own models."""
    return "score_pooled" if config.factor_model.labels == "pooled" else "score"


def same_label(config: StudyConfig) -> bool:
    """Say whether the models of contexts and those over all contexts learn the same label."""
    return config.label.method != "factor" or config.factor_model.labels == "pooled"


def with_label_called(
    config: StudyConfig, table: pd.DataFrame, label: str
) -> tuple[pd.DataFrame, str]:
    """Return the table with the label under its name in the study, as in errors, and that name."""
    name = config.labels[0]
    # Scores of a factor have a column for the models over all contexts, too.
    if config.label.method == "factor" or name in table:
        return table, label
    return table.rename(columns={label: name}), name


def design_of(rows: pd.DataFrame, names: Sequence[str]) -> tuple[pd.DataFrame, list[str]]:
    """Return columns of numbers; a category has a column of 0 and 1 for each level but one."""
    import pandas as pd

    columns: dict[str, Any] = {}
    notes: list[str] = []
    for name in names:
        if pd.api.types.is_numeric_dtype(rows[name]):
            columns[name] = rows[name]
            continue
        first, *others = sorted(rows[name].unique())
        for level in others:
            columns[f"{name}: {level}"] = (rows[name] == level).astype("float64")
        notes.append(_LEVELS(name=name, first=first))
    return pd.DataFrame(columns, index=rows.index), notes


def fit_and_predict(
    config: StudyConfig,
    inputs: Inputs,
    rows: pd.DataFrame,
    loadings: pd.DataFrame | None,
    choice: Choice,
) -> Fits:
    """Fit the models to the rows' labels; predict the labels of subjects they have not seen."""
    import pandas as pd

    found = _fitted(config, inputs, rows, choice)
    drawn = _with_chance(config, rows, found.predictions)
    blocks = [
        drawn[drawn[EVALUATED] == name].reset_index(drop=True) for name in (*inputs.contexts, ALL)
    ]
    absent: dict[str, list[str]] = {}
    if config.baselines.human != "none":
        for i, block in enumerate(blocks):
            evaluated = str(block[EVALUATED].iloc[0])
            try:
                blocks[i] = _with_humans(config, inputs, loadings, block)
            except DataError as error:
                if config.baselines.human != "auto":
                    raise StudyError(
                        say(
                            "context {context:label}: {error}; {remedy}",
                            context=evaluated,
                            error=message_of(error),
                            remedy=NO_HUMANS,
                        )
                    ) from None
                absent.setdefault(message_of(error), []).append(evaluated)
    predictions = pd.concat(blocks, ignore_index=True)
    notes = [_NO_HUMANS(contexts=listed(contexts), reason=why) for why, contexts in absent.items()]
    return Fits(predictions, found.columns, found.tables, [*found.notes, *notes])


@in_words_of_the_file()
def _fitted(config: StudyConfig, inputs: Inputs, rows: pd.DataFrame, choice: Choice) -> Fits:
    """Return the models' predictions for subjects that they have not seen."""
    label, options = label_column(config), config.evaluation
    # A single context has one model; its own scores are those over all contexts.
    several = len(inputs.contexts) > 1
    both = several and not same_label(config)
    columns = dict.fromkeys([*CLIP_KEY, label, *(["score_pooled"] if both else [])])
    given = rows[[*columns, *choice.features, *choice.covariates]]
    given, label = with_label_called(config, given, label)
    found = fit_models(
        given,
        label=label,
        label_pooled="score_pooled" if both else None,
        kind=kind_of(config),
        positive=config.label.positive,
        features=choice.features,
        cluster="subject",
        context="context",
        clip="clip",
        models=model_specs(config),
        context_as=config.models.context_as or PAPERS,
        scheme=options.scheme,
        folds=options.folds,
        repeats=options.repeats,
        inner_folds=options.inner_folds,
        proportions=config.split.proportions,
        adjust_for=choice.covariates,
        trusted=config.models.trusted,
        seed=config.seed,
        # Starting processes costs more than a few elastic nets.
        n_jobs=config.compute.n_jobs or (-1 if config.models.estimators() else 1),
    )
    predictions, meant = _side_by_side(config, inputs, found)
    tables = _of_elastic_net(config, inputs, found, choice)
    if config.baselines.prior:
        predictions = _with_prior(config, rows, predictions, found.classes or ())
    return Fits(predictions, meant, tables, [*_model_notes(found)])


def _side_by_side(
    config: StudyConfig, inputs: Inputs, found: ModelsResult
) -> tuple[pd.DataFrame, dict[str, tuple[str, str]]]:
    """Return a row per clip and evaluation (context or all), and a column per model and repeat.

    For classes the column has the predicted class, and there is a further column for the
    probability of each class, if the model gives probabilities.
    """
    import pandas as pd

    long, classes = found.predictions, found.classes or ()
    ways = config.models.context_as
    blocks, meant = [], {}
    for evaluated in (*inputs.contexts, ALL):
        here = long if evaluated == ALL else long[long["context"] == evaluated]
        block: pd.DataFrame | None = None
        for (model, way), own in here.groupby(["model", "context_as"], sort=False):
            if ways is None and len(inputs.contexts) > 1 and way != PAPERS[evaluated == ALL]:
                continue
            name = column_of(model, way, ways)
            meant[name] = (str(model), str(way))
            for repeat, rows in own.groupby("repeat"):
                rows = rows.rename(columns={"cluster": "subject"})
                if block is None:
                    block = rows[CLIP_KEY].assign(evaluated=evaluated, truth=rows["truth"])
                    block = block.reset_index(drop=True)
                new = {repeat_column(name, repeat, config): rows["prediction"].to_numpy()}
                for label in classes:
                    likely = rows[column_of_class(label)]
                    if likely.notna().all():
                        column = probability_column(name, label)
                        new[repeat_column(column, repeat, config)] = likely.to_numpy()
                if config.evaluation.crossed:
                    new[repeat_column("fold", repeat, config)] = rows["fold"].to_numpy()
                block = block.assign(**new)
        assert block is not None
        blocks.append(block)
    table = pd.concat(blocks, ignore_index=True)
    table = _over_repeats(config, table, meant, classes)
    leading = [*CLIP_KEY, EVALUATED, "truth", *meant]
    return table[[*leading, *[name for name in table if name not in leading]]], meant


def _over_repeats(
    config: StudyConfig, table: pd.DataFrame, names: Iterable[str], classes: Sequence[Any]
) -> pd.DataFrame:
    """Add the prediction over all repeats: the mean, or the class most often predicted."""
    if config.evaluation.repeats == 1 or not config.evaluation.crossed:
        return table
    for name in names:
        every = repeat_columns(name, config)
        if not classes:
            table[name] = table[every].mean(axis=1)
            continue
        # If equally many repeats predict several classes, the first of these.
        table[name] = table[every].mode(axis=1)[0]
        for label in classes:
            column = probability_column(name, label)
            each = repeat_columns(column, config)
            if each[0] in table:
                table[column] = table[each].mean(axis=1)
    return table


def column_of(model: object, way: object, ways: Sequence[str] | None) -> str:
    """Return the column of a model's predictions, for the first or another way to use contexts."""
    if ways is None or way == ways[0]:
        return str(model)
    return f"{model}_{_SUFFIXES[str(way)]}"


def probability_column(name: str, label: object) -> str:
    """Return the column of the probability that a model gives a class."""
    return f"{name}_{column_of_class(label)}"


def repeat_column(name: str, repeat: object, config: StudyConfig) -> str:
    """Return the column of one repeat of a cross-validation; a single repeat has the plain name."""
    if not config.evaluation.crossed or config.evaluation.repeats == 1:
        return name
    return f"{name}_repeat{int(str(repeat)) + 1}"


def repeat_columns(name: str, config: StudyConfig) -> list[str]:
    """Return the columns of all repeats."""
    repeats = config.evaluation.repeats if config.evaluation.crossed else 1
    return [repeat_column(name, repeat, config) for repeat in range(repeats)]


def repeats_of(config: StudyConfig, predictions: pd.DataFrame, name: str) -> pd.DataFrame:
    """Return the predictions of each repeat of a model, if it has any, and their folds."""
    columns = [*repeat_columns(name, config), *repeat_columns("fold", config)]
    if config.label.classified:
        start = probability_column(name, "")
        columns += [one for one in map(str, predictions) if one.startswith(start)]
    own = predictions[predictions[columns[0]].notna()]
    return own[[*CLIP_KEY, EVALUATED, *columns]]


def _of_elastic_net(
    config: StudyConfig, inputs: Inputs, found: ModelsResult, choice: Choice
) -> dict[str, pd.DataFrame]:
    """Return the weights and penalties of the elastic net that was fitted once."""
    if config.models.elastic_net is None or config.evaluation.crossed:
        return {"tuning": found.tuning.astype({"value": str})} if len(found.tuning) else {}
    import pandas as pd

    every = (*inputs.contexts, ALL)

    def own(table: pd.DataFrame) -> pd.DataFrame:
        mine = table[table["model"] == "elastic_net"]
        if len(inputs.contexts) == 1:
            mine = pd.concat([mine.assign(context=name) for name in every])
        else:
            mine = mine[mine["context_as"].isin(PAPERS)]
        return mine.reset_index(drop=True)

    if found.classes is not None and len(found.classes) > 2:
        # Each class has weights of its own.
        return {"tuning": _penalties(own(found.tuning), every)}
    weights = own(found.weights())
    weights = weights[weights["feature"].isin(choice.features)]
    weights = weights[["context", "feature", "standardised"]]
    weights = weights.rename(columns={"standardised": "estimate"})
    return {
        "weights": ordered_rows(weights, "context", every, "feature", choice.features),
        "tuning": _penalties(own(found.tuning), every),
    }


def _penalties(tuning: pd.DataFrame, contexts: Sequence[str]) -> pd.DataFrame:
    """Return the penalty that was chosen, a row per context."""
    table = tuning.pivot(index="context", columns="parameter", values="value")
    table = table.astype("float64").reset_index().rename_axis(columns=None)
    return ordered_rows(table[["context", "alpha", "l1_ratio"]], "context", contexts)


def _model_notes(found: ModelsResult) -> Iterator[str]:
    """Report the warnings of estimators, and the features that did not vary."""
    for name, rows in found.constant.groupby("feature", sort=False):
        fits = rows.drop_duplicates(["model", "context_as", "context", "repeat", "fold"])
        yield NOT_VARYING(name=name, n=len(fits))
    for model, rows in found.warned.groupby("model", sort=False):
        fits = rows.drop_duplicates(["context_as", "context", "repeat", "fold"])
        yield WARNED(model=model, n=len(fits), message=rows["message"].iloc[0])

    if found.classes is None:
        return
    missing = found.predictions[column_of_class(found.classes[0])].isna()
    for model in dict.fromkeys(found.predictions.loc[missing, "model"]):
        yield NO_PROBABILITIES(model=model)
    if found.unseen is not None:
        for label, rows in found.unseen.groupby("class"):
            yield CLASS_NOT_FITTED(label=label, n=len(rows))


def _with_chance(
    config: StudyConfig, rows: pd.DataFrame, predictions: pd.DataFrame
) -> pd.DataFrame:
    """Add the baselines that do not depend on the clip, one draw for each clip."""
    options = config.baselines
    clips = predictions[CLIP_KEY].drop_duplicates().reset_index(drop=True)
    draws = clips
    if options.uniform:
        assert options.uniform_limits is not None
        low, high = options.uniform_limits
        draws = draws.assign(uniform=uniform_baseline(clips, low=low, high=high, seed=config.seed))
    if options.normal:
        # The factor is standardised, and its scores are in its unit.
        mean, sd = 0.0, 1.0
        if config.label.method != "factor":
            learned = rows if "part" not in rows else rows[rows["part"] == "train"]
            mean, sd = float(learned["score"].mean()), float(learned["score"].std(ddof=0))
        if sd > 0:
            draws = draws.assign(normal=normal_baseline(clips, mean=mean, sd=sd, seed=config.seed))
    return predictions.merge(draws, on=CLIP_KEY, how="left", validate="many_to_one")


def _with_prior(
    config: StudyConfig, rows: pd.DataFrame, predictions: pd.DataFrame, classes: Sequence[Any]
) -> pd.DataFrame:
    """Add the baseline of classes: the shares in the context, or those of all clips.

    They are computed from the rows to which a fold's models are fitted.
    """
    import pandas as pd

    blocks = []
    for evaluated, block in predictions.groupby(EVALUATED, sort=False):
        new: dict[str, Any] = {}
        for repeat in range(config.evaluation.repeats if config.evaluation.crossed else 1):
            folds = None
            if config.evaluation.crossed:
                folds = block[repeat_column("fold", repeat, config)].to_numpy()
                learned = block["truth"]
            else:
                mine = rows if evaluated == ALL else rows[rows["context"] == evaluated]
                learned = mine.loc[mine["part"] == "train", label_column(config)]
            found = _prior_of(learned, folds, len(block), classes)
            new |= {repeat_column(name, repeat, config): one for name, one in found.items()}
        blocks.append(block.assign(**new))
    table = pd.concat(blocks)
    return _over_repeats(config, table, [PRIOR], classes)


def _prior_of(
    learned: pd.Series[Any], folds: Any, n: int, classes: Sequence[Any]
) -> dict[str, Any]:
    """Return the class and the probabilities of n rows, by fold if there are folds."""
    import numpy as np

    most_frequent = np.empty(n, dtype=object)
    likely = np.zeros((n, len(classes)))
    for fold in [None] if folds is None else np.unique(folds):
        there, shares = class_shares(learned if fold is None else learned[folds != fold])
        mine = np.ones(n, dtype=bool) if fold is None else folds == fold
        most_frequent[mine] = there[int(np.argmax(shares))]
        for label, share in zip(there.tolist(), shares, strict=True):
            likely[mine, list(classes).index(label)] = share
    found: dict[str, Any] = {PRIOR: most_frequent.astype(str)}
    for at, label in enumerate(classes):
        found[probability_column(PRIOR, label)] = likely[:, at]
    return found


def human_kind(options: BaselinesSection) -> str:
    """Return the meaning of a rater in the human baseline."""
    return "slot" if options.human == "auto" else options.human


def has_humans(predictions: pd.DataFrame) -> bool:
    """Say whether a table of predictions has the human baseline."""
    return any(str(name).startswith("human_") for name in predictions)


def _with_humans(
    config: StudyConfig, inputs: Inputs, loadings: pd.DataFrame | None, block: pd.DataFrame
) -> pd.DataFrame:
    """Add each rater's score and the mean of the other raters, standardised over these rows.

    Without a factor model they are in the unit of the ratings, like the label.
    """
    weights = human_weights(config, inputs, loadings, str(block[EVALUATED].iloc[0]))
    ratings = inputs.ratings[inputs.ratings["question"].isin(weights)]
    # Repeats of a cross-validation predict a clip more than once.
    rated = ratings.merge(block[CLIP_KEY].drop_duplicates(), on=CLIP_KEY)
    humans = human_baseline(rated, weights, human=human_kind(config.baselines))
    columns = [*humans.values, *humans.truth]
    table = humans.table[[*CLIP_KEY, *columns]]
    if loadings is None:
        table = table.assign(**{name: humans.mean + humans.scale * table[name] for name in columns})
    return block.merge(table, on=CLIP_KEY, how="left")
