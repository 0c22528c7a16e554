"""Passes over frames against a slow twin, and NumPy bit by bit; known answers are in cpp/tests."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from reference import frame_grid as twin

from pyexpr.core.frame_grid import blank_rows, fastest_step, point_middles

RNG = np.random.default_rng(20)


def spoiled(*shape: int, share: float = 0.01) -> NDArray[np.float64]:
    values = RNG.normal(300, 100, shape) * 10.0 ** RNG.integers(-3, 6, shape)
    values[RNG.random(shape) < share] = RNG.choice([np.nan, np.inf, -np.inf])
    return values


@pytest.mark.parametrize("shape", [(0, 3), (1, 1), (501, 18)])
def test_rows_are_blank_and_missing_values_counted(shape: tuple[int, int]) -> None:
    values, valid = spoiled(*shape, share=0.1), RNG.random(shape[0]) < 0.8
    expected, missing = twin.blank_rows(values, valid)
    assert blank_rows(values, valid) == missing
    np.testing.assert_array_equal(values, expected)


@pytest.mark.parametrize("shape", [(0, 68, 2), (1, 1, 2), (7, 68, 2), (1026, 68, 2), (9, 5, 3)])
def test_middles_are_numpys_means(shape: tuple[int, int, int]) -> None:
    points = spoiled(*shape, share=0.001)
    with np.errstate(invalid="ignore"):
        expected = points.mean(axis=1)
        np.testing.assert_array_equal(twin.point_middles(points), expected)
    np.testing.assert_array_equal(point_middles(points), expected)


@pytest.mark.parametrize("circle", [0.0, 360.0])
@pytest.mark.parametrize("dims", [1, 2, 3])
def test_the_fastest_step_is_that_of_the_definition(dims: int, circle: float) -> None:
    places = RNG.normal(0, 200, (300, dims))
    places[RNG.random(places.shape) < 0.05] = np.nan
    times = np.cumsum(RNG.uniform(0.005, 0.1, 300))
    expected = twin.fastest_step(places, times, least=1 / 30, circle=circle)
    found = fastest_step(places, times, least=1 / 30, circle=circle)
    # Both round every term once or twice.
    np.testing.assert_allclose(found, expected, rtol=1e-14)


def test_arrays_that_do_not_belong_together() -> None:
    with pytest.raises(ValueError, match="a mark of validity for each row"):
        blank_rows(np.zeros((3, 2)), np.ones(2, dtype=np.bool_))
    with pytest.raises(ValueError, match="a time for each frame"):
        fastest_step(np.zeros((3, 2)), np.zeros(2), least=0.1)
    with pytest.raises(ValueError, match="there must be points"):
        point_middles(np.zeros((3, 0, 2)))
    with pytest.raises(ValueError, match="two or three coordinates"):
        point_middles(np.zeros((3, 2, 4)))
    unwritable = np.zeros((2, 2))
    unwritable.flags.writeable = False
    with pytest.raises(ValueError, match="not writeable"):
        blank_rows(unwritable, np.zeros(2, dtype=np.bool_))
