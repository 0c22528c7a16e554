"""A study of two people a film: the table of recordings says whose face is whose."""

from __future__ import annotations

import contextlib
from pathlib import Path

import numpy as np
import pytest
from behavior.openface_files import POSE, TIME, Layout, rows, write

from pyexpr.base.contents import hashed_file
from pyexpr.base.errors import DataError
from pyexpr.behavior.features.row_store import RowStore
from pyexpr.behavior.schedules import Schedule
from pyexpr.cli.main import main
from pyexpr.study.check.data import recording_points
from pyexpr.study.file.config import StudyConfig
from pyexpr.study.stages.computations import features
from pyexpr.study.tables.inputs import Inputs
from pyexpr.study.tables.recordings import read_recordings

N = 75
FILM = Layout(["frame", "face_id", *TIME, *POSE], faces=(0, 1))


def seated(name: str, frame: int, face: int) -> float:
    """Person 0 sits on the left and goes 1 mm a frame, person 1 on the right goes 4."""
    values = {"pose_Tx": (-300.0, 300.0)[face], "pose_Ty": (1.0, 4.0)[face] * frame}
    return values.get(name, 600.0 if name == "pose_Tz" else 0.0)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write(tmp_path / "film.csv", FILM, rows(FILM, N, make=seated))
    (tmp_path / "recordings.csv").write_text(
        "subject,context,openface,face\nleft one,talk,film.csv,left\nother,talk,film.csv,1\n"
    )
    return tmp_path


def config(**sections: dict) -> StudyConfig:
    segments = [{"context": "talk", "start": 0, "end": 3}]
    return StudyConfig.model_validate({"clips": {"segments": segments}, **sections})


def stage(folder: Path, chosen: StudyConfig) -> Inputs:
    recordings, _ = read_recordings(chosen, folder)
    ratings = recordings.iloc[:0]
    every = Schedule.from_table({"context": ["talk"], "start": [0], "end": [3]})
    return Inputs(ratings, recordings, None, every, ("talk",), (), {}, ratings)


def test_each_subject_has_its_own_face(folder: Path) -> None:
    inputs = stage(folder, config())
    hashes = {str(folder / "film.csv"): hashed_file(folder / "film.csv").sha256}
    found = features(
        config(), inputs, store=RowStore(folder / "stored", hashes, {}), progress=False
    ).tables
    # 5 frames a step.
    np.testing.assert_allclose(found["features"]["head_displacement"], [5.0, 20.0])
    assert found["recordings"]["openface"].tolist() == ["film.csv", "film.csv"]


def test_a_film_of_two_without_their_faces(folder: Path) -> None:
    table = folder / "recordings.csv"
    table.write_text("subject,context,openface\na,talk,film.csv\nb,talk,film.csv\n")
    with pytest.raises(
        DataError, match="assign the faces in a column 'face' of the table of recordings"
    ):
        read_recordings(config(), folder)
    # Another name of the column, as of the others.
    table.write_text("subject,context,openface,who\na,talk,film.csv,0\nb,talk,film.csv,1\n")
    named = config(data={"recording_columns": {"face": "who"}})
    assert read_recordings(named, folder)[0]["face"].tolist() == ["0", "1"]


def test_the_check_says_what_is_mixed(folder: Path) -> None:
    few = Layout([*FILM.columns, "AU01_c", "AU02_c"])
    more = Layout([*few.columns, "AU04_c"])
    for name, layout in (("few.csv", few), ("more.csv", more)):
        write(folder / name, layout, rows(layout, 5, make=seated_units))
    (folder / "recordings.csv").write_text(
        "subject,context,openface\na,talk,few.csv\nb,talk,more.csv\n"
    )
    (point,) = recording_points(config(), stage(folder, config()))
    assert "more.csv' has other action units" in str(point)
    kept = config(features={"on_mixed": "keep"})
    assert recording_points(kept, stage(folder, kept)) == []


def seated_units(name: str, frame: int, face: int) -> float:
    return 1.0 if name.startswith("AU") else seated(name, frame, 0)


def test_from_the_command_line(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def printed(*arguments: object) -> str:
        monkeypatch.setattr("sys.argv", ["pyexpr", "features", *map(str, arguments)])
        with contextlib.suppress(SystemExit):
            main()
        return capsys.readouterr().out

    out = folder / "out.csv"
    printed("--recordings", folder / "recordings.csv", "--every", 3, "-o", out)
    assert out.read_text().splitlines()[1].startswith("left one,talk,1,")
    segments = folder / "segments.csv"
    segments.write_text("context,start,end,clip\nall,0,1.6,first\nall,-1.4,0,last\n")
    right = printed(
        folder / "film.csv", "--face", "right", "--schedule", segments, "--max-speed", 50
    )
    # 4 mm a frame at 25 a second are 100 mm/s, over the limit: nothing of the head is left.
    assert "frames with implausible movement" in right
    assert "first" in right
