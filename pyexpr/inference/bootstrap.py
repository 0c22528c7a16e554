"""The cluster bootstrap of any statistic, computed by a Python function or a compiled one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from pyexpr.base.errors import DataError
from pyexpr.base.progress import progress as show_progress
from pyexpr.base.results import Result
from pyexpr.base.tables import as_frame, numeric_column
from pyexpr.base.versions import versions
from pyexpr.core import compiled_statistic as native
from pyexpr.core.cluster_bootstrap import draw_counts
from pyexpr.core.compiled_statistic import ClusteredRows
from pyexpr.core.streams import BOOTSTRAP, checked_seed
from pyexpr.inference.clusters import (
    check_enough,
    read_clusters,
    read_strata,
    warn_of_few_subjects,
)
from pyexpr.inference.intervals.evidence import Evidence, Intervals, JackknifeGroup
from pyexpr.inference.intervals.methods import compute
from pyexpr.inference.numba_door import compile_statistic, is_compiled

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import ArrayLike, NDArray

    Statistic = Callable[[Any, NDArray[np.float64]], Any]

_TABLE = "the table"
# Between two calls of the kernel Ctrl-C is heard and the bar moves.
_AT_ONCE = 512


@dataclass(frozen=True, slots=True)
class _NoErrors:
    """Stands where the standard errors within replicates would be."""

    def __call__(self) -> NDArray[np.float64]:
        raise DataError(
            "a studentized interval needs a standard error within each replicate, which a "
            "Python statistic does not give; use 'jackknife_t', 'percentile', 'basic', "
            "'normal' or 'bca'"
        )


@dataclass(frozen=True, slots=True)
class BootstrapResult(Result):
    """Statistics of a table with intervals from resampling whole clusters.

    Attributes
    ----------
    terms : tuple of str
        Names of the statistics.
    evidence : Evidence
        Estimates, replicates (terms, n_boot) and leave-one-cluster-out values.
    intervals : Intervals
        Those of the method and confidence at hand.
    """

    terms: tuple[str, ...]
    evidence: Evidence
    intervals: Intervals
    n: int
    n_clusters: int
    cluster_name: str
    seed: int

    def tidy(self) -> pd.DataFrame:
        """Return one row per statistic.

        Columns: term, estimate, std_error, statistic, df, p_value, conf_low, conf_high,
        method, n, n_clusters, n_undefined, reason.
        """
        import pandas as pd

        found = self.intervals
        return pd.DataFrame(
            {
                "term": list(self.terms),
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

    @property
    def replicates(self) -> NDArray[np.float64]:
        """Return the bootstrap replicates, (n_boot, terms); NaN where undefined."""
        view = self.evidence.replicates.T
        view.flags.writeable = False
        return view

    def interval(
        self, *, method: str | None = None, confidence: float | None = None
    ) -> BootstrapResult:
        """Return the same statistics with other intervals, from the same draws.

        `method` and `confidence` are as in `cluster_bootstrap`; None keeps what it is.
        """
        level = self.intervals.confidence if confidence is None else confidence
        return replace(self, intervals=compute(self.evidence, method, level))

    def heading(self) -> str:
        """Return what was computed from how many rows and clusters."""
        return (
            f"Cluster bootstrap of {self.n} rows of {self.n_clusters} clusters "
            f"({self.cluster_name}); {100 * self.intervals.confidence:g} % intervals by "
            f"{self.intervals.asked}"
        )

    def provenance(self) -> dict[str, Any]:
        """Return method, confidence, replicates, seed, counts and versions."""
        return {
            "method": self.intervals.asked,
            "confidence": self.intervals.confidence,
            "n_boot": self.evidence.replicates.shape[1],
            "seed": self.seed,
            "stream": BOOTSTRAP,
            "cluster": self.cluster_name,
            "n_clusters": self.n_clusters,
            "n_rows": self.n,
            "versions": versions("scipy", "pandas"),
        }


def cluster_bootstrap(
    table: Any,
    statistic: Statistic | Mapping[str, Statistic],
    *,
    columns: str | Sequence[str] | None = None,
    compiled: bool | None = None,
    cluster: str | ArrayLike | None,
    n_boot: int = 2000,
    method: str | None = None,
    confidence: float = 0.95,
    null: float | None = None,
    stratify: str | ArrayLike | None = None,
    seed: int = 0,
    n_threads: int | None = None,
    progress: bool | None = None,
) -> BootstrapResult:
    """Bootstrap any statistic over whole clusters.

    Parameters
    ----------
    table : DataFrame
        All its rows go to the statistic.
    statistic : callable, or mapping of names to compiled callables
        Called as ``statistic(rows, weights)``: the table, and how often each row's
        cluster was drawn, (n,) float64 (all 1 for the estimate, 0 for the cluster left
        out by the jackknife). Returns a number, or a mapping of names to numbers; NaN
        where undefined. A statistic that takes no weights can repeat the rows:
        ``rows.loc[rows.index.repeat(weights.astype(int))]``.

        A function compiled by ``numba.njit`` is called by the kernel, in several threads
        and without Python: ``statistic(rows, weights)`` with `rows` (columns, n) and
        `weights` (n,) float64, returning a number, a tuple of numbers or an array (n,);
        so is a ``numba.cfunc`` of signature ``float64(CPointer(float64), intp, intp,
        CPointer(float64))``: rows, number of columns, n, weights. It must not write into
        `rows`. An exception inside makes that replicate undefined; ``reason`` counts them.
    columns : str or sequence of str, optional
        For compiled statistics: the columns that are handed over, in this order;
        missing values are NaN.
    compiled : bool, optional
        True compiles a plain function by numba first. By default what numba has compiled
        is called by the kernel and everything else as Python.
    cluster, n_boot, confidence, stratify, seed
        As for `compare_models`; the draws are the same.
    method : {None, "jackknife_t", "percentile", "basic", "normal", "bca"}
        Of the intervals; ``None`` is jackknife_t, on the statistic's own scale.
    null : float, optional
        Value to test; without one there is no p-value.
    n_threads : int, optional
        For compiled statistics, by default one per core; the result does not depend on it.
    progress : bool, optional
        Show a bar; by default on a terminal.

    Returns
    -------
    BootstrapResult

    Raises
    ------
    EngineError
        If `compiled` is True and numba is not installed.
    DataError
        If the statistic returns something else than numbers, other names than on all
        rows, or NaN on all rows; and as for `compare_models`. What the statistic itself
        raises is passed on.

    Notes
    -----
    Davison and Hinkley (1997), section 3.8. Checked against `compare_models`, whose
    replicates it gives for the same statistic and seed.

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
    frame = as_frame(table, what=_TABLE)
    if isinstance(n_boot, bool) or not isinstance(n_boot, (int, np.integer)) or n_boot < 0:
        raise DataError(f"n_boot= must be a whole number of at least 0, not {n_boot!r}")
    if not len(frame):
        raise DataError(f"{_TABLE} has no rows")
    name, codes, labels = read_clusters(frame, cluster, what=_TABLE)
    everywhere = np.ones(len(frame), dtype=bool)
    check_enough(codes, labels, everywhere)
    order, sizes = np.arange(len(labels)), (len(labels),)
    if stratify is not None:
        strata = read_strata(frame, stratify, codes, labels, everywhere, what=_TABLE)
        order = np.argsort(strata, kind="stable")
        sizes = tuple(np.unique(strata, return_counts=True)[1].tolist())
    # Position of each row's cluster among the clusters sorted by stratum.
    position = np.argsort(order, kind="stable")[codes]

    found = _resample(
        frame,
        statistic,
        columns,
        compiled,
        _Plan(position, sizes, int(n_boot), checked_seed(seed), n_threads, progress),
    )
    warn_of_few_subjects(np.array([len(labels)]))
    Q = len(found.terms)
    evidence = Evidence(
        estimate=found.estimate,
        scale=["identity"] * Q,
        simple_df=np.zeros(Q, dtype=bool),
        null=np.full(Q, np.nan if null is None else float(null)),
        replicates=found.replicates,
        groups=[JackknifeGroup(np.arange(Q), found.without, sizes)],
        reason=found.reason,
        replicate_errors=_NoErrors(),
        n_threads=n_threads,
    )
    return BootstrapResult(
        found.terms,
        evidence,
        compute(evidence, method, confidence),
        len(frame),
        len(labels),
        name,
        checked_seed(seed),
    )


# --- evaluating the statistic --------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Plan:
    """Which clusters are drawn how often: `position` is each row's cluster, by stratum."""

    position: NDArray[np.int64]
    strata: tuple[int, ...]
    n_boot: int
    seed: int
    n_threads: int | None
    progress: bool | None


@dataclass(frozen=True, slots=True)
class _Found:
    terms: tuple[str, ...]
    estimate: NDArray[np.float64]
    replicates: NDArray[np.float64]  # (terms, n_boot)
    without: NDArray[np.float64]  # (terms, clusters)
    reason: list[str]


def _resample(
    frame: pd.DataFrame,
    statistic: Statistic | Mapping[str, Statistic],
    columns: str | Sequence[str] | None,
    compiled: bool | None,
    plan: _Plan,
) -> _Found:
    named = statistic if isinstance(statistic, Mapping) else {"statistic": statistic}
    by_numba = [is_compiled(one) for one in named.values()]
    if compiled or (compiled is None and by_numba and all(by_numba)):
        found = _compiled(frame, named, columns, plan)
    elif isinstance(statistic, Mapping):
        raise DataError(
            "statistic= is a mapping, which is for functions that numba has compiled; let one "
            "function return a mapping, or ask for compiled=True"
        )
    else:
        if columns is not None:
            raise DataError(
                "columns= is for compiled statistics; a Python function gets the whole table"
            )
        found = _called(frame, statistic, plan)
    return found


def _checked_estimate(estimate: NDArray[np.float64], terms: Sequence[str]) -> None:
    for term, at_all in zip(terms, estimate, strict=True):
        if np.isnan(at_all):
            raise DataError(f"the statistic {term!r} is not defined on the table itself")


def _called(frame: pd.DataFrame, statistic: Statistic, plan: _Plan) -> _Found:
    """Call a Python function for every replicate and without every cluster."""
    estimate, terms = _named(statistic(frame, np.ones(len(frame))))
    _checked_estimate(estimate, terms)

    def value(counts: NDArray[np.float64]) -> NDArray[np.float64]:
        values, names = _named(statistic(frame, counts[plan.position]))
        if names != terms:
            raise DataError(f"the statistic returned {names} in a replicate, {terms} on all rows")
        return values

    n_boot, n_clusters = plan.n_boot, sum(plan.strata)
    n_all = n_boot + n_clusters
    replicates = np.empty((len(terms), n_boot))
    without = np.empty((len(terms), n_clusters))
    counts = draw_counts(plan.strata, n_boot, seed=plan.seed).astype(np.float64)
    for i in show_progress(range(n_all), total=n_all, label="resampling", show=plan.progress):
        if i < n_boot:
            replicates[:, i] = value(counts[i])
        else:
            left = np.ones(n_clusters)
            left[i - n_boot] = 0
            without[:, i - n_boot] = value(left)
    return _Found(terms, estimate, replicates, without, [""] * len(terms))


def _compiled(
    frame: pd.DataFrame,
    named: Mapping[str, Statistic],
    columns: str | Sequence[str] | None,
    plan: _Plan,
) -> _Found:
    """Let the kernel call compiled functions."""
    if columns is None:
        raise DataError(
            "a compiled statistic gets arrays: name them, in order, as columns=['y', 'p']"
        )
    names = [columns] if isinstance(columns, str) else list(columns)
    values = np.array([numeric_column(frame, name, what=_TABLE) for name in names])
    rows = np.ascontiguousarray(values.reshape(len(names), len(frame)))
    before = rows.copy()
    functions, estimates, terms = [], [], []
    for name, one in named.items():
        function, at_all = compile_statistic(str(name), one, rows)
        functions.append(function)
        estimates.append(at_all)
        single = function.n_values == 1
        terms += [str(name)] if single else [f"{name}_{i + 1}" for i in range(len(at_all))]
    estimate = np.concatenate(estimates)
    _checked_estimate(estimate, terms)

    data = ClusteredRows(rows, np.ascontiguousarray(plan.position), plan.strata)
    pieces = [np.empty((len(terms), 0))]
    failed = np.zeros(len(functions), dtype=np.int64)
    starts = range(0, plan.n_boot, _AT_ONCE)
    for first in show_progress(starts, total=len(starts), label="resampling", show=plan.progress):
        piece, marks = native.replicates(
            functions,
            data,
            min(_AT_ONCE, plan.n_boot - first),
            seed=plan.seed,
            first=first,
            n_threads=plan.n_threads,
        )
        pieces.append(piece)
        failed += marks.sum(axis=1)
    without, _ = native.leave_one_out(functions, data, n_threads=plan.n_threads)
    if not np.array_equal(rows, before, equal_nan=True):
        raise DataError(
            "a compiled statistic wrote into its rows, which all replicates share; let it work "
            "on a copy"
        )
    reason = []
    for function, n_failed in zip(functions, failed, strict=True):
        text = f"raised an exception in {n_failed} of {plan.n_boot} replicates" if n_failed else ""
        reason += [text] * function.n_values
    return _Found(tuple(terms), estimate, np.concatenate(pieces, axis=1), without, reason)


def _named(found: float | Mapping[str, float]) -> tuple[NDArray[np.float64], tuple[str, ...]]:
    """Return the values of a statistic and their names."""
    items = dict(found) if isinstance(found, Mapping) else {"statistic": found}
    try:
        values = np.array([float(value) for value in items.values()])
    except (TypeError, ValueError):
        raise DataError(
            f"a statistic must return a number or a mapping of names to numbers, not {found!r}"
        ) from None
    if not items:
        raise DataError("the statistic returned an empty mapping")
    return values, tuple(str(key) for key in items)
