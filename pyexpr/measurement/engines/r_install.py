"""The commands that install R, lavaan and the bridge to R on this machine.

``python -m pyexpr.measurement.engines.r_install`` prints what pip has to install.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess

R_COMMAND = "apt-get install --no-install-recommends r-base-core r-base-dev r-cran-lavaan"
LAVAAN_COMMAND = "apt-get install --no-install-recommends r-cran-lavaan"

# rpy2-rinterface 3.6.6 and later call a function that R has since 4.5 (R_getVar); 3.6.5 calls
# one that R 4.6 no longer has (STDVEC_DATAPTR). R 4.5 has both.
_FIRST_WITH_NEW = (4, 5)
_OLD, _NEW = "3.6.5", "3.6.7"


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
    """Return the command that installs the bridge; R must be there before."""
    requirement = bridge_requirement(r_version)
    return f"RPY2_CFFI_MODE=API python -m pip install --no-cache-dir {requirement}"


def installed_r() -> str:
    """Return the version of the R on the PATH or in R_HOME, or "" if none answers."""
    home = os.environ.get("R_HOME")
    program = shutil.which("R") or (os.path.join(home, "bin", "R") if home else None)
    if program is None:
        return ""
    try:
        done = subprocess.run(
            [program, "--version"], capture_output=True, text=True, errors="replace",
            stdin=subprocess.DEVNULL, timeout=10, check=False,
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return ""
    found = re.search(r"R version (\S+)", done.stdout)
    return found[1] if found else ""


if __name__ == "__main__":
    print(bridge_requirement())
