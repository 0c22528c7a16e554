"""The scales on which quantities are studentised."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


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


def from_scale(g: NDArray[np.float64], scale: str) -> NDArray[np.float64]:
    """Undo `to_scale`; a limit beyond the end of the scale is that end: infinite, or 1 for R2."""
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        if scale == "negative_reciprocal":
            return np.asarray(np.where(g < 0, -1.0 / g, np.inf))
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


def by_scale(
    change: Callable[[NDArray[np.float64], str], NDArray[np.float64]],
    values: NDArray[np.float64],
    scales: Sequence[str],
) -> NDArray[np.float64]:
    """Apply `to_scale` or `from_scale` to each row on the scale named for it."""
    names = np.array(scales)
    result = np.empty_like(values)
    for scale in dict.fromkeys(scales):
        chosen = names == scale
        result[chosen] = change(values[chosen], scale)
    return result
