"""Any regressor or classifier on a table, evaluated on subjects to which it was not fitted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from inspect import signature
from typing import TYPE_CHECKING, Any

import numpy as np

from pyexpr.base.jobs import checked_jobs
from pyexpr.base.stopping import stoppable
from pyexpr.modeling.fitting.assembled import (
    coefficient_table,
    feature_table,
    prediction_table,
    tuning_table,
    unseen_table,
    warning_table,
)
from pyexpr.modeling.fitting.final import FinalModels
from pyexpr.modeling.fitting.labels import checked_positive
from pyexpr.modeling.fitting.plan import (
    CROSS_VALIDATION,
    Part,
    Scheme,
    check_seen,
    label_of_context,
    plan,
    read_scheme,
    read_strategies,
)
from pyexpr.modeling.fitting.refits import Fits
from pyexpr.modeling.fitting.result import ModelsResult
from pyexpr.modeling.fitting.specs import Model, read_models
from pyexpr.modeling.fitting.table import Table, kind_in, read_names, read_table
from pyexpr.modeling.fitting.units import Done, Unit, done, units_of

if TYPE_CHECKING:
    from pyexpr.base.foreign import FrameLike


@stoppable("models were fitted")
def fit_models(
    data: FrameLike,
    *,
    label: str,
    features: Sequence[str],
    cluster: str,
    context: str | None = None,
    clip: str | None = None,
    label_pooled: str | None = None,
    kind: str | None = None,
    positive: Any = None,
    models: Mapping[str, Any] | None = None,
    context_as: str | Sequence[str] = ("separate", "pooled"),
    scheme: str = CROSS_VALIDATION,
    folds: int = 5,
    repeats: int = 1,
    inner_folds: int = 5,
    proportions: Sequence[float] = (0.6, 0.2, 0.2),
    adjust_for: Sequence[str] = (),
    trusted: Sequence[str] = ("sklearn",),
    seed: int = 0,
    n_jobs: int | None = None,
    progress: bool | None = None,
) -> ModelsResult:
    """Fit any regressors or classifiers to a table, and predict other subjects with them.

    All models, with all ways in which the context enters, are fitted to the same rows and predict
    the same subjects. Tuning uses only subjects to which the models are fitted. The rows to be
    predicted are never used, neither for tuning nor for scaling.

    Parameters
    ----------
    data : DataFrame
        One row per clip. Rows in which the label, a feature or a covariate is missing are left out
        and listed with the reason. Missing values are not imputed.
    label : str
        Column to be predicted: numbers, or classes (see `kind`).
    features : sequence of str
        Numeric columns.
    cluster : str
        Column of the subject of each row.
    context : str, optional
        Column of the context of each row; an ordered Categorical gives the order of tables.
    clip : str, optional
        Column that identifies a row within its subject and context. By default rows are numbered.
    label_pooled : str, optional
        Column that models over all contexts predict and are evaluated with, if it is not `label`.
    kind : {"regression", "classification"}, optional
        Whether the label is a number or a class. By default text, truth values and categories are
        treated as classes, and numbers as numbers; for a label of 0 and 1 use "classification".
        Classes are text or integers (True is 1); there may be at most 50.
    positive : label, optional
        The positive class for AUC, F1 and Brier's score. It is 1 if the classes are 0 and 1. With
        more than two classes, all others are combined into one when models are evaluated.
    models : mapping of str to estimator or ModelSpec, optional
        Any regressors, or any classifiers, with scikit-learn's interface, by name. A `ModelSpec`
        adds parameters, a grid to be searched, and standardised features. By default
        ``{"elastic_net": ElasticNetRegressor()}``, or `ElasticNetClassifier`. scikit-learn's
        ``DummyClassifier(strategy="prior")`` is a baseline that uses only the proportions of the
        classes among the fitted rows.
    context_as : str or sequence of str
        How the context enters the models, any of "separate" (one model per context), "pooled" (one
        model over all contexts) and "feature" (one model over all contexts, with an indicator
        column of 0 and 1 for each context). With only one context these are identical, and "pooled"
        is used.
    scheme : {"cross_validation", "split"}
        Either folds of subjects, each predicted by models fitted to the others; or one split into
        training, validation and test subjects, in which the validation part is used for tuning,
        models are fitted to the training part, and the test part is predicted.
    folds, repeats : int
        Number of folds, and number of repeats of the cross-validation with other folds.
    inner_folds : int
        Number of folds of subjects for tuning within the fitted rows; fewer if there are fewer
        subjects. An `ElasticNetRegressor` or `ElasticNetClassifier` passed in `models` uses its own
        `n_folds`.
    proportions : (float, float, float)
        Proportions of training, validation and test subjects, for ``scheme="split"``. Without a
        validation part, tuning uses inner folds.
    adjust_for : sequence of str
        Covariates that enter every model in addition to the features: numbers as they are, and
        categories (text, truth values of objects, Categorical) as an indicator column of 0 and 1
        for each category.
    trusted : sequence of str
        Packages from which estimators that are named by text may be imported. Importing a package
        runs its code.
    seed : int
        Repeat r, counted from 0, uses ``seed + r`` for its folds (`subject_folds`), its inner
        folds, and every `random_state` of an estimator that is None.
    n_jobs : int, optional
        Number of fits at a time, as in joblib: -1 is one per processor, None (the default) is 1.
        ``joblib.parallel_config`` can send them to a cluster. Results do not depend on it.
    progress : bool, optional
        Whether to show a progress bar. By default it is shown on a terminal after one second.

    Returns
    -------
    ModelsResult

    Raises
    ------
    ColumnError
        If a column does not exist, or contains text or infinite values instead of numbers.
    DataError
        If a clip is duplicated, or a feature is the label (or equals it); if a model is not of the
        kind required by the label, is not from a trusted package, does not have a parameter that is
        set or searched, fails, or does not predict a finite number, class or probability in some
        fold; if there are fewer subjects than folds, or a context, category or class to be
        predicted has no rows to which a model could be fitted; or if a label of classes has only
        one class.
    StudyError
        If a context has no subjects in some part of a split.
    Interrupted
        If Ctrl-C is pressed.

    Notes
    -----
    A grid is searched by scikit-learn's `GridSearchCV` for the lowest squared error, averaged over
    the inner folds. For classifiers it is searched for the lowest log loss, or for the highest
    accuracy if they give no probabilities (``predict_proba``; values of ``decision_function`` are
    not probabilities). If an estimator tunes itself by scikit-learn's folds (its `cv` is None or a
    number, as in `LassoCV` and `GridSearchCV`), these are replaced by inner folds of subjects,
    since folds of rows would put rows of one subject on both sides. A custom splitter is kept and
    gets the subjects as `groups`. Estimators run with one thread of BLAS and OpenMP, so that sums
    are always computed in the same order; use `n_jobs` for parallel computation.

    A feature that does not vary among the rows of a fit is kept, and a note reports it.

    Folds consist of whole subjects and are not balanced by class. A class that occurs in only one
    fold (for example in only one subject) cannot be predicted by a model that was fitted to it, and
    is an error. It is also an error if a class has no rows in a context to which the model of this
    context could be fitted.

    Checked against: scikit-learn's `cross_val_predict`, `GridSearchCV` and metrics on the same
    folds, and `ContextualRegressor` fitted fold by fold.

    Examples
    --------
    >>> import numpy as np, pandas as pd, pyexpr as px
    >>> from sklearn.linear_model import Ridge
    >>> rng = np.random.default_rng(1)
    >>> table = pd.DataFrame({"subject": np.repeat(np.arange(30), 6), "task": list("ab") * 90})
    >>> table["smile"], table["nod"] = rng.normal(size=(2, 180))
    >>> table["joy"] = table["smile"] + rng.normal(size=180)
    >>> result = px.fit_models(
    ...     table, label="joy", features=["smile", "nod"], cluster="subject", context="task",
    ...     models={"ridge": px.ModelSpec(Ridge(), grid={"alpha": [1, 10]})}, context_as="pooled",
    ... )
    >>> result.predictions.shape, result.tidy().query("context == 'all'")["metric"].tolist()
    ((180, 9), ['rmse', 'correlation', 'r2'])
    >>> result.compare(["correlation"]).tidy()["context"].tolist()
    ['a', 'b', 'all', 'a - b']

    A label of classes:

    >>> from sklearn.linear_model import LogisticRegression
    >>> table["mood"] = np.where(table["joy"] > 0, "glad", "sad")
    >>> result = px.fit_models(
    ...     table, label="mood", features=["smile", "nod"], cluster="subject", positive="glad",
    ...     models={"logit": LogisticRegression()},
    ... )
    >>> list(result.predictions.columns[-4:])
    ['truth', 'prediction', 'probability_glad', 'probability_sad']
    >>> result.tidy()["metric"].tolist()
    ['auc', 'brier', 'accuracy', 'balanced_accuracy']
    """
    job = _read(
        data, label=label, features=features, cluster=cluster, context=context, clip=clip,
        label_pooled=label_pooled, models=models, context_as=context_as, scheme=scheme,
        folds=folds, repeats=repeats, inner_folds=inner_folds, proportions=proportions,
        adjust_for=adjust_for, trusted=trusted, kind=kind, positive=positive, seed=seed,
        n_jobs=n_jobs, progress=progress,
    )  # fmt: skip
    requested, table = job.scheme, job.table
    parts, who = plan(table, requested, job.strategies)
    units = units_of(job.models, job.strategies, parts, table)
    found = _all_done(units, job)
    return ModelsResult(
        predictions=prediction_table(units, found, table),
        tuning=tuning_table(units, found, table),
        coefficients=coefficient_table(units, found, table, job.positive),
        folds=who,
        left_out=table.left_out,
        warned=warning_table(units, found, table),
        constant=feature_table(units, found, table),
        models={model.name: model.description for model in job.models},
        names=table.names,
        contexts=table.context_labels,
        scheme=requested.name,
        n_folds=requested.folds,
        n_repeats=requested.repeats,
        inner_folds=requested.inner_folds,
        proportions=tuple(float(share) for share in proportions),  # type: ignore[arg-type]
        seed=requested.seed,
        one_context=job.one_context,
        classes=table.classes,
        positive=job.positive,
        unseen=None if table.classes is None else unseen_table(units, found, table),
        again=lambda: _final(job),
        fits=Fits(
            table,
            parts,
            units,
            found,
            lambda more: _planned(more, job),
            lambda more, show: _done_as_planned(more, job, show),
            lambda more, n, bar: _kept(more, replace(job, processes=n, progress=bar)),
        ),
    )


def final_models(data: FrameLike, **options: Any) -> FinalModels:
    """Return the result of ``fit_models(data, **options).fit_all()`` without evaluation.

    For a result that was saved with its data and options.
    """
    defaults = {
        name: one.default
        for name, one in signature(fit_models).parameters.items()
        if one.default is not one.empty
    }
    return _final(_read(data, **(defaults | options)))


@dataclass(frozen=True, slots=True)
class _Job:
    """The models and rows to be fitted, after all checks."""

    models: list[Model]
    table: Table
    positive: Any
    strategies: tuple[str, ...]
    one_context: bool
    scheme: Scheme
    processes: int
    progress: bool | None


def _read(
    data: FrameLike, *, models: Any, trusted: Any, context_as: Any, scheme: Any, folds: Any,
    repeats: Any, inner_folds: Any, proportions: Any, kind: Any, positive: Any, seed: Any,
    n_jobs: Any, progress: bool | None, **columns: Any,
) -> _Job:  # fmt: skip
    """Return the plan that the arguments of `fit_models` specify."""
    names = read_names(**columns)
    requested = read_scheme(scheme, folds, repeats, inner_folds, proportions, seed)
    kind = kind_in(data, names, kind)
    estimators = read_models(
        models, trusted=trusted, inner_folds=requested.inner_folds, kind=kind, label=names.label
    )
    processes = checked_jobs(n_jobs)
    table = read_table(data, names, kind)
    positive = checked_positive(positive, table.classes, names.label)
    strategies, one_context = read_strategies(context_as, table)
    return _Job(
        estimators, table, positive, strategies, one_context, requested, processes, progress
    )


def _all_done(units: list[Unit], job: _Job, *, keep: bool = False) -> list[Done]:
    found = dict(_done_as_planned(units, job, None, keep=keep))
    return [found[number] for number in range(len(units))]


def _done_as_planned(
    units: list[Unit], job: _Job, progress: bool | None, *, keep: bool = False
) -> Iterator[tuple[int, Done]]:
    """Yield the number of each unit and its result, in the order of completion."""
    return done(
        units, job.table, inner_folds=job.scheme.inner_folds, n_jobs=job.processes, keep=keep,
        progress=job.progress if progress is None else progress,
    )  # fmt: skip


def _planned(parts: list[Part], job: _Job) -> list[Unit]:
    """Return the fits to other parts of the same table, with all other options unchanged."""
    check_seen(job.table, parts, job.strategies)
    return units_of(job.models, job.strategies, parts, job.table)


def _kept(parts: list[Part], job: _Job) -> tuple[list[Unit], list[Done]]:
    """Fit to other parts, and keep the fitted estimators."""
    units = _planned(parts, job)
    return units, _all_done(units, job, keep=True)


def _final(job: _Job) -> FinalModels:
    """Fit all rows; the same rows are also predicted, but these predictions are not used."""
    table = job.table
    every = np.arange(len(table.y))
    part = Part(0, 0, job.scheme.seed, every, None, every, "all rows")
    units = units_of(job.models, job.strategies, [part], table)
    found = _all_done(units, job, keep=True)
    estimators: dict[tuple[str, str], dict[Any, Any]] = {}
    for unit, one in zip(units, found, strict=True):
        by_context = estimators.setdefault((unit.model.name, unit.context_as), {})
        by_context[label_of_context(table, unit.context)] = one.estimator.value
    tuning = tuning_table(units, found, table).drop(columns=["repeat", "fold"])
    return FinalModels(
        estimators, tuning, table.names, table.covariates, table.context_labels, table.classes
    )
