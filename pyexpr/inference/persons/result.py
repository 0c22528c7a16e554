"""The result of `person_slopes`: each subject's slope, and how reliable slopes are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from pyexpr.base.checks import confidence_level
from pyexpr.base.errors import DataError
from pyexpr.base.messages import message_column
from pyexpr.base.results import Result
from pyexpr.base.versions import versions
from pyexpr.figures.persons import persons_figure
from pyexpr.figures.plotting import FULL_WIDTH_MM, drawn
from pyexpr.inference.persons.notes import (
    EXPLAINED,
    FEW_SUBJECTS,
    NO_HALVES,
    NOTE_CORRELATIONS,
    NOTE_DROPPED,
    NOTE_RELIABILITY,
    NOTE_SHRUNKEN,
    NOTE_SLOPES,
    NOTE_SUBJECTS,
    NOTE_WITHIN,
)
from pyexpr.inference.persons.reliability import (
    Interval,
    Shrunken,
    halves_of,
    mean_interval,
    reliability_of,
    shrunken,
    spread_interval,
)

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

SLOPE, CORRELATION = "slope", "correlation"
KINDS = (SLOPE, CORRELATION)
# Smallest number of subjects with an estimate, for intervals.
FEWEST_SUBJECTS = 5
JACKKNIFE = "jackknife"
# If the column of subjects had such a name, the table would have two columns of this name.
OF_TABLES = frozenset(
    {
        "estimate", "std_error", "df", "conf_low", "conf_high", "shrunken", "reliability", "n",
        "n_contexts", "reason",
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True, repr=False)
class PersonSlopesResult(Result):
    """Slopes or correlations of each subject, and their reliability.

    Attributes
    ----------
    kind : str
        "slope" or "correlation".
    score, signal, cluster, context : str
        Columns; context is "" if there is none.
    subjects : tuple
        Labels.
    n, n_contexts, df : ndarray of int, shape (G,)
        Rows and contexts of each subject, degrees of freedom of its residuals.
    values : ndarray, shape (G,)
        Slopes, or correlations on the scale atanh(r); NaN if missing.
    variances, moderated : ndarray, shape (G,)
        Error variances of `values`: the subject's own, and those drawn towards that of all
        subjects.
    halves : ndarray, shape (G, 2)
        Values of the odd and of the even rows; NaN if missing.
    ratio : float
        Error variance of all rows divided by that of half of them.
    reasons : tuple of str
        Why a subject has no value.
    n_dropped : int
        Rows without score or signal.
    confidence : float
        Level of the intervals.
    """

    kind: str
    score: str
    signal: str
    cluster: str
    context: str
    subjects: tuple[Any, ...]
    n: NDArray[np.int64]
    n_contexts: NDArray[np.int64]
    df: NDArray[np.int64]
    values: NDArray[np.float64]
    variances: NDArray[np.float64]
    moderated: NDArray[np.float64]
    halves: NDArray[np.float64]
    ratio: float
    reasons: tuple[str, ...]
    n_dropped: int
    confidence: float

    def tidy(self) -> pd.DataFrame:
        """Return one row per subject.

        Columns: that of the subject, estimate (the slope or correlation), std_error (of atanh(r)
        for correlations), df, conf_low, conf_high (Student's t, or Fisher's interval of the
        correlation), shrunken (empirical Bayes), reliability (of the subject's own estimate: its
        weight in the shrunken one), n, n_contexts, reason.
        """
        import pandas as pd
        from scipy.special import ndtri, stdtrit

        known = ~np.isnan(self.values)
        error = np.sqrt(self.variances)
        level = 0.5 + self.confidence / 2
        if self.kind == SLOPE:
            half = stdtrit(np.where(known, self.df, 1), level) * error
        else:
            half = float(ndtri(level)) * error
        own = self._shrunken()
        drawn_in, weight = np.full((2, len(self.n)), np.nan)
        if own is not None:
            drawn_in[known], weight[known] = own.values, own.reliability
        return pd.DataFrame(
            {
                self.cluster: list(self.subjects),
                "estimate": self._shown(self.values),
                "std_error": error,
                "df": np.where(known, self.df, np.nan),
                "conf_low": self._shown(self.values - half),
                "conf_high": self._shown(self.values + half),
                "shrunken": self._shown(drawn_in),
                "reliability": weight,
                "n": self.n,
                "n_contexts": self.n_contexts,
                "reason": message_column(self.reasons),
            }
        )

    def reliability(self) -> pd.DataFrame:
        """Return the mean and the spread of persons, and the reliability of their estimates.

        One row per quantity. Columns: quantity (``mean``; ``std_dev``, the standard deviation of
        the true values between persons; ``reliability``, from the standard errors; ``odd_even``,
        the reliability from the correlation of odd and even rows, stepped up), estimate, conf_low,
        conf_high, n_clusters, method, reason.
        """
        import pandas as pd

        known = ~np.isnan(self.values)
        both = ~np.isnan(self.halves).any(axis=1)
        b, v, n = self.values[known], self.variances[known], int(known.sum())
        few = FEW_SUBJECTS(fewest=FEWEST_SUBJECTS, n=n) if n < FEWEST_SUBJECTS else ""
        nothing = Interval(np.nan, np.nan, np.nan)
        found: dict[str, tuple[Interval, int, str]] = {}
        if few:
            found = dict.fromkeys(("mean", "std_dev", "reliability"), (nothing, n, few))
        else:
            level = self.confidence
            bound = EXPLAINED if b.var(ddof=1) <= v.mean() else ""
            found["mean"] = mean_interval(b, level), n, ""
            found["std_dev"] = spread_interval(b, v, level), n, bound
            found["reliability"] = reliability_of(b, v, level), n, bound
        if int(both.sum()) < FEWEST_SUBJECTS:
            found["odd_even"] = nothing, int(both.sum()), NO_HALVES(fewest=FEWEST_SUBJECTS)
        else:
            odd, even = self.halves[both].T
            interval = halves_of(odd, even, self.ratio, self.confidence)
            found["odd_even"] = interval, int(both.sum()), ""
        rows = []
        for name, (interval, number, reason) in found.items():
            limits = np.array([interval.estimate, interval.low, interval.high])
            if name == "mean":
                limits = self._shown(limits)
            method = "Student's t" if name == "mean" else JACKKNIFE
            rows.append((name, *limits, number, method, reason))
        columns = [
            "quantity", "estimate", "conf_low", "conf_high", "n_clusters", "method", "reason"
        ]  # fmt: skip
        table = pd.DataFrame(rows, columns=columns)
        return table.assign(reason=message_column(row[-1] for row in rows))

    def _shrunken(self) -> Shrunken | None:
        known = ~np.isnan(self.values)
        if known.sum() < FEWEST_SUBJECTS:
            return None
        return shrunken(self.values[known], self.moderated[known])

    def _shown(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.tanh(values) if self.kind == CORRELATION else values

    def interval(
        self, *, method: str | None = None, confidence: float | None = None
    ) -> PersonSlopesResult:
        """Return the result with intervals at another level.

        Parameters
        ----------
        method : None
            Not used: each quantity has one method.
        confidence : float, optional
            By default unchanged.
        """
        if method is not None:
            raise DataError("the intervals of person_slopes() have one method")
        level = self.confidence if confidence is None else confidence_level(confidence)
        return replace(self, confidence=level)

    @drawn("subjects")
    def plot(
        self, *, names: Mapping[Any, str] | None = None, width_mm: float = FULL_WIDTH_MM
    ) -> Figure:
        """Draw the subjects in order of their estimates, with intervals and shrunken values."""
        return persons_figure(
            self.tidy(), self.reliability(), cluster=self.cluster, kind=self.kind,
            signal=self.signal, score=self.score, confidence=self.confidence, names=names,
            width_mm=width_mm,
        )  # fmt: skip

    def heading(self) -> str:
        """Return a sentence that says what was computed."""
        within = f", within {self.context}" if self.context else ""
        between = "on" if self.kind == SLOPE else "with"
        return (
            f"{self.kind.capitalize()} of {self.score} {between} {self.signal} of each "
            f"{self.cluster}{within}; "
            f"{100 * self.confidence:g} % intervals"
        )

    def notes(self) -> tuple[str, ...]:
        """Return what the numbers mean, and what was left out."""
        found: list[str] = []
        if self.kind == SLOPE:
            found.append(NOTE_SLOPES(score=self.score, signal=self.signal))
        else:
            found.append(NOTE_CORRELATIONS)
        if self.context:
            found.append(NOTE_WITHIN)
        found += [NOTE_RELIABILITY, NOTE_SHRUNKEN]
        missing = int(np.isnan(self.values).sum())
        if missing:
            found.append(NOTE_SUBJECTS(n=missing))
        if self.n_dropped:
            found.append(NOTE_DROPPED(n=self.n_dropped))
        return tuple(found)

    def provenance(self) -> dict[str, Any]:
        """Return columns, kind, reliability, counts and versions."""
        return {
            "confidence": self.confidence,
            "kind": self.kind,
            "score": self.score,
            "signal": self.signal,
            "cluster": self.cluster,
            "context": self.context,
            "n_rows": int(self.n.sum()),
            "n_dropped": self.n_dropped,
            "n_clusters": len(self.subjects),
            "reliability": self.reliability().to_dict(orient="records"),
            "versions": versions("scipy"),
        }
