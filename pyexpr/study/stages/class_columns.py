"""The columns of a study's predictions that metrics of classes use."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pyexpr.inference.comparison.predictions import Predictions
from pyexpr.study.file.config import StudyConfig
from pyexpr.study.stages.model_fits import probability_column, repeat_columns
from pyexpr.study.tables.classes import classes_of, positive_of

if TYPE_CHECKING:
    import pandas as pd


def class_options_of(config: StudyConfig, truth: pd.Series[Any]) -> dict[str, Any]:
    """Return the positive class and the threshold, if the label is a class."""
    if not config.label.classified:
        return {}
    positive = positive_of(config, classes_of(truth))
    return {"positive": positive, "threshold": config.compare.threshold}


def predicted_class_columns(
    config: StudyConfig,
    predictions: pd.DataFrame,
    name: str,
    positive: str | None,
    repeat: int | None = None,
) -> Predictions:
    """Return the columns of a model, of all repeats or of one.

    If there is a positive class, AUC and Brier's score evaluate its probability, and with a
    threshold so do the other metrics. Otherwise metrics evaluate the predicted class.
    """
    chosen = slice(None) if repeat is None else slice(repeat, repeat + 1)
    folds = repeat_columns("fold", config)[chosen] if config.evaluation.crossed else None
    classes = repeat_columns(name, config)[chosen]
    likely = repeat_columns(probability_column(name, positive), config)[chosen]
    if positive is None or likely[0] not in predictions:
        return Predictions(classes, fold=folds)
    if config.compare.threshold is not None:
        return Predictions(likely, fold=folds)
    return Predictions(likely, fold=folds, classes=classes)
