"""Pooled slopes in a study: those of px.pooled_coefficients, in the tables, figure and report."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from study_variants import figures_left_empty
from tables_of_a_study import CONTEXTS, KEY, QUICK, simulated_tables, write_study

import pyexpr as px
from pyexpr.base.errors import FewSubjectsWarning, StudyError
from pyexpr.report.study_figures import STUDY_FIGURES, Shown
from pyexpr.report.text.not_done import not_done
from pyexpr.study.check_study import check_study
from pyexpr.study.pipeline import Study
from pyexpr.study.results.render import planned_files
from pyexpr.study.results.report import study_report
from pyexpr.study.results.result import StudyResult
from pyexpr.study.sensitivity.sensitivity import sensitivity
from pyexpr.study.stages.order import options_of

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
FACTOR = (
    MEAN.replace('"mean"', '"factor"')
    + """
[factor_model]
engine = "native"
allow_inadmissible = true
invariance = false
"""
)
ASKED = '[coefficients]\npooling = "partial"'
FEATURES = ["AU12", "AU4"]
# The same rows in another order are added in another order.
EXACT = 1e-9


def toml(more: str = ASKED, base: str = MEAN) -> str:
    return base + QUICK.replace("[coefficients]", more)


def unequal_tables() -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the tables of a study in which the slope of AU12 differs between contexts."""
    ratings, features = simulated_tables()
    unrelated = features["context"] == "suppress"
    features.loc[unrelated, "AU12"] = np.random.default_rng(3).normal(size=unrelated.sum())
    return ratings, features


def study(folder: Path, text: str, *, features: pd.DataFrame | None = None) -> Study:
    ratings, own = unequal_tables()
    path = write_study(
        folder, text, ratings=ratings, features=own if features is None else features, quick=False
    )
    return Study.from_file(path)


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> StudyResult:
    with figures_left_empty():
        found = study(tmp_path_factory.mktemp("pooled"), toml()).run(progress=False)
    assert isinstance(found, StudyResult)
    return found


def by_hand(result: StudyResult) -> px.PooledCoefficientResult:
    """Pool the slopes of the study's files, without a study."""
    ratings = pd.read_csv(result.folder.parent / "ratings.csv", dtype={"clip": str})
    features = pd.read_csv(result.folder.parent / "features.csv", dtype={"clip": str})
    label = ratings.groupby([*KEY, "question"])["score"].mean().groupby(KEY).mean()
    split = pd.read_csv(result.folder / "split.csv")
    rows = features.merge(label.reset_index(), on=KEY)
    rows = rows[rows["subject"].isin(split.loc[split["part"] == "train", "subject"])]
    with pytest.warns(FewSubjectsWarning):
        return px.pooled_coefficients(
            rows[["subject", "context", *FEATURES]], rows["score"], context="context",
            cluster="subject",
        )  # fmt: skip


def test_numbers_are_those_of_pooled_coefficients(result: StudyResult) -> None:
    own = by_hand(result)
    for name, expected, keys in (
        ("pooled_slopes", own.tidy(), ["context", "feature"]),
        ("slope_variation", own.variation(), ["feature"]),
    ):
        written = pd.read_csv(result.folder / f"{name}.csv").set_index(keys)
        expected = expected.set_index(keys).loc[written.index]
        numbers = expected.select_dtypes("number").columns
        assert len(numbers) >= 10
        np.testing.assert_allclose(written[numbers], expected[numbers], rtol=0, atol=EXACT)
    assert list(result.table("pooled_slopes")["context"].unique()) == list(CONTEXTS)


def test_table_and_sentence_have_the_numbers(result: StudyResult) -> None:
    own = by_hand(result).tidy().set_index(["context", "feature"])
    row = own.loc[("normal", "AU12")]
    lines = (result.folder / "pooled_slopes.md").read_text(encoding="utf-8").splitlines()
    table = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines]
    cells = next(own for own in table if own[:2] == ["Normal", "AU12"])
    assert cells[2:] == [
        f"{row['separate_estimate']:.2f}",
        f"[{row['separate_low']:.2f}, {row['separate_high']:.2f}]",
        f"{row['estimate']:.2f}",
        f"[{row['conf_low']:.2f}, {row['conf_high']:.2f}]",
        f"{100 * row['shrinkage']:.0f}%",
    ]
    page = (result.folder / "report.html").read_text(encoding="utf-8")
    least, most = (f"{100 * end:.0f}%" for end in (own["shrinkage"].min(), own["shrinkage"].max()))
    assert least != most == "100%"
    assert f"Partial pooling shrank the slopes of contexts by {least} to {most} towards" in page
    assert "For one feature (AU4), the estimated variance between contexts is 0" in page
    assert "Separate and Pooled Slopes, by Feature and Context" in page
    assert "subjects differ in intercepts and slopes, also in single contexts." in page
    assert "Partial pooling: the intervals hold on average over the contexts" in page
    assert "Iyer, H. K." in page
    assert "Gelman, A." in page


def test_the_figure_and_its_words_have_every_slope(result: StudyResult) -> None:
    one = next(figure for figure in STUDY_FIGURES if figure.stem == "pooled_slopes")
    shown = Shown(result.record, result.tables())
    figure = one.draw(shown)
    assert [axes.get_title() for axes in figure.axes] == FEATURES
    own = by_hand(result).tidy()
    for axes, feature in zip(figure.axes, FEATURES, strict=True):
        drawn = {round(float(line.get_xdata()[0]), 9) for line in axes.lines
                 if len(line.get_xdata()) == 1}  # fmt: skip
        slopes = own[own["feature"] == feature][["separate_estimate", "estimate"]].to_numpy()
        assert set(slopes.round(9).ravel()) <= drawn
    row = own.set_index(["context", "feature"]).loc[("suppress", "AU4")]
    limits = f"{row['estimate']:.2f} [{row['conf_low']:.2f}, {row['conf_high']:.2f}] pooled"
    assert limits.replace("-", "\u2212") in one.words(shown)


def test_the_report_is_the_same_from_the_folder(result: StudyResult, tmp_path: Path) -> None:
    again = study_report(result.folder, output=tmp_path / "again.html")
    assert again.read_bytes() == (result.folder / "report.html").read_bytes()
    word = study_report(result.folder, output=tmp_path / "report.docx")
    with zipfile.ZipFile(word) as file:
        text = file.read("word/document.xml").decode("utf-8")
    assert "Separate and Pooled Slopes" in text
    assert "Variation of Slopes Between Contexts" in text


def test_a_study_without_it_is_as_before(result: StudyResult, tmp_path: Path) -> None:
    without = study(tmp_path, toml("[coefficients]"))
    assert "pooled_coefficients" not in without.stage_names
    assert not any("pooled" in name for name in planned_files(without.config, without.inputs))
    # The refits of the weights are not repeated because slopes are pooled.
    kept = [
        config.model_dump(include=options_of(config, "coefficients"))
        for config in (without.config, result.config)
    ]
    assert kept[0] == kept[1]
    with pytest.raises(StudyError, match=r'pooling = "partial" under \[coefficients\] asks'):
        without.pooled_coefficients()


def test_factor_scores_are_on_one_scale(tmp_path: Path) -> None:
    made = study(tmp_path, toml(base=FACTOR))
    # The questions of the other tests have nothing in common.
    ratings = pd.read_csv(tmp_path / "ratings.csv")
    first = ratings.loc[ratings["question"] == "positive", "score"].to_numpy()
    second = ratings["question"] == "negative"
    ratings.loc[second, "score"] = np.rint((ratings.loc[second, "score"] + first) / 2)
    ratings.to_csv(tmp_path / "ratings.csv", index=False)
    table = made.pooled_coefficients().tables["pooled_slopes"]
    clips = made.models().tables["labelled_clips"]
    rows = made.inputs.measured.table.merge(clips[clips["part"] == "train"], on=KEY)
    options = {"context": "context", "cluster": "subject"}
    with pytest.warns(FewSubjectsWarning):
        pooled, other = (
            px.pooled_coefficients(rows[["subject", "context", *FEATURES]], rows[label], **options)
            for label in ("score_pooled", "score")
        )
    merged = table.merge(pooled.tidy(), on=["context", "feature"], suffixes=("", "_own"))
    np.testing.assert_allclose(merged["estimate"], merged["estimate_own"], rtol=0, atol=EXACT)
    assert not np.allclose(merged["estimate"], other.tidy()["estimate"], atol=0.01)


def test_slopes_that_cannot_be_pooled_have_a_reason(result: StudyResult, tmp_path: Path) -> None:
    _, features = simulated_tables()
    features["AU4"] = features["AU12"] + 1e-9 * features["AU4"]
    found = study(tmp_path, toml(), features=features).pooled_coefficients()
    assert not found.tables
    why = "features are nearly collinear in context 'express'"
    assert why in found.facts["notes"][0]
    tables = {name: table for name, table in result.tables().items() if "pool" not in name}
    stages = result.record["stages"] | {"pooled_coefficients": found.facts}
    (text,) = [one for one in not_done(result.record | {"stages": stages}, tables) if why in one]
    assert text.startswith("Slopes were not pooled over contexts: the slopes of each context")
    assert not any("not pooled" in one for one in not_done(result.record, result.tables()))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (toml('[coefficients]\npooling = "full"'), "pooling must be 'none' or 'partial'"),
        (
            toml('[coefficients]\nsubject_effects = "slopes"'),
            'subject_effects requires pooling = "partial"',
        ),
        (
            toml(base=MEAN.replace("use =", "leave_out = []\n# use =")),
            'pooling = "partial" under [coefficients] requires more than twice as many subjects as '
            "features in each context, but context 'express' has 5 features and 6 subjects in the "
            "train part; name fewer features (use under [features]), or leave pooling out",
        ),
        (
            toml(base=MEAN.replace('"mean"', '"question"\nquestion = "positive"\n'
                                   'kind = "classification"')),
            "[coefficients] tests slopes of a numeric label, but the label is a class",
        ),
    ],
    ids=["unknown", "nothing pooled", "few subjects", "classes"],
)  # fmt: skip
def test_what_cannot_be_is_refused(tmp_path: Path, text: str, message: str) -> None:
    ratings, features = simulated_tables(subjects=10)
    path = write_study(tmp_path, text, ratings=ratings, features=features, quick=False)
    assert any(message in problem for problem in check_study(path).problems)


@pytest.mark.parametrize("n", [1, 2])
def test_few_contexts_are_refused(tmp_path: Path, n: int) -> None:
    ratings, features = (table[table["context"].isin(CONTEXTS[:n])] for table in simulated_tables())
    path = write_study(tmp_path, toml(), ratings=ratings, features=features, quick=False)
    message = f"requires at least 3 contexts, .* but the study has {n}; leave it out"
    with pytest.raises(StudyError, match=message):
        Study.from_file(path).run(progress=False)


def test_the_check_says_what_is_pooled(tmp_path: Path) -> None:
    ratings, features = simulated_tables()
    text = toml(f'{ASKED}\nsubject_effects = "intercepts"')
    checked = check_study(
        write_study(tmp_path, text, ratings=ratings, features=features, quick=False)
    )
    assert not checked.problems
    table = checked.tidy().set_index("item")
    assert table.loc["pooled_coefficients", "detail"].endswith("subjects differ in intercepts")


def test_sensitivity_has_pooled_slopes(result: StudyResult, tmp_path: Path) -> None:
    changes = {"coefficients.subject_effects": ["intercepts"]}
    file = result.folder.parent / "study.toml"
    rows = sensitivity(file, changes, of="coefficients", progress=False).tidy()
    pooled = rows[rows["quantity"] == "pooled slope"].set_index(
        ["specification", "context", "term"]
    )
    other = study(tmp_path, toml(f'{ASKED}\nsubject_effects = "intercepts"'))
    expected = result.table("pooled_slopes"), other.pooled_coefficients().tables["pooled_slopes"]
    for number, table in enumerate(expected):
        own = table.set_index(["context", "feature"])
        for name in ("estimate", "conf_low", "conf_high", "p_value"):
            np.testing.assert_array_equal(pooled.loc[number].loc[own.index, name], own[name])
    assert not np.allclose(pooled.loc[0, "estimate"], pooled.loc[1, "estimate"])
