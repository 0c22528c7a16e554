"""Tables and figures in the folder of results that a run wrote and that the next may replace.

A listing in the folder holds the hash of every file. It is written before the files, so that every
file that an interrupted run leaves is known.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

from pyexpr.base.files import sha256, whole_file, write_text

Noted = Mapping[str, Collection[str]]


def hashes_of(folder: Path, written: Iterable[Path]) -> dict[str, str]:
    """Return the SHA-256 of files in `folder`, by their path in it."""
    return {path.relative_to(folder).as_posix(): sha256(path) for path in written}


def note_before_writing(listing: Path, files: Mapping[str, str]) -> None:
    """Add the files that come next to the listing."""
    earlier = {name: sorted(hashes) for name, hashes in noted_files(listing).items()}
    _write(listing, {"key": "", "files": dict(files), "earlier": earlier})


def note_written(listing: Path, key: str, files: Mapping[str, str]) -> None:
    """Note that these, and no others, are the files of the results under `key`."""
    _write(listing, {"key": key, "files": dict(files)})


def noted_files(listing: Path) -> dict[str, set[str]]:
    """Return the files of earlier runs, each with the hashes under which they were written."""
    noted = _read(listing)
    found = {name: set(hashes) for name, hashes in noted["earlier"].items()}
    for name, digest in noted["files"].items():
        found.setdefault(name, set()).add(digest)
    return found


def rendered(listing: Path, key: str, folder: Path) -> dict[str, str] | None:
    """Return the files of the results under `key` with their hashes, None unless all are there."""
    noted = _read(listing)
    files: dict[str, str] = noted["files"]
    whole = noted["key"] == key and all(
        _is_as_noted(folder, name, {digest}) for name, digest in files.items()
    )
    return files if whole else None


def own_files(folder: Path, noted: Noted) -> set[str]:
    """Return those files of `folder` that are unchanged since a run."""
    return {name for name, hashes in noted.items() if _is_as_noted(folder, name, hashes)}


def put_in_place(source: Path, folder: Path, names: Iterable[str]) -> None:
    """Copy files from one folder into another, each completely or not at all."""
    for name in names:
        with whole_file(folder / name) as temporary:
            shutil.copyfile(source / name, temporary)


def remove_stale(folder: Path, noted: Noted, current: Collection[str]) -> None:
    """Remove what an earlier run wrote into `folder` and this one did not.

    A file that was changed since that run may be the user's, and stays.
    """
    for name in own_files(folder, noted):
        if name not in current:
            (folder / name).unlink()


def is_listing(path: Path) -> bool:
    """Say whether a file is a listing."""
    return bool(_read(path)["known"])


def _write(listing: Path, content: dict[str, Any]) -> None:
    write_text(listing, json.dumps(content, indent=1) + "\n")


def _read(listing: Path) -> dict[str, Any]:
    try:
        noted = json.loads(listing.read_text(encoding="utf-8"))
        return {
            "known": True,
            "key": str(noted["key"]),
            "files": {str(name): str(digest) for name, digest in noted["files"].items()},
            "earlier": {
                str(name): [str(digest) for digest in hashes]
                for name, hashes in noted.get("earlier", {}).items()
            },
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {"known": False, "key": "", "files": {}, "earlier": {}}


def _is_as_noted(folder: Path, name: str, hashes: Collection[str]) -> bool:
    """Say whether a noted file exists unchanged, and lies in `folder`."""
    path = folder / name
    try:
        return path.resolve().is_relative_to(folder.resolve()) and sha256(path) in hashes
    except OSError:
        return False
