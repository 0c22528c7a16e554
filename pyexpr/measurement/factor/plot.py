"""Factor models drawn: loadings, intervals of refits, and what differs between contexts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pyexpr.base.errors import DataError, listed
from pyexpr.base.messages import say
from pyexpr.base.pairs import PARTS
from pyexpr.figures import plotting
from pyexpr.figures.forest import Axis, Forest, interval_kind, items_of, shown_names
from pyexpr.resampling.multiplicity import adjustments_in_words

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

# Quantity of a refit -> its name, and the title of its axis.
_QUANTITIES: dict[str, tuple[str, tuple[float, ...]]] = {
    "loading": ("Loading", (0.0,)),
    "std_loading": ("Standardised loading", (0.0, 1.0)),
    "residual_variance": ("Residual variance", (0.0,)),
    "score_weight": ("Weight in the score", (0.0,)),
    "score_reliability": ("Reliability of the score", (0.0, 1.0)),
}
# Level -> what differs, by the scale of the contrast.
_CONTRASTS = {
    ("metric", "log ratio"): "Loadings (log ratio)",
    ("metric", "ratio"): "Loadings (ratio to the first)",
    ("scalar", "indicator"): "Intercepts (indicator's unit)",
}


def loadings_figure(
    standardized: pd.DataFrame,
    context_name: str | None,
    *,
    confidence: float,
    names: Mapping[Any, str] | None = None,
    width_mm: float = plotting.FULL_WIDTH_MM,
) -> Figure:
    """Draw standardised loadings: a row per indicator, by factor, a panel per context."""
    shown = shown_names(names)
    table = standardized[standardized["op"] == "=~"]
    factors = list(dict.fromkeys(table["lhs"]))
    return Forest(
        items=items_of(
            table,
            label=lambda row: shown(row["rhs"]),
            band=lambda row: row["lhs"],
            panel=lambda row: "" if context_name is None else shown(row[context_name]),
        ),
        axes={
            factor: Axis(heading=shown(factor), line=0.0, holds=(0.0, 1.0), flush=True)
            for factor in factors
        },
        level=interval_kind(confidence),
        axis_name="Standardised loading",
    ).figure(width_mm)


def refits_figure(
    table: pd.DataFrame,
    context_name: str | None,
    *,
    confidence: float,
    quantities: str | Sequence[str] | None = None,
    names: Mapping[Any, str] | None = None,
    width_mm: float = plotting.FULL_WIDTH_MM,
) -> Figure:
    """Draw the `tidy()` of a CFABootstrapResult: a band per quantity, a panel per context."""
    shown = shown_names(names)
    wanted = [quantities] if isinstance(quantities, str) else list(quantities or _QUANTITIES)
    if unknown := [one for one in wanted if one not in _QUANTITIES]:
        raise DataError(
            say(
                "{quantities=} names {names}; there are {names_2}",
                names=listed(unknown),
                names_2=listed(_QUANTITIES),
            )
        )
    table = table[table["quantity"].isin(wanted)]
    return Forest(
        items=items_of(
            table,
            label=lambda row: shown(row["term"]),
            band=lambda row: row["quantity"],
            panel=lambda row: "" if context_name is None else shown(row[context_name]),
        ),
        axes={
            name: Axis(
                heading=shown(name) if name in (names or {}) else heading,
                line=0.0, holds=holds, flush=True,
            )
            for name, (heading, holds) in _QUANTITIES.items()
        },
        level=interval_kind(
            confidence,
            [*table["method"], *adjustments_in_words(table.get("adjustment", ()))],
        ),
    ).figure(width_mm)  # fmt: skip


def contrasts_figure(
    contrasts: pd.DataFrame,
    *,
    confidence: float,
    names: Mapping[Any, str] | None = None,
    width_mm: float = plotting.FULL_WIDTH_MM,
) -> Figure:
    """Draw the `contrasts()` of an InvarianceResult: by level, a panel per pair of contexts."""
    if not len(contrasts):
        raise DataError("there are no contrasts to draw; the notes of the result say why")
    shown = shown_names(names)

    def pair(row: dict[str, Any]) -> str:
        if names and row["contrast"] in names:
            return names[row["contrast"]]
        return " − ".join(shown(row[side]) for side in PARTS["contrast"])

    items = items_of(
        contrasts,
        label=lambda row: shown(row["term"]),
        band=lambda row: f"{row['level']} {row['scale']}",
        panel=pair,
    )
    return Forest(
        items=[
            replace(item, hollow=bool(freed))
            for item, freed in zip(items, contrasts["freed"], strict=True)
        ],
        axes={
            f"{level} {scale}": Axis(heading=heading, line=0.0, holds=(0.0,))
            for (level, scale), heading in _CONTRASTS.items()
        },
        level=interval_kind(confidence, adjustments_in_words(contrasts.get("adjustment", ()))),
        hollow="free in every context" if contrasts["freed"].any() else "no interval",
        axis_name="Difference between contexts",
    ).figure(width_mm)
