"""The kernel against its twin, and against motions whose answer is known."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from reference import kinematics as reference

from pyexpr.base.errors import DataError
from pyexpr.core.kinematics import VELOCITIES, Motion, angle_motion, landmark_motion

# The twin sums in another order: relative to the size of what is summed.
TWIN = 1e-12
# Closed forms that round a handful of times.
EXACT = 1e-12


def assert_equals_twin(motion: Motion, twin: dict[str, object], size: float) -> None:
    each = motion.per_landmark
    assert motion.n_steps == twin["n_steps"]
    assert motion.n_velocities == twin["n_velocities"]
    np.testing.assert_array_equal(each.n_steps, twin["n_steps_each"])
    np.testing.assert_array_equal(each.n_velocities, twin["n_velocities_each"])
    for ours, theirs in (
        (motion.displacement, twin["displacement"]),
        (motion.velocity, twin["velocity"]),
        (each.displacement, twin["displacement_each"]),
        (each.velocity, twin["velocity_each"]),
    ):
        np.testing.assert_allclose(ours, theirs, rtol=TWIN, atol=TWIN * size)


@settings(max_examples=150, derandomize=True, deadline=None)
@given(
    frames=st.integers(0, 40),
    landmarks=st.integers(0, 11),
    dims=st.integers(1, 3),
    dtype=st.sampled_from([np.float32, np.float64]),
    velocity=st.sampled_from(VELOCITIES),
    missing=st.sampled_from([0.0, 0.02, 0.3, 1.0]),
    bad=st.sampled_from([np.nan, np.inf, -np.inf]),
    scale=st.sampled_from([1e-6, 1.0, 1e8]),
    rate=st.sampled_from([1.0, 5.0, 23.976]),
    seed=st.integers(0, 2**32 - 1),
)
def test_equals_twin(
    frames, landmarks, dims, dtype, velocity, missing, bad, scale, rate, seed
) -> None:
    rng = np.random.default_rng(seed)
    x = (scale * rng.normal(size=(frames, landmarks, dims))).astype(dtype)
    x[rng.random(x.shape) < missing / dims] = bad
    assert_equals_twin(
        landmark_motion(x, rate=rate, velocity=velocity),
        reference.landmark_motion(x, rate, velocity),
        scale * rate,
    )


@settings(max_examples=100, derandomize=True, deadline=None)
@given(
    degrees=st.lists(st.one_of(st.floats(-720, 720), st.just(np.nan)), min_size=0, max_size=30),
    velocity=st.sampled_from(VELOCITIES),
)
def test_angles_equal_twin(degrees, velocity) -> None:
    x = np.array(degrees, dtype=np.float64)
    twin = reference.landmark_motion(x.reshape(-1, 1, 1), 5.0, velocity, angles=True)
    assert_equals_twin(angle_motion(x, rate=5.0, velocity=velocity), twin, 360 * 5.0)


def moving(position: NDArray[np.float64], landmarks: int = 5) -> NDArray[np.float64]:
    """Shift every landmark of a rigid group by `position` (frames, dims)."""
    offsets = np.random.default_rng(0).integers(-50, 50, size=(landmarks, position.shape[1]))
    return position[:, np.newaxis, :] + offsets


def test_uniform_motion() -> None:
    rate, speed = 30.0, np.array([3.0, -4.0])
    motion = landmark_motion(moving(np.arange(20)[:, None] * speed / rate), rate=rate)
    assert motion.displacement == pytest.approx(5.0 / rate, rel=EXACT)
    assert motion.velocity == pytest.approx(0.0, abs=rate * EXACT)


def test_circle() -> None:
    turn = 2 * np.pi * np.arange(50) / 24
    circle = 7.0 * np.column_stack([np.cos(turn), np.sin(turn)])
    motion = landmark_motion(moving(circle), rate=25)
    assert motion.displacement == pytest.approx(14.0 * np.sin(np.pi / 24), rel=EXACT)
    assert motion.velocity == pytest.approx(0.0, abs=1e-11)


@pytest.mark.parametrize("velocity", ["abs_derivative", "derivative"])
def test_quadratic_motion(velocity) -> None:
    # x = a t^2 / 2 has steps that grow by a / rate^2: "velocity" is a / rate.
    rate, a = 10.0, 6.0
    t = np.arange(30) / rate
    position = np.column_stack([a * t**2 / 2, 0 * t, 0 * t])
    motion = landmark_motion(moving(position), rate=rate, velocity=velocity)
    assert motion.velocity == pytest.approx(a / rate, rel=1e-10)


def test_signed_derivative_telescopes() -> None:
    rng = np.random.default_rng(3)
    x = rng.normal(size=(40, 1, 2))
    steps = np.linalg.norm(np.diff(x[:, 0], axis=0), axis=1)
    motion = landmark_motion(x, rate=5.0, velocity="derivative")
    duration = (len(steps) - 1) / 5.0
    assert motion.velocity == pytest.approx((steps[-1] - steps[0]) / duration, rel=1e-11)


def test_speed_is_proportional_to_displacement() -> None:
    x = np.random.default_rng(4).normal(size=(33, 6, 3))
    x[5, 2] = np.nan
    motion = landmark_motion(x, rate=25.0, velocity="speed")
    assert motion.velocity == 25.0 * motion.displacement
    assert motion.n_velocities == motion.n_steps == 32 * 6 - 2


def test_one_missing_row_costs_two_steps_and_three_velocities() -> None:
    x = np.arange(10.0).reshape(10, 1, 1)
    x[4] = np.nan
    motion = landmark_motion(x, rate=1.0)
    assert (motion.n_steps, motion.n_velocities) == (9 - 2, 8 - 3)
    # Bridging the gap would have seen a step of 2.
    assert motion.displacement == 1.0


def test_one_missing_coordinate_makes_the_landmark_invalid() -> None:
    x = np.zeros((3, 2, 2))
    x[1, 0, 1] = np.nan
    assert landmark_motion(x, rate=1.0).per_landmark.n_steps.tolist() == [0, 2]


def test_angle_wraps() -> None:
    assert angle_motion([359.0, 1.0], rate=5.0).displacement == 2.0
    assert angle_motion([1.0, 359.0], rate=5.0).displacement == 2.0
    assert angle_motion([-179.0, 179.0], rate=5.0).displacement == 2.0


def test_layout_and_type_do_not_matter() -> None:
    x = np.random.default_rng(5).integers(-99, 99, size=(30, 9, 2))
    expected = landmark_motion(x.astype(np.float64), rate=5.0)
    for other in (x, x.astype(np.float32), np.asfortranarray(x.astype(np.float64)), x.tolist()):
        motion = landmark_motion(other, rate=5.0)
        assert motion.displacement == expected.displacement
        assert motion.velocity == expected.velocity


def test_same_bytes_from_every_thread() -> None:
    x = np.random.default_rng(6).normal(size=(500, 68, 2))
    expected = landmark_motion(x, rate=5.0).per_landmark.velocity.tobytes()
    found: list[bytes] = []
    threads = [
        threading.Thread(
            target=lambda: found.append(
                landmark_motion(x, rate=5.0).per_landmark.velocity.tobytes()
            )
        )
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [expected] * 4


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"landmarks": np.zeros((3, 2)), "rate": 5}, r"shape .* not \(3, 2\)"),
        ({"landmarks": np.zeros((3, 2, 4)), "rate": 5}, r"not \(3, 2, 4\)"),
        ({"landmarks": np.zeros((3, 2, 2)), "rate": 0}, "rate= must be a positive"),
        ({"landmarks": np.zeros((3, 2, 2)), "rate": np.nan}, "rate= must be a positive"),
        ({"landmarks": np.full((3, 2, 2), "a"), "rate": 5}, "must be numbers"),
        (
            {"landmarks": np.zeros((3, 2, 2)), "rate": 5, "velocity": "abs_derivate"},
            "did you mean 'abs_derivative'",
        ),
    ],
)
def test_arguments_that_make_no_sense(arguments, message) -> None:
    with pytest.raises(DataError, match=message):
        landmark_motion(**arguments)


def test_angles_are_one_series() -> None:
    with pytest.raises(DataError, match=r"shape \(frames,\)"):
        angle_motion(np.zeros((3, 1)), rate=5.0)
