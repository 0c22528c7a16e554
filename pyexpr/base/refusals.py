"""Errors of the system while a file is written, as one sentence that names the place."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path

from pyexpr.base.errors import PyexprError
from pyexpr.base.messages import say
from pyexpr.base.outputs import OutputError

_FULL = frozenset({errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)})
# These concern the place that is written to, not a file that is read.
_OF_THE_PLACE = _FULL | {errno.EROFS, errno.EFBIG}
# A disk with no more free bytes than this counts as full after a failed write.
_ROOM = 1 << 16


def is_refusal(error: BaseException, folder: Path | str) -> bool:
    """Say whether an error, from whatever code, means that a folder cannot be written to.

    NumPy, safetensors and others raise their own errors, from which a program cannot read the
    cause. In that case the function checks whether the disk is full.
    """
    if isinstance(error, PyexprError):
        return False
    number = error.errno if isinstance(error, OSError) else None
    return is_full(folder) if number is None else number in _OF_THE_PLACE


def is_full(folder: Path | str) -> bool:
    """Say whether a folder's disk has no room left."""
    return free_bytes(folder) < _ROOM


def free_bytes(folder: Path | str) -> int:
    """Return how many bytes fit into a folder; a large number if this is unknown."""
    try:
        return shutil.disk_usage(folder).free
    except OSError:
        return _ROOM


def not_written(
    error: BaseException, path: Path | str, *, written: int = 0, needs: int = 0
) -> OutputError:
    """Return the error that says that `path` could not be written, why, and the space it needs.

    Parameters
    ----------
    error : exception
        One for which `is_refusal` is true.
    path : path
    written : int
        Number of bytes that could be written.
    needs : int
        Number of bytes of the file; 0: not known.
    """
    number = error.errno if isinstance(error, OSError) else None
    if number is not None and number not in _FULL:
        return OutputError(
            say(
                "cannot write {path!r}: {problem}; choose another place, and run it again",
                path=str(path),
                problem=os.strerror(number),
            )
        )
    folder = os.path.dirname(os.path.abspath(path))
    return OutputError(
        say(
            "cannot write {path!r}: {why} in {folder!r}, where {free:,} bytes are free{need}; make "
            "room there, or choose another place, and run it again",
            path=str(path),
            why="your quota is used up" if number in _FULL - {errno.ENOSPC} else "the disk is full",
            folder=folder,
            free=free_bytes(folder),
            need=_need(written, needs),
        )
    )


def _need(written: int, needs: int) -> str:
    if needs:
        return f" and the file needs {needs:,}"
    return f" and the file needs more than {written:,}" if written else ""
