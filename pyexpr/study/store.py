"""Stage results on disk: kept under a key of everything they depend on."""

from __future__ import annotations

import hashlib
import io
import json
import sys
import zipfile
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


def keep_rendered(listing: Path, key: str, folder: Path, written: list[Path]) -> None:
    """Note which files were written for the results under `key`, with their hashes."""
    files_written = {path.relative_to(folder).as_posix(): sha256(path) for path in written}
    write_text(listing, json.dumps({"key": key, "files": files_written}, indent=1) + "\n")


def is_rendered(listing: Path, key: str, folder: Path) -> bool:
    """Say whether all files of the results under `key` are there, unchanged."""
    try:
        noted = json.loads(listing.read_text(encoding="utf-8"))
        return noted["key"] == key and all(
            sha256(folder / name) == digest for name, digest in noted["files"].items()
        )
    except (OSError, ValueError, KeyError):
        return False
