"""Metrics bootstrapped over whole clusters: checks of arguments and calls of the kernel.

Most metrics depend on rows only through sums per cluster, so a replicate costs
O(clusters); those of ranks cost O(rows), which are sorted once. Draws are NumPy's Philox numbers
with key (seed, stream) and, for replicate r, counter (0, r, 0, 0); see `pyexpr.core.streams`.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from pyexpr.base.checks import kernel_threads
from pyexpr.core.arrays import for_kernel
from pyexpr.core.extension import kernels
from pyexpr.core.streams import BOOTSTRAP, checked_seed

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

# In the order of the kernel's enumerations.
SUMS = ("n", "d", "dd", "abs_d", "p", "t", "pp", "tt", "pt")
METRICS = (
    "rmse", "mae", "correlation", "concordance", "r2", "bias",
    "mse", "accuracy", "recall", "f1", "kappa", "area", "spearman",
)  # fmt: skip
PARTS = ("pooled", "within", "between")
SCALES = ("identity", "negative_reciprocal", "atanh", "negative_root_complement")

# The sums from which each metric is computed.
NEEDS = {
    "rmse": ("n", "dd"),
    "mae": ("n", "abs_d"),
    "correlation": ("n", "p", "t", "pp", "tt", "pt"),
    "concordance": ("n", "d", "p", "t", "pp", "tt", "pt"),
    "r2": ("n", "dd", "t", "tt"),
    "bias": ("n", "d"),
    "mse": ("n", "dd"),
    "accuracy": ("n", "dd"),
    "recall": ("t", "pt"),
    "f1": ("p", "t", "pt"),
    "kappa": ("n", "p", "t", "pt"),
    "area": ("n",),
    "spearman": ("n",),
}
# Metrics of ranked rows, and of the classes of a column together.
OF_RANKS = frozenset({"area", "spearman"})
# A variance up to this fraction of the squared mean may be rounding of the data, as doubles or as
# single-precision numbers: (2 u / .001)^2, where u is the unit roundoff. Rounding a variable by u
# of its size changes its correlation by at most u size / SD; that bound, over both variables, must
# stay below .001.
LEAST_DOUBLE = (2 * 2.0**-53 / 1e-3) ** 2
LEAST_SINGLE = (2 * 2.0**-24 / 1e-3) ** 2
# Sums that columns with the same truth and rows have in common.
_OF_THE_TRUTH = frozenset({"n", "t", "tt"})


@dataclass(frozen=True, slots=True)
class RankedRows:
    """The rows of one column by rank, for the area under the ROC curve and Spearman.

    Attributes
    ----------
    cluster : (n,) int64
        0 to the number of clusters - 1.
    prediction, truth : (n,) int64
        Dense ranks from 0 on: equal values have equal ranks. Of two classes the truth is 0,
        and 1 for the positive one.
    """

    cluster: NDArray[np.int64]
    prediction: NDArray[np.int64]
    truth: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Column:
    """One column of predictions, summed per cluster.

    Attributes
    ----------
    sums : (9, n_clusters) float64
        Rows in the order of `SUMS`; a cluster without rows has n = 0.
    centres : tuple of float
        Values subtracted from prediction and truth before p and t were summed.
    shared : hashable
        Columns with the same value have the same truth on the same rows.
    least : tuple of float
        For prediction and truth: `LEAST_DOUBLE` or `LEAST_SINGLE`.
    ranked : RankedRows, optional
        For metrics of ranks.
    """

    sums: NDArray[np.float64]
    centres: tuple[float, float]
    shared: Hashable
    least: tuple[float, float] = (LEAST_DOUBLE, LEAST_DOUBLE)
    ranked: RankedRows | None = None

    def of_clusters(self, clusters: NDArray[np.int64]) -> Column:
        """Return the sums, and ranked rows, of some of the clusters, in this order.

        No row may belong to another cluster.
        """
        ranked = self.ranked
        if ranked is not None:
            place = np.full(self.sums.shape[1], -1)
            place[clusters] = np.arange(len(clusters))
            ranked = replace(ranked, cluster=place[ranked.cluster])
        return replace(self, sums=self.sums[:, clusters], ranked=ranked)


class Level(NamedTuple):
    """A metric averaged over columns (by position), divided by `divisor`; or its logarithm.

    The logarithm of an error of 0 is undefined. Each group of `folds` successive columns has the
    folds of one column: their metrics are averaged, weighted by rows, and a fold without rows in a
    replicate is left out. For kappa they are the classes of one column.
    """

    metric: str
    columns: tuple[int, ...]
    divisor: float = 1.0
    logarithm: bool = False
    folds: int = 1


class Quantity(NamedTuple):
    """A level (by position), or the difference of two; `scale` serves studentising."""

    minuend: int
    subtrahend: int | None = None
    scale: str = "identity"


@dataclass(frozen=True, slots=True)
class MetricDesign:
    """Quantities over one set of clusters, and the kernel's computations with them.

    Attributes
    ----------
    columns, levels, quantities
        What to compute; each refers to the one before by position.
    strata : tuple of int
        Numbers of clusters per stratum; clusters are sorted by stratum.
    """

    columns: Sequence[Column]
    levels: Sequence[Level]
    quantities: Sequence[Quantity]
    strata: tuple[int, ...]
    _kernel: Any = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_kernel", _build(self))

    def __reduce__(self) -> tuple[Any, ...]:
        return MetricDesign, (self.columns, self.levels, self.quantities, self.strata)

    def estimate(self) -> NDArray[np.float64]:
        """Return every quantity on all clusters, (quantities,); NaN where undefined."""
        return np.asarray(self._kernel.estimate())

    def alone(self) -> NDArray[np.float64]:
        """Return every quantity on each cluster alone, (quantities, clusters)."""
        return np.asarray(self._kernel.alone())

    def jackknife(self) -> NDArray[np.float64]:
        """Return every quantity without each cluster, (quantities, clusters)."""
        return np.asarray(self._kernel.jackknife())

    def weighted(
        self, counts: NDArray[np.float64], *, n_threads: int | None = None
    ) -> NDArray[np.float64]:
        """Return every quantity for these counts of clusters: (m, clusters) to (quantities, m).

        The bytes do not depend on `n_threads`.
        """
        return np.asarray(self._kernel.weighted(for_kernel(counts), kernel_threads(n_threads)))

    def replicates(
        self,
        n: int,
        *,
        seed: int,
        first: int = 0,
        rows: Sequence[int] | None = None,
        offset: int = 0,
        out: NDArray[np.float64] | None = None,
        n_threads: int | None = None,
    ) -> NDArray[np.float64]:
        """Return replicates `first` to `first + n - 1`, (quantities, n), or fill `out`.

        With `out`, quantity q goes to ``out[rows[q], offset : offset + n]``.
        The bytes do not depend on `n_threads` or on the division of a range.
        """
        return self._fill(self._kernel.replicates, n, seed, first, rows, offset, out, n_threads)

    def standard_errors(
        self,
        n: int,
        *,
        seed: int,
        first: int = 0,
        rows: Sequence[int] | None = None,
        offset: int = 0,
        out: NDArray[np.float64] | None = None,
        n_threads: int | None = None,
    ) -> NDArray[np.float64]:
        """Return the jackknife standard error within each replicate, on each quantity's scale."""
        return self._fill(
            self._kernel.standard_errors, n, seed, first, rows, offset, out, n_threads
        )

    def _fill(
        self,
        method: Any,
        n: int,
        seed: int,
        first: int,
        rows: Sequence[int] | None,
        offset: int,
        out: NDArray[np.float64] | None,
        n_threads: int | None,
    ) -> NDArray[np.float64]:
        if out is None:
            out = np.empty((len(self.quantities), n))
            rows, offset = range(len(self.quantities)), 0
        assert rows is not None
        method(
            checked_seed(seed),
            BOOTSTRAP,
            first,
            n,
            list(rows),
            offset,
            out,
            kernel_threads(n_threads),
        )
        return out


def _build(design: MetricDesign) -> Any:
    needed: list[set[str]] = [set() for _ in design.columns]
    for level in design.levels:
        for index in level.columns:
            needed[index].update(NEEDS[level.metric])
    position: dict[Hashable, int] = {}
    sums: list[NDArray[np.float64]] = []
    column_sums = np.zeros((len(design.columns), len(SUMS)), dtype=np.int64)
    ranked = [column.ranked for column in design.columns if column.ranked is not None]
    place_of_ranks = iter(range(len(ranked)))
    for index, (column, names) in enumerate(zip(design.columns, needed, strict=True)):
        for k, name in enumerate(SUMS):
            if name not in names:
                continue
            key = (name, column.shared if name in _OF_THE_TRUTH else index)
            if key not in position:
                position[key] = len(sums)
                sums.append(column.sums[k])
            column_sums[index, k] = position[key]
    return kernels.MetricDesign(
        sums=for_kernel(np.stack(sums)),
        column_sums=column_sums,
        centres=np.array([column.centres for column in design.columns], dtype=np.float64),
        least=np.array([column.least for column in design.columns], dtype=np.float64),
        levels=[
            (
                METRICS.index(level.metric),
                level.divisor,
                list(level.columns),
                level.logarithm,
                level.folds,
            )
            for level in design.levels
        ],
        quantities=np.array(
            [
                (q.minuend, -1 if q.subtrahend is None else q.subtrahend, SCALES.index(q.scale))
                for q in design.quantities
            ],
            dtype=np.int64,
        ).reshape(-1, 3),
        strata=list(design.strata),
        ranked=[
            [for_kernel(part, np.int64) for part in
             (one.cluster, one.prediction, one.truth)]
            for one in ranked
        ],
        column_ranks=[
            -1 if column.ranked is None else next(place_of_ranks) for column in design.columns
        ],
    )  # fmt: skip


def cluster_sums(
    prediction: ArrayLike,
    truth: ArrayLike,
    cluster: ArrayLike,
    n_clusters: int,
    *,
    part: str = "pooled",
    shared: Hashable = None,
    least: tuple[float, float] = (LEAST_DOUBLE, LEAST_DOUBLE),
) -> Column:
    """Sum one column of predictions per cluster.

    Parameters
    ----------
    prediction, truth : (n,) float
        Both in the same unit. A row in which either is NaN is left out.
    cluster : (n,) int
        0 to ``n_clusters - 1``.
    part : {"pooled", "within", "between"}
        Sums of the rows, of their deviations from the cluster's mean, or of the clusters' means.
    least : tuple of float
        As `Column`'s.
    """
    sums, centres = kernels.cluster_sums(
        for_kernel(prediction, np.float64),
        for_kernel(truth, np.float64),
        for_kernel(cluster, np.int64),
        n_clusters,
        PARTS.index(part),
    )
    return Column(sums, (centres[0], centres[1]), shared, least)


def class_sums(
    prediction: ArrayLike,
    truth: ArrayLike,
    cluster: ArrayLike,
    n_clusters: int,
    *,
    shared: Hashable = None,
) -> Column:
    """Sum one class per cluster: its rows, and the rows predicted to be in it.

    Parameters
    ----------
    prediction, truth : (n,) bool
    cluster : (n,) int
        0 to ``n_clusters - 1``.

    Returns
    -------
    Column
        Whole numbers, not centred: n; d = p - t, its square and absolute value; p and t, which
        equal their squares; pt.
    """
    p, t = np.asarray(prediction, dtype=np.float64), np.asarray(truth, dtype=np.float64)
    codes = np.asarray(cluster, dtype=np.int64)

    def per_cluster(weights: NDArray[np.float64] | None = None) -> NDArray[np.float64]:
        found = np.bincount(codes, weights=weights, minlength=n_clusters)
        return found.astype(np.float64)

    n, of_p, of_t, of_both = per_cluster(), per_cluster(p), per_cluster(t), per_cluster(p * t)
    wrong = of_p + of_t - 2 * of_both
    sums = np.stack([n, of_p - of_t, wrong, wrong, of_p, of_t, of_p, of_t, of_both])
    return Column(sums, (0.0, 0.0), shared)


def draw_counts(
    strata: Sequence[int], n: int, *, seed: int, stream: int = BOOTSTRAP, first: int = 0
) -> NDArray[np.int32]:
    """Return how often each cluster is drawn in replicates `first` on, (n, clusters).

    Of the G_h clusters of each stratum exactly G_h are drawn, with replacement.
    """
    return np.asarray(kernels.draw_counts(list(strata), checked_seed(seed), stream, first, n))


@dataclass(frozen=True, slots=True)
class Summary:
    """Counts and moments of each row of replicates, undefined ones left out; each (rows,)."""

    n_defined: NDArray[np.int64]
    n_below_estimate: NDArray[np.int64]
    n_at_most_null: NDArray[np.int64]
    n_at_least_null: NDArray[np.int64]
    mean: NDArray[np.float64]
    sd: NDArray[np.float64]


def summarise(
    values: NDArray[np.float64],
    estimate: NDArray[np.float64],
    null: NDArray[np.float64],
    *,
    n_threads: int | None = None,
) -> Summary:
    """Count and average each row of `values` (rows, replicates); NaN is left out."""
    counts, moments = kernels.summarise(
        for_kernel(values, np.float64),
        for_kernel(estimate, np.float64),
        for_kernel(null, np.float64),
        kernel_threads(n_threads),
    )
    return Summary(counts[0], counts[1], counts[2], counts[3], moments[0], moments[1])


def order_statistics(
    values: NDArray[np.float64], ranks: NDArray[np.int64], *, n_threads: int | None = None
) -> NDArray[np.float64]:
    """Return the `ranks`-th smallest values of each row, counted from 0, NaN left out.

    `values` is (rows, replicates), `ranks` (rows, k); NaN for a rank that does not exist.
    """
    return np.asarray(
        kernels.order_statistics(
            for_kernel(values, np.float64),
            for_kernel(ranks, np.int64),
            kernel_threads(n_threads),
        )
    )
