"""The result of `ModelsResult.compare_procedures`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pyexpr.base.pairs import STRUCTURE
from pyexpr.base.results import Result
from pyexpr.base.versions import versions
from pyexpr.figures.comparison import comparison_figure
from pyexpr.figures.plotting import FULL_WIDTH_MM, drawn
from pyexpr.modeling.fitting.notes import FIXED, OF_FITTED, OF_PROCEDURE

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

JACKKNIFE, CORRECTED, NESTED = "jackknife", "corrected_t", "nested"
METHODS = (JACKKNIFE, CORRECTED, NESTED)
_WORDS = {
    JACKKNIFE: "the jackknife with refitted models",
    CORRECTED: "the corrected resampled t",
    NESTED: "nested cross-validation",
}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class ProcedureResult(Result):
    """Cross-validated performance with intervals that also account for the training subjects.

    Attributes
    ----------
    table : DataFrame
        As returned by `tidy`.
    method : str
    confidence : float
    cluster : str
        Column of the subjects.
    n_clusters, n_folds, n_repeats, seed : int
    remarks : tuple of str
        Notes on the data and metrics.
    """

    table: pd.DataFrame
    method: str
    confidence: float
    cluster: str
    n_clusters: int
    n_folds: int
    n_repeats: int
    seed: int
    remarks: tuple[str, ...]

    @property
    def question(self) -> str:
        """Return what the intervals refer to: "procedure" or "fitted model"."""
        return "fitted model" if self.method == NESTED else "procedure"

    def tidy(self) -> pd.DataFrame:
        """Return one row per metric, term and context.

        Columns: metric, term, context, estimate, std_error, statistic, df, p_value, conf_low,
        conf_high, method; fixed_error, fixed_low, fixed_high (standard error and interval of
        `ModelsResult.compare`, which takes the models as given); n, n_clusters, reason; and those
        that identify the row: kind, first_model, second_model, first_context, second_context.
        """
        return self.table.copy()

    def printed(self) -> pd.DataFrame:
        """Return the table for printing, without columns that are only for programs."""
        hidden = [name for name in STRUCTURE if name in self.table]
        empty = [] if self.table["reason"].astype(bool).any() else ["reason"]
        return self.table.drop(columns=[*hidden, *empty, "statistic", "method", "fixed_error"])

    def heading(self) -> str:
        """Return a sentence that says what was computed."""
        times = f", {self.n_repeats} times" if self.n_repeats > 1 else ""
        what = "procedures" if self.question == "procedure" else "fitted models"
        return (
            f"Performance of {what} on other subjects ({self.cluster}), by {self.n_folds} folds of "
            f"{self.n_clusters} subjects{times}; {100 * self.confidence:g} % intervals by "
            f"{_WORDS[self.method]}"
        )

    def notes(self) -> tuple[str, ...]:
        """Return which question the intervals answer, and notes on data and metrics."""
        if self.question == "procedure":
            fitted = round(self.n_clusters * (self.n_folds - 1) / self.n_folds)
            which = OF_PROCEDURE(fitted=fitted, subjects=self.n_clusters)
        else:
            which = OF_FITTED(subjects=self.n_clusters)
        return (which, FIXED, *self.remarks)

    def provenance(self) -> dict[str, Any]:
        """Return the method, the question it answers, folds, seed and versions."""
        return {
            "method": self.method,
            "question": self.question,
            "confidence": self.confidence,
            "cluster": self.cluster,
            "n_clusters": self.n_clusters,
            "n_folds": self.n_folds,
            "n_repeats": self.n_repeats,
            "seed": self.seed,
            "versions": versions("pandas", "scikit-learn", "scipy"),
        }

    @drawn("models, contexts and metrics")
    def plot(
        self,
        *,
        between: str = "models",
        metrics: Sequence[str] | None = None,
        contexts: Sequence[str] | None = None,
        names: Mapping[str, str] | None = None,
        width_mm: float = FULL_WIDTH_MM,
    ) -> Figure:
        """Draw metrics and differences with their intervals, as `ComparisonResult.plot`.

        Parameters
        ----------
        between : {"models", "contexts"}
        metrics, contexts : sequence of str, optional
            Draw only these.
        """
        return comparison_figure(
            self.tidy(), level=f"{100 * self.confidence:g} % interval ({_WORDS[self.method]})",
            between=between, metrics=metrics, contexts=contexts, names=names, width_mm=width_mm,
        )  # fmt: skip
