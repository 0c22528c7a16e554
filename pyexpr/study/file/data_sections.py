"""The sections of a study file about data: tables, ratings, clips, features, labels, subjects."""

from __future__ import annotations

import re
from dataclasses import fields
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from pyexpr.base.contexts import ALL
from pyexpr.behavior.features.binning import Binning
from pyexpr.behavior.features.mixed import OnMixed
from pyexpr.behavior.features.options import (
    AuCount,
    Derivatives,
    Family,
    FeatureOptions,
    Head,
    Landmarks,
    feature_names,
)
from pyexpr.behavior.openface.options import Clock, Place, ReadingOptions
from pyexpr.study.file.section import Section

RATING_COLUMNS = ("subject", "context", "clip", "rater", "question", "score")
RECORDING_COLUMNS = ("subject", "context", "openface", "face", "part", "video", "layout")
CLIP_COLUMNS = ("subject", "context", "clip")

TAKEN = (
    f"a context cannot be called {ALL!r}, which names what is computed over all contexts; "
    "give it another name"
)


class DataSection(Section):
    """Where the tables are, and the names of their columns."""

    # None: there is no such table. If a file names neither features nor recordings, the table of
    # recordings is meant; if its label is a column, no ratings are.
    ratings: str | None = "ratings.csv"
    recordings: str | None = "recordings.csv"
    features: str | None = None
    # Our name -> the name in the file, if they differ.
    rating_columns: dict[Literal[RATING_COLUMNS], str] = Field(default_factory=dict)  # type: ignore[valid-type]
    recording_columns: dict[Literal[RECORDING_COLUMNS], str] = Field(default_factory=dict)  # type: ignore[valid-type]
    clip_columns: dict[Literal[CLIP_COLUMNS], str] = Field(default_factory=dict)  # type: ignore[valid-type]
    # Columns of the table of features; None: every column of numbers without another role.
    feature_columns: tuple[str, ...] | None = None
    # False: the tables have no column of contexts, and all clips are of one context.
    contexts: bool = True
    # Subjects with fewer clips than this, after all other exclusions, are left out.
    min_clips: int = Field(default=1, ge=1)
    # A subject, context or clip in one table but not in the other.
    unmatched: Literal["error", "drop"] = "error"

    @model_validator(mode="after")
    def _some_behaviour(self) -> DataSection:
        if self.recordings is None and self.features is None:
            raise ValueError("name the table of recordings, or that of features")
        if self.features is None and (self.feature_columns or self.clip_columns):
            raise ValueError(
                "feature_columns and clip_columns refer to the table of features; name it "
                '(features = "features.csv")'
            )
        return self


class RatingsSection(Section):
    """The rating scale, and the questions in the order of the tables."""

    low: float = 0
    high: float = 4
    questions: tuple[str, ...] | None = None
    # What happens to a rating outside the scale.
    out_of_range: Literal["error", "drop"] = "error"
    # What happens to a clip without the rating of some rater, for each question; a factor
    # model and a mean of several questions need all questions.
    incomplete: Literal["keep", "drop"] = "keep"
    # Names of the columns of ratings in a wide table, with a row per clip (and rater):
    # "{question}_{rater}", "{question}" or "{rater}". None: a row per rating.
    wide: str | None = None

    @field_validator("wide")
    @classmethod
    def _a_pattern(cls, pattern: str | None) -> str | None:
        if pattern is None:
            return None
        found = re.findall(r"{(\w*)}", pattern)
        if not found or len(set(found)) < len(found) or not set(found) <= {"question", "rater"}:
            raise ValueError(
                "the pattern of the columns of ratings must contain {question}, {rater}, or "
                "both, each once"
            )
        return pattern

    @model_validator(mode="after")
    def _low_below_high(self) -> RatingsSection:
        if not self.low < self.high:
            raise ValueError(f"low must be below high, but they are {self.low:g} and {self.high:g}")
        return self


class LabelSection(Section):
    """The label that the models learn."""

    # "factor": scores of a factor model of the questions' means; "mean": the mean of the
    # questions' means; "question": the mean rating of one question, or of several, each an
    # outcome of its own; "column": a column of the table of features, or several.
    method: Literal["factor", "mean", "question", "column"] = "factor"
    question: tuple[str, ...] = ()
    column: tuple[str, ...] = ()
    # "regression": a number; "classification": a class, which is the answer that most raters of a
    # question gave, or what a column holds. None: a column of text is of classes.
    kind: Literal["regression", "classification"] | None = None
    # The class to which AUC, F1 and Brier's score refer; 1 if the classes are 0 and 1.
    positive: str | None = None

    @field_validator("positive", mode="before")
    @classmethod
    def _as_text(cls, given: Any) -> Any:
        # Classes are named by text: a whole number, or true, by its digits.
        if isinstance(given, (int, float)) and float(given).is_integer():
            return str(int(given))
        return given

    @field_validator("question", "column", mode="before")
    @classmethod
    def _one_or_several(cls, given: Any) -> Any:
        return (given,) if isinstance(given, str) else given

    @model_validator(mode="after")
    def _named(self) -> LabelSection:
        for kind in ("question", "column"):
            names = getattr(self, kind)
            if self.method == kind and not names:
                raise ValueError(f'method = "{kind}" needs the name: {kind} = "..."')
            if self.method != kind and names:
                raise ValueError(f'{kind} needs method = "{kind}", but it is "{self.method}"')
            if len(set(names)) < len(names):
                raise ValueError(f"{kind} contains a name twice")
        if self.classified and self.method in ("factor", "mean"):
            raise ValueError(
                'kind = "classification" needs method = "question" or "column": a '
                f"{self.method} is a number, not a class"
            )
        if self.positive is not None and not self.classified:
            raise ValueError('positive names a class: it needs kind = "classification"')
        return self

    @property
    def classified(self) -> bool:
        """Whether the label is a class."""
        return self.kind == "classification"

    @property
    def is_rated(self) -> bool:
        """Whether the label comes from ratings."""
        return self.method != "column"


class SegmentEntry(Section):
    """One segment of a context's recordings; a negative time counts from the end."""

    context: str
    start: float
    end: float
    # Without a name, a clip has its number within its context.
    clip: str | None = None

    @field_validator("context")
    @classmethod
    def _no_taken_name(cls, name: str) -> str:
        if name == ALL:
            raise ValueError(TAKEN)
        return name


class ClipsSection(Section):
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


_COMPUTED = FeatureOptions()
_READ = ReadingOptions()


class FeaturesSection(Section):
    """How features are computed from a clip."""

    rate: float = _COMPUTED.rate
    bins: Binning = _COMPUTED.bins
    # Not "speed": it is displacement times a constant, and the models use both.
    velocity: Literal["abs_derivative", "derivative"] = "abs_derivative"
    head: Head = _COMPUTED.head
    landmarks: Landmarks = _COMPUTED.landmarks
    derivatives: Derivatives = _COMPUTED.derivatives
    au_count: AuCount = _COMPUTED.au_count
    min_valid: float = _COMPUTED.min_valid
    # Families of features in addition to the fourteen; units with columns for their dynamics;
    # the context that is each person's baseline.
    extra: tuple[Family, ...] = ()
    action_units: tuple[str, ...] = ()
    # Signals of the families of expression; if none are named, all that the recordings have.
    expressions: tuple[str, ...] = ()
    baseline: str | None = _COMPUTED.baseline
    min_confidence: float | None = Field(default=None, ge=0, le=1)
    clock: Clock = _READ.clock
    face: Place | int = _READ.face
    join_ids: bool = _READ.join_ids
    max_speed: float = _READ.max_speed
    max_turn: float = _READ.max_turn
    # For another tracker's tables: a layout's name, or a file from the study's folder.
    layout: str | None = None
    # The column that distinguishes the recordings of one file.
    split_by: str | None = None
    on_mixed: OnMixed = "error"
    on_error: Literal["stop", "skip"] = "stop"
    # The features that enter the models; None: all of them.
    use: tuple[str, ...] | None = None
    leave_out: tuple[str, ...] = ()
    # Columns of the table of features that enter every model and every slope beside them:
    # numbers, or categories.
    adjust_for: tuple[str, ...] = ()

    @field_validator("extra", "action_units", "expressions", mode="before")
    @classmethod
    def _one_or_several(cls, given: Any) -> Any:
        return (given,) if isinstance(given, str) else given

    @model_validator(mode="after")
    def _can_be_computed(self) -> FeaturesSection:
        # Their errors are reported before any table is read.
        self._options()
        names = (one.name for one in fields(ReadingOptions) if hasattr(self, one.name))
        ReadingOptions(**{name: getattr(self, name) for name in names})
        return self

    @model_validator(mode="after")
    def _chosen_once(self) -> FeaturesSection:
        if self.use is not None and not self.use:
            raise ValueError("use names no feature; leave it out for all of them")
        both = sorted({*(self.use or ())} & {*self.leave_out})
        if both:
            raise ValueError(f"{both[0]!r} is both used and left out")
        twice = sorted({*(self.use or ()), *self.leave_out} & {*self.adjust_for})
        if twice:
            raise ValueError(f"{twice[0]!r} is both a feature and a covariate; name it only once")
        return self

    def _options(self) -> FeatureOptions:
        return FeatureOptions(
            **{one.name: getattr(self, one.name) for one in fields(FeatureOptions)}
        )

    def computed(self) -> tuple[str, ...]:
        """Return the features that are computed from recordings."""
        return feature_names(self._options())

    def reading(self) -> dict[str, Any]:
        """Return the options by which features are computed from recordings."""
        return self.model_dump(exclude={"use", "leave_out", "adjust_for"})


class FactorModelSection(Section):
    """The one-factor model of the questions."""

    factor: str = "expressiveness"
    engine: Literal["auto", "rpy2", "host", "rscript", "native"] = "auto"
    # Which model's scores the context's own models are trained on.
    labels: Literal["context", "pooled"] = "context"
    # Whose clips the models behind the scores are fitted to: the paper's way is all; with
    # "train" no parameter of a score is based on a validation or test subject.
    fit_on: Literal["all", "train"] = "all"
    # Test whether contexts share loadings and intercepts, if there are at least two.
    invariance: bool = True
    # Use scores of a model even if it has a negative residual variance.
    allow_inadmissible: bool = False
    # The question that loads positively on the factor; without it the first.
    positive: str | None = None
