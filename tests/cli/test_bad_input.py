"""Bad input to `pyexpr run`: each case is told in a sentence, or counted where it can be borne."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from study_variants import CACHES, tables_of, variant

from pyexpr.base.files import sha256
from pyexpr.cli.main import main
from pyexpr.measurement.engines.protocol import bridge_text
from pyexpr.study.pipeline import Study, StudyResult

ROOT = Path(__file__).parents[2]


def refused(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    """Run the command line in this process and return the one sentence of its error."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["pyexpr", *map(str, arguments)])
        patch.setattr("warnings.showwarning", None)
        with pytest.raises(SystemExit) as stopped:
            main()
    printed = capsys.readouterr().err
    assert stopped.value.code == 1, printed
    errors = [line for line in printed.splitlines() if line.startswith("Error: ")]
    assert len(errors) == 1, printed
    assert "Traceback" not in printed
    return errors[0]


def with_stored(result: StudyResult, study_file: Path, *, but: tuple[str, ...] = ()) -> Path:
    """Put the stored stages of a study beside its variant; return the variant's results."""
    target = study_file.parent / "results"
    shutil.copytree(result.folder, target)
    for stage in but:
        (target / "stages" / f"{stage}.zip").unlink()
    return target


def spoiled(ratings: pd.DataFrame, score: object) -> pd.DataFrame:
    ratings = ratings.astype({"score": object})
    ratings.loc[10, "score"] = score
    return ratings


def without(table: pd.DataFrame, subject: str) -> pd.DataFrame:
    return table[table["subject"] != subject]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda r, c: {"ratings": r.rename(columns={"question": "Questions"})},
            r"no column 'question'; did you mean 'Questions'\?",
        ),
        (
            lambda r, c: {"recordings": c.rename(columns={"openface": "open_face"})},
            r"no column 'openface'; did you mean 'open_face'\?",
        ),
        (
            lambda r, c: {"ratings": spoiled(r, "two")},
            r"column 'score' .* a number, but row 11 holds 'two'",
        ),
        (
            lambda r, c: {"ratings": spoiled(r, 5)},
            r"column 'score' .* between 0 and 4, but row 11 holds 5",
        ),
        (
            lambda r, c: {"ratings": pd.concat([r, r.iloc[[3]]])},
            r"1 rating stands twice .* 'S001 / startle / 1 / ",
        ),
        (
            lambda r, c: {"recordings": without(c, "S004")},
            r"in the ratings but not in the recordings: 'S004 / startle', 'S004 / pain'",
        ),
        (
            lambda r, c: {"ratings": without(r, "S004")},
            r"in the recordings but not in the ratings: 'S004 / startle', 'S004 / pain'",
        ),
        (
            lambda r, c: {"ratings": r[r["subject"] == "S001"], "recordings": c[:3]},
            r"at least 3 subjects, .* have 1: 'S001'",
        ),
    ],
)
def test_tables_that_cannot_be_used(
    change: object,
    message: str,
    study_folder: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    tables = change(*tables_of(study_folder))  # type: ignore[operator]
    study_file = variant(study_folder, tmp_path / "copy", **tables)
    assert re.search(message, refused(capsys, "run", study_file))
    # Refused before anything is computed.
    assert not list((study_file.parent / "results").rglob("*"))


@pytest.mark.parametrize("table", ["ratings", "recordings"])
@pytest.mark.parametrize("command", ["run", "icc", "features", "fit", "compare"])
def test_a_table_that_is_not_there(
    command: str, table: str, study_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    study_file = variant(study_folder, tmp_path / "copy")
    text = study_file.read_text()
    study_file.write_text(text.replace(f'{table} = "{table}.csv"', f'{table} = "none.csv"'))
    printed = refused(capsys, command, study_file)
    assert "none.csv" in printed
    assert "there is no file" in printed


@pytest.mark.parametrize(
    ("change", "toml", "message"),
    [
        (
            lambda r: r[r["question"] == "emotion"],
            "",
            r"needs at least two questions .*, but the ratings have 1 question: 'emotion'; ",
        ),
        (
            lambda r: r,
            "[split]\nproportions = [0.9, 0.05, 0.05]\n",
            r"\[split\] proportions = \[0.9, 0.05, 0.05\] leave the test part 1 of 15 subjects",
        ),
        (
            lambda r: r,
            "[split]\nproportions = [0.98, 0.01, 0.01]\n",
            r"\[split\] proportions: with 15 subjects, a proportion of 0.01 gives none for the val",
        ),
        (
            # The first three raters answer two questions, the others the third.
            lambda r: r[(r["question"] == "motion") == (r["rater"].str[-1].astype(int) > 3)],
            '[baselines]\nhuman = "slot"\n',
            r'no rater answered every question about any clip; set human = "none" under',
        ),
    ],
)
def test_what_tables_and_study_file_show_is_reported_before_the_first_stage(
    change: Callable[[pd.DataFrame], pd.DataFrame], toml: str, message: str,
    study_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    ratings, _ = tables_of(study_folder)
    ratings = change(ratings.astype({"rater": str}))
    study_file = variant(study_folder, tmp_path / "copy", toml=toml, ratings=ratings)
    assert re.search(message, refused(capsys, "run", study_file))
    assert not list((study_file.parent / "results").rglob("*"))


def test_a_file_too_short_for_any_clip(
    study_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = study_folder / "openface" / "S001_pain.csv"
    out = tmp_path / "f.csv"
    printed = refused(capsys, "features", file, "--every", "300", "-o", out)
    assert "no clip of 300 s fits" in printed
    assert "the recording is too short" in printed
    assert not out.exists()


def test_a_context_with_fewer_subjects_than_parts(
    study_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ratings, recordings = (
        table[(table["context"] != "pain") | table["subject"].isin(["S001", "S002"])]
        for table in tables_of(study_folder)
    )
    study_file = variant(study_folder, tmp_path / "copy", ratings=ratings, recordings=recordings)
    assert re.search(r"'pain'.*2 subjects", refused(capsys, "run", study_file))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "empty"),
        (b"frame, face_id, timestamp, confidence, success", "header|no rows|not an OpenFace file"),
        (None, "no rows"),
        (b"name,value\nS001,3\n", "not an OpenFace file"),
        (b"\x89PNG\r\n\x1a\n\x00\x00\x00", "a binary file, or text that is not UTF-8"),
    ],
)
def test_openface_files_that_hold_no_recording(
    content: bytes | None,
    message: str,
    study_folder: Path,
    study_result: StudyResult,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    name = "S002_pain.csv"
    if content is None:  # The header of a real one, and nothing else.
        content = (study_folder / "openface" / name).read_bytes().split(b"\n")[0] + b"\n"
    study_file = variant(study_folder, tmp_path / "copy", openface={name: content})
    stages = with_stored(study_result, study_file) / "stages"
    before = {path.name for path in stages.glob("*.zip")}
    printed = refused(capsys, "run", study_file)
    assert name in printed
    assert re.search(message, printed), printed
    # No stage was computed; the features of the other recordings are stored.
    assert {path.name for path in stages.glob("*.zip")} == before


@pytest.mark.usefixtures("empty_figures")
def test_a_file_cut_off_is_used_and_the_loss_is_counted(
    study_folder: Path, study_result: StudyResult, tmp_path: Path
) -> None:
    name = "S002_startle.csv"
    lines = (study_folder / "openface" / name).read_bytes().splitlines(keepends=True)
    # 440 frames and a piece are 17.6 s; the last clip of startle ends after 18 s.
    cut = b"".join(lines[:441]) + lines[441][:300]
    study_file = variant(study_folder, tmp_path / "copy", openface={name: cut})
    with_stored(study_result, study_file)
    result = Study.from_file(study_file).run(progress=False)
    recordings = result.table("recordings").set_index("openface")
    assert recordings["rows_cut"][f"openface/{name}"] == 1
    assert recordings["rows_cut"].sum() == 1
    dropped = result.table("dropped_clips")
    assert dropped[["subject", "context", "clip"]].to_numpy().tolist() == [["S002", "startle", "5"]]
    assert result.record["stages"]["features"]["clips too short for the schedule"] == 1
    left_out = result.table("left_out").set_index(["subject", "context", "clip"])["reason"]
    assert left_out["S002", "startle", "5"] == "rated, but the recording does not contain the clip"


def test_a_recording_shorter_than_its_schedule_can_be_refused(
    study_folder: Path,
    study_result: StudyResult,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    name = "S002_startle.csv"
    lines = (study_folder / "openface" / name).read_bytes().splitlines(keepends=True)
    study_file = variant(study_folder, tmp_path / "copy", openface={name: b"".join(lines[:400])})
    text = study_file.read_text().replace("fps = 25", 'fps = 25\non_short = "error"')
    study_file.write_text(text)
    printed = refused(capsys, "run", study_file)
    assert re.search(r"S002.*startle.*'5'|S002_startle.*5", printed), printed


@pytest.mark.usefixtures("empty_figures")
def test_constant_predictions_have_no_correlation_and_say_why(
    study_folder: Path, study_result: StudyResult, tmp_path: Path
) -> None:
    # A penalty that removes every feature leaves the mean of the training part.
    toml = "[models.elastic_net]\nalpha = [1000]\nl1_ratio = [1]\n"
    study_file = variant(study_folder, tmp_path / "copy", toml=toml)
    folder = with_stored(study_result, study_file)
    result = Study.from_file(study_file).run(progress=False)
    assert (result.table("weights")["estimate"] == 0).all()
    table = result.tidy()
    own = table[(table["term"] == "elastic_net") & (table["context"] == "pain")]
    assert own.loc[own["metric"] == "nrmse", "estimate"].notna().all()
    undefined = own[own["metric"] == "correlation"]
    assert undefined["estimate"].isna().all()
    assert undefined["reason"].str.contains("constant").all()
    shown = (folder / "performance.md").read_text()
    assert "constant" in shown
    assert "nan" not in shown.casefold().replace("not a", "")


def test_features_that_are_all_missing(
    study_folder: Path,
    study_result: StudyResult,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    toml = "[features]\nmin_confidence = 1.0\n"
    study_file = variant(study_folder, tmp_path / "copy", toml=toml)
    with_stored(study_result, study_file)
    printed = refused(capsys, "run", study_file)
    assert "no clip has both scores and features" in printed
    assert "0 of 15 bins valid, 8 needed (240 clips)" in printed


def test_lavaan_failing_to_converge(
    study_folder: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A single step of its optimiser: what converges otherwise depends on lavaan's version."""
    short = bridge_text().replace("iter.max = 1000L", "iter.max = 1L")
    assert short != bridge_text()
    monkeypatch.setattr("pyexpr.measurement.engines.rscript_engine.bridge_text", lambda: short)
    study_file = variant(study_folder, tmp_path / "copy")
    study_file.write_text(study_file.read_text() + '\n[factor_model]\nengine = "rscript"\n')
    printed = refused(capsys, "run", study_file)
    assert "the optimiser did not converge" in printed


def test_an_unwritable_folder(
    study_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    blocked = tmp_path / "file" / "results"
    printed = refused(capsys, "run", study_folder / "study.toml", "-o", blocked)
    # Named is what stands in the way, not the folder below it.
    assert f"cannot write into '{tmp_path / 'file'}': it is not a folder" in printed


# --- without R, without lavaan ------------------------------------------------------------------


def without_r(tmp_path: Path) -> dict[str, str | None]:
    return {"PATH": str(tmp_path), "R_HOME": None}


def without_lavaan(tmp_path: Path) -> dict[str, str | None]:
    """R sees its own packages only."""
    return dict.fromkeys(("R_LIBS", "R_LIBS_SITE", "R_LIBS_USER"), str(tmp_path / "none"))


# Nobody looks at the figures of these runs, and drawing takes half of their time.
_WITHOUT_FIGURES = (
    "from study_variants import figures_left_empty; from pyexpr.cli.main import main\n"
    "with figures_left_empty(): main()"
)


def child(environment: dict[str, str | None], *arguments: object) -> tuple[int, str, str]:
    paths = f"{ROOT}{os.pathsep}{ROOT / 'tests'}"
    env = {**os.environ, "PYTHONPATH": paths, **environment}
    done = subprocess.run(
        [sys.executable, "-c", _WITHOUT_FIGURES, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        env={name: value for name, value in env.items() if value is not None},
    )
    assert "Traceback" not in done.stderr
    return done.returncode, done.stdout, done.stderr


MISSING = [(without_r, "R was not found"), (without_lavaan, "does not have its package lavaan")]


@pytest.mark.parametrize(("without", "because"), MISSING)
def test_auto_goes_on_without_r_and_says_so(
    without: object, because: str, study_folder: Path, study_result: StudyResult, tmp_path: Path
) -> None:
    study_file = variant(study_folder, tmp_path / "copy")
    folder = with_stored(study_result, study_file, but=("factor_model",))
    code, out, err = child(without(tmp_path), "run", study_file)  # type: ignore[operator]
    assert code == 0, err
    assert "analysis_notes.txt" in out
    notes = (folder / "analysis_notes.txt").read_text()
    assert re.search(f"factor model: fitted by the native engine, because .*{because}", notes)
    record = json.loads((folder / "record.json").read_text())
    facts = record["stages"]["factor_model"]
    assert facts["engine"] == facts["engine over all contexts"] == "native"
    assert any("native engine" in note and because in note for note in record["notes"])
    assert "apt-get install" in " ".join(record["notes"])
    native = pd.read_csv(folder / "loadings.csv")["std_loading"]
    # methods.md section 2: engines agree within 1e-5 of a standard error.
    np.testing.assert_allclose(native, study_result.table("loadings")["std_loading"], atol=1e-6)
    # Where R has come since, what was fitted without it is fitted again.
    assert Study.from_file(study_file).factor_model().facts["engine"] == "rpy2"


@pytest.mark.parametrize(("without", "because"), MISSING)
@pytest.mark.parametrize("engine", ["rpy2", "rscript"])
def test_an_engine_that_is_requested_is_not_replaced(
    without: object, because: str, engine: str, study_folder: Path, tmp_path: Path
) -> None:
    toml = f'[factor_model]\nengine = "{engine}"\n'
    study_file = variant(study_folder, tmp_path / "copy", toml=toml)
    code, _, err = child(without(tmp_path), "run", study_file)  # type: ignore[operator]
    assert code == 1
    (printed,) = re.findall(r"^Error: .*(?:\n.+)*", err, flags=re.MULTILINE)
    assert because in printed
    assert "apt-get install" in printed
    assert not (study_file.parent / "results" / "stages" / "factor_model.zip").exists()


# --- interrupted --------------------------------------------------------------------------------

# SIGINT is ignored in the children of a background job; here it must interrupt.
_INTERRUPTIBLE = (
    "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
    "from pyexpr.cli.main import main; main()"
)


def interrupt(*arguments: object, errors: Path, once: Callable[[], bool]) -> str:
    """Start the command, interrupt it once `once()` holds; return what it wrote to `errors`."""
    with (
        errors.open("w") as file,
        subprocess.Popen(
            [sys.executable, "-c", _INTERRUPTIBLE, *map(str, arguments)],
            stdout=subprocess.DEVNULL,
            stderr=file,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        ) as process,
    ):
        deadline = time.monotonic() + 120
        while not once():
            assert process.poll() is None, f"ended before it was interrupted: {errors.read_text()}"
            assert time.monotonic() < deadline, errors.read_text()
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        code = process.wait(timeout=60)
    printed = errors.read_text()
    assert code == 130, printed
    assert "Traceback" not in printed
    assert printed.splitlines()[-1].startswith("Interrupted: stopped by Ctrl-C while ")
    return printed


def hashes(folder: Path) -> dict[str, str]:
    return {
        name: sha256(path)
        for path in folder.rglob("*")
        if path.is_file() and not (name := path.relative_to(folder).as_posix()).startswith(CACHES)
    }


def test_an_interrupted_run_leaves_no_part_and_can_be_repeated(
    study_folder: Path, study_result: StudyResult, tmp_path: Path
) -> None:
    study_file = variant(study_folder, tmp_path / "copy")
    finished = ["stages/factor_model.zip", "stages/reliability.zip"]
    folder = study_file.parent / "results"
    (folder / "stages").mkdir(parents=True)
    for name in finished:
        shutil.copy(study_result.folder / name, folder / name)
    errors = tmp_path / "errors"
    printed = interrupt(
        "run",
        study_file,
        errors=errors,
        once=lambda: "factor model: as stored" in errors.read_text(),
    )
    assert "the completed stages are stored, and the features of the recordings that" in printed
    assert sorted(hashes(folder)) == finished
    result = Study.from_file(study_file).run(progress=False)
    assert set(result.reused) == {"reliability", "factor_model"}
    assert hashes(folder) == hashes(study_result.folder)


def test_an_interrupted_simulation_leaves_no_part_and_can_be_repeated(
    study_folder: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "simulated"
    arguments = ("simulate", folder, "--subjects", 6, "--seed", 3)
    printed = interrupt(
        *arguments,
        errors=tmp_path / "errors",
        once=lambda: len(list(folder.glob("openface/S*.csv"))) >= 3,
    )
    assert "the files written so far are kept; call it again" in printed
    written = hashes(folder)
    assert not json.loads((folder / "simulation.json").read_text())["complete"]
    recordings = [name for name in written if name.startswith("openface/")]
    assert 3 <= len(recordings) < 18
    # Whole files only, and the bytes of a simulation that was not interrupted.
    for name in recordings:
        assert written[name] == sha256(study_folder / name)
    code, out, _ = child({}, *arguments)
    assert code == 0
    assert "wrote" in out
    again = hashes(folder)
    assert sum(name.startswith("openface/") for name in again) == 18
    assert all(again[name] == written[name] for name in recordings)
    assert not [name for name in again if name.endswith(".part")]
