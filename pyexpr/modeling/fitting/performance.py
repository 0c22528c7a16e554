"""Performance of models on rows to which they were not fitted, by repeat."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from pyexpr.base.contexts import ALL
from pyexpr.modeling.metrics import correlation, r2, rmse, undefined_reason

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

_METRICS: dict[str, Callable[..., float]] = {"rmse": rmse, "correlation": correlation, "r2": r2}
# Smallest number of subjects of a fold, for metrics that compare its rows with each other.
_FEWEST_SUBJECTS = 2
KEYS = ["metric", "model", "context_as", "context"]


class Evaluator:
    """Evaluation of predicted numbers.

    Attributes
    ----------
    metrics : dict of str to bool
        Whether a metric is computed within folds.
    """

    metrics: dict[str, bool]

    def __init__(self) -> None:
        self.metrics = {"rmse": False, "correlation": True, "r2": True}

    def value(self, metric: str, rows: pd.DataFrame) -> float:
        """Return a metric of rows."""
        return _METRICS[metric](rows["truth"], rows["prediction"])

    def why_unavailable(self, metric: str, rows: pd.DataFrame) -> str:
        """Return why the metric does not exist for a model, whatever its rows; "" if it does."""
        return ""

    def undefined(self, metric: str, rows: pd.DataFrame) -> str:
        """Return why a metric of rows has no value; "" if it has one."""
        return undefined_reason(metric, rows["truth"], rows["prediction"])


def performance(
    predictions: pd.DataFrame, contexts: list[Any], evaluator: Evaluator | None = None
) -> pd.DataFrame:
    """Return one row per metric, model and context; for regressors, unless `evaluator` is given.

    Columns: metric, model, context_as, context, estimate (mean over repeats); with several
    repeats sd_repeats (divisor n - 1); n, n_clusters (of a repeat), reason.
    """
    import pandas as pd

    evaluator = evaluator or Evaluator()
    rows = []
    requested = [*contexts, ALL] if len(contexts) > 1 else list(contexts)
    several = predictions["repeat"].nunique() > 1
    models = predictions.groupby(["model", "context_as"], sort=False, observed=True)
    for (model, context_as), own in models:
        for context in requested:
            mine = own if context == ALL else own[own["context"] == context]
            by_repeat = [part for _, part in mine.groupby("repeat")]
            for metric in evaluator.metrics:
                values, reasons = zip(
                    *(_value(metric, part, evaluator) for part in by_repeat), strict=True
                )
                found = np.array(values)
                row = {
                    "metric": metric, "model": model, "context_as": context_as,
                    "context": context, "estimate": float(found.mean()),
                }  # fmt: skip
                if several:
                    row["sd_repeats"] = float(found.std(ddof=1))
                rows.append(
                    row
                    | {
                        "n": len(by_repeat[0]),
                        "n_clusters": int(by_repeat[0]["cluster"].nunique()),
                        "reason": "; ".join(dict.fromkeys(filter(None, reasons))),
                    }
                )
    order = {metric: place for place, metric in enumerate(evaluator.metrics)}
    table = pd.DataFrame(rows)
    places = np.argsort(table["metric"].map(order).to_numpy(), kind="stable")
    return table.iloc[places].reset_index(drop=True)


def _value(metric: str, rows: pd.DataFrame, evaluator: Evaluator) -> tuple[float, str]:
    """Return a metric of one repeat, and the reason if it is NaN."""
    unavailable = evaluator.why_unavailable(metric, rows)
    if unavailable:
        return np.nan, unavailable
    if not evaluator.metrics[metric]:
        reason = evaluator.undefined(metric, rows)
        return (np.nan, reason) if reason else (evaluator.value(metric, rows), "")
    values, weights = [], []
    folds = rows["fold"].to_numpy()
    for fold in np.unique(folds):
        part = rows[folds == fold]
        if part["cluster"].nunique() < _FEWEST_SUBJECTS:
            return np.nan, f"fold {fold} has rows of one subject"
        reason = evaluator.undefined(metric, part)
        if reason:
            return np.nan, f"{reason} in fold {fold}"
        values.append(evaluator.value(metric, part))
        weights.append(len(part))
    return float(np.average(values, weights=weights)), ""


def spread(table: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
    """Return mean, standard deviation (divisor n - 1) and range over repeats, by row."""
    return {
        "mean": table.mean(axis=1),
        "sd_repeats": table.std(axis=1, ddof=1),
        "lowest": table.min(axis=1),
        "highest": table.max(axis=1),
    }
