"""Differences with the p-values of the sign-flip test, drawn."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from pyexpr.base.contexts import ALL
from pyexpr.base.errors import DataError
from pyexpr.base.results import p_text
from pyexpr.figures import plotting
from pyexpr.figures.forest import Axis, Forest, Item, shown_names
from pyexpr.inference.comparison.plot import metric_name

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure


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
