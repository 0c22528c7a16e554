"""The regressor: what it can learn, scikit-learn's shape, files, and what is refused."""

from __future__ import annotations

import io
import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import torch
from deep.made_clips import trending_clips
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GroupKFold, cross_val_predict, cross_val_score
from sklearn.utils.validation import check_is_fitted

import pyexpr as px
from pyexpr.base.errors import ColumnError, DataError
from pyexpr.behavior.features.frame_store import COLUMN_SETS
from pyexpr.deep import LSTMRegressor, Video3DRegressor
from pyexpr.modeling.contextual import ContextualRegressor

# Of 64 clips of other subjects, the share of |r| that shuffled labels leave to chance: 3 / 8.
CHANCE = 3 / np.sqrt(64)
# A clip's value may differ in the last bit with the others in its batch.
ROUNDING = 1e-5


def small(**given: Any) -> LSTMRegressor:
    options: dict[str, Any] = {
        "lr": 0.02, "max_epochs": 25, "patience": 6, "seed": 1, "progress": False,
    }  # fmt: skip
    return LSTMRegressor(12, 1, **{**options, **given})


class Recording(pickle.Unpickler):
    """Notes the packages whose code a pickle asks for."""

    def __init__(self, content: bytes) -> None:
        super().__init__(io.BytesIO(content))
        self.packages: set[str] = set()

    def find_class(self, module_name: str, global_name: str) -> Any:
        self.packages.add(module_name.partition(".")[0])
        return super().find_class(module_name, global_name)


def test_learns_what_is_there_and_not_what_is_not() -> None:
    X, y, subjects = trending_clips(40)
    new = subjects >= 24
    assert new.sum() == 64
    model = small().fit(X[~new], y[~new], groups=subjects[~new])
    assert model.stopping_ == "5 of 24 subjects used for validation"
    assert np.corrcoef(model.predict(X[new]), y[new])[0, 1] > 0.8
    assert model.score(X[new], y[new]) > 0.6
    noise = np.random.default_rng(2).permutation(y)
    shuffled = small().fit(X[~new], noise[~new], groups=subjects[~new])
    assert abs(np.corrcoef(shuffled.predict(X[new]), noise[new])[0, 1]) < CHANCE


def test_labels_on_another_scale_give_the_same_model() -> None:
    X, y, subjects = trending_clips(10)
    plain = small(max_epochs=3).fit(X, y, groups=subjects).predict(X)
    scaled = small(max_epochs=3).fit(X, 500 + 100 * y, groups=subjects)
    np.testing.assert_allclose(scaled.predict(X), 500 + 100 * plain, rtol=ROUNDING)
    assert scaled.history_["validation_rmse"].iloc[0] > 1


def test_cross_validation_by_subjects() -> None:
    X, y, subjects = trending_clips(15)
    model = small(max_epochs=12)
    by_subject = {"groups": subjects, "cv": GroupKFold(3)}
    predicted = cross_val_predict(model, X, y, params={"groups": subjects}, **by_subject)
    assert np.corrcoef(predicted, y)[0, 1] > 0.8
    # Lists of clips of different lengths go the same way; without early stopping, no groups.
    clips = [clip[: 20 - k % 3] for k, clip in enumerate(X)]
    scores = cross_val_score(small(max_epochs=2, patience=None), clips, y, **by_subject)
    assert scores.shape == (3,)


def test_parameters_clone_and_pickle() -> None:
    X, y, subjects = trending_clips(8)
    model = small(n_seeds=2, max_epochs=2, columns=["pose", "gaze"], dropout=0.0)
    assert clone(model).get_params() == model.get_params()
    with pytest.raises(NotFittedError):
        check_is_fitted(clone(model))
    model.fit(X, y, groups=subjects)
    content = pickle.dumps(model)
    reader = Recording(content)
    loaded = reader.load()
    # Weights are bytes of safetensors, not objects of torch.
    assert "pyexpr" in reader.packages
    assert "torch" not in reader.packages
    assert loaded.predict(X).tobytes() == model.predict(X).tobytes()
    assert loaded.history_.equals(model.history_)
    check_is_fitted(loaded)
    with pytest.raises(NotFittedError):
        clone(model).predict(X)


def test_saved_models_come_back_without_running_code(tmp_path: Path) -> None:
    X, y, subjects = trending_clips(8)
    model = small(max_epochs=3, n_seeds=2, tune={"hidden_size": [4, 6]})
    model.fit(X, y, groups=subjects).save(tmp_path / "model")
    assert sorted(path.name for path in (tmp_path / "model").iterdir()) == [
        "model.json", "weights.safetensors",
    ]  # fmt: skip
    loaded = px.deep.LSTMRegressor.load(tmp_path / "model")
    assert loaded.predict(X).tobytes() == model.predict(X).tobytes()
    assert loaded.get_params() == model.get_params()
    pd.testing.assert_frame_equal(loaded.history_, model.history_)
    pd.testing.assert_frame_equal(loaded.path_, model.path_)
    assert {name: getattr(loaded, name) for name in ("seeds_", "best_params_", "config_")} == {
        name: getattr(model, name) for name in ("seeds_", "best_params_", "config_")
    }
    # Saved again, the same files: nothing was lost on the way.
    loaded.save(tmp_path / "again")
    for name in ("model.json", "weights.safetensors"):
        first, second = (tmp_path / folder / name for folder in ("model", "again"))
        assert first.read_bytes() == second.read_bytes()


def test_damaged_models_are_refused(tmp_path: Path) -> None:
    X, y, subjects = trending_clips(5)
    folder = small(max_epochs=1).fit(X, y, groups=subjects).save(tmp_path / "model")
    with pytest.raises(DataError, match="holds no model: there is no file"):
        LSTMRegressor.load(tmp_path)
    with pytest.raises(DataError, match=r"holds a LSTMRegressor, .* LSTMRegressor\.load"):
        Video3DRegressor.load(folder)
    facts = json.loads((folder / "model.json").read_text())
    (folder / "model.json").write_text("{")
    with pytest.raises(DataError, match="is not the configuration of a model"):
        LSTMRegressor.load(folder)
    (folder / "model.json").write_text(json.dumps(facts))
    weights = folder / "weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"x")
    with pytest.raises(DataError, match="its hash differs"):
        LSTMRegressor.load(folder)


def test_seeds_are_averaged_and_listed() -> None:
    X, y, subjects = trending_clips(8)
    three = small(n_seeds=3, max_epochs=2).fit(X, y, groups=subjects)
    each = three.predict_each(X)
    assert each.shape == (3, len(X))
    np.testing.assert_array_equal(three.predict(X), each.mean(axis=0))
    assert three.seeds_ == [1, 2, 3]
    assert three.history_["seed"].tolist() == [1, 1, 2, 2, 3, 3]
    assert np.ptp(each, axis=0).min() > 0
    # The first is the model of one seed: who is held out does not depend on their number.
    alone = small(max_epochs=2).fit(X, y, groups=subjects)
    assert alone.predict(X).tobytes() == each[0].tobytes()


def test_tuning_takes_the_lowest_validation_error() -> None:
    X, y, subjects = trending_clips(10)
    grid = {"lr": [1e-5, 0.05], "hidden_size": [3, 6]}
    model = small(max_epochs=3, tune=grid).fit(X, y, groups=subjects)
    path = model.path_
    assert list(path.columns) == ["lr", "hidden_size", "rmse", "best_epoch", "chosen"]
    assert path[["lr", "hidden_size"]].values.tolist() == [
        [1e-5, 3], [1e-5, 6], [0.05, 3], [0.05, 6],
    ]  # fmt: skip
    best = path.loc[path["rmse"].idxmin()]
    assert best["chosen"]
    assert path["chosen"].sum() == 1
    assert best["lr"] == 0.05
    assert model.best_params_ == {"lr": 0.05, "hidden_size": int(best["hidden_size"])}
    chosen = small(max_epochs=3, lr=0.05).set_params(**model.best_params_)
    assert chosen.fit(X, y, groups=subjects).predict(X).tobytes() == model.predict(X).tobytes()
    paper = LSTMRegressor(tune="paper")
    assert len(paper._combinations()) == 27
    assert {"lr": 0.005, "num_layers": 2, "hidden_size": 128} in paper._combinations()


def test_packed_clips_do_not_depend_on_each_other() -> None:
    X, y, subjects = trending_clips(8)
    clips = [clip[: 20 - k % 5] for k, clip in enumerate(X)]
    model = small(max_epochs=2).fit(clips, y, groups=subjects)
    alone = [model.predict([clip]).item() for clip in clips]
    np.testing.assert_allclose(model.predict(clips), alone, atol=ROUNDING)


def test_an_array_and_a_list_of_its_clips_are_the_same() -> None:
    X, y, subjects = trending_clips(6)
    one = small(max_epochs=2).fit(X, y, groups=subjects).predict(X)
    two = small(max_epochs=2).fit(list(X), y, groups=subjects).predict(list(X))
    assert one.tobytes() == two.tobytes()


BAD_PARAMETERS: list[tuple[dict[str, Any], str]] = [
    ({"hidden_size": 0}, "hidden_size= must be a whole number of at least 1, not 0"),
    ({"num_layers": 1.5}, "num_layers= must be a whole number"),
    ({"lr": 0}, "lr= must be a number above 0, not 0"),
    ({"lr": "fast"}, "lr= must be a number above 0, not 'fast'"),
    ({"batch_size": True}, "batch_size= must be a whole number"),
    ({"patience": 0}, "patience= must be a whole number of at least 1"),
    ({"dropout": 1}, "dropout= must be at least 0 and below 1"),
    ({"clip_norm": -1}, "clip_norm= must be a number above 0"),
    ({"weight_decay": -1}, "weight_decay= must be at least 0"),
    ({"validation_share": 1}, "validation_share= must be between 0 and 1"),
    ({"precision": "8"}, "precision= must be one of '32'"),
    ({"device": "tpu"}, "device= must be None"),
    ({"seed": -1}, "seed= must be between 0"),
    ({"columns": "points2d"}, "did you mean 'points_2d'"),
    ({"tune": "papers"}, "tune= must be None, a mapping .*, or 'paper', not 'papers'"),
    ({"tune": {"depth": [1]}}, "tune= cannot contain 'depth'"),
    ({"tune": {"columns": ["pose", "aus"]}}, "tune= cannot contain 'columns', which is set"),
    ({"tune": {"n_seeds": [1, 9]}}, "tune= cannot contain 'n_seeds'"),
    ({"tune": {"hidden_size": [8, 0]}}, "hidden_size= must be a whole number of at least 1, not 0"),
    ({"tune": {"lr": [0.1, -1.0]}}, "lr= must be a number above 0, not -1.0"),
    ({"tune": {"lr": 0.1}}, "tune= must list values to try for 'lr', not 0.1"),
]


@pytest.mark.parametrize(("given", "message"), BAD_PARAMETERS)
def test_parameters_that_make_no_sense(given: dict[str, Any], message: str) -> None:
    X, y, subjects = trending_clips(3)
    model = small().set_params(**given)
    with pytest.raises(DataError, match=message):
        model.fit(X, y, groups=subjects)


def test_labels_and_subjects_that_make_no_sense() -> None:
    X, y, subjects = trending_clips(3)
    missing = y.copy()
    missing[[4, 6]] = np.nan
    cases: list[tuple[dict[str, Any], str]] = [
        ({"y": missing, "groups": subjects}, r"y of X .* clip 5 has nan \(2 such clips\)"),
        ({"y": ["high"] * len(y), "groups": subjects}, "y of X must be numbers, but holds text"),
        ({"y": y[1:], "groups": subjects}, r"12 clips, but its shape is \(11,\)"),
        ({"y": y, "groups": subjects[1:]}, "groups= must have one subject per clip: 12 clips"),
        ({"y": y}, r"early stopping \(patience=6\) requires clips of other subjects"),
        ({"y": y, "groups": np.zeros(12)}, "at least 2 subjects, but groups= has 1"),
        ({"y": y, "validation": (X[:, :, 1:], y)}, "validation has 5 columns per frame, but .* 6"),
        ({"y": y, "validation": (X, missing)}, "the label of validation .* clip 5 has nan"),
    ]
    for given, message in cases:
        with pytest.raises(DataError, match=message):
            small().fit(X, **given)
    with pytest.raises(DataError, match=r"tuning \(tune=\) requires clips of other subjects"):
        small(patience=None, tune={"lr": [0.1, 0.2]}).fit(X, y)
    with pytest.raises(DataError, match="X has 1 clip; at least 2"):
        small(patience=None).fit(X[:1], y[:1])
    model = small(patience=None, max_epochs=1).fit(X, y)
    assert model.stopping_ == "none"
    assert model.history_["validation_rmse"].isna().all()
    with pytest.raises(DataError, match="X has 5 columns per frame, but the model was fitted"):
        model.predict(X[:, :, 1:])


# --- clip tables: OpenFace files as the simulation writes them ---


@pytest.fixture(scope="module")
def clip_table(study_folder: Path) -> pd.DataFrame:
    """Two clips of each recording of the small study."""
    recordings = pd.read_csv(study_folder / "recordings.csv")
    rows = [
        {"subject": r.subject, "context": r.context, "openface": str(study_folder / r.openface),
         "start": start, "end": start + 3.0}
        for r in recordings.itertuples() for start in (3.0, 6.0)
    ]  # fmt: skip
    return pd.DataFrame(rows)


def test_clip_tables_in_contextual_regressor(clip_table: pd.DataFrame, tmp_path: Path) -> None:
    table = clip_table[clip_table["subject"].isin(clip_table["subject"].unique()[:6])]
    table = table.reset_index(drop=True)
    y = np.random.default_rng(0).normal(size=len(table))
    model = small(max_epochs=1, columns=["pose", "gaze"], cache_dir=tmp_path / "frames")
    fitted = ContextualRegressor(model, context="context").fit(
        table[["context", "openface", "start", "end"]], y, groups=table["subject"]
    )
    assert set(fitted.estimators_) == set(table["context"])
    assert fitted.pooled_.n_features_in_ == 14
    assert fitted.pooled_.columns_[:2] == ["pose_Tx", "pose_Ty"]
    assert fitted.pooled_.frames_["clips"] == len(table)
    assert fitted.pooled_.frames_["frames"] == 75 * len(table)
    predicted = fitted.predict(table[["context", "openface", "start", "end"]])
    assert np.isfinite(predicted).all()
    # One array per recording, parsed once; without the cache, the same numbers.
    assert len(list((tmp_path / "frames").glob("*.npy"))) == table["openface"].nunique()
    again = small(max_epochs=1, columns=["pose", "gaze"]).fit(table, y, groups=table["subject"])
    assert again.predict(table).tobytes() == fitted.pooled_.predict(table).tobytes()
    # Subjects in folds, each fold's model from the other subjects.
    crossed = cross_val_predict(
        model, table, y, groups=table["subject"], cv=GroupKFold(2),
        params={"groups": table["subject"]},
    )  # fmt: skip
    assert np.isfinite(crossed).all()
    with pytest.raises(DataError, match="35 columns per frame, but the model was fitted with 14"):
        fitted.pooled_.set_params(columns="aus").predict(table)


def test_clip_tables_and_labels_of_other_libraries(clip_table: pd.DataFrame) -> None:
    table = clip_table[clip_table["subject"].isin(clip_table["subject"].unique()[:4])]
    table = table.assign(y=np.random.default_rng(0).normal(size=len(table))).reset_index(drop=True)
    model = small(max_epochs=1, columns="pose")
    expected = model.fit(table, table["y"], groups=table["subject"]).predict(table).tobytes()
    for other in (pl.from_pandas(table), pa.Table.from_pandas(table, preserve_index=False)):
        fitted = small(max_epochs=1, columns="pose")
        fitted.fit(other, other["y"], groups=other["subject"])
        assert fitted.predict(other).tobytes() == expected
    held_out = small(max_epochs=1, columns="pose").fit(
        other, other["y"], validation=(other, other["y"])
    )
    assert np.isfinite(held_out.predict(other)).all()


@pytest.mark.parametrize(
    ("columns", "width"),
    [("points", 620), ("points_2d", 136), ("points_3d", 204), ("eyes", 280), ("gaze", 8),
     ("pose", 6), ("aus", 35), ("parameters", 40), (("pose", "gaze_angle"), 8), ("all", 709)],
)  # fmt: skip
def test_widths_of_the_column_groups(clip_table: pd.DataFrame, columns: Any, width: int) -> None:
    found = px.deep.LSTMRegressor(columns=columns)._read(clip_table.iloc[:1], "X")
    assert found.clips[0].shape == (75, width)
    assert len(found.names) == len(set(found.names)) == width
    assert isinstance(columns, tuple) or columns in COLUMN_SETS


def test_clip_tables_that_make_no_sense(clip_table: pd.DataFrame) -> None:
    model = small(columns="pose", patience=None)
    y = [0.0, 1.0, 2.0]
    table = clip_table.iloc[:3]
    with pytest.raises(ColumnError, match="X has no column 'start'"):
        model.fit(table.drop(columns="start"), y)
    with pytest.raises(ColumnError, match="X has no column 'openface'"):
        model.fit(table.drop(columns="openface"), y)
    with pytest.raises(ColumnError, match="column 'end' of X must be a number, but row 1 holds"):
        model.fit(table.assign(end="late"), y)
    with pytest.raises(DataError, match=r"row 2 of X spans 900 to 903 s"):
        model.fit(table.assign(start=[0.0, 900.0, 0.0], end=[3.0, 903.0, 3.0]), y)
    with pytest.raises(DataError, match="there is no such file"):
        model.fit(table.assign(openface="nowhere.csv"), y)
    with pytest.raises(DataError, match="X has no rows"):
        model.fit(table.iloc[:0], [])


def test_weights_stay_on_the_cpu() -> None:
    X, y, subjects = trending_clips(5)
    model = small(max_epochs=1).fit(X, y, groups=subjects)
    assert {w.device for w in model.modules_[0].parameters()} == {torch.device("cpu")}


def test_clips_of_another_tracker(tmp_path: Path) -> None:
    layout = tmp_path / "mesh.toml"
    layout.write_text(
        "time.column = 't'\nblendshapes = {columns = 'b_*', unit = '0 to 1'}\n"
        "[points]\nx = 'x{}'\ny = 'y{}'\nunit = 'share'\n"
    )
    rng = np.random.default_rng(1)
    columns = {"t": np.arange(75) / 25, "b_jawOpen": rng.random(75)}
    columns |= {"x0": rng.random(75), "y0": rng.random(75)}
    pd.DataFrame(columns).to_csv(tmp_path / "mesh.csv", index=False)
    table = pd.DataFrame({"start": [0, 1, 2], "end": [1, 2, 3]})
    table = table.assign(openface=str(tmp_path / "mesh.csv"), layout=str(layout))
    model = LSTMRegressor(
        2, 1, columns=["points", "expressions"], max_epochs=1, patience=None, progress=False
    )
    predicted = model.fit(table, [0.0, 1.0, 2.0]).predict(table)
    assert model.columns_ == ["x_0", "y_0", "blendshape_jawOpen"]
    # The argument says the same of all rows.
    model.set_params(layout=str(layout))
    np.testing.assert_array_equal(model.predict(table.drop(columns="layout")), predicted)
