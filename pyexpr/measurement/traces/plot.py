"""Reliability of traces drawn: intraclass correlations with intervals, a panel per level."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pyexpr.figures import plotting
from pyexpr.figures.forest import Axis, Forest, interval_kind, items_of, shown_names

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

TITLES = {"frame": "Frames", "within": "Within clips", "clip": "Means of clips"}


def traces_figure(
    table: pd.DataFrame,
    *,
    confidence: float,
    names: Mapping[Any, str] | None = None,
    width_mm: float = plotting.FULL_WIDTH_MM,
) -> Figure:
    """Draw the `tidy()` of a TraceReliabilityResult: a row per form, a panel per level."""
    shown = shown_names({**TITLES, **(names or {})})
    return Forest(
        items=items_of(
            table,
            label=lambda row: str(shown(row["form"])),
            panel=lambda row: str(shown(row["level"])),
        ),
        axes={"": Axis(line=0.0, holds=(0.0, 1.0), flush=True, lowest=-1.0)},
        level=interval_kind(confidence, table["method"]),
        axis_name="Reliability",
    ).figure(width_mm)


def lags_figure(
    table: pd.DataFrame,
    *,
    confidence: float,
    names: Mapping[Any, str] | None = None,
    width_mm: float = plotting.FULL_WIDTH_MM,
) -> Figure:
    """Draw the `lags()` of a TraceReliabilityResult: a row per rater."""
    shown = shown_names(names)
    return Forest(
        items=items_of(table, label=lambda row: str(shown(row["rater"]))),
        axes={"": Axis(line=0.0, holds=(0.0,))},
        level=interval_kind(confidence, ["jackknife_t"]),
        axis_name="Lag relative to the mean of the raters (seconds)",
    ).figure(width_mm)
