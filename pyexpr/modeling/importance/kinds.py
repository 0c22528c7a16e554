"""Whether models predict numbers or classes, and the metrics that can be asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from pyexpr.base.errors import DataError, listed
from pyexpr.base.messages import say
from pyexpr.inference.arguments import checked_names
from pyexpr.modeling.fitting.labels import checked_positive
from pyexpr.modeling.importance import of_classes, of_numbers
from pyexpr.modeling.importance.of_classes import Classes

NUMBERS_DEFAULT, CLASSES_DEFAULT = "rmse", "accuracy"


def asked_metrics(metrics: Any) -> list[str] | None:
    """Return the metrics that the user names; None if that is left to the kind of the models."""
    if metrics is None:
        return None
    names = list(dict.fromkeys(checked_names(metrics, argument=say("{metrics=}"))))
    return _known(names, (*of_numbers.METRICS, *of_classes.METRICS), metrics)


def metrics_of(asked: list[str] | None, *, classes: bool) -> list[str]:
    """Return the metrics for models that predict numbers, or classes."""
    if asked is None:
        return [CLASSES_DEFAULT if classes else NUMBERS_DEFAULT]
    return _known(asked, of_classes.METRICS if classes else of_numbers.METRICS, asked,
                  " of models that predict " + ("classes" if classes else "numbers"))  # fmt: skip


def _known(names: list[str], known: Sequence[str], given: Any, of: str = "") -> list[str]:
    unknown = [name for name in names if name not in known]
    if unknown or not names:
        raise DataError(
            say(
                "{metrics=}{of} must name any of {names}, not {given!r}",
                of=of, names=listed(known), given=unknown[0] if unknown else given,
            )
        )  # fmt: skip
    return names


def classes_of(
    labels: Sequence[Any], positive: Any, metrics: Sequence[str], label: str,
    without_probabilities: Sequence[str],
) -> Classes:  # fmt: skip
    """Return the classes that models predict.

    Parameters
    ----------
    labels : sequence
        All classes.
    positive : text, int or None
    metrics : sequence of str
    label : str
        The column of the true class.
    without_probabilities : sequence of str
        Models that give no probabilities.

    Raises
    ------
    DataError
        If a metric needs a positive class, or probabilities, that do not exist.
    """
    one = checked_positive(positive, labels, label)
    wanting = [
        name for name in metrics
        if name in of_classes.OF_ONE and one is None and (name == "f1" or len(labels) > 2)
    ]  # fmt: skip
    if wanting:
        raise DataError(
            say(
                "metric {metric!r} evaluates one class against the rest; name the class by "
                "{positive=}, one of {classes}",
                metric=wanting[0], classes=listed([str(one) for one in labels]),
            )
        )  # fmt: skip
    needing = [name for name in metrics if name in of_classes.PROBABLE]
    if needing and without_probabilities:
        raise DataError(
            say(
                "metric {metric!r} needs probabilities, but model {model!r} gives none "
                "(predict_proba); use a model that does, or {metrics='accuracy'}",
                metric=needing[0], model=without_probabilities[0],
            )
        )  # fmt: skip
    return Classes(tuple(labels), one, bool(needing))


def predicts_classes(models: Mapping[str, Any]) -> bool:
    """Return whether fitted models predict classes; all of them do, or none."""
    found = {
        name: getattr(one, "_estimator_type", None) == "classifier" or hasattr(one, "classes_")
        for name, one in models.items()
    }
    if len(set(found.values())) > 1:
        one, other = (
            next(name for name in found if found[name] is which) for which in (True, False)
        )
        raise DataError(
            say(
                "{models=} must predict numbers or classes, but {one!r} predicts classes and "
                "{other!r} does not; examine them apart",
                one=one, other=other,
            )
        )  # fmt: skip
    return next(iter(found.values()))


def labels_of(models: Mapping[str, Any], present: Sequence[Any], label: str) -> list[Any]:
    """Return all classes that models predict or that are among the rows, sorted."""
    found = list(present)
    for name, one in models.items():
        own = np.asarray(getattr(one, "classes_", present))
        if own.ndim != 1:
            raise DataError(f"model {name!r} predicts several labels; use a model of one label")
        known = own.tolist()
        if not any(value in present for value in known):
            raise DataError(
                f"model {name!r} predicts the classes {_shown(known)}, none of which is among "
                f"those of label {label!r}, {_shown(present)}"
            )
        found += [value for value in known if value not in found]
    return sorted(found)


def _shown(classes: Sequence[Any]) -> str:
    return listed([str(one) for one in classes])
