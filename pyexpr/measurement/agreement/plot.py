"""Agreement on categories drawn: coefficients with their intervals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pyexpr.figures import plotting
from pyexpr.figures.coefficients_by_context import coefficients_by_context

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


def agreement_figure(
    table: pd.DataFrame,
    context: Sequence[str],
    *,
    confidence: float,
    names: Mapping[Any, str] | None = None,
    width_mm: float = plotting.FULL_WIDTH_MM,
) -> Figure:
    """Draw the `tidy()` of an AgreementResult: a row per context, a panel per coefficient."""
    return coefficients_by_context(
        table,
        context,
        column="coefficient",
        axis_name="Agreement of raters",
        confidence=confidence,
        names={**TITLES, **(names or {})},
        width_mm=width_mm,
    )
