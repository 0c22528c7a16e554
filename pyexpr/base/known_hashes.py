"""Hashes of input files that were computed before, each with the state of its file at that time.

A file is not hashed again if its size, time of modification, time of the last change of status and
number on its file system (inode) are unchanged since it was hashed. Two cases need care, as in
Git's index. First, a file that is written soon after it was hashed, within the resolution of its
times, keeps its times. A hash is therefore remembered only if the last change of the file was long
enough before, by the clock of this machine and by that of the file system. Second, if a system has
no time of the last change of status, a program can restore the other time. For this case, `verify`
hashes every file.
"""

from __future__ import annotations

import json
import os
import stat
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from pyexpr.base.contents import FileState, KnownFile, hashed_file
from pyexpr.base.files import OutputError, write_text

# Increased when the meaning of the file changes; files of other versions are not used.
_FORMAT: Final = 1
_WHAT: Final = "pyexpr: hashes of input files"
# FAT has times of two seconds, other file systems and network drives one or less.
_RESOLUTION_NS: Final = 2 * 10**9

State = tuple[int, int, int, int]


class KnownHashes:
    """The hashes of a study's input files.

    Parameters
    ----------
    file : Path
        File in which they are kept. If it is absent, damaged, or of another version, no hash is
        known. Deleting it causes all files to be hashed again.
    verify : bool
        Whether to hash every file nevertheless.

    Attributes
    ----------
    unnoticed : list of str
        With `verify`: the names of files whose content has changed although their states have not.
    """

    def __init__(self, file: Path, *, verify: bool = False) -> None:
        self.file = file
        self.verify = verify
        self.unnoticed: list[str] = []
        self._known = _read(file)
        self._begun = now_ns(file.parent)
        self._changed = False

    def of(self, name: str, path: Path) -> KnownFile:
        """Return the hash of a file, computed unless it is known; `OSError` as in `hashed_file`."""
        known = self._known.get(name)
        if known is not None and not self.verify:
            state = _opened_state(path)
            if state is not None and _compared(state) == known[0]:
                return KnownFile(path, known[1], state)
        found = hashed_file(path)
        if known is not None and found.state is not None and _compared(found.state) == known[0]:
            if found.sha256 == known[1]:
                return found
            self.unnoticed.append(name)
        self._remember(name, found)
        return found

    def _remember(self, name: str, found: KnownFile) -> None:
        state = found.state
        settled = state is not None and (
            max(state.modified_ns, state.changed_ns) + _RESOLUTION_NS < self._begun
        )
        if settled:
            assert state is not None
            self._known[name] = _compared(state), found.sha256
            self._changed = True
        elif self._known.pop(name, None) is not None:
            self._changed = True

    def forget(self) -> None:
        """Forget all hashes, as one of them has turned out to be wrong."""
        self._known, self._changed = {}, True
        self.keep()

    def keep(self) -> None:
        """Write the hashes to the file; without effect where that is not possible.

        In that case only time is lost. A file of that name with other content is kept.
        """
        if not self._changed or (self.file.exists() and not is_hashes_file(self.file)):
            return
        files = {name: [*state, digest] for name, (state, digest) in self._known.items()}
        with suppress(OutputError):
            write_text(self.file, json.dumps({"what": _WHAT, "format": _FORMAT, "files": files}))
            self._changed = False


def now_ns(folder: Path) -> int:
    """Return the time in ns: the earlier of this machine's and that of a folder's file system."""
    found = time.time_ns()
    with suppress(OSError), tempfile.TemporaryFile(dir=folder) as file:
        found = min(found, os.fstat(file.fileno()).st_mtime_ns)
    return found


def is_hashes_file(path: Path) -> bool:
    """Say whether a file holds hashes, of any version; an empty or truncated file counts, too."""
    try:
        with path.open("rb") as handle:
            head = handle.read(100)
    except OSError:
        return False
    own = json.dumps({"what": _WHAT}).encode()[:-1]
    return head[: len(own)] == own[: len(head)]


def _compared(state: FileState) -> State:
    """Return the part of a file's state that is compared.

    The number of the device is left out, since network drives change it from day to day.
    """
    return state.size, state.modified_ns, state.changed_ns, state.inode


def _opened_state(path: Path) -> FileState | None:
    """Return the state of a regular file, None if it has none.

    The file is opened, so that network drives query the server and do not use their cache.
    """
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):
            return None
        with path.open("rb") as handle:
            return FileState.of(os.fstat(handle.fileno()))
    except (OSError, ValueError):
        return None


def _read(file: Path) -> dict[str, tuple[State, str]]:
    try:
        kept: Any = json.loads(file.read_text(encoding="utf-8"))
        if kept["what"] != _WHAT or kept["format"] != _FORMAT:
            return {}
        return {
            str(name): ((int(size), int(modified), int(changed), int(inode)), str(digest))
            for name, (size, modified, changed, inode, digest) in kept["files"].items()
        }
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return {}
