"""Stored results of stages, under a key of everything they depend on."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pyexpr.base.files import OutputError, whole_file
from pyexpr.base.unpacking import DAMAGED
from pyexpr.study.kept.kept_messages import (
    known_messages,
    messages_in,
    table_with_messages,
    with_messages,
)

if TYPE_CHECKING:
    import pandas as pd


# Arrow's pools of threads, started for a few kilobytes, can abort a process that ends at once.
_NO_THREADS: dict[str, Any] = {"use_threads": False, "pre_buffer": False}

_FACTS = "facts.json"


@dataclass(frozen=True, slots=True)
class StageOutput:
    """The result of a stage: tables by name, and facts that JSON can store."""

    tables: dict[str, pd.DataFrame]
    facts: dict[str, Any] = field(default_factory=dict)


def stage_key(**parts: Any) -> str:
    """Return a hash of everything that a stage's result depends on."""
    text = json.dumps(parts, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def load(path: Path, key: str) -> StageOutput | None:
    """Return what is stored under `key`; None if it is absent, damaged, or of another key."""
    import pandas as pd

    try:
        with zipfile.ZipFile(path) as archive:
            head = json.loads(archive.read(_FACTS))
            if head["key"] != key:
                return None
            known = known_messages(head["messages"])
            tables = {
                name: table_with_messages(
                    pd.read_parquet(io.BytesIO(archive.read(f"{name}.parquet")), **_NO_THREADS),
                    known,
                )
                for name in head["tables"]
            }
    except (*DAMAGED, TypeError, AttributeError):
        return None
    return StageOutput(tables, with_messages(head["facts"], known))


def is_stage_file(path: Path) -> bool:
    """Say whether `save` wrote a file, even if it is damaged now; an empty file counts, too."""
    try:
        with path.open("rb") as handle:
            head = handle.read(64)
    except OSError:
        return False
    # The first entry's name, as a ZIP file has it before the content.
    return not head or (head.startswith(b"PK\x03\x04") and head[30:].startswith(_FACTS.encode()))


def save(path: Path, key: str, output: StageOutput) -> None:
    """Store a stage's result, whole or not at all; `OutputError` if the file is another's."""
    if path.exists() and not is_stage_file(path):
        raise OutputError(
            f"{str(path)!r} is not the result of a stage, and would be replaced by one; move "
            "it, or choose another folder for the results"
        )
    head = {
        "key": key,
        "tables": list(output.tables),
        "facts": output.facts,
        "messages": messages_in(output.facts, output.tables),
    }
    with whole_file(path) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        archive.writestr(_entry(_FACTS), json.dumps(head))
        for name, table in output.tables.items():
            buffer = io.BytesIO()
            table.to_parquet(buffer, index=False)
            archive.writestr(_entry(f"{name}.parquet"), buffer.getvalue())


def _entry(name: str) -> zipfile.ZipInfo:
    """Name an entry of an archive; without a date, so that equal results are equal bytes."""
    return zipfile.ZipInfo(name)
