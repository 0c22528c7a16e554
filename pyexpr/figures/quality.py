"""The quality of the recordings: the proportion of valid bins of each clip."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from pyexpr.base.errors import ColumnError, DataError, have
from pyexpr.base.tables import as_frame, numeric_column, require_columns
from pyexpr.figures import drawing, plotting
from pyexpr.words.frames import in_order
from pyexpr.words.labels import (
    label_name,
    label_names,
    names_with,
    percent,
)
from pyexpr.words.wording import counted

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

Names = Mapping[str, str] | None

# mm
_ROW = 12.0
_HEAD_AND_FOOT = 21.0
_LABEL = 30.0
# Multiples of the golden ratio spread points with the same share evenly.
_GOLDEN = 0.6180339887498949


def quality_figure(
    frame: pd.DataFrame,
    *,
    threshold: float = 0.5,
    names: Names = None,
    width_mm: float = plotting.FULL_WIDTH_MM,
) -> Figure:
    """Draw the share of valid bins of every clip, a strip per context.

    Parameters
    ----------
    frame : DataFrame
        One row per clip, with the columns context, n_bins and n_valid_bins of `extract_features`.
        Clips without bins are counted.
    threshold : float
        The smallest share of valid bins with which a clip has features (`min_valid`). A line is
        drawn there, and the clips below it are counted beside each strip.
    names : mapping of str to str, optional
        Names to show for contexts.
    width_mm : float

    Returns
    -------
    matplotlib Figure

    Examples
    --------
    >>> import pandas as pd
    >>> clips = pd.DataFrame({"context": "pain", "n_bins": 15, "n_valid_bins": [15, 6]})
    >>> quality_figure(clips).axes[0].texts[0].get_text().splitlines()
    ['2 clips', '1 below 50%']
    """
    contexts = _shares(frame)
    shown = label_names(contexts, names)
    blue = plotting.OKABE_ITO["blue"]
    with plotting.style():
        figure = plotting.new_figure(width_mm, _HEAD_AND_FOOT + _ROW * len(contexts))
        axes = figure.subplots()
        for row, values in enumerate(contexts.values()):
            known = np.sort(values[~np.isnan(values)])
            # The first point is in the middle.
            jitter = ((np.arange(len(known)) * _GOLDEN + 0.5) % 1 - 0.5) * 0.62
            axes.plot(
                known, row + jitter, "o", ms=2.2, mew=0.4, color=blue,
                markerfacecolor="none", clip_on=False,
            )  # fmt: skip
            axes.annotate(
                _counts(values, threshold, lines=True),
                (1, row),
                xycoords=axes.get_yaxis_transform(),
                xytext=(6, 0),
                textcoords="offset points",
                va="center",
                size=plotting.SIZE_SMALL,
            )
            if row:
                axes.axhline(row - 0.5, color=plotting.PALE, lw=0.5)
        line = axes.axvline(
            threshold,
            color=plotting.INK,
            lw=0.8,
            ls="--",
            zorder=1,
            label=f"{percent(threshold)}: a clip with fewer valid bins is left out",
        )
        axes.set(xlim=(-0.01, 1.01), ylim=(len(contexts) - 0.5, -0.5))
        axes.set_xticks([0, 0.25, 0.5, 0.75, 1], ["0", "25", "50", "75", "100"])
        axes.set_xlabel("Valid bins of the clip (%)")
        label_mm = min(_LABEL, 0.25 * width_mm)
        labels = [
            plotting.wrap(name, label_mm, size=plotting.SIZE_SMALL, max_lines=4)
            for name in shown.values()
        ]
        axes.set_yticks(range(len(labels)), labels)
        axes.tick_params(axis="y", length=0)
        axes.spines["left"].set_visible(False)
        drawing.legend_outside(figure, [line])
    return plotting.freeze(figure)


def quality_alt(
    frame: pd.DataFrame,
    *,
    threshold: float = 0.5,
    names: Names = None,
) -> str:
    """Return a text description of `quality_figure`."""
    names = names_with(_shares(frame), names)
    parts = [
        "Share of valid bins of every clip, a strip of dots per context; clips below "
        f"{percent(threshold)} are left out."
    ]
    for context, values in _shares(frame).items():
        known = values[~np.isnan(values)]
        middle = f", median {100 * np.median(known):.0f}%" if len(known) else ""
        parts.append(f"{label_name(context, names)}: {_counts(values, threshold)}{middle}.")
    return " ".join(parts)


def _shares(frame: pd.DataFrame) -> dict[str, NDArray[Any]]:
    what = "the quality figure's table"
    data = as_frame(frame, what=what)
    require_columns(data, ["context", "n_bins", "n_valid_bins"], what=what)
    if data.empty:
        raise DataError(f"{have(what)} no rows, so there is nothing to draw")
    bins, valid = (
        numeric_column(data, name, what=what, low=0) for name in ("n_bins", "n_valid_bins")
    )
    if (valid > bins).any():
        row = int(np.flatnonzero(valid > bins)[0])
        raise ColumnError(
            f"{what}: row {row + 1} has more valid bins ({valid[row]:g}) than bins ({bins[row]:g})"
        )
    values = np.divide(valid, bins, out=np.full(len(bins), np.nan), where=bins > 0)
    context = data["context"].astype(str)
    return {label: values[(context == label).to_numpy()] for label in in_order(context)}


def _counts(values: NDArray[Any], threshold: float, *, lines: bool = False) -> str:
    missing = int(np.isnan(values).sum())
    below = int((values < threshold).sum())
    parts = [counted(len(values), "clip"), f"{below:,} below {percent(threshold)}"]
    parts += [f"{missing:,} without bins"] if missing else []
    return ("\n" if lines else ", ").join(parts)
