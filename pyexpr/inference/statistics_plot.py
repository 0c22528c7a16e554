"""Statistics and tests drawn: bootstrapped statistics, and differences with their p-values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from pyexpr.base.contexts import ALL
from pyexpr.base.errors import DataError
from pyexpr.base.results import p_text
from pyexpr.figures import plotting
from pyexpr.figures.forest import Axis, Forest, Item, interval_told, items_of, shown_names
from pyexpr.inference.comparison.plot import metric_name

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
        level=interval_told(confidence, table["method"]),
        axis_name="Estimate",
    ).figure(width_mm)


def sign_flip_figure(
    table: pd.DataFrame,
    *,
    names: Mapping[Any, str] | None = None,
    width_mm: float = plotting.FULL_WIDTH_MM,
) -> Figure:
    """Draw the `tidy()` of a SignFlipResult: differences by metric, a panel per context."""
    if not len(table):
        raise DataError("there are no differences to draw")
    shown = shown_names(names)
    contexts = list(dict.fromkeys(table["context"]))
    items = [
        Item(
            label=" − ".join(map(shown, row["term"].split(" - "))),
            low=np.nan, value=float(row["estimate"]), high=np.nan,
            panel=row["context"], band=row["metric"],
            said=row["reason"] or "undefined",
            remark="" if np.isnan(row["p_value"]) else p_text(row["p_value"]),
        )
        for row in table.to_dict("records")
    ]  # fmt: skip
    return Forest(
        items=items,
        axes={
            name: Axis(heading=metric_name(name, names), line=0.0, holds=(0.0,))
            for name in dict.fromkeys(table["metric"])
        },
        titles={ALL: ""} if contexts == [ALL] else {name: shown(name) for name in contexts},
        kinds=("difference, p by the sign-flip test",),
        level="",
        hollow="not tested",
    ).figure(width_mm)
