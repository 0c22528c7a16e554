"""Figure 3: performance by model and context, a panel per metric."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from pyexpr.figures import drawing, plotting
from pyexpr.words.frames import checked, gap_notes, in_order, records
from pyexpr.words.labels import (
    BASELINES,
    CORRELATION,
    DASH,
    HUMAN,
    SIGNED,
    base_metric,
    direction,
    display_name,
    display_names,
    interval,
    is_below_one,
    label_name,
    label_names,
    method_name,
    names_with,
    number,
    percent,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Names = Mapping[str, str] | None

_KEYS = ("model", "context", "metric")
_LIMITS = ("conf_low", "conf_high")
# mm
_ROW = 3.8
_GAP = 0.7
_LABEL = 38.0
_HEAD_AND_FOOT = 21.0
# Size of the dots, in points.
_DOT: dict[str, Any] = {"ms": 4.2, "mew": 0.9}
# Colour of the line at the highest correlation that the ratings allow.
_HIGHEST: dict[str, Any] = {"color": plotting.INK, "lw": 1.0, "ls": (0, (3, 2)), "zorder": 2}


def performance_figure(
    frame: pd.DataFrame,
    *,
    method: str = "jackknife_t",
    confidence: float = 0.95,
    ceiling: pd.DataFrame | None = None,
    baselines: Sequence[str] = BASELINES,
    human: Sequence[str] = HUMAN,
    names: Names = None,
    width_mm: float = plotting.FULL_WIDTH_MM,
) -> Figure:
    """Draw the performance of every model in every context: figure 3.

    There is a panel per metric, and a row per model in blocks per context, so that the name of the
    model is beside each dot. Lines are intervals. An interval that ends in an arrowhead extends
    beyond the axis: its limit is infinite, or so far away that the others could not be read.

    Parameters
    ----------
    frame : DataFrame
        Columns model, context, metric, estimate, and optionally conf_low,
        conf_high, reason. If it has a column method, the rows of `method` are drawn.
    method : str
        Method of the intervals, which is named in the legend.
    confidence : float
    ceiling : DataFrame, optional
        The highest possible correlation in each context (columns context, estimate). In the panel
        of the correlation it is a dashed line across the rows of the context, except those of human
        raters, who have another criterion.
    baselines, human : sequence of str
        Models that are drawn as hollow marks, and as black squares.
    names : mapping of str to str, optional
        Names to show for models, contexts and metrics.
    width_mm : float

    Returns
    -------
    matplotlib Figure
        A row whose estimate is missing says "undefined"; `performance_alt` gives the reason.

    Examples
    --------
    >>> from pyexpr.paper import published_numbers
    >>> figure = performance_figure(published_numbers.performance())
    >>> [axes.get_title(loc="left") for axes in figure.axes]
    ['NRMSE', 'Correlation']
    """
    data = _performance(frame, method)
    contexts = label_names(in_order(data["context"]), names)
    metrics = display_names(data["metric"].unique(), names)
    models = display_names(_models_in_order(data), names)
    looks = _looks(models, baselines, human)
    label_mm = min(_LABEL, 0.36 * width_mm)
    rows = _Rows.of(contexts, models, label_mm)
    panel_mm = (width_mm - label_mm) / len(metrics) - 6
    titles = {
        metric: plotting.wrap(shown, panel_mm + 4, weight="bold", max_lines=6)
        for metric, shown in metrics.items()
    }
    head = plotting.LINE_MM * max(0, max(title.count("\n") for title in titles.values()) - 1)
    with plotting.style():
        figure = plotting.new_figure(width_mm, _HEAD_AND_FOOT + head + rows.bottom)
        panels = figure.subplots(1, len(metrics), sharey=True, squeeze=False)[0]
        for axes, (metric, title) in zip(panels, titles.items(), strict=True):
            here = data[data["metric"] == metric]
            axes.set_title(title, loc="left")
            better = direction(metric)
            if better:
                axes.set_xlabel(f"{better} is better", size=plotting.SIZE_SMALL)
            highest = _highest(ceiling) if metric == CORRELATION else {}
            _set_axes(axes, here, metric, rows, panel_mm, list(highest.values()))
            for context, value in highest.items():
                for run in rows.runs(context, human):
                    axes.plot([value, value], run, **_HIGHEST)
            for row in records(here):
                y = rows.places[str(row.context), str(row.model)]
                numbers = (row.conf_low, row.estimate, row.conf_high)
                drawing.draw_estimate(axes, y, numbers, {**_DOT, **looks[str(row.model)]})
        _label_rows(panels[0], rows)
        highest = _highest(ceiling) if CORRELATION in metrics else {}
        level = percent(confidence)
        _add_legend(figure, data, looks, level, method_name(method), marked=bool(highest))
    return plotting.freeze(figure)


def performance_alt(
    frame: pd.DataFrame,
    *,
    method: str = "jackknife_t",
    digits: int = 3,
    ceiling: pd.DataFrame | None = None,
    names: Names = None,
) -> str:
    """Return a text description of `performance_figure` with all numbers."""
    data = _performance(frame, method)
    contexts = names_with(in_order(data["context"]), names)
    parts = ["Performance of each model in each context, as dots with intervals."]
    for metric in data["metric"].unique():
        for context in in_order(data["context"]):
            here = data[(data["metric"] == metric) & (data["context"] == context)]
            listed = "; ".join(
                f"{display_name(row.model, names)} {_in_words(row, digits)}"
                for row in records(here)
            )
            if listed:
                head = f"{display_name(metric, names)}, {label_name(context, contexts)}"
                parts.append(f"{head}: {listed}.")
    highest = _highest(ceiling) if CORRELATION in set(data["metric"]) else {}
    if highest:
        listed = "; ".join(
            f"{label_name(context, contexts)} {number(value, digits, of=CORRELATION)}"
            for context, value in highest.items()
        )
        parts.append(f"Dashed lines mark the highest possible correlation: {listed}.")
    parts += gap_notes(data, keys=_KEYS, values=("estimate",), names=names)
    return " ".join(parts)


def _highest(ceiling: pd.DataFrame | None) -> dict[str, float]:
    """Return the highest correlation of each context that has one."""
    if ceiling is None:
        return {}
    found = ceiling[ceiling["estimate"].notna()]
    return dict(zip(found["context"].astype(str), found["estimate"].astype(float), strict=True))


def _performance(frame: pd.DataFrame, method: str) -> pd.DataFrame:
    if "method" in frame:
        frame = frame[frame["method"].astype(str) == method]
    return checked(
        frame,
        what=f"the performance figure (method {method!r})",
        keys=_KEYS,
        numbers=("estimate",),
        optional=_LIMITS,
    )


def _models_in_order(data: pd.DataFrame) -> list[str]:
    """Return the models in the order of the context with most models, then any others.

    A model that exists only over all contexts keeps its position relative to the other models.
    """
    listed = [list(block.unique()) for _, block in data.groupby("context", sort=False)["model"]]
    return list(dict.fromkeys([*max(listed, key=len), *data["model"].unique()]))


def _in_words(row: Any, digits: int) -> str:
    if np.isnan(row.estimate):
        return "undefined"
    limits = interval(row.conf_low, row.conf_high, digits, of=row.metric)
    return number(row.estimate, digits, of=row.metric) + (f" {limits}" if limits != DASH else "")


def _looks(
    models: Mapping[str, str], baselines: Sequence[str], human: Sequence[str]
) -> dict[str, dict[str, Any]]:
    """Return the style of each model's dot: shape and filling show its kind, colour the model."""
    # The black of the first mark is reserved for the raters.
    colors = [mark.color for mark in plotting.marks(8) if mark.color != plotting.INK][:-1]
    looks: dict[str, dict[str, Any]] = {}
    plain = [model for model in models if model not in {*baselines, *human}]
    for model in models:
        if model in baselines:
            color, marker, face = plotting.GREY, "D", "white"
        elif model in human:
            color, marker, face = plotting.INK, "s", plotting.INK
        else:
            color = colors[plain.index(model) % len(colors)]
            marker, face = "o", color
        looks[model] = {"color": color, "marker": marker, "markerfacecolor": face}
    return looks


def _limits(data: pd.DataFrame, metric: str, holds: Sequence[float]) -> tuple[float, float]:
    """Return axis limits that include zero, every estimate, `holds`, and all but long intervals."""
    low, value, high = (
        data[name].to_numpy(float) for name in ("conf_low", "estimate", "conf_high")
    )
    least, most = drawing.reach(low, value, high)
    most = max(most, *holds, most)
    span = (most - least) or 1.0
    # Leave room for half a marker; an error has no values below 0.
    room = 0.04 * span if least < 0 or base_metric(metric) in SIGNED else 0.0
    return least - room, most + 0.05 * span


@dataclass(frozen=True, slots=True)
class _Rows:
    """Positions of each context's heading and models, and ends of their rows, in mm from above."""

    headings: tuple[tuple[float, str], ...]
    rules: tuple[float, ...]
    places: dict[tuple[str, str], float]
    extents: dict[tuple[str, str], tuple[float, float]]
    labels: tuple[str, ...]
    bottom: float

    @classmethod
    def of(cls, contexts: Mapping[str, str], models: Mapping[str, str], label_mm: float) -> _Rows:
        """Wrap the names, and return the positions of the lines."""

        def wrapped(shown: str, weight: str) -> tuple[str, float]:
            text = plotting.wrap(
                shown, label_mm, size=plotting.SIZE_SMALL, weight=weight, max_lines=6
            )
            return text, _ROW + plotting.LINE_MM * text.count("\n")

        labels = {model: wrapped(shown, "normal") for model, shown in models.items()}
        headings, rules = [], []
        places: dict[tuple[str, str], float] = {}
        extents: dict[tuple[str, str], tuple[float, float]] = {}
        y = 0.0
        for context, shown in contexts.items():
            rules.append(y)
            heading, tall = wrapped(shown, "bold")
            y += _GAP
            headings.append((y + tall / 2, heading))
            y += tall
            for model, (_, tall) in labels.items():
                places[context, model] = y + tall / 2
                extents[context, model] = y, y + tall
                y += tall
            y += _GAP
        texts = tuple(label for label, _ in labels.values()) * len(contexts)
        return cls(tuple(headings), tuple(rules), places, extents, texts, y)

    def runs(self, context: str, without: Sequence[str]) -> list[tuple[float, float]]:
        """Return the ends of the rows of a context; adjacent rows are joined."""
        found: list[tuple[float, float]] = []
        for (of, model), (top, bottom) in self.extents.items():
            if of != context or model in without:
                continue
            if found and found[-1][1] == top:
                found[-1] = found[-1][0], bottom
            else:
                found.append((top, bottom))
        return found


def _set_axes(
    axes: Axes,
    data: pd.DataFrame,
    metric: str,
    rows: _Rows,
    panel_mm: float,
    holds: Sequence[float],
) -> None:
    axes.set_ylim(rows.bottom, 0)
    axes.set_xlim(*_limits(data, metric, holds))
    # With digits of 7 points, a label and the distance to the next one need about 7 mm.
    plotting.number_ticks(axes, max(2, min(6, int(panel_mm / 7))), zero=not is_below_one(metric))
    signed = base_metric(metric) in SIGNED
    drawing.draw_rows(axes, 0.0 if signed else None, color=plotting.GREY, lw=0.8)
    for y in rows.rules:
        axes.axhline(y, color=plotting.INK, lw=0.6, zorder=1)


def _label_rows(axes: Axes, rows: _Rows) -> None:
    axes.set_yticks(list(rows.places.values()), list(rows.labels))
    for y, heading in rows.headings:
        drawing.label_heading(axes, y, heading, va="center")


def _add_legend(
    figure: Figure,
    data: pd.DataFrame,
    looks: Mapping[str, dict[str, Any]],
    level: str,
    method: str,
    *,
    marked: bool,
) -> None:
    from matplotlib.lines import Line2D

    kinds = {"o": "model", "D": "baseline", "s": "human raters"}
    drawn = {look["marker"]: look for look in looks.values()}
    seen = {marker: drawn[marker] for marker in kinds if marker in drawn}
    handles = [
        Line2D([], [], ls="", label=kinds[marker], **_DOT,
               **({**look, "color": plotting.INK, "markerfacecolor": plotting.INK}
                  if marker == "o" else look))
        for marker, look in seen.items()
    ]  # fmt: skip
    if data[list(_LIMITS)].notna().any(axis=None):
        handles.append(
            Line2D([], [], color=plotting.INK, lw=1.1, label=f"{level} interval ({method})")
        )
    if marked:
        handles.append(Line2D([], [], label="highest possible correlation", **_HIGHEST))
    if drawing.has_arrows(figure):
        handles.append(drawing.arrow_handle())
    drawing.legend_outside(figure, handles)
