"""The scales on which quantities are studentised."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


# Of an error's limit: half of the way on which it would become infinite.
_ERRORS_BEND = 0.5


def to_scale(x: NDArray[np.float64], scale: str) -> NDArray[np.float64]:
    """Return x on an increasing scale on which its distribution is nearer to symmetric."""
    with np.errstate(divide="ignore", invalid="ignore"):
        if scale == "negative_reciprocal":
            return np.asarray(-1.0 / x)
        if scale == "atanh":
            return np.asarray(np.arctanh(x))
        if scale == "negative_root_complement":
            return np.asarray(-np.sqrt(1.0 - x))
    return x


def limit(
    centre: NDArray[np.float64], reach: NDArray[np.float64], scale: str
) -> NDArray[np.float64]:
    """Return the limit that lies `reach` (signed) from `centre` on a scale, back-transformed.

    Beyond the end of a scale lies that end: 1 for R2. An error has none: the limit
    ``x / (1 - a)`` of its scale -1/x, with ``a = reach * x``, goes on from a = 1/2 as
    ``2 x exp(2 a - 1)``, which has the same value and slope there, and stays finite.
    """
    g = centre + reach
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        if scale == "negative_reciprocal":
            a = -reach / centre
            near = -1.0 / np.where(a <= _ERRORS_BEND, g, np.nan)
            far = -2.0 / centre * np.exp(2 * a - 1)
            return np.asarray(np.where(a <= _ERRORS_BEND, near, far))
        if scale == "atanh":
            return np.asarray(np.tanh(g))
        if scale == "negative_root_complement":
            return np.asarray(1.0 - np.minimum(g, 0.0) ** 2)
    return g


def at_end(scaled: NDArray[np.float64], scales: Sequence[str]) -> NDArray[np.bool_]:
    """Return where values on their scales, a row for each, lie at the end of their range.

    No error, or a correlation of 1: infinite on the scale. R2 of 1 is 0 there.
    """
    root = np.array([scale == "negative_root_complement" for scale in scales])
    root = root.reshape(-1, *(1,) * (scaled.ndim - 1))
    return np.asarray(np.isinf(scaled) | (root & (scaled == 0)))


def by_scale(values: NDArray[np.float64], scales: Sequence[str]) -> NDArray[np.float64]:
    """Return each row on the scale named for it."""
    names = np.array(scales)
    result = np.empty_like(values)
    for scale in dict.fromkeys(scales):
        chosen = names == scale
        result[chosen] = to_scale(values[chosen], scale)
    return result


def limits(
    centre: NDArray[np.float64],
    below: NDArray[np.float64],
    above: NDArray[np.float64],
    scales: Sequence[str],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return (low, high), (q,): so far below and above `centre` on each row's scale."""
    names = np.array(scales)
    low, high = np.empty_like(centre), np.empty_like(centre)
    for scale in dict.fromkeys(scales):
        chosen = names == scale
        low[chosen] = limit(centre[chosen], -below[chosen], scale)
        high[chosen] = limit(centre[chosen], above[chosen], scale)
    return low, high
