"""A deep model in a study: a stage of its own, beside the others in every table."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from deep.several_processes import together
from study_variants import STAGES, variant

from pyexpr.base.errors import DataError, DeepNotInstalledError, StudyError
from pyexpr.deep import LSTMRegressor, training
from pyexpr.modeling.metrics import correlation
from pyexpr.report.tables.seeds import seeds_table
from pyexpr.study.file.config import StudyConfig, read_config
from pyexpr.study.pipeline import Study, StudyResult
from pyexpr.study.stages.computations import comparison

KEY = ["subject", "context", "clip"]
LSTM = """
[models.lstm]
columns = ["pose", "aus"]
hidden_size = 6
num_layers = 1
max_epochs = 2
n_seeds = 2
"""
# Draws are no matter here; few make the other stages quick.
QUICK = "[compare]\nn_boot = 50\n[coefficients]\nn_boot = 50\n"


def with_lstm(study_result: StudyResult, target: Path, toml: str = LSTM) -> Path:
    """Return the study file of the small study with an LSTM; the other stages are done."""
    file = variant(study_result.folder.parent, target, toml=toml + QUICK)
    shutil.copytree(study_result.folder / "stages", target / "results" / "stages")
    return file


@pytest.fixture(scope="module")
def study_file(study_result: StudyResult, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return with_lstm(study_result, tmp_path_factory.mktemp("deep") / "study")


@pytest.fixture(scope="module")
def result(study_file: Path) -> StudyResult:
    return Study.from_file(study_file).run(progress=False)


def test_predictions_stand_beside_the_others(
    result: StudyResult, study_result: StudyResult
) -> None:
    table = pd.read_csv(result.folder / "predictions.csv", dtype={"clip": str})
    assert list(table.columns)[:7] == [*KEY, "evaluated", "truth", "elastic_net", "lstm"]
    assert table["lstm"].notna().all()
    # Nothing else is changed by it.
    plain = study_result.table("predictions")
    pd.testing.assert_frame_equal(result.table("predictions").drop(columns="lstm"), plain)


def test_they_are_those_of_the_regressor_fitted_alone(
    result: StudyResult, study_folder: Path
) -> None:
    features = result.table("features").set_index(KEY)
    scores = result.table("scores").set_index(KEY)
    parts = result.table("split").set_index("subject")["part"]
    used = result.table("labelled_clips").set_index(KEY).index
    rows = features.loc[used, ["openface", "start", "end"]].reset_index()
    rows["openface"] = [str(study_folder / name) for name in rows["openface"]]
    rows["y"] = scores.loc[used, "score"].to_numpy()
    part = rows["subject"].map(parts)
    pain = rows["context"] == "pain"
    train, validation, test = (
        rows[pain & (part == name)] for name in ("train", "validation", "test")
    )
    model = LSTMRegressor(
        6, 1, columns=["pose", "aus"], max_epochs=2, n_seeds=2, seed=3, fps=25, progress=False
    )
    model.fit(train, train["y"], validation=(validation, validation["y"]))
    found = result.table("predictions").query("evaluated == 'pain'").set_index(KEY)["lstm"]
    alone = pd.Series(model.predict(test), index=pd.MultiIndex.from_frame(test[KEY]))
    np.testing.assert_array_equal(found, alone.loc[found.index])
    curves = result.table("learning_curves").query("context == 'pain'")
    assert curves["validation_rmse"].tolist() == model.history_["validation_rmse"].tolist()


def test_it_is_in_the_tables_and_figures(result: StudyResult) -> None:
    levels = pd.read_csv(result.folder / "performance.csv")
    assert levels["model"].unique().tolist() == [
        "elastic_net", "lstm", "uniform", "normal", "human",
    ]  # fmt: skip
    text = (result.folder / "performance.md").read_text(encoding="utf-8")
    assert "| OpenFace-LSTM " in text
    differences = pd.read_csv(result.folder / "differences.csv")
    assert "elastic_net - lstm" in set(differences["term"])
    for name in ("performance", "learning_curves_lstm"):
        assert (result.folder / "figures" / f"{name}.png").is_file()
    assert "OpenFace-LSTM" in (result.folder / "figures/performance.svg").read_text()
    contexts = pd.read_csv(result.folder / "learning_curves.csv")["context"].unique()
    assert contexts.tolist() == ["startle", "pain", "disgust", "all"]


def test_the_report_has_curves_and_spread(result: StudyResult) -> None:
    page = (result.folder / "report.html").read_text(encoding="utf-8")
    assert 'id="table-seed-spread"' in page
    assert "Spread Over Seeds Beside the Sampling Interval" in page
    curves = page[page.index('id="learning-curves"') :]
    assert "True</td>" not in curves
    assert "LSTM</t" in curves


def test_seeds_spread_beside_the_interval(result: StudyResult) -> None:
    spread = result.table("seed_spread").set_index(["context", "metric"])
    row = spread.loc[("all", "correlation")]
    output = result.stages["lstm"].tables["lstm_predictions"].query("evaluated == 'all'")
    truth = result.table("predictions").query("evaluated == 'all'").set_index(KEY)["truth"]
    joined = output.set_index(KEY).join(truth)
    each = [correlation(joined["truth"], joined[f"lstm_seed{k}"]) for k in (1, 2)]
    assert row["seed_mean"] == pytest.approx(np.mean(each), abs=1e-12)
    assert row["seed_sd"] == pytest.approx(np.std(each, ddof=1), abs=1e-12)
    assert (row["seed_low"], row["seed_high"]) == pytest.approx((min(each), max(each)), abs=1e-12)
    compared = result.table("comparison").query(
        "term == 'lstm' and context == 'all' and metric == 'correlation' and "
        "method == 'jackknife_t'"
    )
    assert row["conf_low"] == compared["conf_low"].item()
    np.testing.assert_allclose(output["lstm"], output[["lstm_seed1", "lstm_seed2"]].mean(axis=1))
    assert "Range of seeds" in (result.folder / "seed_spread.md").read_text(encoding="utf-8")


def test_seeds_spread_over_the_rows_that_all_models_were_compared_on(
    result: StudyResult,
) -> None:
    output = result.stages["lstm"]
    spoiled = output.tables["lstm_predictions"].copy()
    own = spoiled["evaluated"] == "pain"
    spoiled.loc[spoiled[own].index[:3], ["lstm", "lstm_seed2"]] = np.nan
    # A network may predict one value for all.
    spoiled.loc[spoiled["evaluated"] == "startle", "lstm_seed1"] = 0.5
    deep = {"lstm": replace(output, tables=output.tables | {"lstm_predictions": spoiled})}
    found = comparison(result.config, result.stages["models"], deep).tables
    spread = found["seed_spread"].set_index(["context", "metric"])
    rows = found["predictions"].query("evaluated == 'pain'").set_index(KEY)[["truth"]]
    rows = rows.join(spoiled[own].set_index(KEY)).dropna(subset="lstm")
    assert len(rows) == own.sum() - 3
    each = [correlation(rows["truth"], rows[f"lstm_seed{k}"]) for k in (1, 2)]
    assert spread.loc[("pain", "correlation"), "seed_mean"] == pytest.approx(
        np.mean(each), abs=1e-12
    )
    one = spread.loc[("startle", "correlation")]
    assert (one["n_seeds"], one["n_undefined"]) == (2, 1)
    assert one["seed_mean"] == one["seed_low"] == one["seed_high"]
    (note,) = [note for note in seeds_table(found["seed_spread"]).notes if "undefined" in note]
    assert "1 of" in note


def test_the_record_says_what_was_trained(result: StudyResult) -> None:
    record = json.loads((result.folder / "record.json").read_text())
    facts = record["stages"]["lstm"]
    assert facts["configuration"]["n_inputs"] == len(facts["columns"]) == 41
    assert facts["seeds"] == [3, 4]
    assert set(facts["best epochs"]) == {"startle", "pain", "disgust", "all"}
    assert "torch" in record["versions"]
    assert any(
        note.startswith("lstm: Its input is 41 columns per frame") for note in record["notes"]
    )
    assert not list((result.folder / "stages").glob("training*"))


def test_only_what_changed_is_trained_again(
    result: StudyResult, study_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    again = Study.from_file(study_file).run(progress=False)
    assert set(again.reused) == {*STAGES, "lstm"}
    text = study_file.read_text()
    monkeypatch.setattr("pyexpr.study.pipeline.train_deep", lambda *_, **__: 1 / 0)
    # How others are compared or tuned is no matter to it.
    study_file.write_text(
        text.replace("n_boot = 50", "n_boot = 60") + "\n[baselines]\nnormal = false\n"
    )
    study = Study.from_file(study_file)
    study.deep_model("lstm")
    assert "lstm" in study.reused
    assert "models" not in study.reused
    study_file.write_text(text.replace("max_epochs = 2", "max_epochs = 1"))
    study = Study.from_file(study_file)
    with pytest.raises(ZeroDivisionError):
        study.deep_model("lstm")
    assert set(study.reused) == {"features", "factor_model"}
    study_file.write_text(text)


def test_an_interrupted_training_goes_on(
    study_result: StudyResult,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    result: StudyResult,
) -> None:
    study_file = with_lstm(study_result, tmp_path / "copy")
    whole, done = training._train_epoch, 0

    def interrupted(*arguments: Any) -> float:
        nonlocal done
        done += 1
        if done == 6:
            raise KeyboardInterrupt
        return whole(*arguments)

    monkeypatch.setattr(training, "_train_epoch", interrupted)
    with pytest.raises(KeyboardInterrupt):
        Study.from_file(study_file).deep_model("lstm")
    kept = study_file.parent / "results" / "stages" / "training-lstm"
    assert len(list(kept.iterdir())) == 3  # two trainings of two epochs, and one epoch of a third
    found = Study.from_file(study_file).deep_model("lstm").tables["lstm_predictions"]
    pd.testing.assert_frame_equal(found, result.stages["lstm"].tables["lstm_predictions"])
    # 4 models x 2 seeds x 2 epochs, and the interrupted one once more.
    assert done == 17
    assert not kept.exists()


@pytest.mark.usefixtures("empty_figures")
def test_a_model_over_all_contexts_alone(study_result: StudyResult, tmp_path: Path) -> None:
    toml = LSTM.replace("n_seeds = 2", "per_context = false")
    study = Study.from_file(with_lstm(study_result, tmp_path / "copy", toml))
    table = study.predictions()
    assert table.loc[table["evaluated"] == "all", "lstm"].notna().all()
    assert table.loc[table["evaluated"] != "all", "lstm"].isna().all()
    compared = study.comparison().tables["comparison"]
    assert set(compared.loc[compared["term"].str.contains("lstm"), "context"]) == {"all"}
    spread = study.comparison().tables["seed_spread"]
    assert spread["seed_sd"].isna().all()
    # Of one seed there is no spread to show, which is said.
    folder = study.run(progress=False).folder
    assert not list(folder.glob("seed_spread*"))
    report = (folder / "report.html").read_text(encoding="utf-8")
    assert "Spread Over Seeds" not in report
    assert "OpenFace-LSTM was trained with one seed" in report
    # What it did not see, too.
    assert re.search(r"OpenFace-LSTM\. Its input is \d+ columns per frame\. Of \d+,", report)


def test_without_the_extra_nothing_is_begun(
    study_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study_file = variant(study_folder, tmp_path / "copy", toml=LSTM)
    monkeypatch.setattr("pyexpr.deep.requirements.find_spec", lambda name: None)
    study = Study.from_file(study_file)
    with pytest.raises(DeepNotInstalledError, match="the deep models require torch"):
        study.run(progress=False)
    assert not list(study.output.glob("stages/*"))


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ('columns = ["points2d"]', "models.lstm.columns: .*did you mean 'points_2d'"),
        ("hidden = 3", r"\[models.lstm\] has no entry 'hidden'; did you mean 'hidden_size'"),
        ("max_epochs = 0", "models.lstm.max_epochs must be at least 1, not 0"),
        ('tune = "all"', "models.lstm.tune must be 'none' or 'paper', not 'all'"),
    ],
)
def test_entries_that_make_no_sense(
    study_folder: Path, tmp_path: Path, entry: str, message: str
) -> None:
    study_file = variant(study_folder, tmp_path / "copy", toml=f"[models.lstm]\n{entry}\n")
    with pytest.raises(StudyError, match=message):
        read_config(study_file)


def test_sections_name_the_regressors_arguments() -> None:
    config = StudyConfig.model_validate(
        {"clips": {"schedule": "bp4d_plus"}, "models": {"lstm": {}}}
    )
    section = config.models.deep()["lstm"].model_dump(exclude={"per_context"})
    defaults = LSTMRegressor().get_params()
    assert set(section) < set(defaults)
    named = {**section, "columns": section["columns"][0], "tune": None}
    assert named == {name: defaults[name] for name in named}


def test_a_device_that_is_not_there_is_reported_before_the_first_stage(
    study_result: StudyResult, tmp_path: Path
) -> None:
    far = LSTM + 'device = "cuda:99"\n'
    file = variant(study_result.folder.parent, tmp_path / "study", toml=far + QUICK)
    with pytest.raises(StudyError, match=r"\[models.lstm\] device: there is no device 'cuda:99'"):
        Study.from_file(file).run(progress=False)
    assert not (tmp_path / "study" / "results" / "stages").exists()


# Two processes add the halves of a batch in another order than one: float32 rounding.
ROUNDING = 1e-5


def test_two_processes_train_together_and_one_writes(
    study_result: StudyResult, tmp_path: Path, result: StudyResult
) -> None:
    file = with_lstm(study_result, tmp_path / "two")
    output = tmp_path / "predictions.csv"
    ended = together(2, "-m", "pyexpr", "fit", file, "--output", output, "--quiet")
    assert [(status, message) for status, message, _ in ended] == [(0, "")] * 2, ended
    # The second was never asked to write; the first did so once.
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == [output.name]
    found = pd.read_csv(output, dtype={"clip": str}).set_index([*KEY, "evaluated"])
    alone = result.table("predictions").set_index([*KEY, "evaluated"])
    np.testing.assert_allclose(found["lstm"], alone.loc[found.index, "lstm"], atol=ROUNDING)
    assert not list((tmp_path / "two" / "results" / "stages").glob("training*"))


def test_several_processes_without_a_network_are_refused(
    study_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (
        ("WORLD_SIZE", "2"), ("RANK", "0"), ("MASTER_ADDR", "127.0.0.1"), ("MASTER_PORT", "1"),
    ):  # fmt: skip
        monkeypatch.setenv(name, value)
    study = Study.from_file(study_folder / "study.toml")
    with pytest.raises(StudyError, match=r"^2 processes were started together \(WORLD_SIZE\), wh"):
        study.run(progress=False)
    monkeypatch.setenv("MASTER_ADDR", "")
    with pytest.raises(DataError, match="but MASTER_ADDR is not set: start them by torchrun"):
        study.run(progress=False)
