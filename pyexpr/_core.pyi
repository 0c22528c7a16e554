"""Typed stub of the extension."""

import numpy as np
from numpy.typing import NDArray

# elastic_net
def elastic_net_cross_products(
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    cluster: NDArray[np.int64],
    n_clusters: int,
    centre: NDArray[np.float64],
    spread: NDArray[np.float64],
) -> NDArray[np.float64]: ...
def elastic_net_fits(
    sums: NDArray[np.float64],
    counts: NDArray[np.int64],
    alphas: NDArray[np.float64],
    l1_ratios: NDArray[np.float64],
    start: NDArray[np.float64],
    tolerance: float,
    max_sweeps: int,
    n_threads: int,
) -> tuple[
    NDArray[np.float64],
    NDArray[np.float64],
    NDArray[np.float64],
    NDArray[np.float64],
    NDArray[np.float64],
]: ...
def elastic_net_squared_errors(
    sums: NDArray[np.float64],
    counts: NDArray[np.int64],
    coef: NDArray[np.float64],
    intercept: NDArray[np.float64],
    mean: NDArray[np.float64],
    scale: NDArray[np.float64],
    n_threads: int,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]: ...
