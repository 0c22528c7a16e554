"""The rows of a comparison, in memory or in files: how they are summed and counted."""

from __future__ import annotations

from collections.abc import Hashable
from typing import TYPE_CHECKING, Protocol

import numpy as np

from pyexpr.core import cluster_bootstrap as core
from pyexpr.inference.comparison.folds import is_of_left_out

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pyexpr.inference.comparison.quantities import ColumnValues


class Rows(Protocol):
    """Sums and counts of rows; masks and codes (n,) are of rows, or of classes of rows."""

    def summed(
        self,
        column: ColumnValues,
        used: NDArray[np.bool_],
        codes: NDArray[np.int64],
        n_clusters: int,
        part: str,
        shared: Hashable,
    ) -> core.Column:
        """Return the sums of a column over the rows used."""

    def is_of_left_out(
        self,
        column: ColumnValues,
        used: NDArray[np.bool_],
        codes: NDArray[np.int64],
        n_clusters: int,
    ) -> bool:
        """Return whether predictions are a function of the truth that was left out."""

    def count(self, rows: NDArray[np.bool_]) -> int:
        """Return the number of rows of a mask."""

    def count_by(
        self, rows: NDArray[np.bool_], codes: NDArray[np.int64], n: int
    ) -> NDArray[np.int64]:
        """Return the number of rows of a mask with each of `n` codes."""


class TableRows:
    """Rows of a table in memory: its columns have their values."""

    def summed(
        self,
        column: ColumnValues,
        used: NDArray[np.bool_],
        codes: NDArray[np.int64],
        n_clusters: int,
        part: str,
        shared: Hashable,
    ) -> core.Column:
        """Return the sums of a column over the rows used."""
        p, t, of_row = _chosen(column, used, codes)
        return core.cluster_sums(
            p, t, of_row, n_clusters, part=part, shared=shared, least=column.least
        )

    def is_of_left_out(
        self,
        column: ColumnValues,
        used: NDArray[np.bool_],
        codes: NDArray[np.int64],
        n_clusters: int,
    ) -> bool:
        """Return whether predictions are a function of the truth that was left out."""
        return is_of_left_out(*_chosen(column, used, codes), n_clusters)

    def count(self, rows: NDArray[np.bool_]) -> int:
        """Return the number of rows of a mask."""
        return int(np.count_nonzero(rows))

    def count_by(
        self, rows: NDArray[np.bool_], codes: NDArray[np.int64], n: int
    ) -> NDArray[np.int64]:
        """Return the number of rows of a mask with each of `n` codes."""
        return np.bincount(codes[rows], minlength=n)


IN_MEMORY = TableRows()


def _chosen(
    column: ColumnValues, used: NDArray[np.bool_], codes: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]]:
    if used.all():
        return column.prediction, column.truth, codes
    return column.prediction[used], column.truth[used], codes[used]
