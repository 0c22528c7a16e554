"""The result of `bootstrap_chain`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from pyexpr.base.messages import message_column
from pyexpr.base.pairs import STRUCTURE
from pyexpr.base.results import Result
from pyexpr.base.stopping import stoppable
from pyexpr.base.versions import versions
from pyexpr.figures.comparison import comparison_figure
from pyexpr.figures.plotting import FULL_WIDTH_MM, drawn
from pyexpr.modeling.chain.intervals import JACKKNIFE, check_chain_method
from pyexpr.modeling.chain.notes import FEWER_DISTINCT, FIXED, UNDEFINED, WHAT
from pyexpr.resampling.intervals.evidence import Evidence, Intervals
from pyexpr.resampling.intervals.methods import compute

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

MODELS = "models"


@dataclass(frozen=True, slots=True)
class ChainStep:
    """One step of the chain: its quantities, and what their intervals are computed from.

    Attributes
    ----------
    name : {"reliability", "factor_model", "models"}
    keys : dict of str to list
        metric, term and context of every row, and for models the columns that identify a row.
    evidence : Evidence
    shown : (rows,) int64
        Positions of the quantities that are rows of the table.
    n, n_clusters : (rows,) int64
    fixed : (rows, 3) float64
        Standard error and limits if all earlier steps are taken as given; NaN if not available.
    limits : (rows, 2) float64, optional
        Limits for ``jackknife_t`` that another function computed: those of `icc`.
    """

    name: str
    keys: dict[str, list[str]]
    evidence: Evidence
    shown: NDArray[np.int64]
    n: NDArray[np.int64]
    n_clusters: NDArray[np.int64]
    fixed: Array
    limits: Array | None = None

    def intervals(self, method: str, confidence: float) -> Intervals:
        """Return the intervals of all quantities."""
        found = compute(self.evidence, method, confidence)
        if method == JACKKNIFE and self.limits is not None:
            found.low, found.high = self.limits.T
        return found


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class ChainResult(Result):
    """Reliability, factor models and performance, resampled through the whole analysis.

    Attributes
    ----------
    steps : tuple of ChainStep
    method : str
    confidence : float
    n_boot : int
        Number of draws; 0 if none was requested.
    seed : int
    cluster : str
        Column of the subjects.
    n_subjects, n_folds, n_repeats : int
    label : str
        What the models predict.
    models : dict
        Name of the model -> the representation of the estimator in Python.
    remarks : tuple of str
        Notes on the data and metrics.
    """

    steps: tuple[ChainStep, ...]
    method: str
    confidence: float
    n_boot: int
    seed: int
    cluster: str
    n_subjects: int
    n_folds: int
    n_repeats: int
    label: str
    models: dict[str, str]
    remarks: tuple[str, ...]

    def tidy(self) -> pd.DataFrame:
        """Return one row per quantity, in the order of the steps.

        Columns: step ("reliability", "factor_model", "models"), metric, term (question, or model),
        context, estimate, std_error, statistic, df, p_value (of differences and correlations),
        conf_low, conf_high, method; fixed_error, fixed_low, fixed_high (standard error and interval
        with scores and models as given; only for models), error_ratio (std_error divided by
        fixed_error); n, n_clusters, n_undefined (draws), reason; and those that identify the row:
        kind, first_model, second_model, first_context, second_context.
        """
        import pandas as pd

        table = pd.concat([self._rows(step) for step in self.steps], ignore_index=True)
        structure = [name for name in STRUCTURE if name in table]
        return table[[name for name in table if name not in structure] + structure]

    def _rows(self, step: ChainStep) -> pd.DataFrame:
        import pandas as pd

        found = step.intervals(self.method, self.confidence)
        own = step.shown
        texts = {name: values for name, values in step.keys.items() if name not in STRUCTURE}
        structure = {name: step.keys.get(name, [""] * len(own)) for name in STRUCTURE
                     if name in self.steps[-1].keys}  # fmt: skip
        error = found.std_error[own]
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = error / step.fixed[:, 0]
        return pd.DataFrame(
            {
                "step": step.name, **texts, "estimate": step.evidence.estimate[own],
                "std_error": error, "statistic": found.statistic[own], "df": found.df[own],
                "p_value": found.p_value[own], "conf_low": found.low[own],
                "conf_high": found.high[own], "method": [found.method[k] for k in own],
                "fixed_error": step.fixed[:, 0], "fixed_low": step.fixed[:, 1],
                "fixed_high": step.fixed[:, 2], "error_ratio": ratio, "n": step.n,
                "n_clusters": step.n_clusters, "n_undefined": found.n_undefined[own],
                "reason": message_column(found.reason[k] for k in own), **structure,
            }
        )  # fmt: skip

    @property
    def replicates(self) -> Array:
        """Return the draws, (n_boot, rows of tidy); NaN if undefined."""
        parts = [step.evidence.replicates[step.shown] for step in self.steps]
        return np.concatenate(parts).T

    @stoppable("intervals were computed", kept="the result is as it was")
    def interval(self, *, method: str) -> Self:
        """Return the result with the intervals of another method, computed from the same refits.

        Parameters
        ----------
        method : {"jackknife_t", "percentile"}

        Raises
        ------
        DataError
            If the method is unknown, or there are too few draws for it.
        """
        return replace(self, method=check_chain_method(method, self.confidence, self.n_boot))

    def printed(self) -> pd.DataFrame:
        """Return the table for printing, without columns that are only for programs."""
        table = self.tidy()
        hidden = [name for name in STRUCTURE if name in table]
        hidden += ["statistic", "df", "method", "fixed_error", "n"]
        if not table["reason"].astype(bool).any():
            hidden.append("reason")
        if not table["n_undefined"].any():
            hidden.append("n_undefined")
        return table.drop(columns=hidden)

    def heading(self) -> str:
        """Return a sentence that says what was computed."""
        how = "leaving out one subject at a time"
        if self.method != JACKKNIFE:
            how = f"{self.n_boot} draws of subjects ({self.method})"
        return (
            f"The whole analysis of {self.n_subjects} subjects ({self.cluster}) by "
            f"{self.n_folds}-fold cross-validation, label {self.label!r}; "
            f"{100 * self.confidence:g} % intervals by {how}"
        )

    def notes(self) -> tuple[str, ...]:
        """Return what the intervals refer to, and what was left out."""
        fitted = round(self.n_subjects * (self.n_folds - 1) / self.n_folds)
        found: list[str] = [WHAT(fitted=fitted, subjects=self.n_subjects), FIXED]
        if self.method != JACKKNIFE:
            found.append(FEWER_DISTINCT)
            undefined = np.isnan(self.replicates).any(axis=1)
            if undefined.any():
                found.append(UNDEFINED(n=int(undefined.sum()), n_boot=self.n_boot))
        return (*found, *self.remarks)

    def provenance(self) -> dict[str, Any]:
        """Return the method, draws, folds, seed, models and versions."""
        return {
            "method": self.method,
            "confidence": self.confidence,
            "n_boot": self.n_boot,
            "seed": self.seed,
            "cluster": self.cluster,
            "n_clusters": self.n_subjects,
            "n_folds": self.n_folds,
            "n_repeats": self.n_repeats,
            "label": self.label,
            "models": self.models,
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
        """Draw the performance of models with its intervals, as `ComparisonResult.plot`.

        Parameters
        ----------
        between : {"models", "contexts"}
        metrics, contexts : sequence of str, optional
            Draw only these.
        """
        table = self.tidy()
        how = "subjects left out of the whole analysis"
        if self.method != JACKKNIFE:
            how = "subjects drawn for the whole analysis"
        return comparison_figure(
            table[table["step"] == MODELS].reset_index(drop=True),
            level=f"{100 * self.confidence:g} % interval ({how})",
            between=between, metrics=metrics, contexts=contexts, names=names, width_mm=width_mm,
        )  # fmt: skip
