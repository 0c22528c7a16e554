"""Variance components drawn, and the reliability that other numbers of levels would reach."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from pyexpr.figures import drawing, plotting
from pyexpr.figures.forest import Axis, Forest, interval_kind, items_of, shown_names

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# mm
_PANEL = 42.0
_LEGEND = 11.0
_TITLE = 6.0
_TITLES = {"generalizability": "Generalizability", "dependability": "Dependability"}


def components_figure(
    table: pd.DataFrame,
    context: Sequence[str],
    *,
    confidence: float,
    names: Mapping[Any, str] | None = None,
    width_mm: float = plotting.FULL_WIDTH_MM,
) -> Figure:
    """Draw the `tidy()` of variance components as standard deviations, in the ratings' units."""
    shown = shown_names(names)
    roots = {name: np.sqrt(table[name]) for name in ("estimate", "conf_low", "conf_high")}

    def label(row: dict[str, Any]) -> str:
        return ", ".join(shown(row[name]) for name in context) if context else shown(row["effect"])

    return Forest(
        items=items_of(
            table.assign(**roots),
            label=label,
            panel=lambda row: shown(row["effect"]) if context else "",
        ),
        axes={"": Axis(line=0.0, holds=(0.0,), flush=True)},
        level=interval_kind(confidence, table["method"]),
        axis_name="Standard deviation of the effect",
    ).figure(width_mm)


def design_study_figure(
    table: pd.DataFrame,
    context: Sequence[str],
    *,
    facets: Sequence[str],
    target: float | None,
    confidence: float,
    names: Mapping[Any, str] | None = None,
    width_mm: float = plotting.FULL_WIDTH_MM,
) -> Figure:
    """Draw the `tidy()` of a DesignStudyResult: reliability by the levels of the first facet.

    Parameters
    ----------
    facets : sequence of str
        The horizontal axis has the levels of the first; each combination of the others is a line.
    """
    shown = shown_names({**_TITLES, **(names or {})})
    groups = list(table.groupby([*context, "coefficient"], sort=False, dropna=False))
    columns = len(_TITLES)
    lines = -(-len(groups) // columns)
    across, others = f"n_{facets[0]}", [f"n_{name}" for name in facets[1:]]
    with plotting.style():
        figure = plotting.new_figure(width_mm, lines * (_PANEL + _TITLE) + _LEGEND + 5)
        panels = figure.subplots(lines, columns, sharex=True, sharey=True, squeeze=False)
        for axes, (key, rows) in zip(panels.flat, groups, strict=True):
            axes.set_title(", ".join(shown(value) for value in key))
            axes.set_ylim(-0.02, 1.02)
            axes.grid(axis="y", color=plotting.PALE, lw=0.5)
            if target is not None:
                axes.axhline(target, color=plotting.GREY, lw=0.8, ls="--", label="target")
            _draw_lines(axes, rows, across, others, shown)
            axes.set_xticks(sorted(set(table[across])))
            axes.xaxis.set_major_formatter("{x:.3g}")
        figure.supxlabel(f"Number of levels of {shown(facets[0])}", size=plotting.SIZE_BODY)
        figure.supylabel("Reliability", size=plotting.SIZE_BODY)
        handles, _ = panels.flat[0].get_legend_handles_labels()
        handles.append(_interval_handle(f"{100 * confidence:g} % interval"))
        drawing.legend_outside(figure, handles, where="outside upper center")
    return plotting.freeze(figure)


def _draw_lines(
    axes: Axes, rows: pd.DataFrame, across: str, others: Sequence[str], shown: Any
) -> None:
    series = list(rows.groupby(list(others), sort=False)) if others else [((), rows)]
    step = 0.02 * max(float(np.ptp(rows[across])), 1.0)
    looks = plotting.marks(len(series))
    for place, (look, (key, own)) in enumerate(zip(looks, series, strict=True)):
        # Of other things that vary only the first row is kept, so that a line has one value at each
        # number.
        own = own.drop_duplicates(across).sort_values(across)
        at = own[across].to_numpy(dtype=float) + step * (place - (len(series) - 1) / 2)
        label = ", ".join(
            f"{shown(name.removeprefix('n_'))}: {number:.3g}"
            for name, number in zip(others, key, strict=True)
        )
        axes.vlines(at, own["conf_low"], own["conf_high"], color=look.color, lw=0.6, zorder=1)
        axes.plot(
            at, own["estimate"], color=look.color, marker=look.marker, ls=look.linestyle, ms=3.5,
            lw=1.0, zorder=3, label=label or "estimate",
        )  # fmt: skip


def _interval_handle(label: str) -> Any:
    from matplotlib.lines import Line2D

    return Line2D([], [], color=plotting.GREY, lw=0.6, label=label)
