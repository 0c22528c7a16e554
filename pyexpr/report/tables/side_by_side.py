"""Estimates beside the simulated truth and beside the paper's numbers."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import pandas as pd

from pyexpr.base.pairs import KIND, LEVEL
from pyexpr.report.tables.display import DisplayTable
from pyexpr.words.frames import checked, gap_notes, pivot, shown_labels
from pyexpr.words.labels import (
    display_name,
    interval,
    number,
)

Names = Mapping[str, str] | None


def side_by_side(
    ours: pd.DataFrame,
    *,
    keys: Sequence[str],
    values: Sequence[str] = ("estimate",),
    truth: pd.DataFrame | None = None,
    paper: pd.DataFrame | None = None,
    digits: int = 2,
    of: str = "",
    names: Names = None,
    title: str,
    notes: Sequence[str] = (),
) -> DisplayTable:
    """Show own numbers beside the truth from which they were simulated and those of the paper.

    Parameters
    ----------
    ours : DataFrame
        It determines the rows of the table and their order. If it has conf_low and conf_high and
        there is one value, the interval is also shown.
    keys : sequence of str
        Columns that all frames share and that identify a row.
    values : sequence of str
        Columns of numbers to compare.
    truth, paper : DataFrame, optional
        Rows that are not in `ours` are left out; rows that are missing here are em dashes.
    of : str
        The kind of the numbers (as in `labels.number`), if neither a column metric nor the name of
        the value determines it.
    digits, names, title
        As in `reliability_table`.
    notes : sequence of str
        Sentences below the table.

    Returns
    -------
    DisplayTable
        The columns of the keys, then for each value "ours", "truth", "paper".

    Examples
    --------
    >>> from pyexpr.paper import published_numbers
    >>> paper = published_numbers.reliability()
    >>> table = side_by_side(paper.assign(estimate=0.8).iloc[:1], keys=["context", "question"],
    ...                      of="icc", paper=paper, title="Ours and the paper's")
    >>> table.columns[2:], table.rows[0][2:]
    (('Ours', 'Interval', 'Paper'), ('.80', '[.82, .86]', '.84'))
    """
    data = checked(
        ours, what="our numbers", keys=keys, numbers=values, optional=("conf_low", "conf_high")
    )
    limits = len(values) == 1 and {"conf_low", "conf_high"} <= set(ours.columns)
    others = {
        label: checked(other, what=f"the {label}'s numbers", keys=keys, numbers=values)
        for label, other in (("truth", truth), ("paper", paper))
        if other is not None
    }
    beside = {
        (label, value): pivot(other, *keys, value=value)
        for label, other in others.items()
        for value in values
    }
    shown = {key: shown_labels(data, key, names) for key in keys}
    heads = [display_name(key, names) for key in keys]
    for value in values:
        name = "" if len(values) == 1 else f": {display_name(value, names).lower()}"
        heads += [f"Ours{name}", *(["Interval"] if limits else [])]
        heads += [f"{label.capitalize()}{name}" for label in others]
    rows = []
    for record in data.to_dict("records"):
        key = tuple(str(record[k]) for k in keys)
        cells = [shown[k][label] for k, label in zip(keys, key, strict=True)]
        for value in values:
            what = of or str(record.get("metric", value))
            if record.get(KIND, LEVEL) != LEVEL:
                what = ""  # A difference can pass 1.
            cells.append(number(record[value], digits, of=what))
            if limits:
                cells.append(interval(record["conf_low"], record["conf_high"], digits, of=what))
            cells += [
                number(beside[label, value].get(key, math.nan), digits, of=what) for label in others
            ]
        rows.append(tuple(cells))
    return DisplayTable(
        title=title,
        columns=tuple(heads),
        rows=tuple(rows),
        notes=(*notes, *gap_notes(data, keys=keys, values=values, names=names)),
        text_columns=len(keys),
    )
