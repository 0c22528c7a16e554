"""The first lines of a report: what was studied, and what was found, in three sentences."""

from __future__ import annotations

import math
from collections.abc import Iterable

import pandas as pd

from pyexpr.base.contexts import ALL
from pyexpr.base.pairs import DIFFERENCE, KIND
from pyexpr.report.text.facts import (
    Record,
    Tables,
    classified,
    context_names,
    contexts_of,
    crossed,
    evaluated_subjects,
    fitted_models,
    predicted_outcome,
    unit_of,
)
from pyexpr.report.text.results import (
    excludes_zero,
    interval_text,
    levels_by,
    p_text,
    slope_interval,
    slope_p,
    slope_text,
    together,
    with_article,
)
from pyexpr.words.frames import in_order, records
from pyexpr.words.labels import (
    direction,
    display_name,
    interval,
    label_in_sentence,
    label_name,
    name_in_sentence,
    number,
    percent,
)
from pyexpr.words.wording import counted, listed_words, sentence, spelled, were

# Largest numbers of metrics, models and features in a sentence; the tables have all.
_MOST_LISTED = 3


def study_in_a_sentence(record: Record, tables: Tables) -> str:
    """Return a sentence on the subjects, the contexts, the ratings and the predictors."""
    contexts, names = contexts_of(tables), context_names(tables)
    who = counted(tables["scores"]["subject"].nunique(), "subject")
    where = ""
    if len(contexts) > 1:
        listed = listed_words(label_in_sentence(one, names) for one in contexts)
        where = f" in {spelled(len(contexts), 'context')} ({listed})"
    observed = "recorded" if "recordings" in tables else "observed"
    parts = [f"A sample of {who} was {observed}{where}", *_rated(record, tables)]
    return f"{'; '.join(parts)}. {_predicted(record)}"


def _rated(record: Record, tables: Tables) -> list[str]:
    table = tables.get("reliability")
    if table is None:
        return []
    # With only one context there may be no rows "over all".
    first = table[table["context"] == ALL] if (table["context"] == ALL).any() else table
    own = table[table["context"] != ALL]["estimate"].dropna()
    low, high = (number(limit, of="icc") for limit in (own.min(), own.max()))
    icc = f" with ICC(1,k) from {low} to {high}" if len(own) and low != high else ""
    if len(own) and low == high:
        icc = f" with ICC(1,k) of {low}"
    n_clips = first["n_targets"].iloc[0]
    return [
        f"{counted(n_clips, unit_of(record))} {were(n_clips)} rated on "
        f"{spelled(len(first), 'question')}{icc}"
    ]


def _predicted(record: Record) -> str:
    stage = record["stages"]["models"]["subjects"]
    what = predicted_outcome(record)
    if crossed(record):
        folds = spelled(record["options"]["evaluation"]["folds"], "fold")
        return f"Models predicted {what} by cross-validation in {folds} of subjects."
    return (
        f"Models fitted and tuned with {counted(stage['train'] + stage['validation'], 'subject')} "
        f"predicted {what} in {counted(evaluated_subjects(record), 'test subject')}."
    )


def findings(record: Record, tables: Tables, main: str) -> list[str]:
    """Return the findings: performance of the main model, comparison with others, and features.

    The first interval method of the study decides: a difference or slope counts as different from 0
    if its interval excludes 0.
    """
    found = [_performance(record, tables, main), _differences(record, tables, main)]
    found.append(_slopes(record, tables) or _contexts(record, tables, main))
    return [text for text in found if text]


def _performance(record: Record, tables: Tables, main: str) -> str:
    levels = _levels(record, tables, main)
    level, contexts = percent(record["options"]["compare"]["confidence"]), contexts_of(tables)
    parts = []
    for metric in record["options"]["compare"]["metrics"][:_MOST_LISTED]:
        rows = levels[levels["metric"] == metric]
        overall = rows[rows["context"] == ALL] if (rows["context"] == ALL).any() else rows
        if overall.empty:
            continue
        row, name = overall.iloc[0], name_in_sentence(metric)
        if math.isnan(row["estimate"]):
            parts.append(f"an undefined {name}")
            continue
        shown = number(row["estimate"], 3, of=metric)
        limits = interval_text(row["conf_low"], row["conf_high"], level, of=metric)
        parts.append(f"{name} {shown}, {limits}")
    where = "over all contexts, " if len(contexts) > 1 else ""
    others = len(fitted_models(tables)) - 1
    beside = f", the first of {spelled(others + 1, 'fitted model')}," if others > 0 else ""
    verb = "classified" if classified(record) else "predicted"
    text = f"{where}{display_name(main)}{beside} {verb} with {listed_words(parts)}"
    # The other metrics are known to readers by their names.
    defined = (
        " NRMSE is the root mean squared error divided by the width of the scores."
        if "nrmse" in record["options"]["compare"]["metrics"][:_MOST_LISTED]
        else ""
    )
    return f"{text[0].upper()}{text[1:]}.{defined}"


def _differences(record: Record, tables: Tables, main: str) -> str:
    options = record["options"]["compare"]
    table = tables["comparison"]
    rows = table[
        (table["method"] == options["methods"][0])
        & (table["context"] == ALL)
        & (table[KIND] == DIFFERENCE)
        & (table["first_model"] == main)
        & (table["metric"] == options["metrics"][0])
    ]
    if rows.empty:
        return ""
    metric, level = options["metrics"][0], percent(options["confidence"])
    known, apart = rows[["conf_low", "conf_high"]].notna().all(axis=1), excludes_zero(rows)
    name, better = name_in_sentence(metric), direction(metric)
    groups = (
        (
            f"was lower{' (better)' * (better == 'lower')} than that of",
            rows[apart & (rows["estimate"] < 0)],
        ),
        (
            f"was higher{' (better)' * (better == 'higher')} than that of",
            rows[apart & (rows["estimate"] > 0)],
        ),
        ("did not differ detectably from that of", rows[~apart & known]),
    )
    parts = [f"{finding} {_others(group)}" for finding, group in groups if len(group)]
    if not known.all():
        unknown = _some(with_article(model) for model in rows.loc[~known, "second_model"])
        parts.append(f"has no interval for the difference from that of {unknown}")
    return f"Its {name} {'; it '.join(parts)} (differences with {level} CI)."


def _others(rows: pd.DataFrame) -> str:
    shown = [
        f"{with_article(row.second_model)} ({number(row.estimate, 3)} "
        f"{together(interval(row.conf_low, row.conf_high, 3))}, {p_text(row.p_value)})"
        for row in records(rows)
    ]
    return _some(shown)


def _slopes(record: Record, tables: Tables) -> str:
    table = tables.get("coefficients")
    if table is None:
        return ""
    several = len(contexts_of(tables)) > 1
    own = table[table["context"] == ALL] if several else table
    own = own[excludes_zero(own)]
    where = "Over all contexts, " if several else ""
    kind = slope_interval(record, tables)
    if own.empty:
        return sentence(f"{where}no feature had a slope with {kind} that excludes 0")
    # The strongest features come first.
    ordered = own.reindex(own["tested_estimate"].abs().sort_values(ascending=False).index)
    shown = [slope_text(row, slope_p(tables)) for row in records(ordered)]
    return sentence(
        f"{where}{spelled(len(shown), 'feature')} had a slope with {kind} that excludes 0: "
        f"{_some(shown)}"
    )


def _contexts(record: Record, tables: Tables, main: str) -> str:
    """Return in which contexts the main model was best and worst."""
    if len(contexts_of(tables)) == 1:
        return ""
    names, metric = context_names(tables), record["options"]["compare"]["metrics"][0]
    levels = _levels(record, tables, main)
    own = levels[(levels["metric"] == metric) & (levels["context"] != ALL)].dropna(
        subset=["estimate"]
    )
    if len(in_order(own["context"])) < 2:
        return ""
    ordered = own.sort_values("estimate", kind="stable")
    low, high = (
        f"{number(row['estimate'], 3, of=metric)} ({label_name(row['context'], names)})"
        for row in (ordered.iloc[0], ordered.iloc[-1])
    )
    return f"Within contexts, its {name_in_sentence(metric)} ranged from {low} to {high}."


def _levels(record: Record, tables: Tables, main: str) -> pd.DataFrame:
    levels = levels_by(tables, record["options"]["compare"]["methods"][0])
    return levels[levels["first_model"] == main]


def _some(shown: Iterable[str]) -> str:
    found = list(shown)
    if len(found) <= _MOST_LISTED + 1:
        return listed_words(found)
    return f"{', '.join(found[:_MOST_LISTED])}, and {len(found) - _MOST_LISTED} more"
