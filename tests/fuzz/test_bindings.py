"""Every binding of the extension with random small arguments: errors in Python, never a crash."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from fuzz.binding_calls import ALLOWED, CALLS, one_call, unaligned

from pyexpr.core import cluster_bootstrap, elastic_net, factor_model, icc, kinematics
from pyexpr.core.extension import kernels

CORPUS = sorted((Path(__file__).parent / "corpus" / "bindings").iterdir())
HUGE = 2**62


def test_random_calls_end_in_an_answer_or_an_error() -> None:
    draw = random.Random(1)
    ends: Counter[str] = Counter()
    for _ in range(3000):
        ends[one_call(draw.randbytes(draw.choice((20, 100, 400))))] += 1
    # Neither are all calls refused, nor is none.
    assert ends["done"] > 300
    assert ends["ValueError"] > 300
    assert set(ends) <= {"done", *(kind.__name__ for kind in ALLOWED)}


@pytest.mark.parametrize("name", CALLS)
def test_no_kernel_is_refused_always(name: str) -> None:
    draw = random.Random(2)
    position = list(CALLS).index(name)
    ends = {one_call(bytes([position]) + draw.randbytes(300)) for _ in range(60)}
    assert "done" in ends


@pytest.mark.parametrize("path", CORPUS, ids=lambda path: path.name)
def test_what_was_found_once(path: Path) -> None:
    assert one_call(path.read_bytes()) in {"done", *(kind.__name__ for kind in ALLOWED)}


def test_strata_whose_sum_wraps_are_refused() -> None:
    for strata in ([2**63, 2**63, 1], [2**64 - 1, 2]):
        with pytest.raises(ValueError, match="sizes add up to more than"):
            kernels.draw_counts(strata, 1, 1, 0, 3)
        with pytest.raises(ValueError, match="sizes add up to more than"):
            kernels.sign_flips(
                np.zeros((1, 9, 1)), np.zeros((1, 9, 1)), [0], np.zeros((1, 2)), strata,
                False, 1, 2, 0, 3, 1,
            )  # fmt: skip
    with pytest.raises(ValueError, match="replicates are numbered up to"):
        kernels.draw_counts([2], 1, 1, 2**64 - 2, 3)


def test_sizes_beyond_any_memory_are_refused_in_a_sentence() -> None:
    one, code = np.zeros(1), np.zeros(1, dtype=np.int64)
    with pytest.raises(ValueError, match="does not fit into any memory"):
        kernels.icc_fill_cells(one, code, code, HUGE, HUGE)
    with pytest.raises(ValueError, match="does not fit into any memory"):
        kernels.fit_factor_sums(np.zeros((0, 10)), 2**63, 1)
    # What can be counted, but not addressed.
    with pytest.raises(MemoryError, match="the memory is not sufficient for this computation"):
        kernels.icc_long_squares(one, code, HUGE)


def test_memory_that_is_not_there_is_reported_in_a_sentence() -> None:
    # The address sanitizer ends the process instead: make sanitized-extension leaves this out.
    one, code = np.zeros(1), np.zeros(1, dtype=np.int64)
    with pytest.raises(MemoryError, match="the memory is not sufficient for this computation"):
        kernels.icc_long_squares(one, code, 2**43)


def test_shapes_are_checked_where_kernels_read_blindly() -> None:
    with pytest.raises(ValueError, match="sizes must have 4 columns"):
        kernels.icc_wald_limit(np.ones((100, 1)), 1.0, 1.0)
    with pytest.raises(ValueError, match="values must have 2 dimensions, but has 3"):
        kernels.statistic_leave_one_out(
            [], np.zeros((1, 1)), np.zeros(1, dtype=np.int64), [1], np.zeros((0, 1, 5)),
            np.zeros((0, 1), dtype=np.uint8), 1,
        )  # fmt: skip
    with pytest.raises(ValueError, match="a statistic has no function"):
        kernels.statistic_leave_one_out(
            [(0, 1)], np.zeros((1, 1)), np.zeros(1, dtype=np.int64), [1], np.zeros((1, 1)),
            np.zeros((1, 1), dtype=np.uint8), 1,
        )  # fmt: skip
    with pytest.raises(ValueError, match="a class has no row"):
        kernels.logistic_net_fits(
            np.zeros((2, 0)), np.array([0, 1]), 2**61, np.ones(1), np.ones(1), 1e-9, 5, 1
        )
    with pytest.raises(ValueError, match="there must be a cluster"):
        kernels.MetricDesign(
            np.zeros((1, 0)), np.zeros((1, 9), dtype=np.int64), np.zeros((1, 2)),
            np.zeros((1, 2)), [(0, 1.0, [0], False, 1)], np.array([[0, -1, 0]]), [], [], [-1],
        )  # fmt: skip


def test_the_reader_of_tables_is_called_in_any_order() -> None:
    reader = kernels.CsvReader([[0]], 1, 0, 100, 2**63)
    assert reader.feed(b"")
    with pytest.raises(ValueError, match="another number of columns"):
        reader.take(0, 10**7, 0)
    with pytest.raises(ValueError, match="there is no such table"):
        reader.take(1, 1, 0)
    with pytest.raises(ValueError, match="follow one another in memory"):
        reader.feed(memoryview(bytearray(10**4))[::-1])
    with pytest.raises(ValueError, match="does not fit into any memory"):
        reader.take(0, 1, HUGE)
    assert reader.take(0, 1, 0).shape == (0, 1)
    with pytest.raises(ValueError, match="was taken before"):
        reader.take(0, 1, 0)
    with pytest.raises(ValueError, match="the text has ended"):
        reader.feed(b"2\n")


@pytest.mark.parametrize("kind", [kernels.MetricDesign, kernels.CsvReader, kernels.Sha256])
def test_an_object_without_its_constructor_is_no_object(kind: type) -> None:
    made = kind.__new__(kind)
    for name in ("estimate", "alone", "jackknife", "cut", "overlong", "unread", "finish",
                 "hexdigest"):  # fmt: skip
        if hasattr(made, name):
            with pytest.raises(TypeError, match="not made by its constructor"):
                getattr(made, name)()
            with pytest.raises(TypeError):
                getattr(kind, name)(3)


def test_unaligned_arrays_are_refused_by_the_binding_and_copied_before_it() -> None:
    values = np.random.default_rng(1).normal(size=(12, 3))
    across = unaligned(values)
    assert not across.flags.aligned
    with pytest.raises(ValueError, match="x must be aligned in memory"):
        kernels.factor_moments(across)

    assert np.array_equal(factor_model.moments(across)[1], factor_model.moments(values)[1])
    assert repr(icc.matrix_squares(across)) == repr(icc.matrix_squares(values))
    frames, apart = values.reshape(4, 3, 3), across.reshape(4, 3, 3)
    assert repr(kinematics.landmark_motion(apart, rate=2)) == repr(
        kinematics.landmark_motion(frames, rate=2)
    )
    codes = unaligned(np.repeat(np.arange(4), 3))
    products = elastic_net.cross_products(across, across.reshape(-1)[:12], codes)
    again = elastic_net.cross_products(values, values.reshape(-1)[:12], codes.copy())
    assert np.array_equal(products.sums, again.sums)
    column = cluster_bootstrap.cluster_sums(across.reshape(-1)[:12], values[:, 0].copy(), codes, 4)
    assert column.sums.shape == (9, 4)
    ranks = unaligned(np.array([[0, 2]] * 3))
    assert np.array_equal(
        cluster_bootstrap.order_statistics(across.reshape(3, 12), ranks),
        np.sort(values.reshape(3, 12))[:, [0, 2]],
    )
