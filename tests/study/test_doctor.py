"""The doctor names versions, what is missing and the remedy, and never raises."""

from __future__ import annotations

import os
import re
import select
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from pyexpr import diagnosis as module
from pyexpr.diagnosis import doctor
from pyexpr.measurement.engines import r_startup
from pyexpr.measurement.engines.children import run_child
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
    printed = look()
    assert printed.startswith("True False")
    r = subprocess.run(
        ["Rscript", "-e", "cat(as.character(getRversion()))"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert f"R,{r.stdout},ok" in printed
    name, version = bridge_requirement(r.stdout).split("==")
    assert f"{name},{version},ok" in printed


def test_without_r() -> None:
    printed = look(PATH="/nowhere", R_HOME=None)
    assert printed.startswith("False False")
    assert "R,,missing" in printed
    assert "lavaan,,missing" in printed
    assert "apt-get install --no-install-recommends r-base-core r-base-dev r-cran-lavaan" in printed


def test_without_lavaan() -> None:
    printed = look(**dict.fromkeys(("R_LIBS", "R_LIBS_SITE", "R_LIBS_USER"), "/nowhere"))
    assert printed.startswith("False False")
    assert "lavaan,,missing" in printed
    assert "apt-get install --no-install-recommends r-cran-lavaan" in printed


def test_a_lavaan_that_a_file_hides_is_not_installed_again(tmp_path: Path) -> None:
    file = tmp_path / "Renviron.site"
    file.write_text("R_LIBS_SITE=/nowhere\nR_LIBS_USER=/nowhere\n")
    printed = look(R_ENVIRON=str(file))
    assert "lavaan,,missing" in printed
    assert f"R finds it without the site's file of environment variables {str(file)!r}" in printed
    assert "r-cran-lavaan" not in printed


def test_a_site_profile_that_ends_r_is_named_and_nothing_is_installed_anew(tmp_path: Path) -> None:
    profile = tmp_path / "Rprofile.site"
    profile.write_text("quit()\n")
    printed = look(R_PROFILE=str(profile))
    assert "R,,problem" in printed
    assert "It can only be looked for once R runs" in printed
    assert printed.count(f"it runs without the site's profile {str(profile)!r}") == 4
    of_r = [line for line in printed.splitlines() if line.startswith(("R,", "lavaan,", "rpy2"))]
    assert len(of_r) == 3
    assert not any("install" in line for line in of_r)


def test_the_profile_of_the_user_is_not_read_as_no_fit_reads_it(tmp_path: Path) -> None:
    profile = tmp_path / "Rprofile"
    profile.write_text("quit()\n")
    assert look(R_PROFILE_USER=str(profile)).startswith("True False")


def test_an_r_that_does_not_run_is_a_problem_not_a_crash(tmp_path: Path) -> None:
    broken = tmp_path / "Rscript"
    broken.write_text("#!/bin/sh\necho broken beyond repair >&2\nexit 3\n")
    broken.chmod(0o755)
    printed = look(PATH=str(tmp_path))
    assert "R,,problem" in printed
    assert "broken beyond repair" in printed


def test_an_r_that_hangs_is_waited_for_once_and_its_file_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    profile = tmp_path / "Rprofile.site"
    profile.write_text("Sys.sleep(1000)\n")
    monkeypatch.setattr(module, "TIMEOUT", 1.0)
    monkeypatch.setenv("R_PROFILE", str(profile))
    r, lavaan, bridge = module._r_and_bridge()
    assert (r.component, r.status) == ("R", "problem")
    assert r.remedy == (
        f"R does not answer within 60 seconds; it runs without the site's profile "
        f"{str(profile)!r}: correct that file, or start Python with R_PROFILE=/dev/null."
    )
    assert lavaan.remedy == "It can only be looked for once R runs."
    assert (bridge.status, bridge.remedy) == ("problem", "It can only be tried once R answers.")


def test_an_r_that_always_hangs_blames_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The shell would end, but what it has started holds its output.
    (tmp_path / "Rscript").write_text("#!/bin/sh\nsleep 1000\n")
    (tmp_path / "Rscript").chmod(0o755)
    monkeypatch.setattr(module, "TIMEOUT", 0.2)
    monkeypatch.setattr(r_startup, "_TIMEOUT_OF_A_TRY", 0.2)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    r, _, bridge = module._r_and_bridge()
    assert r.remedy == "R does not answer within 60 seconds."
    assert bridge.remedy == "It can only be tried once R answers."
    assert r_startup.stops(r_startup.RUNS, "", hangs=True) == "R does not answer within 60 seconds"


def test_what_a_child_has_started_ends_with_it(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    # The shell waits for a second process, which alone has the pipe.
    script = f"(echo here; exec sleep 1000) >{pipe}; echo not reached"
    with pytest.raises(subprocess.TimeoutExpired):
        run_child(["sh", "-c", script], seconds=1)
    assert select.select([reader], [], [], 60)[0]
    os.set_blocking(reader, True)
    # Its end is read only when nobody can write any more.
    assert os.read(reader, 100) + os.read(reader, 100) in (b"here\n", b"")
    os.close(reader)


def test_a_child_says_what_it_printed_whatever_the_bytes() -> None:
    done = run_child(["sh", "-c", "printf 'a\\377'; echo b >&2; exit 3"], seconds=60)
    assert (done.returncode, done.stdout, done.stderr) == (3, "a\ufffd", "b\n")


def test_the_result_is_a_result() -> None:
    result = doctor()
    assert list(result.tidy()) == ["component", "version", "status", "needed_for", "remedy"]
    assert set(result.tidy()["status"]) <= {"ok", "missing", "problem"}
    assert result.to_dict()["result"] == "DoctorResult"
    assert "components are ok" in str(result)


def test_every_package_that_a_user_may_install_is_looked_for() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    # Those of developers are installed from a checkout; [all] names other extras.
    assert set(extras) - {"test-fast", "test", "lint", "docs", "all"} == {
        "r", "deep", "numba", "track", "word", "cluster", "remote",
    }  # fmt: skip
    named = {
        re.match(r"[\w-]+", line)[0]  # type: ignore[index]
        for lines in (project["dependencies"], *(extras[one] for one in ("deep", "numba", "track")),
                      *(extras[one] for one in ("word", "r", "cluster", "remote")))
        for line in lines
    }  # fmt: skip
    assert named <= set(doctor().tidy()["component"])
    for name, (_, command) in module._OPTIONAL.items():
        extra = re.search(r"pyexpr-stats\[(\w+)\]", command)
        wanted = extras[extra[1]] if extra else [command.removeprefix("pip install ")]
        assert any(line.startswith(name) for line in wanted), name


def test_a_torchvision_of_another_torch_is_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    def found() -> str:
        return str(module._package("torchvision", "the deep models", "").remedy)

    # Whether torch is installed here or not.
    monkeypatch.setattr(module, "package_version", lambda name: "2.0.0")
    monkeypatch.setattr(module, "requires", lambda name: ["numpy", "torch==2.0.0"])
    assert found() == ""
    monkeypatch.setattr(module, "requires", lambda name: ["numpy", "torch==1.0.0"])
    assert found().startswith("It requires torch 1.0.0, but ")
    assert found().endswith("Run: pip install --upgrade --force-reinstall torch torchvision")
