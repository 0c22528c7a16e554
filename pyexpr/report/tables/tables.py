"""The paper's tables 1 to 4, and the weights, from the numbers to text.

Each function takes a data frame of numbers and returns a `DisplayTable`;
only the best model, which is set in bold, is determined here. Missing numbers are em dashes, and a
note gives the reason.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

import pandas as pd

from pyexpr.report.tables.comparison import comparison_table
from pyexpr.report.tables.console import to_console
from pyexpr.report.tables.display import BOLD, DisplayTable
from pyexpr.report.tables.files import write_table
from pyexpr.report.tables.side_by_side import side_by_side
from pyexpr.words.frames import absent_notes, checked, gap_notes, in_order, pivot, records
from pyexpr.words.labels import (
    BASELINES,
    CEILING,
    CORRELATION,
    DASH,
    HUMAN,
    count,
    direction,
    display_names,
    interval,
    label_names,
    number,
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

_BY_SUBJECT = (
    "CI: exact interval, which treats {unit}s as independent. CI, subjects: interval from "
    "leaving out one subject at a time, which accounts for the dependence of {unit}s of the "
    "same subject."
)


def reliability_table(
    frame: pd.DataFrame,
    *,
    digits: int = 2,
    confidence: float = 0.95,
    names: Names = None,
    title: str = "Inter-Rater Reliability of the Mean Rating, by Context and Question.",
    unit: str = "clip",
) -> DisplayTable:
    """Lay out reliabilities as the paper's table 1, one row per context and question.

    Parameters
    ----------
    frame : DataFrame
        Columns context, question, estimate, conf_low, conf_high, n_targets
        (clips), k (ratings per clip; may be fractional), and optionally reason,
        and conf_low_subjects and conf_high_subjects (an interval that does not treat the clips of a
        subject as independent, shown beside the other). The context "all" is put last.
    digits : int
    confidence : float
        The level of the intervals, for the head of the column.
    names : mapping of str to str, optional
        Names to show for contexts and questions.
    title : str
    unit : str
        What is rated, in the singular.

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
        optional=("conf_low_subjects", "conf_high_subjects"),
    )
    by_subject = bool(data["conf_low_subjects"].notna().any())
    contexts = label_names(in_order(data["context"]), names)
    questions = label_names(data["question"].unique(), names)
    rows = tuple(
        (
            contexts[row.context],
            questions[row.question],
            number(row.estimate, digits, of="icc"),
            interval(row.conf_low, row.conf_high, digits, of="icc"),
            *(
                [interval(row.conf_low_subjects, row.conf_high_subjects, digits, of="icc")]
                if by_subject
                else []
            ),
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
            *([f"{percent(confidence)} CI, subjects"] if by_subject else []),
            f"{unit[0].upper()}{unit[1:]}s",
            f"Ratings per {unit}",
        ),
        rows=rows,
        notes=(
            *([_BY_SUBJECT.format(unit=unit)] if by_subject else []),
            *gap_notes(
                data,
                keys=("context", "question"),
                values=("estimate", "conf_low", "conf_high"),
                names=names,
            ),
        ),
        text_columns=2,
    )


def loadings_table(
    frame: pd.DataFrame,
    *,
    digits: int = 2,
    names: Names = None,
    title: str = "One-Factor Model: Standardised Loadings and Residual Variances.",
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
    >>> from pyexpr.paper import published_numbers
    >>> loadings_table(published_numbers.loadings()).rows[0]
    ('λ1 (Response)', '.98', '.98', '.98', '.98')
    """
    values = ("std_loading", "std_residual_variance")
    data = checked(frame, what="the loadings table", keys=("context", "indicator"), numbers=values)
    contexts = label_names(in_order(data["context"]), names)
    indicators = label_names(data["indicator"].unique(), names)
    rows = []
    for symbol, value in zip(("λ", "ε"), values, strict=True):
        cells = pivot(data, "indicator", "context", value=value)
        for i, (indicator, shown) in enumerate(indicators.items(), start=1):
            found = (
                number(cells.get((indicator, c), math.nan), digits, of=value) for c in contexts
            )
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
    ceiling: pd.DataFrame | None = None,
    baselines: Sequence[str] = BASELINES,
    human: Sequence[str] = HUMAN,
    names: Names = None,
    title: str = "Performance on the Test Part, by Context.",
) -> DisplayTable:
    """Lay out performance like the paper's table 3: rows are models, columns metrics by context.

    Parameters
    ----------
    frame : DataFrame
        Columns model, context, metric, estimate, and optionally conf_low,
        conf_high, reason. Models and metrics keep their order.
    intervals : bool
        Whether each cell also holds its interval.
    ceiling : DataFrame, optional
        The highest possible correlation in each context, shown in a last row: columns context,
        estimate, and optionally conf_low, conf_high, reason.
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
    >>> from pyexpr.paper import published_numbers
    >>> table = performance_table(published_numbers.performance())
    >>> table.columns[:3], table.rows[0][:3]
    (('Model', 'NRMSE: Startle', 'NRMSE: Pain'), ('Uniform baseline', '0.294', '0.303'))
    """
    data = checked(
        frame,
        what="the performance table",
        keys=("model", "context", "metric"),
        numbers=("estimate",),
        optional=("conf_low", "conf_high"),
    )
    contexts = label_names(in_order(data["context"]), names)
    metrics = display_names(data["metric"].unique(), names)
    models = display_names(data["model"].unique(), names)
    cells = pivot(data, "metric", "context", "model", value="estimate")
    lows = pivot(data, "metric", "context", "model", value="conf_low")
    highs = pivot(data, "metric", "context", "model", value="conf_high")

    def text(key: tuple[str, ...]) -> str:
        found = tuple(one.get(key, math.nan) for one in (cells, lows, highs))
        return _with_limits(found, digits, of=key[0], intervals=intervals)

    across = [(metric, context) for metric in metrics for context in contexts]
    contenders = [model for model in models if model not in {*baselines, *human}]
    highest = [] if ceiling is None else _ceiling_row(ceiling, across, digits, intervals=intervals)
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
        rows=(
            *(
                (shown, *(text((metric, context, model)) for metric, context in across))
                for model, shown in models.items()
            ),
            *highest,
        ),
        notes=(
            *_direction_notes(
                metrics, marked=bool(bold), aside=_never_bold(models, baselines, human)
            ),
            *([] if ceiling is None else _ceiling_notes(ceiling, models, human, names)),
            *gap_notes(
                data, keys=("model", "context", "metric"), values=("estimate",), names=names
            ),
            *absent_notes(data, ("model", "context", "metric"), names),
        ),
        bold=frozenset(bold),
    )


def _with_limits(numbers: tuple[float, ...], digits: int, *, of: str, intervals: bool) -> str:
    value, low, high = numbers
    shown, limits = number(value, digits, of=of), interval(low, high, digits, of=of)
    return f"{shown} {limits}" if intervals and limits != DASH else shown


def _ceiling_row(
    ceiling: pd.DataFrame, across: Sequence[tuple[str, str]], digits: int, *, intervals: bool
) -> list[tuple[str, ...]]:
    """Return the row of the highest possible correlations; other metrics have none."""
    found = {str(row.context): row for row in records(_of_ceiling(ceiling))}
    cells = []
    for metric, context in across:
        row = found.get(context) if metric == CORRELATION else None
        numbers = (math.nan,) * 3 if row is None else (row.estimate, row.conf_low, row.conf_high)
        cells.append(_with_limits(numbers, digits, of=metric, intervals=intervals))
    return [(CEILING, *cells)]


def _ceiling_notes(
    ceiling: pd.DataFrame, models: Iterable[str], human: Sequence[str], names: Names
) -> list[str]:
    aside = "; it does not apply to human raters, who have another criterion"
    return [
        f"{CEILING}: correlation that no prediction can exceed in expectation, because of the "
        "errors of the ratings: the square root of the reliability of the scores"
        f"{aside if set(models) & set(human) else ''}. Other metrics have no such row.",
        *gap_notes(
            _of_ceiling(ceiling).assign(metric=CEILING), keys=("metric", "context"),
            values=("estimate", "conf_low", "conf_high"), names=names,
        ),
    ]  # fmt: skip


def _of_ceiling(ceiling: pd.DataFrame) -> pd.DataFrame:
    return checked(
        ceiling,
        what="the table of the highest correlations",
        keys=("context",),
        numbers=("estimate",),
        optional=("conf_low", "conf_high"),
    )


def weights_table(
    frame: pd.DataFrame,
    *,
    digits: int = 2,
    names: Names = None,
    title: str = "Standardised Weights of the Features, by Context.",
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
        zero is ``0.00``.

    Examples
    --------
    >>> import pandas as pd
    >>> weights = pd.DataFrame({"context": ["pain", "all"], "feature": "au_count",
    ...                         "estimate": [0.31, 0.0]})
    >>> weights_table(weights).rows
    (('AU count', '0.31', '0'),)
    """
    data = checked(
        frame, what="the weights table", keys=("context", "feature"), numbers=("estimate",)
    )
    contexts = label_names(in_order(data["context"]), names)
    cells = pivot(data, "feature", "context", value="estimate")

    def text(value: float) -> str:
        return "0" if value == 0 else number(value, digits)

    rows = tuple(
        (shown, *(text(cells.get((feature, context), math.nan)) for context in contexts))
        for feature, shown in label_names(data["feature"].unique(), names).items()
    )
    zero = ("0: the penalty excluded the feature.",) if (data["estimate"] == 0).any() else ()
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


def _best(values: Mapping[str, float], metric: str) -> list[str]:
    """Return the models with the best value; none if the metric has no direction."""
    known = {model: value for model, value in values.items() if not math.isnan(value)}
    if not known or not direction(metric):
        return []
    best = min(known.values()) if direction(metric) == "lower" else max(known.values())
    return [model for model, value in known.items() if value == best]


def _never_bold(
    models: Iterable[str], baselines: Sequence[str], human: Sequence[str]
) -> tuple[str, ...]:
    """Return the rows among the models that are never set in bold."""
    there = set(models)
    kinds = (("baselines", baselines), ("human raters", human))
    return tuple(words for words, names in kinds if there & set(names))


def _direction_notes(
    metrics: Mapping[str, str], *, marked: bool, aside: Sequence[str]
) -> tuple[str, ...]:
    groups = {
        word: [shown for metric, shown in metrics.items() if direction(metric) == word]
        for word in ("lower", "higher")
    }
    parts = [f"{', '.join(group)}: {word} is better" for word, group in groups.items() if group]
    sentence = f"{'; '.join(parts)}." if parts else ""
    bold = BOLD(aside=f", {' and '.join(aside)} set aside" if aside else "")
    return tuple(text for text in (sentence, bold if marked else "") if text)
