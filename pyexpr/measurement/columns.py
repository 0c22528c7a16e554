"""The columns of a table that a measurement model needs: indicators and groups."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from pyexpr.base.errors import ColumnError, DataError, listed
from pyexpr.base.tables import column_or_array, label_codes, numeric_column
from pyexpr.measurement.spec import MeasurementModel

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

# Columns of the tables that the group's column stands in.
_OF_RESULTS = frozenset(
    {
        "lhs", "op", "rhs", "estimate", "std_error", "statistic", "p_value", "conf_low",
        "conf_high", "std_all", "reason", "quantity", "term", "method", "n", "n_clusters",
        "n_undefined", "factor", "indicator", "loading", "std_loading", "residual_variance",
        "std_residual_variance", "intercept",
    }
)  # fmt: skip


def indicator_columns(frame: pd.DataFrame, spec: MeasurementModel) -> NDArray[np.float64]:
    """Return the indicators (n, p) in the model's order, NaN where missing."""
    # Columns may have names that are not text; the model's names are.
    named = (
        frame if all(isinstance(name, str) for name in frame.columns) else frame.rename(columns=str)
    )
    doubled = named.columns[named.columns.duplicated()]
    if len(doubled):
        raise ColumnError(
            f"data have columns whose names are the same as text, such as 0 and '0': "
            f"{listed(doubled)}; rename one"
        )
    return np.column_stack(
        [numeric_column(named, name, what="data") for name in spec.indicators]
    ).reshape(len(frame), len(spec.indicators))


def grouping(frame: pd.DataFrame, group: Any) -> tuple[str | None, NDArray[np.int64], list[Any]]:
    """Return (name, codes, labels) of the groups; one group without a name for None.

    Labels are sorted; those of an ordered Categorical are in its order.
    """
    if group is None:
        return None, np.zeros(len(frame), dtype=np.int64), [""]
    name, values = column_or_array(frame, group, argument="group", what="data")
    refuse_names_of_results([name], _OF_RESULTS, argument="group")
    codes, labels = label_codes(values, name=name, what="data", keep_order=True)
    return name, codes, labels


def refuse_names_of_results(names: list[str], taken: frozenset[str], *, argument: str) -> None:
    """Raise `DataError` for a column that would stand twice in the tables of results."""
    for name in names:
        if name in taken:
            raise DataError(
                f"{argument}= names the column {name!r}, and the tables of results have a column "
                "of that name themselves; rename it"
            )
