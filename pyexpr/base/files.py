"""Files that are written whole or not at all."""

from __future__ import annotations

import hashlib
import os
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pyexpr.base.errors import PyexprError

_SETTING = threading.Lock()


class OutputError(PyexprError, OSError):
    """A result cannot be written where it was asked for."""


@contextmanager
def whole_file(path: Path | str) -> Iterator[Path]:
    """Yield a temporary path beside `path`; rename it into place if the block succeeds."""
    target = Path(path)
    writable_folder(target.parent)
    handle, name = tempfile.mkstemp(prefix=f".{target.name}.", suffix=".part", dir=target.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        # mkstemp makes files private; results are ordinary files.
        temporary.chmod(0o666 & ~_umask())
        yield temporary
        os.replace(temporary, target)
    finally:
        temporary.unlink(missing_ok=True)


def _umask() -> int:
    """Return what new files are denied. It can only be read by setting it, for all threads."""
    with _SETTING:
        umask = os.umask(0o077)
        os.umask(umask)
    return umask


def write_text(path: Path | str, text: str) -> None:
    """Write a UTF-8 text file, whole or not at all."""
    with whole_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def writable_folder(path: Path | str) -> Path:
    """Make the folder if needed, and raise `OutputError` if nothing can be written in it."""
    folder = Path(path)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise OutputError(f"cannot write into {str(folder)!r}: {error.strerror or error}") from None
    return folder


def cache_folder(name: str, chosen: Path | str | None = None) -> Path:
    """Return where to keep what can be computed again: `chosen`, or the user's own place.

    That is ``$PYEXPR_CACHE``, ``$XDG_CACHE_HOME/pyexpr`` or ``~/.cache/pyexpr``, and
    in it the folder `name`.
    """
    if chosen is not None:
        return Path(chosen)
    own = os.environ.get("PYEXPR_CACHE")
    if own:
        return Path(own) / name
    general = os.environ.get("XDG_CACHE_HOME")
    return (Path(general) if general else Path.home() / ".cache") / "pyexpr" / name


def sha256(path: Path | str) -> str:
    """Return the SHA-256 of a file, in hexadecimal."""
    with open(path, "rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()
