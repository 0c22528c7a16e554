"""The sections of a study file about models, and how they are evaluated and compared."""

from __future__ import annotations

import re
from math import isfinite
from typing import Any, Literal

from pydantic import ConfigDict, Field, field_serializer, field_validator, model_validator

from pyexpr.base.interval_methods import INTERVAL_METHODS
from pyexpr.behavior.features.frame_store import wanted_groups
from pyexpr.inference.coefficients.penalised import ALPHAS, L1_RATIOS
from pyexpr.inference.comparison.metrics import CLASS_METRICS, METRICS
from pyexpr.modeling.chain.intervals import METHODS as CHAIN_METHODS
from pyexpr.modeling.chain.intervals import PERCENTILE
from pyexpr.study.file.section import Section, known_names


class SplitSection(Section):
    """Shares of subjects for training, validation and test."""

    proportions: tuple[float, float, float] = (0.6, 0.2, 0.2)

    @field_validator("proportions", mode="before")
    @classmethod
    def _three(cls, shares: Any) -> Any:
        if isinstance(shares, (list, tuple)) and len(shares) != 3:
            raise ValueError(
                "three numbers are required: the proportions for training, validation, test"
            )
        return shares

    @field_validator("proportions")
    @classmethod
    def _shares(cls, shares: tuple[float, float, float]) -> tuple[float, float, float]:
        if min(shares) <= 0 or abs(sum(shares) - 1) > 1e-9:
            raise ValueError("the three proportions must be above 0 and sum to 1")
        return shares


class ElasticNetSection(Section):
    """The grid of the elastic net; the paper's by default."""

    alpha: tuple[float, ...] = Field(default=ALPHAS, min_length=1)
    l1_ratio: tuple[float, ...] = Field(default=L1_RATIOS, min_length=1)
    refit: bool = False

    @model_validator(mode="after")
    def _penalties(self) -> ElasticNetSection:
        if min(self.alpha) <= 0:
            raise ValueError("every alpha must be above 0")
        if min(self.l1_ratio) < 0 or max(self.l1_ratio) > 1:
            raise ValueError("every l1_ratio must be between 0 and 1")
        return self


class DeepSection(Section):
    """What all deep models share; the same names as the arguments of `px.deep`'s regressors."""

    # False: only the model over all contexts, evaluated over all.
    per_context: bool = True
    lr: float = Field(gt=0)
    max_epochs: int = Field(default=100, ge=1)
    batch_size: int = Field(default=32, ge=1)
    patience: int | None = Field(default=10, ge=1)
    clip_norm: float | None = Field(default=1.0, gt=0)
    weight_decay: float = Field(default=0.0, ge=0)
    # Trainings that differ in seed alone, from the study's seed on.
    n_seeds: int = Field(default=1, ge=1)
    device: str | None = None
    devices: int = Field(default=1, ge=1)
    # Trainings at a time: seeds and contexts.
    train_jobs: int | None = None
    precision: Literal["32", "16-mixed", "bf16-mixed"] = "32"
    n_threads: int | None = Field(default=1, ge=1)

    @field_validator("train_jobs")
    @classmethod
    def _some_jobs(cls, jobs: int | None) -> int | None:
        if jobs == 0:
            raise ValueError("a whole number other than 0 is required, as n_jobs in joblib")
        return jobs

    @field_validator("device")
    @classmethod
    def _known_device(cls, name: str | None) -> str | None:
        if name is not None and not re.fullmatch(r"cpu|mps|cuda(:\d+)?", name):
            raise ValueError(
                f'device must be "cpu", "cuda", "cuda:0" (any number) or "mps", not "{name}"'
            )
        return name


class LSTMSection(DeepSection):
    """The OpenFace-LSTM; the paper's choices by default."""

    columns: tuple[str, ...] = ("points",)
    rate: float = Field(default=25.0, gt=0)
    hidden_size: int = Field(default=128, ge=1)
    num_layers: int = Field(default=2, ge=1)
    lr: float = Field(default=0.005, gt=0)
    dropout: float = Field(default=0.0, ge=0, lt=1)
    # "paper": choose lr, num_layers and hidden_size on the validation part.
    tune: Literal["none", "paper"] = "none"

    @field_validator("columns")
    @classmethod
    def _known_columns(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        wanted_groups(names)
        return names


class Video3DSection(DeepSection):
    """The 3D-CNN on the recordings' videos; torchvision's choices by default."""

    # Nothing, "kinetics400", or the path of a state_dict(), relative to the study file.
    pretrained: str | None = None
    trainable: Literal["all", "layer1", "layer2", "layer3", "layer4", "fc"] = "all"
    frames: int = Field(default=16, ge=2)
    size: int = Field(default=112, ge=8)
    # Frames per second; nothing: frames are spread over the clip.
    rate: float | None = Field(default=None, gt=0)
    resize: Literal["torchvision", "aspect"] = "torchvision"
    crop: Literal["face"] | None = None
    margin: float = Field(default=0.3, ge=0, le=2)
    lr: float = Field(default=0.0001, gt=0)
    max_epochs: int = Field(default=45, ge=1)
    batch_size: int = Field(default=24, ge=1)
    weight_decay: float = Field(default=0.0001, ge=0)

    @model_validator(mode="after")
    def _nothing_random_is_kept(self) -> Video3DSection:
        if self.pretrained is None and self.trainable != "all":
            raise ValueError("trainable requires pretrained: layers that are not trained")
        return self


class EstimatorSection(Section):
    """A model of another package, by the name of its class; from Python, also the object."""

    estimator: Any
    params: dict[str, Any] = Field(default_factory=dict)
    # Values to choose among, by parameter, on subjects that the evaluation does not touch.
    grid: dict[str, list[Any]] = Field(default_factory=dict)
    # Standardise the features on the rows that it is fitted to.
    scale: bool = False

    @field_validator("estimator")
    @classmethod
    def _a_name_or_an_object(cls, given: Any) -> Any:
        if isinstance(given, str) or callable(getattr(given, "fit", None)):
            return given
        raise ValueError(
            'the full name of a class is required: "sklearn.ensemble.RandomForestRegressor"'
        )

    @field_serializer("estimator")
    def _as_text(self, estimator: Any) -> str:
        return estimator if isinstance(estimator, str) else " ".join(repr(estimator).split())


# Columns of tables of predictions, and what a study adds to its models.
_TAKEN_MODELS = (
    "subject", "context", "clip", "evaluated", "truth", "fold", "repeat", "model", "context_as",
    "uniform", "normal", "prior", "human", "trusted",
)  # fmt: skip


class ModelsSection(Section):
    """The models to fit; a deep model is fitted if its section is there.

    Every other section is a regressor, or classifier, under the name that it is shown by.
    """

    model_config = ConfigDict(extra="allow", frozen=True)
    __pydantic_extra__: dict[str, EstimatorSection]

    # False: no elastic net.
    elastic_net: ElasticNetSection | None = ElasticNetSection()
    lstm: LSTMSection | None = None
    video3d: Video3DSection | None = None
    # How contexts enter: a model for each, one over all, or one over all with the context among
    # its features. None: as in the paper, those of the contexts in each of them and the one over
    # all over all.
    context_as: tuple[Literal["separate", "pooled", "feature"], ...] | None = None
    # Packages whose classes an estimator may be: importing one runs its code.
    trusted: tuple[str, ...] = ("sklearn",)

    @field_validator("elastic_net", mode="before")
    @classmethod
    def _false_is_none(cls, given: Any) -> Any:
        return None if given is False else given

    @field_validator("context_as")
    @classmethod
    def _each_once(cls, ways: tuple[str, ...] | None) -> tuple[str, ...] | None:
        if ways is not None and (not ways or len(set(ways)) < len(ways)):
            raise ValueError('give one or more of "separate", "pooled" and "feature", each once')
        return ways

    @model_validator(mode="after")
    def _some_model(self) -> ModelsSection:
        for name in self.estimators():
            if name in _TAKEN_MODELS or not name.isidentifier():
                raise ValueError(
                    f"a model cannot be called {name!r}: use letters, digits and _, and none of "
                    f"{', '.join(_TAKEN_MODELS)}"
                )
        if self.elastic_net is None and not self.estimators():
            raise ValueError("there is no model: name one, [models.forest] for example")
        return self

    def deep(self) -> dict[str, DeepSection]:
        """Return the sections of the deep models that are there, by the models' names."""
        return {name: section for name, section in self if isinstance(section, DeepSection)}

    def estimators(self) -> dict[str, EstimatorSection]:
        """Return the sections of other packages' estimators, by the models' names."""
        return dict(self.__pydantic_extra__ or {})


class EvaluationSection(Section):
    """The subjects on whom the models are evaluated."""

    scheme: Literal["split", "cross_validation"] = "split"
    folds: int = Field(default=5, ge=2)
    repeats: int = Field(default=1, ge=1)
    # Of the training subjects, by which grids are searched.
    inner_folds: int = Field(default=5, ge=2)

    @property
    def crossed(self) -> bool:
        """Whether every subject is predicted once, by cross-validation."""
        return self.scheme == "cross_validation"


class BaselinesSection(Section):
    """The baselines to compare with."""

    uniform: bool = True
    # Between these the uniform baseline draws; by default the rating scale, and of factor scores
    # the paper's -3.5 and 3.5.
    uniform_limits: tuple[float, float] | None = None
    # Draws of mean 0 and variance 1, as the factor has; of any other label, with its own.
    normal: bool = True
    # Of classes: their shares among the rows that the models of a fold are fitted to.
    prior: bool = False
    # "auto": as "slot"; where that cannot be computed it is left out, with a note.
    human: Literal["auto", "slot", "person", "none"] = "auto"

    @field_validator("uniform_limits")
    @classmethod
    def _in_order(cls, limits: tuple[float, float] | None) -> tuple[float, float] | None:
        if limits is not None and not (
            isfinite(limits[0]) and isfinite(limits[1]) and limits[0] < limits[1]
        ):
            raise ValueError("two finite numbers are required, the lower first")
        return limits


class CompareSection(Section):
    """How performance is compared."""

    metrics: tuple[str, ...] = ("nrmse", "correlation")
    # By which NRMSE divides; by default the width of the rating scale, and of factor scores,
    # which have mean 0 and whose factor has variance 1, that of the paper's -3.5 to 3.5.
    score_range: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    # From which probability on the positive class is predicted; None: as the model says.
    threshold: float | None = Field(default=None, gt=0, lt=1)
    methods: tuple[str, ...] = ("jackknife_t", "percentile")
    # The highest correlation that the reliability of the ratings allows: what counts as error.
    ceiling: Literal["none", "ICC(1,k)", "ICC(C,k)"] = "none"
    # Which steps are computed again when subjects are left out or drawn: "fixed" takes scores and
    # predictions as given; "chain" adds intervals for which every step is computed again.
    bootstrap: Literal["fixed", "chain"] = "fixed"
    n_boot: int = Field(default=2000, ge=1)
    confidence: float = Field(default=0.95, gt=0, lt=1)

    @field_validator("metrics")
    @classmethod
    def _known_metrics(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        return known_names(names, (*METRICS, *CLASS_METRICS), "metric")

    def of_classes(self) -> tuple[str, ...]:
        """Return the metrics of classes."""
        return tuple(name for name in self.metrics if name in CLASS_METRICS)

    @field_validator("methods")
    @classmethod
    def _known_methods(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        return known_names(names, INTERVAL_METHODS, "method")

    @property
    def chained(self) -> bool:
        """Whether the study has intervals of the whole analysis."""
        return self.bootstrap == "chain"

    @property
    def chain_methods(self) -> tuple[str, ...]:
        """The methods by which the whole analysis has intervals, in order."""
        return tuple(name for name in self.methods if name in CHAIN_METHODS)

    @property
    def chain_draws(self) -> int:
        """The number of draws of subjects for which the whole analysis is computed."""
        return self.n_boot if PERCENTILE in self.chain_methods else 0

    @property
    def normalises(self) -> bool:
        """Whether a metric is divided by the width of the score."""
        return any(metric.startswith("nrmse") for metric in self.metrics)

    def measured(self) -> dict[str, Any]:
        """Return the metrics and, where one of them divides by it, the width of the score."""
        return {
            "metrics": self.metrics,
            "score_range": self.score_range if self.normalises else None,
        }


class CoefficientsSection(Section):
    """How coefficients are described and tested, per context."""

    n_boot: int = Field(default=2000, ge=1)
    # The models' training part, or every complete row: for a study that only describes.
    rows: Literal["train", "all"] = "train"
    cr: Literal["CR0", "CR1", "CR2", "CR3"] = "CR2"
    adjust: Literal["none", "holm", "max_t"] = "holm"
    # Of the slopes over all: within contexts, or with the differences between their means.
    intercepts: Literal["context", "common"] = "context"
    # "partial": beside the separate slopes of contexts those of one multilevel model.
    pooling: Literal["none", "partial"] = "none"
    # What varies between subjects in the multilevel model, as in `px.pooled_coefficients`.
    subject_effects: Literal["contexts", "slopes", "intercepts"] = "contexts"

    @model_validator(mode="after")
    def _effects_of_a_model(self) -> CoefficientsSection:
        if self.pooling == "none" and self.subject_effects != "contexts":
            raise ValueError('subject_effects requires pooling = "partial"')
        return self
