"""Models compared, drawn: levels and differences with intervals, a panel per context."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pyexpr.base.contexts import ALL
from pyexpr.base.errors import DataError, listed
from pyexpr.figures import plotting
from pyexpr.figures.forest import Axis, Forest, Item
from pyexpr.inference.comparison.quantities import Row

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

# What is drawn, the line it is held against where that is not 0, and its mark.
_LEVEL, _DIFFERENCE, _RATIO = "level", "difference", "ratio"
_KINDS = (_LEVEL, _DIFFERENCE, _RATIO)
# Levels that 0 divides into better and worse than chance.
_SIGNED = ("correlation", "concordance", "r2", "bias")
_ACRONYMS = {"nrmse": "NRMSE", "rmse": "RMSE", "mae": "MAE", "r2": "R²"}


@dataclass(frozen=True, slots=True)
class _Item:
    """One row of the result: in which panel it is drawn, and where."""

    column: str
    metric: str
    kind: str
    label: str
    base: str
    low: float
    value: float
    high: float

    @property
    def band(self) -> str:
        """Rows of one metric and kind share an axis."""
        return f"{self.metric} {self.kind}"


def comparison_figure(
    rows: Sequence[Row],
    table: pd.DataFrame,
    *,
    level: str,
    between: str,
    metrics: Sequence[str] | None,
    contexts: Sequence[str] | None,
    names: Mapping[str, str] | None,
    width_mm: float = plotting.FULL_WIDTH_MM,
) -> Figure:
    """Draw `rows`, whose numbers are those of `table`; see `ComparisonResult.plot`."""
    shown = dict(names or {})
    items = _chosen(_items(rows, table, between, shown), metrics, contexts)
    if not items:
        raise DataError("there is nothing to draw: metrics= and contexts= name at least one each")
    panels = list(dict.fromkeys(item.column for item in items))
    titles = {
        panel: shown.get(panel, panel.replace("_", " ").replace(" - ", " − ")) for panel in panels
    }
    return Forest(
        items=[
            Item(
                label=item.label, low=item.low, value=item.value, high=item.high,
                panel=item.column, band=item.band, kind=_KINDS.index(item.kind),
            )
            for item in items
        ],
        axes=_axes(items, shown),
        titles={ALL: ""} if panels == [ALL] else titles,
        kinds=_KINDS,
        level=level,
    ).figure(width_mm)  # fmt: skip


def _items(
    rows: Sequence[Row], table: pd.DataFrame, between: str, shown: Mapping[str, str]
) -> list[_Item]:
    """Return the rows to be drawn, in the order of the result."""

    def name(text: str) -> str:
        return shown.get(text, text.replace("_", " "))

    items = []
    numbers = table[["conf_low", "estimate", "conf_high"]].to_numpy(dtype=float)
    for row, (low, value, high) in zip(rows, numbers.tolist(), strict=True):
        of_contexts = row.second is not None and not row.between_models
        if of_contexts != (between == "contexts"):
            continue
        kind = _RATIO if row.ratio else _LEVEL if row.second is None else _DIFFERENCE
        sign = "/" if row.ratio else "-"
        pair = row.term.split(f" {sign} ") if row.between_models else [row.term]
        if len(pair) > 2:  # a model's name holds the sign
            pair = [row.term]
        label = f" {sign} ".join(map(name, pair)).replace(" - ", " − ")
        column = row.context.replace(" / ", " - ") if of_contexts else row.context
        items.append(_Item(column, row.metric, kind, label, row.base, low, value, high))
    if not items:
        raise DataError("there are no differences between contexts to draw; name context=")
    return items


def _chosen(
    items: Sequence[_Item], metrics: Sequence[str] | None, contexts: Sequence[str] | None
) -> list[_Item]:
    """Return the items of the metrics and contexts asked for."""
    kept = list(items)
    for argument, wanted, attribute in (
        ("metrics", metrics, "metric"),
        ("contexts", contexts, "column"),
    ):
        if wanted is None:
            continue
        asked = [wanted] if isinstance(wanted, str) else list(wanted)
        known = dict.fromkeys(getattr(item, attribute) for item in items)
        if missing := [one for one in asked if one not in known]:
            raise DataError(f"{argument}= names {listed(missing)}; there are {listed(known)}")
        kept = [item for item in kept if getattr(item, attribute) in asked]
    return kept


def _axes(items: Sequence[_Item], shown: Mapping[str, str]) -> dict[str, Axis]:
    """Return the axes by band: those of one metric below one another."""
    found = {}
    for metric in dict.fromkeys(item.metric for item in items):
        for kind in _KINDS:
            band = [item for item in items if (item.metric, item.kind) == (metric, kind)]
            if band:
                found[band[0].band] = _axis(band[0], shown)
    return found


def _axis(item: _Item, shown: Mapping[str, str]) -> Axis:
    """Return the axis of a metric's levels, differences or ratios."""
    metric = metric_name(item.metric, shown)
    level = item.kind == _LEVEL
    # An error's distance from 0 says how large it is.
    held = 1.0 if item.kind == _RATIO else 0.0
    return Axis(
        heading=metric if level else f"{metric}, {item.kind}s",
        line=held if not level or item.base in _SIGNED else None,
        holds=(held,),
        flush=level,
    )


def metric_name(metric: str, names: Mapping[str, str] | None) -> str:
    """Return a metric as a heading: RMSE, Correlation within subjects."""
    if names and metric in names:
        return names[metric]
    base, _, part = metric.partition("_")
    return _ACRONYMS.get(base, base.capitalize()) + (f" {part} subjects" if part else "")
