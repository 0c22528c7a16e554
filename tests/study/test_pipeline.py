"""The main job from end to end, on a small simulated study."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import ElasticNet, Ridge
from sklearn.preprocessing import StandardScaler
from study_variants import CACHES, STAGES, tables_of, variant

from pyexpr.base.errors import PyexprError, StudyError
from pyexpr.base.files import OutputError, sha256
from pyexpr.base.messages import codes_of, joined
from pyexpr.base.versions import code_fingerprint
from pyexpr.hosted.voice import in_r
from pyexpr.report.study_figures import STUDY_FIGURES
from pyexpr.study.kept import store
from pyexpr.study.kept.store import StageOutput
from pyexpr.study.pipeline import Study, StudyResult
from pyexpr.study.results.report import study_report
from pyexpr.study.stages import computations
from pyexpr.words.reader import readers_reason

SOLVERS = 1e-6  # coordinate descent to another tolerance

FILES = {
    *(f"{table}.{kind}" for kind in ("csv", "md", "tex", "html") for table in (
        "reliability", "loadings", "performance",
        "performance_intervals", "differences", "all_differences", "weights",
        "coefficients", "contrasts", "omnibus", "other_methods",
    )),
    *(f"{table}.csv" for table in (
        "parameters", "invariance", "invariance_contrasts", "scores", "features", "quality",
        "recordings", "dropped_clips", "split", "left_out", "tuning", "predictions",
        "comparison", "scores_leakage",
    )),
    *(f"figures/{figure.stem}.{kind}" for kind in ("svg", "png") for figure in STUDY_FIGURES
      if not figure.each_model and figure.needs != "pooled_slopes"),
    *(f"stages/{stage}.zip" for stage in STAGES),
    "analysis_notes.txt",
    "record.json",
    "report.html",
    "stages/rendered.json",
}  # fmt: skip


def files_of(folder: Path) -> dict[str, str]:
    return {
        name: sha256(path)
        for path in folder.rglob("*")
        if path.is_file() and not (name := path.relative_to(folder).as_posix()).startswith(CACHES)
    }


def test_every_result_is_written(study_result: StudyResult) -> None:
    assert set(files_of(study_result.folder)) == FILES


def test_the_figure_of_slopes_says_that_its_intervals_are_simultaneous(
    study_result: StudyResult,
) -> None:
    assert set(study_result.table("coefficients")["adjustment"]) == {"holm"}
    svg = (study_result.folder / "figures/slopes.svg").read_text(encoding="utf-8")
    assert "Slope, 95% simultaneous confidence interval by Bonferroni (tested)" in svg
    assert "each with its simultaneous confidence interval by Bonferroni" in svg


def test_the_code_is_part_of_what_results_are_stored_under(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As an editable install has it: the sources in one folder, the extension in another.
    roots = [tmp_path / "sources", tmp_path / "built"]
    for root in roots:
        root.mkdir()
    (roots[0] / "a.py").write_text("x = 1")
    (roots[1] / "_core.so").write_bytes(b"1")
    monkeypatch.setattr(sys.modules["pyexpr"], "__path__", [str(root) for root in roots])
    seen = set()
    for path, text in ((roots[0] / "a.py", "x = 2"), (roots[1] / "_core.so", "2")):
        seen.add(code_fingerprint.__wrapped__())
        path.write_text(text)
    seen.add(code_fingerprint.__wrapped__())
    assert len(seen) == 3


def test_the_record_says_how_to_repeat_it(study_result: StudyResult) -> None:
    record = json.loads((study_result.folder / "record.json").read_text())
    assert record["seed"] == 3
    assert record["versions"]["pyexpr-stats"]
    assert record["stages"]["factor_model"]["provenance"]["versions"]["lavaan"]
    assert record["options"]["compare"]["n_boot"] == 2000
    # Where it was computed is no choice of the analysis.
    assert "compute" not in record["options"]
    assert len(record["inputs"]) == 2 + 45
    assert record["inputs"]["ratings.csv"] == sha256(study_result.folder.parent / "ratings.csv")
    assert record["dropped"] == {
        "ratings without a score": 0,
        "ratings without a recording": 0,
        "recordings without ratings": 0,
    }
    counts = record["stages"]["models"]
    assert sum(counts["clips"].values()) + sum(counts["left out"].values()) == 15 * 16


def test_the_tables_have_the_papers_rows(study_result: StudyResult) -> None:
    contexts = ["startle", "pain", "disgust", "all"]
    reliability = study_result.table("reliability")
    assert list(dict.fromkeys(reliability["context"])) == contexts
    assert list(dict.fromkeys(reliability["question"])) == ["response", "emotion", "motion"]
    assert reliability["n_targets"].groupby(reliability["context"]).first().to_dict() == {
        "startle": 75, "pain": 105, "disgust": 60, "all": 240,
    }  # fmt: skip
    comparison = study_result.table("comparison")
    models = {"elastic_net", "uniform", "normal", "human"}
    # Four levels and six differences, two metrics, two methods, in each context.
    assert comparison.groupby("context").size().to_dict() == dict.fromkeys(contexts, 10 * 2 * 2)
    assert models <= set(comparison["term"])
    weights = study_result.table("weights")
    assert weights.groupby("context")["feature"].nunique().to_dict() == dict.fromkeys(contexts, 14)


def test_coefficients_are_the_models_weights_with_intervals(study_result: StudyResult) -> None:
    coefficients, weights = (study_result.table(name) for name in ("coefficients", "weights"))
    np.testing.assert_allclose(coefficients["estimate"], weights["estimate"], atol=1e-7)
    # Nine training subjects for 14 features.
    assert set(coefficients["method"]) == {"desparsified"}
    assert len(study_result.table("contrasts")) == 3 * 14
    assert study_result.table("omnibus")["p_value"].between(0, 1).all()


def messages_of(output: StageOutput) -> list[str]:
    """Return notes and reasons of a stage."""
    columns = [
        table[name]
        for table in output.tables.values()
        for name in table
        if str(name).endswith("reason") or name == "notes"
    ]
    return [*output.facts.get("notes", ()), *(text for one in columns for text in one if text)]


def test_notes_and_reasons_are_data(study_result: StudyResult) -> None:
    theirs = study_result.stages["factor_model"].facts["messages"]
    messages = [text for output in study_result.stages.values() for text in messages_of(output)]
    assert len(messages) > 50
    assert {text for text in messages if not codes_of(text)} <= set(theirs)
    kept = json.loads((study_result.folder / "record.json").read_text(encoding="utf-8"))["messages"]
    assert {text for text in messages if codes_of(text)} <= set(kept)


def test_stored_stages_say_the_same(study_result: StudyResult, tmp_path: Path) -> None:
    for name, output in study_result.stages.items():
        store.save(tmp_path / name, "key", output)
        loaded = store.load(tmp_path / name, "key")
        assert loaded is not None
        before, after = messages_of(output), messages_of(loaded)
        assert [codes_of(text) for text in after] == [codes_of(text) for text in before]
        for voice in (in_r, readers_reason):
            assert [*map(voice, after)] == [*map(voice, before)]


def test_notes_say_which_stage_they_speak_of(study_result: StudyResult) -> None:
    notes = study_result.notes()
    stages = [name.replace("_", " ") for name in STAGES]
    assert {note.partition(":")[0] for note in notes} <= set(stages)
    assert len(set(notes)) == len(notes)
    assert any(
        note.startswith("factor model: The model has no degrees of freedom") for note in notes
    )
    # A study file has no raters= to give.
    assert "raters_unknown" not in codes_of(joined(notes))


def test_the_table_of_reliability_has_the_interval_that_respects_subjects(
    study_result: StudyResult,
) -> None:
    table = study_result.table("reliability")
    width = table["conf_high"] - table["conf_low"]
    assert (table["conf_high_subjects"] - table["conf_low_subjects"] > width).mean() > 0.5
    shown = (study_result.folder / "reliability.md").read_text(encoding="utf-8")
    assert "95% CI, subjects" in shown


def test_no_subject_is_in_two_parts(study_result: StudyResult) -> None:
    split = study_result.table("split")
    assert split["subject"].is_unique
    assert split["part"].value_counts().to_dict() == {"train": 9, "validation": 3, "test": 3}
    test = set(split.loc[split["part"] == "test", "subject"])
    assert set(study_result.table("predictions")["subject"]) == test


KEY = ["subject", "context", "clip"]


def test_each_model_learns_and_is_evaluated_by_its_own_label(study_result: StudyResult) -> None:
    scores = study_result.table("scores").merge(study_result.table("features"), on=KEY)
    scores = scores.merge(study_result.table("split"), on="subject")
    weights, tuning = study_result.table("weights"), study_result.table("tuning")
    scores = scores.dropna(subset=["score", "score_pooled", *weights["feature"].unique()])
    predictions = study_result.table("predictions")
    assert not np.allclose(scores["score"], scores["score_pooled"])
    for row in tuning.itertuples():
        label = "score_pooled" if row.context == "all" else "score"
        own = scores if row.context == "all" else scores[scores["context"] == row.context]
        train, test = (own[own["part"] == part] for part in ("train", "test"))
        beta = weights[weights["context"] == row.context].set_index("feature")["estimate"]
        scaler = StandardScaler().fit(train[beta.index])
        net = ElasticNet(alpha=row.alpha, l1_ratio=row.l1_ratio, tol=1e-10, max_iter=10**6)
        if row.l1_ratio == 0:
            net = Ridge(alpha=row.alpha * len(train))
        net.fit(scaler.transform(train[beta.index]), train[label])
        np.testing.assert_allclose(beta, net.coef_, atol=SOLVERS)
        block = predictions[predictions["evaluated"] == row.context].merge(test, on=KEY)
        assert len(block) == len(test)
        assert (block["truth"] == block[label]).all()
        wanted = net.predict(scaler.transform(block[beta.index]))
        np.testing.assert_allclose(block["elastic_net"], wanted, atol=SOLVERS)


def test_humans_are_evaluated_on_the_evaluated_clips_alone(study_result: StudyResult) -> None:
    folder = study_result.folder.parent
    ratings = pd.read_csv(folder / "ratings.csv", dtype={"clip": str, "subject": str})
    loadings = study_result.table("loadings")
    for evaluated, block in study_result.table("predictions").groupby("evaluated"):
        own = loadings[loadings["context"] == evaluated].set_index("indicator")["std_loading"]
        rated = ratings.merge(block[KEY], on=KEY)
        sums = (rated["score"] * rated["question"].map(own)).groupby(
            [rated[name] for name in [*KEY, "rater"]]
        )
        w = sums.sum()
        human = [name for name in block if str(name).startswith("human_")]
        values = [name for name in human if not name.endswith("criterion")]
        at = pd.MultiIndex.from_frame(block[KEY])
        wanted = ((w - w.mean()) / w.std(ddof=0)).groupby(KEY).agg(list).loc[at]
        found = block[values].apply(lambda row: sorted(row.dropna()), axis=1)
        for mine, theirs in zip(found, wanted, strict=True):
            np.testing.assert_allclose(mine, sorted(theirs), atol=SOLVERS)


def test_a_repeated_run_computes_nothing_and_changes_nothing(study_result: StudyResult) -> None:
    before = files_of(study_result.folder)
    again = Study.from_file(study_result.folder.parent / "study.toml").run(progress=False)
    assert set(again.reused) == set(STAGES)
    assert files_of(study_result.folder) == before


def test_the_same_bytes_in_another_place(study_result: StudyResult, tmp_path: Path) -> None:
    study_file = variant(study_result.folder.parent, tmp_path / "copy")
    other = Study.from_file(study_file).run(progress=False)
    assert other.reused == ()
    assert files_of(other.folder) == files_of(study_result.folder)


@pytest.mark.usefixtures("empty_figures")
def test_only_what_changed_is_computed_again(study_result: StudyResult, tmp_path: Path) -> None:
    study_file = variant(study_result.folder.parent, tmp_path / "copy")
    shutil.copytree(study_result.folder, tmp_path / "copy" / "results")
    study_file.write_text(study_file.read_text() + "\n[models.elastic_net]\nalpha = [0.1]\n")
    result = Study.from_file(study_file).run(progress=False)
    assert set(result.reused) == {"reliability", "factor_model", "features"}
    assert set(result.table("tuning")["alpha"]) == {0.1}


@pytest.mark.usefixtures("empty_figures")
def test_an_interrupted_run_keeps_what_was_finished(
    study_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study_file = variant(study_folder, tmp_path / "copy")

    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("pyexpr.study.stages.models.models", interrupted)
        with pytest.raises(KeyboardInterrupt):
            Study.from_file(study_file).run(progress=False)
    left = files_of(study_file.parent / "results")
    assert set(left) == {f"stages/{n}.zip" for n in ("reliability", "factor_model", "features")}
    result = Study.from_file(study_file).run(progress=False)
    assert set(result.reused) == {"reliability", "factor_model", "features"}
    assert set(files_of(result.folder)) == FILES


def test_a_damaged_store_is_computed_again(study_result: StudyResult, tmp_path: Path) -> None:
    study_file = variant(study_result.folder.parent, tmp_path / "copy")
    shutil.copytree(study_result.folder, tmp_path / "copy" / "results")
    damaged = tmp_path / "copy" / "results" / "stages" / "reliability.zip"
    damaged.write_bytes(damaged.read_bytes()[:500])
    study = Study.from_file(study_file)
    table = study.reliability().tables["reliability"]
    assert study.reused == []
    pd.testing.assert_frame_equal(table, study_result.table("reliability"))


@pytest.mark.parametrize(
    ("now", "reused"),
    [
        ({"R": "9.9.9", "lavaan": "0.6.14"}, False),
        ({"R": "4.2.2", "lavaan": "9.9.9"}, False),
        # Without R there is nothing to fit it with.
        ({}, True),
    ],
)
def test_a_factor_model_of_another_lavaan_is_fitted_again(
    now: dict[str, str], reused: bool, study_result: StudyResult, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    study_file = variant(study_result.folder.parent, tmp_path / "copy")
    shutil.copytree(study_result.folder, tmp_path / "copy" / "results")
    monkeypatch.setattr("pyexpr.study.pipeline.r_versions", lambda: now)
    study = Study.from_file(study_file)
    table = study.factor_model().tables["loadings"]
    assert study.reused == (["factor_model"] if reused else [])
    pd.testing.assert_frame_equal(table, study_result.table("loadings"))


def test_a_figure_that_is_gone_is_drawn_again(study_result: StudyResult, tmp_path: Path) -> None:
    study_file = variant(study_result.folder.parent, tmp_path / "copy")
    shutil.copytree(study_result.folder, tmp_path / "copy" / "results")
    (tmp_path / "copy" / "results" / "figures" / "quality.png").unlink()
    result = Study.from_file(study_file).run(progress=False)
    assert set(result.reused) == set(STAGES)
    assert files_of(result.folder) == files_of(study_result.folder)


@pytest.mark.usefixtures("empty_figures")
def test_what_another_run_left_is_cleared_away_and_nothing_else(
    study_result: StudyResult, tmp_path: Path
) -> None:
    study_file = variant(study_result.folder.parent, tmp_path / "copy")
    results = tmp_path / "copy" / "results"
    shutil.copytree(study_result.folder, results)
    # A user's own files, and a table of ours that a user has changed.
    (results / "figures" / "learning_curves_mine.svg").write_text("<svg>mine</svg>")
    (results / "contrasts_of_mine.csv").write_text("a\n1\n")
    (results / "invariance_contrasts.csv").write_text("a\n1\n")
    listing = results / "stages" / "rendered.json"
    noted = json.loads(listing.read_text())
    outside = tmp_path / "copy" / "outside.csv"
    outside.write_text("x")
    noted["files"]["../outside.csv"] = sha256(outside)
    listing.write_text(json.dumps(noted))
    study_file.write_text(study_file.read_text() + "\n[factor_model]\ninvariance = false\n")
    result = Study.from_file(study_file).run(progress=False)
    assert result.folder == results
    here = set(files_of(results))
    assert here == FILES - {"invariance.csv"} | {
        "figures/learning_curves_mine.svg", "contrasts_of_mine.csv",
    }  # fmt: skip
    assert outside.is_file()
    assert (results / "invariance_contrasts.csv").read_text() == "a\n1\n"
    report = (results / "report.html").read_text(encoding="utf-8")
    assert "Measurement invariance of the factor model over contexts was not tested" in report
    assert "table-invariance" not in report
    assert "_mine" not in report
    assert ">mine<" not in report
    record = json.loads((results / "record.json").read_text())
    assert not {name for name in record["files"] if "invariance" in name or "mine" in name}
    assert record["files"]["scores.csv"] == sha256(results / "scores.csv")


def test_a_run_interrupted_while_it_writes_leaves_no_mixture_that_passes_for_results(
    study_result: StudyResult, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study_file = variant(study_result.folder.parent, tmp_path / "copy")
    results = tmp_path / "copy" / "results"
    shutil.copytree(study_result.folder, results)
    text = study_file.read_text()
    study_file.write_text(text.replace("title = ", 'title = "Other" #'))

    def interrupted(config: object, folder: Path, *_: object) -> Iterator[Path]:
        (folder / "learning_curves.csv").write_text("half")
        yield folder / "learning_curves.csv"
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("pyexpr.study.pipeline.render", interrupted)
        with pytest.raises(KeyboardInterrupt):
            Study.from_file(study_file).run(progress=False)
    # Nothing of it came into the folder: the results are those of the run before.
    assert files_of(results) == files_of(study_result.folder)
    study_report(results)
    study_file.write_text(text)
    result = Study.from_file(study_file).run(progress=False)
    assert set(result.reused) == set(STAGES)
    assert files_of(results) == files_of(study_result.folder)


@pytest.mark.usefixtures("empty_figures")
def test_without_whole_raters_and_pairs_a_study_goes_on_and_says_so(
    study_folder: Path, tmp_path: Path
) -> None:
    ratings, recordings = tables_of(study_folder)
    # The first three raters answer two questions, the others the third.
    late = ratings.groupby(["subject", "context", "clip"])["rater"].rank(method="dense") > 3
    ratings = ratings[(ratings["question"] == "motion") == late]
    lone = ratings.iloc[0]
    mine = (recordings["subject"] == lone["subject"]) & (recordings["context"] == lone["context"])
    study_file = variant(
        study_folder, tmp_path / "copy", ratings=ratings, recordings=recordings[~mine],
        toml=(
            '[compare]\nmethods = ["jackknife_t"]\n'
            "[coefficients]\nn_boot = 20\n"
            "[factor_model]\ninvariance = false\nallow_inadmissible = true\n"
        ),
    )  # fmt: skip
    text = study_file.read_text()
    study_file.write_text(text.replace("[data]\n", '[data]\nunmatched = "drop"\n'))
    result = Study.from_file(study_file).run(progress=False)
    assert not result.table("comparison")["term"].str.contains("human").any()
    pair = f"{lone['subject']} / {lone['context']}"
    (note,) = (text for text in result.notes() if "human baseline" in text)
    assert "'all': no rater answered every question" in note
    assert any(text.startswith("data: 1 subject") and pair in text for text in result.notes())
    left_out = result.table("left_out")
    own = left_out[left_out["reason"] == "rated, but without a recording"]
    assert set(own["subject"] + " / " + own["context"]) == {pair}
    assert (
        len(own)
        == ratings[
            (ratings["subject"] == lone["subject"]) & (ratings["context"] == lone["context"])
        ]["clip"].nunique()
    )
    report = (result.folder / "report.html").read_text(encoding="utf-8")
    assert "There is no human baseline for" in report
    assert "rated, but without a recording" in report
    assert "Not computed: human baseline" in report


def run_with(study_folder: Path, target: Path, **edits: pd.DataFrame) -> StudyResult:
    return Study.from_file(variant(study_folder, target, **edits)).run(progress=False)


def test_one_subject_only(study_folder: Path, tmp_path: Path) -> None:
    tables = (table[table["subject"] == "S001"] for table in tables_of(study_folder))
    ratings, recordings = tables
    with pytest.raises(StudyError, match=r"at least 3 subjects, .* have 1: 'S001'"):
        run_with(study_folder, tmp_path / "copy", ratings=ratings, recordings=recordings)


def test_a_context_with_fewer_subjects_than_parts(study_folder: Path, tmp_path: Path) -> None:
    ratings, recordings = (
        table[(table["context"] != "pain") | table["subject"].isin(["S001", "S002"])]
        for table in tables_of(study_folder)
    )
    with pytest.raises(PyexprError, match=r"'pain'.*2 subjects"):
        run_with(study_folder, tmp_path / "copy", ratings=ratings, recordings=recordings)


def test_features_that_are_all_missing(study_folder: Path, tmp_path: Path) -> None:
    study_file = variant(study_folder, tmp_path / "copy")
    study_file.write_text(study_file.read_text() + "\n[features]\nmin_confidence = 1.0\n")
    with pytest.raises(StudyError, match="no clip has both scores and features"):
        Study.from_file(study_file).run(progress=False)


def test_a_context_without_scores_says_why(study_folder: Path, tmp_path: Path) -> None:
    ratings, _ = tables_of(study_folder)
    # Emotion without the factor: the other two correlate higher than one factor allows.
    rng = np.random.default_rng(5)
    weak = (ratings["context"] == "pain") & (ratings["question"] == "emotion")
    noise = rng.integers(0, 5, int(weak.sum()))
    ratings.loc[weak, "score"] = np.where(
        rng.random(int(weak.sum())) < 0.97, noise, ratings.loc[weak, "score"]
    )
    study_file = variant(study_folder, tmp_path / "copy", ratings=ratings)
    with pytest.raises(PyexprError, match=r"'pain'.*residual variance"):
        Study.from_file(study_file).run(progress=False)


def test_an_unwritable_folder_is_refused_before_anything_is_computed(study_folder: Path) -> None:
    blocked = study_folder / "ratings.csv" / "results"
    with pytest.raises(OutputError, match="cannot write into"):
        Study.from_file(study_folder / "study.toml", output=blocked).run(progress=False)


def test_contexts_are_tested_for_invariance(study_result: StudyResult) -> None:
    table = study_result.table("invariance")
    assert table["level"].tolist() == ["configural", "metric", "scalar"]
    assert table["p_value"][1:].between(0, 1).all()
    assert table["lavaan_p_value"][1:].between(0, 1).all()
    assert study_result.table("invariance_contrasts")["term"].nunique() == 3
    notes = study_result.stages["factor_model"].facts["notes"]
    (metric,) = (note for note in notes if note.startswith("Invariance over contexts. Metric: "))
    # A table that this result has.
    assert metric.endswith("the table 'invariance_contrasts'.")


def test_invariance_is_left_out_where_it_cannot_or_should_not_be_tested(
    study_folder: Path,
) -> None:
    study = Study.from_file(study_folder / "study.toml")

    def factor_model(
        wanted: bool, change: Callable[[pd.DataFrame], pd.DataFrame]
    ) -> computations.StageOutput:
        section = study.config.factor_model.model_copy(
            update={"invariance": wanted, "engine": "native"}
        )
        config = study.config.model_copy(update={"factor_model": section})
        ratings = change(study.inputs.ratings)
        return computations.factor_model(config, replace(study.inputs, ratings=ratings))

    without = factor_model(False, lambda ratings: ratings)
    assert "invariance" not in without.tables
    assert "invariance_over_contexts" not in codes_of(joined(without.facts["notes"]))
    native = factor_model(True, lambda ratings: ratings).tables["invariance"]
    assert native["lavaan_reason"].str.contains("lavaan was not used").all()

    def lone(ratings: pd.DataFrame) -> pd.DataFrame:
        keep = (ratings["context"] != "pain") | (ratings["subject"] == ratings["subject"].min())
        return ratings[keep]

    messages = factor_model(True, lone).facts["notes"]
    assert any("was not tested: there is only one subject in context" in note for note in messages)


def test_a_study_says_its_width_of_the_scores(study_result: StudyResult) -> None:
    def compared(**options: Any) -> tuple[pd.DataFrame, list[str]]:
        requested = study_result.config.compare.model_copy(
            update={"methods": ("jackknife_t",), "n_boot": 20} | options
        )
        config = study_result.config.model_copy(update={"compare": requested})
        found = computations.comparison(config, study_result.stages["models"], {})
        return found.tables["comparison"], found.facts["notes"]

    seven, notes = compared()
    assert "NRMSE is RMSE divided by 7, the width of the score" in notes
    wide, notes = compared(score_range=14.0)
    assert "NRMSE is RMSE divided by 14, the width of the score" in notes
    normalised = seven["metric"] == "nrmse"
    np.testing.assert_allclose(
        wide["estimate"], seven["estimate"] * np.where(normalised, 0.5, 1.0), rtol=1e-12
    )
    _, notes = compared(metrics=("rmse",))
    assert "nrmse_divisor" not in codes_of(joined(notes))
    for stem in ("performance", "differences", "all_differences"):
        text = (study_result.folder / f"{stem}.md").read_text(encoding="utf-8")
        assert text.count("NRMSE: RMSE divided by 7, the width of the scores.") == 1
    assert "the width of" not in (study_result.folder / "weights.md").read_text(encoding="utf-8")


def test_an_interval_of_another_method_keeps_the_name_requested(study_result: StudyResult) -> None:
    """With so few subjects some of BCa's ends lie beyond the replicates."""
    config = study_result.config
    compare = config.compare.model_copy(
        update={"methods": ("bca", "percentile"), "n_boot": 200, "confidence": 0.99}
    )
    config = config.model_copy(update={"compare": compare})
    found = computations.comparison(config, study_result.stages["models"], {})
    table = found.tables["comparison"]
    keys = ["metric", "term", "context", "method"]
    assert not table.duplicated(keys).any()
    assert (table.groupby("method").size() == len(table) / 2).all()
    wide = table.set_index(keys)
    fallen = table["reason"].str.endswith("the interval was computed by percentile")
    assert fallen.any()
    assert "different criteria; the interval was computed by percentile" in set(table["reason"])
    assert (table.loc[fallen, "method"] == "bca").all()
    for row in table[fallen].itertuples():
        other = wide.loc[(row.metric, row.term, row.context, "percentile")]
        assert (row.conf_low, row.conf_high) == (other["conf_low"], other["conf_high"])
    assert any(note.startswith(f"{fallen.sum()} interval") for note in found.facts["notes"])
