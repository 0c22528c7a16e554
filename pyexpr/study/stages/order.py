"""The order of the stages of a study, and the choices on which each depends."""

from __future__ import annotations

from typing import Any

from pyexpr.study.file.config import StudyConfig
from pyexpr.study.file.model_sections import CoefficientsSection, CompareSection
from pyexpr.study.tables.labels import label_stage

# The sections of the configuration that each stage depends on; a deep model: on those before
# the models, and its own.
_DATA: dict[str, Any] = dict.fromkeys(("data", "ratings", "clips"), True)
_BEFORE_MODELS = _DATA | dict.fromkeys(
    ("label", "factor_model", "features", "evaluation", "split", "seed"), True
)
# Whether the whole analysis has intervals, too, changes no other result.
_COMPARED: dict[str, Any] = {"compare": set(CompareSection.model_fields) - {"bootstrap"}}
# Pooled slopes are computed apart from the others.
_SLOPES = set(CoefficientsSection.model_fields) - {"pooling", "subject_effects"}


def options_of(config: StudyConfig, stage: str) -> dict[str, Any]:
    """Return the part of the configuration on which a stage depends."""
    of_models = {"elastic_net", "context_as", "trusted", *config.models.estimators()}
    models = _BEFORE_MODELS | {"models": of_models, "baselines": True}
    found: dict[str, dict[str, Any]] = {
        "reliability": _DATA | _COMPARED,
        "factor_model": _DATA | {"factor_model": True},
        "label": _DATA | {"label": True},
        "features": _DATA | {"features": True},
        "models": models,
        "comparison": models | _COMPARED | {"models": True},
        "ceiling": models | _COMPARED | {"models": True},
        "chain": models | _COMPARED | {"models": True},
        "coefficients": models | _COMPARED | {"coefficients": _SLOPES},
        "pooled_coefficients": models | _COMPARED | {"coefficients": True},
    }
    deep = config.models.deep()
    if stage in deep:
        # How many trainings are done at a time does not change them.
        entries = set(type(deep[stage]).model_fields) - {"train_jobs"}
        return _BEFORE_MODELS | {"models": {stage: entries}}
    return found[stage]


def stages_of(config: StudyConfig) -> tuple[str, ...]:
    """Return the stages of a study in the order in which they run."""
    ratings = ("reliability",) if config.data.ratings is not None else ()
    deep = tuple(config.models.deep())
    # Slopes are of a label that is a number.
    slopes = () if config.label.classified else ("coefficients",)
    ceiling = () if config.compare.ceiling == "none" else ("ceiling",)
    chain = ("chain",) if config.compare.chained else ()
    pooled = () if config.coefficients.pooling == "none" else ("pooled_coefficients",)
    compared = ("comparison", *ceiling, *chain, *slopes, *pooled)
    return (*ratings, label_stage(config), "features", "models", *deep, *compared)
