"""Common base of results of resampling: table, other intervals, more replicates."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Protocol, Self, TypeVar

import numpy as np

from pyexpr.base.checks import further_replicates
from pyexpr.base.errors import DataError, Interrupted, PyexprWarning, SavedResultError, warn_user
from pyexpr.base.interval_methods import DEFAULT, INTERVAL_METHODS
from pyexpr.base.messages import Template, message_column
from pyexpr.base.pairs import DIFFERENCE, KIND
from pyexpr.base.progress import pieces
from pyexpr.base.results import Result
from pyexpr.base.stopping import stoppable
from pyexpr.base.tables import text_columns
from pyexpr.base.versions import versions
from pyexpr.core.streams import BOOTSTRAP
from pyexpr.resampling.equivalence import (
    EquivalenceResult,
    checked_alpha,
    checked_region,
    equivalence_of,
)
from pyexpr.resampling.intervals.evidence import Evidence, Intervals
from pyexpr.resampling.intervals.methods import compute
from pyexpr.resampling.multiplicity import adjust as adjust_families
from pyexpr.resampling.quantiles import SOME_UNDEFINED
from pyexpr.resampling.ranges import check_parts, in_sequence

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

R = TypeVar("R", bound="ReplicatedResult")

# This many replicates, over all rows, are sorted in a fraction of a second.
_SORTED_AT_ONCE = 2_000_000
# Most bytes of replicates that a saved result holds if they can be drawn again.
_KEPT = 1 << 20


_SOME_UNDEFINED = Template(
    "row_undefined_in_replicates",
    "{row} is undefined in {undefined} of {n_boot} replicates, which are left out of its interval"
    "{others}",
)


@dataclass(frozen=True, slots=True)
class Drawn:
    """Replicates (rows, n), and in how many of them computing a row failed, (rows,).

    There are fewer than requested if Ctrl-C was pressed.
    """

    values: NDArray[np.float64]
    n_failed: NDArray[np.int64] | None = None


class Draws(Protocol):
    """The replicates of all rows of a result, any range of them."""

    @property
    def seed(self) -> int:
        """Return the seed of the random draws."""

    @property
    def by_kernel(self) -> bool:
        """Return whether the kernel draws them, which is fast and reproducible."""

    @property
    def clusters(self) -> Sequence[NDArray[np.int64]]:
        """Return, per group of the jackknife, its clusters' positions among all."""

    def replicates(self, first: int, n: int) -> Drawn:
        """Return replicates `first` to ``first + n - 1``."""

    def errors(self, first: int, n: int) -> NDArray[np.float64]:
        """Return the (rows, n) standard errors within them."""


@dataclass(frozen=True, slots=True)
class DrawnAgain:
    """Placeholder in a saved result for `n` replicates, with a checksum of their bytes."""

    n: int
    digest: bytes

    def of(self, draws: Draws) -> NDArray[np.float64]:
        """Return the replicates (rows, n), the first of their seed."""
        values = draws.replicates(0, self.n).values
        if values.shape[1] < self.n:
            raise KeyboardInterrupt
        if _digest(values) != self.digest:
            raise SavedResultError(
                f"the {self.n} replicates of this result are not stored in the file but drawn "
                "again from the seed, and they differ from those of the saved result; load it "
                "with the version of pyexpr that saved it, or compute it again"
            )
        return values


def _digest(values: NDArray[np.float64]) -> bytes:
    return blake2b(np.ascontiguousarray(values).data, digest_size=16).digest()


@dataclass(frozen=True, slots=True)
class ErrorsWithin:
    """The standard errors within `n` replicates from `first` on, when requested."""

    draws: Draws
    n: int
    first: int = 0

    def __call__(self) -> NDArray[np.float64]:
        """Return (rows, n)."""
        return self.draws.errors(self.first, self.n)


def in_pieces(
    n: int, fill: Callable[[int, int], None], *, start: int, show: bool | None = None
) -> int:
    """Call ``fill(first, number)`` until `n` replicates are there, or Ctrl-C is pressed.

    Returns how many there are.
    """
    done = 0
    try:
        with closing(pieces(n, start=start, label="resampling", show=show)) as cut:
            for first, size in cut:
                fill(first, size)
                done = first + size
    except KeyboardInterrupt:
        pass
    return done


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class ReplicatedResult(Result):
    """Quantities with their replicates, and intervals from these or from the jackknife.

    Attributes
    ----------
    evidence : Evidence
        Estimates, replicates (rows, n_boot) and leave-one-cluster-out values.
    intervals : Intervals
        The intervals of the current method and confidence level.
    draws : Draws
        The source of further replicates.
    clusters : tuple
        Labels of the clusters, sorted.
    cluster_name : str
    first_replicate : int
        Number of the first replicate, counted from 0.
    """

    evidence: Evidence
    intervals: Intervals
    draws: Draws
    clusters: tuple[Any, ...]
    cluster_name: str
    first_replicate: int = 0

    @abstractmethod
    def keys(self) -> Mapping[str, Sequence[str]]:
        """Return the columns that name a row."""

    def structure(self) -> Mapping[str, Sequence[str]]:
        """Return the columns that identify a row, in addition to its label."""
        return {}

    def bounds(self) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
        """Return the bounds of the limits, (rows,) each; None if there are none.

        Truncating an interval at the bounds of its quantity does not change its coverage.
        """
        return None

    @abstractmethod
    def counts(self) -> tuple[Any, Any]:
        """Return the numbers of data rows and of clusters on which each row is based."""

    @abstractmethod
    def described(self, row: int) -> str:
        """Return a description of a row."""

    def remarks_on_data(self) -> tuple[str, ...]:
        """Return the notes that hold for every result of these data, such as rows left out."""
        return self.notes()

    @abstractmethod
    def families(self) -> list[NDArray[np.int64]]:
        """Return the positions of the rows of each family for `adjust`."""

    def tidy(self) -> pd.DataFrame:
        """Return one row per quantity, with estimate, interval and test."""
        import pandas as pd

        found, shown = self.intervals, self.evidence.shown
        n, n_clusters = self.counts()
        bounds = self.bounds()
        low, high = (
            limits if bounds is None else np.clip(limits, *bounds)
            for limits in (shown(found.low), shown(found.high))
        )
        keys, structure = self.keys(), self.structure()
        texts = text_columns({**keys, **structure, "method": found.method})
        columns = {
            **{name: texts[name] for name in keys},
            "estimate": shown(self.evidence.estimate),
            "std_error": self.evidence.shown_error(found.std_error),
            "statistic": found.statistic,
            "df": found.df,
            "p_value": found.p_value,
            "conf_low": low,
            "conf_high": high,
            "method": texts["method"],
            "n": n,
            "n_clusters": n_clusters,
            "n_undefined": found.n_undefined,
            "reason": message_column(found.reason),
        }
        if found.adjustment is not None:
            columns |= {"p_adjusted": found.p_adjusted, "adjustment": found.adjustment}
        return pd.DataFrame({**columns, **{name: texts[name] for name in structure}})

    def printed(self) -> pd.DataFrame:
        """Return the table for printing, in which labels identify the rows."""
        return self.tidy().drop(columns=list(self.structure()))

    def for_saving(self) -> Self:
        """Return what is saved. Many replicates of the kernel are drawn again instead of saved.

        Those of a later range are saved, because another machine has drawn them so that the machine
        that joins them does not have to.
        """
        values = self.evidence.replicates
        if values.nbytes <= _KEPT or not self.draws.by_kernel or self.first_replicate:
            return self
        again: Any = DrawnAgain(values.shape[1], _digest(values))
        return replace(self, evidence=replace(self.evidence, replicates=again))

    def after_loading(self) -> Self:
        """Return the result on which `for_saving` was called."""
        again: Any = self.evidence.replicates
        if not isinstance(again, DrawnAgain):
            return self
        return replace(self, evidence=replace(self.evidence, replicates=again.of(self.draws)))

    @property
    def replicates(self) -> NDArray[np.float64]:
        """Return the bootstrap replicates, (n_boot, rows of tidy); NaN if undefined."""
        view = self.evidence.shown(self.evidence.replicates).T
        view.flags.writeable = False
        return view

    @property
    def n_boot(self) -> int:
        """Return the number of replicates."""
        return int(self.evidence.replicates.shape[1])

    @property
    def method(self) -> str:
        """Return the method of the intervals."""
        return self.intervals.requested

    @stoppable("intervals were computed", kept="the result is as it was")
    def interval(self, *, method: str | None = None, confidence: float | None = None) -> Self:
        """Return the result with other intervals, from the same draws.

        Parameters
        ----------
        method : str, optional
            As for the function that returned the result; by default unchanged.
        confidence : float, optional
            By default unchanged.
        """
        level = self.intervals.confidence if confidence is None else confidence
        return with_intervals(self, method or self.method, level, self.intervals.rule)

    @stoppable("replicates were added", kept="the result is as it was", returns_figure=True)
    def extend(self, n: int) -> Self:
        """Return the result with `n` more replicates, as if all had been requested at once.

        Raises
        ------
        Interrupted
            If Ctrl-C is pressed. Its ``result`` holds the replicates computed until then.
        """
        n = further_replicates(n)
        more = self.draws.replicates(self.first_replicate + self.n_boot, n)
        return completed(
            self._with_more([(more.values, more.n_failed)]),
            self.n_boot + n,
            self.method,
            self.intervals.confidence,
            self.intervals.rule,
        )

    @stoppable("results were joined", kept="the results are as they were")
    def join(self, *others: Self) -> Self:
        """Return the result with the replicates of others; see `pyexpr.join`."""
        for other in others:
            options = [
                ("seed", self.draws.seed, other.draws.seed),
                ("method", self.method, other.method),
                ("confidence", self.intervals.confidence, other.intervals.confidence),
                ("adjust", self.intervals.rule, other.intervals.rule),
            ]
            check_parts(self, other, options, by_kernel=self.draws.by_kernel)
        first, *rest = in_sequence([self, *others])
        whole = first._with_more([(one.evidence.replicates, one.evidence.n_failed) for one in rest])
        return with_intervals(whole, self.method, self.intervals.confidence, self.intervals.rule)

    def _with_more(
        self, more: Sequence[tuple[NDArray[np.float64], NDArray[np.int64] | None]]
    ) -> Self:
        """Return the result with further replicates, its intervals not computed again."""
        old = self.evidence
        values = np.concatenate([old.replicates, *(values for values, _ in more)], axis=1)
        failed = old.n_failed
        for _, added in more:
            if failed is not None and added is not None:
                failed = failed + added
        errors = ErrorsWithin(self.draws, values.shape[1], self.first_replicate)
        return replace(
            self,
            evidence=replace(old, replicates=values, replicate_errors=errors, n_failed=failed),
        )

    @stoppable("tests were adjusted together", kept="the result is as it was")
    def adjust(self, rule: str) -> Self:
        """Return the result with adjusted p-values and simultaneous intervals.

        Parameters
        ----------
        rule : {"holm", "max_t"}
            ``holm``: p-values are adjusted by Holm's method, and each interval of the current
            method has the level ``1 - (1 - confidence)/m``, where m is the number of tests in the
            family (Bonferroni). An interval may therefore include 0 although the adjusted p-value
            is below the significance level. ``max_t``: p-values and intervals are those of
            jackknife_t, whatever the current method, based on the largest test statistic of the
            family. Each t statistic is transformed to the normal scale with its own degrees of
            freedom, and the largest is compared with normal numbers that have the correlations of
            the subjects' influences on the estimates (9,999 draws).
        """
        return with_intervals(self, self.method, self.intervals.confidence, rule)

    @stoppable("equivalence was tested", kept="the result is as it was")
    def equivalence(self, region: Any, *, alpha: float = 0.05) -> EquivalenceResult:
        """Test whether quantities are practically equal, by two one-sided tests.

        A difference that is not significant is not thereby shown to be small. This test shows it:
        a quantity is equivalent to the region at the level `alpha` if its interval with confidence
        ``1 - 2 alpha`` lies within the region.

        Parameters
        ----------
        region : (float, float) or mapping
            Lowest and highest value that is practically equal, in units of the quantity, such as
            ``(-0.02, 0.02)``. It must be chosen before the data are seen. A mapping gives the
            region of each metric, and other metrics are left out.
        alpha : float
            Level of each one-sided test.

        Returns
        -------
        EquivalenceResult
            Tests of the differences, without ratios; for `cluster_bootstrap` and factor models, of
            all quantities. The method of the intervals is that of this result.

        Raises
        ------
        DataError
            If the region is not two numbers in ascending order, or names an unknown metric.

        Notes
        -----
        The p-value is the larger of the two one-sided ones, and is not adjusted for several rows.

        References
        ----------
        Schuirmann, D. J. (1987). Journal of Pharmacokinetics and Biopharmaceutics, 15, 657-680.
        https://doi.org/10.1007/BF01068419
        """
        keys, structure = self.keys(), self.structure()
        names = keys.get("metric", [""] * len(self.evidence.estimate))
        kinds = structure.get(KIND, [DIFFERENCE] * len(names))
        by_metric = checked_region(region, names)
        level = checked_alpha(alpha)
        rows = np.array(
            [
                i for i, (name, kind) in enumerate(zip(names, kinds, strict=True))
                if kind == DIFFERENCE and name in by_metric
            ],
            dtype=np.int64,
        )  # fmt: skip
        if not len(rows):
            raise DataError(
                "equivalence is that of differences, but the result has none; compare two or more "
                "models, or contexts"
            )
        low, high = np.array([by_metric[names[row]] for row in rows]).T
        return equivalence_of(
            self.evidence,
            rows,
            (low, high),
            alpha=level,
            method=self.method,
            keys=keys,
            structure=structure,
            remarks=self.remarks_on_data(),
        )

    def influence(self) -> pd.DataFrame:
        """Return every quantity without each cluster, one row per quantity and cluster.

        Columns: those that name the quantity, cluster (the one left out), estimate
        (without it), change (the difference from the estimate of all clusters), and influence, the
        empirical influence value, which is -(G - 1) times the change. Clusters that do not
        contribute to a quantity have no row. With strata, the other clusters of the stratum get the
        weight ``G_h/(G_h - 1)``, and influence is ``-G (G_h - 1)/G_h`` times the change. If rows
        belong to two clusters, cluster is a person, or a label of either of two crossed columns.
        """
        import pandas as pd

        keys, structure = self.keys(), self.structure()
        estimate = self.evidence.shown(self.evidence.estimate)
        pieces = []
        for clusters, jackknife in zip(self.draws.clusters, self.evidence.groups, strict=True):
            labels = [self.clusters[i] for i in clusters]
            shown = self.evidence.shown(jackknife.values, rows=jackknife.rows)
            sizes = np.repeat(jackknife.strata, jackknife.strata)
            factor = len(labels) * (sizes - 1) / sizes
            if jackknife.crossing is not None:
                factor = sizes - 1
            for position, values in zip(jackknife.rows, shown, strict=True):
                change = values - estimate[position]
                columns = {
                    **{name: column[position] for name, column in keys.items()},
                    "cluster": labels,
                    "estimate": values,
                    "change": change,
                    "influence": -factor * change,
                    **{name: column[position] for name, column in structure.items()},
                }
                pieces.append((position, pd.DataFrame(columns)))
        pieces.sort(key=lambda piece: piece[0])
        return pd.concat([piece for _, piece in pieces], ignore_index=True)

    def warn_of_undefined(self) -> None:
        """Warn if replicates on which an interval is based are undefined."""
        found, n_boot = self.intervals, self.n_boot
        if not INTERVAL_METHODS[found.requested].draws:
            return
        many = np.flatnonzero((found.n_undefined > SOME_UNDEFINED * n_boot) & ~np.isnan(found.low))
        if len(many):
            worst = int(many[np.argmax(found.n_undefined[many])])
            warn_user(
                _SOME_UNDEFINED(
                    row=self.described(worst),
                    undefined=found.n_undefined[worst],
                    n_boot=n_boot,
                    others=f" (so are {len(many) - 1} other rows)" if len(many) > 1 else "",
                ),
                PyexprWarning,
            )

    def provenance(self) -> dict[str, Any]:
        """Return method, confidence, replicates, seed, counts and versions."""
        n, n_clusters = self.counts()
        return {
            "method": self.method,
            "confidence": self.intervals.confidence,
            "n_boot": self.n_boot,
            "first_replicate": self.first_replicate,
            "seed": self.draws.seed,
            "stream": BOOTSTRAP,
            "cluster": self.cluster_name,
            "n_clusters": int(np.max(n_clusters)),
            "n_rows": int(np.max(n)),
            "versions": versions("scipy", "pandas"),
        }


def with_intervals(result: R, method: str | None, confidence: float, rule: str | None) -> R:
    """Return the result with intervals of this method, adjusted by this rule."""
    intervals = compute(result.evidence, method, confidence)
    if rule is not None:
        intervals = adjust_families(
            result.evidence, intervals, result.families(), rule, result.draws.seed
        )
    found = replace(result, intervals=intervals)
    found.warn_of_undefined()
    return found


def _is_fast(result: ReplicatedResult, method: str | None) -> bool:
    """Say whether intervals by this method take a fraction of a second."""
    known = INTERVAL_METHODS[method or DEFAULT]
    # An error within each replicate takes longer than the replicates did.
    quick = not known.errors_within and result.evidence.replicates.size <= _SORTED_AT_ONCE
    return quick or not known.draws


def completed(result: R, wanted: int, method: str | None, confidence: float, rule: str | None) -> R:
    """Return the result with its intervals, or pass on what was computed before Ctrl-C.

    Raises
    ------
    Interrupted
        If there are fewer than `wanted` replicates, or Ctrl-C is pressed now.
    """
    made = result.n_boot
    if made < wanted and not _is_fast(result, method):
        method = DEFAULT
    try:
        kept = with_intervals(result, method, confidence, rule)
    except (DataError, KeyboardInterrupt) as error:
        if made == wanted and isinstance(error, DataError):
            raise
        # Too few replicates for this method, or Ctrl-C was pressed while it ran.
        kept = with_intervals(result, DEFAULT, confidence, None)
    else:
        if made == wanted:
            return kept
    raise stopped(made, wanted, kept, by=f", by {kept.method},") from None


def stopped(made: int, wanted: int, kept: Result, *, by: str = "") -> Interrupted:
    """Return the exception with the result so far: `made` of `wanted` replicates."""
    rest = f"; .result.extend({wanted - made}) draws the remaining ones" if made < wanted else ""
    return Interrupted(
        f"stopped by Ctrl-C after {made} of {wanted} replicates, and nothing is lost: the "
        f"result so far{by} is the .result of this exception{rest}",
        kept,
    )
