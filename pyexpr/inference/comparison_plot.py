"""Models compared, drawn: levels and differences with intervals, a panel per context."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pyexpr.base import drawing, plotting
from pyexpr.base.contexts import ALL
from pyexpr.base.errors import DataError, listed
from pyexpr.inference.quantities import Row

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# mm
_ROW = 4.0
_LABEL = 42.0
_TITLE = 7.0
_TICKS = 7.0
_LEGEND = 9.0
# More panels side by side are too narrow to read.
_MOST_PANELS = 5
# What is drawn, the line it is held against where that is not 0, and its mark.
_LEVEL, _DIFFERENCE, _RATIO = "level", "difference", "ratio"
_KINDS = (_LEVEL, _DIFFERENCE, _RATIO)
# Levels that 0 divides into better and worse than chance.
_SIGNED = ("correlation", "concordance", "r2", "bias")
_ACRONYMS = {"nrmse": "NRMSE", "rmse": "RMSE", "mae": "MAE", "r2": "R²"}


@dataclass(frozen=True, slots=True)
class _Item:
    """One row of the result: in which panel it is drawn, and where."""

    column: str
    metric: str
    kind: str
    label: str
    base: str
    low: float
    value: float
    high: float


def comparison_figure(
    rows: Sequence[Row],
    table: pd.DataFrame,
    *,
    level: str,
    between: str,
    metrics: Sequence[str] | None,
    contexts: Sequence[str] | None,
    names: Mapping[str, str] | None,
    width_mm: float = plotting.FULL_WIDTH_MM,
) -> Figure:
    """Draw `rows`, whose numbers are those of `table`; see `ComparisonResult.plot`."""
    shown = dict(names or {})
    items = _chosen(_items(rows, table, between, shown), metrics, contexts)
    if not items:
        raise DataError("there is nothing to draw: metrics= and contexts= name at least one each")
    columns = list(dict.fromkeys(item.column for item in items))
    per_block = -(-len(columns) // -(-len(columns) // _MOST_PANELS))
    blocks = [columns[i : i + per_block] for i in range(0, len(columns), per_block)]
    bands = _bands(items)
    label_mm = min(_LABEL, 0.3 * width_mm)
    panel_mm = (width_mm - label_mm) / per_block - 4
    places = [_Places.of(band, shown, label_mm) for band in bands]
    titles = {
        column: plotting.wrap(
            shown.get(column, column.replace("_", " ").replace(" - ", " − ")),
            panel_mm,
            weight="bold",
            max_lines=6,
        )
        for column in columns
    }
    head = _TITLE + plotting.TITLE_LINE_MM * max(title.count("\n") for title in titles.values())
    heights = [place.bottom + _TICKS for place in places] * len(blocks)
    total = sum(heights) + head * len(blocks) + _LEGEND
    with plotting.style():
        figure = plotting.new_figure(width_mm, total)
        grid = figure.subplots(
            len(heights), per_block, squeeze=False, height_ratios=heights, sharey="row"
        )
        for b, block in enumerate(blocks):
            for i, (band, place) in enumerate(zip(bands, places, strict=True)):
                axes_row = grid[b * len(bands) + i]
                for k, axes in enumerate(axes_row):
                    if k >= len(block):
                        axes.set_axis_off()
                        continue
                    if i == 0 and columns != [ALL]:
                        axes.set_title(titles[block[k]])
                    _draw(axes, [item for item in band if item.column == block[k]], band, place)
                    plotting.number_ticks(axes, max(2, min(5, int(panel_mm / 7))))
                _label(axes_row[0], place)
        _add_legend(figure, items, level)
    return plotting.freeze(figure)


def _items(
    rows: Sequence[Row], table: pd.DataFrame, between: str, shown: Mapping[str, str]
) -> list[_Item]:
    """Return the rows to be drawn, in the order of the result."""

    def name(text: str) -> str:
        return shown.get(text, text.replace("_", " "))

    items = []
    numbers = table[["conf_low", "estimate", "conf_high"]].to_numpy(dtype=float)
    for row, (low, value, high) in zip(rows, numbers.tolist(), strict=True):
        of_contexts = row.second is not None and not row.between_models
        if of_contexts != (between == "contexts"):
            continue
        kind = _RATIO if row.ratio else _LEVEL if row.second is None else _DIFFERENCE
        sign = "/" if row.ratio else "-"
        pair = row.term.split(f" {sign} ") if row.between_models else [row.term]
        if len(pair) > 2:  # a model's name holds the sign
            pair = [row.term]
        label = f" {sign} ".join(map(name, pair)).replace(" - ", " − ")
        column = row.context.replace(" / ", " - ") if of_contexts else row.context
        items.append(_Item(column, row.metric, kind, label, row.base, low, value, high))
    if not items:
        raise DataError("there are no differences between contexts to draw; name context=")
    return items


def _chosen(
    items: Sequence[_Item], metrics: Sequence[str] | None, contexts: Sequence[str] | None
) -> list[_Item]:
    """Return the items of the metrics and contexts asked for."""
    kept = list(items)
    for argument, wanted, attribute in (
        ("metrics", metrics, "metric"),
        ("contexts", contexts, "column"),
    ):
        if wanted is None:
            continue
        asked = [wanted] if isinstance(wanted, str) else list(wanted)
        known = dict.fromkeys(getattr(item, attribute) for item in items)
        if missing := [one for one in asked if one not in known]:
            raise DataError(f"{argument}= names {listed(missing)}; there are {listed(known)}")
        kept = [item for item in kept if getattr(item, attribute) in asked]
    return kept


def _bands(items: Sequence[_Item]) -> list[list[_Item]]:
    """Return the items that share an axis: those of one metric and kind."""
    found: dict[tuple[str, str], list[_Item]] = {}
    for metric in dict.fromkeys(item.metric for item in items):
        for kind in _KINDS:
            band = [item for item in items if (item.metric, item.kind) == (metric, kind)]
            if band:
                found[metric, kind] = band
    return list(found.values())


@dataclass(frozen=True, slots=True)
class _Places:
    """Where a band's heading and its rows stand, in mm from the top."""

    heading: str
    labels: Mapping[str, tuple[float, str]]  # label -> place, and as it is written
    bottom: float

    @classmethod
    def of(cls, band: Sequence[_Item], shown: Mapping[str, str], label_mm: float) -> _Places:
        """Wrap the labels and give each its room."""
        first = band[0]
        base, _, part = first.metric.partition("_")
        metric = _ACRONYMS.get(base, base.capitalize()) + (f" {part} subjects" if part else "")
        metric = shown.get(first.metric, metric)
        heading = metric if first.kind == _LEVEL else f"{metric}, {first.kind}s"

        def wrapped(text: str, weight: str = "normal") -> tuple[str, float]:
            lines = plotting.wrap(
                text, label_mm, size=plotting.SIZE_SMALL, weight=weight, max_lines=6
            )
            return lines, _ROW + plotting.LINE_MM * lines.count("\n")

        heading, y = wrapped(heading, "bold")
        labels = {}
        for label in dict.fromkeys(item.label for item in band):
            text, tall = wrapped(label)
            labels[label] = y + tall / 2, text
            y += tall
        return cls(heading, labels, y)


def _draw(axes: Axes, here: Sequence[_Item], band: Sequence[_Item], places: _Places) -> None:
    kind = band[0].kind
    axes.set_ylim(places.bottom, 0)
    axes.set_xlim(*_limits(band))
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.grid(axis="x", color=plotting.PALE, lw=0.5)
    if kind != _LEVEL or band[0].base in _SIGNED:
        axes.axvline(1 if kind == _RATIO else 0, color=plotting.INK, lw=0.7, zorder=1)
    look = _look(kind)
    for item in here:
        y, _ = places.labels[item.label]
        if np.isnan(item.value):
            axes.text(
                0.02, y, "undefined", transform=axes.get_yaxis_transform(), va="center",
                style="italic", size=plotting.SIZE_SMALLEST, color=plotting.GREY,
            )  # fmt: skip
            continue
        face = look["color"]
        if _alone(item):
            face = "white"
        else:
            drawing.draw_interval(axes, item.low, item.value, item.high, y, color=look["color"])
        axes.plot(item.value, y, ls="", zorder=3, clip_on=False, markerfacecolor=face, **look)


def _alone(item: _Item) -> bool:
    """Return whether there is a value but no interval."""
    return np.isnan(item.low) and np.isnan(item.high) and not np.isnan(item.value)


def _look(kind: str) -> dict[str, Any]:
    mark = plotting.marks(len(_KINDS))[_KINDS.index(kind)]
    return {"color": mark.color, "marker": mark.marker, "ms": 3.8}


def _limits(band: Sequence[_Item]) -> tuple[float, float]:
    """Return limits that hold the band's values, all but far intervals, and their line."""
    values = np.array([(item.low, item.value, item.high) for item in band])
    # An error's distance from 0 says how large it is.
    line = 1.0 if band[0].kind == _RATIO else 0.0
    low, high = drawing.reach(*values.T, origin=line)
    margin = 0.05 * ((high - low) or 1.0)
    at_zero = band[0].kind == _LEVEL and low == 0
    return (0.0 if at_zero else low - margin), high + margin


def _label(axes: Axes, places: _Places) -> None:
    axes.set_yticks([y for y, _ in places.labels.values()], [t for _, t in places.labels.values()])
    axes.annotate(
        places.heading,
        (0, 0.6),
        xycoords=axes.get_yaxis_transform(),
        # As far from the axis as the labels of the ticks.
        xytext=(-3.5, 0),
        textcoords="offset points",
        ha="right",
        va="top",
        weight="bold",
        size=plotting.SIZE_SMALL,
    )


def _add_legend(figure: Figure, items: Sequence[_Item], level: str) -> None:
    from matplotlib.lines import Line2D

    drawn = [kind for kind in _KINDS if any(item.kind == kind for item in items)]
    handles = [Line2D([], [], ls="", label=kind, **_look(kind)) for kind in drawn]
    handles.append(Line2D([], [], color=plotting.INK, lw=1.1, label=level))
    if any(_alone(item) for item in items):
        hollow = {**_look(drawn[0]), "color": plotting.INK, "markerfacecolor": "white"}
        handles.append(Line2D([], [], ls="", label="no interval", **hollow))
    if drawing.has_arrows(figure):
        handles.append(drawing.arrow_handle())
    drawing.legend_outside(figure, handles)
