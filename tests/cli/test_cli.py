"""The command line: the same results as from Python, and errors of one sentence."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from command_line import pyexpr

from pyexpr.base.errors import FewSubjectsWarning, PyexprError
from pyexpr.cli import main
from pyexpr.inference.comparison.comparison import compare_models
from pyexpr.measurement.factor.cfa import cfa
from pyexpr.measurement.icc.icc import icc
from pyexpr.simulation import simulate
from pyexpr.simulation.simulate import SimulationResult
from pyexpr.study.pipeline import Study, StudyResult


@pytest.mark.parametrize(
    ("arguments", "code", "wanted"),
    [
        (["agreement", "--help"], 0, "--targets"),
        (["icc", "no.csv"], 1, "Error: the ratings (no.csv): there is no file 'no.csv'"),
        (["cfa", "no.csv"], 2, "--indicators response,emotion,motion"),
    ],
)
def test_a_process_ends_as_the_command_does(arguments: list[str], code: int, wanted: str) -> None:
    # All others run in this process.
    done = subprocess.run(
        [sys.executable, "-m", "pyexpr.cli.main", *arguments],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == code
    shown, nothing = (done.stderr, done.stdout) if code else (done.stdout, done.stderr)
    assert wanted in shown
    assert nothing == ""


def test_help_lists_every_command() -> None:
    text = pyexpr("--help")
    for command in (
        "init", "check", "run", "report", "simulate", "demo", "paper", "icc", "agreement", "raters",
        "traces", "components", "multilevel", "cfa", "ceiling", "features", "fit", "compare",
        "sensitivity", "errors", "importance", "plan", "doctor",
    ):  # fmt: skip
        assert f" {command} " in text


def test_icc_of_a_table(study_folder: Path, tmp_path: Path) -> None:
    output = tmp_path / "icc.csv"
    text = pyexpr(
        "icc", study_folder / "ratings.csv", "--targets", "subject,context,clip",
        "--context", "question", "--form", "ICC(1,1),ICC(1,k)", "-o", output,
    )  # fmt: skip
    assert "ICC(1,k)" in text
    ratings = pd.read_csv(study_folder / "ratings.csv", dtype={"clip": str})
    expected = icc(
        ratings,
        targets=["subject", "context", "clip"],
        ratings="score",
        context="question",
        form=["ICC(1,1)", "ICC(1,k)"],
        cluster=False,
    ).tidy()
    written = pd.read_csv(output)
    np.testing.assert_array_equal(written["estimate"], expected["estimate"])


def test_cfa_of_a_table(study_result: StudyResult, tmp_path: Path) -> None:
    scores = tmp_path / "scores.csv"
    pyexpr(
        "cfa", study_result.folder / "scores.csv", "--indicators", "response,emotion,motion",
        "--engine", "native", "--scores", scores,
    )  # fmt: skip
    means = pd.read_csv(study_result.folder / "scores.csv")
    model = {"expressiveness": ["response", "emotion", "motion"]}
    expected = cfa(means, model, engine="native").scores()
    np.testing.assert_array_equal(pd.read_csv(scores)["bartlett_score"], expected["score"])
    turned, turned_scores = tmp_path / "turned.csv", tmp_path / "turned_scores.csv"
    means.assign(emotion=-means["emotion"]).to_csv(turned, index=False)
    pyexpr(
        "cfa", turned, "--indicators", "response,emotion,motion", "--engine", "native",
        "--positive", "emotion", "--scores", turned_scores,
    )  # fmt: skip
    found = pd.read_csv(turned_scores)["bartlett_score"]
    np.testing.assert_allclose(found, -expected["score"], atol=1e-9)


def test_compare_a_table_of_predictions(study_result: StudyResult, tmp_path: Path) -> None:
    output, given = tmp_path / "comparison.csv", study_result.folder / "predictions.csv"
    table = study_result.table("predictions")
    pyexpr(
        "compare", given, "--context", "evaluated",
        "--predictions", "elastic_net,normal", "--method", "percentile", "--seed", "3",
        "-o", output,
    )  # fmt: skip
    with pytest.warns(FewSubjectsWarning, match="only 3 subjects"):
        expected = compare_models(
            table,
            truth="truth",
            predictions=["elastic_net", "normal"],
            cluster="subject",
            context="evaluated",
            method="percentile",
            seed=3,
        ).tidy()
    written = pd.read_csv(output)
    # The shortest decimals of the CSV read back as the same doubles: the same bytes.
    for column in ("estimate", "conf_low", "conf_high", "p_value"):
        np.testing.assert_array_equal(written[column], expected[column])


def test_compare_within_folds(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"subject": np.repeat(np.arange(24), 5), "y": rng.normal(size=120)})
    table["model"] = table["y"] + rng.normal(size=120)
    table["part"] = table["subject"] % 4
    given, output = tmp_path / "predictions.csv", tmp_path / "comparison.csv"
    table.to_csv(given, index=False)
    pyexpr(
        "compare", given, "--truth", "y", "--predictions", "model", "--fold", "part",
        "--metrics", "rmse,correlation", "--n-boot", "0", "-o", output,
    )  # fmt: skip
    expected = compare_models(
        table, truth="y", predictions=["model"], cluster="subject", fold="part",
        metrics=("rmse", "correlation"), n_boot=0,
    ).tidy()  # fmt: skip
    within = [np.corrcoef(part["y"], part["model"])[0, 1] for _, part in table.groupby("part")]
    written = pd.read_csv(output)
    assert written["estimate"][1] == pytest.approx(np.mean(within), rel=1e-12)
    np.testing.assert_array_equal(written["p_value"], expected["p_value"])


@pytest.mark.parametrize(("labels", "positive"), [((0, 1), "0"), (("no", "yes"), "yes")])
def test_compare_classes_per_recording(tmp_path: Path, labels: tuple, positive: str) -> None:
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"subject": np.repeat(np.arange(24), 8)})
    table["clip"] = [f"r{k // 4}" for k in range(192)]
    latent = rng.normal(size=192)
    table["y"] = np.array(labels)[(latent > 0).astype(int)]
    table["model"] = 1 / (1 + np.exp(-latent - rng.normal(size=192)))
    given, output = tmp_path / "predictions.csv", tmp_path / "comparison.csv"
    table.to_csv(given, index=False)
    pyexpr(
        "compare", given, "--truth", "y", "--predictions", "model", "--metrics", "f1,accuracy",
        "--positive", positive, "--threshold", "0.4", "--per", "clip", "--n-boot", "0",
        "-o", output,
    )  # fmt: skip
    expected = compare_models(
        table, truth="y", predictions=["model"], cluster="subject", metrics=["f1", "accuracy"],
        positive=0 if positive == "0" else positive, threshold=0.4, per="clip", n_boot=0,
    ).tidy()  # fmt: skip
    np.testing.assert_array_equal(pd.read_csv(output)["estimate"], expected["estimate"])


def test_features_of_files(study_folder: Path, tmp_path: Path) -> None:
    files = sorted((study_folder / "openface").glob("S001_*.csv"))
    output = tmp_path / "features.csv"
    further = ("--extra", "regions, acceleration", "--baseline", "all")
    pyexpr("features", *files, "--every", "3", "-o", output, *further)
    table = pd.read_csv(output)
    assert table["openface"].nunique() == 3
    assert table[["mouth_velocity", "head_jerk", "head_jerk_deviation"]].notna().all(axis=None)
    assert (table["end"] - table["start"]).round(6).eq(3).all()


@pytest.mark.parametrize("command", ["icc", "cfa", "features", "fit", "compare"])
def test_each_stage_of_a_study(command: str, study_result: StudyResult) -> None:
    # The study is computed; the stored stages are printed.
    text = pyexpr(command, study_result.folder.parent / "study.toml")
    first = {
        "icc": "ICC(1,k)", "cfa": "expressiveness", "features": "points_displacement",
        "fit": "au_count", "compare": "jackknife_t",
    }  # fmt: skip
    assert first[command] in text


def test_run_prints_what_was_found(study_result: StudyResult) -> None:
    text = pyexpr("run", study_result.folder.parent / "study.toml")
    assert "Over all contexts, ElasticNet predicted with NRMSE" in text
    assert "Table 2. ElasticNet Minus the Other Models, Over All Contexts." in text
    assert "simulated" in text
    assert str(study_result.folder / "figures") in text
    assert f"Report:  {study_result.folder / 'report.html'}" in text


@pytest.mark.parametrize("command", ["run", "demo"])
def test_json_of_a_whole_study_is_all_of_standard_output(
    command: str,
    study_result: StudyResult,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder = study_result.folder.parent
    monkeypatch.setattr(Study, "run", lambda *_, **__: study_result)
    study = folder / "study.toml"
    simulated = SimulationResult(str(folder), 1, 1, False, {}, 0)
    monkeypatch.setattr(simulate, "simulate_study", lambda *_, **__: simulated)
    given = study if command == "run" else folder
    monkeypatch.setattr(sys, "argv", ["pyexpr", command, str(given), "--json"])
    with suppress(SystemExit):
        main.main()
    shown = capsys.readouterr()
    found = json.loads(shown.out)
    assert shown.err == ""
    assert found["result"] == "StudyResult"
    assert len(found["table"]) == len(study_result.tidy())
    assert set(found["tables"]) == {"reliability", "loadings", "comparison"}
    assert found["report"] == str(study_result.folder / "report.html")
    assert ("truth" in found) == (command == "demo")


def test_a_report_is_made_from_the_results(study_result: StudyResult, tmp_path: Path) -> None:
    target = tmp_path / "new" / "report.html"
    assert str(target) in pyexpr("report", study_result.folder, "-o", target)
    assert target.read_bytes() == (study_result.folder / "report.html").read_bytes()
    printed = pyexpr("report", tmp_path, code=1)
    assert printed.startswith("Error: ")
    assert "holds no results of a study" in printed


def test_simulate_and_demo_on_a_few_subjects(study_result: StudyResult, tmp_path: Path) -> None:
    # Of the study of the other tests one recording is missing, and all that is drawn or written.
    source, folder = study_result.folder.parent, tmp_path / "demo"
    shutil.copytree(source, folder, ignore=shutil.ignore_patterns("openface", "results"))
    shutil.copytree(source / "openface", folder / "openface", copy_function=os.link)
    shutil.copytree(study_result.folder / "stages", folder / "results" / "stages")
    (missing,) = folder.glob("openface/S004_pain.csv")
    missing.unlink()
    assert "wrote" in pyexpr("simulate", folder, "--subjects", "15", "--seed", "3")
    assert missing.read_bytes() == (source / "openface" / missing.name).read_bytes()
    text = pyexpr("demo", folder, "--subjects", "15", "--seed", "3")
    assert "already complete" in text
    for number in range(1, 5):
        assert f"Beside the Paper's Table {number}" in text
    assert "These data are simulated." in text
    assert (folder / "results" / "figures" / "weights.png").is_file()


def test_simulate_with_videos(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    requested: list[dict[str, object]] = []

    def simulated(folder: Path, **options: object) -> SimulationResult:
        requested.append(options)
        return SimulationResult(str(folder), 1, 1, True, {}, 0)

    monkeypatch.setattr(simulate, "simulate_study", simulated)
    main.simulate(tmp_path, videos=True, video_size=32)
    assert "Simulated study" in capsys.readouterr().out
    # The deep demo has its own number of subjects, and needs the videos.
    with pytest.raises(PyexprError, match="there is no study file"):
        main.demo(tmp_path, deep=True)
    assert requested == [
        {"subjects": 40, "seed": 1, "videos": True, "video_size": 32, "overwrite": False,
         "progress": None},
        {"subjects": 20, "seed": 1, "videos": True, "overwrite": False, "progress": None},
    ]  # fmt: skip


def test_the_doctor_names_versions() -> None:
    text = pyexpr("doctor")
    assert "lavaan" in text
    assert "numpy" in text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run", "no.toml"], "Error: there is no study file 'no.toml'"),
        (["icc", "no.csv"], "Error: the ratings (no.csv): there is no file 'no.csv'"),
        (["features", "no.csv", "--every", "3"], "no.csv"),
        (["features", "no.csv"], "--every 3"),
        (["cfa", "no.csv"], "--indicators response,emotion,motion"),
        (["compare", "no.csv"], "--predictions elastic_net,lstm"),
    ],
)
def test_errors_are_one_sentence(arguments: list[str], message: str, tmp_path: Path) -> None:
    code = 1 if "Error:" in message or "--every" in arguments else 2
    assert message in pyexpr(*arguments, code=code)


@pytest.mark.parametrize(
    "arguments",
    [
        ["icc", "--context", "question"],
        ["cfa", "--engine", "native"],
        ["features", "--rate", "10"],
        ["compare", "--n-boot", "100"],
    ],
)
def test_options_that_the_study_file_decides_are_not_ignored(
    arguments: list[str], study_folder: Path
) -> None:
    command, option, value = arguments
    printed = pyexpr(command, study_folder / "study.toml", option, value, code=2)
    assert f"{option} cannot be given with a study file" in " ".join(printed.split())


def test_a_study_file_stands_alone(study_folder: Path) -> None:
    printed = pyexpr("features", "a.csv", study_folder / "study.toml", code=2)
    assert "one study file alone" in printed


def test_icc_takes_the_columns_of_a_study_by_itself(study_folder: Path, tmp_path: Path) -> None:
    output = tmp_path / "icc.csv"
    pyexpr("icc", study_folder / "ratings.csv", "--cluster", "subject", "-o", output)
    ratings = pd.read_csv(study_folder / "ratings.csv", dtype={"clip": str})
    expected = icc(
        ratings,
        targets=["subject", "context", "clip"],
        ratings="score",
        context="question",
        cluster="subject",
    ).tidy()
    written = pd.read_csv(output)
    np.testing.assert_array_equal(written["conf_low"], expected["conf_low"])


def test_a_form_that_is_none_is_named_as_it_was_written(study_folder: Path) -> None:
    printed = pyexpr("icc", study_folder / "ratings.csv", "--form", "icc1k", code=1)
    assert "no form 'icc1k' of the ICC; did you mean 'ICC(1,k)'" in printed


def test_replicates_keep_every_digit(tmp_path: Path) -> None:
    rows = np.arange(60)
    table = pd.DataFrame({"subject": rows // 2, "truth": rows * 37 % 29 / 8, "p": rows % 17 / 8})
    given, written = tmp_path / "given.csv", tmp_path / "replicates.csv"
    table.to_csv(given, index=False)
    pyexpr("compare", given, "--predictions", "p", "--n-boot", "50", "--seed", "9",
           "--replicates", written)  # fmt: skip
    expected = compare_models(
        table, truth="truth", predictions=["p"], cluster="subject", n_boot=50, seed=9
    )
    printed = pyexpr(
        "compare", given, "--predictions", "p", "--metrics", "nrmse", "--score-range", "4",
        "--n-boot", "0",
    )  # fmt: skip
    assert "NRMSE is RMSE divided by 4, the width of the score" in printed
    lines = written.read_text().splitlines()
    assert lines[0] == "rmse: p: all,correlation: p: all"
    found = np.array([[float(cell) for cell in line.split(",")] for line in lines[1:]])
    assert found.tobytes() == np.ascontiguousarray(expected.replicates).tobytes()
