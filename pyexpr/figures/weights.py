"""Figure 4: standardised weights of the features, a panel per context."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from pyexpr.figures import drawing, plotting
from pyexpr.words.frames import checked, gap_notes, in_order, records
from pyexpr.words.labels import (
    interval,
    label_name,
    label_names,
    names_with,
    number,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Names = Mapping[str, str] | None

_KEYS = ("context", "feature")
_LIMITS = ("conf_low", "conf_high")
# mm
_ROW = 4.6
_LABEL = 36.0
_HEAD_AND_FOOT = 22.0
_MIN_PANEL = 20.0
_LEGEND = 5.0
_DOT: dict[str, Any] = {"marker": "o", "color": plotting.OKABE_ITO["blue"], "ms": 4, "mew": 0.9}


def weights_figure(
    frame: pd.DataFrame,
    *,
    names: Names = None,
    width_mm: float = plotting.FULL_WIDTH_MM,
) -> Figure:
    """Draw the weights of a linear model in every context: figure 4.

    A row per feature, a panel per context on one scale. A hollow dot is a
    weight that the penalty set to exactly zero; an interval that ends in an
    arrowhead goes on beyond the axis.

    Parameters
    ----------
    frame : DataFrame
        Columns context, feature, estimate, and optionally conf_low, conf_high
        (drawn as lines where there), reason.
    names : mapping of str to str, optional
        Names to show for contexts and features.
    width_mm : float
        Panels that would be narrower than 20 mm go to a further row.

    Returns
    -------
    matplotlib Figure
        A missing weight is drawn as an em dash; `weights_alt` says why.

    Examples
    --------
    >>> import pandas as pd
    >>> weights = pd.DataFrame({"context": ["pain", "all"], "feature": "au_count",
    ...                         "estimate": [0.31, 0.24]})
    >>> [axes.get_title() for axes in weights_figure(weights).axes]
    ['Pain', 'All']
    """
    data = checked(
        frame,
        what="the weights' figure",
        keys=_KEYS,
        numbers=("estimate",),
        optional=_LIMITS,
    )
    contexts = label_names(in_order(data["context"]), names)
    features = label_names(data["feature"].unique(), names)
    label_mm = min(_LABEL, 0.36 * width_mm)
    fitting = max(1, int((width_mm - label_mm) / _MIN_PANEL))
    rows = -(-len(contexts) // fitting)
    columns = -(-len(contexts) // rows)
    size = plotting.SIZE_SMALL
    labels = [plotting.wrap(shown, label_mm, size=size, max_lines=6) for shown in features.values()]
    tall = [_ROW + plotting.LINE_MM * label.count("\n") for label in labels]
    rows_of = drawing.bands(features, tall)
    body = sum(tall)
    panel_mm = (width_mm - label_mm) / columns - 4
    titles = {
        context: plotting.wrap(shown, panel_mm, weight="bold", max_lines=6)
        for context, shown in contexts.items()
    }
    limits = _symmetric_limits(data)
    # Two lines of a title have their room already.
    head = plotting.TITLE_LINE_MM * max(0, max(title.count("\n") for title in titles.values()) - 1)
    with plotting.style():
        figure = plotting.new_figure(width_mm, rows * (_HEAD_AND_FOOT + head + body))
        panels = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
        for axes in panels.flat[len(contexts) :]:
            axes.remove()
        for axes, (context, title) in zip(panels.flat, titles.items(), strict=False):
            axes.set_title(title)
            axes.set_xlim(-limits, limits)
            axes.set_ylim(body, 0)
            axes.tick_params(labelbottom=True)
            plotting.number_ticks(axes, 2 if panel_mm < 26 else 4, symmetric=True)
            _draw_weights(axes, data[data["context"] == context], rows_of)
        for axes in panels[:, 0]:
            axes.set_yticks([row.middle for row in rows_of.values()], labels)
        figure.supxlabel("Standardised weight", size=plotting.SIZE_BODY)
        _add_legend(figure, data)
    return plotting.freeze(figure)


def weights_alt(frame: pd.DataFrame, *, digits: int = 2, names: Names = None) -> str:
    """Return what `weights_figure` shows, in words, with every number."""
    data = checked(
        frame,
        what="the weights' figure",
        keys=_KEYS,
        numbers=("estimate",),
        optional=_LIMITS,
    )
    names = names_with(in_order(data["context"]), names)
    parts = ["Standardised weights of the features in each context, as dots about a zero line."]
    for context in in_order(data["context"]):
        listed = []
        for row in records(data[data["context"] == context]):
            limits = interval(row.conf_low, row.conf_high, digits)
            listed.append(
                f"{label_name(row.feature, names)} {number(row.estimate, digits)}"
                + (f" {limits}" if limits.startswith("[") else "")
            )
        parts.append(f"{label_name(context, names)}: {'; '.join(listed)}.")
    parts += gap_notes(data, keys=_KEYS, values=("estimate",), names=names)
    return " ".join(parts)


def _symmetric_limits(data: pd.DataFrame) -> float:
    """Return how far the axis reaches on either side, so that zero stands in the middle."""
    low, value, high = (
        data[name].to_numpy(float) for name in ("conf_low", "estimate", "conf_high")
    )
    return 1.08 * (max(map(abs, drawing.reach(low, value, high))) or 1.0)


def _add_legend(figure: Figure, data: pd.DataFrame) -> None:
    """Name the hollow dots and the arrowheads, where there are any."""
    from matplotlib.lines import Line2D

    handles = []
    if data["estimate"].eq(0).any():
        handles.append(
            Line2D([], [], ls="", label="weight of exactly 0", **_DOT, markerfacecolor="white")
        )
    if drawing.has_arrows(figure):
        handles.append(drawing.arrow_handle())
    if handles:
        drawing.legend_outside(figure, handles, where="outside upper center")
        drawing.grow(figure, _LEGEND)


def _draw_weights(axes: Axes, data: pd.DataFrame, rows: Mapping[str, drawing.Band]) -> None:
    drawing.draw_bands(axes, rows.values())
    blue = _DOT["color"]
    for row in records(data):
        y = rows[str(row.feature)].middle
        low, value, high = float(row.conf_low), float(row.estimate), float(row.conf_high)
        if np.isnan(value):
            axes.text(0, y, " — ", ha="center", va="center", size=plotting.SIZE_SMALL,
                      bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.5})  # fmt: skip
            continue
        if np.isnan(low) and np.isnan(high):
            # A stem from zero leads the eye where no interval does.
            low = high = 0.0
        drawing.draw_interval(axes, low, value, high, y, color=blue)
        face = "white" if value == 0 else blue
        axes.plot(value, y, markerfacecolor=face, zorder=3, clip_on=False, **_DOT)
