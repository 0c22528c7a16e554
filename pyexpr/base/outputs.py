"""Checks of output files: an input, or another user's file, is never replaced by accident."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Mapping
from functools import cached_property
from pathlib import Path

from pyexpr.base.addresses import address_of, is_remote
from pyexpr.base.contents import irregular
from pyexpr.base.errors import PyexprError, counted, listed
from pyexpr.base.messages import say


class OutputError(PyexprError, OSError):
    """A result cannot be written to the requested place."""


_REMEDIES = {
    "a link": "name the file that it points at, or remove the link",
    "a folder": "name a file in it",
}
_PRINTED = "leave this option out to have the result printed, and redirect it (> file) to keep it"


def refuse_irregular(path: Path | str) -> None:
    """Raise `OutputError` if `path` exists and is not a regular file.

    Results are renamed into place, which would replace the link, pipe or device by a file. A link
    is not followed either, because its target may belong to something else (a store of data, an
    earlier version).
    """
    refuse_remote_output(path)
    try:
        mode = os.lstat(path).st_mode
    except (FileNotFoundError, NotADirectoryError):
        # The code that makes the folder reports problems with the folders above it.
        return
    except (OSError, ValueError) as error:
        # This cannot be the name of a file: it is too long, or contains a NUL character.
        reason = getattr(error, "strerror", None) or error
        raise OutputError(f"cannot write {str(path)!r}: {reason}; choose another name") from None
    kind = "a link" if stat.S_ISLNK(mode) else irregular(mode)
    if not kind:
        return
    remedy = _REMEDIES.get(kind, _PRINTED)
    if kind == "a link" and str(os.path.abspath(path)).startswith(("/dev/", "/proc/")):
        remedy = _PRINTED
    raise OutputError(
        say(
            "cannot write {path!r}: it is {kind}; {remedy}",
            path=str(path),
            kind=kind,
            remedy=remedy,
        )
    )


def refuse_remote_output(path: Path | str) -> None:
    """Raise `OutputError` if a result were to be written to a network.

    Object stores and web servers cannot replace a file at once by renaming.
    """
    if is_remote(path):
        raise OutputError(
            say(
                "cannot write {path!r}: results are not written to a network, where a file cannot "
                "be replaced at once; write them to a disk, and copy them",
                path=address_of(path),
            )
        )


def same_file(one: Path | str, other: Path | str) -> bool:
    """Say whether two paths are the same file, even by another name or by a link."""
    try:
        if os.path.samefile(one, other):
            return True
    except OSError:
        pass
    # For files that do not exist yet, the paths are compared.
    return os.path.realpath(one) == os.path.realpath(other)


def check_outputs(
    outputs: Mapping[str, Path | str | None],
    *,
    inputs: Iterable[Path | str] = (),
    overwrite: bool = False,
) -> None:
    """Raise `OutputError` for a file that must not be written, before anything is computed.

    Parameters
    ----------
    outputs : mapping
        The option that requests a file (``"--output"``) -> its path, or None without it.
    inputs : iterable of path
        Files that are read. They are never overwritten, not even with `overwrite`.
    overwrite : bool
        Whether an existing regular file may be replaced.

    Raises
    ------
    OutputError
        A path is an input; it is an existing link, folder, pipe, socket or device, or an existing
        regular file and `overwrite` is False; two paths are the same file; or a folder above it is
        a file.
    """
    named = {name: Path(path) for name, path in outputs.items() if path is not None}
    seen: dict[str, Path] = {}
    read = _Inputs(inputs)
    for name, path in named.items():
        refuse_irregular(path)
        _refuse_file_above(path)
        for earlier, other in seen.items():
            if same_file(path, other):
                raise OutputError(
                    say(
                        "{earlier} and {name} name one file, {path!r}; give each its own",
                        earlier=earlier,
                        name=name,
                        path=str(path),
                    )
                )
        seen[name] = path
        found = read.same_as(path)
        if found is not None:
            raise OutputError(
                f"{name} would replace {str(found)!r}, which is read for it; name another file"
            )
        if path.exists() and not overwrite:
            raise OutputError(
                say(
                    "{name}: the file {path!r} is there already; name another file, or "
                    "say that it may be replaced ({overwrite=True})",
                    name=name,
                    path=str(path),
                )
            )


def check_folder_outputs(
    folder: Path,
    names: Iterable[str],
    *,
    own: Iterable[str] | None = None,
    inputs: Iterable[Path | str] = (),
    overwrite: bool = False,
    what: str = "the results",
) -> None:
    """Raise `OutputError`, which names them all, for files of a folder that must not be replaced.

    Parameters
    ----------
    folder : Path
    names : iterable of str
        Paths in `folder` of the files to be written.
    own : iterable of str, optional
        Existing files that the package wrote: they may be replaced. None if it is not known
        which these are.
    inputs, overwrite
        As in `check_outputs`.
    what : str
        Description of the files, for the message.
    """
    read, mine = _Inputs(inputs), set(own or ())
    there = [name for name in names if os.path.lexists(folder / name)]
    for name in there:
        refuse_irregular(folder / name)
    _refuse_file_above(folder / "_")
    inside = [name for name in there if read.same_as(folder / name) is not None]
    if inside:
        raise OutputError(
            f"{what} would replace {counted(len(inside), 'file')} of {str(folder)!r} that "
            f"{'is' if len(inside) == 1 else 'are'} read for them: {listed(inside)}; choose "
            "another folder"
        )
    others = [name for name in there if name not in mine]
    if others and not overwrite:
        one = len(others) == 1
        detail = (
            f" that pyexpr did not write, or that {'was' if one else 'were'} changed since"
            if own is not None
            else ""
        )
        raise OutputError(
            say(
                "{what} would replace {many} of {folder!r}{detail}: {names}; choose "
                "another folder, move {it} away, or say that {they} may be replaced "
                "({overwrite=True})",
                what=what,
                many=counted(len(others), "file"),
                folder=str(folder),
                detail=detail,
                names=listed(others),
                it="it" if one else "them",
                they="it" if one else "they",
            )
        )


class _Inputs:
    """Input files, to be compared with many output files."""

    def __init__(self, paths: Iterable[Path | str]) -> None:
        self._paths = list(paths)

    @cached_property
    def _by_identity(self) -> dict[tuple[int, int], Path | str]:
        found: dict[tuple[int, int], Path | str] = {}
        for path in self._paths:
            try:
                status = os.stat(path)
            except OSError:
                continue
            found[(status.st_dev, status.st_ino)] = path
        return found

    @cached_property
    def _by_place(self) -> dict[str, Path | str]:
        return {os.path.realpath(path): path for path in self._paths}

    def same_as(self, path: Path) -> Path | str | None:
        """Return the input that is the same file as `path`, even by a link, or None."""
        try:
            status = os.stat(path)
        except OSError:
            return self._by_place.get(os.path.realpath(path))
        return self._by_identity.get((status.st_dev, status.st_ino))


def _refuse_file_above(path: Path) -> None:
    for above in path.parents:
        if above.is_dir():
            return
        if os.path.lexists(above):
            raise OutputError(
                f"cannot write into {str(above)!r}: it is not a folder; choose another place"
            )
