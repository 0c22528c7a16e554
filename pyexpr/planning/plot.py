"""Figure of a plan: power by the number of subjects."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from pyexpr.base.contexts import ALL
from pyexpr.figures import drawing, plotting
from pyexpr.figures.forest import shown_names

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# mm
_PANEL = 46.0
_NARROWEST = 55.0
_LEGEND = 13.0
_TITLE = 5.0
_SIDE = 10.0
_BAND = 0.18
# The column that distinguishes lines, and its name in the legend.
_ACROSS = {"n_clips": "clips", "n_raters": "raters"}


def plan_figure(
    table: pd.DataFrame,
    *,
    power: float,
    confidence: float,
    names: Mapping[Any, str] | None = None,
    width_mm: float = plotting.FULL_WIDTH_MM,
) -> Figure:
    """Draw the `tidy()` of a PlanResult; see its `plot`."""
    shown = shown_names(names)
    contexts = list(dict.fromkeys(table["context"]))
    columns = max(1, min(len(contexts), int((width_mm - _SIDE) / _NARROWEST)))
    lines = -(-len(contexts) // columns)
    several = [
        name
        for name in _ACROSS
        if name in table and table.groupby("context")[name].nunique().max() > 1
    ]
    with plotting.style():
        figure = plotting.new_figure(width_mm, lines * (_PANEL + _TITLE) + _LEGEND)
        panels = figure.subplots(lines, columns, sharex=True, sharey=True, squeeze=False)
        for axes in panels.flat[len(contexts) :]:
            axes.remove()
        for axes, context in zip(panels.flat, contexts, strict=False):
            if len(contexts) > 1:
                axes.set_title("all contexts" if context == ALL else shown(context))
            axes.set_ylim(-0.02, 1.02)
            axes.tick_params(labelbottom=True)
            axes.grid(axis="y", color=plotting.PALE, lw=0.5)
            axes.axhline(power, color=plotting.GREY, lw=0.8, ls="--", label=f"power {power:g}")
            _draw(axes, table[table["context"] == context], several)
            _ticks(axes, table["n_subjects"].to_numpy(), (width_mm - _SIDE) / columns)
        figure.supxlabel("Number of subjects", size=plotting.SIZE_BODY)
        figure.supylabel("Power", size=plotting.SIZE_BODY)
        handles, _ = panels.flat[0].get_legend_handles_labels()
        handles += _handles(f"{100 * confidence:g} %", table)
        drawing.legend_outside(figure, handles, where="outside upper center")
    return plotting.freeze(figure)


def _draw(axes: Axes, rows: pd.DataFrame, several: list[str]) -> None:
    groups = list(rows.groupby(several, sort=False)) if several else [((), rows)]
    looks = plotting.marks(len(groups))
    step = 0.012 * max(float(np.ptp(rows["n_subjects"])), 1.0)
    for place, (look, (key, own)) in enumerate(zip(looks, groups, strict=True)):
        own = own.sort_values("n_subjects")
        at = own["n_subjects"].to_numpy(dtype=float) + step * (place - (len(groups) - 1) / 2)
        label = ", ".join(
            f"{number:.3g} {_ACROSS[name]}" for name, number in zip(several, key, strict=True)
        )
        low, high = (own[name].to_numpy(dtype=float) for name in ("pilot_low", "pilot_high"))
        axes.fill_between(at, low, high, color=look.color, alpha=_BAND, lw=0, zorder=0)
        axes.vlines(at, own["conf_low"], own["conf_high"], color=look.color, lw=0.8, zorder=2)
        axes.plot(
            at, own["power"], color=look.color, marker=look.marker, ls=look.linestyle, ms=3.5,
            lw=1.0, zorder=3, label=label or "simulated power",
        )  # fmt: skip


def _ticks(axes: Axes, numbers: np.ndarray[Any, Any], panel_mm: float) -> None:
    from matplotlib.ticker import MaxNLocator

    asked = np.unique(numbers)
    apart = float(np.diff(asked).min()) if len(asked) > 1 else 1.0
    if len(asked) <= panel_mm / 8 and apart > float(np.ptp(asked)) / (panel_mm / 6):
        axes.set_xticks(asked)
    else:
        axes.xaxis.set_major_locator(MaxNLocator(max(2, int(panel_mm / 10)), integer=True))


def _handles(level: str, table: pd.DataFrame) -> list[Artist]:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    found: list[Artist] = [
        Line2D([], [], color=plotting.GREY, lw=0.8, label=f"{level} interval, error of simulation")
    ]
    if table["pilot_low"].notna().any():
        label = f"{level} band, uncertainty of the pilot"
        found.append(Patch(color=plotting.GREY, alpha=_BAND, lw=0, label=label))
    return found
