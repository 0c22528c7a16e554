"""Typed stub of the extension."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

# cluster_bootstrap

def cluster_sums(
    prediction: NDArray[np.float64],
    truth: NDArray[np.float64],
    cluster: NDArray[np.int64],
    n_clusters: int,
    part: int,
) -> tuple[NDArray[np.float64], list[float]]: ...
def draw_counts(
    strata: Sequence[int], seed: int, stream: int, first: int, n: int
) -> NDArray[np.int32]: ...
def summarise(
    values: NDArray[np.float64],
    estimate: NDArray[np.float64],
    null: NDArray[np.float64],
    n_threads: int,
) -> tuple[NDArray[np.int64], NDArray[np.float64]]: ...
def order_statistics(
    values: NDArray[np.float64], ranks: NDArray[np.int64], n_threads: int
) -> NDArray[np.float64]: ...

class MetricDesign:
    def __init__(
        self,
        sums: NDArray[np.float64],
        column_sums: NDArray[np.int64],
        centres: NDArray[np.float64],
        levels: Sequence[tuple[int, float, Sequence[int]]],
        quantities: NDArray[np.int64],
        strata: Sequence[int],
    ) -> None: ...
    def estimate(self) -> NDArray[np.float64]: ...
    def jackknife(self) -> NDArray[np.float64]: ...
    def replicates(
        self,
        seed: int,
        stream: int,
        first: int,
        n: int,
        rows: Sequence[int],
        offset: int,
        out: NDArray[np.float64],
        n_threads: int,
    ) -> None: ...
    def standard_errors(
        self,
        seed: int,
        stream: int,
        first: int,
        n: int,
        rows: Sequence[int],
        offset: int,
        out: NDArray[np.float64],
        n_threads: int,
    ) -> None: ...
