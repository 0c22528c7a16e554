"""Reliability drawn: intraclass correlations, and what other numbers of raters would reach."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from pyexpr.figures import drawing, plotting
from pyexpr.figures.coefficients_by_context import coefficients_by_context
from pyexpr.figures.forest import interval_kind, shown_names

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# mm
_PANEL = 38.0
_NARROWEST = 40.0
_LEGEND = 9.0
_TITLE = 5.0
_SIDE = 8.0
# From 0, no reliability, to 1.
_WHOLE = (0.0, 1.0)
# Limits of average forms have no bound below, and say little there.
_LOWEST = -1.0
_MARK = plotting.marks(1)[0]


def icc_figure(
    table: pd.DataFrame,
    context: Sequence[str],
    *,
    confidence: float,
    names: Mapping[Any, str] | None = None,
    width_mm: float = plotting.FULL_WIDTH_MM,
) -> Figure:
    """Draw the `tidy()` of an ICCResult: a row per context, a panel per form."""
    return coefficients_by_context(
        table,
        context,
        column="form",
        axis_name="Intraclass correlation",
        confidence=confidence,
        names=names,
        width_mm=width_mm,
    )


def d_study_figure(
    table: pd.DataFrame,
    context: Sequence[str],
    *,
    confidence: float,
    names: Mapping[Any, str] | None = None,
    width_mm: float = plotting.FULL_WIDTH_MM,
) -> Figure:
    """Draw the `tidy()` of a DStudyResult: reliability by number of raters, a panel per context."""
    shown = shown_names(names)
    forms = list(dict.fromkeys(table["form"]))
    keys = [*context, *(["form"] if len(forms) > 1 or not context else [])]
    groups = [
        (", ".join(shown(value) for value in of_group), rows)
        for of_group, rows in table.groupby(keys, sort=False, dropna=False)
    ]
    columns = max(1, min(len(groups), int((width_mm - _SIDE) / _NARROWEST)))
    lines = -(-len(groups) // columns)
    panel_mm = (width_mm - _SIDE) / columns - 6
    titles = [plotting.wrap(title, panel_mm, weight="bold", max_lines=4) for title, _ in groups]
    head = _TITLE + plotting.TITLE_LINE_MM * max(title.count("\n") for title in titles)
    limits = _reliabilities(table)
    raters = table["k"].to_numpy(dtype=float)
    with plotting.style():
        figure = plotting.new_figure(width_mm, lines * (_PANEL + head) + _LEGEND + 5)
        panels = figure.subplots(lines, columns, sharex=True, sharey=True, squeeze=False)
        for axes in panels.flat[len(groups) :]:
            axes.remove()
        for axes, title, (_, rows) in zip(panels.flat, titles, groups, strict=False):
            axes.set_title(title)
            axes.set_ylim(*limits)
            axes.set_xlim(*_around(raters))
            axes.tick_params(labelbottom=True)
            axes.grid(axis="y", color=plotting.PALE, lw=0.5)
            _draw_projection(axes, rows, panel_mm)
            plotting.number_ticks(axes, 5, which="y")
            _rater_ticks(axes, raters, panel_mm)
        figure.supxlabel("Number of raters", size=plotting.SIZE_BODY)
        figure.supylabel("Reliability of their mean", size=plotting.SIZE_BODY)
        drawing.legend_outside(
            figure,
            _projection_handles(interval_kind(confidence, table["method"]), ribbon=_ribbon(table)),
            where="outside upper center",
        )
    return plotting.freeze(figure)


def _reliabilities(table: pd.DataFrame) -> tuple[float, float]:
    low, high = drawing.reach(table["conf_low"], table["estimate"], table["conf_high"])
    low, high = min(low, *_WHOLE), max(high, *_WHOLE)
    low = max(low, min([_LOWEST, *table["estimate"].replace(-np.inf, np.nan).dropna()]))
    margin = 0.03 * (high - low)
    return low - margin * (low < 0), high + margin


def _around(raters: np.ndarray[Any, Any]) -> tuple[float, float]:
    margin = 0.05 * float(np.ptp(raters)) or 0.5
    return float(raters.min()) - margin, float(raters.max()) + margin


def _rater_ticks(axes: Axes, raters: np.ndarray[Any, Any], panel_mm: float) -> None:
    """Put ticks at the requested numbers, or at whole numbers if these are too many."""
    from matplotlib.ticker import MaxNLocator

    requested = np.unique(raters)
    if (
        len(requested) <= panel_mm / 6
        and np.diff(requested).min(initial=np.inf) > np.ptp(requested) / 12
    ):
        axes.set_xticks(requested, [f"{k:g}" for k in requested])
    else:
        axes.xaxis.set_major_locator(MaxNLocator(max(2, int(panel_mm / 8)), integer=True))


def _draw_projection(axes: Axes, rows: pd.DataFrame, panel_mm: float) -> None:
    rows = rows.sort_values("k", kind="stable")
    bottom, top = axes.get_ylim()
    k, value = rows["k"].to_numpy(dtype=float), rows["estimate"].to_numpy(dtype=float)
    # Beyond the axis is as far as a limit can be seen.
    low, high = (
        np.clip(rows[name].to_numpy(dtype=float), bottom - 1, top + 1)
        for name in ("conf_low", "conf_high")
    )
    if _ribbon(rows):
        axes.fill_between(k, low, high, color=plotting.PALE, lw=0, zorder=0)
    axes.vlines(k, low, high, color=_MARK.color, lw=0.6, zorder=1)
    axes.plot(k, value, color=_MARK.color, marker=_MARK.marker, ms=3.5, lw=1.0, zorder=3)
    missing = rows[np.isnan(value)]
    reasons = []
    for reason, those in missing.groupby("reason", sort=False):
        numbers = ", ".join(f"{number:g}" for number in those["k"])
        reasons.append(reason if len(those) == len(rows) else f"{numbers}: {reason}")
    if reasons:
        text = plotting.wrap(
            "; ".join(reasons), panel_mm - 2, size=plotting.SIZE_SMALLEST, max_lines=5
        )
        axes.text(
            0.03, 0.05, text, transform=axes.transAxes, va="bottom", style="italic",
            size=plotting.SIZE_SMALLEST, color=plotting.GREY,
        )  # fmt: skip


def _ribbon(rows: pd.DataFrame) -> bool:
    return rows["k"].nunique() > 1


def _projection_handles(level: str, *, ribbon: bool) -> list[Artist]:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    look: dict[str, Any] = {"color": _MARK.color, "marker": _MARK.marker, "ms": 3.5, "lw": 1.0}
    interval = (
        Patch(color=plotting.PALE, label=level)
        if ribbon
        else Line2D([], [], color=_MARK.color, lw=0.6, label=level)
    )
    return [Line2D([], [], label="estimate", **look), interval]
