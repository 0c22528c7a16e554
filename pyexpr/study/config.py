"""The study file: every choice of an analysis, checked before anything is computed."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Iterator
from math import isfinite
from pathlib import Path
from typing import Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from pyexpr.base.contents import KnownFile, read_content
from pyexpr.base.contexts import ALL
from pyexpr.base.errors import StudyError, near_names
from pyexpr.behavior.openface.frame_store import wanted_groups
from pyexpr.inference.coefficients.penalised import ALPHAS, L1_RATIOS
from pyexpr.inference.comparison.quantities import METRICS
from pyexpr.resampling.intervals.methods import METHODS

RATING_COLUMNS = ("subject", "context", "clip", "rater", "question", "score")
RECORDING_COLUMNS = ("subject", "context", "openface", "video")

TAKEN = (
    f"a context cannot be called {ALL!r}, which names what is computed over all contexts; "
    "give it another name"
)


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class DataSection(_Section):
    """Where the tables are, and what their columns are called."""

    ratings: str = "ratings.csv"
    recordings: str = "recordings.csv"
    # Our name -> the name in the file, where they differ.
    rating_columns: dict[Literal[RATING_COLUMNS], str] = Field(default_factory=dict)  # type: ignore[valid-type]
    recording_columns: dict[Literal[RECORDING_COLUMNS], str] = Field(default_factory=dict)  # type: ignore[valid-type]
    # A subject or context in one table but not in the other.
    unmatched: Literal["error", "drop"] = "error"


class RatingsSection(_Section):
    """The rating scale, and the questions in the order of the tables."""

    low: float = 0
    high: float = 4
    questions: tuple[str, ...] | None = None

    @model_validator(mode="after")
    def _low_below_high(self) -> RatingsSection:
        if not self.low < self.high:
            raise ValueError(f"low must be below high, but they are {self.low:g} and {self.high:g}")
        return self


class SegmentEntry(_Section):
    """One segment of a context's recordings; a negative time counts from the end."""

    context: str
    start: float
    end: float
    # Without one it has its number within its context.
    clip: str | None = None

    @field_validator("context")
    @classmethod
    def _no_taken_name(cls, name: str) -> str:
        if name == ALL:
            raise ValueError(TAKEN)
        return name


class ClipsSection(_Section):
    """How recordings are cut into clips."""

    schedule: Literal["bp4d_plus"] | None = None
    segments: tuple[SegmentEntry, ...] = ()
    fps: float | None = Field(default=None, gt=0)
    on_short: Literal["drop", "error"] = "drop"

    @model_validator(mode="after")
    def _one_schedule(self) -> ClipsSection:
        if (self.schedule is None) == (not self.segments):
            raise ValueError('give either schedule = "bp4d_plus" or [[clips.segments]]')
        return self


class FeaturesSection(_Section):
    """How features are computed from a clip."""

    rate: float = Field(default=5.0, gt=0)
    bins: Literal["mean", "decimate"] = "mean"
    # Not "speed": it is displacement times a constant, and the models use both.
    velocity: Literal["abs_derivative", "derivative"] = "abs_derivative"
    head: Literal["pose", "params"] = "pose"
    landmarks: Literal["2d", "3d", "normalised"] = "2d"
    derivatives: Literal["differences", "savgol"] = "differences"
    au_count: Literal["mean", "distinct"] = "mean"
    min_valid: float = Field(default=0.5, gt=0, le=1)
    min_confidence: float | None = Field(default=None, ge=0, le=1)
    face: Literal["largest"] | int = "largest"


class FactorModelSection(_Section):
    """The one-factor model of the questions."""

    factor: str = "expressiveness"
    engine: Literal["auto", "rpy2", "host", "rscript", "native"] = "auto"
    # Which model's scores the context's own models are trained on.
    labels: Literal["context", "pooled"] = "context"
    # Whose clips the models behind the scores are fitted to: the paper's way is all; with
    # "train" no parameter of a score rests on a validation or test subject.
    fit_on: Literal["all", "train"] = "all"
    # Test whether contexts share loadings and intercepts, where there are two at least.
    invariance: bool = True
    # Use scores of a model with a negative residual variance all the same.
    allow_inadmissible: bool = False
    # The question that loads positively on the factor; without it the first.
    positive: str | None = None


class SplitSection(_Section):
    """Shares of subjects for training, validation and test."""

    proportions: tuple[float, float, float] = (0.6, 0.2, 0.2)

    @field_validator("proportions", mode="before")
    @classmethod
    def _three(cls, shares: Any) -> Any:
        if isinstance(shares, (list, tuple)) and len(shares) != 3:
            raise ValueError("three numbers are needed: the shares for training, validation, test")
        return shares

    @field_validator("proportions")
    @classmethod
    def _shares(cls, shares: tuple[float, float, float]) -> tuple[float, float, float]:
        if min(shares) <= 0 or abs(sum(shares) - 1) > 1e-9:
            raise ValueError("the three shares must be above 0 and sum to 1")
        return shares


class ElasticNetSection(_Section):
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


class DeepSection(_Section):
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
    precision: Literal["32", "16-mixed", "bf16-mixed"] = "32"
    n_threads: int | None = Field(default=1, ge=1)

    @field_validator("device")
    @classmethod
    def _known_device(cls, name: str | None) -> str | None:
        if name is not None and not re.fullmatch(r"cpu|mps|cuda(:\d+)?", name):
            raise ValueError(
                f'"cpu", "cuda", "cuda:0" (any number) or "mps" is meant, not "{name}"'
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
            raise ValueError("trainable needs pretrained: layers that stay as they are")
        return self


class ModelsSection(_Section):
    """The models to fit; a deep model is fitted if its section is there."""

    elastic_net: ElasticNetSection = ElasticNetSection()
    lstm: LSTMSection | None = None
    video3d: Video3DSection | None = None

    def deep(self) -> dict[str, DeepSection]:
        """Return the sections of the deep models that are there, by the models' names."""
        return {name: section for name, section in self if isinstance(section, DeepSection)}


class BaselinesSection(_Section):
    """The baselines to compare with."""

    uniform: bool = True
    # Between these the uniform baseline draws, in units of the factor scores; the paper's.
    uniform_limits: tuple[float, float] = (-3.5, 3.5)
    # Draws of mean 0 and variance 1, as the factor has.
    normal: bool = True
    # "auto": as "slot"; where that cannot be computed it is left out, with a note.
    human: Literal["auto", "slot", "person", "none"] = "auto"

    @field_validator("uniform_limits")
    @classmethod
    def _in_order(cls, limits: tuple[float, float]) -> tuple[float, float]:
        if not (isfinite(limits[0]) and isfinite(limits[1]) and limits[0] < limits[1]):
            raise ValueError("two finite numbers are needed, the lower first")
        return limits


class CompareSection(_Section):
    """How performance is compared."""

    metrics: tuple[str, ...] = ("nrmse", "correlation")
    # By which NRMSE divides: the width of the factor scores, which have mean 0 and whose factor
    # has variance 1, taken as the paper's -3.5 to 3.5.
    score_range: float = Field(default=7.0, gt=0, allow_inf_nan=False)
    methods: tuple[str, ...] = ("jackknife_t", "percentile")
    n_boot: int = Field(default=2000, ge=1)
    confidence: float = Field(default=0.95, gt=0, lt=1)

    @field_validator("metrics")
    @classmethod
    def _known_metrics(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        return _all_known(names, METRICS, "metric")

    @field_validator("methods")
    @classmethod
    def _known_methods(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        return _all_known(names, METHODS, "method")

    def measured(self) -> dict[str, Any]:
        """Return the metrics and, where one of them divides by it, the width of the score."""
        normalised = any(metric.startswith("nrmse") for metric in self.metrics)
        return {
            "metrics": self.metrics,
            "score_range": self.score_range if normalised else None,
        }


def _all_known(names: tuple[str, ...], known: Iterable[str], what: str) -> tuple[str, ...]:
    if not names:
        raise ValueError(f"name at least one {what}")
    for place, name in enumerate(names):
        if name not in known:
            raise ValueError(f"there is no {what} {name!r}; {near_names(name, known)}")
        if name in names[:place]:
            raise ValueError(f"{what} {name!r} stands twice")
    return names


class CoefficientsSection(_Section):
    """How coefficients are described and tested, per context."""

    n_boot: int = Field(default=2000, ge=1)
    # The models' training part, or every complete row: for a study that only describes.
    rows: Literal["train", "all"] = "train"
    cr: Literal["CR0", "CR1", "CR2", "CR3"] = "CR2"
    adjust: Literal["none", "holm", "max_t"] = "holm"
    # Of the slopes over all: within contexts, or with the differences between their means.
    intercepts: Literal["context", "common"] = "context"


class StudyConfig(_Section):
    """A study file, checked."""

    title: str = "Study"
    simulated: bool = False
    seed: int = Field(default=1, ge=0, lt=2**64)
    output: str = "results"
    data: DataSection = DataSection()
    ratings: RatingsSection = RatingsSection()
    clips: ClipsSection
    features: FeaturesSection = FeaturesSection()
    factor_model: FactorModelSection = FactorModelSection()
    split: SplitSection = SplitSection()
    models: ModelsSection = ModelsSection()
    baselines: BaselinesSection = BaselinesSection()
    compare: CompareSection = CompareSection()
    coefficients: CoefficientsSection = CoefficientsSection()


def read_config(path: Path) -> StudyConfig:
    """Read and check a study file; `StudyError` names the file, the place and the mend."""
    return read_known_config(path)[0]


def read_known_config(path: Path) -> tuple[StudyConfig, KnownFile]:
    """Return what `read_config` does, and the hash of the bytes that it was read from."""
    try:
        content, file = read_content(path)
        # Some editors begin a file with a byte-order mark, which TOML does not know.
        raw = tomllib.loads(content.decode("utf-8-sig"))
    except FileNotFoundError:
        raise StudyError(f"there is no study file {str(path)!r}") from None
    except IsADirectoryError:
        raise StudyError(f"{str(path)!r} is a folder; name the study file in it") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise StudyError(f"{str(path)!r} is not a TOML file: {error}") from None
    try:
        return StudyConfig.model_validate(raw), file
    except ValidationError as error:
        problems = "; ".join(_sentences(error))
        raise StudyError(f"study file {str(path)!r}: {problems}") from None


def _sentences(error: ValidationError) -> Iterator[str]:
    for problem in error.errors(include_url=False):
        place = ".".join(str(part) for part in problem["loc"])
        if problem["type"] == "extra_forbidden":
            section, _, name = place.rpartition(".")
            where = f"[{section}]" if section else "the file"
            yield f"{where} has no entry {name!r}; {near_names(name, _entries(section))}"
        elif problem["type"] == "missing":
            yield f"[{place}] is missing"
        else:
            message = problem["msg"].removeprefix("Value error, ")
            given = "" if isinstance(problem["input"], dict) else f" (it is {problem['input']!r})"
            yield f"{place}: {message[0].lower()}{message[1:]}{given}"


def _entries(section: str) -> list[str]:
    model: Any = StudyConfig
    for part in filter(None, section.split(".")):
        field = model.model_fields.get(part)
        # A section that may be absent is a union with None.
        kinds = () if field is None else get_args(field.annotation) or (field.annotation,)
        model = next((kind for kind in kinds if hasattr(kind, "model_fields")), None)
        if model is None:
            return []
    return list(model.model_fields)
