"""`px.init_study`: what it finds in a folder, what it asks, and that its file can be run."""

from __future__ import annotations

import re
import shutil
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from small_tables import RATERS, features, ratings, write

import pyexpr as px
from pyexpr.base.errors import ColumnError, DataError, StudyError
from pyexpr.base.outputs import OutputError
from pyexpr.cli import main
from pyexpr.study.file.config import StudyConfig
from pyexpr.study.init.draft import toml_value
from pyexpr.study.init.found_tables import wide_pattern
from pyexpr.study.results.result import OutcomesResult


def measured() -> pd.DataFrame:
    return features().drop(columns="felt")


def entries(result: px.InitResult) -> dict[str, Any]:
    return tomllib.loads(result.study_file.read_text("utf-8"))


def nobody(question: str, choices: Sequence[str], proposed: str | None) -> str:
    raise AssertionError(f"asked: {question}")


def run_quickly(result: px.InitResult) -> Any:
    """Run the study as it was written, with few replicates and pairs of penalties."""
    text = result.study_file.read_text("utf-8")
    result.study_file.write_text(
        text + '[compare]\nn_boot = 20\nmethods = ["jackknife_t"]\n'
        "[coefficients]\nn_boot = 20\n[models.elastic_net]\nalpha = [0.1]\nl1_ratio = [0.5]\n"
    )
    return px.Study.from_file(result.study_file).run(progress=False)


# --- what is found ------------------------------------------------------------------------------


def test_features_alone(tmp_path: Path, empty_figures: None) -> None:
    table = measured().assign(label=features()["felt"]).rename(
        columns={"subject": "Participant ID", "context": "task", "clip": "trial_nr"}
    )  # fmt: skip
    write(tmp_path, measures=table)
    result = px.init_study(tmp_path, ask=nobody)
    found = entries(result)
    assert result.problems == ()
    assert found["data"] == {
        "features": "measures.csv",
        "clip_columns": {"subject": "Participant ID", "context": "task", "clip": "trial_nr"},
    }
    assert found["label"] == {"method": "column", "column": "label"}
    assert found["features"] == {"leave_out": ["quality"]}
    assert found["evaluation"] == {"scheme": "cross_validation", "folds": 5}
    checked = px.check_study(result.study_file)
    done = run_quickly(result)
    # What was planned is what was done.
    n = done.table("predictions").query("evaluated == 'all'").shape[0]
    table = checked.tidy().set_index(["section", "item"])["n"]
    assert table["evaluation", "complete clips"] == n == 96
    assert table["data", "subjects"] == sum(done.stages["models"].facts["subjects"].values()) == 12


def test_ratings_and_features(tmp_path: Path, empty_figures: None) -> None:
    write(tmp_path, ratings=ratings(("joy", "anger"), together=False), features=measured())
    with pytest.raises(StudyError, match=r"What should the models predict\?.*--label, or --yes"):
        px.init_study(tmp_path)
    result = px.init_study(tmp_path, yes=True)
    found = entries(result)
    assert found["label"] == {"method": "question", "question": ["joy", "anger"]}
    assert found["ratings"] == {"low": 1, "high": 7}
    done = run_quickly(result)
    assert isinstance(done, OutcomesResult)
    assert list(dict.fromkeys(done.tidy()["outcome"])) == ["joy", "anger"]


def test_questions_that_go_together_are_a_factor(tmp_path: Path) -> None:
    write(tmp_path, ratings=ratings(("joy", "mirth", "glee")), features=measured())
    assert entries(px.init_study(tmp_path, yes=True))["label"] == {"method": "factor"}
    requested: list[tuple[Sequence[str], str | None]] = []

    def ask(question: str, choices: Sequence[str], proposed: str | None) -> str:
        requested.append((choices, proposed))
        return "mirth, joy"

    result = px.init_study(tmp_path, ask=ask, overwrite=True)
    assert requested == [(["factor", "mean", "joy", "mirth", "glee"], "factor")]
    assert entries(result)["label"] == {"method": "question", "question": ["mirth", "joy"]}


@pytest.mark.parametrize(
    ("columns", "pattern"),
    [
        (["r1", "r2"], "r{rater}"),
        (["Rater_1", "Rater_2"], "Rater_{rater}"),
        (["big_joy_r1", "big_joy_r2", "fear_r1", "fear_r2"], "{question}_r{rater}"),
        (["coder1.joy", "coder2.joy"], "coder{rater}.{question}"),
        (["coder1_big_joy", "coder2_big_joy"], None),  # The pattern would cut it elsewhere.
        (["joy_r1", "joy_r2", "fear_r1"], None),  # Not every rater was asked.
        (["AU01_r", "AU02_r", "gaze_0_x"], None),
        (["smile", "nod"], None),
    ],
)
def test_wide_columns(columns: list[str], pattern: str | None) -> None:
    assert wide_pattern(pd.DataFrame({name: [1.0, 2.0] for name in columns})) == pattern


@pytest.mark.parametrize("form", ["question and rater", "question"])
def test_wide_ratings(tmp_path: Path, form: str) -> None:
    long = ratings(("joy", "anger"))
    keys = ["subject", "context", "clip"]
    if form == "question":
        wide = long.pivot(index=[*keys, "rater"], columns="question", values="score").reset_index()
    else:
        number = {name: f"r{place + 1}" for place, name in enumerate(RATERS)}
        named = long.assign(column=long["question"] + "_" + long["rater"].map(number))
        wide = named.pivot(index=keys, columns="column", values="score").reset_index()
    write(tmp_path, coding=wide, features=measured())
    result = px.init_study(tmp_path, label="joy")
    assert result.problems == ()
    inputs = px.Study.from_file(result.study_file).inputs
    assert len(inputs.ratings) == len(long)
    assert set(inputs.questions) == {"joy", "anger"}
    assert inputs.ratings["score"].sum() == long["score"].sum()


def test_ratings_of_one_question_that_no_column_names(tmp_path: Path) -> None:
    write(tmp_path, coding=ratings().drop(columns="question"), features=measured())
    result = px.init_study(tmp_path)
    assert result.problems == ()
    assert entries(result)["label"] == {"method": "question", "question": "score"}
    assert len(px.Study.from_file(result.study_file).inputs.ratings) == 288


def test_tables_of_persons_and_names_of_rows(tmp_path: Path) -> None:
    persons = pd.DataFrame({"subject": ["p00", "p01"], "age": [31, 47]})
    write(tmp_path, ratings=ratings(), persons=persons)
    # As R and pandas write them: the first column has no name.
    measured().to_csv(tmp_path / "features.csv")
    result = px.init_study(tmp_path)
    assert result.problems == ()
    assert result.notes() == ("not used: the table persons.csv",)
    inputs = px.Study.from_file(result.study_file).inputs
    assert inputs.measured is not None
    assert inputs.measured.features == ("smile", "nod", "quality")


def test_features_in_parquet_with_whole_numbers_as_labels(tmp_path: Path) -> None:
    numbers = {"subject": lambda table: table["subject"].str[1:].astype(int)}
    write(tmp_path, ratings=ratings().assign(**numbers))
    measured().assign(**numbers).to_parquet(tmp_path / "features.parquet")
    result = px.init_study(tmp_path)
    assert result.problems == ()
    assert "unmatched" not in entries(result)["data"]


def test_openface_recordings_with_a_table(study_folder: Path, tmp_path: Path) -> None:
    for name in ("ratings.csv", "recordings.csv"):
        shutil.copy(study_folder / name, tmp_path)
    (tmp_path / "openface").symlink_to(study_folder / "openface")
    result = px.init_study(tmp_path, label="factor")
    found = entries(result)
    assert result.problems == ()
    assert found["clips"] == {"schedule": "bp4d_plus"}
    assert found["data"] == {"ratings": "ratings.csv", "recordings": "recordings.csv"}


def test_openface_recordings_in_subfolders(study_folder: Path, tmp_path: Path) -> None:
    shutil.copy(study_folder / "ratings.csv", tmp_path)
    table = pd.read_csv(study_folder / "recordings.csv")
    for row in table.itertuples():
        target = tmp_path / "videos" / f"{row.context}" / f"{row.subject}.csv"
        target.parent.mkdir(parents=True, exist_ok=True)
        target.symlink_to(study_folder / row.openface)
    result = px.init_study(tmp_path, yes=True)
    assert result.problems == ()
    assert [path.name for path in result.written] == ["study.toml", "recordings.csv"]
    written = pd.read_csv(tmp_path / "recordings.csv")
    assert len(written) == len(table)
    assert (
        written["openface"]
        == "videos/" + written["context"] + "/" + written["subject"].astype(str) + ".csv"
    ).all()


def test_what_one_table_lacks_is_left_out_and_reported(tmp_path: Path) -> None:
    write(tmp_path, ratings=ratings(), features=measured().iloc[3:])
    result = px.init_study(tmp_path)
    assert entries(result)["data"]["unmatched"] == "drop"
    checked = px.check_study(result.study_file)
    left = checked.tidy().query("section == 'left out' and item == 'clips'")
    assert left["n"].tolist() == [3]
    assert checked.ok


def test_one_row_per_subject_and_context_needs_no_column_of_clips(tmp_path: Path) -> None:
    table = measured().assign(label=features()["felt"]).query("clip == '1'").drop(columns="clip")
    write(tmp_path, features=table)
    result = px.init_study(tmp_path)
    assert result.problems == ()
    assert entries(result)["data"]["clip_columns"] == {"clip": "context"}


@pytest.mark.parametrize(
    ("label", "why"),
    [
        (lambda felt: (felt > felt.median()).astype(int), "'label' holds only 0 and 1, so they"),
        (lambda felt: np.where(felt > felt.median(), "glad", "sad"), "'label' is of classes."),
    ],
)
def test_a_label_of_classes(tmp_path: Path, label: Any, why: str) -> None:
    write(tmp_path, measures=measured().assign(label=label(features()["felt"])))
    result = px.init_study(tmp_path, ask=nobody)
    assert result.problems == ()
    assert entries(result)["label"] == {
        "method": "column", "column": "label", "kind": "classification"
    }  # fmt: skip
    text = result.study_file.read_text("utf-8")
    assert why in " ".join(text.replace("#", " ").split())
    assert "RandomForestClassifier" in text


def test_a_question_of_yes_and_no_is_of_classes(tmp_path: Path) -> None:
    answers = ratings().query("question == question.iloc[0]")
    answers = answers.assign(score=(answers["score"] > answers["score"].median()).astype(int))
    write(tmp_path, ratings=answers, features=measured())
    found = entries(px.init_study(tmp_path, ask=nobody))["label"]
    assert found["method"] == "question"
    assert found["kind"] == "classification"


def test_columns_that_are_no_features(tmp_path: Path) -> None:
    table = measured().assign(still=1.0, empty=np.nan, joy=2.0, age=30 + np.arange(96) % 7)
    write(tmp_path, ratings=ratings(), features=table)
    result = px.init_study(tmp_path)
    left = ["quality", "still", "empty", "joy", "age"]
    assert entries(result)["features"] == {"leave_out": left}
    assert result.problems == ()


# --- the file -----------------------------------------------------------------------------------


def test_the_same_tables_give_the_same_bytes(tmp_path: Path) -> None:
    write(tmp_path, ratings=ratings(("joy", "anger")), features=measured())
    first = px.init_study(tmp_path, yes=True).study_file.read_bytes()
    assert px.init_study(tmp_path, yes=True, overwrite=True).study_file.read_bytes() == first


def test_what_stands_behind_comments_may_be_uncommented(tmp_path: Path) -> None:
    write(tmp_path, ratings=ratings(), features=measured())
    text = px.init_study(tmp_path).study_file.read_text("utf-8")
    assert all(len(line) <= 100 for line in text.splitlines())
    open_text = re.sub(r"^# (?=\w+ = |\[)", "", text, flags=re.MULTILINE)
    config = StudyConfig.model_validate(
        tomllib.loads(open_text.replace('leave_out = ["quality"]', "", 1))
    )
    assert list(config.models.estimators()) == ["forest"]
    assert config.features.adjust_for == ("quality",)


@pytest.mark.parametrize(
    "value", [True, 1, 0.1, 1e-9, -3.0, 'a "b" \\ \x7f\n', ["é", ["x"]], {"a b": 1, "c": [True]}]
)
def test_values_as_toml_reads_them(value: Any) -> None:
    assert tomllib.loads(f"x = {toml_value(value)}") == {"x": value}


def test_nothing_is_replaced_unless_requested(tmp_path: Path) -> None:
    write(tmp_path, ratings=ratings(), features=measured())
    (tmp_path / "study.toml").write_text("mine")
    with pytest.raises(OutputError, match="is there already"):
        px.init_study(tmp_path, ask=nobody)
    assert (tmp_path / "study.toml").read_text() == "mine"


# --- bad input ----------------------------------------------------------------------------------


def refused(folder: Path, **options: Any) -> str:
    with pytest.raises(DataError) as caught:
        px.init_study(folder, **options)
    assert not (folder / "study.toml").exists()
    return str(caught.value)


def test_no_folder_and_no_tables(tmp_path: Path) -> None:
    assert "there is no folder" in refused(tmp_path / "nowhere")
    assert "there is no table of ratings or features" in refused(tmp_path)
    (tmp_path / "notes.csv").write_text("a,b\n1\n")
    assert "line 2 has 1 field" in refused(tmp_path)
    write(tmp_path, ratings=ratings())
    assert "neither a table of features nor recordings" in refused(tmp_path)


def test_two_candidates(tmp_path: Path) -> None:
    write(tmp_path, first=ratings(), second=ratings(), features=measured())
    message = refused(tmp_path)
    assert "Which of the tables has the ratings? There are 'first.csv', 'second.csv'" in message
    assert "--ratings" in message
    # What has no proposal is not decided by --yes.
    assert refused(tmp_path, yes=True) == message
    assert "did you mean 'first.csv'?" in refused(tmp_path, ratings="frist.csv")
    result = px.init_study(tmp_path, ratings="second.csv")
    assert entries(result)["data"]["ratings"] == "second.csv"
    assert result.notes() == ("not used: the table first.csv",)


def test_no_column_of_subjects(tmp_path: Path) -> None:
    tables = {"ratings": ratings(), "features": measured()}
    write(
        tmp_path,
        **{name: table.rename(columns={"subject": "who"}) for name, table in tables.items()},
    )
    message = refused(tmp_path)
    assert "No column of ratings.csv has the usual name of the subject" in message
    assert "--subject" in message
    assert "no table has a column 'whom'; did you mean 'who'?" in refused(tmp_path, subject="whom")
    found = entries(px.init_study(tmp_path, subject="who"))
    assert found["data"]["rating_columns"] == found["data"]["clip_columns"] == {"subject": "who"}


def test_two_columns_of_subjects(tmp_path: Path) -> None:
    write(tmp_path, features=measured().assign(label=1.0 * np.arange(96), subject_id="x"))
    assert "Which column of features.csv is the subject?" in refused(tmp_path)
    px.init_study(tmp_path, subject="subject")


def test_scores_of_text(tmp_path: Path) -> None:
    table = ratings().astype({"score": object})
    table.loc[4, "score"] = "high"
    write(tmp_path, ratings=table, features=measured())
    with pytest.raises(ColumnError, match=r"'score' of the ratings .* row 5 holds .*'high'"):
        px.init_study(tmp_path)


def test_labels_that_there_are_not(tmp_path: Path) -> None:
    write(tmp_path, ratings=ratings(("joy", "anger")), features=measured())
    assert "no question 'joi'; did you mean 'joy'?" in refused(tmp_path, label="joi")
    (tmp_path / "ratings.csv").unlink()
    assert "Which column of the table of features should" in refused(tmp_path)
    assert "no column of numbers 'smil'; did you mean 'smile'?" in refused(tmp_path, label="smil")
    assert entries(px.init_study(tmp_path, label="smile"))["label"]["column"] == "smile"


def test_tables_that_share_nothing_and_ratings_that_are_all_alike(tmp_path: Path) -> None:
    write(tmp_path, ratings=ratings(), features=measured().assign(clip=measured()["clip"] + "b"))
    assert "nothing is in both" in refused(tmp_path)
    write(tmp_path, ratings=ratings().assign(score=3), features=measured())
    assert "every rating is 3" in refused(tmp_path)


def test_recordings_of_unknown_clips(study_folder: Path, tmp_path: Path) -> None:
    table = pd.read_csv(study_folder / "ratings.csv", dtype=str)
    for name in ("ratings.csv", "recordings.csv"):
        shutil.copy(study_folder / name, tmp_path)
    (tmp_path / "openface").symlink_to(study_folder / "openface")
    table.assign(clip=table["clip"].astype(int) + 4).to_csv(tmp_path / "ratings.csv", index=False)
    assert "--clip-seconds" in refused(tmp_path, label="factor")
    found = entries(px.init_study(tmp_path, label="factor", clip_seconds=2.5))
    assert {"context": "disgust", "clip": "5", "start": 10, "end": 12.5} in found["clips"][
        "segments"
    ]
    (tmp_path / "study.toml").unlink()
    table.assign(clip="c" + table["clip"]).to_csv(tmp_path / "ratings.csv", index=False)
    assert "write the study file by hand" in refused(tmp_path, label="factor")


def test_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    write(tmp_path, ratings=ratings(("joy", "anger")), features=measured())

    def command(*arguments: str) -> int:
        monkeypatch.setattr("sys.argv", ["pyexpr", *arguments])
        with pytest.raises(SystemExit) as ended:
            main.main()
        return int(ended.value.code or 0)

    assert command("init", str(tmp_path)) == 1
    assert "--label" in capsys.readouterr().err
    assert command("init", str(tmp_path), "--label", "joy") == 0
    assert "study.toml" in capsys.readouterr().out
    assert command("check", str(tmp_path / "study.toml")) == 0
    assert "no problem was found" in capsys.readouterr().out
    assert command("init", str(tmp_path), "--yes") == 1
    assert "is there already" in capsys.readouterr().err
