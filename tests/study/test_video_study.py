"""The 3D-CNN in a study: from the column of videos to predictions beside the others."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from behavior.video_files import write
from deep.small_video import NarrowRegressor

from pyexpr.base.errors import ColumnError, DataError, StudyError
from pyexpr.study.file.config import read_config
from pyexpr.study.pipeline import Study
from pyexpr.study.stages import deep

SECTION = """
[models.video3d]
per_context = false
frames = 4
size = 16
max_epochs = 1
n_seeds = 2
"""
# The longest simulated recording lasts 90 s; few frames and pixels are enough here.
SECONDS, FPS = 91, 2


@pytest.fixture(scope="module")
def folder(study_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The simulated study with a video per subject, as bright as its number."""
    target = tmp_path_factory.mktemp("with_videos")
    for name in ("ratings.csv", "study.toml"):
        shutil.copy(study_folder / name, target)
    (target / "openface").symlink_to(study_folder / "openface")
    table = pd.read_csv(study_folder / "recordings.csv")
    for number, subject in enumerate(table["subject"].unique()):
        bright = np.full((32, 32, 3), 16 * number, dtype=np.uint8)
        write(
            target / f"{subject}.mp4", SECONDS * FPS, rate=FPS, size=(32, 32),
            draw=lambda _, picture=bright: picture,
        )  # fmt: skip
    table.assign(video=table["subject"] + ".mp4").to_csv(target / "recordings.csv", index=False)
    _study_file(target, SECTION)
    return target


def _study_file(folder: Path, section: str) -> Path:
    text = (folder / "study.toml").read_text(encoding="utf-8").partition("\n[models")[0]
    path = folder / "study.toml"
    path.write_text(text + section, encoding="utf-8")
    return path


@pytest.fixture
def narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    make: dict[str, Any] = {"video3d": lambda arguments, config: NarrowRegressor(**arguments)}
    monkeypatch.setattr(deep, "_MAKE", make)


@pytest.mark.usefixtures("narrow")
def test_predictions_join_the_others(folder: Path, tmp_path: Path) -> None:
    study = Study.from_file(folder / "study.toml", output=tmp_path)
    output = study.deep_model("video3d", progress=False)
    clips = study.models().tables["labelled_clips"]
    n_train = int((clips["part"] == "train").sum())
    assert output.facts["frames of the training clips"] == {
        "clips": n_train, "frames": 4 * n_train, "missing": 0,
    }  # fmt: skip
    assert output.facts["notes"] == [
        f"Its input is {4 * n_train:,} frames of the training clips, of which 0 are missing "
        "and black."
    ]
    predictions = study.predictions()
    over_all = predictions["evaluated"] == "all"
    assert predictions.loc[over_all, "video3d"].notna().all()
    # Over all contexts alone.
    assert predictions.loc[~over_all, "video3d"].isna().all()
    curves = output.tables["video3d_curves"]
    assert curves[["context", "seed", "epoch"]].values.tolist() == [["all", 3, 1], ["all", 4, 1]]
    assert not (tmp_path / "stages" / "training-video3d").exists()
    assert list((tmp_path / "stages" / "frames").glob("*.clips"))

    # What is stored is found again; another video is another study, but not for other stages.
    again = Study.from_file(folder / "study.toml", output=tmp_path)
    again.deep_model("video3d", progress=False)
    assert "video3d" in again.reused
    keys = {name: again._key(name) for name in again.stage_names}
    video = folder / "S001.mp4"
    kept = video.read_bytes()
    try:
        shutil.copy(folder / "S002.mp4", video)
        other = Study.from_file(folder / "study.toml", output=tmp_path)
        changed = {name for name in other.stage_names if other._key(name) != keys[name]}
    finally:
        video.write_bytes(kept)
    assert changed == {"video3d", "comparison"}


def test_weights_are_named_relative_to_the_study_file(folder: Path, tmp_path: Path) -> None:
    copy = tmp_path / "study.toml"
    copy.write_text((folder / "study.toml").read_text() + 'pretrained = "kinetics.pth"\n')
    config = read_config(copy)
    assert deep.pretrained_file(config, folder) == str(folder / "kinetics.pth")
    study = Study(config, folder, output=tmp_path)
    with pytest.raises(StudyError, match=r"\[models.video3d\] pretrained: there is no file"):
        study._key("video3d")
    assert deep.pretrained_file(read_config(folder / "study.toml"), folder) is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda table: table.drop(columns="video"), "the recordings .* have no column 'video'"),
        (lambda table: table.assign(video="gone.mp4"), "45 files are missing, first .*gone.mp4"),
        (
            lambda table: table.assign(video=table["video"].where(table.index != 3)),
            "column 'video' of the recordings .* must not have missing values, but row 4 is empty",
        ),
    ],
)
def test_recordings_must_have_their_videos(
    folder: Path, tmp_path: Path, change: Any, message: str
) -> None:
    for name in ("ratings.csv", "study.toml"):
        shutil.copy(folder / name, tmp_path)
    (tmp_path / "openface").symlink_to(folder / "openface")
    table = change(pd.read_csv(folder / "recordings.csv"))
    table.to_csv(tmp_path / "recordings.csv", index=False)
    with pytest.raises((ColumnError, StudyError), match=message):
        _ = Study.from_file(tmp_path / "study.toml").inputs
    # Without the 3D-CNN nobody asks for videos.
    _study_file(tmp_path, "")
    assert len(Study.from_file(tmp_path / "study.toml").inputs.recordings) == 45


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ('trainable = "fc"', "trainable requires pretrained"),
        ('crop = "mouth"', r"models.video3d.crop must be 'face', not 'mouth'"),
        ("margin = 9", "models.video3d.margin"),
        ("depth = 18", r"\[models.video3d\] has no entry 'depth'"),
    ],
)
def test_the_section_is_checked(folder: Path, tmp_path: Path, entry: str, message: str) -> None:
    path = tmp_path / "study.toml"
    path.write_text((folder / "study.toml").read_text() + entry)
    with pytest.raises(DataError, match=message):
        read_config(path)
