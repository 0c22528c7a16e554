"""Clips to features: closed forms by way of bins, validity rules, and whole manifests."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from behavior.hand_made import INTENSITY, PRESENCE, openface_text, recording, whole
from hypothesis import given, settings
from hypothesis import strategies as st

from pyexpr.base.errors import ColumnError, DataError, OpenFaceError, StudyError
from pyexpr.behavior.features.binning import bin_points, frame_bins
from pyexpr.behavior.features.features import extract_features
from pyexpr.behavior.features.one_clip import clip_features
from pyexpr.behavior.features.options import FEATURES, FeatureOptions, feature_units
from pyexpr.behavior.schedules import Clip, Schedule

# Closed forms of smooth motion: a bin mean of 5 frames and a difference of two bins.
EXACT = 1e-9
# OpenFace text has 6 digits, displacements here are at least 1e-1.
TEXT = 1e-4


# -- bins -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fps", "frames", "sizes"),
    [
        (25.0, 75, [5] * 15),
        (30.0, 90, [6] * 15),
        # 4.7952 frames to a bin: 72 frames in 3 s, from the multiples of it by hand.
        (23.976, 72, [5, 5, 5, 5, 4, 5, 5, 5, 5, 4, 5, 5, 5, 5, 4]),
        (5.0, 15, [1] * 15),
    ],
)
def test_three_seconds_are_15_bins_at_any_rate(fps, frames, sizes) -> None:
    bins = frame_bins(frames, fps, 5.0)
    assert np.bincount(bins.index).tolist() == sizes
    assert bins.expected.tolist() == sizes
    assert bins.first.tolist() == np.cumsum([0, *sizes[:-1]]).tolist()


@settings(max_examples=200, derandomize=True, deadline=None)
@given(
    fps=st.sampled_from([5.0, 10.0, 15.0, 23.976, 24.0, 25.0, 29.97, 30.0, 50.0, 59.94, 60.0]),
    rate=st.sampled_from([1.0, 2.0, 5.0]),
    frames=st.integers(1, 400),
)
def test_every_bin_spans_its_time(fps, rate, frames) -> None:
    bins = frame_bins(frames, fps, rate)
    seconds = np.arange(len(bins.index)) / fps
    assert (bins.index / rate <= seconds + 1e-9).all()
    assert (seconds < (bins.index + 1) / rate).all()
    # Only a bin cut before its half is left out.
    assert frames - len(bins.index) <= np.ceil(fps / rate) / 2


def test_a_last_bin_cut_before_its_half_is_no_bin() -> None:
    assert len(frame_bins(77, 25.0, 5.0)) == 15
    assert len(frame_bins(78, 25.0, 5.0)) == 16


def test_a_bin_needs_half_of_its_frames() -> None:
    bins = frame_bins(12, 30.0, 5.0)
    points = np.arange(12.0).reshape(12, 1, 1)
    points[[1, 2, 3]] = np.nan
    points[[6, 7, 8, 9]] = np.nan
    assert np.array_equal(
        bin_points(points, bins).ravel(), [(0 + 4 + 5) / 3, np.nan], equal_nan=True
    )


def test_decimate_takes_the_first_frame_of_each_bin() -> None:
    bins = frame_bins(15, 25.0, 5.0)
    points = np.arange(15.0).reshape(15, 1, 1)
    points[5] = np.nan
    assert np.array_equal(
        bin_points(points, bins, "decimate").ravel(), [0, np.nan, 10], equal_nan=True
    )


def test_the_mean_of_angles_is_taken_around_the_circle() -> None:
    bins = frame_bins(5, 25.0, 5.0)
    degrees = np.array([np.nan, 358.0, 359.0, 1.0, 2.0]).reshape(5, 1, 1)
    assert bin_points(degrees, bins, angles=True).item() % 360 == pytest.approx(0.0, abs=1e-12)
    assert bin_points(degrees, bins).item() == 180.0


# -- features of one clip ---------------------------------------------------------------


@pytest.mark.parametrize("bins", ["mean", "decimate"])
@pytest.mark.parametrize(("fps", "n_frames"), [(25.0, 75), (30.0, 90)])
def test_uniform_motion(fps, n_frames, bins) -> None:
    seconds = np.arange(n_frames) / fps
    ones = np.ones(68)
    made = recording(
        n_frames,
        fps=fps,
        landmarks_2d=np.stack([30 * np.outer(seconds, ones), 40 * np.outer(seconds, ones)], axis=2),
        pose_translation=np.outer(seconds, [10, 20, 20]),
        pose_rotation=np.radians(np.outer(seconds, [1, -2, 3])),
        gaze_angle=np.radians(np.outer(seconds, [3, -4])),
    )
    found = clip_features(made, whole(made), FeatureOptions(bins=bins))
    expected = {"points": 50, "head": 30, "pitch": 1, "yaw": 2, "roll": 3, "gaze": 5}
    for part, speed in expected.items():
        assert found[f"{part}_displacement"] == pytest.approx(speed / 5, rel=EXACT)
        assert found[f"{part}_velocity"] == pytest.approx(0, abs=EXACT)
    assert found["reason"] == ""
    assert (found["n_bins"], found["n_valid_bins"], found["n_velocities"]) == (15, 15, 13)


def test_accelerated_motion() -> None:
    # x = a t^2 / 2: steps grow by a / rate^2 each, so the velocity is a / rate.
    seconds = np.arange(75) / 25
    a = 12.0
    made = recording(pose_translation=np.outer(a * seconds**2 / 2, [0, 0, 1]))
    found = clip_features(made, whole(made))
    assert found["head_velocity"] == pytest.approx(a / 5, rel=EXACT)
    signed = clip_features(made, whole(made), FeatureOptions(velocity="derivative"))
    assert signed["head_velocity"] == pytest.approx(a / 5, rel=EXACT)
    speed = clip_features(made, whole(made), FeatureOptions(velocity="speed"))
    assert speed["head_velocity"] == 5 * speed["head_displacement"]


def test_rotation_wraps_at_half_a_turn() -> None:
    degrees = 178.0 + np.arange(75) / 5
    made = recording(pose_rotation=np.radians(np.outer((degrees + 180) % 360 - 180, [1, 0, 0])))
    assert clip_features(made, whole(made))["pitch_displacement"] == pytest.approx(1.0, rel=EXACT)


def test_gaze_comes_from_the_mean_vector_where_there_are_no_angles() -> None:
    # Both eyes 5 degrees to either side of a direction that turns 10 degrees a second.
    degrees = 10.0 * np.arange(75) / 25

    def direction(angle):
        radians = np.radians(angle)
        return np.stack([np.sin(radians), 0 * radians, -np.cos(radians)], axis=1)

    vectors = np.hstack([direction(degrees + 5), direction(degrees - 5)])
    made = recording(gaze_vector=vectors, without=["gaze_angle"])
    found = clip_features(made, whole(made))
    assert found["gaze_displacement"] == pytest.approx(2.0, rel=EXACT)
    assert found["reason"] == ""


def test_equals_pandas() -> None:
    """Random movement, by group means and differences of pandas."""
    rng = np.random.default_rng(9)
    points = rng.normal(scale=20, size=(90, 68, 2)).cumsum(axis=0)
    lost = [3, 4, 20, 21, 22, 23, 24, 25, 50, 77]  # bins 3 of 6 frames: one bin, one half
    made = recording(90, fps=30.0, landmarks_2d=points, invalid=lost)
    frame = pd.DataFrame(made.groups["landmarks_2d"].reshape(90, 136))
    groups = frame.groupby(np.arange(90) // 6)
    means = groups.mean().where(groups.count() >= 3)
    steps = np.sqrt(means.diff().pow(2).T.groupby(np.arange(136) // 2).sum(min_count=2).T)
    found = clip_features(made, whole(made))
    assert found["n_valid_bins"] == 14
    assert found["points_displacement"] == pytest.approx(
        float(np.nanmean(steps.to_numpy())), rel=1e-12
    )
    assert found["points_velocity"] == pytest.approx(
        5 * float(np.nanmean(steps.diff().abs().to_numpy())), rel=1e-12
    )


def test_head_from_params() -> None:
    params = np.zeros((75, 6))
    params[:, 0], params[:, 4], params[:, 5] = np.outer([1, 2, 2], np.arange(75) / 5)
    made = recording(params=params)
    found = clip_features(made, whole(made), FeatureOptions(head="params"))
    assert found["head_displacement"] == pytest.approx(3.0, rel=EXACT)


def test_a_gap_is_never_bridged() -> None:
    # The head jumps 1000 mm during a gap of two bins, and rests otherwise.
    position = np.zeros((75, 3))
    position[40:] = 1000.0
    made = recording(pose_translation=position, invalid=range(30, 40))
    found = clip_features(made, whole(made))
    assert found["head_displacement"] == 0.0
    assert (found["n_valid_bins"], found["n_velocities"]) == (13, 4 + 5)


def test_too_few_valid_bins() -> None:
    made = recording(invalid=range(40, 75))
    found = clip_features(made, whole(made))
    assert found["n_valid_bins"] == 8
    assert found["reason"] == ""
    made = recording(invalid=range(35, 75))
    found = clip_features(made, whole(made))
    assert found["reason"] == "7 of 15 bins valid, 8 needed"
    assert all(np.isnan(found[name]) for name in FEATURES)
    assert clip_features(made, whole(made), FeatureOptions(min_valid=7 / 15))["reason"] == ""


def test_too_few_velocities() -> None:
    # Every other bin is valid: 8 of 15, but none beside another.
    made = recording(invalid=[k for k in range(75) if (k // 5) % 2])
    found = clip_features(made, whole(made))
    assert found["n_valid_bins"] == 8
    assert found["reason"] == "0 velocities (runs of three adjacent valid bins), 3 needed"
    assert all(np.isnan(found[name]) for name in FEATURES)


def test_a_signal_may_fail_alone() -> None:
    gaze = np.zeros((75, 2))
    gaze[30:] = np.nan
    made = recording(gaze_angle=gaze, without=["landmarks_2d", "au_intensity"])
    found = clip_features(made, whole(made))
    assert found["reason"] == (
        "points: the file has no landmarks_2d; gaze: 6 of 15 bins valid, 8 needed; "
        "au_intensity: the file has no au_intensity"
    )
    missing = {name for name in FEATURES if np.isnan(found[name])}
    assert missing == {
        "points_displacement", "points_velocity", "gaze_displacement", "gaze_velocity",
        "au_intensity",
    }  # fmt: skip


def test_averages_run_over_landmarks_that_are_known() -> None:
    # Half the landmarks move 10 px a bin in the first half of the clip only, then are lost.
    points = np.zeros((75, 68, 2))
    points[:, :34, 0] = 2.0 * np.arange(75)[:, np.newaxis]
    points[40:, :34] = np.nan
    made = recording(landmarks_2d=points)
    found = clip_features(made, whole(made))
    assert found["points_displacement"] == pytest.approx(10 * 7 / (7 + 14), rel=EXACT)


def test_only_the_clip_counts() -> None:
    position = np.zeros((150, 3))
    position[:75] = np.random.default_rng(0).normal(size=(75, 3))
    made = recording(150, pose_translation=position)
    assert clip_features(made, Clip("a", "2", 75, 150))["head_displacement"] == 0.0
    with pytest.raises(DataError, match=r"clip '3' spans .* 'hand\.csv' has 150"):
        clip_features(made, Clip("a", "3", 100, 175))


# -- action units -----------------------------------------------------------------------


def action_units():
    """AU01 always with intensity 2, AU12 in 5 frames with 4, AU28 in 4 frames."""
    presence, intensity = np.zeros((75, 18)), np.full((75, 17), 0.7)
    presence[:, PRESENCE.index("AU01")] = 1
    presence[:5, PRESENCE.index("AU12")] = 1
    presence[10:14, PRESENCE.index("AU28")] = 1
    intensity[:, INTENSITY.index("AU01")] = 2
    intensity[:, INTENSITY.index("AU12")] = 4
    return presence, intensity


def test_action_units() -> None:
    presence, intensity = action_units()
    made = recording(au_presence=presence, au_intensity=intensity)
    found = clip_features(made, whole(made))
    assert found["au_count"] == pytest.approx((75 + 5 + 4) / 75)
    # AU28 has no intensity and takes no part.
    assert found["au_intensity"] == pytest.approx((75 * 2 + 5 * 4) / 80)
    assert found["n_au_active"] == 80
    # 0.2 s are 5 frames.
    assert clip_features(made, whole(made), FeatureOptions(au_count="distinct"))["au_count"] == 2


def test_action_units_of_frames_that_failed_do_not_count() -> None:
    presence, intensity = action_units()
    made = recording(au_presence=presence, au_intensity=intensity, invalid=range(2, 5))
    found = clip_features(made, whole(made))
    assert found["au_count"] == pytest.approx((72 + 2 + 4) / 72)
    assert found["au_intensity"] == pytest.approx((72 * 2 + 2 * 4) / 74)


def test_no_active_unit_has_intensity_0() -> None:
    made = recording()
    found = clip_features(made, whole(made))
    assert (found["au_count"], found["au_intensity"], found["n_au_active"]) == (0, 0, 0)


# -- options ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"bins": "median"}, "bins= must be one of 'mean', 'decimate', not 'median'"),
        ({"velocity": "speeds"}, "did you mean 'speed'"),
        ({"head": "pos"}, "did you mean 'pose'"),
        ({"au_count": "max"}, "au_count= must be one of"),
        ({"rate": 0}, "rate= must be a positive"),
        ({"min_valid": 0}, "min_valid= must be a share"),
        ({"min_valid": 50}, "min_valid= must be a share"),
        ({"rate": 30.0}, "rate=30 asks for more bins per second than .* 25"),
    ],
)
def test_options_that_make_no_sense(options, message) -> None:
    made = recording()
    with pytest.raises(DataError, match=message):
        clip_features(made, whole(made), FeatureOptions(**options))


def test_every_feature_has_a_unit() -> None:
    assert tuple(feature_units()) == FEATURES
    assert feature_units()["points_velocity"] == "px/s"
    assert feature_units()["gaze_displacement"] == "degrees per step"


# -- manifests --------------------------------------------------------------------------


def written(path: Path, n_frames: int, speed: float) -> Path:
    """Write an OpenFace file of a head that moves `speed` mm/s."""
    position = [speed * k / 25 for k in range(n_frames)]
    zeros = [0.0] * n_frames
    path.write_text(
        openface_text({"pose_Tx": position, "pose_Ty": zeros, "pose_Tz": zeros}), encoding="utf-8"
    )
    return path


@pytest.fixture
def manifest(tmp_path) -> pd.DataFrame:
    rows = [("s1", "calm", 160, 10.0), ("s1", "fear", 75, 20.0), ("s2", "calm", 75, 30.0)]
    return pd.DataFrame(
        [
            (subject, context, str(written(tmp_path / f"{subject}_{context}.csv", n, speed)))
            for subject, context, n, speed in rows
        ],
        columns=["subject", "context", "openface"],
    )


SCHEDULE = Schedule.from_table(
    pd.DataFrame({"context": ["calm", "calm", "fear"], "start": [0, 3, 0], "end": [3, 6, 3]})
)


def test_a_manifest(manifest) -> None:
    result = extract_features(manifest, schedule=SCHEDULE)
    keys = list(result.tidy()[["subject", "context", "clip"]].itertuples(index=False, name=None))
    assert keys == [
        ("s1", "calm", "1"), ("s1", "calm", "2"), ("s1", "fear", "1"), ("s2", "calm", "1"),
    ]  # fmt: skip
    np.testing.assert_allclose(result.table["head_displacement"], [2, 2, 4, 6], rtol=TEXT)
    assert result.table["start"].tolist() == [0, 3, 0, 0]
    assert result.table["end"].tolist() == [3, 6, 3, 3]
    assert result.table["reason"].str.startswith("points: the file has no landmarks_2d").all()
    assert list(result.quality.columns[:3]) == ["subject", "context", "clip"]
    assert result.quality["frames_valid"].tolist() == [75] * 4
    assert result.recordings["n_clips"].tolist() == [2, 1, 1]
    assert result.recordings["n_dropped"].tolist() == [0, 0, 1]
    (lost,) = result.dropped.to_dict(orient="records")
    assert (lost["subject"], lost["clip"]) == ("s2", "2")
    assert "too short" in lost["reason"]
    assert "4 clips from 3 recordings" in str(result)
    assert result.provenance()["n_dropped"] == 1


def test_neither_workers_nor_bar_change_the_result(manifest, capsys) -> None:
    alone = extract_features(manifest, every=1.5, n_jobs=1, progress=False)
    for n_jobs in (2, 7):
        other = extract_features(manifest, every=1.5, n_jobs=n_jobs, progress=True)
        pd.testing.assert_frame_equal(alone.table, other.table, check_exact=True)
        pd.testing.assert_frame_equal(alone.recordings, other.recordings, check_exact=True)
    assert "Reading recordings" in capsys.readouterr().err


def test_paths_instead_of_a_table(manifest) -> None:
    paths = manifest["openface"].tolist()
    result = extract_features(paths, every=3)
    assert result.table["subject"].tolist() == ["s1_calm", "s1_calm", "s1_fear", "s2_calm"]
    assert set(result.table["context"]) == {"all"}
    one = extract_features(Path(paths[0]), every=3)
    pd.testing.assert_frame_equal(one.table, result.table.iloc[:2])


def test_a_table_as_schedule(manifest) -> None:
    table = pd.DataFrame({"context": ["calm", "fear"], "start": [-3, 0], "end": [0, 3]})
    assert extract_features(manifest, schedule=table).table["start"].tolist() == [3.4, 0, 0]


def test_no_clip_at_all(manifest) -> None:
    result = extract_features(manifest, every=60)
    assert len(result.table) == len(result.quality) == 0
    assert len(result.dropped) == 3
    assert "3 clips of the schedule" in result.notes()[0]


def test_notes_of_the_reader_are_given_once_with_its_files(manifest) -> None:
    for path in manifest["openface"][:2]:
        with open(path, "a") as handle:
            handle.write("1, 2")
    notes = extract_features(manifest, every=3).notes()
    assert [note for note in notes if "cut row" in note] == [
        "'s1_calm.csv', 's1_fear.csv': 1 cut row dropped whole."
    ]


def test_options_reach_the_clips(manifest) -> None:
    result = extract_features(manifest, every=3, rate=1.0, velocity="speed", head="pose")
    assert result.table.loc[0, "n_bins"] == 3
    assert "1 velocities" in result.table.loc[0, "reason"]
    assert result.units()["head_velocity"] == "mm/s"
    assert result.options["rate"] == 1.0
    params = extract_features(manifest, every=3, head="params")
    assert "head: the file has no params" in params.table.loc[0, "reason"]


def test_bad_manifests(manifest, tmp_path) -> None:
    with pytest.raises(ColumnError, match="no column 'openface'; did you mean 'open_face'"):
        extract_features(manifest.rename(columns={"openface": "open_face"}), every=3)
    twice = pd.concat([manifest, manifest.iloc[[0]]])
    with pytest.raises(DataError, match="subject 's1' has two recordings in context 'calm'"):
        extract_features(twice, every=3)
    with pytest.raises(DataError, match="subject 1 has two recordings in context 'calm'"):
        extract_features(twice.assign(subject=1), every=3)
    with pytest.raises(ColumnError, match=r"'openface' .* must hold paths, but row 1 holds 3"):
        extract_features(manifest.assign(openface=3), every=3)
    empty = manifest.assign(openface=[None, "a.csv", ""])
    with pytest.raises(ColumnError, match=r"row 1 is empty \(2 such rows\)"):
        extract_features(empty, every=3)
    with pytest.raises(DataError, match="no rows"):
        extract_features(manifest.iloc[:0], every=3)
    with pytest.raises(DataError, match="list of paths is empty"):
        extract_features([], every=3)
    with pytest.raises(DataError, match="both named 'a'"):
        extract_features([tmp_path / "x" / "a.csv", tmp_path / "y" / "a.csv"], every=3)
    with pytest.raises(OpenFaceError, match=r"absent\.csv"):
        extract_features(tmp_path / "absent.csv", every=3)


def test_bad_schedules(manifest) -> None:
    with pytest.raises(DataError, match="give either schedule="):
        extract_features(manifest)
    with pytest.raises(DataError, match="not both"):
        extract_features(manifest, schedule=SCHEDULE, every=3)
    unknown = Schedule.from_table(pd.DataFrame({"context": ["calm"], "start": [0], "end": [3]}))
    with pytest.raises(StudyError, match="no context 'fear'"):
        extract_features(manifest, schedule=unknown)
    with pytest.raises(StudyError, match=r"s2_calm\.csv"):
        extract_features(manifest, schedule=SCHEDULE, on_short="error")
    with pytest.raises(DataError, match="n_jobs= must be"):
        extract_features(manifest, every=3, n_jobs=0)
    with pytest.raises(DataError, match=r"s1_calm\.csv': rate=30"):
        extract_features(manifest, every=3, rate=30)


def test_a_frame_on_the_edge_of_a_bin_does_not_hang_on_the_last_bit() -> None:
    # 0.7 * 720 / 24 is 20.999999999999996, and frame 720 begins bin 21.
    assert frame_bins(800, 24.0, 0.7).index[719:721].tolist() == [20, 21]
