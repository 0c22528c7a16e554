"""Compiled statistics of the user, called on resampled clusters without the GIL."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pyexpr.base.checks import kernel_threads
from pyexpr.core.arrays import for_kernel
from pyexpr.core.extension import kernels
from pyexpr.core.streams import BOOTSTRAP, checked_seed

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class CompiledStatistic:
    """The address of a C function, see ``compiled_statistic.hpp``.

    Attributes
    ----------
    address : int
        Of ``int64 (const double* rows, int64 n_columns, int64 n_rows,
        const double* weights, double* values)``; not 0 if it failed.
    owner : object
        Keeps the function alive.
    n_values : int
    """

    address: int
    owner: Any
    n_values: int


@dataclass(frozen=True, slots=True)
class ClusteredRows:
    """Rows (n_columns, n) float64 and each row's cluster (n,), sorted by stratum."""

    rows: NDArray[np.float64]
    cluster: NDArray[np.int64]
    strata: tuple[int, ...]


def replicates(
    statistics: Sequence[CompiledStatistic],
    data: ClusteredRows,
    n: int,
    *,
    seed: int,
    first: int = 0,
    n_threads: int | None = None,
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Return (values of all statistics, n), NaN if one failed, and (statistics, n) failures.

    The draws are those of `pyexpr.core.cluster_bootstrap.draw_counts`; the bytes depend neither on
    `n_threads` nor on the division of a range.
    """
    values, failed = _outputs(statistics, n)
    kernels.statistic_replicates(
        [(one.address, one.n_values) for one in statistics],
        for_kernel(data.rows, np.float64),
        for_kernel(data.cluster, np.int64),
        list(data.strata),
        checked_seed(seed),
        BOOTSTRAP,
        first,
        values,
        failed,
        kernel_threads(n_threads),
    )
    return values, failed.astype(bool)


def leave_one_out(
    statistics: Sequence[CompiledStatistic],
    data: ClusteredRows,
    *,
    n_threads: int | None = None,
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Return the same without each cluster in turn."""
    values, failed = _outputs(statistics, sum(data.strata))
    kernels.statistic_leave_one_out(
        [(one.address, one.n_values) for one in statistics],
        for_kernel(data.rows, np.float64),
        for_kernel(data.cluster, np.int64),
        list(data.strata),
        values,
        failed,
        kernel_threads(n_threads),
    )
    return values, failed.astype(bool)


def _outputs(
    statistics: Sequence[CompiledStatistic], n: int
) -> tuple[NDArray[np.float64], NDArray[np.uint8]]:
    n_values = sum(one.n_values for one in statistics)
    return np.empty((n_values, n)), np.empty((len(statistics), n), dtype=np.uint8)
