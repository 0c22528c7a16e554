"""The paper side by side, with few subjects: every row has a status and says why."""

from __future__ import annotations

import math
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from command_line import pyexpr

from pyexpr.base.errors import DataError, StudyError
from pyexpr.base.files import OutputError
from pyexpr.paper import published_numbers
from pyexpr.paper.published import Range
from pyexpr.paper.reproduce import PaperResult, reproduce_paper
from pyexpr.paper.rows import STATUSES, Figure, PaperRow, _in_range
from pyexpr.paper.simulated import analyse_simulated
from pyexpr.study.kept.store import StageOutput
from pyexpr.study.pipeline import StudyResult


@pytest.fixture(scope="module")
def analysed() -> dict[str, StageOutput]:
    return analyse_simulated(subjects=15, seed=3, n_boot=2000)


def beside(analysed: dict[str, StageOutput]) -> PaperResult:
    """The paper beside that analysis, which the example of `reproduce_paper` computes itself."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("pyexpr.paper.reproduce.analyse_simulated", lambda **_: analysed)
        return reproduce_paper(subjects=15, seed=3, n_boot=2000, progress=False)


@pytest.fixture(scope="module")
def result(analysed: dict[str, StageOutput]) -> PaperResult:
    return beside(analysed)


def test_a_study_in_memory_is_the_study_from_its_files(
    study_result: StudyResult, analysed: dict[str, StageOutput]
) -> None:
    for stage, output in study_result.stages.items():
        for name, table in output.tables.items():
            here = analysed[stage].tables[name].drop(columns=["openface"], errors="ignore")
            pd.testing.assert_frame_equal(
                here.reset_index(drop=True),
                table.drop(columns=["openface"], errors="ignore").reset_index(drop=True),
                check_dtype=False,
                check_exact=True,
            )


def test_every_published_figure_has_its_row(result: PaperResult) -> None:
    table = result.tidy()
    counts = table.groupby("table").size().to_dict()
    assert counts == {
        "1": 12, "2": 4 * (3 + 3 + 3 + 1), "3": 56, "4": 12, "5": 20, "6": 8, "figure 4": 14,
        "tuning": 8,
    }  # fmt: skip
    assert set(table["status"]) <= set(STATUSES)
    assert (table["remark"] != "").all()
    paper = published_numbers.performance()
    np.testing.assert_array_equal(table.loc[table["table"] == "3", "paper"], paper["estimate"])
    assert table.loc[table["status"] == "misprint", "item"].tolist() == ["motion", "emotion"]


def test_simulated_figures_are_those_of_the_study(
    result: PaperResult, analysed: dict[str, StageOutput]
) -> None:
    comparison = analysed["comparison"].tables["comparison"]
    comparison = comparison[comparison["method"] == "jackknife_t"]
    table = result.tidy()
    own = table[(table["table"] == "3") & (table["item"] == "elastic_net")]
    for row in own.itertuples():
        wanted = comparison[
            (comparison["term"] == "elastic_net")
            & (comparison["metric"] == row.quantity)
            & (comparison["context"] == row.context)
        ].iloc[0]
        assert (row.simulated, row.simulated_low, row.simulated_high) == (
            wanted["estimate"], wanted["conf_low"], wanted["conf_high"],
        )  # fmt: skip
    networks = table[table["item"].isin(["3d_cnn", "3d_cnn_pretrained", "openface_lstm"])]
    assert networks["simulated"].isna().all()
    assert networks["remark"].str.contains("not run").all()


def test_table_4_is_compared_with_table_3(result: PaperResult) -> None:
    table = result.tidy()
    fourth = table[table["table"] == "4"].set_index(["quantity", "item"])
    assert fourth.loc[("nrmse", "uniform"), "recomputed"] == pytest.approx(0.124 - 0.309)
    assert "not the difference" not in fourth.loc[("nrmse", "uniform"), "remark"]
    assert fourth.loc[("correlation", "uniform"), "recomputed"] == pytest.approx(0.497 - 0.043)
    assert fourth.loc[("correlation", "uniform"), "status"] == "open"


def test_the_worst_finding_is_the_status() -> None:
    findings = (("agrees", "a"), ("misprint", "b"), ("explained", "c"))
    row = PaperRow("1", "all", "icc", "x", Figure(1.0), findings=findings)
    assert (row.status, row.remark) == ("misprint", "b; c")
    assert PaperRow("1", "all", "icc", "x", Figure(), findings=(("agrees", "a"),)).remark == "a"
    assert math.isnan(Figure().value)


def test_written_files_and_the_same_bytes_again(
    result: PaperResult, analysed: dict[str, StageOutput], tmp_path: Path
) -> None:
    written = result.write(tmp_path / "new" / "paper")
    names = {path.name for path in written}
    assert names == {path.name for path in (tmp_path / "new" / "paper").iterdir()}
    stems = ("table1", "table2", "table3", "table4", "table5", "table6", "figure4", "tuning")
    for stem in stems:
        assert {f"paper_{stem}.{kind}" for kind in ("csv", "md", "tex", "html")} <= names
    read = pd.read_csv(written[0], keep_default_na=True)
    np.testing.assert_array_equal(read["simulated"], result.tidy()["simulated"])
    # That the analysis itself gives the same numbers again is shown above.
    other = beside(analysed).write(tmp_path / "again")
    assert [path.read_bytes() for path in written] == [path.read_bytes() for path in other]


def test_the_command_prints_and_writes_it(
    tmp_path: Path, analysed: dict[str, StageOutput], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[dict[str, object]] = []

    def noted(**given: object) -> dict[str, StageOutput]:
        asked.append(given)
        return analysed

    monkeypatch.setattr("pyexpr.paper.reproduce.analyse_simulated", noted)
    text = pyexpr("paper", "--subjects", "15", "-o", tmp_path / "paper")
    assert [(given["subjects"], given["seed"], given["n_boot"]) for given in asked] == [
        (15, 1, 2000)
    ]
    for number in range(1, 7):
        assert f"Table {number}." in text
    assert "2 misprint" in text
    assert (tmp_path / "paper" / "paper.html").is_file()
    assert "--subjects" in pyexpr("paper", "--quick", "--subjects", "20", code=2)
    printed = pyexpr("paper", "--subjects", "3", code=1)
    assert printed.startswith("Error: --subjects must be")


def test_latex_knows_every_sign_of_the_tables(result: PaperResult, tmp_path: Path) -> None:
    result.write(tmp_path)
    found = sorted(tmp_path.glob("*.tex"))
    assert len(found) >= 6
    for path in found:
        # Greek letters, arrows and mathematics, of which it prints nothing by itself.
        assert not re.findall(r"[\u0370-\u03ff\u2190-\u22ff]", path.read_text(encoding="utf-8"))


def test_tables_letter_their_remarks(result: PaperResult) -> None:
    display = result.displays()["5"]
    assert ("Startle", "ICC(1,k)", "Motion") in {row[:3] for row in display.rows}
    status = {row[:3]: row[3] for row in display.rows}[("Startle", "ICC(1,k)", "Motion")]
    letter = status.removeprefix("misprint ")
    assert any(note.startswith(letter) and " .881," in note for note in display.notes)
    signs = {row[-3] for row in result.displays()["figure 4"].rows}
    assert signs == {"+", "−"}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"subjects": 14}, "subjects= must be a whole number from 15"),
        ({"subjects": 20.5}, "subjects= must be a whole number"),
        ({"subjects": True}, "subjects= must be a whole number"),
        ({"n_boot": 0}, "n_boot= must be a whole number from 1"),
        ({"seed": -1}, "seed"),
    ],
)
def test_bad_arguments_are_named(arguments: dict[str, int], words: str) -> None:
    with pytest.raises(DataError, match=words):
        reproduce_paper(progress=False, **arguments)


def test_a_simulated_study_that_cannot_be_analysed_says_what_to_do() -> None:
    with pytest.raises(StudyError, match=r"20 subjects with seed 2 .* another seed, or more"):
        reproduce_paper(subjects=20, seed=2, n_boot=200, progress=False)


def test_differences_keep_their_zero_and_remarks_of_an_icc_have_none(result: PaperResult) -> None:
    shown = result.displays()
    for row in shown["4"].rows:
        assert not any(re.search(r"(?<!\d)\.\d", cell) for cell in row)
    assert "an ICC of .331, printed .391" in " ".join(shown["5"].notes)


def test_a_bound_and_what_lies_just_beyond_it_are_shown_as_finely_as_they_differ() -> None:
    for truth, near in ((0.9121, ".9121, just"), (0.9189, ".9189, just")):
        status, remark = _in_range(
            0.5, Range(0.9155, 0.9123, 0.9187), truth, of="score_reliability"
        )
        assert status == "explained"
        assert near in remark
        assert f"ends at {'.9123' if truth < 0.9123 else '.9187'}," in remark


def test_the_summary_counts_rows_in_words(result: PaperResult) -> None:
    assert re.search(r"\(seed 3\): \d+ agree, .*, 2 misprints, \d+ open$", result.heading())


def test_a_folder_that_cannot_be_written(result: PaperResult, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(OutputError, match="cannot write into"):
        result.write(tmp_path / "file")
