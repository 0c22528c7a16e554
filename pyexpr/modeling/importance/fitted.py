"""Fitted models of any origin, each with the rows that it predicts and was not fitted to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from pyexpr.base.errors import DataError
from pyexpr.base.messages import kind_of, say
from pyexpr.base.tables import as_frame, require_columns
from pyexpr.inference.arguments import checked_names
from pyexpr.modeling.contextual import ContextualRegressor
from pyexpr.modeling.fitting.final import FinalModels, terms_of
from pyexpr.modeling.fitting.labels import CLASSIFICATION, REGRESSION, checked_positive
from pyexpr.modeling.fitting.plan import FEATURE, SEPARATE, Part
from pyexpr.modeling.fitting.refits import Fits, part_without
from pyexpr.modeling.fitting.result import ModelsResult
from pyexpr.modeling.fitting.table import TABLE, Table, read_names, read_table
from pyexpr.modeling.fitting.units import Done, Unit
from pyexpr.modeling.importance.exchanges import Measures
from pyexpr.modeling.importance.kinds import (
    asked_metrics,
    classes_of,
    labels_of,
    metrics_of,
    predicts_classes,
)
from pyexpr.modeling.importance.of_classes import Classes, ClassMeasures
from pyexpr.modeling.importance.of_numbers import NumberMeasures
from pyexpr.modeling.importance.predictor import CONTEXTUAL_POOLED, OneFinal, Predictor

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from pyexpr.base.foreign import FrameLike


@dataclass(frozen=True, slots=True)
class FittedModel:
    """A fitted model, and the rows to which it was not fitted.

    Attributes
    ----------
    term : str
        What the table calls the model.
    predictor : Predictor
    X : DataFrame
        All rows of the table, with everything that the model takes.
    y : (n,) float64
        Numbers, or the codes of classes.
    rows : (m,) int64
        Positions of the rows that the model predicts.
    repeat, fold : int
    """

    term: str
    predictor: Predictor
    X: pd.DataFrame
    y: NDArray[np.float64]
    rows: NDArray[np.int64]
    repeat: int = 0
    fold: int = 0


@dataclass(frozen=True, slots=True)
class Given:
    """The models, rows and columns for which importance is computed.

    Attributes
    ----------
    table : Table
    models : list of FittedModel
    terms : list of str
    known : dict of str to list of str
        The columns of everything that can be exchanged.
    metrics : list of str
    classes : Classes or None
        If the models predict classes.
    fits : Fits or None
        The fits with which models can be fitted again; None if they cannot.
    folds : bool
        Whether there are several folds.
    others : list of str
        Models whose predictions differed when they were fitted again.
    """

    table: Table
    models: list[FittedModel]
    terms: list[str]
    known: dict[str, list[str]]
    metrics: list[str]
    classes: Classes | None
    fits: Fits | None = None
    folds: bool = False
    others: tuple[str, ...] = ()

    @property
    def measures(self) -> Measures:
        """Return how predictions are summed."""
        if self.classes is not None:
            return ClassMeasures(self.classes)
        # Numbers near 0 have accurate squares.
        return NumberMeasures(float(np.mean(self.table.y)))


def given_models(
    models: Any,
    data: FrameLike | None,
    *,
    other_columns: Any,
    metrics: Any,
    positive: Any,
    n_jobs: int,
    progress: bool | None,
    **columns: Any,
) -> Given:
    """Return the fitted models and their rows; arguments are those of `feature_importance`."""
    asked = asked_metrics(metrics)
    if isinstance(models, ModelsResult):
        told = [name for name, value in {"data": data, **columns}.items() if value is not None]
        told += ["other_columns"] if len(checked_names(other_columns, argument="")) else []
        if told:
            raise DataError(
                say(
                    "{@name=} is known from the result of fit_models(); leave it out",
                    name=told[0],
                )
            )
        return _of_result(models, asked, positive, n_jobs, progress)
    if data is None:
        raise DataError(
            say(
                "{data=} is missing: the rows on which importance is computed, to which the models "
                "were not fitted"
            )
        )
    return _of_objects(models, data, other_columns, columns, asked, positive)


def _of_result(
    result: ModelsResult,
    asked: list[str] | None,
    positive: Any,
    n_jobs: int,
    progress: bool | None,
) -> Given:
    if result.fits is None:
        raise DataError(
            "a saved result does not contain the estimators and features, with which models are "
            "fitted again; call fit_models() again"
        )
    fits = result.fits
    metrics = metrics_of(asked, classes=result.classes is not None)
    classes = None
    one = result.positive if positive is None else positive
    if result.classes is not None:
        without = [unit.model.name for unit in fits.units if not unit.model.probable]
        classes = classes_of(result.classes, one, metrics, result.names.label, without)
    elif positive is not None:
        checked_positive(positive, None, result.names.label)
    units, found = fits.kept(list(fits.parts), n_jobs, progress)
    others = {
        unit.model.name
        for unit, before, now in zip(units, fits.found, found, strict=True)
        if not np.array_equal(before.predictions, now.predictions)
    }
    table = fits.table
    known = {name: [name] for name in table.names.features}
    known |= {one.name: one.columns for one in table.covariates}
    terms = list(dict.fromkeys(_terms(units).values()))
    folds = len({unit.part.fold for unit in units}) > 1
    return Given(
        table, fitted_of(units, found, table, classes, _terms(units)), terms, known, metrics,
        classes, fits, folds, tuple(sorted(others)),
    )  # fmt: skip


def _terms(units: Sequence[Unit]) -> dict[tuple[str, str], str]:
    return terms_of(list(dict.fromkeys((unit.model.name, unit.context_as) for unit in units)))


def fitted_of(
    units: Sequence[Unit],
    found: Sequence[Done],
    table: Table,
    classes: Classes | None,
    terms: Mapping[tuple[str, str], str] | None = None,
) -> list[FittedModel]:
    """Return the models of a cross-validation, each with the rows of its fold."""
    import pandas as pd

    names = _terms(units) if terms is None else terms
    with_context = None
    if any(unit.context_as == FEATURE for unit in units):
        with_context = pd.concat([table.X, table.indicators()], axis=1)
    y, y_pooled = table.y, table.y_pooled
    if classes is not None:
        y, y_pooled = classes.codes(y.tolist()), classes.codes(y_pooled.tolist())
    models = []
    for unit, one in zip(units, found, strict=True):
        X = with_context if unit.context_as == FEATURE else table.X
        assert X is not None
        models.append(
            FittedModel(
                names[unit.model.name, unit.context_as],
                Predictor(one.estimator.value, unit.where, classes=classes),
                X,
                y if unit.context_as == SEPARATE else y_pooled,
                one.test,
                unit.part.repeat,
                unit.part.fold,
            )
        )
    return models


def _of_objects(
    models: Any,
    data: FrameLike,
    other_columns: Any,
    columns: Any,
    asked: list[str] | None,
    positive: Any,
) -> Given:
    import pandas as pd

    others = checked_names(other_columns, argument=say("{other_columns=}"))
    by_name = _named(models)
    if isinstance(models, FinalModels):
        own = models.names
        for argument in ("label", "cluster", "context"):
            columns[argument] = columns[argument] or getattr(own, argument)
        columns["features"] = columns["features"] or own.features
        others = tuple(dict.fromkeys([*others, *own.adjust_for]))
    for argument in ("label", "features", "cluster"):
        if columns[argument] is None:
            raise DataError(say("{@name=} is missing; name the column", name=argument))
    names = read_names(label_pooled=None, clip=None, adjust_for=(), **columns)
    final = isinstance(models, FinalModels)
    of_classes = models.classes is not None if final else predicts_classes(by_name)
    metrics = metrics_of(asked, classes=of_classes)
    table = read_table(data, names, CLASSIFICATION if of_classes else REGRESSION)
    classes, y = None, table.y
    if of_classes:
        assert table.classes is not None
        labels = labels_of(
            {name: OneFinal(one) if final else one for name, one in by_name.items()},
            table.classes, names.label,
        )  # fmt: skip
        without = [name for name, one in by_name.items() if not _probable(one)]
        classes = classes_of(labels, positive, metrics, names.label, without)
        y = classes.codes(table.y.tolist())
    elif positive is not None:
        checked_positive(positive, None, names.label)
    frame = as_frame(data, what=TABLE)
    doubled = [name for name in others if name in names.features]
    if doubled:
        raise DataError(
            say(
                "column {name:label} is in {features=} and in {other_columns=}; leave out one",
                name=doubled[0],
            )
        )
    require_columns(frame, others, what=TABLE)
    X = table.X
    added = list(others)
    contextual = [one for one in by_name.values() if isinstance(one, ContextualRegressor)]
    takes = any(isinstance(one.context, str) for one in contextual) or (
        isinstance(models, FinalModels) and len(models.contexts) > 1
    )
    if takes and names.context is not None:
        added = list(dict.fromkeys([*added, names.context]))
    if added:
        complete = _complete_rows(frame, table)
        X = pd.concat([X, frame[added].iloc[complete].reset_index(drop=True)], axis=1)
    every = np.arange(len(table.y))
    fitted = [
        FittedModel(name, _predictor(one, name, table, classes),
                    _for(one, X, others, names.context), y, every)
        for name, one in by_name.items()
    ]  # fmt: skip
    known = {name: [name] for name in names.features}
    return Given(table, fitted, list(by_name), known, metrics, classes)


def _probable(model: Any) -> bool:
    """Return whether a model gives probabilities."""
    if isinstance(model, FinalModels):
        return bool(model.probable)
    return hasattr(model, "predict_proba")


def _named(models: Any) -> dict[str, Any]:
    """Return the models by name."""
    if isinstance(models, FinalModels):
        terms = terms_of(list(models.estimators))
        return {
            terms[key]: replace(models, estimators={key: one})
            for key, one in models.estimators.items()
        }
    found = dict(models) if isinstance(models, Mapping) else {_called(models): models}
    if not found:
        raise DataError(say("{models=} must name at least one model"))
    for name, one in found.items():
        if not isinstance(name, str) or not name.strip():
            raise DataError(say("{models=} must have text as keys, not {name!r}", name=name))
        if isinstance(one, type) or not callable(getattr(one, "predict", None)):
            raise DataError(
                say(
                    "{models=} must be the result of fit_models(), a fitted model with "
                    "predict(X), or a mapping of names to such models, not {given}",
                    given=one.__name__ if isinstance(one, type) else kind_of(one),
                )
            )
    return found


def _called(model: Any) -> str:
    """Return the name of a model that was given without a name: that of its class."""
    steps = getattr(model, "steps", None)
    return type(steps[-1][1] if steps else model).__name__


def _predictor(model: Any, name: str, table: Table, classes: Classes | None) -> Predictor:
    where = f"model {name!r}"
    if isinstance(model, ContextualRegressor) and model.context is None:
        if getattr(model, "estimators_", None):
            if table.names.context is None:
                raise DataError(
                    say(
                        "{where} has a model for each context; name the column of the contexts by "
                        "{context=}",
                        where=where,
                    )
                )
            return Predictor(model, where, "argument")
        return Predictor(model, where, CONTEXTUAL_POOLED)
    return Predictor(model, where, classes=classes)


def _for(model: Any, X: pd.DataFrame, others: Sequence[str], context: str | None) -> pd.DataFrame:
    """Return the columns that a model takes; the contexts only if they are one of them."""
    takes = isinstance(model, FinalModels) or (
        isinstance(model, ContextualRegressor) and isinstance(model.context, str)
    )
    if takes or context is None or context in others or context not in X:
        return X
    return X.drop(columns=context)


def _complete_rows(frame: pd.DataFrame, table: Table) -> NDArray[np.int64]:
    """Return the positions of the complete rows, which the table numbers from 1 in the frame."""
    if len(frame) == len(table.y):
        return np.arange(len(frame))
    return np.array(table.clips, dtype=np.int64) - 1


def without(fits: Fits, subject: int) -> list[Part]:
    """Return the parts whose training data contained a subject, to be fitted again without it."""
    codes = fits.table.clusters
    return [
        part_without(fits, part, subject)
        for part in fits.parts
        if (codes[part.train] == subject).any()
    ]


def reasons_left_out(table: Table) -> tuple[int, str]:
    """Return how many rows of the data are not complete, and why."""
    reasons: list[str] = table.left_out["reason"].tolist() if len(table.left_out) else []
    return len(table.left_out), "; ".join(dict.fromkeys(map(str, reasons)))
