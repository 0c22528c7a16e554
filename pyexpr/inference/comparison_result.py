"""What `compare_models` returns."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from pyexpr.base.errors import DataError, PyexprWarning
from pyexpr.base.results import Result
from pyexpr.base.versions import versions
from pyexpr.core.quantiles import SOME_UNDEFINED
from pyexpr.core.streams import BOOTSTRAP
from pyexpr.inference.comparison_evidence import ErrorsWithin, MetricDraws
from pyexpr.inference.intervals.evidence import Evidence, Intervals
from pyexpr.inference.intervals.methods import compute
from pyexpr.inference.multiplicity import adjust as adjust_family
from pyexpr.inference.quantities import Row
from pyexpr.inference.sign_flip import SignFlipResult, sign_flip_test

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class ComparisonResult(Result):
    """Metrics of models and their differences, with intervals and tests.

    Attributes
    ----------
    rows : tuple of Row
        What each row of the table is: metric, term, context.
    evidence : Evidence
        Estimates, replicates (rows, n_boot) and leave-one-subject-out values.
    intervals : Intervals
        Those of the method and confidence at hand.
    n, n_clusters : (rows,) int64
        Rows of the data and subjects that each row rests on.
    n_used, n_dropped : int
        Rows of the data used, and left out because truth or a model was missing.
    clusters : list
        Labels of the subjects, sorted.
    """

    rows: tuple[Row, ...]
    evidence: Evidence
    intervals: Intervals
    n: NDArray[np.int64]
    n_clusters: NDArray[np.int64]
    n_used: int
    n_dropped: int
    clusters: tuple[Any, ...]
    cluster_name: str
    draws: MetricDraws

    def tidy(self) -> pd.DataFrame:
        """Return one row per metric, term and context.

        Columns: metric, term (a model, or ``"p - q"``), context (a label, ``"all"``,
        or ``"a - b"``), estimate, std_error (of the quantity itself), statistic, df,
        p_value, conf_low, conf_high, method, n, n_clusters, n_undefined, reason; once
        adjusted also p_adjusted and adjustment.
        """
        import pandas as pd

        found = self.intervals
        table = pd.DataFrame(
            {
                "metric": [row.metric for row in self.rows],
                "term": [row.term for row in self.rows],
                "context": [row.context for row in self.rows],
                "estimate": self.evidence.estimate,
                "std_error": found.std_error,
                "statistic": found.statistic,
                "df": found.df,
                "p_value": found.p_value,
                "conf_low": found.low,
                "conf_high": found.high,
                "method": found.method,
                "n": self.n,
                "n_clusters": self.n_clusters,
                "n_undefined": found.n_undefined,
                "reason": found.reason,
            }
        )
        if found.adjustment is not None:
            table["p_adjusted"], table["adjustment"] = found.p_adjusted, found.adjustment
        return table

    @property
    def replicates(self) -> NDArray[np.float64]:
        """Return the bootstrap replicates, (n_boot, rows of tidy); NaN where undefined."""
        view = self.evidence.replicates.T
        view.flags.writeable = False
        return view

    @property
    def n_boot(self) -> int:
        """Return the number of replicates."""
        return int(self.evidence.replicates.shape[1])

    def interval(
        self, *, method: str | None = None, confidence: float | None = None
    ) -> ComparisonResult:
        """Return the same comparison with other intervals, from the same draws.

        Parameters
        ----------
        method : str, optional
            As for `compare_models`; by default the recommended one.
        confidence : float, optional
            By default the one at hand.
        """
        level = self.intervals.confidence if confidence is None else confidence
        return self._with_intervals(self.evidence, method, level)

    def extend(self, n: int) -> ComparisonResult:
        """Return the comparison with `n` more replicates: as if asked for at once."""
        if n < 0:
            raise DataError(f"extend() adds replicates; {n} is fewer than none")
        more = self.draws.replicates(self.n_boot, n)
        evidence = replace(
            self.evidence,
            replicates=np.concatenate([self.evidence.replicates, more], axis=1),
            replicate_errors=ErrorsWithin(self.draws, self.n_boot + n),
        )
        return self._with_intervals(evidence, self.method, self.intervals.confidence)

    @property
    def method(self) -> str:
        """Return the method of the intervals."""
        return self.intervals.asked

    def adjust(self, rule: str) -> ComparisonResult:
        """Return the comparison with tests judged together and simultaneous intervals.

        A family is the differences between models of one metric in one context; other
        rows stay as they are.

        Parameters
        ----------
        rule : {"holm", "max_t"}
            ``holm``: p-values by Holm's steps, each interval by the method at hand at
            ``1 - (1 - confidence)/m``, m the number of differences in the family.
            ``max_t``: both from the largest studentised difference of the family in
            each replicate, studentised by the replicate's own standard error.
        """
        families: dict[tuple[str, str], list[int]] = {}
        for i, row in enumerate(self.rows):
            if row.between_models:
                families.setdefault((row.metric, row.context), []).append(i)
        return replace(
            self,
            intervals=adjust_family(
                self.evidence,
                self.intervals,
                [np.array(family) for family in families.values()],
                rule,
            ),
        )

    def sign_flip(self, *, n_flips: int = 10_000) -> SignFlipResult:
        """Test every difference between models by exchanging their predictions.

        In each flip the predictions of the two models are exchanged for some subjects,
        and the difference over its jackknife standard error is computed anew. Exact for
        one hypothesis only: that the two models' predictions are exchangeable within
        subjects. Models that fail in different ways can have equal metrics and still
        not be exchangeable; the test can then call them different too often (up to 14 %
        at a nominal 5 % was seen), and jackknife_t is the one to use.

        For correlations both predictions are standardised before, which leaves the
        correlation as it is; the other metrics judge the unit, and predictions are
        exchanged as they are.

        Parameters
        ----------
        n_flips : int
            Number of random flips where all 2^G, G the number of subjects, are more
            than 100,000.

        Returns
        -------
        SignFlipResult
            With all flips ``p`` is the share of those whose ``|statistic|`` is at least
            that observed (ties within 1e-12 count), else ``(1 + #)/(1 + n_flips)``.
            Models judged by different truths have no test; `reason` says so.

        Notes
        -----
        Checked against ``scipy.stats.permutation_test`` (paired t over subjects), and row by
        row against predictions exchanged in the table.
        """
        return sign_flip_test(
            self.rows,
            self.draws.groups,
            self.evidence.estimate,
            n_flips=n_flips,
            seed=self.draws.seed,
            n_threads=self.draws.n_threads,
        )

    def influence(self) -> pd.DataFrame:
        """Return every quantity without each subject, one row per quantity and subject.

        Columns: metric, term, context, cluster (the subject left out), estimate (without
        it), change (minus the estimate on all), and influence: (G - 1) times the change
        taken off, the empirical influence value; subjects not in a quantity have no row.
        """
        import pandas as pd

        pieces = []
        for group, knife in zip(self.draws.groups, self.evidence.groups, strict=True):
            labels = [self.clusters[i] for i in group.clusters]
            G = len(labels)
            for position, values in zip(group.rows, knife.values, strict=True):
                row = self.rows[position]
                change = values - self.evidence.estimate[position]
                pieces.append(
                    (
                        position,
                        pd.DataFrame(
                            {
                                "metric": row.metric,
                                "term": row.term,
                                "context": row.context,
                                "cluster": labels,
                                "estimate": values,
                                "change": change,
                                "influence": -(G - 1) * change,
                            }
                        ),
                    )
                )
        pieces.sort(key=lambda piece: piece[0])
        return pd.concat([piece for _, piece in pieces], ignore_index=True)

    def _with_intervals(
        self, evidence: Evidence, method: str | None, confidence: float
    ) -> ComparisonResult:
        intervals = compute(evidence, method, confidence)
        warn_of_undefined(intervals, self.rows, evidence.replicates.shape[1])
        return replace(self, evidence=evidence, intervals=intervals)

    def heading(self) -> str:
        """Return what was compared, on how many subjects and rows."""
        models = list(dict.fromkeys(row.term for row in self.rows if row.second is None))
        plural = "s" if len(models) != 1 else ""
        return (
            f"{len(models)} model{plural} compared on {self.n_used} rows of "
            f"{int(self.n_clusters.max())} subjects ({self.cluster_name}); "
            f"{100 * self.intervals.confidence:g} % intervals by {self.method}"
        )

    def provenance(self) -> dict[str, Any]:
        """Return method, confidence, replicates, seed, counts and versions."""
        return {
            "method": self.method,
            "confidence": self.intervals.confidence,
            "n_boot": self.n_boot,
            "seed": self.draws.seed,
            "stream": BOOTSTRAP,
            "cluster": self.cluster_name,
            "n_clusters": int(self.n_clusters.max()),
            "n_rows": self.n_used,
            "n_dropped": self.n_dropped,
            "versions": versions("scipy", "pandas"),
        }

    def notes(self) -> tuple[str, ...]:
        """Return what a reader of the table must know."""
        notes = ["levels of RMSE, NRMSE, MAE and R2 are not tested; differences are, against 0"]
        if self.n_dropped:
            notes.append(
                f"{self.n_dropped} rows were left out because the truth or a prediction is missing"
            )
        if any(row.note for row in self.rows):
            notes.append(
                "differences marked 'different criteria' compare models judged by different truths"
            )
        return tuple(notes)


def warn_of_undefined(intervals: Intervals, rows: Sequence[Row], n_boot: int) -> None:
    """Warn where over 1 % of the replicates that an interval uses are undefined."""
    if intervals.asked == "jackknife_t":
        return  # It uses no replicates.
    many = [
        int(i)
        for i in np.flatnonzero(intervals.n_undefined > SOME_UNDEFINED * n_boot)
        if not np.isnan(intervals.low[i])
    ]
    if many:
        worst = max(many, key=lambda i: int(intervals.n_undefined[i]))
        row = rows[worst]
        warnings.warn(
            f"{row.metric} of {row.term!r} in context {row.context!r} is undefined in "
            f"{intervals.n_undefined[worst]} of {n_boot} replicates, which are left out of its "
            f"interval" + (f" (so are {len(many) - 1} other rows)" if len(many) > 1 else ""),
            PyexprWarning,
            stacklevel=4,
        )
