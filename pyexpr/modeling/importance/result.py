"""The result of `feature_importance`: the table, contrasts, and the figure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pyexpr.base.errors import counted
from pyexpr.base.stopping import stoppable
from pyexpr.figures.plotting import FULL_WIDTH_MM, drawn
from pyexpr.modeling.importance.contrasts import ImportanceContrasts, contrasts_of, no_draws
from pyexpr.modeling.importance.jackknife_only import JackknifeOnly, levels, requested, row_text
from pyexpr.modeling.importance.plot import importance_figure
from pyexpr.modeling.importance.quantities import ImportanceRow
from pyexpr.resampling.intervals.evidence import NO_INTERVALS
from pyexpr.resampling.result import with_intervals

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

_KINDS = {
    "rows": "values of clips of other subjects",
    "within": "values of other clips of the same subject",
    "subjects": "means of other subjects",
}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class ImportanceResult(JackknifeOnly):
    """The importance of features for fitted models, one row per metric, model, context, feature.

    Attributes
    ----------
    rows : tuple of ImportanceRow
    members : dict of str to list of str
        The columns of every group of features.
    before, after : (rows,) float64
        The metric before and after the exchange.
    n, n_clusters : (rows,) int64
        Numbers of data rows and of subjects on which each row is based.
    sizes : (rows, subjects) float64
        Data rows of each subject.
    permute : str
        What was exchanged.
    n_repeats : int or None
        Largest number of donors of a row; None takes all.
    interval_for : str
        "fitted models" or "procedure".
    remarks : tuple of str
    """

    rows: tuple[ImportanceRow, ...]
    members: dict[str, list[str]]
    before: NDArray[Any]
    after: NDArray[Any]
    n: NDArray[Any]
    n_clusters: NDArray[Any]
    sizes: NDArray[Any]
    permute: str
    n_repeats: int | None
    interval_for: str
    remarks: tuple[str, ...]

    def tidy(self) -> pd.DataFrame:
        """Return one row per metric, model, context and feature (or group of features).

        Columns: metric, model, term (the feature or group), context, estimate (how much worse the
        metric is after the exchange), before and after (the metric), std_error, statistic, df,
        p_value (of the hypothesis that the importance is 0), conf_low, conf_high, method, n,
        n_clusters, n_undefined, reason; after `adjust` p_adjusted and adjustment.
        """
        table = JackknifeOnly.tidy(self)
        at = list(table.columns).index("estimate") + 1
        table.insert(at, "before", self.before)
        table.insert(at + 1, "after", self.after)
        return table

    def printed(self) -> pd.DataFrame:
        """Return the table for printing, without columns that are only for programs."""
        table = self.tidy()
        empty = [] if table["reason"].astype(bool).any() else ["reason"]
        hidden = ["after", "statistic", "df", "method", "n_undefined", *empty]
        return table.drop(columns=hidden)

    def keys(self) -> Mapping[str, Sequence[str]]:
        """Return metric, model, term and context of every row."""
        return {
            name: [getattr(row, name) for row in self.rows]
            for name in ("metric", "model", "term", "context")
        }

    def counts(self) -> tuple[NDArray[Any], NDArray[Any]]:
        """Return the numbers of data rows and of subjects on which each row is based."""
        return self.n, self.n_clusters

    def described(self, row: int) -> str:
        """Return a description of a row."""
        return row_text(*self.rows[row])

    def families(self) -> list[NDArray[Any]]:
        """Return the features of each metric, model and context."""
        import numpy as np

        found: dict[tuple[str, ...], list[int]] = {}
        for i, row in enumerate(self.rows):
            found.setdefault((row.metric, row.model, row.context), []).append(i)
        return [np.array(rows) for rows in found.values()]

    @stoppable("differences of importance were computed", kept="the result is as it was")
    def contrasts(self, *, between: str = "contexts") -> ImportanceContrasts:
        """Compare importances: of each feature between contexts, or of features with each other.

        Parameters
        ----------
        between : {"contexts", "features"}
            ``"contexts"``: whether a feature is more important in one context than in another, with
            a row per feature and pair of contexts. ``"features"``: whether a feature is more
            important than another, with a row per context and pair of features.

        Returns
        -------
        ImportanceContrasts
            ``tidy()`` has intervals and tests; ``adjust("holm")`` and ``adjust("max_t")`` adjust
            them. A family consists of all pairs of contexts of a feature, or of all pairs of
            features of a context.

        Raises
        ------
        DataError
            If there are fewer than two contexts, or features.

        Examples
        --------
        >>> import numpy as np, pandas as pd, pyexpr as px
        >>> from sklearn.linear_model import LinearRegression
        >>> rng = np.random.default_rng(1)
        >>> table = pd.DataFrame({"subject": np.repeat(np.arange(40), 6)})
        >>> table["task"] = ["pain", "startle"] * 120
        >>> table["smile"] = rng.normal(size=240)
        >>> table["joy"] = table["smile"] * (table["task"] == "pain") + rng.normal(size=240)
        >>> fitted = px.fit_models(table, label="joy", features=["smile"], cluster="subject",
        ...                        context="task", models={"ols": LinearRegression()},
        ...                        context_as="separate")
        >>> found = px.feature_importance(fitted).contrasts().tidy()
        >>> found[["term", "context", "estimate", "conf_low", "conf_high"]].round(2)
            term         context  estimate  conf_low  conf_high
        0  smile  pain - startle      0.66      0.37       0.95
        """
        rows, evidence, (n, n_clusters) = contrasts_of(
            self.rows, self.evidence, (self.n, self.n_clusters), between, self.sizes
        )
        found = ImportanceContrasts(
            evidence=evidence, intervals=NO_INTERVALS, draws=no_draws(self.draws.seed, evidence),
            clusters=self.clusters, cluster_name=self.cluster_name, rows=tuple(rows),
            between=between, n=n, n_clusters=n_clusters, remarks=self.remarks,
        )  # fmt: skip
        return with_intervals(found, None, self.intervals.confidence, self.intervals.rule)

    @drawn("features, models and contexts")
    def plot(
        self,
        *,
        metric: str | None = None,
        contexts: Sequence[str] | None = None,
        models: Sequence[str] | None = None,
        names: Mapping[Any, str] | None = None,
        width_mm: float = FULL_WIDTH_MM,
    ) -> Figure:
        """Draw the importance of every feature by one metric, with a panel per context.

        Several models are drawn with different markers. Features are sorted by their importance
        over all contexts for the first model.

        Parameters
        ----------
        metric : str, optional
            By default the first.
        contexts, models : sequence of str, optional
            Draw only these.

        Raises
        ------
        DataError
            If a metric, context or model is not in the result.
        """
        keys = self.keys()
        chosen = requested(list(dict.fromkeys(keys["metric"])), metric, "metric")[0]
        panels = requested(list(dict.fromkeys(keys["context"])), contexts, "contexts")
        wanted = requested(list(dict.fromkeys(keys["model"])), models, "models")
        table = self.tidy()
        table = table[
            (table["metric"] == chosen)
            & table["context"].isin(panels)
            & table["model"].isin(wanted)
        ]
        first = table[(table["model"] == wanted[0]) & (table["context"] == panels[-1])]
        order = first.sort_values("estimate", ascending=False, kind="stable")["term"].tolist()
        place = table["term"].map({term: i for i, term in enumerate(order)})
        table = table.assign(_place=place).sort_values("_place", kind="stable")
        return importance_figure(
            table.drop(columns="_place"), chosen, level=levels(self.intervals), names=names,
            width_mm=width_mm,
        )  # fmt: skip

    def heading(self) -> str:
        """Return a sentence that says what was computed."""
        models = len({row.model for row in self.rows})
        return (
            f"Importance of {counted(len(self.members), 'feature')} for {counted(models, 'model')}:"
            f" how much worse predictions are with {_KINDS[self.permute]}; "
            f"{100 * self.intervals.confidence:g} % intervals of the {self.interval_for}"
        )

    def notes(self) -> tuple[str, ...]:
        """Return what the intervals refer to, what was exchanged, and what was left out."""
        return self.remarks

    def provenance(self) -> dict[str, Any]:
        """Return what was exchanged, method, confidence, seed, counts and versions."""
        return self._provenance(
            {
                "permute": self.permute,
                "n_repeats": "all" if self.n_repeats is None else self.n_repeats,
                "interval_for": self.interval_for,
                "groups": self.members,
            }
        )
