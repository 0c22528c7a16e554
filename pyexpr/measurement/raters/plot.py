"""Diagnostics of raters drawn: each rater's bias with its interval, the error SD beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pyexpr.figures import plotting
from pyexpr.figures.forest import Axis, Forest, interval_kind, items_of, shown_names
from pyexpr.resampling.multiplicity import adjustments_in_words

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

TITLES = {
    "bias": "Bias",
    "error_sd": "Error SD",
    "correlation": "Correlation with the others",
    "icc_change": "Change of the ICC without the rater",
    "drift": "Drift",
}


def raters_figure(
    table: pd.DataFrame,
    context: Sequence[str],
    *,
    confidence: float,
    names: Mapping[Any, str] | None = None,
    width_mm: float = plotting.FULL_WIDTH_MM,
) -> Figure:
    """Draw rows of the `tidy()` of a RaterDiagnosticsResult: a row per rater, contexts as bands."""
    shown = shown_names({**TITLES, **(names or {})})

    def band(row: Mapping[Any, Any]) -> str:
        return ", ".join(str(shown(row[name])) for name in context)

    bands = dict.fromkeys(band(row) for row in table.to_dict("records"))
    quantities = list(dict.fromkeys(table["quantity"]))
    panels = len(quantities) > 1
    return Forest(
        items=items_of(
            table,
            label=lambda row: str(shown(row["rater"])),
            panel=lambda row: shown(row["quantity"]) if panels else "",
            band=band,
        ),
        axes={name: Axis(heading=name, line=0.0, holds=(0.0,)) for name in bands},
        level=interval_kind(
            confidence, [*table["method"], *adjustments_in_words(table.get("adjustment", ()))]
        ),
        axis_name="In units of the ratings" if panels else shown(quantities[0]),
    ).figure(width_mm)
