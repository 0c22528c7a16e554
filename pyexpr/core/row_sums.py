"""Sums of predictions per cluster for rows that come in batches: calls of the kernel.

They are those of `pyexpr.core.cluster_bootstrap.cluster_sums`, byte for byte, for any batches.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from pyexpr.core.arrays import for_kernel
from pyexpr.core.cluster_bootstrap import LEAST_DOUBLE, PARTS, Column
from pyexpr.core.extension import kernels

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Constant(NamedTuple):
    """For each cluster, (clusters,): its rows, and whether its predictions are constant.

    `prediction` is the first, NaN without rows; `moves` says whether others differ from it;
    `truth` is the sum of the truth.
    """

    n: NDArray[np.float64]
    prediction: NDArray[np.float64]
    moves: NDArray[np.bool_]
    truth: NDArray[np.float64]


class RowSums:
    """One column of predictions, summed per cluster in several groups of rows.

    All rows are passed twice, in their order: to `add_to_means`, and then to `add_to_sums` for each
    requested part other than "between".

    Parameters
    ----------
    n_groups, n_clusters : int
        A row's slot is ``group * n_clusters + cluster``; -1 leaves it out.
    constant : bool
        Whether `constant` will be requested.
    """

    def __init__(self, n_groups: int, n_clusters: int, *, constant: bool = False) -> None:
        self._kernel = kernels.RowSums(n_groups, n_clusters, constant)

    def add_to_means(
        self,
        prediction: NDArray[np.float64],
        truth: NDArray[np.float64],
        slot: NDArray[np.int64],
    ) -> None:
        """Add rows (n,) to the means; one with a NaN is left out."""
        self._kernel.add_to_means(
            for_kernel(prediction, np.float64),
            for_kernel(truth, np.float64),
            for_kernel(slot, np.int64),
        )

    def add_to_sums(
        self,
        part: str,
        prediction: NDArray[np.float64],
        truth: NDArray[np.float64],
        slot: NDArray[np.int64],
    ) -> None:
        """Add rows (n,) to the sums about the means."""
        self._kernel.add_to_sums(
            PARTS.index(part),
            for_kernel(prediction, np.float64),
            for_kernel(truth, np.float64),
            for_kernel(slot, np.int64),
        )

    def column(
        self,
        part: str,
        group: int,
        *,
        shared: Hashable = None,
        least: tuple[float, float] = (LEAST_DOUBLE, LEAST_DOUBLE),
    ) -> Column:
        """Return the sums of a group."""
        sums, centres = self._kernel.sums(PARTS.index(part), group)
        return Column(sums, (centres[0], centres[1]), shared, least)

    def constant(self, group: int) -> Constant:
        """Return the clusters in which the predictions of a group are constant."""
        n, prediction, moves, truth = self._kernel.constant(group)
        return Constant(n, prediction, moves > 0, truth)
