"""The stored features of recordings in the results of a study, and which of them are used."""

from __future__ import annotations

import json
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Final

from pyexpr.base.errors import counted
from pyexpr.base.files import write_text
from pyexpr.behavior.features.row_store import store_files

#: Names in the folder of the stages: hashes of the study's files, features of each recording.
HASHES: Final = "hashes.json"
RECORDINGS: Final = "recordings"
# Those of them that the results of a label use.
_USED: Final = "recordings.json"


class FeaturesFiles:
    """The files with the features of recordings.

    Parameters
    ----------
    stages : Path
        The folder of stages that has them.
    *outputs : Path
        The folder of results of each label, whose stages list the files that they use.
    """

    def __init__(self, stages: Path, *outputs: Path) -> None:
        self.folder = stages / RECORDINGS
        self._lists = [output / "stages" / _USED for output in outputs]

    def note_used(self, names: Iterable[str]) -> None:
        """Note the files that the results use, for every label of this object."""
        text = json.dumps({"used": sorted(names)}, indent=1) + "\n"
        for file in self._lists:
            write_text(file, text)

    def unused(self) -> list[Path]:
        """Return the files that no label uses; empty if this is not known for every label."""
        used: set[str] = set()
        for file in self._lists:
            try:
                used |= {*map(str, json.loads(file.read_text(encoding="utf-8"))["used"])}
            except (OSError, ValueError, LookupError, TypeError):
                return []
        return [path for path in store_files(self.folder) if path.name not in used]

    def unused_note(self) -> str:
        """Return a sentence on files that are not used, "" without any."""
        found = self.unused()
        if not found:
            return ""
        verb, them = ("is", "it") if len(found) == 1 else ("are", "them")
        return (
            f"{_many(found)} in {str(self.folder)!r} {verb} of recordings, contents or options "
            f"that the study does not use now; pyexpr run --clean removes {them}"
        )

    def removed(self) -> str:
        """Remove files that are not used; return a sentence that says how many, "" without any."""
        found = self.unused()
        verb = "was" if len(found) == 1 else "were"
        said = f"{_many(found)} that the study does not use {verb} removed" if found else ""
        for path in found:
            with suppress(FileNotFoundError):
                path.unlink()
        return said


def _many(files: list[Path]) -> str:
    size = 0
    for path in files:
        with suppress(OSError):
            size += path.stat().st_size
    return f"{counted(len(files), 'stored file')} ({size / 1e6:.1f} MB)"
