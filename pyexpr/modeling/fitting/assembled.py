"""Assemble the tables of the result from the single fits."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from pyexpr.modeling.fitting.labels import column_of_class
from pyexpr.modeling.fitting.plan import SEPARATE, label_of_context
from pyexpr.modeling.fitting.table import Table
from pyexpr.modeling.fitting.units import Done, Unit

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

FIT = ["model", "context_as", "context", "repeat", "fold"]


def prediction_table(units: Sequence[Unit], found: Sequence[Done], table: Table) -> pd.DataFrame:
    """Return a row per predicted clip, repeat, model and `context_as`, in the order of the data."""
    import pandas as pd

    blocks: dict[tuple[str, str, int], list[tuple[Unit, Done]]] = {}
    for unit, one in zip(units, found, strict=True):
        key = (unit.model.name, unit.context_as, unit.part.repeat)
        blocks.setdefault(key, []).append((unit, one))
    frames = []
    clusters = pd.Series(table.cluster_labels)
    contexts, clips = pd.Series(table.context_labels), pd.Series(table.clips)
    for (model, context_as, repeat), parts in blocks.items():
        rows = np.concatenate([one.test for _, one in parts])
        fold = np.concatenate([np.full(len(one.test), unit.part.fold) for unit, one in parts])
        values = np.concatenate([one.predictions for _, one in parts])
        order = np.argsort(rows, kind="stable")
        rows = rows[order]
        y = table.y if context_as == SEPARATE else table.y_pooled
        frame = pd.DataFrame(
            {
                "cluster": clusters.iloc[table.clusters[rows]].to_numpy(),
                "context": contexts.iloc[table.contexts[rows]].to_numpy(),
                "clip": clips.iloc[rows].to_numpy(),
                "repeat": repeat,
                "fold": fold[order],
                "model": model,
                "context_as": context_as,
                "truth": y[rows],
                "prediction": values[order],
            }
        )
        if table.classes is not None:
            likely = _probabilities([one for _, one in parts], table.classes)[order]
            frame[[column_of_class(label) for label in table.classes]] = likely
        frames.append(frame)
    return pd.concat(frames, ignore_index=True)


def _probabilities(parts: Sequence[Done], classes: Sequence[Any]) -> NDArray[np.float64]:
    """Return the probabilities of all parts, NaN where the model gives none."""
    return np.concatenate(
        [
            np.full((len(one.test), len(classes)), np.nan)
            if one.probabilities is None
            else one.probabilities
            for one in parts
        ]
    )


def tuning_table(units: Sequence[Unit], found: Sequence[Done], table: Table) -> pd.DataFrame:
    """Return a row per fit and parameter chosen."""
    return _table(
        units, found, table, ["parameter", "value", "tuned_on"],
        lambda one: [(name, value, one.tuned_on) for name, value in one.chosen.items()],
    )  # fmt: skip


def coefficient_table(
    units: Sequence[Unit], found: Sequence[Done], table: Table, positive: Any = None
) -> pd.DataFrame:
    """Return a row per fit and feature (and class), of the estimators that have coefficients.

    With two classes these are the coefficients of the positive class; those of the other class are
    their negatives.
    """
    columns = ["feature", "estimate", "standardised"]
    if table.classes is not None:
        columns.append("class")
    made = _table(units, found, table, columns, lambda one: one.weights or [])
    if table.classes is not None and len(table.classes) == 2 and positive == table.classes[0]:
        made[columns[1:3]] = -made[columns[1:3]]
        made["class"] = made["class"].map(lambda _: positive)
    return made


def warning_table(units: Sequence[Unit], found: Sequence[Done], table: Table) -> pd.DataFrame:
    """Return a row per fit and warning."""
    return _table(units, found, table, ["message"], lambda one: [(text,) for text in one.warned])


def feature_table(units: Sequence[Unit], found: Sequence[Done], table: Table) -> pd.DataFrame:
    """Return a row per fit and feature that does not vary in it."""
    return _table(units, found, table, ["feature"], lambda one: [(name,) for name in one.constant])


def unseen_table(units: Sequence[Unit], found: Sequence[Done], table: Table) -> pd.DataFrame:
    """Return a row per fit and class that occurs neither in its rows nor in those predicted."""
    return _table(units, found, table, ["class"], lambda one: [(label,) for label in one.unseen])


def _table(
    units: Sequence[Unit],
    found: Sequence[Done],
    table: Table,
    columns: list[str],
    rows_of: Callable[[Done], Iterable[tuple[Any, ...]]],
) -> pd.DataFrame:
    import pandas as pd

    rows = []
    for unit, one in zip(units, found, strict=True):
        fit = (
            unit.model.name, unit.context_as, label_of_context(table, unit.context),
            unit.part.repeat, unit.part.fold,
        )  # fmt: skip
        rows += [(*fit, *row) for row in rows_of(one)]
    made = pd.DataFrame(rows, columns=[*FIT, *columns])
    if "value" in columns:
        # Parameters have values of different types, and whole numbers must stay whole numbers.
        at = len(FIT) + columns.index("value")
        made["value"] = pd.Series([row[at] for row in rows], dtype=object)
    return made
