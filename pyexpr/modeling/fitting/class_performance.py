"""Performance of classifiers on rows to which they were not fitted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.metrics import (
    accuracy_score,
    balanced_accuracy_score,
    cohen_kappa_score,
    f1_score,
    roc_auc_score,
)

from pyexpr.modeling.fitting.labels import column_of_class
from pyexpr.modeling.fitting.performance import Evaluator

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

# Whether each metric is computed within folds, and whether it needs a probability.
_METRICS = {
    "auc": (True, True),
    "brier": (False, True),
    "accuracy": (False, False),
    "balanced_accuracy": (False, False),
    "f1_macro": (False, False),
    "kappa": (False, False),
}
_OF_TWO = ("auc", "brier", "accuracy", "balanced_accuracy")
_OF_SEVERAL = ("accuracy", "balanced_accuracy", "f1_macro", "kappa")
_NO_PROBABILITIES = "the model gives no probabilities"


class ClassEvaluator(Evaluator):
    """Evaluation of predicted classes, and of probabilities of one class against the rest.

    Parameters
    ----------
    classes : sequence of text or int
    positive : text or int, optional
        The class to which AUC and Brier's score refer. With two classes they are the same for both.
        With more than two, the others are combined into one, as in `compare_models`.
    """

    def __init__(self, classes: Sequence[Any], positive: Any) -> None:
        of_two = len(classes) == 2 or positive is not None
        names = _OF_TWO if of_two else _OF_SEVERAL
        self.metrics = {name: _METRICS[name][0] for name in names}
        self._positive = classes[-1] if positive is None else positive
        self._as_one = positive is not None and len(classes) > 2
        self._classes = [False, True] if self._as_one else list(classes)

    def value(self, metric: str, rows: pd.DataFrame) -> float:
        """Return a metric of rows."""
        truth, found = self._classes_in(rows, "truth"), self._classes_in(rows, "prediction")
        is_positive = (rows["truth"] == self._positive).to_numpy()
        if metric == "auc":
            return float(roc_auc_score(is_positive, self._likely(rows)))
        if metric == "brier":
            return float(np.mean((self._likely(rows) - is_positive) ** 2))
        if metric == "accuracy":
            return float(accuracy_score(truth, found))
        if metric == "balanced_accuracy":
            return float(balanced_accuracy_score(truth, found))
        if metric == "f1_macro":
            return float(f1_score(truth, found, labels=self._classes, average="macro"))
        return float(cohen_kappa_score(truth, found))

    def why_unavailable(self, metric: str, rows: pd.DataFrame) -> str:
        """Return why the metric does not exist for a model, whatever its rows; "" if it does."""
        needed = _METRICS[metric][1] and np.isnan(self._likely(rows)).any()
        return _NO_PROBABILITIES if needed else ""

    def undefined(self, metric: str, rows: pd.DataFrame) -> str:
        """Return why a metric of rows has no value; "" if it has one."""
        truth, found = (
            set(self._classes_in(rows, name).tolist()) for name in ("truth", "prediction")
        )
        absent = [self._shown(label) for label in self._classes if label not in truth]
        if metric == "auc" and absent:
            return f"no row is of class {absent[0]}"
        if metric == "balanced_accuracy" and absent:
            return f"no row is of class {absent[0]}"
        if metric == "f1_macro":
            neither = [one for one in self._classes if one not in truth | found]
            shown = [self._shown(label) for label in neither]
            return f"no row is, or is predicted as, class {shown[0]}" if neither else ""
        if metric == "kappa" and len(truth | found) < 2:
            return f"truth and prediction are {self._shown(min(truth))} in every row"
        return ""

    def _classes_in(self, rows: pd.DataFrame, column: str) -> NDArray[Any]:
        """Return the classes, or whether each is the positive one."""
        values = rows[column]
        return (values == self._positive if self._as_one else values).to_numpy()

    def _shown(self, label: Any) -> str:
        if not self._as_one:
            return repr(str(label))
        return repr(str(self._positive)) if label else f"other than {str(self._positive)!r}"

    def _likely(self, rows: pd.DataFrame) -> NDArray[np.float64]:
        return rows[column_of_class(self._positive)].to_numpy(dtype=np.float64)
