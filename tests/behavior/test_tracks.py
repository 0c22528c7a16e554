"""Tables of other trackers: what is read, in which unit, and the features of it."""

from __future__ import annotations

import gzip
import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest
from behavior.tracks_tables import FRAMES, RATE, flat, mediapipe, motion, moving, py_feat, written

from pyexpr.base.errors import DataError, TracksError
from pyexpr.behavior.features.features import extract_features
from pyexpr.behavior.features.one_clip import clip_features
from pyexpr.behavior.openface.recording import read_openface
from pyexpr.behavior.schedules import Clip
from pyexpr.behavior.tracks.describe import describe_tracks
from pyexpr.behavior.tracks.layout import load_layout, shipped
from pyexpr.behavior.tracks.reading import read_tracks

SIZE = (640.0, 360.0)
# Sums of a few thousand numbers, in another order.
CLOSE = {"rtol": 1e-10, "atol": 1e-12}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("tracks")


@pytest.fixture(scope="module")
def feat(folder: Path) -> tuple[pd.DataFrame, Path]:
    frame = py_feat(moving(68))
    return frame, written(frame, folder / "feat.csv")


@pytest.fixture(scope="module")
def mesh(folder: Path) -> tuple[pd.DataFrame, Path]:
    frame = mediapipe(moving(478, n_axes=3) / 1000)
    return frame, written(frame, folder / "mesh.csv")


def test_py_feat(feat: tuple[pd.DataFrame, Path]) -> None:
    frame, path = feat
    found = read_tracks(path, fps=RATE)
    assert (found.layout, found.fps, found.n_frames) == ("py-feat", RATE, FRAMES)
    points = np.stack([frame[[f"x_{k}", f"y_{k}"]].to_numpy() for k in range(68)], axis=1)
    np.testing.assert_array_equal(found.groups["landmarks_2d"], points)
    angles = np.radians(frame[["Pitch", "Yaw", "Roll"]].to_numpy())
    np.testing.assert_allclose(found.groups["pose_rotation"], angles, **CLOSE)
    scores = frame.filter(regex=r"^AU\d").to_numpy()
    np.testing.assert_array_equal(found.groups["au_score"], scores)
    np.testing.assert_array_equal(found.groups["au_presence"], (scores > 0.5).astype(float))
    assert found.au_presence_names[:3] == ("AU01", "AU02", "AU04")
    assert found.units == {
        "landmarks_2d": "px", "pose_rotation": "rad", "au_presence": "0/1",
        "au_score": "probability", "emotions": "probability",
    }  # fmt: skip


def test_features_of_py_feat(feat: tuple[pd.DataFrame, Path]) -> None:
    frame, path = feat
    result = extract_features(path, every=2, layout="py-feat", fps=RATE, progress=False)
    (row,) = result.table.to_dict("records")
    points = np.stack([frame[[f"x_{k}", f"y_{k}"]].to_numpy() for k in range(68)], axis=1)[:50]
    expected = motion(points)
    np.testing.assert_allclose(
        [row["points_displacement"], row["points_velocity"]], expected, **CLOSE
    )
    pitch = motion(frame["Pitch"].to_numpy()[:50, np.newaxis, np.newaxis])
    np.testing.assert_allclose([row["pitch_displacement"], row["pitch_velocity"]], pitch, rtol=1e-9)
    scores = frame.filter(regex=r"^AU\d").to_numpy()[:50]
    assert row["au_count"] == pytest.approx((scores > 0.5).sum(axis=1).mean())
    assert np.isnan(row["au_intensity"])
    assert "no au_intensity" in row["reason"]
    means = result.means.iloc[0]
    assert means["score_AU12"] == pytest.approx(frame["AU12"][:50].mean())
    assert means["emotion_fear"] == pytest.approx(frame["fear"][:50].mean())
    units = result.units()
    assert units["points_displacement"] == "px per step"
    assert units["score_AU12"] == "probability"


def test_mediapipe_in_shares_and_pixels(mesh: tuple[pd.DataFrame, Path]) -> None:
    frame, path = mesh
    shares = read_tracks(path)
    assert (shares.layout, shares.fps, shares.fps_source) == ("mediapipe", RATE, "timestamps")
    xyz = frame.filter(regex=r"^[xyz]\d").to_numpy().reshape(FRAMES, 478, 3)
    np.testing.assert_array_equal(shares.groups["landmarks_2d"], xyz[:, :, :2])
    assert shares.unit("landmarks_2d") == "image share"
    # Its layout says that times are milliseconds: nothing had to be found out.
    assert all(getattr(note, "code", "") != "unit_of_timestamps" for note in shares.notes())
    assert any(getattr(note, "code", "") == "image_shares" for note in shares.notes())
    pixels = read_tracks(path, image_size=SIZE, groups=["landmarks_2d", "landmarks_3d"])
    scale = np.array([640.0, 360.0, 640.0])
    np.testing.assert_allclose(pixels.groups["landmarks_3d"], xyz * scale, **CLOSE)
    np.testing.assert_allclose(pixels.groups["landmarks_2d"], (xyz * scale)[:, :, :2], **CLOSE)
    assert set(pixels.units.values()) == {"px"}
    assert pixels.image_size == SIZE
    found = clip_features(pixels, Clip("all", "1", 0, 50))
    expected = motion((xyz * scale)[:50, :, :2])
    np.testing.assert_allclose(
        [found["points_displacement"], found["points_velocity"]], expected, **CLOSE
    )


def test_a_face_is_aligned_by_the_stable_points_of_its_layout(
    mesh: tuple[pd.DataFrame, Path],
) -> None:
    _, path = mesh
    single = read_tracks(path, image_size=SIZE, groups=["landmarks_3d"])
    shape = single.groups["landmarks_3d"][:1]
    # One face, turned and moved as a whole: in its own frame it stands still.
    turns = np.linspace(0, 0.5, FRAMES)
    zero, one = np.zeros(FRAMES), np.ones(FRAMES)
    turn = np.array(
        [
            [np.cos(turns), -np.sin(turns), zero],
            [np.sin(turns), np.cos(turns), zero],
            [zero, zero, one],
        ]
    )
    moved = np.einsum("ijf,pj->fpi", turn, shape[0]) + turns[:, np.newaxis, np.newaxis] * 30
    table = mediapipe(moved / np.array([640.0, 360.0, 640.0]))
    turned = written(table, path.parent / "turned.csv")
    # In shares the face is squeezed, and a turned one is another.
    with pytest.raises(TracksError, match="needs the same unit in all axes"):
        extract_features(
            turned, every=2, layout="auto", progress=False, landmarks="normalised", n_jobs=1
        )
    (path.parent / "sized.toml").write_text("base = 'mediapipe'\nimage = {width=640, height=360}\n")
    result = extract_features(
        turned, every=2, layout=str(path.parent / "sized.toml"), progress=False,
        landmarks="normalised",
    )  # fmt: skip
    assert result.table["points_displacement"].item() < 1e-9


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("semicolon.csv", {"sep": ";", "decimal": ","}),
        ("tab.txt", {"sep": "\t"}),
        ("quoted.csv", {"quoting": 2}),
        ("packed.csv.gz", {}),
        ("packed.csv.xz", {}),
        ("table.parquet", None),
        ("table.feather", None),
    ],
)
def test_a_table_is_the_same_in_every_dress(
    name: str, options: dict | None, feat: tuple[pd.DataFrame, Path], folder: Path
) -> None:
    frame, path = feat
    other = folder / name
    if name.endswith("parquet"):
        frame.to_parquet(other)
    elif name.endswith("feather"):
        frame.to_feather(other)
    else:
        written(frame, other, **(options or {}))
    expected, found = read_tracks(path, fps=25), read_tracks(other, fps=25)
    memory = read_tracks(frame, fps=25)
    assert found.layout == memory.layout == "py-feat"
    for group, values in expected.groups.items():
        np.testing.assert_array_equal(found.groups[group], values)
        np.testing.assert_array_equal(memory.groups[group], values)


def test_data_frames_of_every_library(feat: tuple[pd.DataFrame, Path]) -> None:
    frame, path = feat
    expected = read_tracks(path, fps=25).groups
    for table in (pl.from_pandas(frame), pl.from_pandas(frame).to_arrow(), frame.to_dict("list")):
        found = read_tracks(table, fps=25)
        for group, values in expected.items():
            np.testing.assert_array_equal(found.groups[group], values)
        assert describe_tracks(table)["rows"].item() == FRAMES


def test_the_layout_that_the_documentation_shows(tmp_path: Path) -> None:
    page = Path(__file__).parents[2] / "docs" / "howto" / "other_trackers.md"
    (text,) = re.findall(r"```toml\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    (tmp_path / "own.toml").write_text(text)
    layout = load_layout(tmp_path / "own.toml")
    assert layout.name == "my-tracker"
    listed = re.findall(r"^\| (`[^|]*) \|", page.read_text(encoding="utf-8"), re.MULTILINE)
    named = {one for cell in listed for one in re.findall(r"`([a-z0-9-]+)`", cell)}
    assert named == {"openface", *shipped()}


def test_what_pyexpr_track_writes(folder: Path) -> None:
    points = moving(478, n_axes=3)
    rng = np.random.default_rng(5)
    frame = pd.DataFrame(
        {
            "frame": np.arange(FRAMES), "timestamp": np.arange(FRAMES) / RATE, "face_id": 0,
            "success": np.arange(FRAMES) != 7,
            **flat(points, "x_{}", "y_{}", "z_{}"),
            "blend_jawOpen": rng.random(FRAMES), "blend_mouthSmileLeft": rng.random(FRAMES),
            "pose_Tx": 1.0, "pose_Ty": 2.0, "pose_Tz": np.linspace(400, 420, FRAMES),
            "pose_Rx": 0.1, "pose_Ry": 0.2, "pose_Rz": 0.3,
        }
    )  # fmt: skip
    path = folder / "clip.parquet"
    frame.to_parquet(path)
    found = read_tracks(path)
    assert (found.layout, found.fps, int(found.valid.sum())) == ("pyexpr-track", RATE, FRAMES - 1)
    assert found.names["blendshapes"] == ("jawOpen", "mouthSmileLeft")
    kept = np.delete(np.arange(FRAMES), 7)
    np.testing.assert_array_equal(found.groups["landmarks_2d"][kept], points[kept][:, :, :2])
    assert np.isnan(found.groups["blendshapes"][7]).all()
    few = frame.loc[
        :, ~frame.columns.str.fullmatch(r"[xyz]_\d+") | frame.columns.str.endswith("_0")
    ]
    assert read_tracks(few).layout == "pyexpr-track-points"
    result = extract_features(path, every=2, layout="auto", progress=False)
    jaw = frame["blend_jawOpen"][:50].drop(7).mean()
    assert result.means["blendshape_jawOpen"].item() == pytest.approx(jaw)
    assert result.units()["blendshape_jawOpen"] == "0 to 1"


def test_imotions_rows_of_other_sensors_are_left_out(folder: Path) -> None:
    rows = ["#Study : one", "#Version : 6", ""]
    eyes = ["LEFT_EYE_LATERAL", "LEFT_EYE_MEDIAL", "RIGHT_EYE_MEDIAL", "RIGHT_EYE_LATERAL"]
    points = [f"{name} {axis}" for name in (*eyes, "NOSE_TIP") for axis in "XY"]
    emotions = ["Joy", "Anger", "Surprise", "Fear", "Contempt", "Disgust", "Sadness", "Neutral"]
    names = ["StimulusName", "EventSource", "Timestamp", "FrameNo", "NoOfFaces", "AU1 Evidence",
             "AU12 Evidence", "Yaw Degrees", "Pitch Degrees", "Roll Degrees", *points,
             *(f"{name} Evidence" for name in emotions)]  # fmt: skip
    rows.append("\t".join(names))
    for k in range(30):
        tail = ["0.5", "-0.25", "10", "20", "30", *map(str, range(10)), *["1"] * 8]
        if k == 4:
            tail = [""] * len(tail)
        faces = "0" if k == 4 else "1"
        rows.append("\t".join(["film", "Emotient FACET", str(40 * k), str(k), faces, *tail]))
        rows.append("\t".join(["film", "ET", str(40 * k + 7), *[""] * (len(names) - 3)]))
    path = folder / "facet.txt"
    path.write_text("\n".join(rows) + "\n")
    found = read_tracks(path)
    assert (found.layout, found.fps, found.n_frames) == ("imotions-facet", 25.0, 30)
    assert int(found.valid.sum()) == 29
    assert found.log.frames_failed == 1
    np.testing.assert_array_equal(found.groups["au_presence"][0], [1.0, 0.0])
    np.testing.assert_allclose(found.groups["pose_rotation"][0], np.radians([20, 10, 30]))
    (others,) = [note for note in found.notes() if getattr(note, "code", "") == "rows_of_others"]
    assert others.startswith("30 rows")


def test_facereader(folder: Path) -> None:
    emotions = ["Neutral", "Happy", "Sad", "Angry", "Surprised", "Scared", "Disgusted"]
    names = ["Video Time", *emotions, "Y - Head Orientation", "X - Head Orientation",
             "Z - Head Orientation", "Landmarks", "Action Unit 01 - Inner Brow Raiser",
             "Action Unit 12 - Lip Corner Puller"]  # fmt: skip
    rows = ["Video analysis detailed log", "Face Model:\tGeneral", "Frame rate:\t25", "",
            "\t".join(names)]  # fmt: skip
    for k in range(30):
        # Over the full minute and the full hour.
        minutes, seconds = divmod(3599.4 + k * 0.04, 60)
        time = f"{minutes // 60:02.0f}:{minutes % 60:02.0f}:{seconds:06.3f}"
        own = ["0.1"] * 7 + ["1.0", "2.0", "3.0", "1 - 2", "0.2", "0.8"]
        rows.append("\t".join([time, *(["FIND_FAILED"] * 13 if k == 3 else own)]))
    path = folder / "face.txt"
    path.write_text("\n".join(rows) + "\n")
    found = read_tracks(path)
    assert (found.layout, found.fps, int(found.valid.sum())) == ("facereader", 25.0, 29)
    np.testing.assert_allclose(found.groups["pose_rotation"][0], np.radians([2, 1, 3]))
    assert found.au_intensity_names == ("AU01", "AU12")
    assert found.units["au_intensity"] == "0 to 1"


def test_libreface_and_openface_3(folder: Path) -> None:
    n = 30
    frame = pd.DataFrame(
        {
            "frame_idx": np.arange(n), "frame_time_in_ms": np.arange(n) * 40.0,
            **flat(moving(478, n) / 1000, "lm_mp_{}_x", "lm_mp_{}_y"),
            "pitch": 1.0, "au_1": 1, "au_12": 0, "au_1_intensity": 2.5, "au_12_intensity": 0.1,
        }
    )  # fmt: skip
    found = read_tracks(frame)
    assert (found.layout, found.fps) == ("libreface", 25.0)
    assert found.au_intensity_names == found.au_presence_names == ("AU01", "AU12")
    assert clip_features(found, Clip("all", "1", 0, n))["au_intensity"] == pytest.approx(2.5)

    points = moving(98, n)
    own = pd.DataFrame(
        {
            "timestamp": "2025-06-08 11:48:42", "video_path": "p01.mp4",
            "frame_index": np.arange(n), "face_id": 0, "face_detection": "[[1.0, 2.0]]",
            "landmarks": [json.dumps(one.tolist()) for one in points], "emotion": 0,
            "gaze_yaw": 0.1, "gaze_pitch": 0.2, "action_units": "[[0.1]]",
        }
    )  # fmt: skip
    path = written(own, folder / "of3.csv")
    found = read_tracks(path, fps=25)
    assert found.layout == "openface3"
    np.testing.assert_array_equal(found.groups["landmarks_2d"], points)


def test_a_folder_of_openpose(folder: Path) -> None:
    points = moving(25, 40)
    place = folder / "pose"
    place.mkdir()
    for k, frame in enumerate(points):
        body = np.hstack([frame, np.full((25, 1), 0.9)])
        body[3] = 0.0
        people = [] if k == 5 else [{"pose_keypoints_2d": body.ravel().tolist()}]
        name = f"film_{k:012d}_keypoints.json"
        (place / name).write_text(json.dumps({"version": 1.3, "people": people}))
    found = read_tracks(place, fps=25)
    assert (found.layout, found.n_frames, int(found.valid.sum())) == ("openpose-body", 40, 39)
    kept = np.delete(np.arange(25), 3)
    np.testing.assert_array_equal(found.groups["landmarks_2d"][0][kept], points[0][kept])
    assert np.isnan(found.groups["landmarks_2d"][:, 3]).all()
    row = clip_features(found, Clip("all", "1", 0, 40))
    assert row["points_displacement"] > 0


def test_own_columns_people_and_validity() -> None:
    one, two = moving(4, seed=1), moving(4, seed=2) + 400
    frames = []
    for name, points in (("anna", one), ("bert", two)):
        columns = flat(points, "px{}", "py{}")
        frames.append(pd.DataFrame({"who": name, "t": np.arange(FRAMES) / RATE, **columns}))
    table = pd.concat(frames).sort_values(["t", "who"]).reset_index(drop=True)
    table["ok"] = ["yes"] * (2 * FRAMES - 2) + ["no"] * 2
    given = {"points": ["px{}", "py{}"], "units": "px", "time": "t", "valid": "ok"}
    left = read_tracks(table, person="who", face="left", **given)
    right = read_tracks(table, person="who", face=1, **given)
    last = FRAMES - 1
    np.testing.assert_array_equal(left.groups["landmarks_2d"][:last], one[:last])
    np.testing.assert_array_equal(right.groups["landmarks_2d"][:last], two[:last])
    assert not left.valid[last]
    assert left.log.faces == 2
    part = read_tracks(table, split_by="who", part="bert", **given)
    np.testing.assert_array_equal(part.groups["landmarks_2d"][:last], two[:last])


def test_millimetres_in_space_and_metres() -> None:
    points = moving(5, n_axes=3)
    table = {"t": np.arange(FRAMES) / RATE, **flat(points / 1000, "X{}", "Y{}", "Z{}")}
    found = read_tracks(table, points=["X{}", "Y{}", "Z{}"], units="m", time=("t", "s"))
    assert list(found.groups) == ["landmarks_3d"]
    assert found.unit("landmarks_3d") == "mm"
    np.testing.assert_allclose(found.groups["landmarks_3d"], points, rtol=1e-12)


def test_frames_that_a_tracker_left_out_evenly() -> None:
    frame = py_feat(moving(68)).iloc[::2]
    found = read_tracks(frame, fps=50)
    assert (found.fps, found.n_frames, found.log.frames_missing) == (25.0, FRAMES // 2, 0)


def test_openface_goes_to_its_own_reader(tmp_path: Path) -> None:
    path = tmp_path / "of.csv"
    rows = [f"{k + 1},{k / 25:.2f},0.98,1,{k},0,500" for k in range(30)]
    path.write_text(
        "frame,timestamp,confidence,success,pose_Tx,pose_Ty,pose_Tz\n" + "\n".join(rows) + "\n"
    )
    own, found = read_openface(path), read_tracks(path)
    np.testing.assert_array_equal(own.groups["pose_translation"], found.groups["pose_translation"])
    assert found.layout == "openface"
    assert found.fps == own.fps
    with pytest.raises(DataError, match="is OpenFace's, whose columns are known; leave 'time' out"):
        read_tracks(path, time="timestamp")
    with gzip.open(tmp_path / "of.csv.gz", "wb") as file:
        file.write(path.read_bytes())
    assert read_tracks(tmp_path / "of.csv.gz").layout == "openface"
    assert describe_tracks(path)["layout"].item() == "openface"


def test_what_a_table_is(feat: tuple[pd.DataFrame, Path], mesh: tuple[pd.DataFrame, Path]) -> None:
    row = describe_tracks(feat[1]).iloc[0]
    assert (row["layout"], row["rows"], row["frames"]) == ("py-feat", FRAMES, FRAMES)
    assert np.isnan(row["fps"])
    assert "fps=" in row["notes"]
    row = describe_tracks(mesh[1]).iloc[0]
    assert row["fps"] == RATE
    assert "landmarks_2d: image share" in row["units"]


def test_no_header_proves_two_layouts() -> None:
    for name, layout in shipped().items():
        if layout.proof is None:
            continue
        others = [one.name for one in shipped().values() if one.proved_by(layout.proof.all)]
        assert others == [name], name


def test_recordings_of_two_layouts_are_not_compared(
    feat: tuple[pd.DataFrame, Path], mesh: tuple[pd.DataFrame, Path]
) -> None:
    table = pd.DataFrame(
        {
            "subject": ["a", "b"], "context": "all", "openface": [str(feat[1]), str(mesh[1])],
            "layout": ["py-feat", "mediapipe"],
        }
    )  # fmt: skip
    with pytest.raises(ValueError, match="478 landmarks in image share"):
        extract_features(table, every=2, fps=RATE, progress=False)
    kept = extract_features(table, every=2, fps=RATE, on_mixed="keep", progress=False)
    assert kept.recordings["notes"].str.contains("not comparable").tolist() == [False, True]


def test_units_that_all_tables_have(folder: Path) -> None:
    (folder / "units.toml").write_text(
        "fps = 25.0\n[action_units]\npresence = 'AU{}_on'\nintensity = "
        "{ columns = 'AU{}', unit = '0 to 100' }\n"
    )
    rng = np.random.default_rng(3)
    paths, frames = [], []
    for name, units in (("one", (1, 4)), ("two", (1, 12))):
        columns = {f"AU{unit}_on": rng.integers(0, 2, 50) for unit in units}
        columns |= {f"AU{unit}": 100 * rng.random(50) for unit in units}
        frames.append(pd.DataFrame(columns))
        paths.append(written(frames[-1], folder / f"{name}.csv"))
    given = {"every": 2, "layout": str(folder / "units.toml"), "progress": False}
    with pytest.raises(DataError, match="has other action units"):
        extract_features(paths, **given)
    found = extract_features(paths, on_mixed="common", **given)
    for row, frame in zip(found.table.to_dict("records"), frames, strict=True):
        on = frame["AU1_on"] == 1
        assert row["au_count"] == pytest.approx(on.mean())
        assert row["au_intensity"] == pytest.approx(frame["AU1"][on].mean())
    assert found.units()["au_intensity"] == "0 to 100"
    assert found.means["intensity_AU01"].tolist() == pytest.approx(
        [f["AU1"].mean() for f in frames]
    )
