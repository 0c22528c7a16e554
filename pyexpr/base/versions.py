"""Versions of what computed a result."""

from __future__ import annotations

import platform
import sys
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version


def package_version(distribution: str) -> str | None:
    """Return the installed version of a distribution, or None."""
    try:
        return version(distribution)
    except PackageNotFoundError:
        return None


# Reading a distribution's metadata takes a third of a small model's time. What is loaded does
# not change while Python runs; `package_version` itself looks anew, for `doctor`.
_loaded_version = lru_cache(maxsize=None)(package_version)


def versions(*distributions: str) -> dict[str, str]:
    """Return the versions of Python, pyexpr and the named distributions that are installed."""
    # pyexpr's own, installed or run from a checkout; this module is part of it, so it is loaded.
    # Where another project's files have replaced its first one, a warning has said so.
    loaded = getattr(sys.modules["pyexpr"], "__version__", None)
    own = str(loaded or package_version("pyexpr-stats"))
    found = {"python": platform.python_version(), "pyexpr-stats": own}
    for name in ("numpy", *distributions):
        installed = _loaded_version(name)
        if installed is not None:
            found[name] = installed
    return found
