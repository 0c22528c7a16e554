"""A report shows what the run wrote; what was edited since is refused, or marked."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from command_line import pyexpr
from fuzz.__main__ import CORPUS
from fuzz.reports import one_report
from study_variants import variant

from pyexpr.base.errors import StudyError
from pyexpr.study.kept.seal import sealed
from pyexpr.study.pipeline import Study, StudyResult
from pyexpr.study.results.report import study_report

MARK = "Altered: the file {} has been changed since the run."


@pytest.fixture
def results(study_result: StudyResult, tmp_path: Path) -> Path:
    folder = tmp_path / "results"
    shutil.copytree(study_result.folder, folder)
    return folder


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def better_correlation(results: Path) -> None:
    """Make the elastic net's correlation over all contexts .987."""
    lines = (results / "comparison.csv").read_text().splitlines()
    head = lines[0].split(",")
    for number, line in enumerate(lines):
        cells = dict(zip(head, line.split(","), strict=False))
        if (cells["metric"], cells["term"], cells["context"]) == (
            "correlation", "elastic_net", "all",
        ):  # fmt: skip
            lines[number] = line.replace(cells["estimate"], "0.987", 1)
    (results / "comparison.csv").write_text("\n".join(lines) + "\n")


def sections(page: str) -> dict[str, str]:
    return dict(re.findall(r'<section id="([^"]+)"(.*?)</section>', page, re.DOTALL))


def test_an_edited_number_is_refused(results: Path) -> None:
    before = (results / "report.html").read_bytes()
    better_correlation(results)
    words = r"1 file of .* has been changed since the run: 'comparison.csv'; pyexpr run --overwrite"
    with pytest.raises(StudyError, match=words):
        study_report(results)
    assert (results / "report.html").read_bytes() == before


def test_an_edited_number_is_marked_wherever_it_is_shown(results: Path) -> None:
    better_correlation(results)
    before = sections((results / "report.html").read_text(encoding="utf-8"))
    page = study_report(results, altered=True).read_text(encoding="utf-8")
    mark = MARK.format("comparison.csv")
    found = sections(page)
    # The head; before each copied text; at each table, above it and in its notes.
    assert mark in page[: page.index("<section")]
    assert {name: text.count(mark) for name, text in found.items() if mark in text} == {
        "summary": 1, "methods": 1, "performance": 3, "comparison": 5, "other-methods": 2,
    }  # fmt: skip
    assert found["performance"].count(".987") > before["performance"].count(".987")
    # The others are vouched for, and as they were.
    for name, text in found.items():
        assert mark in text or text == before[name], name


def test_a_figure_that_was_edited(results: Path) -> None:
    edit(results / "figures" / "quality.svg", "</svg>", "<!-- mine --></svg>")
    with pytest.raises(StudyError, match=r"'figures/quality.svg'"):
        study_report(results)
    page = study_report(results, altered=True).read_text(encoding="utf-8")
    assert sections(page)["quality"].count(MARK.format("figures/quality.svg")) == 2


def test_a_record_that_was_edited(results: Path) -> None:
    edit(results / "record.json", '"seed": 3', '"seed": 7')
    with pytest.raises(StudyError, match=r"'record.json'"):
        study_report(results)
    page = study_report(results, altered=True).read_text(encoding="utf-8")
    # Nothing vouches for anything: every table, figure and text that is copied says so.
    tables, figures = page.count("<table"), page.count("<figure")
    assert page.count(MARK.format("record.json")) == 1 + 2 * (tables + figures) + 7


def test_hashes_edited_along_with_a_table_are_found(results: Path) -> None:
    from pyexpr.base.files import sha256

    record = json.loads((results / "record.json").read_text())
    better_correlation(results)
    record["files"]["comparison.csv"] = sha256(results / "comparison.csv")
    (results / "record.json").write_text(json.dumps(record, indent=1))
    with pytest.raises(StudyError, match=r"since the run: 'record.json'"):
        study_report(results)


def test_a_table_that_the_record_does_not_list(results: Path) -> None:
    record = json.loads((results / "record.json").read_text())
    del record["files"]["comparison.csv"]
    (results / "record.json").write_text(json.dumps(record))
    with pytest.raises(StudyError, match=r"2 files .*'record.json', 'comparison.csv'"):
        study_report(results)


def test_a_record_that_lists_a_file_elsewhere(results: Path) -> None:
    (results.parent / "x.svg").write_text("<svg/>")
    record = json.loads((results / "record.json").read_text())
    record["files"]["../x.svg"] = "0"
    (results / "record.json").write_text(json.dumps(record))
    with pytest.raises(StudyError, match=r"does not contain \.\./x.svg"):
        study_report(results, altered=True)


def test_white_space_in_the_record_is_no_change(results: Path) -> None:
    record = json.loads((results / "record.json").read_text())
    (results / "record.json").write_text(json.dumps(record))
    study_report(results)


def test_a_result_checks_its_files_and_the_command_line_too(
    study_result: StudyResult, tmp_path: Path
) -> None:
    study_file = variant(study_result.folder.parent, tmp_path / "copy")
    shutil.copytree(study_result.folder, tmp_path / "copy" / "results")
    result = Study.from_file(study_file).run(progress=False)
    better_correlation(result.folder)
    with pytest.raises(StudyError, match=r"'comparison.csv'"):
        result.report()
    result.report(tmp_path / "r.html", altered=True)

    refused = pyexpr("report", result.folder, code=1)
    assert refused.startswith("Error: 1 file of ")
    assert "'comparison.csv'" in refused
    pyexpr("report", result.folder, "--altered", "-o", tmp_path / "s.html")
    assert (tmp_path / "s.html").read_bytes() == (tmp_path / "r.html").read_bytes()


def with_entry(results: Path, at: tuple[str, ...], value: object) -> None:
    """Set an entry of the record, or remove it, and seal the record: its own hash fits."""
    path = results / "record.json"
    record = json.loads(path.read_text(encoding="utf-8"))
    node = record
    for key in at[:-1]:
        node = node[key]
    if value is ...:
        del node[at[-1]]
    else:
        node[at[-1]] = value
    path.write_text(json.dumps(sealed(record)), encoding="utf-8")


def refusal(results: Path) -> str:
    """Return what is said where the results are shown in spite of all: one sentence."""
    with pytest.raises(StudyError) as error:
        study_report(results, altered=True)
    message = str(error.value)
    assert "\n" not in message
    assert len(message) < 1000
    assert str(results) in message or "the table " in message
    return message


@pytest.mark.parametrize("value", [..., None, 7, "x", [None], {"a": None}, "\0", 10**400])
def test_every_entry_of_the_record_is_checked(results: Path, value: object) -> None:
    whole = (results / "record.json").read_bytes()
    entries = list(json.loads(whole))
    entries.remove("sha256")
    # A number is a seed, any text a title, an empty entry of the right kind an answer.
    fitting = {7: {"seed"}, "x": {"title"}, "\0": {"title"}, 10**400: {"seed"}}
    for entry in entries:
        if isinstance(value, (int, str)) and entry in fitting[value]:
            continue
        with_entry(results, (entry,), value)
        assert "record" in refusal(results), entry
        (results / "record.json").write_bytes(whole)


@pytest.mark.parametrize(
    ("at", "value"),
    [
        (("stages", "models", "left out"), 7),
        (("stages", "comparison", "notes"), [None]),
        (("stages", "features"), {}),
        (("options", "compare", "methods"), []),
        (("files", "a\0b"), "0"),
        (("inputs", ""), "0"),
        (("files", "figures/" + "x" * 300 + ".svg"), "0"),
    ],
)
def test_what_code_deep_below_would_trip_over(
    results: Path, at: tuple[str, ...], value: object
) -> None:
    with_entry(results, at, value)
    refusal(results)


@pytest.mark.parametrize(
    "damage",
    [
        lambda raw: raw[: len(raw) // 2],
        lambda raw: raw * 2,
        lambda raw: raw.replace(b"{", b"{\0", 2),
        lambda raw: b"[" * 100_000,
        lambda raw: raw.replace(b'"seed": 3', b'"seed": ' + b"9" * 5000),
        lambda raw: b"\xff" + raw,
        lambda raw: b"",
    ],
)
def test_a_damaged_record(results: Path, damage: Callable[[bytes], bytes]) -> None:
    path = results / "record.json"
    path.write_bytes(damage(path.read_bytes()))
    assert str(path) in refusal(results)


def test_damages_by_chance_give_a_report_or_an_error(results: Path) -> None:
    # More of them: make fuzz FUZZ_TARGETS= FUZZ_PYTHON_TARGETS=report FUZZ_SECONDS=3600.
    ends = {
        one_report(results, path.read_bytes()) for path in sorted((CORPUS / "report").iterdir())
    }
    assert ends == {"done", "StudyError"}


def test_a_record_that_is_a_pipe(results: Path) -> None:
    (results / "record.json").unlink()
    os.mkfifo(results / "record.json")
    assert "it is a pipe (FIFO)" in refusal(results)


@pytest.mark.parametrize(
    "damage",
    [
        lambda rows: [",".join(row.split(",")[:-1]) for row in rows],
        lambda rows: [rows[0], *(re.sub(r"[0-9]", "x", row) for row in rows[1:])],
        lambda rows: [rows[0]],
        lambda rows: [rows[0], f"{rows[1]},extra"],
    ],
)
def test_a_damaged_table(results: Path, damage: Callable[[list[str]], list[str]]) -> None:
    rows = (results / "comparison.csv").read_text(encoding="utf-8").splitlines()
    (results / "comparison.csv").write_text("\n".join(damage(rows)) + "\n", encoding="utf-8")
    assert "comparison.csv" in refusal(results)
