"""Smoothed derivatives: exact for parabolas, blind across gaps, units as of differences."""

from __future__ import annotations

import numpy as np
import pytest
from behavior.hand_made import recording, whole
from hypothesis import given, settings
from hypothesis import strategies as st

from pyexpr.base.errors import DataError
from pyexpr.behavior.features.one_clip import clip_features
from pyexpr.behavior.features.options import FeatureOptions
from pyexpr.behavior.features.smoothing import savgol_motion, savgol_window

# A parabola is fitted to parabolas.
EXACT = 1e-9


def motion(position, *, fps=25.0, rate=5.0, velocity="abs_derivative", angles=False):
    points = np.asarray(position, dtype=np.float64).reshape(len(position), 1, -1)
    return savgol_motion(points, fps=fps, rate=rate, velocity=velocity, angles=angles)


@settings(max_examples=40, derandomize=True, deadline=None)
@given(fps=st.sampled_from([15.0, 23.976, 25.0, 30.0, 60.0]), rate=st.sampled_from([1.0, 5.0]))
def test_uniform_motion(fps, rate) -> None:
    seconds = np.arange(90) / fps
    displacement, velocity, n = motion(np.outer(seconds, [3.0, 4.0]), fps=fps, rate=rate)
    assert displacement == pytest.approx(5.0 / rate, rel=EXACT)
    assert velocity == pytest.approx(0.0, abs=1e-7)
    assert n == 90 - (savgol_window(fps) - 1)


@pytest.mark.parametrize("velocity", ["abs_derivative", "derivative"])
def test_accelerated_motion(velocity) -> None:
    # The same a / rate as by differences between bins.
    seconds = 1 + np.arange(75) / 25
    found = motion(6.0 * seconds**2 / 2, velocity=velocity)
    assert found[0] == pytest.approx(6.0 * 2.48 / 5, rel=EXACT)
    assert found[1] == pytest.approx(6.0 / 5, rel=EXACT)


def test_slowing_down_is_negative_when_signed() -> None:
    seconds = 4 - np.arange(75) / 25
    assert motion(3.0 * seconds**2, velocity="derivative")[1] == pytest.approx(-6 / 5, rel=EXACT)
    assert motion(3.0 * seconds**2)[1] == pytest.approx(6 / 5, rel=EXACT)


def test_on_a_circle_speed_does_not_change() -> None:
    turn = np.arange(75) / 25
    displacement, velocity, _ = motion(10 * np.column_stack([np.cos(turn), np.sin(turn)]))
    # The parabola over 0.44 s falls short of the circle by less than a percent.
    assert displacement == pytest.approx(10.0 / 5, rel=0.01)
    assert velocity == pytest.approx(0, abs=1e-9)


def test_speed_is_proportional_to_displacement() -> None:
    walk = np.random.default_rng(1).normal(size=(75, 3)).cumsum(axis=0)
    displacement, velocity, _ = motion(walk, velocity="speed")
    assert velocity == 5 * displacement


def test_at_rest_nothing_moves() -> None:
    for velocity in ("abs_derivative", "derivative", "speed"):
        assert motion(np.full((75, 2), 7.0), velocity=velocity)[:2] == pytest.approx(
            (0, 0), abs=1e-12
        )


def test_a_gap_is_never_bridged() -> None:
    position = np.arange(75.0)
    position[40:] += 1000
    position[37:40] = np.nan
    displacement, velocity, n = motion(position)
    assert displacement == pytest.approx(5.0, rel=EXACT)
    assert velocity == pytest.approx(0, abs=1e-7)
    assert n == (37 - 10) + (35 - 10)


def test_angles_are_unwrapped_on_either_side_of_a_gap() -> None:
    degrees = (170 + np.arange(75.0) + 180) % 360 - 180
    degrees[30:33] = np.nan
    assert motion(degrees, angles=True)[0] == pytest.approx(5.0, rel=EXACT)


@pytest.mark.parametrize(("fps", "frames"), [(25.0, 11), (30.0, 13), (60.0, 25), (5.0, 5)])
def test_the_window_is_odd_and_lasts_04_s(fps, frames) -> None:
    assert savgol_window(fps) == frames
    assert frames == 5 or 0 <= frames / fps - 0.4 < 2 / fps


def test_as_an_option_of_clips() -> None:
    seconds = np.arange(75) / 25
    made = recording(
        pose_translation=np.outer(seconds**2, [3.0, 0.0, 0.0]),
        pose_rotation=np.radians(np.outer((150 + 20 * seconds + 180) % 360 - 180, [1, 0, 0])),
    )
    found = clip_features(made, whole(made), FeatureOptions(derivatives="savgol"))
    assert found["head_velocity"] == pytest.approx(6 / 5, rel=EXACT)
    assert found["pitch_displacement"] == pytest.approx(20 / 5, rel=EXACT)
    assert found["reason"] == ""
    with pytest.raises(DataError, match="bins='decimate' does not apply"):
        clip_features(made, whole(made), FeatureOptions(derivatives="savgol", bins="decimate"))


def test_windows_need_more_frames_in_a_row_than_bins() -> None:
    # Every fifth frame is lost: all bins are valid, no window is whole.
    made = recording(invalid=range(2, 75, 5))
    assert clip_features(made, whole(made))["reason"] == ""
    found = clip_features(made, whole(made), FeatureOptions(derivatives="savgol"))
    assert found["n_valid_bins"] == 15
    assert "head: 0 frames with a whole window of 11 frames, 15 needed" in found["reason"]
