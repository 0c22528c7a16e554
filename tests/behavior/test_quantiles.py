"""Quantiles against NumPy's, bit by bit; sizes of images against the geometry they come from."""

from __future__ import annotations

import numpy as np
import pytest

from pyexpr.behavior.features.mixed import _half_sizes
from pyexpr.behavior.openface.plausible import implausible
from pyexpr.behavior.openface.quantiles import quantiles

RNG = np.random.default_rng(4)
SHARES = (0.0, 0.1, 0.25, 0.5, 0.9, 0.999, 1.0)


@pytest.mark.parametrize("n", [1, 2, 3, 10, 11, 499, 1825])
def test_quantiles_are_numpys_to_the_bit(n: int) -> None:
    for values in (RNG.normal(300, 100, n), RNG.integers(0, 3, n) / 3, np.full(n, 0.1)):
        assert quantiles(values, SHARES) == np.quantile(values, SHARES).tolist()


def test_half_sizes_solve_the_equations_of_the_camera() -> None:
    # x = f X / Z + w / 2 and y = f Y / Z + h / 2, f the mean of 500 w / 640 and 500 h / 480.
    place = RNG.normal([0, 0, 700], [150, 100, 60], (400, 3))
    width, height = 1280.0, 720.0
    focal = (500 * width / 640 + 500 * height / 480) / 2
    middle = focal * place[:, :2] / place[:, 2:] + [width / 2, height / 2]
    halves = _half_sizes(place, middle)
    assert halves.shape[1] > 300
    np.testing.assert_allclose(halves[0], width / 2, rtol=1e-11)
    np.testing.assert_allclose(halves[1], height / 2, rtol=1e-11)


def test_the_limit_is_the_same_with_and_without_a_look_ahead() -> None:
    # Steps of 5000 mm/s exactly, a little less, and a little more, in several units of time.
    times = np.arange(60) / 16
    for factor, faults in ((1.0, 0), (1 - 1e-12, 0), (1 + 1e-12, 1), (1 + 1e-9, 1)):
        places = np.zeros((60, 3))
        places[30] = [0.0, 5000 / 16 * factor, 0.0]
        limits = {"max_speed": 5000.0, "max_turn": 1500.0}
        found = implausible({"pose_translation": places}, times, **limits)
        assert sum(len(one.faults) for one in found.values()) == faults, factor
