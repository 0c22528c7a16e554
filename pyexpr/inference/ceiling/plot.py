"""Figure of the ceiling: correlations of models beside the highest that is possible."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pyexpr.base.contexts import ALL
from pyexpr.figures import plotting
from pyexpr.figures.forest import Axis, Forest, interval_kind, items_of, shown_names

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

# The metrics that are drawn, with their markers.
_KINDS = {
    "ceiling": "highest correlation with the truth that is possible",
    "correlation": "correlation with the truth",
    "error_free_correlation": "correlation with the error-free score",
}
# The axis extends from a correlation of 0 to 1.
_WHOLE = (0.0, 1.0)


def ceiling_figure(
    table: pd.DataFrame,
    truth: str,
    *,
    confidence: float,
    names: Mapping[Any, str] | None = None,
    width_mm: float = plotting.FULL_WIDTH_MM,
) -> Figure:
    """Draw the `tidy()` of a CeilingResult; see its `plot`."""
    shown = shown_names({truth: "Ceiling", **(names or {})})
    rows = table[table["metric"].isin(_KINDS)]
    contexts = list(dict.fromkeys(rows["context"]))
    kinds = list(_KINDS)
    return Forest(
        items=items_of(
            rows,
            label=lambda row: shown(row["term"]),
            panel=lambda row: row["context"],
            kind=lambda row: kinds.index(row["metric"]),
            if_missing=lambda _: "undefined",
        ),
        axes={"": Axis(holds=_WHOLE)},
        titles={ALL: ""} if contexts == [ALL] else {one: shown(one) for one in contexts},
        kinds=tuple(_KINDS.values()),
        level=interval_kind(confidence, rows["method"]),
        axis_name="Correlation",
    ).figure(width_mm)
