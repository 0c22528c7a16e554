"""Features besides the fourteen: closed forms, NumPy and SciPy otherwise written, and refusals."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from behavior.hand_made import INTENSITY, PRESENCE, openface_text, recording, whole
from scipy.signal import savgol_filter
from scipy.spatial.distance import pdist

import pyexpr as px
from pyexpr.base.errors import DataError
from pyexpr.base.saved import pack, unpack
from pyexpr.behavior.features.entropy import permutation_entropy, sample_entropy
from pyexpr.behavior.features.one_clip import clip_features
from pyexpr.behavior.features.options import FEATURES, FeatureOptions, feature_names, feature_units
from pyexpr.behavior.features.regions import FACE_68, REGIONS
from pyexpr.simulation.face import mean_face

# Sums of doubles in another order.
ROUNDING = 1e-10
EVERYTHING = ("regions", "acceleration", "variability", "asymmetry", "au_dynamics", "entropy")
SECONDS = np.arange(75) / 25


def features(made, *extra, **options):
    return clip_features(made, whole(made), FeatureOptions(extra=extra, **options))


def walk(n_frames=75, seed=3):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n_frames, 68, 2)).cumsum(axis=0)


def binned(values, size=5):
    """Return bin means by pandas: any NaN in half of a bin or more gives NaN."""
    frame = pd.DataFrame(values.reshape(len(values), -1))
    groups = frame.groupby(np.arange(len(frame)) // size)
    means = groups.mean().where(groups.count() >= size / 2)
    return means.to_numpy().reshape(len(means), *values.shape[1:])


# -- which there are --------------------------------------------------------------------


def test_the_fourteen_stay_first_and_the_same() -> None:
    made = recording(landmarks_2d=walk(), invalid=[3, 20, 21, 22])
    plain = clip_features(made, whole(made))
    more = features(made, *EVERYTHING, action_units="AU12")
    assert feature_names() == FEATURES
    assert tuple(more)[:14] == FEATURES
    for name in FEATURES:
        assert more[name] == plain[name], name


def test_columns_are_those_declared() -> None:
    options = FeatureOptions(extra=EVERYTHING, action_units=["AU12"], baseline="all")
    names = feature_names(options)
    assert len(names) == 2 * (14 + 8 + 12 + 14 + 5 + 10 + 12)
    assert len(set(names)) == len(names)
    made = recording()
    found = clip_features(made, whole(made), options)
    assert [name for name in found if name in names] == [n for n in names if "deviation" not in n]
    units = feature_units(options)
    assert units["points_jerk"] == "px/s^3"
    assert units["mouth_velocity"] == units["mouth_velocity_deviation"] == "px/s"
    assert units["AU12_onset_speed"] == "intensity/s"
    assert (
        feature_units(FeatureOptions(extra="regions", landmarks="3d"))["jaw_displacement"]
        == "mm per step"
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"extra": ["regoins"]}, "extra= has no family 'regoins'; did you mean 'regions'"),
        ({"extra": ["au_dynamics"], "action_units": ["smile"]}, "'smile', which names no action"),
        ({"action_units": ["AU12"]}, "needs 'au_dynamics' in extra="),
        ({"baseline": " "}, "baseline= must name a context"),
    ],
)
def test_options_that_make_no_sense(options, message) -> None:
    with pytest.raises(DataError, match=message):
        FeatureOptions(**options)


# -- regions ----------------------------------------------------------------------------


def test_a_region_moves_alone() -> None:
    # The mouth at a constant 10 px/s, the brows speeding up by 12 px/s each second.
    points = np.zeros((75, 68, 2))
    points[:, 48:, 1] = 10 * SECONDS[:, np.newaxis]
    points[:, 17:27, 1] = 6 * SECONDS[:, np.newaxis] ** 2
    found = features(recording(landmarks_2d=points), "regions")
    assert found["mouth_displacement"] == pytest.approx(2.0, rel=ROUNDING)
    assert found["mouth_velocity"] == pytest.approx(0.0, abs=ROUNDING)
    assert found["brows_velocity"] == pytest.approx(12 / 5, rel=ROUNDING)
    assert found["jaw_displacement"] == found["eyes_displacement"] == 0


@pytest.mark.parametrize("derivatives", ["differences", "savgol"])
def test_a_region_is_a_face_of_its_landmarks(derivatives) -> None:
    points = walk()
    points[30:36, 40] = np.nan
    found = features(recording(landmarks_2d=points), "regions", derivatives=derivatives)
    for region in REGIONS:
        alone = recording(landmarks_2d=points[:, list(FACE_68.regions[region])])
        wanted = features(alone, derivatives=derivatives)
        for what in ("displacement", "velocity"):
            assert found[f"{region}_{what}"] == pytest.approx(
                wanted[f"points_{what}"], rel=ROUNDING
            )


def test_what_has_no_regions_is_left_out_in_a_sentence() -> None:
    other = recording(landmarks_2d=np.zeros((75, 98, 2)))
    found = features(other, "regions", "asymmetry")
    assert math.isnan(found["mouth_displacement"])
    assert math.isnan(found["points_asymmetry"])
    assert "brows: no regions are declared for 98 landmarks" in found["reason"]
    found = features(recording(without=["landmarks_2d"]), "regions")
    assert "regions: the file has no landmarks_2d" in found["reason"]
    points = np.zeros((75, 68, 2))
    points[30:, 48:] = np.nan
    found = features(recording(landmarks_2d=points), "regions")
    assert found["reason"] == "mouth: 6 of 15 bins valid, 8 needed"
    assert found["jaw_displacement"] == 0


def test_the_regions_are_those_of_the_68_points() -> None:
    everywhere = sorted(k for region in FACE_68.regions.values() for k in region)
    assert everywhere == [*range(27), *range(36, 68)]
    pairs = np.array(FACE_68.mirrored)
    assert len(np.unique(pairs)) == pairs.size == 68 - 10
    # On a drawn face whose right half is the mirror image of its left, pairs mirror each other.
    face = mean_face()
    np.testing.assert_allclose(face[pairs[:, 0]] * [-1, 1, 1], face[pairs[:, 1]], atol=1e-9)
    assert (face[pairs[:, 0], 0] > 0).all()


# -- acceleration and jerk --------------------------------------------------------------


def test_a_cubic_has_constant_jerk_and_its_acceleration() -> None:
    # x = 4 t^3: jerk 24. A parabola x = 3 t^2 has the acceleration 6.
    cubic = recording(pose_translation=np.outer(4 * SECONDS**3, [0, 0, 1]))
    square = recording(pose_translation=np.outer(3 * SECONDS**2, [0.6, 0.8, 0]))
    for derivatives in ("differences", "savgol"):
        found = features(cubic, "acceleration", derivatives=derivatives)
        assert found["head_jerk"] == pytest.approx(24.0, rel=1e-8)
        found = features(square, "acceleration", derivatives=derivatives)
        assert found["head_acceleration"] == pytest.approx(6.0, rel=1e-9)
        assert found["head_jerk"] == pytest.approx(0.0, abs=1e-7)


def test_acceleration_of_a_sinusoid() -> None:
    # Its second difference is the value times -4 sin^2(w / 2), w its angle from bin to bin.
    turn = 2 * np.pi / 15
    degrees = 10 * np.sin(turn * np.arange(15))
    made = recording(pose_rotation=np.radians(np.outer(np.repeat(degrees, 5), [0, 1, 0])))
    found = features(made, "acceleration")
    wanted = 25 * 4 * np.sin(turn / 2) ** 2 * np.abs(degrees[1:-1]).mean()
    assert found["yaw_acceleration"] == pytest.approx(wanted, rel=1e-9)


def test_acceleration_equals_numpy_where_bins_are_missing() -> None:
    points = walk(150)
    lost = [12, 13, 14, *range(60, 75)]
    made = recording(150, landmarks_2d=points, invalid=lost)
    points[lost] = np.nan
    steps = np.diff(binned(points), n=2, axis=0)
    jerks = np.diff(binned(points), n=3, axis=0)
    found = features(made, "acceleration")
    for name, changes, power in (("acceleration", steps, 25), ("jerk", jerks, 125)):
        wanted = power * np.nanmean(np.hypot(changes[:, :, 0], changes[:, :, 1]))
        assert found[f"points_{name}"] == pytest.approx(wanted, rel=ROUNDING)


def test_jerk_needs_runs_of_four_bins() -> None:
    # Runs of three bins: velocities, but no jerk.
    made = recording(100, invalid=[k for k in range(100) if k // 5 % 4 == 3])
    found = features(made, "acceleration")
    assert found["head_acceleration"] == 0
    assert math.isnan(found["head_jerk"])
    assert "jerk: 0 jerks (runs of four adjacent valid bins), 3 needed" in found["reason"]


def test_smoothed_acceleration_equals_scipy() -> None:
    points = walk()
    found = features(recording(landmarks_2d=points), "acceleration", derivatives="savgol")
    second = savgol_filter(points, 11, 2, deriv=2, delta=1 / 25, axis=0)[5:-5]
    third = savgol_filter(points, 11, 3, deriv=3, delta=1 / 25, axis=0)[5:-5]
    assert found["points_acceleration"] == pytest.approx(
        np.linalg.norm(second, axis=2).mean(), rel=1e-9
    )
    assert found["points_jerk"] == pytest.approx(np.linalg.norm(third, axis=2).mean(), rel=1e-9)


# -- variability and range --------------------------------------------------------------


def test_variability_and_range_of_a_head_that_turns_over_half_a_circle() -> None:
    degrees = 160 + 3.0 * np.arange(15)
    turned = np.repeat((degrees + 180) % 360 - 180, 5)
    found = features(
        recording(pose_rotation=np.radians(np.outer(turned, [1, 0, 0]))), "variability"
    )
    assert found["pitch_range"] == pytest.approx(42.0, rel=1e-9)
    assert found["pitch_variability"] == pytest.approx(np.std(degrees, ddof=1), rel=1e-9)
    assert found["yaw_range"] == found["yaw_variability"] == 0


def test_variability_equals_pairwise_distances() -> None:
    # n sum |x - m|^2 is the sum of squared distances over pairs.
    points = walk()
    lost = [0, 1, 2, 33]
    made = recording(landmarks_2d=points, invalid=lost)
    points[lost] = np.nan
    means = binned(points)[1:]
    wanted = [
        math.sqrt((pdist(means[:, k]) ** 2).sum() / (len(means) * (len(means) - 1)))
        for k in range(68)
    ]
    found = features(made, "variability")
    assert found["points_variability"] == pytest.approx(np.mean(wanted), rel=ROUNDING)
    spans = np.nanmax(means, axis=0) - np.nanmin(means, axis=0)
    assert found["points_range"] == pytest.approx(np.hypot(*spans.T).mean(), rel=ROUNDING)


def test_variability_of_action_units() -> None:
    intensity = np.random.default_rng(1).uniform(0, 5, size=(75, 17))
    made = recording(au_intensity=intensity, invalid=[4, 5])
    known = np.delete(intensity, [4, 5], axis=0)
    found = features(made, "variability")
    assert found["au_variability"] == pytest.approx(known.std(axis=0, ddof=1).mean(), rel=ROUNDING)
    assert found["au_range"] == pytest.approx(np.ptp(known, axis=0).mean(), rel=ROUNDING)
    found = features(recording(without=["au_intensity"]), "variability")
    assert "au_variability: the file has no au_intensity" in found["reason"]


# -- asymmetry --------------------------------------------------------------------------


@pytest.mark.parametrize("derivatives", ["differences", "savgol"])
def test_asymmetry(derivatives) -> None:
    # The person's left corner of the mouth (54) moves three times as fast as the right (48).
    points = np.zeros((75, 68, 2))
    points[:, 54, 0], points[:, 48, 0] = 6 * SECONDS, -2 * SECONDS
    found = features(recording(landmarks_2d=points), "asymmetry", derivatives=derivatives)
    assert found["mouth_asymmetry"] == pytest.approx(0.5, rel=1e-9)
    assert found["points_asymmetry"] == pytest.approx(0.5, rel=1e-9)
    assert math.isnan(found["brows_asymmetry"])
    assert "brows_asymmetry: nothing moves" in found["reason"]
    mirrored = points[:, [*range(68)]] * [-1, 1]
    mirrored[:, [48, 54]] = mirrored[:, [54, 48]]
    found = features(recording(landmarks_2d=mirrored), "asymmetry", derivatives=derivatives)
    assert found["mouth_asymmetry"] == pytest.approx(-0.5, rel=1e-9)


def test_asymmetry_counts_steps_in_which_both_sides_are_known() -> None:
    points = walk()
    points[35:40, 54] = np.nan
    lengths = np.linalg.norm(np.diff(binned(points), axis=0), axis=2)
    both = np.isfinite(lengths[:, 54])
    pairs = [(54, 48), (53, 49), (52, 50), (55, 59), (56, 58), (64, 60), (63, 61), (65, 67)]
    left = sum(lengths[both if a == 54 else slice(None), a].sum() for a, _ in pairs)
    right = sum(lengths[both if a == 54 else slice(None), b].sum() for a, b in pairs)
    found = features(recording(landmarks_2d=points), "asymmetry")
    assert found["mouth_asymmetry"] == pytest.approx((left - right) / (left + right), rel=1e-9)


# -- events of action units -------------------------------------------------------------


def smile(n_frames=250):
    """AU12 rises within 5 frames from 1 to 4, stays for 10 and falls to 0.5 within 10."""
    presence, intensity = np.zeros((n_frames, 18)), np.zeros((n_frames, 17))
    own, strength = PRESENCE.index("AU12"), INTENSITY.index("AU12")
    presence[20:45, own] = 1
    intensity[19, strength] = 1.0
    intensity[20:24, strength] = 1.0 + 3 * np.arange(1, 5) / 5
    intensity[24:35, strength] = 4.0
    intensity[35:46, strength] = 4.0 - 3.5 * np.arange(1, 12) / 11
    return presence, intensity


def test_a_known_event() -> None:
    presence, intensity = smile()
    made = recording(250, au_presence=presence, au_intensity=intensity)
    found = features(made, "au_dynamics", action_units=["AU12", "AU01"])
    for who in ("au", "AU12"):
        assert found[f"{who}_events"] == pytest.approx(6.0)  # one in ten seconds
        assert found[f"{who}_duration"] == pytest.approx(1.0)
        assert found[f"{who}_amplitude"] == 4.0
        assert found[f"{who}_onset_speed"] == pytest.approx(3 / (5 / 25))
        assert found[f"{who}_offset_speed"] == pytest.approx(3.5 / (11 / 25))
    assert found["AU01_events"] == 0
    assert math.isnan(found["AU01_duration"])
    assert found["reason"] == (
        "AU01_duration: no event of at least 0.2 s whose beginning and end are seen"
    )


def test_events_whose_end_is_not_seen_are_counted_alone() -> None:
    presence, intensity = smile()
    own = PRESENCE.index("AU12")
    presence[100:103, own] = 1  # shorter than 0.2 s
    presence[:10, own] = presence[240:, own] = 1  # begins before, ends after the clip
    presence[150:170, own] = 1
    made = recording(250, au_presence=presence, au_intensity=intensity, invalid=[160])
    found = features(made, "au_dynamics")
    # One frame of 250 is lost to every unit: four of its events are cut in two or at an end.
    assert found["au_events"] == pytest.approx(5 / (249 / 25 / 60))
    assert found["au_duration"] == pytest.approx(1.0)


def test_events_equal_a_loop() -> None:
    rng = np.random.default_rng(8)
    # Runs of about a third of a second.
    presence = (np.repeat(rng.random((60, 18)), 7, axis=0)[:400] < 0.4).astype(float)
    intensity = rng.uniform(0, 5, size=(400, 17))
    intensity[77, 3] = np.nan
    made = recording(400, au_presence=presence, au_intensity=intensity, invalid=[90, 91, 300])
    found = features(made, "au_dynamics")
    durations, peaks, rises, falls, per_minute = [], [], [], [], 0.0
    for j, name in enumerate(INTENSITY):
        on = [
            None if k in (90, 91, 300) or np.isnan(intensity[k, j])
            else bool(presence[k, PRESENCE.index(name)] == 1)
            for k in range(400)
        ]  # fmt: skip
        k, events = 0, 0
        while k < 400:
            end = k
            while end < 400 and on[end] is True:
                end += 1
            if end - k >= 5:
                events += 1
                if k > 0 and end < 400 and on[k - 1] is False and on[end] is False:
                    values = list(intensity[k:end, j])
                    top = max(values)
                    at = values.index(top)
                    durations.append((end - k) / 25)
                    peaks.append(top)
                    rises.append((top - intensity[k - 1, j]) / ((at + 1) / 25))
                    falls.append((top - intensity[end, j]) / ((end - k - at) / 25))
            k = end + 1
        per_minute += events / (sum(one is not None for one in on) / 25 / 60)
    assert len(durations) > 50
    assert found["au_events"] == pytest.approx(per_minute, rel=ROUNDING)
    for what, values in (
        ("duration", durations), ("amplitude", peaks), ("onset_speed", rises),
        ("offset_speed", falls),
    ):  # fmt: skip
        assert found[f"au_{what}"] == pytest.approx(np.mean(values), rel=ROUNDING)


def test_units_that_are_not_there() -> None:
    found = features(recording(), "au_dynamics", action_units=["AU28", "AU99"])
    assert "AU28_events: the file has no AU28 with presence and intensity" in found["reason"]
    assert math.isnan(found["AU99_events"])
    found = features(recording(without=["au_presence"]), "au_dynamics")
    assert "au_dynamics: the file has no au_presence" in found["reason"]


# -- entropy ----------------------------------------------------------------------------


def counted_entropy(series):
    """Sample entropy by its definition, pair by pair."""
    n, tolerance = len(series), 0.2 * np.nanstd(series)
    found = [0, 0]
    for i in range(n - 2):
        for j in range(i + 1, n - 2):
            a, b = series[i : i + 3], series[j : j + 3]
            if np.isnan([a, b]).any():
                continue
            near = np.abs(a - b) <= tolerance
            found[0] += near[:2].all()
            found[1] += near.all()
    return -math.log(found[1] / found[0])


def test_sample_entropy_equals_its_definition() -> None:
    rng = np.random.default_rng(2)
    series = rng.normal(size=160).cumsum()
    assert sample_entropy(series) == pytest.approx(counted_entropy(series), rel=ROUNDING)
    series[[10, 40, 41, 100]] = np.nan
    assert sample_entropy(series) == pytest.approx(counted_entropy(series), rel=ROUNDING)


def test_entropies_of_independent_normal_values() -> None:
    # Two independent normal values differ by at most r with the probability erf(r / 2).
    series = np.random.default_rng(4).normal(size=3000)
    assert sample_entropy(series) == pytest.approx(-math.log(math.erf(0.1)), abs=0.05)
    assert permutation_entropy(series) == pytest.approx(1.0, abs=0.005)


def test_permutation_entropy_by_hand() -> None:
    # Bandt and Pompe's own series: 012 twice, 201 twice and 102 once of five.
    series = np.array([4.0, 7, 9, 10, 6, 11, 3])
    wanted = -(2 * 0.4 * math.log(0.4) + 0.2 * math.log(0.2)) / math.log(6)
    assert permutation_entropy(series) == pytest.approx(wanted, rel=ROUNDING)
    # A gap takes away the runs that it is in: 012, 012.
    series[4] = np.nan
    assert permutation_entropy(series) == 0


def test_entropy_of_movement() -> None:
    rng = np.random.default_rng(6)
    position = np.repeat(rng.normal(size=(120, 3)).cumsum(axis=0), 5, axis=0)
    made = recording(600, pose_translation=position, invalid=range(100, 110))
    found = features(made, "entropy")
    steps = np.linalg.norm(np.diff(position[::5], axis=0), axis=1)
    steps[19:22] = np.nan
    assert found["head_sample_entropy"] == pytest.approx(counted_entropy(steps), rel=1e-9)
    assert found["head_permutation_entropy"] == pytest.approx(permutation_entropy(steps))
    assert math.isnan(found["pitch_sample_entropy"])
    assert "pitch_sample_entropy: the movement never changes" in found["reason"]


def test_entropy_of_a_short_clip_is_missing() -> None:
    found = features(recording(landmarks_2d=walk()), "entropy")
    assert math.isnan(found["points_sample_entropy"])
    assert "sample_entropy: 12 runs of 3 adjacent steps, 100 needed" in found["reason"]
    assert "; permutation_entropy: 12 runs of 3 adjacent steps, 30 needed" in found["reason"]


# -- baseline ---------------------------------------------------------------------------


@pytest.fixture
def recordings(tmp_path):
    """Heads that move so many mm/s: 10 and 14 at rest, 30 in the task; the second has no rest."""
    rows = []
    for subject, context, speeds in (
        ("s1", "rest", (10, 14)), ("s1", "task", (30,)), ("s2", "task", (20,)),
    ):  # fmt: skip
        way = np.concatenate([[0], np.cumsum(np.repeat(speeds, 75) / 25)])[:-1]
        path = tmp_path / f"{subject}_{context}.csv"
        zeros = [0.0] * len(way)
        path.write_text(
            openface_text({"pose_Tx": list(way), "pose_Ty": zeros, "pose_Tz": zeros}), "utf-8"
        )
        rows.append((subject, context, str(path)))
    return pd.DataFrame(rows, columns=["subject", "context", "openface"])


def test_deviations_from_a_context(recordings) -> None:
    result = px.extract_features(recordings, every=3, baseline="rest", extra="regions")
    table = result.table
    again = unpack(pack(result))
    pd.testing.assert_frame_equal(again.table, table)
    assert again.units() == result.units()
    assert table["head_displacement"].round(4).tolist() == [2.0, 2.8, 6.0, 4.0]
    found = table["head_displacement_deviation"].round(4).tolist()
    assert found[:3] == [-0.4, 0.4, 3.6]
    assert math.isnan(found[3])
    assert table["n_baseline_clips"].tolist() == [2, 2, 2, 0]
    assert "baseline: the subject has no clip with features in 'rest'" in table["reason"].iloc[3]
    assert "baseline" not in table["reason"].iloc[0]
    assert tuple(table.columns[6:]) == (
        *feature_names(FeatureOptions(baseline="rest", extra="regions")), "n_frames",
        "n_valid_frames", "n_bins", "n_valid_bins", "n_velocities", "n_au_active",
        "n_baseline_clips", "reason",
    )  # fmt: skip
    assert result.units()["head_displacement_deviation"] == "mm per step"


def test_deviations_from_all_clips_of_a_person(recordings) -> None:
    table = px.extract_features(recordings, every=3, baseline="all").table
    means = table.groupby("subject")["head_displacement"].transform("mean")
    np.testing.assert_allclose(
        table["head_displacement_deviation"], table["head_displacement"] - means, atol=1e-12
    )
    with pytest.raises(DataError, match=r"baseline='rets' is no context .*'rest'"):
        px.extract_features(recordings, every=3, baseline="rets")
