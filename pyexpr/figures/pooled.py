"""Slopes of contexts, each alone and pooled with the others, a panel per feature."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from pyexpr.figures import drawing, plotting
from pyexpr.figures.forest import shown_names
from pyexpr.words.frames import checked, gap_notes, records
from pyexpr.words.labels import DASH, interval, label_names, number, percent

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# mm
_ROW = 6.4
_LABEL = 36.0
_HEAD = 15.0
_LEGEND = 11.0
_MIN_PANEL = 26.0
# Positions of the two estimates in the row of a context, relative to its middle.
_BESIDE = 1.2
# Largest number of features for which a line of panels is easily readable.
_MOST_PANELS = 5


def pooled_figure(
    table: pd.DataFrame,
    variation: pd.DataFrame,
    *,
    names: Mapping[str, str] | None = None,
    confidence: float,
    width_mm: float = plotting.FULL_WIDTH_MM,
) -> Figure:
    """Draw the `tidy()` and the `variation()` of a PooledCoefficientResult.

    An arrow leads from the separate slope of a context to the pooled slope, and a dashed line marks
    the common slope. A missing slope is shown as an em dash.
    """
    shown = shown_names(names)
    features, contexts = (list(dict.fromkeys(table[key])) for key in ("feature", "context"))
    label_mm = min(_LABEL, 0.3 * width_mm)
    fitting = max(1, min(_MOST_PANELS, int((width_mm - label_mm) / _MIN_PANEL)))
    lines = -(-len(features) // fitting)
    columns = -(-len(features) // lines)
    panel_mm = (width_mm - label_mm) / columns - 4
    labels = [
        plotting.wrap(shown(name), label_mm, size=plotting.SIZE_SMALL, max_lines=6)
        for name in contexts
    ]
    titles = [plotting.wrap(shown(name), panel_mm, weight="bold", max_lines=6) for name in features]
    heights = [max(_ROW, 4 + plotting.LINE_MM * (1 + text.count("\n"))) for text in labels]
    rows = drawing.bands(contexts, heights)
    head = _HEAD + plotting.TITLE_LINE_MM * max(title.count("\n") for title in titles)
    ends = drawing.reach(
        *(
            np.concatenate([table[name].to_numpy(float) for name in pair])
            for pair in (
                ("separate_low", "conf_low"), ("separate_estimate", "estimate"),
                ("separate_high", "conf_high"),
            )
        )
    )  # fmt: skip
    margin = 0.05 * (ends[1] - ends[0] or 1.0)
    with plotting.style():
        figure = plotting.new_figure(width_mm, _LEGEND + lines * (head + sum(heights)))
        panels = figure.subplots(lines, columns, sharex=True, sharey=True, squeeze=False)
        for axes in panels.flat[len(features) :]:
            axes.remove()
        for axes, feature, title in zip(panels.flat, features, titles, strict=False):
            axes.set_title(title)
            axes.set_xlim(ends[0] - margin, ends[1] + margin)
            axes.set_ylim(sum(heights), 0)
            axes.tick_params(labelbottom=True)
            plotting.number_ticks(axes, 2 if panel_mm < 26 else 4)
            drawing.draw_bands(axes, rows.values())
            common = float(variation.loc[variation["feature"] == feature, "common_slope"].iloc[0])
            axes.axvline(common, color=plotting.GREY, lw=0.9, ls="--", zorder=1)
            own = table[table["feature"] == feature]
            _draw(axes, own.to_dict("records"), rows)
        for axes in panels[:, 0]:
            axes.set_yticks([row.middle for row in rows.values()], labels)
        figure.supxlabel("Units of the label per standard deviation", size=plotting.SIZE_BODY)
        _add_legend(figure, percent(confidence))
    return plotting.freeze(figure)


def pooled_alt(
    table: pd.DataFrame,
    variation: pd.DataFrame,
    *,
    digits: int = 2,
    names: Mapping[str, str] | None = None,
) -> str:
    """Return a text description of `pooled_figure` with all numbers."""
    data = checked(
        table,
        what="the pooled slopes' figure",
        keys=("context", "feature"),
        numbers=("estimate", "conf_low", "conf_high", "separate_estimate"),
        optional=("separate_low", "separate_high"),
    )
    contexts = label_names(data["context"].unique(), names)
    features = label_names(data["feature"].unique(), names)
    common = dict(zip(variation["feature"].astype(str), variation["common_slope"], strict=True))
    parts = [
        "Slopes per standard deviation, a panel per feature with a row per context: an arrow leads "
        "from the slope of the context alone to the pooled slope, and a dashed line marks the "
        "common slope."
    ]
    for feature, shown in features.items():
        listed = [
            f"{contexts[row.context]} "
            + _with_limits(row.separate_estimate, row.separate_low, row.separate_high, digits)
            + f" alone, {_with_limits(row.estimate, row.conf_low, row.conf_high, digits)} pooled"
            for row in records(data[data["feature"] == feature])
        ]
        parts.append(
            f"{shown}: {'; '.join(listed)}; common slope {number(common[feature], digits)}."
        )
    parts += gap_notes(data, keys=("context", "feature"), values=("estimate",), names=names)
    return " ".join(parts)


def _with_limits(value: float, low: float, high: float, digits: int) -> str:
    limits = interval(low, high, digits)
    return number(value, digits) + (f" {limits}" if limits != DASH else "")


def _looks() -> tuple[dict[str, Any], dict[str, Any]]:
    separate, pooled = plotting.marks(2)
    return (
        {
            "marker": separate.marker, "color": separate.color, "ms": 3.6, "mew": 0.8,
            "markerfacecolor": "white",
        },
        {"marker": pooled.marker, "color": pooled.color, "ms": 3.6},
    )  # fmt: skip


def _draw(
    axes: Axes, slopes: Sequence[Mapping[Any, Any]], rows: Mapping[str, drawing.Band]
) -> None:
    separate, pooled = _looks()
    for row in slopes:
        y = rows[row["context"]].middle
        if np.isnan(row["estimate"]):
            axes.text(
                0, y, f" {DASH} ", ha="center", va="center", size=plotting.SIZE_SMALL,
                # Without it the dash would be lost on the line at 0.
                bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.5},
            )  # fmt: skip
            continue
        first, second = float(row["separate_estimate"]), float(row["estimate"])
        trios = (
            (row["separate_low"], first, row["separate_high"]),
            (row["conf_low"], second, row["conf_high"]),
        )
        for trio, look, at in zip(trios, (separate, pooled), (-_BESIDE, _BESIDE), strict=True):
            drawing.draw_estimate(axes, y + at, trio, look)
        axes.annotate(
            "", (second, y + _BESIDE - 0.5), (first, y - _BESIDE + 0.5),
            arrowprops={
                "arrowstyle": "-|>,head_length=0.25,head_width=0.1", "color": plotting.INK,
                "lw": 0.7, "shrinkA": 0, "shrinkB": 0,
            },
            zorder=5,
        )  # fmt: skip


def _add_legend(figure: Figure, level: str) -> None:
    from matplotlib.lines import Line2D

    separate, pooled = _looks()
    handles = [
        Line2D([], [], ls="", label=f"Slope of the context alone, {level} interval", **separate),
        Line2D([], [], ls="", label=f"Pooled slope, {level} interval", **pooled),
        Line2D([], [], color=plotting.GREY, lw=0.9, ls="--", label="Common slope"),
    ]
    if drawing.has_arrows(figure):
        handles.append(drawing.arrow_handle("Limit beyond the axis"))
    drawing.legend_outside(figure, handles, where="outside upper center")
