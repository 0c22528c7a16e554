"""Figure of a comparison of models: metrics and differences with intervals, by context."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from pyexpr.base.contexts import ALL
from pyexpr.base.errors import DataError, listed
from pyexpr.base.messages import say
from pyexpr.base.pairs import DIFFERENCE, KIND, LEVEL, PARTS, RATIO, pair_label
from pyexpr.base.results import p_text
from pyexpr.figures import plotting
from pyexpr.figures.forest import Axis, Forest, Item, items_of, shown_names
from pyexpr.words.frames import shown_pairs
from pyexpr.words.labels import SIGNED, base_metric, display_name, distinct_names

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

Names = Mapping[Any, str] | None

# The kinds of rows; the position here determines the marker.
_KINDS = (LEVEL, DIFFERENCE, RATIO)


def comparison_figure(
    table: pd.DataFrame,
    *,
    level: str,
    between: str = "models",
    metrics: Sequence[str] | None = None,
    contexts: Sequence[str] | None = None,
    names: Names = None,
    width_mm: float = plotting.FULL_WIDTH_MM,
) -> Figure:
    """Draw the `tidy()` of a ComparisonResult: a band per metric and kind; see its `plot`.

    `level` is the name of the intervals in the legend.
    """
    rows = all_rows = _with_panels(table, between)
    for argument, wanted, column in (
        ("metrics", metrics, "metric"),
        ("contexts", contexts, _PANEL),
    ):
        if wanted is not None:
            requested = _requested(all_rows[column], argument, wanted)
            rows = rows[rows[column].isin(requested)]
    if rows.empty:
        raise DataError(
            say("there is nothing to draw: {metrics=} and {contexts=} name at least one each")
        )
    terms, panels = _shown(rows, "term", "term", names), _shown(rows, _PANEL, "context", names)
    items = items_of(
        rows,
        label=lambda row: terms[row["term"]],
        panel=lambda row: row[_PANEL],
        band=lambda row: f"{row['metric']} {row[KIND]}",
        kind=lambda row: _KINDS.index(row[KIND]),
        if_missing=lambda _: "undefined",
    )
    return Forest(
        items=items,
        axes={
            f"{metric} {kind}": _axis(metric, kind, names)
            for metric in dict.fromkeys(rows["metric"])
            for kind in _KINDS
        },
        titles={ALL: ""} if set(panels) == {ALL} else panels,
        kinds=_KINDS,
        level=level,
    ).figure(width_mm)


def sign_flip_figure(
    table: pd.DataFrame, *, names: Names = None, width_mm: float = plotting.FULL_WIDTH_MM
) -> Figure:
    """Draw the `tidy()` of a SignFlipResult: differences by metric, a panel per context."""
    if table.empty:
        raise DataError("there are no differences to draw")
    terms, panels = _shown(table, "term", "term", names), _shown(table, "context", "context", names)
    return Forest(
        items=[
            Item(
                label=terms[row["term"]],
                low=np.nan, value=float(row["estimate"]), high=np.nan,
                panel=row["context"], band=row["metric"],
                if_missing=row["reason"] or "undefined",
                remark="" if np.isnan(row["p_value"]) else p_text(row["p_value"]),
            )
            for row in table.to_dict("records")
        ],
        axes={
            metric: Axis(heading=display_name(metric, names), line=0.0, holds=(0.0,))
            for metric in dict.fromkeys(table["metric"])
        },
        titles={ALL: ""} if set(panels) == {ALL} else panels,
        kinds=("difference, p by the sign-flip test",),
        level="",
        hollow="not tested",
    ).figure(width_mm)  # fmt: skip


# The column with the panel of a row; differences and ratios of two contexts share a panel.
_PANEL = "panel"


def _with_panels(table: pd.DataFrame, between: str) -> pd.DataFrame:
    """Return the rows to be drawn, in the order of the result, each with its panel."""
    first, second = PARTS["context"]
    rows = table[(table[second] != "") == (between == "contexts")]
    if rows.empty:
        raise DataError(say("there are no differences between contexts to draw; name {context=}"))
    both = zip(rows[first], rows[second], strict=True)
    return rows.assign(**{_PANEL: [pair_label(one, other or None) for one, other in both]})


def _requested(labels: pd.Series[Any], argument: str, wanted: Sequence[str]) -> list[str]:
    """Return the requested metrics or contexts; `DataError` if one does not exist."""
    requested = [wanted] if isinstance(wanted, str) else list(wanted)
    known = list(labels.unique())
    if missing := [one for one in requested if one not in known]:
        raise DataError(
            say(
                "{@argument=} names {names}; there are {names_2}",
                argument=argument,
                names=listed(missing),
                names_2=listed(known),
            )
        )
    return requested


def _shown(rows: pd.DataFrame, column: str, of: str, names: Names) -> dict[str, str]:
    """Return the printed labels of a column, which must be distinct to have separate rows."""
    name = shown_names(names)
    pairs = list(zip(*(rows[part] for part in PARTS[of]), strict=True))
    single = distinct_names({one: name(one) for pair in pairs for one in pair if one})
    # The label of a panel is that of the difference, also for rows with a ratio.
    kinds = rows[KIND] if column == of else [DIFFERENCE] * len(rows)
    return shown_pairs(zip(rows[column], kinds, pairs, strict=True), single, names)


def _axis(metric: str, kind: str, names: Names) -> Axis:
    """Return the axis of a metric's levels, differences or ratios."""
    heading = display_name(metric, names)
    level = kind == LEVEL
    # The axis of an error includes 0, so that its distance from 0 shows its size.
    reference = 1.0 if kind == RATIO else 0.0
    return Axis(
        heading=heading if level else f"{heading}, {kind}s",
        line=reference if not level or base_metric(metric) in SIGNED else None,
        holds=(reference,),
        flush=level,
    )
