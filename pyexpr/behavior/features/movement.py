"""How positions change and spread: acceleration, jerk, variability, range, asymmetry.

Functions of arrays alone. A position is missing where any of its coordinates is, a difference
where any of the adjacent positions is that it is made of: gaps are never bridged.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pyexpr.behavior.features.binning import known_points, wrapped


def differences(
    positions: NDArray[np.float64], order: int, *, angles: bool = False
) -> NDArray[np.float64]:
    """Return the length of each point's difference of an order between adjacent rows.

    Parameters
    ----------
    positions : float64 array, shape (rows, points, dims)
    order : int
        1 for ``x1 - x0``, 2 for ``x2 - 2 x1 + x0``, 3 for ``x3 - 3 x2 + 3 x1 - x0``.
    angles : bool
        Whether the values are degrees: steps take the short way round.

    Returns
    -------
    float64 array, shape (rows - order, points)
        In the unit of `positions`; NaN where one of the rows is missing.

    Examples
    --------
    >>> import numpy as np
    >>> squares = np.arange(5.0).reshape(5, 1, 1) ** 2
    >>> differences(squares, 2).ravel().tolist()
    [2.0, 2.0, 2.0]
    """
    steps = np.diff(positions, axis=0)
    if angles:
        steps = wrapped(steps)
    changes = np.diff(steps, n=order - 1, axis=0)
    return np.asarray(np.sqrt((changes**2).sum(axis=2)), dtype=np.float64)


def spread(
    positions: NDArray[np.float64], least: int, *, angles: bool = False
) -> tuple[float, float]:
    """Return how widely points are spread around their own mean, and how far apart they get.

    With ``m`` a point's mean over its n valid rows, variability is
    ``sqrt(sum |x - m|^2 / (n - 1))``; range is the diagonal of the smallest box, parallel to
    the axes, around its positions. In one dimension they are the standard deviation, and the
    largest less the smallest value. Both are averaged over the points.

    Parameters
    ----------
    positions : float64 array, shape (rows, points, dims)
    least : int
        Valid rows, at least 2, that a point must have to take part.
    angles : bool
        Whether the values are degrees, which are then counted from each point's first valid
        value, the short way round: turns by half a circle or more cannot be distinguished.

    Returns
    -------
    variability, range : float
        In the unit of `positions`; NaN if no point has enough valid rows.
    """
    known = known_points(positions)
    used = known.sum(axis=0) >= max(least, 2)
    if not used.any():
        return float("nan"), float("nan")
    positions, known = positions[:, used], known[:, used]
    if angles:
        first = np.take_along_axis(positions, known.argmax(axis=0)[np.newaxis, :, np.newaxis], 0)
        positions = wrapped(positions - first)
    where = np.broadcast_to(known[:, :, np.newaxis], positions.shape)
    count = known.sum(axis=0)
    centre = np.sum(positions, axis=0, where=where) / count[:, np.newaxis]
    squares = np.sum((positions - centre) ** 2, axis=(0, 2), where=where)
    low = np.min(positions, axis=0, where=where, initial=np.inf)
    high = np.max(positions, axis=0, where=where, initial=-np.inf)
    diagonal = np.sqrt(((high - low) ** 2).sum(axis=1))
    return float(np.sqrt(squares / (count - 1)).mean()), float(diagonal.mean())


def asymmetry(lengths: NDArray[np.float64], pairs: NDArray[np.int64]) -> float:
    """Return how much more the left side moves than the right: ``(L - R) / (L + R)``.

    L and R are the sums of the way that landmarks of the left and of the right make, over the
    steps in which both landmarks of a pair are known.

    Parameters
    ----------
    lengths : float64 array, shape (steps, points)
    pairs : int64 array, shape (pairs, 2)
        The point on the left, and its mirror image on the right.

    Returns
    -------
    float
        From -1 (the right side alone) to 1 (the left side alone); NaN if no pair is known, or
        nothing moves.

    Examples
    --------
    >>> import numpy as np
    >>> asymmetry(np.array([[3.0, 1.0], [3.0, np.nan]]), np.array([[0, 1]]))
    0.5
    """
    left, right = lengths[:, pairs[:, 0]], lengths[:, pairs[:, 1]]
    both = np.isfinite(left) & np.isfinite(right)
    on_left, on_right = float(left[both].sum()), float(right[both].sum())
    way = on_left + on_right
    return (on_left - on_right) / way if way > 0 else float("nan")
