"""The kernel against its twin bit by bit; what is known of the answers is in tests/behavior."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from reference import clip_features as reference

from pyexpr.behavior.features.binning import frame_bins
from pyexpr.core import clip_features as core
from pyexpr.core.kinematics import angle_motion, landmark_motion

RATES = [
    (25.0, 5.0),
    (29.97, 5.0),
    (30.0, 0.7),
    (60.0, 4.0),
    (240.0, 1.0),
    (5.0, 5.0),
    (3000.0, 2.0),
]


def clips(seed: int) -> list[tuple[NDArray[np.float64], tuple[NDArray[np.int64], ...], int, bool]]:
    """Return points, bins and whether they are angles, of all lengths of bins and shapes."""
    rng = np.random.default_rng(seed)
    found = []
    for fps, rate in RATES:
        for points, dims, angles in ((1, 1, True), (1, 1, False), (1, 3, False), (13, 2, False)):
            for missing in (0.0, 0.03, 0.4, 1.0):
                n_frames = int(rng.integers(2, 6 * fps / rate + 2))
                x = rng.normal(0.0, 400.0 if angles else 10.0, (n_frames, points, dims))
                x[rng.random(x.shape) < missing] = rng.choice([np.nan, np.inf, -np.inf])
                bins = frame_bins(n_frames, fps, rate)
                if len(bins):
                    found.append((x, (bins.first, bins.expected), len(bins.index), angles))
    return found


@pytest.mark.filterwarnings("ignore:invalid value encountered in remainder")
@pytest.mark.parametrize("decimate", [False, True])
def test_bins_equal_the_twin_bit_by_bit(decimate: bool) -> None:
    for points, bins, end, angles in clips(1):
        mine = core.bin_points(points, *bins, end, decimate=decimate, angles=angles)
        twin = reference.bin_points(points, *bins, end, decimate=decimate, angles=angles)
        np.testing.assert_array_equal(mine.view(np.int64), twin.view(np.int64))


@pytest.mark.parametrize("velocity", ["abs_derivative", "derivative", "speed"])
def test_movement_is_that_of_the_bins(velocity: str) -> None:
    for points, bins, end, angles in clips(2):
        how = {"decimate": False, "angles": angles}
        found = core.binned_motion(points, *bins, end, rate=5.0, velocity=velocity, **how)
        means = core.bin_points(points, *bins, end, **how)
        move = angle_motion if angles else landmark_motion
        motion = move(means[:, 0, 0] if angles else means, rate=5.0, velocity=velocity)
        np.testing.assert_array_equal(found[:2], [motion.displacement, motion.velocity])
        assert (found.n_known, found.n_velocities) == reference.known_bins(means)


@pytest.mark.parametrize("n_frames", [1, 7, 75, 3000])
def test_units_and_frames_equal_the_twin_bit_by_bit(n_frames: int) -> None:
    rng = np.random.default_rng(n_frames)
    valid = rng.random(n_frames) < 0.9
    presence = (rng.random((n_frames, 18)) < 0.3).astype(np.float64)
    presence[rng.random(presence.shape) < 0.002] = np.nan
    intensity = rng.uniform(0, 5, (n_frames, 17))
    intensity[rng.random(intensity.shape) < 0.01] = np.inf
    columns = np.array([[unit + (unit == 16), 16 - unit] for unit in range(17)])
    mine = core.unit_activity(valid, presence, intensity, columns)
    assert mine == reference.unit_activity(valid, presence, intensity, columns)
    confidence = np.where(rng.random(n_frames) < 0.1, np.nan, rng.random(n_frames))
    present = valid | (rng.random(n_frames) < 0.5)
    frames = core.count_frames(present, valid, confidence)
    np.testing.assert_array_equal(frames, reference.count_frames(present, valid, confidence))


def test_columns_of_a_wider_group_are_not_copied() -> None:
    group = np.random.default_rng(3).normal(size=(40, 6))
    bins = frame_bins(40, 25.0, 5.0)
    places = (bins.first, bins.expected, len(bins.index))
    how = {"decimate": False, "angles": False}
    for columns in (group[:, np.newaxis, 2:5], group[:, np.newaxis, 4:5]):
        assert core._together(columns) is columns
        expected = core.bin_points(np.ascontiguousarray(columns), *places, **how)
        np.testing.assert_array_equal(core.bin_points(columns, *places, **how), expected)
    # These lie apart.
    for apart in (group[:, np.newaxis, ::2], group[:, np.newaxis, [4, 5, 0]]):
        expected = core.bin_points(np.ascontiguousarray(apart), *places, **how)
        np.testing.assert_array_equal(core.bin_points(apart, *places, **how), expected)


def test_the_kernel_refuses_bins_outside_the_clip() -> None:
    points = np.zeros((4, 1, 1))
    two = np.array([2, 2])
    with pytest.raises(ValueError, match="within the frames"):
        core.bin_points(points, np.array([0, 2]), two, 5, decimate=False, angles=False)
    with pytest.raises(ValueError, match="bins must increase"):
        core.bin_points(points, np.array([2, 2]), two, 4, decimate=False, angles=False)
