"""Forest plots: rows of estimates with intervals, in bands that share an axis, in panels."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from pyexpr.base.errors import DataError
from pyexpr.figures import drawing, plotting

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
_AXIS_NAME = 5.0
# Distance between the marks of a row, if a row has several.
_DODGE = 2.4
# More panels side by side, or narrower panels, are hard to read.
_MOST_PANELS = 5
_NARROWEST = 20.0
# Distance of a row's remark from its panel, in mm.
_REMARK_GAP = 1.5


@dataclass(frozen=True, slots=True)
class Item:
    """One estimate.

    Attributes
    ----------
    label : str
        Label of its row; items with the same band and label are drawn in the same row.
    low, value, high : float
        If a limit is missing, the line ends at the value; if it is infinite, in an arrowhead.
    panel, band : str
        Where it is drawn; the items of a band share an axis in all panels.
    kind : int
        Its mark: a position in `Forest.kinds`.
    hollow : bool
        Whether the mark is hollow; `Forest.hollow` explains hollow marks.
    if_missing : str
        Text in place of a missing value.
    remark : str
        Text to the right of the panel.
    """

    label: str
    low: float
    value: float
    high: float
    panel: str = ""
    band: str = ""
    kind: int = 0
    hollow: bool = False
    if_missing: str = "undefined"
    remark: str = ""

    @property
    def alone(self) -> bool:
        """Whether there is a value but no interval."""
        return np.isnan(self.low) and np.isnan(self.high) and not np.isnan(self.value)


@dataclass(frozen=True, slots=True)
class Axis:
    """The axis of a band.

    Attributes
    ----------
    heading : str
        Bold text above the labels of its rows.
    line : float or None
        Position of a reference line.
    holds : tuple of float
        Values that the axis must include, whatever the estimates are. If the axis begins at the
        smallest of them and `flush` is true, there is no margin.
    flush : bool
    lowest : float or None
        The axis extends below this value only for estimates; intervals end in arrowheads.
    """

    heading: str = ""
    line: float | None = None
    holds: tuple[float, ...] = ()
    flush: bool = False
    lowest: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Forest:
    """A forest plot: its items, and their names.

    Attributes
    ----------
    items : sequence of Item
        Panels and rows come in the order in which these name them.
    axes : mapping of band to Axis
        In the order of the bands, from top to bottom.
    titles : mapping of panel to str
        Titles of panels that differ from their names; "" for no title.
    kinds : tuple of str
        Name of each mark in the legend; "" is left out of the legend.
    level : str
        Name of the intervals in the legend; "" if there are none.
    hollow : str
        Name of hollow marks in the legend.
    axis_name : str
        Text below all panels.
    """

    items: Sequence[Item]
    axes: Mapping[str, Axis]
    level: str
    titles: Mapping[str, str] | None = None
    kinds: tuple[str, ...] = ("",)
    hollow: str = "no interval"
    axis_name: str = ""

    def figure(self, width_mm: float = plotting.FULL_WIDTH_MM) -> Figure:
        """Draw the figure with up to five panels side by side, as many as are readable.

        Raises
        ------
        DataError
            If there is nothing to draw.
        """
        if not self.items:
            raise DataError("there is nothing to draw: the result has no rows")
        panels = list(dict.fromkeys(item.panel for item in self.items))
        label_mm = min(_LABEL, 0.3 * width_mm)
        remarks_mm = self._remarks_mm()
        fitting = int((width_mm - label_mm) / (_NARROWEST + remarks_mm))
        most = max(1, min(_MOST_PANELS, fitting))
        per_block = -(-len(panels) // -(-len(panels) // most))
        blocks = [panels[i : i + per_block] for i in range(0, len(panels), per_block)]
        panel_mm = (width_mm - label_mm) / per_block - 4 - remarks_mm
        bands = self._bands()
        room = _Room(label_mm, panel_mm, panel_mm + remarks_mm)
        places = [_Places.of(band, axis, room, len(self.kinds)) for band, axis in bands]
        titles = self._titles(panels, panel_mm)
        head = max(
            0.0 if not title else _TITLE + plotting.TITLE_LINE_MM * title.count("\n")
            for title in titles.values()
        )
        heights = [place.bottom + _TICKS for place in places] * len(blocks)
        total = sum(heights) + head * len(blocks) + _LEGEND + _AXIS_NAME * bool(self.axis_name)
        with plotting.style():
            figure = plotting.new_figure(width_mm, total)
            grid = figure.subplots(
                len(heights), per_block, squeeze=False, height_ratios=heights, sharey="row"
            )
            for b, block in enumerate(blocks):
                for i, ((band, axis), place) in enumerate(zip(bands, places, strict=True)):
                    row = grid[b * len(bands) + i]
                    for axes in row[len(block) :]:
                        axes.set_axis_off()
                    for axes, panel in zip(row, block, strict=False):
                        if i == 0 and titles[panel]:
                            axes.set_title(titles[panel])
                        axes.set_ylim(place.bottom, 0)
                        axes.set_xlim(*_limits(band, axis))
                        here = [item for item in band if item.panel == panel]
                        _draw(axes, here, axis, place, room)
                        plotting.number_ticks(axes, max(2, min(5, int(panel_mm / 7))))
                    _label(row[0], place)
            self._add_legend(figure)
            if self.axis_name:
                figure.supxlabel(
                    plotting.wrap(self.axis_name, width_mm - 4), size=plotting.SIZE_BODY
                )
        return plotting.freeze(figure)

    def _titles(self, panels: Sequence[str], panel_mm: float) -> dict[str, str]:
        titles = self.titles or {}
        return {
            panel: plotting.wrap(titles.get(panel, panel), panel_mm, weight="bold", max_lines=6)
            for panel in panels
        }

    def _bands(self) -> list[tuple[list[Item], Axis]]:
        found: dict[str, list[Item]] = {band: [] for band in self.axes}
        for item in self.items:
            found[item.band].append(item)
        return [(items, self.axes[band]) for band, items in found.items() if items]

    def _remarks_mm(self) -> float:
        widest = max(plotting.text_width_mm(i.remark, plotting.SIZE_SMALLEST) for i in self.items)
        return widest + _REMARK_GAP if widest else 0.0

    def _add_legend(self, figure: Figure) -> None:
        from matplotlib.lines import Line2D

        drawn = sorted({item.kind for item in self.items})
        handles = [
            Line2D([], [], ls="", label=self.kinds[kind], **_look(kind))
            for kind in drawn
            if self.kinds[kind]
        ]
        if self.level:
            handles.append(Line2D([], [], color=plotting.INK, lw=1.1, label=self.level))
        if any(_hollow(item) for item in self.items) and self.hollow:
            hollow = {**_look(drawn[0]), "color": plotting.INK, "markerfacecolor": "white"}
            handles.append(Line2D([], [], ls="", label=self.hollow, **hollow))
        if drawing.has_arrows(figure):
            handles.append(drawing.arrow_handle())
        if handles:
            # The name of an axis and a legend would be in the same place.
            above = bool(self.axis_name)
            drawing.legend_outside(
                figure, handles, where="outside upper center" if above else "outside lower center"
            )


@dataclass(frozen=True, slots=True)
class _Room:
    """Widths in mm: of the labels, and of a panel without and with remarks."""

    label: float
    panel: float
    whole: float

    def if_missing(self, item: Item) -> str:
        """Return the wrapped text that replaces a missing value; "" if there is a value."""
        if not np.isnan(item.value):
            return ""
        width = self.panel if item.remark else self.whole
        return plotting.wrap(item.if_missing, width - 2, size=plotting.SIZE_SMALLEST, max_lines=4)


@dataclass(frozen=True, slots=True)
class _Places:
    """Positions of the heading and the rows of a band, in mm from the top."""

    heading: str
    labels: Mapping[str, tuple[float, str]]  # label -> position, and the label as written
    offsets: Mapping[int, float]  # kind -> its position in a row, relative to the middle
    bottom: float

    @classmethod
    def of(cls, band: Sequence[Item], axis: Axis, room: _Room, n_kinds: int) -> _Places:
        """Wrap the labels, and return the positions of the rows."""
        kinds = [kind for kind in range(n_kinds) if any(item.kind == kind for item in band)]
        extra = _DODGE * (len(kinds) - 1)
        offsets = {kind: _DODGE * i - extra / 2 for i, kind in enumerate(kinds)}

        def wrapped(text: str, weight: str = "normal") -> tuple[str, float]:
            lines = plotting.wrap(
                text, room.label, size=plotting.SIZE_SMALL, weight=weight, max_lines=6
            )
            return lines, _ROW + plotting.LINE_MM * lines.count("\n")

        heading, y = wrapped(axis.heading, "bold") if axis.heading else ("", 0.0)
        n_lines: dict[str, int] = {}
        for item in band:
            n_lines[item.label] = max(n_lines.get(item.label, 0), room.if_missing(item).count("\n"))
        labels = {}
        for label, lines in n_lines.items():
            text, tall = wrapped(label)
            tall = max(tall, _ROW + extra, _ROW + plotting.LINE_MM * lines)
            labels[label] = y + tall / 2, text
            y += tall
        return cls(heading, labels, offsets, y)


def _draw(axes: Axes, here: Sequence[Item], axis: Axis, places: _Places, room: _Room) -> None:
    drawing.draw_rows(axes, axis.line)
    for item in here:
        y = places.labels[item.label][0] + places.offsets[item.kind]
        if item.remark:
            axes.annotate(
                item.remark, (1, y), xycoords=axes.get_yaxis_transform(), xytext=(3, 0),
                textcoords="offset points", va="center", size=plotting.SIZE_SMALLEST,
            )  # fmt: skip
        look = _look(item.kind)
        face = "white" if _hollow(item) else look["color"]
        drawing.draw_estimate(
            axes,
            y,
            (item.low, item.value, item.high),
            {**look, "markerfacecolor": face},
            if_missing=room.if_missing(item),
        )


def _hollow(item: Item) -> bool:
    return item.hollow or (item.alone and not item.remark)


def _look(kind: int) -> dict[str, Any]:
    mark = plotting.marks(kind + 1)[kind]
    return {"color": mark.color, "marker": mark.marker, "ms": 3.8}


def _limits(band: Sequence[Item], axis: Axis) -> tuple[float, float]:
    """Return limits that include the band's values, required values, and all but long intervals."""
    values = np.array([(item.low, item.value, item.high) for item in band])
    included = [*axis.holds, *([] if axis.line is None else [axis.line])]
    finite = values[np.isfinite(values[:, 1]), 1]
    if not len(finite):
        return (min(included), max(included)) if len(set(included)) > 1 else (0.0, 1.0)
    low, high = drawing.reach(*values.T, origin=included[0] if included else np.nan)
    low, high = min([low, *included]), max([high, *included])
    if axis.lowest is not None:
        low = max(low, min(axis.lowest, *finite))
    margin = 0.05 * ((high - low) or abs(high) or 1.0)
    flush = axis.flush and bool(included) and low == min(included)
    return low if flush else low - margin, high + margin


def _label(axes: Axes, places: _Places) -> None:
    axes.set_yticks([y for y, _ in places.labels.values()], [t for _, t in places.labels.values()])
    if places.heading:
        drawing.label_heading(axes, 0.6, places.heading, va="top")


def shown_names(names: Mapping[Any, str] | None) -> Callable[[Any], str]:
    """Return what shows a label as the user names it, else with blanks for underscores."""
    given = dict(names or {})
    return lambda label: str(given.get(label, str(label).replace("_", " ")))


def interval_kind(confidence: float, methods: Iterable[str] = ()) -> str:
    """Return the name of the intervals in the legend: their level and method."""
    # The name of a method may contain a comma.
    by = "; ".join(dict.fromkeys(method for method in methods if method))
    return f"{100 * confidence:.10g} % interval" + (f" ({by})" if by else "")


def items_of(
    table: pd.DataFrame,
    *,
    label: Callable[[dict[str, Any]], str],
    panel: Callable[[dict[str, Any]], str] = lambda _: "",
    band: Callable[[dict[str, Any]], str] = lambda _: "",
    kind: Callable[[dict[str, Any]], int] = lambda _: 0,
    if_missing: Callable[[dict[str, Any]], str] = lambda row: row.get("reason") or "undefined",
) -> list[Item]:
    """Return an item per row of a table with estimate, conf_low, conf_high and reason."""
    return [
        Item(
            label=label(row),
            low=float(row["conf_low"]),
            value=float(row["estimate"]),
            high=float(row["conf_high"]),
            panel=panel(row),
            band=band(row),
            kind=kind(row),
            if_missing=if_missing(row),
        )
        for row in cast("list[dict[str, Any]]", table.to_dict("records"))
    ]
