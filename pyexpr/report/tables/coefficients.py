"""Coefficients per context, their contrasts, and the tests over all contexts, as tables."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd

from pyexpr.base.messages import has_code, message_column, parts_of
from pyexpr.base.pairs import PARTS
from pyexpr.inference.coefficients.notes import OF_WEIGHTS
from pyexpr.report.tables.display import DisplayTable
from pyexpr.words.frames import checked, gap_notes, in_order, records, shown_labels
from pyexpr.words.labels import (
    DASH,
    display_name,
    display_names,
    interval,
    label_names,
    number,
    p_value,
    percent,
)

Names = Mapping[str, str] | None

# Slopes with a smaller effective number of subjects are named below the table.
_FEW_SUBJECTS = 5
_ADJUSTED = {"holm": "Holm", "max_t": "max-T"}
_TESTS = {
    "AHT": "approximate Hotelling's T² of the slopes, with an F distribution",
    "Hotelling T2": "Hotelling's T² of the slopes, with an F distribution",
}
_METHODS = {
    "desparsified": "desparsified lasso, clustered by subject",
    "least_squares": "least squares, clustered by subject",
}


def coefficients_table(
    frame: pd.DataFrame,
    *,
    digits: int = 2,
    confidence: float = 0.95,
    names: Names = None,
    title: str = "Weights and Slopes of the Features, by Context.",
) -> DisplayTable:
    """Lay out weights with their description, and slopes with their tests.

    Parameters
    ----------
    frame : DataFrame
        Columns context, feature, estimate (the weight), procedure_low,
        procedure_high, selected, tested_estimate (the slope), conf_low, conf_high,
        df, p_value, and optionally n_effective, method, p_adjusted, adjustment, reason.
    digits, confidence, names, title
        As in `reliability_table`.

    Returns
    -------
    DisplayTable
        One row per context and feature.
    """
    values = ("estimate", "tested_estimate", "conf_low", "conf_high", "p_value")
    data = checked(
        frame,
        what="the coefficients' table",
        keys=("context", "feature"),
        numbers=values,
        optional=(
            "procedure_low",
            "procedure_high",
            "selected",
            "df",
            "n_effective",
            "p_adjusted",
        ),
    )
    contexts = label_names(in_order(data["context"]), names)
    features = label_names(data["feature"].unique(), names)
    adjusted = _adjustment(frame)
    rows = tuple(
        (
            contexts[row.context],
            features[row.feature],
            "0" if row.estimate == 0 else number(row.estimate, digits),
            interval(row.procedure_low, row.procedure_high, digits),
            _share(row.selected),
            number(row.tested_estimate, digits),
            interval(row.conf_low, row.conf_high, digits),
            number(row.df, 1),
            p_value(row.p_value),
            *([p_value(row.p_adjusted)] if adjusted else []),
        )
        for context in contexts
        for row in records(data[data["context"] == context])
    )
    level = percent(confidence)
    pooled = " pooled within contexts" if len(contexts) > 1 else ""
    return DisplayTable(
        title=title,
        columns=(
            "Context", "Feature", "Regularised weight: Weight",
            f"Regularised weight: {level} percentile interval", "Regularised weight: Selected",
            "Tested slope: Slope", f"Tested slope: {level} CI", "Tested slope: df",
            "Tested slope: p", *([f"Tested slope: p, {adjusted}"] if adjusted else []),
        ),
        rows=rows,
        notes=(
            "Weight: weight of the elastic net per standard deviation within the context. Its "
            "percentile interval describes how the weight varies over resamples of subjects "
            "and is not a test. Selected: percentage of resamples in which the weight is not 0.",
            f"Slope: per standard deviation{pooled} ({_methods(frame)}).",
            *_adjustment_note(adjusted, "all features of one context"),
            *_few_subjects_note(records(data), contexts, features),
            *gap_notes(data, keys=("context", "feature"), values=values, names=names),
        ),
        text_columns=2,
    )  # fmt: skip


def _few_subjects_note(
    rows: Iterable[Any], contexts: Mapping[str, str], features: Mapping[str, str]
) -> tuple[str, ...]:
    """Return a note on slopes with few effective subjects, with these numbers."""
    few = [
        f"{contexts[row.context]}, {features[row.feature]} ({number(row.n_effective, 1)})"
        for row in rows
        if row.n_effective < _FEW_SUBJECTS
    ]
    if not few:
        return ()
    return (
        f"Slopes determined by effectively fewer than {_FEW_SUBJECTS} subjects, with the "
        f"effective number: {'; '.join(few)}.",
    )


def contrasts_table(
    frame: pd.DataFrame,
    *,
    digits: int = 2,
    confidence: float = 0.95,
    names: Names = None,
    title: str = "Differences of Slopes Between Contexts.",
) -> DisplayTable:
    """Lay out the contrasts of slopes: context (``p - q``), feature, estimate, interval, p.

    `frame` has the columns context, first_context, second_context, feature, estimate,
    conf_low, conf_high, df, p_value, and optionally p_adjusted, adjustment, method, reason.
    """
    values = ("estimate", "conf_low", "conf_high", "p_value")
    # A reason that concerns the weights of a contrast does not mean that its slopes are missing.
    slopes = frame.assign(reason=_of_slopes(frame))
    data = checked(
        slopes,
        what="the contrasts' table",
        keys=("context", "feature"),
        numbers=values,
        optional=("df", "p_adjusted"),
        structure=PARTS["context"],
    )
    contexts = shown_labels(data, "context", names)
    features = label_names(data["feature"].unique(), names)
    adjusted = _adjustment(frame)
    rows = tuple(
        (
            contexts[row.context],
            features[row.feature],
            number(row.estimate, digits),
            interval(row.conf_low, row.conf_high, digits),
            number(row.df, 1),
            p_value(row.p_value),
            *([p_value(row.p_adjusted)] if adjusted else []),
        )
        for row in records(data)
    )
    return DisplayTable(
        title=title,
        columns=("Contrast", "Feature", "Difference", f"{percent(confidence)} CI", "df", "p",
                 *([f"p, {adjusted}"] if adjusted else [])),
        rows=rows,
        notes=(
            f"Slopes per standard deviation pooled within contexts ({_methods(frame)}).",
            *_adjustment_note(adjusted, "all contrasts of all features"),
            *gap_notes(data, keys=("context", "feature"), values=values, names=names),
        ),
        text_columns=2,
    )  # fmt: skip


def omnibus_table(
    frame: pd.DataFrame,
    *,
    digits: int = 2,
    names: Names = None,
    title: str = "Tests That a Feature Has the Same Slope in All Contexts.",
) -> DisplayTable:
    """Lay out the omnibus tests: feature, F, its degrees of freedom, p.

    `frame` has the columns feature, statistic, df1, df2, p_value, and optionally
    p_adjusted, adjustment, method, reason.
    """
    values = ("statistic", "df1", "df2", "p_value")
    data = checked(
        frame,
        what="the omnibus tests' table",
        keys=("feature",),
        numbers=values,
        optional=("p_adjusted",),
    )
    features = label_names(data["feature"].unique(), names)
    adjusted = _adjustment(frame)
    rows = tuple(
        (
            features[row.feature],
            number(row.statistic, digits),
            number(row.df1, 0),
            number(row.df2, 1),
            p_value(row.p_value),
            *([p_value(row.p_adjusted)] if adjusted else []),
        )
        for row in records(data)
    )
    method = ", ".join(sorted(_TESTS.get(one, one) for one in _texts(frame, "method")))
    return DisplayTable(
        title=title,
        columns=("Feature", "F", "df 1", "df 2", "p", *([f"p, {adjusted}"] if adjusted else [])),
        rows=rows,
        notes=(
            *([f"Test: {method}."] if method else []),
            *_adjustment_note(adjusted, "all features", intervals=False),
            *gap_notes(data, keys=("feature",), values=values, names=names),
        ),
    )


def pooled_table(
    frame: pd.DataFrame,
    *,
    digits: int = 2,
    confidence: float = 0.95,
    names: Names = None,
    title: str = "Separate and Pooled Slopes of the Features, by Context.",
) -> DisplayTable:
    """Lay out the slopes of contexts alone beside those of a multilevel model.

    `frame` is the `tidy()` of a PooledCoefficientResult: columns context, feature, estimate,
    conf_low, conf_high, separate_estimate, separate_low, separate_high, shrinkage, and optionally
    n_effective, reason.
    """
    values = ("estimate", "conf_low", "conf_high")
    data = checked(
        frame,
        what="the pooled slopes' table",
        keys=("context", "feature"),
        numbers=(
            *values, "separate_estimate", "separate_low", "separate_high", "shrinkage",
        ),
        optional=("n_effective",),
    )  # fmt: skip
    contexts = label_names(in_order(data["context"]), names)
    features = label_names(data["feature"].unique(), names)
    rows = tuple(
        (
            contexts[row.context],
            features[row.feature],
            number(row.separate_estimate, digits),
            interval(row.separate_low, row.separate_high, digits),
            number(row.estimate, digits),
            interval(row.conf_low, row.conf_high, digits),
            _share(row.shrinkage),
        )
        for context in contexts
        for row in records(data[data["context"] == context])
    )
    level = percent(confidence)
    return DisplayTable(
        title=title,
        columns=("Context", "Feature", "Separate slope: Slope", f"Separate slope: {level} CI",
                 "Pooled slope: Slope", f"Pooled slope: {level} interval",
                 "Pooled slope: Shrinkage"),
        rows=rows,
        notes=(
            "Slopes per standard deviation pooled within contexts. Separate slope: slope of the "
            "context alone, estimated with the weights of the multilevel model; it therefore "
            "differs from the tested slope, which has other weights.",
            "Pooled slope: slope of the multilevel model, shrunken towards the mean over contexts. "
            "Its interval is of the shrunken slope: it holds on average over contexts, and not for "
            "a context chosen because its slope differs most. Shrinkage: share of the distance "
            "from the separate slope to the mean over contexts by which pooling moves the slope. "
            "If features are correlated, the pooling of other features moves it as well.",
            "Intervals are not adjusted for the number of slopes.",
            *_few_subjects_note(records(data), contexts, features),
            *gap_notes(data, keys=("context", "feature"), values=values, names=names),
        ),
        text_columns=2,
    )  # fmt: skip


def variation_table(
    frame: pd.DataFrame,
    *,
    digits: int = 2,
    confidence: float = 0.95,
    names: Names = None,
    title: str = "Variation of Slopes Between Contexts.",
) -> DisplayTable:
    """Lay out how far the slopes of each feature differ between contexts.

    `frame` is the `variation()` of a PooledCoefficientResult: columns feature, estimate (the
    standard deviation), conf_low, conf_high, common_slope, common_low, common_high, and optionally
    reason.
    """
    values = ("estimate", "conf_low", "conf_high")
    common = ("common_slope", "common_low", "common_high")
    data = checked(
        frame,
        what="the table of the variation of slopes",
        keys=("feature",),
        numbers=(*values, *common),
    )
    features = label_names(data["feature"].unique(), names)
    level = percent(confidence)
    return DisplayTable(
        title=title,
        columns=("Feature", "Slopes between contexts: SD", f"Slopes between contexts: {level} CI",
                 "Mean over contexts: Slope", f"Mean over contexts: {level} CI"),
        rows=tuple(
            (
                features[row.feature],
                number(row.estimate, digits),
                interval(row.conf_low, row.conf_high, digits),
                number(row.common_slope, digits),
                interval(row.common_low, row.common_high, digits),
            )
            for row in records(data)
        ),
        notes=(
            "Multilevel model of the slopes per standard deviation pooled within contexts. The "
            "mean and its CI refer to a population of contexts.",
            *gap_notes(data, keys=("feature",), values=values, names=names),
        ),
    )  # fmt: skip


def leakage_table(
    frame: pd.DataFrame,
    *,
    digits: int = 3,
    confidence: float = 0.95,
    names: Names = None,
    title: str = "Performance With Scores From the Whole Sample and From Training Subjects Alone.",
) -> DisplayTable:
    """Lay out test performance with both kinds of scores, and their difference.

    `frame` has the columns context, metric, whole_sample, training_only,
    difference, conf_low, conf_high, p_value, and optionally reason.
    """
    values = ("whole_sample", "training_only", "difference", "conf_low", "conf_high")
    data = checked(
        frame, what="the leakage table", keys=("context", "metric"), numbers=(*values, "p_value")
    )
    contexts = label_names(in_order(data["context"]), names)
    metrics = display_names(data["metric"].unique(), names)
    rows = tuple(
        (
            contexts[row.context],
            metrics[row.metric],
            number(row.whole_sample, digits, of=row.metric),
            number(row.training_only, digits, of=row.metric),
            number(row.difference, digits),
            interval(row.conf_low, row.conf_high, digits),
            p_value(row.p_value),
        )
        for context in contexts
        for row in records(data[data["context"] == context])
    )
    return DisplayTable(
        title=title,
        columns=("Context", "Metric", "Whole sample", "Training only", "Difference",
                 f"{percent(confidence)} CI", "p"),
        rows=rows,
        notes=(
            "Difference: whole sample minus training only. CI: jackknife-t, leaving out one "
            "subject at a time.",
            *gap_notes(data, keys=("context", "metric"), values=values, names=names),
        ),
        text_columns=2,
    )  # fmt: skip


def _share(value: float) -> str:
    return DASH if math.isnan(value) else f"{100 * value:.0f}%"


def _texts(frame: pd.DataFrame, column: str) -> list[str]:
    if column not in frame:
        return []
    texts = frame[column].fillna("").astype(str).unique()
    return [text for text in texts if text]


def _adjustment(frame: pd.DataFrame) -> str:
    """Return how the p-values were adjusted, or ""."""
    # There are both if families with few subjects are adjusted by Holm's method and the others by
    # max-T.
    found = dict.fromkeys(_texts(frame, "adjustment"))
    return " or ".join(_ADJUSTED.get(one, one) for one in found)


def _adjustment_note(adjusted: str, family: str, *, intervals: bool = True) -> tuple[str, ...]:
    if not adjusted:
        return ()
    if not intervals:
        return (f"p, {adjusted}, is adjusted for {family}.",)
    if adjusted == _ADJUSTED["holm"]:
        return (
            f"p, {adjusted}, is adjusted for {family}. The CIs are adjusted by Bonferroni's "
            "method, so a CI can include 0 although p is significant.",
        )
    few = (
        ""
        if " or " not in adjusted
        else "; by Holm's method if a slope is determined by few subjects"
    )
    return (f"p, {adjusted}, and the CIs are adjusted for {family}{few}.",)


def _methods(frame: pd.DataFrame) -> str:
    found = _texts(frame, "method")
    return "; ".join(_METHODS.get(text, display_name(text)) for text in found) or "no test"


def _of_slopes(frame: pd.DataFrame) -> Any:
    if "reason" not in frame:
        return ""
    # A reason that concerns only the weights is left out. Together with a reason for the slopes it
    # is shown.
    return message_column(
        (
            "" if all(has_code(part, OF_WEIGHTS) for part in parts_of(text)) else text
            for text in frame["reason"].fillna("")
        ),
        frame.index,
    )
