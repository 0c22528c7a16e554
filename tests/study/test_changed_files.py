"""A result is stored under the hash of the bytes that it was computed from, and under no other."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from study_variants import tables_of, variant

from pyexpr.base.errors import PyexprWarning, StudyError
from pyexpr.base.files import sha256
from pyexpr.behavior.features.features import extract_features
from pyexpr.study.kept.store import StageOutput
from pyexpr.study.pipeline import Study, StudyResult
from pyexpr.study.stages import computations


def corrected(ratings: Path) -> None:
    """Turn a rater's scores around, as one who finds that a scale was entered upside down."""
    table = pd.read_csv(ratings, dtype={"clip": str})
    mine = table["rater"] == table["rater"].iloc[0]
    table.loc[mine, "score"] = 4 - table.loc[mine, "score"]
    table.to_csv(ratings, index=False)


def exchange(path: Path, content: bytes) -> None:
    """Put a file of the same time in a file's place; it may be a link."""
    status = path.stat()
    other = path.with_name("other")
    other.write_bytes(content)
    os.utime(other, ns=(status.st_atime_ns, status.st_mtime_ns))
    os.replace(other, path)


def iccs(output: StageOutput) -> list[float]:
    return output.tables["reliability"]["estimate"].tolist()


def test_ratings_that_were_corrected_after_they_were_looked_at(
    study_folder: Path, tmp_path: Path
) -> None:
    study_file = variant(study_folder, tmp_path / "copy")
    old, live = Study.from_file(study_file), Study.from_file(study_file)
    before = iccs(old.reliability())
    looked_at = live.inputs.ratings
    corrected(tmp_path / "copy" / "ratings.csv")
    found = iccs(live.reliability())
    fresh = Study.from_file(study_file)
    assert found == iccs(fresh.reliability())
    assert fresh.reused == ["reliability"]
    assert found != before
    assert not live.inputs.ratings.equals(looked_at)
    assert live.input_hashes["ratings.csv"] == sha256(tmp_path / "copy" / "ratings.csv")
    # One that has its results already computes them anew, too.
    assert iccs(old.reliability()) == found


def test_a_recording_exchanged_between_hashing_and_reading(
    study_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study_file = variant(study_folder, tmp_path / "copy", openface={})
    path = tmp_path / "copy" / "openface" / "S001_pain.csv"
    own, other = path.read_bytes(), (path.with_name("S002_pain.csv")).read_bytes()

    for put_back in (False, True):

        def exchanged(*args: Any, back: bool = put_back, **kwargs: Any) -> Any:
            exchange(path, other)
            found = extract_features(*args, **kwargs)
            if back:
                exchange(path, own)
            return found

        with monkeypatch.context() as patch:
            patch.setattr(computations, "extract_features", exchanged)
            exchange(path, own)
            with pytest.raises(StudyError, match=r"changed while it was used: '.*S001_pain.csv'"):
                Study.from_file(study_file).features(progress=False)
        assert not (tmp_path / "copy" / "results" / "stages" / "features.zip").exists()
    study = Study.from_file(study_file)
    exchange(path, other)
    table = study.features(progress=False).tables["features"]
    assert study.reused == []
    pain = table[table["context"] == "pain"].set_index("subject")
    assert pain.loc["S001", "au_count"].tolist() == pain.loc["S002", "au_count"].tolist()


def test_a_table_that_changes_during_a_stage(
    study_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study_file = variant(study_folder, tmp_path / "copy")
    study = Study.from_file(study_file)
    compute = computations.reliability

    def meanwhile(*args: Any) -> StageOutput:
        found = compute(*args)
        corrected(tmp_path / "copy" / "ratings.csv")
        return found

    with monkeypatch.context() as patch:
        patch.setattr(computations, "reliability", meanwhile)
        with pytest.raises(StudyError, match=r"1 file of the study changed .* 'ratings.csv'"):
            study.reliability()
    assert not (study.output / "stages" / "reliability.zip").exists()
    # The next call begins with the file as it is.
    assert iccs(study.reliability()) == iccs(Study.from_file(study_file).reliability())


def test_an_error_in_half_a_file_is_reported_as_its_cause(
    study_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study_file = variant(study_folder, tmp_path / "copy", openface={})
    path = tmp_path / "copy" / "openface" / "S001_pain.csv"

    def half(*args: Any, **kwargs: Any) -> Any:
        exchange(path, path.read_bytes()[:100])
        return extract_features(*args, **kwargs)

    monkeypatch.setattr(computations, "extract_features", half)
    with pytest.raises(StudyError, match=r"changed while it was used"):
        Study.from_file(study_file).features(progress=False)


def test_a_file_that_is_copied_onto_itself_is_no_change(study_folder: Path, tmp_path: Path) -> None:
    study_file = variant(study_folder, tmp_path / "copy")
    study = Study.from_file(study_file)
    first = study.reliability()
    path = tmp_path / "copy" / "ratings.csv"
    exchange(path, path.read_bytes())
    assert study.reliability() is first


@pytest.mark.usefixtures("empty_figures")
def test_the_study_file_itself(
    study_result: StudyResult, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study_file = variant(study_result.folder.parent, tmp_path / "copy")
    shutil.copytree(study_result.folder, tmp_path / "copy" / "results")
    study = Study.from_file(study_file)
    text = study_file.read_text()
    study_file.write_text(text.replace("seed = 3", "seed = 4"))
    with pytest.raises(StudyError, match=r"has been changed since it was read; read it again"):
        study.run(progress=False)
    study_file.write_text(text)
    coefficients = study.coefficients

    def meanwhile() -> StageOutput:
        study_file.write_text(text.replace("seed = 3", "seed = 4"))
        return coefficients()

    monkeypatch.setattr(study, "coefficients", meanwhile)
    with pytest.warns(PyexprWarning, match=r"was changed during the run; the results are those"):
        result = study.run(progress=False)
    assert result.record["seed"] == 3


def test_the_study_file_is_found_from_another_working_directory(
    study_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    variant(study_folder, tmp_path / "copy")
    monkeypatch.chdir(tmp_path / "copy")
    study = Study.from_file("study.toml")
    monkeypatch.chdir(tmp_path)
    assert study.input_files[0] == tmp_path / "copy" / "study.toml"
    assert not study.inputs.ratings.empty


@pytest.mark.parametrize("name", ["ratings.csv", "openface/S001_pain.csv"])
@pytest.mark.usefixtures("empty_figures")
def test_a_change_late_in_a_run_leaves_no_results(
    name: str, study_result: StudyResult, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study_file = variant(study_result.folder.parent, tmp_path / "copy", openface={})
    results = tmp_path / "copy" / "results"
    shutil.copytree(study_result.folder / "stages", results / "stages")
    (results / "stages" / "rendered.json").unlink()
    study = Study.from_file(study_file)
    path = study_file.parent / name
    last: Callable[[], StageOutput] = study.coefficients

    def meanwhile() -> StageOutput:
        exchange(path, path.read_bytes() + b" ")
        return last()

    monkeypatch.setattr(study, "coefficients", meanwhile)
    with pytest.raises(StudyError, match=r"changed while it was used"):
        study.run(progress=False)
    assert [entry.name for entry in results.iterdir()] == ["stages"]


def test_ratings_are_keyed_as_they_were_parsed(study_folder: Path, tmp_path: Path) -> None:
    ratings, _ = tables_of(study_folder)
    study_file = variant(study_folder, tmp_path / "copy", ratings=ratings)
    study = Study.from_file(study_file)
    assert study.inputs.files["ratings.csv"].sha256 == sha256(tmp_path / "copy" / "ratings.csv")
