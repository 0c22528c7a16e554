"""The series behind the features: their means are the features, and nothing is bridged."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from behavior.hand_made import INTENSITY, openface_text, recording, whole

import pyexpr as px
from pyexpr.base.errors import ColumnError, DataError, OpenFaceError
from pyexpr.base.saved import pack, unpack
from pyexpr.behavior.features.one_clip import clip_features
from pyexpr.behavior.features.options import MOVING, FeatureOptions
from pyexpr.behavior.features.regions import REGIONS
from pyexpr.behavior.features.series import clip_series, series_units

# Means of the same numbers in another order.
ROUNDING = 1e-10


def moving(n_frames=150, lost=(12, 13, 14, *range(60, 75)), **options):
    rng = np.random.default_rng(11)
    return recording(
        n_frames,
        invalid=lost,
        landmarks_2d=rng.normal(size=(n_frames, 68, 2)).cumsum(axis=0),
        pose_translation=rng.normal(size=(n_frames, 3)).cumsum(axis=0),
        pose_rotation=rng.normal(size=(n_frames, 3)).cumsum(axis=0) * 0.1,
        gaze_angle=rng.normal(size=(n_frames, 2)) * 0.1,
        au_presence=(rng.random((n_frames, 18)) < 0.3).astype(float),
        au_intensity=rng.uniform(0, 5, size=(n_frames, 17)),
    )


@pytest.mark.parametrize("velocity", ["abs_derivative", "derivative", "speed"])
def test_means_of_the_series_are_the_features(velocity) -> None:
    made = moving()
    options = FeatureOptions(extra=("regions", "acceleration"), velocity=velocity)
    features = clip_features(made, whole(made), options)
    series = pd.DataFrame(clip_series(made, whole(made), options))
    names = [f"{part}_{what}" for part in MOVING for what in (
        "displacement", "velocity", "acceleration", "jerk"
    )]  # fmt: skip
    names += [f"{part}_{what}" for part in REGIONS for what in ("displacement", "velocity")]
    for name in names:
        assert series[name].mean() == pytest.approx(features[name], rel=ROUNDING, abs=1e-9), name
    assert series["valid"].sum() == features["n_valid_bins"]
    assert series["n_valid_frames"].sum() == features["n_valid_frames"]


def test_rows_are_bins_of_the_clip() -> None:
    made = moving()
    clip = px.Schedule.every(3.0).cut("all", made.n_frames, made.fps)[0][1]
    series = pd.DataFrame(clip_series(made, clip, FeatureOptions()))
    assert series["bin"].tolist() == list(range(15))
    np.testing.assert_allclose(series["time"], 3 + np.arange(15) / 5)
    head = made.groups["pose_translation"][75:].reshape(15, 5, 3).mean(axis=1)
    np.testing.assert_allclose(series[["head_x", "head_y", "head_z"]], head, rtol=ROUNDING)
    smile = made.groups["au_intensity"][75:, INTENSITY.index("AU12")].reshape(15, 5).mean(axis=1)
    np.testing.assert_allclose(series["AU12"], smile, rtol=ROUNDING)
    count = made.groups["au_presence"][75:].sum(axis=1).reshape(15, 5).mean(axis=1)
    np.testing.assert_allclose(series["au_count"], count, rtol=ROUNDING)


def test_what_rests_on_a_gap_is_missing() -> None:
    series = pd.DataFrame(clip_series(moving(), whole(moving()), FeatureOptions()))
    # Bin 2 lost three of its five frames, bins 12 to 14 all.
    assert np.flatnonzero(~series["valid"]).tolist() == [2, 12, 13, 14]
    assert np.flatnonzero(series["pitch"].isna()).tolist() == [2, 12, 13, 14]
    for name, reach in (("displacement", 1), ("velocity", 2), ("acceleration", 2), ("jerk", 3)):
        wanted = {k + r for k in (2, 12, 13, 14) for r in range(reach + 1)} | {*range(reach)}
        assert {*np.flatnonzero(series[f"head_{name}"].isna())} == wanted


@pytest.fixture
def files(tmp_path):
    paths = []
    for name, n_frames, speed in (("s1", 160, 10.0), ("s2", 70, 30.0)):
        way = [speed * k / 25 for k in range(n_frames)]
        zeros = [0.0] * n_frames
        path = tmp_path / f"{name}.csv"
        path.write_text(
            openface_text({"pose_Tx": way, "pose_Ty": zeros, "pose_Tz": zeros}), "utf-8"
        )
        paths.append(str(path))
    return paths


def test_recordings_clips_and_units(files) -> None:
    result = px.movement_series(files, n_jobs=2)
    table = result.tidy()
    assert table.groupby("subject").size().to_dict() == {"s1": 32, "s2": 14}
    assert table["clip"].unique().tolist() == ["whole"]
    np.testing.assert_allclose(table.query("subject == 's2'")["head_displacement"][1:], 6.0)
    units = result.units()
    assert {*units} == {*table} - {
        "subject", "context", "clip", "openface", "bin", "n_valid_frames", "valid",
    }  # fmt: skip
    assert units["head_jerk"] == "mm/s^3"
    assert units["time"] == "s"
    assert any("has no columns for" in note and "s1.csv" in note for note in result.notes())
    assert str(result).startswith("Movement of 2 clips from 2 files, at 5 Hz")
    pd.testing.assert_frame_equal(unpack(pack(result)).tidy(), table)
    cut = px.movement_series(files, every=3)
    assert cut.tidy().groupby(["subject", "clip"]).size().tolist() == [15, 15]
    assert cut.dropped["subject"].tolist() == ["s2"]
    assert "too short" in cut.dropped["reason"].item()


def test_rate_none_gives_frames(files) -> None:
    table = px.movement_series(files[0], rate=None).tidy()
    assert len(table) == 160
    np.testing.assert_allclose(table["head_x"], 0.4 * np.arange(160), atol=1e-4)
    np.testing.assert_allclose(table["head_displacement"][1:], 0.4, atol=1e-4)


def test_bad_input_is_refused(files, tmp_path) -> None:
    with pytest.raises(DataError, match="give schedule= or every=, not both"):
        px.movement_series(files, schedule=px.schedules.BP4D_PLUS, every=3)
    with pytest.raises(DataError, match=r"s1\.csv.*rate=50 asks for more bins"):
        px.movement_series(files, rate=50)
    with pytest.raises(DataError, match="rate= must be a positive"):
        px.movement_series(files, rate=0)
    with pytest.raises(OpenFaceError, match=r"nothing\.csv"):
        px.movement_series(str(tmp_path / "nothing.csv"))
    with pytest.raises(ColumnError, match="openface"):
        px.movement_series(pd.DataFrame({"subject": ["s1"], "context": ["a"]}))


def test_every_column_of_movement_has_a_unit() -> None:
    names = [*clip_series(moving(), whole(moving()), FeatureOptions())]
    assert [n for n in names if n not in series_units(FeatureOptions())] == [
        "bin", "time", "n_valid_frames", "valid", *INTENSITY,
    ]  # fmt: skip
