"""Files that are written whole or not at all."""

from __future__ import annotations

import os
import secrets
import stat
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from pyexpr.base.contents import sha256
from pyexpr.base.outputs import OutputError, refuse_irregular

__all__ = ["OutputError", "cache_folder", "sha256", "whole_file", "writable_folder", "write_text"]

_SETTING = threading.Lock()
# Bytes of a name (255 on most systems) that leave room for what a temporary name adds.
_LONGEST = 200


@contextmanager
def whole_file(path: Path | str) -> Iterator[Path]:
    """Yield a temporary path beside `path`; rename it into place if the block succeeds.

    A file that is replaced leaves its mode and, where that is allowed, its owner to the new
    one: what was private stays so. `OutputError` if `path` is no regular file.
    """
    target = Path(path)
    refuse_irregular(target)
    writable_folder(target.parent)
    # The name is known before the file is made: an interrupt while it is being made removes it.
    temporary = target.parent / f".{_beginning(target.name)}.{secrets.token_hex(4)}.part"
    try:
        os.close(os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
        yield temporary
        # It may have come to be something else while the block ran.
        refuse_irregular(target)
        # Until here nobody else may read it.
        _take_over_mode(temporary, target)
        os.replace(temporary, target)
    finally:
        temporary.unlink(missing_ok=True)


def _beginning(name: str) -> str:
    """Return so much of a name that the temporary one is no longer than systems allow."""
    return os.fsencode(name)[:_LONGEST].decode("utf-8", "ignore")


def _take_over_mode(temporary: Path, target: Path) -> None:
    """Give a new file mode and owner of the one it replaces, or of an ordinary file."""
    try:
        earlier = os.stat(target)
    except FileNotFoundError:
        temporary.chmod(0o666 & ~_umask())
        return
    now = os.stat(temporary)
    if (now.st_uid, now.st_gid) != (earlier.st_uid, earlier.st_gid):
        # Only root gives files away; another user's copy is the user's own, as of an editor.
        with suppress(OSError, AttributeError):
            os.chown(temporary, earlier.st_uid, earlier.st_gid)
    temporary.chmod(stat.S_IMODE(earlier.st_mode))


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
