"""Studies whose label is a class: what is predicted, judged and told, and what is refused."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import (
    balanced_accuracy_score,
    brier_score_loss,
    f1_score,
    roc_auc_score,
)
from sklearn.model_selection import PredefinedSplit, cross_val_predict
from study_variants import figures_left_empty
from tables_of_a_study import CONTEXTS, FEATURES, KEY, simulated_tables, write_study

import pyexpr as px
from pyexpr.base.errors import PyexprError, StudyError
from pyexpr.modeling.baselines import class_shares
from pyexpr.modeling.splits import subject_folds
from pyexpr.study.file.config import StudyConfig
from pyexpr.study.pipeline import Study
from pyexpr.study.results.result import StudyResult
from pyexpr.study.stages.class_columns import class_options_of, predicted_class_columns

# The same arithmetic in the same order, but for the number of threads of BLAS.
SAME = 1e-12
COLUMN = """
outcome = "smiling"

[data]
features = "features.csv"

[label]
method = "column"
column = "smiling"
positive = "yes"

[features]
leave_out = ["quality"]

[evaluation]
scheme = "cross_validation"
folds = 3
repeats = 2
inner_folds = 2

[models]
elastic_net = { alpha = [0.05, 0.5], l1_ratio = [0.5] }
context_as = ["separate", "pooled"]

[models.forest]
estimator = "sklearn.ensemble.RandomForestClassifier"
params = { n_estimators = 5 }

[compare]
metrics = ["auc", "balanced_accuracy", "f1", "brier"]
methods = ["jackknife_t"]
n_boot = 1
"""


@pytest.fixture(autouse=True, scope="module")
def without_pictures() -> Iterator[None]:
    """Pictures take half of the time of a small study, and no test here looks at one."""
    with figures_left_empty():
        yield


def table() -> pd.DataFrame:
    """Features, and columns of classes: of text, of 0 and 1, and of three moods."""
    _, features = simulated_tables()
    latent = features["AU12"] + np.random.default_rng(5).logistic(scale=0.6, size=len(features))
    return features.assign(
        smiling=np.where(latent > 0.2, "yes", "no"),
        present=(latent > 0.2).astype(int),
        mood=np.select([latent > 0.7, latent > -0.7], ["glad", "calm"], "sad"),
    )


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> StudyResult:
    toml = COLUMN.replace('"quality"', '"quality", "present"')
    path = write_study(tmp_path_factory.mktemp("classes"), toml, features=table(), quick=False)
    found = Study.from_file(path).run(progress=False)
    assert isinstance(found, StudyResult)
    return found


def predicted(result: StudyResult, rows: pd.DataFrame) -> pd.DataFrame:
    """Return predictions over all contexts in the order of these rows."""
    found = result.table("predictions").query("evaluated == 'all'").set_index(KEY)
    return found.loc[pd.MultiIndex.from_frame(rows[KEY])]


def test_a_column_of_text_is_of_classes(result: StudyResult) -> None:
    assert result.config.label.kind == "classification"
    assert [*result.stages] == ["label", "features", "models", "comparison"]
    counts = table()["smiling"].value_counts()
    assert result.stages["label"].facts["classes"] == {"no": counts["no"], "yes": counts["yes"]}


def test_predictions_are_those_of_scikit_learn_on_the_same_folds(result: StudyResult) -> None:
    rows = table()
    X, y = rows[list(FEATURES)], rows["smiling"]
    found = predicted(result, rows)
    assert found["truth"].tolist() == y.tolist()
    for repeat in (1, 2):
        folds = PredefinedSplit(subject_folds(rows["subject"], 3, seed=repeat))
        forest = RandomForestClassifier(n_estimators=5, random_state=repeat)
        likely = cross_val_predict(forest, X, y, cv=folds, method="predict_proba")
        mine = found[f"forest_pooled_probability_yes_repeat{repeat}"].to_numpy()
        np.testing.assert_allclose(mine, likely[:, 1], rtol=0, atol=SAME)
        by_sklearn = cross_val_predict(forest, X, y, cv=folds)
        assert found[f"forest_pooled_repeat{repeat}"].tolist() == by_sklearn.tolist()
        prior = DummyClassifier(strategy="prior")
        likely = cross_val_predict(prior, X, y, cv=folds, method="predict_proba")
        mine = found[f"prior_probability_yes_repeat{repeat}"].to_numpy()
        np.testing.assert_allclose(mine, likely[:, 1], rtol=0, atol=SAME)
        assert found[f"prior_repeat{repeat}"].tolist() == cross_val_predict(
            prior, X, y, cv=folds
        ).tolist()  # fmt: skip
    mean = found[[f"forest_pooled_probability_yes_repeat{k}" for k in (1, 2)]].mean(axis=1)
    np.testing.assert_allclose(found["forest_pooled_probability_yes"], mean, rtol=0, atol=SAME)


def test_metrics_are_scikit_learns(result: StudyResult) -> None:
    rows = result.table("predictions").query("evaluated == 'normal'")
    levels = result.table("comparison").query("kind == 'level' and context == 'normal'")
    truth = rows["truth"] == "yes"
    wanted: dict[str, list[float]] = {"auc": [], "balanced_accuracy": [], "f1": [], "brier": []}
    for repeat in (1, 2):
        predicted = rows[f"forest_repeat{repeat}"]
        likely = rows[f"forest_probability_yes_repeat{repeat}"]
        wanted["balanced_accuracy"].append(balanced_accuracy_score(rows["truth"], predicted))
        wanted["f1"].append(f1_score(rows["truth"], predicted, pos_label="yes"))
        wanted["brier"].append(brier_score_loss(truth, likely))
        folds = rows[f"fold_repeat{repeat}"]
        each = [roc_auc_score(truth[folds == k], likely[folds == k]) for k in range(3)]
        wanted["auc"].append(np.average(each, weights=np.bincount(folds.astype(int))))
    for metric, values in wanted.items():
        own = levels.query("first_model == 'forest' and metric == @metric")
        assert own["estimate"].item() == pytest.approx(np.mean(values), rel=1e-12), metric
        spread = result.table("repeat_spread").query(
            "model == 'forest' and metric == @metric and context == 'normal'"
        )
        assert spread["repeat_sd"].item() == pytest.approx(np.std(values, ddof=1), abs=1e-12)
    prior = levels.query("first_model == 'prior'").set_index("metric")["estimate"]
    assert prior["auc"] == 0.5


def test_what_is_written_and_reported(result: StudyResult) -> None:
    files = set(result.record["files"])
    assert {"predictions.csv", "figures/performance.svg", "comparison.csv"} <= files
    assert not any("coefficients" in name or "slopes" in name for name in files)
    page = (result.folder / "report.html").read_text(encoding="utf-8")
    for sentence in (
        "The label that the models predict (smiling) is a class: the column smiling of the table",
        "A logistic regression with the elastic net",
        "with the lowest log loss in two folds",
        "scikit-learn&#39;s RandomForestClassifier (n_estimators = 5)",
        "The prior baseline predicts, as the probability of a class, the share of clips of each",
        "AUC, F1, and Brier score refer to the class yes.",
        "The predicted class of a clip is the class that the model itself predicts.",
        "AUC is computed within folds and averaged",
        "the tests of slopes require a numeric label. Folds were not stratified by class.",
    ):
        assert sentence.replace("&#39;", "'") in page.replace("&#39;", "'").replace(
            "&#x27;", "'"
        ), sentence
    body = page.partition("<body>")[2].partition("<script>")[0]
    for absent in ("Coefficients", "root mean squared", "Correlations", "uniform", "rater"):
        assert absent not in body, absent
    again = px.study_report(result.folder, output=result.folder / "again.html")
    assert again.read_bytes() == (result.folder / "report.html").read_bytes()


def test_what_was_computed_is_used_again(result: StudyResult) -> None:
    again = Study.from_file(result.folder.parent / "study.toml").run(progress=False)
    assert isinstance(again, StudyResult)
    assert set(again.reused) == set(again.stages)
    assert again.record["files"] == result.record["files"]


def test_shares_of_classes_are_scikit_learns() -> None:
    moods = table()["mood"]
    classes, shares = class_shares(moods)
    dummy = DummyClassifier(strategy="prior").fit(np.zeros((len(moods), 1)), moods)
    assert classes.tolist() == dummy.classes_.tolist()
    np.testing.assert_allclose(shares, dummy.class_prior_, rtol=0, atol=1e-15)


THREE = """
[data]
features = "features.csv"
feature_columns = ["AU12", "AU6"]

[label]
method = "column"
column = "mood"

[split]
proportions = [0.5, 0.2, 0.3]

[models]
elastic_net = { alpha = [0.05, 0.5], l1_ratio = [0.5] }

[compare]
metrics = ["accuracy", "balanced_accuracy", "kappa"]
methods = ["jackknife_t"]
n_boot = 1
"""


def test_three_classes_and_one_split(tmp_path: Path) -> None:
    study = Study.from_file(write_study(tmp_path, THREE, features=table(), quick=False))
    levels = study.comparison().tables["comparison"].query("kind == 'level'")
    assert set(levels["metric"]) == {"accuracy", "balanced_accuracy", "kappa"}
    fitted = study.models()
    assert "weights" not in fitted.tables
    assert set(fitted.tables["tuning"]["context"]) == {*CONTEXTS, "all"}
    rows = fitted.tables["own_predictions"]
    learned = table().merge(study.label().tables["scores"][[*KEY, "score"]], on=KEY)
    split = fitted.tables["split"].set_index("subject")["part"]
    train = learned[(learned["subject"].map(split) == "train") & (learned["context"] == "normal")]
    shares = train["score"].value_counts(normalize=True)
    own = rows[rows["evaluated"] == "normal"]
    for mood in ("calm", "glad", "sad"):
        assert set(own[f"prior_probability_{mood}"].round(12)) == {round(shares[mood], 12)}
        assert own[f"elastic_net_probability_{mood}"].between(0, 1).all()


def answers() -> tuple[pd.DataFrame, pd.DataFrame]:
    """A question of yes and no by three raters, of whom one is sometimes missing."""
    features = table()
    rng = np.random.default_rng(11)
    rows = []
    for rater in ("r1", "r2", "r3"):
        wrong = rng.random(len(features)) < 0.15
        score = np.where(wrong, 1 - features["present"], features["present"])
        rows.append(features[KEY].assign(rater=rater, question="smile", score=score))
    ratings = pd.concat(rows, ignore_index=True)
    missing = (ratings["rater"] == "r3") & (ratings["clip"] == "4")
    return ratings[~missing], features.drop(columns=["smiling", "present", "mood"])


def test_a_threshold_cuts_probabilities() -> None:
    raw = {"data": {"features": "f.csv"}, "compare": {"metrics": ["f1"], "threshold": 0.3}}
    raw["label"] = {"method": "column", "column": "a", "kind": "classification", "positive": True}
    config = StudyConfig.model_validate(raw)
    rows = pd.DataFrame({"truth": ["0", "1"], "m": "0", "m_probability_1": [0.1, 0.4]})
    assert class_options_of(config, rows["truth"]) == {"positive": "1", "threshold": 0.3}
    evaluated = predicted_class_columns(config, rows, "m", "1")
    assert (evaluated.values, evaluated.classes, evaluated.fold) == (
        ("m_probability_1",),
        None,
        None,
    )
    plain = config.model_copy(update={"compare": config.compare.model_copy(
        update={"threshold": None})})  # fmt: skip
    evaluated = predicted_class_columns(plain, rows, "m", "1")
    assert (evaluated.values, evaluated.classes) == (("m_probability_1",), ("m",))
    assert predicted_class_columns(plain, rows, "m", None).values == ("m",)


def test_several_labels_of_classes(tmp_path: Path) -> None:
    toml = COLUMN.replace('column = "smiling"\npositive = "yes"', 'column = ["smiling", "mood"]')
    toml = toml.replace('["auc", "balanced_accuracy", "f1", "brier"]', '["kappa"]')
    toml = toml.replace('outcome = "smiling"\n', "").replace('"quality"', '"quality", "present"')
    checked = px.check_study(write_study(tmp_path, toml, features=table(), quick=False))
    assert checked.ok, checked.problems
    items = checked.tidy()["item"].tolist()
    assert {"clips of class 'yes' (smiling)", "clips of class 'glad' (mood)"} <= set(items)


ASKED = """
[data]
features = "features.csv"

[ratings]
low = 0
high = 1

[label]
method = "question"
question = "smile"
kind = "classification"

[evaluation]
scheme = "cross_validation"
folds = 3
"""


def test_the_answer_of_most_raters_is_the_class(tmp_path: Path) -> None:
    ratings, features = answers()
    path = write_study(tmp_path, ASKED, ratings=ratings, features=features, quick=False)
    study = Study.from_file(path)
    scores = study.label().tables["scores"].set_index(KEY)
    mean = ratings.groupby(KEY)["score"].mean()
    tied = mean == 0.5
    assert tied.any()
    assert set(scores.loc[tied.index[tied], "score_reason"]) == {"its raters are tied"}
    assert scores.loc[tied.index[tied], "score"].isna().all()
    sure = mean[~tied]
    assert (
        scores.loc[sure.index, "score"].tolist()
        == (sure > 0.5).map({True: "1", False: "0"}).tolist()
    )
    checked = px.check_study(path)
    assert checked.ok, checked.problems
    rows = checked.tidy().set_index("item")
    ones = int((sure > 0.5).sum())
    assert rows.loc["clips of class '1' (smile)", "n"] == ones
    assert f"({100 * ones / len(sure):.1f} %), of 19 subjects" in str(checked)
    assert rows.loc["baselines", "detail"] == "prior"
    assert "a class, the answer of most raters to 'smile'" in str(checked)


# --- what is refused -----------------------------------------------------------------------------

MISFITS: dict[str, tuple[dict[str, Any], str]] = {
    "a factor": ({"label": {"method": "factor"}}, 'needs method = "question" or "column": a fact'),
    "a metric of numbers": (
        {"compare": {"metrics": ["rmse"]}}, "rmse under [compare] is a metric for numbers",
    ),
    "an unknown metric": ({"compare": {"metrics": ["acuracy"]}}, "did you mean 'accuracy'"),
    "a uniform baseline": ({"baselines": {"uniform": True}}, "uniform under [baselines] draws num"),
    "raters": ({"baselines": {"human": "slot"}}, "a rater gives a class without a probability"),
    "slopes": ({"coefficients": {"n_boot": 9}}, "[coefficients] tests slopes of a numeric label"),
    "a deep model": (
        {"models": {"lstm": {}}, "data": {"recordings": "r.csv"},
         "clips": {"schedule": "bp4d_plus"},
         "evaluation": {}}, "[models.lstm] predicts numbers, but the label is a class",
    ),
    "a model called prior": (
        {"models": {"prior": {"estimator": "sklearn.svm.SVC"}}}, "a model cannot be called 'prior'",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", MISFITS)
def test_sections_that_do_not_fit_a_class(name: str) -> None:
    sections, sentence = MISFITS[name]
    raw: dict[str, Any] = {
        "data": {"features": "f.csv"},
        "label": {"method": "column", "column": "a", "kind": "classification"},
    }
    for section, given in sections.items():
        raw[section] = {**raw.get(section, {}), **given}
    if name == "a factor":
        del raw["label"]["column"]
    with pytest.raises(ValidationError) as error:
        StudyConfig.model_validate(raw)
    assert sentence in str(error.value)


@pytest.mark.parametrize(
    ("section", "given", "sentence"),
    [
        (
            "compare",
            {"metrics": ["auc"]},
            "auc under [compare] is a metric for classes, but the label",
        ),
        (
            "compare",
            {"threshold": 0.3},
            "threshold under [compare] requires a label that is a class",
        ),
        ("baselines", {"prior": True}, "prior under [baselines] requires a label that is a class"),
        ("label", {"positive": "yes"}, 'positive names a class: it needs kind = "classification"'),
    ],
)
def test_sections_that_do_not_fit_a_number(
    section: str, given: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(ValidationError) as error:
        StudyConfig.model_validate({section: given})
    assert sentence in str(error.value)


def rare(subjects: int) -> pd.DataFrame:
    """Classes of which one is of so many subjects alone."""
    rows = table()
    few = rows["subject"].isin(sorted(rows["subject"].unique())[:subjects])
    return rows.assign(smiling=np.where(few & (rows["clip"] == "1"), "yes", "no"))


WRONG: dict[str, tuple[Any, str, str, str]] = {
    "one class": (
        lambda: table().assign(smiling="yes"), "", "",
        "label 'smiling' has one class, 'yes', in all 240 clips; a classification requires",
    ),
    "a class of one subject": (
        lambda: rare(1), "", "",
        'merge the class with another, or use context_as = "pooled" under [models]',
    ),
    "a context of one class": (
        lambda: table().assign(
            smiling=lambda t: np.where(t["context"] == "suppress", "no", t["smiling"])
        ), "", "",
        "all 80 clips of context 'suppress' are of class 'no', so there are no classes to",
    ),
    "no such class": (
        table, '"yes"', '"maybe"',
        "positive = 'maybe' under [label] is not a class of label 'smiling'; ",
    ),
    "nobody said which": (
        table, 'positive = "yes"', "", "f1 under [compare] refers to one class, but label",
    ),
    "a class among many": (
        table, 'column = "smiling"\npositive = "yes"', 'column = "mood"',
        "auc under [compare] refers to one class, but label 'mood' has 'calm', 'glad'",
    ),
    "a regressor": (
        table, "RandomForestClassifier", "RandomForestRegressor",
        "model 'forest': RandomForestRegressor() is a regressor, but label 'smiling'",
    ),
    "no probabilities": (
        table, '"sklearn.ensemble.RandomForestClassifier"\nparams = { n_estimators = 5 }',
        '"sklearn.svm.LinearSVC"',
        "auc under [compare] requires probabilities, but [models.forest] does not",
    ),
    "a number": (
        table, 'column = "smiling"\npositive = "yes"', 'column = "AU12"\nkind = "classification"',
        'must hold classes, which are text or whole numbers, but row 1 holds',
    ),
    "a label that is a feature": (
        table, 'leave_out = ["quality"]', 'use = ["AU12", "present"]',
        "feature 'present' is the label 'smiling' in other words, with one value for each",
    ),
    "a class called None": (
        lambda: table().assign(smiling=lambda t: t["smiling"].replace("no", "None")), "", "",
        "column 'smiling' of the features (features.csv) holds 'None' in ",
    ),
    "text with a slip": (
        lambda: table().assign(smiling=["1", "o", *["0"] * 238]), "", "",
        "positive names a class: it needs kind",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_is_reported_before_the_run(tmp_path: Path, name: str) -> None:
    make, old, new, sentence = WRONG[name]
    assert old in COLUMN
    toml = COLUMN.replace(old, new) if old else COLUMN
    if name != "a label that is a feature":
        toml = toml.replace('"quality"', '"quality", "present"')
    path = write_study(tmp_path, toml, features=make(), quick=False)
    checked = px.check_study(path)
    assert any(sentence in one for one in checked.problems), checked.problems
    with pytest.raises((PyexprError, StudyError)):
        Study.from_file(path).run(progress=False)


def test_missing_classes_are_counted_by_their_spelling(tmp_path: Path) -> None:
    rows = table()
    rows.loc[[3, 7], "smiling"] = "NA"
    path = write_study(tmp_path, COLUMN, features=rows, quick=False)
    notes = Study.from_file(path).inputs.notes()
    assert notes[0] == (
        "column 'smiling' of the features (features.csv): 2 rows were read as missing because 'NA' "
        "stands there, first in row 4; if it is a class of its own, rename it in the file"
    )


def test_a_class_where_a_number_is_meant_by_the_study_is_refused(tmp_path: Path) -> None:
    path = write_study(tmp_path, COLUMN, features=table(), quick=False)
    raw = {"data": {"features": path.parent / "features.csv"}}
    raw["label"] = {"method": "column", "column": "smiling"}
    raw["data"]["features"] = str(raw["data"]["features"])
    study = Study(StudyConfig.model_validate(raw), tmp_path)
    with pytest.raises(StudyError, match='which are classes: set kind = "classification" under'):
        study.label()


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ('column = "smiling"', 'column = "smilng"', "have no column 'smilng'; did you mean"),
        ('"features.csv"', '"feature.csv"', "there is no file"),
    ],
)
def test_a_positive_class_does_not_hide_what_is_wrong(
    tmp_path: Path, old: str, new: str, sentence: str
) -> None:
    toml = COLUMN.replace('kind = "classification"\n', "")
    assert old in toml
    assert "positive" in toml
    path = write_study(tmp_path, toml.replace(old, new), features=table(), quick=False)
    with pytest.raises(px.errors.DataError, match=sentence):
        Study.from_file(path)
