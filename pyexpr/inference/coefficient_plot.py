"""Weights and slopes by context: the paper's figure 4, with intervals."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from pyexpr.base import plotting

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# mm
_ROW = 6.0
_LABEL = 36.0
_HEAD_AND_FOOT = 32.0
# Where the two estimates stand in a feature's row, from its middle.
_OFFSET = 0.18
_RULES = {"holm": "Holm", "max_t": "max-T"}
# What each mark is called, and the columns behind it.
_SERIES = (
    (
        "Regularised weight, {level}percentile interval (described)",
        ("estimate", "procedure_low", "procedure_high"),
    ),
    ("Slope, {level}{interval} (tested)", ("tested_estimate", "conf_low", "conf_high")),
)


def interval_told(table: pd.DataFrame) -> str:
    """Return what the intervals of the slopes are: simultaneous, once they are adjusted."""
    rules = [rule for rule in table.get("adjustment", ()) if isinstance(rule, str) and rule]
    if not rules:
        return "confidence interval"
    return f"simultaneous confidence interval by {_RULES[rules[0]]}"


def coefficients_figure(
    table: pd.DataFrame,
    *,
    names: Mapping[str, str] | None = None,
    confidence: float | None = None,
    width_mm: float = plotting.FULL_WIDTH_MM,
) -> Figure:
    """Draw the `tidy()` of a CoefficientResult, a panel per context and a row per feature.

    Both estimates are in units of the label, the weight per standard deviation of the
    feature within the context, the slope per standard deviation pooled within
    contexts. A weight of exactly 0 is hollow; what is missing is not drawn. `names`
    are shown for contexts and features; those without one are shown as they are.
    `confidence` is the level of the intervals, for the legend.
    """
    shown = dict(names or {})
    contexts = list(dict.fromkeys(map(str, table["context"])))
    features = list(dict.fromkeys(map(str, table["feature"])))
    rows = {feature: i for i, feature in enumerate(features)}
    columns = [name for _, trio in _SERIES for name in trio]
    numbers = np.abs(table[columns].to_numpy(dtype=float))
    reach = 1.06 * (numbers[np.isfinite(numbers)].max(initial=0.0) or 1.0)
    panel_mm = (width_mm - _LABEL) / len(contexts) - 4
    told = {
        "level": "" if confidence is None else f"{100 * confidence:.10g}% ",
        "interval": interval_told(table),
    }
    with plotting.style():
        figure = plotting.new_figure(width_mm, _HEAD_AND_FOOT + _ROW * len(features))
        panels = figure.subplots(1, len(contexts), sharex=True, sharey=True, squeeze=False)[0]
        for axes, context in zip(panels, contexts, strict=True):
            title = shown.get(context, context)
            axes.set_title(plotting.wrap(title, panel_mm, weight="bold", max_lines=3))
            axes.set_xlim(-reach, reach)
            axes.set_ylim(len(features) - 0.5, -0.5)
            plotting.number_ticks(axes, 2 if panel_mm < 26 else 4, symmetric=True)
            _draw(axes, table[table["context"].astype(str) == context], rows, told)
        labels = [
            plotting.wrap(
                shown.get(name, name),
                _LABEL,
                size=plotting.SIZE_SMALL,
            )
            for name in features
        ]
        panels[0].set_yticks(range(len(features)), labels)
        handles = [
            axes_line for axes_line in panels[0].get_lines() if axes_line.get_label()[0] != "_"
        ]
        figure.legend(handles=handles, loc="outside upper center", ncols=2)
        figure.supxlabel("Units of the label per standard deviation", size=plotting.SIZE_BODY)
    return plotting.freeze(figure)


def _draw(
    axes: Axes, table: pd.DataFrame, rows: Mapping[str, int], told: Mapping[str, str]
) -> None:
    axes.axvline(0, color=plotting.INK, lw=0.7, zorder=1)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    for i in range(1, len(rows), 2):
        axes.axhspan(i - 0.5, i + 0.5, color=plotting.FAINT, lw=0, zorder=0)
    for (label, trio), mark, side in zip(_SERIES, plotting.marks(2), (-1, 1), strict=True):
        label = label.format(**told)
        axes.plot([], [], mark.marker, color=mark.color, ms=4, label=label)
        for record in table.to_dict("records"):
            value, low, high = (float(record[name]) for name in trio)
            if np.isnan(value):
                continue
            y = rows[str(record["feature"])] + side * _OFFSET
            plotting.draw_interval(axes, low, value, high, y, color=mark.color)
            face = "white" if value == 0 else mark.color
            axes.plot(value, y, mark.marker, color=mark.color, ms=3.5, mew=0.8,
                      markerfacecolor=face, zorder=3)  # fmt: skip
