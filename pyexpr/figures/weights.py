"""Figure 4: weights of the features, with or without slopes, one panel per context."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from pyexpr.figures import drawing, plotting
from pyexpr.words.frames import checked, gap_notes, in_order, records
from pyexpr.words.labels import (
    DASH,
    OF_INTERVALS,
    interval,
    label_name,
    label_names,
    names_with,
    number,
    percent,
)

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Names = Mapping[str, str] | None

_KEYS = ("context", "feature")
_LIMITS = ("conf_low", "conf_high")
# mm
_ROW = 4.6
_LABEL = 36.0
_LEGEND = 5.0
# Panels that would be narrower are moved to another row.
_MIN_PANEL = 20.0


@dataclass(frozen=True, slots=True)
class _Series:
    """Estimates of one kind: their columns, their mark, and its position in a feature's row."""

    value: str
    limits: tuple[str, str]
    look: Mapping[str, Any]
    label: str
    offset: float = 0.0  # mm below the middle

    def numbers(self, table: pd.DataFrame) -> list[Any]:
        """Return lower limit, value and upper limit of every row."""
        low, high = self.limits
        return [table[name].to_numpy(float) for name in (low, self.value, high)]

    def handle(self, label: str, **look: Any) -> Artist:
        """Return its entry in the legend."""
        from matplotlib.lines import Line2D

        return Line2D([], [], ls="", label=label, **{**self.look, "ms": 4, **look})


@dataclass(frozen=True, slots=True, kw_only=True)
class _Room:
    """Lines and columns of panels, with wrapped titles and labels, and positions of rows."""

    grid: tuple[int, int]
    panel_mm: float
    titles: Mapping[str, str]
    labels: Sequence[str]
    rows: Mapping[str, drawing.Band]
    body_mm: float
    height_mm: float


@dataclass(frozen=True, slots=True, kw_only=True)
class _Panels:
    """Panels per context on the same scale about 0, with a row per feature.

    Attributes
    ----------
    contexts, features : mapping of str to str
        Displayed names of contexts and features, in their order.
    series : sequence of _Series
        The estimates in each row.
    axis_name : str
        Text below all panels.
    row_mm : float
        Smallest height of a row.
    head_mm, title_lines : float, int
        Height above and below the rows of a panel, and the number of lines of title for which it
        has room.
    stem : bool
        Whether a line from 0 leads to a number without interval.
    """

    contexts: Mapping[str, str]
    features: Mapping[str, str]
    series: Sequence[_Series]
    axis_name: str
    row_mm: float
    head_mm: float
    title_lines: int
    stem: bool

    def figure(
        self,
        data: pd.DataFrame,
        width_mm: float,
        add_legend: Callable[[Figure], None],
        legend_mm: float = 0.0,
    ) -> Figure:
        """Draw the rows of `data`, with room for a legend of `legend_mm`."""
        room = self._room(width_mm)
        reach = self._reach(data)
        with plotting.style():
            figure = plotting.new_figure(width_mm, legend_mm + room.height_mm)
            panels = figure.subplots(*room.grid, sharex=True, sharey=True, squeeze=False)
            for axes in panels.flat[len(room.titles) :]:
                axes.remove()
            for axes, (context, title) in zip(panels.flat, room.titles.items(), strict=False):
                axes.set_title(title)
                axes.set_xlim(-reach, reach)
                axes.set_ylim(room.body_mm, 0)
                axes.tick_params(labelbottom=True)
                plotting.number_ticks(axes, 2 if room.panel_mm < 26 else 4, symmetric=True)
                self._draw(axes, data[data["context"] == context], room.rows)
            for axes in panels[:, 0]:
                axes.set_yticks([row.middle for row in room.rows.values()], room.labels)
            figure.supxlabel(self.axis_name, size=plotting.SIZE_BODY)
            add_legend(figure)
        return plotting.freeze(figure)

    def _room(self, width_mm: float) -> _Room:
        """Wrap titles and labels, and return the positions of panels and rows."""
        label_mm = min(_LABEL, 0.36 * width_mm)
        fitting = max(1, int((width_mm - label_mm) / _MIN_PANEL))
        lines = -(-len(self.contexts) // fitting)
        columns = -(-len(self.contexts) // lines)
        panel_mm = (width_mm - label_mm) / columns - 4
        titles = {
            context: plotting.wrap(shown, panel_mm, weight="bold", max_lines=6)
            for context, shown in self.contexts.items()
        }
        labels = [
            plotting.wrap(shown, label_mm, size=plotting.SIZE_SMALL, max_lines=6)
            for shown in self.features.values()
        ]
        tall = [max(self.row_mm, _ROW + plotting.LINE_MM * text.count("\n")) for text in labels]
        more = max(title.count("\n") for title in titles.values()) + 1 - self.title_lines
        head = self.head_mm + plotting.TITLE_LINE_MM * max(0, more)
        return _Room(
            grid=(lines, columns),
            panel_mm=panel_mm,
            titles=titles,
            labels=labels,
            rows=drawing.bands(self.features, tall),
            body_mm=sum(tall),
            height_mm=lines * (head + sum(tall)),
        )

    def _reach(self, data: pd.DataFrame) -> float:
        """Return the extent of the axis on either side, such that zero is in the middle."""
        trios = zip(*(one.numbers(data) for one in self.series), strict=True)
        ends = drawing.reach(*map(np.concatenate, trios))
        return 1.08 * (max(map(abs, ends)) or 1.0)

    def _draw(self, axes: Axes, data: pd.DataFrame, rows: Mapping[str, drawing.Band]) -> None:
        drawing.draw_bands(axes, rows.values())
        for one in self.series:
            places = [rows[feature].middle + one.offset for feature in data["feature"]]
            for y, low, value, high in zip(places, *one.numbers(data), strict=True):
                if np.isnan(value):
                    alone = len(self.series) == 1
                    _draw_missing(axes, y, plotting.INK if alone else one.look["color"])
                    continue
                # A stem guides the eye if there is no interval.
                bare = self.stem and np.isnan(low) and np.isnan(high)
                limits = (0.0, 0.0) if bare else (low, high)
                face = "white" if value == 0 else one.look["color"]
                look = {**one.look, "markerfacecolor": face}
                drawing.draw_estimate(axes, y, (limits[0], value, limits[1]), look)


def _draw_missing(axes: Axes, y: float, color: str) -> None:
    axes.text(
        0, y, f" {DASH} ", ha="center", va="center", size=plotting.SIZE_SMALL, color=color,
        bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.5},
    )  # fmt: skip


def weights_figure(
    frame: pd.DataFrame,
    *,
    names: Names = None,
    width_mm: float = plotting.FULL_WIDTH_MM,
) -> Figure:
    """Draw the weights of a linear model in every context: figure 4.

    There is a row per feature, and a panel per context, all on the same scale. A hollow dot is a
    weight that the penalty set to exactly zero. An interval that ends in an arrowhead extends
    beyond the axis.

    Parameters
    ----------
    frame : DataFrame
        Columns context, feature, estimate, and optionally conf_low, conf_high
        (drawn as lines if available), reason.
    names : mapping of str to str, optional
        Names to show for contexts and features.
    width_mm : float
        Panels that would be narrower than 20 mm are moved to another row.

    Returns
    -------
    matplotlib Figure
        A missing weight is drawn as an em dash; `weights_alt` gives the reason.

    Examples
    --------
    >>> import pandas as pd
    >>> weights = pd.DataFrame({"context": ["pain", "all"], "feature": "au_count",
    ...                         "estimate": [0.31, 0.24]})
    >>> [axes.get_title() for axes in weights_figure(weights).axes]
    ['Pain', 'All']
    """
    data = _checked(frame)
    series = _Series("estimate", _LIMITS, _look(0, ms=4, mew=0.9), "")

    def add_legend(figure: Figure) -> None:
        """Add hollow dots and arrowheads to the legend, if there are any."""
        handles = []
        if data["estimate"].eq(0).any():
            handles.append(series.handle("weight of exactly 0", markerfacecolor="white"))
        if drawing.has_arrows(figure):
            handles.append(drawing.arrow_handle())
        if handles:
            drawing.legend_outside(figure, handles, where="outside upper center")
            drawing.grow(figure, _LEGEND)

    return _Panels(
        contexts=label_names(in_order(data["context"]), names),
        features=label_names(data["feature"].unique(), names),
        series=[series],
        axis_name="Standardised weight",
        row_mm=_ROW,
        head_mm=22.0,
        title_lines=2,
        stem=True,
    ).figure(data, width_mm, add_legend)


def coefficients_figure(
    frame: pd.DataFrame,
    *,
    names: Names = None,
    confidence: float | None = None,
    width_mm: float = plotting.FULL_WIDTH_MM,
) -> Figure:
    """Draw the `tidy()` of a CoefficientResult: every weight with its slope.

    Both estimates are in units of the label, the weight per standard deviation of the
    feature within the context, the slope per standard deviation pooled within
    contexts. A weight of exactly 0 is hollow, an interval that ends in an arrowhead extends beyond
    the axis, and a missing value is shown as an em dash. `names` are shown for contexts and
    features; those without a name are shown unchanged. `confidence` is the level of the intervals,
    for the legend.
    """
    data = frame.assign(**{key: frame[key].astype(str) for key in _KEYS})
    shown = dict(names or {})
    level = "" if confidence is None else f"{percent(confidence)} "
    weight = _Series(
        "estimate", ("procedure_low", "procedure_high"), _look(0, ms=3.5, mew=0.8),
        f"Regularised weight, {level}percentile interval (described)", -_BESIDE,
    )  # fmt: skip
    slope = _Series(
        "tested_estimate", _LIMITS, _look(1, ms=3.5, mew=0.8),
        f"Slope, {level}{interval_kind(frame)} (tested)", _BESIDE,
    )  # fmt: skip

    def add_legend(figure: Figure) -> None:
        handles = [one.handle(one.label) for one in (weight, slope)]
        if data["estimate"].eq(0).any():
            handles.append(weight.handle("Weight of exactly 0", markerfacecolor="white"))
        if drawing.has_arrows(figure):
            handles.append(drawing.arrow_handle("Limit beyond the axis"))
        drawing.legend_outside(figure, handles, where="outside upper center")

    return _Panels(
        contexts={context: shown.get(context, context) for context in data["context"].unique()},
        features={feature: shown.get(feature, feature) for feature in data["feature"].unique()},
        series=[weight, slope],
        axis_name="Units of the label per standard deviation",
        row_mm=6.0,
        head_mm=19.0,
        title_lines=1,
        stem=False,
    ).figure(data, width_mm, add_legend, legend_mm=9.0)


# Positions of two estimates in a feature's row, in mm from its middle.
_BESIDE = 1.1


def _look(kind: int, **more: float) -> dict[str, Any]:
    mark = plotting.marks(kind + 1)[kind]
    return {"marker": mark.marker, "color": mark.color, **more}


def interval_kind(table: pd.DataFrame) -> str:
    """Return the kind of the intervals of slopes, which are simultaneous after adjustment."""
    rules = [rule for rule in table.get("adjustment", ()) if isinstance(rule, str) and rule]
    if not rules:
        return "confidence interval"
    return f"simultaneous confidence interval by {OF_INTERVALS[rules[0]]}"


def weights_alt(frame: pd.DataFrame, *, digits: int = 2, names: Names = None) -> str:
    """Return a text description of `weights_figure` with all numbers."""
    data = _checked(frame)
    names = names_with(in_order(data["context"]), names)
    parts = ["Standardised weights of the features in each context, as dots about a zero line."]
    for context in in_order(data["context"]):
        listed = []
        for row in records(data[data["context"] == context]):
            limits = interval(row.conf_low, row.conf_high, digits)
            listed.append(
                f"{label_name(row.feature, names)} {number(row.estimate, digits)}"
                + (f" {limits}" if limits != DASH else "")
            )
        parts.append(f"{label_name(context, names)}: {'; '.join(listed)}.")
    parts += gap_notes(data, keys=_KEYS, values=("estimate",), names=names)
    return " ".join(parts)


def _checked(frame: pd.DataFrame) -> pd.DataFrame:
    return checked(
        frame, what="the weights' figure", keys=_KEYS, numbers=("estimate",), optional=_LIMITS
    )
