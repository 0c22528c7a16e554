"""Intervals of the whole analysis in a study: the numbers of `bootstrap_chain` called by hand."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from study_variants import figures_left_empty
from tables_of_a_study import KEY, simulated_tables, write_study

import pyexpr as px
from pyexpr.base.contexts import ALL
from pyexpr.base.errors import FewSubjectsWarning, Interrupted, StudyError
from pyexpr.modeling.chain import steps
from pyexpr.report.tables.whole_analysis import whole_analysis_table
from pyexpr.study.check_study import check_study
from pyexpr.study.pipeline import Study
from pyexpr.study.results.report import study_report
from pyexpr.study.results.result import StudyResult
from pyexpr.study.stages import chain as stage

pytestmark = pytest.mark.filterwarnings(
    f"ignore::{FewSubjectsWarning.__module__}.FewSubjectsWarning"
)

FEATURES = ["AU6", "AU12", "AU4"]
QUESTIONS = ["calm", "open", "warm"]
# Rounding of the same numbers computed from the same rows.
EXACT = 1e-12
# The study's engine of factor models and its elastic net compute the same in another way.
ALIKE = 1e-6
STUDY = """
[data]
features = "features.csv"
[ratings]
low = 1
high = 7
[features]
use = ["AU6", "AU12", "AU4"]
[evaluation]
scheme = "cross_validation"
folds = 3
inner_folds = 3
[factor_model]
engine = "native"
[models.elastic_net]
alpha = [0.05, 0.5]
l1_ratio = [0.5]
[baselines]
human = "none"
[compute]
n_jobs = 1
[compare]
bootstrap = "chain"
n_boot = 12
confidence = 0.8
[coefficients]
n_boot = 40
"""
NET = px.ElasticNetRegressor(alpha=[0.05, 0.5], l1_ratio=[0.5], n_folds=3, seed=1)
BY_HAND = {
    "features": FEATURES, "targets": KEY, "cluster": "subject", "context": "context",
    "ratings": "score", "question": "question", "model": {"expressiveness": QUESTIONS},
    "models": {"elastic_net": NET}, "folds": 3, "inner_folds": 3, "seed": 1, "n_boot": 12,
    "confidence": 0.8,
    "metrics": ["nrmse", "correlation"], "score_range": 7.0,
}  # fmt: skip


def tables(subjects: int = 10) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return ratings of three questions, and features.

    A subject lacks a context, another a feature in all clips; a clip lacks a question, or a
    feature.
    """
    _, features = simulated_tables(subjects, 3)
    features["group"] = np.where(features["subject"].str[-1].astype(int) % 2, "odd", "even")
    features = features[~((features["subject"] == "S01") & (features["context"] == "normal"))]
    features = features.reset_index(drop=True)
    rng = np.random.default_rng(3)
    felt = 0.9 * features["AU12"] + 0.5 * features["AU6"] + 0.8 * rng.normal(size=len(features))
    ratings = pd.concat(
        [
            features[KEY].assign(
                rater=f"r{rater}", question=question,
                score=np.clip(np.rint(4 + sign * felt + rng.normal(size=len(felt))), 1, 7),
            )
            for question, sign in zip(QUESTIONS, (1.0, 0.8, 0.9), strict=True)
            for rater in range(3)
        ],
        ignore_index=True,
    )  # fmt: skip
    lost = (ratings["subject"] == "S03") & (ratings["clip"] == "2")
    lost &= ratings["question"] == "open"
    features.loc[5, "AU6"] = np.nan
    features.loc[features["subject"] == "S04", "AU12"] = np.nan
    return ratings[~lost].reset_index(drop=True), features


def study_of(folder: Path, text: str = STUDY, **changed: str) -> Study:
    for old, new in changed.items():
        assert old in text
        text = text.replace(old, new)
    ratings, features = tables()
    return Study.from_file(
        write_study(folder, text, ratings=ratings, features=features, quick=False)
    )


def entry(text: str, old: str, new: str) -> str:
    assert old in text
    return text.replace(old, new)


def rows(table: pd.DataFrame) -> pd.DataFrame:
    return table.set_index(["metric", "term", "context"])


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> StudyResult:
    study = study_of(tmp_path_factory.mktemp("chain"))
    with figures_left_empty():
        found = study.run(progress=False)
    assert isinstance(found, StudyResult)
    return found


NUMBERS = ["estimate", "std_error", "conf_low", "conf_high", "fixed_low", "fixed_high",
           "error_ratio", "n_undefined"]  # fmt: skip


def same(table: pd.DataFrame, hand: px.ChainResult, terms: dict[tuple[str, bool], str]) -> None:
    """Assert that a study's table has the numbers of a result, with models under other names.

    `terms` has the name in the result by the name in the study, and whether it is over all.
    """
    for method in table["method"].unique():
        theirs = rows(hand.interval(method=method).tidy())
        for row in table[table["method"] == method].to_dict("records"):
            term = terms.get((row["term"], row["context"] == ALL), row["term"])
            other = theirs.loc[(row["metric"], term, row["context"])]
            for name in NUMBERS:
                np.testing.assert_allclose(row[name], other[name], rtol=EXACT, atol=EXACT)


PAPERS = {("elastic_net", True): "elastic_net, pooled",
          ("elastic_net", False): "elastic_net, separate"}  # fmt: skip


def test_the_numbers_are_those_by_hand(result: StudyResult) -> None:
    ratings, features = tables()
    table = result.table("chain")
    assert table["method"].unique().tolist() == ["jackknife_t", "percentile"]
    same(table, px.bootstrap_chain(features, ratings, **BY_HAND), PAPERS)
    counts = table[table["method"] == "percentile"]["step"].value_counts().to_dict()
    assert counts == {"reliability": 12, "factor_model": 36, "models": 8}


def test_estimates_and_usual_intervals_are_those_of_the_other_stages(result: StudyResult) -> None:
    """The rest of the study computes them by other functions, so the analysis is the same."""
    own = result.table("chain").query("method == 'jackknife_t'")
    compared = result.table("comparison").query("method == 'jackknife_t'")
    mine = rows(own[own["step"] == "models"])
    usual = rows(compared).loc[mine.index]
    for name, other in (("estimate", "estimate"), ("fixed_low", "conf_low"),
                        ("fixed_high", "conf_high"), ("fixed_error", "std_error")):  # fmt: skip
        np.testing.assert_allclose(mine[name], usual[other], rtol=ALIKE)
    levels = compared[compared["first_model"].eq("elastic_net") & compared["kind"].eq("level")]
    assert len(mine) == len(levels) == 8
    reliability = result.table("reliability").set_index(["question", "context"])
    for row in own[own["step"] == "reliability"].to_dict("records"):
        other = reliability.loc[(row["term"], row["context"])]
        theirs = other[["estimate", "conf_low_subjects", "conf_high_subjects"]]
        np.testing.assert_allclose(
            [row["estimate"], row["conf_low"], row["conf_high"]], theirs.astype(float), rtol=ALIKE
        )
    loadings = result.table("loadings").set_index(["indicator", "context"])["std_loading"]
    for row in own[own["metric"] == "std_loading"].to_dict("records"):
        assert abs(row["estimate"] - loadings[row["term"], row["context"]]) < ALIKE


VARIANTS = {
    "repeats, covariates, another metric": (
        {
            "inner_folds = 3": "inner_folds = 3\nrepeats = 2",
            'use = ["AU6", "AU12", "AU4"]': 'use = ["AU6", "AU12", "AU4"]\n'
            'adjust_for = ["quality", "group"]',
            "n_boot = 12": 'metrics = ["rmse", "bias"]\nmethods = ["jackknife_t"]',
        },
        {"repeats": 2, "adjust_for": ["quality", "group"], "metrics": ["rmse", "bias"],
         "n_boot": 0, "score_range": None},
        PAPERS,
    ),
    "pooled labels, every way of contexts, a question that decides the sign": (
        {
            'engine = "native"': 'engine = "native"\nlabels = "pooled"\npositive = "warm"',
            "[models.elastic_net]": '[models]\ncontext_as = ["separate", "pooled", "feature"]\n'
            "[models.elastic_net]",
        },
        {"labels": "pooled", "model": {"expressiveness": ["warm", "calm", "open"]},
         "context_as": ["separate", "pooled", "feature"]},
        {(study, everywhere): hand for everywhere in (True, False) for study, hand in (
            ("elastic_net", "elastic_net, separate"),
            ("elastic_net_pooled", "elastic_net, pooled"),
            ("elastic_net_with_context", "elastic_net, feature"),
            ("elastic_net - elastic_net_pooled", "elastic_net, separate - elastic_net, pooled"),
            ("elastic_net - elastic_net_with_context",
             "elastic_net, separate - elastic_net, feature"),
            ("elastic_net_pooled - elastic_net_with_context",
             "elastic_net, pooled - elastic_net, feature"))},
    ),
    "means of ratings": (
        {"[features]": '[label]\nmethod = "mean"\n[features]', "n_boot = 12": "n_boot = 12\n"
         'methods = ["percentile", "basic"]'},
        {"model": None, "method": "percentile", "score_range": 6.0, "models": {
            "elastic_net": px.ElasticNetRegressor(
                alpha=[0.05, 0.5], l1_ratio=[0.5], n_folds=3, seed=1)}},
        PAPERS,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", VARIANTS)
def test_other_analyses_are_the_same(tmp_path: Path, name: str) -> None:
    changed, options, terms = VARIANTS[name]
    ratings, features = tables()
    table = study_of(tmp_path, **changed).chain(progress=False).tables["chain"]
    same(table, px.bootstrap_chain(features, ratings, **BY_HAND | options), terms)


def test_one_question_in_one_context(tmp_path: Path) -> None:
    ratings, features = tables()
    ratings, features = (one[one["context"] == "express"] for one in (ratings, features))
    text = entry(STUDY, "[features]", '[label]\nmethod = "question"\nquestion = "open"\n[features]')
    text = entry(text, "n_boot = 12", 'metrics = ["rmse"]\nmethods = ["jackknife_t"]')
    path = write_study(tmp_path, text, ratings=ratings, features=features, quick=False)
    table = Study.from_file(path).chain().tables["chain"]
    hand = px.bootstrap_chain(
        features, ratings[ratings["question"] == "open"],
        **BY_HAND | {"model": None, "context": None, "metrics": "rmse", "n_boot": 0,
                     "score_range": None},
    )  # fmt: skip
    assert set(table["context"]) == {"express"}
    same(table.assign(context=ALL), hand, {("elastic_net", True): "elastic_net"})


def test_models_of_python_are_compared(tmp_path: Path) -> None:
    study = study_of(tmp_path, **{"n_boot = 12": 'methods = ["jackknife_t"]'})
    other = px.ElasticNetRegressor(alpha=[0.3], l1_ratio=[1.0], n_folds=3, seed=5)
    both = Study(study.config, tmp_path, models={"lasso": other})
    table = both.chain().tables["chain"]
    ratings, features = tables()
    hand = px.bootstrap_chain(
        features, ratings, **BY_HAND | {"models": {"elastic_net": NET, "lasso": other}, "n_boot": 0}
    )
    terms = {
        (name, everywhere): " - ".join(f"{one}, {way}" for one in name.split(" - "))
        for everywhere, way in ((True, "pooled"), (False, "separate"))
        for name in ("elastic_net", "lasso", "elastic_net - lasso")
    }
    same(table, hand, terms)
    assert (table["kind"] == "difference").sum() == 8


def test_a_feature_may_be_called_like_the_factor(tmp_path: Path) -> None:
    ratings, features = tables()
    text = entry(STUDY, '"AU4"]', '"expressiveness"]')
    text = entry(text, "n_boot = 12", 'methods = ["jackknife_t"]')
    renamed = features.rename(columns={"AU4": "expressiveness"})
    path = write_study(tmp_path, text, ratings=ratings, features=renamed, quick=False)
    table = Study.from_file(path).chain().tables["chain"]
    same(table, px.bootstrap_chain(features, ratings, **BY_HAND | {"n_boot": 0}), PAPERS)


def test_the_report_shows_both_intervals(result: StudyResult, tmp_path: Path) -> None:
    page = (result.folder / "report.html").read_text(encoding="utf-8")
    text = re.sub(r"<[^>]*>", "", page)
    table = rows(result.table("chain").query("method == 'jackknife_t'"))
    row = table.loc[("nrmse", "elastic_net", ALL)]
    assert "Two kinds of interval answer two questions." in page
    assert f"a standard error {row['error_ratio']:.2f} times as large" in page
    assert "Only for the intervals of the whole analysis were models fitted again" in page
    assert "one subject after another was left out of the study" in page
    lines = (result.folder / "whole_analysis.md").read_text(encoding="utf-8").splitlines()
    shown = next(line for line in lines if line.startswith("| NRMSE") and "| All" in line)
    cells = [cell.strip() for cell in shown.split("|")[1:-1]]
    assert cells[3:6] == [
        f"{row['estimate']:.3f}",
        f"[{row['fixed_low']:.3f}, {row['fixed_high']:.3f}]",
        f"[{row['conf_low']:.3f}, {row['conf_high']:.3f}]",
    ]
    assert cells[7:] == [f"{row['error_ratio']:.2f}", str(int(row["n_undefined"]))]
    stored = result.record["stages"]["chain"]
    assert stored["draws"] == 12
    if stored["undefined draws"]:
        assert f"Of the 12 draws of subjects, {stored['undefined draws']} left some" in text
    again = study_report(result.folder, output=tmp_path / "again.html")
    assert again.read_bytes() == (result.folder / "report.html").read_bytes()


def test_a_stored_stage_is_not_computed_again(result: StudyResult) -> None:
    path = result.folder.parent / "study.toml"
    with figures_left_empty():
        again = Study.from_file(path).run(progress=False)
    assert isinstance(again, StudyResult)
    assert "chain" in again.reused
    pd.testing.assert_frame_equal(again.table("chain"), result.table("chain"))
    # Without it the study needs no stage anew.
    plain = path.with_name("plain.toml")
    plain.write_text(entry(path.read_text("utf-8"), 'bootstrap = "chain"\n', ""), encoding="utf-8")
    study = Study.from_file(plain)
    with figures_left_empty():
        usual = study.run(progress=False)
    assert isinstance(usual, StudyResult)
    assert set(usual.reused) == set(study.stage_names)
    assert "whole analysis" not in (usual.folder / "report.html").read_text(encoding="utf-8")
    assert not (usual.folder / "chain.csv").exists()
    assert not (usual.folder / "whole_analysis.csv").exists()


def test_ctrl_c_keeps_the_stages_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    study = study_of(tmp_path, **{"n_boot = 12": 'methods = ["jackknife_t"]'})
    monkeypatch.setattr(steps, "_some", stop)
    with pytest.raises(Interrupted, match="the completed stages are stored"):
        study.chain(progress=False)
    monkeypatch.undo()
    again = Study.from_file(tmp_path / "study.toml")
    again.chain(progress=True)
    assert "refitting" in capsys.readouterr().err
    assert set(again.reused) == {"reliability", "factor_model", "features", "models", "comparison"}


def test_another_analysis_is_not_shown(result: StudyResult) -> None:
    study = Study(result.config, result.folder.parent)
    stages = {name: result.stages[name] for name in ("reliability", "features", "comparison")}
    stages["label"] = result.stages["factor_model"]
    other = stages["comparison"].tables["comparison"]
    wrong = other.assign(estimate=other["estimate"] * (1 + 1e-5))
    stages["comparison"] = type(stages["label"])({"comparison": wrong}, {})
    found = stage.chain(result.config, study.inputs, stages, progress=False)
    assert not found.tables
    (note,) = found.facts["notes"]
    assert "are not shown, because its own nrmse of 'elastic_net' in context 'express'" in note


REFUSED = {
    'scheme = "cross_validation"\nfolds = 3': (
        'scheme = "split"', 'requires scheme = "cross_validation" under [evaluation]'),
    "n_boot = 12": ('metrics = ["nrmse_within"]', "does not have the metric nrmse_within"),
    "n_boot = 12\n": ('methods = ["bca"]\n', "has intervals by 'jackknife_t', 'percentile' only"),
    "[baselines]": (
        '[models.ridge]\nestimator = "sklearn.linear_model.Ridge"\n[baselines]',
        "but [models.ridge] is Ridge; leave one of them out"),
    "[models.elastic_net]\n": (
        "[models.lstm]\n[models.elastic_net]\n", "leave out bootstrap, or [models.lstm]"),
    "[features]": (
        '[label]\nmethod = "column"\ncolumn = "quality"\n[features]',
        "begins with the ratings, but the label is a column"),
    "[features]\n": (
        '[label]\nkind = "classification"\nmethod = "question"\nquestion = "calm"\n[features]\n',
        "requires a label that is a number, but the label is a class"),
}  # fmt: skip


@pytest.mark.parametrize("old", REFUSED)
def test_what_does_not_fit_is_refused_at_once(tmp_path: Path, old: str) -> None:
    new, message = REFUSED[old]
    ratings, features = tables()
    path = write_study(
        tmp_path, entry(STUDY, old, new), ratings=ratings, features=features, quick=False
    )
    problems = [one for one in check_study(path).problems if 'bootstrap = "chain"' in one]
    assert any(message in one for one in problems), problems
    with pytest.raises(StudyError, match=re.escape(message)):
        Study.from_file(path).run(progress=False)
    assert not (tmp_path / "results" / "stages" / "reliability.zip").exists()


def test_ratings_of_an_improper_factor_model_are_refused(tmp_path: Path) -> None:
    ratings, features = tables()
    noise = np.random.default_rng(1).integers(1, 8, len(ratings))
    other = ratings["question"].ne("calm")
    mixed = ratings.assign(score=ratings["score"].where(other, noise))
    mixed.loc[ratings["question"] == "warm", "score"] = (
        ratings.loc[ratings["question"] == "open", "score"]
        .reindex(ratings.index[ratings["question"] == "warm"])
        .fillna(4)
    )
    path = write_study(tmp_path, STUDY, ratings=mixed, features=features, quick=False)
    (problem,) = check_study(path).problems
    assert problem.startswith('bootstrap = "chain" under [compare]: ')


def test_two_questions_are_too_few(tmp_path: Path) -> None:
    ratings, features = tables()
    ratings = ratings[ratings["question"] != "open"]
    path = write_study(tmp_path, STUDY, ratings=ratings, features=features, quick=False)
    (problem,) = check_study(path).problems
    assert "of at least three questions, but the ratings have 2 questions" in problem


def test_three_subjects_are_too_few(tmp_path: Path) -> None:
    ratings, features = (one[one["subject"] <= "S02"] for one in tables())
    path = write_study(tmp_path, STUDY, ratings=ratings, features=features, quick=False)
    assert any("requires at least 4 subjects" in one for one in check_study(path).problems)


def test_the_check_says_what_is_computed(result: StudyResult) -> None:
    points = check_study(result.folder.parent / "study.toml").tidy().set_index("item")
    assert "again without each subject, and for 12 draws" in points.loc["chain", "detail"]
    net = points.loc["elastic_net", "n"]
    assert points.loc["whole analysis", "n"] == net * (9 + 12)


def test_a_study_without_it_says_how_to_ask(tmp_path: Path) -> None:
    study = study_of(tmp_path, **{'bootstrap = "chain"\n': ""})
    with pytest.raises(StudyError, match=r'bootstrap = "chain" under \[compare\]'):
        study.chain()


def test_other_specifications_do_without_it(tmp_path: Path) -> None:
    study = study_of(tmp_path, **{"n_boot = 12": 'methods = ["jackknife_t"]'})
    found = px.sensitivity(
        study, {"compare.metrics": [["rmse_within"]]}, of="reliability", progress=False
    )
    assert found.specifications["reason"].eq("").all()


def test_a_missing_number_has_its_reason(tmp_path: Path) -> None:
    """With a penalty that removes all features in some folds, correlations are undefined."""
    changed = {"alpha = [0.05, 0.5]\nl1_ratio = [0.5]": "alpha = [0.9]\nl1_ratio = [1.0]"}
    study = study_of(tmp_path, **changed)
    output = study.chain(progress=False)
    table = output.tables["chain"]
    none = table[table["estimate"].isna()]
    assert set(none["metric"]) == {"correlation"}
    assert none["reason"].str.startswith("prediction 'elastic_net' is constant in fold").all()
    numbers = table[["std_error", "conf_low", "conf_high"]].isna().any(axis=1)
    numbers |= table[["fixed_low", "fixed_high"]].isna().any(axis=1) & table["step"].eq("models")
    assert (table.loc[numbers, "reason"] != "").all()
    shown = whole_analysis_table(table[table["step"] == "models"], confidence=0.8, n_boot=12)
    assert any("is constant in fold" in note for note in shown.notes)
    assert output.facts["undefined draws"] > 0
    assert {row[8] for row in shown.rows} > {"12"}
