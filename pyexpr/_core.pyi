"""Typed stub of the extension."""

import numpy as np
from numpy.typing import NDArray

# factor_model
def factor_moments(x: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]: ...
def fit_factor(
    covariance: NDArray[np.float64], n_rows: int
) -> tuple[int, NDArray[np.float64], NDArray[np.float64], float, int]: ...
def fit_factor_resampled(
    sums: NDArray[np.float64], counts: NDArray[np.float64], p: int
) -> tuple[NDArray[np.float64], NDArray[np.int32]]: ...
