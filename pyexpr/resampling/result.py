"""What results of resampling have in common: table, other intervals, more replicates."""

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
from pyexpr.base.progress import pieces
from pyexpr.base.results import Result
from pyexpr.base.stopping import stoppable
from pyexpr.base.versions import versions
from pyexpr.core.streams import BOOTSTRAP
from pyexpr.resampling.intervals.evidence import Evidence, Intervals
from pyexpr.resampling.intervals.methods import compute
from pyexpr.resampling.multiplicity import adjust as adjust_families
from pyexpr.resampling.quantiles import SOME_UNDEFINED

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

R = TypeVar("R", bound="ReplicatedResult")

# So many replicates, all rows together, are sorted in a fraction of a second.
_SORTED_AT_ONCE = 2_000_000
# Bytes of replicates that a saved result holds where they can be drawn again.
_KEPT = 1 << 20


_SOME_UNDEFINED = Template(
    "row_undefined_in_replicates",
    "{row} is undefined in {undefined} of {n_boot} replicates, which are left out of its interval"
    "{others}",
)


@dataclass(frozen=True, slots=True)
class Drawn:
    """Replicates (rows, n), and in how many of them computing a row failed, (rows,).

    Fewer than were asked for if Ctrl-C was pressed meanwhile.
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
        """Return whether the kernel draws them: soon, and the same bytes every time."""

    @property
    def clusters(self) -> Sequence[NDArray[np.int64]]:
        """Return, per group of the jackknife, its clusters' positions among all."""

    def replicates(self, first: int, n: int) -> Drawn:
        """Return replicates `first` to ``first + n - 1``."""

    def errors(self, first: int, n: int) -> NDArray[np.float64]:
        """Return the (rows, n) standard errors within them."""


@dataclass(frozen=True, slots=True)
class DrawnAgain:
    """Stands in a saved result for `n` replicates, of which the sum of the bytes is known."""

    n: int
    digest: bytes

    def of(self, draws: Draws) -> NDArray[np.float64]:
        """Return the replicates (rows, n)."""
        values = draws.replicates(0, self.n).values
        if values.shape[1] < self.n:
            raise KeyboardInterrupt
        if _digest(values) != self.digest:
            raise SavedResultError(
                f"the {self.n} replicates of this result are not in the file: they are drawn again "
                "from the seed, and come out otherwise here than where it was saved; read it with "
                "the version of pyexpr that saved it, or compute it again"
            )
        return values


def _digest(values: NDArray[np.float64]) -> bytes:
    return blake2b(np.ascontiguousarray(values).data, digest_size=16).digest()


@dataclass(frozen=True, slots=True)
class ErrorsWithin:
    """The standard errors within the first `n` replicates, when asked for."""

    draws: Draws
    n: int

    def __call__(self) -> NDArray[np.float64]:
        """Return (rows, n)."""
        return self.draws.errors(0, self.n)


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
        Those of the method and confidence at hand.
    draws : Draws
        Makes more replicates.
    clusters : tuple
        Labels of the clusters, sorted.
    cluster_name : str
    """

    evidence: Evidence
    intervals: Intervals
    draws: Draws
    clusters: tuple[Any, ...]
    cluster_name: str

    @abstractmethod
    def keys(self) -> Mapping[str, Sequence[str]]:
        """Return the columns that name a row."""

    def structure(self) -> Mapping[str, Sequence[str]]:
        """Return the columns that say what a row is, where its label alone would."""
        return {}

    def bounds(self) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
        """Return between which values, (rows,) each, limits are shown; None where there are none.

        An interval that is cut to where its quantity can lie holds it as often.
        """
        return None

    @abstractmethod
    def counts(self) -> tuple[Any, Any]:
        """Return the rows of the table and the clusters that each row rests on."""

    @abstractmethod
    def described(self, row: int) -> str:
        """Return what a row is, in words."""

    @abstractmethod
    def families(self) -> list[NDArray[np.int64]]:
        """Return the positions of the rows that `adjust` judges together."""

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
        columns = {
            **self.keys(),
            "estimate": shown(self.evidence.estimate),
            "std_error": self.evidence.shown_error(found.std_error),
            "statistic": found.statistic,
            "df": found.df,
            "p_value": found.p_value,
            "conf_low": low,
            "conf_high": high,
            "method": found.method,
            "n": n,
            "n_clusters": n_clusters,
            "n_undefined": found.n_undefined,
            "reason": message_column(found.reason),
        }
        if found.adjustment is not None:
            columns |= {"p_adjusted": found.p_adjusted, "adjustment": found.adjustment}
        return pd.DataFrame({**columns, **self.structure()})

    def printed(self) -> pd.DataFrame:
        """Return the table as text shows it: labels say what a row is."""
        return self.tidy().drop(columns=list(self.structure()))

    def for_saving(self) -> Self:
        """Return what is saved: many replicates of the kernel are drawn again instead."""
        values = self.evidence.replicates
        if values.nbytes <= _KEPT or not self.draws.by_kernel:
            return self
        again: Any = DrawnAgain(values.shape[1], _digest(values))
        return replace(self, evidence=replace(self.evidence, replicates=again))

    def after_loading(self) -> Self:
        """Return the result that `for_saving` was asked of."""
        again: Any = self.evidence.replicates
        if not isinstance(again, DrawnAgain):
            return self
        return replace(self, evidence=replace(self.evidence, replicates=again.of(self.draws)))

    @property
    def replicates(self) -> NDArray[np.float64]:
        """Return the bootstrap replicates, (n_boot, rows of tidy); NaN where undefined."""
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
        return self.intervals.asked

    @stoppable("intervals were computed", kept="the result is as it was")
    def interval(self, *, method: str | None = None, confidence: float | None = None) -> Self:
        """Return the same with other intervals, from the same draws.

        Parameters
        ----------
        method : str, optional
            As for the function that made the result; by default unchanged.
        confidence : float, optional
            By default unchanged.
        """
        level = self.intervals.confidence if confidence is None else confidence
        return judged(self, method or self.method, level, self.intervals.rule)

    @stoppable("replicates were added", kept="the result is as it was", hands_over=True)
    def extend(self, n: int) -> Self:
        """Return the result with `n` more replicates: as if all had been asked for at once.

        Raises
        ------
        Interrupted
            If Ctrl-C is pressed; its ``result`` has the replicates made until then.
        """
        n = further_replicates(n)
        old, more = self.evidence, self.draws.replicates(self.n_boot, n)
        values = np.concatenate([old.replicates, more.values], axis=1)
        failed = old.n_failed
        if failed is not None and more.n_failed is not None:
            failed = failed + more.n_failed
        evidence = replace(
            old,
            replicates=values,
            replicate_errors=ErrorsWithin(self.draws, values.shape[1]),
            n_failed=failed,
        )
        return completed(
            replace(self, evidence=evidence),
            self.n_boot + n,
            self.method,
            self.intervals.confidence,
            self.intervals.rule,
        )

    @stoppable("tests were judged together", kept="the result is as it was")
    def adjust(self, rule: str) -> Self:
        """Return the result with tests judged together and simultaneous intervals.

        Parameters
        ----------
        rule : {"holm", "max_t"}
            ``holm``: p-values by Holm's steps, each interval by the method at hand at
            ``1 - (1 - confidence)/m``, m the number of tests in the family. That is
            Bonferroni's, so it can hold 0 where the adjusted p is below the level.
            ``max_t``: of jackknife_t, whatever the method at hand, by the largest test of
            the family: each Student's t is brought to the normal scale by its own degrees
            of freedom, and the largest referred to normal numbers that are correlated as
            the subjects' influences on the estimates are (9,999 draws).
        """
        return judged(self, self.method, self.intervals.confidence, rule)

    def influence(self) -> pd.DataFrame:
        """Return every quantity without each cluster, one row per quantity and cluster.

        Columns: those that name the quantity, cluster (the one left out), estimate
        (without it), change (minus the estimate on all), and influence: (G - 1) times
        the change taken off, the empirical influence value; clusters not in a quantity
        have no row. With strata the others of its own weigh ``G_h/(G_h - 1)`` instead of the
        one left out, and influence is ``G (G_h - 1)/G_h`` times the change taken off.
        """
        import pandas as pd

        keys, structure = self.keys(), self.structure()
        estimate = self.evidence.shown(self.evidence.estimate)
        pieces = []
        for clusters, knife in zip(self.draws.clusters, self.evidence.groups, strict=True):
            labels = [self.clusters[i] for i in clusters]
            shown = self.evidence.shown(knife.values, rows=knife.rows)
            sizes = np.repeat(knife.strata, knife.strata)
            factor = len(labels) * (sizes - 1) / sizes
            for position, values in zip(knife.rows, shown, strict=True):
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
        """Warn where replicates that an interval rests on are undefined."""
        found, n_boot = self.intervals, self.n_boot
        if not INTERVAL_METHODS[found.asked].draws:
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
            "seed": self.draws.seed,
            "stream": BOOTSTRAP,
            "cluster": self.cluster_name,
            "n_clusters": int(np.max(n_clusters)),
            "n_rows": int(np.max(n)),
            "versions": versions("scipy", "pandas"),
        }


def judged(result: R, method: str | None, confidence: float, rule: str | None) -> R:
    """Return the result with intervals by this method, adjusted by this rule."""
    intervals = compute(result.evidence, method, confidence)
    if rule is not None:
        intervals = adjust_families(
            result.evidence, intervals, result.families(), rule, result.draws.seed
        )
    found = replace(result, intervals=intervals)
    found.warn_of_undefined()
    return found


def _soon(result: ReplicatedResult, method: str | None) -> bool:
    """Say whether intervals by this method take a fraction of a second."""
    known = INTERVAL_METHODS[method or DEFAULT]
    # An error within each replicate takes longer than the replicates did.
    quick = not known.errors_within and result.evidence.replicates.size <= _SORTED_AT_ONCE
    return quick or not known.draws


def completed(result: R, wanted: int, method: str | None, confidence: float, rule: str | None) -> R:
    """Return the result judged, or hand over what Ctrl-C has left of it.

    Raises
    ------
    Interrupted
        If there are fewer than `wanted` replicates, or Ctrl-C is pressed now.
    """
    made = result.n_boot
    if made < wanted and not _soon(result, method):
        method = DEFAULT
    try:
        kept = judged(result, method, confidence, rule)
    except (DataError, KeyboardInterrupt) as error:
        if made == wanted and isinstance(error, DataError):
            raise
        # Too few replicates for this method, or no patience for it.
        kept = judged(result, DEFAULT, confidence, None)
    else:
        if made == wanted:
            return kept
    raise stopped(made, wanted, kept, by=f", by {kept.method},") from None


def stopped(made: int, wanted: int, kept: Result, *, by: str = "") -> Interrupted:
    """Return the exception that hands over what Ctrl-C has left: `made` of `wanted` replicates."""
    rest = f"; .result.extend({wanted - made}) draws the others" if made < wanted else ""
    return Interrupted(
        f"stopped by Ctrl-C after {made} of {wanted} replicates, and nothing is lost: the "
        f"result so far{by} is the .result of this exception{rest}",
        kept,
    )
