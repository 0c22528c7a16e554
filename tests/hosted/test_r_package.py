"""The R package, as CRAN checks it: its tests, examples and vignettes run with this Python."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from parity.hosted import POSSIBLE

ROOT = Path(__file__).parents[2]


def check_as_cran(tmp_path: Path) -> None:
    done = subprocess.run(
        [str(ROOT / "tools" / "r_check.sh"), sys.executable, str(tmp_path), "gate"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]
    assert "Status: OK" in done.stdout
    assert "== without Python" in done.stdout


def whole_example_runs(tmp_path: Path) -> None:
    # As its first lines say, with this checkout's package in place of an installed one; of fewer
    # subjects, which are as many as the other tests have.
    text = (ROOT / "R" / "inst" / "examples" / "whole_analysis.R").read_text(encoding="utf-8")
    assert text.count("subjects = 24, seed = 1)") == 1
    example = tmp_path / "whole_analysis.R"
    example.write_text(
        text.replace("subjects = 24, seed = 1)", "subjects = 15, seed = 3)"), encoding="utf-8"
    )
    code = (
        f'suppressMessages(pkgload::load_all("{ROOT / "R"}", quiet = TRUE)); '
        f'source("{example}", echo = FALSE); cat("engine:", fit$provenance$engine)'
    )
    done = subprocess.run(
        ["Rscript", "--no-save", "--no-restore", "-e", code],
        capture_output=True, text=True, check=False,
        env={**os.environ, "RETICULATE_PYTHON": sys.executable, "LC_ALL": "C.UTF-8"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-4000:]
    assert done.stdout.endswith("engine: host")


if POSSIBLE:
    test_check_as_cran = check_as_cran
    test_the_whole_example_runs = whole_example_runs


def test_the_reference_index_names_every_page() -> None:
    index = (ROOT / "R" / "_pkgdown.yml").read_text(encoding="utf-8")
    pages = {path.stem for path in (ROOT / "R" / "man").glob("*.Rd")}
    missing = [page for page in sorted(pages) if page not in index]
    assert pages
    assert missing == []


def test_versions_of_both_packages_agree() -> None:
    description = (ROOT / "R" / "DESCRIPTION").read_text(encoding="utf-8")
    init = (ROOT / "pyexpr" / "__init__.py").read_text(encoding="utf-8")
    version = next(line for line in description.splitlines() if line.startswith("Version: "))
    assert f'__version__ = "{version.removeprefix("Version: ")}"' in init
