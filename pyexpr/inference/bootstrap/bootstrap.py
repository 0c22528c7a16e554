"""The cluster bootstrap of any statistic."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from pyexpr.base.checks import checked_threads, is_number, whole_number
from pyexpr.base.errors import DataError
from pyexpr.base.interval_methods import DEFAULT, INTERVAL_METHODS
from pyexpr.base.jobs import checked_jobs
from pyexpr.base.messages import Template, say
from pyexpr.base.stopping import stoppable
from pyexpr.base.tables import as_frame, called
from pyexpr.core.streams import checked_seed
from pyexpr.figures.plotting import FULL_WIDTH_MM, drawn
from pyexpr.inference.bootstrap.draws import (
    TABLE,
    Called,
    Compiled,
    Plan,
    StatisticDraws,
    read_statistic,
)
from pyexpr.inference.bootstrap.plot import statistics_figure
from pyexpr.inference.clusters import (
    check_enough,
    read_clusters,
    warn_of_few_clusters,
)
from pyexpr.inference.memberships import check_memberships, note_of, refuse_options
from pyexpr.resampling.intervals.evidence import NO_INTERVALS, Evidence, JackknifeGroup
from pyexpr.resampling.intervals.jackknife import jackknife_of
from pyexpr.resampling.intervals.methods import check_method
from pyexpr.resampling.memberships import Crossing
from pyexpr.resampling.multiplicity import check_rule
from pyexpr.resampling.ranges import note_of_range
from pyexpr.resampling.result import ErrorsWithin, ReplicatedResult, completed
from pyexpr.resampling.strata import read_strata

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure
    from numpy.typing import ArrayLike, NDArray

    from pyexpr.base.foreign import FrameLike
    from pyexpr.inference.bootstrap.draws import Statistic
    from pyexpr.inference.clusters import ClusterColumns

# The standard errors of the jackknife and of the replicates rarely differ by more than this factor
# by chance. In simulated tables of 12 to 60 subjects, normal or heavy-tailed, they did in 1 of 860
# tables for means and correlations, in a third for medians and quantiles, and in two thirds for
# extremes.
_FAR_APART = 1.5
# With fewer clusters the two standard errors differ for any statistic.
_FEWEST = 12
NOTHING_TESTED = say(
    "adjust applies to tests, but nothing was tested; give {null=}, the null value"
)
# Number of replicates that give a standard deviation to within a tenth.
_ENOUGH = 100


_JUMPS = Template(
    "statistic_may_jump",
    "the jackknife's standard error of {statistic} is {ratio:.2g} times that of the "
    "replicates: it may change abruptly if subjects are left out, as medians, quantiles and "
    "extremes do, and jackknife_t is not valid for such statistics; "
    "{call interval(method='percentile')} does not use the jackknife",
    report="the jackknife's standard error of {statistic} is {ratio:.2g} times that of the "
    "replicates: it may change abruptly if subjects are left out, as medians, quantiles "
    "and extremes do, and jackknife-t is not valid for such statistics",
)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class BootstrapResult(ReplicatedResult):
    """Statistics of a table, with intervals from resampling whole clusters.

    Attributes
    ----------
    terms : tuple of str
        Names of the statistics.
    evidence : Evidence
        Estimates, replicates (terms, n_boot) and leave-one-cluster-out values.
    intervals : Intervals
        The intervals of the current method and confidence level.
    n : int
        Rows of the table.
    clusters : tuple
        Labels of the clusters, sorted.
    cluster_name : str
    """

    draws: StatisticDraws
    n: int

    @property
    def terms(self) -> tuple[str, ...]:
        """Return the names of the statistics."""
        return self.draws.terms

    @property
    def n_clusters(self) -> int:
        """Return the number of clusters; with two crossed memberships, the smaller of the two."""
        memberships = self.draws.plan.memberships
        return len(self.clusters) if memberships is None else min(memberships.sizes)

    def tidy(self) -> pd.DataFrame:
        """Return one row per statistic.

        Columns: term, estimate, std_error, statistic, df, p_value, conf_low, conf_high,
        method, n, n_clusters, n_undefined, reason; after `adjust` also p_adjusted and adjustment.
        All statistics are one family.
        """
        return ReplicatedResult.tidy(self)

    def extend(
        self, n: int, *, statistic: Statistic | Mapping[str, Statistic] | None = None
    ) -> BootstrapResult:
        """Return the result with `n` more replicates, as if all had been requested at once.

        Parameters
        ----------
        n : int
            How many more.
        statistic : function or mapping, optional
            The function, required if the result was loaded from a file or a pickle that does not
            contain it. It is called on all rows and must give the same estimates.

        Raises
        ------
        DataError
            If the function is missing, or is a different one.
        Interrupted
            If Ctrl-C is pressed. Its ``result`` holds the replicates computed until then.
        """
        if statistic is None:
            return ReplicatedResult.extend(self, n)
        draws = self.draws.with_statistic(statistic)
        return ReplicatedResult.extend(replace(self, draws=draws), n)

    @drawn("statistics")
    def plot(
        self, *, names: Mapping[Any, str] | None = None, width_mm: float = FULL_WIDTH_MM
    ) -> Figure:
        """Draw every statistic with its interval on a common axis.

        A line marks `null`, if it was given. A limit beyond the axis ends in an arrowhead.

        Examples
        --------
        >>> import numpy as np, pandas as pd
        >>> table = pd.DataFrame({"subject": np.repeat(np.arange(25), 4), "y": np.arange(100) % 17})
        >>> def mean(rows, weights):
        ...     return {"mean_of_y": np.average(rows["y"], weights=weights)}
        >>> figure = cluster_bootstrap(table, mean, cluster="subject", n_boot=99).plot()
        >>> [label.get_text() for label in figure.axes[0].get_yticklabels()]
        ['mean of y']
        """
        return statistics_figure(
                self.tidy(), self.evidence.null, confidence=self.intervals.confidence,
                names=names, width_mm=width_mm,
            )  # fmt: skip

    def keys(self) -> Mapping[str, Sequence[str]]:
        """Return the term of every row."""
        return {"term": list(self.terms)}

    def counts(self) -> tuple[int, int]:
        """Return the numbers of rows and clusters, which are the same for all statistics."""
        return self.n, self.n_clusters

    def described(self, row: int) -> str:
        """Return a description of a row."""
        return say("statistic {term:label}", term=self.terms[row])

    def families(self) -> list[NDArray[np.int64]]:
        """Return all statistics as one family."""
        if np.isnan(self.evidence.null).all():
            raise DataError(NOTHING_TESTED)
        return [np.arange(len(self.terms))]

    def notes(self) -> tuple[str, ...]:
        """Return notes on statistics for which the jackknife may not be valid, and on a range."""
        found = note_of_range(self)
        memberships = self.draws.plan.memberships
        if memberships is not None:
            return (note_of(memberships), *found)
        if self.method != DEFAULT or self.n_boot < _ENOUGH or self.n_clusters < _FEWEST:
            return found
        error, spread = jackknife_of(self.evidence).error, self._spread()
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = error / spread
        jumping = np.flatnonzero((ratio > _FAR_APART) | (ratio < 1 / _FAR_APART)).tolist()
        jumps = (_JUMPS(statistic=self.described(i), ratio=ratio[i]) for i in jumping)
        return (*jumps, *found)

    def _spread(self) -> NDArray[np.float64]:
        """Return the standard deviation of the replicates; NaN if few are defined."""
        values = self.evidence.replicates
        spread = np.full(len(values), np.nan)
        for i, row in enumerate(values):
            defined = row[~np.isnan(row)]
            if len(defined) >= _ENOUGH:
                spread[i] = defined.std(ddof=1)
        return spread

    def heading(self) -> str:
        """Return a sentence with the numbers of rows and clusters."""
        return (
            f"Cluster bootstrap of {self.n} rows of {self.n_clusters} clusters "
            f"({self.cluster_name}); {100 * self.intervals.confidence:g} % intervals by "
            f"{self.method}"
        )


@stoppable("the statistic was resampled", returns_figure=True)
def cluster_bootstrap(
    table: FrameLike,
    statistic: Statistic | Mapping[str, Statistic],
    *,
    columns: str | Sequence[str] | None = None,
    compiled: bool | None = None,
    cluster: ClusterColumns,
    n_boot: int = 2000,
    method: str | None = None,
    confidence: float = 0.95,
    null: float | None = None,
    stratify: str | ArrayLike | None = None,
    adjust: str | None = None,
    seed: int = 0,
    n_threads: int | None = None,
    progress: bool | None = None,
    first_replicate: int = 0,
    n_jobs: int | None = None,
) -> BootstrapResult:
    """Bootstrap any statistic over whole clusters.

    Parameters
    ----------
    table : DataFrame
        The table. All its rows are passed to the statistic.
    statistic : callable, or mapping of names to compiled callables
        Called as ``statistic(rows, weights)``, where `rows` is the table with an index from 0 to
        n - 1, and `weights`, (n,) float64, counts how often the cluster of each row was drawn
        (all 1 for the estimate, 0 for the cluster left out by the jackknife). It returns a
        number, or a mapping of names to numbers; NaN or an infinite value means that the
        statistic is undefined. A statistic that does not accept weights can repeat the rows:
        ``rows.iloc[np.repeat(np.arange(len(rows)), weights.astype(int))]``. Each call gets its own
        copy of the rows, so changes to their columns do not affect other calls.

        A function compiled by ``numba.njit`` is called by the kernel, in several threads
        and without Python: ``statistic(rows, weights)`` with `rows` (columns, n) and
        `weights` (n,) float64, returning a number, a tuple of numbers or an array (n,);
        so is a ``numba.cfunc`` of signature ``float64(CPointer(float64), intp, intp,
        CPointer(float64))``: rows, number of columns, n, weights. It must not write into
        `rows`. An exception inside makes that replicate undefined; ``reason`` counts them.
    columns : str or sequence of str, optional
        For compiled statistics: the columns that are passed, in this order. Missing values are NaN.
        The kernel cannot detect a function that reads beyond these columns.
    compiled : bool, optional
        True compiles a Python function with numba first. By default functions compiled by numba are
        called by the kernel, and all others are called as Python functions.
    cluster, n_boot, confidence, stratify, seed
        As for `compare_models`, also with two columns in `cluster`. The draws are the same.
    method : str, optional
        Method of the intervals: those of `compare_models` except the studentized methods, which
        require a standard error within each replicate. The default is jackknife_t, on the scale of
        the statistic. It assumes a statistic that changes little when one cluster is left out,
        which holds for means, correlations and regression coefficients. For medians, quantiles and
        extremes use ``"percentile"``. `notes` reports if its standard error differs from that of
        the replicates.
    null : float, optional
        Null value of the test. Without it there is no p-value.
    adjust : {None, "holm", "max_t"}
        Adjust the tests of all statistics together; see `BootstrapResult.adjust`. Requires `null`.
    n_threads : int, optional
        Number of threads for compiled statistics, by default one per core. Results do not depend on
        it.
    progress : bool, optional
        Whether to show a progress bar. By default it is shown on a terminal after one second.
    first_replicate : int
        Number of the first replicate, counted from 0, as for `compare_models`.
    n_jobs : int, optional
        For Python functions: in how many processes at a time they are called, as in joblib. None is
        1, -1 is one per processor; ``joblib.parallel_config`` can send ranges of replicates to a
        cluster. Results do not depend on it, unless the function draws random numbers itself.

    Returns
    -------
    BootstrapResult

    Raises
    ------
    Interrupted
        If Ctrl-C is pressed. Its ``result`` holds the replicates computed until then.
    EngineError
        If `compiled` is True and numba is not installed.
    DataError
        If the statistic returns something other than numbers, other names than for all rows, or NaN
        or an infinite value for all rows; and as for `compare_models`. Exceptions raised by the
        statistic are passed on.

    Warns
    -----
    FewSubjectsWarning
        With fewer than 20 clusters.

    Notes
    -----
    Davison and Hinkley (1997), section 3.8. Checked against `compare_models`, which gives the same
    replicates for the same statistic and seed.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> table = pd.DataFrame({"subject": np.repeat(np.arange(25), 4), "y": np.arange(100) % 17})
    >>> def mean(rows, weights):
    ...     return np.average(rows["y"], weights=weights)
    >>> result = cluster_bootstrap(table, mean, cluster="subject", n_boot=99)
    >>> bool(result.tidy()["conf_low"][0] < table["y"].mean() < result.tidy()["conf_high"][0])
    True
    """
    frame = as_frame(table, what=TABLE)
    check_method(method, confidence, n_boot)
    first = whole_number(first_replicate, argument="first_replicate", least=0)
    if null is not None and not is_number(null):
        raise DataError(
            say(
                "{null=} must be a finite number, or {value None} to test nothing, not {given!r}",
                given=null,
            )
        )
    if adjust is not None:
        check_rule(adjust)
        if null is None:
            raise DataError(NOTHING_TESTED)
    n_threads = checked_threads(n_threads)
    checked_jobs(n_jobs)
    if not len(frame):
        raise DataError(f"{called(frame, TABLE)} has no rows")
    name, codes, labels, memberships = read_clusters(frame, cluster, what=TABLE)
    everywhere = np.ones(len(frame), dtype=bool)
    check_enough(codes, labels, everywhere)
    if memberships is not None:
        refuse_options({"stratify": stratify})
        check_memberships(memberships, codes, everywhere)
    order, sizes = np.arange(len(labels)), (len(labels),)
    if stratify is not None:
        strata = read_strata(frame, stratify, codes, labels, everywhere, what=TABLE)
        order = np.argsort(strata, kind="stable")
        sizes = tuple(np.unique(strata, return_counts=True)[1].tolist())
    position = np.argsort(order, kind="stable")[codes]
    plan = Plan(
        position, order, sizes, checked_seed(seed), n_threads, progress, n_jobs, memberships
    )

    draws = read_statistic(frame, statistic, columns, compiled, plan)
    if memberships is not None and not isinstance(draws, Called):
        raise DataError(
            say(
                "compiled statistics need one column in {cluster=}; give a Python function, and "
                "leave out {compiled=}"
            )
        )
    if INTERVAL_METHODS[method or DEFAULT].errors_within:
        draws.errors(0, 0)  # raises an error if there are none, before the work and not after it
    without = draws.without()
    drawn = draws.replicates(first, int(n_boot))
    if memberships is None:
        warn_of_few_clusters(len(labels))
    Q = len(draws.terms)
    evidence = Evidence(
        estimate=draws.estimate,
        scale=["identity"] * Q,
        simple_df=np.zeros(Q, dtype=bool),
        null=np.full(Q, np.nan if null is None else float(null)),
        replicates=drawn.values,
        groups=[_jackknife(draws, without, np.bincount(position))],
        reason=[""] * Q,
        replicate_errors=ErrorsWithin(draws, drawn.values.shape[1], first),
        n_threads=n_threads,
        n_failed=drawn.n_failed,
    )
    result = BootstrapResult(
        evidence=evidence,
        intervals=NO_INTERVALS,
        draws=draws,
        clusters=tuple(labels if memberships is None else memberships.labels),
        cluster_name=name,
        first_replicate=first,
        n=len(frame),
    )
    return completed(result, int(n_boot), method, confidence, adjust)


def _jackknife(
    draws: Called | Compiled, without: NDArray[np.float64], rows: NDArray[np.int64]
) -> JackknifeGroup:
    """Return the statistics without each cluster; `rows` are the rows of each cluster."""
    terms, memberships = np.arange(len(without)), draws.plan.memberships
    if memberships is None:
        return JackknifeGroup(terms, without, draws.plan.strata)
    assert isinstance(draws, Called)
    of_each = np.tile(rows.astype(np.float64), (len(without), 1))
    crossing = Crossing(memberships, draws.without_cells(), of_each)
    return JackknifeGroup(terms, without, memberships.sizes, crossing=crossing)
