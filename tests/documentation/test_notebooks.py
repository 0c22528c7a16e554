"""The notebooks run from top to bottom, but for the installation, and show what they promise."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

import nbformat
import pytest
from documentation.pages import DOCS
from nbclient import NotebookClient

FOLDER = DOCS / "notebooks"
NAMES = sorted(path.stem for path in FOLDER.glob("*.ipynb"))


def _cells(name: str) -> list[nbformat.NotebookNode]:
    book = nbformat.read(FOLDER / f"{name}.ipynb", as_version=4)
    nbformat.validate(book)
    return [cell for cell in book.cells if cell.cell_type == "code"]


def test_there_is_one_for_each_kind_of_user() -> None:
    assert NAMES == ["r_user", "script_user", "statistician"]


@pytest.mark.parametrize("name", NAMES)
def test_outputs_are_left_to_the_reader(name: str) -> None:
    # An output that is committed would say what an earlier version printed.
    for cell in _cells(name):
        assert cell.outputs == []
        assert cell.execution_count is None


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::RuntimeWarning")
def test_the_notebooks_in_python_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # `!pyexpr` is this environment's.
    programs = Path(sys.executable).parent
    monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")
    # One kernel for both saves seconds; each begins with its own data.
    cells = [*_cells("statistician"), *_cells("script_user")]
    run = [cell for cell in cells if not cell.source.startswith("%pip")]
    assert len(run) == len(cells) - 2
    book = nbformat.v4.new_notebook(cells=run)
    client = NotebookClient(
        book, timeout=600, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}}
    )
    client.execute()
    outputs = [output for cell in book.cells for output in cell.outputs]
    assert sum("image/png" in output.get("data", {}) for output in outputs) == 1
    assert {"models.pdf", "models.pyexpr", "models.csv"} <= {p.name for p in tmp_path.iterdir()}
    printed = "".join(output.get("text", "") for output in outputs)
    assert "ICC(A,k)" in printed
    assert "face - head" in printed
    # A command that fails in a shell does not stop a notebook.
    assert "Error" not in printed


def test_what_the_notebook_in_r_calls_is_exported() -> None:
    text = "\n".join(cell.source for cell in _cells("r_user"))
    exported = (DOCS.parent / "R" / "NAMESPACE").read_text(encoding="utf-8")
    for name in ("icc", "tidy", "fit_cfa", "cfa_scores", "compare_models"):
        assert re.search(rf"\b{name}\(", text)
        assert f"export({name})" in exported
