"""Input files: their bytes, the hash of these bytes, and whether a file has changed."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from dataclasses import dataclass
from pathlib import Path

_BLOCK = 1 << 20
_KINDS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a pipe (FIFO)"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


def irregular(mode: int) -> str:
    """Return the kind of a file with this mode; "" for a regular file."""
    return next((kind for is_kind, kind in _KINDS if is_kind(mode)), "")


def refuse_irregular_input(path: Path | str) -> None:
    """Raise `OSError`, whose `strerror` says why, if a path is not that of a regular file.

    This is checked before opening: a pipe waits for a writer, and some devices never end.
    """
    try:
        kind = irregular(os.stat(path).st_mode)
    except ValueError:
        raise OSError(errno.EINVAL, "a name cannot hold a NUL character", str(path)) from None
    if kind == "a folder":
        raise IsADirectoryError(errno.EISDIR, "it is a folder; name a file in it", str(path))
    if kind:
        remedy = f"it is {kind}, and only files are read; write what it gives to a file first"
        raise OSError(errno.EINVAL, remedy, str(path))


@dataclass(frozen=True, slots=True)
class FileState:
    """Properties that change with a file, and that are known without reading it.

    A program can set the time of modification, and a copy may keep it; but the time of the last
    change of status cannot be set.
    """

    device: int
    inode: int
    size: int
    modified_ns: int
    changed_ns: int

    @classmethod
    def of(cls, status: os.stat_result) -> FileState:
        """Return the state given by `os.stat` or `os.fstat`."""
        return cls(
            status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns
        )


@dataclass(frozen=True, slots=True)
class KnownFile:
    """A file as it was when it was read.

    Attributes
    ----------
    path : Path
    sha256 : str
        Hash of the bytes that were read, in hexadecimal.
    state : FileState or None
        At that time; None if it changed while it was read.
    """

    path: Path
    sha256: str
    state: FileState | None

    def is_unchanged(self) -> bool:
        """Say whether the file has the content that was read.

        It is read again only if its state differs; a copy of the same bytes is not a change.
        """
        try:
            if self.state is not None and FileState.of(os.stat(self.path)) == self.state:
                return True
            return hashed_file(self.path).sha256 == self.sha256
        except OSError:
            return False


def read_content(path: Path | str) -> tuple[bytes, KnownFile]:
    """Read a file once; return its bytes, and its state with their hash."""
    refuse_irregular_input(path)
    with open(path, "rb") as handle:
        before = FileState.of(os.fstat(handle.fileno()))
        try:
            content = handle.read()
        except MemoryError:
            # A hole in a file takes no space on the disk.
            raise OSError(
                errno.ENOMEM,
                f"it has {before.size:,} bytes, more than there is memory for",
                str(path),
            ) from None
        after = FileState.of(os.fstat(handle.fileno()))
    state = after if before == after else None
    return content, KnownFile(Path(path), hashlib.sha256(content).hexdigest(), state)


def hashed_file(path: Path | str) -> KnownFile:
    """Hash a file of any size, a block at a time."""
    refuse_irregular_input(path)
    digest = hashlib.sha256()
    with open(path, "rb") as handle:
        before = FileState.of(os.fstat(handle.fileno()))
        while block := handle.read(_BLOCK):
            digest.update(block)
        after = FileState.of(os.fstat(handle.fileno()))
    return KnownFile(Path(path), digest.hexdigest(), after if before == after else None)


def sha256(path: Path | str) -> str:
    """Return the SHA-256 of a file, in hexadecimal."""
    return hashed_file(path).sha256
