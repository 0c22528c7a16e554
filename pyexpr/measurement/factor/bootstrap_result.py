"""The result of `bootstrap_cfa`: estimates, refits, and intervals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pyexpr.base.errors import PyexprWarning, warn_user
from pyexpr.base.messages import Template, say
from pyexpr.base.versions import versions
from pyexpr.figures.plotting import FULL_WIDTH_MM, drawn
from pyexpr.measurement.factor.notes import INCOMPLETE_ROWS, in_context
from pyexpr.measurement.factor.orientation import Pointing
from pyexpr.measurement.factor.plot import refits_figure
from pyexpr.measurement.factor.refits import FactorDraws, check_interval
from pyexpr.measurement.specification import MeasurementModel
from pyexpr.resampling.quantiles import SOME_UNDEFINED
from pyexpr.resampling.ranges import note_of_range
from pyexpr.resampling.result import ReplicatedResult

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure
    from numpy.typing import NDArray


_REFITS_LEFT_OUT = Template(
    "refits_left_out",
    "Of {n_boot} drawn refits{where}, {failed} have no solution and {improper} a residual variance "
    "that is not positive; both are left out of the percentile and BCa intervals.",
)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class CFABootstrapResult(ReplicatedResult):
    """A one-factor model with intervals from resampling whole subjects.

    Attributes
    ----------
    model : MeasurementModel
    labels : tuple
        Labels of the contexts, sorted; ``("",)`` without contexts.
    context_name : str or None
    evidence : Evidence
        Estimates, replicates (rows, n_boot) and leave-one-subject-out values.
    intervals : Intervals
        The intervals of the current method and confidence level.
    clusters : tuple
        Labels of the subjects, sorted.
    cluster_name : str
    n_dropped : int
    pointing : Pointing
        The indicator whose loading is positive.
    """

    draws: FactorDraws
    model: MeasurementModel
    labels: tuple[Any, ...]
    context_name: str | None
    n_dropped: int
    pointing: Pointing

    @property
    def confidence(self) -> float:
        """Return the level of the intervals."""
        return self.intervals.confidence

    @property
    def seed(self) -> int:
        """Return the seed of the random draws."""
        return self.draws.seed

    def tidy(self) -> pd.DataFrame:
        """Return one row per context and quantity.

        Columns: the context's name (with contexts), quantity (``loading``,
        ``std_loading``, ``residual_variance``, ``score_weight``,
        ``score_reliability``), term (the indicator, or the factor), estimate,
        std_error (of the jackknife, or the standard deviation of the replicates if the interval
        uses these), conf_low, conf_high, method (the one used for the row), n, n_clusters,
        n_undefined (replicates), reason; after `adjust` also adjustment. There are no tests and no
        p-values.
        """
        columns = [
            *self.keys(), "estimate", "std_error", "conf_low", "conf_high", "method", "n",
            "n_clusters", "n_undefined", "reason",
        ]  # fmt: skip
        if self.intervals.rule is not None:
            columns.append("adjustment")
        return ReplicatedResult.tidy(self)[columns]

    def keys(self) -> Mapping[str, Sequence[Any]]:
        """Return context, quantity and term of every row."""
        names = quantities(self.model)
        of_rows = {
            "quantity": [name for name, _ in names] * len(self.labels),
            "term": [term for _, term in names] * len(self.labels),
        }
        if self.context_name is None:
            return of_rows
        return {self.context_name: [label for label in self.labels for _ in names], **of_rows}

    def counts(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the numbers of rows and of subjects on which each row is based."""
        groups, q = self.draws.groups, len(quantities(self.model))
        n, n_clusters = [group.n for group in groups], [len(group.clusters) for group in groups]
        return np.repeat(n, q), np.repeat(n_clusters, q)

    def described(self, row: int) -> str:
        """Return a description of a row."""
        names = quantities(self.model)
        quantity, term = names[row % len(names)]
        where = self.where(self.labels[row // len(names)])
        return say(
            "{quantity:metric} of {term:label}{where}", quantity=quantity, term=term, where=where
        )

    def where(self, label: Any) -> str:
        """Return a phrase that names the context with this `label`; "" without contexts."""
        return "" if self.context_name is None else in_context(label)

    def families(self) -> list[NDArray[np.int64]]:
        """Return the families of rows: the indicators of one quantity in one context."""
        names, p = quantities(self.model), len(self.model.indicators)
        starts = [*range(0, len(names) - 1, p), len(names) - 1]
        within = [np.arange(at, min(at + p, len(names))) for at in starts]
        return [len(names) * code + family for code in range(len(self.labels)) for family in within]

    def interval(
        self, *, method: str | None = None, confidence: float | None = None
    ) -> CFABootstrapResult:
        """Return the result with other intervals, from the same refits.

        Parameters
        ----------
        method : str, optional
            As for `bootstrap_cfa`; by default unchanged.
        confidence : float, optional
            By default unchanged.
        """
        level = self.confidence if confidence is None else confidence
        check_interval(method or self.method, level, self.n_boot)
        return ReplicatedResult.interval(self, method=method, confidence=level)

    def undefined(self) -> list[tuple[int, int]]:
        """Return the numbers of refits without and with an improper solution, per context."""
        first = len(quantities(self.model)) * np.arange(len(self.labels))
        lost = np.isnan(self.evidence.replicates[first]).sum(axis=1)
        assert self.evidence.n_failed is not None
        failed = self.evidence.n_failed[first]
        return list(zip(failed.tolist(), (lost - failed).tolist(), strict=True))

    def warn_of_undefined(self) -> None:
        """Warn if intervals use refits and over 1 % of those of a context are undefined."""
        if self.method == "jackknife_t":
            return
        for label, (failed, improper) in zip(self.labels, self.undefined(), strict=True):
            lost = failed + improper
            if lost > SOME_UNDEFINED * self.n_boot:
                warn_user(
                    say(
                        "{lost} of {n_boot} refits{where} {verb} no solution ({failed}) or a "
                        "residual variance that is not positive ({improper}); the intervals leave "
                        "them out",
                        lost=lost,
                        n_boot=self.n_boot,
                        where=self.where(label),
                        verb="has" if lost == 1 else "have",
                        failed=failed,
                        improper=improper,
                    ),
                    PyexprWarning,
                )

    @drawn("indicators, quantities and contexts")
    def plot(
        self,
        *,
        quantities: str | Sequence[str] | None = None,
        names: Mapping[Any, str] | None = None,
        width_mm: float = FULL_WIDTH_MM,
    ) -> Figure:
        """Draw every quantity with its interval, with a panel per context.

        A limit beyond the axis, such as an infinite one, ends in an arrowhead. A value without an
        interval is drawn as a hollow point. A missing value is replaced by its reason.

        Parameters
        ----------
        quantities : str or sequence of str, optional
            Draw only these quantities, of those that `tidy` names.

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
            self.tidy(),
            self.context_name,
            confidence=self.confidence,
            quantities=quantities,
            names=names,
            width_mm=width_mm,
        )

    def heading(self) -> str:
        """Return a sentence that names the model, the subjects and the refits."""
        subjects = ", ".join(str(len(group.clusters)) for group in self.draws.groups)
        return (
            f"Factor model {self.model.syntax()}: {self.n_boot} refits by {self.cluster_name} "
            f"({subjects} clusters), {self.method} intervals at {self.confidence:g}"
        )

    def notes(self) -> tuple[str, ...]:
        """Return the numbers of rows left out and of undefined refits."""
        found: list[str] = []
        if self.n_dropped:
            found.append(INCOMPLETE_ROWS(n_dropped=self.n_dropped))
        p = len(self.model.indicators)
        if any((group.estimate[:p] < 0).any() for group in self.draws.groups):
            found.append(self.pointing.note(list(self.model.factors)))
        for label, (failed, improper) in zip(self.labels, self.undefined(), strict=True):
            if failed or improper:
                where = self.where(label)
                found.append(
                    _REFITS_LEFT_OUT(
                        n_boot=self.n_boot, where=where, failed=failed, improper=improper
                    )
                )
        return (*found, *note_of_range(self))

    def provenance(self) -> dict[str, Any]:
        """Return method, level, seed, counts and versions."""
        return {
            "model": self.model.syntax(), "method": self.method, "confidence": self.confidence,
            "n_boot": self.n_boot, "first_replicate": self.first_replicate,
            "seed": self.seed, "cluster": self.cluster_name,
            "adjust": self.intervals.rule,
            "positive": self.pointing.indicators, "context": self.context_name,
            "n_dropped": self.n_dropped,
            "contexts": {
                str(label): {
                    "n": group.n, "n_clusters": len(group.clusters), "failed": failed,
                    "inadmissible": improper,
                }
                for label, group, (failed, improper) in zip(
                    self.labels, self.draws.groups, self.undefined(), strict=True
                )
            },
            "versions": versions(),
        }  # fmt: skip


def quantities(model: MeasurementModel) -> list[tuple[str, str]]:
    """Return (quantity, term) of each column of the replicates, in order."""
    of_indicators = ("loading", "std_loading", "residual_variance", "score_weight")
    pairs = [(name, indicator) for name in of_indicators for indicator in model.indicators]
    return [*pairs, ("score_reliability", model.factors[0])]
