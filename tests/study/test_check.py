"""`px.check_study`: what a study would do, as a run then does it, and all that is wrong at once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.linear_model import Ridge
from small_tables import features, ratings, write

import pyexpr as px
from pyexpr.base.errors import StudyError
from pyexpr.cli import main

BASE = """
title = "Joy"
[data]
ratings = "ratings.csv"
features = "features.csv"
{data}
[ratings]
low = 1
high = 7
[label]
method = "question"
question = "joy"
[features]
leave_out = ["quality", "felt"]
[evaluation]
scheme = "cross_validation"
folds = 3
[compare]
n_boot = 40
[coefficients]
n_boot = 20
[models.elastic_net]
alpha = [0.1, 1.0]
l1_ratio = [0.5]
{more}
"""


def study(folder: Path, *, data: str = "", more: str = "", **tables: Any) -> Path:
    own = {"ratings": ratings(), "features": features()} | tables
    write(folder, **own)
    file = folder / "study.toml"
    file.write_text(BASE.format(data=data, more=more), encoding="utf-8")
    return file


def points(result: px.CheckResult, section: str) -> dict[str, tuple[Any, str]]:
    table = result.tidy().query(f"section == '{section}'")
    return {row.item: (row.n, row.detail) for row in table.itertuples()}


# --- what would be done, as it is done ----------------------------------------------------------


def test_the_page_says_what_the_run_then_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, empty_figures: None
) -> None:
    table = features()
    table.loc[:3, "smile"] = np.nan
    file = study(
        tmp_path,
        features=table,
        more='[models.ridge]\nestimator = "sklearn.linear_model.Ridge"\ngrid = {alpha = [1, 2]}\n',
    )
    before = sorted(tmp_path.rglob("*"))
    found = px.check_study(file)
    assert sorted(tmp_path.rglob("*")) == before
    assert found.ok, found.problems
    assert "no problem was found" in str(found)
    stages = [point.item for point in found.points if point.section == "stages, in this order"]
    planned = px.Study.from_file(file)
    assert tuple(stages) == planned.stage_names
    assert planned.check().tidy().equals(found.tidy())
    fits = {"n": 0}
    fit = Ridge.fit

    def counted(self: Ridge, *args: Any, **kwargs: Any) -> Any:
        fits["n"] += 1
        return fit(self, *args, **kwargs)

    monkeypatch.setattr(Ridge, "fit", counted)
    # In this process, where fits are counted.
    monkeypatch.setattr("pyexpr.modeling.fitting.fit_models.checked_jobs", lambda _: 1)
    done = planned.run(progress=False)
    assert points(found, "models")["ridge"][0] == fits["n"]
    left = done.table("left_out")
    assert points(found, "left out")["clips without a model"][0] == len(left) == 4
    predictions = done.table("predictions").query("evaluated == 'all'")
    found_points = points(found, "evaluation")
    assert found_points["complete clips"][0] == len(predictions) == 92
    for context in ("calm", "tense"):
        own = predictions.query("context == @context")["fold"].value_counts().sort_index()
        assert found_points[f"clips of {context}"] == (
            own.sum(), f"(by fold {', '.join(map(str, own))})"
        )  # fmt: skip
    assert points(px.check_study(file), "results")["results"][1].endswith(
        "files of an earlier run will be replaced"
    )


def test_a_split_as_the_run_makes_it(study_folder: Path, study_result: px.StudyResult) -> None:
    found = px.check_study(study_folder / "study.toml")
    assert found.ok, found.problems
    found_points = points(found, "evaluation")
    for part, n in study_result.stages["models"].facts["subjects"].items():
        assert found_points[f"{part} part"][0] == n
    # Some recordings lack a clip, which nobody knows before they are read.
    n, words = found_points["complete clips"]
    assert n == 15 * 16 >= sum(study_result.stages["models"].facts["clips"].values())
    assert "if every recording holds all of them" in words
    assert "R and lavaan" in points(found, "software")


def test_what_is_left_out_and_what_is_thin(tmp_path: Path) -> None:
    table = features(subjects=6).assign(still=1.0)
    scores = ratings().query("subject <= 'p05'").astype({"score": float})
    scores.loc[0, "score"] = np.nan
    rare = table["context"].eq("tense") & table["subject"].gt("p01")
    file = study(
        tmp_path, data='unmatched = "drop"', features=table[~rare].iloc[:-1], ratings=scores
    )
    found = px.check_study(file)
    assert found.ok, found.problems
    left = points(found, "left out")
    assert left["ratings without a score"][0] == 1
    assert left["clips"][0] == int(rare.sum()) + 1
    assert "'still' never varies" in left["constant features"][1]
    assert "has tense of 1 subject" in points(found, "evaluation")["thin folds"][1]


def test_several_labels_are_listed_once_where_they_are_alike(tmp_path: Path) -> None:
    scores = ratings(("joy", "anger"))
    file = study(tmp_path, ratings=scores)
    file.write_text(file.read_text().replace('question = "joy"', 'question = ["joy", "anger"]'))
    items = [point.item for point in px.check_study(file).points]
    assert items.count("complete clips") == 1
    missing = scores[(scores["question"] == "joy") | (scores["clip"] != "1")]
    write(tmp_path, ratings=missing)
    items = [point.item for point in px.check_study(file).points]
    assert {"joy: complete clips", "anger: complete clips"} <= set(items)


def test_several_columns_as_labels(tmp_path: Path) -> None:
    write(tmp_path, features=features().assign(fear=range(96)))
    file = tmp_path / "study.toml"
    file.write_text(
        '[data]\nfeatures = "features.csv"\n[label]\nmethod = "column"\n'
        'column = ["felt", "fear"]\n[evaluation]\nscheme = "cross_validation"\n'
    )
    found = px.check_study(file)
    assert found.ok, found.problems
    assert points(found, "data")["features"][1] == "(smile, nod, quality)"
    assert points(found, "models")["labels"][0] == 2


# --- what is wrong ------------------------------------------------------------------------------

MANY = """
[baselines]
human = "all"
[models.forest]
estimator = "sklearn.ensemble.RandomForestRegressr"
[models.other]
estimator = "xgboost.XGBRegressor"
"""


def test_all_that_is_wrong_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    file = study(tmp_path, more=MANY)
    text = file.read_text().replace('"felt"', '"flt"').replace('"joy"', '"joi"')
    file.write_text(f"sed = 3\n{text}")
    found = px.check_study(file)
    assert not found.ok
    for words in (
        "baselines.human must be", "has no entry 'sed'", "names 'flt'", "question 'joi'",
        "no 'RandomForestRegressr'", "not among those trusted",
    ):  # fmt: skip
        assert sum(words in one for one in found.problems) == 1, words
    assert len(found.problems) == 6
    assert (found.tidy()["status"] == "wrong").sum() == 6
    monkeypatch.setattr("sys.argv", ["pyexpr", "check", str(file)])
    with pytest.raises(SystemExit) as ended:
        main.main()
    assert ended.value.code == 1
    assert "6 problems found" in capsys.readouterr().out


def test_all_tables_are_looked_at(tmp_path: Path) -> None:
    wrong = features().assign(smile="x")
    file = study(tmp_path, data='feature_columns = ["smile"]', features=wrong, more=MANY)
    file.write_text(file.read_text().replace("high = 7", "high = 5").replace('"all"', '"none"'))
    problems = px.check_study(file).problems
    assert len(problems) == 4, problems
    assert "'score' of the ratings" in problems[0]
    assert "'smile' of the features" in problems[1]


def test_sections_that_do_not_fit(tmp_path: Path) -> None:
    file = study(tmp_path, more="[split]\nproportions = [0.5, 0.3, 0.2]\n[models.lstm]\n")
    problems = px.check_study(file).problems
    assert len(problems) == 3, problems
    assert sum("[models.lstm]" in one for one in problems) == 2
    words = r"requires recordings.*it needs scheme = .*\[split\] is only for"
    with pytest.raises(StudyError, match=words):
        px.Study.from_file(file)


def test_what_only_the_plan_of_the_models_shows(tmp_path: Path) -> None:
    table = features()
    lone = (table["context"] == "tense") & (table["subject"] != "p03")
    file = study(tmp_path, data='unmatched = "drop"', features=table[~lone])
    (problem,) = px.check_study(file).problems
    assert "context 'tense' has rows in fold" in problem


def test_too_few_replicates_are_known_before_the_first_stage(tmp_path: Path) -> None:
    file = study(tmp_path)
    file.write_text(file.read_text().replace("n_boot = 40", "n_boot = 20"))
    (problem,) = px.check_study(file).problems
    assert "[compare] method 'percentile' at confidence 0.95 needs n_boot of at least 39" in problem
    with pytest.raises(StudyError, match="at least 39"):
        px.Study.from_file(file).run(progress=False)
    assert not (tmp_path / "results" / "stages").exists()


def test_results_that_would_replace_files_of_others(tmp_path: Path) -> None:
    file = study(tmp_path)
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "comparison.csv").write_text("mine")
    (problem,) = px.check_study(file).problems
    assert "'comparison.csv'" in problem


def test_a_recording_that_is_none(study_folder: Path, tmp_path: Path) -> None:
    from study_variants import variant

    name = next((study_folder / "openface").iterdir()).name
    file = variant(study_folder, tmp_path / "copy", openface={name: b"a,b\n1,2\n"})
    (problem,) = px.check_study(file).problems
    assert name in problem


def test_no_file_and_no_toml(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match="there is no study file"):
        px.check_study(tmp_path / "study.toml")
    (tmp_path / "study.toml").write_text("[data")
    with pytest.raises(StudyError, match="is not a TOML file"):
        px.check_study(tmp_path / "study.toml")


def test_models_as_objects(tmp_path: Path) -> None:
    found = px.check_study(study(tmp_path), models={"ridge": Ridge()})
    assert points(found, "models")["ridge"][0] == 9
