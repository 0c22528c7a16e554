"""The doctor names versions, what is missing and the mend, and never raises."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from pyexpr import diagnosis as module
from pyexpr.diagnosis import doctor
from pyexpr.measurement.engines.r_install import bridge_requirement

ROOT = Path(__file__).parents[2]


def look(**environment: str | None) -> str:
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    for name, value in environment.items():
        env.pop(name, None)
        if value is not None:
            env[name] = value
    code = (
        "import sys; from pyexpr.diagnosis import doctor; r = doctor(); "
        "print(r.healthy, 'rpy2' in sys.modules); print(r.tidy().to_csv(index=False)); "
        "print(r.notes())"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=env, check=True
    )
    return done.stdout


def test_all_is_well_here_and_r_is_not_started_in_this_process() -> None:
    said = look()
    assert said.startswith("True False")
    r = subprocess.run(
        ["Rscript", "-e", "cat(as.character(getRversion()))"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert f"R,{r.stdout},ok" in said
    name, version = bridge_requirement(r.stdout).split("==")
    assert f"{name},{version},ok" in said


def test_without_r() -> None:
    said = look(PATH="/nowhere", R_HOME=None)
    assert said.startswith("False False")
    assert "R,,missing" in said
    assert "lavaan,,missing" in said
    assert "apt-get install --no-install-recommends r-base-core r-base-dev r-cran-lavaan" in said


def test_without_lavaan(tmp_path: Path) -> None:
    profile = tmp_path / "Rprofile"
    profile.write_text('assign(".lib.loc", .Library, envir = environment(.libPaths))\n')
    said = look(R_PROFILE=str(profile))
    assert said.startswith("False False")
    assert "lavaan,,missing" in said
    assert "apt-get install --no-install-recommends r-cran-lavaan" in said


def test_an_r_that_does_not_run_is_a_problem_not_a_crash(tmp_path: Path) -> None:
    broken = tmp_path / "Rscript"
    broken.write_text("#!/bin/sh\necho broken beyond repair >&2\nexit 3\n")
    broken.chmod(0o755)
    said = look(PATH=str(tmp_path))
    assert "R,,problem" in said
    assert "broken beyond repair" in said


def test_the_result_is_a_result() -> None:
    result = doctor()
    assert list(result.tidy()) == ["component", "version", "status", "needed_for", "mend"]
    assert set(result.tidy()["status"]) <= {"ok", "missing", "problem"}
    assert result.to_dict()["result"] == "DoctorResult"
    assert "components are ok" in str(result)


def test_a_torchvision_of_another_torch_is_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    def found() -> str:
        return str(module._package("torchvision", "the deep models", "").mend)

    # Whether torch is installed here or not.
    monkeypatch.setattr(module, "package_version", lambda name: "2.0.0")
    monkeypatch.setattr(module, "requires", lambda name: ["numpy", "torch==2.0.0"])
    assert found() == ""
    monkeypatch.setattr(module, "requires", lambda name: ["numpy", "torch==1.0.0"])
    assert found().startswith("It is made for torch 1.0.0, and ")
    assert found().endswith("Run: pip install --upgrade --force-reinstall torch torchvision")
