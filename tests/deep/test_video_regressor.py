"""The 3D-CNN as a regressor: what it learns, from what, and that it does so again."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from behavior.video_files import write
from deep.small_video import NarrowRegressor, moving_squares
from sklearn.base import clone
from sklearn.model_selection import GroupKFold, cross_val_predict

import pyexpr as px
from pyexpr.base.errors import DataError, VideoError
from pyexpr.deep import training

QUICK: dict[str, Any] = {
    "lr": 0.003,
    "batch_size": 8,
    "max_epochs": 2,
    "patience": None,
    "progress": False,
}


@pytest.fixture(scope="module")
def squares() -> tuple[Any, Any]:
    return moving_squares(16, seed=0, size=24)


@pytest.fixture(scope="module")
def fitted(squares: tuple[Any, Any]) -> NarrowRegressor:
    return NarrowRegressor(**QUICK, n_seeds=2).fit(*squares)


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    """Two clips of six recordings in two contexts; the label is how bright they are."""
    folder = tmp_path_factory.mktemp("recordings")
    rows = []
    for subject in range(6):
        bright = np.full((64, 64, 3), 40 * (subject + 1), dtype=np.uint8)
        path = write(folder / f"{subject}.mp4", 50, draw=lambda _, picture=bright: picture)
        for context, start in (("pain", 0), ("calm", 1)):
            rows.append((subject, context, str(path), start, start + 1, 40.0 * (subject + 1)))
    return pd.DataFrame(rows, columns=["subject", "context", "video", "start", "end", "label"])


def test_it_learns_motion_on_held_out_subjects() -> None:
    clips, speed = moving_squares(150, seed=1, size=24)
    others, other_speed = moving_squares(50, seed=2, size=24)
    subject = np.arange(150) // 5
    model = NarrowRegressor(**QUICK | {"max_epochs": 6, "patience": 6})
    model.fit(clips, speed, groups=subject)
    assert model.stopping_ == "6 of 30 subjects used for validation"
    # 0.98 with this seed.
    assert np.corrcoef(model.predict(others), other_speed)[0, 1] > 0.8


def test_it_learns_nothing_from_shuffled_labels() -> None:
    clips, speed = moving_squares(80, seed=1, size=24)
    others, other_speed = moving_squares(100, seed=2, size=24)
    rng = np.random.default_rng(3)
    model = NarrowRegressor(**QUICK | {"max_epochs": 4}).fit(clips, rng.permutation(speed))
    # Against labels shuffled too: what it makes of the clips may well go with their speed.
    # 100 clips: the standard error of a correlation of 0 is 0.1.
    hidden = rng.permutation(other_speed)
    assert abs(np.corrcoef(model.predict(others), hidden)[0, 1]) < 0.35


def test_the_same_seed_gives_the_same_bytes(
    squares: tuple[Any, Any], fitted: NarrowRegressor
) -> None:
    again = clone(fitted).fit(*squares)
    assert (again.predict(squares[0]) == fitted.predict(squares[0])).all()
    each = fitted.predict_each(squares[0])
    assert each.shape == (2, 16)
    assert (each[0] != each[1]).any()
    assert (each.mean(axis=0) == fitted.predict(squares[0])).all()
    second = NarrowRegressor(**QUICK, seed=1).fit(*squares)
    assert (second.predict(squares[0]) == each[1]).all()


def test_pickles_and_folders_predict_alike(
    squares: tuple[Any, Any], fitted: NarrowRegressor, tmp_path: Path
) -> None:
    expected = fitted.predict(squares[0])
    copy = pickle.loads(pickle.dumps(fitted))
    loaded = NarrowRegressor.load(fitted.save(tmp_path / "model"))
    for other in (copy, loaded):
        assert (other.predict(squares[0]) == expected).all()
        assert list(other.clip_shape_) == [8, 24, 24]
    assert sorted(path.name for path in (tmp_path / "model").iterdir()) == [
        "model.json",
        "weights.safetensors",
    ]


def test_a_killed_training_goes_on_to_the_same_bytes(
    squares: tuple[Any, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = {**QUICK, "max_epochs": 3, "checkpoint_dir": tmp_path}
    whole = NarrowRegressor(**QUICK | {"max_epochs": 3}).fit(*squares)
    real, epochs = training._train_epoch, []

    def killed(*arguments: Any) -> float:
        epochs.append(arguments[-1])
        if len(epochs) == 3:
            raise KeyboardInterrupt
        return real(*arguments)

    monkeypatch.setattr(training, "_train_epoch", killed)
    with pytest.raises(KeyboardInterrupt):
        NarrowRegressor(**settings).fit(*squares)
    resumed = NarrowRegressor(**settings).fit(*squares)
    assert epochs == [1, 2, 3, 3]
    # Batch normalisation's running means are among what is kept.
    assert (resumed.predict(squares[0]) == whole.predict(squares[0])).all()
    pd.testing.assert_frame_equal(resumed.history_, whole.history_)


def test_clip_tables_lists_arrays_and_read_clips_are_one(
    table: pd.DataFrame, tmp_path: Path
) -> None:
    reading = {"frames": 4, "size": 16, "cache_dir": tmp_path, "n_jobs": 1}
    clips = px.read_video_clips(table, **reading)
    label = table["label"].to_numpy()
    model = NarrowRegressor(**QUICK, **reading).fit(table, label)
    expected = model.predict(table)
    assert model.video_ == {"clips": 12, "frames": 48, "missing": 0}
    arrow = pa.Table.from_pandas(table, preserve_index=False)
    for form in (clips, clips.stack(), list(clips.stack()), pl.from_pandas(table), arrow):
        assert (model.predict(form) == expected).all()
        assert (clone(model).fit(form, label).predict(table) == expected).all()
    # One file for a recording, whichever of its clips are requested.
    assert len(list(tmp_path.glob("*.clips"))) == 6
    late = table.assign(end=table["end"] + 0.5)[table["context"] == "calm"]
    assert clone(model).fit(late, label[:6]).video_ == {"clips": 6, "frames": 24, "missing": 6}


def test_by_context_and_cross_validated(table: pd.DataFrame, tmp_path: Path) -> None:
    model = NarrowRegressor(
        **QUICK | {"max_epochs": 1}, frames=4, size=16, cache_dir=tmp_path, n_jobs=1
    )
    columns = ["context", "video", "start", "end"]
    both = px.ContextualRegressor(model, context="context").fit(table[columns], table["label"])
    assert set(both.estimators_) == {"calm", "pain"}
    assert both.predict(table[columns]).shape == (12,)
    assert both.predict(table[columns], pooled=True).shape == (12,)
    predicted = cross_val_predict(
        model,
        table[columns],
        table["label"],
        groups=table["subject"],
        cv=GroupKFold(2),
    )
    assert np.isfinite(predicted).all()


def test_the_whole_network_trains_its_last_layer(squares: tuple[Any, Any], tmp_path: Path) -> None:
    import torch
    from torchvision.models.video import r3d_18

    torch.manual_seed(0)
    path = tmp_path / "kinetics.pth"
    torch.save(r3d_18(weights=None).state_dict(), path)
    clips, speed = squares[0][:4, :4], squares[1][:4]
    settings = QUICK | {"max_epochs": 1, "batch_size": 4}
    model = px.deep.Video3DRegressor(str(path), trainable="fc", **settings).fit(clips, speed)
    kept = model.modules_[0].body
    assert torch.equal(kept.layer4[1].conv2[0].weight, torch.load(path)["layer4.1.conv2.0.weight"])
    assert len(model.config_["pretrained_sha256"]) == 64
    # A fitted model carries its weights: the file they began with may go.
    path.unlink()
    copy = pickle.loads(pickle.dumps(model))
    assert (copy.predict(clips) == model.predict(clips)).all()
    with pytest.raises(DataError, match="there is no such file"):
        clone(model).fit(clips, speed)


@pytest.mark.parametrize(
    ("X", "message"),
    [
        (np.zeros((3, 8, 32, 32)), "must be an array of shape .clips, frames, height, width, 3."),
        (np.zeros((3, 8, 32, 32, 3)), "clip 1 of X must hold pixels as uint8 .* not float64"),
        (np.zeros((3, 8, 32, 32, 1), np.uint8), r"must have the shape \(frames, height, width, 3"),
        (np.zeros((3, 1, 32, 32, 3), np.uint8), "at least"),
        (np.zeros((0, 8, 32, 32, 3), np.uint8), "X has no clips"),
        (
            [np.zeros((8, 32, 32, 3), np.uint8), np.zeros((7, 32, 32, 3), np.uint8)],
            r"clip 2 of X has the shape \(7, 32, 32, 3\), but clip 1",
        ),
        ("clips", "not str"),
    ],
)
def test_other_clips_are_refused(X: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        NarrowRegressor(**QUICK).fit(X, np.arange(len(X), dtype=float))


def test_other_shapes_than_those_of_fit_are_refused(
    squares: tuple[Any, Any], fitted: NarrowRegressor
) -> None:
    with pytest.raises(DataError, match=r"have the shape \(4, 24, 24\) .* was fitted with"):
        fitted.predict(squares[0][:, :4])


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"trainable": "fc"}, "so they must be pretrained; give pretrained="),
        ({"trainable": "last"}, "trainable= must be one of"),
        ({"tune": "paper"}, "the paper did not tune its 3D-CNN"),
        ({"crop": "mouth"}, "crop= must be None or 'face'"),
        ({"frames": 0}, "frames= must be a whole number"),
        ({"lr": -1}, "lr= must be a number above 0"),
    ],
)
def test_parameters_are_checked(
    squares: tuple[Any, Any], parameters: dict[str, Any], message: str
) -> None:
    with pytest.raises(DataError, match=message):
        NarrowRegressor(**QUICK | parameters).fit(*squares)


def test_tables_are_refused_by_row(table: pd.DataFrame, tmp_path: Path) -> None:
    model = NarrowRegressor(**QUICK, cache_dir=tmp_path, n_jobs=1)
    with pytest.raises(DataError, match="has no column 'video'"):
        model.fit(table.drop(columns="video"), table["label"])
    with pytest.raises(VideoError, match="lie outside of the recording, which lasts 2 s"):
        model.fit(table.assign(start=5, end=6), table["label"])
    with pytest.raises(DataError, match="has no column 'openface'"):
        model.set_params(crop="face").fit(table, table["label"])


def test_half_precision_on_the_cpu_repeats_itself() -> None:
    """oneDNN's convolutions do not."""
    rng = np.random.default_rng(0)
    y = rng.normal(size=6)
    clips = rng.integers(0, 255, (6, 4, 16, 16, 3), dtype=np.uint8)
    options: dict[str, Any] = {"max_epochs": 1, "patience": None, "precision": "bf16-mixed"}
    one, two = (
        px.deep.Video3DRegressor(progress=False, **options).fit(clips, y).predict(clips)
        for _ in range(2)
    )
    np.testing.assert_array_equal(one, two)
