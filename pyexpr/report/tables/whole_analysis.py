"""Intervals of the whole analysis beside those that take scores and models as given."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product
from typing import TYPE_CHECKING, Any

from pyexpr.base.messages import message_column
from pyexpr.base.pairs import KIND, LEVEL, STRUCTURE
from pyexpr.report.tables.display import DisplayTable
from pyexpr.words.frames import checked, gap_notes, in_order, records, shown_labels
from pyexpr.words.labels import (
    count,
    display_names,
    interval,
    label_names,
    method_name,
    number,
    percent,
)

if TYPE_CHECKING:
    import pandas as pd

Names = Mapping[str, str] | None

_KEYS = ("metric", "context", "term")
_LIMITS = ("estimate", "conf_low", "conf_high")
_GIVEN = ("fixed_error", "fixed_low", "fixed_high")
_NO_RATIO = "the standard error with scores and models as given is 0"
_CONSERVATIVE = (
    "In simulated studies, intervals of the whole analysis for differences between models were "
    "wider than necessary."
)
_ICC = "ICC(1,k)"
_QUANTITIES = {_ICC: _ICC, "std_loading": "Standardised loading"}


def whole_analysis_table(
    frame: pd.DataFrame,
    *,
    digits: int = 3,
    confidence: float = 0.95,
    n_boot: int = 0,
    names: Names = None,
    title: str = "Intervals With Models as Given, and of the Whole Analysis.",
) -> DisplayTable:
    """Lay out the performance of models with two kinds of interval.

    Parameters
    ----------
    frame : DataFrame
        Columns metric, context, term, method, estimate, conf_low, conf_high, std_error;
        fixed_error, fixed_low and fixed_high, of the usual comparison; n_undefined; kind,
        first_model and second_model, which identify the row; and optionally reason.
    n_boot : int
        Number of draws; 0 if there were none.
    digits, confidence, names, title
        As in `reliability_table`.

    Returns
    -------
    DisplayTable
        A row per metric, context and model, or difference of two models. The ratio is that of the
        standard errors, of the whole analysis and of the usual comparison.
    """
    data = checked(
        frame,
        what="the table of the whole analysis",
        keys=(*_KEYS, "method"),
        numbers=(*_LIMITS, "std_error", *_GIVEN, "n_undefined"),
        structure=(KIND,),
    )
    known = data["fixed_error"] != 0
    data["error_ratio"] = (data["std_error"] / data["fixed_error"]).where(known)
    none = ~known & (data["reason"] == "")
    data["reason"] = message_column(
        _NO_RATIO if bare else reason for bare, reason in zip(none, data["reason"], strict=True)
    )
    methods = [str(one) for one in data["method"].unique()]
    leading = leading_method(methods)
    metrics = display_names(data["metric"].unique(), names)
    contexts = label_names(in_order(data["context"]), names)
    terms = shown_labels(data, "term", names)
    found = {(row.metric, row.context, row.term, row.method): row for row in records(data)}
    rows = []
    for metric, context, term in product(metrics, contexts, terms):
        row = found.get((metric, context, term, methods[0]))
        if row is None:
            continue
        of = metric if row.kind == LEVEL else ""
        here = [found[metric, context, term, method] for method in methods]
        rows.append(
            (
                metrics[metric], contexts[context], terms[term],
                number(row.estimate, digits, of=of),
                interval(row.fixed_low, row.fixed_high, digits, of=of),
                *(interval(one.conf_low, one.conf_high, digits, of=of) for one in here),
                number(here[methods.index(leading)].error_ratio, 2), *_undefined(here, n_boot),
            )
        )  # fmt: skip
    level = percent(confidence)
    return DisplayTable(
        title=title,
        columns=(
            "Metric", "Context", "Model", "Estimate", f"{level} CI, models as given, jackknife-t",
            *(f"{level} CI, whole analysis, {method_name(one, names)}" for one in methods),
            "Ratio of SEs", *_head_of_undefined(n_boot),
        ),
        rows=tuple(rows),
        notes=(
            "Models as given: the interval of the usual comparison, which takes scores and "
            "predictions as given. Whole analysis: every step from the ratings to the models is "
            "computed again.",
            f"Ratio of SEs: standard error of the whole analysis ({method_name(leading, names)}) "
            "divided by the standard error with models as "
            "given; above 1, it is what the usual interval leaves out.",
            *([_CONSERVATIVE] if (data[KIND] != LEVEL).any() else []),
            *_note_of_draws(n_boot),
            *gap_notes(
                data, keys=_KEYS, values=(*_LIMITS, *_GIVEN[1:], "error_ratio"), names=names,
                method="method",
            ),
        ),
        text_columns=3,
    )  # fmt: skip


def earlier_steps_table(
    frame: pd.DataFrame,
    *,
    digits: int = 2,
    confidence: float = 0.95,
    n_boot: int = 0,
    names: Names = None,
    title: str | None = None,
) -> DisplayTable:
    """Lay out reliabilities and standardised loadings with their intervals.

    Parameters
    ----------
    frame : DataFrame
        Columns metric, context, term (a question), method, estimate, conf_low, conf_high,
        n_undefined, and optionally reason; other metrics are left out.
    n_boot, digits, confidence, names, title
        As in `whole_analysis_table`.

    Returns
    -------
    DisplayTable
        A row per quantity, context and question.
    """
    keys = ("metric", "context", "question")
    own = frame[frame["metric"].isin(list(_QUANTITIES))].rename(columns={"term": "question"})
    data = checked(
        own[[name for name in own if name not in STRUCTURE]],
        what="the table of reliability and factor models",
        keys=(*keys, "method"),
        numbers=(*_LIMITS, "n_undefined"),
    )
    methods = [str(one) for one in data["method"].unique()]
    contexts = label_names(in_order(data["context"]), names)
    questions = label_names(data["question"].unique(), names)
    found = {(row.metric, row.context, row.question, row.method): row for row in records(data)}
    rows = []
    for metric, context, question in product(_QUANTITIES, contexts, questions):
        if (metric, context, question, methods[0]) not in found:
            continue
        here = [found[metric, context, question, method] for method in methods]
        of = "icc" if metric == _ICC else metric
        rows.append(
            (
                _QUANTITIES[metric], contexts[context], questions[question],
                number(here[0].estimate, digits, of=of),
                *(interval(one.conf_low, one.conf_high, digits, of=of) for one in here),
                *_undefined(here, n_boot),
            )
        )  # fmt: skip
    level = percent(confidence)
    steps = "Reliability" if (data["metric"] == _ICC).all() else "Reliability and Factor Models"
    return DisplayTable(
        title=title or f"The Whole Analysis: {steps}.",
        columns=(
            "Quantity", "Context", "Question", "Estimate",
            *(f"{level} CI, {method_name(one, names)}" for one in methods),
            *_head_of_undefined(n_boot),
        ),
        rows=tuple(rows),
        notes=(
            "These steps come first, so that their intervals take nothing as given.",
            *_note_of_draws(n_boot),
            *gap_notes(
                data.assign(metric=data["metric"].map(_QUANTITIES)), keys=keys, values=_LIMITS,
                names=names, method="method",
            ),
        ),
        text_columns=3,
    )  # fmt: skip


def leading_method(methods: Sequence[str]) -> str:
    """Return the method whose standard error is divided by that of the usual comparison.

    The latter is that of jackknife-t.
    """
    return "jackknife_t" if "jackknife_t" in methods else methods[0]


def _head_of_undefined(n_boot: int) -> list[str]:
    return ["Undefined draws"] if n_boot else []


def _undefined(rows: Sequence[Any], n_boot: int) -> list[str]:
    """Return the number of draws in which a quantity is undefined, the same for all methods."""
    return [count(rows[0].n_undefined)] if n_boot else []


def _note_of_draws(n_boot: int) -> list[str]:
    if not n_boot:
        return []
    return [
        f"Undefined draws: of {count(n_boot)} draws of subjects, those without the quantity, "
        "because a factor model has no proper solution or a model predicts a constant; they are "
        "left out of its percentile interval."
    ]
