"""The highest correlation that the reliability of the ratings allows, in a study's results."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import scipy.stats
from study_variants import figures_left_empty
from tables_of_a_study import CONTEXTS, FEATURES, KEY, QUICK, simulated_tables, write_study

from pyexpr.base.contexts import ALL
from pyexpr.base.errors import StudyError
from pyexpr.study.check_study import check_study
from pyexpr.study.pipeline import Study
from pyexpr.study.results.report import study_report
from pyexpr.study.results.result import StudyResult
from pyexpr.study.stages.ceiling import ceiling

MEAN = """
[data]
features = "features.csv"
[ratings]
low = 1
high = 7
[label]
method = "mean"
[features]
use = ["AU12", "AU4"]
"""
# Two ways to sum the same squares.
EXACT = 1e-9


def toml(form: str, more: str = "") -> str:
    return MEAN + more + QUICK.replace("[compare]", f'[compare]\nceiling = "{form}"')


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> StudyResult:
    ratings, features = simulated_tables()
    path = write_study(
        tmp_path_factory.mktemp("ceiling"), toml("ICC(1,k)"), ratings=ratings, features=features,
        quick=False,
    )  # fmt: skip
    with figures_left_empty():
        found = Study.from_file(path).run(progress=False)
    assert isinstance(found, StudyResult)
    return found


@pytest.mark.parametrize("context", [*CONTEXTS, ALL])
def test_it_is_the_root_of_the_reliability_of_the_clips_compared(
    result: StudyResult, context: str
) -> None:
    ratings, _ = simulated_tables()
    rows = result.table("predictions")
    clips = rows.loc[rows["evaluated"] == context, KEY].astype(str)
    own = ratings.groupby([*KEY, "rater"])["score"].mean().reset_index().merge(clips, on=KEY)
    # With as many raters for each clip, ICC(1,k) is 1 - 1/F of an analysis of variance.
    by_clip = [part["score"].to_numpy() for _, part in own.groupby(KEY)]
    reliability = 1 - 1 / scipy.stats.f_oneway(*by_clip).statistic
    table = result.table("ceiling")
    found = table[table["context"] == context].set_index("metric")["estimate"]
    assert abs(found["reliability"] - reliability) < EXACT
    assert abs(found["ceiling"] - np.sqrt(reliability)) < EXACT


def test_table_text_and_references_have_it(result: StudyResult) -> None:
    table = pd.read_csv(result.folder / "ceiling.csv")
    own = table[(table["context"] == ALL) & (table["metric"] == "ceiling")].iloc[0]
    shown = f"{own['estimate']:.3f}".removeprefix("0")
    page = (result.folder / "report.html").read_text(encoding="utf-8")
    lines = (result.folder / "performance.md").read_text(encoding="utf-8").splitlines()
    row = next(line for line in lines if line.startswith("| Highest possible"))
    cells = [cell.strip() for cell in row.split("|")[2:-1]]
    assert cells[:4] == ["—"] * 4
    assert cells[-1] == shown
    assert f"that the reliability of the ratings allows was {shown} over all contexts" in page
    assert "Spearman, C. (1904)" in page
    assert "highest possible correlation: the truth is a weighted sum of the mean ratings of 2" in (
        result.folder / "analysis_notes.txt"
    ).read_text(encoding="utf-8")


def test_the_report_is_the_same_from_the_folder(result: StudyResult, tmp_path: Path) -> None:
    again = study_report(result.folder, output=tmp_path / "again.html")
    assert again.read_bytes() == (result.folder / "report.html").read_bytes()


def test_what_cannot_be_computed_is_said(result: StudyResult) -> None:
    study = Study(result.config, result.folder.parent)
    rows = result.table("predictions")
    wrong = rows.assign(truth=rows["truth"].where(rows["evaluated"] != ALL, rows["truth"] ** 2))
    found = ceiling(result.config, study.inputs, wrong, ["elastic_net"])
    assert set(found.tables["ceiling"]["context"]) == set(CONTEXTS)
    assert any(
        "was not computed over all contexts: the truth is not a weighted sum" in note
        for note in found.facts["notes"]
    )


@pytest.mark.parametrize(
    ("form", "more", "message"),
    [
        ("ICC(2,k)", "", "compare.ceiling must be 'none', 'ICC(1,k)' or 'ICC(C,k)'"),
        ("ICC(C,k)", "", "requires that each of several raters rated every clip"),
    ],
)
def test_other_choices_are_refused(tmp_path: Path, form: str, more: str, message: str) -> None:
    ratings, features = simulated_tables()
    path = write_study(
        tmp_path, toml(form, more), ratings=ratings.iloc[1:], features=features, quick=False
    )
    assert any(message in problem for problem in check_study(path).problems)


def test_a_label_without_ratings_has_none(tmp_path: Path) -> None:
    _, features = simulated_tables()
    text = toml("ICC(1,k)").replace('"mean"', f'"column"\ncolumn = "{FEATURES[0]}"')
    path = write_study(tmp_path, text, features=features, quick=False)
    with pytest.raises(StudyError, match="requires a label that is a number from ratings"):
        Study.from_file(path)
    metrics = 'metrics = ["rmse"]\n'
    text = toml("ICC(1,k)").replace("[compare]\n", f"[compare]\n{metrics}")
    with pytest.raises(StudyError, match='add "correlation" to metrics'):
        Study.from_file(write_study(tmp_path, text, features=features, quick=False))


def test_a_study_without_it_says_how_to_ask(tmp_path: Path) -> None:
    ratings, features = simulated_tables()
    path = write_study(tmp_path, MEAN, ratings=ratings, features=features)
    with pytest.raises(StudyError, match=r'ceiling = "ICC\(1,k\)" under \[compare\]'):
        Study.from_file(path).ceiling()
