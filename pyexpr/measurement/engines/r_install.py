"""The commands that install R, lavaan and the bridge to R on this system, for all messages.

``python -m pyexpr.measurement.engines.r_install`` prints what pip has to install.
"""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from typing import Final

from pyexpr.base.systems import System, system
from pyexpr.measurement.engines.children import run_child
from pyexpr.measurement.engines.r_places import find_program, find_rscript

_LAVAAN_OF_CRAN: Final = "install.packages('lavaan', repos = 'https://cloud.r-project.org')"

# What installs R, and what installs lavaan where R is; None: R itself does that.
_COMMANDS: Final[dict[System, tuple[str, str | None]]] = {
    "debian": (
        "apt-get install --no-install-recommends r-base-core r-base-dev r-cran-lavaan",
        "apt-get install --no-install-recommends r-cran-lavaan",
    ),
    "fedora": ("dnf install R-core R-core-devel", None),
    "suse": ("zypper install R-base R-base-devel", None),
    "arch": ("pacman -S r gcc-fortran", None),
    "macos": (
        "brew install r (or R's installer, https://cran.r-project.org/bin/macosx/)",
        None,
    ),
    "windows": (
        "winget install RProject.R (or R's installer, "
        "https://cran.r-project.org/bin/windows/base/)",
        None,
    ),
    "conda": (
        "conda install -c conda-forge r-base r-lavaan",
        "conda install -c conda-forge r-lavaan",
    ),
    "other": ("R's installer for this system, https://cran.r-project.org/", None),
}

# rpy2-rinterface 3.6.6 and later call a function that R has since 4.5 (R_getVar); 3.6.5 calls
# one that R 4.6 no longer has (STDVEC_DATAPTR). R 4.5 has both.
_FIRST_WITH_NEW = (4, 5)
_OLD, _NEW = "3.6.5", "3.6.7"


def r_commands() -> str:
    """Return the commands that install R and lavaan, and the bridge if this system has one."""
    install, lavaan = _COMMANDS[system()]
    commands = [install, *([] if lavaan else [_by_r("Rscript")]), bridge_command()]
    return "; ".join(filter(None, commands))


def r_command() -> str:
    """Return the command that installs R, with lavaan where one command does both."""
    return _COMMANDS[system()][0]


def lavaan_command() -> str:
    """Return the command that installs lavaan into the R of this system."""
    return _COMMANDS[system()][1] or _by_r(find_rscript() or "Rscript")


def _by_r(program: str) -> str:
    # Windows' shells know no single quotation marks, R knows both.
    quoted = f'"{program}"' if sys.platform == "win32" else shlex.quote(program)
    return f'{quoted} -e "{_LAVAAN_OF_CRAN}"'


def bridge_requirement(r_version: str | None = None) -> str:
    """Return what pip installs for the bridge to R.

    Parameters
    ----------
    r_version : str, optional
        The version of R, as "4.2.2"; by default that of the R on the PATH. Without R it is the
        version for Debian's current R.
    """
    version = installed_r() if r_version is None else r_version
    known = re.match(r"(\d+)\.(\d+)", version)
    new = known is None or (int(known[1]), int(known[2])) >= _FIRST_WITH_NEW
    return f"rpy2-rinterface=={_NEW if new else _OLD}"


def bridge_command(r_version: str | None = None) -> str:
    """Return the command that installs the bridge; R must be installed first.

    It is "" on Windows, for which rpy2 is not made; there `Rscript` fits, in a child process.
    """
    if sys.platform == "win32":
        return ""
    requirement = bridge_requirement(r_version)
    return f"RPY2_CFFI_MODE=API python -m pip install --no-cache-dir {requirement}"


def installed_r() -> str:
    """Return the version of the R that is found here, or "" if none answers."""
    program = find_program("R")
    if program is None:
        return ""
    try:
        # R answers at once, but not on a busy machine: "" would then advise for another R.
        done = run_child([program, "--version"], seconds=60)
    except (OSError, subprocess.SubprocessError):
        return ""
    found = re.search(r"R version (\S+)", done.stdout)
    return found[1] if found else ""


if __name__ == "__main__":
    print(bridge_requirement())
