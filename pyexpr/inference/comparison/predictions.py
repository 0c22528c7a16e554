"""The models to be compared, as specified by the user: metrics, columns, contexts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pyexpr.base.contexts import ALL
from pyexpr.base.errors import ColumnError, DataError, listed
from pyexpr.base.messages import say
from pyexpr.base.tables import (
    called,
    check_flat_columns,
    check_magnitude,
    column_or_array,
    label_codes,
    numeric_column,
    of_usual_magnitude,
    require_columns,
)
from pyexpr.core import cluster_bootstrap as core
from pyexpr.inference.arguments import checked_names
from pyexpr.inference.comparison.classes import ClassColumn, Classes, read_classes
from pyexpr.inference.comparison.from_files import FileColumns
from pyexpr.inference.comparison.metrics import CLASS_METRICS
from pyexpr.inference.comparison.quantities import ColumnValues, ModelValues

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import ArrayLike, NDArray

TABLE = "the table of predictions"


@dataclass(frozen=True, slots=True)
class Predictions:
    """The columns of a model with several columns or with a separate truth.

    The metric of a model with several columns is the mean of the metrics of its columns, also
    within every replicate. Examples are the seeds of a network, or the human baseline, which has
    one column per rater, each with its own truth.

    If a model uses the truth of `compare_models`, a row with a missing value in any of its columns
    is left out for all models, and counted. If `truth` is given here, columns may have missing
    values. Each is then evaluated on its available rows, and the result states their number.

    Parameters
    ----------
    values : str or sequence of str
        Names of the columns of predictions.
    truth : str or sequence of str, optional
        Name of the truth of all columns, or of each. By default the truth given to
        `compare_models`.
    fold : str or sequence of str, optional
        Name of the column with the fold in which each row was predicted, for all columns, or for
        each, such as in repeated cross-validation. By default the `fold` given to `compare_models`.
    classes : str or sequence of str, optional
        Name of the column with the predicted class, one for each of `values`, which must then be
        numbers. AUC and Brier's score use the numbers, and other metrics of classes use the
        predicted classes. By default classes are derived from the numbers by `threshold`.

    Examples
    --------
    >>> Predictions(["rater_1", "rater_2"], truth=["others_1", "others_2"]).values
    ('rater_1', 'rater_2')
    """

    values: str | Sequence[str]
    truth: str | Sequence[str] | None = None
    fold: str | Sequence[str] | None = None
    classes: str | Sequence[str] | None = None

    def __post_init__(self) -> None:
        values = checked_names(self.values, argument="Predictions")
        if not values:
            raise DataError("a model needs at least one column of predictions")
        object.__setattr__(self, "values", values)
        for name, several in (
            ("truth", "truths"), ("fold", "columns of folds"), ("classes", "columns of classes"),
        ):  # fmt: skip
            given = getattr(self, name)
            if given is None:
                continue
            own = checked_names(given, argument=say("{@name=} of Predictions", name=name))
            if isinstance(given, str) and name != "classes":
                own *= len(values)
            if len(own) != len(values):
                one_for_all = "" if name == "classes" else "one for all, or "
                raise DataError(
                    f"a model has {len(values)} columns of predictions but {len(own)} {several}; "
                    f"name {one_for_all}one for each"
                )
            object.__setattr__(self, name, own)


class _Columns:
    """The requested columns of a table, each read once as numbers."""

    def __init__(self, frame: pd.DataFrame) -> None:
        self._frame = frame
        self._values: dict[str, NDArray[np.float64]] = {}
        self._there: dict[str, NDArray[np.bool_] | None] = {}
        self._least: dict[str, float] = {}

    def values(self, name: str) -> NDArray[np.float64]:
        """Return a column, missing values as NaN."""
        if name not in self._values:
            self._values[name], self._there[name] = self._read(name)
        return self._values[name]

    def there(self, name: str) -> NDArray[np.bool_] | None:
        """Return where a column has values; None is everywhere."""
        self.values(name)
        return self._there[name]

    def least(self, name: str) -> float:
        """Return the part of a column's variance, relative to its squared mean, due to rounding."""
        if name not in self._least:
            of_single = _is_single(self.values(name))
            self._least[name] = core.LEAST_SINGLE if of_single else core.LEAST_DOUBLE
        return self._least[name]

    def codes(self, name: str) -> NDArray[np.int64] | None:
        """Return None, because numbers are not classes."""
        return None

    def _read(self, name: str) -> tuple[NDArray[np.float64], NDArray[np.bool_] | None]:
        require_columns(self._frame, [name], what=TABLE)
        column = self._frame[name]
        if column.dtype == np.float64:
            values = column.to_numpy()
            if len(values) and of_usual_magnitude(values):
                return values, None
            if len(values) and np.isfinite(values).all():
                check_magnitude(values, name=f"column {name!r} of {called(column, TABLE)}")
                return values, None
        values = numeric_column(self._frame, name, what=TABLE)
        there = ~np.isnan(values)
        if not there.any():
            raise ColumnError(f"column {name!r} of {called(column, TABLE)} has no value in any row")
        return values, there


class _ClassColumns:
    """Columns that are classes, or numbers that determine them; analogous to `_Columns`."""

    def __init__(self, columns: Mapping[str, ClassColumn]) -> None:
        self._columns = columns

    def values(self, name: str) -> NDArray[np.float64]:
        """Return scores, or codes; NaN where missing."""
        return self._columns[name].values

    def there(self, name: str) -> NDArray[np.bool_] | None:
        """Return where a column has values; None is everywhere."""
        there = self._columns[name].codes >= 0
        return None if there.all() else there

    def least(self, name: str) -> float:
        """Return the part of a column's variance, relative to its squared mean, due to rounding."""
        return core.LEAST_SINGLE if _is_single(self.values(name)) else core.LEAST_DOUBLE

    def codes(self, name: str) -> NDArray[np.int64] | None:
        """Return the classes."""
        return self._columns[name].codes


def _is_single(values: NDArray[np.float64]) -> bool:
    """Return whether values were rounded to single precision, as in many networks.

    This is assumed if all values are representable in single precision, but not all in 20 bits or
    as whole numbers, as ratings and other values that were not rounded would be.
    """
    for part in (values[:64], values):
        there = part[~np.isnan(part)]
        with np.errstate(over="ignore"):
            if not (there.astype(np.float32) == there).all():
                return False
    largest = float(np.abs(there).max(initial=0.0))
    if largest == 0:
        return False
    step = 2.0 ** (np.frexp(largest)[1] - 20)
    return not any(np.array_equal(np.rint(there / one), there / one) for one in (step, 1.0))


def _all_there(rows: NDArray[np.bool_], *masks: NDArray[np.bool_] | None) -> NDArray[np.bool_]:
    """Return the rows that are in every mask; the same array if these are all rows."""
    for mask in masks:
        if mask is not None:
            rows = rows & mask
    return rows


def check_truth(truth: Any) -> None:
    """Raise `DataError` unless the truth is named."""
    if not isinstance(truth, str):
        raise DataError(
            say(
                "{truth=} must be the name of a column of {value}, not {kind}",
                value=TABLE,
                kind=type(truth).__name__,
            )
        )


def named_models(
    predictions: Iterable[str] | Mapping[str, str | Iterable[str] | Predictions],
) -> dict[str, Predictions]:
    """Return the models by their names."""
    if isinstance(predictions, Mapping):
        named = {}
        for name, item in predictions.items():
            if not isinstance(item, Predictions):
                item = Predictions(
                    checked_names(item, argument=say("{predictions=} of {name:label}", name=name))
                )
            if str(name) in named:
                raise DataError(say("{predictions=} names {name!r} more than once", name=str(name)))
            named[str(name)] = item
    else:
        names = checked_names(
            predictions,
            argument=say("{predictions=}"),
            hint="; or pass a mapping {model: columns or Predictions}",
        )
        doubled = [name for name in dict.fromkeys(names) if names.count(name) > 1]
        if doubled:
            raise DataError(
                say("{predictions=} names {names} more than once", names=listed(doubled))
            )
        named = {name: Predictions(name) for name in names}
    if not named:
        raise DataError(say("{predictions=} must name at least one model"))
    return named


def _decided(models: Iterable[Predictions]) -> dict[str, str]:
    """Return the column of predicted classes of each column of numbers that has one."""
    found: dict[str, str] = {}
    for model in models:
        given = model.classes or (None,) * len(model.values)
        for column, classes in zip(model.values, given, strict=True):
            if classes is not None and found.setdefault(column, classes) != classes:
                raise DataError(
                    f"column {column!r} is used with the classes of column {found[column]!r} "
                    f"and with those of {classes!r}; name only one of them"
                )
    for model in models:
        both = [one for one in model.values if one in found and model.classes is None]
        if both:
            raise DataError(
                f"column {both[0]!r} is used with the classes of column {found[both[0]]!r} and "
                "without them; name the classes in both places"
            )
    return found


def check_class_options(metrics: Iterable[str], positive: Any, threshold: Any) -> None:
    """Raise `DataError` for options of classes without metrics of classes."""
    if any(metric in CLASS_METRICS for metric in metrics):
        return
    for name, value in (("positive", positive), ("threshold", threshold)):
        if value is not None:
            raise DataError(
                say(
                    "{@name=} is for metrics of classes, but {metrics=} contains none; they "
                    "are {names}",
                    name=name,
                    names=listed(CLASS_METRICS),
                )
            )


def read_models(
    frame: pd.DataFrame,
    truth: str,
    predictions: Iterable[str] | Mapping[str, str | Iterable[str] | Predictions],
    metrics: Sequence[str] = (),
    positive: Any = None,
    threshold: float | None = None,
    numbers: FileColumns | None = None,
) -> tuple[list[ModelValues], NDArray[np.bool_], Classes | None]:
    """Return the models, the rows that any of them uses, and the classes if there are any.

    `numbers` are the columns of a table that is not in memory, whose row classes `frame` has.
    """
    check_flat_columns(frame, what=TABLE)
    check_truth(truth)
    named = named_models(predictions)
    # A model evaluated with the common truth must have every row in every column. Otherwise, the
    # mean over its columns would be based on other rows than the other models.
    whole = {name: model.truth is None for name, model in named.items()}
    true: _Columns | _ClassColumns | FileColumns = numbers or _Columns(frame)
    predicted, classes = true, None
    if any(metric in CLASS_METRICS for metric in metrics):
        truths = [truth] if any(whole.values()) else []
        truths += [one for model in named.values() for one in model.truth or ()]
        columns = [one for model in named.values() for one in model.values]
        of_class = [metric for metric in metrics if metric in CLASS_METRICS]
        classes, of_truth, of_predictions = read_classes(
            frame, truths, columns, of_class, positive, threshold, what=TABLE,
            decided=_decided(named.values()),
        )  # fmt: skip
        true, predicted = _ClassColumns(of_truth), _ClassColumns(of_predictions)
        others = [metric for metric in metrics if metric not in CLASS_METRICS]
        if others and not classes.numbers:
            raise DataError(
                f"{others[0]} is a metric of numbers and {of_class[0]} of classes, and the classes "
                f"are not 0 and 1 ({listed(classes.labels)}); compare in two calls"
            )
    needed = [true.there(truth)] if any(whole.values()) else []
    needed += [predicted.there(one) for name in named if whole[name] for one in named[name].values]
    complete = _all_there(np.ones(len(frame), dtype=bool), *needed)
    if not complete.any():
        raise DataError(
            f"no row of {called(frame, TABLE)} has the truth {truth!r} and every prediction; "
            "leave out the model that is missing there, or name its truth (Predictions), which "
            "evaluates each of its columns on its available rows"
        )
    models = []
    used = complete if any(whole.values()) else np.zeros(len(frame), dtype=bool)
    for name, model in named.items():
        own = []
        criteria = model.truth or (truth,) * len(model.values)
        folds = model.fold or (None,) * len(model.values)
        for column, criterion, fold in zip(model.values, criteria, folds, strict=True):
            rows = complete
            if not whole[name]:
                rows = _all_there(complete, predicted.there(column), true.there(criterion))
                # Models that are evaluated on the same rows share the same array.
                rows = complete if np.array_equal(rows, complete) else rows
                used = used | rows
            p, t = predicted.values(column), true.values(criterion)
            least = predicted.least(column), true.least(criterion)
            codes = predicted.codes(column)
            own.append(ColumnValues(column, criterion, p, t, rows, least, fold, codes))
        models.append(ModelValues(name, tuple(own)))
    return models, used, classes


def read_contexts(
    frame: pd.DataFrame, context: str | ArrayLike | None
) -> tuple[list[str], list[NDArray[np.bool_] | None]]:
    """Return the contexts, "all" last, and the rows of each; None is every row."""
    if context is None:
        return [ALL], [None]
    name, series = column_or_array(frame, context, argument="context", what=TABLE)
    codes, labels = label_codes(series, name=name, what=TABLE, keep_order=True)
    names = [str(label) for label in labels]
    if len(names) == 1:
        return names, [None]
    rows: dict[str, NDArray[np.bool_] | None] = {label: codes == i for i, label in enumerate(names)}
    # In the predictions.csv of a study, rows called "all" are those of the model over all contexts.
    over_all = rows.pop(ALL, None)
    return [*rows, ALL], [*rows.values(), over_all]
