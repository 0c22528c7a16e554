"""Versions of the software that computed a result."""

from __future__ import annotations

import hashlib
import platform
import sys
from functools import cache, lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

_CODE = frozenset({".py", ".R", ".so", ".pyd"})


def package_version(distribution: str) -> str | None:
    """Return the installed version of a distribution, or None."""
    try:
        return version(distribution)
    except PackageNotFoundError:
        return None


# Reading a distribution's metadata takes a third of a small model's time. Loaded packages do not
# change while Python runs; `package_version` itself reads again, for `doctor`.
_loaded_version = lru_cache(maxsize=None)(package_version)


def versions(*distributions: str) -> dict[str, str]:
    """Return the versions of Python, pyexpr and the named distributions that are installed."""
    # pyexpr's own, installed or run from a checkout; this module is part of it, so it is loaded.
    # If another project's files have replaced its first one, a warning has reported it.
    loaded = getattr(sys.modules["pyexpr"], "__version__", None)
    own = str(loaded or package_version("pyexpr-stats"))
    found = {"python": platform.python_version(), "pyexpr-stats": own}
    for name in ("numpy", *distributions):
        installed = _loaded_version(name)
        if installed is not None:
            found[name] = installed
    return found


@cache
def code_fingerprint() -> str:
    """Return a hash of the package's own sources, so that results are recomputed by new code."""
    digest = hashlib.sha256()
    # An editable install has two roots: the checkout, and where the extension was built.
    roots = [Path(root) for root in sys.modules["pyexpr"].__path__]
    found = sorted(
        (path.relative_to(root).as_posix(), path)
        for root in roots
        for path in root.rglob("*")
        if path.suffix in _CODE
    )
    assert found, f"no code of pyexpr in {roots}"
    for name, path in found:
        digest.update(name.encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()
