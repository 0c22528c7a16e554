"""Comparisons of models, with separate columns for each method of intervals."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any

import pandas as pd

from pyexpr.base.errors import DataError
from pyexpr.base.messages import say
from pyexpr.base.pairs import KIND, LEVEL, PARTS
from pyexpr.report.tables.display import DisplayTable
from pyexpr.words.frames import checked, gap_notes, in_order, records, shown_labels
from pyexpr.words.labels import (
    DASH,
    direction,
    display_names,
    interval,
    method_name,
    number,
    p_value,
    percent,
)

Names = Mapping[str, str] | None


def comparison_table(
    frame: pd.DataFrame,
    *,
    digits: int = 3,
    confidence: float = 0.95,
    main: str | None = None,
    names: Names = None,
    title: str = "Comparison of the Models.",
) -> DisplayTable:
    """Lay out comparisons like the paper's table 4, with interval methods side by side.

    Parameters
    ----------
    frame : DataFrame
        Columns metric, term, context, method, estimate, conf_low, conf_high, p_value;
        kind, first_model and second_model, which identify the row; and optionally first_context and
        second_context, reason, and p_below (for published p-values given only as "< .001").
    main : str, optional
        The first model of all rows, if the title names it. Only the other model is then shown.
    digits, confidence, names, title
        As in `reliability_table`.

    Returns
    -------
    DisplayTable
        One row per metric, context and term; an interval and a p-value for each
        method. A missing number is an em dash, with its reason in a note.

    Raises
    ------
    DataError
        If two methods give different estimates for the same row.

    Examples
    --------
    >>> from pyexpr.paper import published_numbers
    >>> comparison_table(published_numbers.comparison()).rows[2]
    ('NRMSE', 'All', 'ElasticNet − Human baseline', '0.034', '[0.016, 0.052]', '.001')
    """
    keys = ("metric", "context", "term")
    data = checked(
        frame,
        what="the comparison table",
        keys=(*keys, "method"),
        numbers=("estimate", "conf_low", "conf_high", "p_value"),
        optional=("p_below",),
        structure=(KIND, *PARTS["term"]),
    )
    # A published "p < .001" is known, although its exact value is not.
    below = data["p_value"].isna() & data["p_below"].notna()
    data["p_text"] = [
        f"< {number(row.p_below, 3, of='p_value')}" if is_below else p_value(row.p_value)
        for row, is_below in zip(records(data), below, strict=True)
    ]
    data["p_value"] = data["p_value"].where(~below, data["p_below"])
    untested = (
        data["p_value"].isna()
        & data["estimate"].notna()
        & (data["reason"] == "")
        & (data["metric"].map(direction) == "lower")
        & (data[KIND] == LEVEL)
    )
    data.loc[untested, "reason"] = (
        "only differences between errors are tested, not the size of an error"
    )
    contexts = shown_labels(data, "context", names)
    metrics = display_names(data["metric"].unique(), names)
    terms = _terms(data, main, names)
    methods = {str(one): method_name(one, names) for one in data["method"].unique()}
    found = {(row.metric, row.context, row.term, row.method): row for row in records(data)}
    rows = []
    for metric, context, term in product(metrics, _contexts_in_order(data), terms):
        here = [found.get((metric, context, term, method)) for method in methods]
        if not any(here):
            continue
        cells = [metrics[metric], contexts[context], terms[term]]
        # A difference or a ratio can exceed 1.
        of = metric if all(row.kind == LEVEL for row in here if row) else ""
        cells.append(number(_one_estimate([row for row in here if row]), digits, of=of))
        for row in here:
            cells += (
                [interval(row.conf_low, row.conf_high, digits, of=of), row.p_text]
                if row
                else [DASH, DASH]
            )
        rows.append(tuple(cells))
    heads = [
        head
        for method in methods.values()
        for head in (f"{percent(confidence)} CI, {method}", f"p, {method}")
    ]
    return DisplayTable(
        title=title,
        columns=("Metric", "Context", "Minus" if main else "Comparison", "Estimate", *heads),
        rows=tuple(rows),
        notes=gap_notes(
            data,
            keys=keys,
            values=("estimate", "conf_low", "conf_high", "p_value"),
            names=names,
            method="method",
        ),
        text_columns=3,
    )


def _terms(data: pd.DataFrame, main: str | None, names: Names) -> dict[str, str]:
    """Return how each term is shown; a model that is subtracted from `main` is shown alone."""
    if main is None:
        return shown_labels(data, "term", names)
    others = display_names(data["second_model"].unique(), names)
    return {row.term: others[row.second_model] for row in records(data)}


def _contexts_in_order(data: pd.DataFrame) -> list[str]:
    """Return the contexts, with "all" last, followed by comparisons of two contexts."""
    between = data.get("second_context", pd.Series("", index=data.index)) != ""
    own, pairs = data.loc[~between, "context"], data.loc[between, "context"]
    return [*in_order(own), *pairs.unique()]


def _one_estimate(rows: Sequence[Any]) -> float:
    """Return the estimate the methods share: they differ in intervals, never in it."""
    first = float(rows[0].estimate)
    for row in rows[1:]:
        # This allows only for rounding of sums in another order.
        if not math.isclose(row.estimate, first, rel_tol=1e-9, abs_tol=1e-12) and not (
            math.isnan(row.estimate) and math.isnan(first)
        ):
            raise DataError(
                say(
                    "methods {method!r} and {method_2!r} give different estimates of "
                    "{metric!r} for {term!r} in context {context!r}: {first!r} and "
                    "{estimate!r}; were they computed from the same rows?",
                    method=rows[0].method,
                    method_2=row.method,
                    metric=row.metric,
                    term=row.term,
                    context=row.context,
                    first=first,
                    estimate=row.estimate,
                )
            )
    return first
