"""The models that a study would fit, to which clips, and how often, as planned by a run."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from itertools import chain
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from pyexpr.base.errors import PyexprError, counted, listed
from pyexpr.base.tables import cells
from pyexpr.modeling.fitting.plan import Part, plan, read_scheme, read_strategies
from pyexpr.modeling.fitting.specs import Model, is_own_net, own_cv
from pyexpr.modeling.fitting.table import Table, read_names, read_table
from pyexpr.modeling.fitting.units import Unit, units_of
from pyexpr.modeling.splits import split_subjects
from pyexpr.study.check.points import EVALUATION, MODELS, Point
from pyexpr.study.file.config import StudyConfig
from pyexpr.study.file.model_specs import kind_of
from pyexpr.study.file.voice import in_words_of_the_file
from pyexpr.study.kept.store import StageOutput
from pyexpr.study.stages import computations
from pyexpr.study.stages.model_fits import PAPERS, with_label_called
from pyexpr.study.stages.models import PARTS, check_parts, complete_rows
from pyexpr.study.tables.classes import check_evaluated_classes
from pyexpr.study.tables.early_checks import model_checks, table_checks
from pyexpr.study.tables.feature_choice import chosen, with_table
from pyexpr.study.tables.inputs import CLIP_KEY, Inputs
from pyexpr.study.tables.labels import UNRATED, label, question_means

if TYPE_CHECKING:
    import pandas as pd

# For what compares the rows of a fold with each other.
_FEWEST_SUBJECTS = 2


@dataclass(frozen=True, slots=True)
class Planned:
    """The clips of the models, their parts, and the fits.

    Attributes
    ----------
    rows : DataFrame
        subject, context, clip of each clip that enters a model; part, of a split.
    left_out : DataFrame
        The other clips with the reason.
    features : tuple of str
        Features that enter the models.
    absent : list of str
        Features that no clip has.
    table : Table or None
        In the form that models get; None if features are still to be computed.
    parts : list of Part
    units : list of Unit
        The fits, tuning not counted.
    """

    rows: pd.DataFrame
    left_out: pd.DataFrame
    features: tuple[str, ...]
    absent: list[str] = field(default_factory=list)
    table: Table | None = None
    parts: list[Part] = field(default_factory=list)
    units: list[Unit] = field(default_factory=list)


@in_words_of_the_file()
def planned(config: StudyConfig, inputs: Inputs) -> Planned:
    """Return what a run of one label would fit; it raises what the run would.

    A model that cannot be made is left out: `early_problems` says so.
    """
    for check in table_checks(config, inputs):
        check()
    behavior, labelled = _behavior(config, inputs), _labelled(config, inputs)
    rows, left_out = complete_rows(labelled, behavior)
    names = tuple(behavior.facts["features"])
    if not config.evaluation.crossed:
        split = split_subjects(
            rows["subject"], context=rows["context"],
            proportions=config.split.proportions, seed=config.seed,
        )  # fmt: skip
        split.check()
        rows = rows.assign(part=split.part(rows["subject"]))
        check_parts(rows, left_out, inputs.contexts)
    evaluated = rows if "part" not in rows else rows[rows["part"] == "test"]
    check_evaluated_classes(config, evaluated, inputs.contexts)
    covariates = config.features.adjust_for
    given = rows[[*CLIP_KEY, "score", *names, *covariates]]
    given, called = with_label_called(config, given, "score")
    table = read_table(
        given,
        read_names(
            label=called, label_pooled=None, features=names, cluster="subject",
            context="context", clip="clip", adjust_for=covariates,
        ),
        kind_of(config),
    )  # fmt: skip
    options = config.evaluation
    scheme = read_scheme(
        options.scheme, options.folds, options.repeats, options.inner_folds,
        config.split.proportions, config.seed,
    )  # fmt: skip
    ways, _ = read_strategies(config.models.context_as or PAPERS, table)
    parts, _ = plan(table, scheme, ways)
    known = behavior.facts["known"]
    return Planned(
        rows, left_out, names, behavior.facts["absent features"], table if known else None, parts,
        units_of(_made(config), ways, parts, table),
    )  # fmt: skip


def _made(config: StudyConfig) -> list[Model]:
    found = []
    for check in model_checks(config):
        with suppress(PyexprError):
            found += check()
    return found


def _behavior(config: StudyConfig, inputs: Inputs) -> StageOutput:
    """Return the features of the table; of recordings that every clip has them."""
    if not inputs.recorded:
        found = computations.features(config, inputs)
        return StageOutput(found.tables, found.facts | {"known": True})
    assert inputs.schedule is not None
    recordings = inputs.recordings[["subject", "context"]]
    of_context = {
        context: [segment.label for segment in segments]
        for context, segments in inputs.schedule.segments.items()
    }
    labels = [of_context.get(context, []) for context in cells(recordings["context"])]
    several = np.repeat(np.arange(len(recordings)), [*map(len, labels)])
    table = recordings.take(several).reset_index(drop=True)
    # Numbers that stand for those to be computed: no feature equals another, or the label.
    rng = np.random.default_rng(0)
    computed = config.features.computed()
    stand_ins = (*computed, *config.quality_covariates)
    numbers = {name: rng.random(size=len(table)) for name in stand_ins}
    table = table.assign(clip=[*chain.from_iterable(labels)], **numbers)
    output = StageOutput(
        {"features": table.assign(openface="", reason="")},
        {"clips without features": 0, "notes": []},
    )
    if inputs.measured is not None:
        output = with_table(output, inputs.measured)
        computed = (*computed, *inputs.measured.features)
    output = chosen(config, output, computed)
    return StageOutput(output.tables, output.facts | {"known": False})


def _labelled(config: StudyConfig, inputs: Inputs) -> StageOutput:
    """Return the labels, with placeholder numbers for the scores of a factor model."""
    if config.label.method != "factor":
        return label(config, inputs)
    means = question_means(inputs)
    missing = means[list(inputs.questions)].isna().any(axis=1)
    scores = np.random.default_rng(1).normal(size=len(means))
    table = means[CLIP_KEY].assign(
        score=scores, score_pooled=scores, score_reason=missing.map({True: UNRATED, False: ""})
    )
    return StageOutput({"scores": table, "loadings": table.iloc[:0]}, {"notes": []})


def evaluation_points(config: StudyConfig, plan: Planned) -> list[Point]:
    """Return who trains and who is predicted: subjects per part or fold, clips per context."""
    rows = plan.rows
    subjects = int(rows["subject"].nunique())
    # Missing parts of a recording are known only when its features are computed.
    if_whole = "" if plan.table is not None else ", if every recording holds all of them"
    detail = f"of {subjects} subjects{if_whole}"
    found = [Point(EVALUATION, f"complete {config.unit}s", len(rows), detail)]
    if "part" in rows:
        for name in PARTS:
            own = rows[rows["part"] == name]
            detail = f"subjects, {_clips(own, config)}"
            found.append(Point(EVALUATION, f"{name} part", int(own["subject"].nunique()), detail))
        return found
    return found + _fold_points(config, plan)


def _fold_points(config: StudyConfig, plan: Planned) -> list[Point]:
    rows = plan.rows
    tested = [rows.iloc[part.test] for part in plan.parts]
    sizes = [int(own["subject"].nunique()) for own in tested]
    span = str(min(sizes)) if min(sizes) == max(sizes) else f"{min(sizes)} to {max(sizes)}"
    n_folds = config.evaluation.folds
    found = [Point(EVALUATION, "folds", n_folds, f"of {span} subjects each")]
    if config.evaluation.repeats > 1:
        found.append(Point(EVALUATION, "repeats", config.evaluation.repeats, "with other folds"))
    for context in rows["context"].unique():
        counts = [int((own["context"] == context).sum()) for own in tested[:n_folds]]
        detail = f"(by fold {', '.join(map(str, counts))})"
        found.append(Point(EVALUATION, f"{config.unit}s of {context}", sum(counts), detail))
    thin = [
        f"{part.words} has {context} of {counted(int(n), 'subject')}"
        for part, own in zip(plan.parts, tested, strict=True)
        for context, n in own.groupby("context")["subject"].nunique().items()
        if n < _FEWEST_SUBJECTS
    ]
    if thin:
        what = "AUC" if config.label.classified else "correlation"
        detail = (
            f"{listed(thin, most=3)}: within such a fold there is no {what}, and metrics that "
            "require it are missing; use fewer folds"
        )
        found.append(Point(EVALUATION, "thin folds", len(thin), detail, "note"))
    return found


def _clips(rows: pd.DataFrame, config: StudyConfig) -> str:
    counts = rows["context"].value_counts(sort=False)
    each = ", ".join(f"{name} {count}" for name, count in counts.sort_index().items())
    return f"{len(rows):,} {config.unit}s ({each})"


def model_points(config: StudyConfig, plan: Planned) -> list[Point]:
    """Return each model, how contexts enter it, its grid, and the number of its fits."""
    found = []
    by_name: dict[str, list[Unit]] = {}
    for unit in plan.units:
        by_name.setdefault(unit.model.name, []).append(unit)
    # Once more on scores of the training subjects alone, for what their leak is worth.
    twice = config.label.method == "factor" and not config.evaluation.crossed
    for name, units in by_name.items():
        model = units[0].model
        inner = config.evaluation.inner_folds
        fits = sum(_fits(unit, inner, plan.rows) for unit in units) * (1 + twice)
        ways = ", ".join(dict.fromkeys(unit.context_as for unit in units))
        searched = _searched(model)
        what = "" if is_own_net(model.template) else f": {model.description}"
        detail = f"fits ({ways}; {searched}){what}"
        found.append(Point(MODELS, name, fits, detail))
    if config.compare.chained:
        subjects, draws = int(plan.rows["subject"].nunique()), config.compare.chain_draws
        fits = sum(_fits(unit, config.evaluation.inner_folds, plan.rows) for unit in plan.units)
        drawn = f", and of {counted(draws, 'draw')}" if draws else ""
        detail = f"fits (all of these again without each of {subjects} subjects{drawn})"
        found.append(Point(MODELS, "whole analysis", fits * (subjects + draws), detail))
    for name, section in config.models.deep().items():
        contexts = plan.rows["context"].nunique()
        own = contexts if section.per_context and contexts > 1 else 0
        n = (own + 1) * section.n_seeds
        detail = (
            f"trainings of at most {section.max_epochs} epochs, {section.lr:g} the learning rate"
        )
        found.append(Point(MODELS, name, n, detail))
    baselines = [one for one in ("uniform", "normal", "prior") if getattr(config.baselines, one)]
    if config.label.is_rated and config.baselines.human != "none":
        baselines.append("human")
    if baselines:
        found.append(Point(MODELS, "baselines", None, ", ".join(baselines)))
    return found


def _pairs(model: Model) -> int:
    """Return how many values the elastic net chooses from."""
    net: Any = model.template
    return int(np.size(net.alpha) * np.size(net.l1_ratio))


def _grid(model: Model) -> int:
    return sum(prod(len(values) for values in part.values()) for part in model.grid)


def _searched(model: Model) -> str:
    if is_own_net(model.template):
        net: Any = model.template
        alphas = ", ".join(f"{value:.3g}" for value in np.atleast_1d(net.alpha))
        return f"alpha {alphas}, each with {counted(np.size(net.l1_ratio), 'value')} of l1_ratio"
    if model.grid:
        return f"grid of {counted(_grid(model), 'combination')}"
    return "tunes itself, which is counted as one" if own_cv(model.template) else "no grid"


def _fits(unit: Unit, inner_folds: int, rows: pd.DataFrame) -> int:
    """Return how often a model is fitted for one prediction, tuning among it."""
    model, part = unit.model, unit.part
    net = is_own_net(model.template)
    tried = _pairs(model) if net else _grid(model)
    if net and (tried == 1 or part.tune is not None):
        return tried
    if part.tune is not None:
        return tried + 1
    subjects = int(rows["subject"].iloc[part.train].nunique())
    folds = min(inner_folds, subjects)
    return tried * (folds + 1) if net else tried * folds + 1
