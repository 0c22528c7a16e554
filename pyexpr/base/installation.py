"""Whether the files of this package are its own: another project on PyPI is called pyexpr, too.

Its distribution, ``pyexpr``, and this one, ``pyexpr-stats``, put files into the same folder. pip
lets each replace files of the other, and removes shared files when either is removed.
"""

from __future__ import annotations

import base64
import hashlib
import os
import re
from collections.abc import Iterable, Iterator
from importlib.metadata import Distribution, PackageNotFoundError, distribution, distributions
from pathlib import Path
from typing import Final

from pyexpr.base.errors import PyexprWarning, counted, listed, warn_user

_OWN: Final = "pyexpr-stats"
_FOLDER: Final = Path(__file__).parents[1]
REMEDY: Final = (
    "run 'pip uninstall pyexpr', then install pyexpr-stats again (pip install --force-reinstall "
    "--no-deps, with what it was installed from)"
)


def warn_of_another() -> None:
    """Warn that another distribution has put files into this package's folder."""
    others = _others([str(_FOLDER.parent)]) or ["a distribution that is not installed any more"]
    warn_user(f"{_shared(others)}; {REMEDY}", PyexprWarning)


def installation_problems() -> list[str]:
    """Return the problems with the files of this package, one sentence each."""
    others = _others(None)
    found = [f"{_shared(others)}; {REMEDY}"] if others else []
    changed, foreign = _changed_files()
    if changed:
        found.append(
            f"{counted(len(changed), 'file', 'is', 'are')} not as pyexpr-stats installed "
            f"{'it' if len(changed) == 1 else 'them'}: {listed(changed, most=4)}; "
            f"{REMEDY}"
        )
    if foreign:
        found.append(
            f"{counted(len(foreign), 'file', 'does', 'do')} not belong to pyexpr-stats: "
            f"{listed(foreign, most=4)}; {REMEDY}"
        )
    return found


def _shared(others: Iterable[str]) -> str:
    return (
        f"{' and '.join(others)}, another project, has files in the folder of pyexpr-stats "
        f"({_FOLDER}), and either may have replaced files of the other"
    )


def _others(path: list[str] | None) -> list[str]:
    """Return the distributions, with their versions, that have files in the same folder."""
    every = distributions() if path is None else distributions(path=path)
    found = {}
    for one in every:
        name = str(one.metadata["Name"] or "")
        if re.sub(r"[-_.]+", "-", name).lower() != _OWN and _has_files_here(one):
            found[name] = f"the distribution {name!r} {one.version}"
    return list(found.values())


def _has_files_here(one: Distribution) -> bool:
    record = one.read_text("RECORD") or ""
    if not re.search(rf"^{_FOLDER.name}/", record, flags=re.MULTILINE):
        # The form in which setuptools installed without wheels.
        top = (one.read_text("top_level.txt") or "").split()
        if record or _FOLDER.name not in top:
            return False
    place = Path(str(one.locate_file(_FOLDER.name)))
    return os.path.realpath(place) == os.path.realpath(_FOLDER)


def _changed_files() -> tuple[list[str], list[str]]:
    """Return the files that differ from the installed ones, and those that were not installed."""
    try:
        record = distribution(_OWN).files or []
    except PackageNotFoundError:
        return [], []
    own = {file.as_posix(): file for file in record if file.parts[0] == _FOLDER.name}
    first = own.get(f"{_FOLDER.name}/__init__.py")
    if first is None or os.path.realpath(str(first.locate())) != os.path.realpath(
        _FOLDER / "__init__.py"
    ):
        # In a checkout there is nothing to compare the files with.
        return [], []
    changed = [
        name
        for name, file in own.items()
        if file.hash is not None
        and file.hash.mode == "sha256"
        and _sha256(Path(str(file.locate()))) != file.hash.value
    ]
    return changed, sorted(name for name in _python_files() if name not in own)


def _sha256(path: Path) -> str:
    try:
        digest = hashlib.sha256(path.read_bytes()).digest()
    except OSError:
        return ""
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode("ascii")


def _python_files() -> Iterator[str]:
    """Yield what Python could import from the package's folder."""
    for pattern in ("*.py", "*.so", "*.pyd"):
        for path in _FOLDER.rglob(pattern):
            yield path.relative_to(_FOLDER.parent).as_posix()
