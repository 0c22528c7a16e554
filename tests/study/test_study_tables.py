"""Tables of a study that do not fit are named before anything is computed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from tables_of_a_study import KEY, simulated_tables, write_study

from pyexpr.base.errors import ColumnError, DataError, StudyError
from pyexpr.study.check_study import check_study
from pyexpr.study.file.config import StudyConfig, read_config
from pyexpr.study.pipeline import Study
from pyexpr.study.tables import early_checks
from pyexpr.study.tables.early_checks import check_early

BASE = """
[data]
features = "features.csv"
{data}

[ratings]
low = 1
high = 7
{ratings}

[label]
method = "question"
question = "positive"

[features]
{features}

[evaluation]
scheme = "cross_validation"
folds = 4
{evaluation}

{models}
"""


def toml(**sections: str) -> str:
    given = dict.fromkeys(("data", "ratings", "features", "evaluation", "models"), "") | sections
    return BASE.format(**given)


def check(path: Path) -> None:
    """Read the tables and check what a whole run would."""
    study = Study.from_file(path)
    check_early(study.config, study.inputs)


Change = Callable[[pd.DataFrame, pd.DataFrame], tuple[pd.DataFrame, pd.DataFrame]]


def text(ratings: pd.DataFrame, features: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    features = features.astype({"AU4": object})
    features.loc[4, "AU4"] = "high"
    return ratings, features


def infinite(ratings: pd.DataFrame, features: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    features.loc[4, "AU4"] = np.inf
    return ratings, features


def doubled(ratings: pd.DataFrame, features: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    return ratings, pd.concat([features, features.iloc[:2]], ignore_index=True)


def elsewhere(ratings: pd.DataFrame, features: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    return ratings, features.assign(subject="P" + features["subject"])


def unrated(ratings: pd.DataFrame, features: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    return ratings[ratings["subject"] != "S03"], features


def bare(ratings: pd.DataFrame, features: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    return ratings, features.iloc[1:]


def off_scale(ratings: pd.DataFrame, features: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    ratings.loc[[5, 8], "score"] = [8, 0]
    return ratings, features


def leak(ratings: pd.DataFrame, features: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    return ratings, features.assign(positive=1.0)


def taken(ratings: pd.DataFrame, features: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Call a feature as the label of a clip is called, where models are fitted."""
    return ratings, features.rename(columns={"AU4": "score"})


def few(ratings: pd.DataFrame, features: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    some = ["S00", "S01", "S02"]
    return ratings[ratings["subject"].isin(some)], features[features["subject"].isin(some)]


@pytest.mark.parametrize(
    ("change", "sections", "message"),
    [
        (text, {"data": 'feature_columns = ["AU4"]'}, r"column 'AU4' .* row 5 holds 'high'"),
        (text, {}, r"column 'AU4' .* row 5 holds 'high'.*leave out the column"),
        (
            infinite,
            {},
            r"column 'AU4' of the features \(features.csv\) must be finite, .* row 5 holds inf; "
            r"correct it, or leave out the column \(leave_out",
        ),
        (doubled, {}, "2 clips have more than one row, first subject / context / clip"),
        (elsewhere, {}, "no clip is in both the ratings and the features; are subject, context"),
        (unrated, {}, "12 clips are in the features but not in the ratings: .*unmatched"),
        (bare, {}, "1 clip is in the ratings but not in the features: .S00 / express / 1"),
        (
            off_scale,
            {},
            r"column 'score' .* between 1 and 7, but row 6 holds 8 \(2 such rows\); correct it, "
            "or leave ratings off the scale out with out_of_range",
        ),
        (leak, {}, "column 'positive' has the name of the question that is the label"),
        (taken, {}, "what enters the models cannot be called 'score', as a column of the study is"),
        (few, {}, "folds = 4 under .* need as many subjects, but the study has 3 subjects"),
        (None, {"data": 'feature_columns = ["AU99"]'}, "no column 'AU99'; it has"),
        (None, {"data": 'feature_columns = ["clip"]'}, "column 'clip' cannot be a feature"),
        (None, {"features": 'use = ["AU99"]'}, "use under .* names 'AU99', but .* no such feature"),
        (
            None,
            {"features": 'leave_out = ["AU6", "AU12", "AU4", "AU20", "quality"]'},
            "leaves no feature",
        ),
        (None, {"features": 'adjust_for = ["age"]'}, "no column 'age'"),
        (None, {"data": "min_clips = 100"}, "no subject has min_clips = 100 clips"),
        (None, {"ratings": 'wide = "{question}_{rater}"'}, "no column is called like"),
        (None, {"ratings": 'questions = ["positive"]'}, "questions lists 'positive', but"),
        (
            None,
            {"models": '[models.net]\nestimator = "torch.nn.Linear"'},
            r"is of package .torch., which is not among those trusted .* name it in trusted = "
            r"\[\.\.\.\] under \[models\] if you trust it",
        ),
        (
            None,
            {"models": '[models.net]\nestimator = "sklearn.svm.SVC"'},
            "model 'net': SVC.* is a classifier, but label 'positive' contains numbers",
        ),
        (
            None,
            {"models": '[models.net]\nestimator = "sklearn.svm.SVR"\ngrid = { c = [1, 2] }'},
            "model .net.: grid names .c., but SVR has no such parameter; did you mean 'C'",
        ),
    ],
)
def test_what_does_not_fit_is_reported(
    tmp_path: Path, change: Change | None, sections: dict[str, str], message: str
) -> None:
    ratings, features = simulated_tables(8, 4)
    if change is not None:
        ratings, features = change(ratings, features)
    path = write_study(tmp_path, toml(**sections), ratings=ratings, features=features, quick=False)
    with pytest.raises(DataError, match=message):
        check(path)


def test_what_enters_no_model_may_hold_anything(tmp_path: Path) -> None:
    ratings, features = infinite(*simulated_tables(8, 4))
    sections = {"features": 'leave_out = ["AU4"]'}
    check(write_study(tmp_path, toml(**sections), ratings=ratings, features=features, quick=False))


def test_a_wide_rating_off_the_scale_is_named_where_it_stands(tmp_path: Path) -> None:
    ratings, features = simulated_tables(8, 4)
    wide = ratings.pivot_table(index=KEY, columns=["question", "rater"], values="score")
    wide = wide.set_axis([f"{question}_{rater}" for question, rater in wide], axis=1).reset_index()
    wide.loc[3, "positive_r2"] = 9
    sections = {"ratings": 'wide = "{question}_{rater}"'}
    path = write_study(tmp_path, toml(**sections), ratings=wide, features=features, quick=False)
    with pytest.raises(ColumnError, match=r"column 'positive_r2' of .* and 7, but row 4 holds 9"):
        check(path)


def test_the_label_is_no_feature(tmp_path: Path) -> None:
    _, features = simulated_tables(8, 4)
    text = """
[data]
features = "features.csv"
feature_columns = ["AU6", "AU12"]

[label]
method = "column"
column = "AU12"
"""
    path = write_study(tmp_path, text, features=features)
    with pytest.raises(StudyError, match="column 'AU12' is the label, but feature_columns"):
        check(path)
    # Unless it is listed, the label of another outcome is no feature either.
    both = text.replace('feature_columns = ["AU6", "AU12"]\n', "")
    both = both.replace('column = "AU12"', 'column = ["AU12", "AU6"]')
    path = write_study(tmp_path, both, features=features)
    own = Study.from_file(path).outcomes["AU12"]
    assert own.features().facts["features"] == ["AU4", "AU20", "quality"]
    # Nor is a copy of it, and the error calls the label as the study does.
    copied = text.replace('"AU6", "AU12"]', '"AU6", "copy"]')
    path = write_study(tmp_path, copied, features=features.assign(copy=features["AU12"]))
    sentence = "feature 'copy' equals the label 'AU12' in every row"
    assert any(sentence in one for one in check_study(path).problems)
    with pytest.raises(DataError, match=sentence):
        Study.from_file(path).models()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[data]\nfeatures = "f.csv"\n[label]\nmethod = "column"\n', "needs the name: column"),
        ('[label]\nmethod = "column"\ncolumn = "y"\n[clips]\nschedule = "bp4d_plus"\n',
         "is one of the table of features: name it"),
        ('[data]\nfeatures = "f.csv"\n[clips]\nschedule = "bp4d_plus"\n', "cuts recordings, but"),
        ('[data]\nfeatures = "f.csv"\n[models.lstm]\n', "requires recordings, but the study has"),
        ('[data]\nfeatures = "f.csv"\n[label]\nmethod = "column"\ncolumn = "y"\n'
         '[compare]\nmetrics = ["nrmse"]\n', "nrmse is divided by the width of the score"),
        ('[data]\nfeatures = "f.csv"\n[evaluation]\nscheme = "cross_validation"\n'
         "[split]\nproportions = [0.5, 0.25, 0.25]\n", "the study is cross-validated; leave"),
        ('[data]\nfeatures = "f.csv"\n[features]\nuse = ["a"]\nleave_out = ["a"]\n',
         "'a' is both used and left out"),
        ('[data]\nfeatures = "f.csv"\n[models.uniform]\nestimator = "sklearn.svm.SVR"\n',
         "a model cannot be called 'uniform'"),
        ('[data]\nfeatures = "f.csv"\n[models]\nelastic_net = false\n', "there is no model: name"),
        ('[data]\nfeatures = "f.csv"\n[models.net]\nalpha = 1\n', "models.net.estimator"),
        ('[data]\nfeatures = "f.csv"\n[ratings]\nwide = "r_1"\n',
         r"must contain \{question\}, \{rater\}, or both"),
        ('unit = "a clip"\n[data]\nfeatures = "f.csv"\n', "a single noun in the singular"),
        ('outcome = { joy = "joy" }\n[data]\nfeatures = "f.csv"\n', "outcome names 'joy', which"),
    ],
)  # fmt: skip
def test_entries_that_do_not_fit_are_reported(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "study.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(StudyError, match=message):
        read_config(path)


def test_defaults_follow_the_kind_of_study() -> None:
    config = StudyConfig.model_validate(
        {
            "data": {"features": "f.csv"},
            "label": {"method": "mean"},
            "ratings": {"low": 0, "high": 100},
            "evaluation": {"scheme": "cross_validation"},
        }
    )
    assert config.data.recordings is None
    assert config.compare.score_range == 100
    assert config.baselines.uniform_limits == (0, 100)
    assert config.coefficients.rows == "all"
    assert config.models.elastic_net is not None
    # The paper's penalties are of scores whose width is 7.
    assert config.models.elastic_net.alpha[0] == pytest.approx(0.01 * 100 / 7)
    again = StudyConfig.model_validate(config.model_dump(mode="json"))
    assert again == config


def test_labels_of_clips_are_text_in_every_table(tmp_path: Path) -> None:
    ratings, features = simulated_tables(8, 4)
    features["clip"] = features["clip"].str.zfill(2)
    path = write_study(tmp_path, toml(), ratings=ratings, features=features, quick=False)
    with pytest.raises(StudyError, match=r"no clip is in both .*S00 / express / 1.*/ 01"):
        check(path)


def test_a_damaged_parquet_is_named(tmp_path: Path) -> None:
    ratings, _ = simulated_tables(8, 4)
    (tmp_path / "features.parquet").write_bytes(b"PAR1 and nothing else")
    text = toml().replace("features.csv", "features.parquet")
    path = write_study(tmp_path, text, ratings=ratings, quick=False)
    with pytest.raises(DataError, match=r"features.parquet' cannot be read as parquet"):
        check(path)
    path = write_study(tmp_path, text.replace("features.parquet", "none.pq"), ratings=ratings)
    with pytest.raises(DataError, match=r"there is no file .*none.pq"):
        check(path)


def test_columns_of_text_are_reported_and_left_out(tmp_path: Path) -> None:
    ratings, features = simulated_tables(8, 4)
    features["site"] = "Berlin"
    path = write_study(tmp_path, toml(), ratings=ratings, features=features, quick=False)
    study = Study.from_file(path)
    notes = study.inputs.notes()
    assert any("columns of text cannot be features: 'site'" in note for note in notes)
    assert "site" not in study.features().facts["features"]
    assert list(study.features().tables["features"])[:3] == KEY


def test_a_column_of_numbers_with_text_among_them_can_be_left_out(tmp_path: Path) -> None:
    ratings, features = text(*simulated_tables(8, 4))
    file = toml(features='leave_out = ["AU4"]')
    path = write_study(tmp_path, file, ratings=ratings, features=features, quick=False)
    check(path)
    assert "AU4" not in Study.from_file(path).features().facts["features"]


def test_faces_are_cropped_by_openfaces_landmarks_alone() -> None:
    section = SimpleNamespace(crop="face")
    config = SimpleNamespace(models=SimpleNamespace(video3d=section))
    table = pd.DataFrame({"layout": [None, "openface", "mediapipe"]})
    inputs = SimpleNamespace(recordings=table)
    with pytest.raises(StudyError, match=r"crop = \"face\" .* layout 'mediapipe'; leave crop out"):
        early_checks._check_crop(config, inputs)
    early_checks._check_crop(config, SimpleNamespace(recordings=table[:2]))
    section.crop = None
    early_checks._check_crop(config, inputs)
