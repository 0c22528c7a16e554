"""Figures of importance: features with intervals, a panel per context."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pyexpr.base.contexts import ALL
from pyexpr.figures import plotting
from pyexpr.figures.forest import Axis, Forest, items_of, shown_names
from pyexpr.words.labels import display_name

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

Names = Mapping[Any, str] | None
# Names of the metrics as they are written within a sentence.
_NAMES = {
    "mse": "mean squared error", "correlation": "correlation", "accuracy": "accuracy",
    "balanced_accuracy": "balanced accuracy", "kappa": "kappa", "f1_macro": "macro F1",
    "log_loss": "log loss",
}  # fmt: skip
# Metrics of which higher is better.
_HIGHER = ("correlation", "accuracy", "balanced_accuracy", "f1", "f1_macro", "kappa")


def importance_figure(
    table: pd.DataFrame,
    metric: str,
    *,
    level: str,
    names: Names = None,
    width_mm: float = plotting.FULL_WIDTH_MM,
) -> Figure:
    """Draw rows of one metric of the `tidy()` of an ImportanceResult; see its `plot`."""
    worse = "Decrease" if metric in _HIGHER else "Increase"
    shown = shown_names(names)
    contexts = list(dict.fromkeys(table["context"]))
    titles = {one: "" if contexts == [ALL] else shown(one) for one in contexts}
    titles |= {ALL: "All"} if len(contexts) > 1 and ALL not in dict(names or {}) else {}
    return _figure(
        table, f"{worse} of {_name(metric)} without the feature's information", level, shown,
        titles, width_mm,
    )  # fmt: skip


def contrast_figure(
    table: pd.DataFrame,
    metric: str,
    *,
    level: str,
    names: Names = None,
    width_mm: float = plotting.FULL_WIDTH_MM,
) -> Figure:
    """Draw rows of one metric of the `tidy()` of ImportanceContrasts; see its `plot`."""
    shown = shown_names(names)
    titles = {one: shown(one) for one in dict.fromkeys(table["context"])}
    return _figure(
        table, f"Difference of importance ({_name(metric)})", level, shown, titles, width_mm
    )


def _figure(
    table: pd.DataFrame,
    axis_name: str,
    level: str,
    shown: Any,
    titles: Mapping[str, str],
    width_mm: float,
) -> Figure:
    models: Sequence[str] = list(dict.fromkeys(table["model"]))
    return Forest(
        items=items_of(
            table,
            label=lambda row: shown(row["term"]),
            panel=lambda row: row["context"],
            kind=lambda row: models.index(row["model"]),
            if_missing=lambda _: "undefined",
        ),
        axes={"": Axis(line=0.0)},
        titles=titles,
        kinds=tuple(shown(one) for one in models) if len(models) > 1 else ("",),
        level=level,
        axis_name=axis_name,
    ).figure(width_mm)


def _name(metric: str) -> str:
    return _NAMES.get(metric) or display_name(metric)
