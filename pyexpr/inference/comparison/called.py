"""Metrics that are functions, called on the rows of the drawn subjects.

A function of (truth, prediction) has no weights. Rows are therefore repeated as often as their
subject was drawn, so that the function gives its value for the resampled table.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from pyexpr.base.errors import DataError, SavedResultError
from pyexpr.base.messages import kind_of, message_of, say
from pyexpr.base.saved_values import UserFunction
from pyexpr.core import cluster_bootstrap as core
from pyexpr.core import compiled_statistic as native
from pyexpr.inference.bootstrap.compiled import compile_statistic, is_compiled, on_repeated_rows
from pyexpr.inference.bootstrap.draws import NO_ERRORS_WITHIN, without_each
from pyexpr.inference.comparison.metrics import Metric
from pyexpr.inference.comparison.notes import NOT_FINITE

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

# A value for the same rows in another order may differ by rounding: by this fraction of its size,
# or of the largest number from which it is computed.
_ORDER, _ORDER_OF_ROWS = 1e-9, 1e-12
_SEED_OF_ORDER = 20240502
# Number of random orders that are tried. One is not enough: of values 0 and 1, a random order often
# begins like the original.
_ORDERS = 4


def _none() -> Array:
    return np.empty(0)


def _no_cluster() -> NDArray[np.int64]:
    return np.empty(0, dtype=np.int64)


@dataclass(frozen=True, slots=True)
class RowsColumn(core.Column):
    """A column whose rows are kept: truth, prediction and cluster, each (n,)."""

    truth: Array = field(default_factory=_none)
    prediction: Array = field(default_factory=_none)
    cluster: NDArray[np.int64] = field(default_factory=_no_cluster)

    def of_clusters(self, clusters: NDArray[np.int64]) -> RowsColumn:
        """Return the column of some of the clusters, in this order."""
        place = np.full(self.sums.shape[1], -1)
        place[clusters] = np.arange(len(clusters))
        return replace(self, sums=self.sums[:, clusters], cluster=place[self.cluster])


@dataclass(frozen=True, slots=True)
class CalledDesign:
    """Quantities of functions; `pyexpr.core.cluster_bootstrap.MetricDesign` has those of sums.

    Attributes
    ----------
    columns : sequence of RowsColumn
    levels, quantities, strata
        As there; a level's metric is the name of its function.
    functions : mapping of str to callable
    """

    columns: Sequence[RowsColumn]
    levels: Sequence[core.Level]
    quantities: Sequence[core.Quantity]
    strata: tuple[int, ...]
    functions: Mapping[str, Metric]

    def estimate(self) -> Array:
        """Return every quantity on all clusters, (quantities,)."""
        return self._of_counts(np.ones((1, sum(self.strata))))[:, 0]

    def alone(self) -> Array:
        """Return every quantity on each cluster alone, (quantities, clusters)."""
        return self._of_counts(np.eye(sum(self.strata)))

    def jackknife(self) -> Array:
        """Return every quantity without each cluster, (quantities, clusters)."""
        return self._of_counts(without_each(self.strata), native.leave_one_out)

    def replicates(
        self,
        n: int,
        *,
        seed: int,
        first: int = 0,
        rows: Sequence[int] | None = None,
        offset: int = 0,
        out: Array | None = None,
        n_threads: int | None = None,
    ) -> Array:
        """Return replicates `first` to `first + n - 1`, (quantities, n), or fill `out`."""
        if out is None:
            out, offset = np.empty((len(self.quantities), n)), 0
            rows = range(len(self.quantities))
        assert rows is not None

        def drawn(
            functions: Sequence[native.CompiledStatistic], data: native.ClusteredRows
        ) -> tuple[Array, NDArray[np.bool_]]:
            return native.replicates(functions, data, n, seed=seed, first=first,
                                     n_threads=n_threads)  # fmt: skip

        counts = core.draw_counts(self.strata, n, seed=seed, first=first).astype(np.float64)
        out[list(rows), offset : offset + n] = self._of_counts(counts, drawn)
        return out

    def weighted(self, counts: Array, *, n_threads: int | None = None) -> Array:
        """Return every quantity with clusters repeated so often: (m, clusters) to (q, m)."""
        return self._of_counts(counts)

    def standard_errors(self, *_: Any, **__: Any) -> NoReturn:
        """Refuse: a function gives no standard error."""
        raise DataError(NO_ERRORS_WITHIN)

    def _of_counts(
        self, counts: Array, by_kernel: Callable[..., tuple[Array, Any]] | None = None
    ) -> Array:
        """Return every quantity with clusters repeated so often: (m, clusters) to (q, m).

        Where a function is compiled `by_kernel` gives the same, in threads.
        """
        levels = np.stack([self._level(level, counts, by_kernel) for level in self.levels])
        return np.stack([
            levels[one.minuend] - (0.0 if one.subtrahend is None else levels[one.subtrahend])
            for one in self.quantities
        ])  # fmt: skip

    def _level(
        self, level: core.Level, counts: Array, by_kernel: Callable[..., tuple[Array, Any]] | None
    ) -> Array:
        if np.isnan(level.divisor):
            return np.full(len(counts), np.nan)
        function = _there(level.metric, self.functions[level.metric])
        columns = [self.columns[at] for at in level.columns]
        if by_kernel is not None and is_compiled(function):
            found = [self._by_kernel(level.metric, function, one, by_kernel) for one in columns]
        else:
            found = [_called(function, one, counts) for one in columns]
        if level.folds == 1:
            return np.asarray(np.mean(found, axis=0))
        shape = (-1, level.folds, len(counts))
        values = np.reshape(found, shape)
        n = np.reshape([counts @ one.sums[0] for one in columns], shape)
        with np.errstate(invalid="ignore"):
            # A replicate without any row of a column has no value.
            averages = np.where(n > 0, n * values, 0.0).sum(axis=1) / n.sum(axis=1)
        return np.asarray(averages.mean(axis=0))

    def _by_kernel(
        self, name: str, function: Metric, column: RowsColumn,
        by_kernel: Callable[..., tuple[Array, Any]],
    ) -> Array:  # fmt: skip
        rows = np.ascontiguousarray(np.stack([column.truth, column.prediction]))
        compiled, _ = compile_statistic(name, on_repeated_rows(function), rows)
        data = native.ClusteredRows(rows, np.ascontiguousarray(column.cluster), self.strata)
        values, _ = by_kernel([compiled], data)
        return _finite(values[0])


def _there(name: str, function: Metric) -> Metric:
    """Return the function, which may be missing in a saved result."""
    if not isinstance(function, UserFunction):
        return function
    try:
        return function.found()  # type: ignore[no-any-return]
    except SavedResultError:
        raise SavedResultError(
            say(
                "a saved result does not hold the function of metric {name!r}; pass the "
                "metrics again: {call result.extend(n, metrics=...)}",
                name=name,
            )
        ) from None


def _called(function: Metric, column: RowsColumn, counts: Array) -> Array:
    """Call a function on repeated rows, given counts of clusters (m, clusters); return (m,)."""
    values = np.full(len(counts), np.nan)
    places = np.arange(len(column.cluster))
    with warnings.catch_warnings():
        # Undefined replicates are counted, so a warning for each of them is not needed.
        warnings.simplefilter("ignore")
        for i, often in enumerate(counts.astype(np.int64)):
            rows = np.repeat(places, often[column.cluster])
            if not len(rows):
                continue
            try:
                values[i] = function(column.truth[rows], column.prediction[rows])
            except Exception:
                continue
    return _finite(values)


def _finite(values: Array) -> Array:
    """Return values with infinite ones set to NaN, so that no mean or spread includes them."""
    return np.where(np.isfinite(values), values, np.nan)


def why_not_called(
    name: str, function: Metric, truth: Array, prediction: Array, *, where: str
) -> str:
    """Call a function on all rows, and return why it has no value; "" if it has one.

    Raises
    ------
    DataError
        If it raises, does not return a number, or depends on the order of the rows.
    """
    if hasattr(function, "address"):
        raise DataError(
            say(
                "metric {name!r} is a C callback of numba; pass a function of (truth, "
                "prediction) compiled by {call numba.njit}",
                name=name,
            )
        )
    rng, n = np.random.default_rng(_SEED_OF_ORDER), len(truth)
    found: list[float] = []
    for rows in (np.arange(n), np.arange(n)[::-1], *(rng.permutation(n) for _ in range(_ORDERS))):
        try:
            value: Any = function(truth[rows], prediction[rows])
        except Exception as error:
            raise DataError(
                say(
                    "metric {name!r} raised {kind} on the rows of {where}: {error}",
                    name=name,
                    kind=type(error).__name__,
                    where=where,
                    error=message_of(error),
                )
            ) from error
        if isinstance(value, (bool, np.bool_)) or not isinstance(
            value, (int, float, np.integer, np.floating)
        ):
            shape = f" of shape {value.shape}" if isinstance(value, np.ndarray) else ""
            raise DataError(
                say(
                    "metric {name!r} must return one number, but returned {kind}{shape}",
                    name=name,
                    kind=kind_of(value),
                    shape=shape,
                )
            )
        found.append(float(value))
    one, *others = found
    largest = max(1.0, float(np.abs(truth).max()), float(np.abs(prediction).max()))
    for other in others:
        if not np.isclose(one, other, rtol=_ORDER, atol=_ORDER_OF_ROWS * largest, equal_nan=True):
            raise DataError(
                f"metric {name!r} gives {one:.6g} on the rows of {where}, and {other:.6g} on "
                "the same rows in another order; a metric must not depend on the order of "
                "rows, nor use random numbers"
            )
    return "" if np.isfinite(one) else NOT_FINITE(metric=name, value=_not_finite(one))


def _not_finite(value: float) -> str:
    if np.isnan(value):
        return say("{value nan}")
    return say("{value inf}") if value > 0 else say("-{value inf}")
