"""The models of a study file, in the form of `pyexpr.fit_models`."""

from __future__ import annotations

from typing import Any

from pyexpr.modeling.fitting.labels import CLASSIFICATION, REGRESSION
from pyexpr.modeling.fitting.specs import ModelSpec, own_net
from pyexpr.study.file.config import StudyConfig


def kind_of(config: StudyConfig) -> str:
    """Return the kind of the models."""
    return CLASSIFICATION if config.label.classified else REGRESSION


def model_specs(config: StudyConfig) -> dict[str, Any]:
    """Return the models of the study file, the elastic net first."""
    found: dict[str, Any] = {}
    net = config.models.elastic_net
    if net is not None:
        found["elastic_net"] = own_net(kind_of(config))(
            alpha=net.alpha, l1_ratio=net.l1_ratio, refit=net.refit,
            n_folds=config.evaluation.inner_folds, seed=config.seed,
        )  # fmt: skip
    for name, section in config.models.estimators().items():
        found[name] = ModelSpec(
            section.estimator, params=section.params, grid=section.grid, scale=section.scale
        )
    return found
