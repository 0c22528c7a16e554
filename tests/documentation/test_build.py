"""The documentation builds, and a warning is an error."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from documentation.pages import DOCS


def test_the_pages_build_without_a_warning(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-b", "html", "-d",
         str(tmp_path / "doctrees"), str(DOCS), str(tmp_path / "html")],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    pages = {path.relative_to(tmp_path / "html") for path in (tmp_path / "html").rglob("*.html")}
    assert {Path("tutorial.html"), Path("reference/generated/icc.html")} <= pages
    # Formulas and type come with the pages, not from the network.
    index = (tmp_path / "html" / "methods.html").read_text(encoding="utf-8")
    assert "mathjax/tex-chtml.js" in index
    assert "cdn." not in index
