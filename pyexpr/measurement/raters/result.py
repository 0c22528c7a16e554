"""The result of `rater_diagnostics`: a row per rater and quantity, and the use of the scale."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pyexpr.base.errors import DataError, listed
from pyexpr.base.interval_methods import INTERVAL_METHODS
from pyexpr.base.messages import say
from pyexpr.figures.plotting import FULL_WIDTH_MM, drawn
from pyexpr.measurement.columns import counted_contexts
from pyexpr.measurement.icc.group import of_group
from pyexpr.measurement.icc.notes import NOTE_MISSING, NOTE_SHARED
from pyexpr.measurement.raters.draws import QUANTITIES, RaterDraws
from pyexpr.measurement.raters.notes import (
    NOTE_BIAS,
    NOTE_BLOCKS,
    NOTE_DRIFT,
    NOTE_FEW,
    NOTE_ICC,
    NOTE_UNIT,
)
from pyexpr.measurement.raters.plot import raters_figure
from pyexpr.resampling.result import ReplicatedResult

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

_FEW = 20


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class RaterDiagnosticsResult(ReplicatedResult):
    """Diagnostics of raters, one row per context, quantity and rater.

    Attributes
    ----------
    raters : tuple
        The labels of all raters.
    context : tuple of str
        Columns whose values, or combinations of them, are the contexts.
    quantities : tuple of str
        What is computed of each rater.
    form : str
        The form of the ICC of ``icc_change``.
    cluster : str or None
        Column of the subjects.
    scale : tuple of float, optional
        The ends of the rating scale.
    order_unit : str
        Of the drift: "day" if the order is a time, otherwise "unit of" the column.
    warned : bool
        Whether `cluster` was not given, so that targets which share subjects are reported.
    evidence, intervals, draws, clusters, cluster_name
        As for every result of resampling.
    """

    draws: RaterDraws
    raters: tuple[Any, ...]
    context: tuple[str, ...]
    quantities: tuple[str, ...]
    form: str
    cluster: str | None
    scale: tuple[float, float] | None
    order_unit: str
    warned: bool

    @property
    def confidence(self) -> float:
        """Return the level of the intervals."""
        return self.intervals.confidence

    def tidy(self) -> pd.DataFrame:
        """Return one row per context, quantity and rater.

        Columns: those of ``context``, then quantity (``bias``, ``error_sd``, ``correlation``,
        ``icc_change``, ``drift``), rater, estimate, std_error, statistic, df, p_value (test of the
        hypothesis that the quantity is 0; none for ``error_sd`` and ``correlation``), conf_low,
        conf_high, method, n (ratings of this rater), n_clusters, n_undefined, reason; after
        `adjust`, in which the raters of a context are a family for each quantity, also p_adjusted
        and adjustment.
        """
        return ReplicatedResult.tidy(self)

    def keys(self) -> Mapping[str, Sequence[Any]]:
        """Return context, quantity and rater of every row."""
        rows = [
            (*group.cells.ratings.labels, name, self.raters[code])
            for group in self.draws.groups
            for name in self.quantities
            for code in group.cells.raters
        ]
        names = [*self.context, "quantity", "rater"]
        return {name: [row[i] for row in rows] for i, name in enumerate(names)}

    def counts(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return each row's number of ratings, and of subjects or targets."""
        n, units = [], []
        for group in self.draws.groups:
            own = (~np.isnan(group.cells.table)).sum(axis=0)
            n.append(np.tile(own, len(self.quantities)))
            units.append(np.full(n[-1].size, group.n_units))
        return np.concatenate(n), np.concatenate(units)

    def families(self) -> list[NDArray[np.int64]]:
        """Return the families for `adjust`: the raters, for one quantity in one context."""
        found, at = [], 0
        for group in self.draws.groups:
            for _ in self.quantities:
                found.append(np.arange(at, at + len(group.blocks)))
                at += len(group.blocks)
        return found

    def described(self, row: int) -> str:
        """Return a description of a row."""
        keys = self.keys()
        where = of_group(self.context, [keys[name][row] for name in self.context])
        return say(
            "{quantity:metric} of {rater:label}{where}",
            quantity=keys["quantity"][row],
            rater=keys["rater"][row],
            where=where,
        )

    def scale_use(self) -> pd.DataFrame:
        """Return how each rater uses the scale, one row per context and rater.

        Columns: those of ``context``, rater, n_ratings, n_common (targets that another rater rated
        as well), block (raters of different blocks share no target), mean, sd, lowest, highest
        (ratings given), n_distinct (different values), share_lowest, share_highest (proportions
        of ratings at the ends of the scale, which are `scale`, or the lowest and highest rating of
        the context).
        """
        import pandas as pd

        rows = []
        for group in self.draws.groups:
            head = dict(zip(self.context, group.cells.ratings.labels, strict=True))
            table = group.cells.table
            ends = self.scale or (float(np.nanmin(table)), float(np.nanmax(table)))
            several = (~np.isnan(table)).sum(axis=1) > 1
            for j, code in enumerate(group.cells.raters):
                here = ~np.isnan(table[:, j])
                own = table[here, j]
                rows.append(
                    {
                        **head,
                        "rater": self.raters[code],
                        "n_ratings": len(own),
                        "n_common": int((here & several).sum()),
                        "block": int(group.blocks[j]) + 1,
                        "mean": own.mean(),
                        "sd": own.std(ddof=1) if len(own) > 1 else np.nan,
                        "lowest": own.min(),
                        "highest": own.max(),
                        "n_distinct": len(np.unique(own)),
                        "share_lowest": np.mean(own <= ends[0]),
                        "share_highest": np.mean(own >= ends[1]),
                    }
                )
        return pd.DataFrame(rows, columns=[*self.context, *OF_SCALE])

    def by_rater(self) -> pd.DataFrame:
        """Return the estimates with a row per context and rater and a column per quantity."""
        table = self.tidy()
        index = [*self.context, "rater"]
        wide = table.pivot_table(
            index=index, columns="quantity", values="estimate", dropna=False, sort=False,
            observed=True, aggfunc="first",
        )  # fmt: skip
        wide = wide.reindex(columns=list(self.quantities)).reset_index()
        counted = table.loc[table["quantity"] == self.quantities[0], [*index, "n"]]
        found = counted.merge(wide, on=index, how="left", validate="one_to_one")
        found.columns.name = None
        return found

    @drawn("contexts, raters and quantities")
    def plot(
        self,
        *,
        quantities: str | Iterable[str] = ("bias", "error_sd"),
        names: Mapping[Any, str] | None = None,
        width_mm: float = FULL_WIDTH_MM,
    ) -> Figure:
        """Draw each rater's bias with its interval, and the error SD beside it.

        Both are in units of the ratings and share an axis. Contexts are drawn below each other. A
        missing value is replaced by its reason.

        Parameters
        ----------
        quantities : str or list of str
            ``bias`` and ``error_sd``, or one of the others, alone.

        Examples
        --------
        >>> import numpy as np
        >>> from pyexpr.measurement.raters.diagnostics import rater_diagnostics
        >>> ratings = np.array([[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6]])
        >>> figure = rater_diagnostics(ratings).plot()
        >>> [axes.get_title() for axes in figure.axes]
        ['Bias', 'Error SD']
        """
        requested = [quantities] if isinstance(quantities, str) else list(quantities)
        table = self.tidy()
        unknown = [name for name in requested if name not in self.quantities]
        if unknown or not requested:
            raise DataError(
                say(
                    "{quantities=} must name some of {known}, not {unknown}",
                    known=listed(self.quantities),
                    unknown=listed(unknown) if unknown else "none",
                )
            )
        if len(requested) > 1 and set(requested) - {"bias", "error_sd"}:
            raise DataError(
                say(
                    "{quantities=} names quantities in different units; draw bias and error_sd "
                    "together, and each of the others alone"
                )
            )
        return raters_figure(
            table[table["quantity"].isin(requested)], self.context, confidence=self.confidence,
            names=names, width_mm=width_mm,
        )  # fmt: skip

    def heading(self) -> str:
        """Return a sentence that says what was computed."""
        groups = self.draws.groups
        contexts = f", {counted_contexts(len(groups), self.context)}" if self.context else ""
        inside = f", subjects ({self.cluster}) as clusters" if self.cluster else ""
        return (
            f"Diagnostics of {len(self.raters)} raters, {100 * self.confidence:g} % intervals by "
            f"{self.method}{inside}{contexts}"
        )

    def notes(self) -> tuple[str, ...]:
        """Return what the table leaves out, and how it must not be interpreted."""
        units = "targets" if self.cluster is None else "subjects"
        found: list[str] = [NOTE_BIAS] if "bias" in self.quantities else []
        if "drift" in self.quantities:
            found.append(NOTE_DRIFT(unit=self.order_unit))
        if "icc_change" in self.quantities:
            found.append(NOTE_ICC(form=self.form))
        found.append(NOTE_UNIT(units=units))
        missing = sum(group.cells.ratings.n_missing for group in self.draws.groups)
        if missing:
            found.append(NOTE_MISSING(missing=missing))
        for group in self.draws.groups:
            where = of_group(self.context, group.cells.ratings.labels)
            blocks = int(group.blocks.max()) + 1
            if blocks > 1:
                found.append(NOTE_BLOCKS(blocks=blocks, where=where))
            if group.n_units < _FEW:
                found.append(NOTE_FEW(n=group.n_units, units=units, where=where))
        if self.warned and any(group.cells.ratings.shared for group in self.draws.groups):
            found.append(NOTE_SHARED)
        return tuple(found)

    def provenance(self) -> dict[str, Any]:
        """Return quantities, contexts, method, level, seed and versions."""
        drawn = INTERVAL_METHODS[self.method].draws
        kept = ReplicatedResult.provenance(self)
        if not drawn:
            for name in ("n_boot", "first_replicate", "seed", "stream"):
                kept.pop(name)
        return {
            **kept,
            "quantities": list(self.quantities),
            "form": self.form,
            "context": list(self.context),
            "cluster": self.cluster,
            "scale": self.scale,
            "raters": [str(label) for label in self.raters],
        }


OF_SCALE = (
    "rater", "n_ratings", "n_common", "block", "mean", "sd", "lowest", "highest", "n_distinct",
    "share_lowest", "share_highest",
)  # fmt: skip
# No column of contexts may have such a name: it would stand twice in a table.
OF_TABLES = frozenset(
    {
        *OF_SCALE, *QUANTITIES, "quantity", "estimate", "std_error", "statistic", "df", "p_value",
        "conf_low", "conf_high", "method", "n", "n_clusters", "n_undefined", "reason",
        "p_adjusted", "adjustment",
    }
)  # fmt: skip
