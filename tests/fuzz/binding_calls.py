"""One call of the private extension with arguments that bytes choose, most of them wrong.

Sizes are small, or so large that no computer has the memory. Left out is what takes the address of
a function or of a flag: whoever makes up an address can end the process, as with ``ctypes``.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from fuzz.choices import Choices
from numpy.typing import NDArray

from pyexpr.core.extension import kernels

# What a call with wrong arguments may raise.
ALLOWED = (TypeError, ValueError, MemoryError, OSError)


def array(choose: Choices, shape: Sequence[int], dtype: type = np.float64) -> Any:
    """Return an array, seldom of another shape, type, layout or alignment."""
    extents = list(shape)
    if choose.seldom():
        wrong = choose.below(4)
        if wrong == 0 and extents:
            extents[choose.below(len(extents))] = choose.below(5)
        elif wrong == 1:
            extents.append(choose.below(3))
        elif wrong == 2 and extents:
            extents.pop()
        elif extents:
            extents[choose.below(len(extents))] = 0
    n = int(np.prod(extents, dtype=np.int64))
    if dtype is np.float64 or dtype is np.float32:
        values = np.array([choose.real() for _ in range(n)], dtype=np.float64)
        with np.errstate(over="ignore"):
            made = values.astype(dtype).reshape(extents)
    else:
        most = 2 if choose.below(4) else 5
        made = np.array([choose.below(most) for _ in range(n)], dtype=dtype).reshape(extents)
        if n and choose.seldom() and dtype is np.int64:
            made.flat[choose.below(min(n, 256))] = choose.one_of((-1, 2**62, -(2**63), 100))
    return _unusual(choose, made) if choose.seldom() else made


def _unusual(choose: Choices, made: NDArray[Any]) -> Any:
    kind = choose.below(8)
    if kind == 0:
        return unaligned(made)
    if kind == 1:
        return np.asfortranarray(made)
    if kind == 2:
        return np.repeat(made, 2, axis=0)[::2] if made.ndim else made
    if kind == 3:
        return made[::-1] if made.ndim else made
    if kind == 4:
        return made.astype(made.dtype.newbyteorder())
    if kind == 5:
        return made.astype(choose.one_of((np.float32, np.int32, np.uint64, np.complex128, object)))
    if kind == 6:
        made.flags.writeable = False
        return made
    return choose.one_of((None, 3, "abc", b"abc", [1.0, 2.0], {}, np.empty((0, 2**40))))


def unaligned(values: NDArray[Any]) -> NDArray[Any]:
    """Return a copy whose numbers lie across their natural places in memory."""
    memory = np.zeros(values.nbytes + 1, dtype=np.uint8)
    copy = memory[1:].view(values.dtype).reshape(values.shape)
    copy[...] = values
    return copy


def _threads(choose: Choices) -> int:
    return choose.one_of((1, 1, 2, 3, 0, 2**63))


def _strata(choose: Choices, n_clusters: int) -> list[int]:
    if choose.seldom():
        return [choose.whole() for _ in range(choose.below(4))]
    if n_clusters > 1 and choose.below(2):
        return [1, n_clusters - 1]
    return [n_clusters]


def _seed(choose: Choices) -> tuple[int, int, int]:
    first = choose.one_of((0, 0, 5, 2**64 - 1, 2**63, -1)) if choose.seldom() else 0
    return choose.below(9), choose.below(3), first


def _row_sums(choose: Choices) -> Any:
    sums = kernels.RowSums(choose.below(4), choose.whole(), bool(choose.below(2)))
    if choose.seldom():
        sums = kernels.RowSums.__new__(kernels.RowSums)
    found = []
    for _ in range(choose.below(6)):
        do, n = choose.below(4), choose.below(6)
        if do == 2:
            found.append(sums.sums(choose.below(5) - 1, choose.below(5)))
        elif do == 3:
            found.append(sums.constant(choose.below(5)))
        else:
            given = array(choose, [n]), array(choose, [n]), array(choose, [n], np.int64)
            if do == 0:
                sums.add_to_means(*given)
            else:
                sums.add_to_sums(choose.below(5) - 1, *given)
    return found


def _cluster_sums(choose: Choices) -> Any:
    n = choose.below(6)
    # What an old file of the corpus calls stays the first call.
    return _summed(choose, n), _row_sums(choose)


def _summed(choose: Choices, n: int) -> Any:
    return kernels.cluster_sums(
        array(choose, [n]),
        array(choose, [n]),
        array(choose, [n], np.int64),
        choose.whole(),
        choose.below(5) - 1,
    )


def _draw_counts(choose: Choices) -> Any:
    n_clusters = choose.below(5)
    seed, stream, first = _seed(choose)
    return kernels.draw_counts(_strata(choose, n_clusters), seed, stream, first, choose.whole())


def _summarise(choose: Choices) -> Any:
    rows, n = choose.below(4), choose.below(9)
    return kernels.summarise(
        array(choose, [rows, n]), array(choose, [rows]), array(choose, [rows]), _threads(choose)
    )


def _order_statistics(choose: Choices) -> Any:
    rows, n = choose.below(4), choose.below(30)
    ranks = array(choose, [rows, choose.below(4)], np.int64)
    return kernels.order_statistics(array(choose, [rows, n]), ranks, _threads(choose))


def _metric_design(choose: Choices) -> Any:
    n_sums, n_clusters, n_columns = 1 + choose.below(9), choose.below(5), 1 + choose.below(3)
    n_ranked = choose.below(3)
    n_levels, n_rows = 1 + choose.below(3), choose.below(6)
    levels = []
    for _ in range(n_levels):
        columns = [choose.below(n_columns + choose.seldom()) for _ in range(1 + choose.below(3))]
        folds = choose.one_of((1, 1, len(columns), choose.whole()))
        levels.append((choose.below(13), choose.real(), columns, bool(choose.below(2)), folds))
    quantities = np.array(
        [
            [choose.below(n_levels), choose.below(n_levels + 1) - 1, choose.below(4)]
            for _ in range(1 + choose.below(3))
        ],
        dtype=np.int64,
    )
    if choose.seldom():
        quantities = array(choose, quantities.shape, np.int64)
    column_sums = np.array(
        [[choose.below(n_sums) for _ in range(9)] for _ in range(n_columns)], dtype=np.int64
    )
    if choose.seldom():
        column_sums = array(choose, column_sums.shape, np.int64)
    design = kernels.MetricDesign(
        array(choose, [n_sums, n_clusters]),
        column_sums,
        array(choose, [n_columns, 2]),
        array(choose, [n_columns, 2]),
        levels,
        quantities,
        _strata(choose, n_clusters),
        [[array(choose, [n_rows], np.int64) for _ in range(3)] for _ in range(n_ranked)],
        [choose.below(n_ranked + 1) - 1 for _ in range(n_columns)],
    )
    if choose.seldom():
        design = kernels.MetricDesign.__new__(kernels.MetricDesign)
    found = [design.estimate(), design.alone(), design.jackknife()]
    found.append(design.weighted(array(choose, [choose.below(5), n_clusters]), _threads(choose)))
    n = choose.below(70)
    for fill in (design.replicates, design.standard_errors):
        out = array(choose, [len(quantities), n])
        rows = [choose.whole() for _ in quantities] if choose.seldom() else range(len(quantities))
        seed, stream, first = _seed(choose)
        n_wanted = choose.whole() if choose.seldom() else n
        offset = choose.whole() if choose.seldom() else 0
        fill(seed, stream, first, n_wanted, list(rows), offset, out, _threads(choose))
        found.append(out)
    return found


def _sign_flips(choose: Choices) -> Any:
    n_pairs, n_clusters = choose.below(3), choose.below(5)
    seed, stream, first = _seed(choose)
    return kernels.sign_flips(
        array(choose, [n_pairs, 9, n_clusters]),
        array(choose, [n_pairs, 9, n_clusters]),
        [choose.below(12) - 1 for _ in range(n_pairs)],
        array(choose, [n_pairs, 2]),
        _strata(choose, n_clusters),
        bool(choose.below(2)),
        seed,
        stream,
        first,
        choose.whole(),
        _threads(choose),
    )


def _icc(choose: Choices) -> Any:
    which, n = choose.below(4), choose.below(6)
    if which == 0:
        return kernels.icc_matrix_squares(array(choose, [n, choose.below(5)]))
    if which == 1:
        return kernels.icc_wald_limit(
            array(choose, [n, choose.one_of((4, 4, 3, 0))]), choose.real(), choose.real()
        )
    values, targets = array(choose, [n]), array(choose, [n], np.int64)
    if which == 2:
        return kernels.icc_long_squares(values, targets, choose.whole())
    raters = array(choose, [n], np.int64)
    return kernels.icc_fill_cells(values, targets, raters, choose.whole(), choose.whole())


def _factor_model(choose: Choices) -> Any:
    which, p, n = choose.below(4), choose.below(6), choose.below(5)
    if which == 0:
        return kernels.factor_moments(array(choose, [n, p]))
    if which == 1:
        made = array(choose, [p, p])
        if isinstance(made, np.ndarray) and made.ndim == 2 and choose.below(2):
            made = made @ made.T if made.dtype == np.float64 else made
        return kernels.fit_factor(made, choose.whole())
    width = 1 + p + p * (p + 1) // 2
    wanted = choose.whole() if choose.seldom() else p
    if which == 2:
        return kernels.fit_factor_sums(array(choose, [n, width]), wanted, _threads(choose))
    return kernels.fit_factor_resampled(
        array(choose, [n, width]), array(choose, [choose.below(4), n]), wanted, _threads(choose)
    )


def _elastic_net(choose: Choices) -> Any:
    which, p, n, groups = choose.below(3), choose.below(4), choose.below(6), choose.below(4)
    if which == 0:
        n_clusters = choose.whole()
        return kernels.elastic_net_cross_products(
            array(choose, [n, p]),
            array(choose, [n]),
            array(choose, [n], np.int64),
            n_clusters,
            array(choose, [p + 1]),
            array(choose, [p + 1]),
        )
    sums = array(choose, [groups, 1 + (p + 1) + (p + 1) * (p + 2) // 2])
    counts = array(choose, [n, groups], np.int64)
    a, r = 1 + choose.below(2), 1 + choose.below(2)
    if which == 1:
        alphas = np.array([2.0, 0.5])[:a] if choose.below(4) else array(choose, [a])
        ratios = np.array([0.5, 0.0])[:r] if choose.below(4) else array(choose, [r])
        return kernels.elastic_net_fits(
            sums, counts, alphas, ratios, array(choose, [p]), choose.real(), choose.below(50),
            _threads(choose),
        )  # fmt: skip
    return kernels.elastic_net_squared_errors(
        sums, counts, array(choose, [n, a, r, p]), array(choose, [n]), array(choose, [n, p]),
        array(choose, [n, p]), _threads(choose),
    )  # fmt: skip


def _logistic_net(choose: Choices) -> Any:
    n, p = 2 + choose.below(6), choose.below(4)
    alphas = np.array([1.0, 0.1]) if choose.below(4) else array(choose, [2])
    ratios = np.array([0.5, 1.0]) if choose.below(4) else array(choose, [2])
    return kernels.logistic_net_fits(
        array(choose, [n, p]),
        array(choose, [n], np.int64),
        choose.whole() if choose.seldom() else 2 + choose.below(2),
        alphas,
        ratios,
        choose.real(),
        choose.below(30),
        _threads(choose),
    )


def _landmark_motion(choose: Choices) -> Any:
    shape = [choose.below(6), choose.below(6), choose.one_of((1, 2, 3, 0, 4))]
    dtype = choose.one_of((np.float64, np.float32))
    readings = (
        kernels.Velocity.abs_derivative,
        kernels.Velocity.derivative,
        kernels.Velocity.speed,
    )
    rate = 30.0 if choose.below(4) else choose.real()
    period = 0.0 if choose.below(4) else choose.real()
    return kernels.landmark_motion(
        array(choose, shape, dtype), rate, choose.one_of(readings), period
    )


def _clip_bins(choose: Choices) -> tuple[Any, Any, int, int]:
    """Return first frames, expected numbers, the end and the frames of a clip."""
    n_bins = choose.below(5)
    steps = [1 + choose.below(3) for _ in range(n_bins)]
    frames = sum(steps) + choose.below(2)
    first = np.cumsum([0, *steps[:-1]], dtype=np.int64)[:n_bins]
    if choose.seldom():
        first = array(choose, [n_bins], np.int64)
    end = choose.whole() if choose.seldom() else frames
    return first, array(choose, [n_bins], np.int64), end, frames


def _frame_grid(choose: Choices) -> Any:
    which, frames, width = choose.below(3), choose.below(9), choose.below(4)
    if which == 0:
        return kernels.blank_rows(array(choose, [frames, width]), array(choose, [frames], np.bool_))
    if which == 1:
        dims = choose.one_of((2, 3, 2, 3, 0, 1, 4))
        return kernels.point_middles(array(choose, [frames, width, dims]))
    return kernels.fastest_step(
        array(choose, [frames, width]),
        array(choose, [frames]),
        choose.real(),
        choose.one_of((0.0, 360.0, choose.real())),
    )


def _clip_motion(choose: Choices) -> Any:
    # What an old file of the corpus calls stays the first call.
    return _motion_of_clip(choose), _frame_grid(choose)


def _motion_of_clip(choose: Choices) -> Any:
    first, expected, end, frames = _clip_bins(choose)
    points = array(choose, [frames, choose.below(4), choose.below(4)])
    if choose.seldom() and isinstance(points, np.ndarray) and points.ndim:
        # Rows may lie apart: columns of a group, every second frame.
        points = points[::2]
    how = (bool(choose.below(2)), bool(choose.below(2)))
    if choose.below(2):
        return kernels.bin_points(points, first, expected, end, *how)
    rate = 30.0 if choose.below(4) else choose.real()
    reading = choose.one_of((kernels.Velocity.speed, kernels.Velocity.derivative))
    return kernels.binned_motion(points, first, expected, end, *how, rate, reading)


def _frames_and_units(choose: Choices) -> Any:
    frames, units = choose.below(7), choose.below(4)
    valid = array(choose, [frames], np.bool_)
    if choose.below(2):
        present = array(choose, [frames], np.bool_)
        return kernels.count_frames(present, valid, array(choose, [frames]))
    presence = array(choose, [frames, units], np.int64)
    if choose.below(8):
        presence = np.asarray(presence == 1, dtype=np.float64)
    intensity = array(choose, [frames, choose.below(4)])
    columns = array(choose, [choose.below(3), 2], np.int64)
    return kernels.unit_activity(valid, presence, intensity, columns)


_TEXTS = (
    b"1,2,3\n", b"a,b,c\n", b"4.5, -nan,\r\n", b"1,2\r", b"1e999,0x1p3,-0,7\n", b",,\n", b"\n",
    b"NA,12345678901234567890,1.0", b" 1 ,\t2,3", b"\0\xff", b"9" * 40 + b",1,1\n",
)  # fmt: skip


def _csv_reader(choose: Choices) -> Any:
    tables = [
        [choose.whole() if choose.seldom() else choose.below(3) for _ in range(choose.below(5))]
        for _ in range(choose.below(3))
    ]
    n_columns = choose.whole() if choose.seldom() else 3
    n_bytes = choose.whole()
    reader = kernels.CsvReader(
        tables, n_columns, choose.below(3), choose.one_of((100, 5, 2**64 - 1)), n_bytes
    )
    if choose.seldom():
        reader = kernels.CsvReader.__new__(kernels.CsvReader)
    return [_step(choose, reader, tables) for _ in range(choose.below(12))]


def _hashed_file(choose: Choices, reader: Any) -> Any:
    digest = kernels.Sha256(bool(choose.below(2)))
    if choose.seldom():
        digest = choose.one_of((kernels.Sha256.__new__(kernels.Sha256), None, reader))
    with tempfile.TemporaryFile() as file:
        file.write(choose.one_of(_TEXTS) * choose.below(300))
        file.seek(0)
        descriptor = choose.one_of((file.fileno(), file.fileno(), -1, 2**40))
        return reader.feed_file(descriptor, digest, choose.one_of((0, 1, 2**24, -1)))


def _step(choose: Choices, reader: Any, tables: list[list[int]]) -> Any:
    do = choose.below(8)
    if do == 7 and choose.seldom():
        return _hashed_file(choose, reader)
    if do < 4:
        piece: Any = choose.one_of(_TEXTS) * (1 + choose.below(20))
        if choose.seldom():
            piece = choose.one_of((memoryview(piece)[::2], np.arange(6)[::-2], "text", None))
        return reader.feed(piece)
    if do == 4:
        return reader.finish()
    if do == 5:
        return reader.cut(), reader.overlong(), reader.unread()
    table = choose.whole() if choose.seldom() else choose.below(2)
    width = len(tables[table]) if 0 <= table < len(tables) else choose.below(3)
    if choose.seldom():
        width = choose.whole()
    taken = reader.take(table, width, choose.whole())
    return taken.sum()


CALLS: dict[str, Callable[[Choices], Any]] = {
    "cluster_sums": _cluster_sums,
    "draw_counts": _draw_counts,
    "summarise": _summarise,
    "order_statistics": _order_statistics,
    "MetricDesign": _metric_design,
    "sign_flips": _sign_flips,
    "icc": _icc,
    "factor_model": _factor_model,
    "elastic_net": _elastic_net,
    "logistic_net": _logistic_net,
    "landmark_motion": _landmark_motion,
    "CsvReader": _csv_reader,
    "clip motion": _clip_motion,
    "frames and units": _frames_and_units,
}


def one_call(data: bytes) -> str:
    """Make one call; return "done", or the name of the error, which must be one of `ALLOWED`."""
    choose = Choices(data)
    call = choose.one_of(list(CALLS.values()))
    try:
        with np.errstate(all="ignore"):
            call(choose)
    except ALLOWED as error:
        return type(error).__name__
    return "done"
