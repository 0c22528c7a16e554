"""Specifications of models by the user, checked before any computation."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from inspect import isclass, signature
from typing import Any

import numpy as np
from sklearn.base import clone, is_classifier, is_regressor
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from pyexpr.base.errors import DataError, listed, near_names
from pyexpr.base.messages import kind_of, say
from pyexpr.inference.arguments import checked_names
from pyexpr.modeling.elastic_net import ElasticNetRegressor
from pyexpr.modeling.elastic_net_classifier import ElasticNetClassifier
from pyexpr.modeling.fitting.labels import CLASSIFICATION, REGRESSION

# The package's own classes are always trusted.
_OWN = "pyexpr"
_DOTTED = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)+")
# The names of the steps of a model with standardised features.
SCALER, MODEL = "standardise", "model"


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """A model for `fit_models`: an estimator, its parameters, and a grid for tuning.

    Parameters
    ----------
    estimator : regressor or classifier, or str
        Any estimator with scikit-learn's interface (including `Pipeline` and `GridSearchCV`), or
        the full name of a class of a trusted package, such as
        "sklearn.ensemble.RandomForestRegressor".
    params : mapping of str to object, optional
        Parameters of the estimator, by name; parameters of a pipeline step are named
        ``step__name``.
    grid : mapping of str to sequence, or sequence of them, optional
        Values of parameters to choose from, in the form of `GridSearchCV`.
    scale : bool, default False
        Whether to standardise the features (mean 0, standard deviation 1 with divisor n) with the
        rows to which each model is fitted, separately in every fold of the tuning.

    Examples
    --------
    >>> from sklearn.linear_model import Ridge
    >>> spec = ModelSpec(Ridge(), grid={"alpha": [0.1, 1, 10]}, scale=True)
    >>> spec.scale
    True
    """

    estimator: Any
    params: Mapping[str, Any] | None = field(default=None, kw_only=True)
    grid: Mapping[str, Any] | Sequence[Mapping[str, Any]] | None = field(default=None, kw_only=True)
    scale: bool = field(default=False, kw_only=True)


@dataclass(frozen=True, slots=True)
class Model:
    """A model that can be fitted.

    Attributes
    ----------
    name : str
    template : regressor or classifier
        Cloned for each fit; with `scaled`, a Pipeline of the scaler and the estimator.
    grid : list of dict
        Values by parameters of the template; empty if nothing is searched.
    scaled : bool
    description : str
        The representation of the estimator in Python.
    kind : str
        "regression" or "classification".
    """

    name: str
    template: Any
    grid: list[dict[str, list[Any]]]
    scaled: bool
    description: str
    kind: str = REGRESSION

    @property
    def probable(self) -> bool:
        """Whether it gives probabilities; those of `decision_function` do not count."""
        return self.kind == CLASSIFICATION and hasattr(self.template, "predict_proba")

    def seeded(self, seed: int) -> Model:
        """Return the model with every `random_state` that is None set to the seed."""
        template = clone(self.template)
        empty = {
            name: seed % 2**32
            for name, value in template.get_params(deep=True).items()
            if name.rpartition("__")[2] == "random_state" and value is None
        }
        return Model(
            self.name,
            template.set_params(**empty) if empty else template,
            self.grid,
            self.scaled,
            self.description,
            self.kind,
        )


def read_models(
    models: Any, *, trusted: Any, inner_folds: int, kind: str = REGRESSION, label: str = ""
) -> list[Model]:
    """Return the models in order.

    Parameters
    ----------
    models
        As `fit_models` takes them.
    trusted : str or sequence of str
    inner_folds : int
        Number of inner folds of the default model.
    kind : str
        The kind that models must have.
    label : str
        Name of the label, for messages.

    Raises
    ------
    DataError
        If a model is of another kind, cannot be found, is not from a trusted package, or does not
        have the parameters that are set or searched. The message names the model.
    """
    packages = checked_names(trusted, argument=say("{trusted=}"))
    if models is None:
        models = {"elastic_net": own_net(kind)(n_folds=inner_folds)}
    if not isinstance(models, Mapping):
        raise DataError(
            say(
                "{models=} must be a mapping of names to estimators, such as "
                "{{'forest': RandomForestRegressor()}}, not {given}",
                r="{models=} must be a named list of models, such as list(forest = "
                '"sklearn.ensemble.RandomForestRegressor"), not {given}',
                given=_shown(models),
            )
        )
    if not models:
        raise DataError(say("{models=} must name at least one model"))
    for name in models:
        if not isinstance(name, str) or not name.strip():
            raise DataError(
                say(
                    "{models=} must have text as keys, not {name!r}",
                    r="{models=} must name each model: list(forest = ...)",
                    name=name,
                )
            )
    required = _Required(packages, kind, label)
    return [_read_model(str(name), spec, required) for name, spec in models.items()]


def own_net(kind: str) -> Any:
    """Return the class of the package's own elastic net."""
    return ElasticNetRegressor if kind == REGRESSION else ElasticNetClassifier


@dataclass(frozen=True, slots=True)
class _Required:
    """The trusted packages, and the kind and label that models must have."""

    trusted: Sequence[str]
    kind: str
    label: str


def _read_model(name: str, spec: Any, required: _Required) -> Model:
    where = say("model {name:label}", name=name)
    if not isinstance(spec, ModelSpec):
        spec = ModelSpec(spec)
    if not isinstance(spec.scale, (bool, np.bool_)):
        raise DataError(
            say(
                "{where}: {scale=} must be {value True} or {value False}, not {given!r}",
                where=where,
                given=spec.scale,
            )
        )
    params = {} if spec.params is None else spec.params
    if not isinstance(params, Mapping):
        raise DataError(
            say(
                "{where}: {params=} must be a mapping, not {kind}",
                r="{where}: {params=} must be a named list, not {kind}",
                where=where,
                kind=kind_of(params),
            )
        )
    estimator = _made(spec.estimator, params, required, where)
    grid = _read_grid(spec.grid, estimator, where)
    _refuse_two_searches(estimator, grid, where)
    scaled = bool(spec.scale)
    if scaled and is_own_net(estimator):
        raise DataError(
            say(
                "{where}: {kind} already standardises the features; leave out {scale=}",
                r='{where}: "elastic_net" already standardises the features; leave out {scale=}',
                where=where,
                kind=type(estimator).__name__,
            )
        )
    if scaled:
        estimator = Pipeline([(SCALER, StandardScaler()), (MODEL, estimator)])
        grid = [{f"{MODEL}__{key}": values for key, values in one.items()} for one in grid]
    description = " ".join(str(estimator).split())
    return Model(name, estimator, grid, scaled, description, required.kind)


def is_own_net(estimator: Any) -> bool:
    """Return whether an estimator is the package's own elastic net."""
    return isinstance(estimator, (ElasticNetRegressor, ElasticNetClassifier))


def _made(estimator: Any, params: Mapping[str, Any], required: _Required, where: str) -> Any:
    """Return a separate estimator of the requested kind, with its parameters."""
    if isinstance(estimator, str):
        estimator = _of_name(estimator, params, required.trusted, where)
    elif isclass(estimator):
        raise DataError(
            f"{where}: {estimator.__name__} is a class; pass an estimator, "
            f"{estimator.__name__}(), or its full name as text"
        )
    _check_kind(estimator, required, where)
    try:
        estimator = clone(estimator)
    except Exception as error:
        raise DataError(f"{where}: {_shown(estimator)} cannot be cloned: {one_line(error)}") from (
            error
        )
    _check_parameters(params, estimator, where, "params")
    return estimator.set_params(**params) if params else estimator


def _of_name(name: str, params: Mapping[str, Any], trusted: Sequence[str], where: str) -> Any:
    """Return an estimator of a class that is named by text; only trusted packages are imported."""
    package = name.partition(".")[0]
    if not _DOTTED.fullmatch(name):
        raise DataError(
            f"{where}: {name!r} is not the full name of a class, such as "
            "'sklearn.ensemble.RandomForestRegressor'"
        )
    if package not in (*trusted, _OWN):
        raise DataError(
            say(
                "{where}: {name!r} is of package {package!r}, which is not among those trusted "
                "({packages}), and importing it runs its code; name it in {trusted=} if you trust "
                "it",
                where=where,
                name=name,
                package=package,
                packages=listed(trusted),
            )
        )
    module_name, _, class_name = name.rpartition(".")
    try:
        module = import_module(module_name)
    except ImportError as error:
        raise DataError(f"{where}: {name!r} cannot be imported: {one_line(error)}") from error
    found = getattr(module, class_name, None)
    if found is None:
        hint = near_names(class_name, getattr(module, "__all__", None) or dir(module))
        raise DataError(f"{where}: there is no {class_name!r} in {module_name}; {hint}")
    if not (isclass(found) and callable(getattr(found, "fit", None))):
        raise DataError(f"{where}: {name!r} is no class of estimators")
    # Required parameters are passed to the constructor; the others are checked by name.
    needed = {
        key: params[key]
        for key, one in signature(found).parameters.items()
        if one.default is one.empty and key in params
    }
    try:
        return found(**needed)
    except Exception as error:
        raise DataError(f"{where}: {name}() cannot be made: {one_line(error)}") from error


def _check_kind(estimator: Any, required: _Required, where: str) -> None:
    """Raise `DataError` for anything but a model, or if it does not fit the kind of label."""
    regression = required.kind == REGRESSION
    if _is(is_regressor if regression else is_classifier, estimator):
        return
    shown = _shown(estimator)
    if regression and _is(is_classifier, estimator):
        raise DataError(
            say(
                "{where}: {shown} is a classifier, but label {label!r} contains numbers, which "
                "are not treated as classes by default; use {kind='classification'} if they "
                "are classes, or pass a regressor",
                where=where,
                shown=shown,
                label=required.label,
            )
        )
    if not regression and _is(is_regressor, estimator):
        raise DataError(
            say(
                "{where}: {shown} is a regressor, but label {label!r} contains classes; pass a "
                "classifier, or use {kind='regression'} if its values are numbers",
                where=where,
                shown=shown,
                label=required.label,
            )
        )
    kind = "regressor" if regression else "classifier"
    raise DataError(
        f"{where}: {shown} is no {kind} of scikit-learn's kind, with fit, predict and get_params; "
        f"use a {kind} instead"
    )


def _is(kind: Any, estimator: Any) -> bool:
    if isclass(estimator) or not all(
        # Some estimators have `predict` only after they are fitted.
        callable(getattr(estimator, method, None))
        for method in ("fit", "get_params")
    ):
        return False
    try:
        return bool(kind(estimator))
    except Exception:
        return False


def _check_parameters(names: Iterable[Any], estimator: Any, where: str, argument: str) -> None:
    known = estimator.get_params(deep=True)
    for name in names:
        if name not in known:
            hint = near_names(str(name), sorted(known))
            raise DataError(
                say(
                    "{where}: {@argument=} names {name!r}, but {kind} has no such parameter; "
                    "{hint}",
                    where=where,
                    argument=argument,
                    name=str(name),
                    kind=type(estimator).__name__,
                    hint=hint,
                )
            )


def _read_grid(grid: Any, estimator: Any, where: str) -> list[dict[str, list[Any]]]:
    if grid is None or (isinstance(grid, Mapping) and not grid):
        return []
    several = isinstance(grid, Sequence) and not isinstance(grid, str)
    parts = list(grid) if several else [grid]
    if not all(isinstance(part, Mapping) and part for part in parts):
        raise DataError(
            say(
                "{where}: {grid=} must be a mapping of parameters to lists of values, not "
                "{given!r}",
                r="{where}: {grid=} must be a named list of values to choose from, such as "
                "list(max_depth = c(3, 5))",
                where=where,
                given=grid,
            )
        )
    found = []
    for part in parts:
        _check_parameters(part, estimator, where, "grid")
        for name, values in part.items():
            if isinstance(values, (str, bytes, Mapping)) or not np.iterable(values):
                raise DataError(
                    say(
                        "{where}: {grid=} must give a list of values of {name!r}, not {values!r}",
                        where=where,
                        name=name,
                        values=values,
                    )
                )
        found.append({str(name): list(values) for name, values in part.items()})
        for name, values in found[-1].items():
            if not values:
                raise DataError(
                    say("{where}: {grid=} gives no value of {name!r}", where=where, name=name)
                )
    return found


def _refuse_two_searches(estimator: Any, grid: list[dict[str, list[Any]]], where: str) -> None:
    """Raise `DataError` if a grid is given for an estimator that tunes itself."""
    if not grid:
        return
    kind = type(estimator).__name__
    if accepts(estimator, "validation"):
        raise DataError(
            say(
                "{where}: {kind} tunes its own parameters; give their values there, such as "
                "{kind}(alpha=[0.1, 1]), and leave out {grid=}",
                r="{where}: {kind} tunes its own parameters; give their values there, such "
                "as `params = list(alpha = c(0.1, 1))`, and leave out {grid=}",
                where=where,
                kind=kind,
            )
        )
    if own_cv(estimator):
        raise DataError(
            say(
                "{where}: {kind} tunes itself by its own folds (cv), so {grid=} would tune it "
                "twice; use only one of them",
                where=where,
                kind=kind,
            )
        )


def accepts(estimator: Any, argument: str) -> bool:
    """Return whether the estimator's `fit` has an argument of this name."""
    return argument in signature(estimator.fit).parameters


def own_cv(estimator: Any) -> list[str]:
    """Return the outermost parameters `cv` that leave the folds to scikit-learn.

    These would be folds of rows; see `pyexpr.modeling.fitting.tuned`.
    """
    every = {
        name: value
        for name, value in estimator.get_params(deep=True).items()
        if name.rpartition("__")[2] == "cv"
    }
    owners = {name: name.removesuffix("cv") for name in every}
    return [
        name
        for name, value in every.items()
        if (value is None or (isinstance(value, (int, np.integer)) and value is not True))
        and not any(
            owners[name] != other and owners[name].startswith(other) for other in owners.values()
        )
    ]


def one_line(error: BaseException) -> str:
    """Return an error's type and message, on one line and of limited length."""
    words = " ".join(str(error).split())
    if len(words) > 400:
        words = words[:400] + " ..."
    return f"{type(error).__name__}: {words}" if words else type(error).__name__


def _shown(value: Any) -> str:
    return kind_of(value) if isinstance(value, (str, int, float, dict, list)) else repr(value)
