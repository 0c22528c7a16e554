"""Correlations of two people's movement in windows, at lags: arrays alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

Measure = Literal["absolute", "signed", "peak"]

# In windows whose variance is below this share of the series' own nothing moves: what is left
# is rounding.
_NEGLIGIBLE: Final = 1e-10
# A correlation of 1 has no Fisher's z; those closer to it count as this one.
_LARGEST: Final = 1 - 1e-9


@dataclass(frozen=True, slots=True)
class Windows:
    """Windows and lags, in bins.

    Attributes
    ----------
    length : int
        Bins of a window.
    starts : int64 array, shape (windows,)
        First bin of each.
    most : int
        The largest lag.
    least : int
        Pairs of known values that a window needs.
    """

    length: int
    starts: NDArray[np.int64]
    most: int
    least: int

    @property
    def lags(self) -> NDArray[np.int64]:
        """Return the lags, from the most negative on: at positive ones the first leads."""
        return np.arange(-self.most, self.most + 1)


def standardised(series: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return series, (people, bins), with mean 0 and standard deviation 1 over known bins.

    All of a series that does not vary is NaN.
    """
    known = np.isfinite(series)
    count = np.maximum(known.sum(axis=1, keepdims=True), 1)
    centred = series - np.sum(series, axis=1, where=known, keepdims=True) / count
    spread = np.sqrt(np.sum(centred**2, axis=1, where=known, keepdims=True) / count)
    size = np.max(np.abs(series), axis=1, where=known, initial=0.0, keepdims=True)
    return np.where(
        spread > _NEGLIGIBLE * size, centred / np.where(spread > 0, spread, 1.0), np.nan
    )


def window_correlations(
    first: NDArray[np.float64], second: NDArray[np.float64], start: int, windows: Windows
) -> NDArray[np.float64]:
    """Return the correlations of everybody's window with everybody's, at each lag.

    At a lag of l >= 0 the window of the first begins at bin `start` and that of the second l bins
    later; at a lag of -l that of the first begins l bins later.

    Parameters
    ----------
    first, second : float64 arrays, shape (people, bins)
        Standardised; NaN where not known.
    start : int
    windows : Windows

    Returns
    -------
    float64 array, shape (lags, first people, second people)
        NaN where fewer than `windows.least` pairs are known, or one of the two does not move.
    """
    n_first, n_second, most = len(first), len(second), windows.most
    span = slice(start, start + windows.length + most)

    def at_lags(series: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the windows that begin 0 to `most` bins later: (lags, people, length)."""
        found = np.lib.stride_tricks.sliding_window_view(series[:, span], windows.length, axis=1)
        return found.transpose(1, 0, 2).reshape(-1, windows.length)

    own = slice(start, start + windows.length)
    ahead = _correlations(first[:, own], at_lags(second), windows.least)
    behind = _correlations(second[:, own], at_lags(first), windows.least)
    ahead = ahead.reshape(n_first, most + 1, n_second).transpose(1, 0, 2)
    behind = behind.reshape(n_second, most + 1, n_first).transpose(1, 2, 0)
    return np.concatenate([behind[:0:-1], ahead])


def _correlations(
    left: NDArray[np.float64], right: NDArray[np.float64], least: int
) -> NDArray[np.float64]:
    """Return Pearson's correlation of each row of `left` with each of `right`, over known pairs."""
    (known_left, x), (known_right, y) = _without_means(left), _without_means(right)
    n = known_left @ known_right.T
    some = np.maximum(n, 1.0)
    sum_x, sum_y = x @ known_right.T, known_left @ y.T
    square_x = (x**2) @ known_right.T - sum_x**2 / some
    square_y = known_left @ (y**2).T - sum_y**2 / some
    products = x @ y.T - sum_x * sum_y / some
    defined = (n >= least) & (square_x > _NEGLIGIBLE * some) & (square_y > _NEGLIGIBLE * some)
    scale = np.sqrt(np.where(defined, square_x * square_y, 1.0))
    return np.where(defined, np.clip(products / scale, -1.0, 1.0), np.nan)


def _without_means(
    rows: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return which values are known, as 1, and the values less their row's mean, else 0."""
    known = np.isfinite(rows)
    means = np.sum(rows, axis=1, where=known) / np.maximum(known.sum(axis=1), 1)
    return known.astype(np.float64), np.where(known, rows - means[:, np.newaxis], 0.0)


@dataclass(frozen=True, slots=True)
class Measured:
    """Synchrony of each first person with each second one.

    Attributes
    ----------
    values : float64 array, shape (first people, second people)
        NaN where no window is defined.
    n_windows : int64 array, shape (first people, second people)
        Windows with any correlation.
    own : float64 array, shape (people, windows, lags)
        Correlations of those in the same place.
    """

    values: NDArray[np.float64]
    n_windows: NDArray[np.int64]
    own: NDArray[np.float64]


def measured(
    first: NDArray[np.float64], second: NDArray[np.float64], windows: Windows, measure: Measure
) -> Measured:
    """Return the synchrony of each first person with each second one, (people, bins) each.

    With ``z = atanh(r)`` of the correlations of all windows and lags it is the mean of
    ``|z|`` (``absolute``), that of ``z`` (``signed``), or the mean over windows of the
    largest ``|z|`` over the lags (``peak``).
    """
    first, second = standardised(first), standardised(second)
    shape = (len(first), len(second))
    sums, counts, n_windows = np.zeros(shape), np.zeros(shape), np.zeros(shape, dtype=np.int64)
    own = np.full((len(first), len(windows.starts), 2 * windows.most + 1), np.nan)
    same = np.arange(min(shape))
    for k, start in enumerate(windows.starts.tolist()):
        r = window_correlations(first, second, start, windows)
        own[same, k] = r[:, same, same].T
        z = np.arctanh(np.clip(r, -_LARGEST, _LARGEST))
        known = np.isfinite(z)
        some = known.any(axis=0)
        n_windows += some
        if measure == "peak":
            sums += np.where(some, np.max(np.abs(z), axis=0, where=known, initial=0.0), 0.0)
            counts += some
        else:
            sums += np.sum(z if measure == "signed" else np.abs(z), axis=0, where=known)
            counts += known.sum(axis=0)
    values = np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)
    return Measured(values, n_windows, own)
