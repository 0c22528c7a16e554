"""Access to scikit-learn's regression metrics by name."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from typing import Any

_OF_REGRESSIONS = "sklearn.metrics._regression"


@cache
def _functions() -> dict[str, Callable[[Any, Any], float]]:
    """Return scikit-learn's metrics of regression, by the names of scorers and of functions.

    The prefix ``neg_`` of scorers is removed, because errors are not negated.
    """
    from sklearn import metrics

    found: dict[str, Callable[[Any, Any], float]] = {}
    for name in metrics.get_scorer_names():
        scorer: Any = metrics.get_scorer(name)
        function, options = scorer._score_func, scorer._kwargs
        if function.__module__ != _OF_REGRESSIONS:
            continue
        found[name.removeprefix("neg_")] = partial(function, **options) if options else function
    for name in metrics.__all__:
        function = getattr(metrics, name)
        if getattr(function, "__module__", "") == _OF_REGRESSIONS and "pinball" not in name:
            found.setdefault(name, function)
    return found


def sklearn_names() -> tuple[str, ...]:
    """Return the names of the metrics."""
    return tuple(_functions())


def sklearn_metric(name: str) -> Callable[[Any, Any], float] | None:
    """Return a metric of (truth, prediction); None if scikit-learn does not have it."""
    return _functions().get(name)
