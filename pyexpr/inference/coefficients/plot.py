"""Weights and slopes by context: the paper's figure 4, with intervals."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from pyexpr.figures import drawing, plotting
from pyexpr.resampling.multiplicity import OF_INTERVALS

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

# mm
_ROW = 6.0
_LABEL = 36.0
_HEAD_AND_FOOT = 19.0
_LEGEND = 9.0
# Narrower panels go to a further row.
_MIN_PANEL = 20.0
# Where the two estimates stand in a feature's row, from its middle.
_OFFSET = 1.1
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
    return f"simultaneous confidence interval by {OF_INTERVALS[rules[0]]}"


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
    contexts. A weight of exactly 0 is hollow; an interval that ends in an arrowhead goes
    on beyond the axis; what is missing is not drawn. `names`
    are shown for contexts and features; those without one are shown as they are.
    `confidence` is the level of the intervals, for the legend.
    """
    shown = dict(names or {})
    contexts = list(dict.fromkeys(map(str, table["context"])))
    features = list(dict.fromkeys(map(str, table["feature"])))
    fitting = max(1, int((width_mm - _LABEL) / _MIN_PANEL))
    lines = -(-len(contexts) // fitting)
    columns = -(-len(contexts) // lines)
    panel_mm = (width_mm - _LABEL) / columns - 4
    titles = [
        plotting.wrap(shown.get(context, context), panel_mm, weight="bold", max_lines=6)
        for context in contexts
    ]
    labels = [
        plotting.wrap(shown.get(name, name), _LABEL, size=plotting.SIZE_SMALL, max_lines=6)
        for name in features
    ]
    tall = [max(_ROW, plotting.LINE_MM * (label.count("\n") + 1) + 1) for label in labels]
    rows = drawing.bands(features, tall)
    body = sum(tall)
    head = plotting.TITLE_LINE_MM * max(title.count("\n") for title in titles)
    reach = _reach(table)
    told = {
        "level": "" if confidence is None else f"{100 * confidence:.10g}% ",
        "interval": interval_told(table),
    }
    with plotting.style():
        figure = plotting.new_figure(width_mm, _LEGEND + lines * (_HEAD_AND_FOOT + head + body))
        panels = figure.subplots(lines, columns, sharex=True, sharey=True, squeeze=False)
        for axes in panels.flat[len(contexts) :]:
            axes.remove()
        for axes, context, title in zip(panels.flat, contexts, titles, strict=False):
            axes.set_title(title)
            axes.set_xlim(-reach, reach)
            axes.set_ylim(body, 0)
            axes.tick_params(labelbottom=True)
            plotting.number_ticks(axes, 2 if panel_mm < 26 else 4, symmetric=True)
            _draw(axes, table[table["context"].astype(str) == context], rows)
        for axes in panels[:, 0]:
            axes.set_yticks([row.middle for row in rows.values()], labels)
        drawing.legend_outside(figure, _handles(figure, table, told), where="outside upper center")
        figure.supxlabel("Units of the label per standard deviation", size=plotting.SIZE_BODY)
    return plotting.freeze(figure)


def _reach(table: pd.DataFrame) -> float:
    """Return how far the axis reaches on either side, so that zero stands in the middle."""
    low, value, high = (
        np.concatenate([table[trio[k]].to_numpy(dtype=float) for _, trio in _SERIES])
        for k in (1, 0, 2)
    )
    return 1.06 * (max(map(abs, drawing.reach(low, value, high))) or 1.0)


def _handles(figure: Figure, table: pd.DataFrame, told: Mapping[str, str]) -> list[Line2D]:
    """Return the legend: both series, and hollow dots and arrowheads where there are any."""
    from matplotlib.lines import Line2D

    marks = plotting.marks(len(_SERIES))
    handles = [
        Line2D([], [], ls="", marker=mark.marker, color=mark.color, ms=4,
               label=label.format(**told))
        for (label, _), mark in zip(_SERIES, marks, strict=True)
    ]  # fmt: skip
    if table["estimate"].eq(0).any():
        handles.append(
            Line2D([], [], ls="", marker=marks[0].marker, color=marks[0].color, ms=4, mew=0.8,
                   markerfacecolor="white", label="Weight of exactly 0")
        )  # fmt: skip
    if drawing.has_arrows(figure):
        handles.append(drawing.arrow_handle("Limit beyond the axis"))
    return handles


def _draw(axes: Axes, table: pd.DataFrame, rows: Mapping[str, drawing.Band]) -> None:
    drawing.draw_bands(axes, rows.values())
    for (_, trio), mark, side in zip(_SERIES, plotting.marks(2), (-1, 1), strict=True):
        for record in table.to_dict("records"):
            value, low, high = (float(record[name]) for name in trio)
            if np.isnan(value):
                continue
            y = rows[str(record["feature"])].middle + side * _OFFSET
            drawing.draw_interval(axes, low, value, high, y, color=mark.color)
            face = "white" if value == 0 else mark.color
            axes.plot(value, y, mark.marker, color=mark.color, ms=3.5, mew=0.8,
                      markerfacecolor=face, zorder=3)  # fmt: skip
