"""Predictions of classifiers: probabilities and classes; and their tuning."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from pyexpr.base.errors import DataError
from pyexpr.modeling.fitting.labels import CLASSIFICATION
from pyexpr.modeling.fitting.specs import Model

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

# Negative mean squared error, which is averaged over the folds of the tuning.
_OF_REGRESSORS = "neg_mean_squared_error"
# The score for classifiers without probabilities.
_OF_CLASSES = "accuracy"
# scikit-learn's lower bound of probabilities, because the logarithm of 0 does not exist.
_LEAST = float(np.finfo(np.float64).eps)
# Probabilities of networks in single precision sum to 1 only within this tolerance.
_ROUNDING = 1e-5


def scoring_of(model: Model) -> str | Callable[[Any, Any, Any], float]:
    """Return the score that a grid search of the model maximises, in the form of `GridSearchCV`.

    For classifiers it is minus the log loss, or the accuracy if they give no probabilities.
    """
    if model.kind != CLASSIFICATION:
        return _OF_REGRESSORS
    return minus_log_loss if model.probable else _OF_CLASSES


def minus_log_loss(estimator: Any, X: pd.DataFrame, y: NDArray[Any]) -> float:
    """Return the mean logarithm of the probability of the true class.

    It replaces scikit-learn's ``neg_log_loss``, which raises an error if a fold lacks some class.
    """
    found = np.asarray(estimator.predict_proba(X), dtype=np.float64)
    places = {label: at for at, label in enumerate(estimator.classes_.tolist())}
    column = np.array([places.get(label, -1) for label in y.tolist()])
    true = np.where(column < 0, 0.0, found[np.arange(len(y)), column])
    return float(np.log(np.clip(true, _LEAST, 1 - _LEAST)).mean())


def predicted_classes(
    estimator: Any, X: pd.DataFrame, classes: Sequence[Any], where: str
) -> NDArray[Any]:
    """Return the predicted class of each row.

    Raises
    ------
    DataError
        If something other than a class of the label is predicted.
    """
    given = np.asarray(estimator.predict(X))
    if given.shape not in ((len(X),), (len(X), 1)):
        raise DataError(
            f"{where} predicts an array of shape {given.shape} for {len(X)} rows; a classifier "
            "gives one class per row"
        )
    values = given.reshape(-1).tolist()
    known = {label: label for label in classes}
    other = [value for value in values if value not in known]
    if other:
        raise DataError(
            f"{where} predicts {other[0]!r} in {len(other)} of {len(X)} rows, which is not a "
            f"class of the label ({', '.join(map(str, classes))})"
        )
    # True and 1.0 are the class 1.
    return np.array([known[value] for value in values])


def class_probabilities(
    estimator: Any, X: pd.DataFrame, classes: Sequence[Any], where: str
) -> NDArray[np.float64]:
    """Return the probability of each class, (n, classes); 0 for a class that was not fitted.

    Raises
    ------
    DataError
        If the output of the estimator is not probabilities.
    """
    found = np.asarray(estimator.predict_proba(X), dtype=np.float64)
    labels = np.asarray(estimator.classes_).tolist()
    if found.shape != (len(X), len(labels)):
        raise DataError(
            f"{where} gives probabilities of shape {found.shape} for {len(X)} rows and "
            f"{len(labels)} classes"
        )
    wrong = ~np.isfinite(found) | (found < -_ROUNDING) | (found > 1 + _ROUNDING)
    if wrong.any():
        raise DataError(
            f"{where} gives {found[wrong][0]:g} as a probability in {int(wrong.any(axis=1).sum())} "
            f"of {len(X)} rows; every probability lies between 0 and 1"
        )
    off = np.abs(found.sum(axis=1) - 1) > _ROUNDING * len(labels)
    if off.any():
        raise DataError(
            f"{where} gives probabilities that sum to {found[off].sum(axis=1)[0]:g} in "
            f"{int(off.sum())} of {len(X)} rows; those of all classes sum to 1"
        )
    table = np.zeros((len(X), len(classes)))
    for at, label in enumerate(labels):
        table[:, list(classes).index(label)] = found[:, at]
    return np.clip(table, 0.0, 1.0)
