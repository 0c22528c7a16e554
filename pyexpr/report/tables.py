"""The paper's tables 1 to 4, and the weights, from the numbers to text.

Each function takes a data frame of numbers and returns a `DisplayTable`;
nothing is computed here but the choice of the best model to set in bold.
Missing numbers are em dashes, and a note says why.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from pyexpr.base.errors import DataError
from pyexpr.report.display import DisplayTable, to_console, write_table
from pyexpr.report.frames import absent_notes, checked, gap_notes, in_order, pivot, records
from pyexpr.report.labels import (
    DASH,
    count,
    direction,
    display_name,
    display_names,
    interval,
    is_difference,
    number,
    p_value,
    percent,
)

__all__ = [
    "DisplayTable",
    "comparison_table",
    "loadings_table",
    "performance_table",
    "reliability_table",
    "side_by_side",
    "to_console",
    "weights_table",
    "write_table",
]

Names = Mapping[str, str] | None

BASELINES = ("uniform", "normal")
HUMAN = ("human",)


def reliability_table(
    frame: pd.DataFrame,
    *,
    digits: int = 2,
    confidence: float = 0.95,
    names: Names = None,
    title: str = "Table 1. Inter-rater reliability of the mean rating, per context and question.",
) -> DisplayTable:
    """Lay out reliabilities as the paper's table 1, one row per context and question.

    Parameters
    ----------
    frame : DataFrame
        Columns context, question, estimate, conf_low, conf_high, n_targets
        (clips), k (ratings per clip; may be fractional), and optionally reason.
        The context "all" is put last.
    digits : int
    confidence : float
        The level of the intervals, for the column's head.
    names : mapping of str to str, optional
        Names to show for contexts and questions.
    title : str

    Returns
    -------
    DisplayTable

    Examples
    --------
    >>> import pandas as pd
    >>> row = {"context": "pain", "question": "motion", "estimate": 0.8, "conf_low": 0.78,
    ...        "conf_high": 0.82, "n_targets": 980, "k": 6}
    >>> print(reliability_table(pd.DataFrame([row])).frame().to_string(index=False))
    Context Question ICC(1,k)     95% CI Clips Ratings per clip
       Pain   Motion      .80 [.78, .82]   980                6
    """
    data = checked(
        frame,
        what="the reliability table",
        keys=("context", "question"),
        numbers=("estimate", "conf_low", "conf_high", "n_targets", "k"),
    )
    contexts = display_names(in_order(data["context"]), names)
    questions = display_names(data["question"].unique(), names)
    rows = tuple(
        (
            contexts[row.context],
            questions[row.question],
            number(row.estimate, digits),
            interval(row.conf_low, row.conf_high, digits),
            count(row.n_targets),
            count(row.k),
        )
        for context in contexts
        for row in records(data[data["context"] == context])
    )
    return DisplayTable(
        title=title,
        columns=(
            "Context",
            "Question",
            "ICC(1,k)",
            f"{percent(confidence)} CI",
            "Clips",
            "Ratings per clip",
        ),
        rows=rows,
        notes=gap_notes(
            data,
            keys=("context", "question"),
            values=("estimate", "conf_low", "conf_high"),
            names=names,
        ),
        text_columns=2,
    )


def loadings_table(
    frame: pd.DataFrame,
    *,
    digits: int = 2,
    names: Names = None,
    title: str = "Table 2. One-factor model: standardised loadings and residual variances.",
) -> DisplayTable:
    """Lay out factor models as the paper's table 2: loadings, then residual variances.

    Parameters
    ----------
    frame : DataFrame
        Columns context, indicator, std_loading, std_residual_variance, and
        optionally reason. Indicators keep their order.
    digits, names, title
        As in `reliability_table`.

    Returns
    -------
    DisplayTable
        One column per context, "all" last.

    Examples
    --------
    >>> from pyexpr.report import paper_figures
    >>> loadings_table(paper_figures.loadings()).rows[0]
    ('λ1 (Response)', '.98', '.98', '.98', '.98')
    """
    values = ("std_loading", "std_residual_variance")
    data = checked(frame, what="the loadings table", keys=("context", "indicator"), numbers=values)
    contexts = display_names(in_order(data["context"]), names)
    indicators = display_names(data["indicator"].unique(), names)
    rows = []
    for symbol, value in zip(("λ", "ε"), values, strict=True):
        cells = pivot(data, "indicator", "context", value=value)
        for i, (indicator, shown) in enumerate(indicators.items(), start=1):
            found = (number(cells.get((indicator, c), math.nan), digits) for c in contexts)
            rows.append((f"{symbol}{i} ({shown})", *found))
    return DisplayTable(
        title=title,
        columns=("Parameter", *contexts.values()),
        rows=tuple(rows),
        notes=(
            "λ: standardised loading; ε: standardised residual variance.",
            *gap_notes(data, keys=("context", "indicator"), values=values, names=names),
            *absent_notes(data, ("context", "indicator"), names),
        ),
    )


def performance_table(
    frame: pd.DataFrame,
    *,
    digits: int = 3,
    intervals: bool = False,
    baselines: Sequence[str] = BASELINES,
    human: Sequence[str] = HUMAN,
    names: Names = None,
    title: str = "Table 3. Performance on the test part, per context and over all.",
) -> DisplayTable:
    """Lay out performance as the paper's table 3: a row per model, metric by context across.

    Parameters
    ----------
    frame : DataFrame
        Columns model, context, metric, estimate, and optionally conf_low,
        conf_high, reason. Models and metrics keep their order.
    intervals : bool
        Whether each cell also holds its interval.
    baselines, human : sequence of str
        Models that are never set in bold.
    digits, names, title
        As in `reliability_table`.

    Returns
    -------
    DisplayTable
        The best model of each column (all of them, if they tie) is in `bold`.

    Examples
    --------
    >>> from pyexpr.report import paper_figures
    >>> table = performance_table(paper_figures.performance())
    >>> table.columns[:3], table.rows[0][:3]
    (('Model', 'NRMSE: Startle', 'NRMSE: Pain'), ('Uniform baseline', '.294', '.303'))
    """
    data = checked(
        frame,
        what="the performance table",
        keys=("model", "context", "metric"),
        numbers=("estimate",),
        optional=("conf_low", "conf_high"),
    )
    contexts = display_names(in_order(data["context"]), names)
    metrics = display_names(data["metric"].unique(), names)
    models = display_names(data["model"].unique(), names)
    cells = pivot(data, "metric", "context", "model", value="estimate")
    lows = pivot(data, "metric", "context", "model", value="conf_low")
    highs = pivot(data, "metric", "context", "model", value="conf_high")

    def text(key: tuple[str, ...]) -> str:
        shown = number(cells.get(key, math.nan), digits)
        limits = interval(lows.get(key, math.nan), highs.get(key, math.nan), digits)
        return f"{shown} {limits}" if intervals and limits != DASH else shown

    across = [(metric, context) for metric in metrics for context in contexts]
    contenders = [model for model in models if model not in {*baselines, *human}]
    order = list(models)
    bold = {
        (order.index(model), 1 + column)
        for column, (metric, context) in enumerate(across)
        for model in _best(
            {m: cells.get((metric, context, m), math.nan) for m in contenders}, metric
        )
    }
    return DisplayTable(
        title=title,
        columns=("Model", *(f"{metrics[m]}: {contexts[c]}" for m, c in across)),
        rows=tuple(
            (shown, *(text((metric, context, model)) for metric, context in across))
            for model, shown in models.items()
        ),
        notes=(
            *_direction_notes(metrics, marked=bool(bold)),
            *gap_notes(
                data, keys=("model", "context", "metric"), values=("estimate",), names=names
            ),
            *absent_notes(data, ("model", "context", "metric"), names),
        ),
        bold=frozenset(bold),
    )


def comparison_table(
    frame: pd.DataFrame,
    *,
    digits: int = 3,
    confidence: float = 0.95,
    names: Names = None,
    title: str = "Table 4. Comparison of the models.",
) -> DisplayTable:
    """Lay out comparisons as the paper's table 4, the interval methods side by side.

    Parameters
    ----------
    frame : DataFrame
        Columns metric, term (a model, or ``p - q`` for a difference), context,
        method, estimate, conf_low, conf_high, p_value, and optionally reason
        and p_below (for published p-values given only as "< .001").
    digits, confidence, names, title
        As in `reliability_table`.

    Returns
    -------
    DisplayTable
        One row per metric, context and term; an interval and a p-value for each
        method. A missing number is an em dash, its reason in a note.

    Raises
    ------
    DataError
        Two methods give different estimates for the same row.

    Examples
    --------
    >>> from pyexpr.report import paper_figures
    >>> comparison_table(paper_figures.comparison()).rows[2]
    ('NRMSE', 'All', 'ElasticNet − Human baseline', '.034', '[.016, .052]', '.001')
    """
    keys = ("metric", "context", "term")
    data = checked(
        frame,
        what="the comparison table",
        keys=(*keys, "method"),
        numbers=("estimate", "conf_low", "conf_high", "p_value"),
        optional=("p_below",),
    )
    # A published "p < .001" is known, though not its value.
    below = data["p_value"].isna() & data["p_below"].notna()
    data["p_text"] = [
        f"< {number(row.p_below, 3)}" if is_below else p_value(row.p_value)
        for row, is_below in zip(records(data), below, strict=True)
    ]
    data["p_value"] = data["p_value"].where(~below, data["p_below"])
    untested = (
        data["p_value"].isna()
        & data["estimate"].notna()
        & (data["reason"] == "")
        & (data["metric"].map(direction) == "lower")
        & ~data["term"].map(is_difference)
        & ~data["context"].map(is_difference)
    )
    data.loc[untested, "reason"] = "the size of an error is not tested, only differences are"
    contexts = display_names(in_order(data["context"]), names)
    metrics = display_names(data["metric"].unique(), names)
    terms = display_names(data["term"].unique(), names)
    methods = display_names(data["method"].unique(), names)
    found = {(row.metric, row.context, row.term, row.method): row for row in records(data)}
    rows = []
    for metric, context, term in ((m, c, t) for m in metrics for c in contexts for t in terms):
        here = [found.get((metric, context, term, method)) for method in methods]
        if not any(here):
            continue
        cells = [metrics[metric], contexts[context], terms[term]]
        cells.append(number(_one_estimate([row for row in here if row]), digits))
        for row in here:
            cells += (
                [interval(row.conf_low, row.conf_high, digits), row.p_text] if row else [DASH, DASH]
            )
        rows.append(tuple(cells))
    heads = [
        head
        for method in methods.values()
        for head in (f"{percent(confidence)} CI, {method}", f"p, {method}")
    ]
    return DisplayTable(
        title=title,
        columns=("Metric", "Context", "Comparison", "Estimate", *heads),
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


def weights_table(
    frame: pd.DataFrame,
    *,
    digits: int = 2,
    names: Names = None,
    title: str = "Standardised weights of the features, per context and over all.",
) -> DisplayTable:
    """Lay out the weights of linear models: a row per feature, a column per context.

    Parameters
    ----------
    frame : DataFrame
        Columns context, feature, estimate, and optionally reason. Features keep
        their order.
    digits, names, title
        As in `reliability_table`.

    Returns
    -------
    DisplayTable
        A weight that the penalty set to zero is ``0``; one that only rounds to
        zero is ``.00``.

    Examples
    --------
    >>> import pandas as pd
    >>> weights = pd.DataFrame({"context": ["pain", "all"], "feature": "au_count",
    ...                         "estimate": [0.31, 0.0]})
    >>> weights_table(weights).rows
    (('AU count', '.31', '0'),)
    """
    data = checked(
        frame, what="the weights table", keys=("context", "feature"), numbers=("estimate",)
    )
    contexts = display_names(in_order(data["context"]), names)
    cells = pivot(data, "feature", "context", value="estimate")

    def text(value: float) -> str:
        return "0" if value == 0 else number(value, digits)

    rows = tuple(
        (shown, *(text(cells.get((feature, context), math.nan)) for context in contexts))
        for feature, shown in display_names(data["feature"].unique(), names).items()
    )
    zero = ("0: the penalty removed the feature.",) if (data["estimate"] == 0).any() else ()
    return DisplayTable(
        title=title,
        columns=("Feature", *contexts.values()),
        rows=rows,
        notes=(
            *zero,
            *gap_notes(data, keys=("feature", "context"), values=("estimate",), names=names),
            *absent_notes(data, ("feature", "context"), names),
        ),
    )


def side_by_side(
    ours: pd.DataFrame,
    *,
    keys: Sequence[str],
    values: Sequence[str] = ("estimate",),
    truth: pd.DataFrame | None = None,
    paper: pd.DataFrame | None = None,
    digits: int = 2,
    names: Names = None,
    title: str,
    notes: Sequence[str] = (),
) -> DisplayTable:
    """Set our numbers beside the truth they were simulated from and beside the paper's.

    Parameters
    ----------
    ours : DataFrame
        Its rows and their order are the table's. Where it has conf_low and
        conf_high and there is one value, the interval is shown too.
    keys : sequence of str
        Columns that all frames share and that identify a row.
    values : sequence of str
        Columns of numbers to compare.
    truth, paper : DataFrame, optional
        Rows that `ours` lacks are left out; those they lack are em dashes.
    digits, names, title
        As in `reliability_table`.
    notes : sequence of str
        Sentences for under the table.

    Returns
    -------
    DisplayTable
        The columns of the keys, then for each value "ours", "truth", "paper".

    Examples
    --------
    >>> from pyexpr.report import paper_figures
    >>> paper = paper_figures.reliability()
    >>> table = side_by_side(paper.assign(estimate=0.8).iloc[:1], keys=["context", "question"],
    ...                      paper=paper, title="Ours and the paper's")
    >>> table.columns[2:], table.rows[0][2:]
    (('Ours', 'Interval', 'Paper'), ('.80', '[.82, .86]', '.84'))
    """
    data = checked(ours, what="ours", keys=keys, numbers=values, optional=("conf_low", "conf_high"))
    limits = len(values) == 1 and {"conf_low", "conf_high"} <= set(ours.columns)
    others = {
        label: checked(other, what=f"the {label}'s numbers", keys=keys, numbers=values)
        for label, other in (("truth", truth), ("paper", paper))
        if other is not None
    }
    beside = {
        (label, value): pivot(other, *keys, value=value)
        for label, other in others.items()
        for value in values
    }
    shown = {key: display_names(data[key].unique(), names) for key in keys}
    heads = [display_name(key, names) for key in keys]
    for value in values:
        name = "" if len(values) == 1 else f": {display_name(value, names).lower()}"
        heads += [f"Ours{name}", *(["Interval"] if limits else [])]
        heads += [f"{label.capitalize()}{name}" for label in others]
    rows = []
    for record in data.to_dict("records"):
        key = tuple(str(record[k]) for k in keys)
        cells = [shown[k][label] for k, label in zip(keys, key, strict=True)]
        for value in values:
            cells.append(number(record[value], digits))
            if limits:
                cells.append(interval(record["conf_low"], record["conf_high"], digits))
            cells += [number(beside[label, value].get(key, math.nan), digits) for label in others]
        rows.append(tuple(cells))
    return DisplayTable(
        title=title,
        columns=tuple(heads),
        rows=tuple(rows),
        notes=(*notes, *gap_notes(data, keys=keys, values=values, names=names)),
        text_columns=len(keys),
    )


def _best(values: Mapping[str, float], metric: str) -> list[str]:
    """Return the models with the best value; none if the metric has no direction."""
    known = {model: value for model, value in values.items() if not math.isnan(value)}
    if not known or not direction(metric):
        return []
    best = min(known.values()) if direction(metric) == "lower" else max(known.values())
    return [model for model, value in known.items() if value == best]


def _direction_notes(metrics: Mapping[str, str], *, marked: bool) -> tuple[str, ...]:
    groups = {
        word: [shown for metric, shown in metrics.items() if direction(metric) == word]
        for word in ("lower", "higher")
    }
    parts = [f"{', '.join(group)}: {word} is better" for word, group in groups.items() if group]
    sentence = f"{'; '.join(parts)}." if parts else ""
    bold = "Bold: the best model of the column, baselines and human raters set aside."
    return tuple(text for text in (sentence, bold if marked else "") if text)


def _one_estimate(rows: Sequence[Any]) -> float:
    """Return the estimate the methods share: they differ in intervals, never in it."""
    first = float(rows[0].estimate)
    for row in rows[1:]:
        # Rounding of sums taken in another order, no more.
        if not math.isclose(row.estimate, first, rel_tol=1e-9, abs_tol=1e-12) and not (
            math.isnan(row.estimate) and math.isnan(first)
        ):
            raise DataError(
                f"methods {rows[0].method!r} and {row.method!r} give different estimates of "
                f"{row.metric!r} for {row.term!r} in context {row.context!r}: {first!r} and "
                f"{row.estimate!r}; were they computed from the same rows?"
            )
    return first
