"""Distinguish files that are being written from files that a killed program left behind.

A process locks what it writes. The operating system releases the lock when the process ends, for
whatever reason. A file or folder that has such a name but no lock therefore belongs to no running
program, and the next program that writes into the same folder removes it. If the system or the
network drive has no locks, it stays.
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

try:
    import fcntl
except ImportError:  # pragma: no cover - Windows
    fcntl = None  # type: ignore[assignment]

# Bytes of a name (255 on most systems) that leave room for what is added to it.
_LONGEST = 200
_FILE = re.compile(r"\..*\.[0-9a-f]{8}\.pyexpr\.part", re.DOTALL)
_FOLDER = re.compile(r"\.pyexpr-[0-9a-f]{8}\.part")
# Lock file in a folder that is being written, since folders cannot be locked everywhere.
_LOCK = ".lock"
# Folders that have been searched, so that a cache of many files is listed only once.
_SWEPT: set[str] = set()


@contextmanager
def part_file(target: Path) -> Iterator[Path]:
    """Yield a new empty file beside `target`, which only this process writes; remove it after."""
    _sweep(target.parent)
    handle = -1
    # The name is known before the file is made, so that an interrupt meanwhile removes it.
    part = _name(target)
    try:
        handle = _made(part)
        while handle < 0:
            part = _name(target)
            handle = _made(part)
        yield part
    finally:
        part.unlink(missing_ok=True)
        if handle >= 0:
            os.close(handle)


@contextmanager
def part_folder(parent: Path) -> Iterator[Path]:
    """Yield a new folder in `parent`, which only this process writes; remove it after."""
    _sweep(parent)
    folder = parent / f".pyexpr-{secrets.token_hex(4)}.part"
    try:
        folder.mkdir(mode=0o700)
        # A folder without the lock file is not removed, and that file gets its name once locked.
        handle = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            _locked(handle)
            if fcntl is not None:
                os.rename(folder / "lock", folder / _LOCK)
            yield folder
        finally:
            os.close(handle)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _name(target: Path) -> Path:
    beginning = os.fsencode(target.name)[:_LONGEST].decode("utf-8", "ignore")
    return target.parent / f".{beginning}.{secrets.token_hex(4)}.pyexpr.part"


def _made(part: Path) -> int:
    """Make a file and lock it; -1 if another process removed it as a leftover."""
    handle = os.open(part, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
    if fcntl is None:  # pragma: no cover - Windows, where an open file cannot be renamed
        os.close(handle)
        return os.open(os.devnull, os.O_RDONLY)
    if _locked(handle) and part.exists():
        return handle
    os.close(handle)
    return -1


def _locked(handle: int) -> bool:
    """Lock an open file; False if another process holds the lock."""
    if fcntl is None:  # pragma: no cover - Windows
        return True
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        # On a drive without locks nobody else can take one either.
        return True
    return True


def _sweep(folder: Path) -> None:
    """Remove from a folder the files that killed programs left there, once per process."""
    place = os.path.abspath(folder)
    if fcntl is None or place in _SWEPT:
        return
    _SWEPT.add(place)
    with suppress(OSError), os.scandir(place) as entries:
        for entry in entries:
            if _FILE.fullmatch(entry.name) and entry.is_file(follow_symlinks=False):
                _remove_left(Path(entry.path), Path(entry.path))
            elif _FOLDER.fullmatch(entry.name) and entry.is_dir(follow_symlinks=False):
                _remove_left(Path(entry.path), Path(entry.path) / _LOCK)


def _remove_left(what: Path, lock: Path) -> None:
    assert fcntl is not None
    with suppress(OSError):
        handle = os.open(lock, os.O_RDWR)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if what == lock:
                what.unlink(missing_ok=True)
            else:
                shutil.rmtree(what, ignore_errors=True)
        finally:
            os.close(handle)
