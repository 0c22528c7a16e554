"""One fit, tuned on other subjects within the fitted rows.

An estimator that tunes itself by scikit-learn's folds (a parameter `cv` that is None or a number)
would put rows of one subject into both parts. It is therefore given inner folds of subjects. A
splitter that the user chose is kept, and gets the subjects as `groups`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, PredefinedSplit
from sklearn.model_selection._search import BaseSearchCV
from sklearn.pipeline import Pipeline

from pyexpr.base.errors import DataError, counted
from pyexpr.modeling.fitting.labels import CLASSIFICATION
from pyexpr.modeling.fitting.probabilities import scoring_of
from pyexpr.modeling.fitting.specs import MODEL, Model, accepts, is_own_net, own_cv
from pyexpr.modeling.splits import subject_folds

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

# The attributes in which estimators keep the penalty that they chose by themselves.
_CHOSEN = ("alpha_", "l1_ratio_", "C_")


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows to fit or tune on.

    Attributes
    ----------
    X : DataFrame of n rows
        Features.
    y : (n,) array
        Label.
    clusters : (n,) int64
        Subjects.
    tuned_as : (m,) int64, optional
        The subjects of more rows, among whom the inner folds were made. None: `clusters`.
    """

    X: pd.DataFrame
    y: NDArray[Any]
    clusters: NDArray[np.int64]
    tuned_as: NDArray[np.int64] | None = None

    def inner_folds(self, n_folds: int, seed: int) -> NDArray[np.int64]:
        """Return the inner fold of each row, counted from 0, such that a subject is in one fold."""
        every = self.clusters if self.tuned_as is None else self.tuned_as
        fold = subject_folds(every, min(int(n_folds), len(np.unique(every))), seed)
        if self.tuned_as is None:
            return fold
        of_subject = dict(zip(every.tolist(), fold.tolist(), strict=True))
        # A fold whose only subject was left out no longer exists.
        kept, own = np.unique(
            [of_subject[one] for one in self.clusters.tolist()], return_inverse=True
        )
        if len(kept) > 1:
            return own.reshape(-1).astype(np.int64)
        return replace(self, tuned_as=None).inner_folds(n_folds, seed)


@dataclass(frozen=True, slots=True)
class Fit:
    """A fitted estimator, and how it was tuned.

    Attributes
    ----------
    estimator : regressor or classifier
    chosen : dict
        Value of each parameter that was chosen.
    tuned_on : str
        "validation", "inner folds" or "none".
    """

    estimator: Any
    chosen: dict[str, Any]
    tuned_on: str


def fitted(
    model: Model, train: Rows, validation: Rows | None, *, inner_folds: int, seed: int
) -> Fit:
    """Tune and fit a model; the seed determines the inner folds."""
    template = clone(model.template)
    if model.grid:
        return _searched(model, template, train, validation, inner_folds, seed)
    for cv in own_cv(template):
        n_folds = template.get_params(deep=True)[cv] or inner_folds
        template.set_params(**{cv: _inner(train, n_folds, seed, model.kind)})
    extra: dict[str, Any] = {}
    own_validation = validation is not None and accepts(template, "validation")
    if own_validation:
        assert validation is not None
        extra["validation"] = (validation.X, validation.y)
    extra |= _groups(template, train.clusters) | _net_folds(template, train)
    estimator = template.fit(train.X, train.y, **extra)
    chosen = _chosen(estimator)
    if not chosen or getattr(_last(estimator), "tuning_", "") == "none":
        return Fit(estimator, chosen, "none")
    return Fit(estimator, chosen, "validation" if own_validation else "inner folds")


def _searched(
    model: Model, template: Any, train: Rows, validation: Rows | None, inner_folds: int, seed: int
) -> Fit:
    import pandas as pd

    if validation is None:
        search = GridSearchCV(
            template, model.grid, scoring=scoring_of(model), error_score="raise",
            cv=_inner(train, inner_folds, seed, model.kind),
        )  # fmt: skip
        search.fit(train.X, train.y)
        return Fit(search.best_estimator_, _plain(model, search.best_params_), "inner folds")
    part = np.repeat([-1, 0], [len(train.y), len(validation.y)])
    search = GridSearchCV(
        template, model.grid, scoring=scoring_of(model), error_score="raise",
        cv=PredefinedSplit(part), refit=False,
    )  # fmt: skip
    X = pd.concat([train.X, validation.X], ignore_index=True)
    search.fit(X, np.concatenate([train.y, validation.y]))
    # As for the elastic net, the validation part is for tuning and the training part for fitting.
    estimator = clone(template).set_params(**clone(search.best_params_, safe=False))
    return Fit(estimator.fit(train.X, train.y), _plain(model, search.best_params_), "validation")


def _inner(rows: Rows, n_folds: int, seed: int, kind: str) -> list[tuple[NDArray[np.int64], ...]]:
    """Return (training rows, tuning rows) of each inner fold of subjects."""
    n_subjects = len(np.unique(rows.clusters))
    if n_subjects < 2:
        raise DataError("tuning requires rows of at least 2 subjects, but there is only 1")
    fold = rows.inner_folds(n_folds, seed)
    if kind == CLASSIFICATION:
        _refuse_unseen(rows, fold)
    return [
        (np.flatnonzero(fold != k), np.flatnonzero(fold == k)) for k in range(int(fold.max()) + 1)
    ]


def _refuse_unseen(rows: Rows, fold: NDArray[np.int64]) -> None:
    """Raise `DataError` if a single inner fold contains all rows of a class."""
    for label in np.unique(rows.y).tolist():
        mine = rows.y == label
        if np.ptp(fold[mine]) == 0:
            n_subjects = len(np.unique(rows.clusters[mine]))
            raise DataError(
                f"all rows of class {str(label)!r} are in one inner fold "
                f"({counted(n_subjects, 'subject')} to be fitted), so models tuned on that fold "
                "are fitted without this class; merge the class with another, leave it out, or "
                "do not tune"
            )


def _groups(estimator: Any, clusters: NDArray[np.int64]) -> dict[str, Any]:
    """Return the subjects under the name by which the estimator's `fit` takes them."""
    if accepts(estimator, "groups") or isinstance(estimator, BaseSearchCV):
        return {"groups": clusters}
    if isinstance(estimator, Pipeline):
        name, last = estimator.steps[-1]
        if hasattr(last, "fit") and _groups(last, clusters):
            return {f"{name}__groups": clusters}
    return {}


def _net_folds(estimator: Any, train: Rows) -> dict[str, Any]:
    """Return inner folds under the name by which the package's own elastic net takes them.

    There are none unless they differ from those that it makes itself.
    """
    if train.tuned_as is None:
        return {}
    if is_own_net(estimator):
        return {"folds": train.inner_folds(estimator.n_folds, estimator.seed)}
    if isinstance(estimator, Pipeline):
        name, last = estimator.steps[-1]
        return {f"{name}__{key}": value for key, value in _net_folds(last, train).items()}
    return {}


def _last(estimator: Any) -> Any:
    """Return the estimator that makes the predictions: the last one of a pipeline or search."""
    if isinstance(estimator, Pipeline):
        return _last(estimator[-1])
    return _last(estimator.best_estimator_) if hasattr(estimator, "best_estimator_") else estimator


def _chosen(estimator: Any) -> dict[str, Any]:
    """Return the parameters that an estimator chose by itself."""
    if hasattr(estimator, "best_params_"):
        return {name: _value(value) for name, value in estimator.best_params_.items()}
    if isinstance(estimator, Pipeline):
        return _chosen(estimator[-1])
    if not is_own_net(estimator) and not hasattr(estimator, "cv"):
        return {}
    # With several classes, some estimators choose one value per class, which is not a single
    # choice.
    found = {name: np.unique(getattr(estimator, name, [])) for name in _CHOSEN}
    return {
        name.removesuffix("_"): _value(values[0])
        for name, values in found.items()
        if len(values) == 1
    }


def _plain(model: Model, chosen: Mapping[str, Any]) -> dict[str, Any]:
    """Return chosen parameters by the names that the user gave."""
    prefix = f"{MODEL}__" if model.scaled else ""
    return {name.removeprefix(prefix): _value(value) for name, value in chosen.items()}


def _value(value: Any) -> Any:
    """Return a parameter's value in a form that a file can hold: plain, or as text."""
    if isinstance(value, np.generic):
        value = value.item()
    return value if value is None or isinstance(value, (bool, int, float, str)) else str(value)
