"""What may not be in the fast part of the tests is found there."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import fast
import pytest

CASES = {
    "with suppress(ImportError):\n    import rpy2": "imports rpy2",
    "subprocess.run(['Rscript', '-e', '1'], check=False)": "starts Rscript",
    # A child's child.
    "subprocess.run([sys.executable, '-c', 'import os; os.system(\"R RHOME\")'])": "starts R",
}
HEAD = "import subprocess, sys\nfrom contextlib import suppress\n"


def run(folder: Path, code: str) -> str:
    """Run tests and a module that imports torch, with the hooks of tests/fast.py."""
    (folder / "conftest.py").write_text("from fast import *\n", encoding="utf-8")
    (folder / "test_it.py").write_text(HEAD + code, encoding="utf-8")
    (folder / "test_import.py").write_text(f"{HEAD}with suppress(ImportError):\n    import torch\n")
    (folder / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "--fast", "-q", "-p", "no:cacheprovider",
         "--continue-on-collection-errors", str(folder)],
        cwd=folder, capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONPATH": str(fast.TESTS), "PYTEST_ADDOPTS": ""},
    )  # fmt: skip
    return done.stdout


def test_what_reaches_for_r_or_torch_fails_and_is_named(tmp_path: Path) -> None:
    code = "".join(
        f"def test_{number}():\n    " + case.replace("\n", "\n    ") + "\n"
        for number, case in enumerate(CASES)
    )
    printed = run(tmp_path, code + "def test_of_numbers():\n    assert 1 + 1 == 2\n")
    for sentence in CASES.values():
        assert f"A test of the fast part {sentence}. Name 'test_it.py' in SLOW" in printed
    # The three tests pass, and what comes after them is an error; so is the module's import.
    assert "Name 'test_import.py' in SLOW" in printed
    assert f"{len(CASES) + 1} passed, {len(CASES) + 1} errors" in printed


@pytest.mark.parametrize("place", fast.SLOW)
def test_what_is_left_out_is_there(place: str) -> None:
    name, _, test = place.partition("::")
    path = fast.TESTS / name
    assert path.exists()
    assert f"def {test.partition('[')[0]}(" in (path.read_text("utf-8") if test else "def (")


def test_what_comes_first_is_there(pytestconfig: pytest.Config) -> None:
    conftest = pytestconfig.pluginmanager.get_plugin(str(fast.TESTS / "conftest.py"))
    assert [name for name in conftest.FIRST if not (fast.TESTS / name).is_file()] == []
