"""Files of another project in the package's folder are noticed, and said with the remedy."""

from __future__ import annotations

import base64
import hashlib
import subprocess
import sys
from pathlib import Path

import pytest

from pyexpr import diagnosis
from pyexpr.base import installation
from pyexpr.base.errors import PyexprWarning
from pyexpr.base.installation import installation_problems, warn_of_another

ROOT = Path(__file__).parents[2]
FOREIGN = "def parse_expr(text):\n    return text\n"


def record_line(site: Path, name: str) -> str:
    digest = hashlib.sha256((site / name).read_bytes()).digest()
    return f"{name},sha256={base64.urlsafe_b64encode(digest).rstrip(b'=').decode()},1\n"


def distribution(site: Path, name: str, version: str, *files: str) -> None:
    folder = site / f"{name.replace('-', '_')}-{version}.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    lines = "".join(record_line(site, file) for file in files)
    (folder / "RECORD").write_text(f"{lines}{folder.name}/RECORD,,\n")


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of packages that holds ours, as pip has installed it."""
    package = tmp_path / "pyexpr"
    package.mkdir()
    for name in ("__init__.py", "diagnosis.py"):
        (package / name).write_text(f"# {name}\n")
    distribution(tmp_path, "pyexpr-stats", "0.1.0", "pyexpr/__init__.py", "pyexpr/diagnosis.py")
    monkeypatch.setattr(installation, "_FOLDER", package)
    # No other folder of packages is looked at.
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    return tmp_path


def test_what_pip_has_installed_is_well(site: Path) -> None:
    assert installation_problems() == []


def test_another_distribution_is_named_with_the_remedy(site: Path) -> None:
    (site / "pyexpr" / "lex.py").write_text(FOREIGN)
    distribution(site, "pyexpr", "0.0.3.1", "pyexpr/__init__.py", "pyexpr/lex.py")
    first, second = installation_problems()
    assert first.startswith("the distribution 'pyexpr' 0.0.3.1, another project, has files in ")
    assert "run 'pip uninstall pyexpr', then install pyexpr-stats again" in first
    assert second.startswith("1 file does not belong to pyexpr-stats: 'pyexpr/lex.py'; run 'pip")
    with pytest.warns(PyexprWarning, match=r"distribution 'pyexpr' 0\.0\.3\.1, another project"):
        warn_of_another()


def test_a_file_that_was_replaced_is_named_though_nobody_owns_it_any_more(site: Path) -> None:
    (site / "pyexpr" / "__init__.py").write_text(FOREIGN)
    (message,) = installation_problems()
    assert message.startswith(
        "1 file is not as pyexpr-stats installed it: 'pyexpr/__init__.py'; run"
    )


def test_a_package_of_the_same_name_elsewhere_is_no_problem(site: Path, tmp_path: Path) -> None:
    other = site / "other"
    (other / "pyexpr").mkdir(parents=True)
    (other / "pyexpr" / "__init__.py").write_text(FOREIGN)
    distribution(other, "pyexpr", "0.0.3.1", "pyexpr/__init__.py")
    sys.path.append(str(other))
    assert installation_problems() == []


def test_the_doctor_says_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(diagnosis, "installation_problems", lambda: ["files differ; replace them"])
    found = diagnosis._pyexpr()
    assert (found.status, found.remedy) == ("problem", "Files differ; replace them.")


def test_the_import_says_it(tmp_path: Path) -> None:
    """Of a copy of the package beside the other's metadata, and of one that was overwritten."""
    for overwritten in (False, True):
        site = tmp_path / str(overwritten)
        site.mkdir()
        package = site / "pyexpr"
        package.mkdir()
        (package / "base").symlink_to(ROOT / "pyexpr" / "base")
        text = FOREIGN if overwritten else (ROOT / "pyexpr" / "__init__.py").read_text()
        (package / "__init__.py").write_text(text)
        distribution(site, "pyexpr", "0.0.3.1", "pyexpr/__init__.py")
        code = f"import sys; sys.meta_path[:] = [f for f in sys.meta_path if 'skbc' not in repr(f)]; sys.path.insert(0, {str(site)!r}); import pyexpr.base.visible"  # noqa: E501
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        )
        assert "PyexprWarning: the distribution 'pyexpr' 0.0.3.1, another project" in done.stderr
        assert "run 'pip uninstall pyexpr'" in done.stderr
