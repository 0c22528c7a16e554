"""Predictions of `fit_models` as input of `compare_models`: one column per model and repeat."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pyexpr.base.errors import DataError, listed
from pyexpr.base.messages import say
from pyexpr.inference.comparison.comparison import compare_models
from pyexpr.inference.comparison.metrics import CLASS_METRICS, METRICS, checked_metrics
from pyexpr.inference.comparison.predictions import Predictions
from pyexpr.modeling.fitting.final import terms_of
from pyexpr.modeling.fitting.labels import checked_positive, column_of_class
from pyexpr.modeling.fitting.performance import spread
from pyexpr.modeling.fitting.plan import CROSS_VALIDATION, SEPARATE

if TYPE_CHECKING:
    import pandas as pd

    from pyexpr.inference.comparison.result import ComparisonResult
    from pyexpr.modeling.fitting.table import Names

_CLIP = ["cluster", "context", "clip"]
# Options that follow from the result itself.
_OURS = ("truth", "predictions", "cluster", "context", "fold", "stratify")
# Metrics that evaluate probabilities.
_OF_PROBABILITIES = ("auc", "brier")


@dataclass(frozen=True, slots=True)
class Evaluated:
    """The attributes of a `ModelsResult` that a comparison needs."""

    predictions: pd.DataFrame
    names: Names
    contexts: list[Any]
    scheme: str
    n_repeats: int
    seed: int
    classes: list[Any] | None
    positive: Any


def default_metrics(result: Evaluated) -> tuple[str, ...]:
    """Return the default metrics of the comparison."""
    if result.classes is None:
        return ("rmse", "correlation")
    if len(result.classes) > 2 and result.positive is None:
        return ("balanced_accuracy", "kappa")
    return ("auc", "balanced_accuracy")


def compare(
    result: Evaluated,
    metrics: Sequence[str] | None,
    options: dict[str, Any],
    repeats: Sequence[int] | None = None,
) -> ComparisonResult:
    """Return `compare_models` of all repeats, or of some."""
    ours = [name for name in options if name in _OURS]
    if ours:
        raise DataError(
            say(
                "{call compare()} does not accept {names}, which {call fit_models()} "
                "determines; for other comparisons use {call px.compare_models} with your own "
                "table",
                names=listed(ours),
            )
        )
    repeats = list(range(result.n_repeats)) if repeats is None else list(repeats)
    metrics = default_metrics(result) if metrics is None else metrics
    _refuse_other_kind(result, metrics)
    how = None
    if result.classes is not None:
        how = _class_options(result, metrics, options)
        if how.positive is not None:
            options = options | {"positive": how.positive}
    table, models = wide(result, repeats, how)
    context = None
    if len(result.contexts) > 1:
        context = table["context"]
    return compare_models(
        table,
        truth="truth",
        predictions=models,
        cluster=table["cluster"].rename(result.names.cluster),
        context=context,
        metrics=metrics,
        **({"seed": result.seed} | options),
    )


@dataclass(frozen=True, slots=True)
class ClassOptions:
    """The columns that metrics of classes use.

    Attributes
    ----------
    positive : text, int or None
    likely : bool
        Whether the probability of the positive class is passed on, if there is one.
    decided : bool
        Whether the class that the model predicts is passed on; otherwise its probability is cut.
    """

    positive: Any
    likely: bool
    decided: bool


def _class_options(
    result: Evaluated, metrics: Sequence[str], options: dict[str, Any]
) -> ClassOptions:
    """Return the columns that these metrics of classes use."""
    assert result.classes is not None
    given = options.get("positive")
    # The positive class of the fitted models has precedence over the default, which is 1 for 0 and
    # 1.
    given = result.positive if given is None else given
    positive = checked_positive(given, result.classes, result.names.label)
    names = [metrics] if isinstance(metrics, str) else list(metrics)
    needed = [one for one in _OF_PROBABILITIES if one in names]
    if positive is None and needed and len(result.classes) == 2 and "f1" not in names:
        # AUC and Brier's score are the same for both classes.
        positive = result.classes[-1]
    cut = options.get("threshold") is not None
    likely = positive is not None and (bool(needed) or cut)
    if likely:
        _refuse_without(result, needed[0] if needed else say("{threshold=}"))
    return ClassOptions(positive, likely, not cut)


def _refuse_other_kind(result: Evaluated, metrics: Any) -> None:
    """Raise `DataError` for a metric of classes if numbers are predicted, or the reverse."""
    for metric in checked_metrics(metrics):
        of_classes = metric in CLASS_METRICS
        if result.classes is None and of_classes:
            raise DataError(
                say(
                    "label {label!r} has numbers, but {metric} is a metric of classes; if the "
                    "values are classes, say {kind='classification'} where models are fitted",
                    label=result.names.label,
                    metric=metric,
                )
            )
        if result.classes is not None and metric in METRICS:
            raise DataError(
                f"label {result.names.label!r} has classes, but {metric} is a metric of numbers; "
                f"metrics of classes are {listed(CLASS_METRICS)}"
            )


def _refuse_without(result: Evaluated, what: str) -> None:
    """Raise `DataError` for a model without probabilities if they are needed."""
    assert result.classes is not None
    missing = result.predictions[column_of_class(result.classes[0])].isna()
    if missing.any():
        models = list(dict.fromkeys(result.predictions.loc[missing, "model"]))
        raise DataError(
            say(
                "{what} needs probabilities, and model {name!r} does not provide them (no "
                "predict_proba); remove it from {metrics=}, or calibrate the model: "
                "sklearn.calibration.CalibratedClassifierCV",
                what=what,
                name=models[0],
            )
        )


def over_repeats(
    result: Evaluated, metrics: Sequence[str] | None, options: dict[str, Any]
) -> pd.DataFrame:
    """Return the comparison together with the variation over its repeats."""
    import pandas as pd

    if result.n_repeats == 1:
        raise DataError(say("there is only one repeat; use {repeats=} in fit_models"))
    table = compare(result, metrics, options).tidy()
    few = {name: value for name, value in options.items() if name not in ("adjust", "method")}
    each = [
        compare(result, metrics, few | {"n_boot": 0}, [repeat]).tidy()["estimate"].to_numpy()
        for repeat in range(result.n_repeats)
    ]
    shown = ["metric", "term", "context", "estimate", "conf_low", "conf_high"]
    found = spread(np.column_stack(each))
    del found["mean"]
    return pd.concat([table[shown], pd.DataFrame(found)], axis=1)


def wide(
    result: Evaluated, repeats: Sequence[int], how: ClassOptions | None = None
) -> tuple[pd.DataFrame, dict[str, Predictions]]:
    """Return a row per clip with all predictions and folds, and the models by name."""
    import pandas as pd

    rows = result.predictions
    keys = list(rows[["model", "context_as"]].drop_duplicates().itertuples(index=False, name=None))
    terms = terms_of(keys)
    own_truth = result.names.label_pooled != result.names.label
    table: pd.DataFrame | None = None
    models: dict[str, Predictions] = {}
    for key in keys:
        columns: list[str] = []
        decided: list[str] | None = [] if how and how.likely and how.decided else None
        for repeat in repeats:
            mine = rows[
                (rows["model"] == key[0]) & (rows["context_as"] == key[1])
                & (rows["repeat"] == repeat)
            ]  # fmt: skip
            if table is None:
                table = mine[_CLIP].reset_index(drop=True)
            # A model may be called "truth" or "context", as other columns here are.
            column = f"prediction of {terms[key]}"
            column += "" if len(repeats) == 1 else f", repeat {repeat}"
            columns.append(column)
            # All parts have the rows in the same order.
            values = {column: mine["prediction"].to_numpy()}
            if how is not None and how.likely:
                if decided is not None:
                    decided.append(f"class of {column}")
                    values = {decided[-1]: values[column]}
                values[column] = mine[column_of_class(how.positive)].to_numpy()
            truth = "truth" if key[1] == SEPARATE or not own_truth else "truth_pooled"
            values[truth] = mine["truth"].to_numpy()
            values[f"fold {repeat}"] = mine["fold"].to_numpy()
            table = table.assign(**values)
        folds = None
        if result.scheme == CROSS_VALIDATION:
            folds = [f"fold {repeat}" for repeat in repeats]
        models[terms[key]] = Predictions(
            columns, truth=truth if own_truth else None, fold=folds, classes=decided
        )
    assert table is not None
    if len(result.contexts) > 1:
        table["context"] = pd.Categorical(table["context"], result.contexts, ordered=True)
    if "truth" not in table:
        # Every model has its own truth.
        table["truth"] = table["truth_pooled"]
    return table, models
