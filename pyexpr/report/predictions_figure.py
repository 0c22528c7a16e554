"""Predicted against true scores, a panel per model and context."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from pyexpr.base import plotting
from pyexpr.base.errors import DataError
from pyexpr.base.tables import as_frame, numeric_column, require_columns
from pyexpr.report.frames import in_order
from pyexpr.report.labels import display_name, display_names, names_with, number
from pyexpr.report.wording import counted

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

Names = Mapping[str, str] | None

# mm
_PANEL = 42.0
_HEAD_AND_FOOT = 10.0
_WHAT = "the table of predictions"


def predictions_figure(
    frame: pd.DataFrame,
    models: Sequence[str],
    *,
    truth: str = "truth",
    context: str = "evaluated",
    names: Names = None,
    width_mm: float = plotting.FULL_WIDTH_MM,
) -> Figure:
    """Draw each clip's predicted score against its true one.

    A row per model, a panel per context, all on one scale; on the diagonal a
    prediction is right.

    Parameters
    ----------
    frame : DataFrame
        One row per clip and context: `context`, `truth`, and a column per model.
    models : sequence of str
        The columns to draw. Clips a model did not predict (NaN) are counted in
        the panel.
    truth, context : str
        Names of those columns.
    names : mapping of str to str, optional
        Names to show for models and contexts.
    width_mm : float

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
    found = _points(frame, models, truth, context)
    contexts = display_names(in_order(frame[context].astype(str)), names)
    shown = display_names(models, names)
    low, high = _limits(found)
    blue = plotting.OKABE_ITO["blue"]
    across = min(len(contexts), 4)
    down = -(-len(contexts) // across)
    panel_mm = min(_PANEL, (width_mm - 10) / across)
    with plotting.style():
        figure = plotting.new_figure(width_mm, _HEAD_AND_FOOT + (panel_mm + 4) * down * len(models))
        panels = figure.subplots(
            down * len(models), across, sharex=True, sharey=True, squeeze=False
        )
        for axes in panels.flat:
            axes.set_visible(False)
        for row, model in enumerate(models):
            for at, (label, title) in enumerate(contexts.items()):
                axes = panels[row * down + at // across, at % across]
                axes.set_visible(True)
                axes.set_title(plotting.wrap(title, panel_mm - 4, weight="bold", max_lines=3))
                axes.plot([low, high], [low, high], color=plotting.GREY, lw=0.8, ls="--", zorder=1)
                true, predicted = found[model, label]
                axes.plot(true, predicted, "o", ms=2.6, mew=0.5, color=blue,
                          markerfacecolor="none", zorder=2)  # fmt: skip
                axes.set(xlim=(low, high), ylim=(low, high), aspect="equal")
                axes.tick_params(labelbottom=True)
                missing = int(np.isnan(predicted).sum())
                axes.annotate(
                    counted(len(true) - missing, "clip")
                    + (f"\n{missing} without" if missing else ""),
                    (0.04, 0.96), xycoords="axes fraction", va="top", size=plotting.SIZE_SMALLEST,
                    bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.6}, zorder=3,
                )  # fmt: skip
                if at % across == 0:
                    axes.set_ylabel(
                        plotting.wrap(f"Predicted by {shown[model]}", panel_mm, max_lines=3)
                    )
        figure.supxlabel("True score", size=plotting.SIZE_BODY)
    return plotting.freeze(figure)


def predictions_alt(
    frame: pd.DataFrame,
    models: Sequence[str],
    *,
    truth: str = "truth",
    context: str = "evaluated",
    names: Names = None,
) -> str:
    """Return what `predictions_figure` shows, in words: clips, and the range of each axis."""
    found = _points(frame, models, truth, context)
    names = names_with(in_order(frame[context].astype(str)), names)
    parts = [
        "Predicted against true scores of the test clips, a panel of dots per model and context, "
        "about a dashed diagonal on which predictions are right."
    ]
    for (model, label), (true, predicted) in found.items():
        known = ~np.isnan(predicted)
        clips = counted(int(known.sum()), "clip")
        head = f"{display_name(model, names)}, {display_name(label, names)}: {clips}"
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
    data = as_frame(frame, what=_WHAT)
    require_columns(data, [context, truth, *models], what=_WHAT)
    if data.empty or not models:
        raise DataError(f"{_WHAT} has no rows or no models: there is nothing to show")
    label = data[context].astype(str)
    values = {name: numeric_column(data, name, what=_WHAT) for name in (truth, *models)}
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
