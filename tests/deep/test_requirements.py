"""Without the extra, or with a torchvision that does not match: all else works, and one command."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from pyexpr.base.errors import DeepNotInstalledError
from pyexpr.deep import requirements

# The rest works (a table is read, a model fitted), then the first use of px.deep fails.
USE = """
import pyexpr as px
px.icc({"clip": [1, 1, 2, 2], "score": [1, 2, 3, 4]}, targets="clip", ratings="score")
px.ElasticNetRegressor(alpha=0.1, l1_ratio=0.5).fit([[1.0], [2.0]], [1.0, 2.0])
assert "deep" in dir(px) and "LSTMRegressor" in dir(px.deep)
try:
    px.deep.LSTMRegressor
except px.errors.DeepNotInstalledError as error:
    assert isinstance(error, ImportError)
    print(error)
"""


# What Python says of a package that is not there, from a stub in its place.
ABSENT = 'raise ModuleNotFoundError("No module named {0!r}", name={0!r})'
PACKAGES = ("torch", "torchvision", "lightning", "av", "safetensors")


def printed(folder: Path, code: dict[str, str]) -> str:
    """Run USE in a child that finds packages of this code before the real ones."""
    for name, text in code.items():
        (folder / name).mkdir()
        (folder / name / "__init__.py").write_text(text)
        for part in ("fabric", "torch"):
            (folder / name / f"{part}.py").write_text("")
    done = subprocess.run(
        [sys.executable, "-c", USE],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(folder)},
    )
    return done.stdout.strip()


@pytest.mark.parametrize("package", ["torch", "av"])
def test_what_is_missing_is_named_with_the_command(package: str, tmp_path: Path) -> None:
    code = {name: ABSENT.format(name) if name == package else "" for name in PACKAGES}
    assert printed(tmp_path, code) == (
        f"the deep models require {package}, which is not installed; "
        "run: pip install 'pyexpr-stats[deep]'"
    )


def test_a_torchvision_that_does_not_match_is_named_with_the_command(tmp_path: Path) -> None:
    code = {
        "torch": "",
        # What it says where its operators were compiled for another torch.
        "torchvision": 'raise RuntimeError("operator torchvision::nms does not exist")',
    }
    assert printed(tmp_path, code) == (
        "torchvision is installed but cannot be loaded (operator torchvision::nms does not exist): "
        "torch and torchvision do not match; "
        "run: pip install --upgrade --force-reinstall torch torchvision"
    )


def test_a_damaged_package_beside_torch_is_the_one_to_install_anew(tmp_path: Path) -> None:
    code = dict.fromkeys(PACKAGES, "") | {"av": 'raise ImportError("av/x.so: file too short")'}
    assert printed(tmp_path, code) == (
        "av is installed but cannot be loaded (av/x.so: file too short): "
        "it, or a library that it requires, is damaged; "
        "run: pip install --upgrade --force-reinstall av"
    )


def test_what_is_installed_is_found_without_loading_it(monkeypatch: pytest.MonkeyPatch) -> None:
    code = (
        "import sys; from pyexpr.deep.requirements import require_installed; require_installed(); "
        "assert not {'torch', 'lightning', 'av'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    monkeypatch.setitem(sys.modules, "torchvision", None)
    with pytest.raises(DeepNotInstalledError, match="require torchvision, which is not installed"):
        requirements.require_installed()


def test_unknown_names_of_the_room() -> None:
    import pyexpr as px

    with pytest.raises(AttributeError, match="no attribute 'Transformer'"):
        _ = px.deep.Transformer
