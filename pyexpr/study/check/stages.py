"""Short descriptions of the stages of a study before they run."""

from __future__ import annotations

from pyexpr.base.errors import listed
from pyexpr.study.check.points import STAGES, Point
from pyexpr.study.file.config import StudyConfig
from pyexpr.study.stages.order import stages_of

_SUBJECTS = {
    "intercepts": "intercepts",
    "slopes": "intercepts and slopes",
    "contexts": "intercepts and slopes, also in single contexts",
}


def stage_points(config: StudyConfig) -> list[Point]:
    """Return a point per stage, in the order in which they run."""
    words = {
        "reliability": "ICC(1,k) of each question, per context and over all",
        "factor_model": f"one factor, {config.factor_model.factor!r}, of the questions' means, and "
        "its scores",
        "label": _label(config),
        "features": _features(config),
        "models": _models(config),
        "comparison": f"{', '.join(config.compare.metrics)}; intervals by "
        f"{' and '.join(config.compare.methods)}, {config.compare.n_boot:,} replicates",
        "ceiling": "the highest correlation that the reliability of the ratings allows "
        f"({config.compare.ceiling})",
        "chain": _chain(config),
        "coefficients": f"slopes per context and between contexts ({config.coefficients.cr}, "
        f"p-values by {config.coefficients.adjust})",
        "pooled_coefficients": "slopes of contexts pooled in part by a multilevel model (REML), "
        f"in which subjects differ in {_SUBJECTS[config.coefficients.subject_effects]}",
    }
    return [
        Point(STAGES, name, None, words.get(name, "a deep model, trained on the recordings"))
        for name in stages_of(config)
    ]


def _chain(config: StudyConfig) -> str:
    draws = config.compare.chain_draws
    drawn = f", and for {draws:,} draws of subjects" if draws else ""
    return (
        "reliability, factor model, scores, tuning and models again without each subject"
        f"{drawn}; intervals by {' and '.join(config.compare.chain_methods)}"
    )


def _label(config: StudyConfig) -> str:
    if config.label.classified and config.label.is_rated:
        return f"a class, the answer of most raters to {listed(config.labels)}"
    if config.label.classified:
        return f"a class, as {listed(config.labels)} of the table of features gives it"
    if config.label.method == "mean":
        return "the mean of the questions' mean ratings"
    if config.label.method == "question":
        return f"the mean rating of {listed(config.labels)}"
    return f"as {listed(config.labels)} of the table of features gives it"


def _features(config: StudyConfig) -> str:
    parts = []
    if config.data.recordings is not None:
        parts.append("computed from the recordings, cut into clips")
    if config.data.features is not None:
        parts.append(f"columns of {config.data.features}")
    return "; ".join(parts)


def _models(config: StudyConfig) -> str:
    net = ["elastic_net"] if config.models.elastic_net is not None else []
    names = ", ".join([*net, *config.models.estimators()])
    options = config.evaluation
    if options.crossed:
        repeats = f", {options.repeats} times" if options.repeats > 1 else ""
        return f"{names}; cross-validation by subjects, {options.folds} folds{repeats}"
    shares = ", ".join(f"{100 * share:g}" for share in config.split.proportions)
    return f"{names}; subjects split into training, validation and test ({shares} %)"
