"""Files that contain their own hash: the record and the report.

A seal is the hash of the rest of the file. It reveals accidents and corrections by hand, but not
deliberate deception: anyone who knows the rule can make a new seal.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_SEAL = "sha256"
_BEFORE, _AFTER = "<!-- pyexpr wrote this page; SHA-256 of what is above: ", " -->\n"


def sealed(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return a record with the hash of its other entries."""
    content = {name: value for name, value in record.items() if name != _SEAL}
    return content | {_SEAL: _digest(content)}


def is_sealed(record: Any) -> bool:
    """Say whether a record is as it was written; white space and order do not matter."""
    if not isinstance(record, dict) or _SEAL not in record:
        return False
    return bool(record[_SEAL] == sealed(record)[_SEAL])


def _digest(content: Mapping[str, Any]) -> str:
    text = json.dumps(content, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def sealed_page(text: str) -> str:
    """Return a page with a last line that holds the hash of the lines above."""
    return text + _BEFORE + hashlib.sha256(text.encode()).hexdigest() + _AFTER


def is_own_record(path: Path) -> bool:
    """Say whether a file is an unchanged record of a run."""
    try:
        return is_sealed(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return False


def is_own_page(path: Path) -> bool:
    """Say whether a file is an unchanged page of the package."""
    try:
        text = path.read_bytes().decode("utf-8")
    except (OSError, ValueError):
        return False
    content, found, _ = text.rpartition(_BEFORE)
    return bool(found) and sealed_page(content) == text
