"""What a type checker, and so an editor, knows of the public names."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import pyexpr
import pyexpr.deep

ROOT = Path(__file__).parents[1]

USER = '''\
import pandas as pd
import polars as pl
import pyexpr as px

ratings = pd.DataFrame({"clip": [1, 1, 2, 2], "score": [1.0, 2.0, 3.0, 4.0]})
for table in (ratings, pl.from_pandas(ratings), pl.from_pandas(ratings).lazy(),
              {"clip": [1], "score": [2.0]}):
    result = px.icc(table, targets="clip", ratings="score")
reveal_type(px.icc(ratings))
reveal_type(px.compare_models)
fit = px.cfa(ratings, {"f": ["a", "b", "c"]}, context="context", cluster=ratings["clip"])
reveal_type(fit.scores())
px.icc(42)
px.icc(ratings, colour="blue")
result.no_such_method()
px.cfaa
px.compare_models(ratings, truth="score", predictions=7, cluster=None)
px.deep.LSTMRegressor(colour="blue")
'''  # fmt: skip


def named_in(stub: Path) -> dict[str, str]:
    """Return public name -> module of a stub: its imports that are handed on."""
    found = {}
    for node in ast.parse(stub.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ImportFrom):
            for alias in node.names:
                assert alias.asname == alias.name, f"{alias.name} is not handed on"
                found[alias.name] = str(node.module)
    return found


@pytest.mark.parametrize("package", [pyexpr, pyexpr.deep])
def test_the_stub_has_the_public_names(package: object) -> None:
    own = Path(str(package.__file__))  # type: ignore[attr-defined]
    modules = getattr(package, "_MODULES", {})
    expected = package._PUBLIC | {  # type: ignore[attr-defined]
        name: module.rpartition(".")[0] for name, module in modules.items()
    }
    assert named_in(own.with_suffix(".pyi")) == expected


def test_no_public_name_is_hidden_by_a_module() -> None:
    """Python sets a module imported from a package as its attribute, over what it held."""
    modules = {path.stem for path in Path(pyexpr.__file__).parent.iterdir()}
    assert modules & set(pyexpr._PUBLIC) == set()


def test_a_type_checker_knows_signatures_and_finds_nonsense(tmp_path: Path) -> None:
    user = tmp_path / "user.py"
    user.write_text(USER, encoding="utf-8")
    # With the settings and the cache of `make lint`, which has just checked the package.
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--no-error-summary", "--hide-error-context", user],
        capture_output=True, text=True, cwd=ROOT, check=False,
    )  # fmt: skip
    lines = USER.splitlines()
    messages: dict[str, str] = {}
    for line in done.stdout.splitlines():
        file, number, kind, text = line.split(":", 3)
        assert Path(file).name == "user.py", line
        code = lines[int(number) - 1].strip()
        messages[code] = messages.get(code, "") + f"{kind.strip()}: {text.strip()}\n"
    assert messages.keys() == {
        code for code in lines if "reveal_type" in code or lines.index(code) > 11
    }, done.stdout  # fmt: skip
    assert (
        'type is "pyexpr.measurement.icc.result.ICCResult"'
        in messages["reveal_type(px.icc(ratings))"]
    )
    assert "cluster: str |" in messages["reveal_type(px.compare_models)"]
    assert "DataFrame" in messages["reveal_type(fit.scores())"]
    assert "incompatible type" in messages["px.icc(42)"]
    assert 'Unexpected keyword argument "colour"' in messages['px.icc(ratings, colour="blue")']
    assert "no attribute" in messages["result.no_such_method()"]
    assert "has no attribute" in messages["px.cfaa"]
    assert (
        'Unexpected keyword argument "colour"' in messages['px.deep.LSTMRegressor(colour="blue")']
    )
