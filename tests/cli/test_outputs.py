"""No command writes over what it reads, nor, unasked, over what is there; said at once."""

from __future__ import annotations

import stat
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from study_variants import variant

from pyexpr.base.files import OutputError
from pyexpr.cli import main
from pyexpr.simulation.simulate import simulate_study
from pyexpr.study.pipeline import Study

ICC = ("--ratings", "y", "--targets", "clip", "--context", "")


def pyexpr(*arguments: object) -> None:
    main.app([str(argument) for argument in arguments], standalone_mode=False)


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "r.csv"
    rows = [(clip, (7 * clip + 3 * rater) % 5) for clip in range(6) for rater in range(3)]
    pd.DataFrame(rows, columns=["clip", "y"]).to_csv(path, index=False)
    return path


@pytest.mark.parametrize("more", [(), ("--overwrite",)])
def test_a_table_is_not_replaced_by_its_result(table: Path, more: tuple[str, ...]) -> None:
    before = table.read_bytes()
    link = table.with_name("link.csv")
    link.hardlink_to(table)
    for output in (table, link, table.parent / "x" / ".." / "r.csv"):
        with pytest.raises(OutputError, match=r"--output would replace '.*r.csv', which is read"):
            pyexpr("icc", table, *ICC, "-o", output, *more)
    assert table.read_bytes() == before


def test_a_file_that_is_there_is_replaced_when_requested_and_keeps_its_mode(table: Path) -> None:
    output = table.with_name("icc.csv")
    output.write_text("mine")
    output.chmod(0o600)
    with pytest.raises(OutputError, match=r"icc.csv' is there already; .*overwrite=True"):
        pyexpr("icc", table, *ICC, "-o", output)
    assert output.read_text() == "mine"
    pyexpr("icc", table, *ICC, "-o", output, "--overwrite")
    assert "ICC(1,1)" in output.read_text()
    assert stat.S_IMODE(output.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    "arguments",
    [
        ("compare", "{r}", "--predictions", "p", "-o", "{new}", "--replicates", "{new}"),
        ("cfa", "{r}", "--indicators", "a,b,c", "-o", "{new}", "--scores", "{new}"),
        ("features", "{r}", "--every", "3", "-o", "{new}", "--quality", "{new}"),
    ],
)
def test_two_outputs_are_not_one_file(arguments: tuple[str, ...], table: Path) -> None:
    words = [word.format(r=table, new=table.with_name("new.csv")) for word in arguments]
    with pytest.raises(OutputError, match="name one file"):
        pyexpr(*words)


@pytest.mark.parametrize(
    ("command", "option"),
    [
        ("icc", "-o"), ("cfa", "-o"), ("cfa", "--scores"), ("features", "--quality"),
        ("fit", "-o"), ("fit", "--weights"), ("compare", "-o"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("name", ["ratings.csv", "study.toml", "openface/S001_pain.csv"])
def test_a_studys_files_are_inputs_of_every_command(
    command: str,
    option: str,
    name: str,
    study_folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    study_file = variant(study_folder, tmp_path / "copy")
    path = study_file.parent / name
    before = path.read_bytes()
    # No stage may run.
    monkeypatch.setattr(Study, "_stage", None)
    with pytest.raises(OutputError, match="would replace"):
        pyexpr(command, study_file, option, path, "--overwrite")
    assert path.read_bytes() == before


def test_it_is_one_sentence(table: Path) -> None:
    call = [sys.executable, "-m", "pyexpr.cli.main", "icc", table, *ICC, "-o", table]
    done = subprocess.run(map(str, call), capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr == (
        f"Error: --output would replace '{table}', which is read for it; name another file\n"
    )


def test_a_simulated_study_that_was_edited_is_not_replaced_by_another(tmp_path: Path) -> None:
    folder = tmp_path / "study"
    simulate_study(folder, subjects=1, n_jobs=1, progress=False)
    study_file = folder / "study.toml"
    edited = study_file.read_text() + "\n[compare]\nn_boot = 50\n"
    study_file.write_text(edited)
    # The same again leaves it as it is.
    assert not simulate_study(folder, subjects=1, n_jobs=1, progress=False).written
    with pytest.raises(OutputError, match=r"changed since: 'study.toml'"):
        pyexpr("simulate", folder, "--subjects", "1", "--seed", "2")
    assert study_file.read_text() == edited
    pyexpr("simulate", folder, "--subjects", "1", "--seed", "2", "--overwrite")
    assert "seed = 2" in study_file.read_text()


def test_an_edited_recording_is_not_removed_with_its_simulation(tmp_path: Path) -> None:
    folder = tmp_path / "study"
    simulate_study(folder, subjects=2, n_jobs=1, progress=False)
    path = folder / "openface" / "S002_pain.csv"
    path.write_text("mine")
    with pytest.raises(OutputError, match=r"S002_pain.csv"):
        simulate_study(folder, subjects=1, n_jobs=1, progress=False)
    assert path.read_text() == "mine"
