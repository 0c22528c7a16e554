"""The stage of the whole analysis: every step is computed again without each subject, or of draws.

The steps are those of the study: its ratings and factor model, the rows of its models, its
features, folds, elastic nets and metrics.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from pyexpr.base.contexts import ALL
from pyexpr.base.errors import FewSubjectsWarning
from pyexpr.base.messages import Template, message_column
from pyexpr.base.pairs import KIND, pair_label
from pyexpr.modeling.chain.chain import bootstrap_chain
from pyexpr.modeling.chain.joined import MEAN, labels_named
from pyexpr.modeling.chain.notes import FEWER_DISTINCT, UNDEFINED
from pyexpr.modeling.chain.result import MODELS, ChainResult
from pyexpr.modeling.fitting.final import terms_of
from pyexpr.modeling.fitting.plan import POOLED
from pyexpr.resampling.intervals.methods import check_method
from pyexpr.study.file.config import StudyConfig
from pyexpr.study.file.model_specs import model_specs
from pyexpr.study.file.voice import in_words_of_the_file
from pyexpr.study.kept.store import StageOutput
from pyexpr.study.stages.model_fits import PAPERS, column_of
from pyexpr.study.stages.models import complete_rows
from pyexpr.study.tables.chain_ratings import chain_columns, chain_model, chain_ratings
from pyexpr.study.tables.inputs import CLIP_KEY, Inputs

if TYPE_CHECKING:
    import pandas as pd

# Of estimates: lavaan stops a little before the maximum of the likelihood.
_ALIKE = 1e-6
_DIFFERENT = Template(
    "chain_different",
    "the intervals of the whole analysis are not shown, because its own {what} of {term:label} in "
    "context {context:label} is {own:.6g}, and that of the study {theirs:.6g}; the two must be "
    'equal. engine = "native" under [factor_model] fits both by the same program',
    report="the intervals of the whole analysis are not shown, because its own {what} of "
    "{term:label} in context {context:label} is {own:.6g}, and that of the study {theirs:.6g}; the "
    "two must be equal",
)
_NOT_USUAL = Template(
    "no_usual_interval", "with scores and models as given there is no standard error"
)()


def chain(
    config: StudyConfig,
    inputs: Inputs,
    stages: Mapping[str, StageOutput],
    *,
    progress: bool | None = None,
) -> StageOutput:
    """Return the quantities of all steps, each with the intervals of the whole analysis.

    `stages` are those on which it depends, by name; that of the label is called "label". If an
    estimate differs from that of the study, there is no table, but a note.
    """
    import pandas as pd

    result = _computed(config, inputs, stages, progress)
    kept, renamed = _rows_of_study(config, inputs, result)
    compared = stages["comparison"].tables["comparison"]
    compared = compared[compared["method"] == config.compare.methods[0]]
    tables = []
    methods = config.compare.chain_methods
    for method in methods:
        table = result.interval(method=method).tidy()
        table = table.iloc[kept].reset_index(drop=True).assign(**renamed, method=method)
        tables.append(table.assign(reason=_reasons(table, compared)))
    notes: list[str] = []
    n_undefined = int(np.isnan(result.replicates[:, kept]).any(axis=1).sum())
    if result.n_boot:
        notes.append(FEWER_DISTINCT)
        if n_undefined:
            notes.append(UNDEFINED(n=n_undefined, n_boot=result.n_boot))
    facts = {
        "methods": list(methods), "draws": result.n_boot, "undefined draws": n_undefined,
        "subjects": result.n_subjects, "notes": notes,
    }  # fmt: skip
    different = _difference(tables[0], compared, stages)
    if different:
        return StageOutput({}, facts | {"notes": [different]})
    return StageOutput({"chain": pd.concat(tables, ignore_index=True)}, facts)


@in_words_of_the_file()
def _computed(
    config: StudyConfig,
    inputs: Inputs,
    stages: Mapping[str, StageOutput],
    progress: bool | None,
) -> ChainResult:
    behavior, options = stages["features"], config.evaluation
    model = chain_model(config, inputs)
    rows, _ = complete_rows(stages["label"], behavior)
    # A feature may be called like the factor, which here is a column of the same table.
    label = MEAN if model is None else config.factor_model.factor
    called = {name: f"{name} of the features" for name in labels_named(label)}
    rows = rows.rename(columns=called)
    features, covariates = (
        [called.get(name, name) for name in behavior.facts[kind]]
        for kind in ("features", "covariates")
    )
    draws = config.compare.chain_draws
    for method in config.compare.chain_methods:
        check_method(method, config.compare.confidence, draws)
    with warnings.catch_warnings():
        # The comparison says it of the same subjects.
        warnings.simplefilter("ignore", FewSubjectsWarning)
        return bootstrap_chain(
            rows[[*CLIP_KEY, *features, *covariates]],
            chain_ratings(config, inputs),
            **chain_columns(inputs),
            features=features,
            model=model,
            labels=config.factor_model.labels,
            models=model_specs(config),
            context_as=config.models.context_as or PAPERS,
            folds=options.folds,
            repeats=options.repeats,
            inner_folds=options.inner_folds,
            adjust_for=covariates,
            **config.compare.measured(),
            method=config.compare.chain_methods[0],
            n_boot=draws,
            confidence=config.compare.confidence,
            seed=config.seed,
            # Starting processes costs more than leaving out each subject.
            n_jobs=config.compute.n_jobs or (-1 if draws else 1),
            progress=progress,
        )


def _rows_of_study(
    config: StudyConfig, inputs: Inputs, result: ChainResult
) -> tuple[list[int], dict[str, list[str]]]:
    """Return the positions of the quantities that a study has, in its order, and their names there.

    A study has no differences between contexts, and unless its file names the ways in which
    contexts enter, each context has the results of its own model, and "all" those of the model over
    all contexts.
    """
    table = result.tidy()
    ways = config.models.context_as
    several = len(inputs.contexts) > 1
    keys = [(name, way) for name in model_specs(config)
            for way in ((ways or PAPERS) if several else (POOLED,))]  # fmt: skip
    meant = {term: key for key, term in terms_of(keys).items()}
    ranks = {name: rank for rank, name in enumerate(dict.fromkeys(table["metric"]))}
    contexts = (*inputs.contexts, ALL)
    found: list[tuple[int, int, int, tuple[str, ...]]] = []
    for place, row in enumerate(table.to_dict("records")):
        context = row["context"] if several else inputs.contexts[0]
        names: tuple[str, ...] = (row["term"], context, "", "", "")
        if row["step"] == MODELS:
            if row["second_context"]:
                continue
            both = [meant[one] for one in (row["first_model"], row["second_model"]) if one]
            if ways is None and several and any(way != PAPERS[context == ALL] for _, way in both):
                continue
            first, *others = (column_of(model, way, ways) for model, way in both)
            second = others[0] if others else ""
            names = (pair_label(first, second or None, row[KIND]), context, first, second, context)
        # Metrics of all steps differ.
        found.append((ranks[row["metric"]], contexts.index(context), place, names))
    found.sort()
    columns = ("term", "context", "first_model", "second_model", "first_context")
    renamed = {name: [own[at] for *_, own in found] for at, name in enumerate(columns)}
    return [place for _, _, place, _ in found], renamed


def _reasons(table: pd.DataFrame, compared: pd.DataFrame) -> pd.Series[str]:
    """Return the reasons of a table: of an undefined estimate as the comparison has it.

    There is also a reason if only the usual comparison lacks a standard error.
    """
    keys = ["metric", "term", "context"]
    theirs = dict(zip(compared[keys].itertuples(index=False, name=None), compared["reason"],
                      strict=True))  # fmt: skip
    found: list[str] = []
    for row in table.to_dict("records"):
        reason = row["reason"]
        if row["step"] == MODELS and np.isnan(row["estimate"]):
            reason = theirs.get((row["metric"], row["term"], row["context"])) or reason
        elif row["step"] == MODELS and np.isnan(row["fixed_error"]):
            reason = reason or _NOT_USUAL
        found.append(reason)
    return message_column(found, table.index)


def _difference(
    table: pd.DataFrame, compared: pd.DataFrame, stages: Mapping[str, StageOutput]
) -> str:
    """Return a note on the first estimate that is not that of the study; "" if there is none."""
    own = {
        (row["metric"], row["term"], row["context"]): row["estimate"]
        for row in table.to_dict("records")
    }
    theirs: dict[tuple[str, str, str], float] = {}
    for row in compared.to_dict("records"):
        theirs[row["metric"], row["term"], row["context"]] = row["estimate"]
    for row in stages["reliability"].tables["reliability"].to_dict("records"):
        theirs["ICC(1,k)", row["question"], row["context"]] = row["estimate"]
    if "loadings" in stages["label"].tables:
        for row in stages["label"].tables["loadings"].to_dict("records"):
            theirs["std_loading", row["indicator"], row["context"]] = row["std_loading"]
    for (what, term, context), value in own.items():
        if what in ("loading", "score_weight"):
            # The study has no table of these.
            continue
        other = theirs.get((what, term, context), np.nan)
        if not np.isclose(value, other, rtol=_ALIKE, atol=_ALIKE, equal_nan=True):
            return _DIFFERENT(
                what=what, term=term, context=context, own=float(value), theirs=float(other)
            )
    return ""
