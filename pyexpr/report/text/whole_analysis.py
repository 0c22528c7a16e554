"""The intervals of the whole analysis in sentences: what they answer, and what they were."""

from __future__ import annotations

import math
from typing import Any

from pyexpr.base.contexts import ALL
from pyexpr.base.pairs import KIND, LEVEL
from pyexpr.report.tables.whole_analysis import leading_method
from pyexpr.report.text.facts import Record, Tables, context_names, contexts_of, fitted_models
from pyexpr.report.text.results import interval_text
from pyexpr.words.frames import records
from pyexpr.words.labels import (
    count,
    display_name,
    label_name,
    method_name,
    name_in_sentence,
    number,
    percent,
)
from pyexpr.words.wording import listed_words


def whole_analysis_sentences(record: Record, tables: Tables) -> list[str]:
    """Return what the two kinds of interval answer, and both for each model and metric."""
    if "chain" not in tables:
        return []
    return [*_what_they_answer(record, tables), *_numbers(record, tables), _undefined(record)]


def _what_they_answer(record: Record, tables: Tables) -> list[str]:
    before, again = "ratings", "The ratings"
    if "loadings" in tables:
        before, again = "scores", "The ratings, the factor model, the scores"
    return [
        "Two kinds of interval answer two questions. The intervals of the other tables take the "
        f"{before} and the fitted models as given. They say how precisely the performance of these "
        "models is known, if only the subjects that they predict could have been others.",
        f"The intervals of the whole analysis take nothing as given. {again}, the tuning and the "
        "models themselves depend on who took part. These intervals say how much the results would "
        "change if the whole study were done again with other subjects. They refer to the "
        "procedure: to models that are tuned and fitted in this way to as many subjects.",
        "The ratio of the two standard errors says what the usual interval leaves out. It can be "
        f"below 1, because {', and because '.join(_below_one(record, tables))}.",
    ]


def _below_one(record: Record, tables: Tables) -> list[str]:
    """Return why the standard error of the whole analysis can be the smaller one."""
    found = []
    if "loadings" in tables:
        found.append("the unit of the scores depends on the subjects, as the errors do")
    if set(record["options"]["compare"]["metrics"]) & {"correlation", "concordance", "r2"}:
        found.append(
            "the usual interval of a cross-validated correlation is already widened for the "
            "variation between training subjects"
        )
    return found or ["both are estimated from the same few subjects"]


def _numbers(record: Record, tables: Tables) -> list[str]:
    """Return both intervals of each model: over all contexts, or in the only one."""
    options = record["options"]["compare"]
    table = tables["chain"]
    method = leading_method(record["stages"]["chain"]["methods"])
    several = len(contexts_of(tables)) > 1
    names, level = context_names(tables), percent(options["confidence"])
    rows = table[(table["step"] == "models") & (table["method"] == method)]
    rows = rows[rows[KIND] == LEVEL]
    if (rows["context"] == ALL).any():
        rows = rows[rows["context"] == ALL]
    text = []
    for model in fitted_models(tables):
        for metric in options["metrics"]:
            for row in records(rows[(rows["first_model"] == model) & (rows["metric"] == metric)]):
                where = f" {_where(row.context, names)}" if several else ""
                text.append(
                    f"The {name_in_sentence(metric)} of {display_name(model)}{where} was "
                    f"{_both(row, metric, level)}."
                )
    return text


def _where(context: str, names: dict[str, str]) -> str:
    return "over all contexts" if context == ALL else f"in {label_name(context, names)}"


def _both(row: Any, metric: str, level: str) -> str:
    if math.isnan(row.estimate):
        return "undefined"
    given = interval_text(row.fixed_low, row.fixed_high, level, of=metric)
    whole = interval_text(row.conf_low, row.conf_high, level, of=metric)
    ratio = row.std_error / row.fixed_error if row.fixed_error else math.nan
    times = "" if math.isnan(ratio) else f", a standard error {number(ratio, 2)} times as large"
    return (
        f"{number(row.estimate, 3, of=metric)}: with scores and predictions as given {given}; for "
        f"the whole analysis {whole}{times}"
    )


def _undefined(record: Record) -> str:
    stage = record["stages"]["chain"]
    if not stage["draws"]:
        return ""
    draws = count(stage["draws"])
    if not stage["undefined draws"]:
        return f"Every quantity was defined in each of the {draws} draws of subjects."
    return (
        f"Of the {draws} draws of subjects, {count(stage['undefined draws'])} left some quantity "
        "undefined."
    )


def whole_analysis_method(record: Record, tables: Tables) -> list[str]:
    """Return how the intervals were computed, for the methods section."""
    if "chain" not in tables:
        return []
    stage = record["stages"]["chain"]
    steps = ["the reliability of the ratings"]
    if "loadings" in tables:
        steps += ["the factor models", "the scores"]
    steps += ["the standardisation of the features", "the tuning", "the models", "the metrics"]
    text = [
        "For the intervals of the whole analysis, one subject after another was left out of the "
        f"study, and {listed_words(steps)} were computed again each time "
        "(Davison & Hinkley, 1997); the folds of the other subjects stayed the same."
    ]
    if stage["draws"]:
        text.append(
            f"In the same way all steps were computed for {count(stage['draws'])} draws of "
            f"subjects (seed {record['seed']}), in which all copies of a subject are in one fold."
        )
    methods = listed_words(method_name(one) for one in stage["methods"])
    return [*text, f"The intervals are {methods} intervals."]


def not_in_usual_intervals(tables: Tables) -> str:
    """Return what the usual intervals of a cross-validation do not include."""
    if "chain" in tables:
        return (
            "Only for the intervals of the whole analysis were models fitted again; the other "
            "intervals of performance do not include the variance due to training."
        )
    return (
        "Models were not fitted again in the computation of the intervals of performance, so the "
        "intervals do not include the variance due to training."
    )
