"""Learning curves: the error of training and validation by epoch."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from pyexpr.base.contexts import ALL
from pyexpr.base.errors import DataError
from pyexpr.base.tables import as_frame, numeric_column, require_columns
from pyexpr.figures import plotting
from pyexpr.words.frames import in_order
from pyexpr.words.labels import (
    label_name,
    label_names,
    names_with,
    number,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Names = Mapping[str, str] | None

# mm
_PANEL = 46.0
_HEAD_AND_FOOT = 14.0
_COLUMNS = 2
_WHAT = "the learning figure's table"
_NUMBERS = ("epoch", "train_rmse", "validation_rmse")
# Series -> its name, and the number of its mark.
_SERIES = {"train_rmse": ("Training", 0), "validation_rmse": ("Validation", 1)}


def learning_figure(
    frame: pd.DataFrame,
    *,
    names: Names = None,
    width_mm: float = plotting.FULL_WIDTH_MM,
) -> Figure:
    """Draw learning curves, with a panel per context and a pair of lines per seed.

    Parameters
    ----------
    frame : DataFrame
        ``history_`` of a fitted deep regressor, or several concatenated with a column context.
        Columns: epoch, train_rmse, validation_rmse (units of the label; NaN without validation),
        best (the epoch whose weights are kept), and optionally context and seed.
    names : mapping of str to str, optional
        Names to show for contexts.
    width_mm : float

    Returns
    -------
    matplotlib Figure
        Lines of training are solid, those of validation dashed, and a dot marks the best epoch. All
        panels have the same scale, which starts at 0. A run of one epoch is drawn as two points.

    Raises
    ------
    ColumnError
        If a column does not exist, or contains values that are not numbers.
    DataError
        If there are no rows.

    Notes
    -----
    With `ContextualRegressor`, concatenate the histories of its models::

        pd.concat(
            [one.history_.assign(context=label) for label, one in model.estimators_.items()]
        )

    Examples
    --------
    >>> import pandas as pd
    >>> curves = pd.DataFrame({"epoch": [1, 2], "train_rmse": [1.0, 0.5],
    ...                        "validation_rmse": [1.1, 0.9], "best": [False, True]})
    >>> learning_figure(curves).axes[0].get_xlabel()
    'Epoch'
    """
    data = _checked(frame)
    contexts = label_names(in_order(data["context"]), names)
    rows = math.ceil(len(contexts) / _COLUMNS)
    columns = min(len(contexts), _COLUMNS)
    titles = {
        context: plotting.wrap(shown, width_mm / columns - 20, weight="bold", max_lines=6)
        for context, shown in contexts.items()
    }
    panel = _PANEL + plotting.TITLE_LINE_MM * max(title.count("\n") for title in titles.values())
    with plotting.style():
        figure = plotting.new_figure(width_mm, _HEAD_AND_FOOT + panel * rows)
        panels = figure.subplots(rows, columns, sharey=True, squeeze=False)
        for axes, (context, title) in zip(panels.flat, titles.items(), strict=False):
            _draw(axes, data[data["context"] == context])
            if len(contexts) > 1:
                axes.set_title(title, loc="left")
            axes.set_xlabel("Epoch")
        for axes in panels.flat[len(contexts) :]:
            axes.set_visible(False)
        # All panels have the same scale, which starts at 0, so that errors can be compared.
        highest = float(np.nanmax(data[list(_SERIES)].to_numpy()))
        panels[0, 0].set_ylim(0, 1.05 * highest or 1.0)
        for axes in panels[:, 0]:
            axes.set_ylabel("RMSE (label's units)")
        handles, labels = panels[0, 0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=len(handles))
    return plotting.freeze(figure)


def _draw(axes: Axes, data: pd.DataFrame) -> None:
    marks = plotting.marks(len(_SERIES))
    for place, (_, run) in enumerate(data.groupby("seed", sort=False)):
        for column, (label, which) in _SERIES.items():
            if run[column].isna().all():
                continue
            mark = marks[which]
            axes.plot(
                run["epoch"],
                run[column],
                color=mark.color,
                ls=mark.linestyle,
                lw=0.9,
                # A single epoch cannot be drawn as a line.
                marker=mark.marker if len(run) == 1 else None,
                ms=5,
                markerfacecolor="none",
                label=label if not place else None,
            )
        best = run[run["best"]]
        validated = "train_rmse" if run["validation_rmse"].isna().all() else "validation_rmse"
        axes.plot(
            best["epoch"],
            best[validated],
            ls="",
            marker="o",
            ms=3.2,
            color=plotting.INK,
            label="Best epoch" if not place else None,
        )
    epochs = int(data["epoch"].max())
    axes.set_xlim(0.5, epochs + 0.5)
    plotting.number_ticks(axes, 6)
    if epochs <= 6:
        axes.set_xticks(range(1, epochs + 1))


def learning_alt(frame: pd.DataFrame, *, names: Names = None) -> str:
    """Return a text description of `learning_figure`."""
    data = _checked(frame)
    names = names_with(in_order(data["context"]), names)
    parts = ["Root mean squared error of training and validation by epoch."]
    for context, block in data.groupby("context", sort=False):
        several = block["seed"].nunique() > 1
        for seed, run in block.groupby("seed", sort=False):
            best = run[run["best"]].iloc[0]
            where = (
                f"{label_name(context, names)}, seed {seed}"
                if several
                else str(label_name(context, names))
            )
            validated = (
                ""
                if np.isnan(best["validation_rmse"])
                else f", validation {number(best['validation_rmse'], 3)}"
            )
            parts.append(
                f"{where}: best epoch {int(best['epoch'])} of {int(run['epoch'].max())}, training "
                f"{number(best['train_rmse'], 3)}{validated}."
            )
    return " ".join(parts)


def _checked(frame: Any) -> pd.DataFrame:
    data = as_frame(frame, what=_WHAT)
    require_columns(data, [*_NUMBERS, "best"], what=_WHAT)
    if data.empty:
        raise DataError(f"{_WHAT} has no rows, so there is nothing to draw")
    found = pd.DataFrame({name: numeric_column(data, name, what=_WHAT) for name in _NUMBERS})
    found["best"] = data["best"].to_numpy(dtype=bool)
    found["seed"] = data["seed"].to_numpy() if "seed" in data else 0
    found["context"] = (
        data["context"].astype(str).to_numpy(dtype=object) if "context" in data else ALL
    )
    return found
