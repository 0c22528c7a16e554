"""Every kernel from several threads of Python at once: the bytes of a call that is alone.

The kernels release Python's lock, and free-threaded Python has none.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from tempfile import TemporaryFile

import numpy as np

from pyexpr.behavior.features.binning import frame_bins
from pyexpr.core.clip_features import bin_points
from pyexpr.core.cluster_bootstrap import Level, MetricDesign, Quantity, draw_counts
from pyexpr.core.cluster_bootstrap import cluster_sums as metric_sums
from pyexpr.core.csv_reader import RestOfFile, file_digest, read_csv
from pyexpr.core.elastic_net import cross_products, elastic_net_fits
from pyexpr.core.factor_model import cluster_sums, fit_resampled
from pyexpr.core.frame_grid import blank_rows, fastest_step, point_middles
from pyexpr.core.icc import cell_table, matrix_squares
from pyexpr.core.kinematics import angle_motion, landmark_motion
from pyexpr.core.logistic_net import logistic_net_fits
from pyexpr.core.sign_flip import flip_pair, sign_flips

N_THREADS = 6
CALLS_PER_THREAD = 4
RNG = np.random.default_rng(5)
CLUSTERS = np.arange(240) % 20
TRUTH, FIRST, SECOND = (RNG.normal(size=240) for _ in range(3))
COLUMNS = [metric_sums(TRUTH + one, TRUTH, CLUSTERS, 20) for one in (FIRST, SECOND)]
DESIGN = MetricDesign(
    [*COLUMNS],
    [Level("rmse", (0,)), Level("correlation", (1,))],
    [Quantity(0, None), Quantity(1, None)],
    (20,),
)
FEATURES = RNG.normal(size=(240, 4))
COUNTS = draw_counts((20,), 40, seed=3)
FACTOR = FEATURES + RNG.normal(size=(240, 1)) * 2
FRAMES = RNG.normal(size=(2000, 10, 2))
POINTS = RNG.normal(size=(300, 5, 2))
TEXT = "\n".join(",".join(map(repr, row)) for row in FEATURES.tolist()).encode() + b"\n"


def replicates() -> bytes:
    return DESIGN.replicates(400, seed=1, n_threads=2).tobytes()


def jackknife() -> bytes:
    return DESIGN.jackknife().tobytes()


def flips() -> bytes:
    pair = flip_pair("rmse", "value", *COLUMNS)
    return sign_flips([pair], [20], 300, every=False, seed=2, n_threads=2).tobytes()


def elastic_net() -> bytes:
    products = cross_products(FEATURES, TRUTH, CLUSTERS, 20)
    fits = elastic_net_fits(products, COUNTS, alpha=(0.01, 0.1), l1_ratio=0.5, n_threads=2)
    return fits.coef.tobytes() + fits.intercept.tobytes()


def logistic_net() -> bytes:
    classes = (TRUTH > 0).astype(np.int64)
    fits = logistic_net_fits(FEATURES, classes, 2, alpha=(0.05, 0.2), l1_ratio=0.5, n_threads=2)
    return fits.coef.tobytes() + fits.intercept.tobytes()


def factor_model() -> bytes:
    sums = cluster_sums(FACTOR - FACTOR.mean(axis=0), CLUSTERS, 20)
    loadings, residuals, reasons = fit_resampled(sums, COUNTS, 4, n_threads=2)
    return loadings.tobytes() + residuals.tobytes() + repr(reasons).encode()


def reliability() -> bytes:
    cells = cell_table(FIRST, CLUSTERS, np.arange(240) // 20, 20, 12)
    return repr((matrix_squares(FEATURES), cells)).encode()


def movement() -> bytes:
    bins = frame_bins(300, 25.0, 5.0)
    end = len(bins.index)
    means = bin_points(POINTS, bins.first, bins.expected, end, decimate=False, angles=False)
    motions = (landmark_motion(POINTS, rate=25.0), angle_motion(POINTS[:, 0, 0], rate=25.0))
    return means.tobytes() + repr(motions).encode()


def frames() -> bytes:
    values = FRAMES.reshape(len(FRAMES), -1).copy()
    missing = blank_rows(values, FRAMES[:, 0, 0] > 0)
    fastest = fastest_step(values[:, :3], np.arange(len(values)) / 30, least=1 / 30, circle=6.0)
    return point_middles(FRAMES).tobytes() + values.tobytes() + repr((missing, fastest)).encode()


def csv_file() -> bytes:
    pieces = (TEXT[at : at + 700] for at in range(0, len(TEXT), 700))
    tables = [[0, 2], [3]]
    read = read_csv(pieces, tables, n_columns=4, skip_lines=0, longest_line=10_000)
    return b"".join(np.asarray(one).tobytes() for one in read.tables)


def csv_file_on_disk() -> bytes:
    digest = file_digest()
    if digest is None:  # A processor without instructions for SHA-256 reads in pieces.
        return csv_file()
    with TemporaryFile() as file:
        file.write(TEXT * 20)
        file.seek(0)
        read = read_csv(
            [], [[0, 2], [3]], n_columns=4, skip_lines=0, longest_line=10_000,
            rest=RestOfFile(file.fileno(), digest),
        )  # fmt: skip
    return b"".join(np.asarray(one).tobytes() for one in read.tables) + digest.hexdigest().encode()


KERNELS: list[Callable[[], bytes]] = [
    replicates, jackknife, flips, elastic_net, logistic_net, factor_model, reliability, movement,
    frames, csv_file, csv_file_on_disk,
]  # fmt: skip


def test_kernels_at_once_give_the_bytes_of_each_alone() -> None:
    alone = [kernel() for kernel in KERNELS]
    assert all(alone)
    start = threading.Barrier(N_THREADS)
    differ: list[str] = []

    def work(thread: int) -> None:
        start.wait()
        for call in range(CALLS_PER_THREAD):
            # Threads at the same kernel and at different ones.
            shift = call * thread
            for i in range(len(KERNELS)):
                at = (i + shift) % len(KERNELS)
                try:
                    if KERNELS[at]() != alone[at]:
                        differ.append(KERNELS[at].__name__)
                except Exception as error:
                    differ.append(f"{KERNELS[at].__name__}: {error!r}")

    threads = [threading.Thread(target=work, args=(thread,)) for thread in range(N_THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert differ == []
