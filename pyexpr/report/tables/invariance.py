"""Whether contexts share loadings and intercepts, as a table."""

from __future__ import annotations

import pandas as pd

from pyexpr.report.tables.display import DisplayTable
from pyexpr.words.frames import checked, gap_notes, records
from pyexpr.words.labels import display_name, number, p_value

# Changes of quantities between 0 and 1 cannot exceed 1 either.
_LAVAAN = {"lavaan_cfi_diff": "cfi", "lavaan_rmsea_diff": "rmsea", "lavaan_srmr_diff": "srmr"}


def invariance_table(
    frame: pd.DataFrame,
    *,
    title: str = "Invariance of the Factor Model Over Contexts.",
) -> DisplayTable:
    """Lay out the steps of invariance: a row per step, its test and lavaan's changes in fit.

    `frame` has the columns level, statistic, df1, df2, p_value, lavaan_cfi_diff,
    lavaan_rmsea_diff, lavaan_srmr_diff, and optionally reason.
    """
    values = ("statistic", "df1", "df2", "p_value")
    data = checked(
        frame,
        what="the table of invariance",
        keys=("level",),
        numbers=values,
        optional=tuple(_LAVAAN),
    )
    # The first step has no equality constraints, so there is nothing to test.
    data = data[data["level"] != "configural"]
    rows = tuple(
        (
            display_name(row.level),
            number(row.statistic, 2),
            number(row.df1, 0),
            number(row.df2, 0),
            p_value(row.p_value),
            *(number(getattr(row, name), 3, of=of) for name, of in _LAVAAN.items()),
        )
        for row in records(data)
    )
    return DisplayTable(
        title=title,
        columns=(
            "Step", "Test by subjects: F", "Test by subjects: df 1", "Test by subjects: df 2",
            "Test by subjects: p", "lavaan's change of: CFI", "lavaan's change of: RMSEA",
            "lavaan's change of: SRMR",
        ),
        rows=rows,
        notes=(
            "Metric: equal ratios of loadings over contexts. Scalar: in addition, intercepts "
            "that differ between contexts only by the mean of the factor. The test by subjects "
            "is computed by leaving out one subject at a time, because contexts share "
            "subjects; lavaan treats contexts as independent.",
            *gap_notes(data, keys=("level",), values=values),
        ),
    )  # fmt: skip
