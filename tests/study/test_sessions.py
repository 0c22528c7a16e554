"""A study of sessions whose columns lie in several files knows all of them."""

from __future__ import annotations

from pathlib import Path

import pytest
from behavior.session_files import KINDS, write

from pyexpr.study.pipeline import Study


@pytest.fixture
def study(tmp_path: Path) -> Study:
    ratings, recordings = ["subject,context,clip,rater,question,score"], ["subject,openface"]
    for n, session in enumerate(("300", "301", "302")):
        (tmp_path / f"{session}_P").mkdir()
        write(tmp_path / f"{session}_P", session)
        recordings.append(f"{session},{session}_P/{session}_CLNF_pose.txt")
        for question in ("a", "b", "c"):
            ratings += [f"{session},talk,1,r{k},{question},{1 + (n + k) % 3}" for k in range(3)]
    recordings = [f"{row},{'context' if not n else 'talk'}" for n, row in enumerate(recordings)]
    (tmp_path / "ratings.csv").write_text("\n".join([*ratings, ""]))
    (tmp_path / "recordings.csv").write_text("\n".join([*recordings, ""]))
    (tmp_path / "study.toml").write_text(
        'title = "Interviews"\nseed = 1\n[data]\nratings = "ratings.csv"\n'
        'recordings = "recordings.csv"\n[[clips.segments]]\ncontext = "talk"\nstart = 0\nend = 2\n'
    )
    return Study.from_file(tmp_path / "study.toml")


def test_a_study_knows_the_files_beside_those_it_names(study: Study) -> None:
    before = study.input_hashes
    of_sessions = {f"{n}_P/{n}_CLNF_{kind}.txt" for n in (300, 301, 302) for kind in KINDS}
    assert of_sessions == {name for name in before if "CLNF" in name}
    beside = study.folder / "301_P" / "301_CLNF_gaze.txt"
    beside.write_text(beside.read_text().replace("0.95", "0.94"))
    after = study.input_hashes
    assert [name for name in before if before[name] != after[name]] == ["301_P/301_CLNF_gaze.txt"]


def test_its_features_rest_on_all_of_them(study: Study) -> None:
    table = study.features(progress=False).tables["features"]
    assert table["reason"].tolist() == ["", "", ""]
    assert table[["points_displacement", "gaze_displacement"]].notna().all(axis=None)
