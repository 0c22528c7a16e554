"""Kernels called from many Python threads at once, with other seeds each: the bytes of one by one.

They release Python's lock, so that calls overlap; a kernel that kept anything between calls, or
wrote where another reads, would mix them up.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import numpy as np
import pytest

from pyexpr.behavior.features.binning import frame_bins
from pyexpr.core import clip_features, kinematics
from pyexpr.core import cluster_bootstrap as core
from pyexpr.core import elastic_net as nets
from pyexpr.core import factor_model as factors
from pyexpr.core import icc as squares
from pyexpr.core.csv_reader import read_csv
from pyexpr.core.logistic_net import logistic_net_fits
from pyexpr.core.row_sums import RowSums
from pyexpr.core.sign_flip import flip_pair, sign_flips

THREADS = 8
G = 25


def rows(seed: int, n: int = 4000) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    truth = rng.normal(size=n)
    return truth + rng.normal(size=n), truth, np.arange(n) % G


def design(seed: int) -> core.MetricDesign:
    p, t, cluster = rows(seed)
    column = core.cluster_sums(p, t, cluster, G)
    ranks = [np.unique(one, return_inverse=True)[1] for one in (p[:200], t[:200])]
    ranked = core.Column(
        column.sums, column.centres, None, ranked=core.RankedRows(cluster[:200], *ranks)
    )
    levels = [
        core.Level("rmse", (0,)),
        core.Level("correlation", (0,)),
        core.Level("spearman", (1,)),
    ]
    return core.MetricDesign([column, ranked], levels, [core.Quantity(k) for k in range(3)], (G,))


def bootstrap(seed: int) -> list[Any]:
    one = design(seed)
    draws = one.replicates(300, seed=seed, n_threads=2)
    ranks = np.tile([3, 280], (3, 1))
    return [
        draws, one.standard_errors(20, seed=seed), one.estimate(), one.jackknife(), one.alone(),
        core.draw_counts((10, 15), 50, seed=seed), core.order_statistics(draws, ranks),
        *vars_of(core.summarise(draws, one.estimate(), np.zeros(3))),
    ]  # fmt: skip


def sums(seed: int) -> list[Any]:
    p, t, cluster = rows(seed)
    found = []
    for part in core.PARTS:
        batches = RowSums(1, G, constant=True)
        for start in range(0, len(p), 700):
            some = slice(start, start + 700)
            batches.add_to_means(p[some], t[some], cluster[some])
        for start in range(0, len(p) if part != "between" else 0, 700):
            some = slice(start, start + 700)
            batches.add_to_sums(part, p[some], t[some], cluster[some])
        column = core.cluster_sums(p, t, cluster, G, part=part)
        found += [column.sums, batches.column(part, 0).sums, *batches.constant(0)]
    return [*found, core.class_sums(p > 0, t > 0, cluster, G).sums]


def flips(seed: int) -> list[Any]:
    p, t, cluster = rows(seed)
    one, other = (core.cluster_sums(p * scale, t, cluster, G) for scale in (1.0, 0.5))
    pairs = [flip_pair(metric, "pooled", one, other) for metric in ("rmse", "correlation")]
    return [sign_flips(pairs, (G,), 400, every=False, seed=seed, n_threads=2)]


def penalised(seed: int) -> list[Any]:
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(500, 6))
    y = X[:, 0] + rng.normal(size=500)
    products = nets.cross_products(X, y, np.arange(500) % G, G)
    counts = core.draw_counts((G,), 20, seed=seed)
    fits = nets.elastic_net_fits(products, counts, alpha=(0.1, 0.05), l1_ratio=0.5, n_threads=2)
    errors, n = nets.squared_errors(products, counts, fits, n_threads=2)
    classes = logistic_net_fits(
        X, (y > 0).astype(int), 2, alpha=(0.1, 0.05), l1_ratio=0.5, n_threads=2
    )
    return [fits.coef, fits.intercept, errors, n, classes.coef, classes.intercept]


def factor(seed: int) -> list[Any]:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(600, 1)) + rng.normal(size=(600, 4))
    mean, covariance = factors.moments(x)
    fit = factors.fit_factor(covariance, 600)
    totals = factors.cluster_sums(x - mean, np.arange(600) % G, G)
    counts = core.draw_counts((G,), 40, seed=seed).astype(float)
    found = factors.fit_resampled(totals, counts, 4, n_threads=2)
    return [mean, covariance, fit.loadings, fit.vcov, *found[:2]]


def movement(seed: int) -> list[Any]:
    rng = np.random.default_rng(seed)
    points = rng.normal(size=(800, 20, 2))
    points[rng.random(points.shape) < 0.02] = np.nan
    moved = kinematics.landmark_motion(points, rate=25.0)
    turned = kinematics.angle_motion(points[:, 0, 0], rate=25.0)
    bins = frame_bins(800, 25.0, 5.0)
    binned = clip_features.bin_points(
        points, bins.first, bins.expected, len(bins.index), decimate=False, angles=False
    )
    return [*vars_of(moved), *vars_of(turned), binned]


def ratings(seed: int) -> list[Any]:
    rng = np.random.default_rng(seed)
    matrix = rng.normal(size=(500, 5))
    found = squares.matrix_squares(matrix)
    long = squares.long_squares(matrix.ravel(), np.repeat(np.arange(500), 5), 500)
    return [*vars_of(found.one_way), *vars_of(long)]


def text(seed: int) -> list[Any]:
    values = np.random.default_rng(seed).normal(size=(2000, 4))
    lines = "\n".join(",".join(map(repr, row)) for row in values.tolist()) + "\n"
    pieces = [lines[at : at + 5000].encode() for at in range(0, len(lines), 5000)]
    read = read_csv(pieces, [[0, 2], [3]], n_columns=4, skip_lines=0, longest_line=10_000)
    np.testing.assert_array_equal(read.tables[0], values[:, [0, 2]])
    return list(read.tables)


def vars_of(found: Any) -> list[Any]:
    """Return the fields of a dataclass, and of those that it holds."""
    fields = [getattr(found, name) for name in type(found).__dataclass_fields__]
    return [
        value
        for field in fields
        for value in (vars_of(field) if hasattr(field, "__dataclass_fields__") else [field])
        if value is not None
    ]


def as_bytes(found: list[Any]) -> list[bytes]:
    arrays = [np.asarray(one) for one in found]
    # Of objects the bytes are addresses.
    assert not any(array.dtype.hasobject for array in arrays)
    return [array.tobytes() for array in arrays]


@pytest.mark.parametrize(
    "call", [bootstrap, sums, flips, penalised, factor, movement, ratings, text]
)
def test_calls_at_once_give_the_bytes_of_calls_one_by_one(call: Callable[[int], list[Any]]) -> None:
    alone = [as_bytes(call(seed)) for seed in range(THREADS)]
    assert alone[0] != alone[1]
    together = Barrier(THREADS)

    def at_once(seed: int) -> list[bytes]:
        together.wait()
        return as_bytes(call(seed))

    with ThreadPoolExecutor(THREADS) as threads:
        assert list(threads.map(at_once, range(THREADS))) == alone


def test_one_design_serves_many_threads() -> None:
    shared = design(1)
    alone = [shared.replicates(200, seed=seed).tobytes() for seed in range(THREADS)]
    with ThreadPoolExecutor(THREADS) as threads:
        found = threads.map(
            lambda seed: shared.replicates(200, seed=seed).tobytes(), range(THREADS)
        )
        assert list(found) == alone


def test_whole_comparisons_at_once() -> None:
    import pandas as pd

    from pyexpr.inference.comparison.comparison import compare_models

    p, t, cluster = rows(1)
    table = pd.DataFrame({"subject": cluster, "y": t, "a": p, "b": p**2})

    def compared(seed: int) -> bytes:
        return compare_models(
            table, truth="y", predictions=["a", "b"], cluster="subject", n_boot=100, seed=seed
        ).replicates.tobytes()

    alone = [compared(seed) for seed in range(THREADS)]
    with ThreadPoolExecutor(THREADS) as threads:
        assert list(threads.map(compared, range(THREADS))) == alone
