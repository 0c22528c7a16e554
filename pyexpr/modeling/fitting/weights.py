"""The coefficients of fitted models, per unit and per standard deviation of the features."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import is_classifier
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from pyexpr.modeling.fitting.specs import is_own_net

if TYPE_CHECKING:
    import pandas as pd


def weights_of(estimator: Any, columns: list[str], X: pd.DataFrame) -> list[tuple[Any, ...]] | None:
    """Return (feature, weight per unit, weight per standard deviation), or None.

    For classifiers the class is added. With two classes it is the second, to whose log odds the
    weights refer. Standard deviations (divisor n) are those of the rows fitted, `X`.
    """
    scale = np.ones(len(columns))
    standardised = False
    final = estimator
    while isinstance(final, Pipeline) or hasattr(final, "best_estimator_"):
        if hasattr(final, "best_estimator_"):
            final = final.best_estimator_
            continue
        for _, step in final.steps[:-1]:
            if not isinstance(step, StandardScaler):
                # A step of a pipeline may have produced other features than it was given.
                return None
            if step.scale_ is not None:
                scale, standardised = scale * step.scale_, True
        final = final[-1]
    coef = getattr(final, "coef_", None)
    if coef is None:
        return None
    rows = np.asarray(coef, dtype=np.float64)
    classes: list[Any] = [None]
    if is_classifier(final):
        labels = np.asarray(final.classes_).tolist()
        classes = labels[1:] if len(labels) == 2 else labels
    if rows.size != len(classes) * len(columns):
        # There may be coefficients for each pair of classes, or for other features.
        return None
    if is_own_net(final):
        scale, standardised = scale * final.scale_, True
    found: list[tuple[Any, ...]] = []
    for label, values in zip(classes, rows.reshape(len(classes), -1), strict=True):
        own = values / scale
        if not standardised:
            values = values * X.to_numpy(dtype=np.float64).std(axis=0)
        label_column = [] if label is None else [[label] * len(columns)]
        found += zip(columns, own.tolist(), values.tolist(), *label_column, strict=True)
    return found
