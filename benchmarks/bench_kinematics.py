"""Displacement and velocity of 68 landmarks in 300,000 frames: ours, NumPy, and numba.

All compute the same two averages, and must agree. Reading the array once is the
floor that no program goes below.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numba
import numpy as np
from numpy.typing import NDArray

from pyexpr.core.kinematics import landmark_motion

FRAMES, LANDMARKS, RATE = 300_000, 68, 25.0
# Sums of 2e7 terms in different orders.
AGREE = 1e-9
REPEATS = 7


def numpy_motion(x: NDArray[np.floating]) -> tuple[float, float]:
    """As one would write it: whole temporaries."""
    steps = np.sqrt((np.diff(x.astype(np.float64, copy=False), axis=0) ** 2).sum(axis=2))
    return float(np.nanmean(steps)), float(np.nanmean(np.abs(np.diff(steps, axis=0)))) * RATE


@numba.njit
def numba_motion(x: NDArray[np.floating]) -> tuple[float, float]:
    """One fused loop, one thread, NaN-aware."""
    frames, landmarks, dims = x.shape
    last = np.full(landmarks, np.nan)
    steps, changes, n_steps, n_changes = 0.0, 0.0, 0, 0
    for t in range(1, frames):
        for i in range(landmarks):
            squares = 0.0
            for axis in range(dims):
                squares += (np.float64(x[t, i, axis]) - np.float64(x[t - 1, i, axis])) ** 2
            step = np.sqrt(squares)
            if np.isfinite(step):
                steps += step
                n_steps += 1
            change = abs(step - last[i])
            if np.isfinite(change):
                changes += change
                n_changes += 1
            last[i] = step
    return steps / n_steps, changes / n_changes * RATE


@numba.njit(fastmath=True)
def read_once(x: NDArray[np.floating]) -> float:
    """Sum all numbers: what reading them costs, vectorised."""
    total = 0.0
    for value in x.ravel():
        total += value
    return total


def ours(x: NDArray[np.floating]) -> tuple[float, float]:
    motion = landmark_motion(x, rate=RATE)
    return motion.displacement, motion.velocity


def milliseconds(work: Callable[[], object]) -> float:
    """Return the fastest of some runs."""
    times = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return 1e3 * min(times)


def landmarks(dtype: type, dims: int) -> NDArray[np.floating]:
    """Return a random walk with 1 % of the frames missing."""
    rng = np.random.default_rng(1)
    x = rng.normal(size=(FRAMES, LANDMARKS, dims)).astype(np.float32).cumsum(axis=0).astype(dtype)
    x[rng.random(FRAMES) < 0.01] = np.nan
    return x


def run() -> list[dict[str, object]]:
    """Return a row per peer and kind of array, after asserting that all agree."""
    rows: list[dict[str, object]] = []
    for dtype, dims in ((np.float64, 2), (np.float32, 2), (np.float64, 3)):
        x = landmarks(dtype, dims)
        answer = ours(x)
        np.testing.assert_allclose(numpy_motion(x), answer, rtol=AGREE)
        np.testing.assert_allclose(numba_motion(x), answer, rtol=AGREE)
        read_once(x)
        own = milliseconds(lambda x=x: ours(x))
        peers = {
            "NumPy": numpy_motion,
            "numba, one fused loop": numba_motion,
            "reading the array once": read_once,
        }
        for peer, function in peers.items():
            theirs = milliseconds(lambda f=function, x=x: f(x))
            rows.append(
                {
                    "work": f"landmark motion {FRAMES} x {LANDMARKS} x {dims} {np.dtype(dtype)}",
                    "ours_ms": own,
                    "peer": peer,
                    "peer_ms": theirs,
                    "ratio": theirs / own,
                }
            )
    return rows


if __name__ == "__main__":
    for row in run():
        print(
            f"{row['work']}: ours {row['ours_ms']:.1f} ms, {row['peer']} {row['peer_ms']:.1f} ms, "
            f"ratio {row['ratio']:.2f}"
        )
