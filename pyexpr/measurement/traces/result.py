"""The result of `trace_reliability`: reliabilities, lags, and the traces behind them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pyexpr.base.errors import DataError
from pyexpr.base.messages import joined, message_column, say
from pyexpr.base.results import Result
from pyexpr.base.versions import versions
from pyexpr.figures.plotting import FULL_WIDTH_MM, drawn
from pyexpr.measurement.icc.forms import FORMS
from pyexpr.measurement.icc.group import ICCGroup
from pyexpr.measurement.icc.intervals import form_row
from pyexpr.measurement.traces.frames import Frames, Rule, Traces
from pyexpr.measurement.traces.notes import (
    CONSTANT,
    NOTE_ALIGNED,
    NOTE_COMMON_LAG,
    NOTE_CONSTANT,
    NOTE_FRAMES,
    NOTE_LEFT_OUT,
    NOTE_LEVELS,
    NOTE_MISSING,
    NOTE_NOT_ALIGNED,
    NOTE_SUBJECTS,
)
from pyexpr.measurement.traces.plot import lags_figure, traces_figure

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

#: The frames of all clips, moments within clips, and the means of clips.
LEVELS = ("frame", "within", "clip")
_FORMS = ("ICC(A,1)", "ICC(A,k)", "ICC(C,1)", "ICC(C,k)")
_FILLED = {
    "linear": "linear interpolation between the means of the values in each frame",
    "previous": "the previous value",
}


@dataclass(frozen=True, slots=True)
class Lag:
    """The lag of one rater in seconds, its error, half its interval, and the correlation there."""

    estimate: float
    error: float
    half: float
    correlation: float
    reason: str

    @property
    def open(self) -> bool:
        """Whether the rater has traces, but no lag."""
        return bool(np.isnan(self.estimate))


@dataclass(frozen=True, slots=True, repr=False)
class TraceReliabilityResult(Result):
    """Reliability of traces, one row per level and form.

    Attributes
    ----------
    traces_read : Traces
        The traces.
    rule : Rule
        How they were resampled.
    used : Frames
        The frames that are used; aligned, if lags were removed.
    groups : tuple of ICCGroup
        The intraclass correlations at each level.
    estimated_lags : tuple of Lag
        Of each rater; empty if none were estimated.
    aligned : bool
        Whether the lags were removed.
    max_lag : float
        Largest lag in seconds.
    k : float or None
        Number of raters to which the average forms refer; None for that of the data.
    confidence : float
        Level of the intervals.
    targets : tuple of str
        Columns of the clips.
    cluster : str
        Column of the subjects.
    """

    traces_read: Traces
    rule: Rule
    used: Frames
    groups: tuple[ICCGroup, ...]
    estimated_lags: tuple[Lag, ...]
    aligned: bool
    max_lag: float
    k: float | None
    confidence: float
    targets: tuple[str, ...]
    cluster: str

    def tidy(self) -> pd.DataFrame:
        """Return one row per level and form.

        Columns: level (``frame``, ``within``, ``clip``), form, estimate, conf_low, conf_high, k
        (number of raters whose mean has this reliability), n_clips, n_frames, n_clusters, method,
        reason.
        """
        import pandas as pd

        n_clips = len(np.unique(self.used.clip))
        rows = []
        for level, group in zip(LEVELS, self.groups, strict=True):
            for name in _FORMS:
                form = FORMS[name]
                # After subtracting the means of traces, raters cannot disagree in level.
                if level != "within" or form.family == "consistency":
                    row = form_row(form, group.signals[form.family], self.k)
                    rows.append(
                        {
                            **row, "level": level, "n_clips": n_clips,
                            "n_frames": len(self.used.clip), "n_clusters": group.n_clusters,
                        }
                    )  # fmt: skip
        table = pd.DataFrame(rows, columns=list(_COLUMNS))
        return table.assign(reason=message_column(row["reason"] for row in rows))

    def lags(self) -> pd.DataFrame:
        """Return the lag of each rater relative to the mean of the raters, in seconds.

        Columns: rater, lag (positive: later than the others), std_error, conf_low, conf_high,
        correlation (mean, with each of the other raters, once the lags are removed), removed,
        reason.
        """
        import pandas as pd

        rows = [
            {
                "rater": label,
                "lag": one.estimate,
                "std_error": one.error,
                "conf_low": one.estimate - one.half,
                "conf_high": one.estimate + one.half,
                "correlation": one.correlation,
                "removed": self.aligned,
                "reason": one.reason,
            }
            for label, one in zip(self.traces_read.raters, self.estimated_lags, strict=False)
        ]
        table = pd.DataFrame(rows, columns=list(_LAGS))
        return table.assign(reason=message_column(row["reason"] for row in rows))

    def traces(self) -> pd.DataFrame:
        """Return one row per trace: what it is based on, and why it is left out.

        Columns: those of ``targets``, rater, n_values, first, last (times in seconds), coverage
        (proportion of the frames of its clip in which it has a value), used, constant, reason.
        """
        import pandas as pd

        rows = []
        for trace, why, share in zip(
            self.traces_read.traces, self.used.reasons, self.used.shares, strict=True
        ):
            some = len(trace.times) > 0
            constant = some and bool(np.ptp(trace.values) == 0)
            rows.append(
                {
                    **dict(zip(self.targets, self.traces_read.clips[trace.clip], strict=True)),
                    "rater": self.traces_read.raters[trace.rater],
                    "n_values": len(trace.times),
                    "first": trace.times[0] if some else np.nan,
                    "last": trace.times[-1] if some else np.nan,
                    "coverage": share,
                    "used": not why,
                    "constant": constant,
                    "reason": why or (CONSTANT if constant else ""),
                }
            )
        table = pd.DataFrame(rows, columns=[*self.targets, *_TRACES])
        return table.assign(reason=message_column(row["reason"] for row in rows))

    def frames(self) -> pd.DataFrame:
        """Return the frames that are used, with a column per rater.

        Columns: those of ``targets``, the subject's column, time (of the middle of the frame, in
        seconds), then a column per rater. Missing values are those of raters without a trace of
        the clip.
        """
        import pandas as pd

        columns: dict[str, Any] = {}
        for i, name in enumerate(self.targets):
            labels = [clip[i] for clip in self.traces_read.clips]
            columns[name] = [labels[code] for code in self.used.clip]
        subjects = self.traces_read.subject_of[self.used.clip]
        columns[self.cluster] = [self.traces_read.subjects[code] for code in subjects]
        columns["time"] = self.used.number / self.rule.rate
        for j, label in enumerate(self.traces_read.raters):
            columns[str(label)] = self.used.table[:, j]
        return pd.DataFrame(columns)

    def mean_trace(self) -> pd.DataFrame:
        """Return the mean of the raters in every frame.

        Columns: those of ``targets``, the subject's column, time, mean, n_raters. Raters' lags are
        removed if `aligned`; their mean levels are not.
        """
        table = self.frames()
        own = [*dict.fromkeys([*self.targets, self.cluster]), "time"]
        there = ~np.isnan(self.used.table)
        mean = np.where(there, self.used.table, 0.0).sum(axis=1) / there.sum(axis=1)
        return table[own].assign(mean=mean, n_raters=there.sum(axis=1))

    @drawn("levels, forms and raters")
    def plot(
        self,
        *,
        lags: bool = False,
        names: Mapping[Any, str] | None = None,
        width_mm: float = FULL_WIDTH_MM,
    ) -> Figure:
        """Draw every reliability with its interval, a panel per level; or the lags of the raters.

        Parameters
        ----------
        lags : bool
            Whether to draw the lags in place of the reliabilities.
        """
        if not lags:
            return traces_figure(
                self.tidy(), confidence=self.confidence, names=names, width_mm=width_mm
            )
        if not self.estimated_lags:
            raise DataError(say("no lags were estimated; give a {max_lag=} above 0"))
        return lags_figure(
            self.lags().rename(columns={"lag": "estimate"}), confidence=self.confidence,
            names=names, width_mm=width_mm,
        )  # fmt: skip

    def heading(self) -> str:
        """Return a sentence that says what was computed."""
        n = len(np.unique(self.used.clip))
        lags = ", lags removed" if self.aligned else ""
        return (
            f"Reliability of the traces of {len(self.traces_read.raters)} raters over {n} clips"
            f"{lags}, {100 * self.confidence:g} % intervals, subjects ({self.cluster}) as clusters"
        )

    def notes(self) -> tuple[str, ...]:
        """Return how traces were resampled and aligned, and what was left out."""
        found: list[str] = [
            NOTE_FRAMES(
                rate=self.rule.rate, filled=_FILLED[self.rule.filling], max_gap=self.rule.max_gap
            )
        ]
        if self.estimated_lags:
            lags = joined(
                [
                    say("{label:label} {lag:.2f} s", label=label, lag=one.estimate)
                    for label, one in zip(self.traces_read.raters, self.estimated_lags, strict=True)
                ],
                by=", ",
            )
            found.append((NOTE_ALIGNED if self.aligned else NOTE_NOT_ALIGNED)(lags=lags))
            found.append(NOTE_COMMON_LAG)
        found += [NOTE_LEVELS, NOTE_SUBJECTS]
        table = self.traces()
        left_out = int((~table["used"]).sum())
        constant = int((table["used"] & table["constant"]).sum())
        if left_out:
            found.append(NOTE_LEFT_OUT(n=left_out))
        if constant:
            found.append(NOTE_CONSTANT(n=constant))
        if self.traces_read.n_missing:
            found.append(NOTE_MISSING(missing=self.traces_read.n_missing))
        return tuple(found)

    def provenance(self) -> dict[str, Any]:
        """Return rate, rules, lags, clusters, level and versions."""
        return {
            "confidence": self.confidence,
            "rate": self.rule.rate,
            "filling": self.rule.filling,
            "max_gap": self.rule.max_gap,
            "min_coverage": self.rule.min_coverage,
            "max_lag": self.max_lag,
            "aligned": self.aligned,
            "lags": {
                str(label): one.estimate
                for label, one in zip(self.traces_read.raters, self.estimated_lags, strict=False)
            },
            "k": self.k,
            "cluster": self.cluster,
            "method": "jackknife_t",
            "versions": versions("scipy"),
        }


_COLUMNS = (
    "level", "form", "estimate", "conf_low", "conf_high", "k", "n_clips", "n_frames", "n_clusters",
    "method", "reason",
)  # fmt: skip
_LAGS = (
    "rater", "lag", "std_error", "conf_low", "conf_high", "correlation", "removed", "reason",
)  # fmt: skip
_TRACES = ("rater", "n_values", "first", "last", "coverage", "used", "constant", "reason")
