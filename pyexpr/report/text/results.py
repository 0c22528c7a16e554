"""The findings of a study in sentences for a results section, and the cautions."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import pandas as pd

from pyexpr.base.contexts import ALL
from pyexpr.base.messages import has_code
from pyexpr.base.pairs import DIFFERENCE, KIND, LEVEL
from pyexpr.inference.comparison.quantities import DIFFERENT_CRITERIA
from pyexpr.report.text.facts import (
    Record,
    Tables,
    context_names,
    contexts_of,
    crossed,
    evaluated_subjects,
    fitted_models,
    highest_correlations,
    unit_of,
)
from pyexpr.words.frames import in_order, records, shown_labels
from pyexpr.words.labels import (
    BASELINES,
    CORRELATION,
    DASH,
    HUMAN,
    count,
    direction,
    display_name,
    interval,
    label_in_sentence,
    label_name,
    name_in_sentence,
    number,
    p_value,
    percent,
)
from pyexpr.words.wording import counted, listed_words, spelled, were

#: Intervals from fewer subjects are approximate (see the coverage table in the documentation).
FEW_SUBJECTS = 20
# If a larger share of clips is left out, the remaining clips may be a selection.
_MANY_LOST = 0.05


@dataclass(frozen=True, slots=True)
class SectionCaution:
    """A caution: the id of the section to which it belongs, and its text."""

    section: str
    text: str


def reliability_sentence(record: Record, tables: Tables) -> str:
    """Return the range of the reliabilities, over contexts and questions."""
    if "reliability" not in tables:
        return ""
    table = tables["reliability"]
    own = table[table["context"] != ALL]
    known = own[own["estimate"].notna()]
    if known.empty:
        return "No reliability could be estimated."
    names = context_names(tables)
    level = percent(record["options"]["compare"]["confidence"])
    # The interval that accounts for subjects is preferred, because the other is too short.
    if "conf_low_subjects" in known and known["conf_low_subjects"].notna().all():
        known = known.assign(
            conf_low=known["conf_low_subjects"], conf_high=known["conf_high_subjects"]
        )
        statement = f" ({level} CI from leaving out one subject at a time)"
    else:
        statement = f" ({level} CI)" if known["conf_low"].notna().any() else ""
    order = known.sort_values("estimate", kind="stable")
    low, high = order.iloc[0], order.iloc[-1]
    return (
        f"ICC(1,k){statement} ranged from {number(low['estimate'], of='icc')}{_bracket(low)} "
        f"({label_name(low['context'], names)}, {label_in_sentence(low['question'])}) to "
        f"{number(high['estimate'], of='icc')}{_bracket(high)} "
        f"({label_name(high['context'], names)}, {label_in_sentence(high['question'])})."
    )


def loadings_sentence(tables: Tables) -> str:
    """Return the range of the standardised loadings."""
    if "loadings" not in tables:
        return ""
    own = tables["loadings"][tables["loadings"]["context"] != ALL]
    known = own["std_loading"].dropna()
    if known.empty:
        return "No loading could be estimated."
    over = "contexts and questions" if own["context"].nunique() > 1 else "questions"
    return (
        f"Standardised loadings ranged from {number(known.min(), of='std_loading')} to "
        f"{number(known.max(), of='std_loading')} over {over}."
    )


def performance_sentences(record: Record, tables: Tables) -> list[str]:
    """Return each model's performance over all contexts, and in each, with intervals."""
    options = record["options"]["compare"]
    levels = levels_by(tables, options["methods"][0])
    level = percent(options["confidence"])
    names = context_names(tables)
    several = len(contexts_of(tables)) > 1
    text = []
    for model in fitted_models(tables):
        for metric in options["metrics"]:
            own = levels[(levels["first_model"] == model) & (levels["metric"] == metric)]
            if own.empty:
                continue
            parts = []
            # With one context, its numbers are those over all contexts.
            contexts = [one for one in in_order(own["context"]) if several or one != ALL]
            for context in sorted(contexts, key=lambda label: label != ALL):
                row = own[own["context"] == context].iloc[0]
                where = ""
                if several:
                    where = " over all contexts"
                if context != ALL and several:
                    where = f" in {label_name(context, names)}"
                if math.isnan(row["estimate"]):
                    parts.append(f"undefined{where}")
                    continue
                limits = interval_text(row["conf_low"], row["conf_high"], level, of=metric)
                parts.append(f"{number(row['estimate'], 3, of=metric)}{where}, {limits}")
            text.append(
                f"The {name_in_sentence(metric)} of {display_name(model)} was {'; '.join(parts)}."
            )
    return [*text, *_highest_sentence(tables, names, level, several=several)]


def _highest_sentence(
    tables: Tables, names: dict[str, str], level: str, *, several: bool
) -> list[str]:
    """Return the highest correlation that the reliability of the ratings allows."""
    highest = highest_correlations(tables)
    if highest is None:
        return []
    parts = []
    for row in sorted(records(highest), key=lambda row: row.context != ALL):
        if row.context == ALL or not several:
            where = " over all contexts" if several else ""
        else:
            where = f" in {label_name(row.context, names)}"
        if math.isnan(row.estimate):
            parts.append(f"undefined{where}")
            continue
        limits = interval_text(row.conf_low, row.conf_high, level, of=CORRELATION)
        parts.append(f"{number(row.estimate, 3, of=CORRELATION)}{where}, {limits}")
    return [
        "The highest correlation that the reliability of the ratings allows was "
        f"{'; '.join(parts)}."
    ]


def difference_sentences(record: Record, tables: Tables, main: str) -> list[str]:
    """Return the differences of the main model from the others, over all contexts."""
    options = record["options"]["compare"]
    table = tables["comparison"]
    rows = table[
        (table["method"] == options["methods"][0])
        & (table["context"] == ALL)
        & (table[KIND] == DIFFERENCE)
        & (table["first_model"] == main)
    ]
    level = percent(options["confidence"])
    where = "Over all contexts, the" if len(contexts_of(tables)) > 1 else "The"
    text = []
    for metric in options["metrics"]:
        parts = [
            f"{number(row.estimate, 3)}, {interval_text(row.conf_low, row.conf_high, level)}, "
            f"{p_text(row.p_value)} for {with_article(row.second_model)}"
            for row in records(rows[rows["metric"] == metric])
        ]
        if parts:
            better = {"lower": "below 0", "higher": "above 0"}.get(direction(metric), "")
            meaning = f" (a value {better} favours {display_name(main)})" if better else ""
            text.append(
                f"{where} {name_in_sentence(metric)} of {display_name(main)} minus that "
                f"of the other model{meaning} was {'; '.join(parts)}."
            )
    return text


def with_article(model: str) -> str:
    """Return a model's name within a sentence, with the article that baselines have."""
    article = "the " if model in (*BASELINES, *HUMAN) else ""
    return f"{article}{name_in_sentence(model)}"


def slope_sentences(record: Record, tables: Tables) -> list[str]:
    """Return which slopes differ from 0 in each context: those whose interval excludes it.

    A step-down test can reject although the simultaneous interval, which is Bonferroni's, contains
    0. Such a slope is reported separately and counted in neither group.
    """
    table = tables.get("coefficients")
    if table is None:
        return []
    names, several = context_names(tables), len(contexts_of(tables)) > 1
    text = []
    for context in in_order(table["context"]):
        if context == ALL and not several:
            continue
        own = table[table["context"] == context]
        where = "Over all contexts" if context == ALL else f"In {label_name(context, names)}"
        found = [slope_text(row, slope_p(tables)) for row in records(own[excludes_zero(own)])]
        kind = slope_interval(record, tables)
        if found:
            statement = (
                f"{spelled(len(found), 'slope')} had {kind} that excludes 0: {listed_words(found)}"
            )
        elif own["conf_low"].notna().any():
            statement = f"every {kind.partition(' ')[2]} of a slope includes 0"
        else:
            statement = "no interval of a slope could be computed"
        text.append(f"{where}, {statement}.")
        by_test_alone = own[(own[slope_p(tables)] < _alpha(record)) & ~excludes_zero(own)]
        if len(by_test_alone):
            listed = listed_words(
                slope_text(row, slope_p(tables)) for row in records(by_test_alone)
            )
            text.append(
                f"According to the test alone, {listed} also "
                f"{'differs' if len(by_test_alone) == 1 else 'differ'} from 0; the simultaneous "
                "interval includes 0, so "
                f"{'this slope is' if len(by_test_alone) == 1 else 'these slopes are'} not "
                "counted."
            )
    return text


def pooling_sentences(tables: Tables) -> list[str]:
    """Return how much the slopes of contexts were shrunken, if they were pooled."""
    table = tables.get("pooled_slopes")
    if table is None:
        return []
    known = table[table["shrinkage"].notna()]
    low, high = (
        f"{100 * limit:.0f}%" for limit in (known["shrinkage"].min(), known["shrinkage"].max())
    )
    by = f"by {low}" if low == high else f"by {low} to {high}"
    text = f"Partial pooling shrank the slopes of contexts {by} towards the mean over contexts."
    variation = tables["slope_variation"]
    alike = [label_in_sentence(one) for one in variation.loc[variation["estimate"] == 0, "feature"]]
    if not alike:
        return [text]
    which = f"{spelled(len(alike), 'feature')} ({listed_words(alike)})"
    if len(alike) == len(variation):
        which = "every feature"
    return [
        text,
        f"For {which}, the estimated variance between contexts is 0, so the pooled slope is the "
        "same in all contexts.",
    ]


def slope_interval(record: Record, tables: Tables) -> str:
    """Return the name of the intervals of slopes, with its article."""
    level = percent(record["options"]["compare"]["confidence"])
    adjusted = slope_p(tables) == "p_adjusted"
    return f"an adjusted {level} CI" if adjusted else f"a {level} CI"


def slope_p(tables: Tables) -> str:
    """Return the column of the p-values by which slopes are tested."""
    table = tables["coefficients"]
    adjusted = "p_adjusted" in table and table["p_adjusted"].notna().any()
    return "p_adjusted" if adjusted else "p_value"


def excludes_zero(table: pd.DataFrame) -> pd.Series[bool]:
    """Return which rows have an interval that does not contain 0."""
    return (table["conf_low"] > 0) | (table["conf_high"] < 0)


def slope_text(row: Any, column: str) -> str:
    """Return a slope with its interval and its p value, which is in `column`."""
    limits = together(interval(row.conf_low, row.conf_high, 2))
    return (
        f"{label_in_sentence(row.feature)} ({number(row.tested_estimate)} {limits}, "
        f"{p_text(getattr(row, column))})"
    )


def _alpha(record: Record) -> float:
    # This avoids 0.050000000000000044.
    return round(1 - float(record["options"]["compare"]["confidence"]), 10)


def cautions(record: Record, tables: Tables) -> list[SectionCaution]:
    """Return the cautions in the order of the sections."""
    stages, unit = record["stages"], unit_of(record)
    found = []
    lost = sum(stages["models"]["left out"].values())
    n_clips = lost + sum(stages["models"]["clips"].values())
    if n_clips and lost / n_clips > _MANY_LOST:
        found.append(
            SectionCaution(
                "quality",
                f"Of {counted(n_clips, unit)} that were "
                f"{'rated and recorded' if 'recordings' in tables else 'in the tables'}, "
                f"{count(lost)} ({100 * lost / n_clips:.0f}%) {were(lost)} excluded from the "
                "models. If they differ systematically from the others, the results may be "
                "biased.",
            )
        )
    factor = stages.get("factor_model")
    if factor is not None and not factor["admissible"]:
        found.append(
            SectionCaution(
                "factor-model",
                "A factor model is inadmissible (it has a negative residual variance); its "
                "scores are "
                + (
                    "used because the study file allows it."
                    if record["options"]["factor_model"]["allow_inadmissible"]
                    else "missing, and its rows are excluded from the models."
                ),
            )
        )
    if factor is not None and "native" in {factor["engine"], factor["engine over all contexts"]}:
        found.append(
            SectionCaution(
                "factor-model",
                "A factor model was fitted by pyexpr's own C++ engine and not by lavaan.",
            )
        )
    n_test = evaluated_subjects(record)
    are = "is" if n_test == 1 else "are"
    where = "the study" if crossed(record) else "the test part"
    if n_test < FEW_SUBJECTS:
        found.append(
            SectionCaution(
                "performance",
                f"There {are} only {counted(n_test, 'subject')} in {where}, so the intervals of "
                "performance and of differences in performance are approximate.",
            )
        )
    undefined = _undefined(tables)
    if undefined:
        found.append(SectionCaution("performance", undefined))
    if _different_criteria(tables):
        found.append(
            SectionCaution(
                "comparison",
                "The human baseline is evaluated against the other raters, and the models are "
                "evaluated against "
                f"{'factor scores' if factor is not None else 'the mean of all raters'}, so "
                "their differences compare different criteria.",
            )
        )
    if "coefficients" in tables and (tables["coefficients"]["method"] == "desparsified").any():
        n_used = int(tables["coefficients"]["n_clusters"].max())
        found.append(
            SectionCaution(
                "coefficients",
                f"The number of subjects ({n_used}) is small for the number of features, so the "
                "slopes are desparsified estimates and not least-squares estimates.",
            )
        )
    return found


def levels_by(tables: Tables, method: str) -> pd.DataFrame:
    """Return the models' levels by one method."""
    table = tables["comparison"]
    return table[(table["method"] == method) & (table[KIND] == LEVEL)]


def _bracket(row: Any) -> str:
    """Return a space and the interval of a row; "" if there is none."""
    shown = interval(row["conf_low"], row["conf_high"], 2, of="icc")
    return "" if shown == DASH else f" {together(shown)}"


def interval_text(low: float, high: float, level: str, *, of: str = "") -> str:
    """Return an interval for a sentence, or that there is none; the table gives the reason."""
    shown = interval(low, high, 3, of=of)
    if shown == DASH:
        return f"no {level} CI could be computed"
    return f"{level} CI {together(shown)}"


def together(text: str) -> str:
    """Keep the parts of a number's expression on one line."""
    return text.replace(" ", "\u00a0")


def p_text(value: float) -> str:
    """Return a p value within a sentence."""
    if math.isnan(value):
        return "p not computed"
    text = p_value(value)
    return together(f"p {text}" if text[0] in "<>" else f"p = {text}")


def _undefined(tables: Tables) -> str:
    table = tables["comparison"]
    bare = table[table["estimate"].isna()]
    if bare.empty:
        return ""
    names = context_names(tables)
    terms = shown_labels(table, "term")
    labels = dict.fromkeys(
        f"{name_in_sentence(row.metric)} of {terms[row.term]} in {label_name(row.context, names)}"
        for row in records(bare)
    )
    listed = listed_words(list(labels)[:6])
    return (
        f"The following are undefined: {listed}{' and more' if len(labels) > 6 else ''}; the "
        "tables give the reasons."
    )


def _different_criteria(tables: Tables) -> bool:
    table = tables["comparison"]
    reasons = table.loc[table[KIND] != LEVEL, "reason"]
    return any(has_code(reason, DIFFERENT_CRITERIA) for reason in reasons)
