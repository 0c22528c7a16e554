"""The metrics of a comparison: built-in ones, scikit-learn's by name, and functions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from pyexpr.base.errors import DataError, near_names
from pyexpr.base.messages import kind_of, say
from pyexpr.base.metrics import KINDS, OF_CLASSES, OF_NUMBERS, PARTS, Kind
from pyexpr.inference.comparison.of_sklearn import sklearn_metric, sklearn_names

Metric = Callable[[Any, Any], float]
Metrics = str | Metric | Sequence[str | Metric | Mapping[str, Metric]] | Mapping[str, Metric]

#: A function of the user's, or of scikit-learn.
CALLED = Kind("", parts=("pooled",), folds=True)
#: Metrics of numbers, by the names that users give them.
METRICS = tuple(
    base if part == "pooled" else f"{base}_{part}"
    for part in PARTS
    for base in OF_NUMBERS
    if part in KINDS[base].parts
)
#: Metrics of classes.
CLASS_METRICS = OF_CLASSES
# Other names that users may give to the built-in metrics.
_KNOWN_AS = {
    "ccc": "concordance", "pearson": "correlation", "pearsonr": "correlation",
    "spearmanr": "spearman", "root_mean_squared_error": "rmse", "mean_absolute_error": "mae",
    "r2_score": "r2", "roc_auc": "auc", "roc_auc_score": "auc", "accuracy_score": "accuracy",
    "balanced_accuracy_score": "balanced_accuracy", "f1_score": "f1", "cohen_kappa": "kappa",
    "cohen_kappa_score": "kappa", "brier_score": "brier", "brier_score_loss": "brier",
}  # fmt: skip


def kind_named(base: str) -> Kind:
    """Return the kind of a metric, given its name without "_within" or "_between"."""
    return KINDS.get(base, CALLED)


def split_name(metric: str) -> tuple[str, str]:
    """Return the base and the part of a built-in metric."""
    for part in PARTS[1:]:
        base = metric.removesuffix(f"_{part}")
        if base != metric and base in KINDS:
            return base, part
    return metric, "pooled"


def checked_metrics(metrics: Any) -> dict[str, Metric | None]:
    """Return each metric once, by name, with None for built-in metrics and otherwise the function.

    Raises
    ------
    DataError
        If a metric is unknown, or is neither a name nor a function, or if two have the same name.
    """
    found: dict[str, Metric | None] = {}
    for name, item in _named(metrics):
        if isinstance(item, str):
            function = _of_name(item)
        elif callable(item):
            function = item
            if name in (*METRICS, *CLASS_METRICS):
                raise DataError(
                    say(
                        "a function of {metrics=} is called {name!r}, which is the name of a "
                        "built-in metric; give it another name: {{'my_name': function}}",
                        name=name,
                    )
                )
        else:
            raise DataError(
                say(
                    "{metrics=} must list names of metrics and functions of (truth, prediction), "
                    "but one of them is {kind}",
                    # A function of R would have to be called from Python for every replicate.
                    r="{metrics=} must list names (text), but one of them is {kind}",
                    kind=kind_of(item),
                )
            )
        if name in found and found[name] is not function:
            raise DataError(
                f"two metrics are called {name!r}; rename a function: {{'my_name': function}}"
            )
        found[name] = function
    if not found:
        raise DataError(say("{metrics=} must name at least one metric"))
    return found


def _named(metrics: Any) -> Iterable[tuple[str, Any]]:
    """Yield names and metrics."""
    if isinstance(metrics, str) or callable(metrics) or isinstance(metrics, Mapping):
        metrics = [metrics]
    # The order of a set differs between runs, so the order of the result would differ, too.
    if isinstance(metrics, (set, frozenset)) or not isinstance(metrics, Iterable):
        raise DataError(
            say("{metrics=} must be a metric or a list of them, not {kind}", kind=kind_of(metrics))
        )
    for item in metrics:
        if isinstance(item, Mapping):
            yield from ((str(name), one) for name, one in item.items())
        elif isinstance(item, str):
            yield str(item), item
        else:
            yield _own_name(item), item


def _own_name(function: Any) -> str:
    name = str(getattr(function, "__name__", type(function).__name__))
    if name == "<lambda>":
        raise DataError(
            say(
                "a function of {metrics=} has no name (lambda); give it one: "
                "{{'my_name': function}}"
            )
        )
    return name


def _of_name(name: str) -> Metric | None:
    """Return None for a built-in metric, otherwise the function of scikit-learn."""
    if name in METRICS or name in CLASS_METRICS:
        return None
    base, _, part = name.rpartition("_")
    if base in KINDS and part in PARTS:
        raise DataError(
            f"there is no metric {name!r}: {base} is defined " + " and ".join(KINDS[base].parts)
        )
    if name.casefold() in _KNOWN_AS:
        raise DataError(f"there is no metric {name!r}; it is called {_KNOWN_AS[name.casefold()]!r}")
    if name.startswith("neg_"):
        loss = name.removeprefix("neg_")
        raise DataError(
            f"there is no metric {name!r}: errors are not negated here; use "
            f"{_KNOWN_AS.get(loss, loss)!r}"
        )
    function = sklearn_metric(name)
    if function is None:
        known: Sequence[str] = (*METRICS, *CLASS_METRICS, *sklearn_names())
        raise DataError(f"there is no metric {name!r}; {near_names(name, known, lead='there are')}")
    return function
