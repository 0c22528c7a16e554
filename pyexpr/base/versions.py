"""Versions of what computed a result."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version


def package_version(distribution: str) -> str | None:
    """Return the installed version of a distribution, or None."""
    try:
        return version(distribution)
    except PackageNotFoundError:
        return None


def versions(*distributions: str) -> dict[str, str]:
    """Return the versions of Python, pyexpr and the named distributions that are installed."""
    found = {"python": platform.python_version()}
    for name in ("pyexpr-stats", "numpy", *distributions):
        installed = package_version(name)
        if installed is not None:
            found[name] = installed
    return found
