"""The result of `pooled_coefficients`: separate and pooled slopes, and how contexts differ."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np

from pyexpr.base.checks import confidence_level
from pyexpr.base.errors import DataError, counted
from pyexpr.base.messages import joined, message_column
from pyexpr.base.pairs import pair_columns, pair_label
from pyexpr.base.results import Result
from pyexpr.base.versions import versions
from pyexpr.figures.plotting import FULL_WIDTH_MM, drawn
from pyexpr.figures.pooled import pooled_figure
from pyexpr.inference.coefficients.data import CoefficientData
from pyexpr.inference.coefficients.notes import NO_SLOPE, NOTE_DROPPED
from pyexpr.inference.pooling.estimates import Mixture, Pooling
from pyexpr.inference.pooling.notes import (
    NO_SPREAD,
    NOTE_ESTIMATES,
    NOTE_FEW_CONTEXTS,
    NOTE_INTERVALS,
    NOTE_MODEL,
    NOTE_SUBJECTS,
)
from pyexpr.inference.pooling.reml import MixedFit

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

METHOD = "partial pooling"
# With so few contexts, a note says that they show little.
FEW_CONTEXTS = 5


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class PooledCoefficientResult(Result):
    """Slopes of every context, separate and pooled in part: the result of `pooled_coefficients`.

    Attributes
    ----------
    data : CoefficientData
        The rows used.
    mixed : MixedFit
        The variances of the multilevel model.
    pooling : Pooling
        The separate slopes and the pooled slopes.
    context : ndarray of int, shape (S,)
        The context of each slope.
    slopes, common : tuple of Mixture
        For each feature, the distributions of its slopes and of the common slope.
    subject_effects : str
        What varies between subjects in the model.
    terms : tuple of (str, int)
        The variances between subjects; see `Products`.
    confidence : float
        Level of the intervals.
    """

    data: CoefficientData
    mixed: MixedFit
    pooling: Pooling
    context: NDArray[np.int64]
    slopes: tuple[Mixture, ...]
    common: tuple[Mixture, ...]
    subject_effects: str
    terms: tuple[tuple[str, int], ...]
    confidence: float

    def tidy(self) -> pd.DataFrame:
        """Return one row per context and feature.

        Columns: context, feature; for the pooled slope estimate, std_error, conf_low, conf_high,
        p_value; for the slope of the context alone separate_estimate, separate_std_error,
        separate_df, separate_low, separate_high; shrinkage (0: the separate slope is unchanged, 1:
        it is replaced by the common slope), n, n_clusters, n_effective (the effective number of
        subjects of the separate slope), method, reason.
        """
        import pandas as pd

        features, contexts = self.data.features, self.data.contexts
        C, p = len(contexts), len(features)
        # Position of each slope in the table; a constant feature has no slope.
        at = self.context * p + self.pooling.feature
        columns = {}
        for name, values in self._numbers().items():
            columns[name] = np.full(C * p, np.nan)
            columns[name][at] = values
        reasons: list[str] = [NO_SLOPE] * (C * p)
        for k, row in enumerate(at):
            reasons[row] = self.pooling.why_not(k) or self.pooling.support.why_not[k]
        rows = [self.data.rows(name) for name in contexts]
        return pd.DataFrame(
            {
                "context": np.repeat(np.array(contexts, dtype=object), p),
                "feature": list(features) * C,
                **{name: one for name, one in columns.items() if name != "n_effective"},
                "n": np.repeat([len(own) for own in rows], p),
                "n_clusters": np.repeat([self.data.clusters_in(own) for own in rows], p),
                "n_effective": columns["n_effective"],
                "method": METHOD,
                "reason": message_column(reasons),
            }
        )

    def _numbers(self) -> dict[str, NDArray[np.float64]]:
        """Return the numeric columns of the table, (S,) each."""
        from scipy.special import stdtrit

        pooling = self.pooling
        S = len(self.context)
        tests = pooling.fit.contrasts(np.eye(S, len(pooling.fit.coef)))
        tested = np.array([not why for why in pooling.support.why_not])
        error = np.where(tested, tests.std_error, np.nan)
        half = stdtrit(tests.df, 0.5 + self.confidence / 2) * error
        described = np.full((4, S), np.nan)
        for j, mixture in enumerate(self.slopes):
            described[:, pooling.feature == j] = self._described(mixture)
        described[:, [bool(pooling.why_not(k)) for k in range(S)]] = np.nan
        return {
            "estimate": pooling.matrices(pooling.between)[0] @ pooling.separate,
            **dict(zip(("std_error", "conf_low", "conf_high", "p_value"), described, strict=True)),
            "separate_estimate": pooling.separate,
            "separate_std_error": error,
            "separate_df": np.where(tested, tests.df, np.nan),
            "separate_low": pooling.separate - half,
            "separate_high": pooling.separate + half,
            "shrinkage": pooling.shrinkage(),
            "n_effective": pooling.support.n_effective,
        }

    def _described(self, mixture: Mixture) -> tuple[NDArray[np.float64], ...]:
        tail = (1 - self.confidence) / 2
        return (
            mixture.std_error(), mixture.quantile(tail), mixture.quantile(1 - tail),
            mixture.p_value(),
        )  # fmt: skip

    def contrasts(self) -> pd.DataFrame:
        """Return the differences of pooled slopes, with one row per pair of contexts and feature.

        Columns: context ("a - b"), feature, estimate, std_error, conf_low, conf_high, p_value,
        separate_estimate (the difference of the separate slopes), method, reason, first_context,
        second_context. The p-values are not adjusted for the number of pairs.
        """
        import pandas as pd
        from threadpoolctl import threadpool_limits

        pooling, names = self.pooling, self.data.contexts
        pooled = pooling.matrices(pooling.between)[0] @ pooling.separate
        pairs = list(combinations(range(len(names)), 2))
        rows: list[tuple[Any, ...]] = []
        for j, feature in enumerate(self.data.features):
            at = np.flatnonzero(pooling.feature == j)
            place = {int(c): i for i, c in enumerate(self.context[at])}
            known = [(a, b) for a, b in pairs if a in place and b in place]
            weights = np.zeros((len(known), len(at)))
            for row, (a, b) in zip(weights, known, strict=True):
                row[place[a]], row[place[b]] = 1.0, -1.0
            error, low, high, p = np.full((4, len(known)), np.nan)
            if self.slopes[j].known:
                with threadpool_limits(limits=1, user_api="blas"):
                    error, low, high, p = self._described(pooling.mixture(j, weights))
            numbers = dict(
                zip(
                    known,
                    zip(
                        weights @ pooled[at], error, low, high, p, weights @ pooling.separate[at],
                        strict=True,
                    ),
                    strict=True,
                )
            )  # fmt: skip
            for pair in pairs:
                if pair not in numbers:
                    rows.append((*pair, j, feature, *[np.nan] * 6, NO_SLOPE))
                    continue
                estimate, *described, separate = numbers[pair]
                why = joined(pooling.why_not(int(at[place[c]])) for c in pair)
                if why:
                    described = [np.nan] * 4
                rows.append((*pair, j, feature, estimate, *described, separate, why))
        rows.sort(key=lambda row: row[:3])
        both = [(names[row[0]], names[row[1]]) for row in rows]
        columns = [
            "feature", "estimate", "std_error", "conf_low", "conf_high", "p_value",
            "separate_estimate",
        ]  # fmt: skip
        table = pd.DataFrame([row[3:-1] for row in rows], columns=columns)
        table.insert(0, "context", [pair_label(*pair) for pair in both])
        reasons = message_column(row[-1] for row in rows)
        return table.assign(method=METHOD, reason=reasons, **pair_columns("context", both))

    def variation(self) -> pd.DataFrame:
        """Return how far each feature's slopes differ between contexts, one row per feature.

        Columns: feature, estimate (tau, the standard deviation of the slopes between contexts, by
        REML), conf_low, conf_high; the test that the slope is the same in all contexts: statistic
        (F), df1, df2, p_value; common_slope, common_low, common_high (the mean slope over a
        population of contexts); n_contexts, method, reason.
        """
        import pandas as pd

        pooling = self.pooling
        tails = np.array([(1 - self.confidence) / 2, (1 + self.confidence) / 2])
        common = pooling.matrices(pooling.between)[1] @ pooling.separate
        rows, reasons = [], []
        for j, feature in enumerate(self.data.features):
            spread = pooling.spreads[j]
            low, high = spread.quantile(tails)
            _, common_low, common_high, _ = (
                float(one[0]) for one in self._described(self.common[j])
            )
            tau = float(np.sqrt(pooling.between[j]))
            rows.append(
                {
                    "feature": feature,
                    "estimate": tau,
                    "conf_low": float(low),
                    "conf_high": float(high),
                    "statistic": spread.statistic,
                    "df1": spread.df1,
                    "df2": spread.df2,
                    "p_value": spread.p_value,
                    "common_slope": float(common[j]),
                    "common_low": common_low,
                    "common_high": common_high,
                    "n_contexts": int((pooling.feature == j).sum()),
                    "method": "Box",
                }
            )
            reasons.append(spread.reason or (NO_SPREAD if tau == 0 else ""))
        return pd.DataFrame(rows).assign(reason=message_column(reasons))

    def variances(self) -> pd.DataFrame:
        """Return the variances of the multilevel model, one row each.

        Columns: group (``context``, ``subject``, ``subject:context``, ``residual``), term
        (``intercept``, a feature, or "" of the residual), estimate.
        """
        import pandas as pd

        features = self.data.features
        terms = [*(("context", j) for j in range(len(features))), *self.terms]
        values = [*self.mixed.between, *self.mixed.subjects]
        rows = [
            (group, features[j] if j >= 0 else "intercept", float(value))
            for (group, j), value in zip(terms, values, strict=True)
        ]
        rows.append(("residual", "", self.mixed.residual))
        return pd.DataFrame(rows, columns=["group", "term", "estimate"])

    def interval(
        self, *, method: str | None = None, confidence: float | None = None
    ) -> PooledCoefficientResult:
        """Return the result with intervals at another level.

        Parameters
        ----------
        method : None
            Not used: there is one method.
        confidence : float, optional
            By default unchanged.
        """
        if method is not None:
            raise DataError("the intervals of pooled slopes have one method")
        level = self.confidence if confidence is None else confidence_level(confidence)
        return replace(self, confidence=level)

    @drawn("contexts and features")
    def plot(
        self, *, names: Mapping[str, str] | None = None, width_mm: float = FULL_WIDTH_MM
    ) -> Figure:
        """Draw separate and pooled slopes, with arrows from the first to the second.

        There is a panel per feature, with a row per context and a line at the common slope.
        """
        return pooled_figure(
            self.tidy(), self.variation(), names=names, confidence=self.confidence,
            width_mm=width_mm,
        )  # fmt: skip

    def heading(self) -> str:
        """Return a sentence with the numbers of features, contexts, rows and subjects."""
        d = self.data
        return (
            f"Slopes of {counted(len(d.features), 'feature')} in {len(d.contexts)} contexts, "
            f"pooled in part (REML), from {len(d.y)} rows of {d.n_clusters} subjects "
            f"({d.cluster_name}); {100 * self.confidence:g} % intervals"
        )

    def notes(self) -> tuple[str, ...]:
        """Return what the slopes are, what the intervals assume, and what was left out."""
        found: list[str] = [NOTE_MODEL, NOTE_ESTIMATES, NOTE_INTERVALS]
        found.append(NOTE_SUBJECTS[self.subject_effects])
        if len(self.data.contexts) <= FEW_CONTEXTS:
            found.append(NOTE_FEW_CONTEXTS(n=len(self.data.contexts)))
        if self.data.n_dropped:
            found.append(NOTE_DROPPED(n_dropped=self.data.n_dropped))
        return tuple(found)

    def provenance(self) -> dict[str, Any]:
        """Return method, confidence, criterion, counts and versions."""
        return {
            "confidence": self.confidence,
            "method": "REML",
            "criterion": self.mixed.criterion,
            "subject_effects": self.subject_effects,
            "cluster": self.data.cluster_name,
            "n_clusters": self.data.n_clusters,
            "n_rows": len(self.data.y),
            "n_dropped": self.data.n_dropped,
            "versions": versions("scipy", "pandas"),
        }
