"""Slopes or correlations of persons, in order, with their shrunken values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from pyexpr.figures import drawing, plotting
from pyexpr.figures.forest import shown_names
from pyexpr.words.labels import percent

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

# mm
_ROW = 2.6
_HEIGHTS = (50.0, 190.0)
_LEGEND = 20.0
# Labels of persons are shown only if there is room for them.
_LABELLED = 45


def persons_figure(
    table: pd.DataFrame,
    reliability: pd.DataFrame,
    *,
    cluster: str,
    kind: str,
    signal: str,
    score: str,
    confidence: float,
    names: Mapping[Any, str] | None = None,
    width_mm: float = plotting.FULL_WIDTH_MM,
) -> Figure:
    """Draw the `tidy()` and the `reliability()` of a PersonSlopesResult.

    Persons without an estimate are not drawn.
    """
    from matplotlib.lines import Line2D

    shown = shown_names(names)
    rows = table[table["estimate"].notna()].sort_values("estimate", kind="stable")
    numbers = {name: rows[name].to_numpy(float) for name in ("conf_low", "estimate", "conf_high")}
    quantities = reliability.set_index("quantity")["estimate"]
    own, pooled = plotting.marks(2)
    height = float(np.clip(_ROW * len(rows), *_HEIGHTS))
    many = len(rows) > _LABELLED
    size = 2.0 if many else 3.4
    with plotting.style():
        figure = plotting.new_figure(width_mm, height + _LEGEND)
        axes = figure.subplots()
        low, high = drawing.reach(*numbers.values())
        margin = 0.04 * (high - low or 1.0)
        axes.set_xlim(low - margin, high + margin)
        axes.set_ylim(-1, len(rows))
        drawing.draw_rows(axes, 0.0)
        if np.isfinite(quantities["mean"]):
            axes.axvline(quantities["mean"], color=plotting.GREY, lw=0.9, ls="--", zorder=1)
        for y, trio in enumerate(zip(*numbers.values(), strict=True)):
            look = {
                "marker": own.marker, "color": own.color, "ms": size,
                "markerfacecolor": "white", "mew": 0.7,
            }  # fmt: skip
            drawing.draw_estimate(axes, y, trio, look)
        axes.plot(
            rows["shrunken"], np.arange(len(rows)), ls="", marker=pooled.marker,
            color=pooled.color, ms=size, zorder=4,
        )  # fmt: skip
        plotting.number_ticks(axes, 6)
        if many:
            axes.set_yticks([])
            axes.set_ylabel(f"{len(rows)} levels of {shown(cluster)}, in order")
        else:
            axes.set_yticks(np.arange(len(rows)), [shown(value) for value in rows[cluster]])
        between = "on" if kind == "slope" else "with"
        axes.set_xlabel(f"{kind.capitalize()} of {shown(score)} {between} {shown(signal)}")
        level = percent(confidence)
        handles = [
            Line2D([], [], ls="", marker=own.marker, color=own.color, ms=3.4, mew=0.7,
                   markerfacecolor="white", label=f"Own estimate, {level} interval"),
            Line2D([], [], ls="", marker=pooled.marker, color=pooled.color, ms=3.4,
                   label="Shrunken estimate"),
            Line2D([], [], color=plotting.GREY, lw=0.9, ls="--", label="Mean of persons"),
        ]  # fmt: skip
        if drawing.has_arrows(figure):
            handles.append(drawing.arrow_handle("Limit beyond the axis"))
        if np.isfinite(quantities["reliability"]):
            axes.set_title(f"Reliability {quantities['reliability']:.2f}")
        drawing.legend_outside(figure, handles, where="outside lower center")
    return plotting.freeze(figure)
