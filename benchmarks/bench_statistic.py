"""Trimmed RMSE bootstrapped over subjects: compiled by numba, in NumPy, and in plain Python."""

from __future__ import annotations

import numba
import numpy as np
import pandas as pd
from timing import best, row

from pyexpr.inference.bootstrap.bootstrap import cluster_bootstrap

SUBJECTS, CLIPS, REPLICATES = 28, 16, 2000
KEPT = 0.9  # share of the rows, those of the smallest errors


def table() -> pd.DataFrame:
    rng = np.random.default_rng(1)
    n = SUBJECTS * CLIPS
    frame = pd.DataFrame({"subject": np.repeat(np.arange(SUBJECTS), CLIPS)})
    frame["y"] = rng.normal(size=SUBJECTS)[frame.subject] + rng.normal(size=n)
    frame["p"] = 0.5 * frame.y + rng.standard_t(3, size=n)
    return frame


@numba.njit
def compiled(rows, weights):
    """RMSE of the copies with the smallest errors; the last row may count in part."""
    n = rows.shape[1]
    squares = np.empty(n)
    total = 0.0
    for i in range(n):
        d = rows[1, i] - rows[0, i]
        squares[i] = d * d
        total += weights[i]
    wanted = KEPT * total
    taken = 0.0
    found = 0.0
    for i in np.argsort(squares):
        weight = min(weights[i], wanted - taken)
        taken += weight
        found += weight * squares[i]
        if taken >= wanted:
            break
    return np.sqrt(found / wanted)


def vectorised(rows: pd.DataFrame, weights: np.ndarray) -> float:
    squares = (rows["p"].to_numpy() - rows["y"].to_numpy()) ** 2
    order = np.argsort(squares)
    wanted = KEPT * weights.sum()
    taken = np.minimum(np.cumsum(weights[order]), wanted)
    return float(np.sqrt(np.diff(taken, prepend=0.0) @ squares[order] / wanted))


def uncompiled(rows: pd.DataFrame, weights: np.ndarray) -> float:
    return compiled.py_func(rows[["y", "p"]].to_numpy().T, weights)


@numba.njit
def alone(rows, weights, n):
    """The function itself, as often as it is called."""
    total = 0.0
    for _ in range(n):
        total += compiled(rows, weights)
    return total


def run() -> list[dict[str, object]]:
    """Return one row per comparison: work, ours_ms, peer, peer_ms, ratio."""
    frame = table()
    options = {"cluster": "subject", "n_boot": REPLICATES, "seed": 1, "progress": False}

    def ours() -> object:
        return cluster_bootstrap(frame, compiled, columns=["y", "p"], **options)

    found = ours()  # compiles
    work = f"trimmed RMSE, {len(frame)} rows, {REPLICATES} replicates"
    rows = []
    for peer, function, repeats in (
        ("the same function uncompiled", uncompiled, 1),
        ("a vectorised NumPy callable", vectorised, 3),
    ):
        theirs = cluster_bootstrap(frame, function, **options)
        np.testing.assert_allclose(theirs.replicates, found.replicates, rtol=1e-12)
        peer_ms = best(lambda f=function: cluster_bootstrap(frame, f, **options), repeats)
        ours_ms = best(ours, 10)
        rows.append(row(work, ours_ms, peer, peer_ms))
    arrays = frame[["y", "p"]].to_numpy().T.copy()
    calls = REPLICATES + SUBJECTS
    alone(arrays, np.ones(len(frame)), 1)  # compiles
    least = best(lambda: alone(arrays, np.ones(len(frame)), calls), 5)
    rows.append(row(work, best(ours, 10), "the least: its calls alone, one core", least))
    return rows


if __name__ == "__main__":
    print(pd.DataFrame(run()).to_string(index=False, float_format=lambda x: f"{x:.3g}"))
