"""The cluster bootstrap of any statistic that a Python function computes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from pyexpr.base.errors import DataError
from pyexpr.base.progress import progress as show_progress
from pyexpr.base.results import Result
from pyexpr.base.tables import as_frame
from pyexpr.base.versions import versions
from pyexpr.core.cluster_bootstrap import draw_counts
from pyexpr.core.streams import BOOTSTRAP, checked_seed
from pyexpr.inference.clusters import (
    check_enough,
    read_clusters,
    read_strata,
    warn_of_few_subjects,
)
from pyexpr.inference.intervals import Evidence, Intervals, JackknifeGroup, compute

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import ArrayLike, NDArray

    Statistic = Callable[[pd.DataFrame, NDArray[np.float64]], float | Mapping[str, float]]

_TABLE = "the table"


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
    statistic: Statistic,
    *,
    cluster: str | ArrayLike | None,
    n_boot: int = 2000,
    method: str | None = None,
    confidence: float = 0.95,
    null: float | None = None,
    stratify: str | ArrayLike | None = None,
    seed: int = 0,
    progress: bool | None = None,
) -> BootstrapResult:
    """Bootstrap any statistic over whole clusters.

    Parameters
    ----------
    table : DataFrame
        All its rows go to the statistic.
    statistic : callable
        Called as ``statistic(rows, weights)``: the table, and how often each row's
        cluster was drawn, (n,) float64 (all 1 for the estimate, 0 for the cluster left
        out by the jackknife). Returns a number, or a mapping of names to numbers; NaN
        where undefined. A statistic that takes no weights can repeat the rows:
        ``rows.loc[rows.index.repeat(weights.astype(int))]``.
    cluster, n_boot, confidence, stratify, seed
        As for `compare_models`; the draws are the same.
    method : {None, "jackknife_t", "percentile", "basic", "normal", "bca"}
        Of the intervals; ``None`` is jackknife_t, on the statistic's own scale.
    null : float, optional
        Value to test; without one there is no p-value.
    progress : bool, optional
        Show a bar; by default on a terminal.

    Returns
    -------
    BootstrapResult

    Raises
    ------
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

    estimate, terms = _named(statistic(frame, np.ones(len(frame))))
    for term, at_all in zip(terms, estimate, strict=True):
        if np.isnan(at_all):
            raise DataError(f"the statistic {term!r} is not defined on the table itself")

    def value(counts: NDArray[np.float64]) -> NDArray[np.float64]:
        values, names = _named(statistic(frame, counts[position]))
        if names != terms:
            raise DataError(f"the statistic returned {names} in a replicate, {terms} on all rows")
        return values

    n_all = int(n_boot) + len(labels)
    replicates = np.empty((len(terms), int(n_boot)))
    knife = np.empty((len(terms), len(labels)))
    counts = draw_counts(sizes, int(n_boot), seed=checked_seed(seed)).astype(np.float64)
    for i in show_progress(range(n_all), total=n_all, label="resampling", show=progress):
        if i < n_boot:
            replicates[:, i] = value(counts[i])
        else:
            left = np.ones(len(labels))
            left[i - n_boot] = 0
            knife[:, i - n_boot] = value(left)
    warn_of_few_subjects(np.array([len(labels)]))
    Q = len(terms)
    evidence = Evidence(
        estimate=estimate,
        scale=["identity"] * Q,
        simple_df=np.zeros(Q, dtype=bool),
        null=np.full(Q, np.nan if null is None else float(null)),
        replicates=replicates,
        groups=[JackknifeGroup(np.arange(Q), knife, sizes)],
        reason=[""] * Q,
        replicate_errors=_NoErrors(),
    )
    return BootstrapResult(
        terms,
        evidence,
        compute(evidence, method, confidence),
        len(frame),
        len(labels),
        name,
        checked_seed(seed),
    )


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
