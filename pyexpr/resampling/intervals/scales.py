"""The scales on which quantities are studentised.

``identity``; of errors ``negative_reciprocal``, -1/x; of correlations ``atanh``; of R2
``negative_root_complement``, -sqrt(1 - x); of the square root of such a quantity
``negative_root_complement_of_square``, -sqrt(1 - x^2); of positive numbers ``log``. Those of factor
models are defined beyond the bounds of their quantities, where a refit without one subject may lie:
``odd_cube_root``, cbrt(1 + x) - cbrt(1 - x), ``fifth_root``, ``negative_cube_root_complement``,
-cbrt(1 - x), and ``straight_then_log``, logarithmic beyond 1/2. A standard deviation whose variance
may be estimated as negative has the sign of that estimate; its scale is ``two_thirds_power``, the
cube root of the variance (Wilson and Hilferty 1931).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

# For an error's limit: half of the distance at which it would become infinite.
_ERRORS_BEND = 0.5
# Up to this value ``straight_then_log`` is linear, since a loading may be 0. Beyond it, the error
# grows with the loading, and logarithms are closer to symmetry.
_STRAIGHT = 0.5


@dataclass(frozen=True, slots=True)
class _Scale:
    """A scale defined beyond the range of its quantity, its inverse, and that range."""

    to: Callable[[Array], Array]
    back: Callable[[Array], Array]
    least: float = -np.inf
    most: float = np.inf

    def limit(self, centre: Array, reach: Array) -> Array:
        """Return a limit, truncated at the range unless the estimate itself is out of range."""
        ends = self.back(centre + reach)
        low, high = self.to(np.array([self.least, self.most]))
        within = (centre >= low) & (centre <= high)
        return np.where(within, ends.clip(self.least, self.most), ends)


def _odd_root(value: Array) -> Array:
    """Like atanh within (-1, 1)."""
    return np.asarray(np.cbrt(1 + value) - np.cbrt(1 - value))


def _odd_root_back(value: Array) -> Array:
    # With a = cbrt(1 + x), b = cbrt(1 - x): a^3 + b^3 = 2, so that m = a + b is the real root
    # of m^3 + 3 y^2 m = 8, found by Cardano's formula; x = (a^3 - b^3) / 2.
    root = np.sqrt(16 + value**6)
    total = np.cbrt(4 + root) + np.cbrt(4 - root)
    return np.asarray((((total + value) / 2) ** 3 - ((total - value) / 2) ** 3) / 2)


def _straight_then_log(value: Array) -> Array:
    size = np.maximum(np.abs(value), _STRAIGHT)
    beyond = np.sign(value) * _STRAIGHT * (1 + np.log(size / _STRAIGHT))
    return np.where(np.abs(value) > _STRAIGHT, beyond, value)


def _straight_then_exp(value: Array) -> Array:
    size = np.maximum(np.abs(value), _STRAIGHT)
    beyond = np.sign(value) * _STRAIGHT * np.exp(size / _STRAIGHT - 1)
    return np.where(np.abs(value) > _STRAIGHT, beyond, value)


_BEYOND = {
    "log": _Scale(np.log, np.exp, 0.0),
    # Its limits are the roots of those of the square on ``negative_root_complement``.
    "negative_root_complement_of_square": _Scale(
        lambda x: -np.sqrt(1 - x**2),
        lambda y: np.sqrt(np.maximum(1 - np.minimum(y, 0.0) ** 2, 0.0)),
        0.0,
        1.0,
    ),
    "straight_then_log": _Scale(_straight_then_log, _straight_then_exp),
    "odd_cube_root": _Scale(_odd_root, _odd_root_back, -1.0, 1.0),
    "two_thirds_power": _Scale(
        lambda s: np.sign(s) * np.abs(s) ** (2 / 3), lambda y: np.sign(y) * np.abs(y) ** 1.5, 0.0
    ),
    "fifth_root": _Scale(lambda t: np.sign(t) * np.abs(t) ** 0.2, lambda y: y**5, 0.0),
    "negative_cube_root_complement": _Scale(
        lambda r: -np.cbrt(1 - r), lambda y: 1 + y**3, 0.0, 1.0
    ),
}


def to_scale(x: NDArray[np.float64], scale: str) -> NDArray[np.float64]:
    """Return x on an increasing scale on which its distribution is nearer to symmetric."""
    with np.errstate(divide="ignore", invalid="ignore"):
        if scale == "negative_reciprocal":
            return np.asarray(-1.0 / x)
        if scale == "atanh":
            return np.asarray(np.arctanh(x))
        if scale == "negative_root_complement":
            return np.asarray(-np.sqrt(1.0 - x))
        if scale in _BEYOND:
            return _BEYOND[scale].to(x)
    return x


def limit(
    centre: NDArray[np.float64], reach: NDArray[np.float64], scale: str
) -> NDArray[np.float64]:
    """Return the limit that lies `reach` (signed) from `centre` on a scale, back-transformed.

    A limit beyond the end of a scale is that end: 1 for R2. For an error there is no end. The limit
    on its scale -1/x is ``x / (1 - a)`` with ``a = reach * x``; beyond a = 1/2 it is
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
        if scale in _BEYOND:
            return _BEYOND[scale].limit(centre, reach)
    return g


def at_end(scaled: NDArray[np.float64], scales: Sequence[str]) -> NDArray[np.bool_]:
    """Return where values on their scales, in rows by scale, are at the end of their range.

    An error of 0, or a correlation of 1, is infinite on the scale. An R2 of 1 is 0 there.
    """
    root = np.array([scale.startswith("negative_root_complement") for scale in scales])
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
    """Return (low, high), (q,): this far below and above `centre` on each row's scale."""
    names = np.array(scales)
    low, high = np.empty_like(centre), np.empty_like(centre)
    for scale in dict.fromkeys(scales):
        chosen = names == scale
        low[chosen] = limit(centre[chosen], -below[chosen], scale)
        high[chosen] = limit(centre[chosen], above[chosen], scale)
    return low, high
