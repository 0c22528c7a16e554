"""Training-only scores see no other subject, and the leak is what redoing it by hand gives."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pyexpr.base.errors import StudyError
from pyexpr.measurement.factor.cfa import cfa
from pyexpr.study.pipeline import Study, StudyResult
from pyexpr.study.stages.leakage import training_scores

KEY = ["subject", "context", "clip"]
MODEL = {"expressiveness": ["response", "emotion", "motion"]}
# Two fits of lavaan to the same clips, whose scores are of the order of 1.
CLOSE = 1e-7
TRAIN = 'allow_inadmissible = true\nfit_on = "train"'


@dataclass(frozen=True)
class Computed:
    """The tables and notes of a study whose figures were not drawn."""

    tables: dict[str, pd.DataFrame]
    notes: tuple[str, ...]

    def table(self, name: str) -> pd.DataFrame:
        return self.tables[name]


def run(source: StudyResult, target: Path, ratings: pd.DataFrame, extra: str) -> Computed:
    """The same study with other ratings and options; features are taken from its store."""
    folder = source.folder.parent
    target.mkdir()
    for name in ("recordings.csv", "study.toml"):
        shutil.copy(folder / name, target / name)
    (target / "openface").symlink_to(folder / "openface")
    ratings.to_csv(target / "ratings.csv", index=False)
    with (target / "study.toml").open("a") as handle:
        handle.write(f"\n[factor_model]\n{extra}\n")
    shutil.copytree(source.folder / "stages", target / "results" / "stages")
    study = Study.from_file(target / "study.toml")
    done = [study.factor_model(), study.models(), study.comparison(), study.coefficients()]
    assert "features" in study.reused
    return Computed(
        {name: table for stage in done for name, table in stage.tables.items()},
        tuple(note for stage in done for note in stage.facts.get("notes", ())),
    )


def ratings_of(source: StudyResult) -> pd.DataFrame:
    return pd.read_csv(source.folder.parent / "ratings.csv", dtype={"clip": str})


@pytest.fixture(scope="module")
def whole(study_result: StudyResult, tmp_path_factory: pytest.TempPathFactory) -> Computed:
    """Scores of all subjects; nine training subjects give a slightly negative variance."""
    target = tmp_path_factory.mktemp("leakage") / "copy"
    return run(study_result, target, ratings_of(study_result), "allow_inadmissible = true")


@pytest.fixture(scope="module")
def trained(study_result: StudyResult, tmp_path_factory: pytest.TempPathFactory) -> Computed:
    target = tmp_path_factory.mktemp("leakage") / "copy"
    return run(study_result, target, ratings_of(study_result), TRAIN)


def test_scores_are_lavaans_of_the_training_subjects(trained: Computed) -> None:
    split = trained.table("split")
    train = set(split.loc[split["part"] == "train", "subject"])
    clips = trained.table("scores")
    found = trained.table("training_scores").merge(clips[[*KEY, *MODEL["expressiveness"]]], on=KEY)
    for context in ["startle", "pain", "disgust"]:
        own = found[found["context"] == context]
        fit = cfa(own[own["subject"].isin(train)], MODEL, engine="rscript")
        assert (
            np.abs(own["score"] - fit.scores(own, allow_inadmissible=True)["score"]).max() < CLOSE
        )
    fit = cfa(found[found["subject"].isin(train)], MODEL, engine="rscript")
    assert (
        np.abs(found["score_pooled"] - fit.scores(found, allow_inadmissible=True)["score"]).max()
        < CLOSE
    )
    assert "training subjects" in " ".join(trained.notes)


def test_no_other_subject_moves_a_training_score(
    study_result: StudyResult, trained: Computed, tmp_path: Path
) -> None:
    """With other ratings of the test subjects, the others' scores and the weights stay."""
    split = trained.table("split")
    test = set(split.loc[split["part"] == "test", "subject"])
    ratings = ratings_of(study_result)
    changed = ratings["subject"].isin(test)
    ratings.loc[changed & (ratings["question"] == "motion"), "score"] = 4
    other = run(study_result, tmp_path / "copy", ratings, TRAIN)
    pd.testing.assert_frame_equal(other.table("split"), split)
    before, after = (study.table("training_scores") for study in (trained, other))
    mine = ~before["subject"].isin(test)
    pd.testing.assert_frame_equal(before[mine], after[mine])
    assert not before[~mine].equals(after[~mine])
    leaky = [study.table("scores") for study in (trained, other)]
    assert not leaky[0][mine].equals(leaky[1][mine])
    pd.testing.assert_frame_equal(trained.table("weights"), other.table("weights"))


def test_the_leak_is_the_difference_of_the_two_studies(whole: Computed, trained: Computed) -> None:
    """`fit_on` chooses which kind is the study's own; the table is the same either way."""
    leak = trained.table("scores_leakage")
    pd.testing.assert_frame_equal(leak, whole.table("scores_leakage"))
    assert leak[["context", "metric"]].to_records(index=False).tolist() == [
        (context, metric)
        for context in ("startle", "pain", "disgust", "all")
        for metric in ("nrmse", "correlation")
    ]
    for column, study in (("whole_sample", whole), ("training_only", trained)):
        predictions = study.table("predictions")
        for row in leak.to_dict(orient="records"):
            own = predictions[predictions["evaluated"] == row["context"]]
            error = own["elastic_net"] - own["truth"]
            wanted = {
                "nrmse": np.sqrt(np.mean(error**2)) / 7,
                "correlation": np.corrcoef(own["elastic_net"], own["truth"])[0, 1],
            }[row["metric"]]
            assert row[column] == pytest.approx(wanted, abs=1e-12)
    assert np.allclose(leak["difference"], leak["whole_sample"] - leak["training_only"])
    assert leak["difference"].abs().max() > 0
    assert (leak["conf_low"] < leak["difference"]).all()
    assert (leak["difference"] < leak["conf_high"]).all()


@pytest.mark.parametrize("kind", ["whole", "trained"])
def test_weights_described_are_those_of_the_models(
    kind: str, request: pytest.FixtureRequest
) -> None:
    """Refitted to the same rows and labels: the same weights."""
    found: Computed = request.getfixturevalue(kind)
    keys = ["context", "feature"]
    both = found.table("weights").merge(
        found.table("coefficients"), on=keys, suffixes=("", "_described"), validate="one_to_one"
    )
    assert len(both) == 4 * 14
    np.testing.assert_allclose(both["estimate_described"], both["estimate"], atol=1e-9)


def test_training_subjects_without_a_model(
    study_result: StudyResult, trained: Computed, tmp_path: Path
) -> None:
    """One question constant among the training subjects of one context."""
    split = trained.table("split")
    train = set(split.loc[split["part"] == "train", "subject"])
    ratings = ratings_of(study_result)
    flat = ratings["subject"].isin(train) & (ratings["context"] == "pain")
    ratings.loc[flat & (ratings["question"] == "motion"), "score"] = 0
    with pytest.raises(StudyError, match=r'fit_on = "train".*constant in context \'pain\''):
        run(study_result, tmp_path / "train", ratings, TRAIN)
    result = run(study_result, tmp_path / "all", ratings, "allow_inadmissible = true")
    leak = result.table("scores_leakage")
    assert leak["difference"].isna().all()
    assert leak["reason"].str.contains("'motion' is constant").all()
    assert "were not compared" in " ".join(result.notes)


def test_a_negative_variance_of_the_training_subjects(
    study_result: StudyResult, tmp_path: Path
) -> None:
    leak = study_result.table("scores_leakage")
    assert leak["reason"].str.contains("'response' .* is not positive").all()
    with pytest.raises(StudyError, match=r"'disgust'.*'response' .*allow_inadmissible"):
        run(study_result, tmp_path / "copy", ratings_of(study_result), 'fit_on = "train"')


def test_a_negatively_keyed_question_turns_no_score(
    study_result: StudyResult, tmp_path: Path
) -> None:
    """Every model points to where the named question is high, those of training subjects too."""
    ratings = ratings_of(study_result)
    turned = ratings["question"] == "response"
    ratings.loc[turned, "score"] = 4 - ratings.loc[turned, "score"]
    target = tmp_path / "copy"
    target.mkdir()
    folder = study_result.folder.parent
    for name in ("recordings.csv", "study.toml"):
        shutil.copy(folder / name, target / name)
    (target / "openface").symlink_to(folder / "openface")
    ratings.to_csv(target / "ratings.csv", index=False)
    toml = (target / "study.toml").read_text()
    message = '\n[factor_model]\ninvariance = false\npositive = "{}"\nallow_inadmissible = true\n'
    (target / "study.toml").write_text(toml + message.format("emotion"))
    study = Study.from_file(target / "study.toml")
    stage = study.factor_model()
    loadings = stage.tables["loadings"]
    assert (np.sign(loadings["loading"]) == np.where(
        loadings["indicator"] == "response", -1, 1
    )).all()  # fmt: skip
    seen = set(ratings["subject"].unique()[:9])
    part = training_scores(
        study.config, study.inputs, stage.tables["scores"], seen, stage.tables["loadings"]
    )
    both = part.scores.merge(stage.tables["scores"], on=KEY)
    for name in ("score", "score_pooled"):
        assert both[f"{name}_x"].corr(both[f"{name}_y"]) > 0.9
    # The loadings that a refit is turned by decide, not its own first question.
    against = stage.tables["loadings"].assign(std_loading=-stage.tables["loadings"]["std_loading"])
    other = training_scores(
        study.config, study.inputs, stage.tables["scores"], seen, against
    ).scores
    assert (other["score"].dropna() == -part.scores["score"].dropna()).all()
    (target / "study.toml").write_text(toml + message.format("motions"))
    with pytest.raises(StudyError, match=r"positive = 'motions'.*did you mean 'motion'"):
        Study.from_file(target / "study.toml").run(progress=False)
