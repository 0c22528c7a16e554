"""A study, its check, its report and the command take tables of other trackers by their layout."""

from __future__ import annotations

import contextlib
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from behavior.tracks_tables import flat, motion, moving

from pyexpr.base.contents import hashed_file
from pyexpr.base.errors import DataError, StudyError
from pyexpr.behavior.features.row_store import RowStore
from pyexpr.behavior.schedules import Schedule
from pyexpr.cli.main import main
from pyexpr.report.text.data import feature_sentences
from pyexpr.study.check.data import recording_points
from pyexpr.study.file.config import StudyConfig
from pyexpr.study.stages.computations import features
from pyexpr.study.tables.early_checks import check_early, early_problems
from pyexpr.study.tables.inputs import Inputs
from pyexpr.study.tables.recordings import read_recordings

POINTS = {name: moving(4, seed=seed) for seed, name in enumerate(("a", "b"))}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, points in POINTS.items():
        columns = {"t": np.arange(len(points)) / 25, **flat(points, "x{}", "y{}")}
        pd.DataFrame(columns).to_csv(tmp_path / f"{name}.csv", index=False)
    (tmp_path / "own.toml").write_text(
        "time.column = 't'\n[points]\nx = 'x{}'\ny = 'y{}'\nunit = 'mm'\n"
    )
    (tmp_path / "recordings.csv").write_text(
        "subject,context,openface\na,talk,a.csv\nb,talk,b.csv\n"
    )
    return tmp_path


def config(**own: object) -> StudyConfig:
    segments = [{"context": "talk", "start": 0, "end": 2}]
    return StudyConfig.model_validate({"clips": {"segments": segments}, "features": own})


def stage(folder: Path, chosen: StudyConfig) -> Inputs:
    recordings, _ = read_recordings(chosen, folder)
    every = Schedule.from_table({"context": ["talk"], "start": [0], "end": [2]})
    ratings = recordings.iloc[:0]
    return Inputs(ratings, recordings, None, every, ("talk",), (), {}, ratings)


def test_a_study(folder: Path) -> None:
    chosen = config(layout="own.toml")
    inputs = stage(folder, chosen)
    assert recording_points(chosen, inputs) == []
    hashes = {str(folder / name): hashed_file(folder / name).sha256 for name in ("a.csv", "b.csv")}
    store = RowStore(folder / "stored", hashes, {})
    found = features(chosen, inputs, store=store, progress=False)
    expected = [motion(points[:50])[0] for points in POINTS.values()]
    np.testing.assert_allclose(found.tables["features"]["points_displacement"], expected)
    record = {
        "options": chosen.model_dump(mode="json"),
        "stages": {"features": found.facts},
        "unit": "clip",
    }
    text = " ".join(feature_sentences(record, found.tables))
    assert "processed by trackers whose tables have the layout *own*" in text
    assert "OpenFace" not in text
    assert "Landmarks are in the image (mm)" in text


def test_the_table_of_recordings_names_the_layout(folder: Path) -> None:
    (folder / "recordings.csv").write_text(
        "subject,context,openface,layout\na,talk,a.csv,own.toml\nb,talk,b.csv,\n"
    )
    found, _ = read_recordings(config(layout="auto"), folder)
    assert found["layout"].tolist() == [str((folder / "own.toml").absolute()), "auto"]
    (point,) = recording_points(config(layout="auto"), stage(folder, config(layout="auto")))
    assert "proves no layout that is known" in str(point)


def test_without_a_layout_the_error_names_the_way(folder: Path) -> None:
    hashes = {str(folder / name): hashed_file(folder / name).sha256 for name in ("a.csv", "b.csv")}
    store = RowStore(folder / "stored", hashes, {})
    with pytest.raises(DataError, match="not an OpenFace file"):
        features(config(), stage(folder, config()), store=store, progress=False)


def test_from_the_command_line(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    out = folder / "out.csv"
    arguments = ["--recordings", folder / "recordings.csv", "--every", 2, "-o", out]
    arguments += ["--layout", folder / "own.toml"]
    monkeypatch.setattr("sys.argv", ["pyexpr", "features", *map(str, arguments)])
    with contextlib.suppress(SystemExit):
        main()
    assert capsys.readouterr().err.count("Traceback") == 0
    expected = [motion(points[:50])[0] for points in POINTS.values()]
    written = pd.read_csv(out).groupby("subject")["points_displacement"].first()
    np.testing.assert_allclose(written, expected, rtol=1e-9)


def test_recordings_whose_columns_differ_are_reported_to_an_lstm_study_first(folder: Path) -> None:
    deep = {"models": {"lstm": {"columns": ["points_2d"]}}}
    frame = pd.read_csv(folder / "b.csv")
    frame.drop(columns=["x3", "y3"]).to_csv(folder / "b.csv", index=False)
    chosen = config(layout="own.toml", on_mixed="keep")
    chosen = StudyConfig.model_validate(chosen.model_dump() | deep)
    rated = pd.DataFrame(
        [(subject, "talk", "1", rater, "joy", 3.0) for subject in "ab" for rater in "xy"],
        columns=["subject", "context", "clip", "rater", "question", "score"],
    )
    inputs = replace(stage(folder, chosen), ratings=rated, questions=("joy",))
    message = r"\[models.lstm\] '.*b.csv' has other columns than '.*a.csv': it lacks 'X_3', 'Y_3'"
    assert sum(bool(re.match(message, one)) for one in early_problems(chosen, inputs)) == 1
    with pytest.raises(StudyError, match=message):
        check_early(chosen, inputs)
    # What they lack altogether, too.
    deep["models"]["lstm"]["columns"] = ["pose_rotation"]
    chosen = StudyConfig.model_validate(chosen.model_dump() | deep)
    message = r"\[models.lstm\] '.*a.csv': the table has no columns for 'pose_rotation'"
    assert any(re.match(message, one) for one in early_problems(chosen, inputs))
