"""Checks of a study's tables before the first stage."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from pyexpr.base.errors import DataError, PyexprError, StudyError, counted, listed, near_names
from pyexpr.base.messages import message_of, say
from pyexpr.behavior.features.baseline import check_baseline
from pyexpr.behavior.features.sequences import check_sequences
from pyexpr.behavior.openface.layout import OPENFACE
from pyexpr.behavior.tracks.recognition import AUTO
from pyexpr.deep.requirements import require, require_installed
from pyexpr.inference.pooling.estimates import FEWEST_CONTEXTS
from pyexpr.modeling.chain.nets import check_net
from pyexpr.modeling.elastic_net import ElasticNetRegressor
from pyexpr.modeling.fitting.specs import Model, read_models
from pyexpr.modeling.splits import split_subjects
from pyexpr.resampling.intervals.methods import check_method
from pyexpr.study.file.chain_misfits import ENTRY as CHAIN
from pyexpr.study.file.config import StudyConfig
from pyexpr.study.file.model_sections import ModelsSection
from pyexpr.study.file.model_specs import kind_of, model_specs
from pyexpr.study.file.voice import in_words_of_the_file
from pyexpr.study.tables.chain_ratings import check_chain_ratings
from pyexpr.study.tables.feature_choice import check_choice, wanted
from pyexpr.study.tables.inputs import CLIP_KEY, Inputs
from pyexpr.study.tables.labels import check_label

NO_HUMANS = 'set human = "none" under [baselines] to omit the human baseline'


def check_early(config: StudyConfig, inputs: Inputs) -> None:
    """Raise `StudyError` for what a whole study cannot do with these tables.

    Said before the first stage, not after an hour of the others.
    """
    for check in _checks(config, inputs):
        check()


def early_problems(config: StudyConfig, inputs: Inputs) -> list[str]:
    """Return all that `check_early` would raise, a sentence each."""
    found = []
    for check in _checks(config, inputs):
        try:
            check()
        except PyexprError as error:
            found.append(str(error))
    return found


def model_checks(config: StudyConfig) -> list[Callable[[], list[Model]]]:
    """Return a check for each model: whether it can be made; called, it returns the model."""
    options: dict[str, Any] = {
        "trusted": config.models.trusted, "inner_folds": config.evaluation.inner_folds,
        "kind": kind_of(config), "label": config.labels[0],
    }  # fmt: skip
    made = in_words_of_the_file()(_read_model)
    return [
        partial(made, config, name, model, options) for name, model in model_specs(config).items()
    ]


def _read_model(config: StudyConfig, name: str, model: Any, options: dict[str, Any]) -> list[Model]:
    """Return the model, if it can be constructed and its predictions suit the metrics."""
    found = read_models({name: model}, **options)
    needed = [str(one) for one in ("auc", "brier") if one in config.compare.metrics]
    needed += ["threshold"] if config.compare.threshold is not None else []
    if needed and config.label.classified and not found[0].probable:
        raise StudyError(
            f"{needed[0]} under [compare] requires probabilities, but [models.{name}] does not "
            "provide them (no predict_proba); leave one of them out, or calibrate the model: "
            'estimator = "sklearn.calibration.CalibratedClassifierCV"'
        )
    return found


def table_checks(config: StudyConfig, inputs: Inputs) -> Iterator[Callable[[], object]]:
    """Yield a check for each choice that depends on the tables."""
    known = config.features.computed() if inputs.recorded else ()
    measured = inputs.measured.features if inputs.measured else ()
    text = inputs.measured.ignored if inputs.measured else ()
    yield partial(check_choice, config, [*known, *measured], text)
    if inputs.recorded:
        yield partial(_check_baseline, config, inputs)
        yield partial(_check_crop, config, inputs)
        yield partial(_check_columns, config, inputs)
    yield partial(check_label, config, inputs)
    if config.label.method == "factor":
        yield partial(_check_factor, config, inputs)
    if not config.evaluation.crossed:
        yield partial(_check_split, config, inputs)


def _check_crop(config: StudyConfig, inputs: Inputs) -> None:
    """Raise `StudyError` if faces are to be cropped by landmarks that are not OpenFace's."""
    section = config.models.video3d
    if section is None or section.crop is None or "layout" not in inputs.recordings:
        return
    named = {str(one) for one in inputs.recordings["layout"] if one and one == one}
    others = sorted(named - {OPENFACE, AUTO})
    if others:
        raise StudyError(
            f'[models.video3d] crop = "face" cuts the face out by OpenFace\'s landmarks, but '
            f"recordings are of the layout {listed(others, most=3)}; leave crop out"
        )


def _check_columns(config: StudyConfig, inputs: Inputs) -> None:
    """Raise `StudyError` if the recordings of clips differ in the columns that the LSTM sees."""
    section = config.models.lstm
    if section is None:
        return
    table = inputs.recordings
    layouts = table["layout"] if "layout" in table else [None] * len(table)
    try:
        check_sequences(zip(table["path"].map(str), layouts, strict=True), section.columns)
    except DataError as error:
        raise StudyError(say("[models.lstm] {error}", error=message_of(error))) from None


def _check_baseline(config: StudyConfig, inputs: Inputs) -> None:
    """Raise `StudyError` if the baseline of the features is no context of the study."""
    try:
        check_baseline(config.features.baseline, inputs.recordings["context"].unique())
    except DataError as error:
        raise StudyError(say("[features] {error}", error=message_of(error))) from None


def _checks(config: StudyConfig, inputs: Inputs) -> Iterator[Callable[[], object]]:
    yield from table_checks(config, inputs)
    yield partial(_check_intervals, config)
    if inputs.rated:
        yield partial(_check_humans, config, inputs)
    if config.compare.ceiling == "ICC(C,k)":
        yield partial(_check_ceiling, config, inputs)
    if config.compare.chained and inputs.rated:
        yield partial(_check_chain_models, config)
        for name in config.labels:
            yield partial(check_chain_ratings, config.of_label(name), inputs)
    if config.coefficients.pooling != "none":
        yield partial(_check_pooling, config, inputs)
    # A model that cannot be made is known now, not after the features.
    yield from model_checks(config)


def _check_intervals(config: StudyConfig) -> None:
    """Every method needs so many replicates for its level."""
    options = config.compare
    for method in options.methods:
        try:
            check_method(method, options.confidence, options.n_boot)
        except DataError as error:
            raise StudyError(f"[compare] {error}") from None


def _check_factor(config: StudyConfig, inputs: Inputs) -> None:
    questions = inputs.questions
    if len(questions) < 2:
        raise StudyError(
            "the factor model needs at least two questions (with two, the loadings are "
            "constrained to be equal), but the ratings have "
            f'{counted(len(questions), "question")}: {listed(questions)}; method = "question" '
            "under [label] uses its mean rating"
        )
    positive = config.factor_model.positive
    if positive is not None and positive not in questions:
        raise StudyError(
            f"positive = {positive!r} under [factor_model] is not a question; "
            f"{near_names(positive, questions)}"
        )


def _check_humans(config: StudyConfig, inputs: Inputs) -> None:
    questions = config.label.question or inputs.questions
    ratings = inputs.ratings[inputs.ratings["question"].isin(questions)]
    answers = ratings.groupby([*CLIP_KEY, "rater"], sort=False)["question"].nunique()
    if config.baselines.human in ("slot", "person") and answers.max() < len(questions):
        raise StudyError(f"no rater answered every question about any clip; {NO_HUMANS}")


def _check_ceiling(config: StudyConfig, inputs: Inputs) -> None:
    """Raise `StudyError` unless every rater rated every clip: else severity is an error, too."""
    questions = config.label.question or inputs.questions
    ratings = inputs.ratings[inputs.ratings["question"].isin(questions)]
    cells = ratings.groupby("question", sort=False)[[*CLIP_KEY, "rater"]]
    n_clips, n_raters = len(inputs.clips()), ratings["rater"].nunique()
    if n_raters < 2 or any(len(own) < n_clips * n_raters for _, own in cells):
        raise StudyError(
            'ceiling = "ICC(C,k)" under [compare] requires that each of several raters rated '
            'every clip; use "ICC(1,k)", in which the severity of a rater counts as error'
        )


def _check_chain_models(config: StudyConfig) -> None:
    """Raise `StudyError` for a model that is not an elastic net."""
    for check in model_checks(config):
        try:
            (model,) = check()
        except DataError:
            # That it cannot be made is a problem of its own.
            continue
        if not isinstance(model.template, ElasticNetRegressor):
            raise StudyError(
                f"{CHAIN} fits elastic nets only, which are fitted thousands of times in seconds, "
                f"but [models.{model.name}] is {type(model.template).__name__}; leave one of them "
                "out"
            )
        check_net(model)


def _check_pooling(config: StudyConfig, inputs: Inputs) -> None:
    """Raise `StudyError` if the study has too few contexts or subjects for pooled slopes."""
    asked, n = 'pooling = "partial" under [coefficients]', len(inputs.contexts)
    if n < FEWEST_CONTEXTS:
        raise StudyError(
            f"{asked} requires at least {FEWEST_CONTEXTS} contexts, because fewer do not show how "
            f"far slopes differ between contexts, but the study has {n}; leave it out"
        )
    clips, where = inputs.clips(), ""
    most = clips["subject"].nunique()
    if config.coefficients.rows == "train":
        split = split_subjects(
            clips["subject"], proportions=config.split.proportions, seed=config.seed
        )
        parts = config.fitted_parts()
        most = sum(len(getattr(split, part)) for part in parts)
        where = f" in the {' and '.join(parts)} part{'s' if len(parts) > 1 else ''}"
    more = " (with covariates)" if config.features.adjust_for else ""
    counts = clips.groupby("context")["subject"].nunique().clip(upper=most)
    counts = counts.reindex(inputs.contexts, fill_value=0)
    for context in inputs.contexts:
        features, subjects = _fewest_predictors(config, inputs, context), int(counts[context])
        if 2 * features >= subjects:
            raise StudyError(
                f"{asked} requires more than twice as many subjects as features in each context, "
                f"but context {context!r} has {counted(features, 'feature')}{more} and "
                f"{counted(subjects, 'subject')}{where}; name fewer features (use under "
                "[features]), or leave pooling out"
            )


def _fewest_predictors(config: StudyConfig, inputs: Inputs, context: str) -> int:
    """Return how many features and covariates a context has at least that may vary there."""
    # Recordings of another tracker may lack some features.
    computed = () if not inputs.recorded or "layout" in inputs.recordings else (
        config.features.computed()
    )  # fmt: skip
    found = len(wanted(config, computed))
    if inputs.measured is not None:
        own = inputs.measured
        table = own.table[own.table["context"] == context]
        names = [*wanted(config, own.features), *own.covariates]
        found += sum(int(table[name].nunique() > 1) for name in names)
    return found


def _check_split(config: StudyConfig, inputs: Inputs) -> None:
    subjects = inputs.clips()["subject"].unique()
    proportions = config.split.proportions
    try:
        split = split_subjects(subjects, proportions=proportions, seed=config.seed)
    except DataError as error:
        raise StudyError(say("[split] proportions: {error}", error=message_of(error))) from None
    for part in ("train", "test"):
        # Nothing can be left out of one subject to see how much hangs on it.
        if len(getattr(split, part)) < 2:
            raise StudyError(
                f"[split] proportions = {list(proportions)} leave the {part} part 1 of "
                f"{counted(len(subjects), 'subject')}, but it requires at least 2; use a larger "
                "proportion, or add subjects"
            )


def check_deep(models: ModelsSection, stored: Callable[[str], Path]) -> None:
    """Raise for deep models that cannot be trained here.

    Missing software is reported for all models, a missing device only for models that are not yet
    `stored` under this file: another machine may have trained them.
    """
    sections = models.deep()
    if sections:
        require_installed()
    for name, section in sections.items():
        if section.device is None or stored(name).exists():
            continue
        require()
        from pyexpr.deep.devices import choose_place

        try:
            choose_place(section.device)
        except DataError as error:
            raise StudyError(
                say("[models.{name}] device: {error}", name=name, error=message_of(error))
            ) from None
