"""Agreement on categories drawn: coefficients with their intervals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pyexpr.figures import plotting
from pyexpr.figures.forest import Axis, Forest, interval_kind, items_of, shown_names

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

TITLES = {
    "percent_agreement": "Percent agreement",
    "cohen_kappa": "Cohen's kappa",
    "fleiss_kappa": "Fleiss' kappa",
    "brennan_prediger": "Brennan and Prediger's coefficient",
    "gwet_ac": "Gwet's AC",
    "krippendorff_alpha": "Krippendorff's alpha",
}
# From agreement by chance to full agreement.
_WHOLE = (0.0, 1.0)
_LOWEST = -1.0


def agreement_figure(
    table: pd.DataFrame,
    context: Sequence[str],
    *,
    confidence: float,
    names: Mapping[Any, str] | None = None,
    width_mm: float = plotting.FULL_WIDTH_MM,
) -> Figure:
    """Draw the `tidy()` of an AgreementResult: a row per context, a panel per coefficient."""
    shown = shown_names({**TITLES, **(names or {})})
    coefficients = list(dict.fromkeys(table["coefficient"]))
    by_panel = len(coefficients) > 1 and bool(context)

    def label(row: dict[str, Any]) -> str:
        of_row = ", ".join(shown(row[name]) for name in context)
        return of_row if context else shown(row["coefficient"])

    axis_name = "Agreement of raters"
    if context and not by_panel:
        axis_name = shown(coefficients[0])
    return Forest(
        items=items_of(
            table, label=label, panel=lambda row: shown(row["coefficient"]) if by_panel else ""
        ),
        axes={"": Axis(line=0.0, holds=_WHOLE, flush=True, lowest=_LOWEST)},
        level=interval_kind(confidence, table["method"]),
        axis_name=axis_name,
    ).figure(width_mm)
