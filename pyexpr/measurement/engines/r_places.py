"""Where R is: on the PATH, under R_HOME, or where its installers put it on Windows and macOS."""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

# The installer of CRAN links the version in use as Current; `Resources` is a link to it.
_MACOS = ("/Library/Frameworks/R.framework/Resources/bin", "/opt/homebrew/bin", "/usr/local/bin")
_REGISTRY = ("R64", "R", "R32")


def find_rscript() -> str | None:
    """Return the path of Rscript, or None."""
    return find_program("Rscript")


def find_program(name: str) -> str | None:
    """Return the path of a program of R's ("R", "Rscript"), or None.

    It is looked for on the PATH and under R_HOME. On Windows these are followed by the place in the
    registry, and by the folders that R's installer proposes, the newest version first. On macOS
    they are followed by the framework of CRAN's installer and by Homebrew's links, which are not on
    the PATH of a Python that was started from the desktop.
    """
    found = shutil.which(name)
    home = os.environ.get("R_HOME")
    if found is None and home:
        found = shutil.which(name, path=os.path.join(home, "bin"))
    if found is not None:
        return found
    if sys.platform == "win32":
        places = [f"{folder}/bin" for folder in (*_in_registry(), *_in_program_files())]
        places += [f"{place}/x64" for place in places]
    else:
        places = [*_MACOS] if sys.platform == "darwin" else []
    return next(filter(None, (shutil.which(name, path=place) for place in places)), None)


def _in_registry() -> Iterator[str]:
    """Yield the folders of R that its installer wrote into the registry."""
    registry: Any = import_module("winreg")
    for root in (registry.HKEY_CURRENT_USER, registry.HKEY_LOCAL_MACHINE):
        for key in _REGISTRY:
            try:
                with registry.OpenKey(root, rf"SOFTWARE\R-core\{key}") as opened:
                    yield str(registry.QueryValueEx(opened, "InstallPath")[0])
            except OSError:
                continue


def _in_program_files() -> Iterator[str]:
    """Yield the folders of R where its installer puts them, the newest version first."""
    roots = [os.environ.get(name) for name in ("ProgramFiles", "ProgramW6432")]
    own = os.environ.get("LOCALAPPDATA")
    roots.append(own and os.path.join(own, "Programs"))
    for root in filter(None, dict.fromkeys(roots)):
        yield from map(str, sorted(Path(root).glob("R/R-*"), key=_version_in_name, reverse=True))


def _version_in_name(folder: Path) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", folder.name)]
