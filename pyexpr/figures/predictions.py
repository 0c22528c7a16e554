"""Predicted against true scores, with a panel per model and context."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from pyexpr.base.errors import DataError
from pyexpr.base.tables import as_frame, numeric_column, require_columns
from pyexpr.figures import plotting
from pyexpr.words.frames import in_order
from pyexpr.words.labels import (
    display_name,
    display_names,
    label_name,
    label_names,
    names_with,
    number,
)
from pyexpr.words.wording import counted

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

Names = Mapping[str, str] | None

# Panels with more points draw them as an image, because browsers are slow with megabytes of shapes.
_DRAWN = 1000
# mm
_PANEL = 42.0
# Panels that would be narrower are moved to another row.
_SMALLEST = 20.0
_BETWEEN = 4.0
_LINE = 3.5
# Room for a line of text and the numbers left of the panels, and for the numbers and one more line
# below them.
_SIDE = 14.0
_TICKS = 5.0
_FOOT = 4.0
# Height of the line with the number of clips above each panel.
_COUNT_MM = 3.2
_WHAT = "the table of predictions"


def predictions_figure(
    frame: pd.DataFrame,
    models: Sequence[str],
    *,
    truth: str = "truth",
    context: str = "evaluated",
    names: Names = None,
    width_mm: float = plotting.FULL_WIDTH_MM,
    unit: str = "clip",
) -> Figure:
    """Draw each clip's predicted score against its true one.

    There is a row per model and a panel per context, all on the same scale. On the diagonal, a
    prediction equals the true score.

    Parameters
    ----------
    frame : DataFrame
        One row per clip and context: `context`, `truth`, and a column per model.
    models : sequence of str
        The columns to draw. Clips that a model did not predict (NaN) are counted above the panel; a
        panel without any prediction says so.
    truth, context : str
        Names of those columns.
    names : mapping of str to str, optional
        Names to show for models and contexts.
    width_mm : float
    unit : str
        Name of a row, in the singular.

    Returns
    -------
    matplotlib Figure

    Raises
    ------
    DataError
        No rows, or no models.

    Examples
    --------
    >>> table = pd.DataFrame({"evaluated": ["pain", "all"], "truth": [0.1, 0.1], "net": [0.3, 0.2]})
    >>> [axes.get_title() for axes in predictions_figure(table, ["net"]).axes]
    ['Pain', 'All']
    """
    frame = as_frame(frame, what=_WHAT)
    found = _points(frame, models, truth, context)
    contexts = label_names(in_order(frame[context].astype(str)), names)
    shown = display_names(models, names)
    missing = [np.isnan(predicted) for _, predicted in found.values()]
    gaps = any(gone.any() and not gone.all() for gone in missing)
    grid = _Grid.of(contexts, shown, width_mm, _COUNT_MM * (1 + gaps))
    limits = _limits(found)
    with plotting.style():
        figure = plotting.new_figure(width_mm, grid.height_mm, layout=None)
        for row, model in enumerate(models):
            for at, (label, title) in enumerate(grid.titles.items()):
                line, column = row * grid.down + at // grid.across, at % grid.across
                axes = figure.add_axes(grid.place(line, column))
                axes.set_title(title, pad=grid.counts_mm / plotting.MM_PER_POINT + 4)
                _draw(axes, *found[model, label], limits, grid.panel_mm, unit)
                if column:
                    axes.tick_params(labelleft=False)
                else:
                    axes.set_ylabel(grid.labels[model])
        figure.supxlabel(
            "True score (dashed: predicted = true)",
            x=grid.middle,
            y=1 / grid.height_mm,
            va="bottom",
            size=plotting.SIZE_BODY,
        )
    return plotting.freeze(figure)


@dataclass(frozen=True, slots=True)
class _Grid:
    """Positions of the panels and of the labels around them, in mm."""

    across: int
    down: int
    titles: dict[str, str]
    labels: dict[str, str]
    width_mm: float
    height_mm: float
    panel_mm: float
    left_mm: float
    head_mm: float
    counts_mm: float

    @classmethod
    def of(
        cls,
        contexts: Mapping[str, str],
        shown: Mapping[str, str],
        width_mm: float,
        counts_mm: float,
    ) -> _Grid:
        """Divide the width among at most four panels, with room for every line of text."""
        across = min(len(contexts), 4, max(1, int((width_mm - _SIDE) / (_SMALLEST + _BETWEEN))))
        down = -(-len(contexts) // across)
        panel = min(_PANEL, (width_mm - _SIDE) / across - _BETWEEN)
        labels = {
            model: plotting.wrap(f"Predicted by {name}", panel + _BETWEEN, max_lines=6)
            for model, name in shown.items()
        }
        left = _SIDE + _LINE * max(label.count("\n") for label in labels.values())
        panel = min(_PANEL, (width_mm - left) / across - _BETWEEN)
        titles = {
            context: plotting.wrap(name, panel + 3, weight="bold", max_lines=6)
            for context, name in contexts.items()
        }
        head = counts_mm + 2.7 + _LINE * max(title.count("\n") + 1 for title in titles.values())
        height = down * len(shown) * (head + panel + _TICKS) + _FOOT
        # The remaining width is divided equally between both sides.
        left += (width_mm - left - across * (panel + _BETWEEN)) / 2
        return cls(across, down, titles, labels, width_mm, height, panel, left, head, counts_mm)

    @property
    def middle(self) -> float:
        """The middle of the panels, as a fraction of the width."""
        wide = self.across * (self.panel_mm + _BETWEEN) - _BETWEEN
        return (self.left_mm + wide / 2) / self.width_mm

    def place(self, line: int, column: int) -> tuple[float, float, float, float]:
        """Return a panel's left, bottom, width and height, as fractions of the figure."""
        below = (line + 1) * (self.head_mm + self.panel_mm + _TICKS) - _TICKS
        return (
            (self.left_mm + column * (self.panel_mm + _BETWEEN)) / self.width_mm,
            1 - below / self.height_mm,
            self.panel_mm / self.width_mm,
            self.panel_mm / self.height_mm,
        )


def _draw(
    axes: Axes,
    true: NDArray[Any],
    predicted: NDArray[Any],
    limits: tuple[float, float],
    panel_mm: float,
    unit: str,
) -> None:
    axes.set(xlim=limits, ylim=limits)
    for which in ("x", "y"):
        plotting.number_ticks(axes, max(2, min(5, int(panel_mm / 8))), which=which)
    missing = int(np.isnan(predicted).sum())
    if missing == len(true):
        # The model was not fitted to this context.
        axes.annotate("not predicted", (0.5, 0.5), xycoords="axes fraction", ha="center",
                      va="center", size=plotting.SIZE_SMALL, color=plotting.GREY)  # fmt: skip
        return
    axes.plot(limits, limits, color=plotting.GREY, lw=0.8, ls="--", zorder=1)
    axes.plot(true, predicted, "o", ms=2.6, mew=0.5, color=plotting.OKABE_ITO["blue"],
              markerfacecolor="none", zorder=2, rasterized=len(true) > _DRAWN)  # fmt: skip
    axes.annotate(
        counted(len(true) - missing, unit) + (f"\n{missing} not predicted" if missing else ""),
        (0.5, 1), xycoords="axes fraction", xytext=(0, 2), textcoords="offset points",
        ha="center", va="bottom", size=plotting.SIZE_SMALLEST,
    )  # fmt: skip


def predictions_alt(
    frame: pd.DataFrame,
    models: Sequence[str],
    *,
    truth: str = "truth",
    context: str = "evaluated",
    names: Names = None,
    unit: str = "clip",
    part: str = "test",
) -> str:
    """Return a text description of `predictions_figure`: clips, and the range of each axis.

    `part` is the part of the study that is shown; "" means all of it.
    """
    frame = as_frame(frame, what=_WHAT)
    found = _points(frame, models, truth, context)
    contexts = names_with(in_order(frame[context].astype(str)), names)
    parts = [
        f"Predicted against true scores of the {f'{part} {unit}s'.strip()}, a panel of dots per "
        "model and context, about a dashed diagonal on which predictions are right."
    ]
    for (model, label), (true, predicted) in found.items():
        known = ~np.isnan(predicted)
        clips = counted(int(known.sum()), unit)
        head = f"{display_name(model, names)}, {label_name(label, contexts)}: {clips}"
        if known.any():
            head += (
                f", true scores from {number(float(true.min()))} to {number(float(true.max()))}, "
                f"predicted from {number(float(predicted[known].min()))} to "
                f"{number(float(predicted[known].max()))}"
            )
        parts.append(f"{head}.")
    return " ".join(parts)


_Points = dict[tuple[str, str], tuple["NDArray[Any]", "NDArray[Any]"]]


def _points(frame: pd.DataFrame, models: Sequence[str], truth: str, context: str) -> _Points:
    require_columns(frame, [context, truth, *models], what=_WHAT)
    if frame.empty or not models:
        raise DataError(f"{_WHAT} has no rows or no models, so there is nothing to draw")
    label = frame[context].astype(str)
    values = {name: numeric_column(frame, name, what=_WHAT) for name in (truth, *models)}
    return {
        (model, one): (values[truth][here], values[model][here])
        for model in models
        for one in in_order(label)
        for here in [(label == one).to_numpy()]
    }


def _limits(found: _Points) -> tuple[float, float]:
    numbers = np.concatenate([values for pair in found.values() for values in pair])
    numbers = numbers[np.isfinite(numbers)]
    if not len(numbers):
        return -1.0, 1.0
    room = 0.05 * (np.ptp(numbers) or 1.0)
    return float(numbers.min() - room), float(numbers.max() + room)
