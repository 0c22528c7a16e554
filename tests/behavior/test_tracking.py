"""Videos through trackers: small ones without a model, and the documented face of mediapipe."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from behavior.spot_tracker import (
    HALF,
    SIZE,
    BrightSpot,
    LooksAhead,
    Named,
    Newer,
    NotInstalled,
    Small,
    Spoils,
    spots,
)
from behavior.video_files import write, write_sound
from PIL import Image

from pyexpr.base.errors import (
    DataError,
    Interrupted,
    PyexprError,
    TrackerError,
    TrackerNotInstalledError,
    VideoError,
)
from pyexpr.base.files import OutputError
from pyexpr.behavior.tracking.face_ids import FaceIds
from pyexpr.behavior.tracking.points_file import track_provenance
from pyexpr.behavior.tracking.result import TrackedVideos
from pyexpr.behavior.tracking.track import track_videos
from pyexpr.behavior.tracking.trackers import TrackedFace, Tracker, tracker_class

N = 12
# Seconds between frames that no rate gives.
STEPS = 0.02 + 0.03 * (np.arange(N) % 5) / 4
VARIABLE = np.cumsum(STEPS) - STEPS[0]
# A spot's centre, found in a compressed picture.
PIXEL = 0.26
# float32 beside float64.
SINGLE = 1e-6


def moving(number: int) -> np.ndarray:
    return spots((12 + 3 * number, 20))


def film(path: Path, draw: Callable[[int], np.ndarray] = moving, **options: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    return write(path, options.pop("n", N), size=SIZE, draw=draw, **options)


def track(videos: Any, output: Path, **options: Any) -> TrackedVideos:
    settings = {"tracker": BrightSpot, "n_jobs": 1, "progress": False, **options}
    return track_videos(videos, output, **settings)


def points(result: TrackedVideos, row: int = 0) -> pd.DataFrame:
    return pd.read_parquet(result.table["output"].iloc[row])


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return film(tmp_path_factory.mktemp("videos") / "s01.mp4", times=(0.4 + VARIABLE).tolist())


def test_points_and_times_are_those_of_the_video(video: Path, tmp_path: Path) -> None:
    result = track(video, tmp_path)
    found = points(result)
    names = [f"{axis}_{k}" for k in range(4) for axis in "xyz"]
    pose = ["pose_Tx", "pose_Ty", "pose_Tz", "pose_Rx", "pose_Ry", "pose_Rz"]
    assert list(found) == [
        "frame", "timestamp", "face_id", "success", *names, "blend_bright", "blend_dark", *pose
    ]  # fmt: skip
    assert found["frame"].tolist() == list(range(N))
    np.testing.assert_allclose(found["timestamp"], VARIABLE, atol=1e-4)
    np.testing.assert_allclose(found["x_0"], 12 + 3 * np.arange(N) - HALF, atol=PIXEL)
    np.testing.assert_allclose(found["y_3"], 20 + HALF, atol=PIXEL)
    assert (found[["z_0", "z_2", "z_3"]].to_numpy() == [0, 1, 2]).all()
    assert (found[["face_id", "success"]].to_numpy() == [0, 1]).all()
    assert (found[["blend_bright", "blend_dark"]].to_numpy() == [0.75, 0.25]).all()
    np.testing.assert_allclose(found["pose_Rz"], found["timestamp"], rtol=SINGLE)
    row = result.table.iloc[0]
    assert (row["status"], row["frames"], row["frames_with_face"], row["face_ids"]) == (
        "tracked", N, N, 1
    )  # fmt: skip
    assert (row["width"], row["height"]) == SIZE[::-1]
    assert result.notes() == ()


def test_points_are_those_of_the_upright_image(tmp_path: Path) -> None:
    # As a telephone held upright writes: a quarter turn clockwise stands in the header.
    path = film(tmp_path / "phone.mp4")
    data = bytearray(path.read_bytes())
    at = data.index(b"tkhd") + 4 + 4 + 20 + 8 + 8
    turn = np.array([0, 65536, 0, -65536, 0, 0, 0, 0, 0x40000000], dtype=">i4")
    data[at : at + 36] = turn.tobytes()
    path.write_bytes(data)
    result = track(path, tmp_path / "out")
    found = points(result)
    assert result.table[["width", "height"]].values.tolist() == [list(SIZE)]
    np.testing.assert_allclose(found["x_0"] + HALF, SIZE[0] - 1 - 20, atol=PIXEL)
    np.testing.assert_allclose(found["y_0"] + HALF, 12 + 3 * np.arange(N), atol=PIXEL)


def test_a_tracker_may_look_ahead(video: Path, tmp_path: Path) -> None:
    one = points(track(video, tmp_path / "a"))
    other = points(track(video, tmp_path / "b", tracker=LooksAhead))
    pd.testing.assert_frame_equal(one, other)


def test_frames_without_a_face_have_rows_and_are_counted(tmp_path: Path) -> None:
    seen = (2, 3, 7)
    film(tmp_path / "in/some.mp4", lambda k: spots((20, 20)) if k in seen else spots())
    film(tmp_path / "in/none.mp4", lambda _: spots())
    result = track(tmp_path / "in", tmp_path / "out")
    none, some = points(result, 0), points(result, 1)
    assert some.loc[some["success"] == 1, "frame"].tolist() == list(seen)
    for table in (none, some):
        lost = table[table["success"] == 0]
        assert lost.drop(columns=["frame", "timestamp", "face_id", "success"]).isna().all(axis=None)
        assert (lost["face_id"] == 0).all()
    assert len(none) == len(some) == N
    assert not none["success"].any()
    assert result.table["frames_with_face"].tolist() == [0, 3]
    names = [str(tmp_path / "in" / name) for name in ("none.mp4", "some.mp4")]
    assert [str(note) for note in result.notes()] == [
        f"1 video shows no face: {names[0]!r}. Every frame has success 0.",
        f"1 video shows a face in less than half of the frames: {names[1]!r}.",
    ]
    assert "a face in 3 of 24 frames" in result.heading()


def two(number: int) -> np.ndarray:
    # The left one goes up and the right one down, so that their order from above changes.
    return spots((15, 38 - 2 * number), (48, 12 + 2 * number))


def test_faces_keep_their_ids_when_their_order_changes(tmp_path: Path) -> None:
    path = film(tmp_path / "dyad.mp4", two)
    found = points(track(path, tmp_path / "out", faces=2))
    assert len(found) == 2 * N
    # The first face of the first frame is the upper one, on the right.
    middle = found.groupby("face_id")["x_0"].agg(["min", "max"]) + HALF
    np.testing.assert_allclose(middle.loc[0], 48, atol=PIXEL)
    np.testing.assert_allclose(middle.loc[1], 15, atol=PIXEL)
    own = points(track(path, tmp_path / "own", faces=2, tracker=Named))
    np.testing.assert_allclose(own.loc[own["face_id"] == 7, "x_0"] + HALF, 15, atol=PIXEL)
    assert set(own["face_id"]) == {7, 8}


def square(x: float, y: float, size: float = 10) -> TrackedFace:
    corners = np.array([[0, 0, 0], [size, 0, 0], [0, size, 0], [size, size, 0]])
    return TrackedFace(corners + np.array([x, y, 0]))


def test_ids_go_with_places() -> None:
    ids = FaceIds(3)
    left, right = square(0, 0), square(50, 0)
    assert ids.of([left, right], 0.0) == [0, 1]
    assert ids.of([right, left], 0.1) == [1, 0]
    # The nearest pair first: each has moved by 4, towards where the other was not.
    assert ids.of([square(4, 0), square(46, 0)], 0.2) == [0, 1]
    # A size away, or unseen for longer than a second, is another face.
    assert ids.of([square(16, 0)], 0.3) == [2]
    assert ids.of([square(46, 0)], 1.2) == [1]
    assert ids.of([square(46, 0)], 2.3) == [3]
    # Of faces that overlap each goes on as the one that it is nearest to, in whichever order.
    near = FaceIds(2)
    assert near.of([square(0, 0), square(8, 0)], 0.0) == [0, 1]
    assert near.of([square(7, 0), square(-1, 0)], 0.1) == [1, 0]
    # Two faces never have one id, however near they are.
    assert sorted(FaceIds(2).of([left, square(1, 0)], 0.0)) == [0, 1]
    # Of one face that is looked for there is one id.
    one = FaceIds(1)
    assert [one.of([square(0, 0)], 0.0), one.of([square(90, 0)], 5.0)] == [[0], [0]]


def test_provenance_is_in_the_file(video: Path, tmp_path: Path) -> None:
    model = tmp_path / "spot.model"
    model.write_bytes(b"SPOT" * 9)
    result = track(
        video, tmp_path / "out", tracker=Small, model=model, options={"least": 100}, faces=2
    )
    path = result.table["output"][0]
    stored = json.loads(pq.read_metadata(path).metadata[b"pyexpr_track"])
    assert track_provenance(path) == stored
    assert stored["tracker"] == {"name": "small-spot", "version": ""}
    assert stored["model"] == {
        "file": "spot.model", "sha256": hashlib.sha256(b"SPOT" * 9).hexdigest()
    }  # fmt: skip
    assert stored["video"]["sha256"] == hashlib.sha256(video.read_bytes()).hexdigest()
    assert stored["video"] | {"sha256": 0, "fps": 0, "seconds": 0} == {
        "file": "s01.mp4", "sha256": 0, "width": 64, "height": 48, "frames": N, "fps": 0,
        "seconds": 0, "variable": True,
    }  # fmt: skip
    assert stored["options"] == {"least": 100, "smooth": 0.5, "order": "down", "wide": False}
    assert stored["faces"] == 2
    assert stored["counts"] == {
        "rows": N, "frames": N, "frames_with_face": N, "frames_damaged": 0, "face_ids": 1
    }  # fmt: skip
    assert {"python", "pyexpr-stats", "numpy", "av", "pyarrow"} <= set(stored["versions"])
    assert stored["units"]["pose_R"] == "radians"
    assert result.to_dict()["provenance"]["model"]["file"] == "spot.model"
    # What it would not say: where the user keeps videos.
    assert str(tmp_path) not in json.dumps(stored)


def test_what_is_there_is_not_made_again(video: Path, tmp_path: Path) -> None:
    def again(**options: Any) -> str:
        BrightSpot.begun.clear()
        status = track(tmp_path / "s01.mp4", tmp_path / "out", **options).table["status"][0]
        assert len(BrightSpot.begun) == (status == "tracked")
        return str(status)

    copy = tmp_path / "s01.mp4"
    copy.write_bytes(video.read_bytes())
    assert again() == "tracked"
    before = (tmp_path / "out/s01.parquet").read_bytes()
    assert again() == "kept"
    # Of the same bytes, copied anew.
    copy.write_bytes(video.read_bytes())
    assert again(options={"least": 128}) == "kept"
    assert (tmp_path / "out/s01.parquet").read_bytes() == before
    changes: dict[str, dict[str, Any]] = {
        "options": {"options": {"least": 90}},
        "faces": {"faces": 2},
        "tracker": {"tracker": Newer},
    }
    for name, changed in changes.items():
        with pytest.raises(OutputError) as refused:
            again(**changed)
        assert str(refused.value) == (
            f"1 file is there already in {str(tmp_path / 'out')!r}, tracked otherwise: "
            f"'s01.parquet ({name})', with what differs; choose another folder, or say that they "
            "may be replaced (overwrite=True)"
        )
        assert (tmp_path / "out/s01.parquet").read_bytes() == before
        assert again(**changed, overwrite=True) == "tracked"
        assert again(**changed, overwrite=True) == "kept"
        assert again(overwrite=True) == "tracked"
    # The same bytes in, the same bytes out.
    assert (tmp_path / "out/s01.parquet").read_bytes() == before
    film(copy, lambda _: spots((20, 20)))
    with pytest.raises(OutputError, match=r"s01.parquet \(video\)"):
        again()
    assert again(overwrite=True) == "tracked"


def test_a_file_that_is_not_ours_is_not_replaced(video: Path, tmp_path: Path) -> None:
    theirs = tmp_path / "s01.parquet"
    pd.DataFrame({"a": [1]}).to_parquet(theirs)
    before = theirs.read_bytes()
    with pytest.raises(OutputError, match="that pyexpr did not write, or that was changed since"):
        track(video, tmp_path)
    assert theirs.read_bytes() == before
    with pytest.raises(DataError, match=r"is no file that track_videos\(\) has written"):
        track_provenance(theirs)
    with pytest.raises(DataError, match="there is no file"):
        track_provenance(tmp_path / "s02.parquet")
    # Ours, but half of it.
    result = track(video, tmp_path, overwrite=True)
    table = pq.read_table(theirs)
    pq.write_table(table.slice(0, 5), theirs)
    with pytest.raises(DataError, match="or it was changed since"):
        track_provenance(result.table["output"][0])


def test_models_are_known_by_their_bytes(video: Path, tmp_path: Path) -> None:
    for name, content in (("a.model", b"SPOT1"), ("b.model", b"SPOT1"), ("c.model", b"SPOT2")):
        (tmp_path / name).write_bytes(content)
    track(video, tmp_path, tracker=Small, model=tmp_path / "a.model")
    same = track(video, tmp_path, tracker=Small, model=tmp_path / "b.model")
    assert same.table["status"].tolist() == ["kept"]
    with pytest.raises(OutputError, match=r"s01.parquet \(model\)"):
        track(video, tmp_path, tracker=Small, model=tmp_path / "c.model")


def test_processes_do_not_change_the_files(tmp_path: Path) -> None:
    for name in ("a", "b"):
        film(tmp_path / f"in/{name}.mp4")
    alone = track(tmp_path / "in", tmp_path / "one")
    together = track(tmp_path / "in", tmp_path / "two", n_jobs=2)
    for one, two in zip(alone.table["output"], together.table["output"], strict=True):
        assert Path(one).read_bytes() == Path(two).read_bytes()
    pd.testing.assert_frame_equal(
        alone.table.drop(columns="output"), together.table.drop(columns="output")
    )


def test_folders_keep_their_names(tmp_path: Path) -> None:
    for name in ("s01/joy.mp4", "s01/pain.MP4", "s02/joy.mp4", ".cache/x.mp4", "s02/._joy.mp4"):
        film(tmp_path / "in" / name.replace("MP4", "mp4"), n=3)
    (tmp_path / "in/s01/pain.mp4").rename(tmp_path / "in/s01/pain.MP4")
    (tmp_path / "in/notes.txt").write_text("no video")
    found = track(tmp_path / "in", tmp_path / "out").table["output"]
    names = [Path(path).relative_to(tmp_path / "out").as_posix() for path in found]
    assert names == ["s01/joy.parquet", "s01/pain.parquet", "s02/joy.parquet"]


def test_ctrl_c_keeps_what_is_finished(tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        film(tmp_path / f"in/{name}.mp4")
    calls: list[int] = []

    class Stopped(BrightSpot):
        def track(self, frames: Any, times: Any) -> Any:
            calls.append(1)
            for number, faces in enumerate(super().track(frames, times)):
                if len(calls) == 2 and number == 5:
                    raise KeyboardInterrupt
                yield faces

    folder = tmp_path / "out"
    with pytest.raises(Interrupted) as stopped:
        track(tmp_path / "in", folder, tracker=Stopped, n_jobs=None)
    assert str(stopped.value) == (
        "stopped by Ctrl-C while videos were tracked: 1 of 3 files are complete in "
        f"{str(folder)!r}; the same call goes on with the others"
    )
    assert isinstance(stopped.value.result, TrackedVideos)
    assert [path.name for path in folder.iterdir()] == ["a.parquet"]
    result = track(tmp_path / "in", folder)
    assert result.table["status"].tolist() == ["kept", "tracked", "tracked"]


def spoiled_frames(path: Path) -> Path:
    """Overwrite the middle of a video's data, so that some of its frames cannot be decoded."""
    content = bytearray(path.read_bytes())
    start = content.index(b"mdat")
    middle = start + (len(content) - start) // 3
    content[middle : middle + 600] = bytes(600)
    path.write_bytes(content)
    return path


def noisy(number: int) -> np.ndarray:
    rng = np.random.default_rng(number)
    picture = rng.integers(0, 90, size=(*SIZE, 3), dtype=np.uint8)
    return np.maximum(picture, spots((12 + 2 * number, 20)))


def test_frames_that_cannot_be_decoded_are_rows_without_a_face(tmp_path: Path) -> None:
    path = spoiled_frames(film(tmp_path / "s01.mp4", noisy, gop=4, n=20))
    result = track(path, tmp_path / "out")
    found = points(result)
    damaged = int(result.table["frames_damaged"][0])
    assert 0 < damaged < 20
    assert found["frame"].tolist() == list(range(20))
    assert (found["success"] == 0).sum() >= damaged
    (note,) = result.notes()
    assert str(note) == (
        f"{damaged} frames of 1 video cannot be decoded: {str(path)!r}. They have success 0."
    )


def whole(path: Path) -> bytes:
    return film(path).read_bytes()


def damaged_video(folder: Path) -> Path:
    path = folder / "s01.mp4"
    content = whole(path)
    path.write_bytes(content[: len(content) // 2])
    return path


def half_of_a_video(folder: Path) -> Path:
    path = film(folder / "s01.mp4", noisy, n=40, options={"movflags": "+faststart"})
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    return path


def picture(folder: Path, ending: str) -> Path:
    path = folder / f"s01.{ending}"
    Image.fromarray(spots((20, 20))).save(path)
    return path


def empty_folder(folder: Path) -> Path:
    (folder / "notes.txt").write_text("no video")
    return folder


# What is wrong with a video -> how it is made, and what is said of it.
BAD_VIDEOS: dict[str, tuple[Callable[[Path], Any], str]] = {
    "damaged": (damaged_video, "is not a video, or is cut before its index is complete; copy it"),
    "half": (half_of_a_video, "is cut: it ends after"),
    "jpeg": (lambda folder: picture(folder, "jpg"), "is an image, not a video; name the video"),
    "png": (lambda folder: picture(folder, "png"), "is an image, not a video; name the video"),
    "one picture": (
        lambda folder: film(folder / "s01.mp4", n=1),
        "has a single picture, so there is no movement to track",
    ),
    "sound": (lambda folder: write_sound(folder / "s01.mp4"), "has no video stream, only audio"),
    "absent": (lambda folder: folder / "s01.mp4", "there is no video"),
}


@pytest.mark.parametrize("kind", BAD_VIDEOS)
def test_a_bad_video_is_reported_or_listed(kind: str, tmp_path: Path) -> None:
    make, message = BAD_VIDEOS[kind]
    bad = make(tmp_path)
    with pytest.raises(VideoError) as refused:
        track(bad, tmp_path / "out")
    assert message in str(refused.value)
    assert str(bad) in str(refused.value)
    good = film(tmp_path / "s02.mp4", n=3)
    result = track([bad, good], tmp_path / "out", on_error="skip")
    assert result.table["video"].tolist() == [str(good)]
    assert result.dropped["video"].tolist() == [str(bad)]
    assert message in result.dropped["reason"][0]
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["s02.parquet"]
    assert str(result.notes()[-1]) == "1 video was not tracked: `dropped` says why."


def test_a_video_that_changes_meanwhile_is_refused(tmp_path: Path) -> None:
    path = film(tmp_path / "s01.mp4")

    class Changes(BrightSpot):
        def track(self, frames: Any, times: Any) -> Any:
            yield from super().track(frames, times)
            with path.open("ab") as file:
                file.write(b"more")

    with pytest.raises(VideoError, match="was changed while it was read"):
        track(path, tmp_path / "out", tracker=Changes, n_jobs=None)
    assert not any((tmp_path / "out").iterdir())


def own_file(folder: Path) -> dict[str, Any]:
    (folder / "out").write_text("a file")
    return {}


# What is wrong with the call -> arguments, the class of the error, and its sentence.
BAD_CALLS: dict[str, tuple[Callable[[Path], dict[str, Any]], type[PyexprError], str]] = {
    "no such tracker": (
        lambda _: {"tracker": "openface"},
        DataError,
        "there is no tracker 'openface', but 'mediapipe'; one of your own is named by its module "
        "and class, as 'my_module:MyTracker'",
    ),
    "no such module": (
        lambda _: {"tracker": "nowhere:Spot"},
        DataError,
        "the tracker 'nowhere:Spot' cannot be loaded (No module named 'nowhere'); it is the name "
        "of a module that Python finds, a colon, and the name of a class in it",
    ),
    "no tracker": (
        lambda _: {"tracker": dict},
        DataError,
        "tracker= must be a tracker's name or a class derived from Tracker, and <class 'dict'> is "
        "neither",
    ),
    "not installed": (
        lambda _: {"tracker": NotInstalled},
        TrackerNotInstalledError,
        "the tracker 'absent' is not installed; run: pip install absent",
    ),
    "no model": (
        lambda _: {"tracker": Small},
        TrackerError,
        "the tracker 'small-spot' needs a model file, which is not part of it: spot.model, from "
        "https://example.org/spot; name the file by model=",
    ),
    "model not there": (
        lambda folder: {"tracker": Small, "model": "nothing.model"},
        TrackerError,
        "the model file 'nothing.model' is not there; spot.model, from https://example.org/spot",
    ),
    "model not taken": (
        lambda _: {"model": "spot.model"},
        DataError,
        "the tracker 'bright-spot' needs no model; leave model= out",
    ),
    "no such option": (
        lambda _: {"options": {"leest": 1}},
        DataError,
        "the tracker 'bright-spot' has no option 'leest'; it has 'least', 'smooth', 'order', "
        "'wide'",
    ),
    "whole number": (
        lambda _: {"options": {"least": 1.5}},
        DataError,
        "the option 'least' of the tracker must be a whole number, not 1.5",
    ),
    "number": (
        lambda _: {"options": {"smooth": "much"}},
        DataError,
        "the option 'smooth' of the tracker must be a number, not 'much'",
    ),
    "text": (
        lambda _: {"options": {"order": True}},
        DataError,
        "the option 'order' of the tracker must be text, not True",
    ),
    "truth value": (
        lambda _: {"options": {"wide": 1}},
        DataError,
        "the option 'wide' of the tracker must be true or false, not 1",
    ),
    "faces": (lambda _: {"faces": 0}, DataError, "faces= must be a whole number of at least 1"),
    "on_error": (
        lambda _: {"on_error": "go"},
        DataError,
        "on_error= must be one of 'stop', 'skip', not 'go'",
    ),
    "a file": (own_file, OutputError, "it is not a folder; choose another place"),
}


@pytest.mark.parametrize("kind", BAD_CALLS)
def test_bad_calls_are_reported_before_anything_is_tracked(
    kind: str, video: Path, tmp_path: Path
) -> None:
    make, error, message = BAD_CALLS[kind]
    BrightSpot.begun.clear()
    with pytest.raises(error) as refused:
        track(video, tmp_path / "out", **make(tmp_path))
    assert message in str(refused.value)
    assert not BrightSpot.begun


def test_all_that_is_wrong_is_reported_the_users_own_first(tmp_path: Path) -> None:
    class Absent(NotInstalled):
        model_help = "absent.model"

    with pytest.raises(VideoError) as refused:
        track("nowhere.mp4", tmp_path, tracker=Absent, model="no.model")
    assert str(refused.value) == (
        "there is no video 'nowhere.mp4'; besides, the model file 'no.model' is not there; "
        "absent.model; besides, the tracker 'absent' is not installed; run: pip install absent"
    )


def test_folders_and_names_that_do_not_do(video: Path, tmp_path: Path) -> None:
    def message(videos: Any) -> str:
        with pytest.raises((DataError, VideoError)) as refused:
            track(videos, tmp_path / "out")
        return str(refused.value)

    (tmp_path / "empty").mkdir()
    empty_folder(tmp_path / "empty")
    assert message(tmp_path / "empty") == (
        f"the folder {str(tmp_path / 'empty')!r} has no files whose names end as those of videos "
        "do (.mp4, .mov, .avi, ...): there is only 'notes.txt'; name another folder, or the files "
        "themselves"
    )
    assert message([]) == "videos= names no video"
    assert message(3) == "videos= must be paths, not 3"
    assert message([video, 3]) == "videos= must hold paths, not 3"
    assert message([video, video]) == f"the video {str(video)!r} is named twice; name it once"
    other = film(tmp_path / "b" / "S01.mkv", n=3)
    assert message([video, other]) == (
        f"the points of {str(video)!r} and {str(other)!r} would go to one file, 'S01.parquet'; "
        "rename one of them, or track them into two folders"
    )
    gone = [tmp_path / "x.mp4", tmp_path / "y.mp4"]
    assert message([video, *gone]) == f"2 videos are not there: {str(gone[0])!r}, {str(gone[1])!r}"
    # The points would be written over the video itself.
    odd = tmp_path / "s03.parquet"
    odd.write_bytes(video.read_bytes())
    with pytest.raises(OutputError, match="that is read for them"):
        track(odd, tmp_path, overwrite=True)


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ("raises", "stopped at frame 2 of {path}: ZeroDivisionError: no light"),
        ("ends", "gives nothing for frame 3 of {path}"),
        ("points", "gives points of shape (3, 3), not (4, 3), for frame 2 of {path}"),
        ("blendshapes", "gives blendshapes of shape (), not (2,), for frame 2 of {path}"),
        ("pose", "gives pose of shape (3,), not (6,), for frame 2 of {path}"),
        ("more", "gives faces of more frames than {path} has"),
        ("many", "gives 2 faces, more than the 1 requested, for frame 2 of {path}"),
        ("doubled", "gives two faces of frame 2 of {path} one face_id"),
    ],
)
def test_what_a_tracker_must_not_do(how: str, message: str, video: Path, tmp_path: Path) -> None:
    faces = 2 if how == "doubled" else 1
    with pytest.raises(TrackerError) as refused:
        track(video, tmp_path / "out", tracker=Spoils, options={"how": how}, faces=faces)
    assert str(refused.value) == f"the tracker 'spoils' {message.format(path=repr(str(video)))}"
    assert not any((tmp_path / "out").iterdir())


def test_a_face_without_points_is_none(video: Path, tmp_path: Path) -> None:
    found = points(track(video, tmp_path, tracker=Spoils, options={"how": "nowhere"}))
    assert found.loc[found["success"] == 0, "frame"].tolist() == [2]


def test_trackers_of_scripts_work_in_one_process(video: Path, tmp_path: Path) -> None:
    class Local(BrightSpot):
        pass

    with pytest.raises(DataError, match="where other processes do not find it"):
        track(video, tmp_path, tracker=Local, n_jobs=2)
    assert len(points(track(video, tmp_path, tracker=Local, n_jobs=None))) == N


def test_trackers_by_name() -> None:
    assert tracker_class("behavior.spot_tracker:BrightSpot") is BrightSpot
    assert tracker_class("mediapipe").name == "mediapipe"

    class Half(Tracker):
        name = "half"

    with pytest.raises(DataError, match="the tracker 'Half' lacks 'points', 'track'"):
        tracker_class(Half)
