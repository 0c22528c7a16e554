"""Where R is looked for, and how it is installed, by system."""

from __future__ import annotations

import sys
import types
from contextlib import contextmanager
from pathlib import Path

import pytest

from pyexpr.base import systems
from pyexpr.base.systems import system
from pyexpr.measurement.engines import r_install, r_places
from pyexpr.measurement.engines.protocol import r_not_found
from pyexpr.measurement.engines.r_install import bridge_command, lavaan_command, r_commands

RELEASES = {
    "debian": "ID=debian\n",
    "debian by likeness": 'ID=linuxmint\nID_LIKE="ubuntu debian"\n',
    "fedora": 'NAME="Fedora Linux"\nID=fedora\n',
    "fedora by likeness": 'ID="rocky"\nID_LIKE="rhel centos fedora"\n',
    "suse": 'ID="opensuse-tumbleweed"\nID_LIKE="opensuse suse"\n',
    "arch": "ID=arch\n",
    "other": "ID=nixos\n",
}


@pytest.fixture(autouse=True)
def nowhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No conda, and no R on the PATH."""
    for name in ("CONDA_PREFIX", "R_HOME", "ProgramFiles", "ProgramW6432", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PATH", str(tmp_path / "none"))


def on(name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    if name in ("windows", "macos"):
        monkeypatch.setattr(sys, "platform", "win32" if name == "windows" else "darwin")
    elif name == "conda":
        monkeypatch.setenv("CONDA_PREFIX", "/opt/conda")
    else:
        release = tmp_path / "os-release"
        release.write_text(RELEASES[name])
        monkeypatch.setattr(systems, "_OS_RELEASE", (str(tmp_path / "absent"), str(release)))


ADVICE = {
    "debian": ("apt-get install --no-install-recommends r-base-core", "apt-get install"),
    "debian by likeness": ("apt-get install", "apt-get install"),
    "fedora": ("dnf install R-core R-core-devel", "Rscript -e"),
    "fedora by likeness": ("dnf install", "Rscript -e"),
    "suse": ("zypper install", "Rscript -e"),
    "arch": ("pacman -S r", "Rscript -e"),
    "macos": ("brew install r (or R's installer, https://cran.r-project.org/", "Rscript -e"),
    "windows": ("winget install RProject.R (or R's installer, https://cran", '"Rscript" -e'),
    "conda": ("conda install -c conda-forge r-base r-lavaan", "conda install -c conda-forge r-la"),
    "other": ("R's installer for this system, https://cran.r-project.org/", "Rscript -e"),
}


@pytest.mark.parametrize("name", sorted(ADVICE))
def test_the_advice_fits_the_system(
    name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    on(name, monkeypatch, tmp_path)
    monkeypatch.setattr(r_install, "installed_r", lambda: "4.2.2")
    monkeypatch.setattr(r_install, "find_rscript", lambda: None)
    assert system() == name.partition(" ")[0]
    install, lavaan = ADVICE[name]
    assert r_commands().startswith(install)
    assert lavaan_command().startswith(lavaan)
    assert "lavaan" in r_commands()
    assert ("apt-get" in str(r_not_found("R was not found"))) == name.startswith("debian")
    # rpy2 is not made for Windows.
    assert (bridge_command() == "") == (name == "windows")


def program(path: Path) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("")
    path.chmod(0o755)
    return str(path)


def registry(found: dict[tuple[str, str], str]) -> types.ModuleType:
    """A registry that holds these folders, by root and key."""
    module = types.ModuleType("winreg")
    module.HKEY_CURRENT_USER, module.HKEY_LOCAL_MACHINE = "user", "machine"  # type: ignore[attr-defined]

    @contextmanager
    def open_key(root: str, key: str):
        if (root, key) not in found:
            raise FileNotFoundError(key)
        yield found[root, key]

    module.OpenKey = open_key  # type: ignore[attr-defined]
    module.QueryValueEx = lambda opened, name: (opened, 1)  # type: ignore[attr-defined]
    return module


def on_windows(monkeypatch: pytest.MonkeyPatch, found: dict[tuple[str, str], str]) -> None:
    which = r_places.shutil.which

    def of_windows(name: str, path: str | None = None) -> str | None:
        # Python asks the running system which files are programs.
        return which(f"{name}.exe", path=path)

    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(r_places, "shutil", types.SimpleNamespace(which=of_windows))
    monkeypatch.setattr(r_places, "sys", types.SimpleNamespace(platform="win32"))
    monkeypatch.setitem(sys.modules, "winreg", registry(found))


@pytest.mark.parametrize("root", ["user", "machine"])
def test_the_registry_of_windows(
    root: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    where = program(tmp_path / "R-4.6.1" / "bin" / "Rscript.exe")
    on_windows(monkeypatch, {(root, r"SOFTWARE\R-core\R"): str(tmp_path / "R-4.6.1")})
    assert r_places.find_rscript() == where


def test_the_usual_places_of_windows(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    on_windows(monkeypatch, {("machine", r"SOFTWARE\R-core\R"): str(tmp_path / "gone")})
    assert r_places.find_rscript() is None
    monkeypatch.setenv("ProgramFiles", str(tmp_path))
    program(tmp_path / "R" / "R-4.9.2" / "bin" / "Rscript.exe")
    newest = program(tmp_path / "R" / "R-4.10.0" / "bin" / "x64" / "Rscript.exe")
    older = tmp_path / "R" / "R-4.9.2" / "bin" / "Rscript.exe"
    # The folder that every version has comes before the one of old versions.
    assert r_places.find_rscript() == str(older)
    older.unlink()
    assert r_places.find_rscript() == newest


def test_the_framework_of_macos(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    assert r_places._MACOS[0] == "/Library/Frameworks/R.framework/Resources/bin"
    monkeypatch.setattr(r_places, "_MACOS", (str(tmp_path / "Resources" / "bin"),))
    assert r_places.find_rscript() is None
    where = program(tmp_path / "Resources" / "bin" / "Rscript")
    assert r_places.find_rscript() == where
