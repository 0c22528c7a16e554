"""Files that are written completely or not at all."""

from __future__ import annotations

import os
import stat
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from pyexpr.base.contents import sha256
from pyexpr.base.messages import say
from pyexpr.base.outputs import OutputError, refuse_irregular, refuse_remote_output
from pyexpr.base.part_files import part_file, part_folder
from pyexpr.base.refusals import is_refusal, not_written

__all__ = [
    "OutputError", "cache_folder", "folder_aside", "sha256", "temporary_folder", "whole_file",
    "writable_folder", "write_text",
]  # fmt: skip

_SETTING = threading.Lock()
# Files there are copied elsewhere, and are lost with the process in any case.
_PASSING: set[Path] = set()


@contextmanager
def whole_file(path: Path | str, *, needs: int = 0, lasting: bool = True) -> Iterator[Path]:
    """Yield a temporary path beside `path`; rename it into place if the block succeeds.

    The content is on the disk before the file has its name, and the name before the block ends.
    After a power failure there is therefore the complete old file or the complete new one. The new
    file gets the mode and, if allowed, the owner of the file that it replaces, so that a private
    file stays private. `OutputError` is raised if `path` is not a regular file, or if the system
    refuses to write it, for example because the disk is full; the old file then stays.

    `needs` is the size of the content in bytes, for that error; 0: not known. Without `lasting`,
    the function does not wait for the disk, which is for files that show whether they are complete.
    """
    target = Path(path)
    refuse_irregular(target)
    writable_folder(target.parent)
    size = 0
    try:
        with part_file(target) as temporary:
            try:
                yield temporary
            finally:
                with suppress(OSError):
                    size = os.stat(temporary).st_size
            # It may have become something else while the block ran.
            refuse_irregular(target)
            # Until this point nobody else may read it.
            _take_over_mode(temporary, target)
            _replace(temporary, target, lasting=lasting)
    except Exception as error:
        if is_refusal(error, target.parent):
            raise not_written(error, target, written=size, needs=needs) from None
        raise


def _to_disk(path: Path) -> None:
    """Make the system write a file, or the names in a folder, to the disk."""
    # Windows cannot open a folder, and writes its names by itself.
    flags = os.O_RDONLY if os.name == "posix" else os.O_RDWR
    if os.name != "posix" and path.is_dir():
        return
    handle = os.open(path, flags)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _replace(temporary: Path, target: Path, *, lasting: bool = True) -> None:
    """Rename a file into place; say what is wrong if the old one cannot be replaced."""
    lasting = lasting and _PASSING.isdisjoint(target.parents)
    if lasting:
        _to_disk(temporary)
    try:
        os.replace(temporary, target)
        if lasting:
            _to_disk(target.parent)
    except PermissionError as error:
        # On Windows a file that a program has open cannot be replaced, nor can a read-only one.
        raise OutputError(
            say(
                "cannot replace {path!r} ({problem}): if a program such as Excel has the file "
                "open, close it there and try again; otherwise check that you may write to it",
                path=str(target),
                problem=error.strerror or str(error),
            )
        ) from None


def _take_over_mode(temporary: Path, target: Path) -> None:
    """Give a new file the mode and owner of the one it replaces, or of an ordinary file."""
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
    """Return the mask of new files' modes. It can only be read by setting it, for all threads."""
    with _SETTING:
        umask = os.umask(0o077)
        os.umask(umask)
    return umask


def write_text(path: Path | str, text: str) -> None:
    """Write a UTF-8 text file, whole or not at all, with the same bytes on every system."""
    content = text.encode("utf-8")
    with whole_file(path, needs=len(content)) as temporary:
        temporary.write_bytes(content)


def writable_folder(path: Path | str) -> Path:
    """Make the folder if needed, and raise `OutputError` if nothing can be written in it."""
    refuse_remote_output(path)
    folder = Path(path)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise OutputError(f"cannot write into {str(folder)!r}: {error.strerror or error}") from None
    return folder


@contextmanager
def folder_aside(parent: Path) -> Iterator[Path]:
    """Yield a folder in `parent` for files that are moved later; it is removed after the block.

    One that a killed run leaves is removed by the next run. `OutputError` is raised as in
    `whole_file`.
    """
    try:
        with part_folder(parent) as folder:
            _PASSING.add(folder)
            try:
                yield folder
            finally:
                _PASSING.discard(folder)
    except OSError as error:
        if isinstance(error, OutputError) or not is_refusal(error, parent):
            raise
        raise not_written(error, parent) from None


@contextmanager
def temporary_folder() -> Iterator[Path]:
    """Yield a folder among the system's temporary files; it is removed after the block.

    `OutputError`, which names the place and how to choose another, is raised if nothing can be
    written there.
    """
    place = ""
    try:
        place = tempfile.gettempdir()
        with tempfile.TemporaryDirectory(prefix="pyexpr-", dir=place) as name:
            _PASSING.add(Path(name))
            try:
                yield Path(name)
            finally:
                _PASSING.discard(Path(name))
    except OSError as error:
        if place and not is_refusal(error, place):
            raise
        raise OutputError(
            say(
                "cannot write temporary files{where}: {problem}; make room there, or name "
                "another folder by the environment variable TMPDIR, and run it again",
                where=f" into {place!r}" if place else "",
                problem=error.strerror or str(error),
            )
        ) from None


def cache_folder(name: str, chosen: Path | str | None = None) -> Path:
    """Return the folder of a cache: `chosen`, or the user's default.

    The latter is the folder `name` in ``$PYEXPR_CACHE``, ``$XDG_CACHE_HOME/pyexpr`` or
    ``~/.cache/pyexpr``.
    """
    if chosen is not None:
        return Path(chosen)
    own = os.environ.get("PYEXPR_CACHE")
    if own:
        return Path(own) / name
    general = os.environ.get("XDG_CACHE_HOME")
    return (Path(general) if general else Path.home() / ".cache") / "pyexpr" / name
