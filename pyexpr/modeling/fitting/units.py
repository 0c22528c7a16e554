"""The fits, in this process or in several, with identical results."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from pyexpr.base.errors import DataError
from pyexpr.base.jobs import Sent, Shared, in_processes
from pyexpr.base.progress import progress as shown
from pyexpr.modeling.fitting.plan import FEATURE, POOLED, SEPARATE, Part, evaluated_contexts
from pyexpr.modeling.fitting.probabilities import class_probabilities, predicted_classes
from pyexpr.modeling.fitting.specs import Model, one_line
from pyexpr.modeling.fitting.table import Table
from pyexpr.modeling.fitting.tuned import Fit, Rows, fitted
from pyexpr.modeling.fitting.weights import weights_of

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Unit:
    """One model to fit, and the rows that it predicts.

    Attributes
    ----------
    model : Model
    context_as : str
    context : int or None
        The context of the rows; None means all contexts.
    part : Part
    where : str
        Description of the fit, for messages.
    """

    model: Model
    context_as: str
    context: int | None
    part: Part
    where: str


@dataclass(frozen=True, slots=True)
class Done:
    """The result of one fit.

    Attributes
    ----------
    predictions : (n,) float64, or of classes
        Predictions of the rows `test`.
    chosen, tuned_on
        As `pyexpr.modeling.fitting.tuned.Fit`.
    weights : list of (feature, estimate, standardised), of classifiers also class, or None
    constant : list of str
        Features that do not vary in the rows fitted.
    warned : list of str
        Warnings of the estimator.
    estimator : Sent
        The fitted estimator, or None unless it is to be kept.
    probabilities : (n, classes) float64, or None
        Probabilities, if the classifier gives any.
    unseen : list
        Classes of the label that are not among the rows fitted.
    """

    test: NDArray[np.int64]
    predictions: NDArray[Any]
    chosen: dict[str, Any]
    tuned_on: str
    weights: list[tuple[Any, ...]] | None
    constant: list[str] = field(default_factory=list)
    warned: list[str] = field(default_factory=list)
    estimator: Sent = field(default_factory=lambda: Sent(None))
    probabilities: NDArray[np.float64] | None = None
    unseen: list[Any] = field(default_factory=list)


def units_of(
    models: Sequence[Model], strategies: Sequence[str], parts: Sequence[Part], table: Table
) -> list[Unit]:
    """Return the fits of all parts, in the order of the result."""
    found = []
    for model in models:
        seeded = {seed: model.seeded(seed) for seed in {part.seed for part in parts}}
        for strategy in strategies:
            for part in parts:
                contexts: list[int | None] = [None]
                if strategy == SEPARATE:
                    contexts = [*evaluated_contexts(table, part)]
                for context in contexts:
                    where = (
                        f"model {model.name!r} ({_words(strategy, context, table)}, {part.words})"
                    )
                    found.append(Unit(seeded[part.seed], strategy, context, part, where))
    return found


def _words(strategy: str, context: int | None, table: Table) -> str:
    if context is not None:
        return f"context {str(table.context_labels[context])!r}"
    return {POOLED: "all contexts", FEATURE: "all contexts, the context as a feature"}[strategy]


def done(
    units: Sequence[Unit],
    table: Table,
    *,
    inner_folds: int,
    n_jobs: int,
    keep: bool,
    progress: bool | None,
) -> Iterator[tuple[int, Done]]:
    """Yield (number of the unit, its result), in the order of completion.

    Raises
    ------
    DataError
        The error of the first unit, in their order, that failed.
    """
    with_context = table.indicators() if any(u.context_as == FEATURE for u in units) else None
    work = _Work(table, with_context, inner_folds, keep)
    order = list(range(len(units)))
    if n_jobs > 1:
        # Otherwise, one process might fit the last large model alone while the others are idle.
        order.sort(key=lambda number: -work.n_fitted(units[number]))
    shared = Shared(work)
    tasks = [(Sent(units[number]), shared) for number in order]
    results = in_processes(_do, tasks, n_jobs=n_jobs, what="fits models")
    numbered = ((order[at], found) for at, found in results)
    try:
        bar = shown(numbered, total=len(units), label="fitting models", show=progress)
        yield from _without_errors(bar, len(units))
    finally:
        # End the processes, whether the work was completed, failed or was interrupted.
        results.close()


def _without_errors(
    results: Iterator[tuple[int, Done | DataError]], n: int
) -> Iterator[tuple[int, Done]]:
    """Yield results; raise the first error in order, after all results before it."""
    awaited, errors = set(range(n)), {}
    for number, found in results:
        awaited.discard(number)
        if isinstance(found, DataError):
            errors[number] = found
        else:
            yield number, found
        if errors and min(errors) < min(awaited, default=n):
            raise errors[min(errors)]


@dataclass(frozen=True, slots=True)
class _Work:
    """The data that all units share."""

    table: Table
    with_context: pd.DataFrame | None
    inner_folds: int
    keep: bool

    def rows(self, unit: Unit, rows: NDArray[np.int64]) -> Rows:
        """Return those of the rows that belong to the unit's context, with its label."""
        import pandas as pd

        table = self.table
        X = table.X.iloc[rows]
        if unit.context_as == FEATURE:
            assert self.with_context is not None
            X = pd.concat([X, self.with_context.iloc[rows]], axis=1)
        y = table.y if unit.context_as == SEPARATE else table.y_pooled
        return Rows(X.reset_index(drop=True), y[rows], table.clusters[rows])

    def of_context(self, unit: Unit, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return those of the rows that belong to the unit's context."""
        if unit.context is None:
            return rows
        mine: NDArray[np.bool_] = self.table.contexts[rows] == unit.context
        return rows[mine]

    def n_fitted(self, unit: Unit) -> int:
        """Return how many rows the unit's model is fitted to."""
        return len(self.of_context(unit, unit.part.train))


def _do(sent: Sent, work: _Work) -> Done | DataError:
    """Return the result of one fit, or its error; the first error in order is reported."""
    try:
        return _done(sent.value, work)
    except DataError as error:
        return error


def _done(unit: Unit, work: _Work) -> Done:
    """Fit one model and predict; results do not depend on the number of threads."""
    from threadpoolctl import threadpool_limits

    part = unit.part
    train = work.rows(unit, work.of_context(unit, part.train))
    if part.tuned_as is not None:
        train = replace(train, tuned_as=work.table.clusters[work.of_context(unit, part.tuned_as)])
    tune = None if part.tune is None else work.rows(unit, work.of_context(unit, part.tune))
    test = work.of_context(unit, part.test)
    to_predict = work.rows(unit, test).X
    if tune is not None and not len(tune.y):
        tune = None
    # With several threads, sums would be added in another order.
    with threadpool_limits(limits=1), warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        found = _fitted(unit, train, tune, work.inner_folds)
        predictions, probabilities = _predicted(
            found.estimator, to_predict, work.table.classes, unit.where
        )
        weights = weights_of(found.estimator, [str(name) for name in train.X], train.X)
    spread = np.ptp(train.X.to_numpy(), axis=0)
    return Done(
        test=test,
        predictions=predictions,
        chosen=found.chosen,
        tuned_on=found.tuned_on,
        weights=weights,
        constant=[str(name) for name, wide in zip(train.X, spread, strict=True) if wide == 0],
        warned=[f"{one.category.__name__}: {' '.join(str(one.message).split())}" for one in warned],
        estimator=Sent(found.estimator if work.keep else None),
        probabilities=probabilities,
        unseen=[one for one in work.table.classes or () if one not in train.y],
    )


def _fitted(unit: Unit, train: Rows, tune: Rows | None, inner_folds: int) -> Fit:
    try:
        return fitted(unit.model, train, tune, inner_folds=inner_folds, seed=unit.part.seed)
    except Exception as error:
        raise DataError(f"{unit.where} cannot be fitted: {_in_words(error)}") from error


def _predicted(
    estimator: Any, X: pd.DataFrame, classes: Sequence[Any] | None, where: str
) -> tuple[NDArray[Any], NDArray[np.float64] | None]:
    """Return the predictions and, for classes, the probability of each, if there are any."""
    if not len(X):
        return np.array([] if classes is None else classes)[:0], None
    try:
        if classes is None:
            return predicted_numbers(estimator.predict(X), len(X), where), None
        probabilities = None
        if hasattr(estimator, "predict_proba"):
            probabilities = class_probabilities(estimator, X, classes, where)
        return predicted_classes(estimator, X, classes, where), probabilities
    except DataError:
        raise
    except Exception as error:
        raise DataError(f"{where} cannot predict: {_in_words(error)}") from error


def predicted_numbers(given: Any, n: int, where: str) -> NDArray[np.float64]:
    """Return predictions as (n,) float64; raise `DataError` if they are not numbers."""
    given = np.asarray(given)
    if given.shape not in ((n,), (n, 1)):
        raise DataError(
            f"{where} predicts an array of shape {given.shape} for {n} rows; a regressor "
            "gives one number per row"
        )
    try:
        values: NDArray[np.float64] = given.reshape(-1).astype(np.float64)
    except (TypeError, ValueError):
        raise DataError(f"{where} predicts {given.dtype} instead of a number") from None
    wrong = ~np.isfinite(values)
    if wrong.any():
        raise DataError(
            f"{where} predicts {values[wrong][0]} in {int(wrong.sum())} of {n} rows; every row "
            "requires a finite number"
        )
    return values


def _in_words(error: Exception) -> str:
    return str(error) if isinstance(error, DataError) else one_line(error)
