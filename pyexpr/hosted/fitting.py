"""Specifications of models by R users, and models fitted to all rows."""

from __future__ import annotations

from collections.abc import Mapping
from inspect import signature
from typing import TYPE_CHECKING, Any

from pyexpr.base.errors import counted
from pyexpr.hosted.results import keep
from pyexpr.modeling.fitting.final import FinalModels
from pyexpr.modeling.fitting.labels import REGRESSION, shown_classes
from pyexpr.modeling.fitting.specs import MODEL, ModelSpec, own_net, read_models
from pyexpr.modeling.fitting.table import kind_in, read_names

if TYPE_CHECKING:
    import pandas as pd

#: What R calls the default model.
_ELASTIC_NET = "elastic_net"


_COLUMNS = ("label", "label_pooled", "features", "cluster", "context", "clip", "adjust_for")


def arguments_of_fit(
    data: pd.DataFrame, models: Any = None, adjust_for: Any = (), **options: Any
) -> dict[str, Any]:
    """Return the arguments of `fit_models`, including the kind of models and the models.

    Parameters
    ----------
    data : DataFrame
    models : mapping or None
        As `models_of` reads them.
    adjust_for, **options
        The other arguments, as R has them.
    """
    options["adjust_for"] = adjust_for
    names = read_names(**{part: options.get(part) for part in _COLUMNS})
    options["kind"] = kind_in(data, names, options.get("kind"))
    return {**options, "models": models_of(models, options)}


def models_of(models: Any, options: Mapping[str, Any]) -> Any:
    """Return the models of `fit_models`, with numbers of the type that each parameter has.

    Parameters
    ----------
    models : mapping or None
        Of names to the full name of a class, "elastic_net", an estimator, or a mapping of
        ``estimator``, ``params``, ``grid`` and ``scale``.
    options : mapping
        The other arguments of `fit_models`, including the kind.

    Notes
    -----
    R writes 100 for a whole number and for a number that happens to be whole. A parameter whose
    default is a float, such as 1.0, gets a float, and all others get an int; R's 1L is always an
    int. Therefore `max_features = 1` of a forest means all features, like 1.0, and 1L means one
    feature.
    """
    if not isinstance(models, Mapping):
        return models
    return {name: _typed(name, _spec_of(one, options), options) for name, one in models.items()}


def _spec_of(model: Any, options: Mapping[str, Any]) -> ModelSpec:
    spec = ModelSpec(**model) if isinstance(model, Mapping) else ModelSpec(model)
    if isinstance(spec.estimator, str) and spec.estimator == _ELASTIC_NET:
        inner_folds = options.get("inner_folds", 5)
        estimator = own_net(options.get("kind", REGRESSION))(n_folds=inner_folds)
        return ModelSpec(estimator, params=spec.params, grid=spec.grid, scale=spec.scale)
    return spec


def _typed(name: str, spec: ModelSpec, options: Mapping[str, Any]) -> ModelSpec:
    """Return the model with numbers of the same types as the defaults of its estimator."""
    whole = _numbers_as(spec, {})
    if not isinstance(spec.params, Mapping) and not spec.grid:
        return whole
    (model,) = read_models(
        {name: whole}, trusted=options.get("trusted", ("sklearn",)),
        inner_folds=options.get("inner_folds", 5), kind=options.get("kind", REGRESSION),
        label=options.get("label", ""),
    )  # fmt: skip
    estimator = model.template
    if model.scaled:
        estimator = estimator.named_steps[MODEL]
    return _numbers_as(spec, _defaults(estimator))


def _defaults(estimator: Any) -> dict[str, Any]:
    """Return the defaults of an estimator's parameters; those of parts are ``part__name``."""
    found = {key: one.default for key, one in signature(type(estimator)).parameters.items()}
    for part, value in estimator.get_params(deep=False).items():
        if hasattr(value, "get_params") and not isinstance(value, type):
            found |= {f"{part}__{key}": default for key, default in _defaults(value).items()}
    return found


def _numbers_as(spec: ModelSpec, defaults: Mapping[str, Any]) -> ModelSpec:
    grid: Any = spec.grid
    if isinstance(grid, Mapping):
        grid = _values_as(grid, defaults, each=True)
    elif isinstance(grid, list):
        grid = [
            _values_as(one, defaults, each=True) if isinstance(one, Mapping) else one
            for one in grid
        ]
    params = spec.params
    if isinstance(params, Mapping):
        params = _values_as(params, defaults, each=False)
    return ModelSpec(spec.estimator, params=params, grid=grid, scale=spec.scale)


def _values_as(
    values: Mapping[str, Any], defaults: Mapping[str, Any], *, each: bool
) -> dict[str, Any]:
    """Return parameters with their numbers typed; `each`: lists of values to choose from."""
    return {
        name: [_number_as(one, defaults.get(name)) for one in value]
        if each and isinstance(value, list)
        else _number_as(value, defaults.get(name))
        for name, value in values.items()
    }


def _number_as(value: Any, default: Any) -> Any:
    if isinstance(value, list):
        like = default[0] if isinstance(default, tuple | list) and default else default
        return [_number_as(one, like) for one in value]
    if isinstance(value, Mapping):
        return {key: _number_as(one, None) for key, one in value.items()}
    if isinstance(value, float) and value.is_integer() and not isinstance(default, float):
        return int(value)
    return value


def described_final(models: FinalModels) -> dict[str, Any]:
    """Return the tuning of models fitted to all rows, and the key by which they are stored."""
    names = models.names
    fitted = list(dict.fromkeys(model for model, _ in models.estimators))
    what = repr(names.label)
    if models.classes is not None:
        what += f" (classes {shown_classes(models.classes)})"
    return {
        "key": keep(models),
        "heading": f"{counted(len(fitted), 'model')} of {what} from "
        f"{counted(len(names.features), 'feature')}, fitted to all complete rows",
        "notes": [],
        "tables": {"tidy": models.tuning},
        "provenance": {"label": names.label, "models": fitted},
        "saved": None,
    }
