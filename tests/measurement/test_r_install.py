"""Which bridge to R is installed follows from the version of R."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from pyexpr.measurement.engines.r_install import bridge_command, bridge_requirement, installed_r


# 3.6.5 does not load in R 4.6 (undefined symbol STDVEC_DATAPTR), and 3.6.7 not in R 4.2 (R_getVar).
@pytest.mark.parametrize(
    ("r_version", "wanted"),
    [("4.2.2", "3.6.5"), ("4.4.3", "3.6.5"), ("4.5.0", "3.6.7"), ("4.6.2", "3.6.7"),
     ("4.10.0", "3.6.7"), ("5.0.0", "3.6.7"), ("", "3.6.7")],
)  # fmt: skip
def test_the_bridge_follows_the_version_of_r(r_version: str, wanted: str) -> None:
    assert bridge_requirement(r_version) == f"rpy2-rinterface=={wanted}"
    assert bridge_command(r_version).endswith(f"--no-cache-dir rpy2-rinterface=={wanted}")


def test_the_version_is_that_of_the_r_on_the_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "R"
    program.write_text("#!/bin/sh\necho 'R version 4.6.2 (2026-01-01)'\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert installed_r() == "4.6.2"
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.delenv("R_HOME", raising=False)
    assert installed_r() == ""


def test_the_installer_asks_the_same_rule() -> None:
    module = "pyexpr.measurement.engines.r_install"
    done = subprocess.run(
        [sys.executable, "-m", module], capture_output=True, text=True, check=True, env=os.environ
    )
    assert done.stdout.strip() == bridge_requirement(installed_r())
