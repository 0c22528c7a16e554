"""Coefficients between 0 and 1 with intervals: a row per context, a panel per coefficient."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pyexpr.figures.forest import Axis, Forest, interval_kind, items_of, shown_names

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

# The axis extends from no reliability, or agreement by chance, to perfect reliability.
_WHOLE = (0.0, 1.0)
# Some limits have no lower bound, and are of little interest there.
_LOWEST = -1.0


def coefficients_by_context(
    table: pd.DataFrame,
    context: Sequence[str],
    *,
    column: str,
    axis_name: str,
    confidence: float,
    names: Mapping[Any, str] | None,
    width_mm: float,
) -> Figure:
    """Draw a table with estimate, conf_low, conf_high, method and reason.

    Parameters
    ----------
    context : sequence of str
        Columns whose combinations are the rows; if there are none, each coefficient is a row.
    column : str
        The column that names the coefficient.
    """
    shown = shown_names(names)
    coefficients = list(dict.fromkeys(table[column]))
    by_panel = len(coefficients) > 1 and bool(context)

    def label(row: dict[str, Any]) -> str:
        return ", ".join(shown(row[name]) for name in context) if context else shown(row[column])

    if context and not by_panel:
        axis_name += f", {shown(coefficients[0])}"
    return Forest(
        items=items_of(
            table, label=label, panel=lambda row: shown(row[column]) if by_panel else ""
        ),
        axes={"": Axis(line=0.0, holds=_WHOLE, flush=True, lowest=_LOWEST)},
        level=interval_kind(confidence, table["method"]),
        axis_name=axis_name,
    ).figure(width_mm)
