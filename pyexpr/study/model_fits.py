"""The models of a study, and what they and the baselines predict of unseen subjects."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pyexpr.base.contexts import ALL
from pyexpr.base.errors import DataError, StudyError, listed
from pyexpr.base.tables import ordered_rows
from pyexpr.modeling.baselines import human_baseline, normal_baseline, uniform_baseline
from pyexpr.modeling.contextual import ContextualRegressor
from pyexpr.modeling.elastic_net import ElasticNetRegressor
from pyexpr.study.config import StudyConfig
from pyexpr.study.early_checks import NO_HUMANS
from pyexpr.study.inputs import CLIP_KEY, Inputs
from pyexpr.study.labels import human_weights
from pyexpr.study.model_sections import BaselinesSection

if TYPE_CHECKING:
    import pandas as pd

#: Where the truth of a row is predicted: in its context, or over all.
EVALUATED = "evaluated"


@dataclass(frozen=True, slots=True)
class Choice:
    """The columns that enter the models: features, and what is adjusted for."""

    features: tuple[str, ...]
    covariates: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Fits:
    """What was fitted and predicted.

    Attributes
    ----------
    predictions : DataFrame
        A row per judged clip and per what it is evaluated as (its context, or all): clip key,
        evaluated, truth, a column per model, and the baselines; of cross-validation also repeat
        and fold.
    columns : dict of str to (str, str)
        Column of predictions -> the model's name, and how contexts enter it.
    tables : dict of str to DataFrame
        Weights and tuning, where the models have them.
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
    """Say whether models of contexts and models over all learn one label."""
    return config.label.method != "factor" or config.factor_model.labels == "pooled"


def design_of(rows: pd.DataFrame, names: Sequence[str]) -> tuple[pd.DataFrame, list[str]]:
    """Return columns of numbers: a category as one column of 0 and 1 for each level but one."""
    import pandas as pd

    columns, notes = {}, []
    for name in names:
        if pd.api.types.is_numeric_dtype(rows[name]):
            columns[name] = rows[name]
            continue
        first, *others = sorted(rows[name].unique())
        for level in others:
            columns[f"{name}: {level}"] = (rows[name] == level).astype("float64")
        notes.append(f"levels of {name} are told from {first!r}")
    return pd.DataFrame(columns, index=rows.index), notes


def fit_and_predict(
    config: StudyConfig,
    inputs: Inputs,
    rows: pd.DataFrame,
    loadings: pd.DataFrame | None,
    choice: Choice,
) -> Fits:
    """Fit the models to the rows' labels; predict those of subjects that they have not seen."""
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
                    raise StudyError(f"context {evaluated!r}: {error}; {NO_HUMANS}") from None
                absent.setdefault(str(error), []).append(evaluated)
    predictions = pd.concat(blocks, ignore_index=True)
    notes = [
        f"There is no human baseline of {listed(contexts)}: {why}"
        for why, contexts in absent.items()
    ]
    return Fits(predictions, found.columns, found.tables, [*found.notes, *notes])


def _fitted(config: StudyConfig, inputs: Inputs, rows: pd.DataFrame, choice: Choice) -> Fits:
    """Return predictions without baselines."""
    return _elastic_net_alone(config, inputs, rows, choice)


def _elastic_net_alone(
    config: StudyConfig, inputs: Inputs, rows: pd.DataFrame, choice: Choice
) -> Fits:
    import pandas as pd

    options, label = config.models.elastic_net, label_column(config)
    assert options is not None
    estimator = ElasticNetRegressor(
        alpha=options.alpha, l1_ratio=options.l1_ratio, refit=options.refit
    )
    fitted = fit_contextual(estimator, rows, choice.features, label)
    test = rows[rows["part"] == "test"].reset_index(drop=True)
    columns = ["context", *choice.features]
    own = test[CLIP_KEY].assign(
        evaluated=test["context"], truth=test[label], elastic_net=fitted.predict(test[columns])
    )
    pooled = test[CLIP_KEY].assign(
        evaluated=ALL,
        truth=test["score_pooled"],
        elastic_net=fitted.predict(test[columns], pooled=True),
    )
    every = (*inputs.contexts, ALL)
    weights = ordered_rows(fitted.weights(), "context", every, "feature", choice.features)
    tuning = pd.DataFrame(
        [
            {"context": name, "alpha": model.alpha_, "l1_ratio": model.l1_ratio_}
            for name, model in [*fitted.estimators_.items(), (ALL, fitted.pooled_)]
        ]
    )
    return Fits(
        pd.concat([own, pooled], ignore_index=True),
        {"elastic_net": ("elastic_net", "")},
        {"weights": weights, "tuning": ordered_rows(tuning, "context", every)},
    )


def _with_chance(
    config: StudyConfig, rows: pd.DataFrame, predictions: pd.DataFrame
) -> pd.DataFrame:
    """Add the baselines that know nothing of a clip, a draw for each."""
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


def human_kind(options: BaselinesSection) -> str:
    """Return what stands behind a rater of the human baseline."""
    return "slot" if options.human == "auto" else options.human


def has_humans(predictions: pd.DataFrame) -> bool:
    """Say whether a table of predictions has the human baseline."""
    return any(str(name).startswith("human_") for name in predictions)


def _with_humans(
    config: StudyConfig, inputs: Inputs, loadings: pd.DataFrame | None, block: pd.DataFrame
) -> pd.DataFrame:
    """Add each rater's score and the mean of the others, standardised over this block.

    Without a factor model they are in the unit of the ratings, as the label is.
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
