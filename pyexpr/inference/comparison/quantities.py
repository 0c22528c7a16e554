"""The quantities of a comparison, one for each row of the result.

A quantity is a metric of one model in one context, the difference of two, or the
ratio of two errors.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from pyexpr.base.checks import is_number
from pyexpr.base.contexts import ALL
from pyexpr.base.errors import DataError
from pyexpr.base.messages import Template, say
from pyexpr.base.metrics import Kind
from pyexpr.base.pairs import (
    DIFFERENCE,
    KIND,
    LEVEL,
    RATIO,
    pair_columns,
    pair_label,
)
from pyexpr.core import cluster_bootstrap as core
from pyexpr.inference.comparison.metrics import METRICS as METRICS
from pyexpr.inference.comparison.metrics import Metric, kind_named, split_name

if TYPE_CHECKING:
    from numpy.typing import NDArray

DIFFERENT_CRITERIA = Template("different_criteria", "different criteria")()
DIFFERENT_ROWS = Template("different_rows", "different rows")()


@dataclass(frozen=True, slots=True)
class ColumnValues:
    """A column of predictions with its truth; `rows` marks where both are defined.

    `least` holds, for truth and prediction, the variance that may be a rounding error, as in
    `pyexpr.core.cluster_bootstrap.Column`. `fold` names the column of its folds, if it has its own.
    For classes, the truth is the code of a row's class, `codes` are those of the predicted classes,
    and the prediction is a probability or the same code.
    """

    name: str
    truth_name: str
    prediction: NDArray[np.float64]
    truth: NDArray[np.float64]
    rows: NDArray[np.bool_]
    least: tuple[float, float] = (core.LEAST_DOUBLE, core.LEAST_DOUBLE)
    fold: str | None = None
    codes: NDArray[np.int64] | None = None


@dataclass(frozen=True, slots=True)
class ModelValues:
    """A model: one column, or several whose metrics are averaged."""

    name: str
    columns: tuple[ColumnValues, ...]

    @property
    def truths(self) -> tuple[str, ...]:
        """Return the names of the columns' truths."""
        return tuple(column.truth_name for column in self.columns)


@dataclass(frozen=True, slots=True)
class Measure:
    """A quantity of every model in every context: a metric, or the logarithm of an error.

    Attributes
    ----------
    metric : str
        Name given by the user.
    base, part : str
        The metric without the part, and the part (such as within or between subjects).
    logarithm : bool
        Whether it is the logarithm of an error; the difference of two gives a ratio.
    function : callable, optional
        Function of truth and prediction.
    averaged : bool
        Whether it is the mean of a metric over units.
    """

    metric: str
    base: str
    part: str
    logarithm: bool = False
    function: Metric | None = None
    averaged: bool = False

    @property
    def kind(self) -> Kind:
        """Return the kind of the metric."""
        return kind_named(self.base)

    @property
    def kernel(self) -> str:
        """Return the kernel's metric, or the name of the function."""
        if self.averaged:
            return "bias"
        return self.metric if self.function else self.kind.kernel

    @property
    def normalised(self) -> bool:
        """Return whether it is divided by the width of the score."""
        return self.base == "nrmse"


class Row(NamedTuple):
    """A row of the result: a level (second is None), or `first` minus `second`.

    The two levels are of two models in one context, or of one model in two contexts. The levels of
    a ratio are logarithms, but the ratio itself is shown.
    """

    metric: str
    models: tuple[str, str | None]
    contexts: tuple[str, str | None]
    first: int
    second: int | None
    base: str
    part: str
    scale: str  # on which the row is studentised
    simple_df: bool = False  # whether the degrees of freedom ignore kurtosis
    note: str = ""
    ratio: bool = False
    chance: float | None = None  # null value of its level, if it has its own

    @property
    def kind(self) -> str:
        """Return what the row is: a level, a difference or a ratio."""
        if self.second is None:
            return LEVEL
        return RATIO if self.ratio else DIFFERENCE

    @property
    def between_models(self) -> bool:
        """Whether two models are compared."""
        return self.models[1] is not None

    @property
    def between_contexts(self) -> bool:
        """Whether two contexts are compared."""
        return self.contexts[1] is not None

    @property
    def term(self) -> str:
        """Return the label of the model, or of both."""
        return pair_label(*self.models, self.kind)

    @property
    def context(self) -> str:
        """Return the label of the context, or of both."""
        return pair_label(*self.contexts, self.kind)


def labels_of(rows: Sequence[Row]) -> dict[str, list[str]]:
    """Return the columns that label a row for readers: metric, term, context."""
    return {
        "metric": [row.metric for row in rows],
        "term": [row.term for row in rows],
        "context": [row.context for row in rows],
    }


def structure_of(rows: Sequence[Row]) -> dict[str, list[str]]:
    """Return the columns that identify each row; see `pyexpr.base.pairs`."""
    return {
        KIND: [row.kind for row in rows],
        **pair_columns("term", (row.models for row in rows)),
        **pair_columns("context", (row.contexts for row in rows)),
    }


def build_measures(
    metrics: Iterable[str] | Mapping[str, Metric | None], *, ratio: bool
) -> list[Measure]:
    """Return the measures of the levels; `ratio` adds the logarithms of the errors."""
    functions = metrics if isinstance(metrics, Mapping) else dict.fromkeys(metrics)
    measures = []
    for metric, function in functions.items():
        base, part = (metric, "pooled") if function else split_name(metric)
        measures.append(Measure(metric, base, part, function=function))
    if ratio:
        measures += [replace(measure, logarithm=True) for measure in measures if measure.kind.error]
    return measures


def checked_score_range(score_range: float | None, metrics: Iterable[str]) -> float | None:
    """Return the width of the score, which is required for NRMSE and not allowed otherwise."""
    normalised = [metric for metric in metrics if split_name(metric)[0] == "nrmse"]
    if score_range is None:
        if normalised:
            raise DataError(
                say(
                    "{normalised} is RMSE divided by the width of the score, which cannot be "
                    "determined from the data; give {score_range=}, the highest possible score "
                    "minus the lowest (100 for scores from 0 to 100, 7 for factor scores from "
                    "-3.5 to 3.5), or use rmse",
                    normalised=normalised[0],
                )
            )
        return None
    if not (is_number(score_range) and score_range > 0):
        raise DataError(
            say(
                "{score_range=} is the width of the score, the highest possible minus "
                "the lowest, so it must be one positive finite number, not {given!r}",
                given=score_range,
            )
        )
    if not normalised:
        raise DataError(
            say(
                "{score_range=} is used only for NRMSE, but {metrics=} does not contain nrmse; "
                "leave it out, or add nrmse"
            )
        )
    return float(score_range)


def _not_alike(one: ModelValues, other: ModelValues) -> str:
    """Return the reason why two models are not comparable, or ""."""
    if set(one.truths) != set(other.truths):
        return DIFFERENT_CRITERIA
    rows = one.columns[0].rows
    alike = all(
        column.rows is rows or np.array_equal(column.rows, rows)
        for column in (*one.columns, *other.columns)
    )
    return "" if alike else DIFFERENT_ROWS


def build_rows(
    measures: Sequence[Measure],
    models: Sequence[ModelValues],
    contexts: Sequence[str],
    *,
    pairwise: bool,
    n_classes: int = 0,
    averaged: bool = False,
) -> list[Row]:
    """Return the rows: levels, differences and ratios per metric and context, then contexts.

    `n_classes` is the number of classes; balanced accuracy is 1 / `n_classes` by chance. With
    `averaged`, every level is a mean over units.
    """
    n_models, names = len(models), [model.name for model in models]
    pairs = list(combinations(range(n_models), 2)) if pairwise else []
    notes = [_not_alike(models[i], models[j]) for i, j in pairs]
    between = list(combinations([c for c, name in enumerate(contexts) if name != ALL], 2))
    logarithms = {one.metric: m for m, one in enumerate(measures) if one.logarithm}

    def place(measure: int, context: int) -> int:
        return (measure * len(contexts) + context) * n_models

    rows = []
    for m, one in enumerate(measures):
        if one.logarithm:
            continue
        metric, base, part = one.metric, one.base, one.part
        scale = "identity" if averaged else one.kind.scale
        chance = 1 / n_classes if base == "balanced_accuracy" else one.kind.chance
        # In simulations, differences of correlations had the nominal coverage without kurtosis, and
        # too high coverage with it. Correlations of subjects' means need it if the outcome is
        # skewed (coverage .92 without it).
        simple_difference = base == "correlation" and part != "within" and not averaged

        # Both levels of each difference, its degrees of freedom, and whether it is a ratio.
        kinds = [(m, simple_difference, False)]
        if metric in logarithms:
            kinds.append((logarithms[metric], False, True))
        for c, context in enumerate(contexts):
            rows += [
                Row(metric, (name, None), (context, None), place(m, c) + i, None, base, part,
                    scale, chance=chance)
                for i, name in enumerate(names)
            ]  # fmt: skip
            rows += [
                Row(
                    metric, (names[i], names[j]), (context, None),
                    place(k, c) + i, place(k, c) + j,
                    base, part, "identity", df, note, ratio,
                )
                for k, df, ratio in kinds
                for (i, j), note in zip(pairs, notes, strict=True)
            ]  # fmt: skip
        rows += [
            Row(
                metric, (name, None), (contexts[c], contexts[d]),
                place(k, c) + i, place(k, d) + i,
                base, part, "identity", df, "", ratio,
            )
            for c, d in between
            for k, df, ratio in kinds
            for i, name in enumerate(names)
        ]  # fmt: skip
    return rows


def check_names(rows: Sequence[Row]) -> None:
    """Raise `DataError` if two rows of the result would have the same name."""
    seen: set[tuple[str, str, str]] = set()
    for row in rows:
        key = (row.metric, row.term, row.context)
        if key in seen:
            raise DataError(
                f"two rows of the result would be called {row.term!r} in {row.context!r}: a model "
                "or context has the name of a difference ('a - b') or ratio; rename it"
            )
        seen.add(key)


def families(rows: Sequence[Row]) -> list[NDArray[np.int64]]:
    """Return the positions of the differences between models by metric and context.

    Ratios are families in the same way. Raises `DataError` if there are no differences.
    """
    found: dict[tuple[str, str, bool], list[int]] = {}
    for i, row in enumerate(rows):
        if row.between_models:
            found.setdefault((row.metric, row.context, row.ratio), []).append(i)
    if not found:
        raise DataError(
            say(
                "adjust applies to differences between models, but there are none; compare two "
                "or more models with {pairwise=True}, or leave out {adjust=}"
            )
        )
    return [np.array(family) for family in found.values()]
