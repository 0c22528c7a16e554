"""What `bootstrap_cfa` returns: estimates, refits, and intervals from them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from pyexpr.base.errors import counted
from pyexpr.base.results import Result
from pyexpr.base.versions import versions
from pyexpr.figures.plotting import FULL_WIDTH_MM, drawn
from pyexpr.measurement.factor.bootstrap_intervals import GroupDraws, check_interval, intervals
from pyexpr.measurement.factor.orientation import Pointing
from pyexpr.measurement.factor.plot import refits_figure
from pyexpr.measurement.specification import MeasurementModel

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class CFABootstrapResult(Result):
    """A one-factor model with intervals from resampling whole subjects.

    Attributes
    ----------
    model : MeasurementModel
    labels : tuple
        Labels of the groups, sorted; ``("",)`` without groups.
    group_name : str or None
    cluster_name : str
    groups : tuple of GroupDraws
        One per label.
    method : str
    confidence : float
    seed, n_dropped : int
    pointing : Pointing
        Which indicator the factor points to.
    """

    model: MeasurementModel
    labels: tuple[Any, ...]
    group_name: str | None
    cluster_name: str
    groups: tuple[GroupDraws, ...]
    method: str
    confidence: float
    seed: int
    n_dropped: int
    pointing: Pointing

    @property
    def replicates(self) -> NDArray[np.float64]:
        """Return the replicates, (n_boot, rows of `tidy()`); NaN where undefined."""
        view = np.concatenate([group.replicates for group in self.groups], axis=1)
        view.flags.writeable = False
        return view

    def tidy(self) -> pd.DataFrame:
        """Return one row per group and quantity.

        Columns: the group's name (with groups), quantity (``loading``,
        ``std_loading``, ``residual_variance``, ``score_weight``,
        ``score_reliability``), term (the indicator, or the factor), estimate,
        std_error (the jackknife's, or the standard deviation of the replicates where
        these make the interval), conf_low, conf_high, method (the one that the row
        got), n, n_clusters, n_undefined (replicates), reason.
        """
        import pandas as pd

        names = quantities(self.model)
        tables = []
        for label, group in zip(self.labels, self.groups, strict=True):
            table = pd.DataFrame(names, columns=["quantity", "term"]).assign(
                estimate=group.estimate,
                **intervals(group, [name for name, _ in names], self.method, self.confidence),
            )
            if self.group_name is not None:
                table.insert(0, self.group_name, label)
            tables.append(table)
        return pd.concat(tables, ignore_index=True)

    def interval(
        self, *, method: str | None = None, confidence: float | None = None
    ) -> CFABootstrapResult:
        """Return the same refits with other intervals.

        Parameters
        ----------
        method : str, optional
            As for `bootstrap_cfa`; by default the one at hand.
        confidence : float, optional
            By default the one at hand.
        """
        changed = replace(
            self,
            method=self.method if method is None else method,
            confidence=self.confidence if confidence is None else confidence,
        )
        check_interval(changed.method, changed.confidence, self._n_boot)
        return changed

    @drawn("indicators, quantities and groups")
    def plot(
        self,
        *,
        quantities: str | Sequence[str] | None = None,
        names: Mapping[Any, str] | None = None,
        width_mm: float = FULL_WIDTH_MM,
    ) -> Figure:
        """Draw every quantity with its interval: by quantity, a panel per group.

        A limit beyond the axis, as an infinite one is, ends in an arrowhead; a value without an
        interval is hollow; in place of a missing value stands the reason.

        Parameters
        ----------
        quantities : str or sequence of str, optional
            Draw these alone, of those that `tidy` names.

        Examples
        --------
        >>> import numpy as np
        >>> from pyexpr.measurement.factor.bootstrap import bootstrap_cfa
        >>> rng = np.random.default_rng(1)
        >>> f = rng.normal(size=200)
        >>> table = {name: f + rng.normal(size=200) for name in ("response", "emotion", "motion")}
        >>> who = np.repeat(np.arange(40), 5)
        >>> result = bootstrap_cfa(table, {"expressiveness": list(table)}, cluster=who, n_boot=99)
        >>> figure = result.plot(quantities="std_loading")
        >>> [label.get_text() for label in figure.axes[0].get_yticklabels()]
        ['response', 'emotion', 'motion']
        """
        return refits_figure(
                self.tidy(), self.group_name, confidence=self.confidence, quantities=quantities,
                names=names, width_mm=width_mm,
            )  # fmt: skip

    @property
    def _n_boot(self) -> int:
        return len(self.groups[0].replicates)

    def heading(self) -> str:
        """Return what was refitted, on how many subjects, how often."""
        subjects = ", ".join(str(group.n_clusters) for group in self.groups)
        return (
            f"Factor model {self.model.syntax()}: {self._n_boot} refits by {self.cluster_name} "
            f"({subjects} clusters), {self.method} intervals at {self.confidence:g}"
        )

    def notes(self) -> tuple[str, ...]:
        """Return how many rows were dropped and how many refits are undefined."""
        said = []
        if self.n_dropped:
            said.append(
                f"{counted(self.n_dropped, 'row', 'was', 'were')} left out because an indicator "
                "is missing."
            )
        if any((group.estimate[: len(self.model.indicators)] < 0).any() for group in self.groups):
            said.append(self.pointing.note(list(self.model.factors)))
        for label, group in zip(self.labels, self.groups, strict=True):
            if group.n_failed or group.n_inadmissible:
                where = "" if self.group_name is None else f" in group {label!r}"
                said.append(
                    f"Of {self._n_boot} drawn refits{where}, {group.n_failed} have no solution and "
                    f"{group.n_inadmissible} a residual variance that is not positive; both are "
                    "left out of the percentile and BCa intervals."
                )
        return tuple(said)

    def provenance(self) -> dict[str, Any]:
        """Return method, level, seed, counts and versions."""
        return {
            "model": self.model.syntax(), "method": self.method, "confidence": self.confidence,
            "n_boot": self._n_boot, "seed": self.seed, "cluster": self.cluster_name,
            "positive": self.pointing.indicators, "group": self.group_name,
            "n_dropped": self.n_dropped,
            "groups": {
                str(label): {
                    "n": group.n, "n_clusters": group.n_clusters, "failed": group.n_failed,
                    "inadmissible": group.n_inadmissible,
                }
                for label, group in zip(self.labels, self.groups, strict=True)
            },
            "versions": versions(),
        }  # fmt: skip


def quantities(model: MeasurementModel) -> list[tuple[str, str]]:
    """Return (quantity, term) of each column of the replicates, in order."""
    of_indicators = ("loading", "std_loading", "residual_variance", "score_weight")
    pairs = [(name, indicator) for name in of_indicators for indicator in model.indicators]
    return [*pairs, ("score_reliability", model.factors[0])]
