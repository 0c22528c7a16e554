"""The kernel of the mean squares against definitions, rational arithmetic and NIST."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reference import icc as reference

from pyexpr.base.errors import DataError
from pyexpr.core import icc as kernel

# Kernel and twin round differently, a few units in the last place each.
TWIN = 1e-12

NIST = json.loads((Path(__file__).parents[1] / "golden" / "nist_anova.json").read_text())


ratings = st.lists(
    st.tuples(st.integers(0, 6), st.integers(-40, 40)), min_size=12, max_size=60
).filter(
    lambda rows: (
        len({t for t, _ in rows}) > 1
        and any(a[0] == b[0] and a[1] != b[1] for a in rows for b in rows)
        and len({x for _, x in rows}) > 2
    )
)


@settings(derandomize=True, max_examples=80, deadline=None)
@given(rows=ratings, offset=st.sampled_from([0.0, 0.1, 1e6]))
def test_long_equals_the_twin(rows: list[tuple[int, int]], offset: float) -> None:
    targets = np.array([t for t, _ in rows])
    values = offset + np.array([x for _, x in rows]) / 8
    values[::11] = np.nan
    found = kernel.long_squares(values, targets, 7)
    if found.n_targets < 2 or found.n_ratings == found.n_targets:
        return
    n_targets, n, n0, harmonic, between, within = reference.one_way(values, targets)
    scale = np.nanvar(values) * n
    assert (found.n_targets, found.n_ratings) == (n_targets, n)
    assert found.n0 == pytest.approx(n0, rel=TWIN)
    assert found.n_harmonic == pytest.approx(harmonic, rel=TWIN)
    assert found.ms_between == pytest.approx(between, rel=TWIN, abs=TWIN * scale)
    assert found.ms_within == pytest.approx(within, rel=TWIN, abs=TWIN * scale)


@pytest.mark.parametrize("shape", [(3, 2), (7, 3), (300, 6), (4, 50)])
def test_table_equals_the_twin(shape: tuple[int, int]) -> None:
    rng = np.random.default_rng(5)
    table = rng.normal(size=shape) + rng.normal(size=(shape[0], 1)) + rng.normal(size=shape[1])
    squares = kernel.matrix_squares(table)
    two = squares.two_way
    assert two is not None
    targets, raters, error = reference.two_way(table)
    assert two.ms_targets == pytest.approx(targets, rel=TWIN)
    assert two.ms_raters == pytest.approx(raters, rel=TWIN)
    assert two.ms_error == pytest.approx(error, rel=TWIN)
    signals = (squares.one_way.signal, two.signal_agreement, two.signal_consistency)
    of_one_rating = [theta / (1 + theta) for theta in signals]
    np.testing.assert_allclose(of_one_rating, reference.six_forms(table)[::2], rtol=TWIN, atol=TWIN)


def test_wald_limit_solves_the_equation_written_with_the_whole_covariance_matrix() -> None:
    rng = np.random.default_rng(8)
    targets = np.repeat(np.arange(9), [1, 2, 2, 3, 5, 7, 1, 4, 30])
    values = 1e4 + rng.normal(size=9)[targets] + rng.normal(size=len(targets))
    squares = kernel.long_squares(values, targets, 9)
    for quantile in (0.3, 1.0, 2.5):
        theta = kernel.wald_limit(squares, quantile)
        # The inverse of the covariance matrix costs a few digits of the statistic.
        assert reference.wald_ratio(values, targets, theta) == pytest.approx(quantile, rel=1e-8)


def test_arguments_that_are_not_ratings() -> None:
    with pytest.raises(DataError, match="must be numbers"):
        kernel.matrix_squares([["a", "b"]])
    with pytest.raises(DataError, match="2 dimensions, but have 1"):
        kernel.matrix_squares([1.0, 2.0])
    with pytest.raises(DataError, match=r"at index \[0, 1\] is infinite"):
        kernel.matrix_squares([[1.0, np.inf], [2.0, -np.inf]])
    with pytest.raises(DataError, match="code 3, outside"):
        kernel.long_squares([1.0, 2.0], [0, 3], 2)
    with pytest.raises(DataError, match="whole numbers"):
        kernel.long_squares([1.0, 2.0], [0.0, 1.0], 2)
    with pytest.raises(DataError, match="1 codes for 2 values"):
        kernel.cell_table([1.0, 2.0], [0, 1], [0], 2, 1)


def test_nan_and_overflow_are_not_mistaken_for_infinity() -> None:
    huge = kernel.matrix_squares([[1e308, 1e308], [np.nan, 1e308]])
    assert huge.one_way.n_ratings == 3
