"""How regular a series of movement is: its sample entropy and its permutation entropy."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

#: Stretches that are compared hold so many values, and one more.
SAMPLE_LENGTH: Final = 2
#: Values are alike that differ by at most so many standard deviations.
SAMPLE_TOLERANCE: Final = 0.2
#: Adjacent values that are put in order.
PERMUTATION_ORDER: Final = 3
#: Fewest stretches: of 10 to the power of `SAMPLE_LENGTH` (Richman and Moorman), and five for
#: each of the 3! orders.
FEWEST_STRETCHES: Final = 100
FEWEST_ORDERS: Final = 30


def whole_stretches(series: NDArray[np.float64], length: int) -> NDArray[np.bool_]:
    """Return where a stretch of adjacent values begins all of which are known."""
    if len(series) < length:
        return np.zeros(0, dtype=np.bool_)
    known = np.isfinite(series)
    return np.asarray(
        np.lib.stride_tricks.sliding_window_view(known, length).all(axis=1), dtype=np.bool_
    )


def sample_entropy(series: NDArray[np.float64]) -> float:
    """Return the sample entropy of a series, ``-log(A / B)``.

    Of all pairs of stretches of three adjacent known values, B are alike in their first two
    values and A in all three: no two values that stand in the same place differ by more than
    0.2 standard deviations of the series.

    Parameters
    ----------
    series : float64 array, shape (values,)
        NaN where not known; a stretch holds none.

    Returns
    -------
    float
        In nats, 0 or more: 0 where what comes next is always as it was before, 2.19 for
        independent normal values. NaN where no pair is alike, or nothing varies.

    References
    ----------
    Richman, J. S., and Moorman, J. R. (2000). Physiological time-series analysis using
    approximate entropy and sample entropy. American Journal of Physiology 278, H2039-H2049.
    https://doi.org/10.1152/ajpheart.2000.278.6.H2039

    Examples
    --------
    >>> import numpy as np
    >>> sample_entropy(np.tile([0.0, 1.0], 100))
    0.0
    """
    whole = whole_stretches(series, SAMPLE_LENGTH + 1)
    if whole.sum() < 2:
        return float("nan")
    tolerance = SAMPLE_TOLERANCE * float(np.std(series[np.isfinite(series)]))
    n = len(whole)
    alike_two = alike_three = 0
    # Pairs by how far apart they begin: memory of the series, not of its square.
    for lag in range(1, n):
        alike = np.abs(series[lag:] - series[:-lag]) <= tolerance
        both = whole[lag:] & whole[:-lag] & alike[: n - lag] & alike[1 : n - lag + 1]
        alike_two += int(np.count_nonzero(both))
        alike_three += int(np.count_nonzero(both & alike[2 : n - lag + 2]))
    if not alike_three:
        return float("nan")
    # 0.0 and not -0.0 where the two are equal.
    return math.log(alike_two / alike_three)


def permutation_entropy(series: NDArray[np.float64]) -> float:
    """Return the permutation entropy of a series, as a share of the largest.

    With ``p_k`` the share of each of the six orders of three adjacent known values, from the
    smallest to the largest, ties in the order of time: ``-sum p_k log(p_k) / log(6)``.

    Parameters
    ----------
    series : float64 array, shape (values,)
        NaN where not known; a stretch of three holds none.

    Returns
    -------
    float
        0 for a series that rises throughout, near 1 for independent values; NaN if there is
        no stretch.

    References
    ----------
    Bandt, C., and Pompe, B. (2002). Permutation entropy: a natural complexity measure for time
    series. Physical Review Letters 88, 174102.
    https://doi.org/10.1103/PhysRevLett.88.174102

    Examples
    --------
    >>> import numpy as np
    >>> permutation_entropy(np.arange(50.0))
    0.0
    """
    whole = whole_stretches(series, PERMUTATION_ORDER)
    if not whole.any():
        return float("nan")
    stretches = np.lib.stride_tricks.sliding_window_view(series, PERMUTATION_ORDER)[whole]
    orders = np.argsort(stretches, axis=1, kind="stable")
    codes = orders @ PERMUTATION_ORDER ** np.arange(PERMUTATION_ORDER)
    shares = np.unique(codes, return_counts=True)[1] / len(codes)
    # 0.0 and not -0.0 where there is one order alone.
    entropy = 0.0 - float((shares * np.log(shares)).sum())
    return entropy / math.log(math.factorial(PERMUTATION_ORDER))
