"""Figure 2: the one-factor model as a path diagram, one panel per context."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from pyexpr.figures import plotting
from pyexpr.words.frames import checked, gap_notes, in_order, records
from pyexpr.words.labels import (
    DASH,
    label_name,
    label_names,
    names_with,
    number,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Names = Mapping[str, str] | None

_VALUES = ("std_loading", "std_residual_variance")

# All lengths in mm, as printed.
_TITLE = 7.0
_FOOT = 4.0
_BETWEEN = 3.5
_MIN_BOX_HEIGHT = 9.5
_BOX_WIDTH = 24.0
_MIN_BODY = 39.0
_LATENT_RADIUS = 7.5
_ERROR_RADIUS = 3.2
_LATENT_X = 15.0
_LATENT_WIDTH = 27.0
_PANEL_WIDTH = 90.0
_LINE = 0.8
# The full text of a question fits its square.
_MOST_LINES = 8


@dataclass(frozen=True, slots=True)
class _Panel:
    """Positions of the parts of a diagram, in mm from the lower left corner of the panel."""

    width: float
    n_indicators: int
    box_height: float
    title_lines: int = 1
    latent_lines: int = 1

    @property
    def head(self) -> float:
        return _TITLE + plotting.TITLE_LINE_MM * (self.title_lines - 1)

    @property
    def step(self) -> float:
        return self.box_height + _BETWEEN

    @property
    def height(self) -> float:
        # The circle in the middle, its name of up to three lines and its variance also need room.
        least = _MIN_BODY + 2 * plotting.LINE_MM * max(0, self.latent_lines - 3)
        return self.head + max(self.n_indicators * self.step, least) + _FOOT

    @property
    def box_left(self) -> float:
        return self.width - 40.5

    def row(self, i: int) -> float:
        middle = (self.height - self.head + _FOOT) / 2
        return middle + ((self.n_indicators - 1) / 2 - i) * self.step


def factor_figure(
    frame: pd.DataFrame,
    *,
    latent: str = "Expressiveness",
    digits: int = 2,
    names: Names = None,
) -> Figure:
    """Draw the factor model of each context: figure 2.

    Squares are the observed questions, and the circle is the latent variable with variance 1.
    Arrows are standardised loadings, and small circles are residuals with their standardised
    variances.

    Parameters
    ----------
    frame : DataFrame
        Columns context, indicator, std_loading, std_residual_variance, and
        optionally reason. A missing number is drawn as an em dash.
    latent : str
        Name of the latent variable.
    digits : int
    names : mapping of str to str, optional
        Names to show for contexts and indicators.

    Returns
    -------
    matplotlib Figure
        180 mm wide (one context alone: 90 mm), two panels to a row.

    Examples
    --------
    >>> from pyexpr.paper import published_numbers
    >>> len(factor_figure(published_numbers.loadings()).axes)
    4
    """
    data = checked(
        frame, what="the factor model's figure", keys=("context", "indicator"), numbers=_VALUES
    )
    contexts = label_names(in_order(data["context"]), names)
    indicators = {
        indicator: plotting.wrap(
            shown, _BOX_WIDTH - 2.5, size=plotting.SIZE_SMALL, max_lines=_MOST_LINES
        )
        for indicator, shown in label_names(data["indicator"].unique(), names).items()
    }
    lines = max(label.count("\n") + 1 for label in indicators.values())
    box_height = max(_MIN_BOX_HEIGHT, lines * plotting.LINE_MM + 1.5)
    titles = {
        context: plotting.wrap(shown, _PANEL_WIDTH - 8, weight="bold", max_lines=_MOST_LINES)
        for context, shown in contexts.items()
    }
    name = plotting.wrap(latent, _LATENT_WIDTH, size=plotting.SIZE_SMALL, max_lines=_MOST_LINES)
    panel = _Panel(
        _PANEL_WIDTH,
        len(indicators),
        box_height,
        title_lines=max(title.count("\n") + 1 for title in titles.values()),
        latent_lines=name.count("\n") + 1,
    )
    columns = min(2, len(contexts))
    rows = -(-len(contexts) // columns)
    width, height = columns * panel.width, rows * panel.height
    with plotting.style():
        figure = plotting.new_figure(width, height, layout=None)
        for i, (context, title) in enumerate(titles.items()):
            left, bottom = (i % columns) * panel.width, height - (i // columns + 1) * panel.height
            axes = figure.add_axes(
                (left / width, bottom / height, panel.width / width, panel.height / height)
            )
            axes.set(xlim=(0, panel.width), ylim=(0, panel.height))
            axes.set_axis_off()
            found = data[data["context"] == context].set_index("indicator")
            _draw_panel(axes, panel, title, name, found, indicators, digits)
    return plotting.freeze(figure)


def factor_alt(
    frame: pd.DataFrame,
    *,
    latent: str = "Expressiveness",
    digits: int = 2,
    names: Names = None,
) -> str:
    """Return a text description of `factor_figure` with all numbers."""
    data = checked(
        frame, what="the factor model's figure", keys=("context", "indicator"), numbers=_VALUES
    )
    names = names_with(in_order(data["context"]), names)
    parts = [f"Path diagrams of a one-factor model, {latent} with variance 1."]
    for context in in_order(data["context"]):
        listed = "; ".join(
            f"{label_name(row.indicator, names)} loads "
            f"{number(row.std_loading, digits, of='std_loading')}, residual variance "
            f"{number(row.std_residual_variance, digits, of='std_residual_variance')}"
            for row in records(data[data["context"] == context])
        )
        parts.append(f"{label_name(context, names)}: {listed}.")
    parts += gap_notes(data, keys=("context", "indicator"), values=_VALUES, names=names)
    return " ".join(parts)


def _draw_panel(
    axes: Axes,
    panel: _Panel,
    title: str,
    latent: str,
    found: pd.DataFrame,
    indicators: Mapping[str, str],
    digits: int,
) -> None:
    axes.text(4, panel.height - 2.5, title, weight="bold", va="top")
    middle = (panel.row(0) + panel.row(panel.n_indicators - 1)) / 2
    _draw_latent(axes, middle, latent)
    for i, (indicator, shown) in enumerate(indicators.items()):
        loading, residual = (
            (number(float(found[value][indicator]), digits, of=value) for value in _VALUES)
            if indicator in found.index
            else (DASH, DASH)
        )
        _draw_indicator(axes, panel, i, middle, shown, loading, residual)


def _draw_latent(axes: Axes, middle: float, latent: str) -> None:
    from matplotlib.patches import Circle, FancyArrowPatch

    axes.add_patch(Circle((_LATENT_X, middle), _LATENT_RADIUS, fill=False, lw=_LINE))
    axes.text(_LATENT_X, middle, "η", ha="center", va="center", size=11)
    axes.text(
        _LATENT_X,
        middle + _LATENT_RADIUS + 1.5,
        latent,
        ha="center",
        va="bottom",
        size=plotting.SIZE_SMALL,
    )
    # The loop under the circle shows its variance, which is fixed at 1.
    axes.add_patch(
        FancyArrowPatch(
            (_LATENT_X - 2.6, middle - _LATENT_RADIUS - 0.1),
            (_LATENT_X + 2.6, middle - _LATENT_RADIUS - 0.1),
            connectionstyle="arc3,rad=1.3",
            arrowstyle="<|-|>",
            mutation_scale=5,
            lw=_LINE * 0.75,
            shrinkA=0,
            shrinkB=0,
            color=plotting.INK,
        )
    )
    axes.text(
        _LATENT_X + 4.4,
        middle - _LATENT_RADIUS - 3.0,
        "1",
        ha="left",
        va="center",
        size=plotting.SIZE_SMALL,
    )


def _draw_indicator(
    axes: Axes,
    panel: _Panel,
    i: int,
    middle: float,
    shown: str,
    loading: str,
    residual: str,
) -> None:
    from matplotlib.patches import Circle, Rectangle

    y, left = panel.row(i), panel.box_left
    corner = (left, y - panel.box_height / 2)
    axes.add_patch(Rectangle(corner, _BOX_WIDTH, panel.box_height, fill=False, lw=_LINE))
    size = plotting.SIZE_SMALL
    axes.text(left + _BOX_WIDTH / 2, y, shown, ha="center", va="center", size=size)

    across, up = left - _LATENT_X, y - middle
    length = (across**2 + up**2) ** 0.5
    start = (
        _LATENT_X + _LATENT_RADIUS * across / length,
        middle + _LATENT_RADIUS * up / length,
    )
    _arrow(axes, start, (left, y))
    # Near the square the arrows lie far enough apart for their numbers.
    at = 0.68
    axes.text(
        start[0] + at * (left - start[0]),
        start[1] + at * (y - start[1]),
        loading,
        ha="center",
        va="center",
        bbox={"facecolor": "white", "edgecolor": "none", "pad": 1.0},
    )

    right = left + _BOX_WIDTH
    error = right + 6.0 + _ERROR_RADIUS
    axes.add_patch(Circle((error, y + 1.2), _ERROR_RADIUS, fill=False, lw=_LINE))
    axes.text(
        error,
        y + 1.2,
        "ε" + str(i + 1).translate(_SUBSCRIPTS),
        ha="center",
        va="center",
        size=plotting.SIZE_SMALLEST,
    )
    _arrow(axes, (error - _ERROR_RADIUS, y + 1.2), (right, y + 1.2))
    axes.text(error, y - 2.6, residual, ha="center", va="top", size=size)


_SUBSCRIPTS = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")


def _arrow(axes: Axes, start: tuple[float, float], end: tuple[float, float]) -> None:
    from matplotlib.patches import FancyArrowPatch

    axes.add_patch(
        FancyArrowPatch(
            start,
            end,
            arrowstyle="-|>",
            mutation_scale=6,
            lw=_LINE,
            shrinkA=0,
            shrinkB=0,
            color=plotting.INK,
        )
    )
