"""Figure of bootstrapped statistics."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from pyexpr.figures import plotting
from pyexpr.figures.forest import Axis, Forest, interval_kind, items_of, shown_names
from pyexpr.resampling.multiplicity import adjustments_in_words

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure
    from numpy.typing import NDArray


def statistics_figure(
    table: pd.DataFrame,
    null: NDArray[np.float64],
    *,
    confidence: float,
    names: Mapping[Any, str] | None = None,
    width_mm: float = plotting.FULL_WIDTH_MM,
) -> Figure:
    """Draw the `tidy()` of a BootstrapResult, a row per statistic, and the value tested against."""
    shown = shown_names(names)
    against = set(null[~np.isnan(null)].tolist())
    line = against.pop() if len(against) == 1 else None
    return Forest(
        items=items_of(table, label=lambda row: shown(row["term"])),
        axes={"": Axis(line=line)},
        level=interval_kind(
            confidence, [*table["method"], *adjustments_in_words(table.get("adjustment", ()))]
        ),
        axis_name="Estimate",
    ).figure(width_mm)
