"""Sensitivity: equal to separate studies, a planted threshold, failures, and what is computed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from command_line import pyexpr
from study_variants import variant
from tables_of_a_study import simulated_tables, write_study

import pyexpr as px
from pyexpr.base.errors import DataError, Interrupted, StudyError
from pyexpr.study.pipeline import Study, StudyResult
from pyexpr.study.sensitivity.result import SensitivityResult
from pyexpr.study.sensitivity.sensitivity import sensitivity
from pyexpr.study.stages import computations

RATED = """
[data]
features = "features.csv"

[ratings]
low = 1
high = 7

[label]
method = "question"
question = "positive"

[features]
use = ["AU12", "AU4"]

[evaluation]
scheme = "cross_validation"
folds = 2
inner_folds = 2

[models.elastic_net]
alpha = [0.5]
l1_ratio = [0.5]

[compare]
n_boot = 50

[coefficients]
n_boot = 10
"""
# Values that other stages depend on: the label, the models, the comparison, the slopes.
CHANGES: dict[str, list[Any]] = {
    "label.question": ["negative"],
    "features.use": ["AU6"],
    "compare.methods": ["percentile"],
    "coefficients.cr": ["CR3"],
}
KEY = ["quantity", "context", "metric", "term"]
NUMBERS = ["estimate", "conf_low", "conf_high", "p_value"]


@pytest.fixture(scope="module")
def study_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    ratings, features = (
        table[table["context"] != "normal"] for table in simulated_tables(subjects=8, clips=2)
    )
    folder = tmp_path_factory.mktemp("sensitivity")
    return write_study(folder, RATED, ratings=ratings, features=features, quick=False)


@pytest.fixture(scope="module")
def found(study_file: Path) -> SensitivityResult:
    return sensitivity(study_file, CHANGES, progress=False)


def stages_of(path: Path, output: Path, **changed: str) -> dict[str, pd.DataFrame]:
    """Return the tables of a study whose file has other lines."""
    text = path.read_text(encoding="utf-8")
    for old, new in changed.values():
        assert old in text
        text = text.replace(old, new)
    other = path.with_name(f"{output.name}.toml")
    other.write_text(text, encoding="utf-8")
    study = Study.from_file(other, output=output)
    made = (study.comparison(), study.reliability(), study.coefficients())
    return {name: table for one in made for name, table in one.tables.items()}


# What is written in the study file in place of each value.
LINES: Mapping[int, tuple[str, str]] = {
    1: ('question = "positive"', 'question = "negative"'),
    3: ("[compare]", '[compare]\nmethods = ["percentile"]'),
    4: ("[coefficients]", '[coefficients]\ncr = "CR3"'),
}


@pytest.mark.parametrize("number", LINES)
def test_a_specification_is_a_separate_study(
    number: int, study_file: Path, found: SensitivityResult, tmp_path: Path
) -> None:
    tables = stages_of(study_file, tmp_path / f"other{number}", lines=LINES[number])
    rows = found.tidy()
    own = rows[rows["specification"] == number].set_index(KEY)
    compared = tables["comparison"]
    first = compared["method"].iloc[0]
    compared = compared[compared["method"] == first]
    kinds = compared["kind"].map({"level": "performance", "difference": "difference"})
    slopes = tables["coefficients"].assign(
        estimate=tables["coefficients"]["tested_estimate"], metric="slope"
    )
    slopes["p_value"] = slopes["p_adjusted"]
    reliable = tables["reliability"].assign(p_value=np.nan).rename(columns={"form": "metric"})
    reliable["conf_low"] = reliable["conf_low_subjects"]
    reliable["conf_high"] = reliable["conf_high_subjects"]
    for quantity, table, term in (
        (kinds, compared, "term"),
        ("slope", slopes, "feature"),
        ("reliability", reliable, "question"),
    ):
        expected = table.assign(quantity=quantity, term=table[term]).set_index(KEY)[NUMBERS]
        shared = own.index.intersection(expected.index, sort=False)
        assert len(shared) > 3
        # The same bytes, not nearly equal numbers.
        pd.testing.assert_frame_equal(
            own.loc[shared, NUMBERS], expected.loc[shared], check_exact=True
        )


def test_each_different_stage_is_computed_once(study_file: Path, found: SensitivityResult) -> None:
    work = found.work.set_index("stage")
    assert set(work["n_specifications"]) == {5}
    # The other question has its own label; [compare] is also that of the reliability's level.
    assert work["n_distinct"].to_dict() == {
        "reliability": 2, "label": 2, "features": 2, "models": 3, "comparison": 4,
        "coefficients": 5,
    }  # fmt: skip
    assert work["n_computed"].sum() == 18
    again = sensitivity(study_file, CHANGES, progress=False)
    assert again.work["n_computed"].sum() == 0
    pd.testing.assert_frame_equal(again.tidy(), found.tidy(), check_exact=True)
    # One more value computes only what depends on it.
    more = CHANGES | {"coefficients.cr": ["CR3", "CR1"]}
    assert sensitivity(study_file, more, progress=False).work.set_index("stage")[
        "n_computed"
    ].to_dict() == dict.fromkeys(work.index, 0) | {"coefficients": 1}


def test_stages_of_the_study_itself_are_used_and_left(study_file: Path, tmp_path: Path) -> None:
    study = Study.from_file(study_file, output=tmp_path)
    study.reliability()
    before = (tmp_path / "stages" / "reliability.zip").read_bytes()
    found = sensitivity(study, {"compare.confidence": [0.9]}, of="reliability", progress=False)
    assert found.work["n_computed"].tolist() == [1]
    assert (tmp_path / "stages" / "reliability.zip").read_bytes() == before
    assert not (tmp_path / "record.json").exists()


def test_processes_give_the_same_bytes(study_file: Path, tmp_path: Path) -> None:
    tables = [
        sensitivity(
            Study.from_file(study_file, output=tmp_path / str(jobs)),
            {"compare.confidence": [0.9]},
            of="reliability",
            n_jobs=jobs,
            progress=False,
        )
        for jobs in (1, 2)
    ]
    one, two = (found.tidy().to_csv() for found in tables)
    assert one == two
    assert tables[1].work["n_computed"].tolist() == [2]


def test_agreement_with_the_base(found: SensitivityResult) -> None:
    rows = found.tidy()
    base = rows[rows["base"]].set_index(KEY)
    tested = rows[rows["null"].notna() & rows["estimate"].notna()]
    for row in tested.to_dict("records"):
        own = base.loc[tuple(row[name] for name in KEY)]
        assert row["null"] == 0
        assert row["same_sign"] == ((row["estimate"] > 0) == (own["estimate"] > 0))
        if np.isnan(row["conf_low"]):
            assert pd.isna(row["excludes_null"])
            assert row["reason"]
            continue
        outside = row["conf_low"] > 0 or row["conf_high"] < 0
        assert row["excludes_null"] == outside
        if not pd.isna(own["excludes_null"]):
            assert row["same_significance"] == (outside == own["excludes_null"])
    errors = rows[(rows["metric"] == "nrmse") & (rows["quantity"] == "performance")]
    assert errors["same_sign"].isna().all()
    assert errors["reason"].str.contains("nrmse has no null value").all()
    assert (rows.loc[rows["estimate"].isna(), "reason"] != "").all()


def test_the_summary_counts_specifications(found: SensitivityResult) -> None:
    summary = found.summary().set_index(KEY)
    key = ("difference", "all", "nrmse", "elastic_net - uniform")
    own = found.tidy().set_index(KEY).loc[[key]]
    row = summary.loc[key]
    assert row["base"] == own["estimate"].iloc[0]
    assert row["lowest"] == own["estimate"].min()
    assert row["median"] == np.median(own["estimate"])
    assert row["n_specifications"] == 5
    assert row["same_sign"] == (np.sign(own["estimate"]) == np.sign(row["base"])).mean()
    gone = summary.loc[("slope", "all", "slope", "AU12")]
    assert (gone["n_specifications"], gone["n_missing"]) == (4, 1)


def test_a_threshold_at_which_a_conclusion_flips_is_found(tmp_path: Path) -> None:
    """Subjects with up to 3 clips have another slope than those with 6."""
    rng = np.random.default_rng(4)
    rows = []
    for s in range(36):
        few = s % 2
        for clip in range(3 if few else 6):
            x = rng.normal()
            rows.append((f"s{s}", clip, x, (-9 if few else 1) * x + 0.3 * rng.normal()))
    table = pd.DataFrame(rows, columns=["subject", "clip", "smile", "joy"])
    toml = """
[data]
features = "features.csv"
contexts = false

[label]
method = "column"
column = "joy"

[evaluation]
scheme = "cross_validation"
folds = 2
inner_folds = 2
"""
    path = write_study(tmp_path, toml, features=table)
    grid = {"data.min_clips": [3, 4]}
    found = sensitivity(path, grid, of="coefficients", progress=False)
    slope = found.conclusion(quantity="slope", term="smile").set_index("data.min_clips")
    assert slope["same_sign"].to_dict() == {"1": True, "3": True, "4": False}
    assert (slope.loc[["1", "3"], "conf_high"] < 0).all()
    assert slope.loc["4", "conf_low"] > 0
    # Above 3 only the subjects with 6 clips are left.
    assert slope["n_clusters"].to_dict() == {"1": 36, "3": 36, "4": 18}


def test_a_failed_specification_is_a_row_with_a_reason(study_file: Path) -> None:
    grid = {"data.min_clips": [99], "compare.confidence": [0.9]}
    found = sensitivity(study_file, grid, of="reliability", progress=False)
    assert found.specifications["failed"].tolist() == [False, True, False]
    failed = found.tidy()[found.tidy()["specification"] == 1]
    assert failed["estimate"].isna().all()
    assert failed["reason"].str.startswith("no subject has min_clips = 99 clips").all()
    assert found.summary()["n_missing"].eq(1).all()
    assert "1 specification of 3 failed" in found.notes()[1]


def test_choices_that_do_not_go_together_are_listed(study_file: Path) -> None:
    grid = {"evaluation.scheme": ["split"], "coefficients.rows": ["all", "train"]}
    found = sensitivity(study_file, grid, full=True, of="reliability", progress=False)
    own = found.specifications
    assert own["evaluation.scheme"].tolist() == ["cross_validation"] * 2 + ["split"] * 2
    assert own["coefficients.rows"].tolist() == ["all", "train", "train", "all"]
    assert own["failed"].tolist() == [False, True, False, False]
    assert "these choices cannot be combined in a study: rows" in own["reason"][1]


@pytest.mark.parametrize(
    ("grid", "sentence"),
    [
        ({}, "must map entries of the study file to other values"),
        ({"compare.method": ["bca"]}, "[compare] has no entry 'method'; did you mean 'methods'?"),
        ({"compare.confidence": [2]}, "compare.confidence must be below 1, not 2"),
        ({"compare.confidence": []}, "compare.confidence has an empty list"),
        ({"compare.confidence": 0.9}, "must have a list of other values, not a number"),
        ({"seed": [1]}, "no value other than those of the study itself: seed = 1"),
        ({"output": ["x"]}, "'output' cannot be changed: no number of a study depends on it"),
        ({"label.question": [["positive", "negative"]]}, "cannot have several labels"),
        (
            {"compare": [{"n_boot": 99}], "compare.n_boot": [99]},
            "both 'compare' and 'compare.n_boot'",
        ),
    ],
)
def test_what_is_wrong_is_one_sentence(
    study_file: Path, grid: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(DataError) as raised:
        sensitivity(study_file, grid)
    assert sentence in str(raised.value)


def test_a_value_that_no_combination_can_have_is_an_error(study_file: Path) -> None:
    grid = {"compare.confidence": [0.9], "coefficients.rows": ["train"]}
    with pytest.raises(StudyError, match=r"coefficients\.rows = train: rows = \"train\" under"):
        sensitivity(study_file, grid, full=True)


def test_a_study_without_a_file_is_refused(study_file: Path) -> None:
    known = Study.from_file(study_file)
    with pytest.raises(StudyError, match="was not read from a study file"):
        sensitivity(Study(known.config, known.folder), CHANGES)
    with pytest.raises(DataError, match="of= must be one of 'comparison', 'reliability'"):
        sensitivity(known, CHANGES, of="figures")
    with pytest.raises(StudyError, match="label= must be one of 'positive', not 'joy'"):
        sensitivity(known, CHANGES, label="joy")


def test_ctrl_c_keeps_what_is_computed(
    study_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = Study.from_file(study_file, output=tmp_path)
    grid = {"compare.confidence": [0.9, 0.8, 0.7]}
    whole, calls = computations.reliability, []

    def stopped(*arguments: Any) -> Any:
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return whole(*arguments)

    monkeypatch.setattr(computations, "reliability", stopped)
    with pytest.raises(Interrupted, match="stages of all specifications are stored; call it"):
        sensitivity(study, grid, of="reliability", progress=False)
    monkeypatch.setattr(computations, "reliability", whole)
    found = sensitivity(study, grid, of="reliability", progress=False)
    assert found.work["n_computed"].tolist() == [2]


def test_the_curve_marks_the_base_and_shows_every_choice(found: SensitivityResult) -> None:
    figure = found.plot(metric="nrmse", term="elastic_net - human")
    curve, board = figure.axes
    drawn = found.conclusion(metric="nrmse", term="elastic_net - human")
    diamonds = [line for line in curve.lines if line.get_marker() == "D"]
    assert [line.get_ydata()[0] for line in diamonds] == [drawn["estimate"].iloc[0]]
    circles = [line.get_ydata()[0] for line in curve.lines if line.get_marker() == "o"]
    assert sorted(circles) == sorted(drawn["estimate"].iloc[1:])
    labels = [text.get_text() for text in board.get_yticklabels()]
    assert labels == [
        "positive", "negative", "AU12, AU4", "AU6", "jackknife_t, percentile", "percentile",
        "CR2", "CR3",
    ]  # fmt: skip
    with pytest.raises(DataError, match=r"context= must be one of 'express'.*, not 'pain'"):
        found.plot(context="pain")


def test_it_is_saved(found: SensitivityResult, tmp_path: Path) -> None:
    found.save(tmp_path / "curve.pyexpr")
    again = px.load(tmp_path / "curve.pyexpr")
    assert str(again) == str(found)
    pd.testing.assert_frame_equal(again.tidy(), found.tidy())
    assert json.loads(json.dumps(again.to_dict()))["table"][0]["base"] is True


def test_the_command_writes_tables_and_the_figure(study_file: Path, tmp_path: Path) -> None:
    table, summary, figure = (tmp_path / name for name in ("all.csv", "one.csv", "curve.svg"))
    printed = pyexpr(
        "sensitivity", study_file, "--set", "compare.methods=percentile,bca", "--of", "reliability",
        "--set", "compare.confidence=.9", "-o", table, "--summary", summary, "--figure", figure,
        "--term", "negative", "--json",
    )  # fmt: skip
    found = sensitivity(
        study_file,
        {"compare.methods": ["percentile", "bca"], "compare.confidence": [0.9]},
        of="reliability",
    )
    assert json.loads(printed)["table"] == found.to_dict()["table"]
    assert pd.read_csv(table)["estimate"].equals(found.tidy()["estimate"])
    assert len(pd.read_csv(summary)) == len(found.summary())
    assert "Negative" in figure.read_text(encoding="utf-8")
    assert "The specification curve" in figure.read_text(encoding="utf-8")
    said = pyexpr("sensitivity", study_file, "--set", "seed", code=2)
    assert "--set must be entry=value,value" in " ".join(said.split())


# --- the quality of recordings -------------------------------------------------------------------


def test_models_are_adjusted_for_the_quality_of_clips(study_folder: Path, tmp_path: Path) -> None:
    toml = '[features]\nadjust_for = ["share_valid", "mean_confidence"]\n'
    study = Study.from_file(variant(study_folder, tmp_path / "adjusted", toml=toml))
    tables = study.features().tables
    joined = tables["features"].merge(tables["quality"], on=["subject", "context", "clip"])
    for name in ("share_valid", "mean_confidence"):
        pd.testing.assert_series_equal(joined[f"{name}_x"], joined[f"{name}_y"], check_names=False)
    assert study.features().facts["covariates"] == ["share_valid", "mean_confidence"]
    checked = px.check_study(tmp_path / "adjusted" / "study.toml")
    assert checked.ok
    assert "adjusted for: 2 (share_valid, mean_confidence)" in str(checked)


def test_errors_of_a_study_by_the_quality_of_clips(study_result: StudyResult) -> None:
    with pytest.warns(px.errors.FewSubjectsWarning):
        found = study_result.error_slopes("share_valid")
    rows = study_result.table("predictions")
    rows = rows[rows["evaluated"] == "all"].merge(
        study_result.table("quality"), on=["subject", "context", "clip"]
    )
    table = found.tidy().set_index("context")
    assert table.loc["all", "n"] == len(rows)
    assert set(table.index) == {"disgust", "pain", "startle", "all"}
    error = (rows["truth"] - rows["elastic_net"]).abs()
    assert table.loc["all", "mean_error"] == pytest.approx(error.mean())
    with pytest.raises(StudyError, match="no column 'light' of recordings or features"):
        study_result.error_slopes("light")
