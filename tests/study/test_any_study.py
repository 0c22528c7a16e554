"""Studies that differ from the paper's: features of other programs, other labels, any model."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import compress
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import RandomForestRegressor
from sklearn.linear_model import Ridge
from study_variants import figures_left_empty, variant
from tables_of_a_study import (
    CONTEXTS,
    FEATURES,
    KEY,
    QUESTIONS,
    simulated_tables,
    write_study,
)

from pyexpr.base.errors import DataError, StudyError
from pyexpr.modeling.splits import subject_folds
from pyexpr.study.pipeline import Study
from pyexpr.study.results.result import OutcomesResult, StudyResult

CROSSED = """
[evaluation]
scheme = "cross_validation"
folds = 4
inner_folds = 3
"""
ONE_QUESTION = """
[data]
features = "features.csv"

[ratings]
low = 1
high = 7

[label]
method = "question"
question = "positive"

[features]
leave_out = ["quality"]
"""
FOREST = """
[models.forest]
estimator = "sklearn.ensemble.RandomForestRegressor"
params = { n_estimators = 8 }
"""


@pytest.fixture(autouse=True, scope="module")
def without_pictures() -> Iterator[None]:
    """Pictures take half of the time of a small study, and no test here looks at one."""
    with figures_left_empty():
        yield


def run(path: Path) -> StudyResult:
    result = Study.from_file(path).run(progress=False)
    assert isinstance(result, StudyResult)
    return result


def mean_ratings(ratings: pd.DataFrame, question: str) -> pd.DataFrame:
    own = ratings[ratings["question"] == question]
    return own.groupby(KEY)["score"].mean().rename("label").reset_index()


@pytest.fixture(scope="module")
def tables() -> tuple[pd.DataFrame, pd.DataFrame]:
    return simulated_tables()


@pytest.fixture(scope="module")
def outcomes(
    tables: tuple[pd.DataFrame, pd.DataFrame], tmp_path_factory: pytest.TempPathFactory
) -> OutcomesResult:
    """Both questions as labels, an elastic net and a forest, cross-validated."""
    toml = ONE_QUESTION.replace('question = "positive"', 'question = ["positive", "negative"]')
    toml = 'title = "Two questions"\nunit = "video"\n' + (
        'outcome = { positive = "positive affect", negative = "negative affect" }\n'
        + toml + '[models]\ncontext_as = ["separate", "pooled", "feature"]\n' + FOREST + CROSSED
    )  # fmt: skip
    ratings, features = tables
    path = write_study(
        tmp_path_factory.mktemp("outcomes"), toml, ratings=ratings, features=features
    )
    result = Study.from_file(path).run(progress=False)
    assert isinstance(result, OutcomesResult)
    return result


def test_each_label_has_results_of_its_own(outcomes: OutcomesResult) -> None:
    assert list(outcomes.outcomes) == list(QUESTIONS)
    for name, result in outcomes.outcomes.items():
        assert (outcomes.folder / name / "report.html").is_file()
        assert result.table("scores")["score"].notna().all()
    page = (outcomes.folder / "report.html").read_text(encoding="utf-8")
    for name in QUESTIONS:
        assert f'href="{name}/report.html"' in page
        assert f"{name.title()} affect" in page
    assert set(outcomes.tidy()["outcome"]) == set(QUESTIONS)
    assert "2 outcomes" in outcomes.heading()


def test_predictions_are_those_of_scikit_learn_on_the_same_folds(
    outcomes: OutcomesResult, tables: tuple[pd.DataFrame, pd.DataFrame]
) -> None:
    ratings, features = tables
    rows = features.merge(mean_ratings(ratings, "positive"), on=KEY)
    X, y = rows[list(FEATURES)], rows["label"].to_numpy()
    folds = subject_folds(rows["subject"], 4, seed=1)
    expected = np.empty(len(rows))
    for fold in range(4):
        test = folds == fold
        forest = RandomForestRegressor(n_estimators=8, random_state=1).fit(X[~test], y[~test])
        expected[test] = forest.predict(X[test])
    table = outcomes.outcomes["positive"].table("predictions")
    overall = table[table["evaluated"] == "all"].set_index(KEY)
    found = overall.loc[pd.MultiIndex.from_frame(rows[KEY]), "forest_pooled"]
    np.testing.assert_allclose(found.to_numpy(), expected, rtol=0, atol=1e-12)
    np.testing.assert_array_equal(
        overall.loc[pd.MultiIndex.from_frame(rows[KEY]), "fold"].to_numpy(), folds
    )
    np.testing.assert_allclose(
        overall.loc[pd.MultiIndex.from_frame(rows[KEY]), "truth"].to_numpy(), y, atol=1e-12
    )


def test_all_ways_of_contexts_stand_in_one_table(outcomes: OutcomesResult) -> None:
    result = outcomes.outcomes["positive"]
    levels = result.table("comparison").query("kind == 'level'")
    learned = {
        f"{model}{suffix}"
        for model in ("elastic_net", "forest")
        for suffix in ("", "_pooled", "_with_context")
    }
    for context in (*CONTEXTS, "all"):
        own = levels[levels["context"] == context]
        assert learned | {"uniform", "normal", "human"} == set(own["first_model"])
    facts = result.record["stages"]["models"]["columns"]
    assert facts["forest_with_context"] == ["forest", "feature"]


def test_correlations_are_within_folds(outcomes: OutcomesResult) -> None:
    result = outcomes.outcomes["positive"]
    table = result.table("predictions")
    own = table[table["evaluated"] == "normal"]
    each = [
        (np.corrcoef(part["truth"], part["forest"])[0, 1], len(part))
        for _, part in own.groupby("fold")
    ]
    expected = np.average([r for r, _ in each], weights=[n for _, n in each])
    found = result.table("comparison").query(
        "kind == 'level' and first_model == 'forest' and context == 'normal' "
        "and metric == 'correlation' and method == 'jackknife_t'"
    )
    assert found["estimate"].item() == pytest.approx(expected, abs=1e-12)


def test_the_report_tells_this_study_and_no_other(outcomes: OutcomesResult) -> None:
    text = (outcomes.folder / "positive" / "report.html").read_text(encoding="utf-8")
    assert "A sample of 20 subjects was observed in" in text
    assert "Models predicted positive affect by cross-validation in four folds" in text
    assert "4 features of each video were supplied with the data" in text
    assert "RandomForestRegressor (n_estimators = 8)" in text
    assert "20 subjects (240 videos) were divided at random (seed 1) into four folds" in text
    text = text.partition("<body>")[2].partition("<script>")[0]
    for absent in ("OpenFace", "factor model", "Bartlett", "clips", "test part", "lavaan"):
        assert absent not in text, absent


def test_a_human_rater_is_evaluated_in_the_unit_of_the_ratings(
    outcomes: OutcomesResult, tables: tuple[pd.DataFrame, pd.DataFrame]
) -> None:
    ratings, _ = tables
    wide = ratings[ratings["question"] == "positive"].pivot_table("score", KEY, "rater")
    table = outcomes.outcomes["positive"].table("predictions")
    own = table[table["evaluated"] == "all"].set_index(KEY).loc[wide.index]
    np.testing.assert_allclose(own["human_2"], wide["r2"], atol=1e-9)
    np.testing.assert_allclose(own["human_2_criterion"], wide[["r1", "r3"]].mean(axis=1), atol=1e-9)


def test_coefficients_are_those_of_all_rows(outcomes: OutcomesResult) -> None:
    table = outcomes.outcomes["positive"].table("coefficients")
    assert table["n"].groupby(table["context"]).first().to_dict()["all"] == 240
    strongest = table.loc[table.groupby("context")["tested_estimate"].idxmax(), "feature"]
    assert set(strongest) == {"AU12"}


def test_the_same_bytes_again(
    outcomes: OutcomesResult, tmp_path: Path, tables: tuple[pd.DataFrame, pd.DataFrame]
) -> None:
    ratings, features = tables
    toml = (outcomes.folder.parent / "study.toml").read_text(encoding="utf-8")
    shuffled = ratings.sample(frac=1, random_state=1)
    path = write_study(tmp_path, toml, ratings=shuffled, features=features, quick=False)
    again = Study.from_file(path).run(progress=False)
    assert isinstance(again, OutcomesResult)
    for name in ("comparison.csv", "predictions.csv", "coefficients.csv"):
        there = outcomes.folder / "positive" / name
        assert (again.folder / "positive" / name).read_bytes() == there.read_bytes()


def test_a_label_that_is_given_needs_no_ratings(
    tmp_path: Path, tables: tuple[pd.DataFrame, pd.DataFrame]
) -> None:
    ratings, features = tables
    features = features.merge(mean_ratings(ratings, "positive"), on=KEY)
    toml = """
[data]
features = "features.csv"

[label]
method = "column"
column = "label"

[features]
use = ["AU12", "AU6"]
adjust_for = ["quality"]
"""
    result = run(write_study(tmp_path, toml + CROSSED, features=features))
    assert [*result.stages] == ["label", "features", "models", "comparison", "coefficients"]
    assert set(result.table("comparison")["metric"]) == {"rmse", "correlation"}
    levels = result.table("comparison").query("kind == 'level'")
    assert set(levels["first_model"]) == {"elastic_net", "normal"}
    assert result.stages["features"].facts["features"] == ["AU6", "AU12"]
    assert set(result.table("coefficients")["feature"]) == {"AU6", "AU12", "quality"}
    text = (result.folder / "report.html").read_text(encoding="utf-8")
    assert "All models and slopes are adjusted for quality" in text
    assert not re.search(r"\braters?\b", text)


def test_two_questions_make_a_factor_of_equal_loadings(
    tmp_path: Path, tables: tuple[pd.DataFrame, pd.DataFrame]
) -> None:
    ratings, features = tables
    first = ratings[ratings["question"] == "positive"]
    noise = np.random.default_rng(3).normal(0, 0.8, len(features))
    seen = features[KEY].assign(score=np.clip(3.5 + 1.2 * features["AU12"] + noise, 1, 7))
    second = first.drop(columns="score").assign(question="second").merge(seen, on=KEY)
    both = pd.concat([first, second], ignore_index=True)
    toml = """
[data]
features = "features.csv"

[ratings]
low = 1
high = 7

[factor_model]
factor = "affect"
engine = "native"
"""
    result = run(write_study(tmp_path, toml + CROSSED, ratings=both, features=features))
    loadings = result.table("loadings")
    for _, own in loadings.groupby("context"):
        assert own["loading"].nunique() == 1
    scores = result.table("scores")
    both_means = scores[["positive", "second"]]
    own = scores["context"] == "normal"
    assert np.corrcoef(scores.loc[own, "score"], both_means[own].sum(axis=1))[0, 1] > 0.98
    text = (result.folder / "report.html").read_text(encoding="utf-8")
    assert "two indicators with equal loadings leave no degrees of freedom" in text
    assert "Measurement invariance of the factor model over contexts was not tested" in text


def test_one_split_and_a_grid(tmp_path: Path, tables: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    ratings, features = tables
    more = """
[models.ridge]
estimator = "sklearn.linear_model.Ridge"
grid = { alpha = [0.1, 10.0] }
scale = true
"""
    toml = ONE_QUESTION.replace('method = "question"\nquestion = "positive"', 'method = "mean"')
    result = run(write_study(tmp_path, toml + more, ratings=ratings, features=features))
    table = result.table("predictions")
    # In a context its own models, over all the one over all: as in the paper.
    assert {"elastic_net", "ridge"} <= set(table)
    test = set(result.table("split").query("part == 'test'")["subject"])
    assert set(table["subject"]) == test
    both = pd.concat([mean_ratings(ratings, name) for name in QUESTIONS])
    expected = both.groupby(KEY)["label"].mean()
    scores = result.table("scores").set_index(KEY)["score"]
    np.testing.assert_allclose(scores.loc[expected.index], expected, atol=1e-12)
    assert set(result.table("weights")["feature"]) == set(FEATURES)


def test_repeats_are_averaged_and_their_spread_is_reported(
    tmp_path: Path, tables: tuple[pd.DataFrame, pd.DataFrame]
) -> None:
    ratings, features = tables
    toml = ONE_QUESTION + CROSSED.replace("folds = 4\n", "folds = 4\nrepeats = 2\n")
    result = run(write_study(tmp_path, toml, ratings=ratings, features=features))
    table = result.table("predictions").query("evaluated == 'all'")
    rmse = [
        np.sqrt(np.mean((table["truth"] - table[f"elastic_net_repeat{r}"]) ** 2)) for r in (1, 2)
    ]
    assert rmse[0] != rmse[1]
    found = result.table("comparison").query(
        "kind == 'level' and first_model == 'elastic_net' and context == 'all' "
        "and metric == 'nrmse' and method == 'jackknife_t'"
    )
    assert found["estimate"].item() == pytest.approx(np.mean(rmse) / 6, abs=1e-12)
    spread = result.table("repeat_spread").query(
        "model == 'elastic_net' and context == 'all' and metric == 'nrmse'"
    )
    assert spread["repeat_sd"].item() == pytest.approx(np.std(rmse, ddof=1) / 6, abs=1e-12)
    assert spread["n_repeats"].item() == 2


def test_a_study_without_contexts(
    tmp_path: Path, tables: tuple[pd.DataFrame, pd.DataFrame]
) -> None:
    ratings, features = (
        table[table["context"] == "normal"].drop(columns="context") for table in tables
    )
    toml = ONE_QUESTION.replace("[data]\n", "[data]\ncontexts = false\n") + FOREST + CROSSED
    result = run(write_study(tmp_path, toml, ratings=ratings, features=features))
    assert set(result.table("scores")["context"]) == {"all_clips"}
    assert "contrasts" not in {name for one in result.stages.values() for name in one.tables}
    text = (result.folder / "report.html").read_text(encoding="utf-8")
    assert "per context" not in text


def test_models_from_python_are_objects(
    tmp_path: Path, tables: tuple[pd.DataFrame, pd.DataFrame]
) -> None:
    ratings, features = tables
    toml = ONE_QUESTION + CROSSED + "\n[models]\nelastic_net = false\n"
    toml += "[compare]\nn_boot = 200\n[coefficients]\nn_boot = 50\n"
    path = write_study(tmp_path, toml + FOREST, ratings=ratings, features=features, quick=False)
    study = Study.from_file(path, models={"ridge": Ridge(alpha=3.0)})
    result = study.run(progress=False)
    assert isinstance(result, StudyResult)
    models = result.record["options"]["models"]
    assert models["ridge"]["estimator"] == "Ridge(alpha=3.0)"
    levels = result.table("comparison").query("kind == 'level'")
    assert {"forest", "ridge"} <= set(levels["first_model"])
    assert "elastic_net" not in set(levels["first_model"])
    # The described weights are those of an elastic net all the same.
    assert result.table("coefficients")["alpha"].notna().all()
    other = Study.from_file(path, models={"ridge": Ridge(alpha=4.0)}).run(progress=False)
    assert "models" not in other.reused


def test_recordings_without_landmarks_have_the_other_features(
    study_folder: Path, tmp_path: Path
) -> None:
    groups = ("x_", "y_", "X_", "Y_", "Z_", "p_", "eye_")
    cut = {}
    for path in sorted((study_folder / "openface").iterdir()):
        lines = path.read_text(encoding="utf-8").splitlines()
        kept = [not name.strip().startswith(groups) for name in lines[0].split(",")]
        rows = (",".join(compress(line.split(","), kept)) for line in lines)
        cut[path.name] = "\n".join(rows).encode()
    path = variant(study_folder, tmp_path / "bare", openface=cut)
    study = Study.from_file(path)
    features = study.features(progress=False)
    assert features.facts["absent features"] == ["points_displacement", "points_velocity"]
    assert len(features.facts["features"]) == 12
    assert any("points_displacement" in note for note in features.facts["notes"])
    weighted = study.models().tables["weights"]["feature"]
    assert set(weighted) == set(features.facts["features"])


def test_subjects_of_few_clips_and_ratings_off_the_scale(
    tmp_path: Path, tables: tuple[pd.DataFrame, pd.DataFrame]
) -> None:
    ratings, features = (table.copy() for table in tables)
    ratings.loc[3, "score"] = 8
    ratings = ratings[~((ratings["subject"] == "S05") & (ratings["clip"] != "1"))]
    toml = ONE_QUESTION.replace("[data]\n", '[data]\nunmatched = "drop"\nmin_clips = 4\n')
    toml = toml.replace("[ratings]\n", '[ratings]\nout_of_range = "drop"\nincomplete = "drop"\n')
    study = Study.from_file(write_study(tmp_path, toml, ratings=ratings, features=features))
    inputs = study.inputs
    assert inputs.dropped["ratings outside of the scale"] == 1
    # The two other raters of that clip's question.
    assert inputs.dropped["ratings of clips with another rating missing"] == 2
    assert "S05" not in set(inputs.clips()["subject"])
    reasons = inputs.unmatched["reason"].value_counts().to_dict()
    assert reasons == {
        "in the table of features, but without ratings": 9,
        "from a subject with too few observations": 3,
    }
    reliability = study.reliability().tables["reliability"]
    positive = reliability.query("question == 'positive' and context == 'all'")
    assert positive["n_targets"].item() == 19 * 12 - 1


def test_a_wide_table_of_ratings_is_the_long_one(
    tmp_path: Path, tables: tuple[pd.DataFrame, pd.DataFrame]
) -> None:
    ratings, features = tables
    wide = ratings.assign(column=ratings["question"] + "_" + ratings["rater"])
    wide = wide.pivot(index=KEY, columns="column", values="score").reset_index()
    toml = ONE_QUESTION.replace("[ratings]\n", '[ratings]\nwide = "{question}_{rater}"\n')
    path = write_study(tmp_path, toml, ratings=wide, features=features)
    found = Study.from_file(path).inputs.ratings
    names = [*KEY, "rater", "question"]
    expected = ratings.set_index(names)["score"].astype(float).sort_index()
    pd.testing.assert_series_equal(
        found.set_index(names)["score"].sort_index(), expected, check_names=False
    )
    one = wide.rename(columns={f"positive_r{i}": f"r{i}" for i in (1, 2, 3)})
    one = one[[*KEY, "r1", "r2", "r3"]]
    toml = toml.replace('"{question}_{rater}"', '"r{rater}"').replace(
        'question = "positive"', 'question = "rating"'
    )
    path = write_study(tmp_path / "one", toml, ratings=one, features=features)
    inputs = Study.from_file(path).inputs
    assert inputs.questions == ("rating",)
    assert set(inputs.ratings["rater"]) == {"1", "2", "3"}


def test_features_from_parquet_are_those_of_csv(
    tmp_path: Path, tables: tuple[pd.DataFrame, pd.DataFrame]
) -> None:
    ratings, features = tables
    path = write_study(tmp_path, ONE_QUESTION, ratings=ratings, features=features)
    expected = Study.from_file(path).features().tables["features"]
    numbers = features.assign(clip=features["clip"].astype(int))
    numbers.to_parquet(tmp_path / "features.parquet")
    toml = ONE_QUESTION.replace("features.csv", "features.parquet")
    path = write_study(tmp_path, toml, ratings=ratings)
    found = Study.from_file(path).features().tables["features"]
    pd.testing.assert_frame_equal(found, expected)


def test_ratings_from_parquet_are_those_of_csv(
    tmp_path: Path, tables: tuple[pd.DataFrame, pd.DataFrame]
) -> None:
    ratings, features = tables
    ratings = ratings.assign(score=ratings["score"].where(ratings.index != 5))
    path = write_study(tmp_path, ONE_QUESTION, ratings=ratings, features=features)
    expected = Study.from_file(path).inputs.ratings
    # Labels that are whole numbers, as a program may write them.
    ratings.assign(clip=ratings["clip"].astype(float)).to_parquet(tmp_path / "ratings.parquet")
    (tmp_path / "ratings.csv").unlink()
    toml = ONE_QUESTION.replace("[data]\n", '[data]\nratings = "ratings.parquet"\n')
    assert toml != ONE_QUESTION
    found = Study.from_file(write_study(tmp_path, toml)).inputs.ratings
    pd.testing.assert_frame_equal(found, expected)


def test_ratings_of_a_damaged_parquet_are_an_error(
    tmp_path: Path, tables: tuple[pd.DataFrame, pd.DataFrame]
) -> None:
    ratings, features = tables
    toml = ONE_QUESTION.replace("[data]\n", '[data]\nratings = "ratings.parquet"\n')
    path = write_study(tmp_path, toml, features=features)
    (tmp_path / "ratings.parquet").write_bytes(b"PAR1 and nothing else")
    with pytest.raises(DataError, match=r"the ratings .*cannot be read as parquet"):
        _ = Study.from_file(path).inputs
    ratings.assign(rater=ratings["rater"].factorize()[0] + 0.5).to_parquet(
        tmp_path / "ratings.parquet"
    )
    with pytest.raises(DataError, match="'rater' contains fractions, which are not valid labels"):
        _ = Study.from_file(path).inputs


def test_recordings_and_a_table_of_features_are_joined(study_folder: Path, tmp_path: Path) -> None:
    path = variant(study_folder, tmp_path / "both")
    clips = pd.read_csv(study_folder / "ratings.csv", dtype=str)[KEY].drop_duplicates()
    clips = clips.assign(heart_rate=np.arange(len(clips)) % 7 + 60.0).iloc[:-1]
    clips.to_csv(tmp_path / "both" / "features.csv", index=False)
    text = path.read_text(encoding="utf-8")
    named = 'recordings = "recordings.csv"\n'
    assert named in text
    path.write_text(text.replace(named, f'{named}features = "features.csv"\n'), encoding="utf-8")
    found = Study.from_file(path).features(progress=False)
    assert found.facts["features"][-1] == "heart_rate"
    assert found.facts["from the table"] == ["heart_rate"]
    table = found.tables["features"]
    absent = table[table["reason"] == "not in the table of features"]
    assert len(absent) == 1
    assert absent["heart_rate"].isna().all()


def test_stages_of_several_labels_must_name_one(outcomes: OutcomesResult) -> None:
    study = Study.from_file(outcomes.folder.parent / "study.toml")
    with pytest.raises(StudyError, match=r"study.outcomes\['positive'\]"):
        study.models()
    assert study.outcomes["negative"].label().tables["scores"]["score"].notna().all()
    with pytest.raises(StudyError, match="the study has no factor model"):
        study.factor_model()


def test_the_record_can_make_the_report_again(outcomes: OutcomesResult) -> None:
    folder = outcomes.folder / "positive"
    before = (folder / "report.html").read_bytes()
    record = json.loads((folder / "record.json").read_text(encoding="utf-8"))
    assert record["contexts"] == list(CONTEXTS)
    outcomes.report()
    assert (folder / "report.html").read_bytes() == before
