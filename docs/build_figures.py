"""Make the figures of the documentation, by running the pages that save one."""

from __future__ import annotations

import re
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
FIGURES = HERE / "figures"
# Other formats are saved to show how, and stand on no page.
_SAVES = re.compile(r"\.savefig\([^)]*\.svg")
sys.path.insert(0, str(HERE.parent / "tests"))

from documentation.pages import pages, run  # noqa: E402


def setup(app: Any) -> dict[str, bool]:
    """Register with Sphinx."""
    app.connect("builder-inited", draw)
    return {"parallel_read_safe": True}


def draw(_: Any) -> None:
    """Run each page that saves an SVG and has changed since its figures were made."""
    FIGURES.mkdir(exist_ok=True)
    for path in pages():
        stamp = FIGURES / f"{path.stem}.stamp"
        if not _SAVES.search(path.read_text("utf-8")):
            continue
        if stamp.exists() and stamp.stat().st_mtime >= path.stat().st_mtime:
            continue
        with tempfile.TemporaryDirectory() as folder:
            run(path, Path(folder))
            made = [*Path(folder).glob("*.svg")]
            if not made:
                raise RuntimeError(f"{path} saves a figure, but there is none")
            for figure in made:
                shutil.copy(figure, FIGURES / figure.name)
        stamp.touch()
