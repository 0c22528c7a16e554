"""The operating system, as far as the installation of software depends on it."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import Final, Literal

System = Literal["conda", "windows", "macos", "debian", "fedora", "suse", "arch", "other"]

_OS_RELEASE: Final = ("/etc/os-release", "/usr/lib/os-release")
# The names by which a distribution of Linux, or one like it, identifies itself.
_FAMILIES: Final[dict[str, System]] = {
    "debian": "debian",
    "ubuntu": "debian",
    "fedora": "fedora",
    "rhel": "fedora",
    "centos": "fedora",
    "suse": "suse",
    "opensuse": "suse",
    "arch": "arch",
}


def system() -> System:
    """Return the system by which software is installed here.

    An active environment of conda comes first (CONDA_PREFIX), because what its installer puts
    there is found before the system's. Distributions of Linux are identified by os-release.
    """
    if os.environ.get("CONDA_PREFIX"):
        return "conda"
    if sys.platform in ("win32", "cygwin"):
        return "windows"
    if sys.platform == "darwin":
        return "macos"
    return _of_linux()


def _of_linux() -> System:
    for path in _OS_RELEASE:
        try:
            text = Path(path).read_text(encoding="utf-8", errors="replace")
        except OSError:
            continue
        named = dict(re.findall(r"^(ID|ID_LIKE)=[\"']?(.*?)[\"']?$", text, flags=re.MULTILINE))
        # ID first: its own name is more specific than that of similar ones.
        for word in f"{named.get('ID', '')} {named.get('ID_LIKE', '')}".lower().split():
            family = _FAMILIES.get(word.partition("-")[0])
            if family is not None:
                return family
        return "other"
    return "other"
