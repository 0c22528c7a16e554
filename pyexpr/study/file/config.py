"""The study file: every choice of an analysis, checked before anything is computed."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError, field_validator, model_validator

from pyexpr.base.contents import KnownFile, read_content
from pyexpr.base.errors import StudyError, listed, near_names
from pyexpr.behavior.features.quality import QUALITY
from pyexpr.inference.coefficients.penalised import ALPHAS
from pyexpr.inference.comparison.metrics import CLASS_METRICS
from pyexpr.modeling.fitting.plan import SEPARATE
from pyexpr.study.file.chain_misfits import chain_misfits
from pyexpr.study.file.compute_section import ComputeSection, compute_section
from pyexpr.study.file.data_sections import (
    ClipsSection,
    DataSection,
    FactorModelSection,
    FeaturesSection,
    LabelSection,
    RatingsSection,
)
from pyexpr.study.file.entries import toml_entries
from pyexpr.study.file.faults import MisfitError, sentences
from pyexpr.study.file.model_sections import (
    BaselinesSection,
    CoefficientsSection,
    CompareSection,
    EstimatorSection,
    EvaluationSection,
    ModelsSection,
    SplitSection,
)
from pyexpr.study.file.section import Section

# Of factor scores, which have mean 0 and whose factor has variance 1: the paper's.
_SCORE_LIMITS = (-3.5, 3.5)
_WIDTH = _SCORE_LIMITS[1] - _SCORE_LIMITS[0]


def _default_penalties(raw: dict[str, Any], scale: float) -> None:
    """Bring the elastic net's penalties, which have the label's unit, to a scale of this width."""
    models = raw.get("models", {})
    net = models.get("elastic_net", {}) if isinstance(models, Mapping) else None
    if isinstance(net, Mapping) and "alpha" not in net and scale != 1:
        alpha = tuple(scale * value for value in ALPHAS)
        raw["models"] = {**models, "elastic_net": {"alpha": alpha, **net}}


class StudyConfig(Section):
    """A study file, checked."""

    title: str = "Study"
    simulated: bool = False
    seed: int = Field(default=1, ge=0, lt=2**64)
    output: str = "results"
    # What the label measures, in words: of all labels, or by the label's name.
    outcome: str | dict[str, str] | None = None
    # What a row of the study is called.
    unit: str = "clip"
    data: DataSection = DataSection()
    ratings: RatingsSection = RatingsSection()
    # How recordings are cut; without recordings there is none.
    clips: ClipsSection | None = None
    features: FeaturesSection = FeaturesSection()
    label: LabelSection = LabelSection()
    factor_model: FactorModelSection = FactorModelSection()
    evaluation: EvaluationSection = EvaluationSection()
    split: SplitSection = SplitSection()
    models: ModelsSection = ModelsSection.model_validate({})
    baselines: BaselinesSection = BaselinesSection()
    compare: CompareSection = CompareSection()
    coefficients: CoefficientsSection = CoefficientsSection()
    # Where tasks are done, on which no result depends.
    compute: ComputeSection = ComputeSection()

    @model_validator(mode="before")
    @classmethod
    def _defaults_of_its_kind(cls, given: Any) -> Any:
        """Fill in those defaults that depend on what the study has and what its models learn."""
        if not isinstance(given, Mapping):
            return given
        raw = {**given}

        def default(section: str, **entries: Any) -> None:
            own = raw.get(section, {})
            if isinstance(own, Mapping):
                raw[section] = {**entries, **own}

        def entry(section: str, name: str, otherwise: Any = None) -> Any:
            own = raw.get(section, {})
            return own.get(name, otherwise) if isinstance(own, Mapping) else otherwise

        method = entry("label", "method", "factor")
        if entry("data", "features") is not None:
            default("data", recordings=None)
        classified = entry("label", "kind") == "classification"
        if classified:
            default("compare", metrics=("auc", "balanced_accuracy"))
            default("baselines", human="none", uniform=False, normal=False, prior=True)
        if method == "column":
            default("data", ratings=None)
            if not classified:
                default("compare", metrics=("rmse", "correlation"))
            default("baselines", human="none", uniform=False)
        limits = _SCORE_LIMITS
        if method in ("mean", "question"):
            scale = RatingsSection()
            limits = tuple(entry("ratings", end, getattr(scale, end)) for end in ("low", "high"))
        if method != "column" and not classified:
            numbers = all(isinstance(one, int | float) for one in limits)
            default("baselines", uniform_limits=limits)
            if numbers and limits[0] < limits[1]:
                default("compare", score_range=limits[1] - limits[0])
                _default_penalties(raw, (limits[1] - limits[0]) / _WIDTH)
        if entry("evaluation", "scheme") == "cross_validation":
            default("coefficients", rows="all")
        return raw

    @field_validator("unit")
    @classmethod
    def _one_word(cls, unit: str) -> str:
        if not unit.isalpha():
            raise ValueError('a single noun in the singular is required: "clip", "video", "trial"')
        return unit

    @model_validator(mode="after")
    def _parts_fit(self) -> StudyConfig:
        problems = [*self._misfits()]
        if problems:
            raise MisfitError(*problems)
        return self

    def _misfits(self) -> Iterator[str]:
        """Say which sections contradict each other."""
        crossed, recorded = self.evaluation.crossed, self.data.recordings is not None
        if recorded and self.clips is None:
            yield "[clips] is missing"
        if not recorded and self.clips is not None:
            yield "[clips] cuts recordings, but the study has none (recordings under [data])"
        if self.label.is_rated and self.data.ratings is None:
            yield "the label comes from ratings: name their table (ratings under [data])"
        if not self.label.is_rated and self.data.features is None:
            yield (
                'a label given as a column ([label] method = "column") is one of the table of '
                "features: name it (features under [data])"
            )
        named = [name for name in self.features.adjust_for if name not in self.quality_covariates]
        if named and self.data.features is None:
            yield (
                "adjust_for under [features] names columns of the table of features: name it"
                + (f", or use {listed(QUALITY)}" if recorded else "")
            )
        for name in self.models.deep():
            if self.features.split_by is not None:
                yield (
                    f"[models.{name}] reads whole files, but according to split_by under "
                    "[features] they contain several recordings; write every recording to its "
                    "own file"
                )
            if not recorded:
                yield f"[models.{name}] requires recordings, but the study has only features"
            if crossed:
                yield (
                    f'[models.{name}] is trained once: it needs scheme = "split" under [evaluation]'
                )
        if crossed and self.split != SplitSection():
            yield (
                '[split] is only for scheme = "split", but the study is cross-validated; leave '
                "it out"
            )
        if crossed and self.factor_model.fit_on == "train":
            yield (
                'fit_on = "train" under [factor_model] needs scheme = "split" under [evaluation]'
            )
        if crossed and self.coefficients.rows == "train":
            yield (
                'rows = "train" under [coefficients] needs scheme = "split" under '
                "[evaluation]: in cross-validation all subjects are used for training"
            )
        if self.compare.normalises and self.compare.score_range is None:
            yield (
                "nrmse is divided by the width of the score; give score_range under [compare], "
                'or metrics = ["rmse", "correlation"]'
            )
        yield from self._misfits_of_ways()
        yield from self._misfits_of_kind()
        if self.compare.ceiling != "none":
            if self.label.classified or not self.label.is_rated:
                yield (
                    "ceiling under [compare] requires a label that is a number from ratings; "
                    "leave it out"
                )
            elif "correlation" not in self.compare.metrics:
                yield (
                    "ceiling under [compare] is the highest possible correlation: add "
                    '"correlation" to metrics, or leave ceiling out'
                )
        if self.compare.chained:
            yield from chain_misfits(self.label, self.evaluation, self.models, self.compare)
        if self.baselines.uniform and self.baselines.uniform_limits is None:
            yield "the uniform baseline needs uniform_limits under [baselines]"
        if isinstance(self.outcome, dict):
            unknown = [name for name in self.outcome if name not in self.labels]
            if unknown:
                yield f"outcome names {unknown[0]!r}, which is not a label; " + near_names(
                    unknown[0], self.labels
                )
        for name in self.labels if len(self.labels) > 1 else ():
            if not re.fullmatch(r"\w[\w .-]*", name):
                yield (
                    f"the results of label {name!r} are written to a folder with its name, which "
                    "may contain only letters, digits, blanks and . - _; rename it"
                )
        if isinstance(self.outcome, str) and len(self.labels) > 1:
            yield "there are several labels, so outcome must be a table from label to description"

    def _misfits_of_ways(self) -> Iterator[str]:
        """Say if models that are compared with one truth would learn two different scores."""
        ways = self.models.context_as or ()
        two_scores = self.label.method == "factor" and self.factor_model.labels == "context"
        if self.data.contexts and two_scores and SEPARATE in ways and len(ways) > 1:
            others = listed([way for way in ways if way != SEPARATE])
            yield (
                f"context_as under [models] compares {SEPARATE!r} with {others}, but with labels = "
                '"context" under [factor_model] the former learn the scores of each context\'s '
                "factor model and the latter those of the factor model over all contexts; set "
                'labels = "pooled", so that all predict the same scores, or list one way'
            )

    def _misfits_of_kind(self) -> Iterator[str]:
        """Say what does not fit a label of classes, or one of numbers."""
        of_classes = self.compare.of_classes()
        if not self.label.classified:
            if of_classes:
                yield (
                    f"{of_classes[0]} under [compare] is a metric for classes, but the label is "
                    'a number; if it is a class, set kind = "classification" under [label]'
                )
            if self.compare.threshold is not None:
                yield "threshold under [compare] requires a label that is a class; leave it out"
            if self.baselines.prior:
                yield "prior under [baselines] requires a label that is a class; leave it out"
            return
        others = [name for name in self.compare.metrics if name not in of_classes]
        if others:
            yield (
                f"{others[0]} under [compare] is a metric for numbers, but the label is a "
                f"class; the metrics for classes are {listed(CLASS_METRICS)}"
            )
        for name in self.models.deep():
            yield f"[models.{name}] predicts numbers, but the label is a class; leave it out"
        for name in ("uniform", "normal"):
            if getattr(self.baselines, name):
                yield (
                    f"{name} under [baselines] draws numbers, but the label is a class; the "
                    "baseline for classes is prior"
                )
        if self.baselines.human != "none":
            yield (
                'human = "none" is required under [baselines]: a rater gives a class without a '
                "probability, and there is no criterion if the other raters are tied"
            )
        if self.coefficients != CoefficientsSection(rows=self.coefficients.rows):
            yield (
                "[coefficients] tests slopes of a numeric label, but the label is a class; "
                "leave it out"
            )

    @property
    def quality_covariates(self) -> tuple[str, ...]:
        """The covariates that say how well a clip was tracked; without recordings none."""
        names = self.features.adjust_for if self.data.recordings is not None else ()
        return tuple(name for name in names if name in QUALITY)

    @property
    def labels(self) -> tuple[str, ...]:
        """The names of what the models learn: the factor, "mean", the questions, or columns."""
        if self.label.method == "factor":
            return (self.factor_model.factor,)
        return self.label.question or self.label.column or ("mean",)

    def fitted_parts(self) -> tuple[str, ...]:
        """Return the parts of a split by which the weights and slopes of models are estimated."""
        net = self.models.elastic_net
        return ("train", "validation") if net is not None and net.refit else ("train",)

    def with_models(self, models: Mapping[str, Any]) -> StudyConfig:
        """Return the study with more models, given as objects or as sections.

        Raises
        ------
        StudyError
            If one is not a model of a study.
        """
        given = {
            name: one if isinstance(one, Mapping | EstimatorSection) else {"estimator": one}
            for name, one in models.items()
        }
        known = [name for name in given if name in ModelsSection.model_fields]
        if known:
            raise StudyError(
                f"models= cannot contain {known[0]!r}, which has a section in the study file"
            )
        own = {name: getattr(self.models, name) for name in ModelsSection.model_fields}
        try:
            section = ModelsSection.model_validate(own | self.models.estimators() | given)
        except ValidationError as error:
            raise StudyError("models=: " + "; ".join(sentences(error, StudyConfig))) from None
        return self.model_copy(update={"models": section})

    def computed_on(self, cluster: str | None, n_jobs: int | None) -> StudyConfig:
        """Return the study with its tasks done elsewhere; None keeps the setting of the file.

        Raises
        ------
        StudyError
            If there is no such cluster, or `n_jobs` is 0.
        """
        given = self.compute.model_dump() | compute_section(cluster, n_jobs)
        try:
            section = ComputeSection.model_validate(given)
        except ValidationError as error:
            raise StudyError("; ".join(sentences(error, ComputeSection))) from None
        return self.model_copy(update={"compute": section})

    def of_label(self, name: str) -> StudyConfig:
        """Return the study of one of its labels."""
        if self.label.method in ("factor", "mean"):
            return self
        label = self.label.model_copy(update={self.label.method: (name,)})
        outcome = self.outcome.get(name) if isinstance(self.outcome, dict) else self.outcome
        features = self.features
        if self.label.method == "column" and self.data.feature_columns is None:
            # What other models learn is no feature of this one's.
            others = tuple(one for one in self.labels if one != name)
            features = features.model_copy(update={"leave_out": (*features.leave_out, *others)})
        return self.model_copy(
            update={
                "label": label,
                "outcome": outcome,
                "features": features,
                "output": f"{self.output}/{name}",
            }
        )


def read_config(path: Path) -> StudyConfig:
    """Read and check a study file; `StudyError` names the file, the entry and the remedy."""
    return read_known_config(path)[0]


def read_known_config(
    path: Path, completed: Callable[[dict[str, Any], Path], dict[str, Any]] | None = None
) -> tuple[StudyConfig, KnownFile]:
    """Return the result of `read_config`, and the hash of the bytes from which it was read.

    `completed` may add to the entries what the tables in the folder tell.
    """
    raw, file = read_toml(path)
    if completed is not None:
        raw = completed(raw, path.resolve().parent)
    try:
        return StudyConfig.model_validate(raw), file
    except ValidationError as error:
        problems = "; ".join(sentences(error, StudyConfig))
        raise StudyError(f"study file {str(path)!r}: {problems}") from None


def read_toml(path: Path) -> tuple[dict[str, Any], KnownFile]:
    """Return the entries of a study file without changes, and the hash of its bytes."""
    try:
        content, file = read_content(path)
    except FileNotFoundError:
        raise StudyError(f"there is no study file {str(path)!r}") from None
    except IsADirectoryError:
        raise StudyError(f"{str(path)!r} is a folder; name the study file in it") from None
    except OSError as error:
        raise StudyError(f"cannot read the study file {str(path)!r}: {error.strerror}") from None
    return toml_entries(content, path), file


# Without one of these the tables cannot be read.
_OF_TABLES = {"data", "ratings", "clips", "label", "features"}


def validated(raw: dict[str, Any]) -> tuple[StudyConfig | None, list[str]]:
    """Return the study as far as it can be read, and a sentence for each problem in it.

    A wrong section that is not needed to read the tables is left out. The study is None if
    another section is wrong.
    """
    try:
        return StudyConfig.model_validate(raw), []
    except ValidationError as error:
        problems = [*sentences(error, StudyConfig)]
        wrong = {str(one["loc"][0]) if one["loc"] else "" for one in error.errors()}
    if wrong & (_OF_TABLES | {""}):
        return None, problems
    try:
        rest = {name: section for name, section in raw.items() if name not in wrong}
        return StudyConfig.model_validate(rest), problems
    except ValidationError:
        return None, problems
