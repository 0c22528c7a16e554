"""Stage results on disk: kept under a key of everything they depend on."""

from __future__ import annotations

import hashlib
import io
import json
import sys
import zipfile
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pyexpr.base.files import sha256, whole_file, write_text

if TYPE_CHECKING:
    import pandas as pd


# Arrow's pools of threads, started for a few kilobytes, can abort a process that ends at once.
_NO_THREADS: dict[str, Any] = {"use_threads": False, "pre_buffer": False}

_CODE = frozenset({".py", ".R", ".so", ".pyd"})


@dataclass(frozen=True, slots=True)
class StageOutput:
    """What a stage hands on: tables by name, and facts that JSON can hold."""

    tables: dict[str, pd.DataFrame]
    facts: dict[str, Any] = field(default_factory=dict)


def stage_key(**parts: Any) -> str:
    """Return a hash of everything that a stage's result depends on."""
    text = json.dumps(parts, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


@cache
def code_fingerprint() -> str:
    """Return a hash of the package's own sources, so that new code computes anew."""
    digest = hashlib.sha256()
    # An editable install has two roots: the checkout, and where the extension was built.
    roots = [Path(root) for root in sys.modules["pyexpr"].__path__]
    found = sorted(
        (path.relative_to(root).as_posix(), path)
        for root in roots
        for path in root.rglob("*")
        if path.suffix in _CODE
    )
    assert found, f"no code of pyexpr in {roots}"
    for name, path in found:
        digest.update(name.encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


def load(path: Path, key: str) -> StageOutput | None:
    """Return what is stored under `key`, or None: absent, of another key, or damaged."""
    import pandas as pd

    try:
        with zipfile.ZipFile(path) as archive:
            head = json.loads(archive.read("facts.json"))
            if head["key"] != key:
                return None
            tables = {
                name: pd.read_parquet(io.BytesIO(archive.read(f"{name}.parquet")), **_NO_THREADS)
                for name in head["tables"]
            }
    except (OSError, KeyError, ValueError, zipfile.BadZipFile):
        return None
    return StageOutput(tables, head["facts"])


def save(path: Path, key: str, output: StageOutput) -> None:
    """Store a stage's result, whole or not at all."""
    head = {"key": key, "tables": list(output.tables), "facts": output.facts}
    with whole_file(path) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        archive.writestr(_entry("facts.json"), json.dumps(head))
        for name, table in output.tables.items():
            buffer = io.BytesIO()
            table.to_parquet(buffer, index=False)
            archive.writestr(_entry(f"{name}.parquet"), buffer.getvalue())


def _entry(name: str) -> zipfile.ZipInfo:
    """Name an entry of an archive; without a date, so that equal results are equal bytes."""
    return zipfile.ZipInfo(name)


def hashes_of(folder: Path, written: Iterable[Path]) -> dict[str, str]:
    """Return the SHA-256 of files in `folder`, by their path in it."""
    return {path.relative_to(folder).as_posix(): sha256(path) for path in written}


def keep_rendered(listing: Path, key: str, files: Mapping[str, str]) -> None:
    """Note which files were written for the results under `key`, with their hashes."""
    write_text(listing, json.dumps({"key": key, "files": dict(files)}, indent=1) + "\n")


def rendered_files(listing: Path) -> dict[str, str]:
    """Return the files that `listing` notes, with their hashes; none if it cannot be read."""
    return _noted(listing)[1]


def is_rendered(listing: Path, key: str, folder: Path) -> bool:
    """Say whether all files of the results under `key` are there, unchanged."""
    kept, files = _noted(listing)
    return kept == key and all(_is_ours(folder, name, digest) for name, digest in files.items())


def remove_stale(folder: Path, earlier: Mapping[str, str], current: Collection[str]) -> None:
    """Remove what an earlier run wrote into `folder` and this one did not.

    A file that is not as that run left it may be the user's by now, and stays.
    """
    for name, digest in earlier.items():
        if name not in current and _is_ours(folder, name, digest):
            (folder / name).unlink()


def _noted(listing: Path) -> tuple[str, dict[str, str]]:
    try:
        noted = json.loads(listing.read_text(encoding="utf-8"))
        return str(noted["key"]), {str(name): str(text) for name, text in noted["files"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return "", {}


def _is_ours(folder: Path, name: str, digest: str) -> bool:
    """Say whether a noted file is there as it was written, and lies in `folder`."""
    path = folder / name
    try:
        return path.resolve().is_relative_to(folder.resolve()) and sha256(path) == digest
    except OSError:
        return False
