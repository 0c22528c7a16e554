"""Results replace what an earlier run wrote, and nothing else: no input, nobody's other file."""

from __future__ import annotations

import json
import os
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from study_variants import CACHES, STAGES, figures_left_empty, variant

from pyexpr.base.files import OutputError, sha256
from pyexpr.paper.reproduce import check_paper_folder
from pyexpr.study.kept.seal import is_own_page, is_own_record, is_sealed, sealed
from pyexpr.study.kept.store import is_stage_file
from pyexpr.study.pipeline import Study, StudyResult
from pyexpr.study.results import rendered
from pyexpr.study.results.render import planned_files
from pyexpr.study.results.report import REPORT, study_report


@pytest.fixture(scope="module")
def study_result(
    study_result: StudyResult, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[StudyResult]:
    """The study of all tests, with empty figures, which the runs of this module write too."""
    study_file = variant(study_result.folder.parent, tmp_path_factory.mktemp("empty") / "study")
    shutil.copytree(study_result.folder / "stages", study_file.parent / "results" / "stages")
    with figures_left_empty():
        yield Study.from_file(study_file).run(progress=False)


def contents(folder: Path) -> dict[str, str]:
    return {
        name: sha256(path)
        for path in folder.rglob("*")
        if path.is_file() and not (name := path.relative_to(folder).as_posix()).startswith(CACHES)
    }


@pytest.fixture
def copied(study_result: StudyResult, tmp_path: Path) -> Path:
    """The study file of a copy whose results are there."""
    study_file = variant(study_result.folder.parent, tmp_path / "copy")
    shutil.copytree(study_result.folder, tmp_path / "copy" / "results")
    return study_file


def test_what_is_planned_is_what_is_written(study_result: StudyResult) -> None:
    study = Study(study_result.config, study_result.folder.parent)
    planned = planned_files(study.config, study.inputs)
    assert len(set(planned)) == len(planned)
    assert set(planned) == set(study_result.record["files"])


@pytest.mark.parametrize("overwrite", [False, True])
def test_results_into_the_folder_of_the_data(
    study_folder: Path, tmp_path: Path, overwrite: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    study_file = variant(study_folder, tmp_path / "copy")
    folder = study_file.parent
    for name in ("features.csv", "report.html", "record.json"):
        (folder / name).write_text("mine")
    before = contents(folder)
    # Before the first stage, that is: none may run.
    monkeypatch.setattr(Study, "_stage", None)
    with pytest.raises(OutputError, match=r"replace 1 file .* read for them: 'recordings.csv'"):
        Study.from_file(study_file, output=folder).run(progress=False, overwrite=overwrite)
    assert contents(folder) == before


def test_files_of_somebody_else_are_named(
    study_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study_file = variant(study_folder, tmp_path / "copy")
    results = tmp_path / "copy" / "results"
    results.mkdir()
    for name in ("features.csv", "report.html", "record.json", "notes.txt"):
        (results / name).write_text("mine")
    monkeypatch.setattr(Study, "_stage", None)
    words = r"3 files .* did not write, .* 'features.csv', 'record.json', 'report.html'"
    with pytest.raises(OutputError, match=words):
        Study.from_file(study_file).run(progress=False)
    assert {path.read_text() for path in results.iterdir()} == {"mine"}


def test_a_run_over_its_own_results(copied: Path, study_result: StudyResult) -> None:
    results = copied.parent / "results"
    (results / "scores.csv").chmod(0o600)
    (results / "notes.txt").write_text("mine")
    copied.write_text(copied.read_text().replace("title = ", 'title = "Other" #'))
    result = Study.from_file(copied).run(progress=False)
    assert set(result.reused) == set(STAGES)
    assert stat.S_IMODE((results / "scores.csv").stat().st_mode) == 0o600
    assert (results / "notes.txt").read_text() == "mine"
    assert "Other" in (results / REPORT).read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["comparison.csv", "figures/quality.png", "record.json", REPORT])
def test_a_result_that_was_edited_is_not_lost(
    name: str, copied: Path, study_result: StudyResult
) -> None:
    path = copied.parent / "results" / name
    edited = path.read_bytes().replace(b"0", b"1", 1)
    path.write_bytes(edited)
    with pytest.raises(OutputError, match=rf"changed since: '{name}'"):
        Study.from_file(copied).run(progress=False)
    assert path.read_bytes() == edited
    result = Study.from_file(copied).run(progress=False, overwrite=True)
    assert contents(result.folder) == contents(study_result.folder)


def test_a_link_among_the_results_is_not_followed(copied: Path) -> None:
    path = copied.parent / "results" / "scores.csv"
    kept = copied.parent / "kept.csv"
    os.replace(path, kept)
    path.symlink_to(kept)
    copied.write_text(copied.read_text().replace("title = ", 'title = "Other" #'))
    with pytest.raises(OutputError, match=r"it is a link"):
        Study.from_file(copied).run(progress=False, overwrite=True)
    assert path.is_symlink()


def test_a_file_that_is_no_stage_is_not_replaced_by_one(study_folder: Path, tmp_path: Path) -> None:
    study_file = variant(study_folder, tmp_path / "copy")
    path = tmp_path / "copy" / "results" / "stages" / "reliability.zip"
    path.parent.mkdir(parents=True)
    path.write_text("mine")
    with pytest.raises(OutputError, match=r"is not the result of a stage"):
        Study.from_file(study_file).reliability()
    with pytest.raises(OutputError, match=r"'stages/reliability.zip'"):
        Study.from_file(study_file).run(progress=False)
    assert path.read_text() == "mine"
    # As a crash leaves it: nothing is lost.
    path.write_bytes(b"")
    assert is_stage_file(path)
    Study.from_file(study_file).reliability()


def test_results_of_an_interrupted_run_are_its_own(
    copied: Path, study_result: StudyResult, monkeypatch: pytest.MonkeyPatch
) -> None:
    results = copied.parent / "results"
    text = copied.read_text()
    put = rendered.put_in_place

    # Killed, at any moment while files come into place: nothing can be tidied up.
    for seed, stopped in (("Second", 5), ("Third", 40)):
        copied.write_text(text.replace("title = ", f'title = "{seed}" #').replace("true", "false"))

        def killed(source: Path, folder: Path, names: object, most: int = stopped) -> None:
            put(
                source,
                folder,
                # The lock of a folder that is being written is none of its results.
                sorted(
                    name
                    for path in all_of(source)
                    if (name := os.path.relpath(path, source)) != ".lock"
                )[:most],
            )
            raise KeyboardInterrupt

        with monkeypatch.context() as patch:
            patch.setattr("pyexpr.study.results.folder.put_in_place", killed)
            with pytest.raises(KeyboardInterrupt):
                Study.from_file(copied).run(progress=False)
        assert not (results / "record.json").exists()
    copied.write_text(text)
    Study.from_file(copied).run(progress=False)
    assert contents(results) == contents(study_result.folder)


def all_of(folder: Path) -> Iterator[Path]:
    return (path for path in folder.rglob("*") if path.is_file())


def test_the_record_and_the_page_know_themselves(study_result: StudyResult, tmp_path: Path) -> None:
    record = json.loads((study_result.folder / "record.json").read_text(encoding="utf-8"))
    assert record == study_result.record
    assert is_sealed(record)
    shuffled = dict(reversed(record.items()))
    assert is_sealed(json.loads(json.dumps(shuffled, indent=4)))
    assert not is_sealed(record | {"seed": 4})
    assert is_sealed(sealed(record | {"seed": 4}))
    assert not is_sealed({name: value for name, value in record.items() if name != "sha256"})
    page, copy = study_result.folder / REPORT, tmp_path / "r.html"
    assert is_own_page(page)
    assert is_own_record(study_result.folder / "record.json")
    for change in (lambda text: text.replace("Method", "method", 1), lambda text: text + "\n"):
        copy.write_text(change(page.read_text(encoding="utf-8")), encoding="utf-8")
        assert not is_own_page(copy)
    assert not is_own_page(tmp_path / "absent")


def test_a_report_replaces_reports_alone(copied: Path) -> None:
    results = copied.parent / "results"
    (results / REPORT).write_text("my notes")
    with pytest.raises(OutputError, match=r"is there already"):
        study_report(results)
    assert (results / REPORT).read_text() == "my notes"
    study_report(results, overwrite=True)
    # Its own it writes again without a word.
    study_report(results)
    for name in ("comparison.csv", "../ratings.csv"):
        with pytest.raises(OutputError, match=r"which is read for it"):
            study_report(results, output=results / name, overwrite=True)


def test_the_papers_tables_are_not_replaced_unasked(tmp_path: Path) -> None:
    check_paper_folder(tmp_path / "new", overwrite=False)
    (tmp_path / "paper_table1.csv").write_text("mine")
    with pytest.raises(OutputError, match=r"replace 1 file .*'paper_table1.csv'"):
        check_paper_folder(tmp_path, overwrite=False)
    check_paper_folder(tmp_path, overwrite=True)
